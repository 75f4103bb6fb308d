//! The cost of copying: `cargo bench -p tabahead-engine --bench copying`.
//!
//! Decodes at places of this crate's own source with the embedded model, and times the choice of a
//! token separately from its pass. For several sizes of the text that may be copied, prints mean,
//! median, 90 % and maximum in microseconds. Each place is measured with every size before the next
//! place, and each size has its own engine, so that none finds tokens cached by another.

use std::{path::Path, sync::Arc, time::Instant};

use tabahead_engine::{
    CopySource, Engine, EngineSettings, KvPrecision, Model, SequenceRequest, Step,
};

const PLACES: usize = 60;
/// Number of tokens decoded at each place.
const TOKENS: usize = 12;
/// Number of bytes before a place that are its prompt.
const PROMPT: usize = 400;

/// Number of bytes on each side of the cursor, and of all other open files.
const SIZES: [(&str, usize, usize); 5] = [
    ("no copying", 0, 0),
    ("a file of 16 KiB", 8 << 10, 0),
    ("a file of 128 KiB", 64 << 10, 0),
    ("16 KiB and 128 KiB of other files", 8 << 10, 128 << 10),
    ("128 KiB and 128 KiB of other files", 64 << 10, 128 << 10),
];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = Model::open(&folder.join("../tabahead-mini/mini.gguf")).expect("the model loads");
    let model = Arc::new(model);
    let text = source_text(folder);
    let (own, others) = text.as_bytes().split_at(text.len() / 2);
    let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut times: [Vec<f64>; SIZES.len()] = Default::default();
    let mut passes = Vec::new();
    let mut engines = SIZES.map(|_| {
        let settings = EngineSettings {
            threads: 1,
            kv_bytes: 1 << 26,
            kv_precision: KvPrecision::Half,
            lookahead: false,
            copied_draft: 0,
        };
        Engine::new(Arc::clone(&model), settings)
    });
    for place in 0..PLACES {
        let at = own.len() / 4 + place * own.len() / 2 / PLACES;
        let at = text.floor_char_boundary(at);
        let start = text.floor_char_boundary(at - PROMPT);
        for ((times, engine), (_, beside, open)) in times.iter_mut().zip(&mut engines).zip(SIZES) {
            let request = SequenceRequest {
                prompt: model.encode(&text[start..at]),
                mask_first_stop: true,
                copy_source: (beside > 0).then(|| CopySource {
                    before: text_of(&own[at.saturating_sub(beside)..at]),
                    after: text_of(&own[at..own.len().min(at + beside)]),
                    open_files: vec![text_of(&others[..others.len().min(open)]).into()],
                }),
                ..SequenceRequest::default()
            };
            let mut sequence = engine.start(request).expect("it fits");
            for _ in 0..TOKENS {
                let missing = engine.missing(&mut sequence);
                let begun = Instant::now();
                // A known prompt computes nothing.
                if missing > 0 {
                    let mut pass = engine.begin(&mut [(&mut sequence, missing)]);
                    engine.processor().run(&model, &mut pass, &|| false);
                    engine.finish(pass, &mut [Some(&mut sequence)]);
                }
                if missing == 1 {
                    passes.push(begun.elapsed().as_secs_f64() * 1e6);
                }
                let begun = Instant::now();
                let step = engine.choose(&mut sequence).expect("a token");
                times.push(begun.elapsed().as_secs_f64() * 1e6);
                if !matches!(step, Step::Token(_)) {
                    break;
                }
            }
            engine.retire(sequence);
        }
    }
    println!(
        "{:>40}  mean  p50  p90  max (µs)",
        format!("of {} KiB of source", text.len() >> 10)
    );
    print("a pass of one token", &mut passes);
    for ((name, ..), times) in SIZES.iter().zip(&mut times) {
        print(&format!("choice, {name}"), times);
    }
}

fn print(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    println!(
        "{name:>40} {mean:5.0} {:4.0} {:4.0} {:4.0}",
        at(0.5),
        at(0.9),
        at(1.0)
    );
}

/// Returns the crate's source, all files concatenated.
fn source_text(folder: &Path) -> String {
    let mut folders = vec![folder.join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.sort();
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("a text"));
    texts.collect()
}
