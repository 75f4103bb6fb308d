//! The Speculator's laws over random input sequences, and its main stories as timelines.
//!
//! `engine.rs` is a simulated engine that keeps the real one's contract; the same law with the
//! real engine and model is tested end to end.

mod engine;
mod laws;
mod outcomes;
mod timeline;
mod timelines;
mod typed_through;
mod world;
