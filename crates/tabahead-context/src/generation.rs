//! What is asked of a model and what comes back, as plain data.
//!
//! Knows no engine and no wire: the Speculator emits requests, a backend answers with events.

use std::sync::Arc;

use crate::{PathEnd, PathToken, Prompt, TokenId};

/// Names a generation for its whole life; never used twice by one Speculator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GenerationId(pub u64);

/// Who waits for a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Nobody yet.
    Speculative,
    /// A person.
    Foreground,
}

/// How far a generation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Reads the prompt and decodes nothing: a later prompt that begins like it computes only the
    /// rest. Changes no answer.
    Read,
    /// Reads the prompt, then decodes greedily until the stop token, a full context or a cancel.
    Decode,
}

/// One generation.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationRequest {
    /// Its name.
    pub id: GenerationId,
    /// How far it goes.
    pub goal: Goal,
    /// What the model reads.
    pub prompt: Prompt,
    /// The whole tail: `forced` is its end. Marks of canonical tokens count bytes from its start.
    pub tail: String,
    /// Tokens of the path that this generation continues, from the stable boundary on; empty for a
    /// path that begins here. The backend emits only the tokens after them.
    pub continued: Vec<TokenId>,
    /// Who waits.
    pub priority: Priority,
    /// Tokens that must fit behind the prompt, or the generation fails as `TooLong`.
    pub reserve: usize,
    /// How many of the likeliest characters behind the tail to report; 0 for none.
    pub characters: usize,
    /// What may be copied.
    pub copy_source: Option<CopySource>,
}

/// The text around a tail and that of the other open files, LF only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    /// What stands before the tail.
    pub before: String,
    /// What stands behind the cursor and the left-out closers.
    pub after: String,
    /// The other open files.
    pub open_files: Vec<Arc<str>>,
}

/// What a backend reports of a generation, in this order: `Started`, `Token`s (`Characters` before one
/// of them), then one of `Ended` or `Failed`; where the goal is [`Goal::Read`], `Started` and then `Read` or
/// `Failed`. Nothing after a cancel was asked for is owed, and what still comes is ignored.
#[derive(Debug, Clone, PartialEq)]
pub enum GenerationEvent {
    /// The prompt was encoded.
    Started {
        /// Which.
        id: GenerationId,
        /// Tokens up to the stable boundary, markers included.
        prompt_tokens: usize,
        /// Tokens of the path that were known already and came behind them.
        continued: usize,
    },
    /// The likeliest characters behind the tail, in the order of their probability. Reported with the
    /// first token that spells more than the tail, when they were asked for.
    Characters {
        /// Which.
        id: GenerationId,
        /// The characters.
        characters: Vec<char>,
    },
    /// One more token.
    Token {
        /// Which.
        id: GenerationId,
        /// The token.
        token: PathToken,
        /// Bytes from the tail's start up to which all tokens are the canonical ones.
        canonical_until: usize,
    },
    /// The prompt was read, and that was the goal.
    Read {
        /// Which.
        id: GenerationId,
    },
    /// The path is complete.
    Ended {
        /// Which.
        id: GenerationId,
        /// Never `Open`.
        end: PathEnd,
    },
    /// The generation could not be run.
    Failed {
        /// Which.
        id: GenerationId,
        /// Why.
        failure: GenerationFailure,
    },
}

impl GenerationEvent {
    /// The generation that it is about.
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
    /// Anything else, in one line for the user.
    Broken(String),
}
