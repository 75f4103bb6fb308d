//! What a recorder is told: what happens to documents, in the order in which it happens.
//!
//! Only `tabahead record` has one. Where it is kept, and in which format, is the recorder's business.

use std::{ops::Range, time::Duration};

use tabahead_text::Document;

/// Writes down what happens to documents, for a user who asked for that.
///
/// It is called by the task that answers requests, so it must not wait for anything.
pub trait Recorder: Send {
    /// Takes what happened. The text in it must not get anywhere but into the recording.
    fn record(&mut self, recorded: Recorded);
}

/// What happened. Offsets count UTF-16 code units of the whole text. Documents that get no suggestions
/// (secrets, what is turned off) never appear here.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// A document was opened, or may be recorded from now on.
    Opened {
        /// The document.
        document: u64,
        /// Its path with `/`; empty for one that has no name yet.
        path: String,
        /// Its text.
        text: Document,
    },
    /// A document was closed, or may not be recorded any more.
    Closed {
        /// The document.
        document: u64,
    },
    /// A text changed in one place.
    Changed {
        /// The document.
        document: u64,
        /// The number of the text that comes of the edits that were sent together.
        version: i32,
        /// What was replaced in the text as the edit before left it.
        range: Range<usize>,
        /// What stands there afterwards.
        text: String,
    },
    /// The cursor is here now, as far as requests tell.
    Cursor {
        /// The document.
        document: u64,
        /// Where.
        cursor: usize,
    },
    /// The editor wants a suggestion.
    Asked {
        /// The document.
        document: u64,
        /// The request.
        request: u64,
        /// The number of the text.
        version: i32,
    },
    /// A request was answered, or nobody wants the answer any more.
    Answered {
        /// The request.
        request: u64,
        /// How long it took.
        waited: Duration,
        /// Whether nobody wants the answer any more.
        cancelled: bool,
        /// What is replaced, in UTF-16 code units of the lines, and what by; `None` for silence.
        suggestion: Option<(tabahead_text::Range, String)>,
    },
    /// The change before was the accept of a suggestion.
    Accepted {
        /// The document.
        document: u64,
        /// The number of the text that came of it.
        version: i32,
    },
}
