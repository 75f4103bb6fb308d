//! Small recordings, whole and broken.

use std::io::{Cursor, Write};

use tabahead_text::{Position, Range};

use super::*;

const HEADER: &str = r#"{"kind":"header","documentType":"workspaceRecording@1.0","repoRootUri":"file:///r","time":1000,"uuid":"u"}"#;

fn read(form: RecordingForm, text: impl Into<Vec<u8>>) -> Entries {
    Entries::read(Path::new("r.json"), form, Cursor::new(text.into()))
}

/// Returns an object with a header and these entries.
fn object(entries: &[&str]) -> String {
    let entries: Vec<&str> = [HEADER].iter().chain(entries).copied().collect();
    format!("{{\"log\":[{}]}}", entries.join(","))
}

/// Returns the contents of the entries after the header.
#[track_caller]
fn kinds(entries: &[&str]) -> Vec<EntryKind> {
    read(RecordingForm::Object, object(entries))
        .map(|entry| entry.expect("the entry is in order").kind)
        .skip(1)
        .collect()
}

fn last_error(entries: Entries) -> String {
    let mut entries: Vec<_> = entries.collect();
    let last = entries.pop().expect("there is something");
    last.expect_err("the end is an error").to_string()
}

#[test]
fn entries_have_numbers_and_times() {
    let closed = r#"{"kind":"closed","id":3}"#;
    let entries: Result<Vec<RecordingEntry>, _> =
        read(RecordingForm::Object, object(&[closed])).collect();
    let root = Some("file:///r".to_owned());
    let expected = [
        RecordingEntry {
            number: 1,
            time: Some(1000),
            kind: EntryKind::Header { root },
        },
        RecordingEntry {
            number: 2,
            time: None,
            kind: EntryKind::Closed { id: 3 },
        },
    ];
    assert_eq!(entries.expect("in order"), expected);
}

#[test]
fn every_kind_is_read() {
    let entries = kinds(&[
        r#"{"kind":"meta","data":{"kind":"log-origin","repoRootUri":"file:///m"}}"#,
        r#"{"kind":"documentEncountered","id":1,"relativePath":"src\\a.ts"}"#,
        r#"{"kind":"setContent","id":1,"v":7,"content":"a\r\n😀"}"#,
        r#"{"kind":"storeContent","id":1,"v":7,"contentId":"c"}"#,
        r#"{"kind":"restoreContent","id":1,"v":1,"contentId":"c"}"#,
        r#"{"kind":"opened","id":1}"#,
        r#"{"kind":"focused","id":1}"#,
        r#"{"kind":"selectionChanged","id":1,"selection":[[1,1],[2,3]]}"#,
        r#"{"kind":"changed","id":1,"v":8,"edit":[[0,1,"x"],[2,2,"😀"]]}"#,
        r#"{"kind":"applicationStart"}"#,
    ]);
    let expected = [
        EntryKind::Header {
            root: Some("file:///m".to_owned()),
        },
        EntryKind::DocumentEncountered {
            id: 1,
            path: "src\\a.ts".to_owned(),
        },
        EntryKind::SetContent {
            id: 1,
            version: Some(7),
            content: "a\r\n😀".to_owned(),
        },
        EntryKind::StoreContent {
            id: 1,
            content_id: "c".to_owned(),
        },
        EntryKind::RestoreContent {
            id: 1,
            content_id: "c".to_owned(),
            version: Some(1),
        },
        EntryKind::Opened { id: 1 },
        EntryKind::Focused { id: 1 },
        EntryKind::SelectionChanged {
            id: 1,
            selections: vec![1..1, 2..3],
        },
        EntryKind::Changed {
            id: 1,
            version: Some(8),
            edits: vec![
                Replacement {
                    range: 0..1,
                    text: vec![0x78],
                },
                Replacement {
                    range: 2..2,
                    text: vec![0xd83d, 0xde00],
                },
            ],
        },
        EntryKind::Other,
    ];
    assert_eq!(entries, expected);
}

#[test]
fn events_are_distinguished_by_their_source() {
    let entries = kinds(&[
        r#"{"kind":"documentEvent","id":1,"data":{"sourceId":"TextModel.setChangeReason","source":"snippet","v":8}}"#,
        r#"{"kind":"documentEvent","id":1,"data":{"sourceId":"InlineCompletions.fetch","kind":"start","requestId":4,"context":{"triggerKind":0},"v":8}}"#,
        r#"{"kind":"event","data":{"sourceId":"InlineCompletions.fetch","kind":"end","requestId":4,"durationMs":103,"error":"canceled","result":[]}}"#,
        r#"{"kind":"event","data":{"sourceId":"InlineCompletions.fetch","kind":"end","requestId":5,"durationMs":6,"result":[{"range":"[5,1 -> 5,169]","text":"t","isInlineEdit":true,"source":"s"},{"range":"[2,3]","text":""}]}}"#,
        r#"{"kind":"event","data":{"sourceId":"Unheard.of","kind":"end"}}"#,
        r#"{"kind":"documentEvent","data":{}}"#,
    ]);
    let at = |line, character| Position { line, character };
    let expected = [
        EntryKind::ChangeReason {
            id: 1,
            version: Some(8),
            reason: "snippet".to_owned(),
        },
        EntryKind::FetchStarted {
            id: 1,
            request: 4,
            version: Some(8),
        },
        EntryKind::FetchEnded {
            request: 4,
            duration: Duration::from_millis(103),
            cancelled: true,
            result: Vec::new(),
        },
        EntryKind::FetchEnded {
            request: 5,
            duration: Duration::from_millis(6),
            cancelled: false,
            result: vec![
                FetchedItem {
                    range: Range {
                        start: at(4, 0),
                        end: at(4, 168),
                    },
                    text: "t".to_owned(),
                    inline_edit: true,
                },
                FetchedItem {
                    range: Range {
                        start: at(1, 2),
                        end: at(1, 2),
                    },
                    text: String::new(),
                    inline_edit: false,
                },
            ],
        },
        EntryKind::Other,
        EntryKind::Other,
    ];
    assert_eq!(entries, expected);
}

#[test]
fn halves_of_characters_are_kept_in_changes_and_replaced_in_texts() {
    let entries = kinds(&[
        r#"{"kind":"setContent","id":1,"content":"a\ud83db\ude00"}"#,
        r#"{"kind":"changed","id":1,"edit":[[0,1,"\ude01 é\ud83d"]]}"#,
    ]);
    let EntryKind::SetContent { content, .. } = &entries[0] else {
        panic!("a content");
    };
    assert_eq!(content, "a\u{fffd}b\u{fffd}");
    let EntryKind::Changed { edits, .. } = &entries[1] else {
        panic!("a change");
    };
    assert_eq!(edits[0].text, [0xde01, 0x20, 0xe9, 0xd83d]);
}

#[test]
fn both_forms_hold_the_same_entries() {
    let entries = [
        r#"{"kind":"documentEncountered","id":1,"relativePath":"a \"]}, b"}"#,
        r#"{"kind":"setContent","id":1,"content":"{[\\\"\\\\"}"#,
    ];
    let expected: Vec<_> = read(RecordingForm::Object, object(&entries))
        .map(|entry| entry.expect("in order"))
        .collect();
    assert_eq!(expected.len(), 3);
    let spread = format!(
        "\n{{ \"nextUserEdit\" : {{\"edit\":[1,[2]]}} , \"x\": 1 ,\"log\" :\r\n[ {} ,\t{} , {} ] , \"more\":null}}\n",
        HEADER, entries[0], entries[1]
    );
    let lines = format!("{HEADER}\r\n\n{}\n{}", entries[0], entries[1]);
    for (form, text) in [
        (RecordingForm::Object, spread),
        (RecordingForm::Lines, lines),
    ] {
        let read: Result<Vec<_>, _> = read(form, text).collect();
        assert_eq!(read.expect("in order"), expected);
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_gives_the_entries_before() {
    let entries = [
        r#"{"kind":"documentEncountered","id":1,"relativePath":"é\u00e9"}"#,
        r#"{"kind":"selectionChanged","id":1,"selection":[[0,0]]}"#,
    ];
    let whole = object(&entries) + "\n";
    for length in 0..whole.len() - 1 {
        let read: Vec<_> = read(RecordingForm::Object, &whole.as_bytes()[..length]).collect();
        let (last, before) = read.split_last().expect("an error at least");
        assert!(before.iter().all(Result::is_ok));
        match last.as_ref().expect_err("the file is cut") {
            RecordingError::Truncated { after, .. } => assert_eq!(*after, before.len()),
            RecordingError::NotARecording { problem, .. } => {
                assert_eq!((length, problem.as_str()), (0, "it is empty"));
            }
            other => panic!("{other}"),
        }
    }
    let whole = format!("{HEADER}\n{}\n{}\n", entries[0], entries[1]);
    for length in 1..whole.len() {
        let kept = &whole.as_bytes()[..length];
        let read: Vec<_> = read(RecordingForm::Lines, kept).collect();
        // The end of a line may be missing.
        let lines = kept.split(|&byte| byte == b'\n');
        let good = lines.filter(|line| line.ends_with(b"}")).count();
        assert_eq!(read.iter().filter(|entry| entry.is_ok()).count(), good);
        let is_cut = !kept.ends_with(b"}") && !kept.ends_with(b"\n");
        assert_eq!(read.len(), good + usize::from(is_cut), "{length}");
        if is_cut {
            let error = read.last().expect("an entry").as_ref();
            let error = error.expect_err("the file is cut");
            assert!(matches!(error, RecordingError::Truncated { after, .. } if *after == good));
        }
    }
}

#[test]
fn an_error_is_one_line_with_file_entry_and_what_to_do() {
    let bad = object(&[r#"{"kind":"changed","id":1,"edit":[[0,"x"]]}"#]);
    let broken = object(&[r#"{"kind":"opened","id":}"#]);
    let lines = format!("{HEADER}\n{{\"kind\":\"opened\"\n");
    let cases = [
        (
            read(RecordingForm::Object, bad),
            "recording \"r.json\", entry 2 (changed): invalid type: string \"x\", expected usize; correct the entry or take it out",
        ),
        (
            read(RecordingForm::Object, broken),
            "recording \"r.json\", entry 2: not JSON: expected value; correct the file or copy it again",
        ),
        (
            read(RecordingForm::Lines, lines),
            "recording \"r.json\", entry 2: not JSON: EOF while parsing an object; correct the file or copy it again",
        ),
        (
            read(RecordingForm::Object, object(&["3"])),
            "recording \"r.json\", entry 2: not JSON: it is not an object; correct the file or copy it again",
        ),
        (
            read(RecordingForm::Object, object(&["{}"])),
            "recording \"r.json\", entry 2 (of no kind): missing field `kind`; correct the entry or take it out",
        ),
        (
            read(RecordingForm::Object, object(&[]).replace("1.0", "2.0")),
            "recording \"r.json\" has the format \"workspaceRecording@2.0\", but only \"workspaceRecording@1.0\" can be read; record it again",
        ),
        (
            read(RecordingForm::Object, &object(&[])[..50]),
            "recording \"r.json\" is truncated: it ends after entry 0; copy it again, or close it there",
        ),
        (
            read(RecordingForm::Object, object(&[]) + "x"),
            "recording \"r.json\", entry 1: not JSON: text after the end; correct the file or copy it again",
        ),
    ];
    for (entries, expected) in cases {
        assert_eq!(last_error(entries), expected);
    }
}

#[test]
fn an_error_is_short_and_printable_whatever_it_quotes() {
    let long = "x\\u001b[2J\\n".repeat(500);
    for entry in [
        format!(r#"{{"kind":"changed","id":"{long}","edit":[]}}"#),
        format!(r#"{{"kind":{{"{long}":1}}}}"#),
        format!(
            r#"{{"kind":"documentEvent","id":1,"data":{{"sourceId":"InlineCompletions.fetch","kind":"end","requestId":1,"durationMs":1,"result":[{{"range":"{long}","text":""}}]}}}}"#
        ),
    ] {
        let error = last_error(read(RecordingForm::Object, object(&[&entry])));
        assert!(error.chars().count() < 400, "{error}");
        assert!(!error.contains(char::is_control), "{error}");
    }
    let header = HEADER.replace("1.0", &long);
    let error = last_error(read(RecordingForm::Lines, header));
    assert!(error.chars().count() < 400, "{error}");
    assert!(!error.contains(char::is_control), "{error}");
}

#[test]
fn other_files_are_not_recordings() {
    let (object, lines) = (RecordingForm::Object, RecordingForm::Lines);
    for (form, text, problem) in [
        (object, "", "it is empty"),
        (object, "let x = 1;", "it does not begin with \"{\""),
        (object, "{}", "it has no \"log\""),
        (object, r#"{"name":"x","version":"1"}"#, "it has no \"log\""),
        (object, r#"{"log":3}"#, "its \"log\" is no array"),
        (object, r#"{"log":[]}"#, "it has no entries"),
        (
            object,
            r#"{"log":[{"kind":"opened","id":1}]}"#,
            "its first entry is not a header",
        ),
        (
            object,
            HEADER,
            "one entry per line is read from .jsonl files only",
        ),
        (lines, "", "it has no entries"),
        (
            lines,
            r#"{"kind":"opened","id":1}"#,
            "its first entry is not a header",
        ),
    ] {
        let error = last_error(read(form, text));
        assert!(
            error.starts_with("\"r.json\" is not a recording: "),
            "{error}"
        );
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn entries_after_one_with_wrong_fields_are_read() {
    let entries: Vec<_> = read(
        RecordingForm::Object,
        object(&[r#"{"kind":"opened"}"#, r#"{"kind":"opened","id":1}"#]),
    )
    .collect();
    let fine: Vec<bool> = entries.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [true, false, true]);
}

#[test]
fn an_entry_has_a_limit() {
    let content = r#"{"kind":"setContent","id":1,"content":"0123456789"}"#;
    let lines = format!("{HEADER}\n{content}\n");
    for (form, text) in [
        (RecordingForm::Object, object(&[content])),
        (RecordingForm::Lines, lines),
    ] {
        for (limit, fits) in [(HEADER.len() + 1, true), (content.len() - 1, false)] {
            let mut entries = read(form, text.clone());
            entries.next();
            entries.elements.restrict(limit);
            let second = entries.next().expect("there is a second entry");
            assert_eq!(second.is_ok(), fits, "{second:?}");
            assert!(fits || matches!(second, Err(RecordingError::TooLarge { entry: 2, .. })));
        }
    }
}

#[test]
fn a_written_entry_is_read_as_it_was() {
    let at = |line, character| Position { line, character };
    let (id, version) = (3, Some(-7));
    let text = "q\"\\\n\r\t\u{1}\u{7f}\u{2028}é😀".to_owned();
    let entries = [
        EntryKind::Header { root: None },
        EntryKind::Header {
            root: Some("file:///a".to_owned()),
        },
        EntryKind::DocumentEncountered {
            id,
            path: "a\\b".to_owned(),
        },
        EntryKind::SetContent {
            id,
            version,
            content: text.clone(),
        },
        EntryKind::StoreContent {
            id,
            content_id: "c".to_owned(),
        },
        EntryKind::RestoreContent {
            id,
            content_id: "c".to_owned(),
            version: None,
        },
        EntryKind::Opened { id },
        EntryKind::Closed { id },
        EntryKind::Focused { id },
        EntryKind::SelectionChanged {
            id,
            selections: vec![0..0, 2..5],
        },
        EntryKind::Changed {
            id,
            version,
            edits: vec![
                Replacement::new(0..1, &text),
                Replacement {
                    range: 4..5,
                    text: vec![0xde00, 0x61, 0xd83d],
                },
            ],
        },
        EntryKind::ChangeReason {
            id,
            version,
            reason: "snippet".to_owned(),
        },
        EntryKind::FetchStarted {
            id,
            request: 1,
            version,
        },
        EntryKind::FetchEnded {
            request: 1,
            duration: Duration::from_millis(1234),
            cancelled: true,
            result: Vec::new(),
        },
        EntryKind::FetchEnded {
            request: 2,
            duration: Duration::ZERO,
            cancelled: false,
            result: vec![FetchedItem {
                range: Range {
                    start: at(0, 4),
                    end: at(1, 0),
                },
                text,
                inline_edit: false,
            }],
        },
        EntryKind::Other,
    ];
    let written: String = entries.iter().map(|kind| line(Some(5), kind)).collect();
    assert_eq!(written.lines().count(), entries.len());
    let read: Vec<EntryKind> = read(RecordingForm::Lines, written)
        .map(|entry| entry.expect("the line is in order"))
        .map(|RecordingEntry { time, kind, .. }| {
            assert_eq!(time, Some(5));
            kind
        })
        .collect();
    assert_eq!(read, entries);
}

#[test]
fn the_extension_of_a_file_decides_its_form() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("a.recording.w.json", object(&[])),
        ("a.recording.w.jsonl", format!("{HEADER}\n")),
    ] {
        let path = folder.path().join(name);
        let mut file = File::create(&path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let entries = Entries::open(&path).expect("it opens");
        assert_eq!(entries.filter(Result::is_ok).count(), 1);
    }
    for missing in [folder.path().join("none.json"), folder.path().to_owned()] {
        let error = match Entries::open(&missing) {
            Ok(mut entries) => entries.next().expect("an entry").expect_err("no file"),
            Err(error) => error,
        };
        assert!(matches!(error, RecordingError::Unreadable { .. }));
    }
}
