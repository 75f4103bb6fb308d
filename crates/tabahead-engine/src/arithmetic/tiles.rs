//! How weights lie in memory: a file's rows, laid out in tiles of sixteen output rows.
//!
//! The order is the one in which the kernels read; their docs define the tiles of each kind.
//! Weights of all other types are rounded here. Knows nothing of products.

mod nibbles;
mod planes;
mod short;
mod six;

use candle_core::quantized::GgmlDType;
use half::f16;
use rayon::prelude::*;

pub(crate) use planes::UPPER_STEP;
pub(crate) use short::Short;

use crate::{
    EngineError,
    arithmetic::{
        aligned::Aligned,
        kernels::{LANES, LINE, QUANT_BLOCK, widen_brain, widen_one},
        simd::Isa,
    },
    error::refuse,
    files::tensors::{RawTensor, numbers},
};

/// The weights of a matrix, in tiles.
#[derive(Debug)]
pub(crate) enum Weights {
    /// Q8_0: bytes with 128 added and half-float scales, see `kernels::quant_tile`.
    Bytes {
        quants: Aligned<u8>,
        scales: Aligned<u16>,
    },
    /// Q8_0 of a large head, see `planes`.
    Planes { upper: Tiles, lower: Tiles },
    /// Q4_0, Q4_1, Q5_0 and Q5_1, see `kernels::short_tile`.
    Short { kind: Short, tiles: Tiles },
    /// Q4_K and Q5_K, see `kernels::nibble_tile`.
    Nibbles { bits: WeightBits, tiles: Tiles },
    /// Q6_K, see `kernels::six_tile`.
    Sixes(Tiles),
    /// Half floats, sixteen per column.
    Half(Aligned<u16>),
    /// The upper halves of floats (BF16), sixteen per column.
    Brain(Aligned<u16>),
    /// Floats, sixteen per column.
    Full(Aligned<f32>),
}

/// How many bits a weight has whose nibbles share bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightBits {
    Four,
    Five,
}

impl WeightBits {
    /// Returns the bits of a weight of this type.
    fn of(dtype: GgmlDType) -> Self {
        match dtype {
            GgmlDType::Q5_0 | GgmlDType::Q5_1 | GgmlDType::Q5K => Self::Five,
            _ => Self::Four,
        }
    }

    /// Returns the number of bits, which is also the number of lines for 32 columns.
    const fn count(self) -> usize {
        4 + self.beyond_nibble()
    }

    /// Returns the number of bits that are not in the nibble.
    const fn beyond_nibble(self) -> usize {
        match self {
            Self::Four => 0,
            Self::Five => 1,
        }
    }
}

/// What the outputs of a matrix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Numbers of a layer. An embedding table has this role, too: its rows are read one by one.
    Layer,
    /// Logits. Only those near the highest matter, so a large matrix may lie in planes.
    Head,
}

/// Minimum number of weights of a head from which on an approximate product first is worthwhile;
/// smaller heads stay in the cache.
const LARGE_HEAD: usize = 16 << 20;

/// Tiles of `size` bytes each.
#[derive(Debug)]
pub(crate) struct Tiles {
    bytes: Aligned<u8>,
    size: usize,
}

impl Weights {
    /// Reserves and fills the memory of a matrix, see `reserve` and `read`.
    ///
    /// # Errors
    /// Those of `read`.
    #[cfg(test)]
    pub(crate) fn new(
        raw: &RawTensor,
        outputs: usize,
        source: impl Fn(usize) -> usize + Sync,
    ) -> Result<Self, EngineError> {
        let mut weights = Self::reserve(raw, outputs, Role::Layer);
        weights.read(raw, outputs, source)?;
        Ok(weights)
    }

    /// Reserves memory for a matrix of zeros. Nothing is written: the system provides each page
    /// when the thread that reads that part of the file first writes to it.
    pub(crate) fn reserve(raw: &RawTensor, outputs: usize, role: Role) -> Self {
        let numbers = outputs.div_ceil(LANES) * LANES * raw.columns;
        let tiles = |size| Tiles::reserve(outputs, size);
        match raw.dtype {
            GgmlDType::Q8_0 if role == Role::Head && numbers >= LARGE_HEAD => {
                Self::planes(raw, outputs)
            }
            GgmlDType::F32 => Self::Full(Aligned::filled(0.0, numbers)),
            GgmlDType::F16 => Self::Half(Aligned::filled(0, numbers)),
            GgmlDType::BF16 => Self::Brain(Aligned::filled(0, numbers)),
            GgmlDType::Q4K | GgmlDType::Q5K => {
                let bits = WeightBits::of(raw.dtype);
                let tiles = tiles(nibbles::tile_bytes(bits, raw.columns));
                Self::Nibbles { bits, tiles }
            }
            GgmlDType::Q6K => Self::Sixes(tiles(six::tile_bytes(raw.columns))),
            GgmlDType::Q4_0 | GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1 => {
                let kind = Short::of(raw.dtype);
                let tiles = tiles(kind.tile_bytes(raw.columns));
                Self::Short { kind, tiles }
            }
            _ => Self::Bytes {
                quants: Aligned::filled(0, numbers),
                scales: Aligned::filled(0, numbers / QUANT_BLOCK),
            },
        }
    }

    /// Reserves memory for a Q8_0 matrix in planes.
    pub(crate) fn planes(raw: &RawTensor, outputs: usize) -> Self {
        Self::Planes {
            upper: Tiles::reserve(outputs, planes::UPPER.tile_bytes(raw.columns)),
            lower: Tiles::reserve(outputs, planes::lower_bytes(raw.columns)),
        }
    }

    /// Reads a matrix into the memory reserved for it; output row `r` is the file's row
    /// `source(r)`. The threads of the current pool divide the tiles among them.
    ///
    /// # Errors
    /// If the file cannot be read, or a number is infinite or NaN. The message is worded to follow
    /// the tensor's name.
    pub(crate) fn read(
        &mut self,
        raw: &RawTensor,
        outputs: usize,
        source: impl Fn(usize) -> usize + Sync,
    ) -> Result<(), EngineError> {
        let rows = FileRows {
            raw,
            outputs,
            source,
        };
        let (columns, dtype) = (raw.columns, raw.dtype);
        let tile = LANES * columns;
        match self {
            Self::Full(tiles) => rows.lay_out(tiles.par_chunks_mut(tile), |rows, out| {
                full_tile(rows, out);
                expect_finite(out.iter().copied())
            }),
            Self::Half(tiles) => rows.lay_out(tiles.par_chunks_mut(tile), |rows, out| {
                sixteens_tile(rows, out);
                expect_finite_halves(out.iter().copied())
            }),
            Self::Brain(tiles) => rows.lay_out(tiles.par_chunks_mut(tile), |rows, out| {
                sixteens_tile(rows, out);
                expect_finite(out.iter().map(|&half| widen_brain(half)))
            }),
            Self::Nibbles { bits, tiles } => rows.lay_out(tiles.parts(), |rows, out| {
                nibbles::tile(*bits, rows, out);
                expect_finite_halves(nibbles::halves(*bits, out))
            }),
            Self::Sixes(tiles) => rows.lay_out(tiles.parts(), |rows, out| {
                six::tile(rows, out);
                expect_finite_halves(six::halves(out))
            }),
            Self::Short { kind, tiles } => rows.lay_out(tiles.parts(), |rows, out| {
                kind.tile(rows, out);
                expect_finite_halves(kind.halves(out, columns))
            }),
            Self::Planes { upper, lower } => rows.lay_out(
                upper.parts().zip(lower.parts()),
                |rows, (upper, lower): (&mut [u8], &mut [u8])| {
                    planes::tile(rows, upper, lower);
                    expect_finite_halves(planes::UPPER.halves(upper, columns))
                },
            ),
            Self::Bytes { quants, scales } => {
                let scales = scales.par_chunks_mut(tile / QUANT_BLOCK);
                let tiles = quants.par_chunks_mut(tile).zip(scales);
                rows.lay_out(tiles, |rows, (quants, scales): (&mut [u8], &mut [u16])| {
                    match dtype {
                        GgmlDType::Q8_0 => bytes_tile(rows, quants, scales),
                        dtype => rounded_tile(dtype, rows, quants, scales)?,
                    }
                    expect_finite_halves(scales.iter().copied())
                })
            }
        }
    }

    /// Returns the size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Bytes { quants, scales } => quants.len() + scales.len() * 2,
            Self::Planes { upper, lower } => upper.bytes.len() + lower.bytes.len(),
            Self::Short { tiles, .. } | Self::Nibbles { tiles, .. } | Self::Sixes(tiles) => {
                tiles.bytes.len()
            }
            Self::Half(halves) | Self::Brain(halves) => halves.len() * 2,
            Self::Full(numbers) => numbers.len() * 4,
        }
    }

    /// Returns the number of bytes that a product reads, except for the few tiles of a lower plane.
    pub(crate) fn bytes_per_product(&self) -> usize {
        match self {
            Self::Planes { upper, .. } => upper.bytes.len(),
            _ => self.size(),
        }
    }

    /// Returns the maximum number of rows of activations that share a pass over a tile.
    pub(crate) fn most_rows(&self, isa: Isa) -> usize {
        match self {
            Self::Bytes { .. }
            | Self::Planes { .. }
            | Self::Short { .. }
            | Self::Nibbles { .. }
            | Self::Sixes(_) => isa.most_quantized_rows(),
            Self::Half(_) | Self::Brain(_) | Self::Full(_) => isa.most_dense_rows(),
        }
    }

    /// Widens a tile of half floats to floats in `panel`; does nothing for other kinds.
    pub(crate) fn widen(&self, isa: Isa, tile: usize, inputs: usize, panel: &mut Vec<f32>) {
        if let Self::Half(halves) = self {
            panel.resize(LANES * inputs, 0.0);
            isa.widen(&halves[tile * panel.len()..][..panel.len()], panel);
        }
    }

    /// Calls `work` with the bytes and scales of a tile, see `kernels::quant_tile`, if the matrix
    /// lies in planes.
    pub(crate) fn joined(&self, tile: usize, room: &mut Joined, work: impl FnOnce(&[u8], &[u16])) {
        if let Self::Planes { upper, lower } = self {
            let numbers = lower.size * 2;
            room.quants.resize(numbers, 0);
            room.scales.resize(numbers / QUANT_BLOCK, 0);
            planes::join(
                upper.tile(tile),
                lower.tile(tile),
                &mut room.quants,
                &mut room.scales,
            );
            work(&room.quants, &room.scales);
        }
    }

    /// Writes one row of weights to `out` as floats.
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
            Self::Planes { upper, lower } => {
                planes::row(upper.tile(tile), lower.tile(tile), lane, out);
            }
            Self::Short { kind, tiles } => kind.row(tiles.tile(tile), lane, out),
            Self::Nibbles { bits, tiles } => nibbles::row(*bits, tiles.tile(tile), lane, out),
            Self::Sixes(tiles) => six::row(tiles.tile(tile), lane, out),
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

/// Buffer for a tile of bytes that is joined from both planes.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    quants: Vec<u8>,
    scales: Vec<u16>,
}

impl Tiles {
    /// Reserves memory for the tiles of `outputs` outputs.
    fn reserve(outputs: usize, size: usize) -> Self {
        Self {
            bytes: Aligned::filled(0, outputs.div_ceil(LANES) * size),
            size,
        }
    }

    /// Returns the tiles one by one, to be filled.
    fn parts(&mut self) -> impl IndexedParallelIterator<Item = &mut [u8]> {
        self.bytes.par_chunks_mut(self.size)
    }

    pub(crate) fn tile(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.size..][..self.size]
    }
}

/// The rows of a tile as the file holds them; rows beyond the last output are empty.
pub(crate) type TileRows<'a> = [&'a [u8]; LANES];

/// The file's rows of a matrix, accessed by output.
struct FileRows<'a, S> {
    raw: &'a RawTensor,
    outputs: usize,
    /// Maps an output to the file's row.
    source: S,
}

impl<S: Fn(usize) -> usize + Sync> FileRows<'_, S> {
    /// Fills all tiles, each on one thread.
    fn lay_out<T: Send>(
        &self,
        tiles: impl IndexedParallelIterator<Item = T>,
        fill: impl Fn(&TileRows<'_>, T) -> Result<(), EngineError> + Sync,
    ) -> Result<(), EngineError> {
        tiles
            .enumerate()
            .try_for_each_init(Vec::new, |buffer, (tile, out)| {
                let size = self.raw.row_bytes();
                let bytes = self.read(tile, buffer)?;
                let rows = std::array::from_fn(|lane| {
                    let row = bytes.get(lane * size..(lane + 1) * size);
                    row.unwrap_or_default()
                });
                fill(&rows, out)
            })
    }

    /// Returns the bytes of a tile's rows, one row after the other.
    fn read<'a>(&'a self, tile: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], EngineError> {
        let outputs = tile * LANES..self.outputs.min((tile + 1) * LANES);
        let rows = outputs.clone().map(&self.source);
        let first = (self.source)(outputs.start);
        if rows.clone().eq(first..first + outputs.len()) {
            return self.raw.rows(first..first + outputs.len(), buffer);
        }
        let size = self.raw.row_bytes();
        buffer.resize(outputs.len() * size, 0);
        for (row, out) in rows.zip(buffer.chunks_exact_mut(size)) {
            self.raw.copy_row(row, out)?;
        }
        Ok(buffer)
    }
}

/// Rejects a tile if one of its numbers is infinite or NaN.
fn expect_finite(mut numbers: impl Iterator<Item = f32>) -> Result<(), EngineError> {
    if numbers.all(f32::is_finite) {
        Ok(())
    } else {
        Err(refuse(INFINITE))
    }
}

/// Rejects a tile if one of its half floats is infinite or NaN.
fn expect_finite_halves(mut halves: impl Iterator<Item = u16>) -> Result<(), EngineError> {
    const EXPONENT: u16 = 0x7c00;

    if halves.all(|half| half & EXPONENT != EXPONENT) {
        Ok(())
    } else {
        Err(refuse(INFINITE))
    }
}

/// What is wrong with a tensor of such numbers, worded to follow its name.
const INFINITE: &str = "holds infinite numbers";

fn full_tile(rows: &TileRows<'_>, out: &mut [f32]) {
    columns(rows, out, f32::from_le_bytes);
}

/// Lays out a tile of 16-bit numbers as they are.
fn sixteens_tile(rows: &TileRows<'_>, out: &mut [u16]) {
    columns(rows, out, u16::from_le_bytes);
}

/// Lays out a tile column by column.
fn columns<T, const N: usize>(rows: &TileRows<'_>, out: &mut [T], number: impl Fn([u8; N]) -> T) {
    /// Number of columns that are laid out before the next row: few enough for the written memory
    /// to stay in the cache.
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

/// Lays out a tile of Q8_0, see `kernels::quant_tile`.
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

/// Writes 32 signed bytes of a row to their places in a block of a tile, with 128 added.
fn put_quants(numbers: &[u8; QUANT_BLOCK], lane: usize, quants: &mut [u8; LANES * QUANT_BLOCK]) {
    let words = numbers.as_chunks::<4>().0.iter();
    for (word, line) in words.zip(quants.as_chunks_mut::<LINE>().0) {
        let word = u32::from_ne_bytes(*word) ^ 0x8080_8080;
        line[lane * 4..][..4].copy_from_slice(&word.to_ne_bytes());
    }
}

/// Lays out a tile of another quantised type (of two or three bits), rounded to Q8_0. The rounding
/// loses far less than the type itself did, but a weight takes 8.5 bits in memory and is read at
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
        let row = if row.is_empty() {
            vec![0.0; blocks.len() * QUANT_BLOCK]
        } else {
            numbers(dtype, row)?
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

/// Returns the half float of a lane.
fn half_at(halves: &[u8], lane: usize) -> f32 {
    widen_one(u16::from_le_bytes([halves[2 * lane], halves[2 * lane + 1]]))
}

/// Combines the four low nibbles of the first word, as low nibbles, with those of the second, as
/// high ones; if `high` is 1, the high nibbles of both.
fn pair_nibbles((first, second): (u32, u32), high: usize) -> u32 {
    const LOW: u32 = 0x0f0f_0f0f;
    match high {
        0 => first & LOW | (second & LOW) << 4,
        _ => first >> 4 & LOW | second & !LOW,
    }
}
