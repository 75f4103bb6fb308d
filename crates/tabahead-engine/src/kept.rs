//! What is kept of earlier computations: keys, values and logits, found again by tokens.
//!
//! Uses `arithmetic` for its memory and `model` for the sizes of a block. Knows nothing of how
//! keys and values are computed.

pub(crate) mod kv;
pub(crate) mod place;
pub(crate) mod tree;
