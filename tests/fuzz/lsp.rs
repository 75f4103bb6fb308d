//! The server as a client sees it: any messages in any order, and bytes that are not messages.
//!
//! A model of the client knows what must hold. The server ends when it is asked to, with the code
//! that LSP specifies. It does not panic. Each request has one answer. The range of a suggestion
//! lies in the requested text, on the cursor's line and around the cursor. The log contains no text
//! of a document. After all of this, the server still suggests something at a plain place.
//!
//! `lsp/server.rs` is the process and the answers that it owes, `lsp/client.rs` chooses messages,
//! `lsp/material.rs` is what they are made of, `lsp/texts.rs` is the client's side of a document.

mod client;
mod material;
mod server;
mod texts;

use serde_json::{Value, json};
use tabahead_testkit::{Random, frames::framed};

use crate::{
    damage,
    run::{Verdict, fuzz},
};

use client::Client;
use server::Server;

#[test]
fn lsp_messages_in_any_order_are_answered_once_and_in_place() {
    let least = [("served", 3), ("left at once", 1)];
    fuzz("lsp", 8, &least, |random| session(random, 120));
}

#[test]
fn damaged_frames_damage_no_message_after_them() {
    fuzz("frames", 4, &[("served", 4)], stream);
}

/// Runs one client from start to end.
fn session(random: &mut Random, messages: usize) -> Verdict {
    let mut server = Server::start(random);
    let mut client = Client::default();
    for _ in 0..random.below(3) {
        client.act(&mut server, random)?;
    }
    client.greet(&mut server, random)?;
    let leaves = random.below(5) == 0;
    let shuts_down_at = if random.below(8) == 0 {
        random.below(messages)
    } else {
        messages
    };
    for number in 0..messages {
        if number == shuts_down_at {
            server.request("shutdown", Value::Null);
        }
        client.act(&mut server, random)?;
    }
    if leaves {
        let code = if shuts_down_at == messages { 1 } else { 0 };
        return server.leave(random, code).map(|()| "left at once");
    }
    server.settle()?;
    if shuts_down_at == messages {
        is_useful(&mut client, &mut server)?;
    }
    server.end().map(|()| "served")
}

/// Checks that a plain place still gets a suggestion.
fn is_useful(client: &mut Client, server: &mut Server) -> Result<(), String> {
    client.close_all(server);
    server.notify(
        "workspace/didChangeConfiguration",
        json!({"settings": {"tabahead": {"languages": {"rust": true, "*": true}, "paths": []}}}),
    );
    let uri = "file:///project/plain.rs";
    let text = "fn add(a: i32, b: i32) -> i32 {\n    a \n}\n";
    server.notify(
        "textDocument/didOpen",
        json!({"textDocument": {"uri": uri, "languageId": "rust", "version": 1, "text": text}}),
    );
    let params = json!({
        "textDocument": {"uri": uri},
        "position": {"line": 1, "character": 6},
        "context": {"triggerKind": 2},
    });
    let answer = server.call(client.completion_method(), params)?;
    let items = answer["result"]["items"].as_array();
    if client.has_plain_settings() && items.is_none_or(Vec::is_empty) {
        return Err(format!("nothing is suggested at a plain place: {answer}"));
    }
    Ok(())
}

/// Maximum length that a damaged header may announce; more bytes than that follow the damage.
const LONGEST_ANNOUNCED: usize = 60_000;

/// Sends streams of messages with damaged bytes. However many of the following messages a damaged
/// frame swallows: after enough blank lines, the next one is read.
fn stream(random: &mut Random) -> Verdict {
    let mut server = Server::start(random);
    let mut client = Client::default();
    client.greet(&mut server, random)?;
    server.expect_anything();
    for _ in 0..12 {
        let mut bytes = Vec::new();
        for _ in 0..1 + random.below(8) {
            let body = client.message(&server, random).to_string();
            bytes.extend_from_slice(dressed(&body, random).as_bytes());
        }
        for _ in 0..damage::pieces(random) {
            damage::bytes(&mut bytes, random);
        }
        if longest_announced(&bytes) > LONGEST_ANNOUNCED {
            continue;
        }
        server.write(&bytes);
        let blank = format!("\n{}", " ".repeat(998));
        server.write(blank.repeat(LONGEST_ANNOUNCED / 900).as_bytes());
        server.write(b"\n");
        client.forget_texts();
        let answer = server.call("tabahead/stats", Value::Null)?;
        if answer["result"].is_null() {
            return Err(format!("no figures: {answer}"));
        }
    }
    is_useful(&mut client, &mut server)?;
    server.end().map(|()| "served")
}

/// Returns a frame as some client may write it, or nearly so.
fn dressed(body: &str, random: &mut Random) -> String {
    let length = body.len();
    match random.below(8) {
        0 => format!("content-length:{length}\n\n{body}"),
        1 => format!(
            "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
        2 => format!(
            "Content-Length: {}\r\n\r\n{body}",
            length + 1 + random.below(200)
        ),
        3 => format!(
            "Content-Length: {}\r\n\r\n{body}",
            length.saturating_sub(1 + random.below(200))
        ),
        4 => format!(
            "Content-Length: {}\r\n\r\n{body}",
            damage::odd_text("7", random)
        ),
        _ => framed(body),
    }
}

/// Returns the largest number that may be taken for a length.
fn longest_announced(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let numbers = text.split("content-length:").skip(1).map(|rest| {
        let digits: String = rest
            .trim_start()
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '+')
            .collect();
        digits.trim_start_matches('+').parse().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}
