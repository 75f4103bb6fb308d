//! The kernels of `kernels::quantized` with specific instructions, for instruction sets that
//! multiply bytes.
//!
//! Products of bytes and their sums within a block of 32 columns are exact, so their order is free.
//! The float operations are those of the portable kernels, in the same order.

pub(super) mod avx2;
pub(super) mod avx512;

use std::arch::x86_64::*;

/// Maximum number of rows that do not keep the byte products busy while weights come from memory.
const FEW: usize = 2;

/// Prefetches the cache lines `AHEAD` bytes after `bytes`. Weights are read in memory order, and
/// the machine by itself does not prefetch early enough.
#[inline]
#[target_feature(enable = "avx2")]
fn ask_ahead(bytes: &[u8]) {
    const AHEAD: usize = 4096;
    for at in (0..bytes.len()).step_by(64) {
        // A prefetch is only a hint, so any address is allowed.
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
