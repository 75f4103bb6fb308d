//! Contradictions in a recording, though each entry is in order by itself.

use std::ops::Range;

use crate::recording::RecordingError;

/// Why a recording cannot be replayed, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum EditingError {
    /// The file is not in order.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Entries contradict each other.
    #[error(transparent)]
    Inconsistent(#[from] Inconsistency),
}

/// An entry that contradicts those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {entry}, document {document}: {problem}; the recording lost entries, record it again"
)]
pub struct Inconsistency {
    /// The entry, from 1.
    pub entry: usize,
    /// The document that it is about.
    pub document: u64,
    /// The contradiction.
    pub problem: Problem,
}

/// A contradiction. Offsets and lengths count UTF-16 code units.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A text for a document whose path was never recorded.
    #[error("its path is missing")]
    NotEncountered,
    /// A change of a document whose text is not known.
    #[error("its text is not known")]
    NoContent,
    /// A change beyond the end of the text.
    #[error("a change replaces {}..{} in a text of {length}", range.start, range.end)]
    OutOfRange {
        /// The replaced range.
        range: Range<usize>,
        /// Length of the text.
        length: usize,
    },
    /// Replacements that overlap or are not in order.
    #[error("a change replaces {}..{} after {after}", range.start, range.end)]
    NotAscending {
        /// The replaced range.
        range: Range<usize>,
        /// End of the replacement before it.
        after: usize,
    },
    /// A cursor beyond the end of the text.
    #[error("the cursor is at {cursor} in a text of {length}")]
    SelectionOutside {
        /// The cursor.
        cursor: usize,
        /// Length of the text.
        length: usize,
    },
    /// A restored text that was never stored.
    #[error("no text was stored as \"{0}\"")]
    NotStored(String),
    /// A restored text that differs from the text of the open document.
    #[error("another text is restored than the changes left")]
    RestoredOther,
}
