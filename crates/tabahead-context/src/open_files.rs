//! The other open files, which an answer may copy from besides its own file.

use std::{borrow::Borrow, sync::Arc};

use tabahead_text::{Document, Offset};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::{
    elsewhere::lf_text,
    secrets::{Scan, whole_end, without_secrets},
};

/// Maximum number of bytes of one file that may be copied from: its first ones.
const MOST_OF_ONE: usize = 64 << 10;
/// Maximum number of bytes of all files: they are searched for every token.
const MOST_OF_ALL: usize = 128 << 10;
/// Maximum number of files, however small, so that an answer costs the same however many are open.
const MOST_FILES: usize = 64;

/// The part of a file that may be copied from, LF only, without secret values.
#[derive(Debug, Clone)]
pub struct OpenFile {
    text: Arc<str>,
    digest: u128,
}

impl OpenFile {
    /// Takes the beginning of a document.
    pub fn new(document: &Document) -> Self {
        let end = whole_end(document, Offset(MOST_OF_ONE));
        let text = without_secrets(Scan::default(), lf_text(document, Offset(0)..end));
        Self {
            digest: xxh3_128(text.as_bytes()),
            text: text.into(),
        }
    }
}

/// Several open files, and a digest of their texts.
///
/// As with [`Elsewhere`](crate::Elsewhere), two are equal if their digests are, and a copy that is
/// kept only for comparison keeps no text.
#[derive(Debug, Clone, Default)]
pub struct OpenFiles {
    texts: Vec<Arc<str>>,
    /// 0 if there are none.
    digest: u128,
}

impl OpenFiles {
    /// Takes the first of `files`, as long as they all fit. The result does not depend on the order
    /// of those taken, so switching from one file to another and back changes nothing. Consumes no
    /// more of the iterator than it examines.
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
            digest: if files.is_empty() {
                0
            } else {
                hash.digest128().max(1)
            },
            texts: files.iter().map(|file| file.text.clone()).collect(),
        }
    }

    /// Returns the digest of the texts.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// Returns the texts; none for a copy kept for comparison.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// Returns a copy without texts, for comparison.
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
