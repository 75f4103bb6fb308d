//! From the bytes of one entry to its content.

use std::{borrow::Cow, fmt, ops::Range, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Visitor},
};
use tabahead_text::{Position, quoted};

use super::{EntryKind, FORMAT, FetchedItem, RecordingEntry, Replacement};

/// Maximum number of characters of a name that a refusal quotes.
const LONGEST_NAME: usize = 60;

/// Maximum number of characters of a problem, which may quote a document.
const LONGEST_PROBLEM: usize = 200;

/// Why an entry is refused. Its texts are short and hold no control characters.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The bytes are not JSON.
    Syntax(String),
    /// The header names another format.
    Format(String),
    /// Fields are missing or of the wrong type.
    Fields { kind: String, problem: String },
}

#[derive(Deserialize)]
struct EntryHead<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    time: Option<u64>,
}

#[derive(Deserialize)]
struct HeaderFields {
    #[serde(rename = "documentType")]
    document_type: String,
    #[serde(rename = "repoRootUri")]
    root: Option<String>,
}

/// The first entry of recordings that were cut out of longer ones.
#[derive(Deserialize)]
struct Meta {
    data: MetaData,
}

#[derive(Deserialize)]
struct MetaData {
    #[serde(rename = "repoRootUri")]
    root: Option<String>,
}

#[derive(Deserialize)]
struct EntryDocument {
    id: u64,
}

#[derive(Deserialize)]
struct Encountered {
    id: u64,
    #[serde(rename = "relativePath")]
    path: String,
}

#[derive(Deserialize)]
struct Content {
    id: u64,
    v: Option<i64>,
    content: Text,
}

#[derive(Deserialize)]
struct Named {
    id: u64,
    v: Option<i64>,
    #[serde(rename = "contentId")]
    content_id: String,
}

#[derive(Deserialize)]
struct Selection {
    id: u64,
    selection: Vec<(usize, usize)>,
}

#[derive(Deserialize)]
struct Changed {
    id: u64,
    v: Option<i64>,
    edit: Vec<(usize, usize, Text)>,
}

#[derive(Deserialize)]
struct Event<D> {
    id: Option<u64>,
    data: D,
}

#[derive(Deserialize)]
struct EventSource {
    #[serde(rename = "sourceId")]
    source_id: Option<String>,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Reason {
    source: String,
    v: Option<i64>,
}

#[derive(Deserialize)]
struct FetchStart {
    #[serde(rename = "requestId")]
    request: u64,
    v: Option<i64>,
}

#[derive(Deserialize)]
struct FetchEnd {
    #[serde(rename = "requestId")]
    request: u64,
    #[serde(rename = "durationMs")]
    duration: f64,
    error: Option<String>,
    #[serde(default)]
    result: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    range: String,
    text: Text,
    #[serde(rename = "isInlineEdit", default)]
    inline_edit: bool,
}

/// Decodes the bytes of one entry.
pub(super) fn entry(number: usize, element: &[u8]) -> Result<RecordingEntry, Refusal> {
    let text =
        std::str::from_utf8(element).map_err(|_| Refusal::Syntax("it is not UTF-8".to_owned()))?;
    let EntryHead { kind, time } = serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            refuse("of no kind", &without_place(&error))
        } else {
            Refusal::Syntax(quoted(&without_place(&error), LONGEST_PROBLEM))
        }
    })?;
    let kind = kind_of(&kind, text)?;
    Ok(RecordingEntry { number, time, kind })
}

fn kind_of(kind: &str, text: &str) -> Result<EntryKind, Refusal> {
    Ok(match kind {
        "header" => header(kind, text)?,
        "meta" => EntryKind::Header {
            root: fields::<Meta>(kind, text)?.data.root,
        },
        "documentEncountered" => {
            let Encountered { id, path } = fields(kind, text)?;
            EntryKind::DocumentEncountered { id, path }
        }
        "setContent" => {
            let Content { id, v, content } = fields(kind, text)?;
            EntryKind::SetContent {
                id,
                version: v,
                content: content.lossy(),
            }
        }
        "storeContent" => {
            let Named { id, content_id, .. } = fields(kind, text)?;
            EntryKind::StoreContent { id, content_id }
        }
        "restoreContent" => {
            let Named { id, v, content_id } = fields(kind, text)?;
            EntryKind::RestoreContent {
                id,
                content_id,
                version: v,
            }
        }
        "opened" => EntryKind::Opened {
            id: fields::<EntryDocument>(kind, text)?.id,
        },
        "closed" => EntryKind::Closed {
            id: fields::<EntryDocument>(kind, text)?.id,
        },
        "focused" => EntryKind::Focused {
            id: fields::<EntryDocument>(kind, text)?.id,
        },
        "selectionChanged" => {
            let Selection { id, selection } = fields(kind, text)?;
            let selections = selection.into_iter().map(|(start, end)| start..end);
            EntryKind::SelectionChanged {
                id,
                selections: selections.collect(),
            }
        }
        "changed" => changed(kind, text)?,
        "documentEvent" | "event" => event(kind, text)?,
        _ => EntryKind::Other,
    })
}

fn header(kind: &str, text: &str) -> Result<EntryKind, Refusal> {
    let HeaderFields {
        document_type,
        root,
    } = fields(kind, text)?;
    if document_type == FORMAT {
        Ok(EntryKind::Header { root })
    } else {
        Err(Refusal::Format(quoted(&document_type, LONGEST_NAME)))
    }
}

fn changed(kind: &str, text: &str) -> Result<EntryKind, Refusal> {
    let Changed { id, v, edit } = fields(kind, text)?;
    let edits = edit.into_iter().map(|(start, end, text)| Replacement {
        range: start..end,
        text: text.units(),
    });
    Ok(EntryKind::Changed {
        id,
        version: v,
        edits: edits.collect(),
    })
}

fn event(kind: &str, text: &str) -> Result<EntryKind, Refusal> {
    let EventSource {
        source_id,
        kind: step,
    } = fields::<Event<EventSource>>(kind, text)?.data;
    let document = |id: Option<u64>| id.ok_or_else(|| refuse(kind, "missing field `id`"));
    Ok(match (source_id.as_deref(), step.as_deref()) {
        (Some("TextModel.setChangeReason"), _) => {
            let Event { id, data } = fields::<Event<Reason>>(kind, text)?;
            EntryKind::ChangeReason {
                id: document(id)?,
                version: data.v,
                reason: data.source,
            }
        }
        (Some("InlineCompletions.fetch"), Some("start")) => {
            let Event { id, data } = fields::<Event<FetchStart>>(kind, text)?;
            EntryKind::FetchStarted {
                id: document(id)?,
                request: data.request,
                version: data.v,
            }
        }
        (Some("InlineCompletions.fetch"), Some("end")) => {
            fetch_ended(kind, fields::<Event<FetchEnd>>(kind, text)?.data)?
        }
        _ => EntryKind::Other,
    })
}

fn fetch_ended(kind: &str, end: FetchEnd) -> Result<EntryKind, Refusal> {
    let duration = Duration::try_from_secs_f64(end.duration / 1000.0).map_err(|_| {
        let problem = format!("`durationMs` is {}", end.duration);
        refuse(kind, &problem)
    })?;
    let mut result = Vec::new();
    for Item {
        range,
        text,
        inline_edit,
    } in end.result
    {
        let parsed = parse_range(&range).ok_or_else(|| {
            let problem = format!("`range` is \"{range}\", not like \"[1,1 -> 1,9]\"");
            refuse(kind, &problem)
        })?;
        result.push(FetchedItem {
            range: tabahead_text::Range {
                start: parsed.start,
                end: parsed.end,
            },
            text: text.lossy(),
            inline_edit,
        });
    }
    Ok(EntryKind::FetchEnded {
        request: end.request,
        duration,
        cancelled: end.error.as_deref() == Some("canceled"),
        result,
    })
}

/// Reads `[5,1 -> 5,169]`, counted from 1, or `[5,1]` for an empty range.
fn parse_range(text: &str) -> Option<Range<Position>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let (start, end) = inner.split_once(" -> ").unwrap_or((inner, inner));
    Some(parse_position(start)?..parse_position(end)?)
}

fn parse_position(text: &str) -> Option<Position> {
    let (line, column) = text.split_once(',')?;
    let from_one = |number: &str| number.trim().parse::<u32>().ok()?.checked_sub(1);
    Some(Position {
        line: from_one(line)?,
        character: from_one(column)?,
    })
}

fn fields<T: DeserializeOwned>(kind: &str, text: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| refuse(kind, &without_place(&error)))
}

fn refuse(kind: &str, problem: &str) -> Refusal {
    Refusal::Fields {
        kind: quoted(kind, LONGEST_NAME),
        problem: quoted(problem, LONGEST_PROBLEM),
    }
}

/// Returns the message without the place, which counts from the entry's start and so helps no
/// reader.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => message,
    }
}

/// A JSON string, in which one half of a surrogate pair may be escaped alone. Kept as the parser
/// gives it: UTF-8 in which such a half has three bytes.
struct Text(Vec<u8>);

impl Text {
    /// Returns the pieces that are UTF-8; each but the first comes with the lone half before it.
    fn pieces(&self) -> impl Iterator<Item = (Option<u16>, &str)> {
        let mut rest = &self.0[..];
        let mut is_first = true;
        std::iter::from_fn(move || {
            let half = match rest {
                _ if is_first => None,
                [_, middle, last, after @ ..] => {
                    rest = after;
                    let bits = u16::from(middle & 0x3f) << 6 | u16::from(last & 0x3f);
                    Some(0xd000 | bits)
                }
                _ => return None,
            };
            is_first = false;
            let chunk = rest.utf8_chunks().next();
            let valid = chunk.map_or("", |chunk| chunk.valid());
            rest = &rest[valid.len()..];
            Some((half, valid))
        })
    }

    fn lossy(self) -> String {
        match String::from_utf8(self.0) {
            Ok(text) => text,
            Err(error) => {
                let mut text = String::new();
                for (half, piece) in Text(error.into_bytes()).pieces() {
                    text.extend(half.map(|_| char::REPLACEMENT_CHARACTER));
                    text.push_str(piece);
                }
                text
            }
        }
    }

    fn units(&self) -> Vec<u16> {
        let mut units = Vec::new();
        for (half, piece) in self.pieces() {
            units.extend(half);
            units.extend(piece.encode_utf16());
        }
        units
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, because the parser refuses lone halves when asked for a string.
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
        Ok(Text(bytes.to_owned()))
    }
}
