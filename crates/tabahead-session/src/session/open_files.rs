//! Selects the open documents that an answer in another one may copy from.

use std::collections::{BTreeMap, HashMap};

use tabahead_context::{DocumentName, OpenFile, OpenFiles};
use tabahead_speculation::DocumentId;

use super::SessionLoop;

/// Maximum number of documents examined for copying, so that the cost of an answer does not grow
/// with the number of open documents.
const MOST_LOOKED_AT: usize = 256;

/// The open documents, ordered by when each was last opened, changed or asked about.
#[derive(Debug, Default)]
pub(super) struct Recency {
    turn: u64,
    by_turn: BTreeMap<u64, DocumentId>,
    turns: HashMap<DocumentId, u64>,
}

impl Recency {
    /// Makes a document the most recent one.
    pub(super) fn touch(&mut self, document: DocumentId) {
        self.forget(document);
        self.turn += 1;
        self.by_turn.insert(self.turn, document);
        self.turns.insert(document, self.turn);
    }

    /// Removes a document.
    pub(super) fn forget(&mut self, document: DocumentId) {
        if let Some(turn) = self.turns.remove(&document) {
            self.by_turn.remove(&turn);
        }
    }

    /// Returns the documents, most recently touched first.
    pub(super) fn newest(&self) -> impl Iterator<Item = DocumentId> {
        self.by_turn.values().rev().copied()
    }
}

impl SessionLoop {
    /// Returns what an answer in a document depends on besides its text.
    pub(super) fn document_name(&mut self, document: DocumentId) -> DocumentName {
        let open_files = self.open_files_beside(document);
        let open = self.documents.get(&document);
        let name = open.map(|open| open.file.document_name());
        DocumentName {
            open_files,
            ..name.unwrap_or_default()
        }
    }

    /// Returns the other documents that get suggestions themselves, most recently touched first.
    fn open_files_beside(&mut self, document: DocumentId) -> OpenFiles {
        let (documents, settings) = (&mut self.documents, &self.settings);
        if !settings.copying.enabled || !settings.copying.open_files {
            return OpenFiles::default();
        }
        let suitability = &self.suitability;
        let others = self.recency.newest().filter(|id| *id != document);
        OpenFiles::new(others.take(MOST_LOOKED_AT).filter_map(|id| {
            let open = documents.get_mut(&id)?;
            let bytes = open.snapshot.len();
            if suitability.unsuitable(&open.file, bytes).is_some() {
                return None;
            }
            let snapshot = &open.snapshot;
            let copied = open.copied.get_or_insert_with(|| OpenFile::new(snapshot));
            Some(copied.clone())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_that_was_touched_last_comes_first() {
        let mut recency = Recency::default();
        let newest = |recency: &Recency| recency.newest().map(|id| id.0).collect::<Vec<_>>();
        for id in [1, 2, 3, 2] {
            recency.touch(DocumentId(id));
        }
        assert_eq!(newest(&recency), [2, 3, 1]);
        recency.forget(DocumentId(3));
        recency.forget(DocumentId(4));
        assert_eq!(newest(&recency), [2, 1]);
    }
}
