//! The Speculator: inputs, effects, and the decision what to compute next.

use std::time::Duration;

use tabahead_context::{
    ContextSettings, CutSettings, DocumentName, GenerationEvent, GenerationId, GenerationRequest,
    ModelProfile, Priority, Suggestion,
};
use tabahead_text::{Document, Offset};

use crate::Stats;

/// Time since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub Duration);

/// Names an open document for the session loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub u64);

/// Names a request for its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names a served suggestion, for `tabahead.accepted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SuggestionId(pub u64);

/// What the editor's popup menu has selected: the suggestion must extend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedCompletion {
    /// What the item would replace.
    pub range: std::ops::Range<Offset>,
    /// What it would insert.
    pub text: String,
}

/// What happens to the Speculator.
#[derive(Debug, Clone)]
pub enum Input {
    /// A document was opened or changed; `snapshot` is its text afterwards.
    DocumentChanged {
        /// Which.
        document: DocumentId,
        /// Its text now.
        snapshot: Document,
    },
    /// A document was closed: nothing of it is computed any more.
    DocumentClosed {
        /// Which.
        document: DocumentId,
    },
    /// The editor wants a suggestion.
    CompletionRequested {
        /// Names the response.
        request: RequestId,
        /// Which document.
        document: DocumentId,
        /// Its text when the request was read.
        snapshot: Document,
        /// Where.
        cursor: Offset,
        /// Name and language.
        name: DocumentName,
        /// The popup menu's item, if one is selected.
        selected: Option<SelectedCompletion>,
    },
    /// The editor no longer wants it.
    RequestCancelled {
        /// Which.
        request: RequestId,
    },
    /// A backend's report.
    Generation(GenerationEvent),
    /// The editor reports an accepted suggestion.
    Accepted {
        /// Which.
        suggestion: SuggestionId,
    },
    /// The user dismissed what was shown: nothing is computed ahead of it any more.
    Dismissed {
        /// Where.
        document: DocumentId,
    },
}

/// What the Speculator wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Answer a request: exactly once per request.
    Respond {
        /// Which.
        request: RequestId,
        /// With what.
        answer: Answer,
    },
    /// Run a generation.
    StartGeneration(GenerationRequest),
    /// Somebody else waits for a running generation now.
    PrioritizeGeneration(GenerationId, Priority),
    /// Stop a generation; its id is never named again.
    CancelGeneration(GenerationId),
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A suggestion.
    Suggestion {
        /// Its id.
        id: SuggestionId,
        /// What to show.
        suggestion: Suggestion,
        /// Where it came from.
        origin: Origin,
    },
    /// Nothing to suggest.
    Silent {
        /// Why, as a word for logs and statistics.
        reason: &'static str,
        /// Where the decision came from; `None` when no path was needed.
        origin: Option<Origin>,
    },
    /// A newer request took its place, or it was cancelled.
    Superseded,
    /// The backend failed; one line for the user.
    Failed(String),
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A generation started for it.
    Miss,
    /// A generation that was running already.
    Joined,
    /// A stored path of exactly this state.
    Exact,
    /// A stored path that the user typed along.
    TypedThrough,
    /// A path that speculation computed ahead.
    Speculated,
}

/// Settings, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeculatorSettings {
    /// What the model sees.
    pub context: ContextSettings,
    /// What is shown.
    pub cut: CutSettings,
    /// Whether to compute ahead at all.
    pub speculate: bool,
    /// How many accepts ahead.
    pub depth: usize,
    /// Bytes of paths kept.
    pub cache_bytes: usize,
    /// Generations running at once at most.
    pub in_flight: usize,
}

/// The state machine.
#[derive(Debug)]
pub struct Speculator {
    _settings: SpeculatorSettings,
}

impl Speculator {
    /// A Speculator for one model.
    pub fn new(settings: SpeculatorSettings, _profile: ModelProfile) -> Self {
        Self {
            _settings: settings,
        }
    }

    /// Takes an input; what follows from it is read with `poll_effect`.
    pub fn handle_input(&mut self, _now: Timestamp, _input: Input) {
        unimplemented!()
    }

    /// Takes the time that `poll_timeout` named.
    pub fn handle_timeout(&mut self, _now: Timestamp) {}

    /// The next effect, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        unimplemented!()
    }

    /// When `handle_timeout` wants to be called, if at all.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Counters since start.
    pub fn stats(&self) -> &Stats {
        unimplemented!()
    }
}
