//! Where the user is: the document whose prompt the Speculator may read ahead, and the cursor in it.

use tabahead_speculation::{DocumentId, Input};
use tabahead_text::Offset;

use super::SessionLoop;

/// What the editor reports of its focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Focus {
    /// Nothing so far; perhaps it never does. Then the focus is where the latest thing happened.
    #[default]
    Unreported,
    /// This document has it, or none that is open.
    Reported(Option<DocumentId>),
}

impl SessionLoop {
    /// A document was opened, more recently than all others.
    pub(super) fn opened(&mut self) {
        // An editor that reports its focus may open many without looking at them.
        if self.focus == Focus::Unreported {
            self.attend();
        }
    }

    /// The cursor of a document was reported to be elsewhere.
    pub(super) fn cursor_moved(&mut self, document: DocumentId, cursor: Offset) {
        let Some(open) = self.documents.get_mut(&document) else {
            return;
        };
        open.cursor = Some(cursor);
        // A cursor moves where the user is, also while the model is loaded.
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

    /// Tells the Speculator which document the user is in.
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
