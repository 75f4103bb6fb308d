//! Stress on the protocol: bursts, cancels and nonsense from a client.

use serde_json::{Value, json};
use tabahead_testkit::{Random, frames::framed};

use crate::{buffer::Buffer, client::Client, report, typing::fresh_answer};

const RUST: &str = "fn largest(numbers: &[i32]) -> Option<i32> {\n    let mut best = None;\n    for &number in numbers {\n        $0\n    }\n    best\n}\n";

#[test]
fn a_burst_of_edits_leaves_the_document_that_the_client_holds() {
    let bursts = if report::is_thorough() { 40 } else { 6 };
    let pieces = [
        "a",
        "🙂",
        "\r\n",
        "é",
        "\t",
        "x = ",
        "日本",
        "(",
        "\u{1f9d1}\u{200d}\u{1f4bb}",
        "\n",
    ];
    for seed in 0..bursts {
        let mut random = Random::new(1000 + seed);
        let mut client = Client::start(json!({}));
        let mut buffer = Buffer::new("burst.rs", "rust", RUST);
        client.open(&buffer);
        let mut superseded = Vec::new();
        for _ in 0..60 {
            let target = random.below(buffer.text().len() + 1);
            if random.below(3) == 0 {
                buffer.move_to(target);
            }
            let change = match random.below(4) {
                0 => buffer.backspace(),
                _ => buffer.insert(random.pick::<&str>(&pieces)),
            };
            client.change(change);
            if random.below(4) == 0 {
                superseded.push(client.request("textDocument/inlineCompletion", buffer.request()));
            }
        }
        buffer.move_to(buffer.text().find("best").unwrap_or(0));
        client.change(buffer.insert("let "));
        let answer = client.complete(&buffer);
        let item = buffer.item(&answer);
        assert_eq!(
            item,
            fresh_answer(&buffer),
            "seed {seed}:\n{}",
            buffer.text()
        );
        for id in superseded {
            let answer = client.answer(id);
            assert!(answer.get("result").is_some() || answer.get("error").is_some());
        }
    }
}

#[test]
fn a_superseded_request_is_answered_with_null() {
    let mut client = Client::start(json!({}));
    let mut buffer = Buffer::new("a.rs", "rust", RUST);
    client.open(&buffer);
    let first = client.request("textDocument/inlineCompletion", buffer.request());
    client.change(buffer.insert("if best"));
    let second = client.request("textDocument/inlineCompletion", buffer.request());
    let second = client.answer(second);
    assert_eq!(buffer.item(&second["result"]), fresh_answer(&buffer));
    assert_eq!(client.answer(first)["result"], Value::Null);
}

#[test]
fn a_cancelled_request_is_answered_with_the_error_for_it() {
    let mut client = Client::start(json!({}));
    let buffer = Buffer::new("a.rs", "rust", RUST);
    client.open(&buffer);
    // Both are in the server's input before it can have an answer: its model is still loading.
    let id = client.request("textDocument/inlineCompletion", buffer.request());
    client.notify("$/cancelRequest", json!({"id": id}));
    let answer = client.answer(id);
    assert_eq!(answer["error"]["code"], -32800, "{answer}");
    let again = client.complete(&buffer);
    assert_eq!(buffer.item(&again), fresh_answer(&buffer));
}

#[test]
fn nonsense_is_answered_with_errors_and_the_server_continues() {
    let mut client = Client::spawn();
    let early = client.call("tabahead/stats", Value::Null);
    assert_eq!(early["error"]["code"], -32002, "{early}");
    let answer = client.call("initialize", Client::initialize(Value::Null));
    assert_eq!(answer.get("error"), None, "{answer}");
    client.notify("initialized", json!({}));

    let buffer = Buffer::new("a.rs", "rust", RUST);
    client.open(&buffer);
    let unknown = client.call("textDocument/noSuchThing", json!({}));
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    let shapeless = client.call("textDocument/inlineCompletion", json!({"position": "here"}));
    assert_eq!(shapeless["error"]["code"], -32602, "{shapeless}");
    client.send_bytes(framed("{\"jsonrpc\": \"2.0\", \"id\": ").as_bytes());
    client.send_bytes(framed("{\"jsonrpc\": \"1.0\", \"id\": 700, \"method\": \"x\"}").as_bytes());
    // A message without a readable id gets no answer: an editor would show one as an error of its
    // own.
    let refused = client.take(|message| message["id"] == 700);
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    client.notify("textDocument/didChange", json!({"contentChanges": 7}));
    client.notify("$/noSuchNotification", json!([1, 2]));
    client.notify("$/cancelRequest", json!({"id": 987_654}));

    let answer = client.complete(&buffer);
    assert_eq!(buffer.item(&answer), fresh_answer(&buffer));
}

#[test]
fn places_outside_the_text_are_clamped_and_unknown_documents_are_silent() {
    let mut client = Client::start(json!({}));
    let buffer = Buffer::new("a.rs", "rust", "fn main() {\n    let x = 🙂;\n$0");
    client.open(&buffer);
    let mut far = buffer.request();
    far["position"] = json!({"line": 4_000_000_000_u32, "character": 4_000_000_000_u32});
    let clamped = client.result("textDocument/inlineCompletion", far);
    let at_end = client.complete(&buffer);
    assert_eq!(buffer.item(&clamped), buffer.item(&at_end));

    let other = Buffer::new("never-opened.rs", "rust", "fn $0");
    let answer = client.call("textDocument/inlineCompletion", other.request());
    assert_eq!(answer["result"], Value::Null, "{answer}");
    client.change(other.clone().insert("x"));
    client.notify(
        "textDocument/didClose",
        json!({"textDocument": {"uri": other.uri()}}),
    );
    let again = client.complete(&buffer);
    assert_eq!(buffer.item(&again), buffer.item(&at_end));
}

#[test]
fn a_closed_document_is_forgotten() {
    let mut client = Client::start(json!({}));
    let buffer = Buffer::new("a.rs", "rust", RUST);
    client.open(&buffer);
    client.complete(&buffer);
    client.notify(
        "textDocument/didClose",
        json!({"textDocument": {"uri": buffer.uri()}}),
    );
    let answer = client.call("textDocument/inlineCompletion", buffer.request());
    assert_eq!(answer["result"], Value::Null, "{answer}");
    client.settle();
}
