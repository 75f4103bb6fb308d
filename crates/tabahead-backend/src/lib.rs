//! Where generations run: the local engine on a thread of its own, or a script.
//!
//! I/O without decisions: what to generate and when to stop is the Speculator's business.

mod local;
mod scripted;

use tabahead_context::{GenerationEvent, GenerationId, GenerationRequest, ModelProfile, Priority};

pub use local::{LocalBackend, LocalSettings, ModelSource};
pub use scripted::ScriptedBackend;

/// Takes the events of a backend; called on the backend's thread, must not block.
pub type EventSink = Box<dyn Fn(GenerationEvent) + Send + Sync>;

/// A place where generations run. All methods return at once.
pub trait Backend: Send + Sync {
    /// What the pure crates must know of the model.
    fn profile(&self) -> &ModelProfile;
    /// Queues a generation.
    fn start(&self, request: GenerationRequest);
    /// Says who waits for it now.
    fn prioritize(&self, id: GenerationId, priority: Priority);
    /// Stops it between two tokens or prefill chunks.
    fn cancel(&self, id: GenerationId);
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
    /// Tokens decoded freely.
    pub decoded: u64,
    /// Tokens decoded under a constraint (healed).
    pub constrained: u64,
    /// Bytes of keys and values held now.
    pub kv_bytes: u64,
}
