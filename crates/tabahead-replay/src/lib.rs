//! Recordings of editing, and what the users did who are recorded there.
//!
//! Start reading at `recording.rs` for the file format, at `editing.rs` for what is made of it.
//!
//! Invariants: a recording is read as it comes, in memory that does not grow with its length; nothing
//! in a file makes this crate panic; what does not fit together is told, with the entry's number,
//! and never guessed away.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod editing;
pub mod recording;
