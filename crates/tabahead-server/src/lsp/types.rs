//! Messages of LSP 3.18 and our own that lsp-types 0.94 lacks, as they appear on the wire.
//!
//! Lenient where a client's mistake has one meaning (a position past every line is the end), strict
//! where it has none (a change without text).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};
use tabahead_text::{Position, Range};

use super::rpc::{FirstArgument, Scalar};

/// `textDocument` of most messages; Copilot's clients add the version.
#[derive(Debug, Deserialize)]
pub(super) struct WireDocument {
    pub(super) uri: String,
    #[serde(default)]
    pub(super) version: Option<i32>,
}

/// The parts of `initialize` that are read; everything else is skipped.
#[derive(Debug, Deserialize, Serialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Initialize {
    pub(super) process_id: Value,
    pub(super) client_info: Value,
    pub(super) capabilities: ClientCapabilities,
    pub(super) initialization_options: Value,
}

#[derive(Debug, Deserialize, Serialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ClientCapabilities {
    pub(super) general: Value,
    pub(super) text_document: TextDocumentCapabilities,
}

#[derive(Debug, Deserialize, Serialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TextDocumentCapabilities {
    pub(super) completion: Value,
    pub(super) inline_completion: Value,
}

/// `textDocument/didOpen`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidOpen {
    pub(super) text_document: OpenedDocument,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenedDocument {
    pub(super) uri: String,
    #[serde(default)]
    pub(super) language_id: String,
    #[serde(default)]
    pub(super) version: i32,
    pub(super) text: String,
}

/// `textDocument/didChange`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidChange {
    pub(super) text_document: WireDocument,
    pub(super) content_changes: Vec<Change>,
}

/// One change; a full text if there is no range.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    #[serde(default)]
    pub(super) range: Option<WireRange>,
    pub(super) text: String,
}

/// Any message that carries only its document: `didClose`, `tabahead/didDismiss`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AboutDocument {
    pub(super) text_document: WireDocument,
}

/// `textDocument/didFocus`; without a document, none has the focus.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidFocus {
    #[serde(default)]
    pub(super) text_document: Option<WireDocument>,
}

/// `textDocument/inlineCompletion`, and the parts of `textDocument/completion` that are read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineCompletionParams {
    pub(super) text_document: WireDocument,
    pub(super) position: WirePosition,
    #[serde(default)]
    pub(super) context: Option<InlineCompletionContext>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineCompletionContext {
    /// 1 if the user asked, 2 if the editor asked automatically; for a completion menu, 1 is also
    /// typing.
    #[serde(default)]
    pub(super) trigger_kind: Option<u32>,
    #[serde(default)]
    pub(super) selected_completion_info: Option<SelectedCompletionInfo>,
}

/// `tabahead/didShow`: the editor shows a suggestion from another source.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidShow {
    pub(super) text_document: WireDocument,
    pub(super) position: WirePosition,
    pub(super) range: WireRange,
    pub(super) insert_text: String,
}

/// `textDocument/didShowCompletion` and, with a length,
/// `textDocument/didPartiallyAcceptCompletion`, as Copilot's clients send them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AboutItem {
    pub(super) item: ReportedItem,
    /// Accepted UTF-16 code units of the item's text, from its start.
    #[serde(default)]
    pub(super) accepted_length: usize,
}

/// One of our items as the client sends it back; only its command identifies it.
#[derive(Debug, Deserialize)]
pub(super) struct ReportedItem {
    pub(super) command: ReportedCommand,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReportedCommand {
    #[serde(default)]
    pub(super) arguments: FirstArgument,
}

/// `tabahead/didMoveCursor`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidMoveCursor {
    pub(super) text_document: WireDocument,
    pub(super) position: WirePosition,
}

/// The selected item of the popup menu, if any.
#[derive(Debug, Deserialize)]
pub(super) struct SelectedCompletionInfo {
    pub(super) range: WireRange,
    pub(super) text: String,
}

/// The answer. Always a list object: of the three allowed shapes, the only one that every client
/// reads.
#[derive(Debug, Serialize)]
pub(super) struct InlineCompletionList {
    pub(super) items: Vec<InlineCompletionItem>,
}

/// One suggestion. The range is always present: without it VS Code replaces the word at the cursor,
/// and Neovim pastes wherever the cursor is by then.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineCompletionItem {
    pub(super) insert_text: String,
    pub(super) range: WireRange,
    /// Run after a full accept. Its arguments are the suggestion's id and, for information, the
    /// suggestion's origin: an item has no `data`.
    pub(super) command: ItemCommand,
}

#[derive(Debug, Serialize)]
pub(super) struct ItemCommand {
    pub(super) title: &'static str,
    pub(super) command: &'static str,
    pub(super) arguments: Vec<Value>,
}

/// The answer for a completion menu.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompletionList {
    pub(super) is_incomplete: bool,
    pub(super) items: Vec<CompletionItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompletionItem {
    pub(super) label: String,
    pub(super) label_details: LabelDetails,
    pub(super) detail: &'static str,
    pub(super) kind: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) documentation: Option<MarkupContent>,
    pub(super) sort_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter_text: Option<String>,
    pub(super) insert_text_format: u8,
    pub(super) insert_text_mode: u8,
    pub(super) text_edit: TextEdit,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<ItemCommand>,
}

#[derive(Debug, Serialize)]
pub(super) struct LabelDetails {
    pub(super) description: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct MarkupContent {
    pub(super) kind: &'static str,
    pub(super) value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TextEdit {
    pub(super) range: WireRange,
    pub(super) new_text: String,
}

/// `workspace/executeCommand`.
#[derive(Debug, Deserialize)]
pub(super) struct ExecuteCommand {
    pub(super) command: String,
    #[serde(default)]
    pub(super) arguments: FirstArgument,
}

/// `$/cancelRequest`.
#[derive(Debug, Deserialize)]
pub(super) struct Cancel {
    pub(super) id: Scalar,
}

/// `workspace/didChangeConfiguration` with our section alone, for when the whole cannot be read.
#[derive(Debug, Deserialize)]
pub(super) struct OurConfiguration {
    pub(super) settings: OurSettings,
}

#[derive(Debug, Deserialize)]
pub(super) struct OurSettings {
    #[serde(default)]
    pub(super) tabahead: Value,
}

/// `workspace/didChangeConfiguration`.
#[derive(Debug, Deserialize)]
pub(super) struct DidChangeConfiguration {
    #[serde(default)]
    pub(super) settings: Value,
}

/// A position; numbers that do not fit the type are clamped.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub(super) struct WirePosition {
    #[serde(deserialize_with = "clamped")]
    pub(super) line: u32,
    #[serde(deserialize_with = "clamped")]
    pub(super) character: u32,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub(super) struct WireRange {
    pub(super) start: WirePosition,
    pub(super) end: WirePosition,
}

impl From<WirePosition> for Position {
    fn from(WirePosition { line, character }: WirePosition) -> Self {
        Self { line, character }
    }
}

impl From<Position> for WirePosition {
    fn from(Position { line, character }: Position) -> Self {
        Self { line, character }
    }
}

impl From<WireRange> for Range {
    fn from(WireRange { start, end }: WireRange) -> Self {
        Self {
            start: start.into(),
            end: end.into(),
        }
    }
}

fn clamped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = Number::deserialize(deserializer)?;
    // A cast from a float saturates, which is the clamping wanted here.
    Ok(number
        .as_u64()
        .map(|n| n.min(u64::from(u32::MAX)) as u32)
        .unwrap_or_else(|| number.as_f64().unwrap_or_default() as u32))
}
