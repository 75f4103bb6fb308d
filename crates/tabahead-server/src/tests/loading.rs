//! A model that is loading, or cannot be loaded.

use serde_json::{Value, json};

use super::{
    URI,
    client::{self, Client},
    generates,
};

#[tokio::test(start_paused = true)]
async fn requests_wait_for_the_model_and_only_the_newest_is_worth_it() {
    let mut client = Client::start(generates("1;\n")).await;
    client.initialize(json!({})).await;
    client.open(URI, "let a = ").await;
    let first = client.send_completion(URI, (0, 8)).await;
    let second = client.send_completion(URI, (0, 8)).await;
    let cancelled_uri = "file:///w/b.rs";
    client.open(cancelled_uri, "let b = ").await;
    let cancelled = client.send_completion(cancelled_uri, (0, 8)).await;
    client
        .notify("$/cancelRequest", json!({"id": cancelled}))
        .await;
    assert_eq!(client.response(cancelled).await["error"]["code"], -32800);
    assert_eq!(client.response(first).await["result"], Value::Null);
    let stats = client.stats().await;
    assert_eq!(stats["model"]["state"], "loading");
    assert_eq!(
        (&stats["requests"], &stats["superseded"]),
        (&json!(3), &json!(2))
    );
    client.load(Ok(client::profile()));
    let answer = client.response(second).await;
    assert_eq!(answer["result"]["items"][0]["insertText"], "1;", "{answer}");
    assert_eq!(client.stats().await["model"]["state"], "ready");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_cannot_be_loaded_is_reported_once_and_the_server_runs() {
    let mut client = Client::start(generates("x")).await;
    client.initialize(json!({})).await;
    client.open(URI, "let a = ").await;
    let early = client.send_completion(URI, (0, 8)).await;
    client.stats().await;
    client.load(Err("no such file: choose another model".to_owned()));
    assert_eq!(client.response(early).await["result"], Value::Null);
    assert_eq!(client.complete(URI, (0, 8)).await["result"], Value::Null);
    let stats = client.stats().await;
    assert_eq!(stats["model"]["state"], "failed");
    assert_eq!(
        stats["model"]["message"],
        "no such file: choose another model"
    );
    let shown = client.notified("window/showMessage").await;
    assert_eq!(shown["type"], 1);
    assert_eq!(
        shown["message"],
        "tabahead: no such file: choose another model"
    );
    let statuses = client.all_notified("tabahead/status").await;
    assert_eq!(
        statuses.last(),
        Some(&json!({
            "kind": "Error", "busy": false, "message": "no such file: choose another model"
        }))
    );
    assert!(client.all_notified("window/showMessage").await.is_empty());
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_is_warmed_when_a_document_is_opened() {
    let mut client = Client::ready(generates("x")).await;
    client.stats().await;
    assert_eq!(client.backend().warmed(), 0);
    client.open(URI, "let a = ").await;
    client.stats().await;
    assert_eq!(client.backend().warmed(), 1);
    client.stop(0).await;
}
