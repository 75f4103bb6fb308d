//! Rows of Q4_K and Q5_K in tiles: weights of four or five bits with 6-bit scales and minima for 32
//! columns each.
//!
//! Nothing is rounded; only the order differs, and each scale and minimum gets a byte of its own.
//! `kernels::nibble_tile` documents the layout.

use super::{TileRows, WeightBits, half_at, pair_nibbles, short};
use crate::arithmetic::kernels::{
    LANES, LINE, LONG_BLOCK, NIBBLE_HEAD, NIBBLE_LINES, NIBBLE_MINIMA, NIBBLE_SCALES, PARTS,
    QUANT_BLOCK, nibble_bytes,
};

/// Returns the size in bytes of a tile of `inputs` columns.
pub(crate) fn tile_bytes(bits: WeightBits, inputs: usize) -> usize {
    inputs / LONG_BLOCK * nibble_bytes(bits.count())
}

/// Lays out a tile from a file's rows.
pub(crate) fn tile(bits: WeightBits, rows: &TileRows<'_>, out: &mut [u8]) {
    let size = file_bytes(bits);
    for (index, out) in out.chunks_exact_mut(nibble_bytes(bits.count())).enumerate() {
        for (lane, row) in rows.iter().enumerate() {
            if let Some(block) = row.get(index * size..(index + 1) * size) {
                put(bits, block, lane, out);
            }
        }
    }
}

/// Returns the size of 256 columns of a row in a file, in bytes: two half floats, twelve bytes of
/// packed scales and minima, 32 of fifth bits, 128 of nibbles.
const fn file_bytes(bits: WeightBits) -> usize {
    2 + 2 + 12 + QUANT_BLOCK * bits.beyond_nibble() + LONG_BLOCK / 2
}

/// Writes 256 columns of a row to their places in a block of a tile. In the file, two blocks of 32
/// share 32 bytes of nibbles, and all blocks share the bytes of fifth bits.
fn put(bits: WeightBits, block: &[u8], lane: usize, out: &mut [u8]) {
    let (words, _) = block.as_chunks::<4>();
    let word = |at: usize| u32::from_le_bytes(words[at]);
    let fifths = 4;
    let nibbles = fifths + QUANT_BLOCK / 4 * bits.beyond_nibble();
    out[lane * 2..][..2].copy_from_slice(&block[..2]);
    out[2 * LANES + lane * 2..][..2].copy_from_slice(&block[2..4]);
    let (scales, minima) = scales_and_minima([word(1), word(2), word(3)]);
    for part in 0..PARTS {
        out[NIBBLE_SCALES + part * LANES + lane] = scales[part];
        out[NIBBLE_MINIMA + part * LANES + lane] = minima[part];
    }
    let parts = out[NIBBLE_HEAD..].chunks_exact_mut(bits.count() * LINE);
    for (part, out) in parts.enumerate() {
        let mut put = |line: usize, word: u32| {
            out[line * LINE + lane * 4..][..4].copy_from_slice(&word.to_le_bytes());
        };
        let first = nibbles + part / 2 * (QUANT_BLOCK / 4);
        for line in 0..NIBBLE_LINES {
            let pair = (word(first + line), word(first + NIBBLE_LINES + line));
            put(line, pair_nibbles(pair, part % 2));
        }
        if bits == WeightBits::Five {
            let fifths = (0..QUANT_BLOCK / 4).map(|index| {
                let fifths = word(fifths + index) >> part & 0x0101_0101;
                fifths << index
            });
            put(NIBBLE_LINES, fifths.fold(0, |all, fifths| all | fifths));
        }
    }
}

/// Writes a lane of a tile to `out` as floats.
pub(crate) fn row(bits: WeightBits, tile: &[u8], lane: usize, out: &mut [f32]) {
    let blocks = tile.chunks_exact(nibble_bytes(bits.count()));
    for (block, out) in blocks.zip(out.chunks_exact_mut(LONG_BLOCK)) {
        let (scale, minimum) = (half_at(block, lane), half_at(&block[2 * LANES..], lane));
        let parts = block[NIBBLE_HEAD..].chunks_exact(bits.count() * LINE);
        for (part, (lines, out)) in parts.zip(out.chunks_exact_mut(QUANT_BLOCK)).enumerate() {
            let scale = scale * f32::from(block[NIBBLE_SCALES + part * LANES + lane]);
            let minimum = minimum * f32::from(block[NIBBLE_MINIMA + part * LANES + lane]);
            let numbers = short::numbers(lines, bits, lane);
            for (out, number) in out.iter_mut().zip(numbers) {
                *out = scale * f32::from(number) - minimum;
            }
        }
    }
}

/// Returns all half floats of a tile.
pub(crate) fn halves(bits: WeightBits, tile: &[u8]) -> impl Iterator<Item = u16> {
    let blocks = tile.chunks_exact(nibble_bytes(bits.count()));
    let halves = blocks.flat_map(|block| block[..NIBBLE_SCALES].as_chunks::<2>().0);
    halves.map(|&half| u16::from_le_bytes(half))
}

/// Unpacks the 6-bit scales and minima of eight blocks of 32 from three words, in which each block
/// has one byte. Those of the first four blocks are in the low six bits of the first two words. Of
/// those of the other four, the low four bits share the third word, and the high two bits fill the
/// first two.
fn scales_and_minima(packed: [u32; 3]) -> ([u8; PARTS], [u8; PARTS]) {
    const SIX: u32 = 0x3f3f_3f3f;
    const FOUR: u32 = 0x0f0f_0f0f;
    const TWO: u32 = 0x0303_0303;

    let [scales, minima, rest] = packed;
    let eight =
        |first: u32, second: u32| (u64::from(second) << 32 | u64::from(first)).to_le_bytes();
    (
        eight(scales & SIX, rest & FOUR | (scales >> 6 & TWO) << 4),
        eight(minima & SIX, rest >> 4 & FOUR | (minima >> 6 & TWO) << 4),
    )
}
