//! Reading ahead: what is left to compute for the first key at a place where the user has just
//! arrived.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tabahead_testkit::Random;

use crate::{
    buffer::Buffer,
    client::{Client, PATIENCE},
    typing::fresh_answer,
};

/// A file that is longer than any window.
pub const FILE: &str = include_str!("../../crates/tabahead-text/src/document.rs");

/// Maximum number of tokens that a key may have left to read when its prompt was read ahead: what
/// follows the stable boundary.
const FEW: u64 = 8;

/// Number of keys, each typed where the user has just arrived.
const PLACES: usize = 12;

/// Returns options with which only what requests need and what is read ahead is computed.
fn reading_alone() -> Value {
    json!({"speculation": {"depth": 0}})
}

/// Starts a server in which the file is open and nothing is read before the cursor is reported.
pub fn open(buffer: &Buffer) -> Client {
    let mut client = Client::start(reading_alone());
    client.notify("textDocument/didFocus", json!({}));
    client.open(buffer);
    client
}

/// Moves to the end of a line, as a user's editor reports it, and waits until `figure` of what is
/// read ahead grows. Nothing else may be about to be read.
#[track_caller]
pub fn arrive(client: &mut Client, buffer: &mut Buffer, line: usize, figure: &str) -> Value {
    let lines = buffer.text().split_inclusive('\n').take(line + 1);
    let end = lines.map(str::len).sum::<usize>() - 1;
    buffer.move_to(end);
    let before = client.settle();
    let document = json!({"uri": buffer.uri()});
    let moved = json!({"textDocument": document, "position": buffer.position(end)});
    client.notify("tabahead/didMoveCursor", moved);
    let begin = Instant::now();
    loop {
        let now = client.stats();
        if now["reads_ahead"][figure] != before["reads_ahead"][figure] {
            return now;
        }
        assert!(begin.elapsed() < PATIENCE, "nothing is read: {now}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the number of prompt tokens that were computed, and of those that probably spell what
/// must be spelled.
fn read(stats: &Value) -> u64 {
    let count = |key: &str| stats["tokens"][key].as_u64().expect("a count");
    count("prefilled") + count("drafted")
}

#[test]
fn the_first_key_reads_a_few_tokens_where_its_prompt_was_read_ahead() {
    let mut buffer = Buffer::with_text("document.rs", "rust", FILE, 0);
    let mut client = open(&buffer);
    let mut random = Random::new(3);
    let mut keys = Vec::new();
    for place in 0..PLACES {
        let line = random.below(FILE.lines().count());
        let before = arrive(&mut client, &mut buffer, line, "finished");
        let change = buffer.insert("x");
        client.change(change);
        let answer = client.complete(&buffer);
        keys.push(read(&client.settle()) - read(&before));
        assert_eq!(buffer.item(&answer), fresh_answer(&buffer), "place {place}");
    }
    let stats = client.settle();
    assert!(
        read(&stats) > 100 * PLACES as u64,
        "windows are long: {stats}"
    );
    assert_eq!(stats["misses"], PLACES, "{stats}");
    keys.sort_unstable();
    assert!(keys[PLACES - 1] <= FEW, "{keys:?}");
}

#[test]
fn a_key_that_comes_while_its_prompt_is_read_is_answered_as_by_a_fresh_process() {
    let mut buffer = Buffer::with_text("document.rs", "rust", FILE, 0);
    let mut client = open(&buffer);
    let mut random = Random::new(4);
    for place in 0..PLACES {
        let line = random.below(FILE.lines().count());
        // The reading may be under way or over.
        arrive(&mut client, &mut buffer, line, "started");
        let change = buffer.insert("y");
        client.change(change);
        let answer = client.complete(&buffer);
        assert_eq!(buffer.item(&answer), fresh_answer(&buffer), "place {place}");
    }
    client.settle();
}
