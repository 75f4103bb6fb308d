//! `tabahead doctor`: one line per thing that has to be in place, and what to do where it is not.
//!
//! A check reports; it repairs nothing. A *problem* keeps suggestions from appearing and colours
//! the exit code, a *hint* does not.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
    time::Instant,
};

use anyhow::Result;
use console::style;
use serde::Serialize;
use serde_json::json;
use std::io::Write;
use tabahead_context::DocumentName;
use tabahead_server::{BufferState, default_stats_dir};
use tabahead_speculation::Answer;
use tabahead_text::{Document, Offset, Version};

use crate::{
    args::DoctorArgs,
    config::{self, Resolved, Speculation},
    output,
};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found; for a problem also what to do.
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Hint,
    Problem,
}

impl Check {
    fn new(name: &'static str, state: State, message: impl Into<String>) -> Self {
        Self {
            name,
            state,
            message: message.into(),
        }
    }
}

/// Runs the command; the exit code says whether there is a problem.
///
/// # Errors
/// When standard output is closed.
pub fn run(args: &DoctorArgs, named: Option<&Path>) -> Result<ExitCode> {
    let mut checks = vec![
        Check::new("version", State::Ok, env!("CARGO_PKG_VERSION")),
        cores(),
        memory(),
    ];
    let config = config::load(named).and_then(|config| config.with_engine(&args.engine));
    checks.push(configuration(named, &config));
    if let Ok(config) = &config {
        checks.push(model(config));
    }
    checks.push(figures());
    checks.push(neovim());

    let problems = checks.iter().filter(|c| c.state == State::Problem).count();
    if args.json {
        output::json(&json!({"ok": problems == 0, "checks": checks}))?;
    } else {
        let mut out = output::stdout();
        for check in &checks {
            let state = match check.state {
                State::Ok => style("ok     ").green(),
                State::Hint => style("hint   ").yellow(),
                State::Problem => style("problem").red().bold(),
            };
            writeln!(out, "{state}  {:<14} {}", check.name, check.message)?;
        }
    }
    Ok(match problems {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn cores() -> Check {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let features = cpu_features();
    let found = match features.is_empty() {
        true => format!("{cores} usable cores"),
        false => format!("{cores} usable cores, {}", features.join(" ")),
    };
    match features.contains(&"avx2") || !cfg!(target_arch = "x86_64") {
        true => Check::new("processor", State::Ok, found),
        false => Check::new(
            "processor",
            State::Hint,
            format!("{found}: without AVX2 suggestions come slowly"),
        ),
    }
}

/// Instruction sets that the engine can use, as far as they are here.
fn cpu_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let features = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let features: [(&str, bool); 0] = [];
    let here = features.into_iter().filter(|(_, here)| *here);
    here.map(|(name, _)| name).collect()
}

fn memory() -> Check {
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text
            .lines()
            .find(|line| line.starts_with("MemAvailable:"))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes * 1024)
    });
    // The built-in model with full caches stays below this.
    const ENOUGH: u64 = 512 << 20;
    match available {
        Some(bytes) if bytes < ENOUGH => Check::new(
            "memory",
            State::Hint,
            format!(
                "{} available: lower kv.bytes in the configuration",
                output::bytes(bytes)
            ),
        ),
        Some(bytes) => Check::new(
            "memory",
            State::Ok,
            format!("{} available", output::bytes(bytes)),
        ),
        None => Check::new("memory", State::Ok, "unknown on this system"),
    }
}

fn configuration(named: Option<&Path>, config: &Result<Resolved>) -> Check {
    let place = match config::find(named) {
        Some(file) if file.exists() => file.display().to_string(),
        Some(file) => format!("{} does not exist: all defaults", file.display()),
        None => "no HOME: all defaults".to_owned(),
    };
    match config {
        Ok(_) => Check::new("configuration", State::Ok, place),
        Err(error) => Check::new(
            "configuration",
            State::Problem,
            format!("{error:#}; correct it"),
        ),
    }
}

/// Loads the model and asks it for a real suggestion.
fn model(config: &Resolved) -> Check {
    let problem = |message: String| Check::new("model", State::Problem, message);
    let started = Instant::now();
    let mut session = match config.session(Speculation::Off) {
        Ok(session) => session,
        Err(error) => return problem(format!("{error:#}")),
    };
    let loaded = started.elapsed();
    let text = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return ";
    let answered = session.request(&BufferState {
        document: Document::new(text, Version(0)),
        cursor: Offset(text.len()),
        name: DocumentName::new("doctor.py", "python"),
    });
    let id = &session.profile().id;
    match answered.answer {
        Answer::Failed(why) => problem(format!("{id} does not answer: {why}; try --model mini")),
        _ => Check::new(
            "model",
            State::Ok,
            format!(
                "{id}: loaded in {}, answered in {}",
                output::milliseconds(loaded),
                output::milliseconds(answered.elapsed)
            ),
        ),
    }
}

/// Whether servers can leave their figures for `tabahead stats`.
fn figures() -> Check {
    const NAME: &str = "statistics";
    let Some(folder) = default_stats_dir() else {
        return Check::new(
            NAME,
            State::Hint,
            "neither XDG_RUNTIME_DIR nor HOME is set: `tabahead stats` will find nothing",
        );
    };
    let probe = folder.join(format!("doctor-{}", std::process::id()));
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&probe, ""));
    let removed = written.and_then(|()| fs::remove_file(&probe));
    match removed {
        Ok(()) => Check::new(NAME, State::Ok, folder.display().to_string()),
        Err(error) => Check::new(
            NAME,
            State::Problem,
            format!(
                "{} cannot be written ({error}); correct its permissions",
                folder.display()
            ),
        ),
    }
}

fn neovim() -> Check {
    const NAME: &str = "editor";
    let Some(nvim) = on_path("nvim") else {
        return Check::new(
            NAME,
            State::Hint,
            "no nvim on the PATH; any editor with LSP inline completion works with `tabahead lsp`",
        );
    };
    let output = Command::new(&nvim).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let first = text.lines().next().unwrap_or_default().to_owned();
    match neovim_version(&first) {
        Some(version) if version >= (0, 12) => {
            Check::new(NAME, State::Ok, format!("{first} at {}", nvim.display()))
        }
        Some(_) => Check::new(
            NAME,
            State::Hint,
            format!("{first}: inline completion needs Neovim 0.12 or newer"),
        ),
        None => Check::new(
            NAME,
            State::Hint,
            format!("{} does not say its version", nvim.display()),
        ),
    }
}

/// Major and minor of `NVIM v0.12.4-dev`.
fn neovim_version(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.strip_prefix("NVIM v")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neovim_says_its_version() {
        assert_eq!(neovim_version("NVIM v0.12.4"), Some((0, 12)));
        assert_eq!(neovim_version("NVIM v1.0.0-dev-12+g12"), Some((1, 0)));
        assert_eq!(neovim_version("VIM 9"), None);
    }
}
