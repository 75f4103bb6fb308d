//! Places in a text: byte offsets inside, line and character outside.
//!
//! Knows nothing of ropes; `document.rs` converts between the two.

/// A byte offset into a document's text, from 0 to its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(pub usize);

/// The unit that `Position::character` counts, as negotiated with the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PositionEncoding {
    /// Bytes of UTF-8.
    Utf8,
    /// Code units of UTF-16: the encoding that every client supports.
    #[default]
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

impl PositionEncoding {
    /// Returns the number of units that a character takes.
    pub fn units_of(self, character: char) -> usize {
        match self {
            Self::Utf8 => character.len_utf8(),
            Self::Utf16 => character.len_utf16(),
            Self::Utf32 => 1,
        }
    }

    /// Returns the substitute for a unit that is not a character on its own: half of a surrogate
    /// pair, or a byte that is not UTF-8. It takes one unit, so that positions after it stay valid.
    pub fn substitute(self) -> char {
        match self {
            Self::Utf8 => '?',
            Self::Utf16 | Self::Utf32 => char::REPLACEMENT_CHARACTER,
        }
    }

    /// Returns the text that UTF-16 code units spell, with a substitute for each unpaired
    /// surrogate.
    pub fn of_utf16(self, units: impl IntoIterator<Item = u16>) -> String {
        char::decode_utf16(units)
            .map(|decoded| decoded.unwrap_or(self.substitute()))
            .collect()
    }

    /// Returns the text that UTF-8 bytes spell, with a substitute for each byte that is not part of
    /// a character.
    pub fn of_utf8(self, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| self.substitute()));
        }
        text
    }
}

/// A zero-based line and a zero-based character in it, counted in a `PositionEncoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Zero-based line.
    pub line: u32,
    /// Zero-based character in the line, in units of the encoding.
    pub character: u32,
}

/// A half-open range between two positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Range {
    /// First position in the range.
    pub start: Position,
    /// First position after the range.
    pub end: Position,
}
