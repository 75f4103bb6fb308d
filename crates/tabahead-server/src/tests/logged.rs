//! What reaches the log: no text of a buffer.

use serde_json::json;

use super::{
    URI,
    client::{self, Client},
    generates,
};

#[tokio::test]
async fn no_text_is_logged() {
    // `tracing` caches for the whole process which events are enabled: beside other tests, which
    // have no subscriber, events would be lost. So the test runs alone in its own process.
    if std::env::var_os("TABAHEAD_LOGGED_ALONE").is_none() {
        let alone = std::process::Command::new(std::env::current_exe().expect("a test program"))
            .args(["--exact", "tests::logged::no_text_is_logged", "--nocapture"])
            .env("TABAHEAD_LOGGED_ALONE", "1")
            .output()
            .expect("the test program starts");
        let output = String::from_utf8_lossy(&alone.stdout);
        assert!(
            alone.status.success() && output.contains("1 passed"),
            "{output}"
        );
        return;
    }
    let log = client::Log::default();
    let _logging = log.capture();
    let mut client = Client::ready(generates("XYZZY(1);\n")).await;
    client.open(URI, "let PLUGH = ").await;
    client.change(URI, 2, "let PLUGH = FROBOZZ + ").await;
    client.suggestion(URI, (0, 22)).await;
    client
        .notify(
            "textDocument/didChange",
            json!({"textDocument": {"uri": URI}, "contentChanges": "PLUGH"}),
        )
        .await;
    client.send_raw("{\"PLUGH\": ").await;
    client.send_raw("{\"id\": 7, \"PLUGH\": \"PLUGH\"}").await;
    client.message().await;
    client.stop(0).await;
    let log = log.text();
    assert!(log.contains("respond"), "{log}");
    for secret in ["PLUGH", "XYZZY", "FROBOZZ"] {
        assert!(!log.contains(secret), "{log}");
    }
}
