//! Suggestions as an item of the completion menu, for clients without
//! `textDocument/inlineCompletion`.
//!
//! Knows a client's declared capabilities and how one answer looks in its menu; no state, no order.
//! What is suggested, and what becomes of it, is the same as with ghost text. `menu/neovim.rs` is
//! for the one client that needs something else than LSP specifies.

mod insert;
mod neovim;

use serde::Serialize;
use serde_json::Value;
use tabahead_context::Suggestion;
use tabahead_speculation::{Answer, Origin, SuggestionId};
use tabahead_text::Offset;

use insert::{as_specified, is_worth_showing};

use super::{
    convert::{RequestPlace, accepted},
    types::{Initialize, ItemCommand, WireRange},
};

/// The completion menu of a client that supports nothing better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Menu {
    /// Whether an item's documentation may be Markdown.
    markdown: bool,
    insertion: Insertion,
}

/// How the client inserts text from the menu into the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Insertion {
    /// As LSP specifies: the edit's text replaces its range.
    AsSpecified,
    /// Like Neovim 0.11 without a plugin.
    AsNeovim,
}

/// The answer for a completion menu.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CompletionList {
    is_incomplete: bool,
    items: Vec<CompletionItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CompletionItem {
    label: String,
    label_details: LabelDetails,
    detail: &'static str,
    kind: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation: Option<MarkupContent>,
    sort_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_text: Option<String>,
    insert_text_format: u8,
    insert_text_mode: u8,
    text_edit: TextEdit,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<ItemCommand>,
}

#[derive(Debug, Serialize)]
struct LabelDetails {
    description: &'static str,
}

#[derive(Debug, Serialize)]
struct MarkupContent {
    kind: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TextEdit {
    range: WireRange,
    new_text: String,
}

impl Menu {
    /// Reads the parameters of `initialize`; `None` for a client without a menu, and for one that
    /// shows suggestions inline, so that none is shown twice.
    pub(super) fn of(params: &Initialize) -> Option<Self> {
        let features = &params.capabilities.text_document;
        if features.completion.is_null() || !features.inline_completion.is_null() {
            return None;
        }
        let item = &features.completion["completionItem"];
        let formats = item["documentationFormat"].as_array();
        let client = params.client_info["name"].as_str();
        let is_neovim = client.is_some_and(|client| neovim::inserts(client, item));
        Some(Self {
            // Neovim declares Markdown, but shows its source.
            markdown: !is_neovim
                && formats.is_some_and(|all| all.iter().any(|one| one == "markdown")),
            insertion: if is_neovim {
                Insertion::AsNeovim
            } else {
                Insertion::AsSpecified
            },
        })
    }

    /// Builds the answer to `textDocument/completion`.
    ///
    /// `isIncomplete` is true even without an item: a suggestion is for exactly this text. If it
    /// were false, a client would filter the items that it has until its menu closes, and for the
    /// rest of the word would show no suggestion that only a later key leads to. The menu does not
    /// flicker: after a key that agrees with the item, the answer is the same item. `isIncomplete`
    /// is false where nothing would be suggested after the next key either, so that other servers,
    /// which some clients ask again as well, are not asked in vain.
    pub(super) fn on_the_wire(self, answer: Answer, place: &RequestPlace) -> Value {
        let (item, is_incomplete) = match answer {
            Answer::Suggestion {
                id,
                suggestion,
                origin,
                ..
            } => (self.item(id, &suggestion, origin, place), true),
            Answer::Silent { origin, .. } => (None, origin.is_some()),
            Answer::Superseded | Answer::Failed(_) => return Value::Null,
        };
        let list = CompletionList {
            is_incomplete,
            items: item.into_iter().collect(),
        };
        serde_json::to_value(list).unwrap_or_default()
    }

    fn item(
        self,
        id: SuggestionId,
        suggestion: &Suggestion,
        origin: Origin,
        place: &RequestPlace,
    ) -> Option<CompletionItem> {
        let RequestPlace {
            document,
            cursor,
            language,
            ..
        } = place;
        let line = document.line_range(document.line_of(*cursor));
        let after = document.slice(*cursor..line.end);
        // Clients differ in whether they replace the rest of a word.
        if !is_worth_showing(&suggestion.text) || after.starts_with(is_of_a_word) {
            return None;
        }
        let before = document.slice(line.start..*cursor);
        let word = &before[before.trim_end_matches(is_of_a_word).len()..];
        let start = Offset(cursor.0 - word.len());
        let insert = match self.insertion {
            Insertion::AsSpecified => as_specified(word, suggestion),
            Insertion::AsNeovim => neovim::insert(word, suggestion, document, *cursor)?,
        };
        let filter = insert.shown.lines().next().unwrap_or_default().to_owned();
        // Text that is already in the menu is not repeated beside it.
        let is_all_in_label = insert.label == insert.shown;
        Some(CompletionItem {
            documentation: (!is_all_in_label).then(|| self.documentation(&insert.shown, language)),
            label: insert.label,
            label_details: LabelDetails {
                description: "tabahead",
            },
            detail: "tabahead",
            kind: TEXT,
            sort_text: LAST,
            // Clients treat an empty one as absent.
            filter_text: Some(filter).filter(|filter| !filter.is_empty()),
            insert_text_format: insert.format,
            insert_text_mode: insert.mode,
            text_edit: TextEdit {
                range: place.wire_range(&(start..insert.end)),
                new_text: insert.new_text,
            },
            // A partial accept needs no command: it shows in the text.
            command: insert.is_whole.then(|| accepted(id, origin)),
        })
    }

    fn documentation(self, text: &str, language: &str) -> MarkupContent {
        let text = text.trim_start_matches('\n');
        if !self.markdown {
            return MarkupContent {
                kind: "plaintext",
                value: text.to_owned(),
            };
        }
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        MarkupContent {
            kind: "markdown",
            value: format!("{fence}{language}\n{text}\n{fence}"),
        }
    }
}

/// `CompletionItemKind.Text`.
const TEXT: u8 = 1;

/// Sorts after everything that begins with a letter or a digit: the user opened the menu for the
/// other items.
const LAST: &str = "~~~~";

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
