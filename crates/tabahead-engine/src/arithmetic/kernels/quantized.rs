//! Products of quantised rows and quantised weights, and how both lie in memory.
//!
//! A row is rounded to bytes in blocks of 32 numbers that share a scale. Weights stay as they are
//! in their file, except for the order. Within a block of 32, all sums are of integers and exact,
//! so their order is free. What each block adds to an output is rounded in the same way on every
//! machine. `simd::products` does the same with each machine's own instructions.

use super::{LANES, fold, widen_one};

/// Number of numbers that share a scale in a quantised row.
pub(crate) const QUANT_BLOCK: usize = 32;

/// A block of 32 numbers for each of `M` quantised rows that are computed together: for each row
/// eight words of four signed bytes, then the words named below. The rows are interleaved, so that
/// the innermost loops read all rows from one place.
pub(crate) type QuantBlocks<const M: usize> = [[i32; M]; QUANT_WORDS];

/// Word of the scale, as the bits of a float.
pub(crate) const SCALE: usize = QUANT_BLOCK / 4;
/// Word of the sum of the block's numbers, as the bits of a float.
pub(crate) const SUM: usize = SCALE + 1;
/// Word with -128 times the sum: bytes of weights are stored with 128 added.
pub(crate) const CORRECTION: usize = SUM + 1;
/// Word with -32 times the sum of the first sixteen numbers: 6-bit weights are stored with 32
/// added.
pub(crate) const LOWER: usize = CORRECTION + 1;
/// Word with the same for the other sixteen.
pub(crate) const UPPER: usize = LOWER + 1;
/// Number of words for a block of one row.
pub(crate) const QUANT_WORDS: usize = UPPER + 1;

/// Bytes of a tile for four columns of byte weights: a cache line. A line of nibbles is for eight
/// columns: the low nibbles for four, the high ones for the four that are sixteen further on.
pub(crate) const LINE: usize = 4 * LANES;

/// Number of lines of nibbles for 32 columns: one for each bit of a weight. A fifth bit takes a line
/// of its own.
pub(crate) const NIBBLE_LINES: usize = QUANT_BLOCK / 8;

/// Number of columns that share half-float factors in a row of weights of `nibble_tile` and
/// `six_tile`.
pub(crate) const LONG_BLOCK: usize = 256;

/// Number of blocks of 32 in a long block.
pub(crate) const PARTS: usize = LONG_BLOCK / QUANT_BLOCK;

/// Offsets of the scales, the minima and the lines in a block of `nibble_tile`.
pub(crate) const NIBBLE_SCALES: usize = 2 * 2 * LANES;
pub(crate) const NIBBLE_MINIMA: usize = NIBBLE_SCALES + PARTS * LANES;
pub(crate) const NIBBLE_HEAD: usize = NIBBLE_MINIMA + PARTS * LANES;

/// Offsets of the scales and the lines in a block of `six_tile`, number of lines for 32 columns,
/// and the size of the block: 53 cache lines, 6.625 bits per weight.
pub(crate) const SIX_SCALES: usize = 2 * LANES;
pub(crate) const SIX_HEAD: usize = (SIX_SCALES + 2 * PARTS * LANES).next_multiple_of(LINE);
pub(crate) const SIX_LINES: usize = NIBBLE_LINES + 2;
pub(crate) const SIX_BYTES: usize = SIX_HEAD + PARTS * SIX_LINES * LINE;

/// Returns the size in bytes of a block of `nibble_tile`: 37 cache lines for Q4_K, 4.625 bits per
/// weight, and 45 for Q5_K, 5.625 bits per weight.
pub(crate) const fn nibble_bytes(bits: usize) -> usize {
    NIBBLE_HEAD + PARTS * bits * LINE
}

/// Returns the size in bytes of the half floats at the beginning of a tile of `short_tile`, with
/// `factors` of them for 32 columns of an output.
pub(crate) const fn short_head(blocks: usize, factors: usize) -> usize {
    (blocks * factors * 2 * LANES).next_multiple_of(LINE)
}

/// Returns the size in bytes of a tile of `short_tile`.
pub(crate) const fn short_bytes(blocks: usize, bits: usize, factors: usize) -> usize {
    short_head(blocks, factors) + blocks * bits * LINE
}

/// Returns the float whose bits are in a word.
#[inline(always)]
pub(crate) fn float(bits: i32) -> f32 {
    f32::from_bits(bits as u32)
}

/// Reads sixteen half floats from bytes.
#[inline(always)]
fn halves(bytes: &[u8]) -> [f32; LANES] {
    std::array::from_fn(|lane| {
        widen_one(u16::from_le_bytes([bytes[2 * lane], bytes[2 * lane + 1]]))
    })
}

/// Rounds a row to signed bytes with one scale for every 32 numbers.
#[inline(always)]
pub(crate) fn quantize(x: &[f32], out: &mut [QuantBlocks<1>]) {
    /// Adding this rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;

    let (blocks, _) = x.as_chunks::<QUANT_BLOCK>();
    for (block, out) in blocks.iter().zip(out) {
        let mut largest = [0.0f32; LANES];
        for lane in 0..LANES {
            let (a, b) = (block[lane].abs(), block[lane + LANES].abs());
            largest[lane] = if a > b { a } else { b };
        }
        let largest = fold(largest, |a, b| if a > b { a } else { b });
        let scale = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let mut numbers = [0i32; QUANT_BLOCK];
        for lane in 0..QUANT_BLOCK {
            let rounded = block[lane].mul_add(inverse, ROUND);
            numbers[lane] = rounded.to_bits() as i32 - 0x4b40_0000;
        }
        let (mut lower, mut upper) = (0i32, 0i32);
        for lane in 0..LANES {
            lower = lower.wrapping_add(numbers[lane]);
            upper = upper.wrapping_add(numbers[lane + LANES]);
        }
        let sum = lower.wrapping_add(upper);
        for word in 0..QUANT_BLOCK / 4 {
            let at = word * 4;
            out[word][0] = (numbers[at] & 0xff)
                | ((numbers[at + 1] & 0xff) << 8)
                | ((numbers[at + 2] & 0xff) << 16)
                | (numbers[at + 3] << 24);
        }
        out[SCALE][0] = scale.to_bits() as i32;
        out[SUM][0] = (sum as f32).to_bits() as i32;
        out[CORRECTION][0] = sum.wrapping_mul(-128);
        out[LOWER][0] = lower.wrapping_mul(-32);
        out[UPPER][0] = upper.wrapping_mul(-32);
    }
}

/// Computes sixteen outputs of a Q8_0 matrix for each of `M` rows.
///
/// `quants` holds sixteen times four bytes for each four columns; `scales` holds sixteen half
/// floats for each block of 32 columns.
#[inline(always)]
pub(crate) fn quant_tile<const M: usize>(
    quants: &[u8],
    scales: &[u16],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    *out = [[0.0; LANES]; M];
    let (blocks, _) = quants.as_chunks::<{ LANES * QUANT_BLOCK }>();
    let (scales, _) = scales.as_chunks::<LANES>();
    for ((block, scales), rows) in blocks.iter().zip(scales).zip(rows) {
        let scales = scales.map(widen_one);
        for row in 0..M {
            let mut dots = [rows[CORRECTION][row]; LANES];
            for word in 0..QUANT_BLOCK / 4 {
                let a = rows[word][row].to_le_bytes();
                let quants = &block[word * 4 * LANES..][..4 * LANES];
                for lane in 0..LANES {
                    for byte in 0..4 {
                        let weight = i32::from(quants[lane * 4 + byte]);
                        dots[lane] += weight * i32::from(a[byte] as i8);
                    }
                }
            }
            for lane in 0..LANES {
                let scale = scales[lane] * float(rows[SCALE][row]);
                out[row][lane] = (dots[lane] as f32).mul_add(scale, out[row][lane]);
            }
        }
    }
}

/// Computes sixteen outputs of a Q4_0, Q4_1, Q5_0 or Q5_1 matrix for each of `M` rows. A weight is
/// of four or five `BITS`, times a scale shared by 32 columns. Either a minimum that these columns
/// share is added (two `FACTORS`), or the middle of the weight's range is subtracted before scaling
/// (one).
///
/// A tile consists of: for each 32 columns sixteen half floats for the scales, then, with two
/// `FACTORS`, sixteen for the minima; zeros up to a whole line; and for each 32 columns four lines
/// of nibbles, then, with five `BITS`, a line whose bytes hold the fifth bits of eight columns that
/// are four apart.
#[inline(always)]
pub(crate) fn short_tile<const M: usize, const BITS: usize, const FACTORS: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    *out = [[0.0; LANES]; M];
    let (heads, blocks) = tile.split_at(short_head(rows.len(), FACTORS));
    let heads = heads.chunks_exact(FACTORS * 2 * LANES);
    let blocks = blocks.chunks_exact(BITS * LINE);
    for ((head, block), rows) in heads.zip(blocks).zip(rows) {
        let scales = halves(head);
        for row in 0..M {
            let mut dots = nibble_dots::<M, BITS>(block, rows, row);
            if FACTORS == 2 {
                let minima = halves(&head[2 * LANES..]);
                for lane in 0..LANES {
                    let more = minima[lane] * float(rows[SUM][row]);
                    let product = (dots[lane] as f32).mul_add(scales[lane], more);
                    out[row][lane] = product.mul_add(float(rows[SCALE][row]), out[row][lane]);
                }
            } else {
                for lane in 0..LANES {
                    dots[lane] += rows[CORRECTION][row] >> middle_shift(BITS);
                    let scale = scales[lane] * float(rows[SCALE][row]);
                    out[row][lane] = (dots[lane] as f32).mul_add(scale, out[row][lane]);
                }
            }
        }
    }
}

/// Returns how far a `CORRECTION` is shifted to become that of nibbles (-8 times the sum) or of
/// five bits (-16 times the sum).
pub(crate) const fn middle_shift(bits: usize) -> u32 {
    8 - bits as u32
}

/// Computes sixteen outputs of a Q4_K or Q5_K matrix for each of `M` rows. A weight is of four or
/// five `BITS`, times a scale, minus a minimum. Both are shared by 32 columns, and are
/// bytes times half floats that are shared by 256.
///
/// A tile's block of 256 columns consists of: sixteen half floats for the scales and sixteen for
/// the minima; for each 32 columns sixteen scales; for each 32 columns sixteen minima; for each 32
/// columns the same lines as in `short_tile`.
#[inline(always)]
pub(crate) fn nibble_tile<const M: usize, const BITS: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    *out = [[0.0; LANES]; M];
    let blocks = tile.chunks_exact(nibble_bytes(BITS));
    let (rows, _) = rows.as_chunks::<PARTS>();
    for (block, rows) in blocks.zip(rows) {
        let (scales, minima) = (halves(block), halves(&block[2 * LANES..]));
        for (part, rows) in rows.iter().enumerate() {
            let bytes = |at: usize| &block[at + part * LANES..][..LANES];
            let (scale_bytes, minimum_bytes) = (bytes(NIBBLE_SCALES), bytes(NIBBLE_MINIMA));
            let (mut scale, mut minimum) = ([0.0; LANES], [0.0; LANES]);
            for lane in 0..LANES {
                scale[lane] = scales[lane] * f32::from(scale_bytes[lane]);
                minimum[lane] = minima[lane] * f32::from(minimum_bytes[lane]);
            }
            let size = BITS * LINE;
            let block = &block[NIBBLE_HEAD + part * size..][..size];
            for row in 0..M {
                let dots = nibble_dots::<M, BITS>(block, rows, row);
                for lane in 0..LANES {
                    let less = minimum[lane] * float(rows[SUM][row]);
                    let product = (dots[lane] as f32).mul_add(scale[lane], -less);
                    out[row][lane] = product.mul_add(float(rows[SCALE][row]), out[row][lane]);
                }
            }
        }
    }
}

/// Computes the products of 32 columns of nibbles, or of five bits, with one of `M` rows.
#[inline(always)]
fn nibble_dots<const M: usize, const BITS: usize>(
    block: &[u8],
    rows: &QuantBlocks<M>,
    row: usize,
) -> [i32; LANES] {
    let mut dots = [0i32; LANES];
    for line in 0..NIBBLE_LINES {
        let low = rows[line][row].to_le_bytes();
        let high = rows[line + NIBBLE_LINES][row].to_le_bytes();
        let nibbles = &block[line * LINE..][..LINE];
        for lane in 0..LANES {
            for byte in 0..4 {
                let pair = nibbles[lane * 4 + byte];
                let (mut a, mut b) = (pair & 0xf, pair >> 4);
                if BITS == 5 {
                    let bits = block[NIBBLE_LINES * LINE + lane * 4 + byte];
                    a |= (bits >> line & 1) << 4;
                    b |= (bits >> (line + NIBBLE_LINES) & 1) << 4;
                }
                dots[lane] += i32::from(a) * i32::from(low[byte] as i8);
                dots[lane] += i32::from(b) * i32::from(high[byte] as i8);
            }
        }
    }
    dots
}

/// Computes sixteen outputs of a Q6_K matrix for each of `M` rows. A weight is six bits minus 32,
/// times a signed byte shared by sixteen columns, times a half float shared by 256. The bytes
/// multiply sums of integers: what 32 columns add stays below 2^24, so a float holds it exactly.
///
/// A tile's block of 256 columns consists of: sixteen half floats; for each sixteen columns sixteen
/// scales; zeros up to a whole line; and for each 32 columns four lines of nibbles and two lines
/// whose bytes hold the upper two bits of four columns that are four apart. The second of these
/// lines is for the columns sixteen further on.
#[inline(always)]
pub(crate) fn six_tile<const M: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    *out = [[0.0; LANES]; M];
    let (blocks, _) = tile.as_chunks::<SIX_BYTES>();
    let (rows, _) = rows.as_chunks::<PARTS>();
    for (block, rows) in blocks.iter().zip(rows) {
        let super_scales = halves(block);
        for (part, rows) in rows.iter().enumerate() {
            let scales = &block[SIX_SCALES + part * 2 * LANES..][..2 * LANES];
            let lines = &block[SIX_HEAD + part * SIX_LINES * LINE..][..SIX_LINES * LINE];
            for row in 0..M {
                let mut sums = [0i32; LANES];
                for half in 0..2 {
                    let mut dots = [rows[LOWER + half][row]; LANES];
                    for line in 0..NIBBLE_LINES {
                        let x = rows[half * NIBBLE_LINES + line][row].to_le_bytes();
                        for lane in 0..LANES {
                            for byte in 0..4 {
                                let at = lane * 4 + byte;
                                let nibble = lines[line * LINE + at] >> (4 * half) & 0xf;
                                let bits = lines[(NIBBLE_LINES + half) * LINE + at];
                                let weight = nibble | (bits >> (2 * line) & 3) << 4;
                                dots[lane] += i32::from(weight) * i32::from(x[byte] as i8);
                            }
                        }
                    }
                    for lane in 0..LANES {
                        sums[lane] += dots[lane] * i32::from(scales[half * LANES + lane] as i8);
                    }
                }
                for lane in 0..LANES {
                    let scale = super_scales[lane] * float(rows[SCALE][row]);
                    out[row][lane] = (sums[lane] as f32).mul_add(scale, out[row][lane]);
                }
            }
        }
    }
}
