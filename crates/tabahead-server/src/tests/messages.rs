//! Messages that are malformed, repeated, or sent as another client sends them.

use serde_json::{Value, json};

use super::{URI, client::Client, generates, holds};

#[tokio::test(start_paused = true)]
async fn malformed_messages_get_an_error_and_change_nothing() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    // A message without an id gets no answer, because Neovim shows an answer without a request as
    // an error.
    for body in ["{", "", "[]", "\u{fffd}", r#"{"jsonrpc":"2.0","method":5}"#] {
        client.send_raw(body).await;
    }
    for (body, id) in [
        (r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1e400,"method":"x"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":901,"method":7}"#, json!(901)),
        (r#"{"jsonrpc":"1.0","id":"b","method":"x"}"#, json!("b")),
        (r#"{"jsonrpc":"2.0","id":902}"#, json!(902)),
    ] {
        client.send_raw(body).await;
        let answer = client.message().await;
        assert_eq!(answer["error"]["code"], -32600, "{body}: {answer}");
        assert_eq!(answer["id"], id, "{body}: {answer}");
    }
    for (method, params, code) in [
        ("nonsense/method", json!({}), -32601),
        ("$/nonsense", json!({}), -32601),
        (
            "textDocument/inlineCompletion",
            json!({"textDocument": 5}),
            -32602,
        ),
        ("textDocument/inlineCompletion", Value::Null, -32602),
        ("textDocument/didOpen", json!([]), -32602),
        ("initialize", json!({}), -32600),
    ] {
        let answer = client.request(method, params).await;
        assert_eq!(answer["error"]["code"], code, "{method}: {answer}");
    }
    client.notify("nonsense/notification", json!({})).await;
    client.notify("$/nonsense", json!({})).await;
    client
        .notify("textDocument/didOpen", json!({"textDocument": {}}))
        .await;
    client.notify("textDocument/didClose", json!(7)).await;
    client
        .notify("textDocument/inlineCompletion", json!({}))
        .await;
    assert_eq!(client.suggestion(URI, (0, 8)).await["insertText"], "1;");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn every_request_is_answered_once_whatever_else_it_holds() {
    let mut client = Client::ready(holds).await;
    client.open(URI, "let a = ").await;
    let waiting = client.send_completion(URI, (0, 8)).await;
    for (body, id, code) in [
        // A cancel is a notification: as a request it is refused, and cancels nothing.
        (
            json!({"id": "c", "method": "$/cancelRequest", "params": {"id": waiting}}),
            json!("c"),
            -32601,
        ),
        // A message with a method is a request, whatever else it has.
        (
            json!({"id": 500, "method": "nonsense", "result": null}),
            json!(500),
            -32601,
        ),
        (
            json!({"id": 501, "method": "nonsense", "error": {"code": 1, "message": ""}}),
            json!(501),
            -32601,
        ),
        (
            json!({"id": 502, "method": "initialize", "params": {"capabilities": {}}}),
            json!(502),
            -32600,
        ),
    ] {
        let mut body = body;
        body["jsonrpc"] = json!("2.0");
        client.send_raw(&body.to_string()).await;
        let answer = client.message().await;
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&id, &json!(code))
        );
    }
    // An answer to a request that the server never sent is not answered.
    client
        .send_raw(r#"{"jsonrpc":"2.0","id":7,"result":null}"#)
        .await;
    let repeated = format!(
        r#"{{"jsonrpc":1,"method":"x","id":9,"method":"tabahead/stats","jsonrpc":"2.0","id":{}}}"#,
        503
    );
    client.send_raw(&repeated).await;
    let answer = client.message().await;
    assert_eq!(
        (&answer["id"], &answer["result"]["requests"]),
        (&json!(503), &json!(1))
    );
    client
        .notify("$/cancelRequest", json!({"id": waiting}))
        .await;
    assert_eq!(client.response(waiting).await["error"]["code"], -32800);
    // Some clients send parameters where LSP has none.
    let answer = client.request("shutdown", json!({})).await;
    assert_eq!(answer.get("error"), None, "{answer}");
    client.notify("exit", json!({})).await;
    assert_eq!(client.ended().await, 0);
}

#[tokio::test(start_paused = true)]
async fn messages_of_other_clients_are_taken_as_request_or_notification() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    let item = client.suggestion(URI, (0, 8)).await;
    let document = json!({"textDocument": {"uri": URI}});
    for (method, params) in [
        ("textDocument/didShowCompletion", json!({"item": item})),
        (
            "textDocument/didPartiallyAcceptCompletion",
            json!({"item": item, "acceptedLength": 1}),
        ),
        ("textDocument/didFocus", document.clone()),
        ("textDocument/didFocus", json!({})),
        (
            "tabahead/didMoveCursor",
            json!({"textDocument": {"uri": URI}, "position": {"line": 0, "character": 3}}),
        ),
        ("tabahead/didDismiss", document.clone()),
        ("workspace/didChangeConfiguration", json!({"settings": {}})),
    ] {
        client.notify(method, params.clone()).await;
        let answer = client.request(method, params).await;
        assert_eq!(answer["result"], Value::Null, "{method}: {answer}");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
    }
    client.notify("tabahead/stats", json!({})).await;
    client.suggestion(URI, (0, 8)).await;
    // A message without a suggestion is refused, and only a request gets an error.
    for method in [
        "textDocument/didShowCompletion",
        "textDocument/didPartiallyAcceptCompletion",
        "tabahead/didMoveCursor",
    ] {
        client
            .notify(method, json!({"item": {"insertText": "a"}}))
            .await;
        let refused = client.request(method, json!({"item": 7})).await;
        assert_eq!(refused["error"]["code"], -32602, "{method}: {refused}");
    }
    client.suggestion(URI, (0, 8)).await;
    client.stop(0).await;
}
