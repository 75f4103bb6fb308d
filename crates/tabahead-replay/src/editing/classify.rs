//! The kind of act that a change was.
//!
//! Editors do not report it; it follows from the text, the cursor and the reason that some changes
//! carry. A pure function, for statistics and for policies that depend on what the user just did.

use std::ops::Range;

use tabahead_context::is_closed_pair;
use tabahead_text::{Document, Offset};

use super::ByteEdit;

/// Maximum distance, in UTF-16 code units, of a change from the cursor of the user who makes it.
const NEAR: usize = 100;

/// The kind of act that a change was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EditKind {
    /// One character was typed, with what the editor closes automatically.
    Keystroke,
    /// A line end was typed, with indentation.
    Enter,
    /// A suggestion or snippet was taken.
    Accept,
    /// Text was only removed.
    Deletion,
    /// Several characters of one line were inserted at the cursor at once.
    Insert,
    /// Text was changed far from the cursor, or in another document.
    Jump,
    /// Anything else: formatting, a paste of lines, a replacement, output of a program.
    Other,
}

/// A change and its context.
pub(super) struct RecordedChange<'a> {
    pub(super) before: &'a Document,
    pub(super) edits: &'a [ByteEdit],
    pub(super) reason: Option<&'a str>,
    /// The cursor before, in UTF-16 code units; `None` if the user was elsewhere.
    pub(super) cursor: Option<usize>,
    /// The cursor afterwards, in UTF-16 code units.
    pub(super) cursor_after: usize,
    /// Whether the editor reported the cursor afterwards, as it does when a user types.
    pub(super) is_cursor_reported: bool,
}

pub(super) fn classify(change: &RecordedChange<'_>) -> EditKind {
    match change.edits {
        [] => EditKind::Other,
        [edit] => of_one(change, edit),
        _ => of_several(change),
    }
}

fn of_several(change: &RecordedChange<'_>) -> EditKind {
    let before = change.before;
    let line = change
        .cursor
        .and_then(|unit| before.offset_of_utf16_unit(unit))
        .map(|offset| before.line_of(offset));
    let is_near = line.is_some_and(|line| {
        let lines = change
            .edits
            .iter()
            .map(|edit| before.line_of(edit.range.start));
        lines.into_iter().all(|other| other.abs_diff(line) <= 2)
    });
    match change.reason {
        Some("formatEditsCommand") => return EditKind::Other,
        Some(_) => return EditKind::Accept,
        None => {}
    }
    if !is_near {
        return EditKind::Jump;
    }
    // Editors remove the white space that they had put on a line if nothing was typed there.
    let written: String = change.edits.iter().map(|edit| edit.text.as_str()).collect();
    let removed: String = change
        .edits
        .iter()
        .map(|edit| before.slice(edit.range.clone()))
        .collect();
    if is_blank(&removed) && line_ends(&removed) == 0 {
        if is_blank(&written) && line_ends(&written) == 1 {
            return EditKind::Enter;
        }
        if is_one_char(&written) {
            return EditKind::Keystroke;
        }
    }
    EditKind::Other
}

fn of_one(change: &RecordedChange<'_>, edit: &ByteEdit) -> EditKind {
    if change.reason == Some("formatEditsCommand") {
        return EditKind::Other;
    }
    let units = unit_range(change.before, &edit.range);
    let is_near = change.cursor.is_some_and(|cursor| {
        units.start <= cursor.saturating_add(NEAR) && cursor <= units.end.saturating_add(NEAR)
    });
    if !is_near {
        return EditKind::Jump;
    }
    if let Some("inlineSuggestion.accept" | "snippet") = change.reason {
        return EditKind::Accept;
    }
    let text = edit.text.as_str();
    let removed = change.before.slice(edit.range.clone());
    let (less, more) = without_shared(&removed, text);
    if text.is_empty() || (more.is_empty() && !less.is_empty()) {
        EditKind::Deletion
    } else if removed.is_empty() && is_closed_pair(text) && change.cursor_after == units.start + 1 {
        EditKind::Keystroke
    } else if is_line_break(text) && is_blank(&removed) {
        EditKind::Enter
    } else if (is_one_char(text) && (removed.is_empty() || removed == text))
        || (less.is_empty() && is_one_char(more))
    {
        EditKind::Keystroke
    } else if is_one_char(text) || !change.is_cursor_reported {
        EditKind::Other
    } else if less.is_empty() && line_ends(more) == 0 {
        EditKind::Insert
    } else {
        EditKind::Other
    }
}

fn unit_range(document: &Document, range: &Range<Offset>) -> Range<usize> {
    document.utf16_unit_of(range.start)..document.utf16_unit_of(range.end)
}

/// Returns two texts without the beginning and the end that they share.
fn without_shared<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let shared = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs
            .take_while(|(old, new)| old == new)
            .map(|(c, _)| c.len_utf8())
            .sum()
    };
    let start = shared(&mut old.chars().zip(new.chars()));
    let (old, new) = (&old[start..], &new[start..]);
    let end = shared(&mut old.chars().rev().zip(new.chars().rev()));
    (&old[..old.len() - end], &new[..new.len() - end])
}

/// Returns whether a text is one or two line ends, each with indentation after it.
fn is_line_break(text: &str) -> bool {
    let mut rest = text;
    let mut count = 0;
    while !rest.is_empty() {
        let after = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix('\n'));
        let Some(after) = after else { return false };
        rest = after.trim_start_matches([' ', '\t']);
        count += 1;
    }
    count == 1 || count == 2
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn is_one_char(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some() && chars.next().is_none()
}

fn line_ends(text: &str) -> usize {
    let pairs = text.matches("\r\n").count();
    text.matches(['\r', '\n']).count() - pairs
}
