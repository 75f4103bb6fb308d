//! What the server keeps for its client: the state that the handlers share.
//!
//! Knows no method: `methods.rs` has their table, and the files of the groups their handlers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tabahead_session::Message;
use tabahead_speculation::{DocumentId, RequestId};
use tabahead_text::{Document, Offset, PositionEncoding, Version};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    menu::Menu,
    tower::{Handshake, Id},
    types::{WireDocument, WirePosition, WireRange},
};
use crate::lifecycle::Lifecycle;

/// The documents as the client has them, and the requests that it waits for.
pub(crate) struct Front {
    /// The program's version, reported to the client.
    pub(super) version: &'static str,
    session: mpsc::UnboundedSender<Message>,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) handshake: Handshake,
    /// The unit in which the client counts characters in a line.
    pub(super) encoding: PositionEncoding,
    /// The completion menu, for clients without inline completion.
    pub(super) menu: Option<Menu>,
    /// The open documents, by address.
    pub(super) documents: HashMap<String, ClientDocument>,
    /// The document that the client reported to have the focus, possibly before opening it.
    pub(super) focused: Option<String>,
    pub(super) pending: PendingRequests,
    next_document: u64,
    next_request: u64,
}

/// An open document.
pub(super) struct ClientDocument {
    pub(super) id: DocumentId,
    /// LSP language id; shared, because each request keeps a reference.
    pub(super) language: Arc<str>,
    pub(super) document: Document,
    /// False after a change that could not be read: the text is unknown until the next full text.
    pub(super) in_step: bool,
}

/// Requests that wait for the session, by the client's id.
pub(super) type PendingRequests = Arc<Mutex<HashMap<Id, (RequestId, CancellationToken)>>>;

impl Front {
    pub(crate) fn new(
        version: &'static str,
        session: mpsc::UnboundedSender<Message>,
        lifecycle: Arc<Lifecycle>,
        greeted: CancellationToken,
    ) -> Self {
        Self {
            version,
            session,
            lifecycle,
            handshake: Handshake::new(greeted),
            encoding: PositionEncoding::default(),
            menu: None,
            documents: HashMap::new(),
            focused: None,
            pending: PendingRequests::default(),
            next_document: 0,
            next_request: 0,
        }
    }

    /// Sends a message to the session.
    pub(super) fn send(&self, message: Message) {
        // The session outlives the front unless it panics, and then no answer comes anyway.
        let _ = self.session.send(message);
    }

    /// Returns a new document's id.
    pub(super) fn next_document(&mut self) -> DocumentId {
        self.next_document += 1;
        DocumentId(self.next_document - 1)
    }

    /// Returns a new request's id.
    pub(super) fn next_request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request - 1)
    }

    /// Returns the open document at an address if its text is known.
    pub(super) fn in_step(&self, uri: &str) -> Option<&ClientDocument> {
        self.documents.get(uri).filter(|open| open.in_step)
    }

    /// Returns the open document that a message is about, if its text is known and the message is
    /// about this version of it.
    pub(super) fn current(&self, about: &WireDocument) -> Option<&ClientDocument> {
        let version = about.version.map(Version);
        self.in_step(&about.uri)
            .filter(|open| version.is_none_or(|version| version == open.document.version()))
    }

    /// Returns the place of the client's position in a document.
    pub(super) fn offset_of(&self, document: &Document, position: WirePosition) -> Offset {
        document.offset_of(position.into(), self.encoding)
    }

    /// Returns the range of the client's range in a document. A range whose end is before its start
    /// is read the other way round.
    pub(super) fn range_of(
        &self,
        document: &Document,
        range: WireRange,
    ) -> std::ops::Range<Offset> {
        let start = self.offset_of(document, range.start);
        let end = self.offset_of(document, range.end);
        start.min(end)..start.max(end)
    }
}
