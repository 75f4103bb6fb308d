//! What several methods share of their parameters and results, as it appears on the wire; what
//! belongs to one method is beside its handler.
//!
//! Lenient where a client's mistake has one meaning (a position past every line is the end), strict
//! where it has none (a change without text).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};
use tabahead_text::{Position, Range};

/// `textDocument` of most messages; Copilot's clients add the version.
#[derive(Debug, Deserialize)]
pub(super) struct WireDocument {
    pub(super) uri: String,
    #[serde(default)]
    pub(super) version: Option<i32>,
}

/// The parts of `initialize` that are read; everything else is skipped.
#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Initialize {
    pub(super) process_id: Value,
    pub(super) client_info: Value,
    pub(super) capabilities: ClientCapabilities,
    pub(super) initialization_options: Value,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ClientCapabilities {
    pub(super) general: Value,
    pub(super) text_document: TextDocumentCapabilities,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TextDocumentCapabilities {
    pub(super) completion: Value,
    pub(super) inline_completion: Value,
}

/// Any message that carries only its document: `didClose`, `tabahead/didDismiss`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AboutDocument {
    pub(super) text_document: WireDocument,
}

/// A command of an item.
#[derive(Debug, Serialize)]
pub(super) struct ItemCommand {
    pub(super) title: &'static str,
    pub(super) command: &'static str,
    pub(super) arguments: Vec<Value>,
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
