//! Brackets of the whole file: where each has its partner, no suggestion closes one more.

use tabahead_text::{Document, Offset};

use super::signs::comment_start;
use crate::closers::Unmatched;

/// Maximum number of lines of a file whose brackets are counted.
const LINES: usize = 2_000;

/// Returns whether every bracket of the document has its partner. Returns `false` for a long file.
pub(super) fn is_balanced(document: &Document) -> bool {
    document.line_count() <= LINES && are_paired(&Unmatched::of(&code(&document.text())))
}

/// Returns whether an accept of `text`, which replaces `covered` bytes, closes a bracket that is
/// not open in a document where every bracket has its partner.
pub(super) fn closes_too_much(
    document: &Document,
    cursor: Offset,
    text: &str,
    covered: usize,
) -> bool {
    // Nearly every text opens what it closes.
    if Unmatched::of(text).unopened == 0 || !is_balanced(document) {
        return false;
    }
    let made = document.with_replaced(cursor..Offset(cursor.0 + covered), text);
    let made = Unmatched::of(&code(&made.text()));
    made.unopened > 0 || made.passed_over > 0
}

/// Returns whether no bracket is without a partner. Other brackets may be open inside a pair only
/// where they are none, as in a comparison.
fn are_paired(brackets: &Unmatched) -> bool {
    brackets.missing.is_empty() && brackets.unopened == 0 && brackets.passed_over == 0
}

/// Returns a text without its line comments.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        code.push_str(&line[..comment_start(line, 0).unwrap_or(line.len())]);
        code.push('\n');
    }
    code
}
