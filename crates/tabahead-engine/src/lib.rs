//! Tokens in, tokens out: weights, tokenizer, key-value cache and greedy decoding.
//!
//! Knows nothing of documents or LSP. A [`Model`] is immutable and shared. An
//! [`Engine`] holds keys and values and is driven from one thread, pass by pass, so that its driver
//! can stop or switch between any two layers.
//!
//! Each folder is a room. A room uses only rooms above it in this list:
//!
//! - `files`: what a model's files hold
//! - `threads`: how many threads compute, and how they share work
//! - `arithmetic`: matrices, their layouts and their products
//! - `vocabulary`: tokens and the texts that they spell
//! - `model`: a loaded model and its layers
//! - `kept`: keys, values and logits of what was computed
//! - `pass`: rows through all layers, to logits
//! - `decoding`: the engine, its sequences, and the choice of the next token
//!
//! Read next: `decoding/engine` for the steps, `kept/tree` for what is kept, `pass/forward` for the
//! layers, `model` for the files.
//!
//! Invariant: one result per prompt, whatever else is computed with it. The logits of a token are
//! bitwise the same alone or in a batch, in one prefill, in chunks or token by token, after a fork
//! or a cut, on one thread or several.

mod arithmetic;
mod decoding;
mod error;
mod files;
mod kept;
mod model;
mod pass;
pub mod threads;
mod vocabulary;

#[doc(hidden)]
pub use arithmetic::products;
pub use decoding::{
    engine::{Counters, Engine, EngineSettings, Step, instruction_set},
    observation::{Observation, ObservedToken, ObservedVote},
    sequence::{GeneratedToken, Sequence, SequenceRequest},
};
pub use error::{EngineError, ModelFault};
pub use kept::kv::KvPrecision;
pub use model::{Model, ModelFormat, ModelInfo};
pub use pass::{Pass, forward::Processor};
pub use tabahead_tokens::{CopySource, Marker, TokenId};

#[cfg(test)]
mod tests;
