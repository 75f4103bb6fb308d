//! Cost of a keystroke to a document: `cargo bench -p tabahead-text`.
//!
//! Measured in the middle of documents of 1 KB, 1 MB and 100 MB. Each edit is made in a clone, as
//! in the server, where something always holds the previous text.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use tabahead_text::{Document, Edit, Offset, PositionEncoding, Range, Version};

const ENCODING: PositionEncoding = PositionEncoding::Utf16;

criterion_group!(benches, apply, positions, same_text);
criterion_main!(benches);

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    for (size, document) in documents() {
        let edits = [insertion(&document, "x")];
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_batched(
                || document.clone(),
                |mut document| {
                    document.apply(&edits, ENCODING, Version(1));
                    document
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn positions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("positions");
    for (size, document) in documents() {
        let offset = middle(&document);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let position = document.position_of(black_box(offset), ENCODING);
                document.offset_of(position, ENCODING)
            });
        });
    }
}

/// Compares a text with one that was reached in another way, and with one that differs at the
/// cursor.
fn same_text(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("same text");
    for (size, document) in documents() {
        let typed = |text: &str| {
            let mut document = document.clone();
            document.apply(&[insertion(&document, text)], ENCODING, Version(1));
            document
        };
        let (one, same, other) = (typed("foo"), typed("foo"), typed("bar"));
        assert!(one.has_same_text(&same) && !one.has_same_text(&other));
        group.bench_function(BenchmarkId::new("equal", size), |bencher| {
            bencher.iter(|| black_box(&one).has_same_text(&same));
        });
        group.bench_function(BenchmarkId::new("different", size), |bencher| {
            bencher.iter(|| black_box(&one).has_same_text(&other));
        });
    }
}

fn documents() -> [(&'static str, Document); 3] {
    [
        ("1 KB", 1_000),
        ("1 MB", 1_000_000),
        ("100 MB", 100_000_000),
    ]
    .map(|(size, bytes)| {
        let mut text = String::with_capacity(bytes + 100);
        let mut line = 0;
        while text.len() < bytes {
            line += 1;
            text += &format!("    let value_{line} = compute(value, {line});\n");
        }
        (size, Document::new(&text, Version(0)))
    })
}

/// Returns the end of the line in the middle.
fn middle(document: &Document) -> Offset {
    document.line_range(document.line_count() / 2).end
}

fn insertion(document: &Document, text: &str) -> Edit {
    let start = document.position_of(middle(document), ENCODING);
    Edit {
        range: Some(Range { start, end: start }),
        text: text.to_string(),
    }
}
