//! A copy of the workspace to build mutants in.
//!
//! Unchanged files are left alone, so that cargo builds only what has changed.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// The copy, locked against other runs.
pub struct Copy {
    tree: PathBuf,
    target: PathBuf,
    _lock: File,
}

impl Copy {
    /// Brings the copy up to date with a checkout: the files that git tracks, and new ones that it
    /// does not ignore.
    pub fn of(root: &Path) -> Result<Self> {
        let folder = root.join("target/mutants");
        let copy = Self {
            tree: folder.join("tree"),
            target: folder.join("target"),
            _lock: lock(&folder)?,
        };
        let files = files_of(root)?;
        for file in &files {
            let (from, to) = (root.join(file), copy.tree.join(file));
            let bytes = fs::read(&from).with_context(|| format!("\"{}\"", from.display()))?;
            if fs::read(&to).ok().as_ref() != Some(&bytes) {
                fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
                fs::write(&to, bytes)?;
            }
        }
        for file in files_below(&copy.tree)? {
            let is_ours = file
                .strip_prefix(&copy.tree)
                .is_ok_and(|file| files.contains(file));
            if !is_ours {
                fs::remove_file(file)?;
            }
        }
        Ok(copy)
    }

    /// Returns the folder of the workspace's `Cargo.toml`.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// Returns the folder where cargo builds it.
    pub fn target(&self) -> &Path {
        &self.target
    }
}

/// Locks the copy: two runs in it would test each other's mutants.
fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder)?;
    let lock = File::create(folder.join("lock"))?;
    if lock.try_lock().is_err() {
        bail!("another `cargo xtask mutants` runs in this checkout");
    }
    Ok(lock)
}

fn files_of(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others"])
        .arg("--exclude-standard")
        .current_dir(root)
        .output()
        .context("git ls-files could not be run")?;
    if !output.status.success() {
        bail!("git ls-files failed");
    }
    let names = String::from_utf8(output.stdout).context("names of files are UTF-8")?;
    // A file whose deletion is not committed yet is listed too.
    Ok(names
        .split_terminator('\0')
        .map(PathBuf::from)
        .filter(|file| root.join(file).is_file())
        .collect())
}

/// Returns all files below a folder.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}
