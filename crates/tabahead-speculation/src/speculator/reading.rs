//! Reading ahead: processes the prompt where the cursor rests before it is requested.
//!
//! Only in the document that the user is in, only once the cursor has rested for [`REST`], and only
//! while nothing else is computed. No token is decoded. The prompt after the next key begins with
//! what was read, so little is left to compute for it. A request that comes earlier waits for the
//! rest of the reading, which then runs for the user, and continues from there. Reading ahead
//! changes no answer.
//!
//! Decides what to read and when; `reconcile` decides whether to read, and `generations.rs` runs
//! it.

use std::time::Duration;

use tabahead_context::{ContextKey, DocumentName};
use tabahead_text::{Document, Offset};

use super::{For, Knowledge, Need, Speculator};
use crate::{
    DocumentId, Timestamp,
    chain::{UserPlace, place_of_cursor},
    state::BufferState,
};

/// Time that a cursor must stay in place to count as at rest: longer than the repeat interval of a
/// held key, shorter than the pause before a user who has moved somewhere begins to type.
const REST: Duration = Duration::from_millis(100);

/// The place of the user, and what to read there.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Document that the user is in.
    document: Option<DocumentId>,
    name: DocumentName,
    /// Time at which the cursor counts as at rest; `None` if it already does, or if a request has
    /// come since.
    rests: Option<Timestamp>,
    /// State to read, until it is read.
    state: Option<BufferState>,
    /// Key of the state that was read last.
    read: Option<ContextKey>,
}

impl Speculator {
    /// Records that the user is in a document with this text. The cursor is `cursor`, unless more
    /// recent inputs have given another one.
    pub(super) fn focused(
        &mut self,
        document: DocumentId,
        snapshot: Document,
        cursor: Option<Offset>,
        name: DocumentName,
    ) {
        self.document_changed(document, snapshot.clone());
        let open = self.attended_document(document);
        open.place.get_or_insert_with(|| UserPlace {
            cursor: place_of_cursor(&snapshot, cursor.unwrap_or_default()),
            document: snapshot,
        });
        self.attends(document, name);
    }

    /// Records that the user is in no document that gets suggestions.
    pub(super) fn focus_lost(&mut self) {
        self.reading = Reading::default();
    }

    /// Stops reading in a document.
    pub(super) fn is_not_read(&mut self, document: DocumentId) {
        if self.reading.document == Some(document) {
            self.focus_lost();
        }
    }

    /// Records that the cursor moved. What was shown at the old cursor is dropped.
    pub(super) fn cursor_moved(
        &mut self,
        document: DocumentId,
        snapshot: Document,
        cursor: Offset,
        name: DocumentName,
    ) {
        self.document_changed(document, snapshot.clone());
        let cursor = place_of_cursor(&snapshot, cursor);
        let open = self.attended_document(document);
        if open.place.as_ref().map(|place| place.cursor) != Some(cursor) {
            open.place = Some(UserPlace {
                document: snapshot,
                cursor,
            });
            open.chain = None;
            open.forget_offers();
            self.attends(document, name);
        } else if self.reading.document != Some(document) {
            self.attends(document, name);
        }
    }

    /// Records that the user is in a document, perhaps at another place in it than before.
    fn attends(&mut self, document: DocumentId, name: DocumentName) {
        let read = self.reading.read;
        self.reading = Reading {
            read: read.filter(|_| self.reading.document == Some(document)),
            document: Some(document),
            name,
            rests: Some(self.rest_from_now()),
            state: None,
        };
    }

    /// Records that the user made a request in a document. The request reads the prompt itself.
    pub(super) fn attended_by_request(&mut self, document: DocumentId, name: DocumentName) {
        self.reading = Reading {
            document: Some(document),
            name,
            ..Reading::default()
        };
    }

    /// Follows a change of the text around the user. The current reading continues if a request for
    /// the new text would need it.
    pub(super) fn reading_follows(&mut self, document: DocumentId) {
        if self.reading.document != Some(document) {
            return;
        }
        self.reading.rests = Some(self.rest_from_now());
        if let Some(read) = self.reading.state.take()
            && let Some(here) = self.state_at_rest()
            && let (Ok(before), Ok(after)) = (&read.view, &here.view)
            && after.has_base_of(before)
            && after.window.tail.starts_with(&before.window.tail)
        {
            self.reading.state = Some(read);
        }
    }

    fn rest_from_now(&self) -> Timestamp {
        Timestamp(self.now.0 + REST)
    }

    /// Restarts the reading, because other settings may need another prompt.
    pub(super) fn read_anew(&mut self) {
        self.reading.read = None;
        if self.reading.state.take().is_some() {
            self.reading.state = self.state_at_rest();
        }
    }

    /// Returns when the cursor counts as at rest.
    pub(super) fn rests_at(&self) -> Option<Timestamp> {
        self.reading.rests.filter(|_| self.settings.speculate)
    }

    /// Records that the cursor is at rest, if it is time.
    pub(super) fn cursor_rests(&mut self) {
        if self.rests_at().is_some_and(|rests| rests <= self.now) {
            self.reading.rests = None;
            self.reading.state = self.state_at_rest();
        }
    }

    /// Returns the state at the cursor of the document that the user is in.
    fn state_at_rest(&self) -> Option<BufferState> {
        let place = self
            .documents
            .get(&self.reading.document?)?
            .place
            .as_ref()?;
        Some(BufferState::new(
            place.document.clone(),
            place.cursor,
            self.reading.name.clone(),
            &self.settings.context,
            &self.profile,
        ))
    }

    /// Returns what the state at rest needs in order to be read.
    pub(super) fn read_ahead(&mut self) -> Option<(For, Need)> {
        let mut state = self.reading.state.take()?;
        if !self.settings.speculate {
            return None;
        }
        let Knowledge::Needs(need) = self.look_up(&mut state) else {
            return None;
        };
        let key = state.view.as_ref().ok()?.key;
        match need {
            Need::Begin(view, ..) if self.reading.read != Some(key) => {
                self.reading.state = Some(state);
                Some((For::Reading, Need::Read(view)))
            }
            // The running generation has the same prompt to read.
            Need::Keep(id) => {
                self.reading.state = Some(state);
                Some((For::Reading, Need::Keep(id)))
            }
            Need::Begin(..) | Need::Continue(..) | Need::Read(..) => None,
        }
    }

    /// Records that a prompt was read, or cannot be: it is not tried again while the user stays
    /// there.
    pub(super) fn was_read(&mut self, key: ContextKey) {
        self.reading.read = Some(key);
    }
}
