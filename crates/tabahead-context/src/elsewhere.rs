//! The text around a window, which the model does not read but an answer may copy from.
//!
//! It is measured from the window's ends and so moves when they do: a key press at the cursor
//! changes nothing in it. Like the window, it is a pure function of document and settings. It
//! consists of whole lines, so that no secret value is cut in two; secret values are left out when
//! its text is read.

use std::ops::Range;

use tabahead_text::{Document, Offset};
use xxhash_rust::xxh3::Xxh3;

use crate::secrets::{Scan, whole_end, without_secrets};

/// Position of the text around a window in its document, and a digest of it.
///
/// Two are equal if their digests are, wherever they are. Unlike a window's text, this text is not
/// kept for comparison: every answer in the cache would keep a version of the whole file in memory.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    before: Range<usize>,
    after: Range<usize>,
    /// 0 if nothing is copied.
    digest: u128,
}

impl Elsewhere {
    /// Takes up to `budget` bytes before `start` and as many after `end`, which are starts of
    /// lines. Takes nothing if `budget` is 0.
    pub(crate) fn around(document: &Document, start: Offset, end: Offset, budget: usize) -> Self {
        if budget == 0 {
            return Self::default();
        }
        let first = line_start(document, Offset(start.0.saturating_sub(budget)), start);
        let last = whole_end(document, Offset(end.0.saturating_add(budget))).max(end);
        let mut hash = Xxh3::new();
        for range in [first..start, end..last] {
            hash.update(&(range.end.0 - range.start.0).to_le_bytes());
            // What is left out of the text also depends on the lines above it.
            hash.update(&scan(document, range.start).number().to_le_bytes());
            for chunk in document.chunks(range) {
                hash.update(chunk.as_bytes());
            }
        }
        Self {
            before: first.0..start.0,
            after: end.0..last.0,
            digest: hash.digest128().max(1),
        }
    }

    /// Returns whether answers copy.
    pub(crate) fn is_copied(&self) -> bool {
        self.digest != 0
    }

    /// Returns the digest of the text.
    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    /// Returns the text before the window and the text after it, LF only, without secrets.
    pub(crate) fn texts(&self, document: &Document) -> [String; 2] {
        [&self.before, &self.after].map(|range| {
            let (start, end) = (Offset(range.start), Offset(range.end));
            without_secrets(scan(document, start), lf_text(document, start..end))
        })
    }
}

/// Returns the first start of a line at or after `offset`, but at most `most`.
fn line_start(document: &Document, offset: Offset, most: Offset) -> Offset {
    let line = document.line_of(document.clamp(offset));
    let start = document.line_range(line).start;
    let first = if start < offset && line + 1 < document.line_count() {
        document.line_range(line + 1).start
    } else {
        start
    };
    first.min(most)
}

fn scan(document: &Document, start: Offset) -> Scan {
    Scan::at(document, document.line_of(start))
}

/// Returns a stretch of a document with LF line ends.
pub(crate) fn lf_text(document: &Document, range: Range<Offset>) -> String {
    let text = document.slice(range);
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    }
}

impl PartialEq for Elsewhere {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Elsewhere {}

impl std::hash::Hash for Elsewhere {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}
