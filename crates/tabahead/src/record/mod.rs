//! `tabahead record`: recordings of what a user does, or of what commits changed.
//!
//! What a recording is stands in `tabahead-replay`. Text goes into recordings and nowhere else.

mod git;
mod writer;

use std::{
    path::{Path, PathBuf},
    process::{self, ExitCode},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use tabahead_replay::recorder::RecordingFile;
use tabahead_server::Recorder;

use crate::{args::RecordArgs, config};
use writer::Writer;

/// Runs the command.
///
/// # Errors
/// When the server cannot be started, or the repository cannot be read.
pub fn run(args: &RecordArgs, named: Option<&Path>) -> Result<ExitCode> {
    match (&args.from_git, &args.folder) {
        (None, Some(folder)) => config::run_server(named, &args.engine, || recorder(folder)),
        // One of them is there: the arguments say so.
        (repository, _) => {
            let repository = repository.as_deref().unwrap_or(Path::new("."));
            git::run(repository, args, &config::load(named)?)
        }
    }
}

/// A recorder into a folder; `None`, with a warning, when nothing can be written there. Whoever edits
/// is not to be without suggestions for that.
fn recorder(folder: &Path) -> Option<Box<dyn Recorder>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = now.map_or(0, |since| since.as_millis() as u64);
    let mut file = match RecordingFile::create(folder, time, process::id()) {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "nothing is recorded");
            return None;
        }
    };
    let path: PathBuf = file.path().to_owned();
    tracing::info!(file = %path.display(), "recording");
    let append = move |time, kind: &_| file.append(time, kind);
    Some(Box::new(Writer::start(path, time, append)))
}
