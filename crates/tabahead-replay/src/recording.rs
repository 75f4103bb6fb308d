//! Reads a recording and writes the lines of one: the format `workspaceRecording@1.0`, entry by
//! entry.
//!
//! Two forms hold the same entries: one JSON object `{"log": [entry, …]}`, as the recorder of VS
//! Code writes it, and one entry per line (`.jsonl`), which can be appended to and survives a kill.
//! Both are read as streams: memory does not grow with the length of a file. This module reports
//! what is in the file and no more; `editing.rs` finds what the user did.

mod decode;
mod elements;
mod encode;
mod error;

use std::{
    fs::File,
    io::{BufRead, BufReader},
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

pub use error::RecordingError;

use decode::Refusal;
use elements::{ElementError, Elements};

/// The format that is read and written.
pub const FORMAT: &str = "workspaceRecording@1.0";

/// Maximum size of one entry in bytes: an entry holds at most one document, and no editor that
/// records opens a larger one.
const LARGEST_ENTRY: usize = 256 << 20;

/// One entry of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingEntry {
    /// Number of the entry in the file, from 1.
    pub number: usize,
    /// When the entry was written, in milliseconds since 1970. Not quite ascending in real files,
    /// and the time of a content may be the end of the recording.
    pub time: Option<u64>,
    /// Content of the entry.
    pub kind: EntryKind,
}

/// Content of an entry. Offsets count UTF-16 code units of the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// Origin of the recording; the first entry of every recording.
    Header {
        /// The folder that was open, as a URI.
        root: Option<String>,
    },
    /// A document got its number.
    DocumentEncountered {
        /// The document.
        id: u64,
        /// Its path in the folder, with `/` or `\`.
        path: String,
    },
    /// A document has this text now.
    SetContent {
        /// The document.
        id: u64,
        /// The editor's number for the text.
        version: Option<i64>,
        /// The whole text. A surrogate without its other half is replaced with U+FFFD, which is one
        /// unit too.
        content: String,
    },
    /// The text of a document is stored under a name.
    StoreContent {
        /// The document.
        id: u64,
        /// The name.
        content_id: String,
    },
    /// A document gets back the text that was stored under a name.
    RestoreContent {
        /// The document.
        id: u64,
        /// The name.
        content_id: String,
        /// The editor's number for the text; it may start again from 1.
        version: Option<i64>,
    },
    /// A document was opened in the editor.
    Opened {
        /// The document.
        id: u64,
    },
    /// A document was closed in the editor.
    Closed {
        /// The document.
        id: u64,
    },
    /// A document came to the front.
    Focused {
        /// The document.
        id: u64,
    },
    /// The cursors of a document moved.
    SelectionChanged {
        /// The document.
        id: u64,
        /// From the first cursor to the last; an empty range is a cursor without a selection.
        selections: Vec<Range<usize>>,
    },
    /// A text changed.
    Changed {
        /// The document.
        id: u64,
        /// The editor's number for the resulting text.
        version: Option<i64>,
        /// The replacements, from the text's beginning to its end; all refer to the text before.
        edits: Vec<Replacement>,
    },
    /// Why a text changed; comes after the change.
    ChangeReason {
        /// The document.
        id: u64,
        /// The editor's number for the text after the change.
        version: Option<i64>,
        /// The editor's name for the reason: `inlineSuggestion.accept`, `snippet`,
        /// `formatEditsCommand`, …
        reason: String,
    },
    /// The editor asked for suggestions.
    FetchStarted {
        /// The document.
        id: u64,
        /// The number of the request.
        request: u64,
        /// The number of the text that it asked about.
        version: Option<i64>,
    },
    /// The answer to a request, or its end without one.
    FetchEnded {
        /// The number of the request.
        request: u64,
        /// Time that the request took.
        duration: Duration,
        /// Whether the editor cancelled the request.
        cancelled: bool,
        /// The suggestions.
        result: Vec<FetchedItem>,
    },
    /// An entry of a kind that is not read.
    Other,
}

/// A range of a text and its replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The replaced range, in UTF-16 code units of the text before.
    pub range: Range<usize>,
    /// The new text, in UTF-16 code units. Recorders cut off what both texts share, even in the
    /// middle of a character, so this may begin or end with half of one.
    pub text: Vec<u16>,
}

impl Replacement {
    /// Creates a replacement by `text`.
    pub fn new(range: Range<usize>, text: &str) -> Self {
        let text = text.encode_utf16().collect();
        Self { range, text }
    }
}

/// A suggestion of another product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedItem {
    /// The replaced range. Lines and characters (UTF-16) from 0; the file counts from 1.
    pub range: tabahead_text::Range,
    /// The new text.
    pub text: String,
    /// Whether it is an edit somewhere in the document rather than text at the cursor.
    pub inline_edit: bool,
}

/// Form of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingForm {
    /// `{"log": [entry, …]}`
    Object,
    /// One entry per line.
    Lines,
}

/// The entries of a recording, one after the other.
///
/// After an entry whose fields are wrong the next ones follow; after any other error, nothing.
pub struct Entries {
    file: PathBuf,
    elements: Elements,
    count: usize,
    is_over: bool,
}

impl Entries {
    /// Opens a file; its extension determines the form.
    ///
    /// # Errors
    /// When the file cannot be opened. Problems in its content come with the entries.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let form = if path.extension().is_some_and(|ending| ending == "jsonl") {
            RecordingForm::Lines
        } else {
            RecordingForm::Object
        };
        let file = File::open(path).map_err(|source| RecordingError::Unreadable {
            file: path.to_owned(),
            source,
        })?;
        Ok(Self::read(path, form, BufReader::new(file)))
    }

    /// Reads entries from any reader; `name` is the file's name in errors.
    pub fn read(name: &Path, form: RecordingForm, reader: impl BufRead + Send + 'static) -> Self {
        Self {
            file: name.to_owned(),
            elements: Elements::new(form, Box::new(reader), LARGEST_ENTRY),
            count: 0,
            is_over: false,
        }
    }

    fn entry(&mut self, element: &[u8]) -> Result<RecordingEntry, RecordingError> {
        let (file, entry) = (self.file.clone(), self.count);
        let decoded = decode::entry(entry, element).map_err(|refusal| match refusal {
            Refusal::Syntax(problem) => {
                self.is_over = true;
                RecordingError::NotJson {
                    file: file.clone(),
                    entry,
                    problem,
                }
            }
            Refusal::Format(found) => {
                self.is_over = true;
                RecordingError::OtherFormat {
                    file: file.clone(),
                    found,
                }
            }
            Refusal::Fields { kind, problem } => RecordingError::BadEntry {
                file: file.clone(),
                entry,
                kind,
                problem,
            },
        })?;
        if entry == 1 && !matches!(decoded.kind, EntryKind::Header { .. }) {
            self.is_over = true;
            let problem = "its first entry is not a header".to_owned();
            return Err(RecordingError::NotARecording { file, problem });
        }
        Ok(decoded)
    }

    fn error_of(&self, error: ElementError) -> RecordingError {
        let file = self.file.clone();
        match error {
            ElementError::Io(source) => RecordingError::Unreadable { file, source },
            ElementError::Truncated => RecordingError::Truncated {
                file,
                after: self.count,
            },
            ElementError::TooLarge => RecordingError::TooLarge {
                file,
                entry: self.count + 1,
                limit: self.elements.limit() >> 20,
            },
            ElementError::NotAnObject => RecordingError::NotJson {
                file,
                entry: self.count + 1,
                problem: "it is not an object".to_owned(),
            },
            ElementError::Frame(problem) if self.count == 0 => RecordingError::NotARecording {
                file,
                problem: problem.to_owned(),
            },
            ElementError::Frame(problem) => RecordingError::NotJson {
                file,
                entry: self.count,
                problem: problem.to_owned(),
            },
        }
    }
}

/// Returns an entry as a line of a `.jsonl` recording, including the line end.
pub fn line(time: Option<u64>, kind: &EntryKind) -> String {
    encode::line(time, kind)
}

impl Iterator for Entries {
    type Item = Result<RecordingEntry, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        match self.elements.next() {
            Ok(Some(element)) => {
                self.count += 1;
                Some(self.entry(&element))
            }
            Ok(None) => {
                self.is_over = true;
                (self.count == 0).then(|| {
                    Err(RecordingError::NotARecording {
                        file: self.file.clone(),
                        problem: "it has no entries".to_owned(),
                    })
                })
            }
            Err(error) => {
                self.is_over = true;
                Some(Err(self.error_of(error)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
