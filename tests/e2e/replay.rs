//! Latency replay: the real Speculator over recorded sessions on the virtual clock.
//!
//! Counts hits, joins, stale shows and tokens of the recordings in `tests/replay/recordings`, never
//! this machine's milliseconds: the figures of the virtual clock are the same everywhere. They are
//! in `tests/replay/RESULTS.md`.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

use crate::{program, report};

const POLICIES: [&str; 5] = ["none", "exact", "llama-vim", "copilot", "tabahead"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("replay")
}

#[track_caller]
fn replay(arguments: &[&str]) -> String {
    replay_of(&folder().join("recordings"), arguments)
}

#[track_caller]
fn replay_of(recordings: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program::path())
        .arg("replay")
        .arg(recordings)
        .args(arguments)
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

#[track_caller]
fn figures(arguments: &[&str]) -> Value {
    figures_of(&folder().join("recordings"), arguments)
}

#[track_caller]
fn figures_of(recordings: &Path, arguments: &[&str]) -> Value {
    let printed = replay_of(recordings, &[arguments, &["--json"]].concat());
    serde_json::from_str(&printed).expect("it prints JSON")
}

/// Returns the smallest recording, for tests that compare many replays.
fn smallest() -> PathBuf {
    folder().join("recordings/048c2f52b6b6.recording.w.jsonl")
}

/// A table as the program prints it.
struct Table(String);

impl Table {
    /// Returns the cells of a row; the first is of the policy that computes nothing ahead, the last
    /// is ours.
    #[track_caller]
    fn row(&self, name: &str) -> Vec<&str> {
        let row = self.0.lines().find_map(|line| {
            let cells = line.strip_prefix("| ")?.strip_prefix(name)?;
            cells.strip_prefix(" |")?.strip_suffix('|')
        });
        let row = row.unwrap_or_else(|| panic!("no row '{name}' in\n{}", self.0));
        row.split('|').map(str::trim).collect()
    }
}

/// Returns a table that the program prints with these arguments, which is that of RESULTS.md under
/// this title, and checks that the law holds in it.
#[track_caller]
fn table_of_results(title: &str, arguments: &[&str]) -> Table {
    let results = fs::read_to_string(folder().join("RESULTS.md")).expect("the table is there");
    let table = replay(&[&["--answers", "ngram", "--markdown"], arguments].concat());
    let part = format!("\n### {title}\n\n{table}");
    assert!(
        results.contains(&part),
        "tests/replay/RESULTS.md differs from this; `cargo xtask replay` writes it again:\n{part}"
    );
    let table = Table(table);
    let stale = table.row("stale shows");
    assert!(stale.iter().all(|count| *count == "0"), "{title}");
    let unlike_fresh = table.row("shows unlike a fresh answer");
    assert_eq!(unlike_fresh.last(), Some(&"0"), "{title}");
    table
}

/// Checks a table of accepts, and returns the median number of prompt tokens computed per key where
/// nothing is computed ahead.
#[track_caller]
fn tokens_per_key(title: &str, arguments: &[&str]) -> u64 {
    let table = table_of_results(title, &[&["--mode", "inject"], arguments].concat());
    let per_accept = table.row("prompt tokens computed per accept, p50 / p90");
    assert_eq!(per_accept.last(), Some(&"0 / 0"), "{title}");
    let per_key = table.row("prompt tokens computed per key, p50 / p90")[0];
    let (median, _) = per_key.split_once(" / ").expect("two figures");
    median.parse().expect("a count")
}

#[test]
fn the_table_of_recorded_edits_agrees_and_the_law_holds() {
    table_of_results("recorded", &["--mode", "recorded"]);
}

#[test]
fn the_table_of_the_typist_agrees_and_the_law_holds() {
    table_of_results("typist", &["--mode", "typist"]);
}

#[test]
fn the_table_of_accepts_agrees_and_a_key_costs_two_tokens() {
    // The built-in model's own layout is suffix-first.
    assert!(tokens_per_key("inject", &[]) <= 2);
}

/// The policies of the tables of other layouts.
const IN_OTHER_LAYOUTS: [&str; 2] = ["--policy", "none,llama-vim,tabahead"];

#[test]
fn with_the_prefix_first_the_law_holds_and_a_key_costs_two_tokens() {
    let arguments = [&["--layout", "prefix-first"], &IN_OTHER_LAYOUTS[..]].concat();
    assert!(tokens_per_key("inject, layout prefix-first", &arguments) <= 2);
}

#[test]
fn with_a_split_prefix_the_law_holds_and_a_key_costs_more() {
    let arguments = [&["--layout", "split"], &IN_OTHER_LAYOUTS[..]].concat();
    assert!(tokens_per_key("inject, layout split", &arguments) > 2);
}

/// Returns the numbers in a cell of a table.
fn numbers_in(cell: &str) -> Vec<f64> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let parts = cell.split(|c| !is_number(c));
    parts.filter_map(|part| part.parse().ok()).collect()
}

#[test]
fn the_rows_of_the_readme_are_those_of_the_results() {
    /// Rows of README, the row of RESULTS.md that each is from, which of its numbers, and how far
    /// README may round them.
    const ROWS: [(&str, &str, &[usize], f64); 5] = [
        (
            "accept to the next suggestion, p50 / p99",
            "accept to next, p50 / p90 / p99 (ms)",
            &[0, 2],
            0.0,
        ),
        (
            "request to answer, p90",
            "request to answer, p50 / p90 / p99 (ms)",
            &[1],
            0.0,
        ),
        (
            "suggestions unlike a fresh answer",
            "shows unlike a fresh answer",
            &[0],
            0.0,
        ),
        (
            "keys along a suggestion served at once",
            "keys along a suggestion served at once",
            &[0],
            0.0,
        ),
        (
            "wasted tokens per accept",
            "wasted tokens per accept",
            &[0],
            0.5,
        ),
    ];
    /// The columns of RESULTS.md that README has.
    const COLUMNS: [usize; 4] = [0, 2, 3, 4];

    let read = |path: &str| fs::read_to_string(folder().join(path)).expect("it is there");
    let results = read("RESULTS.md");
    let title = "\n### inject, virtual clock, the model's answers\n";
    let (_, table) = results.split_once(title).expect("the table is there");
    let (readme, results) = (Table(read("../../README.md")), Table(table.to_owned()));
    for (ours, theirs, which, rounded) in ROWS {
        let row = results.row(theirs);
        for (cell, column) in readme.row(ours).into_iter().zip(COLUMNS) {
            let (shown, exact) = (numbers_in(cell), numbers_in(row[column]));
            let is_equal = shown.len() == which.len()
                && (shown.iter().zip(which))
                    .all(|(shown, &at)| (shown - exact[at]).abs() <= rounded);
            assert!(
                is_equal,
                "{ours}: README has {cell}, RESULTS.md {}",
                row[column]
            );
        }
    }
}

/// A replay of accepts: its figures, and the page about them.
struct Accepts {
    page: String,
    figures: Value,
}

impl Accepts {
    /// Replays once for all tests, because it takes half a minute.
    fn replayed() -> &'static Self {
        static ACCEPTS: LazyLock<Accepts> = LazyLock::new(|| {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("page.html");
            let path = file.to_str().expect("a plain path");
            let figures = figures(&["--answers", "ngram", "--mode", "inject", "--html", path]);
            let page = fs::read_to_string(&file).expect("the page is written");
            Accepts { page, figures }
        });
        &ACCEPTS
    }
}

#[test]
fn two_replays_have_the_same_figures() {
    let figures = |more: &[&str]| {
        let arguments = ["--answers", "ngram", "--mode", "typist"];
        figures_of(&smallest(), &[&arguments[..], more].concat())
    };
    let first = figures(&[]);
    assert_eq!(first, figures(&[]));
    assert_ne!(first["policies"], figures(&["--seed", "2"])["policies"]);
}

/// Returns every recording there is: those of this project, and real sessions if they are
/// available.
fn all_recordings() -> Vec<PathBuf> {
    let mut all = vec![folder().join("recordings")];
    match std::env::var_os("TABAHEAD_RECORDINGS") {
        Some(recordings) => all.push(recordings.into()),
        None => report::skip(
            "the law over real sessions",
            "TABAHEAD_RECORDINGS is not set",
        ),
    }
    all
}

/// Checks the built-in model's answers, in every mode and layout, and in real time, where another
/// process gives the fresh answers. Takes more than an hour.
#[test]
fn the_law_holds_over_every_recording() {
    if !report::is_thorough() {
        return;
    }
    let cache = tempfile::tempdir().expect("a folder");
    let memo = cache.path().join("answers.jsonl");
    let memo = memo.to_str().expect("a plain path");
    let (mut shown, mut shown_in_time) = (0, 0);
    for recordings in all_recordings() {
        let check = |arguments: &[&str]| {
            let arguments = [&["--policy", "tabahead", "--json"], arguments].concat();
            let printed = replay_of(&recordings, &arguments);
            let figures: Value = serde_json::from_str(&printed).expect("it prints JSON");
            let ours = &figures["policies"]["tabahead"];
            let broken = (&ours["stale_shows"], &ours["unlike_fresh"]);
            assert_eq!(broken, (&0.into(), &0.into()), "{arguments:?}");
            ours["shown"].as_u64().expect("a count")
        };
        for mode in ["recorded", "inject", "typist"] {
            for layout in ["suffix-first", "prefix-first", "split"] {
                shown += check(&["--mode", mode, "--layout", layout, "--memo", memo]);
            }
            let wall = ["--mode", mode, "--clock", "wall", "--max-gap", "50ms"];
            shown_in_time += check(&wall);
        }
    }
    report::note(
        "law over recordings",
        &format!(
            "{shown} suggestions on the virtual clock and {shown_in_time} in real time, none stale and \
             none unlike a fresh process's"
        ),
    );
    assert!(shown > 0 && shown_in_time > 0);
}

#[test]
fn every_accept_has_its_next_suggestion_there() {
    let figures = &Accepts::replayed().figures;
    let ours = &figures["policies"]["tabahead"];
    assert!(ours["accepts_with_next"].as_u64() > Some(0), "{ours}");
    assert_eq!(ours["hit_rate_after_accept"], 1.0, "{ours}");
    assert_eq!(ours["next_ready_share"], 1.0, "{ours}");
    // The prompt after an accept was read ahead.
    assert_eq!(ours["prefilled_tokens_per_accept"]["p50"], 0, "{ours}");
    let none = &figures["policies"]["none"];
    assert_eq!(none["hit_rate_after_accept"], 0.0, "{none}");
    assert_eq!(none["wasted_tokens"], 0, "{none}");
}

#[test]
fn the_models_answers_are_remembered() {
    let cache = tempfile::tempdir().expect("a folder");
    let memo = cache.path().join("answers.jsonl");
    let memo = memo.to_str().expect("a plain path");
    let arguments = ["--mode", "inject", "--policy", "tabahead", "--memo", memo];
    let figures = || figures_of(&smallest(), &arguments);
    let cold = figures();
    let size = fs::metadata(memo).expect("it is written").len();
    assert_eq!(cold, figures());
    assert_eq!(fs::metadata(memo).expect("it is there").len(), size);
    let ours = &cold["policies"]["tabahead"];
    assert_eq!(
        (&ours["stale_shows"], &ours["unlike_fresh"]),
        (&0.into(), &0.into())
    );
    // A truncated line is computed again.
    let text = fs::read(memo).expect("it is there");
    fs::write(memo, &text[..text.len() - 10]).expect("it can be written");
    assert_eq!(cold, figures());
}

#[test]
fn the_page_draws_itself() {
    let Some(chromium) = std::env::var_os("TABAHEAD_CHROMIUM") else {
        return report::skip("the replay's page", "TABAHEAD_CHROMIUM is not set");
    };
    let Accepts { page, figures } = Accepts::replayed();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    fs::write(&file, page).expect("it can be written");
    let output = Command::new(chromium)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--dump-dom",
        ])
        .arg("--enable-logging=stderr")
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("Chromium runs");
    let (drawn, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(!log.contains("CONSOLE"), "{log}");
    let table = table(&drawn);
    for (column, policy) in POLICIES.into_iter().enumerate() {
        for (path, figure) in numbers(&figures["policies"][policy]) {
            let cells = table.get(&path).unwrap_or_else(|| panic!("no row: {path}"));
            let cell = cells[column].parse::<f64>();
            assert_eq!(cell, Ok(figure), "{path} of {policy}");
        }
    }
    assert_eq!(drawn.matches("<path d=\"M").count(), POLICIES.len());
}

/// Returns the rows of the page's table: the figure's path, and the value of each policy.
fn table(drawn: &str) -> HashMap<String, Vec<String>> {
    let attribute = |text: &str| text.split('"').next().unwrap_or_default().to_owned();
    let rows = drawn.split("data-figure=\"").skip(1).map(|row| {
        let row = row.split("</tr>").next().unwrap_or_default();
        let cells = row.split("data-value=\"").skip(1).map(attribute);
        (attribute(row), cells.collect())
    });
    rows.collect()
}

/// Returns every number in a JSON object, with its path.
fn numbers(figures: &Value) -> Vec<(String, f64)> {
    let Some(fields) = figures.as_object() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, value) in fields {
        found.extend(value.as_f64().map(|number| (name.clone(), number)));
        let inner = numbers(value).into_iter();
        found.extend(inner.map(|(path, number)| (format!("{name}.{path}"), number)));
    }
    found
}
