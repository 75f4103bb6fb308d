//! Tokens in, tokens out: weights, tokenizer, key-value cache, greedy decoding.
//!
//! Knows no documents, no LSP and none of our other crates. A [`Model`] is immutable and shared;
//! an [`Engine`] owns the key-value cache and is driven from one thread, step by step, so that
//! whoever drives it can stop or switch between any two tokens or prefill chunks.
//!
//! Invariant: one result per prompt, whatever the company: the logits of a token are bitwise the
//! same in one prefill, in chunks, token by token, after a cut, on one thread or two.

mod engine;
mod error;
mod model;

pub use engine::{
    Counters, Engine, EngineSettings, GeneratedToken, Sequence, SequenceRequest, Step,
};
pub use error::EngineError;
pub use model::{Model, ModelInfo, SpecialToken, TokenId};
