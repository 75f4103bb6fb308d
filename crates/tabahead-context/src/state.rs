//! A state that a model is asked about: a text, a cursor in it, and the document's name.

use tabahead_text::{Document, Offset};

use crate::{DocumentName, Suggestion};

/// A text, a cursor in it and the document's name.
#[derive(Debug, Clone)]
pub struct State {
    /// The text.
    pub document: Document,
    /// The cursor.
    pub cursor: Offset,
    /// The document's name, and the files that are open beside it.
    pub name: DocumentName,
}

impl State {
    /// Returns the state after the accept of `suggestion`, which was shown here.
    pub fn accepted(&self, suggestion: &Suggestion) -> Self {
        let (document, cursor) = suggestion.apply(&self.document);
        Self {
            document,
            cursor,
            name: self.name.clone(),
        }
    }

    /// Returns the text before the cursor.
    pub fn before(&self) -> String {
        self.document.slice(Offset(0)..self.cursor)
    }

    /// Returns the text after the cursor.
    pub fn after(&self) -> String {
        let end = Offset(self.document.len());
        self.document.slice(self.cursor..end)
    }
}
