//! Replays recorded editing and measures how long users wait, which suggestions were there before
//! they asked, and what was computed in vain.
//!
//! Read the modules in this order: `recording` is what files hold, `editing` what their users did,
//! `user` who edits in a replay, `policy` what is compared, `answers` what the model says,
//! `simulation` the virtual clock on which they meet, `wall` the real server in real time, `report`
//! and `page` the results.
//!
//! Invariants: the same recording, answers and seed give the same figures, bit for bit, on any
//! machine; a recording's future is never a source of answers; a recording is read as a stream, in
//! memory that does not grow with its length; nothing in a file makes this crate panic, and an
//! inconsistency is reported with the entry's number, never hidden by a guess.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod answers;
pub mod editing;
mod figures;
mod fresh;
pub mod from_git;
pub mod page;
pub mod policy;
pub mod recorder;
pub mod recording;
pub mod report;
pub mod session;
pub mod simulation;
pub mod timeline;
pub mod typist;
pub mod user;
pub mod wall;

pub use figures::{ByOrigin, Figures, Samples};
