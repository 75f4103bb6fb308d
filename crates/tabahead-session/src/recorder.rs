//! The input of a recorder: what happens to documents, in the order in which it happens.
//!
//! Only `tabahead record` has one. Storage and file format are the recorder's business.

use std::{ops::Range, time::Duration};

use tabahead_text::Document;

/// Records what happens to documents, for a user who asked for it.
///
/// It is called by the task that answers requests, so it must not block.
pub trait Recorder: Send {
    /// Records one event. The text in it must go nowhere but into the recording.
    fn record(&mut self, recorded: Recorded);
}

/// One recorded event. Offsets count UTF-16 code units from the start of the text. Documents that
/// get no suggestions (secrets, and what the user turned off) never appear here.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// A document was opened, or may be recorded from now on.
    Opened {
        /// The document.
        document: u64,
        /// Path of the document, with `/`; empty if it has no name yet.
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
        /// Version of the text after all edits that were sent together.
        version: i32,
        /// Range that was replaced, in the text as the previous edit left it.
        range: Range<usize>,
        /// Text that replaces the range.
        text: String,
    },
    /// The cursor moved, as far as requests report it.
    Cursor {
        /// The document.
        document: u64,
        /// New offset of the cursor.
        cursor: usize,
    },
    /// The editor requested a suggestion.
    Asked {
        /// The document.
        document: u64,
        /// The request.
        request: u64,
        /// Version of the text.
        version: i32,
    },
    /// A request was answered, or its answer is not wanted any more.
    Answered {
        /// The request.
        request: u64,
        /// Time from the request to its answer.
        waited: Duration,
        /// Whether the answer is not wanted any more.
        cancelled: bool,
        /// The replaced range, as lines and UTF-16 code units, and the text that replaces it;
        /// `None` if no suggestion was shown.
        suggestion: Option<(tabahead_text::Range, String)>,
    },
    /// The preceding change was the accept of a suggestion.
    Accepted {
        /// The document.
        document: u64,
        /// Version of the text after the accept.
        version: i32,
    },
}
