//! The whole server over in-memory pipes: a client that sends raw messages, and the scripted
//! backend.
//!
//! One test runs the real engine, to compare its counters with what the session received.

mod client;
mod menu;
mod privacy;
mod recorded;
mod switching;

use client::{Client, Started};
use serde_json::{Value, json};
use tabahead_backend::Script;
use tabahead_context::Goal;

/// Returns a script that always continues with this text.
fn says(text: &str) -> impl Fn(&str) -> Script + Send + 'static + use<> {
    let text = text.to_owned();
    move |_| Script::Text(text.clone())
}

/// A script that never answers.
fn holds(_: &str) -> Script {
    Script::Hold
}

const URI: &str = "file:///w/a.rs";

#[tokio::test(start_paused = true)]
async fn the_handshake_says_what_the_server_can() {
    let mut client = Client::start(says("x")).await;
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
async fn a_suggestion_has_text_an_empty_range_at_the_cursor_and_the_accepted_command() {
    let mut client = Client::ready(says("add(a, b)\n")).await;
    client.open(URI, "fn main() {\n    let sum = \n}\n").await;
    let item = client.suggestion(URI, (1, 14)).await;
    assert_eq!(item["insertText"], "add(a, b)");
    let here = json!({"line": 1, "character": 14});
    assert_eq!(item["range"], json!({"start": here, "end": here}));
    assert_eq!(item["command"]["command"], "tabahead.accepted");
    let accepted = client
        .request(
            "workspace/executeCommand",
            json!({"command": "tabahead.accepted", "arguments": item["command"]["arguments"]}),
        )
        .await;
    assert_eq!(accepted["result"], Value::Null);
    assert_eq!(client.stats().await["accepted"], 1);
    let refused = client
        .request("workspace/executeCommand", json!({"command": "other"}))
        .await;
    assert_eq!(refused["error"]["code"], -32602);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_behind_a_burst_of_changes_sees_the_last_text() {
    let mut client = Client::ready(says("()")).await;
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
async fn a_cancel_is_answered_at_once_while_slow_requests_run() {
    let mut client = Client::ready(holds).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let uri = format!("file:///w/{n}.rs");
        client.open(&uri, &format!("let x{n} = ")).await;
        ids.push(client.send_completion(&uri, (0, 9)).await);
    }
    let cancelled = ids[3];
    client
        .notify("$/cancelRequest", json!({"id": cancelled}))
        .await;
    let answer = client.response(cancelled).await;
    assert_eq!(answer["error"]["code"], -32800, "{answer}");
    // Everything else is served meanwhile, and an unknown cancel does no harm.
    client.notify("$/cancelRequest", json!({"id": 9999})).await;
    client.notify("$/cancelRequest", json!({})).await;
    assert_eq!(client.stats().await["requests"], 6);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_superseded_request_is_answered_null() {
    let mut client = Client::ready(holds).await;
    client.open(URI, "let a = ").await;
    let first = client.send_completion(URI, (0, 8)).await;
    let second = client.send_completion(URI, (0, 7)).await;
    let answer = client.response(first).await;
    assert_eq!(
        (&answer["result"], answer.get("error")),
        (&Value::Null, None)
    );
    // A change makes earlier requests stale as well.
    client.change(URI, 2, "let ab = ").await;
    assert_eq!(client.response(second).await["result"], Value::Null);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn malformed_messages_get_an_error_and_change_nothing() {
    let mut client = Client::ready(says("1;\n")).await;
    client.open(URI, "let a = ").await;
    // A message without an id gets no answer, because Neovim shows an answer without a request as
    // an error.
    for body in ["{", "", "[]", "\u{fffd}", r#"{"jsonrpc":"2.0","method":5}"#] {
        client.send_raw(body).await;
    }
    for (body, id) in [
        (r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#, Value::Null),
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
async fn an_unreadable_change_silences_its_document_until_the_next_full_text() {
    let mut client = Client::ready(says("1;\n")).await;
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
async fn versions_that_are_not_ours_are_answered_null_and_the_order_of_arrival_counts() {
    let mut client = Client::ready(says("1;\n")).await;
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
    let mut client = Client::ready(says("1;\n")).await;
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
        let mut client = Client::start(says("len();\r\n")).await;
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
async fn a_selected_popup_item_is_extended_or_nothing_is_shown() {
    let mut client = Client::ready(says("th()\n")).await;
    client.open(URI, "x.le\ny").await;
    let selecting = |text: &str, start: [u32; 2], end: [u32; 2]| {
        let place = |[line, character]: [u32; 2]| json!({"line": line, "character": character});
        json!({
            "textDocument": {"uri": URI},
            "position": {"line": 0, "character": 4},
            "context": {
                "triggerKind": 2,
                "selectedCompletionInfo": {
                    "range": {"start": place(start), "end": place(end)},
                    "text": text,
                },
            },
        })
    };
    for popup in ["leng", "left"] {
        let answer = client
            .request(
                "textDocument/inlineCompletion",
                selecting(popup, [0, 2], [0, 4]),
            )
            .await;
        for item in answer["result"]["items"].as_array().expect("a list") {
            let text = item["insertText"].as_str().expect("a text");
            assert!(text.starts_with(popup), "{answer}");
            assert_eq!(item["range"]["start"], json!({"line": 0, "character": 2}));
        }
    }
    let turned = selecting("leng", [0, 4], [0, 2]);
    let answer = client
        .request("textDocument/inlineCompletion", turned)
        .await;
    let item = &answer["result"]["items"][0];
    let text = item["insertText"].as_str().expect("a text");
    assert!(text.starts_with("leng"), "{answer}");
    assert_eq!(item["range"]["start"], json!({"line": 0, "character": 2}));
    // Ranges before the cursor, after it, and over two lines.
    for (start, end) in [([0, 0], [0, 3]), ([1, 0], [1, 1]), ([0, 2], [1, 1])] {
        let elsewhere = selecting("leng", start, end);
        let answer = client
            .request("textDocument/inlineCompletion", elsewhere)
            .await;
        assert_eq!(answer["result"], Value::Null, "{answer}");
    }
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn secrets_giants_and_other_schemes_are_silent_and_never_reach_the_model() {
    let mut client = Client::ready(says("x\n")).await;
    let giant = "let a = 1;\n".repeat(400_000);
    for (uri, text) in [
        ("file:///w/.env", "KEY="),
        ("file:///w/%2Eenv", "KEY="),
        ("file:///srv/u/.ssh/id_ed25519", "-----BEGIN "),
        ("file:///w/tls.pem", "-----BEGIN "),
        ("file:///w/my-secret.yaml", "token: "),
        ("git:/w/a.rs", "let a = "),
        ("output:tasks", "let a = "),
        ("file:///w/big.rs", &giant),
        ("file:///w/jquery.min.js", "var a="),
    ] {
        client.open(uri, text).await;
        let answer = client.complete(uri, (0, 100)).await;
        assert_eq!(answer["result"], json!({"items": []}), "{uri}");
    }
    assert!(client.backend().started().is_empty());
    client.open("untitled:Untitled-1", "let a = ").await;
    client.suggestion("untitled:Untitled-1", (0, 8)).await;
    let stats = client.stats().await;
    assert_eq!(
        (&stats["requests"], &stats["silent"]),
        (&json!(10), &json!(9))
    );
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn answers_copy_from_the_other_open_files_but_not_from_secrets() {
    let copied = |client: &Client| {
        let started = client.backend().started();
        let source = started.last().and_then(|last| last.copy_source.clone());
        let files = source.expect("copying is on").open_files;
        let mut texts: Vec<_> = files.iter().map(|text| text.to_string()).collect();
        texts.sort_unstable();
        texts
    };
    let mut client = Client::start(says("1;\n")).await;
    let off = json!({"speculation": {"enabled": false}});
    client.initialize(off).await;
    client.load(Ok(client::profile()));
    client.open("file:///w/.env", "KEY=xyzzy\n").await;
    client.open("file:///w/b.rs", "let other = 1;\r\n").await;
    client.open("file:///w/c.py", "one = 1\n").await;
    client.open(URI, "let a = ").await;
    client.suggestion(URI, (0, 8)).await;
    assert_eq!(copied(&client), ["let other = 1;\n", "one = 1\n"]);
    assert_eq!(client.backend().started().len(), 1);

    // Looking into another file and coming back changes nothing; changing that file does.
    client.suggestion("file:///w/b.rs", (0, 14)).await;
    assert_eq!(copied(&client), ["let a = ", "one = 1\n"]);
    client.suggestion(URI, (0, 8)).await;
    assert_eq!(client.backend().started().len(), 2);
    client
        .change("file:///w/b.rs", 2, "let changed = 1;\n")
        .await;
    client.suggestion(URI, (0, 8)).await;
    assert_eq!(copied(&client), ["let changed = 1;\n", "one = 1\n"]);
    client
        .notify(
            "textDocument/didClose",
            json!({"textDocument": {"uri": "file:///w/c.py"}}),
        )
        .await;
    client.suggestion(URI, (0, 8)).await;
    assert_eq!(copied(&client), ["let changed = 1;\n"]);

    client
        .notify(
            "workspace/didChangeConfiguration",
            json!({"settings": {"copying": {"open_files": false}}}),
        )
        .await;
    client.suggestion(URI, (0, 8)).await;
    assert_eq!(copied(&client), Vec::<String>::new());
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn messages_of_other_clients_are_taken_as_request_or_notification() {
    let mut client = Client::ready(says("1;\n")).await;
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

#[tokio::test(start_paused = true)]
async fn what_becomes_of_suggestions_is_counted() {
    let mut client = Client::ready(says("one two(three);\nfour five;\n")).await;
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
async fn a_suggestion_of_another_source_is_looked_ahead_of() {
    let mut client = Client::ready(says("1;\n")).await;
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

#[tokio::test(start_paused = true)]
async fn requests_before_initialize_and_after_shutdown_are_refused() {
    let mut client = Client::start(says("x")).await;
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
async fn a_client_may_say_more_of_itself_than_is_read() {
    let nested = format!("{}{}", "[".repeat(150), "]".repeat(150));
    let folders = vec![json!({"uri": "file:///w", "name": "w".repeat(100)}); 45_000];
    let folders = Value::from(folders).to_string();
    for more in [
        format!("\"capabilities\":{{\"experimental\":{nested}}}"),
        "\"capabilities\":{},\"x\":1e999".to_owned(),
        format!("\"capabilities\":{{}},\"workspaceFolders\":{folders}"),
        "\"processId\":null,\"clientInfo\":7".to_owned(),
    ] {
        let mut client = Client::start(says("x")).await;
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
async fn thousands_of_requests_wait_and_the_server_still_listens() {
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
    let mut client = Client::ready(says("1;\n")).await;
    for id in 0..20_000 {
        client
            .send_raw(&json!({"jsonrpc": "2.0", "id": id, "method": "tabahead/stats"}).to_string())
            .await;
    }
    client.close_input();
    assert_eq!(client.ended_unread().await, 1);

    // The client closes the server's output, and keeps sending.
    let mut client = Client::ready(says("1;\n")).await;
    client.open(URI, "let a = ").await;
    client.close_output();
    client.send_completion(URI, (0, 8)).await;
    assert_eq!(client.ended_unread().await, 1);
}

#[tokio::test(start_paused = true)]
async fn half_an_emoji_at_a_time_and_bytes_that_are_no_text_keep_the_document() {
    let mut client = Client::ready(says("1;\n")).await;
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
async fn whatever_may_have_been_a_change_puts_its_document_out_of_step() {
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
        let mut client = Client::ready(says("1;\n")).await;
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
    let mut client = Client::start(says("x")).await;
    let params = json!({"capabilities": {}, "processId": editor.id()});
    client.request("initialize", params).await;
    editor.kill().expect("it is ours");
    editor.wait().expect("it was ours");
    assert_eq!(client.ended().await, 1);
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_the_model_and_only_the_newest_is_worth_it() {
    let mut client = Client::start(says("1;\n")).await;
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
async fn a_model_that_cannot_be_loaded_is_said_once_and_the_server_lives() {
    let mut client = Client::start(says("x")).await;
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
async fn the_status_says_why_there_is_nothing_where_the_focus_is() {
    let mut client = Client::ready(says("x")).await;
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
    let told: Vec<_> = client
        .all_notified("tabahead/status")
        .await
        .iter()
        .map(|status| format!("{}: {}", status["kind"], status["message"]))
        .collect();
    let told: Vec<_> = told.iter().map(|line| line.replace('"', "")).collect();
    assert_eq!(
        told[told.len() - 5..],
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
    let mut client = Client::ready(says("x")).await;
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
    let mut client = Client::ready(says("x")).await;
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
    let mut client = Client::ready(says("x")).await;
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
    let mut client = Client::start(says("x")).await;
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

#[tokio::test(start_paused = true)]
async fn a_cell_of_a_notebook_is_a_document_with_a_name_in_its_own_language() {
    let mut client = Client::ready(says("1\n")).await;
    let cell = "vscode-notebook-cell:/w/look%20here.ipynb#W0sZmlsZQ%3D%3D";
    let document = json!({"uri": cell, "languageId": "python", "version": 1, "text": "a = "});
    client
        .notify("textDocument/didOpen", json!({"textDocument": document}))
        .await;
    let item = client.suggestion(cell, (0, 4)).await;
    assert_eq!(item["insertText"], "1");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn settings_come_from_initialize_and_from_changes_and_bad_ones_are_refused_by_name() {
    let mut client = Client::start(says("1;\n")).await;
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
    let anew = client.stats().await;
    assert_eq!(anew["requests"], 1, "{anew}");
    assert_eq!(anew["misses"], 1, "{anew}");
    assert_eq!(anew["latency"]["miss"]["count"], 1, "{anew}");
    assert_tokens_add_up(&anew);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn flags_win_over_the_editor_and_the_editor_over_the_file() {
    let started = Started {
        file: json!({"speculation": {"enabled": false}, "threads": 1}),
        flags: json!({"threads": 3}),
        ..Started::default()
    };
    let mut client = Client::start_with(started, says("x")).await;
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
    let mut client = Client::start_with(started, says("1;\n")).await;
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

#[tokio::test(start_paused = true)]
async fn the_model_is_warmed_when_a_document_is_opened() {
    let mut client = Client::ready(says("x")).await;
    client.stats().await;
    assert_eq!(client.backend().warmed(), 0);
    client.open(URI, "let a = ").await;
    client.stats().await;
    assert_eq!(client.backend().warmed(), 1);
    client.stop(0).await;
}

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
fn assert_tokens_add_up(stats: &Value) {
    let count = |name: &str| stats["tokens"][name].as_u64().expect("a figure");
    assert_eq!(
        count("decoded") + count("constrained"),
        count("received"),
        "{stats}"
    );
    assert_eq!(count("prompt"), count("prompt_received"), "{stats}");
}

#[tokio::test(start_paused = true)]
async fn the_figures_of_a_running_server_lie_in_a_file_until_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let started = Started {
        stats_dir: Some(folder.path().to_owned()),
        ..Started::default()
    };
    let mut client = Client::start_with(started, says("1;\n")).await;
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

#[tokio::test]
async fn no_text_is_logged() {
    // `tracing` caches for the whole process which events are enabled: beside other tests, which
    // have no subscriber, events would be lost. So the test runs alone in its own process.
    if std::env::var_os("TABAHEAD_LOGGED_ALONE").is_none() {
        let alone = std::process::Command::new(std::env::current_exe().expect("a test program"))
            .args(["--exact", "tests::no_text_is_logged", "--nocapture"])
            .env("TABAHEAD_LOGGED_ALONE", "1")
            .output()
            .expect("the test program starts");
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(
            alone.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let log = client::Log::default();
    let _logging = log.capture();
    let mut client = Client::ready(says("XYZZY(1);\n")).await;
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
    let told = client.all_notified("tabahead/status").await;
    let told: Vec<_> = told
        .iter()
        .filter_map(|status| status["message"].as_str())
        .collect();
    let (ready, loading) = told.split_last().expect("the status was told");
    assert_eq!(*ready, "ready");
    assert_eq!(loading.last(), Some(&"loading the model, 100 %"));
    client.stop(0).await;
}
