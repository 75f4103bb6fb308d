//! Errors in a recording, described for the person who has to repair it.

use std::{io, path::PathBuf};

/// Why a recording cannot be read, or not further. Each message is one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file is missing, may not be read, or its disk failed.
    #[error("recording \"{}\" cannot be read; give a file that exists and may be read", file.display())]
    Unreadable {
        /// The recording.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a recording.
    #[error("\"{}\" is not a recording: {problem}; give a file in the format workspaceRecording@1.0, or one entry per line in a .jsonl file", file.display())]
    NotARecording {
        /// The file.
        file: PathBuf,
        /// The problem that was found.
        problem: String,
    },
    /// A recording in a format that this version does not know.
    #[error("recording \"{}\" has the format \"{found}\", but only \"workspaceRecording@1.0\" can be read; record it again", file.display())]
    OtherFormat {
        /// The recording.
        file: PathBuf,
        /// Its format.
        found: String,
    },
    /// The file ends in the middle. The entries before were returned.
    #[error("recording \"{}\" is truncated: it ends after entry {after}; copy it again, or close it there", file.display())]
    Truncated {
        /// The recording.
        file: PathBuf,
        /// The last whole entry; 0 when there is none.
        after: usize,
    },
    /// The text of an entry, or the text after it, is not JSON.
    #[error("recording \"{}\", entry {entry}: not JSON: {problem}; correct the file or copy it again", file.display())]
    NotJson {
        /// The recording.
        file: PathBuf,
        /// The entry, from 1.
        entry: usize,
        /// The problem.
        problem: String,
    },
    /// An entry lacks fields of its kind, or they are of the wrong type.
    #[error("recording \"{}\", entry {entry} ({kind}): {problem}; correct the entry or take it out", file.display())]
    BadEntry {
        /// The recording.
        file: PathBuf,
        /// The entry, from 1.
        entry: usize,
        /// Its kind; "of no kind" when it has none.
        kind: String,
        /// The problem.
        problem: String,
    },
    /// An entry is too large to be read.
    #[error("recording \"{}\", entry {entry}: larger than {limit} MB; take the document out of the recording", file.display())]
    TooLarge {
        /// The recording.
        file: PathBuf,
        /// The entry, from 1.
        entry: usize,
        /// Maximum size of an entry, in units of 1024² bytes.
        limit: usize,
    },
}
