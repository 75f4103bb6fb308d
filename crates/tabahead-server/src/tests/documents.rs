//! The documents' texts: changes, positions and encodings, and changes that cannot be read.

use serde_json::{Value, json};

use super::{
    URI,
    client::{self, Client},
    generates,
};

#[tokio::test(start_paused = true)]
async fn a_request_after_a_burst_of_changes_sees_the_last_text() {
    let mut client = Client::ready(generates("()")).await;
    client.open(URI, "let 𝒳 = \r\n").await;
    let mut text = String::from("let 𝒳 = ");
    for version in 2..502_i64 {
        // Every tenth letter is outside the basic plane.
        let letter = if version % 10 == 0 { "𝒴" } else { "y" };
        let end = text.encode_utf16().count();
        let here = json!({"line": 0, "character": end});
        client
            .notify(
                "textDocument/didChange",
                json!({
                    "textDocument": {"uri": URI, "version": version},
                    "contentChanges": [{"range": {"start": here, "end": here}, "text": letter}],
                }),
            )
            .await;
        text.push_str(letter);
    }
    let end = text.encode_utf16().count() as u32;
    client.suggestion(URI, (0, end)).await;
    let tails: Vec<_> = client.backend().started();
    assert_eq!(
        tails.first().map(|request| request.tail.as_str()),
        Some(&*text)
    );
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_change_silences_its_document_until_the_next_full_text() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    client
        .notify(
            "textDocument/didChange",
            json!({"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"range": 1}]}),
        )
        .await;
    assert_eq!(client.complete(URI, (0, 8)).await["result"], Value::Null);
    client.change(URI, 3, "let b = ").await;
    assert_eq!(client.suggestion(URI, (0, 8)).await["insertText"], "1;");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn any_possible_change_puts_its_document_out_of_step() {
    let other = "file:///w/b.rs";
    let change = |uri: &str, rest: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"textDocument/didChange","params":{{"textDocument":{{"uri":"{uri}","version":2}}{rest}"#
        )
    };
    let lost = [
        (change(URI, ""), true),
        (change(URI, r#","contentChanges":[{"range":1}]}}"#), true),
        (change(URI, r#","contentChanges":[{"text":null}]}}"#), true),
        (
            format!("[{}]", change(URI, r#","contentChanges":[]}}"#)),
            true,
        ),
        (
            change(URI, r#","contentChanges":[{"text":"x"}]}}"#).replace("2.0", "3.0"),
            true,
        ),
        // Opened again, with a text that cannot be read.
        (
            format!(
                r#"{{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{{"textDocument":{{"uri":"{URI}","text":7}}}}}}"#
            ),
            true,
        ),
        // The message does not name the document: it may be any.
        (
            r#"{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"#.to_owned(),
            false,
        ),
    ];
    for (body, is_named) in lost {
        let mut client = Client::ready(generates("1;\n")).await;
        client.open(URI, "let a = ").await;
        client.open(other, "let b = ").await;
        client.send_raw(&body).await;
        assert_eq!(
            client.complete(URI, (0, 8)).await["result"],
            Value::Null,
            "{body}"
        );
        if is_named {
            client.suggestion(other, (0, 8)).await;
        } else {
            assert_eq!(
                client.complete(other, (0, 8)).await["result"],
                Value::Null,
                "{body}"
            );
        }
        // After a full text the document is known again.
        client.change(URI, 3, "let c = ").await;
        client.suggestion(URI, (0, 8)).await;
        client.stop(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn versions_that_are_not_ours_are_answered_null_and_the_order_of_arrival_counts() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    // A change that claims to be older still makes the newest text.
    client.change(URI, -5, "let abc = ").await;
    for (version, answered) in [(7, false), (1, false), (-5, true)] {
        let answer = client
            .request(
                "textDocument/inlineCompletion",
                json!({
                    "textDocument": {"uri": URI, "version": version},
                    "position": {"line": 0, "character": 10},
                    "context": {"triggerKind": 1},
                    "formattingOptions": {"tabSize": 4, "insertSpaces": true},
                }),
            )
            .await;
        assert_eq!(
            answer["result"].is_object(),
            answered,
            "{version}: {answer}"
        );
    }
    let unknown = client.complete("file:///w/never-opened.rs", (0, 0)).await;
    assert_eq!(unknown["result"], Value::Null);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn positions_out_of_range_are_clamped() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = \nlet b = ").await;
    for position in [
        json!({"line": 1, "character": 4_000_000_000_u32}),
        json!({"line": 77, "character": 0}),
        json!({"line": 1e15, "character": 1e15}),
    ] {
        let answer = client
            .request(
                "textDocument/inlineCompletion",
                json!({"textDocument": {"uri": URI}, "position": position}),
            )
            .await;
        let item = &answer["result"]["items"][0];
        assert_eq!(
            item["range"]["start"],
            json!({"line": 1, "character": 8}),
            "{position}: {answer}"
        );
    }
    client
        .notify(
            "textDocument/didChange",
            json!({
                "textDocument": {"uri": URI, "version": 2},
                "contentChanges": [{
                    "range": {
                        "start": {"line": 0, "character": -3},
                        "end": {"line": 9, "character": 9},
                    },
                    "text": "let c = ",
                }],
            }),
        )
        .await;
    assert_eq!(client.suggestion(URI, (0, 8)).await["insertText"], "1;");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn both_encodings_and_crlf_give_the_same_place() {
    for (offered, name, column) in [
        (json!(["utf-8", "utf-16", "utf-32"]), "utf-16", 13_u32),
        (json!(["utf-8"]), "utf-8", 15),
        (json!(["utf-32"]), "utf-32", 12),
    ] {
        let mut client = Client::start(generates("len();\r\n")).await;
        let answer = client
            .request(
                "initialize",
                json!({"capabilities": {"general": {"positionEncodings": offered}}}),
            )
            .await;
        assert_eq!(answer["result"]["capabilities"]["positionEncoding"], name);
        client.notify("initialized", json!({})).await;
        client.load(Ok(client::profile()));
        client.open(URI, "// 1\r\nlet n = \"𝒳\".\r\n// 2\r\n").await;
        let item = client.suggestion(URI, (1, column)).await;
        let here = json!({"line": 1, "character": column});
        assert_eq!(item["range"], json!({"start": here, "end": here}), "{name}");
        let tail = &client.backend().started()[0].tail;
        assert!(tail.ends_with("// 1\nlet n = \"𝒳\"."), "{name}: {tail:?}");
        client.stop(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn half_an_emoji_at_a_time_and_bytes_that_are_no_text_keep_the_document() {
    let mut client = Client::ready(generates("1;\n")).await;
    let tail = |client: &Client| client.backend().started().last().map(|r| r.tail.clone());
    // Two changes, written like JavaScript's.
    client.open(URI, "let a = ").await;
    for (version, half) in [(2, "\\ud83d"), (3, "\\ude00")] {
        let at = json!({"line": 0, "character": 5 + version});
        client
            .send_raw(&format!(
                r#"{{"jsonrpc":"2.0","method":"textDocument/didChange","params":{{"textDocument":{{"uri":"{URI}","version":{version}}},"contentChanges":[{{"range":{{"start":{at},"end":{at}}},"text":"{half}"}}]}}}}"#
            ))
            .await;
    }
    client.suggestion(URI, (0, 10)).await;
    assert_eq!(tail(&client).as_deref(), Some("let a =\u{fffd}\u{fffd} "));
    // A Latin-1 buffer, as Neovim sends it.
    let other = "file:///w/b.rs";
    let body = [
        format!(r#"{{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{{"textDocument":{{"uri":"{other}","languageId":"rust","version":1,"text":"// caf"#).as_bytes(),
        b"\xe9\\nlet b = \"}}}",
    ]
    .concat();
    client.send_bytes(&body).await;
    client.suggestion(other, (1, 8)).await;
    assert_eq!(tail(&client).as_deref(), Some("// caf\u{fffd}\nlet b = "));
    // The user sees no error.
    assert_eq!(
        client.all_notified("window/showMessage").await,
        Vec::<Value>::new()
    );
    assert!(client.has_read_everything());
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_cell_of_a_notebook_is_a_document_with_a_name_in_its_own_language() {
    let mut client = Client::ready(generates("1\n")).await;
    let cell = "vscode-notebook-cell:/w/look%20here.ipynb#W0sZmlsZQ%3D%3D";
    let document = json!({"uri": cell, "languageId": "python", "version": 1, "text": "a = "});
    client
        .notify("textDocument/didOpen", json!({"textDocument": document}))
        .await;
    let item = client.suggestion(cell, (0, 4)).await;
    assert_eq!(item["insertText"], "1");
    client.stop(0).await;
}
