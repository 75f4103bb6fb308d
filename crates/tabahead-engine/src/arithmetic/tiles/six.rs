//! Rows of Q6_K in tiles: weights of six bits with byte scales for sixteen columns each.
//!
//! Nothing is rounded; only the order differs. `kernels::six_tile` documents it.

use super::{TileRows, half_at, pair_nibbles};
use crate::arithmetic::kernels::{
    LANES, LINE, LONG_BLOCK, NIBBLE_LINES, QUANT_BLOCK, SIX_BYTES, SIX_HEAD, SIX_LINES, SIX_SCALES,
};

/// Size of 256 columns of a row in a file, in bytes: nibbles, pairs of upper bits, scales, a half
/// float.
const FILE_BYTES: usize = LONG_BLOCK / 2 + LONG_BLOCK / 4 + LONG_BLOCK / 16 + 2;

/// Returns the size in bytes of a tile of `inputs` columns.
pub(crate) fn tile_bytes(inputs: usize) -> usize {
    inputs / LONG_BLOCK * SIX_BYTES
}

/// Lays out a tile from a file's rows.
pub(crate) fn tile(rows: &TileRows<'_>, out: &mut [u8]) {
    for (index, out) in out.as_chunks_mut::<SIX_BYTES>().0.iter_mut().enumerate() {
        for (lane, row) in rows.iter().enumerate() {
            if let Some(block) = row.as_chunks::<FILE_BYTES>().0.get(index) {
                put(block, lane, out);
            }
        }
    }
}

/// Writes 256 columns of a row to their places in a block of a tile. In the file, each 128 of them
/// have 64 bytes of nibbles and 32 of upper bits. A byte of nibbles covers two columns that are 64
/// apart, a byte of upper bits four columns that are 32 apart.
fn put(block: &[u8; FILE_BYTES], lane: usize, out: &mut [u8; SIX_BYTES]) {
    let (words, rest) = block[..FILE_BYTES - 2].as_chunks::<4>();
    debug_assert!(rest.is_empty());
    let word = |at: usize| u32::from_le_bytes(words[at]);
    let bits = |at: usize| word(LONG_BLOCK / 8 + at);
    let scales = &block[LONG_BLOCK / 2 + LONG_BLOCK / 4..][..LONG_BLOCK / 16];
    out[lane * 2..][..2].copy_from_slice(&block[FILE_BYTES - 2..]);
    for (index, &scale) in scales.iter().enumerate() {
        out[SIX_SCALES + index * LANES + lane] = scale;
    }
    let (parts, _) = out[SIX_HEAD..].as_chunks_mut::<{ SIX_LINES * LINE }>();
    for (part, lines) in parts.iter_mut().enumerate() {
        let mut put = |line: usize, word: u32| {
            lines[line * LINE + lane * 4..][..4].copy_from_slice(&word.to_le_bytes());
        };
        let (half, quarter) = (part / 4, part % 4);
        let first = half * 16 + quarter % 2 * 8;
        for line in 0..NIBBLE_LINES {
            let pair = (word(first + line), word(first + NIBBLE_LINES + line));
            put(line, pair_nibbles(pair, quarter / 2));
        }
        for group in 0..2 {
            let first = half * 8 + group * NIBBLE_LINES;
            let pairs = (0..NIBBLE_LINES).map(|line| {
                let pairs = bits(first + line) >> (2 * quarter) & 0x0303_0303;
                pairs << (2 * line)
            });
            put(
                NIBBLE_LINES + group,
                pairs.fold(0, |all, pairs| all | pairs),
            );
        }
    }
}

/// Writes a lane of a tile to `out` as floats.
pub(crate) fn row(tile: &[u8], lane: usize, out: &mut [f32]) {
    let blocks = tile.as_chunks::<SIX_BYTES>().0.iter();
    for (block, out) in blocks.zip(out.as_chunks_mut::<LONG_BLOCK>().0) {
        let super_scale = half_at(block, lane);
        let parts = block[SIX_HEAD..].as_chunks::<{ SIX_LINES * LINE }>().0;
        for (part, (lines, out)) in parts.iter().zip(out.chunks_mut(QUANT_BLOCK)).enumerate() {
            for (column, out) in out.iter_mut().enumerate() {
                let group = column / 16;
                let scale = block[SIX_SCALES + (part * 2 + group) * LANES + lane] as i8;
                let at = |line: usize| lines[line * LINE + lane * 4 + column % 4];
                let line = column / 4 % NIBBLE_LINES;
                let nibble = at(line) >> (4 * group) & 0xf;
                let number = nibble | (at(NIBBLE_LINES + group) >> (2 * line) & 3) << 4;
                *out = super_scale * f32::from(scale) * f32::from(i16::from(number) - 32);
            }
        }
    }
}

/// Returns all half floats of a tile.
pub(crate) fn halves(tile: &[u8]) -> impl Iterator<Item = u16> {
    let blocks = tile.as_chunks::<SIX_BYTES>().0.iter();
    let halves = blocks.flat_map(|block| block[..2 * LANES].as_chunks::<2>().0);
    halves.map(|&half| u16::from_le_bytes(half))
}
