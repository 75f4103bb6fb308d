//! The Speculator's laws over random input sequences, and its main stories as timelines.
//!
//! `engine.rs` is a simulated engine that keeps the contract of the real one; the same law is
//! tested end to end with the real engine and model.

mod engine;
mod laws;
mod outcomes;
mod timeline;
mod timelines;
mod typed_through;
mod world;
