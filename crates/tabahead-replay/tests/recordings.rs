//! Recordings replayed from the first entry to the last: real ones, as the recorder of VS Code
//! wrote them, and those made from this project's history.

mod real;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use tabahead_replay::{
    editing::{EditKind, Editing, EventKind},
    recording::Entries,
};

/// Counts of one recording.
#[derive(Debug, Default)]
struct Counts {
    opened: usize,
    closed: usize,
    changes: BTreeMap<&'static str, usize>,
    near_moves: usize,
    far_moves: usize,
    fetches: usize,
    answers: usize,
    length: Duration,
}

#[test]
fn real_recordings_replay_without_a_contradiction() {
    let Some(folder) = real::recordings() else {
        return;
    };
    let mut files = files(&folder);
    files.extend(self::files(&folder.join("short")));
    assert_eq!(files.len(), 9, "{files:?}");
    for file in files {
        let counts = replay(&file);
        assert!(counts.changes.values().sum::<usize>() > 0, "{counts:?}");
    }
}

#[test]
fn recordings_made_from_history_replay_without_a_contradiction() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/replay/recordings");
    let files = files(&folder);
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let metadata = file.metadata().expect("it is there");
        assert!(metadata.len() < 120_000, "{} is large", file.display());
        let counts = replay(&file);
        let changes: usize = counts.changes.values().sum();
        let keys = counts.changes["keystroke"] + counts.changes["enter"];
        assert!(changes > 250 && 10 * keys > 8 * changes, "{counts:?}");
        assert!(counts.changes["accept"] > 1, "{counts:?}");
        // The cursor moves to a place before the text changes there.
        assert!(!counts.changes.contains_key("jump"), "{counts:?}");
        assert!(counts.length > Duration::from_secs(400), "{counts:?}");
    }
}

#[test]
fn the_long_recording_is_counted_as_before() {
    let Some(folder) = real::recordings() else {
        return;
    };
    let counts = replay(&folder.join("typescript-37min.recording.w.json"));
    // Counted by a program in another language with the same rules.
    let expected = BTreeMap::from([
        ("keystroke", 881),
        ("enter", 90),
        ("accept", 85),
        ("deletion", 207),
        ("insert", 38),
        ("jump", 28),
        ("other", 299),
    ]);
    assert_eq!(counts.changes, expected);
    assert_eq!((counts.opened, counts.closed), (25, 2));
    assert_eq!((counts.near_moves, counts.far_moves), (473, 312));
    assert_eq!((counts.fetches, counts.answers), (1438, 534));
    assert_eq!(counts.length.as_secs() / 60, 36);

    let counts = replay(&folder.join("typescript-5min.recording.w.json"));
    let expected = BTreeMap::from([
        ("keystroke", 112),
        ("enter", 3),
        ("accept", 19),
        ("deletion", 19),
        ("jump", 5),
        ("other", 1),
    ]);
    assert_eq!(counts.changes, expected);
    assert_eq!((counts.near_moves, counts.far_moves), (98, 43));
    // The time of its texts is the end of the recording.
    assert_eq!(counts.length.as_secs() / 60, 5);
}

#[track_caller]
fn replay(file: &Path) -> Counts {
    let entries = Entries::open(file).expect("the recording opens");
    let mut counts = Counts::default();
    for event in Editing::new(entries) {
        let event = event.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(event.at >= counts.length);
        counts.length = event.at;
        match event.kind {
            EventKind::Opened { .. } => {
                counts.opened += 1;
            }
            EventKind::Closed { .. } => counts.closed += 1,
            EventKind::Changed {
                before,
                after,
                edits,
                cursor,
                kind,
                ..
            } => {
                assert!(edits.iter().all(|edit| edit.range.end.0 <= before.len()));
                assert!(cursor.0 <= after.len());
                *counts.changes.entry(name(kind)).or_default() += 1;
            }
            EventKind::Moved { far, .. } => {
                counts.far_moves += usize::from(far);
                counts.near_moves += usize::from(!far);
            }
            EventKind::FetchStarted { .. } => counts.fetches += 1,
            EventKind::FetchEnded { cancelled, .. } => counts.answers += usize::from(!cancelled),
        }
    }
    counts
}

fn name(kind: EditKind) -> &'static str {
    match kind {
        EditKind::Keystroke => "keystroke",
        EditKind::Enter => "enter",
        EditKind::Accept => "accept",
        EditKind::Deletion => "deletion",
        EditKind::Insert => "insert",
        EditKind::Jump => "jump",
        EditKind::Other => "other",
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).expect("the folder is there");
    let paths = listed.map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.to_string_lossy().contains(".recording.w.json"))
        .collect();
    files.sort();
    files
}
