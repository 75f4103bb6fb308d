//! The hypotheses about one document: the states that the user is expected to reach next.
//!
//! Decides nothing about generations. Where it guesses (where a cursor went, whether typing follows
//! a suggestion), a wrong guess costs computation and never gives a wrong answer: answers come from
//! a look-up of the state that was asked about.

use tabahead_context::{Suggestion, left_out_closers};
use tabahead_text::{Document, Offset};

use crate::{SuggestionId, state::BufferState};

/// Number of bytes compared next to the cursor to distinguish typing from an edit elsewhere.
const NEIGHBOURHOOD: usize = 64;

/// A text and the position of the user in it.
#[derive(Debug, Clone)]
pub(crate) struct UserPlace {
    pub document: Document,
    pub cursor: Offset,
}

/// The expected states, each one accept after the previous one.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The states. All but the last are decided: each decided state leads to the next one.
    pub states: Vec<BufferState>,
    /// True if the last state is decided and nothing follows from it.
    pub ended: bool,
    /// Maximum number of states to compute. 0 if no suggestion has been shown yet and the user
    /// typed on: what already runs is kept, nothing new is started.
    pub limit: usize,
    /// Suggestion whose accept leads to the first state.
    pub suggestion: Option<SuggestionId>,
}

impl Chain {
    /// Builds the chain after a served suggestion: its accept, and up to `depth` accepts in all.
    pub fn after(id: SuggestionId, accepted: BufferState, depth: usize) -> Self {
        Self {
            states: vec![accepted],
            ended: false,
            limit: depth,
            suggestion: Some(id),
        }
    }

    /// Builds a chain of one state for which a request is expected; no answer to it has been shown.
    pub fn expecting(state: BufferState) -> Self {
        Self {
            states: vec![state],
            ended: false,
            limit: 0,
            suggestion: None,
        }
    }

    /// Returns the state to compute next, unless enough is computed.
    pub fn undecided(&mut self) -> Option<&mut BufferState> {
        if self.ended || self.states.len() > self.limit.max(1) {
            return None;
        }
        self.states.last_mut()
    }

    /// Follows the user from `from` to a changed text. Returns `None` if the change rules out what
    /// was expected; otherwise the user's new place.
    pub fn follow(&mut self, from: &UserPlace, to: &Document, depth: usize) -> Option<UserPlace> {
        if let Some(reached) = self
            .states
            .iter()
            .position(|state| is_same_text(&state.document, to, from.cursor))
        {
            return Some(self.reach(reached, depth));
        }
        let (ahead, cursor) = self
            .states
            .iter()
            .enumerate()
            .find_map(|(ahead, state)| Some((ahead, typed_towards(from, to, state)?)))?;
        self.states.drain(..ahead);
        self.suggestion = None;
        Some(UserPlace {
            document: to.clone(),
            cursor,
        })
    }

    /// Moves the chain so that it begins at its `reached`-th state, where the user is now.
    pub fn reach(&mut self, reached: usize, depth: usize) -> UserPlace {
        self.states.drain(..reached);
        self.suggestion = None;
        if self.limit > 0 {
            self.limit = depth + 1;
        }
        UserPlace {
            document: self.states[0].document.clone(),
            cursor: self.states[0].cursor,
        }
    }
}

/// Returns the place of a cursor in a text: never between `\r` and `\n`.
pub(crate) fn place_of_cursor(document: &Document, cursor: Offset) -> Offset {
    let line = document.line_range(document.line_of(cursor));
    document.clamp(cursor).min(line.end)
}

/// Returns whether two texts are the same. Compares the text around `near` first: a typed key makes
/// them differ there, so that only equal texts are compared as a whole.
pub(crate) fn is_same_text(one: &Document, other: &Document, near: Offset) -> bool {
    let around = |document: &Document| {
        let start = Offset(near.0.saturating_sub(NEIGHBOURHOOD));
        document.slice(start..Offset(near.0 + NEIGHBOURHOOD))
    };
    one.len() == other.len() && around(one) == around(other) && one.has_same_text(other)
}

/// Returns whether the text before `at` is the same in both, as far as its neighbourhood shows.
pub(crate) fn is_same_before(one: &Document, other: &Document, at: Offset) -> bool {
    let start = Offset(at.0.saturating_sub(NEIGHBOURHOOD));
    one.slice(start..at) == other.slice(start..at)
}

/// Returns the cursor after the text changed from `from` to `to`, as far as the neighbourhood of
/// the old cursor shows: after what was typed, but before what the editor added after that;
/// otherwise where it was.
pub(crate) fn cursor_after(from: &UserPlace, to: &Document) -> Offset {
    match end_of_change(from, to) {
        Some(end) => before_closers(from.cursor, end, to),
        None => to.clamp(from.cursor),
    }
}

/// Returns where in `to` the text begins that came after the cursor in `from`, as far as its
/// neighbourhood shows.
pub(crate) fn end_of_change(from: &UserPlace, to: &Document) -> Option<Offset> {
    let behind = from.document.len() - from.cursor.0.min(from.document.len());
    let end = to.len().checked_sub(behind).map(Offset)?;
    let text_after = |document: &Document, at: Offset| {
        document.slice(at..document.clamp(Offset(at.0 + NEIGHBOURHOOD)))
    };
    let stands_there =
        to.clamp(end) == end && text_after(to, end) == text_after(&from.document, from.cursor);
    stands_there.then_some(end)
}

/// Returns the first position in the inserted text after which there are only closers for what was
/// opened before it, as editors add on their own; otherwise its end. If the guess is too short, a
/// path that continues to the right position still agrees with it.
fn before_closers(start: Offset, end: Offset, to: &Document) -> Offset {
    if end <= start || end.0 - start.0 > NEIGHBOURHOOD {
        return end;
    }
    let inserted = to.slice(start..end);
    let mut places = inserted.char_indices().map(|(at, _)| at).skip(1);
    let typed = places
        .find(|&at| left_out_closers(&inserted[..at], &inserted[at..]) == inserted.len() - at);
    typed.map_or(end, |typed| Offset(start.0 + typed))
}

/// Returns the cursor if `to` is `from` plus a beginning of the text that leads to `state`. The
/// editor may have inserted closers after it.
fn typed_towards(from: &UserPlace, to: &Document, state: &BufferState) -> Option<Offset> {
    let behind_typed = cursor_after(from, to);
    if behind_typed <= from.cursor || state.cursor <= from.cursor {
        return None;
    }
    let typed = to.slice(from.cursor..behind_typed);
    let expected = state.document.slice(from.cursor..state.cursor);
    let agreed: usize = typed
        .chars()
        .zip(expected.chars())
        .take_while(|(typed, expected)| typed == expected)
        .map(|(typed, _)| typed.len_utf8())
        .sum();
    let inserted_by_editor = typed[agreed..]
        .chars()
        .all(|c| c.is_whitespace() || ")]}>\"'`".contains(c));
    (agreed > 0 && inserted_by_editor).then_some(Offset(from.cursor.0 + agreed))
}

/// Returns how many bytes of a path `suggestion` shows: the length of its text with LF line ends,
/// as in paths.
pub(crate) fn shown_bytes(suggestion: &Suggestion) -> usize {
    suggestion.text.len() - suggestion.text.matches("\r\n").count()
}
