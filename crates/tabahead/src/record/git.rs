//! `tabahead record --from-git`: one recording per commit.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{self, Path},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tabahead_replay::{
    from_git::{Choice, TypedCommit, commits, typed_commit},
    recorder::create_private,
    recording::line,
};

use crate::{args::RecordArgs, config::Resolved, output};

/// Duration up to which no progress bar is shown.
const SHORT: Duration = Duration::from_secs(1);

pub(super) fn run(repository: &Path, args: &RecordArgs, config: &Resolved) -> Result<ExitCode> {
    let suitability = config.suitability()?;
    let root = path::absolute(repository).context("the working directory cannot be read")?;
    // Rules may match the absolute path.
    let is_private = |path: &str| suitability.is_private(&root.join(path).to_string_lossy());
    let range = args.commits.as_deref().unwrap_or("HEAD~1..HEAD");
    let commits = commits(repository, range)?;
    if commits.is_empty() {
        bail!("'{range}' holds no commits; name some, such as HEAD~3..HEAD");
    }
    let choice = Choice {
        paths: &args.paths,
        is_private: &is_private,
    };
    let start = Instant::now();
    let mut bar = None;
    let mut lines = Vec::new();
    for (done, commit) in commits.iter().enumerate() {
        if start.elapsed() > SHORT {
            let bar = bar.get_or_insert_with(|| output::progress(commits.len(), "commits"));
            bar.set_position(done as u64);
        }
        if let Some(typed_commit) = typed_commit(repository, commit, args.seed, &choice)? {
            let short = commit.id.get(..12).unwrap_or(&commit.id);
            let file = args.output.join(format!("{short}.recording.w.jsonl"));
            write(&file, &typed_commit)
                .with_context(|| format!("'{}' cannot be written", file.display()))?;
            lines.push(summary(&file, &typed_commit));
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if lines.is_empty() {
        bail!("no commit of '{range}' changes text that people write; name others");
    }
    let mut out = output::stdout();
    for line in lines {
        writeln!(out, "{}", output::plain(&line))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a recording. One that cannot be written whole is removed.
fn write(file: &Path, typed_commit: &TypedCommit) -> io::Result<()> {
    let mut out = BufWriter::new(create_private(file)?);
    let mut write = || {
        for (time, kind) in &typed_commit.entries {
            out.write_all(line(Some(*time), kind).as_bytes())?;
        }
        out.flush()
    };
    // The caller wants the error of the write, not that of the clean-up.
    write().inspect_err(|_| drop(fs::remove_file(file)))
}

fn summary(file: &Path, typed_commit: &TypedCommit) -> String {
    let TypedCommit {
        files,
        changes,
        length,
        ..
    } = typed_commit;
    let files = match files {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    let seconds = length.as_secs();
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let file = file.display();
    format!("{file}  {files}, {changes} changes, {minutes} min {seconds:02} s")
}
