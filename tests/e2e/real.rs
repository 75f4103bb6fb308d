//! Models that users have, unmodified: the official files of Qwen2.5-Coder-Instruct, 0.5B and, in
//! the longer variants, 1.5B.
//!
//! `TABAHEAD_REAL_MODEL` and `TABAHEAD_REAL_MODEL_LARGE` hold their paths; `cargo xtask prepare`
//! fetches them. `tabahead-engine/src/tests/real.rs` compares the engine's results for the same
//! file with llama.cpp. `neovim.rs` shows its ghost text.

mod held_out;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tabahead_replay::{
    editing::{Editing, EventKind},
    recording::Entries,
};

use crate::{
    buffer::{Buffer, Item},
    client::Client,
    program, report,
    typing::hits,
};

/// A text that continues for more than five lines.
const MONTHS: &str = "# Days of each month of 2026, by its number.\nDAYS = {\n    1: (\"January\", 31),\n    2: (\"February\", 28),\n    3: (\"March\", 31),\n    $0\n";

/// Returns the 0.5B's file, or skips the test if it is not here.
pub fn small(test: &str) -> Option<PathBuf> {
    model(test, "TABAHEAD_REAL_MODEL")
}

/// Returns the 1.5B's file, or skips the test if it is not here.
fn large(test: &str) -> Option<PathBuf> {
    model(test, "TABAHEAD_REAL_MODEL_LARGE")
}

fn model(test: &str, variable: &str) -> Option<PathBuf> {
    let file = std::env::var_os(variable).map(PathBuf::from);
    if file.is_none() {
        report::skip(test, &format!("{variable} is not set"));
    }
    file
}

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests are in the workspace")
}

/// Runs a command with a model, and returns the JSON that it prints.
#[track_caller]
fn printed(model: &Path, arguments: &[&OsStr]) -> Value {
    let output = Command::new(program::path())
        .args(arguments)
        .arg("--json")
        .arg("--model")
        .arg(model)
        .current_dir(root())
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

#[test]
fn a_real_file_works_untouched() {
    if let Some(model) = small("a real file, untouched") {
        check_commands(&model);
    }
}

#[test]
fn a_larger_real_file_works_untouched() {
    const TEST: &str = "a larger real file, untouched";
    if !report::is_thorough() {
        return;
    }
    for model in [small(TEST), large(TEST)].into_iter().flatten() {
        check_commands(&model);
        let measured = printed(&model, &["bench", "--quick"].map(OsStr::new));
        assert!(
            measured.to_string().to_lowercase().contains("qwen2.5"),
            "{measured}"
        );
    }
}

/// Checks that `complete`, `eval` and `doctor` take the file as it is.
#[track_caller]
fn check_commands(model: &Path) {
    // It fails if an answer that was computed ahead is not the fresh one.
    let place = ["complete", "examples/inventory.py:48", "--tabs", "2"].map(OsStr::new);
    let printed_chain = printed(model, &place);
    let chain = printed_chain["chain"].as_array().expect("a list");
    let texts: Vec<&str> = chain
        .iter()
        .filter_map(|step| step["text"].as_str())
        .collect();
    assert_eq!(texts.len(), 3, "{printed_chain}");
    // Line 48 is the head of a loop that should compare `item.quantity` with a limit.
    assert!(texts.concat().contains("item.quantity"), "{texts:?}");
    let rows = "crates/tabahead/tests/data/eval-own.jsonl";
    let figures = printed(model, &["eval", rows, "--limit", "2"].map(OsStr::new));
    assert_eq!(figures["rows"], 2, "{figures}");
    let report = printed(model, &["doctor".as_ref()]);
    let checks = report["checks"].as_array().expect("a list").iter();
    let mut checks = checks.filter(|check| check["name"] == "model");
    assert_eq!(
        checks.next().expect("the model is checked")["state"],
        "ok",
        "{report}"
    );
}

#[test]
fn five_accepts_in_a_row_are_followed_by_what_was_computed_ahead() {
    let Some(model) = small("five accepts in a row with a real model") else {
        return;
    };
    let mut client = Client::start(json!({"model": model}));
    let mut buffer = Buffer::new("days.py", "python", MONTHS);
    client.open(&buffer);
    let answer = client.complete(&buffer);
    let mut item = buffer.item(&answer).expect("a suggestion");
    let mut before = client.settle();
    for accept in 1..=5 {
        client.change(buffer.accept(&item));
        let answer = client.complete(&buffer);
        let next = buffer.item(&answer);
        item =
            next.unwrap_or_else(|| panic!("nothing after accept {accept} of\n{}", buffer.text()));
        let after = client.settle();
        assert_eq!(
            hits(&after, "speculated"),
            hits(&before, "speculated") + 1,
            "accept {accept}, {item:?}: {after}"
        );
        before = after;
    }
    assert_eq!(before["misses"], 1, "{before}");
    assert!(buffer.text().contains("\"May\", 31"), "{}", buffer.text());
}

/// Number of the recording's changes that are typed.
const CHANGES: usize = 16;

/// Checks the law over a recording's first changes. At each third state the suggestion is accepted
/// and the accept undone, so that all kinds of hits occur. No answer depends on how fast the
/// machine is; which of them are hits may.
#[test]
fn over_a_recording_every_answer_is_the_fresh_one() {
    let Some(model) = small("the law with a real model") else {
        return;
    };
    let file = root().join("tests/replay/recordings/048c2f52b6b6.recording.w.jsonl");
    let mut recording = Editing::new(Entries::open(&file).expect("it opens"));
    let mut events =
        std::iter::from_fn(|| recording.next()).map(|event| event.expect("it is sound").kind);
    let Some(EventKind::Opened {
        file_name,
        language,
        text,
        ..
    }) = events.next()
    else {
        panic!("the recording begins with a text");
    };
    let mut client = Client::start(json!({"model": model}));
    let mut buffer = Buffer::with_text(&file_name, &language, &text.text(), 0);
    client.open(&buffer);
    let mut answers: Vec<(Buffer, Option<Item>)> = Vec::new();
    let mut ask = |client: &mut Client, buffer: &Buffer| {
        let answer = client.complete(buffer);
        let item = buffer.item(&answer);
        answers.push((buffer.clone(), item.clone()));
        item
    };
    let changes = events.filter_map(|kind| match kind {
        EventKind::Changed { edits, cursor, .. } => Some((edits, cursor)),
        _ => None,
    });
    for (number, (edits, cursor)) in changes.take(CHANGES).enumerate() {
        // Apply them from the end, so that the places of earlier ones stay valid.
        for edit in edits.iter().rev() {
            client.change(buffer.replace(edit.range.start.0..edit.range.end.0, &edit.text));
        }
        buffer.move_to(cursor.0);
        let item = ask(&mut client, &buffer);
        let Some(item) = item.filter(|_| number % 3 == 2) else {
            continue;
        };
        client.settle();
        let (covered, cursor) = (
            buffer.text()[item.range.clone()].to_owned(),
            buffer.cursor(),
        );
        client.change(buffer.accept(&item));
        ask(&mut client, &buffer);
        let end = buffer.cursor();
        client.change(buffer.replace(item.range.start..end, &covered));
        buffer.move_to(cursor);
        ask(&mut client, &buffer);
    }
    let stats = client.settle();
    drop(client);
    check_fresh(&model, &answers);
    let kinds = ["exact", "typed_through", "speculated", "joined"];
    let kinds: BTreeMap<&str, u64> = kinds.map(|kind| (kind, hits(&stats, kind))).into();
    let shown = answers.iter().filter(|(_, item)| item.is_some()).count();
    report::note(
        "law with a real model",
        &format!(
            "{} states, {shown} suggestions, hits {kinds:?}",
            answers.len()
        ),
    );
    assert!(
        shown * 2 > answers.len(),
        "only {shown} suggestions in {} states",
        answers.len()
    );
    for kind in ["typed_through", "speculated"] {
        assert!(kinds[kind] > 0, "no {kind} hit was met: {kinds:?}");
    }
}

/// Checks that each answer is that of a process that remembers no answer and computes none ahead.
#[track_caller]
fn check_fresh(model: &Path, answers: &[(Buffer, Option<Item>)]) {
    let mut fresh = Client::start(json!({
        "model": model,
        "speculation": {"enabled": false},
        "cache": {"bytes": 0},
    }));
    for (buffer, item) in answers {
        fresh.open(buffer);
        let answer = fresh.complete(buffer);
        assert_eq!(
            *item,
            buffer.item(&answer),
            "cursor at byte {} of\n{}",
            buffer.cursor(),
            buffer.text()
        );
        fresh.notify(
            "textDocument/didClose",
            json!({"textDocument": {"uri": buffer.uri()}}),
        );
    }
    let stats = fresh.settle();
    assert_eq!(stats["misses"], answers.len(), "{stats}");
}

#[test]
fn over_a_recording_every_answer_of_a_larger_model_is_the_fresh_one() {
    const TEST: &str = "the law with a larger real model";
    if !report::is_thorough() {
        return;
    }
    let Some(model) = large(TEST) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let memo = folder.path().join("answers.jsonl");
    for mode in ["inject", "typist"] {
        let arguments = [
            "replay".as_ref(),
            "tests/replay/recordings/048c2f52b6b6.recording.w.jsonl".as_ref(),
            "--policy".as_ref(),
            "tabahead".as_ref(),
            "--mode".as_ref(),
            mode.as_ref(),
            "--memo".as_ref(),
            memo.as_os_str(),
        ];
        let figures = printed(&model, &arguments);
        let ours = &figures["policies"]["tabahead"];
        let broken = (&ours["stale_shows"], &ours["unlike_fresh"]);
        assert_eq!(broken, (&0.into(), &0.into()), "{mode}: {ours}");
        assert!(ours["shown"].as_u64() > Some(10), "{mode}: {ours}");
        report::note(TEST, &format!("{mode}: {} suggestions", ours["shown"]));
    }
}
