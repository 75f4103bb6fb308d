//! `tabahead bench --compare-llama PROGRAM`: runs the same model file in this program and in
//! llama.cpp.
//!
//! Both take turns at reading a prompt and decoding after it, each with its fastest number of
//! threads, so that other load on the machine affects both. The program is llama.cpp's
//! `llama-bench`, which is started for each measurement and does not count its own loading.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use console::style;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tabahead_backend::ModelSource;
use tabahead_engine::{EngineSettings, Model};

use super::{Plan, TEXT, engine::Bench, memory::Buffer};
use crate::{config::Resolved, output};

/// Number of tokens of the prompt.
const PROMPT: usize = 512;
/// Number of tokens decoded per measurement.
const DECODED: usize = 32;
/// Width in characters of a row's name, and of a figure.
const NAME: usize = 30;
const FIGURE: usize = 13;

/// The kind of work that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workload {
    Prefill,
    Decode,
}

impl Workload {
    const ALL: [Self; 2] = [Self::Prefill, Self::Decode];

    fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }

    fn title(self) -> String {
        match self {
            Self::Prefill => format!("reading {PROMPT} tokens"),
            Self::Decode => format!("decoding after {PROMPT}"),
        }
    }
}

/// Tokens per second of both programs, round by round.
struct RatePair {
    ours: ProgramRates,
    theirs: ProgramRates,
}

struct ProgramRates {
    threads: usize,
    rates: Vec<f64>,
}

/// The comparison of both programs.
pub struct Comparison {
    name: String,
    id: String,
    program: PathBuf,
    prefill: RatePair,
    decode: RatePair,
    /// Memory bandwidth in bytes per second, with the number of threads that decode, before and
    /// after each round.
    bandwidths: Vec<f64>,
    bytes_per_step: usize,
}

impl Comparison {
    /// Returns the number of steps of the progress bar.
    pub fn steps(plan: &Plan, counts: &[usize]) -> usize {
        1 + Workload::ALL.len() * 2 * (counts.len() + plan.runs)
    }

    /// Measures both programs.
    ///
    /// # Errors
    /// When the model is not a GGUF file, or one of the programs cannot run it.
    pub fn new(
        program: &Path,
        config: &Resolved,
        plan: &Plan,
        counts: &[usize],
        bar: &ProgressBar,
    ) -> Result<Self> {
        let local = config.local();
        let ModelSource::File(file) = &local.model else {
            bail!("llama.cpp needs a model file: name one by --model PATH");
        };
        let model = config.model()?;
        let settings = EngineSettings {
            threads: 1,
            kv_bytes: local.kv_bytes,
            kv_precision: local.kv_precision,
            // A token must cost one step.
            lookahead: false,
            copied_draft: 0,
        };
        let mut ours = OwnEngine::new(&model, &settings)?;
        bar.inc(1);
        let theirs = LlamaBench { program, file };
        let mut best = Vec::new();
        for workload in Workload::ALL {
            let ours = fastest(counts, bar, |threads| ours.rate(workload, threads))?;
            let theirs = fastest(counts, bar, |threads| theirs.rate(workload, threads))?;
            best.push(RatePair {
                ours: ProgramRates::new(ours),
                theirs: ProgramRates::new(theirs),
            });
        }
        let buffer = Buffer::new(plan.buffer);
        let decoding = best[1].ours.threads;
        let mut bandwidths = vec![buffer.bandwidth(decoding)];
        for _ in 0..plan.runs {
            for (workload, pair) in Workload::ALL.into_iter().zip(&mut best) {
                pair.ours
                    .rates
                    .push(ours.rate(workload, pair.ours.threads)?);
                bar.inc(1);
                let rate = theirs.rate(workload, pair.theirs.threads)?;
                pair.theirs.rates.push(rate);
                bar.inc(1);
            }
            bandwidths.push(buffer.bandwidth(decoding));
        }
        let decode = best.pop().context("both were measured")?;
        let prefill = best.pop().context("both were measured")?;
        Ok(Self {
            name: model.info().name.clone(),
            id: model.info().id.clone(),
            program: program.to_owned(),
            prefill,
            decode,
            bandwidths,
            bytes_per_step: model.bytes_per_step(),
        })
    }

    /// Returns everything as JSON; rates are in tokens per second.
    pub fn json(&self) -> Value {
        let pair = |pair: &RatePair| {
            let side = |side: &ProgramRates| json!({"threads": side.threads, "tokens_per_s": median(&side.rates), "rounds": side.rates});
            json!({"tabahead": side(&pair.ours), "llama": side(&pair.theirs), "ratio": pair.ratio()})
        };
        let bandwidth = median(&self.bandwidths);
        json!({
            "model": self.id,
            "program": self.program,
            "instructions": tabahead_engine::instruction_set(),
            "prompt_tokens": PROMPT,
            Workload::Prefill.name(): pair(&self.prefill),
            Workload::Decode.name(): pair(&self.decode),
            "weight_bytes_per_step": self.bytes_per_step,
            "bandwidth": {
                "threads": self.decode.ours.threads,
                "gb_per_s": bandwidth / 1e9,
                "rounds": self.bandwidths,
                "decode_share": self.share(),
            },
        })
    }

    /// Prints the comparison as text.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let title = style(&self.name).bold();
        writeln!(out, "{title} · {}\n", tabahead_engine::instruction_set())?;
        let heads = ["tabahead", "threads", "llama.cpp", "threads", "ratio"];
        let heads: String = heads.map(|head| format!("{head:>FIGURE$}")).concat();
        writeln!(out, "{:NAME$}{}", "tokens/s", style(heads).bold())?;
        for (workload, pair) in Workload::ALL.into_iter().zip([&self.prefill, &self.decode]) {
            let cells = [
                format!("{:.1}", median(&pair.ours.rates)),
                pair.ours.threads.to_string(),
                format!("{:.1}", median(&pair.theirs.rates)),
                pair.theirs.threads.to_string(),
                format!("{:.2}×", pair.ratio()),
            ];
            let cells: String = cells.map(|cell| format!("{cell:>FIGURE$}")).concat();
            writeln!(out, "{:NAME$}{cells}", workload.title())?;
        }
        let bandwidth = median(&self.bandwidths) / 1e9;
        writeln!(
            out,
            "\nMemory gives {bandwidth:.1} GB/s to {} threads; decoding reads {} of weights a token, \
             {} of that.",
            self.decode.ours.threads,
            output::bytes(self.bytes_per_step as u64),
            output::percent(self.share()),
        )
    }

    /// Returns the share of the bandwidth that decoding uses.
    fn share(&self) -> f64 {
        self.bytes_per_step as f64 * median(&self.decode.ours.rates) / median(&self.bandwidths)
    }
}

impl RatePair {
    /// Returns the median of the rounds' ratios: noise that affects both programs in a round
    /// cancels out.
    fn ratio(&self) -> f64 {
        let rounds = self.ours.rates.iter().zip(&self.theirs.rates);
        let ratios: Vec<f64> = rounds.map(|(ours, theirs)| ours / theirs).collect();
        median(&ratios)
    }
}

impl ProgramRates {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            rates: Vec::new(),
        }
    }
}

/// This program's engine, which is rebuilt when the number of threads changes.
struct OwnEngine<'a> {
    model: &'a Arc<Model>,
    settings: EngineSettings,
    bench: Bench,
    /// Place where the last prompt begins; each begins elsewhere, so that nothing of it is known.
    place: usize,
}

impl<'a> OwnEngine<'a> {
    fn new(model: &'a Arc<Model>, settings: &EngineSettings) -> Result<Self> {
        Ok(Self {
            model,
            settings: settings.clone(),
            bench: Bench::new(model, settings, TEXT)?,
            place: 0,
        })
    }

    fn rate(&mut self, workload: Workload, threads: usize) -> Result<f64> {
        if threads != self.settings.threads {
            self.settings.threads = threads;
            self.bench = Bench::new(self.model, &self.settings, TEXT)?;
            // The first pass still has to allocate its working memory.
            self.bench.prefill(self.bench.prompt(1, PROMPT / 4))?;
        }
        self.place += 2;
        let prompt = self.bench.prompt(self.place, PROMPT);
        match workload {
            Workload::Prefill => Ok(PROMPT as f64 / self.bench.prefill(prompt)?.as_secs_f64()),
            Workload::Decode => {
                let mut branch = [self.bench.branch(prompt)?];
                let mut taken = Duration::ZERO;
                for _ in 0..DECODED {
                    taken += self.bench.step(&mut branch)?;
                }
                self.bench.retire(branch);
                Ok(DECODED as f64 / taken.as_secs_f64())
            }
        }
    }
}

/// llama.cpp's own benchmark program.
struct LlamaBench<'a> {
    program: &'a Path,
    file: &'a Path,
}

impl LlamaBench<'_> {
    fn rate(&self, workload: Workload, threads: usize) -> Result<f64> {
        let (prompt, decoded, depth) = match workload {
            Workload::Prefill => (PROMPT, 0, 0),
            Workload::Decode => (0, DECODED, PROMPT),
        };
        let numbers = [
            ("-t", threads),
            ("-p", prompt),
            ("-n", decoded),
            ("-d", depth),
            ("-r", 1),
        ];
        let mut command = Command::new(self.program);
        command.arg("-m").arg(self.file).args(["-o", "json"]);
        for (name, number) in numbers {
            command.args([name, &number.to_string()]);
        }
        let what = || format!("'{}' cannot be run", self.program.display());
        let output = command.output().with_context(what)?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            let last = errors.lines().last().unwrap_or("it wrote nothing");
            bail!("'{}' failed: {last}", self.program.display());
        }
        rate_in(&output.stdout).with_context(|| {
            format!(
                "'{}' does not answer as llama-bench does",
                self.program.display()
            )
        })
    }
}

/// Returns the tokens per second of the only measurement in the output of `llama-bench`.
fn rate_in(printed: &[u8]) -> Result<f64> {
    let printed: Value = serde_json::from_slice(printed)?;
    let rate = printed[0]["avg_ts"].as_f64();
    rate.filter(|rate| *rate > 0.0)
        .context("there are no tokens per second")
}

/// Returns the number of threads that is fastest.
fn fastest(
    counts: &[usize],
    bar: &ProgressBar,
    mut rate: impl FnMut(usize) -> Result<f64>,
) -> Result<usize> {
    let mut best = (0.0, 1);
    for &threads in counts {
        let rate = rate(threads)?;
        bar.inc(1);
        if rate > best.0 {
            best = (rate, threads);
        }
    }
    Ok(best.1)
}

fn median(numbers: &[f64]) -> f64 {
    let mut numbers = numbers.to_vec();
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => 0.0,
        length if length % 2 == 1 => numbers[middle],
        _ => f64::midpoint(numbers[middle - 1], numbers[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_the_middle_round() {
        let side = |rates: &[f64]| ProgramRates {
            threads: 1,
            rates: rates.to_vec(),
        };
        let pair = RatePair {
            ours: side(&[20.0, 10.0, 90.0]),
            theirs: side(&[10.0, 10.0, 10.0]),
        };
        assert_eq!(pair.ratio(), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
    }

    #[test]
    fn what_llama_bench_prints_is_read() {
        let printed = br#"[{"n_prompt": 512, "n_gen": 0, "avg_ns": 2, "avg_ts": 250.5}]"#;
        assert_eq!(rate_in(printed).unwrap(), 250.5);
        for other in ["[]", "{}", "speed", r#"[{"avg_ts": 0}]"#] {
            assert!(rate_in(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn the_fastest_number_of_threads_is_taken() {
        let bar = ProgressBar::hidden();
        let rates = |threads: usize| Ok([0.0, 3.0, 5.0, 4.0][threads]);
        assert_eq!(fastest(&[1, 2, 3], &bar, rates).unwrap(), 2);
    }
}
