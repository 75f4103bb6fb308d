//! `cargo xtask test`: prepares what the tests need, then runs tidy and every test.
//!
//! If something cannot be prepared, the tests that need it are skipped loudly and named again at
//! the end. If everything could be prepared, `TABAHEAD_REQUIRE_ALL` makes the tests fail rather
//! than skip.

mod timing;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::{
    building::build,
    mutants::{self, MutantsArguments},
    prepare::{
        self, Prepared,
        apt::{self, CHROMIUM, EMACS, LUACHECK},
        models::{ModelFile, QWEN_LARGE, QWEN_SMALL},
        neovim::{self, NEOVIM_010, NEOVIM_011, NEOVIM_012},
    },
    tidy,
};
use timing::Times;

/// Folders of the lock files of the Node packages.
const NODE_LOCK: &str = "crates/tabahead-text/tests/reference";
const VSCODE_LOCK: &str = "tests/e2e/editors/vscode";
const EXTENSION_LOCK: &str = "editors/vscode";
/// Names and checksums of the vocabularies.
const VOCABULARIES: &str = "crates/tabahead-engine/tests/vocabularies.sha256";
/// Number of tests that a test program runs at once, which the test harness reads.
const TEST_THREADS: &str = "RUST_TEST_THREADS";

/// Options of `cargo xtask test`.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// Runs the longer variants too: more generated cases, more edit scripts against the law; and
    /// `cargo xtask mutants`.
    #[arg(long)]
    thorough: bool,
    /// Runs the tests without tidy.
    #[arg(long)]
    no_tidy: bool,
}

/// Options of `cargo xtask prepare`.
#[derive(Debug, Args)]
pub struct PrepareArguments {
    /// Prepares what `test --thorough` needs too.
    #[arg(long)]
    thorough: bool,
}

/// Prepares, checks, tests, and sums up. Returns whether everything that ran passed.
pub fn run(root: &Path, arguments: &TestArguments) -> Result<bool> {
    let begin = Instant::now();
    let cache = cache_folder(root)?;
    // Downloads and installations leave the processor free for the compiler.
    let mut times = Times::default();
    let (prepared, compiled) = thread::scope(|scope| {
        let compiled = scope.spawn(|| Compiled::of(root, arguments));
        let prepared = times.measure("prepare", || prepare_all(root, &cache, arguments.thorough));
        (prepared, compiled.join())
    });
    let compiled = compiled.map_err(|_| anyhow!("the thread that compiles panicked"))??;
    times.add("tidy with a compiler, beside prepare", compiled.checking);
    times.add("build, beside prepare", compiled.building);
    let log = cache.join("test-log.txt");
    let (mut tidy_passed, mut tests) = (arguments.no_tidy, TestRun::default());
    if let Some(program) = &compiled.program {
        tidy_passed = times.measure("tidy without a compiler", || {
            Ok::<_, anyhow::Error>(
                arguments.no_tidy || tidy::others(root, program, compiled.failed)?,
            )
        })?;
        tests = run_tests(root, program, arguments, &prepared, &log, &mut times)?;
    } else {
        eprintln!("the workspace does not build: no test was run");
    }
    let mutants_noticed = times.measure("mutants", || {
        Ok::<_, anyhow::Error>(
            !arguments.thorough || mutants::run(root, &MutantsArguments::default())?,
        )
    })?;

    println!("\n==== summary ====");
    for Preparation { name, outcome, .. } in &prepared {
        match outcome {
            Ok(place) => println!("prepared  {name}: {}", place.display()),
            Err(reason) => println!("SKIPPED   what needs {name}: {reason}"),
        }
    }
    for line in fs::read_to_string(&log).unwrap_or_default().lines() {
        println!("{line}");
    }
    match (arguments.no_tidy, tidy_passed) {
        (true, _) => println!("SKIPPED   tidy, as asked"),
        (false, true) => println!("tidy      passed"),
        (false, false) => println!("tidy      FAILED"),
    }
    match (arguments.thorough, mutants_noticed) {
        (false, _) => {}
        (true, true) => println!("mutants   passed"),
        (true, false) => println!("mutants   FAILED"),
    }
    print!("{}", times.summary());
    println!(
        "tests     {} passed, {} failed, in {}",
        tests.counts.passed,
        tests.counts.failed,
        minutes(begin.elapsed())
    );
    Ok(tidy_passed && tests.succeeded && mutants_noticed)
}

/// Prepares everything without testing. Returns whether all of it could be prepared.
pub fn prepare(root: &Path, arguments: &PrepareArguments) -> Result<bool> {
    let prepared = prepare_all(root, &cache_folder(root)?, arguments.thorough);
    for preparation in &prepared {
        if let Ok(place) = &preparation.outcome {
            println!("{}={}", preparation.variable, place.display());
        }
    }
    Ok(prepared
        .iter()
        .all(|preparation| preparation.outcome.is_ok()))
}

/// A requirement of tests, the variable that gives them its path, and the outcome of preparing it.
struct Preparation {
    name: &'static str,
    variable: &'static str,
    outcome: Prepared,
}

fn prepare_all(root: &Path, cache: &Path, thorough: bool) -> Vec<Preparation> {
    let neovims = [&NEOVIM_012, &NEOVIM_011, &NEOVIM_010].map(|neovim| neovim.wish(cache));
    let programs = [&CHROMIUM, &EMACS, &LUACHECK].map(|program| program.wish());
    let wishes: Vec<String> = neovims.into_iter().chain(programs).flatten().collect();
    let permission = apt::permission(&wishes);
    let mut prepared = vec![
        Preparation {
            name: "Neovim 0.12",
            variable: "TABAHEAD_NVIM",
            outcome: NEOVIM_012.prepare(cache, &permission),
        },
        Preparation {
            name: "Neovim 0.11",
            variable: "TABAHEAD_NVIM_011",
            outcome: NEOVIM_011.prepare(cache, &permission),
        },
        Preparation {
            name: "Neovim 0.10",
            variable: "TABAHEAD_NVIM_010",
            outcome: NEOVIM_010.prepare(cache, &permission),
        },
        Preparation {
            name: "blink.cmp",
            variable: "TABAHEAD_NVIM_CMP",
            outcome: neovim::blink(cache),
        },
        Preparation {
            name: "Emacs with eglot",
            variable: "TABAHEAD_EMACS",
            outcome: EMACS.prepare(&permission),
        },
        Preparation {
            name: "Node packages",
            variable: "TABAHEAD_NODE",
            outcome: prepare::node_packages(cache, "node", &root.join(NODE_LOCK)),
        },
        Preparation {
            name: "VS Code",
            variable: "TABAHEAD_VSCODE",
            outcome: prepare::vscode(cache, &root.join(VSCODE_LOCK)),
        },
        Preparation {
            name: "the VS Code extension",
            variable: "TABAHEAD_EXTENSION",
            outcome: prepare::node_tools(&root.join(EXTENSION_LOCK)),
        },
        Preparation {
            name: "Chromium",
            variable: "TABAHEAD_CHROMIUM",
            outcome: CHROMIUM.prepare(&permission),
        },
        Preparation {
            name: "luacheck",
            variable: "TABAHEAD_LUACHECK",
            outcome: LUACHECK.prepare(&permission),
        },
        Preparation {
            name: "stylua",
            variable: "TABAHEAD_STYLUA",
            outcome: prepare::node_tools(&root.join(tidy::STYLUA)),
        },
        Preparation {
            name: "vocabularies",
            variable: "TABAHEAD_VOCABULARIES",
            outcome: prepare::vocabularies(cache, &root.join(VOCABULARIES)),
        },
        Preparation {
            name: "real recordings",
            variable: "TABAHEAD_RECORDINGS",
            outcome: prepare::recordings(root),
        },
    ];
    let models = [Some(&QWEN_SMALL), thorough.then_some(&QWEN_LARGE)];
    let model = |model: &ModelFile| Preparation {
        name: model.name,
        variable: model.variable,
        outcome: model.prepare(cache),
    };
    prepared.extend(models.into_iter().flatten().map(model));
    for preparation in &prepared {
        if let Err(reason) = &preparation.outcome {
            shout(preparation.name, reason);
        }
    }
    prepared
}

fn shout(name: &str, reason: &str) {
    eprintln!("\n!!!! SKIPPED: the tests that need {name} will not run: {reason}\n");
}

/// Returns `TABAHEAD_TEST_CACHE`, or `.cache` in the workspace, as an absolute path.
fn cache_folder(root: &Path) -> Result<PathBuf> {
    let folder = match std::env::var_os("TABAHEAD_TEST_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => root.join(".cache"),
    };
    fs::create_dir_all(&folder)
        .with_context(|| format!("cache folder \"{}\" cannot be made", folder.display()))?;
    Ok(folder.canonicalize()?)
}

/// What needs the compiler, and was done beside the preparations.
struct Compiled {
    /// Names of tidy's checks that failed.
    failed: Vec<String>,
    /// Path of the program; `None` if the workspace does not compile.
    program: Option<PathBuf>,
    checking: Duration,
    building: Duration,
}

impl Compiled {
    /// Checks the workspace unless tidy is not wanted, and builds it in one go, so that nothing is
    /// compiled a second time or alone.
    fn of(root: &Path, arguments: &TestArguments) -> Result<Self> {
        let begin = Instant::now();
        let failed = if arguments.no_tidy {
            Vec::new()
        } else {
            tidy::compiled(root)?
        };
        let checking = begin.elapsed();
        let program = build(root, &["--bins", "--tests", "--examples"])?;
        Ok(Self {
            failed,
            program,
            checking,
            building: begin.elapsed() - checking,
        })
    }
}

/// The result of a run of the tests.
#[derive(Default)]
struct TestRun {
    succeeded: bool,
    counts: Counts,
}

fn run_tests(
    root: &Path,
    program: &Path,
    arguments: &TestArguments,
    prepared: &[Preparation],
    log: &Path,
    times: &mut Times,
) -> Result<TestRun> {
    if log.exists() {
        fs::remove_file(log)?;
    }
    // Cargo names the programs on standard error, and they report on standard output: one pipe
    // keeps the order.
    let (output, input) = std::io::pipe()?;
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .current_dir(root)
        .env("TABAHEAD_BIN", program)
        .env("TABAHEAD_TEST_LOG", log)
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input);
    for Preparation {
        variable, outcome, ..
    } in prepared
    {
        if let Ok(place) = outcome {
            command.env(variable, place);
        }
    }
    if prepared
        .iter()
        .all(|preparation| preparation.outcome.is_ok())
    {
        command.env("TABAHEAD_REQUIRE_ALL", "1");
    }
    if arguments.thorough {
        command
            .env("TABAHEAD_THOROUGH", "1")
            .env("PROPTEST_CASES", "4096");
    }
    if std::env::var_os(TEST_THREADS).is_none() {
        // Most tests wait for an editor or a server of theirs, so that with one test per core the
        // cores are idle much of the time.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        command.env(TEST_THREADS, (2 * cores).to_string());
    }
    let mut child = command.spawn().context("cargo test could not be run")?;
    // The output ends when nothing here holds its other end.
    drop(command);
    let mut counts = Counts::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        counts.add(&line);
        times.read(&line);
        println!("{line}");
    }
    std::io::stdout().flush()?;
    Ok(TestRun {
        succeeded: child.wait()?.success(),
        counts,
    })
}

/// Numbers of tests that passed and failed, over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Adds a line of cargo's output if it is the result of a test program.
    fn add(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        for part in result.split([';', '.']) {
            let mut words = part.split_whitespace();
            if let (Some(Ok(count)), Some(what)) =
                (words.next().map(str::parse::<u64>), words.next())
            {
                match what {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    _ => {}
                }
            }
        }
    }
}

fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_test_programs_are_summed() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.03s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.10s",
        ] {
            counts.add(line);
        }
        assert_eq!(
            counts,
            Counts {
                passed: 15,
                failed: 2
            }
        );
    }

    #[test]
    fn durations_are_minutes_and_seconds() {
        assert_eq!(minutes(Duration::from_secs(605)), "10 min 05 s");
    }
}
