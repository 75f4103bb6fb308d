//! What a recorder receives while a client edits.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tabahead_backend::Script;
use tabahead_session::{Recorded, Recorder};

use super::{
    URI,
    client::{Client, Started, profile},
    generates, holds,
};

/// Keeps a line for each recorded event.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Recorder for Lines {
    fn record(&mut self, recorded: Recorded) {
        let line = match recorded {
            Recorded::Opened {
                document,
                path,
                text,
            } => format!("opened {document} {path} {:?}", text.text()),
            Recorded::Closed { document } => format!("closed {document}"),
            Recorded::Changed {
                document,
                version,
                range,
                text,
            } => format!("changed {document} v{version} {range:?} {text:?}"),
            Recorded::Cursor { document, cursor } => format!("cursor {document} {cursor}"),
            Recorded::Asked {
                document,
                request,
                version,
            } => format!("asked {document} v{version} r{request}"),
            Recorded::Answered {
                request,
                cancelled,
                suggestion,
                ..
            } => {
                let shown = suggestion.map(|(range, text)| {
                    let (start, end) = (range.start, range.end);
                    let (line, from, to) = (start.line, start.character, end.character);
                    format!(" {line}:{from}-{to} {text:?}")
                });
                let end = if cancelled { "cancelled" } else { "answered" };
                format!("{end} r{request}{}", shown.unwrap_or_default())
            }
            Recorded::Accepted { document, version } => format!("accepted {document} v{version}"),
        };
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }
}

impl Lines {
    /// Returns the events recorded since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn start(script: impl Fn(&str) -> Script + Send + Sync + 'static) -> (Client, Lines) {
    let lines = Lines::default();
    let started = Started {
        recorder: Some(Box::new(lines.clone())),
        ..Started::default()
    };
    (Client::start_with(started, script).await, lines)
}

async fn ready(script: impl Fn(&str) -> Script + Send + Sync + 'static) -> (Client, Lines) {
    let (mut client, lines) = start(script).await;
    client.initialize(json!({})).await;
    client.load(Ok(profile()));
    (client, lines)
}

/// Replaces ranges of lines and characters, in order.
async fn edit(client: &mut Client, version: i64, edits: &[([u32; 4], &str)]) {
    let changes: Vec<Value> = edits
        .iter()
        .map(|([line, start, last_line, end], text)| {
            let start = json!({"line": line, "character": start});
            let end = json!({"line": last_line, "character": end});
            json!({"range": {"start": start, "end": end}, "text": text})
        })
        .collect();
    let params = json!({
        "textDocument": {"uri": URI, "version": version},
        "contentChanges": changes,
    });
    client.notify("textDocument/didChange", params).await;
}

async fn accept(client: &mut Client, item: &Value) {
    let command = &item["command"];
    let params = json!({"command": command["command"], "arguments": command["arguments"]});
    client.request("workspace/executeCommand", params).await;
}

/// Waits until the server has read everything sent so far; returns the recorded events.
async fn recorded(client: &mut Client, lines: &Lines) -> Vec<String> {
    client.stats().await;
    lines.take()
}

#[tokio::test(start_paused = true)]
async fn edits_that_come_together_are_recorded_one_by_one_in_units_of_the_whole_text() {
    let (mut client, lines) = ready(generates("x")).await;
    client.open(URI, "a𝒳\r\nb\r\n").await;
    edit(
        &mut client,
        2,
        &[
            ([1, 0, 1, 1], "𝒴𝒴"),
            ([1, 4, 1, 4], "!"),
            ([0, 3, 0, 1], ""),
        ],
    )
    .await;
    client.change(URI, 3, "new\n").await;
    let close = json!({"textDocument": {"uri": URI}});
    client.notify("textDocument/didClose", close).await;
    let expected = [
        r#"opened 0 /w/a.rs "a𝒳\r\nb\r\n""#,
        r#"changed 0 v2 5..6 "𝒴𝒴""#,
        r#"changed 0 v2 9..9 "!""#,
        r#"changed 0 v2 1..3 """#,
        r#"changed 0 v3 0..10 "new\n""#,
        "closed 0",
    ];
    assert_eq!(recorded(&mut client, &lines).await, expected);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn requests_answers_and_accepts_are_recorded_in_either_order_of_change_and_report() {
    let (mut client, lines) = ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    let item = client.suggestion(URI, (0, 8)).await;
    edit(&mut client, 2, &[([0, 8, 0, 8], "1;")]).await;
    accept(&mut client, &item).await;
    client.complete(URI, (0, 10)).await;
    client.complete(URI, (0, 10)).await;
    let events = recorded(&mut client, &lines).await;
    let expected = [
        r#"opened 0 /w/a.rs "let a = ""#,
        "cursor 0 8",
        "asked 0 v1 r0",
        r#"answered r0 0:8-8 "1;""#,
        r#"changed 0 v2 8..8 "1;""#,
        "accepted 0 v2",
        "cursor 0 10",
        "asked 0 v2 r1",
    ];
    assert_eq!(events[..8], expected);
    assert!(events.contains(&"asked 0 v2 r2".to_owned()));
    assert!(!events[8..].contains(&"cursor 0 10".to_owned()));

    client.change(URI, 3, "let b = ").await;
    let item = client.suggestion(URI, (0, 8)).await;
    lines.take();
    accept(&mut client, &item).await;
    // Reporting the same accept again has no effect.
    accept(&mut client, &item).await;
    edit(&mut client, 4, &[([0, 8, 0, 8], "1;")]).await;
    edit(&mut client, 5, &[([0, 10, 0, 10], "\n")]).await;
    let expected = [
        r#"changed 0 v4 8..8 "1;""#,
        "accepted 0 v4",
        r#"changed 0 v5 10..10 "\n""#,
    ];
    assert_eq!(recorded(&mut client, &lines).await, expected);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn every_request_that_is_recorded_ends() {
    // Before the model is ready, while it computes, and when it fails.
    let (mut client, lines) = start(holds).await;
    client.initialize(json!({})).await;
    client.open(URI, "let a = ").await;
    client.send_completion(URI, (0, 8)).await;
    let second = client.send_completion(URI, (0, 7)).await;
    client.load(Ok(profile()));
    client.stats().await;
    let third = client.send_completion(URI, (0, 6)).await;
    client.response(second).await;
    client.notify("$/cancelRequest", json!({"id": third})).await;
    client.send_completion(URI, (0, 5)).await;
    client.change(URI, 2, "let b = ").await;
    let events = recorded(&mut client, &lines).await;
    for request in 0..4 {
        let ends = events
            .iter()
            .filter(|line| line.starts_with(&format!("cancelled r{request}")));
        assert_eq!(ends.count(), 1, "{events:#?}");
    }
    client.stop(0).await;

    let (mut client, lines) = start(holds).await;
    client.initialize(json!({})).await;
    client.load(Err("no such file".to_owned()));
    client.open(URI, "let a = ").await;
    client.complete(URI, (0, 8)).await;
    assert_eq!(lines.take().last().map(String::as_str), Some("answered r0"));
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn what_gets_no_suggestions_is_never_recorded() {
    let (mut client, lines) = start(generates("x")).await;
    let off =
        json!({"paths": [{"glob": "private/**", "enabled": false}], "languages": {"rust": true}});
    client.initialize(off).await;
    client.load(Ok(profile()));
    for uri in [
        "file:///w/.env",
        "file:///w/server.pem",
        "file:///w/id_rsa",
        "file:///w/private/a.rs",
        "git:/w/a.rs",
    ] {
        client.open(uri, "hush").await;
        client.change(uri, 2, "hush hush").await;
        client.complete(uri, (0, 4)).await;
    }
    assert!(recorded(&mut client, &lines).await.is_empty());

    // A document that is turned off later is closed; turned on again, it opens with its text at
    // that time.
    client.open(URI, "1").await;
    let settings = |on: bool| json!({"settings": {"tabahead": {"languages": {"rust": on}}}});
    client
        .notify("workspace/didChangeConfiguration", settings(false))
        .await;
    client.change(URI, 2, "2").await;
    client.change(URI, 3, "3").await;
    client
        .notify("workspace/didChangeConfiguration", settings(true))
        .await;
    client.change(URI, 4, "4").await;
    let expected = [
        r#"opened 5 /w/a.rs "1""#,
        "closed 5",
        r#"opened 5 /w/a.rs "3""#,
        r#"changed 5 v4 0..1 "4""#,
    ];
    let events = recorded(&mut client, &lines).await;
    let of_rust: Vec<&String> = events.iter().filter(|line| line.contains(" 5")).collect();
    assert_eq!(of_rust, expected);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_document_is_recorded_only_while_it_is_small_enough() {
    let (mut client, lines) = ready(generates("x")).await;
    client.open(URI, "1").await;
    client.change(URI, 2, &"x".repeat((4 << 20) + 1)).await;
    client.change(URI, 3, "3").await;
    let expected = [
        r#"opened 0 /w/a.rs "1""#,
        "closed 0",
        r#"opened 0 /w/a.rs "3""#,
    ];
    assert_eq!(recorded(&mut client, &lines).await, expected);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_document_is_recorded_until_it_has_a_secret_value() {
    let (mut client, lines) = ready(holds).await;
    client.open(URI, "password = '9f86d081884c7d65'\n").await;
    assert_eq!(recorded(&mut client, &lines).await, [""; 0]);
    // Nor when the value is removed: the rest of the text is not searched again.
    client.change(URI, 2, "password = ''\n").await;
    assert_eq!(recorded(&mut client, &lines).await, [""; 0]);

    client.open(URI, "password = ''\nx = 1\n").await;
    assert_eq!(recorded(&mut client, &lines).await.len(), 1);
    edit(&mut client, 2, &[([1, 0, 1, 1], "y")]).await;
    edit(&mut client, 3, &[([0, 12, 0, 12], "9f86d081884c7d65")]).await;
    edit(&mut client, 4, &[([1, 0, 1, 1], "z")]).await;
    let events = recorded(&mut client, &lines).await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(
        events[0].starts_with("changed") && events[1].starts_with("closed"),
        "{events:?}"
    );
    client.stop(0).await;
}
