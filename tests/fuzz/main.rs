//! Fuzzers: inputs that nobody writes, made from ones that somebody does, and what must hold for each.
//!
//! A test is a target. It tries cases; a case is made from its seed alone, so whoever knows the seed has the
//! case again. The ordinary run tries the same few cases each time; `cargo xtask fuzz` tries as many as there
//! is time for. `run.rs` runs cases and says what was found, `damage.rs` damages bytes and JSON, `bounds.rs`
//! says what an error's text may be and how much memory a call may take; the other modules are the targets.

mod bounds;
mod damage;
#[path = "../e2e/frames.rs"]
mod frames;
#[path = "../e2e/program.rs"]
mod program;
#[path = "../e2e/random.rs"]
mod random;
mod run;

mod checkpoint;
mod config;
mod gguf;
mod lsp;
mod recording;
mod settings;

/// Counts what is allocated, for `bounds.rs`.
#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
