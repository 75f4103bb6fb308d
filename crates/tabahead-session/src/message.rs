//! What a session and its front exchange: messages from the editor, and notices to it.

use serde_json::Value;
use tabahead_context::Suggestion;
use tabahead_speculation::{Answer, DocumentId, RequestId, SelectedCompletion, SuggestionReport};
use tabahead_text::{Document, Edit, Offset, PositionEncoding};
use tokio::{sync::oneshot, time::Instant};

use crate::suitability::File;

/// A message from the front to the session.
#[derive(Debug)]
pub enum Message {
    /// A document was opened.
    Opened {
        /// The document.
        document: DocumentId,
        /// What is known about it besides its text.
        file: File,
        /// Its text.
        snapshot: Document,
    },
    /// The text of a document changed.
    Changed {
        /// The document.
        document: DocumentId,
        /// The text after the change.
        snapshot: Document,
        /// Edits that led from the previous text to `snapshot`, in order.
        edits: Vec<Edit>,
        /// The encoding of the edits' positions.
        encoding: PositionEncoding,
    },
    /// A document was closed.
    Closed {
        /// The document.
        document: DocumentId,
    },
    /// The editor requested a suggestion.
    Requested {
        /// What is requested.
        asked: SuggestionRequest,
        /// Receives the answer.
        reply: oneshot::Sender<Answer>,
    },
    /// The editor cancelled a request.
    Cancelled {
        /// The request.
        request: RequestId,
    },
    /// The editor reports what became of a suggestion.
    Reported(SuggestionReport),
    /// The cursor moved.
    CursorMoved {
        /// The document.
        document: DocumentId,
        /// New position of its cursor.
        cursor: Offset,
    },
    /// The editor shows a suggestion from another source.
    Shown {
        /// The document.
        document: DocumentId,
        /// The text in which it is shown.
        snapshot: Document,
        /// The cursor position in it.
        cursor: Offset,
        /// What is shown.
        suggestion: Suggestion,
    },
    /// Settings arrived, as they were sent. The first ones start the model.
    Settings {
        /// The source.
        layer: EditorLayer,
        /// The settings.
        value: Value,
    },
    /// The focus has moved.
    Focused {
        /// The document that has the focus; `None` if it is in none of the open ones.
        document: Option<DocumentId>,
    },
    /// The figures were requested.
    Stats {
        /// Receives the figures.
        reply: oneshot::Sender<Value>,
    },
}

/// A request for a suggestion.
#[derive(Debug)]
pub struct SuggestionRequest {
    /// Number of the request in the order of arrival.
    pub id: RequestId,
    /// The document.
    pub document: DocumentId,
    /// The text that the request is about.
    pub snapshot: Document,
    /// The cursor position in it.
    pub cursor: Offset,
    /// The item that is selected in the editor's completion menu, if any.
    pub selected: Option<SelectedCompletion>,
    /// Why the suggestion is requested.
    pub trigger: Trigger,
    /// Time at which the request was read.
    pub came: Instant,
}

/// Why a suggestion is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The editor asks automatically, as the user types.
    Automatic,
    /// The user asked for suggestions.
    Invoked,
    /// The editor fills its completion menu.
    Menu,
}

/// The editor's two sources of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditorLayer {
    /// `initializationOptions`.
    Initial,
    /// `workspace/didChangeConfiguration`; each replaces the previous one.
    Pushed,
}

/// A message from the session to the editor that answers no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The server's state.
    Status(Status),
    /// A line that the user must read.
    Problem(String),
}

/// The server's state, with respect to the document that has the focus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What the editor shows.
    pub kind: StatusKind,
    /// Whether a model is loading, so that the state will change.
    pub busy: bool,
    /// One line for the user.
    pub message: String,
    /// How much of a loading model has been read, in percent, if known.
    pub percent: Option<u8>,
}

/// The kinds of `didChangeStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusKind {
    /// Suggestions are made here.
    Normal,
    /// There are no suggestions here, or not yet.
    Inactive,
    /// The model cannot be used.
    Error,
}
