//! Chooses the instruction set at run time and compiles the kernels for each.
//!
//! All unsafe code of the kernels is here. The kernels themselves are in `kernels`; this module
//! holds only the doors to them and, in `products`, the byte products that need specific
//! instructions. Every instruction set gives bitwise the same numbers (tested).

#![expect(
    unsafe_code,
    reason = "a function compiled for more instructions than every machine has may only be called \
              after asking the machine, which the compiler cannot check"
)]

#[cfg(target_arch = "x86_64")]
mod products;

use crate::arithmetic::kernels::{self, LANES, QuantBlocks, Query};

/// An instruction set of this machine; a value is only created by asking the machine.
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
    /// Returns the best instruction set of this machine.
    pub(crate) fn detect() -> Self {
        Self::available()[0]
    }

    /// Returns all instruction sets of this machine, the best first.
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

    /// Returns the maximum number of rows of a pass over quantised weights.
    pub(crate) fn most_quantized_rows(self) -> usize {
        QUANTIZED.of(self.0)
    }

    /// Returns the maximum number of rows of a pass over other weights.
    pub(crate) fn most_dense_rows(self) -> usize {
        DENSE.of(self.0)
    }

    /// Returns its name, for display.
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

/// Maximum number of rows whose sums fit in the registers next to the weights; the number of rows
/// in a pass changes no result. Kernels for more rows are not compiled.
struct Most {
    /// With AVX-512.
    wide: usize,
    narrow: usize,
}

const QUANTIZED: Most = Most {
    wide: 12,
    narrow: 4,
};
const DENSE: Most = Most { wide: 4, narrow: 2 };

impl Most {
    fn of(self, level: Level) -> usize {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => self.wide,
            _ => self.narrow,
        }
    }
}

/// Evaluates to `$call` if there are not too many rows.
macro_rules! unless_too_many {
    ($call:expr) => {
        $call
    };
    ($rows:ident <= $most:expr => $call:expr) => {
        match const { $rows <= $most } {
            true => $call,
            false => unreachable!("a pass has no more rows than it may have"),
        }
    };
}

/// Defines the doors to the kernels: each calls the kernel compiled for the machine's instruction
/// set.
macro_rules! doors {
    ($($(#[$doc:meta])* fn $name:ident $(<$($const:ident: $kind:ty),+>)? ($($arg:ident: $type:ty),*) $(-> $out:ty)? $(, $rows:ident <= $most:ident)?;)*) => {
        impl Isa {
            $(
                $(#[$doc])*
                pub(crate) fn $name $(<$(const $const: $kind),+>)? (self, $($arg: $type),*) $(-> $out)? {
                    match self.0 {
                        Level::Portable => unless_too_many!(
                            $($rows <= $most.narrow =>)?
                            kernels::$name $(::<$($const),+>)? ($($arg),*)
                        ),
                        // SAFETY: this `Isa` was made by asking the machine for these features.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx2 => unless_too_many!(
                            $($rows <= $most.narrow =>)?
                            unsafe { avx2::$name $(::<$($const),+>)? ($($arg),*) }
                        ),
                        // SAFETY: as above.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx512 => unless_too_many!(
                            $($rows <= $most.wide =>)?
                            unsafe { avx512::$name $(::<$($const),+>)? ($($arg),*) }
                        ),
                    }
                }
            )*
        }
    };
}

/// Compiles the portable kernels for each instruction set.
macro_rules! compile {
    ($(fn $name:ident $(<$($const:ident: $kind:ty),+>)? ($($arg:ident: $type:ty),*) $(-> $out:ty)? $(, $rows:ident <= $most:ident)?;)*) => {
        doors! { $(fn $name $(<$($const: $kind),+>)? ($($arg: $type),*) $(-> $out)? $(, $rows <= $most)?;)* }

        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            use super::*;
            pub(super) use super::products::avx2::*;
            $(
                #[target_feature(enable = "avx2,fma,f16c")]
                pub(super) fn $name $(<$(const $const: $kind),+>)? ($($arg: $type),*) $(-> $out)? {
                    kernels::$name($($arg),*)
                }
            )*
        }

        #[cfg(target_arch = "x86_64")]
        mod avx512 {
            use super::*;
            pub(super) use super::products::avx512::*;
            $(
                #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
                pub(super) fn $name $(<$(const $const: $kind),+>)? ($($arg: $type),*) $(-> $out)? {
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
    fn dense_tile<M: usize>(tile: &[f32], rows: [&[f32]; M], out: &mut [[f32; LANES]; M]), M <= DENSE;
    fn brain_tile<M: usize>(tile: &[u16], rows: [&[f32]; M], out: &mut [[f32; LANES]; M]), M <= DENSE;
    fn attend<R: usize>(keys: &[f32], values: &[f32], valid: usize, scale: f32, queries: &mut [Query<'_>; R]);
    fn max(x: &[f32]) -> f32;
    fn best(x: &[f32], kinds: &[u8], last: u8) -> Option<u32>;
    fn sum_exp(x: &[f32], max: f32) -> f32;
    fn widen(halves: &[u16], out: &mut [f32]);
    fn narrow(numbers: &[f32], out: &mut [u16]);
}

doors! {
    /// Computes sixteen outputs of a Q8_0 matrix for each of `M` rows.
    fn quant_tile<M: usize>(quants: &[u8], scales: &[u16], rows: &[QuantBlocks<M>], out: &mut [[f32; LANES]; M]), M <= QUANTIZED;
    /// Computes the same for a Q4_0, Q4_1, Q5_0 or Q5_1 matrix.
    fn short_tile<M: usize, BITS: usize, FACTORS: usize>(tile: &[u8], rows: &[QuantBlocks<M>], out: &mut [[f32; LANES]; M]), M <= QUANTIZED;
    /// Computes the same for a Q4_K or Q5_K matrix.
    fn nibble_tile<M: usize, BITS: usize>(tile: &[u8], rows: &[QuantBlocks<M>], out: &mut [[f32; LANES]; M]), M <= QUANTIZED;
    /// Computes the same for a Q6_K matrix.
    fn six_tile<M: usize>(tile: &[u8], rows: &[QuantBlocks<M>], out: &mut [[f32; LANES]; M]), M <= QUANTIZED;
}
