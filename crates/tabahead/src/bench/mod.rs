//! `tabahead bench`: how fast the engine is on this machine, and what the user notices of that.
//!
//! Everything that is printed was timed in this call, and what is compared was measured
//! alternately. `speed` measures the engine alone, by number of threads; `wait` measures the
//! backend as the server runs it; `memory` and `contention` measure what bounds both. `report` is
//! the result, `page` shows it. `llama` compares with llama.cpp.

mod contention;
mod costs;
mod engine;
mod llama;
mod memory;
mod page;
mod report;
mod speed;
mod wait;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;
use indicatif::ProgressBar;
use tabahead_context::{DocumentName, State};
use tabahead_engine::{
    EngineSettings,
    threads::{self, Urgency},
};
use tabahead_text::{Document, Offset, Version};

use crate::{
    args::BenchArgs,
    config::{Resolved, Speculation},
    output,
};
use llama::Comparison;
use memory::{Buffer, BufferSize};
use report::{BenchReport, Memory};
use speed::Speed;
use wait::Wait;

/// Text to measure on: real code, so that the tokens are real ones.
const TEXT: &str = concat!(
    include_str!("../complete/mod.rs"),
    include_str!("../place.rs"),
    include_str!("../config.rs")
);

/// Amounts to measure, and time limits.
struct Plan {
    /// Number of prompts of each length.
    runs: usize,
    /// Number of decoded tokens at each depth.
    steps: usize,
    /// Number of alternations between the compared measurements.
    rounds: usize,
    /// Time after which a measurement of the engine ends early.
    patience: Duration,
    /// Number of requests whose wait is measured.
    waits: usize,
    /// Time after which these requests end early.
    waiting: Duration,
    /// Number of requests for a stored answer.
    hits: usize,
    /// Size of the buffer by which memory is measured.
    buffer: BufferSize,
}

impl Plan {
    fn new(args: &BenchArgs) -> Self {
        if args.quick {
            Self {
                runs: 1,
                steps: 16,
                rounds: 6,
                patience: Duration::from_millis(200),
                waits: 20,
                waiting: Duration::from_secs(1),
                hits: 20,
                buffer: BufferSize::Small,
            }
        } else {
            let runs = args.runs as usize;
            Self {
                runs,
                steps: runs * 64,
                rounds: runs * 12,
                patience: Duration::from_secs(4),
                waits: 300,
                waiting: Duration::from_secs(15),
                hits: 200,
                buffer: BufferSize::Large,
            }
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the model cannot be used or standard output is closed.
pub fn run(args: &BenchArgs, config: &Resolved) -> Result<ExitCode> {
    let config = config.with_engine(&args.engine)?;
    let plan = Plan::new(args);
    let counts = thread_counts(config.settings.threads);
    if let Some(program) = &args.compare_llama {
        let bar = output::progress(Comparison::steps(&plan, &counts), "comparing");
        let comparison = Comparison::new(program, &config, &plan, &counts, &bar)?;
        bar.finish_and_clear();
        if args.json {
            output::json(&comparison.json())?
        } else {
            comparison.print(&mut output::stdout())?
        }
        return Ok(ExitCode::SUCCESS);
    }
    let steps = 3 + counts.len() * (speed::MEASUREMENTS + 1) + wait::MEASUREMENTS;
    let bar = output::progress(steps, "measuring");
    let report = measure(&config, &plan, &counts, &bar)?;
    bar.finish_and_clear();
    if args.json {
        output::json(&report.json())?
    } else {
        report.print(&mut output::stdout())?
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the numbers of threads to measure: one, and all that would compute.
fn thread_counts(configured: usize) -> Vec<usize> {
    let all = match configured {
        0 => threads::most(Urgency::Urgent),
        threads => threads,
    };
    let mut counts = vec![1, all];
    counts.dedup();
    counts
}

fn measure(
    config: &Resolved,
    plan: &Plan,
    counts: &[usize],
    bar: &ProgressBar,
) -> Result<BenchReport> {
    let local = config.local();
    let started = Instant::now();
    let model = config.completing_model()?;
    let load = started.elapsed();
    let resident_after_load = memory::resident_bytes();
    bar.inc(1);

    let mut speeds = BTreeMap::new();
    for &threads in counts {
        let settings = EngineSettings {
            threads,
            kv_bytes: local.kv_bytes,
            kv_precision: local.kv_precision,
            // A token must cost one step.
            lookahead: false,
            copied_draft: 0,
        };
        speeds.insert(threads, Speed::new(&model, &settings, plan, bar)?);
    }
    let info = model.info().clone();
    let (weight_bytes, bytes_per_step) = (model.weight_bytes(), model.bytes_per_step());
    let layers = model.layer_count();
    let kv_bytes_per_token = model.kv_bytes_per_token(local.kv_precision);
    // Measure before other models are read: the allocator may keep the memory of a dropped one.
    let resident = memory::resident_bytes();
    // The backend reads a model of its own: do not hold a large one twice.
    drop(model);
    let hits = hits(config, plan)?;
    bar.inc(1);
    let wait = Wait::new(local, config.settings.speculator(), plan, bar)?;

    let buffer = Buffer::new(plan.buffer);
    bar.inc(1);
    let mut bandwidths = BTreeMap::new();
    for &threads in counts {
        bandwidths.insert(threads, buffer.bandwidth(threads));
        bar.inc(1);
    }
    Ok(BenchReport {
        name: info.name,
        id: info.id,
        context_tokens: info.context_tokens,
        instructions: tabahead_engine::instruction_set(),
        runs: plan.runs,
        load,
        hit: output::median(&hits).unwrap_or_default(),
        memory: Memory {
            weight_bytes,
            bytes_per_step,
            kv_bytes_per_token,
            layers,
            cache_bytes: memory::cache_bytes(),
            buffer_bytes: buffer.bytes(),
            resident_after_load,
            resident,
        },
        speeds,
        bandwidths,
        wait,
    })
}

/// Measures the time to answer from a stored path.
fn hits(config: &Resolved, plan: &Plan) -> Result<Vec<Duration>> {
    let mut session = config.session(Speculation::Off)?;
    let document = Document::new(TEXT, Version(0));
    let line = document.line_range(document.line_count() / 2);
    let state = State {
        cursor: Offset((line.start.0 + line.end.0) / 2),
        document,
        name: DocumentName::new("bench.rs", "rust"),
    };
    session.request(&state);
    session.settle();
    let hits = (0..plan.hits).map(|_| session.request(&state).elapsed);
    Ok(hits.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_is_measured_once() {
        assert_eq!(thread_counts(1), [1]);
        assert_eq!(thread_counts(3), [1, 3]);
        assert!(thread_counts(0).len() <= 2);
    }
}
