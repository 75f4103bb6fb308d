//! Suggestions as inline completions.

use std::iter;

use serde::Serialize;
use serde_json::Value;
use tabahead_speculation::{Alternative, Answer};

use super::{
    convert::{RequestPlace, accepted},
    types::{ItemCommand, WireRange},
};

/// The answer. Always a list object: of the three allowed shapes, the only one that every client
/// reads.
#[derive(Debug, Serialize)]
struct InlineCompletionList {
    items: Vec<InlineCompletionItem>,
}

/// One suggestion. The range is always present: without it VS Code replaces the word at the cursor,
/// and Neovim pastes wherever the cursor is by then.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InlineCompletionItem {
    insert_text: String,
    range: WireRange,
    /// Run after a full accept. Its arguments are the suggestion's id and, for information, the
    /// suggestion's origin: an item has no `data`.
    command: ItemCommand,
}

/// Builds the answer to `textDocument/inlineCompletion`.
pub(super) fn on_the_wire(answer: Answer, place: &RequestPlace) -> Value {
    let items = match answer {
        Answer::Suggestion {
            id,
            suggestion,
            origin,
            alternatives,
        } => {
            let first = Alternative { id, suggestion };
            let item = |Alternative { id, suggestion }| InlineCompletionItem {
                range: place.wire_range(&suggestion.range),
                insert_text: suggestion.text,
                command: accepted(id, origin),
            };
            iter::once(first).chain(alternatives).map(item).collect()
        }
        Answer::Silent { .. } => Vec::new(),
        // The failure itself is shown once, as a message: an error here would appear on each
        // keystroke.
        Answer::Superseded | Answer::Failed(_) => return Value::Null,
    };
    serde_json::to_value(InlineCompletionList { items }).unwrap_or_default()
}
