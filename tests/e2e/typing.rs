//! Typing, reading and accepting: what a user sees, and where it came from.

use serde_json::{Value, json};
use tabahead_testkit::Random;

use crate::{
    buffer::{Buffer, Item},
    client::Client,
    report,
};

/// Places in files where there is something to continue.
const PLACES: [(&str, &str, &str); 6] = [
    (
        "area.rs",
        "rust",
        "/// A rectangle.\npub struct Rectangle {\n    width: f64,\n    height: f64,\n}\n\nimpl Rectangle {\n    pub fn new(width: f64, height: f64) -> Self {\n        Self { width, height }\n    }\n\n    pub fn area(&self) -> f64 {\n        $0\n    }\n}\n",
    ),
    (
        "stack.py",
        "python",
        "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n        self.items.append(item)\n\n    def pop(self):\n        $0\n",
    ),
    (
        "server.js",
        "javascript",
        "const http = require('http');\n\nfunction handle(request, response) {\n  response.statusCode = 200;\n  $0\n}\n\nhttp.createServer(handle).listen(8080);\n",
    ),
    (
        "sum.go",
        "go",
        "package main\n\nimport \"fmt\"\n\nfunc sum(numbers []int) int {\n\ttotal := 0\n\tfor _, number := range numbers {\n\t\t$0\n\t}\n\treturn total\n}\n\nfunc main() {\n\tfmt.Println(sum([]int{1, 2, 3}))\n}\n",
    ),
    (
        "parse.rs",
        "rust",
        "use std::collections::HashMap;\n\nfn count_words(text: &str) -> HashMap<String, usize> {\n    let mut counts = HashMap::new();\n    for word in text.split_whitespace() {\n        $0\n    }\n    counts\n}\n",
    ),
    (
        "config.py",
        "python",
        "import json\nimport os\n\n\ndef read_config(path):\n    with open(path) as file:\n        $0\n",
    ),
];

/// Real files; a seed chooses places in them.
const FILES: [(&str, &str, &str); 4] = [
    (
        "document.rs",
        "rust",
        include_str!("../../crates/tabahead-text/src/document.rs"),
    ),
    (
        "reference.js",
        "javascript",
        include_str!("../../crates/tabahead-text/tests/reference/reference.js"),
    ),
    (
        "builtin.lua",
        "lua",
        include_str!("editors/neovim/builtin.lua"),
    ),
    ("client.rs", "rust", include_str!("client.rs")),
];

/// Number of accepts with a suggestion after them that is enough, and maximum number of places to
/// try for them.
const ENOUGH: usize = 20;
const MOST_PLACES: usize = 400;

/// Number of accepts at each place.
const ACCEPTS: usize = 4;

fn off() -> Value {
    json!({"speculation": {"enabled": false}})
}

/// Returns the answer of a process with empty caches that never computes ahead.
pub fn fresh_answer(buffer: &Buffer) -> Option<Item> {
    let mut fresh = fresh_client(buffer);
    let answer = fresh.complete(buffer);
    let item = buffer.item(&answer);
    fresh.settle();
    item
}

/// Starts a process with empty caches that never computes ahead, with a buffer open in it.
pub fn fresh_client(buffer: &Buffer) -> Client {
    let mut fresh = Client::start(off());
    fresh.open(buffer);
    fresh
}

#[test]
fn typing_shows_suggestions_and_an_accepted_one_is_followed_by_the_next() {
    let mut shown = 0;
    for (name, language, fixture) in PLACES {
        let mut client = Client::start(json!({}));
        let mut buffer = Buffer::new(name, language, fixture);
        client.open(&buffer);
        for typed in ["r", "e"] {
            let change = buffer.insert(typed);
            client.change(change);
            let answer = client.complete(&buffer);
            if let Some(item) = buffer.item(&answer) {
                shown += 1;
                let before = buffer.text().len();
                let replaced = item.range.len();
                let mut accepted = buffer.clone();
                accepted.accept(&item);
                assert_eq!(accepted.text().len(), before - replaced + item.text.len());
            }
        }
    }
    assert!(
        shown >= PLACES.len(),
        "suggestions were shown only {shown} times"
    );
}

/// Returns the text without the rest of the line after a place, as if the user were typing there.
fn half_a_line(text: &str, at: usize) -> String {
    let end = text[at..].find('\n').map_or(text.len(), |rest| at + rest);
    format!("{}{}", &text[..at], &text[end..])
}

#[test]
fn after_a_pause_the_suggestion_after_an_accepted_one_is_there_and_is_the_fresh_one() {
    let (mut wanted, mut speculated) = (0, 0);
    let mut others = Vec::new();
    let mut random = Random::new(7);
    for place in 0..MOST_PLACES {
        if wanted >= ENOUGH {
            break;
        }
        let (name, language, text) = *random.pick(&FILES);
        let mut client = Client::start(json!({}));
        let at = text.floor_char_boundary(text.len() / 4 + random.below(text.len() / 2));
        let mut buffer = Buffer::with_text(name, language, &half_a_line(text, at), at);
        client.open(&buffer);
        let answer = client.complete(&buffer);
        let mut item = buffer.item(&answer);
        for accepted in 1..=ACCEPTS {
            let Some(shown) = item else { break };
            let before = client.settle();
            client.change(buffer.accept(&shown));
            let answer = client.complete(&buffer);
            item = buffer.item(&answer);
            assert_eq!(
                item,
                fresh_answer(&buffer),
                "place {place} in {name}, accept {accepted}, cursor at byte {}",
                buffer.cursor()
            );
            if item.is_some() {
                wanted += 1;
                let after = client.settle();
                if hits(&after, "speculated") > hits(&before, "speculated") {
                    speculated += 1;
                } else {
                    others.push(format!("{name} place {place}: {}", after["hits"]));
                }
            }
        }
    }
    report::note(
        "accept chains",
        &format!("{speculated} of {wanted} suggestions after an accepted one were computed ahead"),
    );
    assert!(
        wanted >= ENOUGH,
        "only {wanted} accepts had something after them"
    );
    assert!(
        speculated * 10 >= wanted * 9,
        "{speculated} of {wanted} were computed ahead; others: {others:#?}"
    );
}

#[test]
fn tokens_are_counted_and_a_known_state_computes_none() {
    let mut client = Client::start(off());
    let (name, language, fixture) = PLACES[0];
    let buffer = Buffer::new(name, language, fixture);
    client.open(&buffer);
    let first = client.complete(&buffer);
    let before = client.settle();
    let tokens = &before["tokens"];
    for key in ["prompt", "decoded"] {
        assert!(
            tokens[key].as_u64().is_some_and(|count| count > 0),
            "{key} in {before}"
        );
    }
    assert_eq!(before["requests"], 1, "{before}");
    assert_eq!(before["misses"], 1, "{before}");

    let second = client.complete(&buffer);
    assert_eq!(buffer.item(&first), buffer.item(&second));
    let after = client.settle();
    assert_eq!(after["requests"], 2, "{after}");
    assert_eq!(hits(&after, "exact"), 1, "{after}");
    assert_eq!(after["tokens"]["prefilled"], before["tokens"]["prefilled"]);
    assert_eq!(after["misses"], 1, "{after}");
}

#[test]
fn a_keystroke_computes_a_token_or_two_and_only_those() {
    // Only the requests themselves are computed, and no lookahead follows two tokens.
    let mut settings = off();
    settings["lookahead"] = json!(false);
    let mut client = Client::start(settings);
    let (name, language, fixture) = PLACES[0];
    let mut buffer = Buffer::new(name, language, fixture);
    client.open(&buffer);
    client.complete(&buffer);
    let mut read = Vec::new();
    let mut before = client.settle();
    // An opened bracket would change what the model sees after the cursor.
    for char in "let doubled = self.width * 2.0 - self.height;".chars() {
        let change = buffer.insert(&char.to_string());
        client.change(change);
        client.complete(&buffer);
        let after = client.settle();
        let tokens = |key: &str| {
            let count = |stats: &Value| stats["tokens"][key].as_u64().expect("a count");
            count(&after) - count(&before)
        };
        // Every computed token was read from the text, or was decoded and then continued.
        let (decoded, constrained) = (tokens("decoded"), tokens("constrained"));
        let reading = tokens("prefilled") + tokens("drafted");
        assert!(tokens("computed") <= reading + decoded + constrained);
        read.push(reading);
        before = after;
    }
    read.sort_unstable();
    let (median, most) = (read[read.len() / 2], read[read.len() - 1]);
    assert!(median <= 2 && most <= 6, "{read:?}");
}

#[test]
fn a_suggestion_that_is_typed_along_stays_without_asking_the_model() {
    let mut client = Client::start(off());
    let (name, language, fixture) = PLACES[4];
    let mut buffer = Buffer::new(name, language, fixture);
    client.open(&buffer);
    let answer = client.complete(&buffer);
    let item = buffer.item(&answer).expect("a suggestion");
    client.settle();
    let typed: String = item.text.chars().take(1).collect();
    let change = buffer.insert(&typed);
    client.change(change);
    let answer = client.complete(&buffer);
    assert_eq!(buffer.item(&answer), fresh_answer(&buffer));
    let stats = client.settle();
    let reused = hits(&stats, "typed_through") + hits(&stats, "exact");
    assert_eq!(reused + stats["misses"].as_u64().unwrap_or(0), 2, "{stats}");
}

/// Returns the number of answers of a kind so far.
pub fn hits(stats: &Value, kind: &str) -> u64 {
    stats["hits"][kind]
        .as_u64()
        .unwrap_or_else(|| panic!("hits.{kind} in {stats}"))
}
