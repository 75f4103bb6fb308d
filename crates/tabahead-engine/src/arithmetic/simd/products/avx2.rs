//! Products of bytes with AVX2: unsigned by signed bytes, summed in pairs to sixteen bits.
//!
//! Sixteen outputs take two registers.

use std::arch::x86_64::*;

use super::{FEW, ask_ahead, load_128, load_256};
use crate::arithmetic::kernels::{
    CORRECTION, LANES, LINE, LOWER, NIBBLE_HEAD, NIBBLE_LINES, NIBBLE_MINIMA, NIBBLE_SCALES, PARTS,
    QUANT_BLOCK, QuantBlocks, SCALE, SIX_BYTES, SIX_HEAD, SIX_LINES, SIX_SCALES, SUM, float,
    middle_shift, nibble_bytes, short_head,
};

/// Runs `$body` for each block of a tile and for each half of the sixteen outputs, to whose sums it
/// adds. With few rows, the halves of each block alternate, so that weights keep coming from
/// memory. With more rows, the registers hold the sums of one half only. (This is a macro because a
/// function would pass the sums through memory.)
macro_rules! each_half {
    ($rows:ident, $blocks:expr, $out:ident, |$block:pat_param, $half:ident, $sums:ident| $body:block) => {
        if $rows <= FEW {
            let mut first = [_mm256_setzero_ps(); $rows];
            let mut second = first;
            for $block in $blocks {
                {
                    let ($half, $sums) = (0, &mut first);
                    $body
                }
                {
                    let ($half, $sums) = (1, &mut second);
                    $body
                }
            }
            for row in 0..$rows {
                let (out, _) = $out[row].as_chunks_mut::<8>();
                store(&mut out[0], first[row]);
                store(&mut out[1], second[row]);
            }
        } else {
            for $half in 0..2 {
                let mut sums = [_mm256_setzero_ps(); $rows];
                let $sums = &mut sums;
                for $block in $blocks $body
                for row in 0..$rows {
                    store(&mut $out[row].as_chunks_mut::<8>().0[$half], sums[row]);
                }
            }
        }
    };
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(in super::super) fn quant_tile<const M: usize>(
    quants: &[u8],
    scales: &[u16],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    let (blocks, _) = quants.as_chunks::<{ LANES * QUANT_BLOCK }>();
    let (scales, _) = scales.as_chunks::<LANES>();
    let blocks = || blocks.iter().zip(scales).zip(rows);
    let low_bytes = _mm256_set1_epi16(0xff);
    each_half!(M, blocks(), out, |((block, scales), rows), half, sums| {
        if half == 0 {
            ask_ahead(block);
        }
        let scales = _mm256_cvtph_ps(load_halves(&scales.as_chunks::<8>().0[half]));
        let mut dots = [_mm256_setzero_si256(); M];
        for row in 0..M {
            dots[row] = _mm256_set1_epi32(rows[CORRECTION][row]);
        }
        let (weights, _) = block.as_chunks::<32>();
        for word in 0..QUANT_BLOCK / 4 {
            let weights = load_256(&weights[word * 2 + half]);
            let even = _mm256_and_si256(weights, low_bytes);
            let odd = _mm256_srli_epi16(weights, 8);
            for row in 0..M {
                let x = _mm256_set1_epi32(rows[word][row]);
                let x_even = _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8);
                let x_odd = _mm256_srai_epi16(x, 8);
                let products = _mm256_add_epi32(
                    _mm256_madd_epi16(even, x_even),
                    _mm256_madd_epi16(odd, x_odd),
                );
                dots[row] = _mm256_add_epi32(dots[row], products);
            }
        }
        for row in 0..M {
            let scale = _mm256_mul_ps(scales, _mm256_set1_ps(float(rows[SCALE][row])));
            sums[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[row]), scale, sums[row]);
        }
    });
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(in super::super) fn short_tile<const M: usize, const BITS: usize, const FACTORS: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    let (heads, blocks) = tile.split_at(short_head(rows.len(), FACTORS));
    let (heads, _) = heads.as_chunks::<16>();
    let heads = heads.chunks_exact(2 * FACTORS);
    let blocks = blocks.chunks_exact(BITS * LINE);
    let blocks = || heads.clone().zip(blocks.clone()).zip(rows);
    each_half!(M, blocks(), out, |((head, block), rows), half, sums| {
        if half == 0 {
            ask_ahead(block);
        }
        let scales = _mm256_cvtph_ps(load_128(&head[half]));
        let mut dots = [_mm256_setzero_si256(); M];
        if FACTORS == 1 {
            for row in 0..M {
                dots[row] = _mm256_set1_epi32(rows[CORRECTION][row] >> middle_shift(BITS));
            }
        }
        let dots = nibble_dots::<M, BITS>(block, rows, half, dots);
        if FACTORS == 2 {
            let minima = _mm256_cvtph_ps(load_128(&head[2 + half]));
            for row in 0..M {
                let more = _mm256_mul_ps(minima, _mm256_set1_ps(float(rows[SUM][row])));
                let product = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[row]), scales, more);
                let scale = _mm256_set1_ps(float(rows[SCALE][row]));
                sums[row] = _mm256_fmadd_ps(product, scale, sums[row]);
            }
        } else {
            for row in 0..M {
                let scale = _mm256_mul_ps(scales, _mm256_set1_ps(float(rows[SCALE][row])));
                sums[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[row]), scale, sums[row]);
            }
        }
    });
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(in super::super) fn nibble_tile<const M: usize, const BITS: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    let blocks = tile.chunks_exact(nibble_bytes(BITS));
    let (rows, _) = rows.as_chunks::<PARTS>();
    let blocks = || blocks.clone().zip(rows);
    each_half!(M, blocks(), out, |(block, rows), half, sums| {
        let (heads, _) = block[..NIBBLE_HEAD].as_chunks::<16>();
        let super_scales = _mm256_cvtph_ps(load_128(&heads[half]));
        let super_minima = _mm256_cvtph_ps(load_128(&heads[2 + half]));
        let parts = block[NIBBLE_HEAD..].chunks_exact(BITS * LINE);
        for (part, (block, rows)) in parts.zip(rows).enumerate() {
            let widened = |at: usize| {
                let bytes = upper_if(half, load_128(&heads[at / 16 + part]));
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
            };
            let scales = _mm256_mul_ps(super_scales, widened(NIBBLE_SCALES));
            let minima = _mm256_mul_ps(super_minima, widened(NIBBLE_MINIMA));
            let dots = nibble_dots::<M, BITS>(block, rows, half, [_mm256_setzero_si256(); M]);
            for row in 0..M {
                let sum = _mm256_set1_ps(float(rows[SUM][row]));
                let scale = _mm256_set1_ps(float(rows[SCALE][row]));
                let less = _mm256_mul_ps(minima, sum);
                let product = _mm256_fmsub_ps(_mm256_cvtepi32_ps(dots[row]), scales, less);
                sums[row] = _mm256_fmadd_ps(product, scale, sums[row]);
            }
        }
    });
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(in super::super) fn six_tile<const M: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    let (blocks, _) = tile.as_chunks::<SIX_BYTES>();
    let (rows, _) = rows.as_chunks::<PARTS>();
    let blocks = || blocks.iter().zip(rows);
    let (low_nibbles, upper_bits) = (_mm256_set1_epi8(0xf), _mm256_set1_epi8(0x30));
    let ones = _mm256_set1_epi16(1);
    each_half!(M, blocks(), out, |(block, rows), half, sums| {
        let (heads, _) = block[..SIX_HEAD].as_chunks::<16>();
        let super_scales = _mm256_cvtph_ps(load_128(&heads[half]));
        let (parts, _) = block[SIX_HEAD..].as_chunks::<{ SIX_LINES * LINE }>();
        for (part, (lines, rows)) in parts.iter().zip(rows).enumerate() {
            if half == 0 {
                ask_ahead(lines);
            }
            let (lines, _) = lines.as_chunks::<32>();
            let mut totals = [_mm256_setzero_si256(); M];
            for group in 0..2 {
                let scales = load_128(&heads[SIX_SCALES / 16 + part * 2 + group]);
                let scales = _mm256_cvtepi8_epi32(upper_if(half, scales));
                let bits = load_256(&lines[(NIBBLE_LINES + group) * 2 + half]);
                let mut dots = [_mm256_setzero_si256(); M];
                for row in 0..M {
                    dots[row] = _mm256_set1_epi32(rows[LOWER + group][row]);
                }
                let weights = |line: usize| {
                    let pairs = load_256(&lines[line * 2 + half]);
                    let nibbles = match group {
                        0 => pairs,
                        _ => _mm256_srli_epi16(pairs, 4),
                    };
                    let bits = match line {
                        0 => _mm256_slli_epi16(bits, 4),
                        1 => _mm256_slli_epi16(bits, 2),
                        2 => bits,
                        _ => _mm256_srli_epi16(bits, 2),
                    };
                    _mm256_or_si256(
                        _mm256_and_si256(nibbles, low_nibbles),
                        _mm256_and_si256(bits, upper_bits),
                    )
                };
                for line in [0, 2] {
                    let (a, b) = (weights(line), weights(line + 1));
                    for row in 0..M {
                        let x =
                            |line: usize| _mm256_set1_epi32(rows[group * NIBBLE_LINES + line][row]);
                        // Two sums of two products of at most 63 * 127 fit sixteen bits.
                        let products = _mm256_add_epi16(
                            _mm256_maddubs_epi16(a, x(line)),
                            _mm256_maddubs_epi16(b, x(line + 1)),
                        );
                        dots[row] = _mm256_add_epi32(dots[row], _mm256_madd_epi16(products, ones));
                    }
                }
                for row in 0..M {
                    let total = _mm256_mullo_epi32(dots[row], scales);
                    totals[row] = _mm256_add_epi32(totals[row], total);
                }
            }
            for row in 0..M {
                let scale = _mm256_set1_ps(float(rows[SCALE][row]));
                let scale = _mm256_mul_ps(super_scales, scale);
                sums[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(totals[row]), scale, sums[row]);
            }
        }
    });
}

/// Adds the products of 32 columns of nibbles, or of five bits, to `dots`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn nibble_dots<const M: usize, const BITS: usize>(
    block: &[u8],
    rows: &QuantBlocks<M>,
    half: usize,
    mut dots: [__m256i; M],
) -> [__m256i; M] {
    let (lines, _) = block.as_chunks::<32>();
    let (low_nibbles, fifth) = (_mm256_set1_epi8(0xf), _mm256_set1_epi8(0x10));
    let ones = _mm256_set1_epi16(1);
    // Each line's fifth bits are shifted to the position of `fifth` in turn.
    let mut high_bits = if BITS == 5 {
        load_256(&lines[NIBBLE_LINES * 2 + half])
    } else {
        _mm256_setzero_si256()
    };
    let mut low_bits = _mm256_slli_epi16(high_bits, 4);
    for line in [0, 2] {
        // Four sums of two products of at most 31 * 127 fit sixteen bits.
        let mut products = [_mm256_setzero_si256(); M];
        for line in line..line + 2 {
            let pairs = load_256(&lines[line * 2 + half]);
            let mut low = _mm256_and_si256(pairs, low_nibbles);
            let mut high = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), low_nibbles);
            if BITS == 5 {
                low = _mm256_or_si256(low, _mm256_and_si256(low_bits, fifth));
                high = _mm256_or_si256(high, _mm256_and_si256(high_bits, fifth));
                low_bits = _mm256_srli_epi16(low_bits, 1);
                high_bits = _mm256_srli_epi16(high_bits, 1);
            }
            for row in 0..M {
                let x = _mm256_set1_epi32(rows[line][row]);
                let product = _mm256_maddubs_epi16(low, x);
                products[row] = _mm256_add_epi16(products[row], product);
                let x = _mm256_set1_epi32(rows[line + NIBBLE_LINES][row]);
                let product = _mm256_maddubs_epi16(high, x);
                products[row] = _mm256_add_epi16(products[row], product);
            }
        }
        for row in 0..M {
            dots[row] = _mm256_add_epi32(dots[row], _mm256_madd_epi16(products[row], ones));
        }
    }
    dots
}

/// Returns the eight bytes of one half of the outputs in the low half.
#[inline]
#[target_feature(enable = "avx2")]
fn upper_if(half: usize, bytes: __m128i) -> __m128i {
    match half {
        0 => bytes,
        _ => _mm_srli_si128(bytes, 8),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_halves(halves: &[u16; 8]) -> __m128i {
    // SAFETY: the reference vouches for 16 readable bytes; no alignment is needed.
    unsafe { _mm_loadu_si128(halves.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(out: &mut [f32; 8], numbers: __m256) {
    // SAFETY: the reference vouches for 32 writable bytes; no alignment is needed.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), numbers) }
}
