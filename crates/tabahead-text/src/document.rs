//! The rope document: versions, edits, conversion of positions.
//!
//! Knows nothing of the protocol that edits arrive in. See `position.rs` for the units.

use ropey::Rope;

use crate::{Offset, Position, PositionEncoding, Range};

/// The version of a document as its editor numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub i32);

/// One change of the text: a replaced range, or the whole text when `range` is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; `None` replaces the whole text.
    pub range: Option<Range>,
    /// What stands there afterwards.
    pub text: String,
}

/// An edit arrived for a version that is not newer than the document's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleVersion;

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

/// An edited text. Cloning is O(1): a clone is a snapshot.
#[derive(Debug, Clone)]
pub struct Document {
    rope: Rope,
    version: Version,
}

impl Document {
    /// A document with this text and version.
    pub fn new(text: &str, version: Version) -> Self {
        Self {
            rope: Rope::from_str(text),
            version,
        }
    }

    /// The version of the last edit.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Applies edits in order, each to the text that the one before it left, then sets the version.
    pub fn apply(&mut self, _edits: &[Edit], _encoding: PositionEncoding, _version: Version) {
        unimplemented!()
    }

    /// The document in which `range` (byte offsets) holds `text` instead; same version.
    pub fn with_replaced(&self, _range: std::ops::Range<Offset>, _text: &str) -> Self {
        unimplemented!()
    }

    /// The byte offset of a position, clamped to the line's end and the document's end.
    pub fn offset_of(&self, _position: Position, _encoding: PositionEncoding) -> Offset {
        unimplemented!()
    }

    /// The position of a byte offset, clamped to the document and to a character boundary.
    pub fn position_of(&self, _offset: Offset, _encoding: PositionEncoding) -> Position {
        unimplemented!()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.rope.len_bytes()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range as they stand in the document, clamped to character boundaries.
    pub fn slice(&self, _range: std::ops::Range<Offset>) -> String {
        unimplemented!()
    }

    /// Number of lines: one more than there are line ends.
    pub fn line_count(&self) -> usize {
        self.rope.len_lines()
    }

    /// The line that holds an offset.
    pub fn line_of(&self, _offset: Offset) -> usize {
        unimplemented!()
    }

    /// The bytes of a line, without its line end. A line behind the last one is empty, at the end.
    pub fn line_range(&self, _line: usize) -> std::ops::Range<Offset> {
        unimplemented!()
    }

    /// The first line end in the text, LF when there is none.
    pub fn line_end(&self) -> LineEnd {
        unimplemented!()
    }
}
