//! Cost of cutting a window and computing its key: `cargo bench -p tabahead-context`.
//!
//! Measured in the middle of documents of 1 KB, 1 MB and 100 MB, for all layouts; and in a document
//! of blank lines, the most lines that a window can hold.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tabahead_context::{ContextKey, ContextSettings, ContextWindow, DocumentName, Layout};
use tabahead_testkit::{named, profile};
use tabahead_text::{Document, Version};

criterion_group!(benches, window_and_key);
criterion_main!(benches);

fn window_and_key(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("window and key");
    let settings = ContextSettings::default();
    let name = DocumentName::new("main.rs", "rust");
    for (size, document) in documents() {
        let cursor = document.line_range(document.line_count() / 2).end;
        for (order, layout) in [
            ("suffix first", Layout::SuffixFirst),
            ("prefix first", Layout::PrefixFirst),
            ("split", Layout::Split),
        ] {
            let profile = profile("none", named(layout), 2048);
            group.bench_function(BenchmarkId::new(order, size), |bencher| {
                bencher.iter(|| {
                    let cursor = black_box(cursor);
                    ContextWindow::new(&document, cursor, &name, layout, &settings, 0)
                        .map(|window| ContextKey::of_window(&profile, &settings, &window))
                });
            });
        }
    }
}

fn documents() -> [(&'static str, Document); 4] {
    let code = |bytes: usize| {
        let mut text = String::with_capacity(bytes + 100);
        let mut line = 0;
        while text.len() < bytes {
            line += 1;
            text += &format!("    let value_{line} = compute(value, {line});\n");
        }
        Document::new(&text, Version(0))
    };
    [
        ("1 KB", code(1_000)),
        ("1 MB", code(1_000_000)),
        ("100 MB", code(100_000_000)),
        (
            "1 MB, blank",
            Document::new(&"\n".repeat(1_000_000), Version(0)),
        ),
    ]
}
