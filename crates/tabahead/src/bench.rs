//! `tabahead bench`: how fast the engine is on this machine.
//!
//! Measures the engine alone (reading a prompt, decoding behind it), then what a stored answer
//! costs through the whole machine. Medians of several runs; nothing is printed that was not
//! timed in this call.

use std::{
    fs,
    io::Write,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use serde_json::json;
use tabahead_context::DocumentName;
use tabahead_engine::{Engine, EngineSettings, SequenceRequest, Step, TokenId};
use tabahead_server::BufferState;
use tabahead_text::{Document, Offset, Version};

use crate::{
    args::BenchArgs,
    config::{Resolved, Speculation},
    output,
};

/// Text that is measured on: real code, so that the tokens are real ones.
const TEXT: &str = concat!(
    include_str!("complete/mod.rs"),
    include_str!("place.rs"),
    include_str!("config.rs")
);

/// Tokens of the prompt.
const DEPTH: usize = 512;
/// Decoded tokens per run.
const DECODED: usize = 64;
/// Requests for a stored answer.
const HITS: usize = 200;

/// Runs the command.
///
/// # Errors
/// When the model cannot be used or standard output is closed.
pub fn run(args: &BenchArgs, config: &Resolved) -> Result<ExitCode> {
    let config = config.with_engine(&args.engine)?;
    let bar = output::progress(args.runs as usize + 1, "measuring");
    let started = Instant::now();
    let model = config.completing_model()?;
    let loading = started.elapsed();
    let settings = EngineSettings {
        threads: config.settings.threads,
        kv_bytes: config.settings.kv.bytes,
        kv_precision: config.local().kv_precision,
    };
    let room = model.info().context_tokens.saturating_sub(DECODED + 1);
    let prompt: Vec<TokenId> = model
        .encode(TEXT)
        .into_iter()
        .take(DEPTH.min(room))
        .collect();

    let mut prefills = Vec::new();
    let mut steps = Vec::new();
    let mut instructions = "";
    for _ in 0..args.runs {
        let mut engine = Engine::new(Arc::clone(&model), settings.clone());
        instructions = tabahead_engine::instruction_set();
        prefills.push(prefill(&mut engine, &prompt)?);
        decode(&mut engine, &prompt, &mut steps)?;
        bar.inc(1);
    }
    let hits = hits(&config)?;
    bar.finish_and_clear();

    let middle = |times: &[Duration]| output::median(times).unwrap_or_default();
    let prefill = prompt.len() as f64 / middle(&prefills).as_secs_f64();
    let p50 = middle(&steps);
    let p99 = output::quantile(&steps, 0.99).unwrap_or_default();
    let decode = 1.0 / p50.as_secs_f64();
    let hit = middle(&hits);
    let resident = resident_bytes();
    if args.json {
        output::json(&json!({
            "model": model.info().id,
            "instructions": instructions,
            "threads": settings.threads,
            "runs": args.runs,
            "load_ms": ms(loading),
            "prefill": {"tokens": prompt.len(), "tokens_per_s": prefill},
            "decode": {"depth": prompt.len(), "tokens_per_s": decode,
                       "step_p50_ms": ms(p50), "step_p99_ms": ms(p99)},
            "hit_us": hit.as_secs_f64() * 1e6,
            "resident_bytes": resident,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = output::stdout();
    writeln!(out, "{} · {instructions}\n", model.info().name)?;
    let mut line = |what: &str, figure: String| writeln!(out, "{what:<34} {figure:>14}");
    line("load", output::milliseconds(loading))?;
    line(
        &format!("prefill of {} tokens", prompt.len()),
        format!("{prefill:.0} tokens/s"),
    )?;
    line(
        &format!("decode at depth {}", prompt.len()),
        format!("{decode:.0} tokens/s"),
    )?;
    line("decode step, median", output::milliseconds(p50))?;
    line("decode step, 99th percentile", output::milliseconds(p99))?;
    line(
        "answer that was stored",
        format!("{:.0} µs", hit.as_secs_f64() * 1e6),
    )?;
    if let Some(resident) = resident {
        line("resident memory", output::bytes(resident))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn request(prompt: &[TokenId]) -> SequenceRequest {
    SequenceRequest {
        prompt: prompt.to_vec(),
        mask_first_stop: true,
        reserve: DECODED,
        ..SequenceRequest::default()
    }
}

/// From an empty cache to the first token.
fn prefill(engine: &mut Engine, prompt: &[TokenId]) -> Result<Duration> {
    let mut sequence = engine.start(request(prompt))?;
    let started = Instant::now();
    while let Step::Prefilled { .. } = engine.step(&mut sequence)? {}
    let elapsed = started.elapsed();
    engine.retire(sequence);
    Ok(elapsed)
}

/// Decodes behind the prompt; a sequence that stops is begun anew one token shorter.
fn decode(engine: &mut Engine, prompt: &[TokenId], steps: &mut Vec<Duration>) -> Result<()> {
    let wanted = steps.len() + DECODED;
    for shorter in 0..DECODED.min(prompt.len().saturating_sub(1)) {
        let mut sequence = engine.start(request(&prompt[..prompt.len() - shorter]))?;
        // The first token's logits are there, or come with the rest of the prompt.
        while let Step::Prefilled { .. } = engine.step(&mut sequence)? {}
        while steps.len() < wanted {
            let started = Instant::now();
            match engine.step(&mut sequence)? {
                Step::Token(_) => steps.push(started.elapsed()),
                Step::Prefilled { .. } => {}
                Step::Stop { .. } | Step::ContextFull => break,
            }
        }
        engine.retire(sequence);
        if steps.len() == wanted {
            return Ok(());
        }
    }
    match steps.is_empty() {
        true => Err(anyhow!("the model decodes nothing; is it a code model?")),
        false => Ok(()),
    }
}

/// What it costs to answer from a stored path.
fn hits(config: &Resolved) -> Result<Vec<Duration>> {
    let mut session = config.session(Speculation::Off)?;
    let document = Document::new(TEXT, Version(0));
    let line = document.line_range(document.line_count() / 2);
    let state = BufferState {
        cursor: Offset((line.start.0 + line.end.0) / 2),
        document,
        name: DocumentName {
            file_name: "bench.rs".to_owned(),
            language: "rust".to_owned(),
        },
    };
    session.request(&state);
    session.settle();
    Ok((0..HITS).map(|_| session.request(&state).elapsed).collect())
}

/// Memory of this process that is in RAM; `None` where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}
