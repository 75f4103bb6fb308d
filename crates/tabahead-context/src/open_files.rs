//! The other files that are open: what an answer may copy from besides its own file.

use std::{borrow::Borrow, sync::Arc};

use tabahead_text::{Document, Offset};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::{
    elsewhere::lf_text,
    secrets::{Scan, whole_end, without_secrets},
};

/// Bytes of one file that are copied from: its first ones.
const MOST_OF_ONE: usize = 64 << 10;
/// Bytes of all files: they are searched for every token.
const MOST_OF_ALL: usize = 128 << 10;
/// Files at most, however small: an answer costs the same however many are open.
const MOST_FILES: usize = 64;

/// A file as far as it may be copied from, LF only, without secret values.
#[derive(Debug, Clone)]
pub struct OpenFile {
    text: Arc<str>,
    digest: u128,
}

impl OpenFile {
    /// The beginning of a document.
    pub fn new(document: &Document) -> Self {
        let end = whole_end(document, Offset(MOST_OF_ONE));
        let text = without_secrets(Scan::default(), lf_text(document, Offset(0)..end));
        Self {
            digest: xxh3_128(text.as_bytes()),
            text: text.into(),
        }
    }
}

/// Several of them, and a digest of their texts.
///
/// Like [`Elsewhere`](crate::Elsewhere) they are the same when their digests are, and whoever keeps them for
/// comparing keeps no text.
#[derive(Debug, Clone, Default)]
pub struct OpenFiles {
    texts: Vec<Arc<str>>,
    /// 0 when there are none.
    digest: u128,
}

impl OpenFiles {
    /// The first of these, as far as all of them fit. What is left is the same in whatever order they come: to go
    /// from one file to another and back changes nothing. Takes no more of them than it looks at.
    pub fn new(files: impl IntoIterator<Item: Borrow<OpenFile>>) -> Self {
        let mut room = MOST_OF_ALL;
        let mut files: Vec<OpenFile> = files
            .into_iter()
            .take(MOST_FILES)
            .map(|file| file.borrow().clone())
            .take_while(|file| {
                let fits = file.text.len() <= room;
                room = room.saturating_sub(file.text.len());
                fits
            })
            .filter(|file| !file.text.is_empty())
            .collect();
        files.sort_unstable_by_key(|file| file.digest);
        let mut hash = Xxh3::new();
        for file in &files {
            hash.update(&file.digest.to_le_bytes());
        }
        Self {
            digest: match files.is_empty() {
                true => 0,
                false => hash.digest128().max(1),
            },
            texts: files.iter().map(|file| file.text.clone()).collect(),
        }
    }

    /// Names the texts.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// The texts; none of what was kept for comparing.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// The same for comparing.
    pub fn without_texts(&self) -> Self {
        Self {
            texts: Vec::new(),
            digest: self.digest,
        }
    }
}

impl PartialEq for OpenFiles {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for OpenFiles {}

impl std::hash::Hash for OpenFiles {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}
