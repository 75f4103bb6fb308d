//! Reading ahead: the prompt where the cursor rests, computed before anybody asks.
//!
//! Only in the document that the user is in, only once the cursor has rested for [`REST`], and only
//! while nothing else is computed. No token is decoded. The next key's prompt begins with what was
//! read, so little is left to compute for it; a request that comes earlier waits for the rest of the
//! reading, which then runs for the user, and goes on from there. It changes no answer.
//!
//! Decides what to read and when; `reconcile` decides whether, and `generations.rs` runs it.

use std::time::Duration;

use tabahead_context::{ContextKey, DocumentName};
use tabahead_text::{Document, Offset};

use super::{For, Knowledge, Need, Speculator};
use crate::{
    DocumentId, Timestamp,
    chain::{Place, place_of_cursor},
    state::BufferState,
};

/// How long a cursor must stay where it is to count as at rest: longer than a held key takes to
/// repeat, shorter than it takes a user who has arrived somewhere to begin typing.
const REST: Duration = Duration::from_millis(100);

/// Where the user is, and what is read there.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The document that the user is in.
    document: Option<DocumentId>,
    name: DocumentName,
    /// When the cursor counts as at rest; `None` when it does already, or a request has come since.
    rests: Option<Timestamp>,
    /// What is to be read, until it is.
    state: Option<BufferState>,
    /// What was read last.
    read: Option<ContextKey>,
}

impl Speculator {
    /// The user is in a document, with this text; at this cursor, unless more recent inputs told of another.
    pub(super) fn focused(
        &mut self,
        document: DocumentId,
        snapshot: Document,
        cursor: Option<Offset>,
        name: DocumentName,
    ) {
        self.document_changed(document, snapshot.clone());
        let open = self.attended_document(document);
        open.place.get_or_insert_with(|| Place {
            cursor: place_of_cursor(&snapshot, cursor.unwrap_or_default()),
            document: snapshot,
        });
        self.attends(document, name);
    }

    /// The user is in no document that gets suggestions.
    pub(super) fn focus_lost(&mut self) {
        self.reading = Reading::default();
    }

    /// Nothing more is read in a document.
    pub(super) fn is_not_read(&mut self, document: DocumentId) {
        if self.reading.document == Some(document) {
            self.focus_lost();
        }
    }

    /// What is shown at a cursor goes with it.
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
            open.place = Some(Place {
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

    /// The user is in a document, and perhaps elsewhere in it than before.
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

    /// A request reads the prompt itself.
    pub(super) fn attended_by_request(&mut self, document: DocumentId, name: DocumentName) {
        self.reading = Reading {
            document: Some(document),
            name,
            ..Reading::default()
        };
    }

    /// The text changed around the user. What is being read goes on where a request for the new text
    /// would need it.
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

    /// Other settings may ask for another prompt.
    pub(super) fn read_anew(&mut self) {
        self.reading.read = None;
        if self.reading.state.take().is_some() {
            self.reading.state = self.state_at_rest();
        }
    }

    /// When the cursor counts as at rest.
    pub(super) fn rests_at(&self) -> Option<Timestamp> {
        self.reading.rests.filter(|_| self.settings.speculate)
    }

    /// The cursor has come to rest, if it is time.
    pub(super) fn cursor_rests(&mut self) {
        if self.rests_at().is_some_and(|rests| rests <= self.now) {
            self.reading.rests = None;
            self.reading.state = self.state_at_rest();
        }
    }

    /// The state at the cursor of the document that the user is in.
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

    /// What the state at rest needs to be read.
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
            // What runs has the same prompt to read.
            Need::Keep(id) => {
                self.reading.state = Some(state);
                Some((For::Reading, Need::Keep(id)))
            }
            Need::Begin(..) | Need::Continue(..) | Need::Read(..) => None,
        }
    }

    /// A prompt was read, or cannot be: it is not tried again while the user stays there.
    pub(super) fn was_read(&mut self, key: ContextKey) {
        self.reading.read = Some(key);
    }
}
