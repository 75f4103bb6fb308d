//! Settings from the file, the command line and the editor.

use serde_json::json;

use super::{
    URI,
    client::{self, Client, Started},
    generates,
    statistics::assert_tokens_add_up,
};

#[tokio::test(start_paused = true)]
async fn settings_come_from_initialize_and_from_changes_and_bad_ones_are_refused_by_name() {
    let mut client = Client::start(generates("1;\n")).await;
    client
        .initialize(json!({
            "editorInfo": {"name": "x", "version": "1"},
            "speculation": {"enabled": false},
            "threads": 1,
        }))
        .await;
    client.load(Ok(client::profile()));
    client.open(URI, "let a = ").await;
    client.suggestion(URI, (0, 8)).await;
    let before = client.stats().await;
    assert_eq!(before["settings"]["speculation_enabled"], false);
    assert_eq!(before["speculations"]["started"], 0);

    let configure = "workspace/didChangeConfiguration";
    client
        .notify(
            configure,
            json!({"settings": {"tabahead": {"speculation": {"enabled": true}, "nonsense": 1}}}),
        )
        .await;
    let shown = client.notified("window/showMessage").await;
    assert_eq!(
        shown["message"],
        "tabahead: unknown setting 'nonsense' (in the editor's settings); every other setting holds"
    );
    let read = client.stats().await["settings"].take();
    assert_eq!(read["speculation_enabled"], true);
    // `null` carries no settings.
    client.notify(configure, json!({"settings": null})).await;
    assert_eq!(client.stats().await["settings"], read);

    client
        .notify(
            configure,
            json!({"settings": {"tabahead": {"speculation.enabled": true, "kv": {"bytes": 1000}}}}),
        )
        .await;
    client.suggestion(URI, (0, 8)).await;
    let after = client.stats().await;
    assert_eq!(after["settings"]["speculation_enabled"], true);
    assert_ne!(after["settings"]["digest"], before["settings"]["digest"]);
    let configured = client.backend().configured();
    assert_eq!(configured.last().map(|local| local.kv_bytes), Some(1000));
    assert_eq!(client.launches(), 1);

    client
        .notify(
            configure,
            json!({"settings": {"languages": {"rust": false}}}),
        )
        .await;
    assert_eq!(
        client.complete(URI, (0, 8)).await["result"],
        json!({"items": []})
    );

    client
        .notify(configure, json!({"settings": {"model": "/other.gguf"}}))
        .await;
    client.stats().await;
    assert_eq!(client.launches(), 2);
    client.load(Ok(client::profile()));
    client.suggestion(URI, (0, 8)).await;
    // All figures are those of the new model: tokens still add up.
    let stats = client.stats().await;
    assert_eq!(stats["requests"], 1, "{stats}");
    assert_eq!(stats["misses"], 1, "{stats}");
    assert_eq!(stats["latency"]["miss"]["count"], 1, "{stats}");
    assert_tokens_add_up(&stats);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn flags_win_over_the_editor_and_the_editor_over_the_file() {
    let started = Started {
        file: json!({"speculation": {"enabled": false}, "threads": 1}),
        flags: json!({"threads": 3}),
        ..Started::default()
    };
    let mut client = Client::start_with(started, generates("x")).await;
    client
        .initialize(json!({"threads": 2, "speculation": {"enabled": true}}))
        .await;
    assert_eq!(
        client.stats().await["settings"]["speculation_enabled"],
        true
    );
    assert_eq!(client.launched().threads, 3);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn bad_initial_settings_leave_the_files() {
    let started = Started {
        file: json!({"threads": 2}),
        ..Started::default()
    };
    let mut client = Client::start_with(started, generates("1;\n")).await;
    client.initialize(json!({"treads": 9})).await;
    let shown = client.notified("window/showMessage").await;
    assert_eq!(
        shown["message"],
        "tabahead: unknown setting 'treads'; did you mean 'threads'? (in the editor's settings); every other setting holds"
    );
    assert_eq!(client.launched().threads, 2);
    client.load(Ok(client::profile()));
    client.open(URI, "let a = ").await;
    client.suggestion(URI, (0, 8)).await;
    client.stop(0).await;
}
