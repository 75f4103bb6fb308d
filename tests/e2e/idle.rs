//! An idle server costs nothing, and work that no request waits for yet yields to everything else.
//!
//! Linux only: reads from `/proc` what threads did.

use std::{fs, thread, time::Duration};

use serde_json::json;

use crate::{buffer::Buffer, client::Client, reading, report};

const TEXT: &str = "def read_lines(path):\n    with open(path) as file:\n        $0\n";

/// A thread as the system sees it.
#[derive(Debug, PartialEq)]
struct Task {
    name: String,
    nice: i64,
    /// Number of times that it went to sleep or had to yield: it woke up at least as often.
    switches: u64,
}

fn tasks(process: u32) -> Option<Vec<Task>> {
    let entries = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let task = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        let status = fs::read_to_string(path.join("status")).ok()?;
        let field = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim().to_owned())
        };
        let number = |key| field(key)?.parse::<u64>().ok();
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        // The name, in parentheses, may contain spaces; the nice value is the 17th field after it.
        let nice = stat.rsplit(')').next()?.split_whitespace().nth(16)?;
        Some(Task {
            name: field("Name:")?,
            nice: nice.parse().ok()?,
            switches: number("voluntary_ctxt_switches:")? + number("nonvoluntary_ctxt_switches:")?,
        })
    };
    Some(entries.filter_map(task).collect())
}

/// Asks for a suggestion in a document of its own, and waits until nothing is computed any more.
fn use_once(client: &mut Client, round: usize) {
    let text = TEXT.replace("lines", &format!("lines_{round}"));
    let buffer = Buffer::new(&format!("lines_{round}.py"), "python", &text);
    client.open(&buffer);
    client.complete(&buffer);
    client.settle();
}

#[test]
fn nothing_wakes_a_server_that_rests() {
    const WINDOW: Duration = Duration::from_secs(2);
    const WINDOWS: usize = 8;

    let mut client = Client::start(json!({}));
    use_once(&mut client, 0);
    let mut before = tasks(client.process());
    for _ in 0..WINDOWS {
        thread::sleep(WINDOW);
        let after = tasks(client.process());
        if after.is_none() {
            return report::skip("nothing_wakes_a_server_that_rests", "there is no /proc");
        }
        // Threads that were just used may take a moment to go to sleep; a timer would wake them
        // again and again.
        if before == after {
            return;
        }
        before = after;
    }
    panic!("no {WINDOW:?} without a wake-up: {before:?}");
}

#[test]
fn what_is_computed_ahead_has_a_low_priority() {
    // A window is always read ahead where the cursor comes to rest. What follows a suggestion may
    // not be computed ahead: a fast machine has decoded it before the suggestion is answered.
    const ROUNDS: usize = 30;

    let mut buffer = Buffer::with_text("document.rs", "rust", reading::FILE, 0);
    let mut client = reading::open(&buffer);
    let ahead = |task: &&Task| task.name.starts_with("tabahead-ahead");
    let mut seen = Vec::new();
    for round in 0..ROUNDS {
        reading::arrive(&mut client, &mut buffer, 10 * (round + 1), "finished");
        let Some(tasks) = tasks(client.process()) else {
            let test = "what_is_computed_ahead_has_a_low_priority";
            return report::skip(test, "there is no /proc");
        };
        let (low, others): (Vec<_>, Vec<_>) = tasks.iter().partition(ahead);
        for task in others {
            assert_eq!(task.nice, tasks[0].nice, "{task:?}");
        }
        // A thread that was just started lowers its priority before it does anything else.
        if !low.is_empty() && low.iter().all(|task| task.nice >= 10) {
            return;
        }
        seen = tasks;
    }
    panic!("nothing was computed ahead at low priority at {ROUNDS} places: {seen:?}");
}
