//! The law: whatever the caches hold, an answer is the one that a fresh process gives.
//!
//! Runs seeded edit scripts against one process with everything on, and compares each answer with
//! that of a process of its own, with empty caches and speculation off.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tabahead_testkit::Random;

use crate::{
    buffer::{Buffer, Item},
    client::Client,
    report,
    typing::{fresh_answer, fresh_client, hits},
};

const TEXTS: [(&str, &str, &str); 4] = [
    (
        "queue.rs",
        "rust",
        "use std::collections::VecDeque;\n\n/// Jobs in order.\n#[derive(Default)]\npub struct Queue {\n    jobs: VecDeque<String>,\n}\n\nimpl Queue {\n    pub fn push(&mut self, job: String) {\n        self.jobs.push_back(job);\n    }\n\n    pub fn pop(&mut self) -> Option<String> {\n        self.jobs.$0\n    }\n}\n",
    ),
    (
        "tabelle.py",
        "python",
        "# Größen und Preise 🙂\r\nPREISE = {\"Äpfel\": 3, \"Brot\": 2}\r\n\r\n\r\ndef summe(korb):\r\n    gesamt = 0\r\n    for name in korb:\r\n        $0\r\n    return gesamt\r\n",
    ),
    (
        "menu.ts",
        "typescript",
        "interface Item {\n\tname: string;\n\tprice: number; // 💶\n}\n\nexport function total(items: Item[]): number {\n\tlet sum = 0;\n\tfor (const item of items) {$0}\n\treturn sum;\n}\n",
    ),
    (
        "list.c",
        "c",
        "#include <stdlib.h>\n\nstruct node {\n    int value;\n    struct node *next;\n};\n\nstruct node *push(struct node *head, int value) {\n    struct node *node = malloc(sizeof(*node));\n    $0\n    return node;\n}\n",
    ),
];

/// Texts that a user types when not following a suggestion.
const TYPED: [&str; 16] = [
    "a", "self.", " ", "(", ")", "\"", "{", "}", "'", "7", "é", "🙂", "if ", "return ", "= ", ";",
];

#[test]
fn every_answer_is_the_one_of_a_fresh_process() {
    let states = if report::is_thorough() { 600 } else { 72 };
    let mut kinds = BTreeMap::from([
        ("speculated", 0),
        ("typed_through", 0),
        ("exact", 0),
        ("joined", 0),
    ]);
    let mut shown = 0;
    let mut several = 0;
    for (seed, (name, language, fixture)) in (1..).zip(TEXTS) {
        let mut random = Random::new(seed);
        let mut client = Client::start(json!({}));
        let mut buffer = Buffer::new(name, language, fixture);
        client.open(&buffer);
        let mut item: Option<Item> = None;
        for state in 0..states / TEXTS.len() {
            if random.below(2) == 0 {
                client.settle();
            }
            let action = step(&mut random, &mut client, &mut buffer, item.as_ref());
            let (asked, answer) = ask(&mut random, &mut client, &buffer);
            item = buffer.item(&answer);
            shown += u64::from(item.is_some());
            assert_eq!(
                item,
                fresh_answer(&buffer),
                "seed {seed}, state {state}, {asked} after {action}, cursor at byte {} of\n{}",
                buffer.cursor(),
                buffer.text()
            );
            if random.below(6) == 0 {
                several += check_several(&mut client, &buffer);
            }
        }
        let stats = client.settle();
        for (kind, count) in &mut kinds {
            *count += hits(&stats, kind);
        }
    }
    report::note(
        "law",
        &format!("{states} states, {shown} suggestions and {several} others, hits {kinds:?}"),
    );
    assert!(several > 0, "no request was given several suggestions");
    // The user goes to many places before code, where nothing should be shown.
    assert!(
        shown * 5 > states as u64 * 2,
        "only {shown} suggestions in {states} states"
    );
    for (kind, count) in &kinds {
        assert!(*count > 0, "no {kind} hit was met: {kinds:?}");
    }
}

/// An answer depends on the texts of the other open files, and on nothing else about them.
#[test]
fn with_two_files_open_every_answer_is_the_one_of_a_fresh_process() {
    let (name, language, fixture) = TEXTS[0];
    let mut client = Client::start(json!({}));
    let mut files = [
        Buffer::new(name, language, fixture),
        Buffer::new(
            "stack.rs",
            language,
            "impl Stack {\n    pub fn pop(&mut self) -> Option<String> {\n        self.jobs.pop_everything()$0\n    }\n}\n",
        ),
    ];
    files.iter().for_each(|file| client.open(file));
    let mut random = Random::new(9);
    let mut items = [None, None];
    let (mut shown, mut copied) = (0, 0);
    for state in 0..24 {
        let (at, other) = [(0, 1), (1, 0)][usize::from(random.below(3) == 0)];
        if state > 0 {
            step(&mut random, &mut client, &mut files[at], items[at].as_ref());
        }
        let answer = client.complete(&files[at]);
        items[at] = files[at].item(&answer);
        let mut fresh = fresh_client(&files[other]);
        fresh.open(&files[at]);
        let answer = fresh.complete(&files[at]);
        assert_eq!(items[at], files[at].item(&answer), "state {state}");
        shown += usize::from(items[at].is_some());
        copied += usize::from(items[at] != fresh_answer(&files[at]));
    }
    assert!(shown > 8, "only {shown} suggestions");
    assert!(copied > 0, "the other file never made a difference");
}

/// Asks for several suggestions, and checks that they, too, are those of a fresh process. Returns
/// the number of suggestions besides the first.
fn check_several(client: &mut Client, buffer: &Buffer) -> usize {
    let mut request = buffer.request();
    request["context"]["triggerKind"] = json!(1);
    let ask = |client: &mut Client| {
        let answer = client.result("textDocument/inlineCompletion", request.clone());
        let items = answer["items"].as_array().expect("a list").iter();
        let essence = |item: &Value| (item["insertText"].clone(), item["range"].clone());
        items.map(essence).collect::<Vec<_>>()
    };
    let items = ask(client);
    let mut fresh = fresh_client(buffer);
    assert_eq!(items, ask(&mut fresh), "of\n{}", buffer.text());
    items.len().saturating_sub(1)
}

/// Asks for a suggestion, now and then as impatiently as an editor. Returns how it asked, and the
/// last answer.
fn ask(random: &mut Random, client: &mut Client, buffer: &Buffer) -> (&'static str, Value) {
    const METHOD: &str = "textDocument/inlineCompletion";
    match random.below(4) {
        0 => {
            let first = client.request(METHOD, buffer.request());
            let answer = client.complete(buffer);
            let first = client.answer(first);
            // Superseded, or known already and so answered before the second request was read.
            let same = buffer.item(&first["result"]) == buffer.item(&answer);
            assert!(first["result"].is_null() || same, "{first} and {answer}");
            ("asked twice", answer)
        }
        1 => {
            let first = client.request(METHOD, buffer.request());
            client.notify("$/cancelRequest", json!({"id": first}));
            let answer = client.complete(buffer);
            let first = client.answer(first);
            let same = buffer.item(&first["result"]) == buffer.item(&answer);
            let cancelled = first["error"]["code"] == -32800;
            assert!(cancelled || same, "{first} and {answer}");
            ("asked, cancelled and asked", answer)
        }
        _ => ("asked", client.complete(buffer)),
    }
}

/// Does one random thing that a user may do. Returns its name.
fn step(
    random: &mut Random,
    client: &mut Client,
    buffer: &mut Buffer,
    item: Option<&Item>,
) -> &'static str {
    let choice = random.below(16);
    match (choice, item) {
        (0..=4, Some(item)) => {
            client.change(buffer.accept(item));
            "accept"
        }
        (5 | 6, Some(item)) if item.range.is_empty() => {
            let end = first_word(&item.text);
            client.change(buffer.insert(&item.text[..end]));
            "accept of a word"
        }
        (7..=9, Some(item)) if item.range.is_empty() => {
            let length = item.text.chars().next().map_or(0, char::len_utf8);
            client.change(buffer.insert(&item.text[..length]));
            "typing along"
        }
        (10, _) => "asking again",
        (11, _) => {
            client.change(buffer.backspace());
            "backspace"
        }
        (12, _) => {
            let target = random.below(buffer.text().len() + 1);
            buffer.move_to(target);
            "moving the cursor"
        }
        (13, _) => {
            let end = if buffer.text().contains("\r\n") {
                "\r\n"
            } else {
                "\n"
            };
            client.change(buffer.insert(&format!("{end}    ")));
            "a new line"
        }
        _ => {
            let typed = *random.pick(&TYPED);
            client.change(buffer.insert(typed));
            "typing"
        }
    }
}

/// Returns the end of the leading white space and the word after it, or of one character.
fn first_word(text: &str) -> usize {
    let word = text
        .char_indices()
        .skip_while(|(_, character)| character.is_whitespace())
        .find(|(_, character)| !character.is_alphanumeric() && *character != '_')
        .map_or(text.len(), |(at, _)| at);
    word.max(text.chars().next().map_or(0, char::len_utf8))
}
