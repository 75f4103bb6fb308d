//! Who edits: the recording itself, the recording with its suggestions as ours, or a typist.
//!
//! A user sees what is on the screen and acts at times of its own; it knows nothing of policies and
//! engines.

mod recorded;
mod typing;

use tabahead_context::{DocumentName, Suggestion};
use tabahead_speculation::{DocumentId, SuggestionId, Timestamp};
use tabahead_text::{Document, Offset};

use crate::editing::EditKind;

pub use recorded::{Happenings, Injected, Recorded};
pub use typing::Typing;

/// Somebody who edits.
pub trait User {
    /// When the next deed comes; `None` when there is none any more.
    ///
    /// # Errors
    /// When the recording cannot be read on.
    fn next(&mut self) -> Result<Option<Timestamp>, UserError>;

    /// The deed that is due.
    fn act(&mut self) -> Option<Deed>;

    /// What is on the screen has changed.
    fn sees(&mut self, _now: Timestamp, _screen: Option<&Screen>) {}
}

/// Why a user stops.
pub type UserError = crate::editing::EditingError;

/// What a user does.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Opens a document.
    Opens {
        /// Which.
        document: DocumentId,
        /// Its name.
        name: DocumentName,
        /// Its text.
        text: Document,
    },
    /// Closes a document.
    Closes {
        /// Which.
        document: DocumentId,
    },
    /// Changes a text.
    Edits(Edited),
    /// Moves the cursor.
    Moves {
        /// In which document.
        document: DocumentId,
        /// Where to.
        cursor: Offset,
    },
    /// A suggestion that is none of ours appears, or is typed along and stays.
    Shows {
        /// Where.
        document: DocumentId,
        /// In this text.
        text: Document,
        /// At this cursor.
        cursor: Offset,
        /// What accepting it does.
        suggestion: Suggestion,
    },
}

impl Deed {
    /// Whether it changes a text.
    fn is_edit(&self) -> bool {
        matches!(self, Self::Edits(_))
    }
}

/// A change of a text.
#[derive(Debug, Clone)]
pub struct Edited {
    /// Of which document.
    pub document: DocumentId,
    /// The text afterwards.
    pub after: Document,
    /// The cursor afterwards.
    pub cursor: Offset,
    /// What kind of change it is.
    pub kind: EditKind,
    /// It is an accept, of so many characters.
    pub accepts: Option<Accepts>,
    /// The editor asks for a suggestion afterwards.
    pub asks: bool,
}

/// An accepted suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepts {
    /// How much of it.
    pub part: Part,
    /// Characters that it inserted.
    pub characters: usize,
    /// Lines that it wrote or went on with: one, and one for each line end that it added.
    pub lines: usize,
    /// Which of ours it was.
    pub suggestion: Option<SuggestionId>,
}

/// How much of a suggestion was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// All of it.
    All,
    /// Its first line.
    Line,
    /// Its first word.
    Word,
}

/// What a user sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Screen {
    /// In which document.
    pub document: DocumentId,
    /// Whose suggestion it is.
    pub id: SuggestionId,
    /// What is left of it.
    pub suggestion: Suggestion,
    /// Since when, typed along or not.
    pub since: Timestamp,
}

impl Screen {
    /// What an editor still shows after a change, and whether the change went along what was shown;
    /// `None` when nothing was, or when it was accepted.
    pub(crate) fn after(shown: Option<Self>, edited: &Edited) -> (Option<Self>, Option<bool>) {
        match shown {
            Some(shown) if edited.accepts.is_none() => {
                let rest = shown.typed_along(edited);
                let along = rest.is_some();
                (rest, Some(along))
            }
            _ => (None, None),
        }
    }

    /// The rest, when a change typed along.
    fn typed_along(self, edited: &Edited) -> Option<Self> {
        let Suggestion { range, text } = &self.suggestion;
        let typed = edited.after.slice(range.start..edited.cursor);
        let rest = text.strip_prefix(&typed[..])?;
        let along = self.document == edited.document && !typed.is_empty() && !rest.is_empty();
        along.then(|| Self {
            suggestion: Suggestion {
                range: edited.cursor..Offset(range.end.0 + typed.len()),
                text: rest.to_owned(),
            },
            ..self
        })
    }

    /// The same suggestion, which comes again or was typed along, is on the screen since it first was.
    pub(crate) fn since(
        shown: Option<&Self>,
        suggestion: &Suggestion,
        now: Timestamp,
    ) -> Timestamp {
        match shown {
            Some(shown) if shown.suggestion == *suggestion => shown.since,
            _ => now,
        }
    }
}
