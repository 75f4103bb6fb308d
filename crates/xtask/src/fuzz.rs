//! `cargo xtask fuzz`: runs the fuzzers of `tests/fuzz` for longer than a test run does.
//!
//! The targets run one after the other, each in a process of its own, so that one that dies or
//! hangs does not affect the others. The targets define what they try and what must hold; this
//! module only sets the time and the seeds.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::building::build;

/// Options of `cargo xtask fuzz`: what to try, and for how long.
#[derive(Debug, Args)]
pub struct FuzzArguments {
    /// Target, for example `gguf`; without it, all of them.
    target: Option<String>,
    /// Minutes to spend on all targets together.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Number of cases for each target, instead of a time.
    #[arg(long, conflicts_with = "minutes")]
    cases: Option<u64>,
    /// Seed of the first case; each further case has the next number. The ordinary test run begins
    /// with 1.
    #[arg(long, default_value_t = 1_000_000)]
    seed: u64,
}

/// A target and the test that runs it.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    name: String,
    test: String,
}

/// Runs the targets. Returns whether none of them found anything.
pub fn run(root: &Path, arguments: &FuzzArguments) -> Result<bool> {
    let Some(program) = build(root, &["--bin", "tabahead", "--test", "fuzz"])? else {
        return Ok(false);
    };
    let all = listed(root)?;
    let known: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
    let known = known.join(", ");
    let wanted = arguments.target.as_deref();
    let targets: Vec<&Target> = all
        .iter()
        .filter(|target| wanted.is_none_or(|wanted| wanted == target.name))
        .collect();
    ensure!(
        !targets.is_empty(),
        "there is no target '{}'; there are {known}",
        wanted.unwrap_or_default()
    );
    let seconds = 60 * arguments.minutes / targets.len() as u64;
    let folder = root.join("target/fuzz");
    fs::create_dir_all(&folder).context("target/fuzz cannot be made")?;
    let mut with_findings = Vec::new();
    for Target { name, test } in targets {
        let note = folder.join(format!("{name}.txt"));
        let _ = fs::remove_file(&note);
        let mut command = fuzz_tests(root);
        command
            .args(["--exact", test, "--nocapture"])
            .env("TABAHEAD_BIN", &program)
            .env("TABAHEAD_FUZZ_NOTE", &note)
            .env("TABAHEAD_FUZZ_SEED", arguments.seed.to_string());
        match arguments.cases {
            Some(cases) => command.env("TABAHEAD_FUZZ_CASES", cases.to_string()),
            None => command.env("TABAHEAD_FUZZ_SECONDS", seconds.to_string()),
        };
        let status = command.status().context("cargo test cannot be run")?;
        // A target that finishes removes its note.
        if let Ok(last) = fs::read_to_string(&note) {
            let seed = last.split_whitespace().last().unwrap_or_default();
            println!(
                "FOUND by {name}, seed {seed}: the process died\n  again: cargo xtask fuzz {name} --seed {seed} --cases 1"
            );
        }
        if !status.success() {
            with_findings.push(name.as_str());
        }
    }
    match with_findings[..] {
        [] => println!("fuzz: no findings"),
        _ => println!("fuzz: findings by {}", with_findings.join(", ")),
    }
    Ok(with_findings.is_empty())
}

/// Returns a command for the test program of the fuzzers, built together with the whole workspace.
fn fuzz_tests(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "--quiet", "--workspace", "--test", "fuzz", "--"])
        .current_dir(root);
    command
}

fn listed(root: &Path) -> Result<Vec<Target>> {
    let output = fuzz_tests(root)
        .args(["--list", "--format", "terse"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo test cannot be run")?;
    ensure!(output.status.success(), "the fuzzers cannot be listed");
    let list = String::from_utf8_lossy(&output.stdout);
    Ok(list.lines().filter_map(target).collect())
}

/// Parses a target from a line of the list: its name is the first word of its test.
fn target(line: &str) -> Option<Target> {
    let test = line.strip_suffix(": test")?;
    let name = test.rsplit("::").next()?.split('_').next()?;
    Some(Target {
        name: name.to_owned(),
        test: test.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_called_like_the_first_word_of_its_test() {
        let found = target("lsp::frames_that_are_damaged: test").expect("a target");
        assert_eq!(found.name, "frames");
        assert_eq!(found.test, "lsp::frames_that_are_damaged");
        assert_eq!(target("2 tests, 0 benchmarks"), None);
    }
}
