//! The answer to `tabahead/stats`, and the file in which a running server leaves it for `tabahead
//! stats`.
//!
//! The file holds figures and a model's name, never text, a path or a document's address. It is
//! written beside its final path and renamed, readable by its owner alone, and removed at exit.

use std::{
    collections::VecDeque,
    env, fs, io,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use serde_json::{Value, json};
use tabahead_backend::{ModelState, TokenCounters};
use tabahead_speculation::{Origin, Stats};
use tokio::sync::watch;

/// The sources of all figures.
pub(crate) struct FigureSources<'a> {
    pub(crate) speculator: &'a Stats,
    pub(crate) counters: TokenCounters,
    pub(crate) model: &'a ModelState,
    pub(crate) session: SessionCounts,
    pub(crate) latencies: &'a Latencies,
    pub(crate) settings_digest: String,
    pub(crate) speculation_enabled: bool,
    pub(crate) version: &'a str,
    pub(crate) uptime: Duration,
}

/// What the session counts itself, because the Speculator never sees it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SessionCounts {
    /// Completion requests from the editor.
    pub(crate) requests: u64,
    /// Requests for documents that get no suggestions.
    pub(crate) unsuitable: u64,
    /// Requests superseded or cancelled while the model was still loading.
    pub(crate) superseded: u64,
    /// Requests that failed because there was no model.
    pub(crate) failed: u64,
    /// Suggestions whose command the editor ran.
    pub(crate) accepted: u64,
    /// Token events received from the backend.
    pub(crate) tokens_received: u64,
    /// Prompt tokens that the backend reported in its events.
    pub(crate) prompt_received: u64,
    /// Documents that are open now.
    pub(crate) documents: u64,
    /// Time that answers computed ahead have saved, compared with misses.
    pub(crate) saved: Duration,
}

/// The most recent times from a request's arrival to its answer, by origin.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    miss: VecDeque<Duration>,
    joined: VecDeque<Duration>,
    exact: VecDeque<Duration>,
    typed_through: VecDeque<Duration>,
    speculated: VecDeque<Duration>,
}

/// Number of times kept per origin.
const TIMES: usize = 1024;

impl Latencies {
    pub(crate) fn add(&mut self, origin: Origin, time: Duration) {
        let times = match origin {
            Origin::Miss => &mut self.miss,
            Origin::Joined => &mut self.joined,
            Origin::Exact => &mut self.exact,
            Origin::TypedThrough => &mut self.typed_through,
            Origin::Speculated => &mut self.speculated,
        };
        if times.len() == TIMES {
            times.pop_front();
        }
        times.push_back(time);
    }

    /// Returns how much longer than `time` a computed answer takes: compares it with the median of
    /// the misses. Zero before there was a miss.
    pub(crate) fn saved(&self, time: Duration) -> Duration {
        let mut misses: Vec<Duration> = self.miss.iter().copied().collect();
        if misses.is_empty() {
            return Duration::ZERO;
        }
        let middle = misses.len() / 2;
        let (_, median, _) = misses.select_nth_unstable(middle);
        median.saturating_sub(time)
    }
}

impl FigureSources<'_> {
    /// Returns the tokens of prompts and answers per second of computing; `None` before there were
    /// any.
    fn tokens_per_second(&self) -> Option<u64> {
        let seconds = self.counters.time.as_secs_f64();
        (seconds > 0.0).then(|| (self.counters.timed as f64 / seconds).round() as u64)
    }

    pub(crate) fn to_json(&self) -> Value {
        let stats = self.speculator;
        let session = self.session;
        let model = match self.model {
            ModelState::Loading => json!({"state": "loading"}),
            ModelState::Ready(profile) => json!({
                "state": "ready",
                "id": profile.id,
                "context_tokens": profile.context_tokens,
            }),
            ModelState::Unusable(line) => json!({"state": "failed", "message": line}),
        };
        json!({
            "version": self.version,
            "pid": process::id(),
            "uptime_seconds": self.uptime.as_secs(),
            "model": model,
            "settings": {
                "digest": self.settings_digest,
                "speculation_enabled": self.speculation_enabled,
            },
            "documents": session.documents,
            "requests": session.requests,
            "hits": {
                "exact": stats.hits_exact,
                "typed_through": stats.hits_typed_through,
                "joined": stats.hits_joined,
                "speculated": stats.hits_speculated,
            },
            "misses": stats.misses,
            "superseded": stats.superseded + session.superseded,
            "silent": stats.silent + session.unsuitable,
            "failed": stats.failed + session.failed,
            "accepted": session.accepted,
            "saved_ms": session.saved.as_millis() as u64,
            "outcomes": {
                "accepted_all": stats.accepted_all,
                "accepted_line": stats.accepted_line,
                "accepted_word": stats.accepted_word,
                "typed_along": stats.typed_along,
                "diverged": stats.diverged,
                "dismissed": stats.dismissed,
            },
            "generations": {"running": stats.running.max(self.counters.generations)},
            "speculations": {
                "started": stats.speculations_started,
                "finished": stats.speculations_finished,
                "cancelled": stats.speculations_cancelled,
                "used": stats.speculations_used,
            },
            "reads_ahead": {
                "started": stats.reads_started,
                "finished": stats.reads_finished,
                "cancelled": stats.reads_cancelled,
            },
            "tokens": {
                "prompt": self.counters.prompt,
                "prefilled": self.counters.prefilled,
                "drafted": self.counters.drafted,
                "decoded": self.counters.decoded,
                "constrained": self.counters.constrained,
                "computed": self.counters.computed,
                "per_second": self.tokens_per_second(),
                "wasted": stats.tokens_wasted,
                "received": session.tokens_received,
                "prompt_received": session.prompt_received,
            },
            "latency": {
                "miss": quantiles(&self.latencies.miss),
                "joined": quantiles(&self.latencies.joined),
                "exact": quantiles(&self.latencies.exact),
                "typed_through": quantiles(&self.latencies.typed_through),
                "speculated": quantiles(&self.latencies.speculated),
            },
            "cache": {
                "paths": stats.cache_paths,
                "bytes": stats.cache_bytes,
                "evicted": stats.cache_evicted,
            },
            "kv": {"bytes": self.counters.kv_bytes},
        })
    }
}

/// Returns the count and nearest-rank quantiles in milliseconds; `null` if there is no sample.
fn quantiles<'a>(times: impl IntoIterator<Item = &'a Duration>) -> Value {
    let mut sorted: Vec<Duration> = times.into_iter().copied().collect();
    sorted.sort_unstable();
    let at = |percent: usize| {
        let rank = (sorted.len() * percent).div_ceil(100);
        let sample = sorted.get(rank.saturating_sub(1))?;
        // Finer than microseconds would mean nothing here.
        Some(sample.as_micros() as f64 / 1000.0)
    };
    json!({"count": sorted.len(), "p50_ms": at(50), "p90_ms": at(90), "p99_ms": at(99)})
}

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
            if !crate::lifecycle::process_lives(pid) {
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
    io::Write::write_all(&mut options.open(&beside)?, text.as_bytes())?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_rank() {
        let milliseconds = |n| Duration::from_millis(n);
        assert_eq!(
            quantiles(&(1..=100).rev().map(milliseconds).collect::<Vec<_>>()),
            json!({"count": 100, "p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0})
        );
        assert_eq!(
            quantiles(&[milliseconds(3)]),
            json!({"count": 1, "p50_ms": 3.0, "p90_ms": 3.0, "p99_ms": 3.0})
        );
        assert_eq!(
            quantiles(&[]),
            json!({"count": 0, "p50_ms": null, "p90_ms": null, "p99_ms": null})
        );
    }

    #[test]
    fn time_is_saved_where_an_answer_is_faster_than_one_that_is_computed() {
        let milliseconds = Duration::from_millis;
        let mut latencies = Latencies::default();
        assert_eq!(latencies.saved(milliseconds(1)), Duration::ZERO);
        for miss in [30, 10, 500] {
            latencies.add(Origin::Miss, milliseconds(miss));
        }
        assert_eq!(latencies.saved(milliseconds(1)), milliseconds(29));
        assert_eq!(latencies.saved(milliseconds(40)), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_running_server_leaves_its_figures_and_takes_them_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let stats_dir = folder.path().join("tabahead");
        let (newest, reader) = watch::channel(Value::Null);
        let writing = tokio::spawn(StatsFile::new(&stats_dir).keep_written(reader));
        newest.send(json!({"requests": 7})).expect("it listens");
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
    fn files_of_dead_servers_are_removed() {
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
