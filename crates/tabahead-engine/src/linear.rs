//! A matrix of weights, and rows times it.
//!
//! Weights lie in tiles of sixteen output rows, so that sixteen outputs are made side by side and
//! no sum is ever split: an output depends on its row and its weights alone, however many rows
//! are worked on together and by however many threads.

use candle_core::quantized::GgmlDType;
use half::f16;
use rayon::prelude::*;

use crate::{
    EngineError,
    aligned::Aligned,
    error::refuse,
    kernels::{LANES, QUANT_BLOCK, QuantRow, widen_one},
    simd::Isa,
    tensors::{RawTensor, TensorSource, vector},
};

/// Rows that share one pass over a tile of weights.
const ROWS: usize = 8;

/// Multiplications below which a second thread costs more than it brings.
const WORTH_SPLITTING: usize = 1 << 20;

/// A matrix of `outputs` rows and `inputs` columns, and what is added to its products.
#[derive(Debug)]
pub(crate) struct Linear {
    outputs: usize,
    inputs: usize,
    weights: Weights,
    bias: Option<Vec<f32>>,
}

#[derive(Debug)]
enum Weights {
    /// Bytes with 128 added and half-float scales, see `kernels::quant_tile`.
    Quantized {
        quants: Aligned<u8>,
        scales: Aligned<u16>,
    },
    /// Half floats, sixteen per column.
    Half(Aligned<u16>),
    /// Floats, sixteen per column.
    Full(Aligned<f32>),
}

/// Rows of numbers in the forms that the kernels read.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    width: usize,
    words: Vec<i32>,
    scales: Vec<f32>,
    corrections: Vec<i32>,
}

impl Activations {
    /// Quantises rows of `width` numbers, unless no quantised matrix can read them.
    pub(crate) fn set(&mut self, isa: Isa, rows: &[f32], width: usize) {
        self.width = width;
        if !width.is_multiple_of(QUANT_BLOCK) {
            return;
        }
        let blocks = rows.len() / QUANT_BLOCK;
        self.words.resize(blocks * (QUANT_BLOCK / 4), 0);
        self.scales.resize(blocks, 0.0);
        self.corrections.resize(blocks, 0);
        isa.quantize(
            rows,
            &mut self.words,
            &mut self.scales,
            &mut self.corrections,
        );
    }

    fn row(&self, row: usize) -> QuantRow<'_> {
        let blocks = self.width / QUANT_BLOCK;
        let words = self.width / 4;
        QuantRow {
            words: &self.words[row * words..][..words],
            scales: &self.scales[row * blocks..][..blocks],
            corrections: &self.corrections[row * blocks..][..blocks],
        }
    }
}

impl Linear {
    /// Loads a matrix; output row `r` is the file's row `source(r)`.
    pub(crate) fn load(
        file: &mut impl TensorSource,
        name: &str,
        outputs: usize,
        inputs: usize,
        source: impl Fn(usize) -> usize,
    ) -> Result<Self, EngineError> {
        let raw = file.tensor(&format!("{name}.weight"), outputs, inputs)?;
        let bias_name = format!("{name}.bias");
        let bias = match file.has_tensor(&bias_name) {
            true => {
                let bias = vector(file, &bias_name, outputs)?;
                Some((0..outputs).map(|row| bias[source(row)]).collect())
            }
            false => None,
        };
        let weights = match raw.dtype {
            GgmlDType::F32 | GgmlDType::BF16 => full(&raw, outputs, source)?,
            GgmlDType::F16 => half(&raw, outputs, source),
            _ => quantized(&raw, outputs, source)?,
        };
        let finite = match &weights {
            Weights::Quantized { scales: halves, .. } | Weights::Half(halves) => {
                halves.iter().all(|&half| f16::from_bits(half).is_finite())
            }
            Weights::Full(numbers) => numbers.iter().all(|number| number.is_finite()),
        };
        if !finite {
            return Err(refuse(format!(
                "tensor '{name}.weight' holds infinite numbers"
            )));
        }
        Ok(Self {
            outputs,
            inputs,
            weights,
            bias,
        })
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        match &self.weights {
            Weights::Quantized { quants, scales } => quants.len() + scales.len() * 2,
            Weights::Half(halves) => halves.len() * 2,
            Weights::Full(numbers) => numbers.len() * 4,
        }
    }

    /// One row of weights: the embedding of a token when the matrix is the embedding table.
    pub(crate) fn weights_of(&self, output: usize, out: &mut [f32]) {
        let (tile, lane) = (output / LANES, output % LANES);
        let at = tile * LANES * self.inputs;
        match &self.weights {
            Weights::Quantized { quants, scales } => {
                for (column, out) in out.iter_mut().enumerate() {
                    let quant = quants[at + column / 4 * 4 * LANES + lane * 4 + column % 4];
                    let block = tile * (self.inputs / QUANT_BLOCK) + column / QUANT_BLOCK;
                    let scale = widen_one(scales[block * LANES + lane]);
                    *out = f32::from(i16::from(quant) - 128) * scale;
                }
            }
            Weights::Half(halves) => {
                for (column, out) in out.iter_mut().enumerate() {
                    *out = widen_one(halves[at + column * LANES + lane]);
                }
            }
            Weights::Full(numbers) => {
                for (column, out) in out.iter_mut().enumerate() {
                    *out = numbers[at + column * LANES + lane];
                }
            }
        }
    }

    /// Rows times the matrix; `quantized` holds the same rows. A single row may be shared out to
    /// `threads` of the current pool.
    pub(crate) fn forward(
        &self,
        isa: Isa,
        rows: &[f32],
        quantized: &Activations,
        threads: usize,
        out: &mut [f32],
    ) {
        let single = rows.len() == self.inputs;
        if !single || threads <= 1 || self.outputs * self.inputs < WORTH_SPLITTING {
            self.tiles(isa, rows, quantized, 0, out, self.outputs);
            return;
        }
        let tiles = self.outputs.div_ceil(LANES).div_ceil(threads);
        out.par_chunks_mut(tiles * LANES)
            .enumerate()
            .for_each(|(part, out)| {
                let width = out.len();
                self.tiles(isa, rows, quantized, part * tiles, out, width);
            });
    }

    /// Outputs from tile `first` on, `width` of them, for all rows.
    fn tiles(
        &self,
        isa: Isa,
        rows: &[f32],
        quantized: &Activations,
        first: usize,
        out: &mut [f32],
        width: usize,
    ) {
        let count = rows.len() / self.inputs;
        let mut panel = Vec::new();
        if matches!(self.weights, Weights::Half(_)) {
            panel.resize(LANES * self.inputs, 0.0);
        }
        for tile in 0..width.div_ceil(LANES) {
            let mut row = 0;
            if let Weights::Half(halves) = &self.weights {
                let at = (first + tile) * LANES * self.inputs;
                isa.widen(&halves[at..at + LANES * self.inputs], &mut panel);
            }
            while row < count {
                let taken = match count - row {
                    ROWS.. => {
                        self.tile::<ROWS>(
                            isa, rows, quantized, first, tile, row, &panel, out, width,
                        );
                        ROWS
                    }
                    4.. => {
                        self.tile::<4>(isa, rows, quantized, first, tile, row, &panel, out, width);
                        4
                    }
                    2.. => {
                        self.tile::<2>(isa, rows, quantized, first, tile, row, &panel, out, width);
                        2
                    }
                    _ => {
                        self.tile::<1>(isa, rows, quantized, first, tile, row, &panel, out, width);
                        1
                    }
                };
                row += taken;
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the innermost loop, unrolled by row count"
    )]
    fn tile<const M: usize>(
        &self,
        isa: Isa,
        rows: &[f32],
        quantized: &Activations,
        first: usize,
        tile: usize,
        row: usize,
        panel: &[f32],
        out: &mut [f32],
        width: usize,
    ) {
        let at = (first + tile) * LANES * self.inputs;
        let mut products = [[0.0; LANES]; M];
        let dense = |row: usize| &rows[row * self.inputs..][..self.inputs];
        match &self.weights {
            Weights::Quantized { quants, scales } => {
                let size = LANES * self.inputs;
                let scales = &scales[at / QUANT_BLOCK..][..size / QUANT_BLOCK];
                let rows = std::array::from_fn(|index| quantized.row(row + index));
                isa.quant_tile::<M>(&quants[at..at + size], scales, rows, &mut products);
            }
            Weights::Half(_) => {
                let rows = std::array::from_fn(|index| dense(row + index));
                isa.dense_tile::<M>(panel, rows, &mut products);
            }
            Weights::Full(numbers) => {
                let tile = &numbers[at..at + LANES * self.inputs];
                let rows = std::array::from_fn(|index| dense(row + index));
                isa.dense_tile::<M>(tile, rows, &mut products);
            }
        }
        let start = tile * LANES;
        let lanes = LANES.min(width - start);
        if let Some(bias) = &self.bias {
            let bias = &bias[first * LANES + start..][..lanes];
            for products in &mut products {
                for (product, bias) in products.iter_mut().zip(bias) {
                    *product += bias;
                }
            }
        }
        for (index, products) in products.iter().enumerate() {
            out[(row + index) * width + start..][..lanes].copy_from_slice(&products[..lanes]);
        }
    }
}

fn full(
    raw: &RawTensor,
    outputs: usize,
    source: impl Fn(usize) -> usize,
) -> Result<Weights, EngineError> {
    let inputs = raw.columns;
    let mut tiles = Aligned::filled(0.0, outputs.next_multiple_of(LANES) * inputs);
    for output in 0..outputs {
        let at = output / LANES * LANES * inputs + output % LANES;
        for (column, number) in raw.row(source(output))?.into_iter().enumerate() {
            tiles[at + column * LANES] = number;
        }
    }
    Ok(Weights::Full(tiles))
}

fn half(raw: &RawTensor, outputs: usize, source: impl Fn(usize) -> usize) -> Weights {
    let inputs = raw.columns;
    let mut tiles = Aligned::filled(0, outputs.next_multiple_of(LANES) * inputs);
    for output in 0..outputs {
        let at = output / LANES * LANES * inputs + output % LANES;
        let row = &raw.bytes[source(output) * raw.row_bytes()..][..raw.row_bytes()];
        for (column, &number) in row.as_chunks::<2>().0.iter().enumerate() {
            tiles[at + column * LANES] = u16::from_le_bytes(number);
        }
    }
    Weights::Half(tiles)
}

/// Q8_0 as it is; other quantised types are rounded to it, which loses far less than they did.
fn quantized(
    raw: &RawTensor,
    outputs: usize,
    source: impl Fn(usize) -> usize,
) -> Result<Weights, EngineError> {
    let inputs = raw.columns;
    let padded = outputs.next_multiple_of(LANES);
    let mut quants = Aligned::filled(128u8, padded * inputs);
    let mut scales = Aligned::filled(0u16, padded * (inputs / QUANT_BLOCK));
    for output in 0..outputs {
        let (tile, lane) = (output / LANES, output % LANES);
        let mut put = |block: usize, scale: u16, numbers: &[i8; QUANT_BLOCK]| {
            scales[(tile * (inputs / QUANT_BLOCK) + block) * LANES + lane] = scale;
            let at = (tile * inputs + block * QUANT_BLOCK) * LANES;
            for (column, &number) in numbers.iter().enumerate() {
                quants[at + column / 4 * 4 * LANES + lane * 4 + column % 4] =
                    (number as u8).wrapping_add(128);
            }
        };
        if raw.dtype == GgmlDType::Q8_0 {
            let row = &raw.bytes[source(output) * raw.row_bytes()..][..raw.row_bytes()];
            for (block, bytes) in row.as_chunks::<{ QUANT_BLOCK + 2 }>().0.iter().enumerate() {
                let numbers = std::array::from_fn(|index| bytes[index + 2] as i8);
                put(block, u16::from_le_bytes([bytes[0], bytes[1]]), &numbers);
            }
        } else {
            let row = raw.row(source(output))?;
            for (block, numbers) in row.as_chunks::<QUANT_BLOCK>().0.iter().enumerate() {
                let largest = numbers
                    .iter()
                    .fold(0.0f32, |max, number| max.max(number.abs()));
                let scale = f16::from_f32(largest / 127.0);
                let inverse = if scale == f16::ZERO {
                    0.0
                } else {
                    1.0 / scale.to_f32()
                };
                let numbers = numbers.map(|number| (number * inverse).round() as i8);
                put(block, scale.to_bits(), &numbers);
            }
        }
    }
    Ok(Weights::Quantized { quants, scales })
}
