//! What the editor reports about the suggestions that it shows.

use serde_json::json;

use super::{URI, client::Client, generates};

#[tokio::test(start_paused = true)]
async fn what_becomes_of_suggestions_is_counted() {
    let mut client = Client::ready(generates("one two(three);\nfour five;\n")).await;
    client.open(URI, "let a = \n").await;
    let item = client.suggestion(URI, (0, 8)).await;
    assert_eq!(item["insertText"], "one two(three);");
    let insert = |version: u32, at: u32, text: &str| {
        let here = json!({"line": 0, "character": at});
        json!({
            "textDocument": {"uri": URI, "version": version},
            "contentChanges": [{"range": {"start": here, "end": here}, "text": text}],
        })
    };
    let outcomes = |all, word, along, diverged, dismissed| {
        json!({
            "accepted_all": all, "accepted_line": 0, "accepted_word": word,
            "typed_along": along, "diverged": diverged, "dismissed": dismissed,
        })
    };
    let change = "textDocument/didChange";
    client.notify(change, insert(2, 8, "one")).await;
    client.notify(change, insert(3, 11, " ")).await;
    // One character looks like typing until the editor reports the accept.
    let stats = client.stats().await;
    assert_eq!(stats["outcomes"], outcomes(0, 1, 1, 0, 0));
    let part = json!({"item": item, "acceptedLength": 4});
    client
        .notify("textDocument/didPartiallyAcceptCompletion", part)
        .await;
    let stats = client.stats().await;
    assert_eq!(stats["outcomes"], outcomes(0, 2, 0, 0, 0));
    client.notify(change, insert(4, 12, "two(three);")).await;
    let stats = client.stats().await;
    assert_eq!(stats["outcomes"], outcomes(1, 2, 0, 0, 0));
    client.suggestion(URI, (0, 23)).await;
    client.notify(change, insert(5, 23, "?")).await;
    client.suggestion(URI, (0, 24)).await;
    let document = json!({"textDocument": {"uri": URI}});
    client.notify("tabahead/didDismiss", document).await;
    let stats = client.stats().await;
    assert_eq!(stats["outcomes"], outcomes(1, 2, 0, 1, 1));
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn an_accept_that_is_reported_after_the_next_answer_is_counted() {
    let mut client = Client::ready(generates("(one, two);\n")).await;
    client.open(URI, "let a = f").await;
    let item = client.suggestion(URI, (0, 9)).await;
    assert_eq!(item["insertText"], "(one, two);");
    // As VS Code does under load: the change and the next request come before the report.
    client.change(URI, 2, "let a = f(").await;
    let next = client.suggestion(URI, (0, 10)).await;
    assert_eq!(next["insertText"], "one, two);");
    let part = json!({"item": item, "acceptedLength": 1});
    client
        .notify("textDocument/didPartiallyAcceptCompletion", part)
        .await;
    let stats = client.stats().await;
    assert_eq!(stats["outcomes"]["accepted_word"], 1, "{stats}");
    assert_eq!(stats["outcomes"]["typed_along"], 0, "{stats}");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_suggestion_of_another_source_is_looked_ahead_of() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    let shown = json!({
        "textDocument": {"uri": URI},
        "position": {"line": 0, "character": 8},
        "range": {
            "start": {"line": 0, "character": 8},
            "end": {"line": 0, "character": 8},
        },
        "insertText": "2 + ",
    });
    client.notify("tabahead/didShow", shown).await;
    // After this answer, everything that was computed ahead has arrived.
    client.stats().await;
    client.change(URI, 2, "let a = 2 + ").await;
    let item = client.suggestion(URI, (0, 12)).await;
    assert_eq!(item["insertText"], "1;");
    assert_eq!(item["command"]["arguments"][1], "speculated", "{item}");
    client.stop(0).await;
}
