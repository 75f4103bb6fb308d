//! The handshake: what the server reads of `initialize` and answers, and the stages after it.
//!
//! Whether a stage is allowed is decided by tower-lsp (`tower.rs`).

use serde_json::{Value, json};
use tabahead_text::PositionEncoding;

use super::{
    convert::ACCEPTED_COMMAND,
    front::Front,
    menu::Menu,
    rpc::{AnswerFuture, answered, respond},
    types::Initialize,
    wire::Call,
};
use tabahead_session::{EditorLayer, Message};

pub(super) fn initialize(front: &mut Front, call: &Call<'_>) -> Option<AnswerFuture> {
    let id = call.id.clone();
    let params = match call.params() {
        Ok(params) => params,
        Err(error) => return Some(respond(id?, Err(error))),
    };
    let (id, result) = front.handshake.initialize(id)?.into_parts();
    let result = result.map(|_| begin(front, params));
    Some(respond(id, result))
}

pub(super) fn initialized(front: &mut Front, call: &Call<'_>) -> Option<AnswerFuture> {
    front.handshake.initialized(call.id.clone()).map(answered)
}

pub(super) fn shutdown(front: &mut Front, call: &Call<'_>) -> Option<AnswerFuture> {
    front.handshake.shutdown(call.id.clone()).map(answered)
}

pub(super) fn exit(front: &mut Front, call: &Call<'_>) -> Option<AnswerFuture> {
    front.handshake.exit(call.id.clone());
    let code = i32::from(!front.handshake.has_shut_down());
    front.lifecycle.end(code);
    None
}

/// Takes what matters from the parameters of `initialize`; returns the result.
fn begin(front: &mut Front, params: Initialize) -> Value {
    front.encoding = negotiate(&params.capabilities.general);
    front.menu = Menu::of(&params);
    if let Some(pid) = params.process_id.as_u64()
        && let Ok(pid) = u32::try_from(pid)
    {
        front.lifecycle.set_parent(pid);
    }
    let mut options = params.initialization_options;
    if let Value::Object(options) = &mut options {
        // Copilot's clients send their own names here.
        options.remove("editorInfo");
        options.remove("editorPluginInfo");
    }
    front.send(Message::Settings {
        layer: EditorLayer::Initial,
        value: options,
    });
    capabilities(front)
}

/// Chooses UTF-16 whenever the client offers it, so that several servers on one buffer agree. A
/// client that offers nothing supports only UTF-16.
fn negotiate(general: &Value) -> PositionEncoding {
    let offered = general["positionEncodings"].as_array();
    let offers = |name: &str| offered.is_some_and(|all| all.iter().any(|one| one == name));
    if offers("utf-16") {
        PositionEncoding::Utf16
    } else if offers("utf-8") {
        PositionEncoding::Utf8
    } else if offers("utf-32") {
        PositionEncoding::Utf32
    } else {
        PositionEncoding::Utf16
    }
}

/// Builds the result of `initialize`.
fn capabilities(front: &Front) -> Value {
    let encoding = match front.encoding {
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
    if front.menu.is_some() {
        // No trigger characters: a suggestion joins a menu that opens anyway.
        capabilities["completionProvider"] = json!({"resolveProvider": false});
    }
    json!({
        "capabilities": capabilities,
        "serverInfo": {"name": "tabahead", "version": front.version},
    })
}
