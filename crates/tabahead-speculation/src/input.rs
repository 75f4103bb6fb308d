//! What goes into the Speculator and what comes out: ids, inputs, effects, answers.
//!
//! Plain data. Knows neither the editors' protocol nor any engine.

use std::time::Duration;

use tabahead_context::{
    DocumentName, GenerationEvent, GenerationId, GenerationRequest, Priority, Silence, Suggestion,
};
use tabahead_text::{Document, Offset};

/// Time since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub Duration);

/// Identifies an open document for the session loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub u64);

/// Identifies a request for its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Identifies a served suggestion, for `tabahead.accepted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SuggestionId(pub u64);

/// The item that the editor's popup menu has selected: the suggestion must extend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedCompletion {
    /// Range of the text that the item would replace.
    pub range: std::ops::Range<Offset>,
    /// Text that the item would insert.
    pub text: String,
}

impl SelectedCompletion {
    /// Returns the text and the cursor after the item was inserted.
    pub(crate) fn inserted_in(&self, document: &Document) -> (Document, Offset) {
        let start = document.clamp(self.range.start);
        let replaced = document.with_replaced(start..self.range.end.max(start), &self.text);
        (replaced, Offset(start.0 + self.text.len()))
    }

    /// Returns what to show in the document without the item: the item's text followed by `shown`.
    pub(crate) fn extended_by(self, shown: Suggestion) -> Suggestion {
        let covered = shown.range.end.0 - shown.range.start.0;
        let end = self.range.end.max(self.range.start);
        Suggestion {
            range: self.range.start..Offset(end.0 + covered),
            text: self.text + &shown.text,
        }
    }
}

/// Something that happens to the Speculator.
#[derive(Debug, Clone)]
pub enum Input {
    /// A document was opened or changed. A request that waits for an answer to another text is
    /// answered with [`Answer::Superseded`].
    DocumentChanged {
        /// The document.
        document: DocumentId,
        /// Text after the change.
        snapshot: Document,
    },
    /// A document was closed: nothing more is computed for it.
    DocumentClosed {
        /// The document.
        document: DocumentId,
    },
    /// The editor wants a suggestion.
    CompletionRequested {
        /// Identifies the response.
        request: RequestId,
        /// The document.
        document: DocumentId,
        /// Text when the request was read.
        snapshot: Document,
        /// Position of the cursor.
        cursor: Offset,
        /// Name and language of the document.
        name: DocumentName,
        /// The popup menu's item, if one is selected.
        selected: Option<SelectedCompletion>,
        /// Number of other suggestions that the user asked for; at most 8 are added.
        alternatives: usize,
    },
    /// The editor no longer wants an answer.
    RequestCancelled {
        /// The request.
        request: RequestId,
    },
    /// A report from a backend.
    Generation(GenerationEvent),
    /// The editor reports what became of a suggestion.
    Reported(SuggestionReport),
    /// The editor shows a suggestion that this machine did not make (from another source, or from a
    /// replay). What follows its accept is computed ahead, as for the machine's own suggestions.
    Shown {
        /// The document.
        document: DocumentId,
        /// Text of the document.
        snapshot: Document,
        /// Position of the cursor.
        cursor: Offset,
        /// Name and language of the document.
        name: DocumentName,
        /// The suggestion that is shown.
        suggestion: Suggestion,
    },
    /// The user is in this document now: it was opened or has the focus. Once the cursor rests, the
    /// prompt there is read ahead.
    Focused {
        /// The document.
        document: DocumentId,
        /// Text of the document.
        snapshot: Document,
        /// Last reported position of the cursor. Ignored if other inputs have given a position
        /// since; if nothing has, the cursor is taken to be at the start of the text.
        cursor: Option<Offset>,
        /// Name and language of the document.
        name: DocumentName,
    },
    /// The user is in no document that gets suggestions: nothing is read ahead.
    FocusLost,
    /// The cursor moved in an unchanged text. What was shown is gone, and once the cursor rests,
    /// the prompt there is read ahead.
    CursorMoved {
        /// The document.
        document: DocumentId,
        /// Text of the document.
        snapshot: Document,
        /// New position of the cursor.
        cursor: Offset,
        /// Name and language of the document.
        name: DocumentName,
    },
}

/// What became of a suggestion, as the editor reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuggestionReport {
    /// The suggestion was accepted.
    Accepted {
        /// The accepted suggestion.
        suggestion: SuggestionId,
    },
    /// Part of the suggestion was accepted.
    AcceptedPart {
        /// The suggestion.
        suggestion: SuggestionId,
        /// Number of UTF-16 code units of its text that are accepted now, from its start.
        length: usize,
    },
    /// The editor shows this one of its suggestions. What follows its accept is computed ahead, and
    /// no longer what follows the accept of another one.
    Displayed {
        /// The suggestion.
        suggestion: SuggestionId,
    },
    /// The user dismissed what was shown: nothing more is computed ahead of it.
    Dismissed {
        /// The document in which it was shown.
        document: DocumentId,
    },
}

/// Something that the Speculator wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Answer a request. Emitted exactly once per request.
    Respond {
        /// The request.
        request: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// Run a generation.
    StartGeneration(GenerationRequest),
    /// Change the priority of a running generation, because something else waits for it now.
    PrioritizeGeneration(GenerationId, Priority),
    /// Stop a generation; its id is never used again.
    CancelGeneration(GenerationId),
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A suggestion.
    Suggestion {
        /// Id of the suggestion.
        id: SuggestionId,
        /// The suggestion to show.
        suggestion: Suggestion,
        /// Origin of the suggestion.
        origin: Origin,
        /// Other suggestions, if the request asked for them.
        alternatives: Vec<Alternative>,
    },
    /// Nothing to suggest.
    Silent {
        /// The reason.
        reason: Silence,
        /// Origin of the decision; `None` if no path was needed.
        origin: Option<Origin>,
    },
    /// A newer request or another text replaced the request, or it was cancelled.
    Superseded,
    /// The backend failed, with one line for the user.
    Failed(String),
}

impl Answer {
    /// Returns where the answer came from, if a path decided it.
    pub fn origin(&self) -> Option<Origin> {
        match self {
            Self::Suggestion { origin, .. } => Some(*origin),
            Self::Silent { origin, .. } => *origin,
            Self::Superseded | Self::Failed(_) => None,
        }
    }
}

/// A suggestion offered besides the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// Id of the suggestion.
    pub id: SuggestionId,
    /// The suggestion to show.
    pub suggestion: Suggestion,
}

/// The origin of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A generation that was started for the request.
    Miss,
    /// A generation that was already running and had to be waited for.
    Joined,
    /// A path of exactly this state, made by an earlier request.
    Exact,
    /// A path made by an earlier request, which the user typed along.
    TypedThrough,
    /// Available at once, because it was computed before it was requested: the path of a
    /// hypothesis, or the part of an earlier path that lies after what was shown of it.
    Speculated,
}

impl Origin {
    /// Returns the word for it in figures and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Joined => "joined",
            Self::Exact => "exact",
            Self::TypedThrough => "typed_through",
            Self::Speculated => "speculated",
        }
    }
}
