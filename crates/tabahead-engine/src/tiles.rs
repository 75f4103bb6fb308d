//! How weights lie in memory: a file's rows laid out in tiles of sixteen output rows.
//!
//! The order is that in which the kernels read: see there what a tile of each kind holds. What a
//! file holds in other types than these is rounded here. Knows no products.

use candle_core::quantized::GgmlDType;
use half::f16;

use crate::{
    EngineError,
    aligned::Aligned,
    kernels::{
        LANES, NIBBLE_BLOCK, NIBBLE_BYTES, NIBBLE_LINES, NIBBLE_MINS, NIBBLE_SCALES, QUANT_BLOCK,
        widen_brain, widen_one,
    },
    simd::Isa,
    tensors::RawTensor,
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
    /// Lays out a matrix; output row `r` is the file's row `source(r)`.
    pub(crate) fn new(
        raw: &RawTensor,
        outputs: usize,
        source: impl Fn(usize) -> usize,
    ) -> Result<Self, EngineError> {
        Ok(match raw.dtype {
            GgmlDType::F32 => full(raw, outputs, source)?,
            GgmlDType::F16 => Self::Half(sixteens(raw, outputs, source)),
            GgmlDType::BF16 => Self::Brain(sixteens(raw, outputs, source)),
            GgmlDType::Q4K => nibbles(raw, outputs, source),
            _ => bytes(raw, outputs, source)?,
        })
    }

    pub(crate) fn all_finite(&self) -> bool {
        let finite = |&half: &u16| f16::from_bits(half).is_finite();
        match self {
            Self::Bytes { scales: halves, .. } | Self::Half(halves) => halves.iter().all(finite),
            Self::Nibbles(tiles) => {
                let blocks = tiles.as_chunks::<NIBBLE_BYTES>().0.iter();
                blocks
                    .flat_map(|block| block[..NIBBLE_SCALES].as_chunks::<2>().0)
                    .all(|&half| finite(&u16::from_le_bytes(half)))
            }
            Self::Brain(halves) => halves.iter().all(|&half| widen_brain(half).is_finite()),
            Self::Full(numbers) => numbers.iter().all(|number| number.is_finite()),
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

/// Numbers of sixteen bits, as they are.
fn sixteens(raw: &RawTensor, outputs: usize, source: impl Fn(usize) -> usize) -> Aligned<u16> {
    let inputs = raw.columns;
    let mut tiles = Aligned::filled(0, outputs.next_multiple_of(LANES) * inputs);
    for output in 0..outputs {
        let at = output / LANES * LANES * inputs + output % LANES;
        for (column, &number) in bytes_of(raw, source(output))
            .as_chunks()
            .0
            .iter()
            .enumerate()
        {
            tiles[at + column * LANES] = u16::from_le_bytes(number);
        }
    }
    tiles
}

fn bytes_of(raw: &RawTensor, row: usize) -> &[u8] {
    &raw.bytes[row * raw.row_bytes()..][..raw.row_bytes()]
}

/// Q8_0 as it is, and other quantised types rounded to it. That loses far less than they did, but
/// what they hold in 4.5 (Q4_0), 5.5 (Q5_K) or 6.6 bits (Q6_K) takes 8.5 in memory, and is read at
/// that size for each token.
fn bytes(
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
            let row = bytes_of(raw, source(output));
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
    Ok(Weights::Bytes { quants, scales })
}

/// Bytes of a row's 256 weights in a file: two half floats, twelve bytes of packed scales and
/// minima, 128 bytes of nibbles.
const Q4_K_BYTES: usize = 2 + 2 + 12 + NIBBLE_BLOCK / 2;

/// Q4_K as it is, but for the order and for scales and minima, which get a byte each.
fn nibbles(raw: &RawTensor, outputs: usize, source: impl Fn(usize) -> usize) -> Weights {
    let blocks = raw.columns / NIBBLE_BLOCK;
    let mut tiles = Aligned::filled(0, outputs.div_ceil(LANES) * blocks * NIBBLE_BYTES);
    let (out, _) = tiles.as_chunks_mut::<NIBBLE_BYTES>();
    for output in 0..outputs {
        let (tile, lane) = (output / LANES, output % LANES);
        let row = bytes_of(raw, source(output)).as_chunks::<Q4_K_BYTES>().0;
        for (block, out) in row.iter().zip(&mut out[tile * blocks..]) {
            let (head, nibbles) = block.split_at(16);
            out[lane * 2..][..2].copy_from_slice(&head[..2]);
            out[2 * LANES + lane * 2..][..2].copy_from_slice(&head[2..4]);
            for part in 0..NIBBLE_BLOCK / QUANT_BLOCK {
                let (scale, min) = scale_and_min(&head[4..], part);
                out[NIBBLE_SCALES + part * LANES + lane] = scale;
                out[NIBBLE_MINS + part * LANES + lane] = min;
                // Two blocks share 32 bytes: the first has the low nibbles.
                let source = &nibbles[part / 2 * QUANT_BLOCK..][..QUANT_BLOCK];
                for (column, &byte) in source.iter().enumerate() {
                    let nibble = if part % 2 == 0 { byte & 0xf } else { byte >> 4 };
                    let (at, shift) = nibble_at(part, column, lane);
                    out[at] |= nibble << shift;
                }
            }
        }
    }
    Weights::Nibbles(tiles)
}

/// The 6-bit scale and minimum of a block of 32, as Q4_K packs eight of each into twelve bytes:
/// those of the first four blocks in the low six bits of the first eight bytes; of those of the
/// others, the low four bits share the last four bytes, and the high two bits fill the first eight.
fn scale_and_min(packed: &[u8], part: usize) -> (u8, u8) {
    match part {
        0..4 => (packed[part] & 0x3f, packed[part + 4] & 0x3f),
        _ => (
            packed[part + 4] & 0xf | packed[part - 4] >> 6 << 4,
            packed[part + 4] >> 4 | packed[part] >> 6 << 4,
        ),
    }
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
