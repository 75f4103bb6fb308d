//! The document with the focus: its status, and the prompt that is read ahead in it.

use serde_json::json;
use tabahead_context::Goal;

use super::{
    URI,
    client::{self, Client},
    generates,
};

#[tokio::test(start_paused = true)]
async fn the_status_has_the_reason_for_no_suggestions_where_the_focus_is() {
    let mut client = Client::ready(generates("x")).await;
    let secret = "file:///w/.env";
    let focus = "textDocument/didFocus";
    let in_document = |uri: &str| json!({"textDocument": {"uri": uri}});
    // The focus may be reported before the document is opened.
    client.notify(focus, in_document(secret)).await;
    client.open(secret, "TOKEN=").await;
    client.notify(focus, in_document(URI)).await;
    client.open(URI, "let a = ").await;
    client
        .notify(
            "workspace/didChangeConfiguration",
            json!({"settings": {"languages": {"rust": false}}}),
        )
        .await;
    client.notify(focus, json!({})).await;
    client.stats().await;
    let statuses: Vec<_> = client
        .all_notified("tabahead/status")
        .await
        .iter()
        .map(|status| format!("{}: {}", status["kind"], status["message"]))
        .collect();
    let statuses: Vec<_> = statuses.iter().map(|line| line.replace('"', "")).collect();
    assert_eq!(
        statuses[statuses.len() - 5..],
        [
            "Normal: ready",
            "Inactive: a file of this name may hold secrets",
            "Normal: ready",
            "Inactive: off for this language, by the setting 'languages'",
            "Normal: ready",
        ]
    );
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_too_long_is_silent_and_the_status_says_so() {
    let mut client = Client::ready(generates("x")).await;
    let text = format!("let a = [{}];\nlet b = \n", "1, ".repeat(1000));
    client.open(URI, &text).await;
    let focus = json!({"textDocument": {"uri": URI}});
    client.notify("textDocument/didFocus", focus).await;
    let mut messages = Vec::new();
    for line in [0, 1] {
        client.all_notified("tabahead/status").await;
        let position = json!({"line": line, "character": 8});
        let moved = json!({"textDocument": {"uri": URI}, "position": position});
        client.notify("tabahead/didMoveCursor", moved).await;
        let status = client.all_notified("tabahead/status").await.pop();
        let status = status.expect("it has changed");
        messages.push((status["kind"].clone(), status["message"].clone()));
    }
    assert_eq!(
        messages,
        [
            (json!("Inactive"), json!("this line is too long")),
            (json!("Normal"), json!("ready")),
        ]
    );
    let answer = client.complete(URI, (0, 8)).await;
    assert_eq!(answer["result"], json!({"items": []}));
    client.stop(0).await;
}

/// Returns the tails of the prompts read ahead so far, after enough time for another one.
async fn read_ahead(client: &mut Client) -> Vec<String> {
    // The clock is paused: when every task waits, it advances to the next deadline.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    client.stats().await;
    let started = client.backend().started();
    let reads = started.into_iter().filter(|r| r.goal == Goal::Read);
    reads.map(|request| request.tail).collect()
}

#[tokio::test(start_paused = true)]
async fn the_prompt_where_the_user_is_is_read_ahead() {
    let mut client = Client::ready(generates("x")).await;
    let at = |line: u32, character: u32| {
        let position = json!({"line": line, "character": character});
        json!({"textDocument": {"uri": URI, "version": 1}, "position": position})
    };
    // No cursor has been reported yet, so it counts as being at the start.
    client.open(URI, "let a = 1;\nlet b = 2;\n").await;
    assert_eq!(read_ahead(&mut client).await, [""]);
    for character in 0..8 {
        let moved = at(0, character);
        client.notify("tabahead/didMoveCursor", moved).await;
    }
    assert_eq!(read_ahead(&mut client).await, ["", "let a ="]);
    // A report for another version has no effect.
    let mut other = at(1, 3);
    other["textDocument"]["version"] = json!(2);
    client.notify("tabahead/didMoveCursor", other).await;
    client.notify("tabahead/didMoveCursor", at(0, 7)).await;
    assert_eq!(read_ahead(&mut client).await.len(), 2);
    let stats = client.stats().await;
    assert_eq!(
        stats["reads_ahead"],
        json!({"started": 2, "finished": 2, "cancelled": 0})
    );
    assert_eq!(stats["generations"]["running"], 0);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn only_the_document_with_the_focus_is_read_ahead_when_that_is_reported() {
    let mut client = Client::ready(generates("x")).await;
    let focus = "textDocument/didFocus";
    let in_document = |uri: &str| json!({"textDocument": {"uri": uri}});
    let other = "file:///w/b.rs";
    client.notify(focus, json!({})).await;
    client.open(URI, "let a = ").await;
    client.open(other, "let b = ").await;
    assert_eq!(read_ahead(&mut client).await, [""; 0]);
    client.suggestion(other, (0, 8)).await;
    client.notify(focus, in_document(URI)).await;
    assert_eq!(read_ahead(&mut client).await, [""]);
    // The user will probably continue where the last request was.
    client.notify(focus, in_document(other)).await;
    assert_eq!(read_ahead(&mut client).await, [""]);
    client.change(other, 2, "let bb = 1;\nlet c = ").await;
    client.notify(focus, json!({})).await;
    assert_eq!(read_ahead(&mut client).await.len(), 1);
    client.notify(focus, in_document(other)).await;
    assert_eq!(read_ahead(&mut client).await.len(), 2);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_ahead_in_documents_without_suggestions() {
    let mut client = Client::ready(generates("x")).await;
    let secret = "file:///w/.env";
    let in_document = |uri: &str| json!({"textDocument": {"uri": uri}});
    let at_end = |uri: &str| {
        let position = json!({"line": 0, "character": 6});
        json!({"textDocument": {"uri": uri}, "position": position})
    };
    client.open(secret, "TOKEN=").await;
    client
        .notify("tabahead/didMoveCursor", at_end(secret))
        .await;
    assert_eq!(read_ahead(&mut client).await, [""; 0]);
    client
        .notify("textDocument/didFocus", in_document(secret))
        .await;
    client
        .notify("tabahead/didMoveCursor", at_end(secret))
        .await;
    assert_eq!(read_ahead(&mut client).await, [""; 0]);
    let configure = "workspace/didChangeConfiguration";
    let rust = |on: bool| json!({"settings": {"languages": {"rust": on}}});
    client.notify(configure, rust(false)).await;
    client
        .notify("textDocument/didFocus", in_document(URI))
        .await;
    client.open(URI, "let a = 1;").await;
    client.notify("tabahead/didMoveCursor", at_end(URI)).await;
    assert_eq!(read_ahead(&mut client).await, [""; 0]);
    // Suggestions are on again, and the cursor is where it was.
    client.notify(configure, rust(true)).await;
    assert_eq!(read_ahead(&mut client).await, ["let a "]);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_open_is_read_ahead_once_the_model_is_there() {
    let mut client = Client::start(generates("x")).await;
    client.initialize(json!({})).await;
    client.open(URI, "let a = 1;\nlet b = ").await;
    let position = json!({"line": 1, "character": 8});
    let moved = json!({"textDocument": {"uri": URI}, "position": position});
    client.notify("tabahead/didMoveCursor", moved).await;
    assert_eq!(read_ahead(&mut client).await, [""; 0]);
    client.load(Ok(client::profile()));
    assert_eq!(read_ahead(&mut client).await, ["let a = 1;\nlet b = "]);
    client.stop(0).await;
}
