//! Where generations run: in the local engine on its own thread, or from a script.
//!
//! I/O without decisions: the Speculator decides what to generate and when to stop. Only what one
//! pass of the engine computes is decided here, by the pure function in `schedule.rs`. Read
//! `local.rs` for the thread that owns the engine, `scripted.rs` for testing code that drives a
//! backend.
//!
//! Invariants: every method of [`Backend`] returns at once; a model that cannot be loaded and a
//! computation that panics fail generations, never the process.

mod error;
mod local;
pub mod schedule;
mod scripted;

use std::time::Duration;

use tabahead_context::{GenerationEvent, GenerationId, GenerationRequest, ModelProfile, Priority};

pub use error::BackendError;
pub use local::{DirectGeneration, DirectModel, LocalBackend, LocalSettings, ModelSource};
pub use scripted::{Script, ScriptedBackend};
pub use tabahead_engine::KvPrecision;

/// A report from a backend: first on loading the model, then on the course of generations.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendEvent {
    /// Percentage of the model that is read. Not reported for the embedded model, which is
    /// available at once.
    Loading(u8),
    /// The model is loaded. Generations started earlier run now.
    Ready(ModelProfile),
    /// The model cannot be used. Every generation fails with the error's line.
    Unusable(BackendError),
    /// A generation made progress.
    Generation(GenerationEvent),
}

/// Receives the events of a backend. It is called on the backend's thread and must not block.
pub type EventSink = Box<dyn Fn(BackendEvent) + Send + Sync>;

/// The state of the model.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelState {
    /// The model is being read.
    Loading,
    /// The model answers.
    Ready(ModelProfile),
    /// The model cannot be used.
    Unusable(BackendError),
}

/// A place where generations run. All methods return at once.
pub trait Backend: Send + Sync {
    /// Returns the state of the model; a `BackendEvent` reports each change.
    fn model(&self) -> ModelState;
    /// Queues a generation.
    fn start(&self, request: GenerationRequest);
    /// Changes the priority of a generation.
    fn prioritize(&self, id: GenerationId, priority: Priority);
    /// Stops a generation between two tokens or prefill chunks.
    fn cancel(&self, id: GenerationId);
    /// Touches all memory that a generation touches, so that the first generation is not slower
    /// than the others. Does nothing while there is other work, nor a second time.
    fn warm(&self);
    /// Changes threads and memory. Running generations continue, and the model stays loaded.
    fn configure(&self, settings: &LocalSettings);
    /// Returns the token counters.
    fn counters(&self) -> TokenCounters;
}

/// Counts of tokens since the backend was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenCounters {
    /// Prompt tokens requested.
    pub prompt: u64,
    /// Prompt tokens computed.
    pub prefilled: u64,
    /// Drafted tokens computed: the probable spelling of what must be healed, or copied text.
    pub drafted: u64,
    /// Tokens decoded freely.
    pub decoded: u64,
    /// Tokens decoded under a constraint (healed).
    pub constrained: u64,
    /// Tokens computed, for any reason.
    pub computed: u64,
    /// Tokens among these that were computed in uninterrupted passes.
    pub timed: u64,
    /// Total time of those passes.
    pub time: Duration,
    /// Bytes of keys and values held now.
    pub kv_bytes: u64,
    /// Generations that wait or run now.
    pub generations: u64,
}
