//! How a conversation begins and ends.

use serde_json::{Value, json};

use super::{URI, client::Client, generates, holds};

#[tokio::test(start_paused = true)]
async fn the_handshake_has_the_capabilities_of_the_server() {
    let mut client = Client::start(generates("x")).await;
    let answer = client
        .request("initialize", json!({"capabilities": {}, "processId": null}))
        .await;
    let result = &answer["result"];
    assert_eq!(
        result["capabilities"]["inlineCompletionProvider"],
        json!({})
    );
    assert_eq!(result["capabilities"]["positionEncoding"], "utf-16");
    assert_eq!(
        result["capabilities"]["executeCommandProvider"]["commands"],
        json!(["tabahead.accepted"])
    );
    assert_eq!(
        result["capabilities"]["textDocumentSync"],
        json!({"openClose": true, "change": 2})
    );
    assert_eq!(result["serverInfo"]["name"], "tabahead");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn requests_before_initialize_and_after_shutdown_are_refused() {
    let mut client = Client::start(generates("x")).await;
    let methods = [
        "textDocument/inlineCompletion",
        "tabahead/stats",
        "nonsense",
    ];
    for method in methods.into_iter().chain(["initialized", "shutdown"]) {
        let answer = client.request(method, json!({})).await;
        assert_eq!(answer["error"]["code"], -32002, "{method}");
    }
    client.notify("textDocument/didOpen", json!({})).await;
    client.initialize(json!({})).await;
    assert_eq!(
        client.request("shutdown", Value::Null).await["result"],
        Value::Null
    );
    for method in methods.into_iter().chain(["initialize", "shutdown"]) {
        let answer = client.request(method, json!({})).await;
        assert_eq!(answer["error"]["code"], -32600, "{method}");
    }
    client.notify("exit", Value::Null).await;
    assert_eq!(client.ended().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_send_more_about_itself_than_is_read() {
    let nested = format!("{}{}", "[".repeat(150), "]".repeat(150));
    let folders = vec![json!({"uri": "file:///w", "name": "w".repeat(100)}); 45_000];
    let folders = Value::from(folders).to_string();
    for more in [
        format!("\"capabilities\":{{\"experimental\":{nested}}}"),
        "\"capabilities\":{},\"x\":1e999".to_owned(),
        format!("\"capabilities\":{{}},\"workspaceFolders\":{folders}"),
        "\"processId\":null,\"clientInfo\":7".to_owned(),
    ] {
        let mut client = Client::start(generates("x")).await;
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{{more}}}}}"#);
        client.send_raw(&body).await;
        let answer = client.message().await;
        assert!(answer["result"]["capabilities"].is_object(), "{answer}");
        client.notify("initialized", json!({})).await;
        client.request("shutdown", Value::Null).await;
        client.notify("exit", Value::Null).await;
        assert_eq!(client.ended().await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn thousands_of_requests_wait_and_the_server_still_reads() {
    const DOCUMENTS: usize = 2_000;
    for ends in ["exit", "the input's end"] {
        let mut client = Client::start(holds).await;
        client.initialize(json!({})).await;
        let mut waiting = Vec::new();
        for n in 0..DOCUMENTS {
            let uri = format!("file:///w/{n}.rs");
            client.open(&uri, "let a = ").await;
            waiting.push(client.send_completion(&uri, (0, 8)).await);
        }
        // A cancel is seen although it comes after all of them.
        let cancelled = waiting.swap_remove(DOCUMENTS / 2);
        client
            .notify("$/cancelRequest", json!({"id": cancelled}))
            .await;
        assert_eq!(client.response(cancelled).await["error"]["code"], -32800);
        assert_eq!(client.stats().await["requests"], DOCUMENTS);
        match ends {
            "exit" => client.notify("exit", Value::Null).await,
            _ => client.close_input(),
        }
        for id in waiting {
            assert_eq!(client.response(id).await["error"]["code"], -32800);
        }
        assert_eq!(client.ended().await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_more_ends_the_server_by_closing_either_side() {
    // The client fills the pipe without reading, and closes the server's input.
    let mut client = Client::ready(generates("1;\n")).await;
    for id in 0..20_000 {
        client
            .send_raw(&json!({"jsonrpc": "2.0", "id": id, "method": "tabahead/stats"}).to_string())
            .await;
    }
    client.close_input();
    assert_eq!(client.ended_unread().await, 1);

    // The client closes the server's output, and keeps sending.
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    client.close_output();
    client.send_completion(URI, (0, 8)).await;
    assert_eq!(client.ended_unread().await, 1);
}

#[tokio::test(start_paused = true)]
async fn exit_ends_the_server_while_input_stays_open_and_requests_wait() {
    for (shutdown, code) in [(true, 0), (false, 1)] {
        let mut client = Client::ready(holds).await;
        client.open(URI, "let a = ").await;
        let waiting = client.send_completion(URI, (0, 8)).await;
        if shutdown {
            // The answer to `shutdown` arrives even if `exit` follows at once.
            let id = client.send_request("shutdown", Value::Null).await;
            client.notify("exit", Value::Null).await;
            assert_eq!(client.response(id).await["result"], Value::Null);
        } else {
            client.notify("exit", Value::Null).await;
        }
        assert_eq!(client.response(waiting).await["error"]["code"], -32800);
        assert_eq!(client.ended().await, code);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_ends_the_server() {
    let mut client = Client::ready(holds).await;
    client.open(URI, "let a = ").await;
    client.send_completion(URI, (0, 8)).await;
    client.close_input();
    assert_eq!(client.ended().await, 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_death_of_the_editor_ends_the_server() {
    let mut editor = std::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("cat is everywhere");
    let mut client = Client::start(generates("x")).await;
    let params = json!({"capabilities": {}, "processId": editor.id()});
    client.request("initialize", params).await;
    editor.kill().expect("it is ours");
    editor.wait().expect("it was ours");
    assert_eq!(client.ended().await, 1);
}
