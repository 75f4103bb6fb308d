//! The context window: which bytes of the document the model sees.
//!
//! Its outer ends are chosen by content, not by distance: among the lines in the outermost quarter
//! of a budget, the one with the highest hash. So the ends stay where they are while the text
//! between them grows, and when they move, they move far. Distances count LF bytes, so line ends do
//! not affect what the model sees. The cost depends on the budgets and not on the document. Secret
//! values are left out (`secrets.rs`), and if the cursor's line holds one there is no window.
//!
//! Knows nothing of tokens; see `template.rs` for the order in which a model reads the parts.

use std::ops::Range;

use tabahead_text::{Document, Offset};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    CopySource, Elsewhere, Layout, ModelProfile, OpenFiles, Silence, left_out_closers,
    secrets::{Scan, holds_secret_at, without_secrets},
};

/// Number of lines before the cursor's line that are searched for an anchor.
const ANCHOR_REACH: usize = 64;

/// Everything that decides an answer in a document besides its text: its name as far as the model
/// sees it, and the files that are open beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DocumentName {
    /// Last component of the path, `main.rs`; empty for an untitled buffer.
    pub file_name: String,
    /// LSP language id, `rust`; empty when unknown.
    pub language: String,
    /// The other open files, which answers may copy from; none when copying is off.
    pub open_files: OpenFiles,
}

impl DocumentName {
    /// Creates a name without other files.
    pub fn new(file_name: impl Into<String>, language: impl Into<String>) -> Self {
        Self {
            file_name: file_name.into(),
            language: language.into(),
            open_files: OpenFiles::default(),
        }
    }
}

/// Everything besides document and cursor that decides what the model sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextSettings {
    /// Maximum number of bytes of text before the cursor's line; `None` takes the model's value,
    /// see [`ContextSettings::for_model`].
    pub prefix_budget: Option<usize>,
    /// Maximum number of bytes of text after the cursor's line; `None` takes the model's value.
    pub suffix_budget: Option<usize>,
    /// Maximum length of a line in bytes. A longer line ends the window; if the cursor's line is
    /// longer, nothing is suggested.
    pub longest_line: usize,
    /// Average distance in lines between anchors of the forced middle (prefix-first layout only).
    pub anchor_lines: usize,
    /// Number of bytes before the window, and of bytes after it, that answers may copy from, as
    /// from the window itself; 0 turns all copying off.
    pub copy_budget: usize,
}

impl Default for ContextSettings {
    fn default() -> Self {
        Self {
            prefix_budget: None,
            suffix_budget: None,
            longest_line: 2048,
            // Measured, see docs/layouts.md: with 32, hardly any anchor lies within half the
            // budget.
            anchor_lines: 8,
            copy_budget: 0,
        }
    }
}

impl ContextSettings {
    /// Returns whether nothing is suggested at a cursor because its line is too long.
    pub fn is_line_too_long(&self, document: &Document, cursor: Offset) -> bool {
        let lines = Lines {
            document,
            longest: self.longest_line,
        };
        let line = document.line_of(document.clamp(cursor));
        lines.range(line).is_none()
    }

    /// Returns these settings with the model's values where none are set, limited so that the last
    /// attempt can fit the model's context: it uses a quarter of the budgets, which is at most as
    /// many bytes as the context has tokens.
    pub fn for_model(&self, profile: &ModelProfile) -> Self {
        let most = profile.context_tokens;
        let prefix = self.prefix_budget.unwrap_or(profile.window.prefix);
        let suffix = self.suffix_budget.unwrap_or(profile.window.suffix);
        Self {
            prefix_budget: Some(prefix.min(most.saturating_mul(3))),
            suffix_budget: Some(suffix.min(most)),
            ..self.clone()
        }
    }

    /// Returns the budgets for an attempt: those of the settings divided by 2^`attempt`. Each
    /// attempt after the first follows the engine's report that the prompt is too long. Returns
    /// `None` if there is no such attempt.
    pub fn budgets(&self, attempt: u8) -> Option<WindowBudgets> {
        let default = WindowBudgets::default();
        let prefix = self.prefix_budget.unwrap_or(default.prefix);
        let suffix = self.suffix_budget.unwrap_or(default.suffix);
        (attempt <= 2).then_some(WindowBudgets {
            prefix: prefix >> attempt,
            suffix: suffix >> attempt,
        })
    }
}

/// Maximum size of a window, in bytes of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowBudgets {
    /// Bytes before the cursor's line.
    pub prefix: usize,
    /// Bytes after the cursor's line.
    pub suffix: usize,
}

impl Default for WindowBudgets {
    /// Returns what a small model reads well: the embedded one was trained with up to 800 and 300
    /// bytes.
    fn default() -> Self {
        Self {
            prefix: 1536,
            suffix: 512,
        }
    }
}

/// The part of a document that the model sees at a cursor: base and tail, LF only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextWindow {
    /// The document's name.
    pub name: DocumentName,
    /// Order in which base and tail are laid out; part of the identity.
    pub layout: Layout,
    /// Text from W to the anchor (prefix first) or to the cursor (split). Empty in the suffix-first
    /// layout.
    pub before_anchor: String,
    /// Text from the end of the left-out closers (split: from the cursor) to E.
    pub suffix: String,
    /// Text from W (suffix first) or from the anchor (prefix first) to the cursor. Empty in the
    /// split layout.
    pub tail: String,
    /// The left-out closers with their white space, exactly as in the document, but with LF line
    /// ends. Not part of the identity. Empty in the split layout.
    pub left_out: String,
    /// Budget attempt (0, 1, 2) with which this window was cut; part of the identity.
    pub attempt: u8,
    /// Text around the window; part of the identity.
    pub elsewhere: Elsewhere,
}

impl ContextWindow {
    /// Cuts the window. A pure function of its arguments.
    ///
    /// A cursor inside a line end counts as being at the end of its line.
    ///
    /// # Errors
    /// Returns a [`Silence`] if nothing may be suggested here: the cursor's line is too long or
    /// holds a secret, or there is no such attempt ([`Silence::TooLong`]).
    pub fn new(
        document: &Document,
        cursor: Offset,
        name: &DocumentName,
        layout: Layout,
        settings: &ContextSettings,
        attempt: u8,
    ) -> Result<Self, Silence> {
        let budgets = settings.budgets(attempt).ok_or(Silence::TooLong)?;
        let lines = Lines {
            document,
            longest: settings.longest_line,
        };
        let cursor = document.clamp(cursor);
        let line = document.line_of(cursor);
        let range = lines.range(line).ok_or(Silence::LongLine)?;
        let cursor = cursor.min(range.end);
        if holds_secret_at(document, cursor) {
            return Err(Silence::Secret);
        }

        // Line at which the text up to the cursor is split into `before_anchor` and the tail.
        let anchor = match layout {
            Layout::SuffixFirst | Layout::Split => None,
            Layout::PrefixFirst => lines.anchor(line, settings.anchor_lines, budgets.prefix),
        };
        let first = lines.first_line(anchor.unwrap_or(line), budgets.prefix);
        let before_anchor = anchor.map_or_else(String::new, |anchor| lines.text(first, anchor));
        let mut tail = lines.text(anchor.unwrap_or(first), line);
        tail.push_str(&document.slice(range.start..cursor));

        // Closers are searched for in the longest text that a suffix could hold. The suffix begins
        // where they end, and its own end is measured from there, so Enter between two brackets
        // moves nothing.
        let rest = document.slice(cursor..range.end);
        let reach = lines.reach(line, budgets.suffix);
        let after = rest + &lines.below(line, reach);
        let left_out = match layout {
            Layout::SuffixFirst | Layout::PrefixFirst => left_out_closers(&tail, &after),
            // The suffix comes after text that changes with every key press: there is nothing to
            // keep.
            Layout::Split => 0,
        };
        let left_out = after[..left_out].to_string();
        let base_line = line + left_out.matches('\n').count();
        let last = lines.last_line(base_line, budgets.suffix);
        let suffix_start = if base_line == line {
            cursor.0 + left_out.len()
        } else {
            let base_line = document.line_range(base_line).start.0;
            base_line + left_out.rsplit('\n').next().map_or(0, str::len)
        };
        let suffix = lines.visible(base_line, Offset(suffix_start), last);
        let start = document.line_range(first).start;
        let end = if last + 1 < document.line_count() {
            document.line_range(last + 1).start
        } else {
            Offset(document.len())
        };
        let elsewhere = Elsewhere::around(document, start, end, settings.copy_budget);

        let (before_anchor, tail) = match layout {
            Layout::SuffixFirst | Layout::PrefixFirst => (before_anchor, tail),
            Layout::Split => (tail, String::new()),
        };
        Ok(Self {
            name: name.clone(),
            layout,
            before_anchor,
            suffix,
            tail,
            left_out,
            attempt,
            elsewhere,
        })
    }

    /// Returns what answers may copy from for this window, which was cut from `document`; `None`
    /// when copying is off.
    pub fn copy_source(&self, document: &Document) -> Option<CopySource> {
        self.elsewhere.is_copied().then(|| {
            let [mut before, after] = self.elsewhere.texts(document);
            before.push_str(&self.before_anchor);
            CopySource {
                before,
                after: format!("{}{after}", self.suffix),
                open_files: self.name.open_files.texts().to_vec(),
            }
        })
    }

    /// Returns the number of bytes on the heap, for the budgets of caches.
    pub fn heap_bytes(&self) -> usize {
        self.name.file_name.len()
            + self.name.language.len()
            + self.before_anchor.len()
            + self.suffix.len()
            + self.tail.len()
            + self.left_out.len()
    }

    /// Returns whether two windows differ in nothing but the tail and what is left out.
    pub fn same_base(&self, other: &Self) -> bool {
        self.name == other.name
            && self.layout == other.layout
            && self.attempt == other.attempt
            && self.before_anchor == other.before_anchor
            && self.suffix == other.suffix
            && self.elsewhere == other.elsewhere
    }
}

/// A document as lines of LF text, none longer than `longest`.
struct Lines<'a> {
    document: &'a Document,
    longest: usize,
}

impl Lines<'_> {
    /// Returns the range of a line without its line end; `None` if it is too long or does not
    /// exist.
    fn range(&self, line: usize) -> Option<Range<Offset>> {
        if line >= self.document.line_count() {
            return None;
        }
        let range = self.document.line_range(line);
        (range.end.0 - range.start.0 <= self.longest).then_some(range)
    }

    /// Returns W, the first line of a window measured from the start of `line`. This is the
    /// document's first line if it lies within the budget.
    fn first_line(&self, line: usize, budget: usize) -> usize {
        let mut candidates = Candidates::new(line, budget);
        while candidates.outermost > 0 {
            let next = candidates.outermost - 1;
            let Some(range) = self.range(next) else {
                return candidates.outermost;
            };
            if !candidates.take(next, self, range) {
                return candidates.choice();
            }
        }
        0
    }

    /// Returns E, the last line of a window measured from the end of `line`. This is the document's
    /// last line if it lies within the budget.
    fn last_line(&self, line: usize, budget: usize) -> usize {
        let mut candidates = Candidates::new(line, budget);
        while let Some(range) = self.range(candidates.outermost + 1) {
            if !candidates.take(candidates.outermost + 1, self, range) {
                return candidates.choice();
            }
        }
        candidates.outermost
    }

    /// Returns the last line below `line` that lies within the budget.
    fn reach(&self, line: usize, budget: usize) -> usize {
        let mut last = line;
        let mut distance = 0;
        while let Some(range) = self.range(last + 1) {
            distance += length(&range) + 1;
            if distance > budget {
                break;
            }
            last += 1;
        }
        last
    }

    /// Returns the forced middle's anchor: the nearest line above `line` that its hash selects, as
    /// it does one line in `spacing`. It lies within half the prefix budget, because what follows
    /// it is encoded again when it moves.
    fn anchor(&self, line: usize, spacing: usize, budget: usize) -> Option<usize> {
        let spacing = spacing.max(1) as u64;
        let mut distance = 0;
        for candidate in (line.saturating_sub(ANCHOR_REACH)..line).rev() {
            let range = self.range(candidate)?;
            distance += length(&range) + 1;
            if distance > budget / 2 {
                return None;
            }
            if self
                .hash(range)
                .is_some_and(|hash| hash.is_multiple_of(spacing))
            {
                return Some(candidate);
            }
        }
        None
    }

    /// Returns a scan for secrets that starts at `line`.
    fn scan(&self, line: usize) -> Scan {
        Scan::at(self.document, line)
    }

    /// Returns the lines from `first` to before `end`, each with a line feed, without secrets.
    fn text(&self, first: usize, end: usize) -> String {
        let mut text = String::new();
        for line in first..end {
            text.push_str(&self.document.slice(self.document.line_range(line)));
            text.push('\n');
        }
        without_secrets(self.scan(first), text)
    }

    /// Returns the text from `start`, which is in `line`, to the end of `last`, and the line feed
    /// after it if there is one, without secrets.
    fn visible(&self, line: usize, start: Offset, last: usize) -> String {
        let range = self.document.line_range(line);
        let whole = self.document.slice(range.clone());
        let found = self.scan(line).next(&whole);
        let mut text = found.without_from(&whole, start.0 - range.start.0);
        let mut below = self.below(line, last);
        if !below.is_empty() {
            text.push(below.remove(0));
            text.push_str(&without_secrets(self.scan(line + 1), below));
        }
        text
    }

    /// Returns the lines after `line` up to `last`, each with the line feed before it, and the line
    /// feed after the last one if there is one.
    fn below(&self, line: usize, last: usize) -> String {
        let mut text = String::new();
        for line in line + 1..=last {
            text.push('\n');
            text.push_str(&self.document.slice(self.document.line_range(line)));
        }
        if last + 1 < self.document.line_count() {
            text.push('\n');
        }
        text
    }

    /// Returns the weight of a line when an end of the window is chosen. Blank and bracket-only
    /// lines have none: a file repeats them, so the outermost of many equals would be chosen, and
    /// that moves with every line.
    fn hash(&self, range: Range<Offset>) -> Option<u64> {
        let line = self.document.slice(range);
        (!is_trivial(&line)).then(|| xxh3_64(line.as_bytes()))
    }
}

/// Returns whether a line holds only white space, brackets and the punctuation that follows them.
pub(crate) fn is_trivial(line: &str) -> bool {
    line.chars()
        .all(|c| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | ';' | ','))
}

fn length(range: &Range<Offset>) -> usize {
    range.end.0 - range.start.0
}

/// A walk from the cursor's line outward in one direction.
struct Candidates {
    budget: usize,
    /// LF bytes between the start of the walk and the far side of `outermost`.
    distance: usize,
    /// Last line within the budget.
    outermost: usize,
    /// Highest hash so far, and its line.
    best: Option<(u64, usize)>,
}

impl Candidates {
    fn new(line: usize, budget: usize) -> Self {
        Self {
            budget,
            distance: 0,
            outermost: line,
            best: None,
        }
    }

    /// Takes the next line; returns `false` if it lies beyond the budget.
    fn take(&mut self, line: usize, lines: &Lines<'_>, range: Range<Offset>) -> bool {
        self.distance += length(&range) + 1;
        if self.distance > self.budget {
            return false;
        }
        self.outermost = line;
        if self.distance > self.budget - self.budget / 4
            && let Some(hash) = lines.hash(range)
            && self.best.is_none_or(|(best, _)| hash >= best)
        {
            self.best = Some((hash, line));
        }
        true
    }

    /// Returns the line with the highest hash in the outermost quarter, or else the outermost line.
    fn choice(&self) -> usize {
        self.best.map_or(self.outermost, |(_, line)| line)
    }
}

#[cfg(test)]
mod tests;
