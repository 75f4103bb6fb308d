//! `tabahead doctor`: one line per requirement, and what to do if it is not met.
//!
//! A check reports; it repairs nothing. A *problem* keeps suggestions from appearing and makes the
//! exit code a failure; a *hint* does neither.

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
use tabahead_context::{DocumentName, State};
use tabahead_server::default_stats_dir;
use tabahead_speculation::Answer;
use tabahead_text::{Document, Offset, Version};

use crate::{
    args::DoctorArgs,
    config::{self, Resolved, Speculation},
    known_models::{
        BUILT_IN, KNOWN_MODELS, Machine, RIGHT_LINES_OF_MINI, fitting, memory_of, memory_with,
    },
    output,
};

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    state: CheckState,
    /// Finding of the check; for a problem, also what to do.
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckState {
    Ok,
    Hint,
    Problem,
}

impl Check {
    fn new(name: &'static str, state: CheckState, message: impl Into<String>) -> Self {
        Self {
            name,
            state,
            message: message.into(),
        }
    }
}

/// What a user can do: names the configuration file that this call reads.
#[derive(Debug, Clone, Copy)]
struct Advice<'a> {
    /// The file after `--config`.
    named: Option<&'a Path>,
}

impl Advice<'_> {
    /// Returns the file to change; it need not exist.
    fn file(self) -> String {
        match config::find(self.named) {
            Some(file) => file.display().to_string(),
            None => "a file that --config names".to_owned(),
        }
    }

    /// Returns a command that changes the configuration, for the file that `--config` names.
    fn command(self, command: &str) -> String {
        match self.named {
            Some(file) => {
                let with_file = format!("tabahead --config '{}' model use", file.display());
                command.replace("tabahead model use", &with_file)
            }
            None => command.to_owned(),
        }
    }
}

/// Runs the command; the exit code reports whether there is a problem.
///
/// # Errors
/// When standard output is closed.
pub fn run(args: &DoctorArgs, named: Option<&Path>) -> Result<ExitCode> {
    let machine = Machine {
        cores: thread::available_parallelism().map_or(1, usize::from),
        available: available_memory(),
    };
    let config = config::load(named).and_then(|config| config.with_engine(&args.engine));
    let file = config.as_ref().ok().and_then(Resolved::model_file);
    let mut checks = vec![
        Check::new("version", CheckState::Ok, env!("CARGO_PKG_VERSION")),
        processor(machine.cores),
        configuration(named, &config),
    ];
    if let Ok(config) = &config {
        let caches = (config.settings.kv.bytes).saturating_add(config.settings.cache.bytes);
        let advice = Advice { named };
        checks.extend(threads(config.settings.threads, machine.cores, advice));
        checks.push(memory(
            machine.available,
            file.as_deref(),
            caches as u64,
            advice,
        ));
        checks.push(model(config, file.as_deref(), advice));
        checks.extend((file.as_deref()).and_then(|file| better_here(file, machine, advice)));
        if file.is_none() {
            checks.push(real_model(machine, advice));
        }
    }
    checks.push(figures());
    checks.push(neovim());

    let problems = checks
        .iter()
        .filter(|c| c.state == CheckState::Problem)
        .count();
    if args.json {
        let models: Vec<_> = KNOWN_MODELS
            .iter()
            .map(|model| model.description(machine))
            .collect();
        output::json(&json!({
            "ok": problems == 0,
            "checks": checks,
            "machine": {"cores": machine.cores, "available_bytes": machine.available},
            "model": {
                "built_in": config.is_ok().then_some(file.is_none()),
                "file": file,
                "file_bytes": file.as_deref().and_then(size_of),
            },
            "models": models,
        }))?;
    } else {
        let mut out = output::stdout();
        for check in &checks {
            let state = match check.state {
                CheckState::Ok => style("ok     ").green(),
                CheckState::Hint => style("hint   ").yellow(),
                CheckState::Problem => style("problem").red().bold(),
            };
            let mut lines = check.message.lines().map(output::plain);
            let first = lines.next().unwrap_or_default();
            writeln!(out, "{state}  {:<14} {first}", check.name)?;
            for line in lines {
                writeln!(out, "{:24}{line}", "")?;
            }
        }
    }
    Ok(match problems {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn processor(cores: usize) -> Check {
    let features = cpu_features();
    let found = if features.is_empty() {
        format!("{cores} usable cores")
    } else {
        format!("{cores} usable cores, {}", features.join(" "))
    };
    if features.contains(&"avx2") || !cfg!(target_arch = "x86_64") {
        Check::new("processor", CheckState::Ok, found)
    } else {
        Check::new(
            "processor",
            CheckState::Hint,
            format!("{found}: without AVX2 suggestions come slowly"),
        )
    }
}

/// Returns the instruction sets that the engine can use and this processor has.
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

/// Returns the available memory in bytes; `None` when the system does not report it.
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Gives a hint if the setting asks for more threads than there are cores.
fn threads(threads: usize, cores: usize, advice: Advice<'_>) -> Option<Check> {
    let message = format!(
        "{threads} threads on {cores} usable cores: they wait for each other, and suggestions come slowly; leave \
         `threads` out of {}, or set it to 0",
        advice.file()
    );
    (threads > cores).then(|| Check::new("threads", CheckState::Hint, message))
}

/// Checks whether there is enough memory for the model with all caches full.
fn memory(available: Option<u64>, file: Option<&Path>, caches: u64, advice: Advice<'_>) -> Check {
    let size = file.and_then(size_of).unwrap_or(BUILT_IN);
    let needed = memory_with(size, caches);
    let need = format!("the model takes up to {}", output::bytes(needed));
    match available {
        Some(bytes) if bytes < needed => {
            let found = format!("{} available, and {need}", output::bytes(bytes));
            let lower = match file {
                Some(_) => "choose a smaller one, or lower kv.bytes",
                None => "lower kv.bytes",
            };
            Check::new(
                "memory",
                CheckState::Hint,
                format!("{found}: {lower} in {}", advice.file()),
            )
        }
        Some(bytes) => {
            let found = format!("{} available, {need}", output::bytes(bytes));
            Check::new("memory", CheckState::Ok, found)
        }
        None => Check::new(
            "memory",
            CheckState::Ok,
            format!("unknown on this system; {need}"),
        ),
    }
}

/// Returns the size in bytes of a model's file, or of the weights in its directory.
fn size_of(model: &Path) -> Option<u64> {
    let metadata = fs::metadata(model).ok()?;
    if metadata.is_file() {
        return Some(metadata.len());
    }
    let files = fs::read_dir(model).ok()?.flatten();
    let weights = files.filter(|file| {
        let ending = file.path().extension().map(ToOwned::to_owned);
        ending.is_some_and(|ending| ending == "safetensors")
    });
    Some(
        weights
            .flat_map(|file| file.metadata())
            .map(|m| m.len())
            .sum(),
    )
}

fn configuration(named: Option<&Path>, config: &Result<Resolved>) -> Check {
    let place = match config::find(named) {
        Some(file) if config::is_there(&file) => file.display().to_string(),
        Some(file) => format!("{} does not exist: all defaults", file.display()),
        None => "no HOME: all defaults".to_owned(),
    };
    match config {
        Ok(_) => Check::new("configuration", CheckState::Ok, place),
        Err(error) => Check::new(
            "configuration",
            CheckState::Problem,
            match format!("{error:#}") {
                question if question.ends_with('?') => question,
                problem => format!("{problem}; correct it"),
            },
        ),
    }
}

/// Loads the model and asks it for a real suggestion.
fn model(config: &Resolved, file: Option<&Path>, advice: Advice<'_>) -> Check {
    let problem = |message: String| Check::new("model", CheckState::Problem, message);
    let started = Instant::now();
    let mut session = match config.session(Speculation::Off) {
        Ok(session) => session,
        Err(error) => return problem(format!("{error:#}")),
    };
    let loaded = started.elapsed();
    let text = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return ";
    let answered = session.request(&State {
        document: Document::new(text, Version(0)),
        cursor: Offset(text.len()),
        name: DocumentName::new("doctor.py", "python"),
    });
    let id = &session.profile().id;
    let place = match file {
        Some(file) => {
            let size = size_of(file).map(output::bytes).unwrap_or_default();
            format!("{} of {size}", file.display())
        }
        None => "built in".to_owned(),
    };
    match answered.answer {
        Answer::Failed(why) => problem(format!("{id} does not answer: {why}; try --model mini")),
        // Such a model is silent everywhere, and no editor shows why.
        Answer::Silent {
            reason,
            origin: None,
        } => problem(format!(
            "{id} is not asked ({reason}); lower max_tokens or context.prefix_bytes in {}",
            advice.file()
        )),
        _ => Check::new(
            "model",
            CheckState::Ok,
            format!(
                "{id} ({place}): loaded in {}, answered in {}",
                output::milliseconds(loaded),
                output::milliseconds(answered.elapsed)
            ),
        ),
    }
}

/// Suggests a better model if a known one is too slow or too large for this machine.
fn better_here(file: &Path, machine: Machine, advice: Advice<'_>) -> Option<Check> {
    let bytes = size_of(file)?;
    let model = KNOWN_MODELS.iter().find(|model| model.bytes == bytes)?;
    if model.fits(machine) {
        return None;
    }
    let better = match fitting(machine) {
        Some(better) => format!("{} fits:\n{}", better.name, better.command()),
        None => "the built-in model fits: tabahead model use mini".to_owned(),
    };
    let better = advice.command(&better);
    let message = format!(
        "{} wants {} cores and {} of free memory; here {better}",
        model.name,
        model.cores,
        output::bytes(model.memory())
    );
    Some(Check::new("model size", CheckState::Hint, message))
}

/// Reports what a real model would bring, with the command that downloads it.
fn real_model(machine: Machine, advice: Advice<'_>) -> Check {
    const NAME: &str = "real model";
    let Some(model) = fitting(machine) else {
        let smallest = &KNOWN_MODELS[0];
        let needed = output::bytes(memory_of(smallest.bytes));
        let message = format!(
            "the built-in model stays: {} takes up to {needed}, and two cores",
            smallest.name
        );
        return Check::new(NAME, CheckState::Ok, message);
    };
    let message = format!(
        "the built-in model completes {RIGHT_LINES_OF_MINI} % of lines exactly, {} {} %; it takes {} to download and up to \
         {} of memory, and fits here:\n{}",
        model.name,
        model.right_lines,
        output::bytes(model.bytes),
        output::bytes(memory_of(model.bytes)),
        advice.command(&model.command()),
    );
    Check::new(NAME, CheckState::Hint, message)
}

/// Checks whether servers can write their figures for `tabahead stats`.
fn figures() -> Check {
    const NAME: &str = "statistics";
    let Some(folder) = default_stats_dir() else {
        return Check::new(
            NAME,
            CheckState::Hint,
            "neither XDG_RUNTIME_DIR nor HOME is set: `tabahead stats` will find nothing",
        );
    };
    let probe = folder.join(format!("doctor-{}", std::process::id()));
    let _ = fs::remove_file(&probe);
    // Never write through a link that another user may have placed there.
    let written = fs::create_dir_all(&folder).and_then(|()| fs::File::create_new(&probe).map(drop));
    let removed = written.and_then(|()| fs::remove_file(&probe));
    match removed {
        Ok(()) => Check::new(NAME, CheckState::Ok, folder.display().to_string()),
        Err(error) => Check::new(
            NAME,
            CheckState::Problem,
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
            CheckState::Hint,
            "no nvim on the PATH; any editor with LSP inline completion works with `tabahead lsp`",
        );
    };
    let output = Command::new(&nvim).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let first = text.lines().next().unwrap_or_default().to_owned();
    match neovim_version(&first) {
        Some(version) if version >= (0, 12) => Check::new(
            NAME,
            CheckState::Ok,
            format!("{first} at {}", nvim.display()),
        ),
        Some(_) => Check::new(
            NAME,
            CheckState::Hint,
            format!("{first}: inline completion needs Neovim 0.12 or newer"),
        ),
        None => Check::new(
            NAME,
            CheckState::Hint,
            format!("{} does not print its version", nvim.display()),
        ),
    }
}

/// Parses major and minor version from a line such as `NVIM v0.12.4-dev`.
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
    fn advice_is_about_the_file_that_is_read() {
        let command = "curl && tabahead model use ~/a.gguf";
        assert_eq!(Advice { named: None }.command(command), command);
        let advice = Advice {
            named: Some(Path::new("own.toml")),
        };
        assert_eq!(
            advice.command(command),
            "curl && tabahead --config 'own.toml' model use ~/a.gguf"
        );
        assert_eq!(threads(2, 2, advice), None);
        let hint = threads(64, 2, advice).expect("a hint");
        assert_eq!(hint.state, CheckState::Hint);
        assert!(hint.message.contains("leave `threads` out of own.toml"));
    }

    #[test]
    fn the_version_of_neovim_is_read() {
        assert_eq!(neovim_version("NVIM v0.12.4"), Some((0, 12)));
        assert_eq!(neovim_version("NVIM v1.0.0-dev-12+g12"), Some((1, 0)));
        assert_eq!(neovim_version("VIM 9"), None);
    }
}
