//! The model's view of a document, and the meaning of its answer: the rules that make a cached
//! answer equal a fresh one.
//!
//! Pure: functions of a document, a cursor and settings. No model handles, no clock, no I/O. Read
//! the modules in this order: `window` cuts the text, `secrets` leaves keys and passwords out,
//! `closers` leaves auto-inserted brackets out, `template` puts the pieces in the model's order,
//! `path` holds what a model answered and decides which states that answers, `cut` turns it into
//! what is shown, `silence` has the reasons why nothing is, `key` names it in a cache. `state`,
//! `view` and `question` put these together: the one way to ask a model about a state.
//! `tabahead-tokens` has what is known about tokens; its words that occur in the types here are
//! exported again.
//!
//! Invariants: every byte of base, tail and path is LF text; nothing here reads a token id except
//! to pass it on; two equal inputs give two equal outputs, in any process.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod closers;
mod cut;
mod elsewhere;
mod generation;
mod key;
mod open_files;
mod path;
mod question;
mod secrets;
mod silence;
mod state;
mod template;
mod view;
mod window;

pub use closers::{are_added_closers, is_closed_pair, left_out_closers};
pub use cut::{Cut, CutSettings, Suggestion, cut};
pub use elsewhere::Elsewhere;
pub use generation::{
    GenerationEvent, GenerationFailure, GenerationId, GenerationRequest, Goal, Priority,
};
pub use key::ContextKey;
pub use open_files::{OpenFile, OpenFiles};
pub use path::{Answering, Path, PathEnd, PathToken};
pub use question::{Asker, FreshQuestion, GenerationPlan, Progress, Question};
pub use secrets::{holds_secret, holds_secret_at, holds_secret_within};
pub use silence::Silence;
pub use state::State;
pub use tabahead_tokens::{
    CanonicalMarks, CopySource, Layout, Marker, PreTokenizer, TokenId, stable_boundary,
};
pub use template::{FimTemplate, ModelProfile, Prompt, Segment};
pub use view::{QuestionSettings, View};
pub use window::{ContextSettings, ContextWindow, DocumentName, WindowBudgets};
