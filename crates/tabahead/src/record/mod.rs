//! `tabahead record`: recordings of what a user does, or of what commits changed.
//!
//! `tabahead-replay` defines what a recording is. Text goes into recordings and nowhere else.

mod git;
mod writer;

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{self, ExitCode},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use tabahead_replay::recorder::RecordingFile;
use tabahead_session::Recorder;

use crate::{args::RecordArgs, config};
use writer::Writer;

/// Runs the command.
///
/// # Errors
/// When the server cannot be started, or the repository cannot be read.
pub fn run(args: &RecordArgs, named: Option<&Path>) -> Result<ExitCode> {
    match (&args.from_git, &args.folder) {
        (None, Some(folder)) => config::run_server(named, &args.engine, || recorder(folder)),
        // The argument parser guarantees that one of the two is given.
        (repository, _) => {
            let repository = repository.as_deref().unwrap_or(Path::new("."));
            git::run(repository, args, &config::load(named)?)
        }
    }
}

/// Starts a recorder that writes into `folder`. An error says why nothing can be written there; the
/// user must not lose suggestions because of that.
fn recorder(folder: &Path) -> Result<Option<Box<dyn Recorder>>, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = now.map_or(0, |since| since.as_millis() as u64);
    let created = RecordingFile::create(folder, time, process::id());
    let mut file = created.map_err(|error| {
        let folder = folder.display();
        match error.kind() {
            // Only a folder can be created again.
            ErrorKind::AlreadyExists => format!("'{folder}' is no folder; name another one"),
            _ => format!("'{folder}' cannot be written: {error}"),
        }
    })?;
    let path: PathBuf = file.path().to_owned();
    tracing::info!(file = %path.display(), "recording");
    let append = move |time, kind: &_| file.append(time, kind);
    Ok(Some(Box::new(Writer::start(path, time, append))))
}
