//! What in a recording does not fit together, though each entry is in order by itself.

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

/// An entry that does not fit to those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {entry}, document {document}: {problem}; the recording lost entries, record it again"
)]
pub struct Inconsistency {
    /// The entry, from 1.
    pub entry: usize,
    /// The document that it speaks of.
    pub document: u64,
    /// What does not fit.
    pub problem: Problem,
}

/// What does not fit. Offsets and lengths count UTF-16 code units.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A text for a document whose path was never told.
    #[error("its path was never told")]
    NotEncountered,
    /// A change of a document whose text is not known.
    #[error("its text is not known")]
    NoContent,
    /// A change behind the end of the text.
    #[error("a change replaces {}..{} in a text of {length}", range.start, range.end)]
    OutOfRange {
        /// What is replaced.
        range: Range<usize>,
        /// How long the text is.
        length: usize,
    },
    /// Replacements that overlap or do not come in order.
    #[error("a change replaces {}..{} behind {after}", range.start, range.end)]
    NotAscending {
        /// What is replaced.
        range: Range<usize>,
        /// Where the replacement before it ended.
        after: usize,
    },
    /// A cursor behind the end of the text.
    #[error("the cursor is at {cursor} in a text of {length}")]
    SelectionOutside {
        /// Where the cursor is.
        cursor: usize,
        /// How long the text is.
        length: usize,
    },
    /// A text that was never stored.
    #[error("no text was stored as \"{0}\"")]
    NotStored(String),
    /// A text that is restored while the document has another one.
    #[error("another text is restored than the changes left")]
    RestoredOther,
}
