//! Fuzzers: unlikely inputs, made from realistic ones, and what must hold for each.
//!
//! Each test is a target. It runs cases; a case is made from its seed alone, so the seed reproduces
//! it. The ordinary run tries the same few cases each time; `cargo xtask fuzz` tries as many as
//! there is time for. `run.rs` runs cases and reports what was found, `damage.rs` damages bytes and
//! JSON, `bounds.rs` bounds the text of errors and the memory of calls; the other modules are the
//! targets.

mod bounds;
mod damage;
#[path = "../e2e/program.rs"]
mod program;
mod run;

mod checkpoint;
mod config;
mod gguf;
mod lsp;
mod recording;
mod settings;

/// Counts allocated memory, for `bounds.rs`.
#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
