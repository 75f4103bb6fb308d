//! `tabahead replay`: runs recordings against policies, on the virtual clock or in real time.
//!
//! `tabahead-replay` defines what is measured and how; this module handles files, flags, progress
//! and tables.

mod files;
mod virtual_clock;
mod wall_clock;

use std::{fs, io::Write, path::Path, process::ExitCode};

use anyhow::{Context, Result, anyhow, bail};
use console::style;
use serde_json::{Value, json};
use tabahead_context::Layout;
use tabahead_replay::{
    page::page,
    policy::PolicyName,
    report::{self, RecordingResults},
    session::Mode,
    user::UserError,
};

use crate::{
    args::{ReplayAnswers, ReplayArgs, ReplayClock, ReplayMode},
    config::Resolved,
    output,
};

/// Runs the command.
///
/// # Errors
/// When a recording, the model or a named file cannot be used.
pub fn run(args: &ReplayArgs, config: &Resolved, config_file: Option<&Path>) -> Result<ExitCode> {
    let config = config.with_engine(&args.engine)?;
    let files = files::find(&args.recordings)?;
    let measured = match args.clock {
        ReplayClock::Virtual => virtual_clock::measure(args, &config, &files)?,
        ReplayClock::Wall => wall_clock::measure(args, &config, config_file, &files)?,
    };
    let pooled = report::pooled(&measured.recordings);
    if pooled.iter().all(|(_, figures)| figures.requests == 0) {
        let names = args
            .recordings
            .iter()
            .map(|path| path.display().to_string());
        bail!(
            "nothing was typed in '{}', so there is nothing to measure",
            names.collect::<Vec<_>>().join("', '")
        );
    }
    if let Some(file) = &args.html {
        let page = page(&measured.about(), &measured.recordings);
        fs::write(file, page).with_context(|| format!("'{}' cannot be written", file.display()))?;
    }
    match (args.json, args.markdown) {
        (true, _) => output::json(&measured.to_json())?,
        (false, true) => output::stdout().write_all(measured.table().as_bytes())?,
        (false, false) => measured.print()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The measurements of one call.
pub(crate) struct ReplayMeasurements {
    pub(crate) mode: &'static str,
    pub(crate) clock: &'static str,
    pub(crate) answers: &'static str,
    pub(crate) model: String,
    pub(crate) layout: Option<Layout>,
    pub(crate) seed: u64,
    pub(crate) costs: Value,
    pub(crate) recordings: Vec<RecordingResults>,
}

impl ReplayMeasurements {
    fn to_json(&self) -> Value {
        let pooled = report::pooled(&self.recordings);
        let recordings: Vec<Value> = self
            .recordings
            .iter()
            .map(|recording| {
                json!({
                    "name": recording.name,
                    "policies": report::policies_json(
                        recording.policies.iter().map(|(name, ran)| (*name, &ran.figures))
                    ),
                })
            })
            .collect();
        let mut json = self.about();
        json["version"] = json!(report::VERSION);
        json["policies"] =
            report::policies_json(pooled.iter().map(|(name, figures)| (*name, figures)));
        json["recordings"] = Value::Array(recordings);
        json
    }

    /// Returns the settings of the run.
    fn about(&self) -> Value {
        json!({
            "program": env!("CARGO_PKG_VERSION"),
            "mode": self.mode,
            "clock": self.clock,
            "answers": self.answers,
            "model": self.model,
            "layout": self.layout.map(Layout::as_str),
            "seed": self.seed,
            "costs": self.costs,
        })
    }

    /// Returns a Markdown table of all recordings together.
    fn table(&self) -> String {
        report::table(&report::pooled(&self.recordings))
    }

    fn print(&self) -> Result<()> {
        let mut out = output::stdout();
        let count = match self.recordings.len() {
            1 => "1 recording".to_owned(),
            n => format!("{n} recordings"),
        };
        let about = format!(
            "{count} · {} · {} clock · answers by {} ({}){} · seed {}",
            self.mode,
            self.clock,
            self.answers,
            self.model,
            self.layout
                .map_or_else(String::new, |layout| format!(" · {}", layout.as_str())),
            self.seed
        );
        writeln!(out, "{}\n", style(output::plain(&about)).dim())?;
        out.write_all(aligned(&self.table()).as_bytes())?;
        Ok(())
    }
}

/// Returns the names of mode, clock and answers, as JSON has them.
pub(crate) fn words(args: &ReplayArgs) -> (&'static str, &'static str, &'static str) {
    let mode = match args.mode {
        ReplayMode::Recorded => "recorded",
        ReplayMode::Inject => "inject",
        ReplayMode::Typist => "typist",
    };
    let clock = match args.clock {
        ReplayClock::Virtual => "virtual",
        ReplayClock::Wall => "wall",
    };
    let answers = match args.answers {
        ReplayAnswers::Engine => "engine",
        ReplayAnswers::Ngram => "ngram",
    };
    (mode, clock, answers)
}

/// Returns the policies to compare, each once, in table order: the named ones, or `all` if none is
/// named.
pub(crate) fn policies(args: &ReplayArgs, all: &[PolicyName]) -> Vec<PolicyName> {
    let named = |policy: &PolicyName| {
        if args.policy.is_empty() {
            all.contains(policy)
        } else {
            args.policy.contains(policy)
        }
    };
    PolicyName::ALL.into_iter().filter(named).collect()
}

/// Converts the mode of the command line to the mode of the replay.
pub(crate) fn mode(mode: ReplayMode) -> Mode {
    match mode {
        ReplayMode::Recorded => Mode::Recorded,
        ReplayMode::Inject => Mode::Inject,
        ReplayMode::Typist => Mode::Typist,
    }
}

/// Predicate on a document's path: whether the document is left out.
type IsPrivate = Box<dyn Fn(&str) -> bool>;

/// Returns the predicate for recorded documents that are left out, because their text must not be
/// shown to a model.
pub(crate) fn is_private(config: &Resolved) -> Result<IsPrivate> {
    let suitability = config.suitability()?;
    Ok(Box::new(move |path| suitability.is_private(path)))
}

/// Turns an error about a recording into one that names the file.
pub(crate) fn in_file(file: &Path, error: UserError) -> anyhow::Error {
    match error {
        UserError::Inconsistent(error) => anyhow!("'{}': {error}", file.display()),
        // This error names the file already.
        UserError::Recording(error) => error.into(),
    }
}

/// Returns a recording's name for tables.
pub(crate) fn name_of(file: &Path) -> String {
    match file.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => file.display().to_string(),
    }
}

/// Aligns the columns of a Markdown table for a terminal.
fn aligned(table: &str) -> String {
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| !line.starts_with("|---"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let space = " ".repeat(widths[column] - cell.chars().count());
            text += &match column {
                0 => format!("{cell}{space}"),
                _ => format!("  {space}{cell}"),
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_for_the_terminal() {
        let table = "| | a | bcd |\n|---|---:|---:|\n| requests | 12 | 3 |\n";
        assert_eq!(aligned(table), "           a  bcd\nrequests  12    3\n");
    }
}
