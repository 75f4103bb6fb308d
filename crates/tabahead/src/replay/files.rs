//! Finds the recordings that a call names: files, and folders that contain recordings.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::place::refuse_pipe;

/// File-name endings of the recordings in a folder.
const ENDINGS: [&str; 3] = [
    ".recording.w.json",
    ".recording.w.jsonl",
    ".recording.jsonl",
];

/// Returns all recordings in `named`; those in a folder are sorted by name.
pub(super) fn find(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = files.len();
            search(path, &mut files)?;
            if files.len() == before {
                bail!(
                    "'{}' holds no recording; their names end with '{}'",
                    path.display(),
                    ENDINGS[0]
                );
            }
        } else {
            refuse_pipe(path)?;
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn search(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = || format!("'{}' cannot be read", folder.display());
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(unreadable)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()
        .with_context(unreadable)?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if entry.is_dir() {
            // A symbolic link may lead back to a folder that contains it.
            if !entry.is_symlink() {
                search(&entry, files)?;
            }
        } else if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            files.push(entry);
        }
    }
    Ok(())
}
