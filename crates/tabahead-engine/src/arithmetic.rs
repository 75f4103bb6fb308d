//! How numbers are computed: weights in tiles, and kernels for each instruction set.
//!
//! Uses `files`, from which weights are read, and `threads`, among which products are divided.
//! Knows matrices and rows, but no layers. `docs/engine.md` describes the layouts and the order of
//! the sums.

pub(crate) mod aligned;
pub(crate) mod kernels;
pub(crate) mod linear;
pub mod products;
pub(crate) mod simd;
pub(crate) mod tiles;
