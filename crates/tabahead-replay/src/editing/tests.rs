//! Small recordings and what is read from them, written as lines.

use std::{fmt::Write, io::Cursor, path::Path};

use super::*;
use crate::recording::{Entries, RecordingForm};

/// Replays entries, one per line, after a header and a document 1 with this text; returns one line
/// per event after the document's opening.
fn replay(text: &str, entries: &str) -> String {
    let mut lines =
        String::from("{\"kind\":\"header\",\"documentType\":\"workspaceRecording@1.0\"}\n");
    lines += "{\"kind\":\"documentEncountered\",\"id\":1,\"relativePath\":\"src\\\\a.rs\"}\n";
    let content = serde_json::to_string(text).expect("a text is JSON");
    writeln!(
        lines,
        "{{\"kind\":\"setContent\",\"id\":1,\"content\":{content}}}"
    )
    .expect("written");
    lines += entries;
    let entries = Entries::read(
        Path::new("r"),
        RecordingForm::Lines,
        Cursor::new(lines.into_bytes()),
    );
    Editing::new(entries)
        .skip(1)
        .map(|found| line(&found) + "\n")
        .collect()
}

fn line(found: &Result<EditingEvent, EditingError>) -> String {
    let EditingEvent { entry, at, kind } = match found {
        Ok(event) => event,
        Err(error) => return error.to_string(),
    };
    let at = at.as_millis();
    let what = match kind {
        EventKind::Opened {
            document,
            file_name,
            path,
            language,
            text,
        } => format!(
            "opened {document} {path} {file_name} {language} {:?}",
            text.text()
        ),
        EventKind::Closed { document } => format!("closed {document}"),
        EventKind::Changed {
            after,
            cursor,
            kind,
            reason,
            ..
        } => {
            let mut text = after.text();
            text.insert(cursor.0, '|');
            let reason = reason.as_deref().unwrap_or("");
            format!("{kind:?} {text:?} {reason}")
        }
        EventKind::Moved { cursor, far, .. } => {
            format!("moved to {}{}", cursor.0, if *far { ", far" } else { "" })
        }
        EventKind::FetchStarted { request, .. } => format!("fetch {request}"),
        EventKind::FetchEnded { request, .. } => format!("answer {request}"),
    };
    format!("{entry}: {at} ms {what}").trim_end().to_owned()
}

#[track_caller]
fn check(text: &str, entries: &str, expected: &str) {
    assert_eq!(replay(text, entries).trim_end(), expected);
}

/// Checks the kind of one change at a known cursor, with the cursor after it reported.
#[track_caller]
fn check_kind(text: &str, edit: &str, reason: &str, expected: EditKind) {
    let cursor = text.find('|').expect("the cursor is in the text");
    let text = text.replace('|', "");
    let mut entries = format!(
        "{{\"kind\":\"selectionChanged\",\"id\":1,\"selection\":[[{cursor},{cursor}]]}}\n\
         {{\"kind\":\"changed\",\"id\":1,\"v\":2,\"edit\":{edit}}}\n\
         {{\"kind\":\"selectionChanged\",\"id\":1,\"selection\":[[1,1]]}}\n"
    );
    if !reason.is_empty() {
        entries += &format!(
            "{{\"kind\":\"documentEvent\",\"id\":1,\"data\":{{\"sourceId\":\"TextModel.setChangeReason\",\"source\":\"{reason}\",\"v\":2}}}}\n"
        );
    }
    let output = replay(&text, &entries);
    assert!(output.contains(&format!(" ms {expected:?} ")), "{output}");
}

#[test]
fn a_document_opens_with_its_name_language_and_text() {
    let lines = concat!(
        r#"{"kind":"documentEncountered","id":2,"relativePath":"lib/b.py"}"#,
        "\n",
        r#"{"kind":"setContent","id":2,"content":"x\r\n"}"#,
        "\n",
        r#"{"kind":"closed","id":2}"#,
    );
    let expected = "5: 0 ms opened 2 lib/b.py b.py python \"x\\r\\n\"\n6: 0 ms closed 2";
    check("", lines, expected);
}

#[test]
fn a_change_takes_its_cursor_and_its_reason_from_the_entries_after_it() {
    let lines = r#"
{"kind":"selectionChanged","id":1,"time":100,"selection":[[1,1]]}
{"kind":"changed","id":1,"time":200,"v":2,"edit":[[1,1,"bc"]]}
{"kind":"documentEvent","id":1,"time":201,"data":{"sourceId":"InlineCompletions.fetch","kind":"start","requestId":9,"v":2}}
{"kind":"selectionChanged","id":1,"time":220,"selection":[[2,2]]}
{"kind":"documentEvent","id":1,"time":221,"data":{"sourceId":"TextModel.setChangeReason","source":"inlineSuggestion.accept","v":2}}
{"kind":"selectionChanged","id":1,"time":230,"selection":[[0,0]]}
{"kind":"event","time":300,"data":{"sourceId":"InlineCompletions.fetch","kind":"end","requestId":9,"durationMs":99,"result":[]}}
"#;
    check(
        "ad",
        lines,
        "4: 0 ms moved to 1, far\n\
         5: 100 ms Accept \"ab|cd\" inlineSuggestion.accept\n\
         6: 101 ms fetch 9\n\
         9: 130 ms moved to 0\n\
         10: 200 ms answer 9",
    );
}

#[test]
fn a_cursor_that_is_reported_late_or_elsewhere_is_not_the_changes() {
    let lines = r#"
{"kind":"selectionChanged","id":1,"time":100,"selection":[[0,0]]}
{"kind":"changed","id":1,"time":200,"v":2,"edit":[[0,0,"x"]]}
{"kind":"selectionChanged","id":1,"time":221,"selection":[[2,2]]}
{"kind":"changed","id":1,"time":300,"v":3,"edit":[[2,2,"y"]]}
{"kind":"selectionChanged","id":7,"time":300,"selection":[[0,0]]}
{"kind":"documentEvent","id":1,"time":300,"data":{"sourceId":"TextModel.setChangeReason","source":"snippet","v":3}}
"#;
    check(
        "ab",
        lines,
        "4: 0 ms moved to 0, far\n\
         5: 100 ms Keystroke \"x|ab\"\n\
         6: 121 ms moved to 2\n\
         7: 200 ms Keystroke \"xay|b\"",
    );
}

#[test]
fn all_edits_of_a_change_refer_to_the_text_before() {
    let lines = r#"
{"kind":"changed","id":1,"edit":[[0,1,"xyz"],[1,3,""],[4,4,"😀"]]}
{"kind":"changed","id":1,"edit":[]}
"#;
    check(
        "abcd\r\n",
        lines,
        "4: 0 ms Jump \"xyzd😀|\\r\\n\"\n5: 0 ms Other \"xyzd😀|\\r\\n\"",
    );
}

#[test]
fn the_edits_of_a_change_make_one_text_of_the_other() {
    // Units: a, D83D, DE00, b, D83D, DE00.
    let entries = concat!(
        r#"{"kind":"header","documentType":"workspaceRecording@1.0"}"#,
        "\n",
        r#"{"kind":"documentEncountered","id":1,"relativePath":"a"}"#,
        "\n",
        r#"{"kind":"setContent","id":1,"content":"a😀b😀"}"#,
        "\n",
        r#"{"kind":"changed","id":1,"edit":[[0,1,"ä"],[5,6,"\ude01"]]}"#,
    );
    let entries = Entries::read(Path::new("r"), RecordingForm::Lines, Cursor::new(entries));
    let last = Editing::new(entries).last().expect("a change");
    let EventKind::Changed {
        before,
        after,
        edits,
        ..
    } = last.expect("in order").kind
    else {
        panic!("a change");
    };
    let mut text = before.text();
    for edit in edits.iter().rev() {
        text.replace_range(edit.range.start.0..edit.range.end.0, &edit.text);
    }
    assert_eq!(text, "ä😀b😁");
    assert_eq!(after.text(), text);
    assert_eq!(
        (before.version(), after.version()),
        (Version(1), Version(2))
    );
}

#[test]
fn a_restored_content_is_a_document_opened_again() {
    let lines = r#"
{"kind":"storeContent","id":1,"contentId":"c"}
{"kind":"changed","id":1,"time":5,"v":9,"edit":[[0,1,""]]}
{"kind":"changed","id":1,"time":6,"v":10,"edit":[[0,0,"a"]]}
{"kind":"restoreContent","id":1,"time":1,"contentId":"c","v":1}
{"kind":"changed","id":1,"time":7,"v":2,"edit":[[1,1,"b"]]}
"#;
    check(
        "a",
        lines,
        "5: 0 ms Jump \"|\"\n\
         6: 1 ms Keystroke \"a|\"\n\
         7: 1 ms closed 1\n\
         7: 1 ms opened 1 src\\a.rs a.rs rust \"a\"\n\
         8: 2 ms Jump \"ab|\"",
    );
}

#[test]
fn a_content_with_the_time_of_the_end_does_not_delay_later_entries() {
    let lines = r#"
{"kind":"documentEncountered","id":2,"time":90000,"relativePath":"b.rs"}
{"kind":"selectionChanged","id":1,"time":1000,"selection":[[1,1]]}
{"kind":"setContent","id":2,"time":90000,"content":""}
{"kind":"changed","id":2,"time":1500,"edit":[[0,0,"x"]]}
{"kind":"changed","id":1,"time":1400,"edit":[[0,0,"x"]]}
{"kind":"changed","id":1,"edit":[[0,0,"y"]]}
"#;
    check(
        "ab",
        lines,
        "5: 0 ms moved to 1, far\n\
         6: 0 ms opened 2 b.rs b.rs rust \"\"\n\
         7: 500 ms Jump \"x|\"\n\
         8: 500 ms Jump \"x|ab\"\n\
         9: 500 ms Keystroke \"y|xab\"",
    );
}

#[test]
fn contradictions_are_reported_with_their_entry_and_left_out() {
    let lost = "; the recording lost entries, record it again";
    let lines = r#"
{"kind":"selectionChanged","id":1,"selection":[[3,4]]}
{"kind":"changed","id":1,"edit":[[0,0,"x"]]}
{"kind":"selectionChanged","id":1,"selection":[[9,9]]}
{"kind":"restoreContent","id":1,"contentId":"none"}
{"kind":"changed","id":1,"edit":[[4,5,"y"]]}
{"kind":"changed","id":1,"edit":[[0,0,"z"]]}
{"kind":"setContent","id":2,"content":""}
{"kind":"storeContent","id":2,"contentId":"c"}
{"kind":"selectionChanged","id":2,"selection":[[5,5]]}
"#;
    let expected = [
        "4, document 1: the cursor is at 4 in a text of 3",
        "5, document 1: the cursor is at 9 in a text of 4",
        "5: 0 ms Jump \"xabc|\"",
        "7, document 1: no text was stored as \"none\"",
        "8, document 1: a change replaces 4..5 in a text of 4",
        "8: 0 ms closed 1",
        "9, document 1: its text is not known",
        "10, document 2: its path is missing",
        "11, document 2: its text is not known",
    ];
    let expected = expected.map(|line| {
        if line.contains(" ms ") {
            line.to_owned()
        } else {
            format!("entry {line}{lost}")
        }
    });
    check("abc", lines, &expected.join("\n"));
}

#[test]
fn another_text_is_restored_only_into_a_closed_document() {
    let lines = r#"
{"kind":"storeContent","id":1,"contentId":"c"}
{"kind":"changed","id":1,"edit":[[0,1,""]]}
{"kind":"closed","id":1}
{"kind":"restoreContent","id":1,"contentId":"c"}
{"kind":"changed","id":1,"edit":[[0,1,""]]}
{"kind":"restoreContent","id":1,"contentId":"c"}
"#;
    let output = replay("a", lines);
    let problems: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("entry"))
        .collect();
    assert_eq!(problems.len(), 1, "{output}");
    assert!(problems[0].starts_with("entry 9, document 1: another text is restored"));
}

#[test]
fn an_entry_that_cannot_be_read_is_reported_in_its_place() {
    let lines = r#"
{"kind":"changed","id":1,"edit":[[0,0,"x"]]}
{"kind":"opened"}
{"kind":"changed","id":1,"edit":[[0,0,"y"]]}
{"kind":"changed","id
"#;
    let output = replay("", lines.trim_end());
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "4: 0 ms Jump \"x|\"");
    assert!(
        lines[1].contains("entry 5 (opened): missing field `id`"),
        "{output}"
    );
    assert_eq!(lines[2], "6: 0 ms Keystroke \"y|x\"");
    assert!(
        lines[3].contains("truncated: it ends after entry 6"),
        "{output}"
    );
    assert_eq!(lines.len(), 4);
}

#[test]
fn no_byte_makes_it_panic() {
    let lines = r#"
{"kind":"storeContent","id":1,"contentId":"c"}
{"kind":"changed","id":1,"v":2,"edit":[[0,1,"\ude01"],[5,7,"x"]]}
{"kind":"selectionChanged","id":1,"selection":[[1,2]]}
{"kind":"restoreContent","id":1,"contentId":"c"}
{"kind":"event","data":{"sourceId":"InlineCompletions.fetch","kind":"end","requestId":5,"durationMs":6,"result":[{"range":"[5,1 -> 5,9]","text":"t"}]}}
"#;
    for at in 0..lines.len() {
        for byte in b"\"\\}]{[,-9e\n " {
            let mut changed = lines.as_bytes().to_vec();
            changed[at] = *byte;
            let changed = String::from_utf8(changed).expect("all is ASCII");
            assert!(!replay("😀b\r\n😀", &changed).is_empty());
        }
    }
}

#[test]
fn edits_are_classified() {
    use EditKind::{Accept, Deletion, Enter, Insert, Jump, Keystroke, Other};
    check_kind("ab|", r#"[[2,2,"c"]]"#, "", Keystroke);
    check_kind("ab|", r#"[[2,2,"😀"]]"#, "", Keystroke);
    check_kind("|", r#"[[0,0,"()"]]"#, "", Keystroke);
    check_kind("ab|)", r#"[[2,3,")"]]"#, "", Keystroke);
    check_kind("ab|", r#"[[0,2,"abc"]]"#, "", Keystroke);
    check_kind("ab\n    |", r#"[[3,7,""],[7,7,"c"]]"#, "", Keystroke);
    check_kind("ab|", r#"[[2,2,"\n    "]]"#, "", Enter);
    check_kind("ab {|}", r#"[[4,4,"\r\n\t\r\n"]]"#, "", Enter);
    check_kind("ab\n    |", r#"[[3,7,""],[7,7,"\n    "]]"#, "", Enter);
    check_kind("ab|", r#"[[2,2,"cde"]]"#, "inlineSuggestion.accept", Accept);
    check_kind("ab|", r#"[[0,2,"abcde"]]"#, "snippet", Accept);
    check_kind("ab|", r#"[[0,1,"x"],[1,2,"y"]]"#, "snippet", Accept);
    check_kind("ab|", r#"[[1,2,""]]"#, "", Deletion);
    check_kind("abc|", r#"[[0,3,"ac"]]"#, "", Deletion);
    check_kind("ab|", r#"[[2,2,"cde"]]"#, "", Insert);
    check_kind("ab|", r#"[[0,2,"abcde"]]"#, "", Insert);
    check_kind(&format!("|{:101}", "a"), r#"[[101,101,"c"]]"#, "", Jump);
    check_kind("|\n\n\n", r#"[[0,0,"x"],[3,3,"y"]]"#, "", Jump);
    check_kind("ab|", r#"[[0,2,"c"]]"#, "", Other);
    check_kind("ab|", r#"[[2,2,"c\nd\ne"]]"#, "", Other);
    check_kind("ab|", r#"[[0,2,"xyz"]]"#, "", Other);
    check_kind("ab|", r#"[[0,1,"x"],[1,2,"y"]]"#, "", Other);
    check_kind("ab|", r#"[[2,2," "]]"#, "formatEditsCommand", Other);
    check_kind(
        "ab|",
        r#"[[1,1," "],[2,2," "]]"#,
        "formatEditsCommand",
        Other,
    );
}
