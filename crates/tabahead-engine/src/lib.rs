//! Tokens in, tokens out: weights, tokenizer, key-value cache, greedy decoding.
//!
//! Knows no documents, no LSP and none of our other crates. A [`Model`] is immutable and shared;
//! an [`Engine`] owns the key-value cache and is driven from one thread, step by step, so that
//! whoever drives it can stop or switch between any two tokens or prefill chunks.
//!
//! Read next: `engine` for the steps, `forward` for the arithmetic, `model` for the files.
//!
//! Invariant: one result per prompt, whatever the company: the logits of a token are bitwise the
//! same in one prefill, in chunks, token by token, after a cut, on one thread or two.

mod aligned;
mod choice;
mod engine;
mod error;
mod forward;
mod gguf;
mod kept;
mod kernels;
mod kv;
mod linear;
mod model;
#[doc(hidden)]
pub mod products;
mod simd;
mod tiles;
mod vocabulary;

pub use engine::{
    Counters, Engine, EngineSettings, GeneratedToken, Sequence, SequenceRequest, Step,
};
pub use error::EngineError;
pub use model::{Model, ModelInfo, SpecialToken, TokenId};

#[cfg(test)]
mod tests;
