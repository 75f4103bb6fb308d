//! Where the user is: the document whose prompt the Speculator may read ahead, and the cursor in
//! it.

use tabahead_speculation::{DocumentId, Input};
use tabahead_text::Offset;

use super::SessionLoop;

/// What the editor has reported about its focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Focus {
    /// Nothing so far, and perhaps it never will. Until then the most recently used document counts
    /// as focused.
    #[default]
    Unreported,
    /// The focus is in this document, or in none of the open ones.
    Reported(Option<DocumentId>),
}

impl SessionLoop {
    /// Handles that a document was opened, which makes it the most recent one.
    pub(super) fn opened(&mut self) {
        // An editor that reports its focus may open many documents that the user does not look at.
        if self.focus == Focus::Unreported {
            self.attend();
        }
    }

    /// Handles that the cursor of a document was reported to have moved.
    pub(super) fn cursor_moved(&mut self, document: DocumentId, cursor: Offset) {
        let Some(open) = self.documents.get_mut(&document) else {
            return;
        };
        open.cursor = Some(cursor);
        // A cursor moves where the user is. This holds while the model is loading, too.
        if self.focus == Focus::Reported(None) {
            self.focus = Focus::Reported(Some(document));
        }
        let snapshot = open.snapshot.clone();
        self.tell_status();
        if self.is_suitable(document) {
            let name = self.document_name(document);
            self.tell(Input::CursorMoved {
                document,
                snapshot,
                cursor,
                name,
            });
        }
    }

    /// Reports to the Speculator which document the user is in.
    pub(super) fn attend(&mut self) {
        let document = match self.focus {
            Focus::Reported(document) => document,
            Focus::Unreported => self.recency.newest().next(),
        };
        let Some(document) = document.filter(|document| self.is_suitable(*document)) else {
            return self.tell(Input::FocusLost);
        };
        let name = self.document_name(document);
        let Some(open) = self.documents.get(&document) else {
            return;
        };
        let snapshot = open.snapshot.clone();
        self.tell(Input::Focused {
            document,
            snapshot,
            cursor: open.cursor,
            name,
        });
    }

    fn is_suitable(&self, document: DocumentId) -> bool {
        self.documents.get(&document).is_some_and(|open| {
            (self.suitability.unsuitable(&open.file, open.snapshot.len())).is_none()
        })
    }
}
