//! The cut: from a path to what is shown.

use std::ops::Range;

use tabahead_text::Offset;

/// Settings of the cut; the same with speculation on and off.
#[derive(Debug, Clone, PartialEq)]
pub struct CutSettings {
    /// Tokens after the cursor at most.
    pub max_tokens: usize,
    /// Mean natural log-probability below which nothing is shown. `f32::NEG_INFINITY` shows all.
    pub least_log_prob: f32,
}

/// Why nothing is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Silence {
    /// The cursor's line is too long (minified or data).
    LongLine,
    /// The model has nothing to add.
    Empty,
    /// The model is not sure enough.
    Unsure,
    /// What it says stands behind the cursor already.
    RepeatsSuffix,
    /// The text loops.
    Repetition,
}

/// What is shown, and what accepting it does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Suggestion {
    /// What is replaced: from the cursor over the closers that the text covers; one line.
    pub range: Range<Offset>,
    /// What stands there after an accept, with the document's line ends.
    pub text: String,
}

/// What a path says at a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Show this.
    Show(Suggestion),
    /// The path is too short to decide: decode on.
    NeedMore,
    /// Show nothing.
    Silent(Silence),
}

/// Cuts the answer that `path` holds for the state at byte `at` of its bytes.
///
/// Reads only tokens that end after `at`, from left to right, and once it has decided, further
/// tokens change nothing: so it gives the same for a fresh path and for a cached, longer one.
/// Call it only when `path.answers(..)` holds for the state.
pub fn cut(
    _document: &tabahead_text::Document,
    _cursor: Offset,
    _left_out: &str,
    _path: &crate::Path,
    _at: usize,
    _settings: &CutSettings,
) -> Cut {
    unimplemented!()
}
