//! Rows of Q8_0 in two planes: the upper halves of all bytes, and the lower ones.
//!
//! The upper plane is laid out like a Q4_1 matrix, so its kernel computes an approximate product
//! from little more than half of the memory. Both planes of a tile join to the original tile of
//! bytes: nothing is lost.

use half::f16;

use super::{Short, TileRows, WeightBits, half_at, pair_nibbles, short::numbers};
use crate::arithmetic::kernels::{LANES, LINE, NIBBLE_LINES, QUANT_BLOCK, short_head, widen_one};

/// Layout of the upper plane.
pub(super) const UPPER: Short = Short {
    bits: WeightBits::Four,
    minima: true,
};

/// Factor for a product of the upper plane: an upper half counts sixteen times as much as a lower
/// one.
pub(crate) const UPPER_STEP: f32 = 16.0;

/// Bytes of nibbles for 32 columns.
const BLOCK: usize = NIBBLE_LINES * LINE;

/// What is subtracted from an upper half, in its steps: bytes have 128 added, and the middle of the
/// range of a lower half is 7.5.
const MIDDLE: f32 = (128.0 - 7.5) / UPPER_STEP;

/// Returns the size in bytes of a tile of the lower plane.
pub(super) fn lower_bytes(inputs: usize) -> usize {
    inputs / QUANT_BLOCK * BLOCK
}

/// Lays out a tile of both planes from a file's rows.
pub(super) fn tile(rows: &TileRows<'_>, upper: &mut [u8], lower: &mut [u8]) {
    let (heads, upper) = upper.split_at_mut(short_head(lower.len() / BLOCK, UPPER.factors()));
    let heads = heads.as_chunks_mut::<{ 4 * LANES }>().0.iter_mut();
    let upper = upper.as_chunks_mut::<BLOCK>().0.iter_mut();
    let lower = lower.as_chunks_mut::<BLOCK>().0.iter_mut();
    for (index, ((head, upper), lower)) in heads.zip(upper).zip(lower).enumerate() {
        for (lane, row) in rows.iter().enumerate() {
            let row = row.as_chunks::<{ 2 + QUANT_BLOCK }>().0;
            let Some([low, high, numbers @ ..]) = row.get(index) else {
                continue;
            };
            let scale = [*low, *high];
            let minimum = minimum(u16::from_le_bytes(scale)).to_le_bytes();
            head[lane * 2..][..2].copy_from_slice(&scale);
            head[(LANES + lane) * 2..][..2].copy_from_slice(&minimum);
            let (first, second) = numbers.split_at(QUANT_BLOCK / 2);
            let words = first.as_chunks::<4>().0.iter().zip(second.as_chunks().0);
            for (line, (first, second)) in words.enumerate() {
                let word = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) ^ 0x8080_8080;
                let pair = (word(first), word(second));
                let at = line * LINE + lane * 4;
                upper[at..][..4].copy_from_slice(&pair_nibbles(pair, 1).to_le_bytes());
                lower[at..][..4].copy_from_slice(&pair_nibbles(pair, 0).to_le_bytes());
            }
        }
    }
}

/// Returns what is added to the scaled upper halves of a block, as a half float. It is finite if
/// the scale is.
fn minimum(scale: u16) -> u16 {
    let most = f16::MAX.to_f32();
    let minimum = (-MIDDLE * widen_one(scale)).clamp(-most, most);
    f16::from_f32(minimum).to_bits()
}

/// Joins a tile of both planes to a tile of bytes, see `kernels::quant_tile`.
pub(super) fn join(upper: &[u8], lower: &[u8], quants: &mut [u8], scales: &mut [u16]) {
    let (heads, upper) = upper.split_at(short_head(lower.len() / BLOCK, UPPER.factors()));
    let scales = scales.as_chunks_mut::<LANES>().0.iter_mut();
    for (head, scales) in heads.as_chunks::<{ 4 * LANES }>().0.iter().zip(scales) {
        let halves = head.as_chunks::<2>().0.iter();
        for (scale, half) in scales.iter_mut().zip(halves) {
            *scale = u16::from_le_bytes(*half);
        }
    }
    let planes = upper.as_chunks::<BLOCK>().0.iter();
    let planes = planes.zip(lower.as_chunks::<BLOCK>().0);
    for ((upper, lower), quants) in planes.zip(quants.chunks_exact_mut(2 * BLOCK)) {
        let (first, second) = quants.split_at_mut(NIBBLE_LINES * LINE);
        for at in 0..BLOCK {
            first[at] = upper[at] << 4 | lower[at] & 0xf;
            second[at] = upper[at] & 0xf0 | lower[at] >> 4;
        }
    }
}

/// Writes a lane of a tile to `out` as floats.
pub(super) fn row(upper: &[u8], lower: &[u8], lane: usize, out: &mut [f32]) {
    let (heads, upper) = upper.split_at(short_head(lower.len() / BLOCK, UPPER.factors()));
    let heads = heads.as_chunks::<{ 4 * LANES }>().0.iter();
    let planes = upper.chunks_exact(BLOCK).zip(lower.chunks_exact(BLOCK));
    let out = out.as_chunks_mut::<QUANT_BLOCK>().0.iter_mut();
    for ((head, (upper, lower)), out) in heads.zip(planes).zip(out) {
        let scale = half_at(head, lane);
        let [upper, lower] = [upper, lower].map(|plane| numbers(plane, UPPER.bits, lane));
        for (out, (upper, lower)) in out.iter_mut().zip(upper.into_iter().zip(lower)) {
            *out = f32::from(i16::from(upper << 4 | lower) - 128) * scale;
        }
    }
}
