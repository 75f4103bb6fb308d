//! Handles each message, in the order of arrival.
//!
//! Everything whose order matters happens inside [`Front::take`], before it returns: edits are
//! applied, the snapshots of requests are captured, cancels take effect. It returns only the future
//! of an answer. [`Front::call`] lists every method.
//!
//! **A document has the editor's text or is known not to.** A message that could not be read, but
//! may have been a change, puts its document out of step: the document gets no suggestions until
//! its full text is sent ([`Front::lose_track`]).
//!
//! **A superseded request is answered with `null`.** VS Code's client and Neovim's both take it as
//! "nothing to show" without a message to the user, and Neovim keeps what it shows already; an
//! error would be logged there on each keystroke, since Neovim sends a new request without
//! cancelling the previous one. A request that the client itself cancelled is answered with -32800,
//! as LSP requires.

use std::{
    collections::HashMap,
    future::{Future, ready},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tabahead_context::Suggestion;
use tabahead_session::{EditorLayer, Message, Settings, Trigger};
use tabahead_speculation::{DocumentId, RequestId, SelectedCompletion, SuggestionId};
use tabahead_text::{Document, Edit, PositionEncoding, Range, Version};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    convert::{ACCEPTED_COMMAND, file, negotiate, on_the_wire},
    handshake::{Handshake, capabilities},
    menu::{Menu, MenuRequest},
    rpc::{Error, FirstArgument, Id, Response, Scalar},
    types::{
        AboutDocument, AboutItem, Cancel, Change, DidChange, DidChangeConfiguration, DidFocus,
        DidMoveCursor, DidOpen, DidShow, ExecuteCommand, Initialize, InlineCompletionParams,
        OurConfiguration,
    },
    wire::{AffectedDocuments, Call, affected_documents, read_message},
};
use crate::lifecycle::Lifecycle;

/// The documents as the client has them, and the requests that it waits for.
pub(crate) struct Front {
    /// The program's version, reported to the client.
    version: &'static str,
    session: mpsc::UnboundedSender<Message>,
    lifecycle: Arc<Lifecycle>,
    handshake: Handshake,
    encoding: PositionEncoding,
    /// The completion menu, for clients without inline completion.
    menu: Option<Menu>,
    documents: HashMap<String, ClientDocument>,
    /// The document that the client reported to have the focus, possibly before opening it.
    focused: Option<String>,
    pending: PendingRequests,
    next_document: u64,
    next_request: u64,
}

/// An open document.
struct ClientDocument {
    id: DocumentId,
    /// Shared, because each request keeps a reference.
    language: Arc<str>,
    document: Document,
    /// False after a change that could not be read: the text is unknown until the next full text.
    in_step: bool,
}

/// Requests that wait for the session, by the client's id.
type PendingRequests = Arc<Mutex<HashMap<Id, (RequestId, CancellationToken)>>>;

/// The future of an answer.
pub(super) type AnswerFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

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

    fn tell(&self, message: Message) {
        // The session outlives the front unless it panics, and then no answer comes anyway.
        let _ = self.session.send(message);
    }

    /// Returns the unit in which the client counts characters in a line.
    pub(super) fn encoding(&self) -> PositionEncoding {
        self.encoding
    }

    /// Handles the body of a message; returns the future of the answer if the message wants one.
    pub(super) fn take(&mut self, body: &str) -> Option<AnswerFuture> {
        match read_message(body) {
            Ok(Some(call)) => self.call(&call),
            Ok(None) => None,
            Err(broken) => {
                self.lose_track(body);
                Some(respond(broken.id?, Err(broken.error)))
            }
        }
    }

    /// Handles a request or a notification. A notification of LSP that arrives as a request is
    /// answered with `null`; a request of LSP that arrives as a notification gets no answer.
    fn call(&mut self, call: &Call<'_>) -> Option<AnswerFuture> {
        let id = call.id.clone();
        let method = call.method.as_str();
        match method {
            "initialize" => {
                let read = call.params::<Initialize>().and_then(values_of);
                let params = match read {
                    Ok(params) => params,
                    Err(error) => return Some(respond(id?, Err(error))),
                };
                let (id, result) = self.handshake.take(method, id)?.into_parts();
                let result = result.map(|_| self.initialize(&params));
                Some(respond(id, result))
            }
            "initialized" | "shutdown" => {
                let answer = self.handshake.take(method, id)?;
                Some(Box::pin(ready(answer)))
            }
            "exit" => {
                self.handshake.take(method, id);
                let code = i32::from(!self.handshake.has_shut_down());
                self.lifecycle.end(code);
                None
            }
            "$/cancelRequest" if id.is_none() => {
                self.cancel(call);
                None
            }
            _ if self.handshake.is_running() && OURS.contains(&method) => self.handle(call),
            // "If a server or client receives a request starting with `$/` it must error the
            // request".
            _ if self.handshake.is_running() || method.starts_with("$/") => {
                Some(respond(id?, Err(Error::method_not_found())))
            }
            // Before `initialize` or after `shutdown`.
            _ => {
                let answer = self.handshake.take(method, id)?;
                Some(Box::pin(ready(answer)))
            }
        }
    }

    /// Takes what matters from the parameters of `initialize`; returns the result.
    fn initialize(&mut self, params: &Value) -> Value {
        self.encoding = negotiate(params);
        self.menu = Menu::of(params);
        if let Some(pid) = params.get("processId").and_then(Value::as_u64)
            && let Ok(pid) = u32::try_from(pid)
        {
            self.lifecycle.set_parent(pid);
        }
        let mut options = params
            .get("initializationOptions")
            .cloned()
            .unwrap_or_default();
        if let Value::Object(options) = &mut options {
            // Copilot's clients send their own names here.
            options.remove("editorInfo");
            options.remove("editorPluginInfo");
        }
        self.tell(Message::Settings {
            layer: EditorLayer::Initial,
            value: options,
        });
        capabilities(self.version, self.encoding, self.menu)
    }

    fn open(&mut self, params: DidOpen) {
        let text_document = params.text_document;
        self.close(&text_document.uri);
        let id = DocumentId(self.next_document);
        self.next_document += 1;
        let document = Document::new(&text_document.text, Version(text_document.version));
        let language = text_document.language_id.as_str().into();
        self.tell(Message::Opened {
            document: id,
            file: file(&text_document.uri, &text_document.language_id),
            snapshot: document.clone(),
        });
        let open = ClientDocument {
            id,
            language,
            document,
            in_step: true,
        };
        let is_focused = self.focused.as_ref() == Some(&text_document.uri);
        self.documents.insert(text_document.uri, open);
        if is_focused {
            self.tell_focus();
        }
    }

    fn change(&mut self, params: DidChange) {
        let Some(open) = self.documents.get_mut(&params.text_document.uri) else {
            tracing::warn!("a document changed that is not open");
            return;
        };
        // The order of arrival decides what the text is; the version only labels it.
        let version = params.text_document.version.map(Version);
        let version = version.unwrap_or(open.document.version());
        let starts_anew = params.content_changes.iter().any(|c| c.range.is_none());
        if !open.in_step && !starts_anew {
            return;
        }
        open.in_step = true;
        let edits: Vec<Edit> = params
            .content_changes
            .into_iter()
            .map(|Change { range, text }| Edit {
                range: range.map(Range::from),
                text,
            })
            .collect();
        open.document.apply(&edits, self.encoding, version);
        let message = Message::Changed {
            document: open.id,
            snapshot: open.document.clone(),
            edits,
            encoding: self.encoding,
        };
        self.tell(message);
    }

    /// Handles a message that could not be read: every document that it may have changed is out of
    /// step until its full text is sent.
    pub(super) fn lose_track(&mut self, text: &str) {
        let addresses = match affected_documents(text) {
            AffectedDocuments::None => return tracing::warn!("a message could not be read"),
            AffectedDocuments::Named(addresses) => addresses,
            AffectedDocuments::All => self.documents.keys().cloned().collect(),
        };
        addresses.iter().for_each(|address| self.lose(address));
    }

    fn lose(&mut self, uri: &str) {
        if let Some(open) = self.documents.get_mut(uri) {
            tracing::warn!("a change could not be read: no suggestions until the next full text");
            open.in_step = false;
            let document = open.id;
            self.tell(Message::Dismissed { document });
        }
    }

    fn close(&mut self, uri: &str) {
        if let Some(open) = self.documents.remove(uri) {
            self.tell(Message::Closed { document: open.id });
        }
    }

    /// Captures the snapshot that the request must see; returns a future for its answer.
    fn complete(
        &mut self,
        id: Id,
        params: InlineCompletionParams,
        menu: Option<Menu>,
    ) -> AnswerFuture {
        let nothing = Value::Null;
        let Some(open) = self.documents.get(&params.text_document.uri) else {
            return respond(id, Ok(nothing));
        };
        let asked = params.text_document.version.map(Version);
        if !open.in_step || asked.is_some_and(|asked| asked != open.document.version()) {
            return respond(id, Ok(nothing));
        }
        let (document, encoding) = (open.document.clone(), self.encoding);
        let offset = |position| document.offset_of(position, encoding);
        let cursor = offset(params.position.into());
        let context = params.context;
        let kind = context.as_ref().and_then(|context| context.trigger_kind);
        let trigger = match (menu, kind) {
            (Some(_), _) => Trigger::Menu,
            (None, Some(1)) => Trigger::Invoked,
            (None, _) => Trigger::Automatic,
        };
        let selected = context
            .and_then(|context| context.selected_completion_info)
            .map(|info| {
                let range = Range::from(info.range);
                let (start, end) = (offset(range.start), offset(range.end));
                SelectedCompletion {
                    range: start.min(end)..start.max(end),
                    text: info.text,
                }
            });
        // "The range of the edit must be a single line range and it must contain the position at
        // which completion was requested": a suggestion that extends an item elsewhere would be
        // elsewhere, too.
        let line = document.line_range(document.line_of(cursor));
        if let Some(SelectedCompletion { range, .. }) = &selected {
            let is_around = range.start <= cursor && cursor <= range.end;
            if !is_around || range.start < line.start || line.end < range.end {
                return respond(id, Ok(nothing));
            }
        }
        let request = RequestId(self.next_request);
        self.next_request += 1;
        let cancelled = CancellationToken::new();
        let known = (request, cancelled.clone());
        if lock(&self.pending).insert(id.clone(), known).is_some() {
            tracing::warn!("a request's id is used twice");
        }
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Requested {
            request,
            document: open.id,
            snapshot: document.clone(),
            cursor,
            selected,
            trigger,
            came: Instant::now(),
            reply,
        });
        let (pending, lifecycle) = (Arc::clone(&self.pending), Arc::clone(&self.lifecycle));
        let asked = MenuRequest {
            document,
            cursor,
            encoding,
            language: Arc::clone(&open.language),
        };
        Box::pin(async move {
            let result = tokio::select! {
                biased;
                () = cancelled.cancelled() => Err(Error::request_cancelled()),
                answer = answer => match (answer, menu) {
                    (Ok(answer), Some(menu)) => Ok(menu.on_the_wire(answer, &asked)),
                    (Ok(answer), None) => Ok(on_the_wire(answer, &asked.document, encoding)),
                    // The session dropped the request: it ended with the server, or there is
                    // nothing to show.
                    (Err(_), _) if lifecycle.has_ended() => Err(Error::request_cancelled()),
                    (Err(_), _) => Ok(Value::Null),
                },
                () = lifecycle.ended() => Err(Error::request_cancelled()),
            };
            let mut pending = lock(&pending);
            if pending.get(&id).is_some_and(|(known, _)| *known == request) {
                pending.remove(&id);
            }
            drop(pending);
            Response::from_parts(id, result)
        })
    }

    /// Cancels a request if it still waits.
    fn cancel(&mut self, call: &Call<'_>) {
        let id = match call.params::<Cancel>().map(|params| params.id) {
            Ok(Scalar::Number(number)) => Id::Number(number),
            Ok(Scalar::Text(text)) => Id::String(text),
            _ => return,
        };
        let waiting = lock(&self.pending).remove(&id);
        if let Some((request, cancelled)) = waiting {
            cancelled.cancel();
            self.tell(Message::Cancelled { request });
        }
    }

    fn execute(&mut self, params: ExecuteCommand) -> Result<(), Error> {
        if params.command != ACCEPTED_COMMAND {
            return Err(Error::invalid_params("unknown command"));
        }
        let suggestion = suggestion_of(params.arguments)?;
        self.tell(Message::Accepted { suggestion });
        Ok(())
    }

    fn focus(&mut self, params: DidFocus) {
        self.focused = params.text_document.map(|document| document.uri);
        self.tell_focus();
    }

    fn tell_focus(&self) {
        let open = self
            .focused
            .as_ref()
            .and_then(|uri| self.documents.get(uri));
        let document = open.map(|open| open.id);
        self.tell(Message::Focused { document });
    }

    fn moved(&mut self, params: DidMoveCursor) {
        let Some(open) = self.documents.get(&params.text_document.uri) else {
            return;
        };
        // A client may hold back the change that moved its cursor.
        let version = params.text_document.version.map(Version);
        if !open.in_step || version.is_some_and(|of| of != open.document.version()) {
            return;
        }
        let position = params.position.into();
        let message = Message::CursorMoved {
            document: open.id,
            cursor: open.document.offset_of(position, self.encoding),
        };
        self.tell(message);
    }

    fn shown(&mut self, params: DidShow) {
        let Some(open) = self.documents.get(&params.text_document.uri) else {
            return;
        };
        if !open.in_step {
            return;
        }
        let document = &open.document;
        let offset = |position| document.offset_of(position, self.encoding);
        let range = Range::from(params.range);
        let (start, end) = (offset(range.start), offset(range.end));
        let message = Message::Shown {
            document: open.id,
            snapshot: document.clone(),
            cursor: offset(params.position.into()),
            suggestion: Suggestion {
                range: start.min(end)..start.max(end),
                text: params.insert_text,
            },
        };
        self.tell(message);
    }

    fn stats(&mut self, id: Id) -> AnswerFuture {
        let (reply, stats) = oneshot::channel();
        self.tell(Message::Stats { reply });
        Box::pin(async move {
            let stats = stats.await.map_err(|_| Error::internal_error());
            Response::from_parts(id, stats)
        })
    }

    /// Handles a message of one of the methods in `OURS`.
    fn handle(&mut self, call: &Call<'_>) -> Option<AnswerFuture> {
        let id = call.id.clone();
        let result = match call.method.as_str() {
            "textDocument/didOpen" => match call.params() {
                Ok(params) => {
                    self.open(params);
                    Ok(())
                }
                Err(error) => self.refuse_text(call, error),
            },
            "textDocument/didChange" => match call.params() {
                Ok(params) => {
                    self.change(params);
                    Ok(())
                }
                Err(error) => self.refuse_text(call, error),
            },
            "textDocument/didClose" => call
                .params::<AboutDocument>()
                .map(|params| self.close(&params.text_document.uri)),
            "textDocument/inlineCompletion" => match call.params() {
                Ok(params) => return Some(self.complete(id?, params, None)),
                Err(error) => Err(error),
            },
            "textDocument/completion" => match (call.params(), self.menu) {
                (_, None) => Err(Error::method_not_found()),
                (Ok(params), menu) => return Some(self.complete(id?, params, menu)),
                (Err(error), _) => Err(error),
            },
            "workspace/executeCommand" => call.params().and_then(|params| self.execute(params)),
            "workspace/didChangeConfiguration" => {
                let settings = call.values::<DidChangeConfiguration>();
                // Other programs' settings may be of any depth and size.
                let ours = || call.params::<OurConfiguration>();
                match settings.map(|params| params.settings) {
                    Ok(settings) => self.configure(settings),
                    Err(_) => match ours().map(|params| params.settings.tabahead) {
                        Ok(ours) if !ours.is_null() => self.configure(json!({"tabahead": ours})),
                        // What the settings were meant to turn off is unknown, so everything is
                        // turned off.
                        _ => self.configure(json!("unreadable")),
                    },
                }
                Ok(())
            }
            "tabahead/didDismiss" => call
                .params::<AboutDocument>()
                .map(|params| self.dismissed(&params.text_document.uri)),
            "textDocument/didShowCompletion" => call
                .params()
                .and_then(of_item)
                .map(|(suggestion, _)| self.tell(Message::Displayed { suggestion })),
            "textDocument/didPartiallyAcceptCompletion" => {
                let item = call.params().and_then(of_item);
                item.map(|(suggestion, length)| {
                    self.tell(Message::AcceptedPart { suggestion, length });
                })
            }
            "textDocument/didFocus" => call.params().map(|params| self.focus(params)),
            "tabahead/didMoveCursor" => call.params().map(|params| self.moved(params)),
            "tabahead/didShow" => call.params().map(|params| self.shown(params)),
            "tabahead/stats" => return Some(self.stats(id?)),
            // Copilot's clients send more messages than needed.
            _ => Ok(()),
        };
        if let (None, Err(error)) = (&id, &result) {
            tracing::warn!(
                method = call.method,
                code = error.code.code(),
                "unreadable notification"
            );
        }
        Some(respond(id?, result.map(|()| Value::Null)))
    }

    /// Handles a text or a change that cannot be read. A complete message that names no document
    /// concerns none.
    fn refuse_text(&mut self, call: &Call<'_>, error: Error) -> Result<(), Error> {
        if let AffectedDocuments::Named(addresses) = affected_documents(call.body) {
            addresses.iter().for_each(|address| self.lose(address));
        }
        Err(error)
    }

    fn configure(&mut self, value: Value) {
        // `null` reports that something changed, but not what.
        if value.is_null() || value.get("tabahead") == Some(&Value::Null) {
            return;
        }
        if Settings::are_of_others(&value) {
            return tracing::debug!("the settings of other programs came");
        }
        let layer = EditorLayer::Pushed;
        self.tell(Message::Settings { layer, value });
    }

    fn dismissed(&mut self, uri: &str) {
        if let Some(open) = self.documents.get(uri) {
            let document = open.id;
            self.tell(Message::Dismissed { document });
        }
    }
}

/// The methods that [`Front::handle`] handles.
const OURS: [&str; 14] = [
    "textDocument/didOpen",
    "textDocument/didChange",
    "textDocument/didClose",
    "textDocument/inlineCompletion",
    "textDocument/completion",
    "textDocument/didShowCompletion",
    "textDocument/didPartiallyAcceptCompletion",
    "textDocument/didFocus",
    "workspace/executeCommand",
    "workspace/didChangeConfiguration",
    "tabahead/didMoveCursor",
    "tabahead/didDismiss",
    "tabahead/didShow",
    "tabahead/stats",
];

/// Returns the suggestion that the first argument of its command names.
fn suggestion_of(FirstArgument(first): FirstArgument) -> Result<SuggestionId, Error> {
    let id = match first {
        Scalar::Text(id) => id.parse().ok(),
        Scalar::Number(id) => u64::try_from(id).ok(),
        Scalar::Null | Scalar::Other => None,
    };
    id.map(SuggestionId)
        .ok_or_else(|| Error::invalid_params("the first argument must be a suggestion's id"))
}

/// Returns the suggestion that an item is, and how much of it was accepted.
fn of_item(params: AboutItem) -> Result<(SuggestionId, usize), Error> {
    let suggestion = suggestion_of(params.item.command.arguments)?;
    Ok((suggestion, params.accepted_length))
}

/// Converts the parameters to a JSON value.
fn values_of(read: Initialize) -> Result<Value, Error> {
    serde_json::to_value(read).map_err(|error| Error::invalid_params(error.to_string()))
}

fn respond(id: Id, result: Result<Value, Error>) -> AnswerFuture {
    Box::pin(ready(Response::from_parts(id, result)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
