//! Texts that are turned into each other, and a repository made for the test.

use std::{fmt::Write, fs, process::Command};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    editing::{EditKind, Editing, EventKind},
    recording::{Entries, RecordingForm, line},
};

/// Returns the text that `actions` leave.
fn performed(before: &str, actions: &[TypingAction]) -> String {
    let mut text = before.to_owned();
    for action in actions {
        if let TypingAction::Edit { range, text: new } = action {
            text.replace_range(range.start.0..range.end.0, new);
        }
    }
    text
}

#[track_caller]
fn check(before: &str, after: &str, expected: &str) {
    let actions = typing::actions(before, after);
    assert_eq!(performed(before, &actions), after);
    let mut typed = String::new();
    for action in actions {
        let written = match action {
            TypingAction::Move(Offset(to)) => write!(typed, "@{to} "),
            TypingAction::Edit { range, text } if range.is_empty() => write!(typed, "{text:?} "),
            TypingAction::Edit { range, text } if text.is_empty() => {
                write!(typed, "-{}..{} ", range.start.0, range.end.0)
            }
            action => panic!("nothing is replaced: {action:?}"),
        };
        written.expect("a string takes everything");
    }
    assert_eq!(typed.trim_end(), expected);
}

#[test]
fn lines_are_added_from_the_end_of_the_line_above() {
    check("a\n}\n", "a\n  bc\n\n}\n", r#"@1 "\n  " "b" "c" "\n""#);
    check("a\r\n", "a\r\n\tb\r\n", r#"@1 "\r\n\t" "b""#);
    check("a\n", "b\na\n", r#"@0 "b" "\n""#);
    check("", "  b\n", r#"@0 "  " "b" "\n""#);
    check("a", "a\nb", r#"@1 "\n" "b""#);
}

#[test]
fn a_line_is_changed_where_it_differs() {
    check(
        "let old = 1;\n",
        "let new = 1;\n",
        r#"@7 -6..7 -5..6 -4..5 "n" "e" "w""#,
    );
    check(
        "call(abcdefghijklmno, and_what_is_not_touched);\n",
        "call(x, and_what_is_not_touched);\n",
        r#"@20 -5..20 "x""#,
    );
    check(
        "one é.\ntwo é.\n",
        "one è.\ntwo è.\n",
        r#"@6 -4..6 "è" @14 -12..14 "è""#,
    );
}

#[test]
fn other_lines_are_deleted_and_typed_again() {
    check(
        "x\nold\nlines\ny\n",
        "x\nnew\ny\n",
        r#"@2 -2..11 "n" "e" "w""#,
    );
    check("x\nold\ny\n", "x\ny\n", "@2 -2..6");
    check("\nx\n", "a\nb\nx\n", r#"@0 "a" "\n" "b""#);
    check("old", "ne\n", r#"@0 -0..3 "n" "e" "\n""#);
}

proptest! {
    #[test]
    fn acts_make_one_text_of_the_other(
        before in "([ab𝒳é\t ]{0,3}(\n|\r\n|\r)){0,6}[ab]{0,2}",
        after in "([ab𝒳é\t ]{0,3}(\n|\r\n|\r)){0,6}[ab]{0,2}",
    ) {
        prop_assert_eq!(performed(&before, &typing::actions(&before, &after)), after);
    }
}

/// A repository with one author and one time.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().expect("a folder"));
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    fn git(&self, arguments: &[&str]) {
        let who = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
        let output = Command::new("git")
            .arg("-C")
            .arg(self.0.path())
            .args(who)
            .args(["-c", "commit.gpgsign=false", "-c", "core.autocrlf=false"])
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", "2020-01-02T03:04:05Z")
            .env("GIT_COMMITTER_DATE", "2020-01-02T03:04:05Z")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{output:?}");
    }

    fn commit(&self, files: &[(&str, &[u8])]) {
        for (name, bytes) in files {
            let path = self.0.path().join(name);
            let folder = path.parent().expect("it is in the repository");
            fs::create_dir_all(folder).expect("a folder");
            fs::write(path, bytes).expect("it is written");
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "-m", "m"]);
    }

    fn sessions(&self, range: &str, paths: &[String], seed: u64) -> Vec<Option<TypedCommit>> {
        let choice = Choice {
            paths,
            is_private: &|path| path.ends_with(".env"),
        };
        let commits = commits(self.0.path(), range).expect("commits");
        let typed =
            |commit| typed_commit(self.0.path(), commit, seed, &choice).expect("it is read");
        commits.iter().map(typed).collect()
    }
}

/// Returns the last text of each document with its path, and the number of jumps.
fn replayed(typed_commit: &TypedCommit) -> (Vec<(String, String)>, usize) {
    let lines: String = typed_commit
        .entries
        .iter()
        .map(|(time, kind)| line(Some(*time), kind))
        .collect();
    let entries = Entries::read(
        Path::new("r"),
        RecordingForm::Lines,
        std::io::Cursor::new(lines),
    );
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut jumps = 0;
    for event in Editing::new(entries) {
        match event.expect("no contradiction").kind {
            EventKind::Opened { path, text, .. } => texts.push((path, text.text())),
            EventKind::Changed {
                document,
                after,
                kind,
                ..
            } => {
                texts[document as usize].1 = after.text();
                jumps += usize::from(kind == EditKind::Jump);
            }
            _ => {}
        }
    }
    (texts, jumps)
}

#[test]
fn a_commit_is_typed_to_what_it_left() {
    let repository = Repository::new();
    let main = "fn main() {\r\n    println!(\"𝒳\");\r\n}\r\n";
    repository.commit(&[("src/a.rs", main.as_bytes()), ("b.py", b"x = 1\n")]);
    let changed = main.replace("𝒳", "𝒳, 𝒴").replace("}", "    // é\r\n}");
    repository.commit(&[("src/a.rs", changed.as_bytes()), ("b.py", b"y = 1\n")]);

    let sessions = repository.sessions("HEAD", &[], 1);
    assert_eq!(sessions.len(), 2);
    for (typed_commit, [python, rust]) in sessions
        .iter()
        .zip([["x = 1\n", main], ["y = 1\n", &changed]])
    {
        let typed_commit = typed_commit.as_ref().expect("text is typed");
        let (texts, jumps) = replayed(typed_commit);
        let pair = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        assert_eq!(texts, [pair("b.py", python), pair("src/a.rs", rust)]);
        assert_eq!(jumps, 0, "the cursor comes first");
        assert_eq!(typed_commit.files, 2);
        assert!(typed_commit.length > Duration::from_secs(1));
        let times: Vec<u64> = typed_commit.entries.iter().map(|(time, _)| *time).collect();
        assert_eq!(times[0], 1_577_934_245_000);
        assert!(times.is_sorted());
    }
    assert_eq!(repository.sessions("HEAD", &[], 1), sessions);
    assert_ne!(repository.sessions("HEAD", &[], 2), sessions);
    assert_eq!(repository.sessions("HEAD~1..HEAD", &[], 1)[0], sessions[1]);

    let only = repository.sessions("HEAD~1..HEAD", &["*.py".to_owned()], 1);
    assert_eq!(
        only[0].as_ref().map(|typed_commit| typed_commit.files),
        Some(1)
    );
}

#[test]
fn about_a_fifth_is_accepted_as_if_it_had_been_suggested() {
    let repository = Repository::new();
    let line = "    let total = first_value + second_value * third;\n";
    repository.commit(&[("a.rs", line.repeat(120).as_bytes())]);
    let sessions = repository.sessions("HEAD", &[], 1);
    let typed_commit = sessions[0].as_ref().expect("text is typed");
    let accepted: usize = typed_commit
        .entries
        .iter()
        .filter_map(|(_, kind)| match kind {
            EntryKind::FetchEnded { result, .. } => Some(result[0].text.chars().count()),
            _ => None,
        })
        .sum();
    let share = accepted as f64 / line.repeat(120).len() as f64;
    assert!((0.12..0.30).contains(&share), "{share}");
    let (texts, _) = replayed(typed_commit);
    assert_eq!(texts[0].1, line.repeat(120));
}

#[test]
fn files_not_written_by_hand_are_left_out() {
    let repository = Repository::new();
    let long = "x".repeat(501);
    let huge = "x\n".repeat(100_001);
    repository.commit(&[
        ("keys.env", b"A=1\n"),
        ("Cargo.lock", b"[[package]]\n"),
        ("a.min.js", b"x\n"),
        ("image.png", b"\x89PNG\0"),
        ("latin.txt", b"\xe9\n"),
        ("wide.json", long.as_bytes()),
        ("huge.txt", huge.as_bytes()),
        ("made.rs", b"// @generated by a program\n"),
    ]);
    repository.git(&["rm", "--quiet", "huge.txt"]);
    repository.commit(&[]);
    assert_eq!(repository.sessions("HEAD", &[], 1), [None, None]);
}

#[test]
fn of_a_merge_the_main_line_is_followed() {
    let repository = Repository::new();
    repository.commit(&[("a.rs", b"1\n")]);
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.commit(&[("b.rs", b"2\n")]);
    repository.git(&["checkout", "--quiet", "main"]);
    repository.commit(&[("c.rs", b"3\n")]);
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "m", "side"]);
    let sessions = repository.sessions("HEAD", &[], 1);
    let texts: Vec<_> = sessions
        .iter()
        .map(|typed_commit| {
            replayed(typed_commit.as_ref().expect("text")).0[0]
                .0
                .clone()
        })
        .collect();
    assert_eq!(texts, ["a.rs", "c.rs", "b.rs"]);
}

#[test]
fn what_git_refuses_is_one_line() {
    let repository = Repository::new();
    repository.commit(&[("a.rs", b"1\n")]);
    let error = |path: &Path, range: &str| {
        let error = commits(path, range).expect_err("there is no such thing");
        error.to_string()
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (message, part) in [
        (error(repository.0.path(), "nonsense"), "nonsense"),
        (error(repository.0.path(), "--output=x"), "--output=x"),
        (error(folder.path(), "HEAD"), "not a git repository"),
        (error(&folder.path().join("none"), "HEAD"), "none"),
    ] {
        assert!(message.starts_with("git log: "), "{message}");
        assert!(message.contains(part), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}

#[test]
fn a_file_with_a_secret_value_is_not_typed() {
    let repository = Repository::new();
    let secret = b"token = '9f86d081884c7d659a2feaa0c55ad015'\n";
    repository.commit(&[("a.py", b"x = 1\n"), ("b.py", secret), ("c.py", b"y = 1\n")]);
    // Deleted text would stay in the recording.
    repository.commit(&[
        ("a.py", b"x = 2\n"),
        ("b.py", b"token = ''\n"),
        ("c.py", secret),
    ]);
    for typed_commit in repository.sessions("HEAD", &[], 1) {
        let (texts, _) = replayed(&typed_commit.expect("text is typed"));
        assert!(texts.iter().all(|(_, text)| !text.contains("9f86d081")));
        assert!(texts.iter().any(|(path, _)| path == "a.py"));
        assert!(texts.iter().all(|(path, _)| path != "b.py"));
    }
}
