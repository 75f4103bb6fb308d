//! What a change of the text did, read from the place where the user was before it.
//!
//! The one reading of a change: what the editor shows and the hypotheses are both compared with it.
//! Only the neighbourhood of the cursor is read; a text that may be equal as a whole is compared as
//! a whole. A wrong guess costs computation or is counted wrongly, and never gives a wrong answer:
//! answers come from a look-up of the state that was asked about.

use tabahead_context::{are_added_closers, left_out_closers};
use tabahead_text::{Document, Offset};

/// Number of bytes compared next to the cursor to distinguish typing from an edit elsewhere.
const NEIGHBOURHOOD: usize = 64;

/// A text and the position of the user in it.
#[derive(Debug, Clone)]
pub(crate) struct UserPlace {
    pub document: Document,
    pub cursor: Offset,
}

impl UserPlace {
    /// Returns the place of a cursor that an editor reports: never between `\r` and `\n`.
    pub fn of_cursor(document: Document, cursor: Offset) -> Self {
        let line = document.line_range(document.line_of(cursor));
        Self {
            cursor: document.clamp(cursor).min(line.end),
            document,
        }
    }

    /// Returns whether the text before `at` is the same in `other`, as far as its neighbourhood
    /// shows.
    fn is_same_before(&self, at: Offset, other: &Document) -> bool {
        let start = Offset(at.0.saturating_sub(NEIGHBOURHOOD));
        self.document.slice(start..at) == other.slice(start..at)
    }

    /// Returns where in `to` the text begins that comes after the cursor here, as far as its
    /// neighbourhood shows.
    fn end_in(&self, to: &Document) -> Option<Offset> {
        let after = self.document.len() - self.cursor.0.min(self.document.len());
        let end = to.len().checked_sub(after).map(Offset)?;
        let text_after = |document: &Document, at: Offset| {
            document.slice(at..document.clamp(Offset(at.0 + NEIGHBOURHOOD)))
        };
        let is_there =
            to.clamp(end) == end && text_after(to, end) == text_after(&self.document, self.cursor);
        is_there.then_some(end)
    }
}

/// A text that the user may reach by a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpectedText<'a> {
    /// The whole text.
    pub document: &'a Document,
    /// The part of it that begins at the user's cursor and that a user may type.
    pub at_cursor: &'a str,
}

/// What a change did, compared with a text that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextChange {
    /// The text is the expected one now.
    Accepted,
    /// A beginning of the expected text was inserted at the cursor. The editor may have added
    /// closers after it.
    TypedAlong(TypedAlong),
    /// This number of bytes before the cursor was deleted, and nothing else was done.
    Deleted(usize),
    /// Other text was inserted at the cursor.
    TypedOther,
    /// Anything else: a change at another cursor, by a formatter, an undo.
    Other,
}

/// The part of an expected text that a change inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypedAlong {
    /// Number of bytes of the expected text that were inserted.
    pub inserted: usize,
    /// Number of those before the closers that the editor added. The cursor is after them.
    pub typed: usize,
    /// Whether nothing before the cursor changed.
    pub is_all: bool,
}

/// A change of the text, read without an expectation.
#[derive(Debug)]
pub(crate) struct ChangeReading<'a> {
    pub from: &'a UserPlace,
    pub to: &'a Document,
    /// Where the text after the old cursor begins now; `None` if it is not found.
    end: Option<Offset>,
    /// Text between the old cursor and that place.
    inserted: String,
    /// Number of bytes of it before the closers that the editor added; `None` if it added none.
    typed: Option<usize>,
    is_same_before: bool,
    /// Number of bytes before the cursor that were deleted, if nothing else was done.
    deleted: Option<usize>,
}

impl<'a> ChangeReading<'a> {
    /// Reads the change that led from the user's place to another text.
    pub fn new(from: &'a UserPlace, to: &'a Document) -> Self {
        let end = from.end_in(to);
        let inserted = end.map_or_else(String::new, |end| to.slice(from.cursor.min(end)..end));
        Self {
            from,
            to,
            end,
            typed: before_closers(&inserted),
            inserted,
            is_same_before: from.is_same_before(from.cursor, to),
            deleted: deleted_before(from, to, end),
        }
    }

    /// Returns the cursor after the change: after what was typed, but before what the editor added
    /// after that; where it was if the change was elsewhere.
    pub fn cursor(&self) -> Offset {
        match (self.end, self.typed) {
            (_, Some(typed)) => Offset(self.from.cursor.0 + typed),
            (Some(end), None) => end,
            (None, None) => self.to.clamp(self.from.cursor),
        }
    }

    /// Compares the change with a text that was expected.
    pub fn compared_with(&self, expected: ExpectedText<'_>) -> TextChange {
        if is_same_text(expected.document, self.to, self.from.cursor) {
            return TextChange::Accepted;
        }
        if let Some(deleted) = self.deleted {
            return TextChange::Deleted(deleted);
        }
        let agreed = common_prefix(expected.at_cursor, &self.inserted);
        if agreed > 0 && are_added_closers(&self.inserted[agreed..]) {
            TextChange::TypedAlong(TypedAlong {
                inserted: agreed,
                typed: agreed.min(self.typed.unwrap_or(agreed)),
                is_all: self.is_same_before,
            })
        } else if self.is_same_before && !self.inserted.is_empty() {
            TextChange::TypedOther
        } else {
            TextChange::Other
        }
    }
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

/// Returns the first position in an inserted text after which there are only closers for what was
/// opened before it, as editors add on their own. If the guess is too short, a path that continues
/// to the right position still agrees with it.
fn before_closers(inserted: &str) -> Option<usize> {
    if inserted.len() > NEIGHBOURHOOD {
        return None;
    }
    let mut places = inserted.char_indices().map(|(at, _)| at).skip(1);
    places.find(|&at| {
        let (typed, added) = inserted.split_at(at);
        left_out_closers(typed, added) == added.len()
    })
}

/// Returns how many bytes before the cursor the change deletes, if it does nothing else. `end` is
/// where the text after the cursor begins now.
fn deleted_before(from: &UserPlace, to: &Document, end: Option<Offset>) -> Option<usize> {
    let deleted = from.document.len().checked_sub(to.len())?;
    let start = Offset(from.cursor.0.checked_sub(deleted).filter(|_| deleted > 0)?);
    let only_that =
        end == Some(start) && from.document.clamp(start) == start && from.is_same_before(start, to);
    only_that.then_some(deleted)
}

/// Returns the length in bytes of the longest common prefix of two texts.
fn common_prefix(one: &str, other: &str) -> usize {
    one.chars()
        .zip(other.chars())
        .take_while(|(one, other)| one == other)
        .map(|(c, _)| c.len_utf8())
        .sum()
}

#[cfg(test)]
mod tests {
    use tabahead_text::Version;

    use super::*;

    /// Checks what a change did where `expected` might have been inserted at the cursor. The cursor
    /// is at `$0` before the change, and after it.
    #[track_caller]
    fn check(from: &str, to: &str, expected: &str, change: TextChange) {
        let place = |fixture: &str| UserPlace {
            cursor: Offset(fixture.find("$0").expect("a cursor")),
            document: Document::new(&fixture.replace("$0", ""), Version(0)),
        };
        let (from, to) = (place(from), place(to));
        let reached = from
            .document
            .with_replaced(from.cursor..from.cursor, expected);
        let reading = ChangeReading::new(&from, &to.document);
        let compared = reading.compared_with(ExpectedText {
            document: &reached,
            at_cursor: expected,
        });
        assert_eq!((compared, reading.cursor()), (change, to.cursor));
    }

    fn typed_along(inserted: usize, typed: usize) -> TextChange {
        TextChange::TypedAlong(TypedAlong {
            inserted,
            typed,
            is_all: true,
        })
    }

    #[test]
    fn an_expected_text_is_accepted_or_typed_along() {
        check("f$0;", "fa.b$0;", "a.b", TextChange::Accepted);
        check("f$0;", "f(a$0;", "(a)", typed_along(2, 2));
        check("f$0;", "f(b$0;", "(a)", TextChange::TypedOther);
        check("f$0;", "fx$0;", "(a)", TextChange::TypedOther);
    }

    #[test]
    fn closers_that_the_editor_added_come_after_the_cursor() {
        check("f$0;", "f($0);", "(a)", typed_along(1, 1));
        // They may be expected, too.
        check("f$0;", "f($0);", "().g", typed_along(2, 1));
        check("f$0;", "f\"$0\";", "(a)", TextChange::TypedOther);
    }

    #[test]
    fn a_deletion_is_distinguished_from_a_change_elsewhere() {
        check("f(ab$0)", "f(a$0)", "c", TextChange::Deleted(1));
        check("f(ab$0)", "f(a]$0", "c", TextChange::Other);
        check("a$0 b", "a$0 c", "x", TextChange::Other);
        check("x a$0", "yy a$0", "b", TextChange::Other);
        let is_elsewhere_too = TextChange::TypedAlong(TypedAlong {
            inserted: 1,
            typed: 1,
            is_all: false,
        });
        check("x a$0", "yy a$0", "ab", is_elsewhere_too);
    }

    #[test]
    fn the_cursor_follows_where_its_old_offset_is_within_a_character() {
        check("ab$0", "日ab$0", "x", TextChange::Other);
    }
}
