//! Requests to a model and what comes back, as plain data.
//!
//! Knows no engine and no wire: the Speculator emits requests, a backend answers with events.

use crate::{CopySource, PathEnd, PathToken, Prompt, TokenId};

/// Identifies a generation for its whole life; one Speculator never uses an id twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GenerationId(pub u64);

/// Priority of a generation, by who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// No request waits for it yet.
    Speculative,
    /// A user waits for it.
    Foreground,
}

/// How far a generation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Reads the prompt and decodes nothing, so that a later prompt that begins like it computes
    /// only the rest. Changes no answer.
    Read,
    /// Reads the prompt, then decodes greedily until the stop token, a full context or a cancel.
    Decode,
}

/// A request for one generation.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationRequest {
    /// Id of the generation.
    pub id: GenerationId,
    /// How far it goes.
    pub goal: Goal,
    /// Prompt that the model reads.
    pub prompt: Prompt,
    /// The whole tail; `forced` is its end. Marks of canonical tokens count bytes from its start.
    pub tail: String,
    /// Tokens of the path that this generation continues, beginning at the stable boundary; empty
    /// for a path that begins here. The backend emits only the tokens after them.
    pub continued: Vec<TokenId>,
    /// Priority, by who waits for it.
    pub priority: Priority,
    /// Number of tokens that must fit after the prompt; otherwise the generation fails as
    /// `TooLong`.
    pub reserve: usize,
    /// Number of the likeliest characters after the tail to report; 0 for none.
    pub characters: usize,
    /// Text that may be copied; `None` when copying is off.
    pub copy_source: Option<CopySource>,
}

/// A backend's report about a generation. Reports come in this order: `Started`, `Token`s
/// (`Characters` before one of them), then one of `Ended` or `Failed`. If the goal is
/// [`Goal::Read`]: `Started`, then `Read` or `Failed`. After a cancel request the backend owes
/// nothing more, and what still comes is ignored.
#[derive(Debug, Clone, PartialEq)]
pub enum GenerationEvent {
    /// The prompt was encoded.
    Started {
        /// Id of the generation.
        id: GenerationId,
        /// Number of tokens up to the stable boundary, markers included.
        prompt_tokens: usize,
        /// Number of tokens after them that were already known from the continued path.
        continued: usize,
    },
    /// The likeliest characters after the tail, the most probable first. Reported with the first
    /// token that spells more than the tail, if they were requested.
    Characters {
        /// Id of the generation.
        id: GenerationId,
        /// The characters.
        characters: Vec<char>,
    },
    /// One more token.
    Token {
        /// Id of the generation.
        id: GenerationId,
        /// The token.
        token: PathToken,
        /// Number of bytes from the tail's start up to which all tokens are the canonical ones.
        canonical_until: usize,
    },
    /// The prompt was read, and that was the goal.
    Read {
        /// Id of the generation.
        id: GenerationId,
    },
    /// The path is complete.
    Ended {
        /// Id of the generation.
        id: GenerationId,
        /// Why the path ends; never `Open`.
        end: PathEnd,
    },
    /// The generation could not be run.
    Failed {
        /// Id of the generation.
        id: GenerationId,
        /// Why it could not be run.
        failure: GenerationFailure,
    },
}

impl GenerationEvent {
    /// Returns the id of the generation that the event is about.
    pub fn id(&self) -> GenerationId {
        match self {
            Self::Started { id, .. }
            | Self::Characters { id, .. }
            | Self::Token { id, .. }
            | Self::Read { id }
            | Self::Ended { id, .. }
            | Self::Failed { id, .. } => *id,
        }
    }
}

/// Why a generation could not be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GenerationFailure {
    /// Prompt and reserve do not fit the context: try smaller budgets.
    TooLong,
    /// Any other failure, in one line for the user.
    Broken(String),
}
