//! `tabahead record`: what was recorded replays to the editor's texts, byte for byte.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tabahead_replay::{
    editing::{EditKind, Editing, EventKind},
    recording::Entries,
};
use tabahead_testkit::Random;

use crate::{
    buffer::Buffer,
    client::{Client, PATIENCE},
};

/// Number of changes in all buffers together.
const CHANGES: usize = 400;

/// Texts that are typed: letters of one unit and of two, line ends of all kinds, nothing.
const TYPED: [&str; 10] = [
    "a", "x = 1", "𝒳", "é", "\n", "\r\n", "\r", "\n    ", "()", "",
];

/// The result of replaying a recording.
#[derive(Debug, Default)]
struct Replayed {
    /// Last text of each document, by its path.
    texts: BTreeMap<String, String>,
    closed: usize,
    changes: usize,
    accepts: usize,
    requests: usize,
    answers: usize,
    suggestions: Vec<String>,
}

#[track_caller]
fn replay(file: &Path) -> Replayed {
    let mut replayed = Replayed::default();
    let mut paths = BTreeMap::new();
    for event in Editing::new(Entries::open(file).expect("it opens")) {
        match event.expect("no contradiction").kind {
            EventKind::Opened {
                document,
                path,
                text,
                ..
            } => {
                paths.insert(document, path.clone());
                replayed.texts.insert(path, text.text());
            }
            EventKind::Closed { .. } => replayed.closed += 1,
            EventKind::Changed {
                document,
                after,
                kind,
                ..
            } => {
                let path = paths[&document].clone();
                replayed.texts.insert(path, after.text());
                replayed.changes += 1;
                replayed.accepts += usize::from(kind == EditKind::Accept);
            }
            EventKind::Moved { .. } => {}
            EventKind::FetchStarted { .. } => replayed.requests += 1,
            EventKind::FetchEnded { result, .. } => {
                replayed.answers += 1;
                let texts = result.into_iter().map(|item| item.text);
                replayed.suggestions.extend(texts);
            }
        }
    }
    replayed
}

/// Returns the one recording in a folder.
#[track_caller]
fn only_file(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let [file] = &files[..] else {
        panic!("one file: {files:?}");
    };
    assert!(file.to_string_lossy().ends_with(".recording.w.jsonl"));
    file.clone()
}

fn buffers() -> [Buffer; 2] {
    [
        Buffer::new(
            "sum.py",
            "python",
            "def total(items):\n    result = 0\n    for item in items:\n        $0\n    return result\n",
        ),
        Buffer::new("𝒳.rs", "rust", "fn main() {\r\n    let 𝒳 = $0\r\n}\r\n"),
    ]
}

/// Changes something at a random place, or types at the cursor.
fn edit(buffer: &mut Buffer, random: &mut Random) -> Value {
    let length = buffer.text().len();
    let cursor = buffer.cursor();
    match random.below(10) {
        0 => buffer.move_to(random.below(length + 1)),
        1 => return buffer.backspace(),
        2 => {
            buffer.move_to(random.below(length + 1));
            let start = buffer.cursor().min(cursor);
            let end = buffer.cursor().max(cursor).min(start + 20);
            buffer.move_to(end);
            let end = buffer.cursor().max(start);
            return buffer.replace(start..end, TYPED[random.below(TYPED.len())]);
        }
        _ => {}
    }
    buffer.insert(TYPED[random.below(TYPED.len())])
}

/// Asks for a suggestion and accepts it, if there is one.
fn accept(client: &mut Client, buffer: &mut Buffer) -> Option<String> {
    let answer = client.complete(buffer);
    let item = buffer.item(&answer)?;
    client.change(buffer.accept(&item));
    let command = &answer["items"][0]["command"];
    let params = json!({"command": command["command"], "arguments": command["arguments"]});
    client.result("workspace/executeCommand", params);
    Some(item.text)
}

#[test]
fn a_recorded_session_replays_to_the_same_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("recordings");
    let mut buffers = buffers();
    let mut secret = Buffer::new(".env", "dotenv", "PASSWORD=hunter2$0\n");
    let mut random = Random::new(11);
    let mut accepted = Vec::new();
    let mut client = Client::start_recording(&folder);
    for buffer in buffers.iter().chain([&secret]) {
        client.open(buffer);
    }
    // Before anything else is changed, the model has a suggestion.
    accepted.extend(accept(&mut client, &mut buffers[0]));
    let mut sent = accepted.len();
    for _ in 0..CHANGES {
        let buffer = random.below(buffers.len());
        let buffer = &mut buffers[buffer];
        if random.below(40) == 0 {
            let text = accept(&mut client, buffer);
            sent += usize::from(text.is_some());
            accepted.extend(text);
        }
        client.change(edit(buffer, &mut random));
        sent += 1;
        // No position can be "between \r and
        //
        // ", where the cursor may be now.
        buffer.move_to(buffer.cursor());
    }
    client.change(secret.insert("hunter3"));
    client.complete(&secret);
    let close = json!({"textDocument": {"uri": buffers[1].uri()}});
    client.notify("textDocument/didClose", close);
    drop(client);

    let file = only_file(&folder);
    let replayed = replay(&file);
    let expected = ["sum.py", "𝒳.rs"].map(str::to_owned);
    let expected: BTreeMap<String, String> = expected
        .into_iter()
        .zip(buffers.iter().map(|buffer| buffer.text().to_owned()))
        .collect();
    assert_eq!(replayed.texts, expected);
    assert_eq!((replayed.changes, replayed.closed), (sent, 1));
    assert!(!accepted.is_empty(), "the model suggested nothing");
    assert_eq!(replayed.accepts, accepted.len());
    assert_eq!(replayed.suggestions, accepted);
    assert_eq!(replayed.requests, replayed.answers);
    let bytes = fs::read_to_string(&file).expect("it is text");
    assert!(!bytes.contains("hunter"), "a secret was recorded");
}

#[test]
fn what_was_recorded_before_a_kill_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut client = Client::start_recording(folder.path());
    let [mut buffer, _] = buffers();
    client.open(&buffer);
    client.change(buffer.insert("pass"));
    client.stats();
    let file = only_file(folder.path());
    // A thread writes the recording, and no answer waits for it.
    let begin = std::time::Instant::now();
    while !fs::read_to_string(&file)
        .expect("it is there")
        .ends_with("\"pass\"]]}\n")
    {
        assert!(begin.elapsed() < PATIENCE, "it is not written");
        std::thread::yield_now();
    }
    let killed = Command::new("kill")
        .args(["-9", &client.process().to_string()])
        .status();
    assert!(killed.expect("kill runs").success());
    client.exit_status();
    drop(client);
    assert_eq!(replay(&file).texts["sum.py"], buffer.text());
}
