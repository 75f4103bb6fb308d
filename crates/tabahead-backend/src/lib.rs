//! Where generations run: the local engine on a thread of its own, or a script.
//!
//! I/O without decisions: what to generate and when to stop is the Speculator's business; only what
//! a pass of the engine computes is decided here, by the pure function in `schedule.rs`. Read
//! `local.rs` for the thread that owns the engine, `scripted.rs` for tests of whoever drives one.
//!
//! Invariants: every method of [`Backend`] returns at once; a model that cannot be loaded and a
//! computation that panics fail generations, never the process.

mod local;
pub mod schedule;
mod scripted;

use std::time::Duration;

use tabahead_context::{GenerationEvent, GenerationId, GenerationRequest, ModelProfile, Priority};

pub use local::{
    BackendError, DirectGeneration, DirectModel, LocalBackend, LocalSettings, ModelSource,
};
pub use scripted::{Script, ScriptedBackend};
pub use tabahead_engine::KvPrecision;

/// What a backend reports: first how loading went, then the course of generations.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendEvent {
    /// So many percent of the model are read. Not reported of the embedded one, which is there at once.
    Loading(u8),
    /// The model is loaded. Generations started earlier run now.
    Ready(ModelProfile),
    /// The model cannot be used, in one line for the user. Every generation fails with it.
    Unusable(String),
    /// A generation went on.
    Generation(GenerationEvent),
}

/// Takes the events of a backend; called on the backend's thread, must not block.
pub type EventSink = Box<dyn Fn(BackendEvent) + Send + Sync>;

/// How far the model is.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelState {
    /// It is being read.
    Loading,
    /// It answers.
    Ready(ModelProfile),
    /// It cannot be used, in one line for the user.
    Unusable(String),
}

/// A place where generations run. All methods return at once.
pub trait Backend: Send + Sync {
    /// How far the model is; a `BackendEvent` reports each change.
    fn model(&self) -> ModelState;
    /// Queues a generation.
    fn start(&self, request: GenerationRequest);
    /// Says who waits for it now.
    fn prioritize(&self, id: GenerationId, priority: Priority);
    /// Stops it between two tokens or prefill chunks.
    fn cancel(&self, id: GenerationId);
    /// Touches everything that a generation touches, so that the first one is not slower than the
    /// others. Does nothing while there is other work, nor a second time.
    fn warm(&self);
    /// Changes threads and memory; what runs goes on, and the model stays.
    fn configure(&self, settings: &LocalSettings);
    /// Tokens so far.
    fn counters(&self) -> TokenCounters;
}

/// Tokens that passed through a backend since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenCounters {
    /// Prompt tokens asked for.
    pub prompt: u64,
    /// Prompt tokens computed.
    pub prefilled: u64,
    /// Tokens computed that probably spell what must be healed.
    pub drafted: u64,
    /// Tokens decoded freely.
    pub decoded: u64,
    /// Tokens decoded under a constraint (healed).
    pub constrained: u64,
    /// Tokens computed, for whatever reason.
    pub computed: u64,
    /// Of those, the ones of passes that nothing interrupted.
    pub timed: u64,
    /// What these passes took together.
    pub time: Duration,
    /// Bytes of keys and values held now.
    pub kv_bytes: u64,
    /// Generations that wait or run now.
    pub generations: u64,
}
