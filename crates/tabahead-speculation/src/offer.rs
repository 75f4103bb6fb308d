//! What became of a suggestion, as far as changes of the text tell, with what the editor reports.
//!
//! Serves statistics alone: no answer and no generation depends on it. So the neighbourhood of the cursor is
//! looked at and not the whole text, but for an accept of the whole. A change that is neither the
//! suggestion nor typing at the cursor (another cursor's, a formatter's, an undo) ends an offer
//! without a verdict.

use tabahead_context::Suggestion;
use tabahead_text::{Document, Offset};

use crate::{
    Stats, SuggestionId,
    chain::{Place, end_of_change, is_same_before, is_same_text},
    state::BufferState,
};

/// A suggestion that the editor has, and how much of it stands in the text.
#[derive(Debug)]
pub(crate) struct Offer {
    pub id: SuggestionId,
    /// Where it was made.
    place: Place,
    suggestion: Suggestion,
    /// The state after an accept.
    pub accepted: BufferState,
    /// Bytes of its text that the user has put in.
    taken: usize,
    /// Bytes of its text that the editor has reported as accepted.
    reported: usize,
    /// How its latest part came into the text, if that was counted.
    latest: Option<Outcome>,
}

/// How a part of a suggestion came into the text, or what kept it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its rest was accepted.
    AcceptedAll,
    /// Its line was accepted, and there is more.
    AcceptedLine,
    /// A part of its line was accepted.
    AcceptedWord,
    /// The user typed its next character.
    TypedAlong,
    /// The user typed something else.
    Diverged,
}

/// What a change of the text makes of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// More of it stands there; the cursor is behind that.
    Along(Outcome, Offset),
    /// Less of it stands there than before.
    Back(Offset),
    /// It can no longer be shown.
    Away(Option<Outcome>),
}

impl Offer {
    pub fn new(
        id: SuggestionId,
        place: Place,
        suggestion: Suggestion,
        accepted: BufferState,
    ) -> Self {
        // A popup menu's item is a part of it that stands before the cursor.
        let before = place.document.slice(suggestion.range.start..place.cursor);
        let taken = match suggestion.text.starts_with(&before) {
            true => before.len(),
            false => 0,
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

    /// Whether it stands in the text as a whole.
    pub fn is_complete(&self) -> bool {
        self.taken == self.suggestion.text.len()
    }

    /// The editor reports that so many UTF-16 units of its text are accepted now.
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

    /// The editor reports that it is accepted as a whole.
    pub fn report_whole(&mut self, stats: &mut Stats) {
        self.reported = self.suggestion.text.len();
        if self.is_complete() {
            self.was_accepted(stats);
        } else {
            // The report has come before the change.
            self.taken = self.reported;
            self.latest = Some(Outcome::AcceptedAll);
            stats.count_outcome(Outcome::AcceptedAll);
        }
    }

    /// Its latest part was counted for another one that agrees as well: a report of this one mends nothing.
    pub fn is_not_counted(&mut self) {
        self.latest = None;
    }

    /// What looked like typing was an accept of one character.
    fn was_accepted(&mut self, stats: &mut Stats) {
        if self.latest == Some(Outcome::TypedAlong) {
            let accepted = self.accept_until(self.taken);
            stats.typed_along -= 1;
            stats.count_outcome(accepted);
            self.latest = Some(accepted);
        }
    }

    /// Follows a change of the text from `from` to `to`.
    pub fn follow(&mut self, from: &Place, to: &Document) -> Followed {
        let text = &self.suggestion.text;
        let taken_before = self.taken;
        let outcome = if is_same_text(&self.accepted.document, to, from.cursor) {
            self.taken = text.len();
            self.outcome_of(taken_before)
        } else if let Some(deleted) = deleted_before(from, to) {
            match self.taken.checked_sub(deleted) {
                // What was taken is taken back.
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
        let cursor = match self.is_complete() {
            true => self.accepted.cursor,
            false => Offset(from.cursor.0 + self.taken - taken_before),
        };
        self.latest = Some(outcome);
        Followed::Along(outcome, cursor)
    }

    /// How the bytes from `before` to what is taken now came into the text.
    fn outcome_of(&self, before: usize) -> Outcome {
        let added = &self.suggestion.text[before..self.taken];
        let reported = self.reported > before;
        // Enter brings the indentation with it.
        let one_key = added.chars().count() <= 1
            || (added.starts_with(['\r', '\n']) && added.trim().is_empty());
        match one_key && !reported {
            true => Outcome::TypedAlong,
            false => self.accept_until(self.taken),
        }
    }

    fn accept_until(&self, taken: usize) -> Outcome {
        let (accepted, rest) = self.suggestion.text.split_at(taken);
        if rest.is_empty() {
            Outcome::AcceptedAll
        } else if rest.starts_with(['\r', '\n']) || accepted.trim_end_matches(' ').ends_with('\n') {
            // Editors differ in whether they take the line's end with it.
            Outcome::AcceptedLine
        } else {
            Outcome::AcceptedWord
        }
    }

    /// The text and the cursor that it was made for.
    pub fn is_at(&self, document: &Document, cursor: Offset) -> bool {
        self.place.cursor == cursor && is_same_text(&self.place.document, document, cursor)
    }
}

/// How much of `text` was inserted: all that was, but for closers and white space that the editor
/// added behind.
fn agreement(text: &str, inserted: &str) -> usize {
    let agreed: usize = text
        .chars()
        .zip(inserted.chars())
        .take_while(|(expected, inserted)| expected == inserted)
        .map(|(expected, _)| expected.len_utf8())
        .sum();
    let by_editor = |c: char| c.is_whitespace() || ")]}>\"'`".contains(c);
    match inserted[agreed..].chars().all(by_editor) {
        true => agreed,
        false => 0,
    }
}

/// How many bytes before the cursor the change takes away, if it does that and nothing else.
fn deleted_before(from: &Place, to: &Document) -> Option<usize> {
    let deleted = from.document.len().checked_sub(to.len())?;
    let start = Offset(from.cursor.0.checked_sub(deleted).filter(|_| deleted > 0)?);
    let only_that = end_of_change(from, to) == Some(start)
        && from.document.clamp(start) == start
        && is_same_before(&from.document, to, start);
    only_that.then_some(deleted)
}
