//! Products of bytes with AVX-512 VNNI: four unsigned by signed bytes, added to 32 bits.

use std::arch::x86_64::*;

use super::{FEW, ask_ahead, load_128, load_256};
use crate::arithmetic::kernels::{
    CORRECTION, LANES, LINE, LOWER, NIBBLE_HEAD, NIBBLE_LINES, NIBBLE_MINIMA, NIBBLE_SCALES, PARTS,
    QUANT_BLOCK, QuantBlocks, SCALE, SIX_BYTES, SIX_HEAD, SIX_LINES, SIX_SCALES, SUM, float,
    middle_shift, nibble_bytes, short_head,
};

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in super::super) fn quant_tile<const M: usize>(
    quants: &[u8],
    scales: &[u16],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    let (blocks, _) = quants.as_chunks::<{ LANES * QUANT_BLOCK }>();
    let (scales, _) = scales.as_chunks::<LANES>();
    let mut sums = [_mm512_setzero_ps(); M];
    for ((block, scales), rows) in blocks.iter().zip(scales).zip(rows) {
        let scales = _mm512_cvtph_ps(load_halves(scales));
        let mut dots = [_mm512_setzero_si512(); M];
        // Few rows are summed in two parts, so that a product need not wait for the previous one.
        let mut others = dots;
        for row in 0..M {
            dots[row] = _mm512_set1_epi32(rows[CORRECTION][row]);
        }
        ask_ahead(block);
        let (weights, _) = block.as_chunks::<LINE>();
        for word in 0..QUANT_BLOCK / 4 {
            let weights = load_512(&weights[word]);
            for row in 0..M {
                let x = _mm512_set1_epi32(rows[word][row]);
                let dots = if M <= FEW && word % 2 == 1 {
                    &mut others
                } else {
                    &mut dots
                };
                dots[row] = _mm512_dpbusd_epi32(dots[row], weights, x);
            }
        }
        for row in 0..M {
            if M <= FEW {
                dots[row] = _mm512_add_epi32(dots[row], others[row]);
            }
            let scale = _mm512_mul_ps(scales, _mm512_set1_ps(float(rows[SCALE][row])));
            sums[row] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[row]), scale, sums[row]);
        }
    }
    for row in 0..M {
        store(&mut out[row], sums[row]);
    }
}

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in super::super) fn short_tile<const M: usize, const BITS: usize, const FACTORS: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    let (heads, blocks) = tile.split_at(short_head(rows.len(), FACTORS));
    let (heads, _) = heads.as_chunks::<32>();
    let heads = heads.chunks_exact(FACTORS);
    let blocks = blocks.chunks_exact(BITS * LINE);
    let mut sums = [_mm512_setzero_ps(); M];
    for ((head, block), rows) in heads.zip(blocks).zip(rows) {
        ask_ahead(block);
        let scales = _mm512_cvtph_ps(load_256(&head[0]));
        let mut dots = [_mm512_setzero_si512(); M];
        if FACTORS == 1 {
            for row in 0..M {
                dots[row] = _mm512_set1_epi32(rows[CORRECTION][row] >> middle_shift(BITS));
            }
        }
        let dots = nibble_dots::<M, BITS>(block, rows, dots);
        if FACTORS == 2 {
            let minima = _mm512_cvtph_ps(load_256(&head[1]));
            for row in 0..M {
                let more = _mm512_mul_ps(minima, _mm512_set1_ps(float(rows[SUM][row])));
                let product = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[row]), scales, more);
                let scale = _mm512_set1_ps(float(rows[SCALE][row]));
                sums[row] = _mm512_fmadd_ps(product, scale, sums[row]);
            }
        } else {
            for row in 0..M {
                let scale = _mm512_mul_ps(scales, _mm512_set1_ps(float(rows[SCALE][row])));
                sums[row] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[row]), scale, sums[row]);
            }
        }
    }
    for row in 0..M {
        store(&mut out[row], sums[row]);
    }
}

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in super::super) fn nibble_tile<const M: usize, const BITS: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    let blocks = tile.chunks_exact(nibble_bytes(BITS));
    let (rows, _) = rows.as_chunks::<PARTS>();
    let mut sums = [_mm512_setzero_ps(); M];
    for (block, rows) in blocks.zip(rows) {
        let (heads, _) = block[..NIBBLE_HEAD].as_chunks::<16>();
        let (halves, _) = block[..NIBBLE_HEAD].as_chunks::<32>();
        let super_scales = _mm512_cvtph_ps(load_256(&halves[0]));
        let super_minima = _mm512_cvtph_ps(load_256(&halves[1]));
        let parts = block[NIBBLE_HEAD..].chunks_exact(BITS * LINE);
        for (part, (block, rows)) in parts.zip(rows).enumerate() {
            ask_ahead(block);
            let widened = |at: usize| {
                _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(load_128(&heads[at / 16 + part])))
            };
            let scales = _mm512_mul_ps(super_scales, widened(NIBBLE_SCALES));
            let minima = _mm512_mul_ps(super_minima, widened(NIBBLE_MINIMA));
            let dots = nibble_dots::<M, BITS>(block, rows, [_mm512_setzero_si512(); M]);
            for row in 0..M {
                let sum = _mm512_set1_ps(float(rows[SUM][row]));
                let scale = _mm512_set1_ps(float(rows[SCALE][row]));
                let less = _mm512_mul_ps(minima, sum);
                let product = _mm512_fmsub_ps(_mm512_cvtepi32_ps(dots[row]), scales, less);
                sums[row] = _mm512_fmadd_ps(product, scale, sums[row]);
            }
        }
    }
    for row in 0..M {
        store(&mut out[row], sums[row]);
    }
}

#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in super::super) fn six_tile<const M: usize>(
    tile: &[u8],
    rows: &[QuantBlocks<M>],
    out: &mut [[f32; LANES]; M],
) {
    let (blocks, _) = tile.as_chunks::<SIX_BYTES>();
    let (rows, _) = rows.as_chunks::<PARTS>();
    let (low_nibbles, upper_bits) = (_mm512_set1_epi8(0xf), _mm512_set1_epi8(0x30));
    let mut sums = [_mm512_setzero_ps(); M];
    for (block, rows) in blocks.iter().zip(rows) {
        let (heads, _) = block[..SIX_HEAD].as_chunks::<16>();
        let (halves, _) = block[..SIX_HEAD].as_chunks::<32>();
        let super_scales = _mm512_cvtph_ps(load_256(&halves[0]));
        let (parts, _) = block[SIX_HEAD..].as_chunks::<{ SIX_LINES * LINE }>();
        for (part, (lines, rows)) in parts.iter().zip(rows).enumerate() {
            ask_ahead(lines);
            let (lines, _) = lines.as_chunks::<LINE>();
            let mut totals = [_mm512_setzero_si512(); M];
            for group in 0..2 {
                let scales = load_128(&heads[SIX_SCALES / 16 + part * 2 + group]);
                let scales = _mm512_cvtepi8_epi32(scales);
                let bits = load_512(&lines[NIBBLE_LINES + group]);
                let mut dots = [_mm512_setzero_si512(); M];
                for row in 0..M {
                    dots[row] = _mm512_set1_epi32(rows[LOWER + group][row]);
                }
                for line in 0..NIBBLE_LINES {
                    let pairs = load_512(&lines[line]);
                    let nibbles = match group {
                        0 => pairs,
                        _ => _mm512_srli_epi16(pairs, 4),
                    };
                    let bits = match line {
                        0 => _mm512_slli_epi16(bits, 4),
                        1 => _mm512_slli_epi16(bits, 2),
                        2 => bits,
                        _ => _mm512_srli_epi16(bits, 2),
                    };
                    let weights = _mm512_or_si512(
                        _mm512_and_si512(nibbles, low_nibbles),
                        _mm512_and_si512(bits, upper_bits),
                    );
                    for row in 0..M {
                        let x = _mm512_set1_epi32(rows[group * NIBBLE_LINES + line][row]);
                        dots[row] = _mm512_dpbusd_epi32(dots[row], weights, x);
                    }
                }
                for row in 0..M {
                    let total = _mm512_mullo_epi32(dots[row], scales);
                    totals[row] = _mm512_add_epi32(totals[row], total);
                }
            }
            for row in 0..M {
                let scale = _mm512_set1_ps(float(rows[SCALE][row]));
                let scale = _mm512_mul_ps(super_scales, scale);
                sums[row] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(totals[row]), scale, sums[row]);
            }
        }
    }
    for row in 0..M {
        store(&mut out[row], sums[row]);
    }
}

/// Adds the products of 32 columns of nibbles, or of five bits, to `dots`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn nibble_dots<const M: usize, const BITS: usize>(
    block: &[u8],
    rows: &QuantBlocks<M>,
    mut dots: [__m512i; M],
) -> [__m512i; M] {
    let (lines, _) = block.as_chunks::<LINE>();
    let (low_nibbles, fifth) = (_mm512_set1_epi8(0xf), _mm512_set1_epi8(0x10));
    // Each line's fifth bits are shifted to the position of `fifth` in turn.
    let mut high_bits = if BITS == 5 {
        load_512(&lines[NIBBLE_LINES])
    } else {
        _mm512_setzero_si512()
    };
    let mut low_bits = _mm512_slli_epi16(high_bits, 4);
    // Few rows are summed in two parts, so that a product need not wait for the previous one.
    let mut others = [_mm512_setzero_si512(); M];
    for line in 0..NIBBLE_LINES {
        let pairs = load_512(&lines[line]);
        let mut low = _mm512_and_si512(pairs, low_nibbles);
        let mut high = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), low_nibbles);
        if BITS == 5 {
            low = _mm512_or_si512(low, _mm512_and_si512(low_bits, fifth));
            high = _mm512_or_si512(high, _mm512_and_si512(high_bits, fifth));
            low_bits = _mm512_srli_epi16(low_bits, 1);
            high_bits = _mm512_srli_epi16(high_bits, 1);
        }
        for row in 0..M {
            let x = _mm512_set1_epi32(rows[line][row]);
            dots[row] = _mm512_dpbusd_epi32(dots[row], low, x);
            let x = _mm512_set1_epi32(rows[line + NIBBLE_LINES][row]);
            let dots = if M <= FEW { &mut others } else { &mut dots };
            dots[row] = _mm512_dpbusd_epi32(dots[row], high, x);
        }
    }
    if M <= FEW {
        for row in 0..M {
            dots[row] = _mm512_add_epi32(dots[row], others[row]);
        }
    }
    dots
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_512(bytes: &[u8; LINE]) -> __m512i {
    // SAFETY: the reference vouches for 64 readable bytes; no alignment is needed.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_halves(halves: &[u16; LANES]) -> __m256i {
    // SAFETY: the reference vouches for 32 readable bytes; no alignment is needed.
    unsafe { _mm256_loadu_si256(halves.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(out: &mut [f32; LANES], numbers: __m512) {
    // SAFETY: the reference vouches for 64 writable bytes; no alignment is needed.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), numbers) }
}
