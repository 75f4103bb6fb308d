//! Questions to the program `git`: commits, the files that they change, and their contents.
//!
//! The output of the commands used does not depend on the user's configuration.

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
};

/// Why a repository cannot be read. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Git cannot be run.
    #[error("the program git cannot be run: {0}; install it")]
    NotRun(io::Error),
    /// Git refused the command.
    #[error("git {command}: {message}; give a repository and commits of it, such as HEAD~3..HEAD")]
    Refused {
        /// The command.
        command: &'static str,
        /// Git's message.
        message: String,
    },
    /// Git's output is not what it should be.
    #[error("git {command}: its output \"{output}\" is not understood; its version may be too old")]
    Strange {
        /// The command.
        command: &'static str,
        /// The output, or the part of it that is not understood.
        output: String,
    },
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The full object id.
    pub id: String,
    /// When it was made, in milliseconds since 1970.
    pub time: u64,
}

impl Commit {
    /// Returns the first 64 bits of the id.
    pub(super) fn number(&self) -> u64 {
        let digits = self.id.get(..16).unwrap_or_default();
        u64::from_str_radix(digits, 16).unwrap_or_default()
    }
}

/// Returns the commits of a range, as `git log` reads it, oldest first. Merges are followed along
/// the main line.
///
/// # Errors
/// When there is no git, no repository or no such range.
pub fn commits(repository: &Path, range: &str) -> Result<Vec<Commit>, GitError> {
    let arguments = ["--reverse", "--first-parent", "--format=%H %ct"];
    let output = git(
        repository,
        "log",
        arguments
            .into_iter()
            .chain(["--end-of-options", range, "--"]),
    )?;
    let output = String::from_utf8_lossy(&output);
    let commit = |line: &str| {
        let (id, seconds) = line.split_once(' ')?;
        let time = seconds.parse::<u64>().ok()?.checked_mul(1000)?;
        let id = id.to_owned();
        Some(Commit { id, time })
    };
    output
        .lines()
        .map(|line| commit(line).ok_or_else(|| strange("log", line)))
        .collect()
}

/// A file that a commit changed.
pub(super) struct ChangedFile {
    pub(super) path: String,
    /// The old version; `None` if there was none.
    pub(super) before: Option<Blob>,
    /// The new version; `None` if there is none any more.
    pub(super) after: Option<Blob>,
}

/// A version of a file.
pub(super) struct Blob {
    id: String,
    /// Whether it is a file rather than a link or another repository.
    pub(super) is_file: bool,
}

/// Returns the files that a commit changed and did not remove, against its first parent.
pub(super) fn changed_files(
    repository: &Path,
    commit: &Commit,
    paths: &[String],
) -> Result<Vec<ChangedFile>, GitError> {
    let arguments = ["--raw", "-z", "--no-abbrev", "--no-renames"];
    let arguments = arguments
        .into_iter()
        .chain(["--first-parent", "--format=", "--diff-filter=AM"])
        .chain([commit.id.as_str(), "--"])
        .chain(paths.iter().map(String::as_str));
    let output = git(repository, "show", arguments)?;
    let output = String::from_utf8_lossy(&output);
    let mut fields = output.split('\0').map(str::trim_start);
    let mut files = Vec::new();
    while let Some(about) = fields.next().filter(|about| !about.is_empty()) {
        let path = fields.next();
        let file = path.and_then(|path| changed_file(about, path));
        files.push(file.ok_or_else(|| strange("show", about))?);
    }
    Ok(files)
}

/// Reads `:100644 100644 <id> <id> M`.
fn changed_file(about: &str, path: &str) -> Option<ChangedFile> {
    let mut words = about.strip_prefix(':')?.split(' ');
    let (mode_before, mode_after) = (words.next()?, words.next()?);
    let (id_before, id_after) = (words.next()?, words.next()?);
    let blob = |mode: &str, id: &str| {
        (mode != "000000").then(|| Blob {
            id: id.to_owned(),
            is_file: mode.starts_with("100"),
        })
    };
    Some(ChangedFile {
        path: path.to_owned(),
        before: blob(mode_before, id_before),
        after: blob(mode_after, id_after),
    })
}

impl Blob {
    pub(super) fn size(&self, repository: &Path) -> Result<u64, GitError> {
        let output = git(repository, "cat-file", ["-s", &self.id])?;
        let output = String::from_utf8_lossy(&output);
        let size = output.trim().parse();
        size.map_err(|_| strange("cat-file", &output))
    }

    pub(super) fn bytes(&self, repository: &Path) -> Result<Vec<u8>, GitError> {
        git(repository, "cat-file", ["blob", &self.id])
    }
}

fn git<'a>(
    repository: &Path,
    command: &'static str,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<u8>, GitError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(repository)
        .arg(command)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(GitError::NotRun)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let first = errors.lines().next().unwrap_or("it failed");
    Err(GitError::Refused {
        command,
        message: first.trim_start_matches("fatal: ").to_owned(),
    })
}

fn strange(command: &'static str, output: &str) -> GitError {
    GitError::Strange {
        command,
        output: output.lines().next().unwrap_or_default().to_owned(),
    }
}
