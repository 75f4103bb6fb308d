//! Chooses the instruction set at run time, and compiles the kernels for each.
//!
//! The only module with unsafe code. The kernels themselves are in `kernels`; here stand only the
//! doors to them and the two byte products that need named instructions. Every instruction set
//! gives bitwise the same numbers (tested).

#![expect(
    unsafe_code,
    reason = "a function compiled for more instructions than every machine has may only be called \
              after asking the machine, which the compiler cannot check"
)]

use crate::kernels::{self, LANES, QuantRow, Query};

/// An instruction set that this machine has: values come only from asking the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The best that this machine has.
    pub(crate) fn detect() -> Self {
        Self::available()[0]
    }

    /// All that this machine has, best first.
    pub(crate) fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            if avx512 {
                found.push(Self(Level::Avx512));
            }
            if avx2 {
                found.push(Self(Level::Avx2));
            }
        }
        found.push(Self(Level::Portable));
        found
    }

    /// Its name, for people.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512-vnni",
        }
    }
}

macro_rules! compile {
    ($($(#[$doc:meta])* fn $name:ident $(<$rows:ident>)? ($($arg:ident: $type:ty),*) $(-> $out:ty)?;)*) => {
        impl Isa {
            $(
                $(#[$doc])*
                pub(crate) fn $name $(<const $rows: usize>)? (self, $($arg: $type),*) $(-> $out)? {
                    match self.0 {
                        Level::Portable => kernels::$name($($arg),*),
                        // SAFETY: this `Isa` was made by asking the machine for these features.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx2 => unsafe { avx2::$name($($arg),*) },
                        // SAFETY: as above.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx512 => unsafe { avx512::$name($($arg),*) },
                    }
                }
            )*
        }

        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            use super::*;
            pub(super) use super::products::quant_tile_avx2 as quant_tile;
            $(
                #[target_feature(enable = "avx2,fma,f16c")]
                pub(super) fn $name $(<const $rows: usize>)? ($($arg: $type),*) $(-> $out)? {
                    kernels::$name($($arg),*)
                }
            )*
        }

        #[cfg(target_arch = "x86_64")]
        mod avx512 {
            use super::*;
            pub(super) use super::products::quant_tile_avx512 as quant_tile;
            $(
                #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
                pub(super) fn $name $(<const $rows: usize>)? ($($arg: $type),*) $(-> $out)? {
                    kernels::$name($($arg),*)
                }
            )*
        }
    };
}

compile! {
    fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]);
    fn silu_mul(gate: &mut [f32], up: &[f32]);
    fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]);
    fn quantize(x: &[f32], words: &mut [i32], scales: &mut [f32], corrections: &mut [i32]);
    fn dense_tile<M>(tile: &[f32], rows: [&[f32]; M], out: &mut [[f32; LANES]; M]);
    fn attend<R>(keys: &[f32], values: &[f32], valid: usize, scale: f32, queries: &mut [Query<'_>; R]);
    fn sum_exp(x: &[f32], max: f32) -> f32;
    fn widen(halves: &[u16], out: &mut [f32]);
    fn narrow(numbers: &[f32], out: &mut [u16]);
}

impl Isa {
    /// Sixteen outputs of a quantised matrix for each of `M` rows.
    pub(crate) fn quant_tile<const M: usize>(
        self,
        quants: &[u8],
        scales: &[u16],
        rows: [QuantRow<'_>; M],
        out: &mut [[f32; LANES]; M],
    ) {
        match self.0 {
            Level::Portable => kernels::quant_tile(quants, scales, rows, out),
            // SAFETY: this `Isa` was made by asking the machine for these features.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::quant_tile(quants, scales, rows, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::quant_tile(quants, scales, rows, out) },
        }
    }
}

/// `kernels::quant_tile` with named instructions: the byte products are exact, so their order is
/// free; the float operations are those of the portable kernel.
#[cfg(target_arch = "x86_64")]
mod products {
    use std::arch::x86_64::*;

    use crate::kernels::{LANES, QUANT_BLOCK, QuantRow};

    const WORDS: usize = QUANT_BLOCK / 4;

    #[target_feature(enable = "avx512f")]
    fn load_512(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: the reference vouches for 64 readable bytes; no alignment is needed.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    fn load_256(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: the reference vouches for 32 readable bytes; no alignment is needed.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    fn load_halves(halves: &[u16; 8]) -> __m128i {
        // SAFETY: the reference vouches for 16 readable bytes; no alignment is needed.
        unsafe { _mm_loadu_si128(halves.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f")]
    fn load_16_halves(halves: &[u16; 16]) -> __m256i {
        // SAFETY: the reference vouches for 32 readable bytes; no alignment is needed.
        unsafe { _mm256_loadu_si256(halves.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f")]
    fn store_512(out: &mut [f32; LANES], numbers: __m512) {
        // SAFETY: the reference vouches for 64 writable bytes; no alignment is needed.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), numbers) }
    }

    #[target_feature(enable = "avx2")]
    fn store_256(out: &mut [f32; 8], numbers: __m256) {
        // SAFETY: the reference vouches for 32 writable bytes; no alignment is needed.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), numbers) }
    }

    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn quant_tile_avx512<const M: usize>(
        quants: &[u8],
        scales: &[u16],
        rows: [QuantRow<'_>; M],
        out: &mut [[f32; LANES]; M],
    ) {
        let (blocks, _) = quants.as_chunks::<{ LANES * QUANT_BLOCK }>();
        let (scales, _) = scales.as_chunks::<LANES>();
        let count = blocks.len();
        let scales = &scales[..count];
        // Slices of one known length spare the loop its bounds checks.
        let words = rows.map(|row| &row.words.as_chunks::<WORDS>().0[..count]);
        let row_scales = rows.map(|row| &row.scales[..count]);
        let corrections = rows.map(|row| &row.corrections[..count]);
        let mut sums = [_mm512_setzero_ps(); M];
        for index in 0..count {
            let block = &blocks[index];
            let scales = _mm512_cvtph_ps(load_16_halves(&scales[index]));
            let mut dots = [_mm512_setzero_si512(); M];
            for row in 0..M {
                dots[row] = _mm512_set1_epi32(corrections[row][index]);
            }
            let (weights, _) = block.as_chunks::<64>();
            for word in 0..WORDS {
                let weights = load_512(&weights[word]);
                for row in 0..M {
                    let x = _mm512_set1_epi32(words[row][index][word]);
                    dots[row] = _mm512_dpbusd_epi32(dots[row], weights, x);
                }
            }
            for row in 0..M {
                let scale = _mm512_mul_ps(scales, _mm512_set1_ps(row_scales[row][index]));
                sums[row] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[row]), scale, sums[row]);
            }
        }
        for row in 0..M {
            store_512(&mut out[row], sums[row]);
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn quant_tile_avx2<const M: usize>(
        quants: &[u8],
        scales: &[u16],
        rows: [QuantRow<'_>; M],
        out: &mut [[f32; LANES]; M],
    ) {
        let (blocks, _) = quants.as_chunks::<{ LANES * QUANT_BLOCK }>();
        let (scales, _) = scales.as_chunks::<LANES>();
        let words = rows.map(|row| row.words.as_chunks::<WORDS>().0);
        let low_bytes = _mm256_set1_epi16(0xff);
        // The sixteen outputs are two registers wide.
        for half in 0..2 {
            let mut sums = [_mm256_setzero_ps(); M];
            for (index, (block, scales)) in blocks.iter().zip(scales).enumerate() {
                let scales = _mm256_cvtph_ps(load_halves(&scales.as_chunks::<8>().0[half]));
                let mut dots = [_mm256_setzero_si256(); M];
                for row in 0..M {
                    dots[row] = _mm256_set1_epi32(rows[row].corrections[index]);
                }
                let (weights, _) = block.as_chunks::<32>();
                for word in 0..WORDS {
                    let weights = load_256(&weights[word * 2 + half]);
                    let even = _mm256_and_si256(weights, low_bytes);
                    let odd = _mm256_srli_epi16(weights, 8);
                    for row in 0..M {
                        let x = _mm256_set1_epi32(words[row][index][word]);
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
                    let scale = _mm256_mul_ps(scales, _mm256_set1_ps(rows[row].scales[index]));
                    sums[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[row]), scale, sums[row]);
                }
            }
            for row in 0..M {
                store_256(&mut out[row].as_chunks_mut::<8>().0[half], sums[row]);
            }
        }
    }
}
