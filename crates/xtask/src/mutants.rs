//! `cargo xtask mutants`: checks that for each rule of the law, a test fails when the rule is
//! switched off.
//!
//! Works on a copy under `target/mutants`, with a target folder of its own: a run that is killed
//! leaves the checkout as it was, and the next run repairs the copy. `rules.rs` has the list.

mod copy;
mod programs;
mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use copy::Copy;
use programs::{Ended, TestProgram, compile};
use rules::MUTANTS;

/// Time limit for a test: a mutant that makes it run longer has made it run for ever.
const LONGEST: Duration = Duration::from_secs(180);

/// Options of `cargo xtask mutants`: the rules to switch off.
#[derive(Debug, Args, Default)]
pub struct MutantsArguments {
    /// Only rules whose line contains this text, for example `Window`.
    only: Option<String>,
}

/// A rule, switched off: a piece of source and its replacement.
struct Mutant {
    /// The rule's name in docs/law.md.
    rule: &'static str,
    /// Behaviour without the rule.
    off: &'static str,
    file: &'static str,
    /// Piece of the source. It occurs exactly once in the file, so that the list cannot rot.
    piece: &'static str,
    becomes: &'static str,
    /// Test program that contains `test`, which must fail.
    program: TestProgram,
    test: &'static str,
}

/// The result of a mutant.
enum MutantResult {
    Noticed,
    /// Not noticed, with the reason.
    Not(String),
}

/// Switches the rules off one by one. Returns whether a test noticed each of them.
pub fn run(root: &Path, arguments: &MutantsArguments) -> Result<bool> {
    let begin = Instant::now();
    let only = arguments.only.as_deref().unwrap_or_default();
    let mutants: Vec<&Mutant> = MUTANTS
        .iter()
        .filter(|mutant| line_of(mutant).contains(only))
        .collect();
    let copy = Copy::of(root)?;
    passes_unchanged(&copy, &mutants)?;
    let mut problems = Vec::new();
    for (number, mutant) in (1..).zip(&mutants) {
        print!("{number:>3}/{} {} ... ", mutants.len(), line_of(mutant));
        std::io::stdout().flush()?;
        let start = Instant::now();
        let result = switch_off(&copy, mutant)?;
        let seconds = start.elapsed().as_secs_f32();
        match result {
            MutantResult::Noticed => println!("noticed by {} ({seconds:.1} s)", mutant.test),
            MutantResult::Not(reason) => {
                println!("NOT NOTICED: {reason} ({seconds:.1} s)");
                problems.push(format!("{}: {reason}", line_of(mutant)));
            }
        }
    }
    let seconds = begin.elapsed().as_secs();
    if problems.is_empty() {
        println!("mutants: each was noticed, in {seconds} s");
        return Ok(true);
    }
    for problem in &problems {
        eprintln!("mutants: {problem}");
    }
    eprintln!(
        "mutants: {} of {} were not noticed as they should, in {seconds} s",
        problems.len(),
        mutants.len()
    );
    Ok(false)
}

fn line_of(mutant: &Mutant) -> String {
    format!("{}: {}", mutant.rule, mutant.off)
}

/// Runs the tests that must fail later, without any mutant.
///
/// # Errors
/// When one of them fails or does not exist: such a test shows nothing about mutants.
fn passes_unchanged(copy: &Copy, mutants: &[&Mutant]) -> Result<()> {
    let mut by_program: BTreeMap<TestProgram, BTreeSet<&str>> = BTreeMap::new();
    for mutant in mutants {
        let tests = by_program.entry(mutant.program).or_default();
        tests.insert(mutant.test);
    }
    for (program, tests) in by_program {
        let executable = compile(copy, program, Stdio::inherit())?
            .with_context(|| format!("{program} does not compile, without any mutant"))?;
        let tests: Vec<&str> = tests.into_iter().collect();
        let run = programs::run(copy, program, &executable, &tests, 2 * LONGEST)?;
        let missing: Vec<_> = tests.iter().filter(|test| !run.passed(test)).collect();
        if !missing.is_empty() {
            bail!("without any mutant these tests of {program} do not pass: {missing:?}");
        }
        println!("{program}: {} tests pass without any mutant", tests.len());
    }
    Ok(())
}

/// Applies a mutant to the copy, runs its test, and restores the copy.
fn switch_off(copy: &Copy, mutant: &Mutant) -> Result<MutantResult> {
    let file = copy.tree().join(mutant.file);
    let source = fs::read_to_string(&file).with_context(|| format!("\"{}\"", mutant.file))?;
    let found = source.matches(mutant.piece).count();
    if found != 1 {
        let reason = format!("its piece occurs {found} times in {}", mutant.file);
        return Ok(MutantResult::Not(reason));
    }
    fs::write(&file, source.replace(mutant.piece, mutant.becomes))?;
    let result = is_noticed(copy, mutant);
    // This sets a new modification time: with the old one, cargo would reuse the mutant that it has
    // built.
    fs::write(&file, source)?;
    result
}

fn is_noticed(copy: &Copy, mutant: &Mutant) -> Result<MutantResult> {
    let Some(executable) = compile(copy, mutant.program, Stdio::null())? else {
        return Ok(MutantResult::Not("it does not compile".to_owned()));
    };
    let run = programs::run(copy, mutant.program, &executable, &[mutant.test], LONGEST)?;
    Ok(match run.ended {
        Ended::Failed => MutantResult::Noticed,
        Ended::Passed => MutantResult::Not(format!("{} passes all the same", mutant.test)),
        Ended::Otherwise(how) => MutantResult::Not(format!("{} {how}", mutant.test)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace_root;

    fn source(file: &str) -> String {
        fs::read_to_string(workspace_root().join(file)).expect(file)
    }

    #[test]
    fn every_piece_occurs_once_in_the_sources_of_today() {
        for mutant in MUTANTS {
            let found = source(mutant.file).matches(mutant.piece).count();
            assert_eq!(found, 1, "{}: {:?}", line_of(mutant), mutant.piece);
            assert_ne!(mutant.piece, mutant.becomes, "{}", line_of(mutant));
        }
    }

    #[test]
    fn every_rule_of_the_law_has_a_mutant() {
        let page = source("docs/law.md");
        let (_, law) = page
            .split_once("\n## The rules")
            .expect("the rules' section");
        let law = law.split("\n## ").next().unwrap_or_default();
        let rules: BTreeSet<&str> = law
            .split("\n**")
            .skip(1)
            .filter_map(|paragraph| Some(paragraph.split_once(".**")?.0))
            .collect();
        let switched_off = MUTANTS.iter().map(|mutant| mutant.rule).collect();
        assert_eq!(rules, switched_off);
    }

    #[test]
    fn every_test_that_is_named_exists() {
        let mut sources = BTreeMap::new();
        for mutant in MUTANTS {
            let folder = mutant.program.folder();
            let all = sources.entry(folder.clone()).or_insert_with(|| {
                let files = copy::files_below(&workspace_root().join(&folder)).expect(&folder);
                let rust = files
                    .iter()
                    .filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
                rust.filter_map(|file| fs::read_to_string(file).ok())
                    .collect::<String>()
            });
            let name = mutant.test.rsplit("::").next().unwrap_or_default();
            assert!(all.contains(&format!("fn {name}(")), "{}", mutant.test);
        }
    }
}
