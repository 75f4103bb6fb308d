//! What Neovim 0.11's own completion needs: it does not insert what LSP says.
//!
//! Of a plain text it inserts what stands before the first blank, so it gets a snippet without places to
//! fill in. It replaces nothing behind the cursor. Every further line gets the indentation of the cursor's
//! line. While an item is selected, its label stands in the buffer. So what is offered is as much of a
//! suggestion as comes out right: it is a beginning of it, and its rest is the next suggestion.

use serde_json::Value;
use tabahead_context::Suggestion;
use tabahead_text::{Document, Offset};

use super::{Insert, LONGEST_LABEL, first_line, is_worth_showing};

/// `InsertTextFormat.Snippet`.
const SNIPPET: u8 = 2;

/// `InsertTextMode.adjustIndentation`: for whoever takes snippets literally otherwise.
const ADJUST_INDENTATION: u8 = 2;

/// Whether a client inserts so, by its name and what it says of `completionItem`. Completion plugins insert as
/// LSP says, and declare what Neovim does not.
pub(super) fn inserts(client: &str, item: &Value) -> bool {
    let is_set = |name: &str| item[name].as_bool() == Some(true);
    client.starts_with("Neovim") && is_set("snippetSupport") && !is_set("insertReplaceSupport")
}

/// What accepting does; `None` when nothing comes out right.
pub(super) fn insert(
    word: &str,
    suggestion: &Suggestion,
    document: &Document,
    cursor: Offset,
) -> Option<Insert> {
    let text = suggestion.text.replace("\r\n", "\n");
    let covered = document.slice(cursor..suggestion.range.end);
    // What stands behind the cursor stays there: the text ends before it.
    let (text, rest) = match covered.as_str() {
        "" => (text.as_str(), ""),
        covered => text.rsplit_once(covered)?,
    };
    let line = document.line_range(document.line_of(cursor));
    let start = Offset(cursor.0 - word.len());
    let around = document.slice(line.start..start) + &document.slice(cursor..line.end);
    let indented = around.trim_start_matches([' ', '\t']);
    let indentation = &around[..around.len() - indented.len()];

    let mut lines = text.split('\n');
    let mut kept = lines.next().unwrap_or_default().to_owned();
    let mut snippet = escaped(&format!("{word}{kept}"));
    let mut is_whole = rest.is_empty();
    for line in lines {
        let Some(inner) = line.strip_prefix(indentation) else {
            is_whole = false;
            break;
        };
        kept = format!("{kept}\n{line}");
        snippet = format!("{snippet}\n{}", escaped(inner));
    }
    // Without the lines that it closes, what stands behind the cursor would be at a wrong place.
    let is_cut = kept.len() < text.len();
    if !is_worth_showing(&kept) || (is_cut && !covered.is_empty()) {
        return None;
    }
    let shown = format!("{word}{kept}");
    // The label's beginning, without an ellipsis: it stands in the buffer.
    let label = first_line(word, &shown)
        .chars()
        .take(LONGEST_LABEL)
        .collect();
    Some(Insert {
        label,
        shown,
        new_text: snippet,
        end: cursor,
        format: SNIPPET,
        mode: ADJUST_INDENTATION,
        is_whole,
    })
}

/// A text as a snippet that is this text.
fn escaped(text: &str) -> String {
    let mut snippet = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '$' | '}') {
            snippet.push('\\');
        }
        snippet.push(c);
    }
    snippet
}
