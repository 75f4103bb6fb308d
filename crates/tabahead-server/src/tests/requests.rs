//! Requests for suggestions and their answers.

use serde_json::{Value, json};

use super::{
    URI,
    client::{self, Client},
    generates, holds,
};

#[tokio::test(start_paused = true)]
async fn a_suggestion_has_text_an_empty_range_at_the_cursor_and_the_accepted_command() {
    let mut client = Client::ready(generates("add(a, b)\n")).await;
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
async fn a_selected_popup_item_is_extended_or_nothing_is_shown() {
    let mut client = Client::ready(generates("th()\n")).await;
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
async fn answers_copy_from_the_other_open_files_but_not_from_secrets() {
    let copied = |client: &Client| {
        let started = client.backend().started();
        let source = started.last().and_then(|last| last.copy_source.clone());
        let files = source.expect("copying is on").open_files;
        let mut texts: Vec<_> = files.iter().map(|text| text.to_string()).collect();
        texts.sort_unstable();
        texts
    };
    let mut client = Client::start(generates("1;\n")).await;
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
