//! A real model's passes compared with memory bandwidth: `cargo bench -p tabahead-engine --bench
//! decode -- PATH [THREADS [ROUNDS]]`.
//!
//! Each round reads a buffer much larger than the caches, computes a prompt of 512 tokens, and
//! decodes tokens after it, all with the same number of threads. Prints the medians, and which
//! share of the memory bandwidth decoding takes.

use std::{
    hint::black_box,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tabahead_engine::{
    Engine, EngineError, EngineSettings, KvPrecision, Model, SequenceRequest, Step, TokenId,
    threads::{self, Urgency},
};

const PROMPT: usize = 512;
const DECODED: usize = 24;

/// Number of bytes to read: more than any cache holds.
const MEMORY: usize = 512 << 20;

fn main() -> ExitCode {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let Some(path) = arguments.next() else {
        // `cargo bench` without arguments runs all benches.
        println!("decode: give the path of a model");
        return ExitCode::SUCCESS;
    };
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse());
    let (Ok(threads), Ok(rounds)) = (number(threads::most(Urgency::Urgent)), number(5)) else {
        eprintln!("decode: threads and rounds are numbers");
        return ExitCode::FAILURE;
    };
    match Model::open(path.as_ref())
        .and_then(|model| measure(&Arc::new(model), threads.max(1), rounds.max(1)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(model: &Arc<Model>, threads: usize, rounds: usize) -> Result<(), EngineError> {
    let settings = EngineSettings {
        threads,
        kv_bytes: 1 << 30,
        kv_precision: KvPrecision::Half,
        lookahead: false,
        copied_draft: 0,
    };
    let mut engine = Engine::new(Arc::clone(model), settings);
    let memory = vec![1u64; MEMORY / size_of::<u64>()];
    let (mut bandwidths, mut prefills, mut decodes) = (Vec::new(), Vec::new(), Vec::new());
    // The first round has no working memory yet and is not counted.
    for round in 0..=rounds {
        let started = Instant::now();
        read(&memory, threads);
        bandwidths.push(MEMORY as f64 / started.elapsed().as_secs_f64());
        let (prefill, decode) = passes(&mut engine, model, round)?;
        prefills.push(prefill);
        decodes.extend(decode);
    }
    let [bandwidth, prefill, decode] = [bandwidths, prefills, decodes].map(|mut rates| {
        rates.remove(0);
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    });
    let bytes = model.bytes_per_step() as f64;
    println!(
        "{}, {}, {threads} threads: prefill {prefill:.1} tokens/s, decode {decode:.1}; {:.1} MB of \
         weights a token, {:.1} GB/s of {:.1}: {:.0} %",
        model.info().name,
        tabahead_engine::instruction_set(),
        bytes / 1e6,
        bytes * decode / 1e9,
        bandwidth / 1e9,
        bytes * decode / bandwidth * 100.0
    );
    Ok(())
}

/// Returns the tokens per second of a prompt of which nothing is known, and of decoding after it,
/// unless that ends at once.
fn passes(
    engine: &mut Engine,
    model: &Model,
    round: usize,
) -> Result<(f64, Option<f64>), EngineError> {
    let vocabulary = model.vocabulary_len().min(20_000);
    let prompt = (0..PROMPT).map(|index| ((round * 977 + index * 31) % vocabulary) as TokenId);
    let mut sequence = engine.start(SequenceRequest {
        prompt: prompt.collect(),
        mask_first_stop: true,
        ..SequenceRequest::default()
    })?;
    let started = Instant::now();
    let mut prefill = Duration::ZERO;
    let mut decoded = 0;
    while decoded < DECODED {
        match engine.step(&mut sequence)? {
            // The first token needs no pass of its own.
            Step::Token(_) if prefill.is_zero() => prefill = started.elapsed(),
            Step::Token(_) => decoded += 1,
            Step::Prefilled { .. } | Step::Undecided => {}
            Step::Stop { .. } | Step::ContextFull => break,
        }
    }
    let decode = (started.elapsed() - prefill).as_secs_f64();
    engine.retire(sequence);
    let prefill = PROMPT as f64 / prefill.as_secs_f64();
    Ok((prefill, (decoded > 0).then(|| decoded as f64 / decode)))
}

fn read(words: &[u64], threads: usize) {
    std::thread::scope(|scope| {
        for part in words.chunks(words.len().div_ceil(threads)) {
            scope.spawn(|| {
                let mut sums = [0u64; 32];
                for words in part.as_chunks::<32>().0 {
                    for (sum, word) in sums.iter_mut().zip(words) {
                        *sum = sum.wrapping_add(*word);
                    }
                }
                black_box(sums)
            });
        }
    });
}
