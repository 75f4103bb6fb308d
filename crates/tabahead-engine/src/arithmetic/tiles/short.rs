//! Rows of Q4_0, Q4_1, Q5_0 and Q5_1 in tiles: weights of four or five bits in blocks of 32 that
//! share a scale and, in some types, a minimum.
//!
//! Nothing is rounded; only the order differs. `kernels::short_tile` documents it.

use candle_core::quantized::GgmlDType;

use super::{TileRows, WeightBits, half_at};
use crate::arithmetic::kernels::{LANES, LINE, NIBBLE_LINES, QUANT_BLOCK, short_bytes, short_head};

/// One of the four types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    /// Bits of a weight.
    pub(crate) bits: WeightBits,
    /// Whether a minimum is added to scaled weights.
    pub(crate) minima: bool,
}

impl Short {
    /// Converts a type of a file.
    pub(crate) fn of(dtype: GgmlDType) -> Self {
        Self {
            bits: WeightBits::of(dtype),
            minima: matches!(dtype, GgmlDType::Q4_1 | GgmlDType::Q5_1),
        }
    }

    /// Returns the size in bytes of a tile of `inputs` columns.
    pub(crate) fn tile_bytes(self, inputs: usize) -> usize {
        short_bytes(inputs / QUANT_BLOCK, self.bits.count(), self.factors())
    }

    /// Lays out a tile, which is zeros, from a file's rows. A block there has the half floats, four
    /// bytes of fifth bits, and sixteen bytes of nibbles: the low ones are for the first sixteen
    /// columns.
    pub(crate) fn tile(self, rows: &TileRows<'_>, out: &mut [u8]) {
        let halves = 2 * self.factors();
        let bits = 4 * self.bits.beyond_nibble();
        let size = halves + bits + QUANT_BLOCK / 2;
        let count = rows[0].len() / size;
        let (heads, blocks) = out.split_at_mut(short_head(count, self.factors()));
        let heads = heads.chunks_exact_mut(halves * LANES);
        let blocks = heads.zip(blocks.chunks_exact_mut(self.bits.count() * LINE));
        for (index, (head, block)) in blocks.enumerate() {
            for (lane, row) in rows.iter().enumerate() {
                let Some(row) = row.get(index * size..(index + 1) * size) else {
                    continue;
                };
                let (numbers, row) = row.split_at(halves);
                for (half, head) in numbers
                    .chunks_exact(2)
                    .zip(head.chunks_exact_mut(2 * LANES))
                {
                    head[lane * 2..][..2].copy_from_slice(half);
                }
                let (bits, nibbles) = row.split_at(bits);
                for (line, word) in block.chunks_exact_mut(LINE).zip(nibbles.as_chunks::<4>().0) {
                    line[lane * 4..][..4].copy_from_slice(word);
                }
                if let Ok(bits) = bits.try_into() {
                    let bits = every_fourth(u32::from_le_bytes(bits)).to_le_bytes();
                    block[NIBBLE_LINES * LINE + lane * 4..][..4].copy_from_slice(&bits);
                }
            }
        }
    }

    /// Writes a lane of a tile to `out` as floats.
    pub(crate) fn row(self, tile: &[u8], lane: usize, out: &mut [f32]) {
        let (heads, blocks) = tile.split_at(short_head(out.len() / QUANT_BLOCK, self.factors()));
        let heads = heads.chunks_exact(self.factors() * 2 * LANES);
        let blocks = blocks.chunks_exact(self.bits.count() * LINE);
        let out = out.as_chunks_mut::<QUANT_BLOCK>().0.iter_mut();
        for ((head, block), out) in heads.zip(blocks).zip(out) {
            let scale = half_at(head, lane);
            let numbers = numbers(block, self.bits, lane);
            for (out, number) in out.iter_mut().zip(numbers) {
                *out = match (self.minima, self.bits) {
                    (true, _) => f32::from(number) * scale + half_at(&head[2 * LANES..], lane),
                    (false, WeightBits::Five) => f32::from(i16::from(number) - 16) * scale,
                    (false, WeightBits::Four) => f32::from(i16::from(number) - 8) * scale,
                };
            }
        }
    }

    /// Returns all half floats of a tile.
    pub(crate) fn halves(self, tile: &[u8], inputs: usize) -> impl Iterator<Item = u16> {
        let bytes = inputs / QUANT_BLOCK * self.factors() * 2 * LANES;
        let halves = tile[..bytes].as_chunks::<2>().0.iter();
        halves.map(|&half| u16::from_le_bytes(half))
    }

    /// Returns the number of half floats of a block.
    pub(super) fn factors(self) -> usize {
        1 + usize::from(self.minima)
    }
}

/// Returns the numbers of 32 columns of a lane, from lines of nibbles and, with five bits, a line of
/// fifth bits.
pub(super) fn numbers(block: &[u8], bits: WeightBits, lane: usize) -> [u8; QUANT_BLOCK] {
    std::array::from_fn(|column| {
        let (word, byte) = (column / 4, column % 4);
        let at = |line: usize| block[line * LINE + lane * 4 + byte];
        let nibble = at(word % NIBBLE_LINES) >> (word / NIBBLE_LINES * 4) & 0xf;
        match bits {
            WeightBits::Four => nibble,
            WeightBits::Five => nibble | (at(NIBBLE_LINES) >> word & 1) << 4,
        }
    })
}

/// Collects bits 0, 4, 8 and so on in the lowest byte, bits 1, 5, 9 and so on in the next.
fn every_fourth(bits: u32) -> u32 {
    (0..8).fold(0, |word, index| {
        let four = bits >> (4 * index);
        let spread = four & 1 | (four & 2) << 7 | (four & 4) << 14 | (four & 8) << 21;
        word | spread << index
    })
}
