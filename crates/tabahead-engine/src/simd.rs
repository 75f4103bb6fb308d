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

use crate::kernels::{self, LANES, QuantBlocks, Query};

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

    /// Most rows whose sums have room in the registers beside quantised weights; how many there
    /// are in a pass changes no result.
    pub(crate) fn most_quantized_rows(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => 12,
            _ => 4,
        }
    }

    /// The same for other weights.
    pub(crate) fn most_dense_rows(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => 4,
            _ => 2,
        }
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
            pub(super) use super::products::{
                nibble_tile_avx2 as nibble_tile, quant_tile_avx2 as quant_tile,
            };
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
            pub(super) use super::products::{
                nibble_tile_avx512 as nibble_tile, quant_tile_avx512 as quant_tile,
            };
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
    fn quantize(x: &[f32], out: &mut [QuantBlocks<1>]);
    fn dense_tile<M>(tile: &[f32], rows: [&[f32]; M], out: &mut [[f32; LANES]; M]);
    fn brain_tile<M>(tile: &[u16], rows: [&[f32]; M], out: &mut [[f32; LANES]; M]);
    fn attend<R>(keys: &[f32], values: &[f32], valid: usize, scale: f32, queries: &mut [Query<'_>; R]);
    fn max(x: &[f32]) -> f32;
    fn best(x: &[f32], kinds: &[u8], last: u8) -> Option<u32>;
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
        rows: &[QuantBlocks<M>],
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

    /// Sixteen outputs of a Q4_K matrix for each of `M` rows.
    pub(crate) fn nibble_tile<const M: usize>(
        self,
        tile: &[u8],
        rows: &[QuantBlocks<M>],
        out: &mut [[f32; LANES]; M],
    ) {
        match self.0 {
            Level::Portable => kernels::nibble_tile(tile, rows, out),
            // SAFETY: this `Isa` was made by asking the machine for these features.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::nibble_tile(tile, rows, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::nibble_tile(tile, rows, out) },
        }
    }
}

/// `kernels::quant_tile` and `kernels::nibble_tile` with named instructions: the byte products are exact, so their order is
/// free; the float operations are those of the portable kernels.
#[cfg(target_arch = "x86_64")]
mod products {
    use std::arch::x86_64::*;

    use crate::kernels::{
        CORRECTION, LANES, NIBBLE_BYTES, NIBBLE_LINES, NIBBLE_MINS, NIBBLE_PARTS, NIBBLE_SCALES,
        QUANT_BLOCK, QuantBlocks, SCALE, SUM, float,
    };

    const WORDS: usize = QUANT_BLOCK / 4;

    /// Rows that are too few to keep the byte products busy: each is summed in two parts, so that
    /// one product need not wait for the last.
    const FEW: usize = 2;

    /// Asks for the lines of `bytes` as they stand `AHEAD` later in memory: weights are read in
    /// the order in which they lie, and the machine by itself does not ask early enough. (Nibbles
    /// take longer for each line, and gain nothing from it.)
    #[target_feature(enable = "avx2")]
    fn ask_ahead(bytes: &[u8]) {
        const AHEAD: usize = 4096;
        for at in (0..bytes.len()).step_by(64) {
            // A hint, which may name any address.
            _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(AHEAD + at).cast());
        }
    }

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
        rows: &[QuantBlocks<M>],
        out: &mut [[f32; LANES]; M],
    ) {
        let (blocks, _) = quants.as_chunks::<{ LANES * QUANT_BLOCK }>();
        let (scales, _) = scales.as_chunks::<LANES>();
        let mut sums = [_mm512_setzero_ps(); M];
        for ((block, scales), rows) in blocks.iter().zip(scales).zip(rows) {
            let scales = _mm512_cvtph_ps(load_16_halves(scales));
            let mut dots = [_mm512_setzero_si512(); M];
            let mut others = dots;
            for row in 0..M {
                dots[row] = _mm512_set1_epi32(rows[CORRECTION][row]);
            }
            ask_ahead(block);
            let (weights, _) = block.as_chunks::<64>();
            for word in 0..WORDS {
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
            store_512(&mut out[row], sums[row]);
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn quant_tile_avx2<const M: usize>(
        quants: &[u8],
        scales: &[u16],
        rows: &[QuantBlocks<M>],
        out: &mut [[f32; LANES]; M],
    ) {
        let (blocks, _) = quants.as_chunks::<{ LANES * QUANT_BLOCK }>();
        let (scales, _) = scales.as_chunks::<LANES>();
        let low_bytes = _mm256_set1_epi16(0xff);
        // The sixteen outputs are two registers wide.
        for half in 0..2 {
            let mut sums = [_mm256_setzero_ps(); M];
            for ((block, scales), rows) in blocks.iter().zip(scales).zip(rows) {
                let scales = _mm256_cvtph_ps(load_halves(&scales.as_chunks::<8>().0[half]));
                let mut dots = [_mm256_setzero_si256(); M];
                for row in 0..M {
                    dots[row] = _mm256_set1_epi32(rows[CORRECTION][row]);
                }
                let (weights, _) = block.as_chunks::<32>();
                for word in 0..WORDS {
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
            }
            for row in 0..M {
                store_256(&mut out[row].as_chunks_mut::<8>().0[half], sums[row]);
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn load_128(bytes: &[u8; 16]) -> __m128i {
        // SAFETY: the reference vouches for 16 readable bytes; no alignment is needed.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn nibble_tile_avx512<const M: usize>(
        tile: &[u8],
        rows: &[QuantBlocks<M>],
        out: &mut [[f32; LANES]; M],
    ) {
        let (blocks, _) = tile.as_chunks::<NIBBLE_BYTES>();
        let (rows, _) = rows.as_chunks::<NIBBLE_PARTS>();
        let low_nibbles = _mm512_set1_epi8(0xf);
        let mut sums = [_mm512_setzero_ps(); M];
        for (block, rows) in blocks.iter().zip(rows) {
            let (head, lines) = block.split_at(NIBBLE_LINES);
            let (head, _) = head.as_chunks::<16>();
            let (halves, _) = block.as_chunks::<32>();
            let (lines, _) = lines.as_chunks::<64>();
            let super_scales = _mm512_cvtph_ps(load_256(&halves[0]));
            let super_mins = _mm512_cvtph_ps(load_256(&halves[1]));
            for (part, rows) in rows.iter().enumerate() {
                let widened =
                    |bytes: &[u8; 16]| _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(load_128(bytes)));
                let scales = widened(&head[NIBBLE_SCALES / 16 + part]);
                let scales = _mm512_mul_ps(super_scales, scales);
                let mins = widened(&head[NIBBLE_MINS / 16 + part]);
                let mins = _mm512_mul_ps(super_mins, mins);
                let mut dots = [_mm512_setzero_si512(); M];
                let mut others = dots;
                for line in 0..4 {
                    let pairs = load_512(&lines[part * 4 + line]);
                    let low = _mm512_and_si512(pairs, low_nibbles);
                    let high = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), low_nibbles);
                    for row in 0..M {
                        let x = _mm512_set1_epi32(rows[line][row]);
                        dots[row] = _mm512_dpbusd_epi32(dots[row], low, x);
                        let x = _mm512_set1_epi32(rows[line + 4][row]);
                        let dots = if M <= FEW { &mut others } else { &mut dots };
                        dots[row] = _mm512_dpbusd_epi32(dots[row], high, x);
                    }
                }
                for row in 0..M {
                    if M <= FEW {
                        dots[row] = _mm512_add_epi32(dots[row], others[row]);
                    }
                    let sum = _mm512_set1_ps(float(rows[SUM][row]));
                    let scale = _mm512_set1_ps(float(rows[SCALE][row]));
                    let less = _mm512_mul_ps(mins, sum);
                    let product = _mm512_fmsub_ps(_mm512_cvtepi32_ps(dots[row]), scales, less);
                    sums[row] = _mm512_fmadd_ps(product, scale, sums[row]);
                }
            }
        }
        for row in 0..M {
            store_512(&mut out[row], sums[row]);
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn nibble_tile_avx2<const M: usize>(
        tile: &[u8],
        rows: &[QuantBlocks<M>],
        out: &mut [[f32; LANES]; M],
    ) {
        let (blocks, _) = tile.as_chunks::<NIBBLE_BYTES>();
        let (rows, _) = rows.as_chunks::<NIBBLE_PARTS>();
        let low_nibbles = _mm256_set1_epi8(0xf);
        let ones = _mm256_set1_epi16(1);
        // The sixteen outputs are two registers wide.
        for half in 0..2 {
            let mut sums = [_mm256_setzero_ps(); M];
            for (block, rows) in blocks.iter().zip(rows) {
                let (halves, _) = block.as_chunks::<16>();
                let super_scales = _mm256_cvtph_ps(load_128(&halves[half]));
                let super_mins = _mm256_cvtph_ps(load_128(&halves[2 + half]));
                for (part, rows) in rows.iter().enumerate() {
                    let widened = |at: usize| {
                        let bytes = load_128(&halves[at / 16 + part]);
                        let bytes = if half == 0 {
                            bytes
                        } else {
                            _mm_srli_si128(bytes, 8)
                        };
                        _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
                    };
                    let scales = _mm256_mul_ps(super_scales, widened(NIBBLE_SCALES));
                    let mins = _mm256_mul_ps(super_mins, widened(NIBBLE_MINS));
                    let (lines, _) = block[NIBBLE_LINES..].as_chunks::<32>();
                    // Eight sums of two products of at most 15 * 128 fit sixteen bits.
                    let mut dots = [_mm256_setzero_si256(); M];
                    for line in 0..4 {
                        let pairs = load_256(&lines[(part * 4 + line) * 2 + half]);
                        let low = _mm256_and_si256(pairs, low_nibbles);
                        let high = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), low_nibbles);
                        for row in 0..M {
                            let x = _mm256_set1_epi32(rows[line][row]);
                            dots[row] = _mm256_add_epi16(dots[row], _mm256_maddubs_epi16(low, x));
                            let x = _mm256_set1_epi32(rows[line + 4][row]);
                            dots[row] = _mm256_add_epi16(dots[row], _mm256_maddubs_epi16(high, x));
                        }
                    }
                    for row in 0..M {
                        let sum = _mm256_set1_ps(float(rows[SUM][row]));
                        let scale = _mm256_set1_ps(float(rows[SCALE][row]));
                        let less = _mm256_mul_ps(mins, sum);
                        let dots = _mm256_cvtepi32_ps(_mm256_madd_epi16(dots[row], ones));
                        let product = _mm256_fmsub_ps(dots, scales, less);
                        sums[row] = _mm256_fmadd_ps(product, scale, sums[row]);
                    }
                }
            }
            for row in 0..M {
                store_256(&mut out[row].as_chunks_mut::<8>().0[half], sums[row]);
            }
        }
    }
}
