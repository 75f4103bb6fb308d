//! `cargo xtask replay`: writes `tests/replay/RESULTS.md`, the table of what the replay measures.
//!
//! The first part is the same on every machine; an end-to-end test compares it with the program's
//! output. The second part was measured on one machine, partly in real time, and is only written on
//! request.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

/// Paths of the recordings and of the table.
const RECORDINGS: &str = "tests/replay/recordings";
const RESULTS: &str = "tests/replay/RESULTS.md";

/// The recording that is replayed in real time: the shortest.
const IN_REAL_TIME: &str = "tests/replay/recordings/048c2f52b6b6.recording.w.jsonl";

/// Heading of the part that was measured on one machine.
const MEASURED: &str = "## Measured on one machine";

/// Number of runs in real time.
const RUNS: usize = 5;

/// Options of `cargo xtask replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Measures the part that depends on the machine again: the model's answers, and five runs in
    /// real time. Takes a quarter of an hour.
    #[arg(long)]
    measure: bool,
    /// Description of the machine, for the table.
    #[arg(long, default_value = "2-core Linux x86-64 virtual machine")]
    machine: String,
}

/// Writes the table.
pub fn run(root: &Path, arguments: &ReplayArguments) -> Result<bool> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "tabahead"])
        .current_dir(root)
        .status()
        .context("cargo cannot be run")?;
    ensure!(built.success(), "the program does not build");
    let replay = Replay { root };
    let file = root.join(RESULTS);
    let before = fs::read_to_string(&file).unwrap_or_default();
    let measured = if arguments.measure {
        replay.measured(&arguments.machine)?
    } else {
        before
            .find(MEASURED)
            .map_or_else(String::new, |at| before[at..].to_owned())
    };
    let text = format!("{}\n{measured}", replay.deterministic()?);
    fs::write(&file, format!("{}\n", text.trim_end()))
        .with_context(|| format!("'{}' cannot be written", file.display()))?;
    println!("{}", file.display());
    Ok(true)
}

struct Replay<'a> {
    root: &'a Path,
}

impl Replay<'_> {
    /// Returns the part that is the same everywhere.
    fn deterministic(&self) -> Result<String> {
        let mut text = String::from(
            "# What the replay measures\n\n\
             Written by `cargo xtask replay`; `docs/replay.md` explains each line. The \
             recordings are those in `recordings/`.\n\n\
             ## The same on every machine\n\n\
             Virtual clock, answers of the copier (`--answers ngram`), seed 1, all recordings \
             together. A test compares these tables with what the program says.\n",
        );
        for mode in ["recorded", "inject", "typist"] {
            let table = self.table(&["--answers", "ngram", "--mode", mode])?;
            text += &format!("\n### {mode}\n\n{table}");
        }
        // The tables above are of the suffix-first layout.
        for layout in ["prefix-first", "split"] {
            let table = self.table(&[
                "--answers",
                "ngram",
                "--mode",
                "inject",
                "--layout",
                layout,
                "--policy",
                "none,llama-vim,tabahead",
            ])?;
            text += &format!("\n### inject, layout {layout}\n\n{table}");
        }
        Ok(text)
    }

    /// Returns the part that was measured on one machine.
    fn measured(&self, machine: &str) -> Result<String> {
        let mut text = format!(
            "{MEASURED}\n\n\
             {machine}, built-in model, seed 1, release build. The virtual clock has its default \
             costs (`docs/replay.md`).\n"
        );
        for mode in ["inject", "typist"] {
            let table = self.table(&["--answers", "engine", "--mode", mode])?;
            text += &format!("\n### {mode}, virtual clock, the model's answers\n\n{table}");
        }
        text += &self.in_real_time()?;
        Ok(text)
    }

    /// Makes `RUNS` runs in real time, and reports how far apart they are.
    fn in_real_time(&self) -> Result<String> {
        let runs: Vec<Value> = (0..RUNS)
            .map(|run| {
                eprintln!("run {} of {RUNS} in real time", run + 1);
                let arguments = [
                    "--clock",
                    "wall",
                    "--mode",
                    "inject",
                    "--max-gap",
                    "200ms",
                    "--json",
                ];
                serde_json::from_str(&self.replay(IN_REAL_TIME, &arguments)?)
                    .context("the program's JSON")
            })
            .collect::<Result<_>>()?;
        let mut text = format!(
            "\n### inject, wall clock\n\n\
             `{IN_REAL_TIME}`, `--clock wall --mode inject --max-gap 200ms`, {RUNS} runs, the two \
             policies in turn. Least, median and greatest of the runs.\n\n\
             | | none | tabahead |\n|---|---:|---:|\n"
        );
        for (name, pointer, digits) in [
            ("request to answer, p50 (ms)", "/perceived_ms/all/p50", 1),
            ("request to answer, p90 (ms)", "/perceived_ms/all/p90", 1),
            ("request to answer, p99 (ms)", "/perceived_ms/all/p99", 1),
            ("accept to next, p50 (ms)", "/accept_to_next_ms/p50", 1),
            ("accept to next, p90 (ms)", "/accept_to_next_ms/p90", 1),
            ("accept to next, p99 (ms)", "/accept_to_next_ms/p99", 1),
            (
                "next suggestion there before the next change",
                "/next_ready_share",
                3,
            ),
            ("hit rate after accept", "/hit_rate_after_accept", 3),
            ("shows unlike a fresh answer", "/unlike_fresh", 0),
            (
                "processor time of the server (s)",
                "/cpu_seconds/waiting",
                2,
            ),
        ] {
            text += &format!("| {name} |");
            for policy in ["none", "tabahead"] {
                let at = format!("/policies/{policy}{pointer}");
                let mut values: Vec<f64> = runs
                    .iter()
                    .filter_map(|run| run.pointer(&at)?.as_f64())
                    .collect();
                values.sort_by(f64::total_cmp);
                text += &match values[..] {
                    [] => " - |".to_owned(),
                    _ => format!(
                        " {:.digits$} / {:.digits$} / {:.digits$} |",
                        values[0],
                        values[values.len() / 2],
                        values[values.len() - 1]
                    ),
                };
            }
            text.push('\n');
        }
        Ok(text)
    }

    fn table(&self, arguments: &[&str]) -> Result<String> {
        self.replay(RECORDINGS, &[arguments, &["--markdown"]].concat())
    }

    fn replay(&self, recordings: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(self.root.join("target/release/tabahead"))
            .args(["replay", recordings])
            .args(arguments)
            .current_dir(self.root)
            .stderr(Stdio::inherit())
            .output()
            .context("the program cannot be run")?;
        ensure!(output.status.success(), "the replay failed");
        String::from_utf8(output.stdout).context("the program's output")
    }
}
