//! The handshake: whether a message is allowed now, which tower-lsp decides, and the server's
//! capabilities.
//!
//! tower-lsp's `LspService` keeps the server's state and refuses what comes too early or too late.
//! It receives the four messages of the handshake, and every message outside the time between
//! `initialize` and `shutdown`, without their parameters: lsp-types 0.94 has no inline completion,
//! and rejects a whole `initialize` because of one folder address that is no URL. `rpc.rs` explains
//! why the other messages do not go through it.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tabahead_text::PositionEncoding;
use tokio_util::sync::CancellationToken;
use tower_lsp::{
    LanguageServer, LspService,
    jsonrpc::{Id, Request, Response, Result},
    lsp_types::{InitializeParams, InitializeResult, InitializedParams},
};
use tower_service::Service;

use super::{convert::ACCEPTED_COMMAND, menu::Menu};

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

    pub(super) fn has_shut_down(&self) -> bool {
        self.0.inner().has_shut_down.load(Ordering::Relaxed)
    }

    /// Handles a message; returns the answer, if it gets one. The answer to an accepted
    /// `initialize` is empty.
    pub(super) fn take(&mut self, method: &str, id: Option<Id>) -> Option<Response> {
        let request = match method {
            "initialize" => Request::build("initialize").params(json!({"capabilities": {}})),
            "initialized" => Request::build("initialized").params(json!({})),
            "shutdown" => Request::build("shutdown"),
            "exit" => Request::build("exit"),
            _ => Request::build(OTHER),
        };
        let request = id.into_iter().fold(request, |request, id| request.id(id));
        // None of these calls waits for anything, and after `exit` nothing is answered.
        let answer = self.0.call(request.finish()).now_or_never();
        answer.and_then(|answer| answer.ok()).flatten()
    }
}

/// Builds the result of `initialize`.
pub(super) fn capabilities(version: &str, encoding: PositionEncoding, menu: Option<Menu>) -> Value {
    let encoding = match encoding {
        PositionEncoding::Utf8 => "utf-8",
        PositionEncoding::Utf16 => "utf-16",
        PositionEncoding::Utf32 => "utf-32",
    };
    // 2 is `TextDocumentSyncKind.Incremental`.
    let mut capabilities = json!({
        "positionEncoding": encoding,
        "textDocumentSync": {"openClose": true, "change": 2},
        "inlineCompletionProvider": {},
        "executeCommandProvider": {"commands": [ACCEPTED_COMMAND]},
    });
    if menu.is_some() {
        // No trigger characters: a suggestion joins a menu that opens anyway.
        capabilities["completionProvider"] = json!({"resolveProvider": false});
    }
    json!({
        "capabilities": capabilities,
        "serverInfo": {"name": "tabahead", "version": version},
    })
}
