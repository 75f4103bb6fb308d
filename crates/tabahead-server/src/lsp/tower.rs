//! What tower-lsp does here, and what is done around it, each with its reason. No other file names
//! the library.
//!
//! It has the types of JSON-RPC and of addresses, and the handshake: its `LspService` keeps the
//! server's state and refuses what comes too early or too late. Around it:
//!
//! - **Frames and messages** (`wire.rs`, `converse.rs`). Its server stops reading at a certain
//!   number of waiting requests and at the first body that cannot be read, so that neither a cancel
//!   nor `exit` nor the end of the input would be seen, and it panics when the output is closed.
//! - **Routing** (`methods.rs`). Its router turns each message into a tree of values, many times
//!   as large as the message. So a message outside the handshake reaches the service only where the
//!   service refuses it, as [`OTHER`].
//! - **Parameters of the handshake** (`types.rs`). lsp-types 0.94 rejects a whole `initialize`
//!   because of one folder address that is no URL. So the service receives empty ones.
//! - **Capabilities** (`handshake.rs`). lsp-types 0.94 has no inline completion. So the result of
//!   `initialize` is built as JSON, in place of the service's empty one.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower_lsp::{
    LanguageServer, LspService,
    jsonrpc::{Request, RequestBuilder, Result},
    lsp_types::{InitializeParams, InitializeResult, InitializedParams},
};
use tower_service::Service;

pub(super) use tower_lsp::{
    jsonrpc::{Error, Id, Request as Outgoing, Response},
    lsp_types::Url,
};

/// Method that replaces every method outside the handshake.
const OTHER: &str = "tabahead/other";

/// State of a conversation.
pub(super) struct Handshake(LspService<Stages>);

/// The stages that the service has let through.
struct Stages {
    /// Cancelled when the server may begin to send messages of its own.
    greeted: CancellationToken,
    has_started: AtomicBool,
    has_shut_down: AtomicBool,
}

#[tower_lsp::async_trait]
impl LanguageServer for Stages {
    async fn initialize(&self, _: InitializeParams) -> Result<InitializeResult> {
        self.has_started.store(true, Ordering::Relaxed);
        Ok(InitializeResult::default())
    }

    async fn initialized(&self, _: InitializedParams) {
        self.greeted.cancel();
    }

    async fn shutdown(&self) -> Result<()> {
        self.has_shut_down.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Stages {
    async fn other(&self) -> Result<()> {
        Ok(())
    }
}

impl Handshake {
    pub(super) fn new(greeted: CancellationToken) -> Self {
        let stages = Stages {
            greeted,
            has_started: AtomicBool::new(false),
            has_shut_down: AtomicBool::new(false),
        };
        let builder = LspService::build(|_| stages).custom_method(OTHER, Stages::other);
        Self(builder.finish().0)
    }

    /// Returns whether documents and requests are allowed now.
    pub(super) fn is_running(&self) -> bool {
        self.0.inner().has_started.load(Ordering::Relaxed) && !self.has_shut_down()
    }

    /// Returns whether a `shutdown` was accepted.
    pub(super) fn has_shut_down(&self) -> bool {
        self.0.inner().has_shut_down.load(Ordering::Relaxed)
    }

    /// Handles `initialize`; returns the answer, which is empty if it was accepted.
    pub(super) fn initialize(&mut self, id: Option<Id>) -> Option<Response> {
        let params = json!({"capabilities": {}});
        self.call(Request::build("initialize").params(params), id)
    }

    /// Handles `initialized`; returns an answer if it came as a request.
    pub(super) fn initialized(&mut self, id: Option<Id>) -> Option<Response> {
        self.call(Request::build("initialized").params(json!({})), id)
    }

    /// Handles `shutdown`; returns the answer.
    pub(super) fn shutdown(&mut self, id: Option<Id>) -> Option<Response> {
        self.call(Request::build("shutdown"), id)
    }

    /// Handles `exit`, after which nothing is answered.
    pub(super) fn exit(&mut self, id: Option<Id>) {
        self.call(Request::build("exit"), id);
    }

    /// Refuses a message outside the time between `initialize` and `shutdown`; returns the answer if
    /// it is a request.
    pub(super) fn refuse(&mut self, id: Option<Id>) -> Option<Response> {
        self.call(Request::build(OTHER), id)
    }

    fn call(&mut self, request: RequestBuilder, id: Option<Id>) -> Option<Response> {
        let request = id.into_iter().fold(request, |request, id| request.id(id));
        // None of these calls waits for anything.
        let answer = self.0.call(request.finish()).now_or_never();
        answer.and_then(|answer| answer.ok()).flatten()
    }
}
