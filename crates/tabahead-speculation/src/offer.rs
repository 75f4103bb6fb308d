//! What became of a suggestion, derived from changes of the text and from the editor's reports.
//!
//! Serves statistics alone: no answer and no generation depends on it. So only the neighbourhood of
//! the cursor is compared, and the whole text only to detect an accept of the whole suggestion. A
//! change that is neither the suggestion nor typing at the cursor (at another cursor, by a
//! formatter, an undo) ends an offer without a verdict.

use tabahead_context::Suggestion;
use tabahead_text::{Document, Offset};

use crate::{
    Stats, SuggestionId,
    chain::{UserPlace, end_of_change, is_same_before, is_same_text},
    state::BufferState,
};

/// A suggestion that the editor has, and how much of it is already in the text.
#[derive(Debug)]
pub(crate) struct Offer {
    pub id: SuggestionId,
    /// Text and cursor that the suggestion was made for.
    place: UserPlace,
    suggestion: Suggestion,
    /// State after an accept of the whole suggestion.
    pub accepted: BufferState,
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

    /// Follows a change of the text from `from` to `to`.
    pub fn follow(&mut self, from: &UserPlace, to: &Document) -> Followed {
        let text = &self.suggestion.text;
        let taken_before = self.taken;
        let outcome = if is_same_text(&self.accepted.document, to, from.cursor) {
            self.taken = text.len();
            self.outcome_of(taken_before)
        } else if let Some(deleted) = deleted_before(from, to) {
            match self.taken.checked_sub(deleted) {
                // The user deleted a part that was inserted before.
                Some(left) if text.is_char_boundary(left) => {
                    self.taken = left;
                    self.latest = None;
                    return Followed::Back(Offset(from.cursor.0 - deleted));
                }
                _ => return Followed::Away(Some(Outcome::Diverged)),
            }
        } else {
            let end = end_of_change(from, to).unwrap_or(from.cursor);
            let inserted = to.slice(from.cursor.min(end)..end);
            let agreed = agreement(&text[self.taken..], &inserted);
            let is_typing = !inserted.is_empty() && is_same_before(&from.document, to, from.cursor);
            if agreed == 0 || !is_typing {
                return Followed::Away(is_typing.then_some(Outcome::Diverged));
            }
            self.taken += agreed;
            self.outcome_of(taken_before)
        };
        let cursor = if self.is_complete() {
            self.accepted.cursor
        } else {
            Offset(from.cursor.0 + self.taken - taken_before)
        };
        self.latest = Some(outcome);
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
    pub fn is_at(&self, document: &Document, cursor: Offset) -> bool {
        self.place.cursor == cursor && is_same_text(&self.place.document, document, cursor)
    }
}

/// Returns how many bytes of `text` were inserted. Closers and white space that the editor added
/// after them are ignored; any other difference gives 0.
fn agreement(text: &str, inserted: &str) -> usize {
    let agreed: usize = text
        .chars()
        .zip(inserted.chars())
        .take_while(|(expected, inserted)| expected == inserted)
        .map(|(expected, _)| expected.len_utf8())
        .sum();
    let by_editor = |c: char| c.is_whitespace() || ")]}>\"'`".contains(c);
    if inserted[agreed..].chars().all(by_editor) {
        agreed
    } else {
        0
    }
}

/// Returns how many bytes before the cursor the change deletes, if it does nothing else.
fn deleted_before(from: &UserPlace, to: &Document) -> Option<usize> {
    let deleted = from.document.len().checked_sub(to.len())?;
    let start = Offset(from.cursor.0.checked_sub(deleted).filter(|_| deleted > 0)?);
    let only_that = end_of_change(from, to) == Some(start)
        && from.document.clamp(start) == start
        && is_same_before(&from.document, to, start);
    only_that.then_some(deleted)
}
