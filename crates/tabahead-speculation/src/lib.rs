//! The state machine that answers requests and decides what to compute ahead.
//!
//! Sans-IO: no tokio, no threads, no clock, no randomness. Inputs go in with the current time,
//! effects come out; the server, the replay and the tests all drive this same machine. Start
//! reading at `Speculator::reconcile`, the one place that decides what to speculate on.

mod cache;
mod chain;
mod input;
mod known_path;
mod offer;
mod speculator;
mod state;
mod stats;

pub use input::{
    Alternative, Answer, DocumentId, Effect, Input, Origin, RequestId, SelectedCompletion,
    SuggestionId, Timestamp,
};
pub use speculator::{Speculator, SpeculatorSettings};
pub use stats::Stats;
