//! The cost of a keystroke: `cargo bench -p tabahead-speculation`.
//!
//! `change` measures a change from end to end: the edit in the editor's positions, the document,
//! and the Speculator with a suggestion shown and three states after it, in the middle of documents
//! of 1 KB, 1 MB and 100 MB. `request` measures a request among 10,000 stored paths, `step` a
//! report or an accept. What happens between two measured inputs is not measured.

mod script;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use script::{BEFORE, SpeculatorDriver, State, changed};
use tabahead_speculation::{Answer, ComputedAhead, Origin};
use tabahead_text::{Document, Edit, Offset, PositionEncoding, Version};

const PATHS: usize = 10_000;

criterion_group! {
    name = benches;
    // Most of the time passes between the measured parts.
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = changes, requests, steps
}
criterion_main!(benches);

fn changes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("change");
    for (size, bytes) in [
        ("1 KB", 1_000),
        ("1 MB", 1_000_000),
        ("100 MB", 100_000_000),
    ] {
        let start = State::of_size(bytes).typed(" =");
        let mut driver = SpeculatorDriver::new(ComputedAhead::Accepts(3));
        let shown = driver.suggestion(&start).text;
        let (most, last) = shown.split_at(shown.len() - 1);
        let letter = Offset(start.cursor.0 - 1)..start.cursor;
        for (name, typed, edit) in [
            ("agrees", "", start.typing(&shown[..1])),
            ("agrees to the end", most, start.typed(most).typing(last)),
            ("accepts", "", start.typing(&shown)),
            ("diverges", "", start.typing("x")),
            ("replaces a letter", "", start.edit(letter, "-")),
        ] {
            let from = start.typed(typed).document;
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter_custom(|times| {
                    timed(times, || {
                        driver.changed(&start.document);
                        driver.suggestion(&start);
                        driver.changed(&from);
                        time_of_change(&mut driver, &from, &edit)
                    })
                });
            });
        }
        let edit = start.typing("x");
        group.bench_function(BenchmarkId::new("nothing shown", size), |bencher| {
            bencher.iter_custom(|times| {
                timed(times, || {
                    // No request waits any more; what runs is kept until it is known what was
                    // typed.
                    driver.close();
                    let request = driver.request(&start);
                    driver.input(request);
                    driver.cancel();
                    time_of_change(&mut driver, &start.document, &edit)
                })
            });
        });
    }
}

/// Measures how long it takes to follow an edit of this text.
fn time_of_change(driver: &mut SpeculatorDriver, from: &Document, edit: &Edit) -> Duration {
    let mut document = from.clone();
    let edits = std::slice::from_ref(edit);
    let started = Instant::now();
    document.apply(edits, PositionEncoding::Utf16, Version(1));
    driver.changed(&document);
    started.elapsed()
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    let head = State::of_size(1_000).document.text();
    for (kind, suffix) in [("other places", true), ("one place", false)] {
        let state = |number: usize| {
            let before = format!("{head}// note {number}\n{BEFORE}");
            let after = if suffix {
                format!("\n// below {number}\n")
            } else {
                String::new()
            };
            State {
                document: Document::new(&(before.clone() + &after), Version(0)),
                cursor: Offset(before.len()),
            }
        };
        let mut driver = SpeculatorDriver::new(ComputedAhead::Nothing);
        for number in 0..PATHS {
            driver.suggestion(&state(number).typed(" ="));
        }
        assert_eq!(driver.speculator.stats().cache_paths, PATHS as u64);
        for (name, asked, origin) in [
            ("hit", state(PATHS / 2).typed(" ="), Some(Origin::Exact)),
            (
                "typed through",
                state(PATHS / 3).typed(" = val"),
                Some(Origin::TypedThrough),
            ),
            ("miss", state(PATHS + 1).typed(" ="), None),
        ] {
            group.bench_function(BenchmarkId::new(name, kind), |bencher| {
                bencher.iter_custom(|times| {
                    timed(times, || {
                        driver.close();
                        let request = driver.request(&asked);
                        let started = Instant::now();
                        driver.input(request);
                        let time = started.elapsed();
                        assert_eq!(
                            driver.takes_answer().and_then(|answer| answer.origin()),
                            origin
                        );
                        time
                    })
                });
            });
        }
    }
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    let start = State::of_size(100_000).typed(" =");
    let mut driver = SpeculatorDriver::new(ComputedAhead::Accepts(3));
    group.bench_function("token with a request waiting", |bencher| {
        bencher.iter_custom(|times| {
            timed(times, || {
                driver = SpeculatorDriver::new(ComputedAhead::Accepts(3));
                let request = driver.request(&start);
                driver.input(request);
                for _ in 0..3 {
                    let token = driver.next_token().expect("it runs");
                    driver.input(token);
                }
                let token = driver.next_token().expect("it runs");
                let started = Instant::now();
                driver.input(token);
                let time = started.elapsed();
                assert!(driver.takes_answer().is_none());
                time
            })
        });
    });
    let mut driver = SpeculatorDriver::new(ComputedAhead::Accepts(3));
    let shown = driver.suggestion(&start);
    let accepted = start.typed(&shown.text);
    group.bench_function("accept, answered ahead", |bencher| {
        bencher.iter_custom(|times| {
            timed(times, || {
                driver.changed(&start.document);
                driver.suggestion(&start);
                let request = driver.request(&accepted);
                let started = Instant::now();
                driver.input(changed(&accepted.document));
                driver.input(request);
                let time = started.elapsed();
                assert!(matches!(
                    driver.takes_answer(),
                    Some(Answer::Suggestion { .. })
                ));
                time
            })
        });
    });
}

/// Returns the total of what `once` measures in `times` calls.
fn timed(times: u64, mut once: impl FnMut() -> Duration) -> Duration {
    (0..times).map(|_| once()).sum()
}
