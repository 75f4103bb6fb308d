//! The service that tower-lsp calls for each message, in the order of arrival.
//!
//! Everything whose order matters happens inside `call`, before it returns: edits are applied,
//! requests are stamped with the snapshot that they must see, cancels take effect. What is returned
//! is only the waiting for an answer. [`Front::call`] lists every method.
//!
//! **What a superseded request is answered**: `null`. VS Code's client and Neovim's both take it
//! as "nothing to show" without a word to the user, and Neovim keeps what it shows already; an error
//! would be logged there on each keystroke, since Neovim sends a new request without cancelling
//! the one before. A request that the client itself cancelled is answered -32800, as LSP asks.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tabahead_context::Suggestion;
use tabahead_speculation::{DocumentId, RequestId, SelectedCompletion, SuggestionId};
use tabahead_text::{Document, Edit, PositionEncoding, Range, Version};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};

use super::{
    convert::{ACCEPTED_COMMAND, file, negotiate, on_the_wire, with_capabilities},
    menu::{Asked, Menu},
    types::{
        AboutDocument, AboutItem, Change, DidChange, DidFocus, DidMoveCursor, DidOpen, DidShow,
        ExecuteCommand, InlineCompletionParams,
    },
    wire::{END_OF_INPUT, MALFORMED},
};
use crate::{
    lifeline::Lifeline,
    session::{EditorLayer, Message, Trigger},
};

/// The service in front of tower-lsp's.
pub(crate) struct Front<S> {
    inner: S,
    session: mpsc::UnboundedSender<Message>,
    lifeline: Arc<Lifeline>,
    /// Tripped when the client may be sent anything.
    greeted: CancellationToken,
    phase: Phase,
    encoding: PositionEncoding,
    /// Of a client that shows suggestions there.
    menu: Option<Menu>,
    documents: HashMap<String, Open>,
    /// Where the client says that the focus is; it may say so before it opens that document.
    focused: Option<String>,
    pending: Pending,
    next_document: u64,
    next_request: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fresh,
    Running,
    ShutDown,
}

/// An open document.
struct Open {
    id: DocumentId,
    /// Shared, because each request takes it along.
    language: Arc<str>,
    document: Document,
    /// False after a change that could not be read: until the next full text nothing is known.
    in_step: bool,
}

/// Requests that wait for the session, by the client's id.
type Pending = Arc<Mutex<HashMap<Id, (RequestId, CancellationToken)>>>;

/// What the service gives for a message.
type Answering<E> = Pin<Box<dyn Future<Output = Result<Option<Response>, E>> + Send>>;

impl<S> Front<S> {
    pub(crate) fn new(
        inner: S,
        session: mpsc::UnboundedSender<Message>,
        lifeline: Arc<Lifeline>,
        greeted: CancellationToken,
    ) -> Self {
        Self {
            inner,
            session,
            lifeline,
            greeted,
            phase: Phase::Fresh,
            encoding: PositionEncoding::default(),
            menu: None,
            documents: HashMap::new(),
            focused: None,
            pending: Pending::default(),
            next_document: 0,
            next_request: 0,
        }
    }

    fn tell(&self, message: Message) {
        // The session ends after the front, except by a panic, and then nobody answers anyway.
        let _ = self.session.send(message);
    }

    /// Takes what matters from `initialize`, and leaves tower-lsp only what it cannot refuse: its
    /// types are older than many clients.
    fn initialize(&mut self, params: &Value) {
        self.phase = Phase::Running;
        self.encoding = negotiate(params);
        self.menu = Menu::of(params);
        if let Some(pid) = params.get("processId").and_then(Value::as_u64)
            && let Ok(pid) = u32::try_from(pid)
        {
            self.lifeline.set_parent(pid);
        }
        let mut options = params
            .get("initializationOptions")
            .cloned()
            .unwrap_or_default();
        if let Value::Object(options) = &mut options {
            // Copilot's clients name themselves here.
            options.remove("editorInfo");
            options.remove("editorPluginInfo");
        }
        self.tell(Message::Settings {
            layer: EditorLayer::Initial,
            value: options,
        });
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
            file: file(&text_document.uri, text_document.language_id),
            snapshot: document.clone(),
        });
        let open = Open {
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
        // The order of arrival decides what the text is; the version is only a name for it.
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

    /// A change that cannot be read: its document is unknown until the next full text.
    fn lose(&mut self, params: Option<&Value>) {
        let uri = params.and_then(|p| p.pointer("/textDocument/uri")?.as_str());
        if let Some(open) = uri.and_then(|uri| self.documents.get_mut(uri)) {
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

    /// Stamps a request with what it must see; returns the waiting for its answer.
    fn complete<E>(
        &mut self,
        id: Id,
        params: InlineCompletionParams,
        menu: Option<Menu>,
    ) -> Answering<E> {
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
                SelectedCompletion {
                    range: offset(range.start)..offset(range.end),
                    text: info.text,
                }
            });
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
        let (pending, lifeline) = (Arc::clone(&self.pending), Arc::clone(&self.lifeline));
        let asked = Asked {
            document,
            cursor,
            encoding,
            language: Arc::clone(&open.language),
        };
        Box::pin(async move {
            let result = tokio::select! {
                biased;
                () = cancelled.cancelled() => Err(Error::request_cancelled()),
                // A session that is gone has nothing to show.
                answer = answer => Ok(answer.map_or(Value::Null, |answer| match menu {
                    Some(menu) => menu.on_the_wire(answer, &asked),
                    None => on_the_wire(answer, &asked.document, encoding),
                })),
                () = lifeline.ended() => Err(Error::request_cancelled()),
            };
            let mut pending = lock(&pending);
            if pending.get(&id).is_some_and(|(known, _)| *known == request) {
                pending.remove(&id);
            }
            drop(pending);
            Ok(Some(Response::from_parts(id, result)))
        })
    }

    /// Cancels a request of ours; false when it is none.
    fn cancel(&mut self, params: Option<&Value>) -> bool {
        let id = params.and_then(|params| params.get("id"));
        let Some(Ok(id)) = id.map(|id| serde_json::from_value::<Id>(id.clone())) else {
            return false;
        };
        let Some((request, cancelled)) = lock(&self.pending).remove(&id) else {
            return false;
        };
        cancelled.cancel();
        self.tell(Message::Cancelled { request });
        true
    }

    fn execute(&mut self, params: ExecuteCommand) -> Result<Value, Error> {
        if params.command != ACCEPTED_COMMAND {
            return Err(Error::invalid_params("unknown command"));
        }
        let suggestion = suggestion_of(&params.arguments)?;
        self.tell(Message::Accepted { suggestion });
        Ok(Value::Null)
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
        // A client may hold back a change that its cursor has moved with.
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

    fn stats<E>(&mut self, id: Id) -> Answering<E> {
        let (reply, stats) = oneshot::channel();
        self.tell(Message::Stats { reply });
        Box::pin(async move {
            let stats = stats.await.map_err(|_| Error::internal_error());
            Ok(Some(Response::from_parts(id, stats)))
        })
    }

    /// Handles a message that is ours. Notifications sent as requests are answered `null`, requests
    /// sent as notifications are not answered.
    fn handle<E: Send + 'static>(
        &mut self,
        method: &str,
        id: Option<Id>,
        params: Option<Value>,
    ) -> Answering<E> {
        let mut result = Ok(Value::Null);
        match method {
            "textDocument/didOpen" => match read(params) {
                Ok(params) => self.open(params),
                Err(error) => result = Err(error),
            },
            "textDocument/didChange" => match read(params.clone()) {
                Ok(params) => self.change(params),
                Err(error) => {
                    self.lose(params.as_ref());
                    result = Err(error);
                }
            },
            "textDocument/didClose" => match read::<AboutDocument>(params) {
                Ok(params) => self.close(&params.text_document.uri),
                Err(error) => result = Err(error),
            },
            "textDocument/inlineCompletion" => match (id.clone(), read(params)) {
                (Some(id), Ok(params)) => return self.complete(id, params, None),
                (_, Err(error)) => result = Err(error),
                (None, Ok(_)) => {}
            },
            "textDocument/completion" => match (id.clone(), read(params), self.menu) {
                (_, _, None) => result = Err(Error::method_not_found()),
                (Some(id), Ok(params), menu) => return self.complete(id, params, menu),
                (_, Err(error), _) => result = Err(error),
                (None, Ok(_), _) => {}
            },
            "workspace/executeCommand" => match read(params) {
                Ok(params) => result = self.execute(params),
                Err(error) => result = Err(error),
            },
            "workspace/didChangeConfiguration" => {
                let settings = params.as_ref().and_then(|params| params.get("settings"));
                // `null` says that something changed, not what.
                if let Some(value) = settings
                    && !value.is_null()
                    && value.get("tabahead") != Some(&Value::Null)
                {
                    self.tell(Message::Settings {
                        layer: EditorLayer::Pushed,
                        value: value.clone(),
                    });
                }
            }
            "tabahead/didDismiss" => {
                if let Ok(params) = read::<AboutDocument>(params)
                    && let Some(open) = self.documents.get(&params.text_document.uri)
                {
                    let document = open.id;
                    self.tell(Message::Dismissed { document });
                }
            }
            "textDocument/didShowCompletion" => match read(params).and_then(of_item) {
                Ok((suggestion, _)) => self.tell(Message::Displayed { suggestion }),
                Err(error) => result = Err(error),
            },
            "textDocument/didPartiallyAcceptCompletion" => match read(params).and_then(of_item) {
                Ok((suggestion, length)) => self.tell(Message::AcceptedPart { suggestion, length }),
                Err(error) => result = Err(error),
            },
            "textDocument/didFocus" => match read(params) {
                Ok(params) => self.focus(params),
                Err(error) => result = Err(error),
            },
            "tabahead/didMoveCursor" => match read(params) {
                Ok(params) => self.moved(params),
                Err(error) => result = Err(error),
            },
            "tabahead/didShow" => match read(params) {
                Ok(params) => self.shown(params),
                Err(error) => result = Err(error),
            },
            "tabahead/stats" => {
                if let Some(id) = id {
                    return self.stats(id);
                }
            }
            // Copilot's clients say more than is needed.
            _ => tracing::trace!(method, "noted"),
        }
        match id {
            Some(id) => respond(id, result),
            None => {
                if let Err(error) = result {
                    tracing::warn!(method, code = error.code.code(), "unreadable notification");
                }
                Box::pin(async { Ok(None) })
            }
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

impl<S> Service<Request> for Front<S>
where
    S: Service<Request, Response = Option<Response>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Option<Response>;
    type Error = S::Error;
    type Future = Answering<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (method, id, params) = request.into_parts();
        // eglot and LSP4IJ send `"params": null`, which tower-lsp refuses.
        let params = params.filter(|params| !params.is_null());
        match (method.as_ref(), self.phase) {
            (MALFORMED, _) => return malformed(params),
            (END_OF_INPUT, _) => {
                self.lifeline.end(1);
                return Box::pin(async { Ok(None) });
            }
            ("initialize", Phase::Fresh) => {
                self.initialize(params.as_ref().unwrap_or(&Value::Null));
                let request = Request::build(method)
                    .params(json!({"capabilities": {}}))
                    .id(id.unwrap_or_default())
                    .finish();
                let (answer, encoding, menu) = (self.inner.call(request), self.encoding, self.menu);
                return Box::pin(async move {
                    Ok(answer
                        .await?
                        .map(|answer| with_capabilities(answer, encoding, menu)))
                });
            }
            ("initialized", _) => self.greeted.cancel(),
            ("shutdown", Phase::Running) => self.phase = Phase::ShutDown,
            ("exit", phase) => {
                // tower-lsp's own handling of `exit` would leave its reader hanging.
                self.lifeline.end(i32::from(phase != Phase::ShutDown));
                return Box::pin(async { Ok(None) });
            }
            ("$/cancelRequest", _) if self.cancel(params.as_ref()) => {
                return Box::pin(async { Ok(None) });
            }
            (method, Phase::Running) if OURS.contains(&method) => {
                return self.handle(method, id, params);
            }
            (method, phase) if OURS.contains(&method) => {
                let error = match phase {
                    Phase::Fresh => Error {
                        code: ErrorCode::ServerError(-32002),
                        message: "server not initialized".into(),
                        data: None,
                    },
                    Phase::Running | Phase::ShutDown => Error::invalid_request(),
                };
                return match id {
                    Some(id) => respond(id, Err(error)),
                    None => Box::pin(async { Ok(None) }),
                };
            }
            // "If a server or client receives a request starting with `$/` it must error the request":
            // tower-lsp would leave it without an answer.
            (method, _) if method.starts_with("$/") && id.is_some() => {
                return respond(id.unwrap_or_default(), Err(Error::method_not_found()));
            }
            _ => {}
        }
        let mut request = Request::build(method);
        if let Some(id) = id {
            request = request.id(id);
        }
        if let Some(params) = params {
            request = request.params(params);
        }
        Box::pin(self.inner.call(request.finish()))
    }
}

/// The suggestion that the arguments of its command name.
fn suggestion_of(arguments: &[Value]) -> Result<SuggestionId, Error> {
    let id = arguments.first().and_then(|id| match id {
        Value::String(id) => id.parse().ok(),
        id => id.as_u64(),
    });
    id.map(SuggestionId)
        .ok_or_else(|| Error::invalid_params("the first argument must be a suggestion's id"))
}

/// The suggestion that an item is, and how much of it is accepted.
fn of_item(params: AboutItem) -> Result<(SuggestionId, usize), Error> {
    let suggestion = suggestion_of(&params.item.command.arguments)?;
    Ok((suggestion, params.accepted_length))
}

fn malformed<E>(params: Option<Value>) -> Answering<E> {
    let params = params.unwrap_or_default();
    let code = params["code"]
        .as_i64()
        .map_or(ErrorCode::ParseError, ErrorCode::from);
    let id = serde_json::from_value(params["id"].clone()).unwrap_or_default();
    respond(id, Err(Error::new(code)))
}

fn respond<E>(id: Id, result: Result<Value, Error>) -> Answering<E> {
    Box::pin(async move { Ok(Some(Response::from_parts(id, result))) })
}

fn read<T: DeserializeOwned>(params: Option<Value>) -> Result<T, Error> {
    // The parser's message may quote the buffer; it goes to the one who sent it, never to the log.
    serde_json::from_value(params.unwrap_or_default())
        .map_err(|error| Error::invalid_params(error.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
