//! The figures: their shape, their file, and that both sides count the same tokens.
//!
//! One test runs the real engine, to compare its counters with what the session received.

use serde_json::{Value, json};
use tabahead_backend::Script;

use super::{
    URI,
    client::{self, Client, Started},
    generates,
};

#[tokio::test(start_paused = true)]
async fn the_figures_have_their_shape_and_an_accept_is_answered_from_speculation() {
    let whole = "let sum = add(1, 2);\nlet product = multiply(3, 4);\nlet rest = divide(9, 2);\n";
    let mut client = Client::ready(move |tail: &str| {
        Script::Text(whole.strip_prefix(tail).unwrap_or_default().to_owned())
    })
    .await;
    client.open(URI, "let sum").await;
    let mut text = String::from("let sum");
    for version in 2..4 {
        let (line, column) = (text.matches('\n').count() as u32, text.lines().last());
        let column = if text.ends_with('\n') {
            0
        } else {
            column.unwrap_or("").len()
        };
        let item = client.suggestion(URI, (line, column as u32)).await;
        text.push_str(item["insertText"].as_str().expect("a text"));
        assert!(whole.starts_with(&text), "{text:?}");
        client.change(URI, version, &text).await;
    }
    let stats = client.stats().await;
    for pointer in [
        "/requests",
        "/hits/exact",
        "/hits/typed_through",
        "/hits/joined",
        "/hits/speculated",
        "/misses",
        "/speculations/started",
        "/speculations/finished",
        "/speculations/cancelled",
        "/speculations/used",
        "/tokens/prompt",
        "/tokens/prefilled",
        "/tokens/decoded",
        "/tokens/wasted",
        "/tokens/constrained",
        "/cache/bytes",
        "/kv/bytes",
        "/latency/miss/count",
        "/latency/speculated/count",
    ] {
        let figure = stats.pointer(pointer);
        assert!(figure.is_some_and(Value::is_u64), "{pointer}: {stats}");
    }
    assert_eq!(stats["requests"], 2);
    assert_eq!(stats["misses"], 1, "{stats}");
    assert_eq!(stats["hits"]["speculated"], 1, "{stats}");
    assert_eq!(stats["latency"]["speculated"]["count"], 1);
    assert!(stats["latency"]["miss"]["p99_ms"].is_number());
    assert_tokens_add_up(&stats);
    client.stop(0).await;
}

/// Compares the session's counts with the backend's; they are equal when nothing runs.
#[track_caller]
pub(super) fn assert_tokens_add_up(stats: &Value) {
    let count = |name: &str| stats["tokens"][name].as_u64().expect("a figure");
    assert_eq!(
        count("decoded") + count("constrained"),
        count("received"),
        "{stats}"
    );
    assert_eq!(count("prompt"), count("prompt_received"), "{stats}");
}

#[tokio::test(start_paused = true)]
async fn a_server_has_a_file_of_figures_as_soon_as_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let started = Started {
        stats_dir: Some(folder.path().to_owned()),
        ..Started::default()
    };
    let start = tokio::time::Instant::now();
    let client = Client::start_with(started, generates("1;\n")).await;
    // The clock advances only while the server waits, and not while it writes a file.
    while crate::running_stats(folder.path()).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let waited = start.elapsed();
    assert!(waited < std::time::Duration::from_secs(1), "{waited:?}");
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn the_figures_of_a_running_server_are_in_a_file_until_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let started = Started {
        stats_dir: Some(folder.path().to_owned()),
        ..Started::default()
    };
    let mut client = Client::start_with(started, generates("1;\n")).await;
    client.initialize(json!({})).await;
    client.load(Ok(client::profile()));
    client.open(URI, "let a = ").await;
    client.suggestion(URI, (0, 8)).await;
    let read = || {
        crate::running_stats(folder.path())
            .pop()
            .map(|(_, stats)| stats)
    };
    // Figures are published a while after an event, without a request.
    while read().is_none_or(|stats| stats["requests"] != 1) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    client.stop(0).await;
    assert_eq!(read(), None);
}

/// Compares the session's count of tokens with the engine's, with cancels and speculation in
/// between.
#[tokio::test]
async fn the_engine_counts_the_tokens_that_the_session_received() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../tabahead-mini/mini.gguf");
    let mut client = Client::start_local(json!({"model": model})).await;
    client.initialize(json!({})).await;
    let mut text = String::from("fn add(a: i32, b: i32) -> i32 {\n    ");
    client.open(URI, &text).await;
    for (version, letter) in (2..).zip("let sum = a + b;".chars()) {
        let id = client
            .send_completion(URI, (1, text.len() as u32 - 32))
            .await;
        if version % 3 == 0 {
            client.response(id).await;
        }
        text.push(letter);
        client.change(URI, version, &text).await;
    }
    client.complete(URI, (1, text.len() as u32 - 32)).await;
    let stats = loop {
        let stats = client.stats().await;
        if stats["generations"]["running"] == 0 {
            break stats;
        }
    };
    assert!(stats["tokens"]["decoded"].as_u64() > Some(0), "{stats}");
    assert!(stats["tokens"]["prefilled"].as_u64() > Some(0), "{stats}");
    assert_tokens_add_up(&stats);
    assert!(stats["tokens"]["per_second"].as_u64() > Some(0), "{stats}");
    let statuses = client.all_notified("tabahead/status").await;
    let statuses: Vec<_> = statuses
        .iter()
        .filter_map(|status| status["message"].as_str())
        .collect();
    let (ready, loading) = statuses.split_last().expect("the status was reported");
    assert_eq!(*ready, "ready");
    assert_eq!(loading.last(), Some(&"loading the model, 100 %"));
    client.stop(0).await;
}
