//! Items for Neovim 0.11's own completion, which does not insert what LSP specifies.
//!
//! From plain text it inserts only what precedes the first blank, so it gets a snippet without
//! placeholders. It replaces nothing after the cursor. It gives every further line the indentation
//! of the cursor's line. While an item is selected, its label is in the buffer. So an item contains
//! as much of a suggestion as comes out right: a beginning of it, whose rest is the next
//! suggestion.

use serde_json::Value;
use tabahead_context::Suggestion;
use tabahead_text::{Document, Offset};

use super::insert::{Insert, LONGEST_LABEL, first_line, is_worth_showing};

/// `InsertTextFormat.Snippet`.
const SNIPPET: u8 = 2;

/// `InsertTextMode.adjustIndentation`: for clients that would otherwise take snippets literally.
const ADJUST_INDENTATION: u8 = 2;

/// Returns whether a client inserts like that, judging by its name and the capability
/// `completionItem`. Completion plugins insert as LSP specifies, and declare what Neovim does not.
pub(super) fn inserts(client: &str, item: &Value) -> bool {
    let is_set = |name: &str| item[name].as_bool() == Some(true);
    client.starts_with("Neovim") && is_set("snippetSupport") && !is_set("insertReplaceSupport")
}

/// Returns the effect of accepting the item; `None` when nothing comes out right.
pub(super) fn insert(
    word: &str,
    suggestion: &Suggestion,
    document: &Document,
    cursor: Offset,
) -> Option<Insert> {
    let text = suggestion.text.replace("\r\n", "\n");
    let covered = document.slice(cursor..suggestion.range.end);
    // The text after the cursor stays: the inserted text ends before it.
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
    // The text after the cursor belongs after the lines that were cut off.
    let is_cut = kept.len() < text.len();
    if !is_worth_showing(&kept) || (is_cut && !covered.is_empty()) {
        return None;
    }
    let shown = format!("{word}{kept}");
    // The label's beginning, without an ellipsis, because the label appears in the buffer.
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

/// Escapes a text as a snippet that inserts exactly this text.
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
