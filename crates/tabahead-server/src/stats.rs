//! The file in which a running server leaves its figures for `tabahead stats`.
//!
//! It is written beside its final path and renamed, readable by its owner alone, and removed at
//! exit.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
};

use serde_json::Value;
use tokio::sync::watch;

/// Returns the folder in which running servers leave their figures: `$XDG_RUNTIME_DIR/tabahead`,
/// else below the user's cache folder. `None` when the environment names neither.
pub fn default_stats_dir() -> Option<PathBuf> {
    let folder = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    folder("XDG_RUNTIME_DIR")
        .or_else(|| folder("XDG_CACHE_HOME"))
        .or_else(|| Some(folder("HOME")?.join(".cache")))
        .map(|folder| folder.join("tabahead"))
}

/// Returns the figures of the running servers, by process id. Removes files of dead servers.
pub fn running_stats(stats_dir: &Path) -> Vec<(u32, Value)> {
    let Ok(entries) = fs::read_dir(stats_dir) else {
        return Vec::new();
    };
    let mut running: Vec<(u32, Value)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_prefix("stats-")?;
            // A file that is being written is beside the final one.
            let new = name.strip_suffix(BESIDE);
            let pid = new.or(name.strip_suffix(".json"))?.parse().ok()?;
            if !crate::lifecycle::process_runs(pid) {
                let _ = fs::remove_file(entry.path());
                return None;
            }
            // Neither a link to another file nor a pipe, on which reading could block forever.
            let metadata = entry.metadata().ok()?;
            if new.is_some() || !metadata.is_file() || metadata.len() > LARGEST_FILE {
                return None;
            }
            let text = fs::read_to_string(entry.path()).ok()?;
            Some((pid, serde_json::from_str(&text).ok()?))
        })
        .collect();
    running.sort_unstable_by_key(|(pid, _)| *pid);
    running
}

/// Ending of the name of a file that is being written.
const BESIDE: &str = ".json.new";

/// Maximum length of a file in bytes; figures take some kilobytes.
const LARGEST_FILE: u64 = 1 << 20;

/// The file of this process; removed on drop.
#[derive(Debug)]
pub(crate) struct StatsFile {
    path: PathBuf,
}

impl StatsFile {
    pub(crate) fn new(stats_dir: &Path) -> Self {
        Self {
            path: stats_dir.join(format!("stats-{}.json", process::id())),
        }
    }

    /// Writes the newest value after each change, until the sender is dropped. Writes happen on a
    /// thread that may block; a folder that cannot be written to costs one warning.
    pub(crate) async fn keep_written(self, mut newest: watch::Receiver<Value>) {
        let mut warned = false;
        while newest.changed().await.is_ok() {
            let text = newest.borrow_and_update().to_string();
            let path = self.path.clone();
            let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
            if let Ok(Err(error)) = written
                && !warned
            {
                warned = true;
                tracing::warn!(%error, path = %self.path.display(), "figures cannot be written");
            }
        }
    }
}

impl Drop for StatsFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes a file that only its owner can read, completely or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(BESIDE.trim_start_matches('.'));
    // A leftover of an earlier process with the same id, or a link placed there by others.
    let _ = fs::remove_file(&beside);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&beside)
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_running_server_leaves_its_figures_and_takes_them_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let stats_dir = folder.path().join("tabahead");
        let (newest, reader) = watch::channel(Value::Null);
        let writing = tokio::spawn(StatsFile::new(&stats_dir).keep_written(reader));
        newest.send(json!({"requests": 7})).expect("it receives");
        // The writer still writes the newest value after it was asked to stop.
        while running_stats(&stats_dir).is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            running_stats(&stats_dir),
            [(process::id(), json!({"requests": 7}))]
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = stats_dir.join(format!("stats-{}.json", process::id()));
            let mode = fs::metadata(file).expect("written").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        drop(newest);
        writing.await.expect("it ends");
        assert!(running_stats(&stats_dir).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_of_ended_servers_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        // Larger than the largest process id on Linux.
        for name in ["stats-4194999.json", "stats-4194999.json.new"] {
            let dead = folder.path().join(name);
            fs::write(&dead, "{}").expect("written");
            assert!(running_stats(folder.path()).is_empty());
            assert!(!dead.exists(), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_of_figures_is_neither_read_nor_written_through() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().expect("a folder");
        let (other, own) = (
            folder.path().join("other"),
            folder.path().join(format!("stats-{}.json", process::id())),
        );
        fs::write(&other, "{}").expect("written");
        // A link is not followed, neither for reading nor for writing.
        symlink(&other, &own).expect("linked");
        assert!(running_stats(folder.path()).is_empty());
        symlink(&other, own.with_extension("json.new")).expect("linked");
        write(&own, "{\"requests\": 7}").expect("written");
        assert_eq!(fs::read_to_string(&other).expect("there"), "{}");
        assert_eq!(
            running_stats(folder.path()),
            [(process::id(), json!({"requests": 7}))]
        );
        fs::remove_file(&own).expect("removed");
        // Nothing ever writes to this pipe: a reader would wait forever.
        let made = process::Command::new("mkfifo").arg(&own).status();
        assert!(made.expect("mkfifo is everywhere").success());
        assert!(running_stats(folder.path()).is_empty());
        // A folder is left alone.
        fs::remove_file(&own).expect("removed");
        fs::create_dir(&own).expect("made");
        assert!(running_stats(folder.path()).is_empty());
    }
}
