//! What is left to tower-lsp's own service: the handshake, `shutdown`, errors for methods that
//! nobody knows, and messages to the client.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tower_lsp::{
    Client, LanguageServer, jsonrpc,
    lsp_types::{
        ExecuteCommandOptions, InitializeParams, InitializeResult, MessageType, ServerCapabilities,
        ServerInfo, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
        notification::Notification,
    },
};

use super::convert::ACCEPTED_COMMAND;
use crate::session::{Notice, Status, StatusKind};

/// The tower-lsp service behind the front.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    pub(crate) version: &'static str,
}

#[tower_lsp::async_trait]
impl LanguageServer for Lifecycle {
    /// The front adds what lsp-types 0.94 has no words for.
    async fn initialize(&self, _: InitializeParams) -> jsonrpc::Result<InitializeResult> {
        Ok(InitializeResult {
            capabilities: ServerCapabilities {
                text_document_sync: Some(TextDocumentSyncCapability::Options(
                    TextDocumentSyncOptions {
                        open_close: Some(true),
                        change: Some(TextDocumentSyncKind::INCREMENTAL),
                        ..TextDocumentSyncOptions::default()
                    },
                )),
                execute_command_provider: Some(ExecuteCommandOptions {
                    commands: vec![ACCEPTED_COMMAND.to_owned()],
                    ..ExecuteCommandOptions::default()
                }),
                ..ServerCapabilities::default()
            },
            server_info: Some(ServerInfo {
                name: "tabahead".to_owned(),
                version: Some(self.version.to_owned()),
            }),
        })
    }

    async fn shutdown(&self) -> jsonrpc::Result<()> {
        Ok(())
    }
}

/// `tabahead/status`, of the shape of Copilot's `didChangeStatus`.
enum StatusNotification {}

impl Notification for StatusNotification {
    type Params = StatusParams;
    const METHOD: &'static str = "tabahead/status";
}

#[derive(Debug, Serialize, Deserialize)]
struct StatusParams {
    kind: String,
    busy: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
}

/// Sends notices to the client, in order, until the session is gone. Only this task ever waits for
/// a client that does not read.
pub(crate) async fn deliver_notices(client: Client, mut notices: mpsc::UnboundedReceiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Status(Status {
                kind,
                busy,
                message,
                percent,
            }) => {
                let kind = match kind {
                    StatusKind::Normal => "Normal",
                    StatusKind::Inactive => "Inactive",
                    StatusKind::Error => "Error",
                };
                client
                    .send_notification::<StatusNotification>(StatusParams {
                        kind: kind.to_owned(),
                        busy,
                        message,
                        percent,
                    })
                    .await;
            }
            Notice::Problem(line) => {
                let line = format!("tabahead: {line}");
                client.show_message(MessageType::ERROR, line).await;
            }
        }
    }
}
