//! The hypotheses about one document: the states that the user is expected to reach next.
//!
//! Decides nothing about generations. Where it guesses (where a cursor went, whether typing
//! follows a suggestion), a wrong guess costs computation and never a wrong answer: answers come
//! from a look-up of the state that was asked about.

use tabahead_context::{Suggestion, left_out_closers};
use tabahead_text::{Document, Offset};

use crate::{SuggestionId, state::BufferState};

/// Bytes compared beside the cursor to tell typing from an edit elsewhere.
const NEIGHBOURHOOD: usize = 64;

/// A text and where the user is in it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub document: Document,
    pub cursor: Offset,
}

/// The expected states, each one accept behind the one before it.
#[derive(Debug)]
pub(crate) struct Chain {
    /// Every state but the last is decided: it is where the next one comes from.
    pub states: Vec<BufferState>,
    /// The last state is decided, and nothing follows from it.
    pub ended: bool,
    /// States to compute at most. 0 when nobody has seen a suggestion yet and the user typed on:
    /// what runs already is kept, nothing is begun.
    pub limit: usize,
    /// The suggestion whose accept leads to the first state.
    pub suggestion: Option<SuggestionId>,
}

impl Chain {
    /// What may come after a suggestion that was served: its accept, `depth` times.
    pub fn after(id: SuggestionId, accepted: BufferState, depth: usize) -> Self {
        Self {
            states: vec![accepted],
            ended: false,
            limit: depth,
            suggestion: Some(id),
        }
    }

    /// A state that a request is expected for, whose answer nobody has seen.
    pub fn expecting(state: BufferState) -> Self {
        Self {
            states: vec![state],
            ended: false,
            limit: 0,
            suggestion: None,
        }
    }

    /// The state to compute next, unless enough is computed.
    pub fn undecided(&mut self) -> Option<&mut BufferState> {
        if self.ended || self.states.len() > self.limit.max(1) {
            return None;
        }
        self.states.last_mut()
    }

    /// Follows the user from `from` to a changed text. `None` when the change makes what was
    /// expected impossible; otherwise where the user is now.
    pub fn follow(&mut self, from: &Place, to: &Document, depth: usize) -> Option<Place> {
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
        Some(Place {
            document: to.clone(),
            cursor,
        })
    }

    /// The user is at the `reached`-th state now.
    pub fn reach(&mut self, reached: usize, depth: usize) -> Place {
        self.states.drain(..reached);
        self.suggestion = None;
        if self.limit > 0 {
            self.limit = depth + 1;
        }
        Place {
            document: self.states[0].document.clone(),
            cursor: self.states[0].cursor,
        }
    }
}

/// Where a cursor is in a text: never between `\r` and `\n`.
pub(crate) fn place_of_cursor(document: &Document, cursor: Offset) -> Offset {
    let line = document.line_range(document.line_of(cursor));
    document.clamp(cursor).min(line.end)
}

/// Whether two texts are the same. Where somebody types is looked at first: a key makes them differ
/// there, and only equal texts are compared as a whole.
pub(crate) fn is_same_text(one: &Document, other: &Document, near: Offset) -> bool {
    let around = |document: &Document| {
        let start = Offset(near.0.saturating_sub(NEIGHBOURHOOD));
        document.slice(start..Offset(near.0 + NEIGHBOURHOOD))
    };
    one.len() == other.len() && around(one) == around(other) && one.has_same_text(other)
}

/// Whether the text before a place is the same, as far as its neighbourhood tells.
pub(crate) fn is_same_before(one: &Document, other: &Document, at: Offset) -> bool {
    let start = Offset(at.0.saturating_sub(NEIGHBOURHOOD));
    one.slice(start..at) == other.slice(start..at)
}

/// Where the cursor is after `to` came to stand for the text of `from`, as far as the
/// neighbourhood of the old cursor tells: behind what was typed, but before what the editor put
/// behind that, or where it was.
pub(crate) fn cursor_after(from: &Place, to: &Document) -> Offset {
    match end_of_change(from, to) {
        Some(end) => before_closers(from.cursor, end, to),
        None => to.clamp(from.cursor),
    }
}

/// Where in `to` the text begins that stood behind the cursor in `from`, as far as its neighbourhood
/// tells.
pub(crate) fn end_of_change(from: &Place, to: &Document) -> Option<Offset> {
    let behind = from.document.len() - from.cursor.0.min(from.document.len());
    let end = to.len().checked_sub(behind).map(Offset)?;
    let text_after = |document: &Document, at: Offset| {
        document.slice(at..document.clamp(Offset(at.0 + NEIGHBOURHOOD)))
    };
    let stands_there =
        to.clamp(end) == end && text_after(to, end) == text_after(&from.document, from.cursor);
    stands_there.then_some(end)
}

/// The first place in what was inserted behind which it only closes what it opened before, as editors do
/// by themselves; else its end. Where that guess falls short, a path that goes on to the right place
/// agrees with it all the same.
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

/// The cursor, if `to` is `from` with a beginning of the text typed that leads to `state`; an
/// editor may have inserted closers behind it.
fn typed_towards(from: &Place, to: &Document, state: &BufferState) -> Option<Offset> {
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

/// How many bytes of a path `suggestion` shows: its text with the line ends that paths have.
pub(crate) fn shown_bytes(suggestion: &Suggestion) -> usize {
    suggestion.text.len() - suggestion.text.matches("\r\n").count()
}
