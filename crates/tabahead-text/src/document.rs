//! The rope document: versions, edits, conversion of positions.
//!
//! Lines end at `\n`, `\r\n` and `\r`, nowhere else: the three that LSP names ("`export const EOL:
//! string[] = ['\n', '\r\n', '\r']`"). Knows nothing of the protocol that edits arrive in. See
//! `position.rs` for the units.

use std::borrow::Cow;

use ropey::Rope;

use crate::{Offset, Position, PositionEncoding, Range};

/// The version of a document as its editor numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub i32);

/// One change of the text: a replaced range, or the whole text when `range` is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The range to replace; `None` replaces the whole text.
    pub range: Option<Range>,
    /// The text that replaces it.
    pub text: String,
}

/// How lines end in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LineEnd {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`
    CrLf,
    /// `\r`
    Cr,
}

impl LineEnd {
    /// Returns the characters of the line end.
    pub fn as_str(self) -> &'static str {
        match self {
            LineEnd::Lf => "\n",
            LineEnd::CrLf => "\r\n",
            LineEnd::Cr => "\r",
        }
    }
}

/// An edited text. Cloning is O(1): a clone is a snapshot.
#[derive(Debug, Clone)]
pub struct Document {
    rope: Rope,
    version: Version,
}

impl Document {
    /// Creates a document with this text and version.
    pub fn new(text: &str, version: Version) -> Self {
        Self {
            rope: Rope::from_str(text),
            version,
        }
    }

    /// Returns the version of the last edit.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Applies edits in order, each to the text that the previous one left, then sets the version.
    ///
    /// [`Document::replaced_by`] defines what each of them replaces.
    pub fn apply(&mut self, edits: &[Edit], encoding: PositionEncoding, version: Version) {
        for edit in edits {
            if edit.range.is_none() {
                self.rope = Rope::from_str(&edit.text);
            } else {
                let (range, text) = self.replaced_by(edit, encoding);
                self.replace(range, &text);
            }
        }
        self.version = version;
    }

    /// Returns the range that an edit replaces, in whole characters, and the text that replaces it.
    ///
    /// A range whose end is before its start is taken the other way round, as VS Code's own
    /// document does. A range may begin or end inside a character, because some clients compare
    /// texts unit by unit; such a client keeps half of the character. Here a substitute replaces
    /// each remaining unit that spells nothing ([`PositionEncoding::substitute`]), so positions
    /// after it mean the same.
    pub fn replaced_by<'a>(
        &self,
        edit: &'a Edit,
        encoding: PositionEncoding,
    ) -> (std::ops::Range<Offset>, Cow<'a, str>) {
        let text = Cow::Borrowed(edit.text.as_str());
        let Some(range) = edit.range else {
            return (Offset(0)..Offset(self.len()), text);
        };
        let (one, other) = (
            self.unit_of(range.start, encoding),
            self.unit_of(range.end, encoding),
        );
        let ((start, before), (end, inside)) = (one.min(other), one.max(other));
        if (before, inside) == (0, 0) {
            return (start..end, text);
        }
        let mut replaced = start..end;
        let (mut kept_before, mut kept_after) = (String::new(), String::new());
        if before > 0 {
            kept_before.extend(self.char_at(start));
        }
        if inside > 0 {
            kept_after.extend(self.char_at(end));
            replaced.end.0 += kept_after.len();
        }
        let text = match encoding {
            PositionEncoding::Utf16 => {
                let (left, right) = (kept_before.encode_utf16(), kept_after.encode_utf16());
                let units = left.take(before).chain(edit.text.encode_utf16());
                encoding.of_utf16(units.chain(right.skip(inside)))
            }
            _ => {
                let kept = [&kept_before.as_bytes()[..before], edit.text.as_bytes()];
                encoding.of_utf8(&[&kept.concat(), &kept_after.as_bytes()[inside..]].concat())
            }
        };
        (replaced, Cow::Owned(text))
    }

    /// Returns the document with `range` (byte offsets) replaced by `text`; same version.
    pub fn with_replaced(&self, range: std::ops::Range<Offset>, text: &str) -> Self {
        let mut document = self.clone();
        document.replace(range, text);
        document
    }

    /// Returns the byte offset of a position, clamped to the line's end and the document's end.
    ///
    /// LSP: "If the character value is greater than the line length it defaults back to the line
    /// length." A line after the last one is the document's end. A position inside a character
    /// (between two surrogates, or inside a UTF-8 sequence) is the start of that character.
    pub fn offset_of(&self, position: Position, encoding: PositionEncoding) -> Offset {
        let line = position.line as usize;
        if line >= self.line_count() {
            return Offset(self.len());
        }
        let range = self.line_range(line);
        let character = position.character as usize;
        let byte = match encoding {
            PositionEncoding::Utf8 => range.start.0.saturating_add(character),
            PositionEncoding::Utf16 => {
                let start = self
                    .rope
                    .char_to_utf16_cu(self.rope.byte_to_char(range.start.0));
                let unit = start
                    .saturating_add(character)
                    .min(self.rope.len_utf16_cu());
                self.rope.char_to_byte(self.rope.utf16_cu_to_char(unit))
            }
            PositionEncoding::Utf32 => {
                let start = self.rope.byte_to_char(range.start.0);
                let char = start.saturating_add(character).min(self.rope.len_chars());
                self.rope.char_to_byte(char)
            }
        };
        self.clamp(Offset(byte.min(range.end.0)))
    }

    /// Returns the start of the character that a position is before or inside, and the number of
    /// the character's units before the position.
    fn unit_of(&self, position: Position, encoding: PositionEncoding) -> (Offset, usize) {
        let start = self.offset_of(position, encoding);
        let width = self.char_at(start).map_or(1, |c| encoding.units_of(c));
        if width == 1 {
            return (start, 0);
        }
        let whole = self.position_of(start, encoding);
        let is_same_line = whole.line == position.line;
        let inside = position.character.saturating_sub(whole.character) as usize;
        (
            start,
            if is_same_line && inside < width {
                inside
            } else {
                0
            },
        )
    }

    fn char_at(&self, offset: Offset) -> Option<char> {
        self.rope.get_char(self.rope.byte_to_char(offset.0))
    }

    /// Returns the position of a byte offset, clamped to the document and to a character boundary.
    ///
    /// An offset between `\r` and `\n` is the position before both: LSP has none between them.
    pub fn position_of(&self, offset: Offset, encoding: PositionEncoding) -> Position {
        let offset = self.clamp(offset);
        let line = self.rope.byte_to_line(offset.0);
        let range = self.line_range(line);
        let byte = offset.0.min(range.end.0);
        let character = match encoding {
            PositionEncoding::Utf8 => byte - range.start.0,
            PositionEncoding::Utf16 => {
                let start = self.rope.byte_to_char(range.start.0);
                let end = self.rope.byte_to_char(byte);
                self.rope.char_to_utf16_cu(end) - self.rope.char_to_utf16_cu(start)
            }
            PositionEncoding::Utf32 => {
                self.rope.byte_to_char(byte) - self.rope.byte_to_char(range.start.0)
            }
        };
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            character: u32::try_from(character).unwrap_or(u32::MAX),
        }
    }

    /// Returns the byte offset of a UTF-16 code unit of the whole text, counted from 0; `None`
    /// beyond the text's end. Editors that count this way number the units without regard to lines.
    ///
    /// A unit between two surrogates is the start of the character that they spell. A unit between
    /// `\r` and `\n` is between them.
    pub fn offset_of_utf16_unit(&self, unit: usize) -> Option<Offset> {
        let char = self.rope.try_utf16_cu_to_char(unit).ok()?;
        Some(Offset(self.rope.char_to_byte(char)))
    }

    /// Returns the number of UTF-16 code units before a byte offset, clamped to the document and to
    /// a character boundary. At `Offset(len())`, this is the number of units in the text.
    pub fn utf16_unit_of(&self, offset: Offset) -> usize {
        let offset = self.clamp(offset);
        self.rope.char_to_utf16_cu(self.rope.byte_to_char(offset.0))
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.rope.len_bytes()
    }

    /// Returns whether both hold the same bytes, whatever their versions.
    ///
    /// Two texts derived from one share most of their memory. What is shared is not compared, so
    /// the cost is that of walking over the chunks, and nothing for a clone or for a text of
    /// another length.
    pub fn has_same_text(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        self.rope.is_instance(&other.rope) || same_bytes(self.rope.chunks(), other.rope.chunks())
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the whole text. Costs its length: meant for tests and for files that are read once.
    pub fn text(&self) -> String {
        self.rope.to_string()
    }

    /// Returns the bytes of a range as they are in the document, clamped to character boundaries.
    pub fn slice(&self, range: std::ops::Range<Offset>) -> String {
        let range = self.clamp_range(range);
        self.rope.byte_slice(range.start.0..range.end.0).to_string()
    }

    /// Returns the bytes of a range in pieces, as they are in memory, clamped to character
    /// boundaries.
    pub fn chunks(&self, range: std::ops::Range<Offset>) -> impl Iterator<Item = &str> {
        let range = self.clamp_range(range);
        self.rope.byte_slice(range.start.0..range.end.0).chunks()
    }

    /// Returns the offset itself, or the nearest one before it that lies in the document and
    /// between two characters.
    pub fn clamp(&self, offset: Offset) -> Offset {
        let byte = offset.0.min(self.len());
        Offset(self.rope.char_to_byte(self.rope.byte_to_char(byte)))
    }

    /// Returns the number of lines: one more than there are line ends.
    pub fn line_count(&self) -> usize {
        self.rope.len_lines()
    }

    /// Returns the line that holds an offset.
    pub fn line_of(&self, offset: Offset) -> usize {
        self.rope.byte_to_line(offset.0.min(self.len()))
    }

    /// Returns the byte range of a line, without its line end. A line after the last one is empty,
    /// at the end.
    pub fn line_range(&self, line: usize) -> std::ops::Range<Offset> {
        let count = self.line_count();
        if line >= count {
            return Offset(self.len())..Offset(self.len());
        }
        let start = self.rope.line_to_byte(line);
        let mut end = self.rope.line_to_byte(line + 1);
        if line + 1 < count {
            let line_feed = self.rope.byte(end - 1) == b'\n';
            end -= 1;
            if line_feed && end > start && self.rope.byte(end - 1) == b'\r' {
                end -= 1;
            }
        }
        Offset(start)..Offset(end)
    }

    /// Returns how the line of `offset` ends; for the last line, how the one above it ends. LF if
    /// there is only one line.
    pub fn line_end(&self, offset: Offset) -> LineEnd {
        let line = self.line_of(offset);
        let ended = if line + 1 < self.line_count() {
            line
        } else {
            line.saturating_sub(1)
        };
        let end = self.line_range(ended).end.0;
        match (self.rope.get_byte(end), self.rope.get_byte(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => LineEnd::CrLf,
            (Some(b'\r'), _) => LineEnd::Cr,
            _ => LineEnd::Lf,
        }
    }

    fn clamp_range(&self, range: std::ops::Range<Offset>) -> std::ops::Range<Offset> {
        let (start, end) = (self.clamp(range.start), self.clamp(range.end));
        start.min(end)..start.max(end)
    }

    fn replace(&mut self, range: std::ops::Range<Offset>, text: &str) {
        let range = self.clamp_range(range);
        let start = self.rope.byte_to_char(range.start.0);
        let end = self.rope.byte_to_char(range.end.0);
        if start < end {
            self.rope.remove(start..end);
        }
        if !text.is_empty() {
            self.rope.insert(start, text);
        }
    }
}

/// Returns whether two texts of the same length are equal; chunks at the same address need no
/// comparison.
fn same_bytes<'a>(
    mut left: impl Iterator<Item = &'a str>,
    mut right: impl Iterator<Item = &'a str>,
) -> bool {
    let (mut ours, mut theirs): (&[u8], &[u8]) = (&[], &[]);
    loop {
        while ours.is_empty() {
            match left.next() {
                Some(chunk) => ours = chunk.as_bytes(),
                None => return true,
            }
        }
        while theirs.is_empty() {
            match right.next() {
                Some(chunk) => theirs = chunk.as_bytes(),
                None => return true,
            }
        }
        let length = ours.len().min(theirs.len());
        let (our_part, their_part) = (&ours[..length], &theirs[..length]);
        if !std::ptr::eq(our_part, their_part) && our_part != their_part {
            return false;
        }
        (ours, theirs) = (&ours[length..], &theirs[length..]);
    }
}

#[cfg(test)]
mod tests;
