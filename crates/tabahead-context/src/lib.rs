//! The model's view of a document, and the meaning of its answer: the rules that make a cached
//! answer equal a fresh one.
//!
//! Pure: functions of a document, a cursor and settings. No model handles, no clock, no I/O. Read
//! the modules in this order: `window` cuts the text, `secrets` leaves keys and passwords out,
//! `closers` leaves auto-inserted brackets out, `template` puts the pieces in the model's order,
//! `boundary` finds where tokens stay put, `path` holds what a model answered and decides which
//! states that answers, `cut` turns it into what is shown, `silence` has the reasons why nothing is,
//! `key` names it in a cache.
//!
//! Invariants: every byte of base, tail and path is LF text; nothing here reads a token id except
//! to pass it on; two equal inputs give two equal outputs, in any process.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod boundary;
mod closers;
mod cut;
mod elsewhere;
mod generation;
mod key;
mod marks;
mod open_files;
mod path;
mod secrets;
mod silence;
mod template;
mod window;

pub use boundary::{PreTokenizer, stable_boundary};
pub use closers::{are_added_closers, is_closed_pair, left_out_closers};
pub use cut::{Cut, CutSettings, Suggestion, cut};
pub use elsewhere::Elsewhere;
pub use generation::{
    CopySource, GenerationEvent, GenerationFailure, GenerationId, GenerationRequest, Goal, Priority,
};
pub use key::ContextKey;
pub use marks::CanonicalMarks;
pub use open_files::{OpenFile, OpenFiles};
pub use path::{Answering, Path, PathEnd, PathToken, TokenId};
pub use secrets::{holds_secret, holds_secret_at, holds_secret_within};
pub use silence::Silence;
pub use template::{FimTemplate, Layout, Marker, ModelProfile, Prompt, Segment};
pub use window::{ContextSettings, ContextWindow, DocumentName, WindowBudgets};
