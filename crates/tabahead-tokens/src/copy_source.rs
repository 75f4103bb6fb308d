//! The text that an answer may copy, besides what is decoded.

use std::sync::Arc;

/// The text around a tail and the text of the other open files, LF only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopySource {
    /// Text before the tail.
    pub before: String,
    /// Text after the cursor and the left-out closers.
    pub after: String,
    /// Texts of the other open files.
    pub open_files: Vec<Arc<str>>,
}
