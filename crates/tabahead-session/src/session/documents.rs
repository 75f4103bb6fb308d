//! The open documents: their texts, where the user is among them, and which of them an answer in
//! another one may copy from.

use std::collections::{BTreeMap, HashMap};

use tabahead_context::{ContextSettings, DocumentName, OpenFile, OpenFiles, holds_secret_at};
use tabahead_speculation::{DocumentId, Input};
use tabahead_text::{Document, Offset};

use crate::{
    settings::CopyingSettings,
    suitability::{File, Suitability, Unsuitable},
};

/// Maximum number of documents examined for copying, so that the cost of an answer does not grow
/// with the number of open documents.
const MOST_LOOKED_AT: usize = 256;

/// What the settings say about documents.
#[derive(Clone, Copy)]
pub(super) struct DocumentRules<'a> {
    /// Which documents get suggestions.
    pub(super) suitability: &'a Suitability,
    /// What answers may copy from.
    pub(super) copying: &'a CopyingSettings,
}

/// An open document.
pub(super) struct SessionDocument {
    file: File,
    snapshot: Document,
    /// Whether the Speculator knows the document.
    shown: bool,
    /// Last reported position of its cursor.
    cursor: Option<Offset>,
    /// The text that answers in other documents may copy from; built on first use.
    copied: Option<OpenFile>,
}

impl SessionDocument {
    /// Returns what is known about the document besides its text.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Returns the text.
    pub(super) fn snapshot(&self) -> &Document {
        &self.snapshot
    }

    /// Returns whether the Speculator knows the document.
    pub(super) fn is_shown(&self) -> bool {
        self.shown
    }

    /// Returns why the document gets no suggestions; `None` if it gets them.
    pub(super) fn unsuitable(&self, suitability: &Suitability) -> Option<Unsuitable> {
        suitability.unsuitable(&self.file, self.snapshot.len())
    }
}

/// What the editor has reported about its focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Focus {
    /// Nothing so far, and perhaps it never will. Until then the most recently used document counts
    /// as focused.
    #[default]
    Unreported,
    /// The focus is in this document, or in none of the open ones.
    Reported(Option<DocumentId>),
}

/// All open documents.
#[derive(Default)]
pub(super) struct OpenDocuments {
    documents: HashMap<DocumentId, SessionDocument>,
    recency: Recency,
    focus: Focus,
}

impl OpenDocuments {
    /// Adds a document, as the most recent one.
    pub(super) fn open(&mut self, document: DocumentId, file: File, snapshot: Document) {
        let open = SessionDocument {
            file,
            snapshot,
            shown: false,
            cursor: None,
            copied: None,
        };
        self.documents.insert(document, open);
        self.recency.touch(document);
    }

    /// Replaces the text of a document; returns `None` if it is not open.
    pub(super) fn change(
        &mut self,
        document: DocumentId,
        snapshot: Document,
    ) -> Option<&SessionDocument> {
        let open = self.documents.get_mut(&document)?;
        open.snapshot = snapshot;
        open.copied = None;
        self.recency.touch(document);
        Some(open)
    }

    /// Removes a document and returns it.
    pub(super) fn close(&mut self, document: DocumentId) -> Option<SessionDocument> {
        let open = self.documents.remove(&document)?;
        self.recency.forget(document);
        Some(open)
    }

    /// Returns an open document.
    pub(super) fn get(&self, document: DocumentId) -> Option<&SessionDocument> {
        self.documents.get(&document)
    }

    /// Returns all open documents, in no particular order.
    pub(super) fn ids(&self) -> Vec<DocumentId> {
        self.documents.keys().copied().collect()
    }

    /// Returns the number of open documents.
    pub(super) fn len(&self) -> usize {
        self.documents.len()
    }

    /// Returns whether no document is open.
    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Notes that a suggestion was requested at a cursor.
    pub(super) fn request_at(&mut self, document: DocumentId, cursor: Offset) {
        self.recency.touch(document);
        if let Some(open) = self.documents.get_mut(&document) {
            open.cursor = Some(cursor);
        }
    }

    /// Notes that the cursor of a document was reported to have moved.
    pub(super) fn move_cursor(&mut self, document: DocumentId, cursor: Offset) {
        let Some(open) = self.documents.get_mut(&document) else {
            return;
        };
        open.cursor = Some(cursor);
        // A cursor moves where the user is. This holds while the model is loading, too.
        if self.focus == Focus::Reported(None) {
            self.focus = Focus::Reported(Some(document));
        }
    }

    /// Notes the document that has the focus; `None` if it is in none of the open ones.
    pub(super) fn move_focus(&mut self, document: Option<DocumentId>) {
        self.focus = Focus::Reported(document);
    }

    /// Returns whether the editor has reported its focus. Such an editor may open many documents
    /// that the user does not look at.
    pub(super) fn knows_focus(&self) -> bool {
        self.focus != Focus::Unreported
    }

    /// Forgets what the Speculator knows, because another one has taken its place.
    pub(super) fn hide_all(&mut self) {
        for open in self.documents.values_mut() {
            open.shown = false;
        }
    }

    /// Returns what the Speculator must receive about a document's current text: the text if the
    /// document is suitable, and otherwise that it is closed, if the Speculator knows it.
    pub(super) fn show(
        &mut self,
        document: DocumentId,
        suitability: &Suitability,
    ) -> Option<Input> {
        let open = self.documents.get_mut(&document)?;
        if open.unsuitable(suitability).is_none() {
            open.shown = true;
            let snapshot = open.snapshot.clone();
            Some(Input::DocumentChanged { document, snapshot })
        } else {
            std::mem::take(&mut open.shown).then_some(Input::DocumentClosed { document })
        }
    }

    /// Returns the input that reports where the cursor of a document is; `None` if the document is
    /// not suitable or the cursor is unknown.
    pub(super) fn cursor_input(
        &mut self,
        document: DocumentId,
        rules: DocumentRules<'_>,
    ) -> Option<Input> {
        let (snapshot, cursor) = self.suitable(document, rules.suitability)?;
        Some(Input::CursorMoved {
            document,
            snapshot,
            cursor: cursor?,
            name: self.name(document, rules),
        })
    }

    /// Returns the input that reports which document the user is in.
    pub(super) fn focus_input(&mut self, rules: DocumentRules<'_>) -> Input {
        let focused = match self.focus {
            Focus::Reported(document) => document,
            Focus::Unreported => self.recency.newest().next(),
        };
        let place = focused.and_then(|document| {
            let (snapshot, cursor) = self.suitable(document, rules.suitability)?;
            Some((document, snapshot, cursor))
        });
        match place {
            Some((document, snapshot, cursor)) => Input::Focused {
                document,
                snapshot,
                cursor,
                name: self.name(document, rules),
            },
            None => Input::FocusLost,
        }
    }

    /// Returns text and cursor of a document, if it is suitable.
    fn suitable(
        &self,
        document: DocumentId,
        suitability: &Suitability,
    ) -> Option<(Document, Option<Offset>)> {
        let open = self.documents.get(&document)?;
        let is_suitable = open.unsuitable(suitability).is_none();
        is_suitable.then(|| (open.snapshot.clone(), open.cursor))
    }

    /// Returns why there are no suggestions at the focus; the reason quotes nothing of the text.
    pub(super) fn why_not_here(&self, suitability: &Suitability) -> Option<String> {
        let Focus::Reported(focused) = self.focus else {
            return None;
        };
        let open = self.documents.get(&focused?)?;
        if let Some(reason) = open.unsuitable(suitability) {
            return Some(reason.to_string());
        }
        let cursor = open.cursor?;
        // No setting changes how long a line may be.
        let message = if ContextSettings::default().is_line_too_long(&open.snapshot, cursor) {
            LONG_LINE
        } else if holds_secret_at(&open.snapshot, cursor) {
            SECRET_LINE
        } else {
            return None;
        };
        Some(message.to_owned())
    }

    /// Returns what an answer in a document depends on besides its text.
    pub(super) fn name(&mut self, document: DocumentId, rules: DocumentRules<'_>) -> DocumentName {
        let open_files = self.open_files_beside(document, rules);
        let open = self.documents.get(&document);
        let name = open.map(|open| open.file.document_name());
        DocumentName {
            open_files,
            ..name.unwrap_or_default()
        }
    }

    /// Returns the other documents that get suggestions themselves, most recently touched first.
    fn open_files_beside(
        &mut self,
        document: DocumentId,
        DocumentRules {
            suitability,
            copying,
        }: DocumentRules<'_>,
    ) -> OpenFiles {
        if !copying.enabled || !copying.open_files {
            return OpenFiles::default();
        }
        let documents = &mut self.documents;
        let others = self.recency.newest().filter(|id| *id != document);
        OpenFiles::new(others.take(MOST_LOOKED_AT).filter_map(|id| {
            let open = documents.get_mut(&id)?;
            if open.unsuitable(suitability).is_some() {
                return None;
            }
            let snapshot = &open.snapshot;
            let copied = open.copied.get_or_insert_with(|| OpenFile::new(snapshot));
            Some(copied.clone())
        }))
    }
}

/// Status message where the cursor's line is too long, as in minified code.
const LONG_LINE: &str = "this line is too long";

/// Status message where the cursor's line holds a secret value.
const SECRET_LINE: &str = "this line holds what looks like a key, a token or a password";

/// The open documents, ordered by when each was last opened, changed or asked about.
#[derive(Debug, Default)]
struct Recency {
    turn: u64,
    by_turn: BTreeMap<u64, DocumentId>,
    turns: HashMap<DocumentId, u64>,
}

impl Recency {
    /// Makes a document the most recent one.
    fn touch(&mut self, document: DocumentId) {
        self.forget(document);
        self.turn += 1;
        self.by_turn.insert(self.turn, document);
        self.turns.insert(document, self.turn);
    }

    /// Removes a document.
    fn forget(&mut self, document: DocumentId) {
        if let Some(turn) = self.turns.remove(&document) {
            self.by_turn.remove(&turn);
        }
    }

    /// Returns the documents, most recently touched first.
    fn newest(&self) -> impl Iterator<Item = DocumentId> {
        self.by_turn.values().rev().copied()
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
