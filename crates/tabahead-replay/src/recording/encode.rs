//! From the content of an entry to its line: the counterpart of `decode.rs`.

use std::fmt::{Display, Write};

use super::{EntryKind, FORMAT, FetchedItem, Replacement};

/// Returns an entry as one line, including the line end.
pub(super) fn line(time: Option<u64>, kind: &EntryKind) -> String {
    let mut line = JsonObject::new(kind_name(kind), time);
    match kind {
        EntryKind::Header { root } => {
            line.text("documentType", FORMAT);
            if let Some(root) = root {
                line.text("repoRootUri", root);
            }
        }
        EntryKind::DocumentEncountered { id, path } => {
            line.raw("id", id);
            line.text("relativePath", path);
        }
        EntryKind::SetContent {
            id,
            version,
            content,
        } => {
            line.document(*id, *version);
            line.text("content", content);
        }
        EntryKind::StoreContent { id, content_id } => {
            line.raw("id", id);
            line.text("contentId", content_id);
        }
        EntryKind::RestoreContent {
            id,
            content_id,
            version,
        } => {
            line.document(*id, *version);
            line.text("contentId", content_id);
        }
        EntryKind::Opened { id } | EntryKind::Closed { id } | EntryKind::Focused { id } => {
            line.raw("id", id);
        }
        EntryKind::SelectionChanged { id, selections } => {
            line.raw("id", id);
            let pairs = selections
                .iter()
                .map(|it| format!("[{},{}]", it.start, it.end));
            line.raw("selection", list(pairs));
        }
        EntryKind::Changed { id, version, edits } => {
            line.document(*id, *version);
            line.raw("edit", list(edits.iter().map(edit)));
        }
        EntryKind::ChangeReason {
            id,
            version,
            reason,
        } => {
            line.raw("id", id);
            let mut data = JsonObject::of_event("TextModel.setChangeReason");
            data.text("source", reason);
            data.version(*version);
            line.raw("data", data.closed());
        }
        EntryKind::FetchStarted {
            id,
            request,
            version,
        } => {
            line.raw("id", id);
            let mut data = JsonObject::of_event("InlineCompletions.fetch");
            data.text("kind", "start");
            data.raw("requestId", request);
            data.version(*version);
            line.raw("data", data.closed());
        }
        EntryKind::FetchEnded {
            request,
            duration,
            cancelled,
            result,
        } => {
            let mut data = JsonObject::of_event("InlineCompletions.fetch");
            data.text("kind", "end");
            data.raw("requestId", request);
            data.raw("durationMs", duration.as_millis());
            if *cancelled {
                data.text("error", "canceled");
            }
            data.raw("result", list(result.iter().map(item)));
            line.raw("data", data.closed());
        }
        EntryKind::Other => {}
    }
    line.closed() + "\n"
}

fn kind_name(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Header { .. } => "header",
        EntryKind::DocumentEncountered { .. } => "documentEncountered",
        EntryKind::SetContent { .. } => "setContent",
        EntryKind::StoreContent { .. } => "storeContent",
        EntryKind::RestoreContent { .. } => "restoreContent",
        EntryKind::Opened { .. } => "opened",
        EntryKind::Closed { .. } => "closed",
        EntryKind::Focused { .. } => "focused",
        EntryKind::SelectionChanged { .. } => "selectionChanged",
        EntryKind::Changed { .. } => "changed",
        EntryKind::ChangeReason { .. } | EntryKind::FetchStarted { .. } => "documentEvent",
        EntryKind::FetchEnded { .. } => "event",
        EntryKind::Other => "other",
    }
}

fn edit(edit: &Replacement) -> String {
    let Replacement { range, text } = edit;
    format!("[{},{},{}]", range.start, range.end, quoted(text))
}

fn item(item: &FetchedItem) -> String {
    let FetchedItem {
        range: tabahead_text::Range { start, end },
        text,
        inline_edit,
    } = item;
    // In 64 bits, because adding 1 could overflow: the file counts from 1.
    let one = |number: u32| u64::from(number) + 1;
    let mut fields = JsonObject(String::from("{"));
    let (line, column) = (one(start.line), one(start.character));
    let (last_line, last_column) = (one(end.line), one(end.character));
    let range = format!("[{line},{column} -> {last_line},{last_column}]");
    fields.text("range", &range);
    fields.text("text", text);
    fields.raw("isInlineEdit", inline_edit);
    fields.closed()
}

fn list(elements: impl Iterator<Item = String>) -> String {
    let elements: Vec<String> = elements.collect();
    format!("[{}]", elements.join(","))
}

/// Returns a JSON string; half a character is escaped, so that it is read back as it was.
fn quoted(units: &[u16]) -> String {
    let mut result = String::from("\"");
    for c in char::decode_utf16(units.iter().copied()) {
        match c {
            Ok('"') => result.push_str("\\\""),
            Ok('\\') => result.push_str("\\\\"),
            Ok('\n') => result.push_str("\\n"),
            Ok('\r') => result.push_str("\\r"),
            Ok('\t') => result.push_str("\\t"),
            Ok(c) if c < ' ' => escape(&mut result, c as u16),
            Ok(c) => result.push(c),
            Err(half) => escape(&mut result, half.unpaired_surrogate()),
        }
    }
    result.push('"');
    result
}

fn escape(result: &mut String, unit: u16) {
    // Writing into a string cannot fail.
    let _ = write!(result, "\\u{unit:04x}");
}

/// A JSON object under construction.
struct JsonObject(String);

impl JsonObject {
    fn new(kind: &str, time: Option<u64>) -> Self {
        let mut line = Self(String::from("{"));
        line.text("kind", kind);
        if let Some(time) = time {
            line.raw("time", time);
        }
        line
    }

    /// Begins the data of an event from `source`.
    fn of_event(source: &str) -> Self {
        let mut line = Self(String::from("{"));
        line.text("sourceId", source);
        line
    }

    fn document(&mut self, id: u64, version: Option<i64>) {
        self.raw("id", id);
        self.version(version);
    }

    fn version(&mut self, version: Option<i64>) {
        if let Some(version) = version {
            self.raw("v", version);
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        let units: Vec<u16> = text.encode_utf16().collect();
        self.raw(key, quoted(&units));
    }

    fn raw(&mut self, key: &str, value: impl Display) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}\"{key}\":{value}");
    }

    fn closed(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
