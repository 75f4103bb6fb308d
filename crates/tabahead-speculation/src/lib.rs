//! The state machine that answers requests and decides what to compute ahead.
//!
//! Sans-IO: no tokio, no threads, no clock, no randomness. Inputs go in with the current time,
//! effects come out; the server, the replay and the tests all drive this same machine. Start
//! reading at `Speculator::reconcile`.
//!
//! Only `speculator.rs` sees everything. It owns five values, whose fields are private:
//! `documents` knows texts, requests and what the editor shows, `hypotheses` the states that the user
//! may reach, `answers` what the model has answered, `generations` what runs, `reading` where the
//! cursor rests. They change nothing of each other.

mod speculator;

mod input;
mod settings;

mod answers;
mod documents;
mod generations;
mod hypotheses;
mod reading;

mod cache;
mod known_path;
mod state;
mod stats;

pub use input::{
    Alternative, Answer, DocumentId, Effect, Input, Origin, RequestId, SelectedCompletion,
    SuggestionId, SuggestionReport, Timestamp,
};
pub use settings::{ComputedAhead, SpeculatorSettings};
pub use speculator::Speculator;
pub use stats::Stats;
