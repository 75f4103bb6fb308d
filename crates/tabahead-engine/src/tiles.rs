//! How weights lie in memory: a file's rows laid out in tiles of sixteen output rows.
//!
//! The order is that in which the kernels read: see there what a tile of each kind holds. What a
//! file holds in other types than these is rounded here. Knows no products.

use candle_core::quantized::GgmlDType;
use half::f16;
use rayon::prelude::*;

use crate::{
    EngineError,
    aligned::Aligned,
    error::refuse,
    kernels::{
        LANES, NIBBLE_BLOCK, NIBBLE_BYTES, NIBBLE_LINES, NIBBLE_MINS, NIBBLE_PARTS, NIBBLE_SCALES,
        QUANT_BLOCK, widen_brain, widen_one,
    },
    simd::Isa,
    tensors::{RawTensor, numbers},
};

/// Weights of a matrix, in tiles.
#[derive(Debug)]
pub(crate) enum Weights {
    /// Q8_0: bytes with 128 added and half-float scales, see `kernels::quant_tile`.
    Bytes {
        quants: Aligned<u8>,
        scales: Aligned<u16>,
    },
    /// Q4_K, see `kernels::nibble_tile`.
    Nibbles(Aligned<u8>),
    /// Half floats, sixteen per column.
    Half(Aligned<u16>),
    /// The upper halves of floats (BF16), sixteen per column.
    Brain(Aligned<u16>),
    /// Floats, sixteen per column.
    Full(Aligned<f32>),
}

impl Weights {
    /// Lays out a matrix; output row `r` is the file's row `source(r)`. The threads of the current
    /// pool share out the tiles.
    ///
    /// # Errors
    /// When a number is infinite or none, in words that follow the tensor's name.
    pub(crate) fn new(
        raw: &RawTensor,
        outputs: usize,
        source: impl Fn(usize) -> usize + Sync,
    ) -> Result<Self, EngineError> {
        let rows = Rows {
            raw,
            outputs,
            source,
        };
        match raw.dtype {
            GgmlDType::F32 => {
                let mut tiles = rows.memory(rows.tile());
                rows.lay_out(tiles.par_chunks_mut(rows.tile()), |rows, out| {
                    full_tile(rows, out);
                    expect_finite(out.iter().all(|number| number.is_finite()))
                })?;
                Ok(Self::Full(tiles))
            }
            GgmlDType::F16 => {
                let mut tiles = rows.memory(rows.tile());
                rows.lay_out(tiles.par_chunks_mut(rows.tile()), |rows, out| {
                    sixteens_tile(rows, out);
                    expect_finite(halves_are_finite(out))
                })?;
                Ok(Self::Half(tiles))
            }
            GgmlDType::BF16 => {
                let mut tiles = rows.memory(rows.tile());
                rows.lay_out(tiles.par_chunks_mut(rows.tile()), |rows, out| {
                    sixteens_tile(rows, out);
                    expect_finite(out.iter().all(|&half| widen_brain(half).is_finite()))
                })?;
                Ok(Self::Brain(tiles))
            }
            GgmlDType::Q4K => {
                let size = raw.columns / NIBBLE_BLOCK * NIBBLE_BYTES;
                let mut tiles = rows.memory(size);
                rows.lay_out(tiles.par_chunks_mut(size), |rows, out: &mut [u8]| {
                    nibbles_tile(rows, out);
                    let blocks = out.as_chunks::<NIBBLE_BYTES>().0.iter();
                    let mut halves =
                        blocks.flat_map(|block| block[..NIBBLE_SCALES].as_chunks::<2>().0);
                    expect_finite(
                        halves.all(|&half| halves_are_finite(&[u16::from_le_bytes(half)])),
                    )
                })?;
                Ok(Self::Nibbles(tiles))
            }
            dtype => {
                let size = rows.tile();
                let (mut quants, mut scales) = (rows.memory(size), rows.memory(size / QUANT_BLOCK));
                let tiles = quants.par_chunks_mut(size);
                let tiles = tiles.zip(scales.par_chunks_mut(size / QUANT_BLOCK));
                rows.lay_out(tiles, |rows, (quants, scales): (&mut [u8], &mut [u16])| {
                    match dtype {
                        GgmlDType::Q8_0 => bytes_tile(rows, quants, scales),
                        dtype => rounded_tile(dtype, rows, quants, scales)?,
                    }
                    expect_finite(halves_are_finite(scales))
                })?;
                Ok(Self::Bytes { quants, scales })
            }
        }
    }

    /// Bytes in memory.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Bytes { quants, scales } => quants.len() + scales.len() * 2,
            Self::Nibbles(tiles) => tiles.len(),
            Self::Half(halves) | Self::Brain(halves) => halves.len() * 2,
            Self::Full(numbers) => numbers.len() * 4,
        }
    }

    /// Most rows of activations that share a pass over a tile.
    pub(crate) fn most_rows(&self, isa: Isa) -> usize {
        match self {
            Self::Bytes { .. } | Self::Nibbles(_) => isa.most_quantized_rows(),
            Self::Half(_) | Self::Brain(_) | Self::Full(_) => isa.most_dense_rows(),
        }
    }

    /// Makes floats of a tile of half floats; `panel` is left alone by other kinds.
    pub(crate) fn widen(&self, isa: Isa, tile: usize, inputs: usize, panel: &mut Vec<f32>) {
        if let Self::Half(halves) = self {
            panel.resize(LANES * inputs, 0.0);
            isa.widen(&halves[tile * panel.len()..][..panel.len()], panel);
        }
    }

    /// One row of weights as floats.
    pub(crate) fn row(&self, output: usize, out: &mut [f32]) {
        let (tile, lane) = (output / LANES, output % LANES);
        let inputs = out.len();
        let at = tile * LANES * inputs;
        match self {
            Self::Bytes { quants, scales } => {
                for (column, out) in out.iter_mut().enumerate() {
                    let quant = quants[at + column / 4 * 4 * LANES + lane * 4 + column % 4];
                    let block = tile * (inputs / QUANT_BLOCK) + column / QUANT_BLOCK;
                    let scale = widen_one(scales[block * LANES + lane]);
                    *out = f32::from(i16::from(quant) - 128) * scale;
                }
            }
            Self::Nibbles(tiles) => {
                let blocks = inputs / NIBBLE_BLOCK;
                let blocks = &tiles.as_chunks::<NIBBLE_BYTES>().0[tile * blocks..][..blocks];
                for (block, out) in blocks.iter().zip(out.as_chunks_mut().0) {
                    nibble_row(block, lane, out);
                }
            }
            Self::Half(halves) => {
                for (column, out) in out.iter_mut().enumerate() {
                    *out = widen_one(halves[at + column * LANES + lane]);
                }
            }
            Self::Brain(halves) => {
                for (column, out) in out.iter_mut().enumerate() {
                    *out = widen_brain(halves[at + column * LANES + lane]);
                }
            }
            Self::Full(numbers) => {
                for (column, out) in out.iter_mut().enumerate() {
                    *out = numbers[at + column * LANES + lane];
                }
            }
        }
    }
}

/// Rows of a file that make a tile, as the file holds them; those beyond the last output are empty.
pub(crate) type TileRows<'a> = [&'a [u8]; LANES];

/// The rows of a matrix by output.
struct Rows<'a, S> {
    raw: &'a RawTensor,
    outputs: usize,
    /// The file's row of an output.
    source: S,
}

impl<S: Fn(usize) -> usize + Sync> Rows<'_, S> {
    /// Numbers in a tile.
    fn tile(&self) -> usize {
        LANES * self.raw.columns
    }

    /// Zeros for all tiles when a tile takes `size` of them. Nothing is written yet: memory comes
    /// to be where the thread that fills a tile first touches it.
    fn memory<T: Copy + Default>(&self, size: usize) -> Aligned<T> {
        Aligned::filled(T::default(), self.outputs.div_ceil(LANES) * size)
    }

    /// Fills all tiles, each by one thread.
    fn lay_out<T: Send>(
        &self,
        tiles: impl IndexedParallelIterator<Item = T>,
        fill: impl Fn(&TileRows<'_>, T) -> Result<(), EngineError> + Sync,
    ) -> Result<(), EngineError> {
        tiles.enumerate().try_for_each(|(tile, out)| {
            let rows = std::array::from_fn(|lane| match tile * LANES + lane {
                output if output < self.outputs => self.row((self.source)(output)),
                _ => &[],
            });
            fill(&rows, out)
        })
    }

    fn row(&self, row: usize) -> &[u8] {
        let size = self.raw.row_bytes();
        &self.raw.bytes[row * size..][..size]
    }
}

/// Refuses a tile when one of its numbers or scales is infinite or none.
pub(crate) fn expect_finite(finite: bool) -> Result<(), EngineError> {
    match finite {
        true => Ok(()),
        false => Err(refuse("holds infinite numbers")),
    }
}

/// Whether all these half floats are finite.
pub(crate) fn halves_are_finite(halves: &[u16]) -> bool {
    const EXPONENT: u16 = 0x7c00;
    halves.iter().all(|half| half & EXPONENT != EXPONENT)
}

fn full_tile(rows: &TileRows<'_>, out: &mut [f32]) {
    columns(rows, out, f32::from_le_bytes);
}

/// Numbers of sixteen bits, as they are.
fn sixteens_tile(rows: &TileRows<'_>, out: &mut [u16]) {
    columns(rows, out, u16::from_le_bytes);
}

/// Lays out a tile column by column.
fn columns<T, const N: usize>(rows: &TileRows<'_>, out: &mut [T], number: impl Fn([u8; N]) -> T) {
    /// Columns that are done before the next row: few enough for what is written to stay near.
    const STRIP: usize = 32;

    for (strip, out) in out.chunks_mut(STRIP * LANES).enumerate() {
        for (lane, row) in rows.iter().enumerate() {
            let row = row.as_chunks::<N>().0;
            let row = row.get(strip * STRIP..).unwrap_or_default();
            for (&bytes, out) in row.iter().zip(out.as_chunks_mut::<LANES>().0) {
                out[lane] = number(bytes);
            }
        }
    }
}

/// A tile of Q8_0, see `kernels::quant_tile`.
fn bytes_tile(rows: &TileRows<'_>, quants: &mut [u8], scales: &mut [u16]) {
    let blocks = quants.as_chunks_mut::<{ LANES * QUANT_BLOCK }>().0;
    let blocks = blocks.iter_mut().zip(scales.as_chunks_mut::<LANES>().0);
    for (index, (quants, scales)) in blocks.enumerate() {
        for (lane, row) in rows.iter().enumerate() {
            let row = row.as_chunks::<{ 2 + QUANT_BLOCK }>().0;
            let (scale, numbers) = match row.get(index) {
                Some([low, high, numbers @ ..]) => (u16::from_le_bytes([*low, *high]), numbers),
                None => (0, &[0; QUANT_BLOCK]),
            };
            scales[lane] = scale;
            put_quants(numbers, lane, quants);
        }
    }
}

/// Puts 32 signed bytes of a row to their places in a tile's block, with 128 added.
fn put_quants(numbers: &[u8; QUANT_BLOCK], lane: usize, quants: &mut [u8; LANES * QUANT_BLOCK]) {
    let words = numbers.as_chunks::<4>().0.iter();
    for (word, line) in words.zip(quants.as_chunks_mut::<{ 4 * LANES }>().0) {
        let word = u32::from_ne_bytes(*word) ^ 0x8080_8080;
        line[lane * 4..][..4].copy_from_slice(&word.to_ne_bytes());
    }
}

/// A tile of another quantised type, rounded to Q8_0. That loses far less than the type did, but
/// what it holds in 4.5 (Q4_0), 5.5 (Q5_K) or 6.6 bits (Q6_K) takes 8.5 in memory, and is read at
/// that size for each token.
fn rounded_tile(
    dtype: GgmlDType,
    rows: &TileRows<'_>,
    quants: &mut [u8],
    scales: &mut [u16],
) -> Result<(), EngineError> {
    let blocks = quants.as_chunks_mut::<{ LANES * QUANT_BLOCK }>().0;
    let scales = scales.as_chunks_mut::<LANES>().0;
    for (lane, row) in rows.iter().enumerate() {
        let row = match row.is_empty() {
            true => vec![0.0; blocks.len() * QUANT_BLOCK],
            false => numbers(dtype, row)?,
        };
        let row = row.as_chunks::<QUANT_BLOCK>().0.iter();
        for ((numbers, quants), scales) in row.zip(&mut *blocks).zip(&mut *scales) {
            let largest = numbers
                .iter()
                .fold(0.0f32, |max, number| max.max(number.abs()));
            let scale = f16::from_f32(largest / 127.0);
            let inverse = if scale == f16::ZERO {
                0.0
            } else {
                1.0 / scale.to_f32()
            };
            scales[lane] = scale.to_bits();
            let numbers = numbers.map(|number| (number * inverse).round() as i8 as u8);
            put_quants(&numbers, lane, quants);
        }
    }
    Ok(())
}

/// Bytes of a row's 256 weights in a file: two half floats, twelve bytes of packed scales and
/// minima, 128 bytes of nibbles.
const Q4_K_BYTES: usize = 2 + 2 + 12 + NIBBLE_BLOCK / 2;

/// A tile of Q4_K: as it is, but for the order and for scales and minima, which get a byte each.
fn nibbles_tile(rows: &TileRows<'_>, out: &mut [u8]) {
    for (index, out) in out.as_chunks_mut::<NIBBLE_BYTES>().0.iter_mut().enumerate() {
        for (lane, row) in rows.iter().enumerate() {
            if let Some(block) = row.as_chunks::<Q4_K_BYTES>().0.get(index) {
                put_nibbles(block, lane, out);
            }
        }
    }
}

/// Puts a row's 256 weights to their places in a tile's block.
fn put_nibbles(block: &[u8; Q4_K_BYTES], lane: usize, out: &mut [u8; NIBBLE_BYTES]) {
    let (words, _) = block.as_chunks::<4>();
    let word = |at: usize| u32::from_le_bytes(words[at]);
    out[lane * 2..][..2].copy_from_slice(&block[..2]);
    out[2 * LANES + lane * 2..][..2].copy_from_slice(&block[2..4]);
    let (scales, mins) = scales_and_mins([word(1), word(2), word(3)]);
    for part in 0..NIBBLE_PARTS {
        out[NIBBLE_SCALES + part * LANES + lane] = scales[part];
        out[NIBBLE_MINS + part * LANES + lane] = mins[part];
    }
    let mut put = |part: usize, line: usize, word: u32| {
        let at = NIBBLE_LINES + (part * 4 + line) * 4 * LANES + lane * 4;
        out[at..][..4].copy_from_slice(&word.to_le_bytes());
    };
    // Two parts share 32 bytes: the first has the low nibbles.
    for pair in 0..NIBBLE_PARTS / 2 {
        for line in 0..4 {
            let (first, second) = (word(4 + pair * 8 + line), word(8 + pair * 8 + line));
            let (low, high) = (0x0f0f_0f0f, 0xf0f0_f0f0);
            put(pair * 2, line, first & low | (second & low) << 4);
            put(pair * 2 + 1, line, (first & high) >> 4 | second & high);
        }
    }
}

/// The 6-bit scales and minima of eight blocks of 32, as Q4_K packs them into three words, block
/// by block a byte of a word: those of the first four blocks in the low six bits of the first two
/// words; of those of the others, the low four bits share the third word, and the high two bits
/// fill the first two.
fn scales_and_mins(packed: [u32; 3]) -> ([u8; NIBBLE_PARTS], [u8; NIBBLE_PARTS]) {
    const SIX: u32 = 0x3f3f_3f3f;
    const FOUR: u32 = 0x0f0f_0f0f;
    const TWO: u32 = 0x0303_0303;

    let [scales, mins, rest] = packed;
    let eight =
        |first: u32, second: u32| (u64::from(second) << 32 | u64::from(first)).to_le_bytes();
    (
        eight(scales & SIX, rest & FOUR | (scales >> 6 & TWO) << 4),
        eight(mins & SIX, rest >> 4 & FOUR | (mins >> 6 & TWO) << 4),
    )
}

/// Byte and bit in a tile's block where the nibble of a column of a block of 32 stands.
fn nibble_at(part: usize, column: usize, lane: usize) -> (usize, u32) {
    let (word, byte) = (column / 4, column % 4);
    let line = part * 4 + word % 4;
    let at = NIBBLE_LINES + line * 4 * LANES + lane * 4 + byte;
    (at, if word < 4 { 0 } else { 4 })
}

fn nibble_row(block: &[u8; NIBBLE_BYTES], lane: usize, out: &mut [f32; NIBBLE_BLOCK]) {
    let half = |at: usize| widen_one(u16::from_le_bytes([block[at], block[at + 1]]));
    let (scale, min) = (half(lane * 2), half(2 * LANES + lane * 2));
    for (part, out) in out.as_chunks_mut::<QUANT_BLOCK>().0.iter_mut().enumerate() {
        let scale = scale * f32::from(block[NIBBLE_SCALES + part * LANES + lane]);
        let min = min * f32::from(block[NIBBLE_MINS + part * LANES + lane]);
        for (column, out) in out.iter_mut().enumerate() {
            let (at, shift) = nibble_at(part, column, lane);
            *out = scale * f32::from(block[at] >> shift & 0xf) - min;
        }
    }
}
