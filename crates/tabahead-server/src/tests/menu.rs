//! Suggestions in the completion menu of clients that support nothing better.

use serde_json::{Value, json};
use tabahead_backend::Script;

use super::{
    URI,
    client::{self, Client},
    generates,
};

/// Starts a client that declares these features of text documents; also returns the server's
/// capabilities.
async fn declaring(
    features: Value,
    script: impl Fn(&str) -> Script + Send + Sync + 'static,
) -> (Client, Value) {
    let mut client = Client::start(script).await;
    let mut answer = client
        .request(
            "initialize",
            json!({
                "clientInfo": {"name": features["name"].as_str().unwrap_or("editor")},
                "capabilities": {"textDocument": features},
            }),
        )
        .await;
    client.notify("initialized", json!({})).await;
    client.load(Ok(client::profile()));
    (client, answer["result"]["capabilities"].take())
}

/// Starts a client with a completion menu.
async fn menu(text: &str) -> Client {
    declaring(json!({"completion": {}}), generates(text))
        .await
        .0
}

/// Starts a client that inserts like Neovim 0.11.
async fn neovim(text: &str) -> Client {
    let features = json!({
        "name": "Neovim",
        "completion": {"completionItem": {
            "snippetSupport": true,
            "documentationFormat": ["markdown", "plaintext"],
        }},
    });
    declaring(features, generates(text)).await.0
}

async fn ask(client: &mut Client, (line, column): (u32, u32)) -> Value {
    let params = json!({
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": column},
        "context": {"triggerKind": 1},
    });
    let mut answer = client.request("textDocument/completion", params).await;
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].take()
}

/// Opens a document with the cursor at `$0` and returns the only item.
async fn item(client: &mut Client, fixture: &str) -> Value {
    let mut list = list(client, fixture).await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    list["items"][0].take()
}

async fn list(client: &mut Client, fixture: &str) -> Value {
    let (before, after) = fixture.split_once("$0").expect("a cursor");
    client.open(URI, &format!("{before}{after}")).await;
    let line = before.matches('\n').count() as u32;
    let last = before.rsplit('\n').next().unwrap_or_default();
    ask(client, (line, last.encode_utf16().count() as u32)).await
}

fn range(line: u32, start: u32, end: u32) -> Value {
    json!({
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": end},
    })
}

#[tokio::test(start_paused = true)]
async fn only_a_client_with_a_menu_and_without_inline_completion_gets_items() {
    for (features, is_offered) in [
        (json!({"completion": {}}), true),
        (json!({"completion": {}, "inlineCompletion": null}), true),
        (json!({"completion": {}, "inlineCompletion": {}}), false),
        (json!({"inlineCompletion": {}}), false),
        (json!({}), false),
    ] {
        let (mut client, capabilities) = declaring(features.clone(), generates("1;\n")).await;
        assert_eq!(capabilities["inlineCompletionProvider"], json!({}));
        let provider = if is_offered {
            json!({"resolveProvider": false})
        } else {
            Value::Null
        };
        assert_eq!(capabilities["completionProvider"], provider, "{features}");
        client.open(URI, "let a = ").await;
        let params = json!({"textDocument": {"uri": URI}, "position": {"line": 0, "character": 8}});
        let answer = client.request("textDocument/completion", params).await;
        assert_eq!(answer["result"]["items"].is_array(), is_offered, "{answer}");
        if !is_offered {
            assert_eq!(answer["error"]["code"], -32601, "{answer}");
        }
        assert_eq!(client.suggestion(URI, (0, 8)).await["insertText"], "1;");
        client.stop(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_replaces_the_word_before_the_cursor_with_the_accepted_text() {
    let mut client = menu("dth * height\n").await;
    let item = item(&mut client, "let area = self.wi$0;\n").await;
    assert_eq!(
        item,
        json!({
            "label": "width * height",
            "labelDetails": {"description": "tabahead"},
            "detail": "tabahead",
            "kind": 1,
            "sortText": "~~~~",
            "filterText": "width * height",
            "insertTextFormat": 1,
            "insertTextMode": 1,
            "textEdit": {"range": range(0, 16, 18), "newText": "width * height"},
            "command": {
                "title": "Accepted",
                "command": "tabahead.accepted",
                "arguments": [1, "miss"],
            },
        })
    );
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn words_and_the_closers_after_them_are_replaced_in_every_encoding() {
    for (encoding, start, cursor) in [("utf-8", 11, 17), ("utf-16", 9, 12), ("utf-32", 8, 10)] {
        let mut client = Client::start(generates("𝒳é_1, b);\n")).await;
        let capabilities = json!({
            "general": {"positionEncodings": [encoding]},
            "textDocument": {"completion": {}},
        });
        client
            .request("initialize", json!({"capabilities": capabilities}))
            .await;
        client.notify("initialized", json!({})).await;
        client.load(Ok(client::profile()));
        client.open(URI, "𝒲 = add(𝒳ö)\n").await;
        let list = ask(&mut client, (0, cursor)).await;
        let here = &list["items"][0];
        assert_eq!(here["label"], "𝒳ö𝒳é_1, b);");
        let edit = json!({"range": range(0, start, cursor + 1), "newText": "𝒳ö𝒳é_1, b);"});
        assert_eq!(here["textEdit"], edit, "{encoding}");
        client.stop(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn lines_have_the_documents_ends_and_show_the_first_one_that_is_not_blank() {
    let script = |tail: &str| {
        if tail.ends_with("c();") {
            Script::Text("\n    next_step();\n".to_owned())
        } else {
            Script::Text("x\n".to_owned())
        }
    };
    let features = json!({"completion": {"completionItem": {"documentationFormat": ["markdown"]}}});
    let (mut client, _) = declaring(features, script).await;
    let here = item(&mut client, "fn main() {\r\n    c();$0\r\n").await;
    assert_eq!(here["label"], "↵ next_step();");
    assert_eq!(here.get("filterText"), None);
    assert_eq!(here["textEdit"]["newText"], "\r\n    next_step();");
    assert_eq!(here["textEdit"]["range"], range(1, 8, 8));
    assert_eq!(
        here["documentation"],
        json!({"kind": "markdown", "value": "```rust\n    next_step();\n```"})
    );
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_line_is_shortened_and_a_fence_is_longer_than_any_in_the_text() {
    let long = "`````one`, two, three, four, five, six, seven, eight, nine, ";
    let features = json!({"completion": {"completionItem": {"documentationFormat": ["markdown"]}}});
    let (mut client, _) = declaring(features, generates(&format!("{long}ten\n"))).await;
    let item = item(&mut client, "let a = $0\n").await;
    let label = item["label"].as_str().expect("a text");
    assert_eq!(label.chars().count(), 60, "{label}");
    let shown = label.strip_suffix('…').expect("an ellipsis");
    let text = item["textEdit"]["newText"].as_str().expect("a text");
    assert!(text.starts_with(shown), "{item}");
    let value = format!("``````rust\n{text}\n``````");
    assert_eq!(item["documentation"]["value"], value);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn there_is_no_item_for_closers_alone_nor_within_a_word() {
    let mut client = menu(");\n").await;
    let none = json!({"isIncomplete": true, "items": []});
    assert_eq!(list(&mut client, "f(g(1$0\n").await, none);
    client.stop(0).await;
    let mut client = menu("ab\n").await;
    assert_eq!(list(&mut client, "let c = x$0y;\n").await, none);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_menu_is_asked_again_only_where_something_may_come() {
    let mut client = menu("x = 1\n").await;
    let list = list(&mut client, "let $0\n").await;
    assert_eq!(list["isIncomplete"], true);
    let uri = "file:///w/.env";
    client.open(uri, "KEY=").await;
    let params = json!({"textDocument": {"uri": uri}, "position": {"line": 0, "character": 4}});
    let answer = client.request("textDocument/completion", params).await;
    assert_eq!(
        answer["result"],
        json!({"isIncomplete": false, "items": []})
    );
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_menu_can_be_turned_off() {
    let mut client = menu("x = 1\n").await;
    client.open(URI, "let ").await;
    assert_eq!(ask(&mut client, (0, 4)).await["items"][0]["label"], "x = 1");
    client
        .notify(
            "workspace/didChangeConfiguration",
            json!({"settings": {"tabahead": {"completion_menu": false}}}),
        )
        .await;
    assert_eq!(ask(&mut client, (0, 4)).await, Value::Null);
    client.suggestion(URI, (0, 4)).await;
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_superseded_request_of_a_menu_is_answered_null() {
    let features = json!({"completion": {}});
    let (mut client, _) = declaring(features, |_: &str| Script::Hold).await;
    client.open(URI, "let a = ").await;
    let params = json!({"textDocument": {"uri": URI}, "position": {"line": 0, "character": 8}});
    let first = client.send_request("textDocument/completion", params).await;
    client.change(URI, 2, "let ab = ").await;
    assert_eq!(client.response(first).await["result"], Value::Null);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn an_accept_from_a_menu_is_counted_and_answered_from_speculation() {
    let mut client = menu("dth;\nlet b = 1;\n").await;
    let here = item(&mut client, "let a = wi$0\n").await;
    let edit = &here["textEdit"];
    let change = json!({
        "textDocument": {"uri": URI, "version": 2},
        "contentChanges": [{"range": edit["range"], "text": edit["newText"]}],
    });
    client.notify("textDocument/didChange", change).await;
    ask(&mut client, (0, 14)).await;
    let stats = client.stats().await;
    assert_eq!(stats["outcomes"]["accepted_all"], 1, "{stats}");
    assert_eq!(stats["hits"]["speculated"], 1, "{stats}");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn an_accept_in_neovims_menu_is_counted_however_its_changes_are_sent() {
    // From selecting the item to accepting it; Neovim sends the first change at once, and the
    // others together after a while.
    let changes = [
        json!({"range": range(0, 9, 10), "text": ""}),
        json!({"range": range(0, 8, 9), "text": ""}),
        json!({"range": range(0, 8, 8), "text": "width;"}),
        json!({"range": range(0, 8, 14), "text": ""}),
        json!({"range": range(0, 8, 8), "text": "width;"}),
    ];
    for parts in 0..1 << (changes.len() - 1) {
        let mut client = neovim("dth;\nlet b = 1;\n").await;
        let here = item(&mut client, "let a = wi$0\n").await;
        assert_eq!(here["label"], "width;");
        let mut sent: Vec<&Value> = Vec::new();
        for (number, change) in changes.iter().enumerate() {
            sent.push(change);
            if number + 1 == changes.len() || parts & (1 << number) != 0 {
                let message = json!({
                    "textDocument": {"uri": URI, "version": number + 2},
                    "contentChanges": std::mem::take(&mut sent),
                });
                client.notify("textDocument/didChange", message).await;
            }
        }
        client
            .request("workspace/executeCommand", here["command"].clone())
            .await;
        let stats = client.stats().await;
        let outcomes = &stats["outcomes"];
        let counted = (
            &outcomes["accepted_all"],
            &outcomes["diverged"],
            &stats["accepted"],
        );
        assert_eq!(counted, (&json!(1), &json!(0), &json!(1)), "{parts:b}");
        client.stop(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn neovim_gets_a_snippet_that_is_the_text() {
    let mut client = neovim("x(\"${a}\\n\");\n").await;
    let here = item(&mut client, "    let a = b$0\n").await;
    assert_eq!(here["label"], "bx(\"${a}\\n\");");
    assert_eq!(
        (&here["insertTextFormat"], &here["insertTextMode"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        here["textEdit"],
        json!({"range": range(0, 12, 13), "newText": "bx(\"\\${a\\}\\\\n\");"})
    );
    assert_eq!(here["command"]["command"], "tabahead.accepted");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn neovim_gets_as_much_as_comes_out_right_and_an_accept_is_that_of_a_part() {
    for (text, fixture, expected, is_whole) in [
        // Neovim adds the indentation of the cursor's line.
        (
            "\n    two();\n",
            "fn f() {\r\n    one();$0\r\n}",
            Some("\ntwo();"),
            true,
        ),
        // A line with less indentation cannot be inserted.
        ("\nb = 1\n", "    a = 0$0\n", None, false),
        // Neovim replaces nothing after the cursor.
        ("one, two)\n", "    f($0)\n", Some("one, two"), true),
        ("one, two);\n", "    f($0)\n", Some("one, two"), false),
    ] {
        let mut client = neovim(text).await;
        let list = list(&mut client, fixture).await;
        let item = &list["items"][0];
        assert_eq!(item["textEdit"]["newText"].as_str(), expected, "{list}");
        assert_eq!(item["command"].is_object(), is_whole, "{list}");
        if let Some(shown) = item.get("documentation") {
            assert_eq!(shown["kind"], "plaintext");
        }
        if expected.is_some() {
            let range = &item["textEdit"]["range"];
            assert_eq!(range["start"], range["end"], "{list}");
        }
        client.stop(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_of_neovim_that_inserts_by_itself_gets_what_other_clients_get() {
    let features = json!({
        "name": "Neovim",
        "completion": {"completionItem": {"snippetSupport": true, "insertReplaceSupport": true}},
    });
    let (mut client, _) = declaring(features, generates("one, two)\n")).await;
    let item = item(&mut client, "f($0)\n").await;
    assert_eq!(item["insertTextFormat"], 1);
    assert_eq!(
        item["textEdit"],
        json!({"range": range(0, 2, 3), "newText": "one, two)"})
    );
    client.stop(0).await;
}
