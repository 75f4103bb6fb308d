//! What goes into the Speculator and what comes out: names, inputs, effects, answers.
//!
//! Plain data. Knows neither the editors' protocol nor any engine.

use std::time::Duration;

use tabahead_context::{
    DocumentName, GenerationEvent, GenerationId, GenerationRequest, Priority, Suggestion,
};
use tabahead_text::{Document, Offset};

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

impl SelectedCompletion {
    /// The text and the cursor after the item was inserted.
    pub(crate) fn inserted_in(&self, document: &Document) -> (Document, Offset) {
        let start = document.clamp(self.range.start);
        let replaced = document.with_replaced(start..self.range.end.max(start), &self.text);
        (replaced, Offset(start.0 + self.text.len()))
    }

    /// What to show in the document without the item: `shown` behind the item's text.
    pub(crate) fn extended_by(self, shown: Suggestion) -> Suggestion {
        let covered = shown.range.end.0 - shown.range.start.0;
        let end = self.range.end.max(self.range.start);
        Suggestion {
            range: self.range.start..Offset(end.0 + covered),
            text: self.text + &shown.text,
        }
    }
}

/// What happens to the Speculator.
#[derive(Debug, Clone)]
pub enum Input {
    /// A document was opened or changed; `snapshot` is its text afterwards. A request that waits
    /// for an answer to another text is answered [`Answer::Superseded`].
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
        /// How many other suggestions to add, because somebody asked for them; at most 8 are.
        alternatives: usize,
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
    /// The editor shows a suggestion that this machine did not make (another source's, or one that
    /// is replayed): what comes after its accept is computed ahead, as after one of our own.
    Shown {
        /// Which document.
        document: DocumentId,
        /// Its text.
        snapshot: Document,
        /// Where.
        cursor: Offset,
        /// Name and language.
        name: DocumentName,
        /// What is shown.
        suggestion: Suggestion,
    },
    /// The editor reports that a part of a suggestion is accepted.
    AcceptedPart {
        /// Which.
        suggestion: SuggestionId,
        /// UTF-16 units of its text that are accepted now, from its start.
        length: usize,
    },
    /// The editor reports that it shows a suggestion: what comes after its accept is computed ahead, and
    /// no longer what comes after another one's.
    Displayed {
        /// Which.
        suggestion: SuggestionId,
    },
    /// The user dismissed what was shown: nothing is computed ahead of it any more.
    Dismissed {
        /// Where.
        document: DocumentId,
    },
    /// The user is in this document now: it was opened or has the focus. Once the cursor rests, the
    /// prompt there is read ahead.
    Focused {
        /// Which.
        document: DocumentId,
        /// Its text.
        snapshot: Document,
        /// Where the cursor was reported last. Ignored where inputs have told since; where nothing has, the
        /// cursor is taken to be at the text's start.
        cursor: Option<Offset>,
        /// Name and language.
        name: DocumentName,
    },
    /// The user is in no document that gets suggestions: nothing is read ahead.
    FocusLost,
    /// The cursor went somewhere else in an unchanged text. What was shown is gone, and once the cursor
    /// rests, the prompt there is read ahead.
    CursorMoved {
        /// Which document.
        document: DocumentId,
        /// Its text.
        snapshot: Document,
        /// To where.
        cursor: Offset,
        /// Name and language.
        name: DocumentName,
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
        /// Other suggestions, which were asked for.
        alternatives: Vec<Alternative>,
    },
    /// Nothing to suggest.
    Silent {
        /// Why, as a word for logs and statistics.
        reason: &'static str,
        /// Where the decision came from; `None` when no path was needed.
        origin: Option<Origin>,
    },
    /// A newer request or another text took its place, or it was cancelled.
    Superseded,
    /// The backend failed; one line for the user.
    Failed(String),
}

impl Answer {
    /// Where it came from, when a path decided it.
    pub fn origin(&self) -> Option<Origin> {
        match self {
            Self::Suggestion { origin, .. } => Some(*origin),
            Self::Silent { origin, .. } => *origin,
            Self::Superseded | Self::Failed(_) => None,
        }
    }
}

/// A suggestion that stands beside the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// Its id.
    pub id: SuggestionId,
    /// What to show.
    pub suggestion: Suggestion,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A generation started for it.
    Miss,
    /// A generation that was running already and had to be waited for.
    Joined,
    /// A path of exactly this state that an earlier request had made.
    Exact,
    /// A path that an earlier request had made and the user typed along.
    TypedThrough,
    /// At once, from what was computed before anybody asked: the path of a hypothesis, or the
    /// part of an earlier path that lies behind what was shown of it.
    Speculated,
}

impl Origin {
    /// The word that figures and messages use.
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
