//! Turns the server's events into entries of a recording, and writes them on a thread of its own.
//!
//! The server never waits for the disk: its events wait in a queue. When the queue or the disk is
//! full, recording ends with one warning.

use std::{
    env, io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread::{self, JoinHandle},
    time::Instant,
};

use tabahead_replay::recording::{EntryKind, FetchedItem, Replacement};
use tabahead_session::{Recorded, Recorder};

/// Maximum number of events that wait for the disk: minutes of the fastest typing.
const QUEUE: usize = 1 << 14;

/// The recorder of a running server.
pub(super) struct Writer {
    /// `None` once recording has ended.
    queue: Option<SyncSender<(u64, Recorded)>>,
    thread: Option<JoinHandle<()>>,
    file: PathBuf,
    /// Time at `start`, in milliseconds since 1970. Later times are measured from `start`, because
    /// the system clock may jump.
    time: u64,
    start: Instant,
}

impl Writer {
    /// Starts the thread. Warnings name `file`.
    pub(super) fn start(
        file: PathBuf,
        time: u64,
        append: impl FnMut(u64, &EntryKind) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let (queue, waiting) = sync_channel(QUEUE);
        let name = file.clone();
        let thread = thread::spawn(move || write(&waiting, &name, append));
        Self {
            queue: Some(queue),
            thread: Some(thread),
            file,
            time,
            start: Instant::now(),
        }
    }
}

impl Recorder for Writer {
    fn record(&mut self, recorded: Recorded) {
        let Some(queue) = &self.queue else { return };
        let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let sent = queue.try_send((self.time.saturating_add(passed), recorded));
        match sent {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => stopped(&self.file, "the disk is too slow"),
            // The thread has already logged its warning.
            Err(TrySendError::Disconnected(_)) => {}
        }
        self.queue = None;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without a sender, the thread ends once it has written everything in the queue.
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            stopped(&self.file, "its thread panicked");
        }
    }
}

fn write(
    waiting: &Receiver<(u64, Recorded)>,
    file: &Path,
    mut append: impl FnMut(u64, &EntryKind) -> io::Result<()>,
) {
    for (time, recorded) in waiting {
        for kind in entries(recorded) {
            if let Err(error) = append(time, &kind) {
                stopped(file, &error.to_string());
                return;
            }
        }
    }
}

fn stopped(file: &Path, reason: &str) {
    tracing::warn!(file = %file.display(), reason, "recording has stopped");
}

/// Returns the recording's entries for an event.
fn entries(recorded: Recorded) -> Vec<EntryKind> {
    let entry = match recorded {
        Recorded::Opened {
            document: id,
            path,
            text,
        } => {
            let version = Some(i64::from(text.version().0));
            return vec![
                EntryKind::DocumentEncountered {
                    id,
                    path: recorded_path(&path, id),
                },
                EntryKind::SetContent {
                    id,
                    version,
                    content: text.text(),
                },
                EntryKind::Opened { id },
            ];
        }
        Recorded::Closed { document: id } => EntryKind::Closed { id },
        Recorded::Changed {
            document: id,
            version,
            range,
            text,
        } => EntryKind::Changed {
            id,
            version: Some(version.into()),
            edits: vec![Replacement::new(range, &text)],
        },
        Recorded::Cursor {
            document: id,
            cursor,
        } => EntryKind::SelectionChanged {
            id,
            selections: std::iter::once(cursor..cursor).collect(),
        },
        Recorded::Asked {
            document: id,
            request,
            version,
        } => EntryKind::FetchStarted {
            id,
            request,
            version: Some(version.into()),
        },
        Recorded::Answered {
            request,
            waited: duration,
            cancelled,
            suggestion,
        } => EntryKind::FetchEnded {
            request,
            duration,
            cancelled,
            result: suggestion
                .into_iter()
                .map(|(range, text)| FetchedItem {
                    range,
                    text,
                    inline_edit: false,
                })
                .collect(),
        },
        Recorded::Accepted {
            document: id,
            version,
        } => EntryKind::ChangeReason {
            id,
            version: Some(version.into()),
            reason: "inlineSuggestion.accept".to_owned(),
        },
    };
    vec![entry]
}

/// Returns the part of a path that is recorded: the part below the folder where the editor started
/// the server, else the last component. A recording must not reveal where a home is, or whose.
fn recorded_path(path: &str, id: u64) -> String {
    let folder = env::current_dir().unwrap_or_default();
    match Path::new(path).strip_prefix(&folder) {
        _ if path.is_empty() => format!("untitled-{id}"),
        Ok(inside) if !folder.as_os_str().is_empty() => inside.to_string_lossy().into_owned(),
        _ => path.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn changed(document: u64) -> Recorded {
        Recorded::Changed {
            document,
            version: 2,
            range: 0..0,
            text: "x".to_owned(),
        }
    }

    #[test]
    fn everything_recorded_is_written_before_the_recorder_is_dropped() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&written);
        let append = move |time, kind: &EntryKind| {
            list.lock()
                .expect("no thread panics")
                .push((time, kind.clone()));
            Ok(())
        };
        let mut writer = Writer::start("r".into(), 5, append);
        for document in 0..1000 {
            writer.record(changed(document));
        }
        drop(writer);
        let written = written.lock().expect("no thread panics");
        assert_eq!(written.len(), 1000);
        assert!(written.is_sorted_by_key(|(time, _)| *time));
        assert!(written[0].0 >= 5);
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_nothing_else() {
        let written = Arc::new(Mutex::new(0));
        let count = Arc::clone(&written);
        let append = move |_, _: &EntryKind| {
            let mut count = count.lock().expect("no thread panics");
            *count += 1;
            match *count {
                3 => Err(io::ErrorKind::StorageFull.into()),
                _ => Ok(()),
            }
        };
        let mut writer = Writer::start("r".into(), 5, append);
        for document in 0..1000 {
            writer.record(changed(document));
        }
        drop(writer);
        assert_eq!(*written.lock().expect("no thread panics"), 3);
    }

    #[test]
    fn a_disk_that_hangs_does_not_hold_up_the_server() {
        let (resume, held) = std::sync::mpsc::channel::<()>();
        let append = move |_, _: &EntryKind| {
            let _ = held.recv();
            Ok(())
        };
        let mut writer = Writer::start("r".into(), 5, append);
        for document in 0..2 * QUEUE as u64 {
            writer.record(changed(document));
        }
        assert!(writer.queue.is_none());
        drop(resume);
    }

    #[test]
    fn paths_reveal_nothing_of_the_machine() {
        let folder = env::current_dir().expect("there is one");
        let inside = folder.join("src/a.rs");
        assert_eq!(recorded_path(&inside.to_string_lossy(), 1), "src/a.rs");
        assert_eq!(recorded_path("/elsewhere/user/a.rs", 1), "a.rs");
        assert_eq!(recorded_path("", 7), "untitled-7");
    }
}
