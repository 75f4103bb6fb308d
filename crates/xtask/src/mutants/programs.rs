//! Test programs: built by cargo, run directly, so that one that never ends can be killed.

use std::{
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::copy::Copy;

/// A test program of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestProgram {
    package: &'static str,
    /// File in `tests/`; `None` for the tests within the library.
    file: Option<&'static str>,
}

impl TestProgram {
    /// Returns the program of the tests within a library.
    pub const fn library(package: &'static str) -> Self {
        Self {
            package,
            file: None,
        }
    }

    /// Returns the program of the tests in a file in `tests/`.
    pub const fn file(package: &'static str, file: &'static str) -> Self {
        Self {
            package,
            file: Some(file),
        }
    }

    /// Returns the package's folder in the workspace.
    pub fn folder(self) -> String {
        format!("crates/{}", self.package)
    }
}

impl fmt::Display for TestProgram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            None => formatter.write_str(self.package),
            Some(file) => write!(formatter, "{} ({file})", self.package),
        }
    }
}

/// A run of some tests.
pub struct Run {
    pub ended: Ended,
    output: String,
}

/// How a test program ended.
pub enum Ended {
    Passed,
    /// The program reported that a test failed.
    Failed,
    /// The program gave no verdict; the text says how it ended.
    Otherwise(&'static str),
}

impl Run {
    /// Reports whether the test with this name ran and passed.
    pub fn passed(&self, test: &str) -> bool {
        let line = format!("test {test} ... ok");
        self.output.lines().any(|other| other == line)
    }
}

/// Builds a test program and returns its executable; `None` if it does not compile. Cargo writes its
/// messages to `messages`.
pub fn compile(copy: &Copy, program: TestProgram, messages: Stdio) -> Result<Option<PathBuf>> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "--no-run", "--package", program.package])
        .arg("--message-format=json-render-diagnostics")
        // The engine is compiled again for each of its rules, which takes longer than its tests do.
        .args([
            "--config",
            "profile.dev.package.tabahead-engine.opt-level=1",
        ])
        .arg("--target-dir")
        .arg(copy.target())
        .current_dir(copy.tree())
        .stderr(messages);
    match program.file {
        None => command.arg("--lib"),
        Some(file) => command.args(["--test", file]),
    };
    let output = command.output().context("cargo test could not be run")?;
    if !output.status.success() {
        return Ok(None);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["profile"]["test"] == true)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .map(Some)
        .with_context(|| format!("cargo built no test program of {program}"))
}

/// Runs tests by their full names, for at most `longest`.
pub fn run(
    copy: &Copy,
    program: TestProgram,
    executable: &Path,
    tests: &[&str],
    longest: Duration,
) -> Result<Run> {
    let folder = copy.tree().join(program.folder());
    let log = copy.target().join("test-output.txt");
    let file = File::create(&log)?;
    let mut child = Command::new(executable)
        .arg("--exact")
        .args(tests)
        .current_dir(&folder)
        .env("CARGO_MANIFEST_DIR", &folder)
        // A snapshot must not be updated to fit a mutant, and the short variants suffice to notice
        // it.
        .env_remove("UPDATE_EXPECT")
        .env_remove("TABAHEAD_THOROUGH")
        .env_remove("PROPTEST_CASES")
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("{program} could not be run"))?;
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begin.elapsed() > longest {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let ended = match status {
        None => Ended::Otherwise("did not end"),
        Some(status) if status.success() => Ended::Passed,
        Some(_) if output.contains("test result: FAILED") => Ended::Failed,
        Some(_) => Ended::Otherwise("broke down without a verdict"),
    };
    Ok(Run { ended, output })
}
