//! The context window: which bytes of the document the model sees.

use tabahead_text::{Document, Offset};

use crate::{Layout, Silence};

/// The document's name as far as the model sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DocumentName {
    /// Last component of the path, `main.rs`; empty for an untitled buffer.
    pub file_name: String,
    /// LSP language id, `rust`; empty when unknown.
    pub language: String,
}

/// Everything besides document and cursor that decides what the model sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextSettings {
    /// Bytes of text before the cursor's line at most.
    pub prefix_budget: usize,
    /// Bytes of text after the cursor's line at most.
    pub suffix_budget: usize,
    /// A longer line ends the window; a longer cursor's line means silence.
    pub longest_line: usize,
    /// Distance in lines of the forced middle's anchors (prefix-first layout only).
    pub anchor_lines: usize,
}

impl Default for ContextSettings {
    fn default() -> Self {
        Self {
            prefix_budget: 1536,
            suffix_budget: 512,
            longest_line: 2048,
            anchor_lines: 32,
        }
    }
}

impl ContextSettings {
    /// The settings for the n-th try after the engine said that the prompt is too long: budgets
    /// divided by 2^n. `None` when there is no further try.
    pub fn scaled(&self, attempt: u8) -> Option<Self> {
        (attempt <= 2).then(|| Self {
            prefix_budget: self.prefix_budget >> attempt,
            suffix_budget: self.suffix_budget >> attempt,
            ..*self
        })
    }
}

/// What the model sees of a document at a cursor: base and tail, LF only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextWindow {
    /// The document's name.
    pub name: DocumentName,
    /// How base and tail are laid out; part of the identity.
    pub layout: Layout,
    /// Prefix-first layout: text from W to the anchor. Empty in the suffix-first layout.
    pub before_anchor: String,
    /// Text from behind the left-out closers to E.
    pub suffix: String,
    /// Text from W (suffix first) or from the anchor (prefix first) to the cursor.
    pub tail: String,
    /// The left-out closers with their white space, exactly as they stand in the document,
    /// but LF. Not part of the identity.
    pub left_out: String,
    /// Budget attempt (0, 1, 2) that cut this window; part of the identity.
    pub attempt: u8,
}

impl ContextWindow {
    /// Cuts the window. A pure function of its arguments.
    ///
    /// # Errors
    /// A [`Silence`] when nothing may be suggested here (the cursor's line is too long).
    pub fn new(
        _document: &Document,
        _cursor: Offset,
        _name: &DocumentName,
        _layout: Layout,
        _settings: &ContextSettings,
        _attempt: u8,
    ) -> Result<Self, Silence> {
        unimplemented!()
    }
}
