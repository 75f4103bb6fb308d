//! The cost of a change in the server's front: `cargo bench -p tabahead-server`.
//!
//! Measures from the bytes of `textDocument/didChange` to the snapshot in the session's inbox, in
//! the middle of documents of 1 KB, 1 MB and 100 MB: a letter is inserted and removed in turn.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tabahead_server::intake::Intake;

const URI: &str = "file:///w/main.rs";

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3));
    targets = change
}
criterion_main!(benches);

fn change(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("change");
    for (size, bytes) in [
        ("1 KB", 1_000),
        ("1 MB", 1_000_000),
        ("100 MB", 100_000_000),
    ] {
        let mut text = String::with_capacity(bytes + 100);
        let mut lines = 0;
        while text.len() < bytes {
            lines += 1;
            text += &format!("    let value_{lines} = compute(value, {lines});\n");
        }
        let mut intake = Intake::default();
        intake.take(&body("initialize", json!({"capabilities": {}})));
        let document = json!({"uri": URI, "languageId": "rust", "version": 1, "text": text});
        intake.take(&body(
            "textDocument/didOpen",
            json!({"textDocument": document}),
        ));
        let changed = |from: usize, to: usize, text: &str| {
            let at = |character: usize| json!({"line": lines / 2, "character": character});
            let change = json!({"range": {"start": at(from), "end": at(to)}, "text": text});
            let document = json!({"uri": URI, "version": 2});
            body(
                "textDocument/didChange",
                json!({"textDocument": document, "contentChanges": [change]}),
            )
        };
        let turns = [changed(4, 4, "x"), changed(4, 5, "")];
        let (mut turn, mut held) = (0, None);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                // The session holds the snapshot until the next one.
                held = intake.take(&turns[turn % 2]);
                turn += 1;
                assert!(held.is_some());
            });
        });
    }
}

fn body(method: &str, params: Value) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
        .to_string()
        .into_bytes()
}
