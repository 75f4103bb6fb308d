//! From logits to tokens: the engine, its sequences, and how the next token is chosen.
//!
//! The room on top; it uses all others.

pub(crate) mod choice;
pub(crate) mod copying;
pub(crate) mod engine;
pub(crate) mod lookahead;
pub(crate) mod observation;
pub(crate) mod sequence;
pub(crate) mod track;
