//! Tokens in, tokens out: weights, tokenizer, key-value cache and greedy decoding.
//!
//! Knows nothing of documents or LSP. A [`Model`] is immutable and shared. An
//! [`Engine`] holds keys and values and is driven from one thread, pass by pass, so that its driver
//! can stop or switch between any two layers.
//!
//! Read next: `engine` for the steps, `tree` for what is kept, `forward` for the arithmetic,
//! `model` for the files.
//!
//! Invariant: one result per prompt, whatever else is computed with it. The logits of a token are
//! bitwise the same alone or in a batch, in one prefill, in chunks or token by token, after a fork
//! or a cut, on one thread or several.

mod aligned;
mod architecture;
mod attention;
mod checkpoint;
mod choice;
mod copying;
mod crew;
mod engine;
mod error;
mod forward;
mod gguf;
mod kernels;
mod kv;
mod linear;
mod lookahead;
mod model;
mod observation;
mod pass;
mod place;
#[doc(hidden)]
pub mod products;
mod simd;
mod storage;
mod tensors;
mod texts;
pub mod threads;
mod tiles;
mod tree;
mod vocabulary;

pub use engine::{
    Counters, Engine, EngineSettings, GeneratedToken, Sequence, SequenceRequest, Step,
    instruction_set,
};
pub use error::EngineError;
pub use forward::Processor;
pub use kv::KvPrecision;
pub use model::{Model, ModelFormat, ModelInfo};
pub use observation::{Observation, ObservedToken, ObservedVote};
pub use pass::Pass;
pub use tabahead_tokens::{CopySource, Marker, TokenId};

#[cfg(test)]
mod tests;
