//! The editor's side of a document: text, cursor, and the changes that are sent for it.
//!
//! Positions count UTF-16 code units, which every client can do.

use serde_json::{Value, json};

/// An open file as an editor holds it.
#[derive(Debug, Clone)]
pub struct Buffer {
    uri: String,
    language: String,
    text: String,
    /// Byte offset of the cursor.
    cursor: usize,
    version: i32,
}

/// The edit that an editor makes on accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Text that replaces `range`.
    pub text: String,
    /// Range to replace, in bytes of the requested buffer.
    pub range: std::ops::Range<usize>,
}

impl Buffer {
    /// Returns a buffer for a fixture text that marks the cursor with `$0`.
    pub fn new(name: &str, language: &str, fixture: &str) -> Self {
        let (text, cursor) = tabahead_testkit::marked(fixture);
        Self::with_text(name, language, &text, cursor)
    }

    /// Returns a buffer with the cursor at a byte.
    pub fn with_text(name: &str, language: &str, text: &str, cursor: usize) -> Self {
        Self {
            uri: format!("file:///project/{name}"),
            language: language.into(),
            text: text.into(),
            cursor,
            version: 1,
        }
    }

    /// Returns its URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the byte offset of the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Returns the parameters of `textDocument/didOpen`.
    pub fn opened(&self) -> Value {
        json!({"textDocument": {
            "uri": self.uri, "languageId": self.language, "version": self.version, "text": self.text,
        }})
    }

    /// Returns the parameters of `textDocument/inlineCompletion` at the cursor.
    pub fn request(&self) -> Value {
        json!({
            "textDocument": {"uri": self.uri},
            "position": self.position(self.cursor),
            "context": {"triggerKind": 2},
        })
    }

    /// Moves the cursor to a byte, or back to the nearest character boundary.
    pub fn move_to(&mut self, offset: usize) {
        self.cursor = self.boundary_before(offset.min(self.text.len()));
    }

    /// Types text at the cursor. Returns the parameters of `textDocument/didChange`.
    pub fn insert(&mut self, typed: &str) -> Value {
        let at = self.cursor;
        self.replace(at..at, typed)
    }

    /// Deletes the character before the cursor; a line end is one character.
    pub fn backspace(&mut self) -> Value {
        let end = self.cursor;
        let before = &self.text[..end];
        let length = if before.ends_with("\r\n") {
            2
        } else {
            before.chars().next_back().map_or(0, char::len_utf8)
        };
        self.replace(end - length..end, "")
    }

    /// Replaces a range and puts the cursor after the inserted text.
    pub fn replace(&mut self, range: std::ops::Range<usize>, text: &str) -> Value {
        let (start, end) = (self.position(range.start), self.position(range.end));
        self.text.replace_range(range.clone(), text);
        self.cursor = range.start + text.len();
        self.version += 1;
        json!({
            "textDocument": {"uri": self.uri, "version": self.version},
            "contentChanges": [{"range": {"start": start, "end": end}, "text": text}],
        })
    }

    /// Accepts a suggestion.
    pub fn accept(&mut self, item: &Item) -> Value {
        self.replace(item.range.clone(), &item.text)
    }

    /// Returns the first item of an answer; `None` for `null` and for an empty list. Fails on an
    /// answer that breaks the protocol: the range must be explicit, in the cursor's line and around
    /// the cursor.
    #[track_caller]
    pub fn item(&self, answer: &Value) -> Option<Item> {
        let items = match answer {
            Value::Null => return None,
            Value::Array(items) => items,
            list => list["items"].as_array().expect("a list of items"),
        };
        let item = items.first()?;
        let text = item["insertText"].as_str().expect("plain text").to_owned();
        let (start, end) = (&item["range"]["start"], &item["range"]["end"]);
        let cursor = self.position(self.cursor);
        for side in [start, end] {
            assert_eq!(
                side["line"], cursor["line"],
                "a range stays in one line: {item}"
            );
        }
        let range = self.offset(start)..self.offset(end);
        assert!(
            range.contains(&self.cursor) || range.end == self.cursor,
            "{item} around {cursor}"
        );
        assert!(
            !text.is_empty() || !range.is_empty(),
            "an item does something: {item}"
        );
        Some(Item { text, range })
    }

    /// Returns the line and the UTF-16 character of a byte.
    pub fn position(&self, offset: usize) -> Value {
        let starts = self.line_starts();
        let line = starts.partition_point(|&start| start <= offset) - 1;
        let character = self.text[starts[line]..offset].encode_utf16().count();
        json!({"line": line, "character": character})
    }

    /// Returns the byte of a position inside the text.
    fn offset(&self, position: &Value) -> usize {
        let number = |key: &str| position[key].as_u64().map(|number| number as usize);
        let (line, character) = number("line").zip(number("character")).expect("a position");
        let start = self.line_starts()[line];
        let units = self.text[start..]
            .char_indices()
            .map(|(at, _)| at)
            .chain([self.text.len() - start]);
        units
            .map(|at| start + at)
            .find(|&at| self.text[start..at].encode_utf16().count() == character)
            .unwrap_or_else(|| panic!("{position} is a place in the text"))
    }

    /// Returns where each line begins; LF, CRLF and CR end a line.
    fn line_starts(&self) -> Vec<usize> {
        let bytes = self.text.as_bytes();
        let ends = (0..bytes.len()).filter(|&at| {
            bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
        });
        [0].into_iter().chain(ends.map(|end| end + 1)).collect()
    }

    fn boundary_before(&self, mut offset: usize) -> usize {
        while !self.text.is_char_boundary(offset) || self.splits_line_end(offset) {
            offset -= 1;
        }
        offset
    }

    fn splits_line_end(&self, offset: usize) -> bool {
        offset > 0 && self.text[..offset].ends_with('\r') && self.text[offset..].starts_with('\n')
    }
}
