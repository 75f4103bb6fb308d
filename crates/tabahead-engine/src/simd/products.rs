//! The kernels of `kernels::quantized` with named instructions, for instruction sets that multiply
//! bytes.
//!
//! Products of bytes and their sums within a block of 32 columns are exact, so their order is free;
//! the float operations are those of the portable kernels, in their order.

pub(super) mod avx2;
pub(super) mod avx512;

use std::arch::x86_64::*;

/// Rows that are too few to keep the byte products busy while weights come from memory.
const FEW: usize = 2;

/// Asks for the lines of `bytes` as they stand `AHEAD` later in memory: weights are read in
/// the order in which they lie, and the machine by itself does not ask early enough.
#[inline]
#[target_feature(enable = "avx2")]
fn ask_ahead(bytes: &[u8]) {
    const AHEAD: usize = 4096;
    for at in (0..bytes.len()).step_by(64) {
        // A hint, which may name any address.
        _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(AHEAD + at).cast());
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_128(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the reference vouches for 16 readable bytes; no alignment is needed.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_256(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the reference vouches for 32 readable bytes; no alignment is needed.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}
