//! A matrix of weights, and the product of rows with it.
//!
//! Weights lie in tiles of sixteen output rows, so that sixteen outputs are computed side by side
//! and no sum is ever split. An output depends only on its row and its weights, however many rows
//! are computed together and on however many threads.

use std::{fmt, ops::Range};

use crate::{
    EngineError,
    arithmetic::{
        kernels::{LANES, QUANT_BLOCK, QUANT_WORDS, QuantBlocks},
        simd::Isa,
        tiles::{Joined, Role, UPPER_STEP, WeightBits, Weights},
    },
    files::tensors::{RawTensor, TensorSource, vector},
    threads::crew::Crew,
};

/// Minimum number of multiplications in a part of a product that is worth another thread: some
/// microseconds of work.
const WORTH_SPLITTING: usize = 1 << 17;

/// Number of parts of a large product per thread, so that a thread that is slowed down does fewer.
const PARTS: usize = 8;

/// How far below the highest logit a logit is still computed with all bits of its weights, in a
/// head that lies in planes. Lower ones are at most a thousandth as likely. The other bits change a
/// logit by far less than half of this.
const REFINED: f32 = 8.0;

/// A matrix of `outputs` rows and `inputs` columns, and the bias that is added to its products.
#[derive(Debug)]
pub(crate) struct Linear {
    outputs: usize,
    inputs: usize,
    weights: Weights,
    bias: Option<Vec<f32>>,
    /// The tensor to read the weights from, until they are read.
    unread: Option<Unread>,
}

/// A tensor that is to be read into memory reserved for it.
struct Unread {
    name: String,
    raw: RawTensor,
    /// Maps an output to the tensor's row.
    source: Box<dyn Fn(usize) -> usize + Send + Sync>,
}

impl fmt::Debug for Unread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Unread").field(&self.name).finish()
    }
}

/// Quantised rows of numbers, laid out as the kernels read them.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    /// Number of blocks in a row.
    blocks: usize,
    /// `QuantBlocks` of the rows of each pass.
    words: Vec<i32>,
    /// Buffer for a row before it is interleaved with the other rows of its pass.
    row: Vec<QuantBlocks<1>>,
}

/// The rows to multiply, and how to do it.
pub(crate) struct Rows<'a> {
    pub(crate) isa: Isa,
    pub(crate) numbers: &'a [f32],
    /// The same rows, quantised.
    pub(crate) quantized: &'a Activations,
    /// Threads among which a large product of few rows is divided by outputs, so that all weights
    /// are read once.
    pub(crate) crew: Crew<'a>,
}

/// Consecutive tiles of a matrix that one thread works on.
struct Piece<'a> {
    linear: &'a Linear,
    /// Index of the first of these tiles.
    tile: usize,
    /// Their outputs for each row.
    out: Vec<&'a mut [f32]>,
}

/// A pass over a tile.
struct TilePass<'a> {
    tile: usize,
    /// Index of the pass's first row.
    row: usize,
    /// Range of its outputs within the part of each row that is being computed.
    span: Range<usize>,
    /// The tile's weights as floats, if they are half floats in memory.
    panel: &'a [f32],
}

/// Divides rows among passes over a tile: into as few passes as possible, which differ in size by
/// at most one row.
#[derive(Debug, Clone, Copy)]
struct Passes {
    rows: usize,
    passes: usize,
}

impl Passes {
    fn new(rows: usize, most: usize) -> Self {
        Self {
            rows,
            passes: rows.div_ceil(most),
        }
    }

    fn rows(self, pass: usize) -> Range<usize> {
        pass * self.rows / self.passes..(pass + 1) * self.rows / self.passes
    }
}

impl Activations {
    /// Quantises rows of `width` numbers, unless no quantised matrix can read rows of that width.
    pub(crate) fn set(&mut self, isa: Isa, rows: &[f32], width: usize) {
        if !width.is_multiple_of(QUANT_BLOCK) {
            return;
        }
        self.blocks = width / QUANT_BLOCK;
        self.row.resize(self.blocks, [[0]; QUANT_WORDS]);
        self.words
            .resize(rows.len() / width * self.blocks * QUANT_WORDS, 0);
        let passes = Passes::new(rows.len() / width, isa.most_quantized_rows());
        for pass in 0..passes.passes {
            let span = passes.rows(pass);
            let count = span.len();
            let size = self.blocks * QUANT_WORDS;
            let words = &mut self.words[span.start * size..span.end * size];
            for (index, row) in rows[span.start * width..]
                .chunks(width)
                .take(count)
                .enumerate()
            {
                isa.quantize(row, &mut self.row);
                let row = self.row.as_flattened().as_flattened();
                for (word, &number) in words[index..].iter_mut().step_by(count).zip(row) {
                    *word = number;
                }
            }
        }
    }

    /// Returns the rows of the pass that begins with row `first`.
    pub(crate) fn rows<const M: usize>(&self, first: usize) -> &[QuantBlocks<M>] {
        let size = self.blocks * QUANT_WORDS;
        let words = &self.words[first * size..][..M * size];
        words.as_chunks::<M>().0.as_chunks().0
    }
}

impl Rows<'_> {
    /// Multiplies the rows by matrices that all have as many columns as a row has numbers. Several
    /// products at once cost less than one after the other, because all threads stay busy until the
    /// last.
    pub(crate) fn multiply<const N: usize>(&self, products: [(&Linear, &mut Vec<f32>); N]) {
        let [(Linear { inputs, .. }, _), ..] = &products[..] else {
            return;
        };
        let rows = self.numbers.len() / inputs;
        let outputs: usize = products.iter().map(|(linear, _)| linear.outputs).sum();
        let tiles: usize = products.iter().map(|(linear, _)| linear.tiles()).sum();
        let most = match self.crew.threads() {
            1 => 1,
            threads => threads * PARTS,
        };
        let worth = self.numbers.len().saturating_mul(outputs) / WORTH_SPLITTING;
        let share = tiles.div_ceil(worth.clamp(1, most));
        let mut parts: Vec<Vec<Piece<'_>>> = Vec::new();
        let mut before = 0;
        for (linear, out) in products {
            out.resize(rows * linear.outputs, 0.0);
            let mut out: Vec<&mut [f32]> = out.chunks_mut(linear.outputs).collect();
            let mut tile = 0;
            while tile < linear.tiles() {
                if before % share == 0 {
                    parts.push(Vec::new());
                }
                let count = (share - before % share).min(linear.tiles() - tile);
                let width = (count * LANES).min(linear.outputs - tile * LANES);
                let (piece, rest) = out.into_iter().map(|row| row.split_at_mut(width)).unzip();
                let part = parts.last_mut().expect("one begins before the first tile");
                part.push(Piece {
                    linear,
                    tile,
                    out: piece,
                });
                out = rest;
                tile += count;
                before += count;
            }
        }
        let work = |part: &mut Vec<Piece<'_>>| {
            for piece in part {
                piece.linear.multiply(self, piece.tile, &mut piece.out);
            }
        };
        self.crew.each(&mut parts, work);
    }
}

impl Linear {
    /// Reserves memory for a matrix, which is zeros until [`Linear::read`] reads it; output row `r`
    /// is the file's row `source(r)`. The logits of a [`Role::Head`] must be corrected by
    /// [`Linear::refine`].
    ///
    /// # Errors
    /// If the file has no such matrix, or not all of it.
    pub(crate) fn reserve(
        file: &impl TensorSource,
        name: &str,
        outputs: usize,
        inputs: usize,
        role: Role,
        source: impl Fn(usize) -> usize + Send + Sync + 'static,
    ) -> Result<Self, EngineError> {
        let raw = file.tensor(&format!("{name}.weight"), outputs, inputs)?;
        let bias_name = format!("{name}.bias");
        let bias = if file.has_tensor(&bias_name) {
            let bias = vector(file, &bias_name, outputs)?;
            Some((0..outputs).map(|row| bias[source(row)]).collect())
        } else {
            None
        };
        Ok(Self {
            outputs,
            inputs,
            weights: Weights::reserve(&raw, outputs, role),
            bias,
            unread: Some(Unread {
                name: name.to_owned(),
                raw,
                source: Box::new(source),
            }),
        })
    }

    /// Reads the weights of a matrix into the memory reserved for it.
    ///
    /// # Errors
    /// See [`Weights::read`].
    pub(crate) fn read(&mut self) -> Result<(), EngineError> {
        let Some(Unread { name, raw, source }) = self.unread.take() else {
            return Ok(());
        };
        let read = self.weights.read(&raw, self.outputs, source);
        read.map_err(|error| error.reworded(|fault| format!("tensor '{name}.weight' {fault}")))
    }

    /// Builds a matrix from a tensor; output row `r` is the tensor's row `source(r)`.
    ///
    /// # Errors
    /// See [`Weights::read`].
    pub(crate) fn new(
        raw: &RawTensor,
        bias: Option<Vec<f32>>,
        outputs: usize,
        source: impl Fn(usize) -> usize + Sync,
    ) -> Result<Self, EngineError> {
        let weights = Weights::reserve(raw, outputs, Role::Layer);
        Self::filled(weights, raw, bias, outputs, source)
    }

    /// Does the same as [`Linear::new`], with a Q8_0 matrix in planes.
    #[cfg(test)]
    pub(crate) fn in_planes(
        raw: &RawTensor,
        bias: Option<Vec<f32>>,
        outputs: usize,
    ) -> Result<Self, EngineError> {
        let weights = Weights::planes(raw, outputs);
        Self::filled(weights, raw, bias, outputs, |row| row)
    }

    fn filled(
        mut weights: Weights,
        raw: &RawTensor,
        bias: Option<Vec<f32>>,
        outputs: usize,
        source: impl Fn(usize) -> usize + Sync,
    ) -> Result<Self, EngineError> {
        weights.read(raw, outputs, source)?;
        Ok(Self {
            outputs,
            inputs: raw.columns,
            weights,
            bias,
            unread: None,
        })
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns the size in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.weights.size()
    }

    /// Returns the number of bytes that a product reads.
    pub(crate) fn bytes_per_product(&self) -> usize {
        self.weights.bytes_per_product()
    }

    /// Computes the logits that are nearly as high as the highest of their row again, with all bits
    /// of the weights. A matrix in planes computes them without the lower halves of its bytes,
    /// which changes them by some tenths. Logits of other matrices are left alone. Which logits are
    /// computed again depends only on the row.
    pub(crate) fn refine(&self, work: &Rows<'_>, logits: &mut [f32]) {
        if !matches!(self.weights, Weights::Planes { .. }) {
            return;
        }
        let rows = work.numbers.chunks(self.inputs);
        for (row, logits) in rows.zip(logits.chunks_mut(self.outputs)) {
            let mut quantized = Activations::default();
            quantized.set(work.isa, row, self.inputs);
            let least = work.isa.max(logits) - REFINED;
            let tiles = logits.chunks_mut(LANES).enumerate();
            let mut near: Vec<_> = tiles
                .filter(|(_, logits)| logits.iter().any(|&logit| logit >= least))
                .collect();
            let share = near.len().div_ceil(work.crew.threads()).max(1);
            let mut shares: Vec<_> = near.chunks_mut(share).collect();
            work.crew.each(&mut shares, |tiles| {
                let mut room = Joined::default();
                for (tile, logits) in &mut **tiles {
                    let mut products = [[0.0; LANES]];
                    self.weights.joined(*tile, &mut room, |quants, scales| {
                        let row = quantized.rows::<1>(0);
                        work.isa.quant_tile::<1>(quants, scales, row, &mut products);
                    });
                    self.add_bias(*tile, logits.len(), &mut products);
                    logits.copy_from_slice(&products[0][..logits.len()]);
                }
            });
        }
    }

    /// Writes one row of weights to `out`: a token's embedding if the matrix is the embedding
    /// table.
    pub(crate) fn weights_of(&self, output: usize, out: &mut [f32]) {
        self.weights.row(output, &mut out[..self.inputs]);
    }

    fn tiles(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// Computes the outputs from tile `first` on for all rows; `out` holds the same span of each
    /// row.
    fn multiply(&self, work: &Rows<'_>, first: usize, out: &mut [&mut [f32]]) {
        let (count, width) = (out.len(), out[0].len());
        let most = self.weights.most_rows(work.isa);
        let passes = Passes::new(count, most);
        let mut panel = Vec::new();
        for start in (0..width).step_by(LANES) {
            let tile = first + start / LANES;
            let span = start..width.min(start + LANES);
            self.weights.widen(work.isa, tile, self.inputs, &mut panel);
            for index in 0..passes.passes {
                let rows = passes.rows(index);
                let pass = TilePass {
                    tile,
                    row: rows.start,
                    span: span.clone(),
                    panel: &panel,
                };
                let out = &mut out[rows];
                match out.len() {
                    1 => self.tile::<1>(work, pass, out),
                    2 => self.tile::<2>(work, pass, out),
                    3 => self.tile::<3>(work, pass, out),
                    4 => self.tile::<4>(work, pass, out),
                    5 => self.tile::<5>(work, pass, out),
                    6 => self.tile::<6>(work, pass, out),
                    7 => self.tile::<7>(work, pass, out),
                    8 => self.tile::<8>(work, pass, out),
                    9 => self.tile::<9>(work, pass, out),
                    10 => self.tile::<10>(work, pass, out),
                    11 => self.tile::<11>(work, pass, out),
                    _ => self.tile::<12>(work, pass, out),
                }
            }
        }
    }

    /// Computes sixteen outputs of `M` rows.
    fn tile<const M: usize>(&self, work: &Rows<'_>, pass: TilePass<'_>, out: &mut [&mut [f32]]) {
        let TilePass { tile, row, .. } = pass;
        let isa = work.isa;
        let mut products = [[0.0; LANES]; M];
        let quantized = || work.quantized.rows(row);
        let dense = || {
            std::array::from_fn(|index| &work.numbers[(row + index) * self.inputs..][..self.inputs])
        };
        let size = LANES * self.inputs;
        let weights = tile * size..(tile + 1) * size;
        match &self.weights {
            Weights::Bytes { quants, scales } => {
                let size = size / QUANT_BLOCK;
                let scales = &scales[tile * size..][..size];
                isa.quant_tile::<M>(&quants[weights], scales, quantized(), &mut products);
            }
            Weights::Planes { upper, .. } => {
                isa.short_tile::<M, 4, 2>(upper.tile(tile), quantized(), &mut products);
                for product in products.as_flattened_mut() {
                    *product *= UPPER_STEP;
                }
            }
            Weights::Short { kind, tiles } => {
                let (tile, rows, out) = (tiles.tile(tile), quantized(), &mut products);
                match (kind.bits, kind.minima) {
                    (WeightBits::Four, false) => isa.short_tile::<M, 4, 1>(tile, rows, out),
                    (WeightBits::Four, true) => isa.short_tile::<M, 4, 2>(tile, rows, out),
                    (WeightBits::Five, false) => isa.short_tile::<M, 5, 1>(tile, rows, out),
                    (WeightBits::Five, true) => isa.short_tile::<M, 5, 2>(tile, rows, out),
                }
            }
            Weights::Nibbles { bits, tiles } => {
                let (tile, rows, out) = (tiles.tile(tile), quantized(), &mut products);
                match bits {
                    WeightBits::Four => isa.nibble_tile::<M, 4>(tile, rows, out),
                    WeightBits::Five => isa.nibble_tile::<M, 5>(tile, rows, out),
                }
            }
            Weights::Sixes(tiles) => {
                isa.six_tile::<M>(tiles.tile(tile), quantized(), &mut products);
            }
            Weights::Half(_) => {
                isa.dense_tile::<M>(pass.panel, dense(), &mut products);
            }
            Weights::Brain(numbers) => {
                isa.brain_tile::<M>(&numbers[weights], dense(), &mut products);
            }
            Weights::Full(numbers) => {
                isa.dense_tile::<M>(&numbers[weights], dense(), &mut products);
            }
        }
        self.add_bias(tile, pass.span.len(), &mut products);
        for (products, out) in products.iter().zip(out) {
            out[pass.span.clone()].copy_from_slice(&products[..pass.span.len()]);
        }
    }

    /// Adds the bias to the first `outputs` outputs of a tile.
    fn add_bias<const M: usize>(
        &self,
        tile: usize,
        outputs: usize,
        products: &mut [[f32; LANES]; M],
    ) {
        let Some(bias) = &self.bias else { return };
        let bias = &bias[tile * LANES..][..outputs];
        for products in products {
            for (product, bias) in products.iter_mut().zip(bias) {
                *product += bias;
            }
        }
    }
}
