//! Recordings: consistent entries are replayed, an inconsistent one is reported in one line, and
//! reading comes to an end.

use std::{fs, io::Cursor, path::Path, time::Duration};

use serde_json::{Value, json};
use tabahead_replay::{
    editing::{Editing, EventKind},
    recording::{Entries, RecordingForm},
};
use tabahead_testkit::Random;

use crate::{
    bounds::{bounded, check_text},
    damage,
    run::{Verdict, fuzz},
};

const RECORDINGS: [&str; 4] = [
    "02c704eeb368",
    "048c2f52b6b6",
    "adb5ed1c1524",
    "b1b8138c6f3e",
];

/// A case has ten entries of a recording, and a random number below this more.
const MOST_ENTRIES: usize = 120;

#[test]
fn recording_files_are_read_as_far_as_they_fit_together() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/recordings");
    let recordings: Vec<Vec<Value>> = RECORDINGS
        .iter()
        .map(|name| {
            let file = folder.join(format!("{name}.recording.w.jsonl"));
            let text = fs::read_to_string(file).expect("a recording");
            let entries = text.lines().map(serde_json::from_str);
            entries.collect::<Result<_, _>>().expect("JSON")
        })
        .collect();
    fuzz(
        "recording",
        600,
        &[("read", 100), ("refused", 150)],
        |random| {
            let (form, file) = damaged(random.pick::<Vec<Value>>(&recordings), random);
            bounded(file.len(), || read(form, file))?
        },
    );
}

fn read(form: RecordingForm, file: Vec<u8>) -> Verdict {
    let most = 2 * file.len() + 100;
    let entries = Entries::read(Path::new("a.recording.w.json"), form, Cursor::new(file));
    let (mut last, mut events, mut refused) = (Duration::ZERO, 0, false);
    for event in Editing::new(entries) {
        events += 1;
        if events > most {
            return Err("more happens than was recorded".to_owned());
        }
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                refused = true;
                check_text(&error)?;
                continue;
            }
        };
        if event.at < last {
            return Err(format!("entry {}: time goes back", event.entry));
        }
        last = event.at;
        if let EventKind::Changed {
            before,
            after,
            edits,
            cursor,
            ..
        } = event.kind
        {
            let inside = edits.iter().all(|edit| edit.range.end.0 <= before.len());
            let changed: isize = edits
                .iter()
                .map(|edit| {
                    edit.text.len() as isize - edit.range.end.0 as isize
                        + edit.range.start.0 as isize
                })
                .sum();
            if !inside || cursor.0 > after.len() {
                return Err(format!("entry {}: outside of its text", event.entry));
            }
            if before.len() as isize + changed != after.len() as isize {
                return Err(format!(
                    "entry {}: the edits make another text",
                    event.entry
                ));
            }
        }
    }
    Ok(if refused { "refused" } else { "read" })
}

fn damaged(recording: &[Value], random: &mut Random) -> (RecordingForm, Vec<u8>) {
    // Keep the beginning: the header, the documents and their texts.
    let length = 10 + random.below(MOST_ENTRIES);
    let mut entries: Vec<Value> = recording.iter().take(length).cloned().collect();
    let in_entries = random.below(4) > 0;
    if in_entries {
        for _ in 0..damage::pieces(random) {
            in_entry(&mut entries, random);
        }
    }
    let form = *random.pick(&[RecordingForm::Lines, RecordingForm::Object]);
    let mut file = match form {
        RecordingForm::Lines => {
            let lines = entries.iter().map(|entry| format!("{entry}\n"));
            lines.collect::<String>().into_bytes()
        }
        RecordingForm::Object => json!({"log": entries}).to_string().into_bytes(),
    };
    if !in_entries {
        damage::bytes(&mut file, random);
    }
    (form, file)
}

fn in_entry(entries: &mut Vec<Value>, random: &mut Random) {
    if entries.is_empty() {
        return;
    }
    let (at, other) = (random.below(entries.len()), random.below(entries.len()));
    match random.below(8) {
        0 => drop(entries.remove(at)),
        1 => entries.swap(at, other),
        2 => entries.insert(at, entries[other].clone()),
        _ => damage::json(&mut entries[at], random),
    }
}
