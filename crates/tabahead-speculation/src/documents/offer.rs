//! What became of a suggestion, derived from changes of the text and from the editor's reports.
//!
//! Serves statistics alone: no answer and no generation depends on it. `edit.rs` reads the change. One
//! that is neither the suggestion nor typing at the cursor ends an offer without a verdict.

use tabahead_context::Suggestion;
use tabahead_text::Offset;

use super::edit::{ChangeReading, ExpectedText, TextChange, TypedAlong, UserPlace, is_same_text};
use crate::{Stats, SuggestionId, state::BufferState};

/// A suggestion that the editor has, and how much of it is already in the text.
#[derive(Debug)]
pub(crate) struct Offer {
    id: SuggestionId,
    /// Text and cursor that the suggestion was made for.
    place: UserPlace,
    suggestion: Suggestion,
    /// State after an accept of the whole suggestion.
    accepted: BufferState,
    /// Number of bytes of the suggestion's text that the user has inserted.
    taken: usize,
    /// Number of bytes of the suggestion's text that the editor has reported as accepted.
    reported: usize,
    /// Outcome of the latest part, if it was counted.
    latest: Option<Outcome>,
}

/// The way in which a part of a suggestion came into the text, or why it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The rest of the suggestion was accepted.
    AcceptedAll,
    /// A line of the suggestion was accepted, and more text follows.
    AcceptedLine,
    /// A part of a line was accepted.
    AcceptedWord,
    /// The user typed the suggestion's next character.
    TypedAlong,
    /// The user typed something else.
    Diverged,
}

/// The effect of a change of the text on an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// More of the suggestion is in the text now; the cursor is after that part.
    Along(Outcome, Offset),
    /// Less of the suggestion is in the text than before.
    Back(Offset),
    /// The suggestion can no longer be shown.
    Away(Option<Outcome>),
}

impl Offer {
    pub fn new(
        id: SuggestionId,
        place: UserPlace,
        suggestion: Suggestion,
        accepted: BufferState,
    ) -> Self {
        // A popup menu's item is a part of the suggestion that is already before the cursor.
        let before = place.document.slice(suggestion.range.start..place.cursor);
        let taken = if suggestion.text.starts_with(&before) {
            before.len()
        } else {
            0
        };
        Self {
            id,
            place,
            suggestion,
            accepted,
            taken,
            reported: 0,
            latest: None,
        }
    }

    pub fn id(&self) -> SuggestionId {
        self.id
    }

    /// Returns the state after an accept of the whole suggestion.
    pub fn accepted(&self) -> &BufferState {
        &self.accepted
    }

    /// Returns the state after an accept of the whole suggestion.
    pub fn into_accepted(self) -> BufferState {
        self.accepted
    }

    /// Returns whether the whole suggestion is in the text.
    pub fn is_complete(&self) -> bool {
        self.taken == self.suggestion.text.len()
    }

    /// Records the editor's report that the first `accepted` UTF-16 code units of the text are
    /// accepted now.
    pub fn report(&mut self, accepted: usize, stats: &mut Stats) {
        let mut units = 0;
        let within = |c: &char| {
            units += c.len_utf16();
            units <= accepted
        };
        let text = &self.suggestion.text;
        let bytes = text.chars().take_while(within).map(char::len_utf8).sum();
        self.reported = bytes;
        if bytes == self.taken {
            self.was_accepted(stats);
        }
    }

    /// Records the editor's report that the whole suggestion is accepted.
    pub fn report_whole(&mut self, stats: &mut Stats) {
        self.reported = self.suggestion.text.len();
        if self.is_complete() {
            self.was_accepted(stats);
        } else {
            // The report came before the change.
            self.taken = self.reported;
            self.latest = Some(Outcome::AcceptedAll);
            stats.count_outcome(Outcome::AcceptedAll);
        }
    }

    /// Returns whether the latest part was counted.
    pub fn is_counted(&self) -> bool {
        self.latest.is_some()
    }

    /// Marks the latest part as counted for another offer that agrees as well: a later report of
    /// this one corrects no counter.
    pub fn is_not_counted(&mut self) {
        self.latest = None;
    }

    /// Recounts the latest part: what looked like typing was an accept of one character.
    fn was_accepted(&mut self, stats: &mut Stats) {
        if self.latest == Some(Outcome::TypedAlong) {
            let accepted = self.accept_until(self.taken);
            stats.typed_along -= 1;
            stats.count_outcome(accepted);
            self.latest = Some(accepted);
        }
    }

    /// Follows a change of the text.
    pub fn follow(&mut self, change: &ChangeReading<'_>) -> Followed {
        let text = &self.suggestion.text;
        let taken_before = self.taken;
        let expected = ExpectedText {
            document: &self.accepted.at.document,
            at_cursor: &text[taken_before..],
        };
        match change.compared_with(expected) {
            TextChange::Accepted => self.taken = text.len(),
            TextChange::TypedAlong(TypedAlong {
                inserted,
                is_all: true,
                ..
            }) => self.taken += inserted,
            TextChange::Deleted(deleted) => {
                return match taken_before.checked_sub(deleted) {
                    // The user deleted a part that was inserted before.
                    Some(left) if text.is_char_boundary(left) => {
                        self.taken = left;
                        self.latest = None;
                        Followed::Back(change.cursor())
                    }
                    _ => Followed::Away(Some(Outcome::Diverged)),
                };
            }
            TextChange::TypedOther => return Followed::Away(Some(Outcome::Diverged)),
            TextChange::TypedAlong(_) | TextChange::Other => return Followed::Away(None),
        }
        let outcome = self.outcome_of(taken_before);
        self.latest = Some(outcome);
        let cursor = if self.is_complete() {
            self.accepted.at.cursor
        } else {
            Offset(change.from.cursor.0 + self.taken - taken_before)
        };
        Followed::Along(outcome, cursor)
    }

    /// Returns how the bytes from `before` to `self.taken` came into the text.
    fn outcome_of(&self, before: usize) -> Outcome {
        let added = &self.suggestion.text[before..self.taken];
        let reported = self.reported > before;
        // Enter also inserts the indentation.
        let one_key = added.chars().count() <= 1
            || (added.starts_with(['\r', '\n']) && added.trim().is_empty());
        if one_key && !reported {
            Outcome::TypedAlong
        } else {
            self.accept_until(self.taken)
        }
    }

    fn accept_until(&self, taken: usize) -> Outcome {
        let (accepted, rest) = self.suggestion.text.split_at(taken);
        if rest.is_empty() {
            Outcome::AcceptedAll
        } else if rest.starts_with(['\r', '\n']) || accepted.trim_end_matches(' ').ends_with('\n') {
            // Editors differ in whether an accepted line includes its line end.
            Outcome::AcceptedLine
        } else {
            Outcome::AcceptedWord
        }
    }

    /// Returns whether the suggestion was made for this text and cursor.
    pub fn is_at(&self, place: &UserPlace) -> bool {
        let (document, cursor) = (&place.document, place.cursor);
        self.place.cursor == cursor && is_same_text(&self.place.document, document, cursor)
    }
}
