//! The user of a replay: the recording itself, the recording with its suggestions served as ours,
//! or a typist.
//!
//! A user sees what is on the screen and acts at times of its own; it knows nothing of policies and
//! engines.

mod recorded;
mod typing;

use tabahead_context::{DocumentName, Suggestion};
use tabahead_speculation::{DocumentId, SuggestionId, Timestamp};
use tabahead_text::{Document, Offset};

use crate::editing::EditKind;

pub use recorded::{EditingEvents, InjectedUser, RecordedUser};
pub use typing::TypingUser;

/// A user who edits.
pub trait User {
    /// Returns the time of the next action; `None` if there are no more.
    ///
    /// # Errors
    /// When the recording cannot be read on.
    fn next(&mut self) -> Result<Option<Timestamp>, UserError>;

    /// Performs the action that is due and returns it.
    fn act(&mut self) -> Option<UserAction>;

    /// Takes note that the screen has changed.
    fn sees(&mut self, _now: Timestamp, _screen: Option<&Screen>) {}
}

/// Why a user stops.
pub type UserError = crate::editing::EditingError;

/// An action of the user.
#[derive(Debug, Clone)]
pub enum UserAction {
    /// Opens a document.
    Opens {
        /// The document.
        document: DocumentId,
        /// Its name.
        name: DocumentName,
        /// Its text.
        text: Document,
    },
    /// Closes a document.
    Closes {
        /// The document.
        document: DocumentId,
    },
    /// Changes a text.
    Edits(UserEdit),
    /// Moves the cursor.
    Moves {
        /// The document.
        document: DocumentId,
        /// The new cursor.
        cursor: Offset,
    },
    /// A suggestion that is not ours appears, or is typed along and stays.
    Shows {
        /// The document.
        document: DocumentId,
        /// The document's text.
        text: Document,
        /// The cursor.
        cursor: Offset,
        /// The suggestion.
        suggestion: Suggestion,
    },
}

impl UserAction {
    /// Returns whether the action changes a text.
    fn is_edit(&self) -> bool {
        matches!(self, Self::Edits(_))
    }
}

/// A change of a text.
#[derive(Debug, Clone)]
pub struct UserEdit {
    /// The document.
    pub document: DocumentId,
    /// The text afterwards.
    pub after: Document,
    /// The cursor afterwards.
    pub cursor: Offset,
    /// The kind of change.
    pub kind: EditKind,
    /// The accepted suggestion, if the change is an accept.
    pub accepts: Option<UserAccept>,
    /// Whether the editor asks for a suggestion afterwards.
    pub asks: bool,
}

/// An accepted suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserAccept {
    /// How much of the suggestion was accepted.
    pub part: AcceptedPart,
    /// Number of characters that it inserted.
    pub characters: usize,
    /// Number of lines that it wrote or continued: one, and one more for each line end that it
    /// added.
    pub lines: usize,
    /// Our suggestion's id, if it was one of ours.
    pub suggestion: Option<SuggestionId>,
}

/// How much of a suggestion was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AcceptedPart {
    /// All of it.
    All,
    /// Its first line.
    Line,
    /// Its first word.
    Word,
}

/// The suggestion that a user sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Screen {
    /// The document.
    pub document: DocumentId,
    /// Id of the suggestion.
    pub id: SuggestionId,
    /// The rest of the suggestion that is still shown.
    pub suggestion: Suggestion,
    /// When the suggestion first appeared; typing along does not change it.
    pub since: Timestamp,
}

impl Screen {
    /// Returns what an editor still shows after a change, and whether the change typed along what
    /// was shown; `None` if nothing was shown or the change is an accept.
    pub(crate) fn after(shown: Option<Self>, edited: &UserEdit) -> (Option<Self>, Option<bool>) {
        match shown {
            Some(shown) if edited.accepts.is_none() => {
                let rest = shown.typed_along(edited);
                let along = rest.is_some();
                (rest, Some(along))
            }
            _ => (None, None),
        }
    }

    /// Returns the rest of the suggestion if the change typed along it.
    fn typed_along(self, edited: &UserEdit) -> Option<Self> {
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

    /// Returns since when a suggestion is on the screen; one that comes again, or was typed along,
    /// keeps the time at which it first appeared.
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
