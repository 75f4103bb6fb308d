//! Which of the open documents an answer in one of them may copy from.

use std::cmp::Reverse;

use tabahead_context::{DocumentName, OpenFile, OpenFiles};
use tabahead_speculation::DocumentId;

use super::SessionLoop;

impl SessionLoop {
    /// A document was opened, changed or asked about.
    pub(super) fn touch(&mut self, document: DocumentId) {
        self.turn += 1;
        if let Some(open) = self.documents.get_mut(&document) {
            open.turn = self.turn;
        }
    }

    /// What decides an answer in a document besides its text.
    pub(super) fn document_name(&mut self, document: DocumentId) -> DocumentName {
        let open_files = self.open_files_beside(document);
        let open = self.documents.get(&document);
        let name = open.map(|open| open.file.document_name());
        DocumentName {
            open_files,
            ..name.unwrap_or_default()
        }
    }

    /// The others that get suggestions themselves, those that were touched last first.
    fn open_files_beside(&mut self, document: DocumentId) -> OpenFiles {
        let copying = &self.settings.copying;
        if !copying.enabled || !copying.open_files {
            return OpenFiles::default();
        }
        let others = self.documents.iter_mut().filter(|(id, open)| {
            let bytes = open.snapshot.len();
            **id != document && self.suitability.unsuitable(&open.file, bytes).is_none()
        });
        let mut others: Vec<_> = others.map(|(_, open)| open).collect();
        others.sort_unstable_by_key(|open| Reverse(open.turn));
        OpenFiles::new(others.into_iter().map(|open| {
            let snapshot = &open.snapshot;
            let copied = open.copied.get_or_insert_with(|| OpenFile::new(snapshot));
            &*copied
        }))
    }
}
