//! Tests the real binary with the embedded model from outside: arguments in, text and exit code
//! out.

use std::{
    fs,
    io::{BufRead, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns a command that runs the binary in the repository's root, with a home of its own.
fn tabahead(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tabahead"));
    command
        .args(arguments)
        .current_dir(root())
        .env("HOME", home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("XDG_CACHE_HOME")
        .env_remove("TABAHEAD_LOG");
    command
}

fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a folder");
    tabahead(home.path(), arguments)
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeeds(arguments)).expect("output is JSON")
}

/// Runs a command that must fail, and expects one line on standard error that contains `part`.
#[track_caller]
fn fails(arguments: &[&str], part: &str) {
    let output = run(arguments);
    let error = text(&output.stderr);
    assert!(!output.status.success(), "it succeeds");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains(part), "{error}");
    assert!(output.stdout.is_empty());
}

/// Writes a small recording, in which a line is typed, to a file `name`, and returns its path.
fn recording(folder: &Path, name: &str) -> String {
    let mut log = vec![
        r#"{"kind":"header","documentType":"workspaceRecording@1.0","repoRootUri":"file:///r","time":1000,"uuid":"0"}"#.to_owned(),
        r#"{"kind":"documentEncountered","id":0,"relativePath":"a.py","time":1000}"#.to_owned(),
        r#"{"kind":"setContent","id":0,"v":1,"content":"total = first + second\nprint(total)\n\ntotal","time":1000}"#.to_owned(),
    ];
    let start = "total = first + second\nprint(total)\n\ntotal".len();
    for (n, letter) in " = first + second".chars().enumerate() {
        let (at, time) = (start + n, 2000 + 400 * n);
        log.push(format!(
            r#"{{"kind":"changed","id":0,"v":{},"edit":[[{at},{at},"{letter}"]],"time":{time}}}"#,
            n + 2
        ));
    }
    let file = folder.join(name);
    let text = if name.ends_with(".jsonl") {
        log.join("\n") + "\n"
    } else {
        format!("{{\"log\":[{}]}}", log.join(","))
    };
    fs::write(&file, text).expect("written");
    file.to_str().expect("a plain path").to_owned()
}

#[test]
fn a_replay_compares_policies() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = recording(folder.path(), "a.recording.w.json");
    let lines = recording(folder.path(), "b.recording.w.jsonl");
    let replay = |path: &str| json(&["replay", path, "--answers", "ngram", "--json"]);
    let report = replay(&file);
    assert_eq!(
        (&report["version"], &report["mode"]),
        (&1.into(), &"typist".into())
    );
    let policies = report["policies"].as_object().expect("policies");
    assert!(
        policies
            .keys()
            .eq(["copilot", "exact", "llama-vim", "none", "tabahead"])
    );
    for (name, figures) in policies {
        for field in [
            "/accepts",
            "/next_ready_share",
            "/accept_to_next_ms/p50",
            "/accept_to_next_ms/p90",
            "/accept_to_next_ms/p99",
            "/hit_rate_after_accept",
            "/stale_shows",
            "/wasted_tokens_per_accept",
            "/prefilled_tokens_per_key/p50",
            "/prefilled_tokens_per_key/p90",
        ] {
            assert!(figures.pointer(field).is_some(), "{name} has no {field}");
        }
        assert!(figures["requests"].as_u64() > Some(2), "{name}: {figures}");
    }
    // The other form of the same recording, and both in one folder.
    assert_eq!(replay(&lines)["policies"], report["policies"]);
    let both = replay(folder.path().to_str().expect("a plain path"));
    let names: Vec<&Value> = both["recordings"]
        .as_array()
        .expect("recordings")
        .iter()
        .map(|recording| &recording["name"])
        .collect();
    assert_eq!(names, ["a.recording.w.json", "b.recording.w.jsonl"]);
    let requests = |report: &Value| report["policies"]["none"]["requests"].as_u64();
    assert_eq!(requests(&both), requests(&report).map(|n| 2 * n));
}

#[test]
fn a_replay_takes_the_layout_that_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = recording(folder.path(), "a.recording.w.json");
    let with = |layout: &[&str]| {
        let arguments = [
            "replay",
            &file,
            "--answers",
            "ngram",
            "--mode",
            "recorded",
            "--json",
        ];
        json(&[&arguments[..], layout].concat())
    };
    let per_key = |report: &Value| {
        let pointer = "/policies/none/prefilled_tokens_per_key/mean";
        report
            .pointer(pointer)
            .and_then(Value::as_f64)
            .expect("a mean")
    };
    let own = with(&[]);
    assert_eq!(own["layout"], "suffix-first");
    assert_eq!(with(&["--layout", "suffix-first"]), own);
    let split = with(&["--layout", "split"]);
    assert_eq!(split["layout"], "split");
    // The marker of the middle is computed again after every key.
    assert!(per_key(&split) >= 1.0 && per_key(&own) < per_key(&split));
    assert_eq!(
        with(&["--layout", "prefix-first"])["layout"],
        "prefix-first"
    );
    let wall = ["replay", &file, "--clock", "wall", "--layout", "split"];
    fails(&wall, "--layout is for the virtual clock");
    let output = run(&["replay", &file, "--layout", "middle-first"]);
    let error = text(&output.stderr);
    assert!(
        error.contains("possible values: suffix-first, prefix-first, split"),
        "{error}"
    );
}

#[test]
fn costs_of_the_bench_serve_the_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = recording(folder.path(), "a.recording.w.json");
    let costs = folder.path().join("costs.json");
    let costs = costs.to_str().expect("a plain path");
    fs::write(costs, succeeds(&["bench", "--quick", "--json"])).expect("written");
    let arguments = [
        "replay",
        &file,
        "--answers",
        "ngram",
        "--costs",
        costs,
        "--json",
    ];
    let report = json(&arguments);
    assert_eq!(report["costs"]["layers"], 6);
    fs::write(costs, "{}").expect("written");
    fails(&arguments, "make it with `tabahead bench --json`");
}

#[test]
fn a_recording_that_cannot_be_replayed_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = recording(folder.path(), "a.recording.w.json");
    let whole = fs::read_to_string(&file).expect("it is there");
    let refused = |text: &str, part: &str| {
        fs::write(&file, text).expect("written");
        fails(&["replay", &file, "--answers", "ngram"], part);
    };
    refused(
        &whole[..whole.len() - 30],
        "truncated: it ends after entry 19",
    );
    refused(
        &whole.replace("[[51,51", "[[51,9999"),
        "a.recording.w.json': entry 13",
    );
    refused(
        &whole.replace(r#""edit":[[44"#, r#""edits":[[44"#),
        "entry 6 (changed)",
    );
    refused("not json", "is not a recording");
    refused(&whole.replace("@1.0", "@9.0"), "@9.0");
    fails(
        &["replay", "nowhere.json", "--answers", "ngram"],
        "nowhere.json",
    );
    let empty = tempfile::tempdir().expect("a folder");
    let empty = empty.path().to_str().expect("a plain path");
    fails(&["replay", empty], "holds no recording");
    refused("", "is not a recording");
    refused(r#"{"log":[]}"#, "it has no entries");
    // As a server writes it into which nothing was typed.
    let header = whole.split_once(",{\"kind\":\"documentE").expect("it is").0;
    refused(&format!("{header}]}}"), "nothing was typed in ");
    let wall = ["replay", "x.json", "--clock", "wall", "--answers", "ngram"];
    fails(&wall, "leave --answers ngram out");
    let peer = [
        "replay",
        &file,
        "--clock",
        "wall",
        "--policy",
        "none,copilot",
    ];
    fails(&peer, "'copilot' runs on the virtual clock only");
}

/// Creates a git repository with one commit that adds a file and one that changes it, and a secret.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(folder.path())
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
            .args(["-c", "commit.gpgsign=false"])
            .args(arguments)
            .env("GIT_COMMITTER_DATE", "2020-01-02T03:04:05Z")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    git(&["init", "--quiet"]);
    let old = "def area(width, height):\n    return width * height\n";
    let new =
        format!("{old}\n\ndef volume(width, height, depth):\n    return width * height * depth\n");
    for (python, secret) in [(old, "A=hunter2\n"), (&new, "A=hunter3\n")] {
        fs::write(folder.path().join("area.py"), python).expect("written");
        fs::write(folder.path().join(".env"), secret).expect("written");
        git(&["add", "-A"]);
        git(&["commit", "--quiet", "-m", "m"]);
    }
    folder
}

#[test]
fn commits_become_recordings_that_can_be_replayed() {
    let repository = repository();
    let repository = repository.path().to_str().expect("a plain path");
    let folder = tempfile::tempdir().expect("a folder");
    let record = |commits: &str, folder: &str, seed: &str| {
        let output = succeeds(&[
            "record",
            "--from-git",
            repository,
            "--commits",
            commits,
            "--output",
            folder,
            "--seed",
            seed,
        ]);
        let files = output
            .lines()
            .map(|line| line.split_once("  ").expect("a file").0);
        let read = |file: &str| fs::read_to_string(file).expect("it is there");
        files.map(read).collect::<Vec<String>>()
    };
    let name = folder.path().join("new/place");
    let name = name.to_str().expect("a plain path");
    let recordings = record("HEAD", name, "1");
    assert_eq!(recordings.len(), 2);
    assert_eq!(record("HEAD", name, "1"), recordings);
    assert_eq!(record("HEAD~1..HEAD", name, "1"), recordings[1..]);
    assert_ne!(record("HEAD", name, "2"), recordings);
    assert!(!recordings.concat().contains("hunter"), "a secret is typed");
    #[cfg(unix)]
    for place in [Path::new(name), &Path::new(name).join("..")] {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(place), 0o700, "{}", place.display());
        for entry in fs::read_dir(place).expect("a folder") {
            let path = entry.expect("an entry").path();
            assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 });
        }
    }
    let report = json(&["replay", name, "--answers", "ngram", "--json"]);
    assert_eq!(report["recordings"].as_array().map(Vec::len), Some(2));
    let requests = report["policies"]["tabahead"]["requests"].as_u64();
    assert!(requests > Some(50), "{report}");
}

#[test]
fn what_cannot_be_recorded_is_one_line() {
    let repository = repository();
    let repository = repository.path().to_str().expect("a plain path");
    let empty = tempfile::tempdir().expect("a folder");
    let empty = empty.path().to_str().expect("a plain path");
    let from = |repository, more: &[&'static str], part| {
        let arguments = [&["record", "--from-git", repository, "--commits"], more].concat();
        fails(&arguments, part);
    };
    from(empty, &["HEAD"], "not a git repository");
    from(repository, &["nonsense"], "nonsense");
    from(repository, &["HEAD..HEAD"], "holds no commits");
    from(
        repository,
        &["HEAD", "--path", ".env"],
        "no commit of 'HEAD'",
    );
    from(repository, &["HEAD", "-o", "/dev/null"], "/dev/null");
}

#[test]
fn the_editor_shows_why_nothing_is_recorded_and_suggestions_go_on() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    fs::write(&file, "").expect("a file");
    let mut places = vec![
        ("/dev/null/recordings".to_owned(), "cannot be written: "),
        (file.display().to_string(), "is no folder; name another one"),
    ];
    #[cfg(unix)]
    {
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path().join("nowhere"), &link).expect("a link");
        places.push((link.display().to_string(), "is no folder"));
    }
    let bodies = [
        INITIALIZE,
        r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tabahead/stats"}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"shutdown"}"#,
        r#"{"jsonrpc":"2.0","method":"exit"}"#,
    ];
    for (place, why) in places {
        let output = served(home.path(), &["record", &place], "warn", &bodies);
        let (shown, logged) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{logged}");
        assert!(shown.contains("inlineCompletionProvider"));
        let line = format!("nothing is recorded: '{place}' {why}");
        assert_eq!(shown.matches("window/showMessage").count(), 1, "{shown}");
        assert!(shown.contains(&line), "{shown}");
        assert_eq!(logged.lines().count(), 1, "{logged}");
        assert!(logged.contains("nothing is recorded"), "{logged}");
    }
}

/// Sends messages to a server, and returns what it wrote to both of its outputs.
fn served(home: &Path, arguments: &[&str], log: &str, bodies: &[&str]) -> Output {
    let mut server = tabahead(home, arguments)
        .env("TABAHEAD_LOG", log)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = server.stdin.take().expect("a pipe");
    for body in bodies {
        // A server that refuses its arguments reads nothing.
        let _ = write!(input, "Content-Length: {}\r\n\r\n{body}", body.len());
    }
    drop(input);
    server.wait_with_output().expect("it ends")
}

const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#;

#[test]
fn no_log_level_prints_text_of_files() {
    let home = tempfile::tempdir().expect("a folder");
    let bodies = [
        INITIALIZE,
        r#"{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///w/a.py","languageId":"python","version":1,"text":"canary = 1\ncanary"}}}"#,
        r#"{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///w/a.py"},"contentChanges":"canary"}}"#,
        r#"{"jsonrpc":"2.0","method":"canary}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///w/a.py"},"position":{"line":1,"character":6}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"shutdown"}"#,
        r#"{"jsonrpc":"2.0","method":"exit"}"#,
    ];
    for log in [
        "trace",
        "5",
        "tabahead=trace,tabahead_server=trace,tabahead_session=trace",
        "tabahead[request]=trace",
    ] {
        let output = served(home.path(), &["lsp"], log, &bodies);
        let error = text(&output.stderr);
        assert!(
            text(&output.stdout).contains("inlineCompletionProvider"),
            "{error}"
        );
        assert!(!error.contains("canary"), "{log}: {error}");
    }
    for log in [
        "tower_lsp::codec=trace",
        "tower_lsp=trace",
        "trace,tower_lsp",
        "[{message}]=trace",
    ] {
        let output = served(home.path(), &["lsp"], log, &bodies);
        let error = text(&output.stderr);
        assert!(!output.status.success());
        assert!(error.contains("is not a log level"), "{error}");
        assert!(!error.contains("canary"), "{log}: {error}");
    }
}

#[test]
fn a_wrong_key_in_the_file_is_reported_to_the_editor_and_the_server_serves() {
    let home = tempfile::tempdir().expect("a folder");
    configure(home.path(), "typo = 1\nlanguages = { python = false }\n");
    let bodies = [
        INITIALIZE,
        r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tabahead/stats"}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"shutdown"}"#,
        r#"{"jsonrpc":"2.0","method":"exit"}"#,
    ];
    let output = served(home.path(), &["lsp"], "error", &bodies);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = text(&output.stdout);
    assert!(
        output.contains("unknown setting 'typo' (in the configuration file)"),
        "{output}"
    );
    // A command prints the same error and nothing else.
    let output = tabahead(home.path(), &["complete", "examples/inventory.py:48"]).output();
    let output = output.expect("the binary starts");
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("unknown setting 'typo'"));
}

#[test]
fn a_file_that_gets_no_suggestions_is_shown_to_no_model_by_a_command_either() {
    let home = tempfile::tempdir().expect("a folder");
    let rules =
        "paths = [{ glob = \"~/private\", enabled = false }]\nlanguages = { ruby = false }\n";
    configure(home.path(), rules);
    let private = home.path().join("private");
    fs::create_dir(&private).expect("a folder");
    for (name, why) in [
        (".env", "may hold secrets"),
        ("id_rsa", "may hold secrets"),
        ("private/a.py", "'paths'"),
        ("a.rb", "'languages'"),
        ("a.min.js", "minified"),
    ] {
        fs::write(home.path().join(name), "canary = 1\ncanary").expect("written");
        let place = format!("{}:2", home.path().join(name).display());
        let output = tabahead(home.path(), &["complete", &place]).output();
        let output = output.expect("the binary starts");
        let error = text(&output.stderr);
        assert!(!output.status.success(), "{name}");
        assert!(
            error.contains(why) && error.lines().count() == 1,
            "{name}: {error}"
        );
        assert!(output.stdout.is_empty() && !error.contains("canary"));
    }
    // Another name of the same file does not help either.
    #[cfg(unix)]
    {
        let link = home.path().join("plain.txt");
        std::os::unix::fs::symlink(home.path().join(".env"), &link).expect("a link");
        let output =
            tabahead(home.path(), &["complete", &format!("{}:2", link.display())]).output();
        let output = output.expect("the binary starts");
        assert!(text(&output.stderr).contains("may hold secrets"));
    }
}

#[test]
fn a_line_that_holds_a_secret_is_not_completed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.py");
    fs::write(&file, "password = 'h7Gd93kKs02Lw'\nx = 1\n").expect("written");
    let report = json(&["complete", &format!("{}:1:14", file.display()), "--json"]);
    assert_eq!(report["chain"][0]["reason"], "secret", "{report}");
}

#[test]
fn rows_of_secrets_are_left_out_of_an_evaluation() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |path: &str, middle: &str| {
        format!(
            r#"{{"prefix":"token = ","suffix":"\n","middle":"{middle}","language":"python","path":"{path}"}}"#
        )
    };
    let file = folder.path().join("rows.jsonl");
    let eval = |rows: &[String]| {
        fs::write(&file, rows.join("\n")).expect("written");
        run(&["eval", file.to_str().expect("a plain path"), "--json"])
    };
    let private = [
        row("w/.env", "1"),
        row("secrets/a.json", "1"),
        row("a.py", "'9f86d081884c7d65'"),
    ];
    let output = eval(&private);
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("only rows of secrets"),
        "{}",
        text(&output.stderr)
    );
    let output = eval(&[&private[..], &[row("a.py", "1")]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["rows"], 1, "{report}");
}

#[test]
fn a_chain_of_tabs_is_speculated_and_equals_the_one_that_is_not() {
    // The pause lasts until nothing is left to compute, so the origin is certain: everything that
    // is wanted ahead is there.
    let place = "examples/inventory.py:48:32";
    let report = json(&[
        "complete", place, "--tabs", "3", "--pause", "600s", "--json",
    ]);
    assert_eq!(report["file"], "examples/inventory.py");
    assert_eq!(
        (&report["line"], &report["column"]),
        (&48.into(), &32.into())
    );
    assert_eq!(report["equal"], true);
    let chain = report["chain"].as_array().expect("a chain");
    assert_eq!(chain[0]["origin"], "miss");
    assert_eq!(chain[0]["answer"], "suggestion");
    assert!(chain.len() > 1, "there is nothing to accept");
    for (tab, step) in chain.iter().enumerate() {
        assert_eq!(step["tab"], tab);
        assert_eq!(step["equal"], true);
        assert_eq!(step["text"], step["without_speculation"]["text"]);
        assert!(step["elapsed_ms"].is_number());
        if tab > 0 {
            assert_eq!(step["origin"], "speculated", "{step}");
        }
    }
    assert!(report["tab_to_next_ms"]["with_speculation"].is_number());
}

#[test]
fn without_speculation_nothing_is_compared() {
    let place = "examples/inventory.py:48:32";
    let arguments = [
        "complete",
        place,
        "--tabs",
        "1",
        "--no-speculation",
        "--json",
    ];
    let report = json(&arguments);
    assert!(report.get("equal").is_none());
    for step in report["chain"].as_array().expect("a chain") {
        assert_ne!(step["origin"], "speculated");
        assert!(step.get("without_speculation").is_none());
    }
}

#[test]
fn the_suggestion_is_shown_in_the_buffer() {
    let shown = succeeds(&["complete", "examples/inventory.py:48:32", "--tabs", "1"]);
    assert!(shown.contains("for item in self.items:"), "{shown}");
    assert!(shown.contains('⟦'), "{shown}");
    assert!(shown.contains("Tab to next suggestion: median "), "{shown}");
    assert!(shown.contains("every answer is the same"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn a_wrong_place_is_one_line() {
    fails(&["complete", "examples/shapes.rs"], "FILE:LINE");
    fails(&["complete", "examples/none.rs:1:1"], "examples/none.rs");
    fails(
        &["complete", "examples/shapes.rs:1:2:3"],
        "'examples/shapes.rs:1:2:3' has a number too many",
    );
    fails(
        &["complete", "examples/shapes.rs:9999"],
        "there is no line 9999",
    );
    fails(
        &["complete", "examples/shapes.rs:1:999"],
        "there is no column 999",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("latin1.py");
    fs::write(&file, b"# gr\xfc\xdfe\n").expect("written");
    fails(&["complete", &format!("{}:1", file.display())], "not UTF-8");
}

#[test]
fn a_model_that_is_none_is_one_line() {
    let place = "examples/shapes.rs:1";
    fails(&["complete", place, "--model", "Cargo.toml"], "Cargo.toml");
    fails(&["model", "inspect", "no-such.gguf"], "no-such.gguf");
}

#[test]
fn rows_are_evaluated() {
    let report = json(&[
        "eval",
        "crates/tabahead/tests/data/eval-own.jsonl",
        "--json",
    ]);
    assert_eq!(report["rows"], 24);
    for key in ["exact", "edit_similarity"] {
        for value in [
            &report[key],
            &report["alone"][key],
            &report["copier"][key],
            &report["either"][key],
        ] {
            let share = value.as_f64().expect("a share");
            assert!((0.0..=1.0).contains(&share), "{key} {share}");
        }
        assert!(report["either"][key].as_f64() >= report["alone"][key].as_f64());
        assert!(report["either"][key].as_f64() >= report["copier"][key].as_f64());
    }
    let rows = |language: &str| report["by_language"][language]["rows"].as_u64();
    assert_eq!((rows("python"), rows("rust")), (Some(6), Some(18)));
    assert_eq!(report["most_confident"][19]["exact"], report["exact"]);
}

#[test]
fn a_gate_that_lets_nothing_pass_predicts_nothing() {
    let rows = "crates/tabahead/tests/data/eval-own.jsonl";
    let gate = [
        "eval",
        rows,
        "--limit",
        "3",
        "--gate",
        "--min-log-prob",
        "1",
        "--json",
    ];
    let report = json(&gate);
    assert_eq!(report["rows"], 3);
    assert_eq!(report["exact"], 0.0);
    assert_eq!(report["gate"]["shown"], 0.0);
}

#[test]
fn a_wrong_row_is_named_by_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.jsonl");
    let row = r#"{"prefix":"a","suffix":"","middle":"b","language":"c"}"#;
    fs::write(&file, format!("{row}\n{{\"prefix\":1}}\n")).expect("written");
    let file = file.to_str().expect("a path in UTF-8");
    fails(&["eval", file], "rows.jsonl:2: not a row");
    fails(&["eval", "no-such.jsonl"], "no-such.jsonl");
    fs::write(file, "\n\n").expect("written");
    fails(&["eval", file], "holds no rows");
    let folder = folder.path().to_str().expect("a path in UTF-8");
    fails(
        &["eval", folder],
        "is a folder; give a file with one row per line",
    );
}

#[test]
fn the_doctor_finds_nothing_wrong_and_asks_the_model() {
    let report = json(&["doctor", "--json"]);
    assert_eq!(report["ok"], true);
    let checks = report["checks"].as_array().expect("checks");
    let model = checks.iter().find(|check| check["name"] == "model");
    assert_eq!(model.expect("the model is checked")["state"], "ok");
    assert_eq!(report["model"]["built_in"], true);
}

#[test]
fn the_doctor_leads_from_the_built_in_model_to_a_real_one() {
    let report = json(&["doctor", "--json"]);
    let models = report["models"].as_array().expect("models");
    let fits = |model: &&Value| model["fits"] == true;
    let found = succeeds(&["doctor"]);
    match models.iter().rfind(fits) {
        Some(model) => {
            let command = model["command"].as_str().expect("a line");
            assert!(found.lines().any(|line| line.trim() == command), "{found}");
        }
        None => assert!(found.contains("the built-in model stays"), "{found}"),
    }
}

#[test]
fn the_doctor_has_a_hint_about_more_threads_than_cores() {
    let home = tempfile::tempdir().expect("a folder");
    configure(home.path(), "threads = 1000\n");
    let output = tabahead(home.path(), &["doctor"]).output().expect("starts");
    let found = text(&output.stdout);
    let hint = found.lines().find(|line| line.contains("1000 threads on"));
    let hint = hint.unwrap_or_else(|| panic!("no hint: {found}"));
    let file = home.path().join(".config/tabahead/config.toml");
    assert!(
        hint.starts_with("hint") && hint.contains(&file.display().to_string()),
        "{hint}"
    );
}

#[test]
fn the_doctor_looks_at_the_file_that_is_named() {
    let home = home_with_model("models/copy.gguf");
    configure(home.path(), "model = \"~/models/copy.gguf\"\n");
    let doctor = |home: &Path| {
        let output = tabahead(home, &["doctor", "--json"])
            .output()
            .expect("starts");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let checks = report["checks"].as_array().expect("checks");
        let model = checks.iter().find(|check| check["name"] == "model");
        let model = model.expect("the model is checked");
        let message = model["message"].as_str().expect("a message").to_owned();
        (output.status.success(), message, report)
    };
    let (succeeded, message, report) = doctor(home.path());
    let file = home.path().join("models/copy.gguf");
    assert!(succeeded, "{message}");
    assert!(message.contains(&file.display().to_string()), "{message}");
    assert_eq!(report["model"]["built_in"], false);
    let size = fs::metadata(&file).expect("it is there").len();
    assert_eq!(report["model"]["file_bytes"], size);
    assert!(
        !text(
            &tabahead(home.path(), &["doctor"])
                .output()
                .expect("starts")
                .stdout
        )
        .contains("curl")
    );

    configure(home.path(), "model = \"~/models/gone.gguf\"\n");
    let (succeeded, message, _) = doctor(home.path());
    assert!(!succeeded);
    let gone = home.path().join("models/gone.gguf");
    assert!(
        message.contains(&format!("there is nothing at '{}'", gone.display())),
        "{message}"
    );
}

/// Creates a home with a model at `place` below it.
fn home_with_model(place: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join(place);
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    let mini = root().join("crates/tabahead-mini/mini.gguf");
    fs::copy(mini, file).expect("copied");
    home
}

fn configure(home: &Path, text: &str) {
    let folder = home.join(".config/tabahead");
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join("config.toml"), text).expect("written");
}

/// Returns `Ok` if the command finds the file that the configuration or the flag names, else its
/// error.
fn inspected(mut command: Command) -> Result<(), String> {
    let output = command.output().expect("starts");
    if output.status.success() {
        Ok(())
    } else {
        Err(text(&output.stderr))
    }
}

#[test]
fn a_models_path_counts_from_the_home_or_from_its_configuration_file() {
    let home = home_with_model(".config/tabahead/models/copy.gguf");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let inspect = |home: &Path, more: &[&str]| {
        let mut arguments = vec!["model", "inspect"];
        arguments.extend(more);
        let mut command = tabahead(home, &arguments);
        command.current_dir(elsewhere.path());
        inspected(command)
    };
    for setting in ["models/copy.gguf", "~/.config/tabahead/models/copy.gguf"] {
        configure(home.path(), &format!("model = \"{setting}\"\n"));
        assert_eq!(inspect(home.path(), &[]), Ok(()));
    }
    // Another configuration file, named from the working directory, with an empty home.
    configure(home.path(), "model = \"models/copy.gguf\"\n");
    fs::rename(
        home.path().join(".config/tabahead"),
        elsewhere.path().join("own"),
    )
    .expect("moved");
    assert_eq!(
        inspect(home.path(), &["--config", "own/config.toml"]),
        Ok(())
    );

    // The working directory has such a file, but the setting is not relative to it.
    configure(home.path(), "model = \"own/models/copy.gguf\"\n");
    let line = inspect(home.path(), &[]).expect_err("it is not in the configuration's folder");
    let tried = home.path().join(".config/tabahead/own/models/copy.gguf");
    assert!(
        line.contains(&format!(
            "there is nothing at '{}'; give the path",
            tried.display()
        )),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1, "{line}");
    // A path on the command line is.
    assert_eq!(inspect(home.path(), &["own/models/copy.gguf"]), Ok(()));
}

#[test]
fn a_model_is_named_in_the_configuration_file_when_it_completes() {
    let home = home_with_model("models/copy.gguf");
    let run = |arguments: &[&str]| tabahead(home.path(), arguments).output().expect("starts");
    let file = home.path().join("models/copy.gguf");
    let used = run(&["model", "use", file.to_str().expect("a plain path")]);
    assert!(used.status.success(), "{}", text(&used.stderr));
    let configuration = home.path().join(".config/tabahead/config.toml");
    let written = || fs::read_to_string(&configuration).expect("it is there");
    assert_eq!(written(), "model = \"~/models/copy.gguf\"\n");
    let report: Value = serde_json::from_slice(&run(&["doctor", "--json"]).stdout).expect("JSON");
    assert_eq!(report["model"]["built_in"], false);

    let refused = run(&["model", "use", "Cargo.toml"]);
    assert!(!refused.status.success());
    assert_eq!(text(&refused.stderr).lines().count(), 1);
    assert_eq!(written(), "model = \"~/models/copy.gguf\"\n");

    assert!(run(&["model", "use", "mini"]).status.success());
    assert_eq!(written(), "model = \"mini\"\n");
}

#[test]
fn an_editors_server_takes_no_path_that_counts_from_where_the_editor_was_started() {
    fails(&["lsp", "--model", "model.gguf"], "write the whole path");
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = folder.path().to_str().expect("a plain path");
    fails(
        &["record", recordings, "--model", "./mini"],
        "write the whole path",
    );
}

#[test]
fn the_doctor_names_a_wrong_setting() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".config/tabahead");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("config.toml"), "modle = \"mini\"\n").expect("written");
    let output = tabahead(home.path(), &["doctor"]).output().expect("starts");
    assert!(!output.status.success());
    let found = text(&output.stdout);
    assert!(found.contains("problem"), "{found}");
    assert!(found.contains("'modle'"), "{found}");
    let output = tabahead(home.path(), &["config"]).output().expect("starts");
    let error = text(&output.stderr);
    assert!(
        error.contains("config.toml") && error.contains("'modle'"),
        "{error}"
    );
}

#[test]
fn each_wrong_setting_of_the_file_is_named_on_a_line() {
    let home = tempfile::tempdir().expect("a folder");
    configure(
        home.path(),
        "typo = 1\nthreads = \"many\"\nmax_tokens = 9\n",
    );
    let doctor = tabahead(home.path(), &["doctor"]).output().expect("starts");
    let found = text(&doctor.stdout);
    assert!(
        found.contains("'typo'") && found.contains("'threads'"),
        "{found}"
    );
    for arguments in [&["config"][..], &["complete", "examples/inventory.py:48"]] {
        let output = tabahead(home.path(), arguments).output().expect("starts");
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 2, "{error}");
        assert!(
            lines.iter().all(|line| line.contains("config.toml: line ")),
            "{error}"
        );
        for part in [
            "line 1: unknown setting 'typo'",
            "line 2: setting 'threads'",
        ] {
            assert_eq!(
                lines.iter().filter(|line| line.contains(part)).count(),
                1,
                "{error}"
            );
        }
    }
}

#[test]
fn a_server_without_an_editor_reports_that_in_a_line() {
    let home = tempfile::tempdir().expect("a folder");
    let recordings = home.path().join("recordings");
    let recordings = recordings.to_str().expect("Unicode");
    for arguments in [&["lsp"][..], &["record", recordings]] {
        let output = served(home.path(), arguments, "warn", &[]);
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains("no editor is connected"), "{error}");
    }
}

#[test]
fn settings_come_from_the_file_in_the_config_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("tabahead")).expect("a folder");
    let file = folder.path().join("tabahead/config.toml");
    fs::write(&file, "threads = 1\n[speculation]\ndepth = 7\n").expect("written");
    let output = tabahead(folder.path(), &["config", "--json"])
        .env("XDG_CONFIG_HOME", folder.path())
        .output()
        .expect("starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["found"], true);
    assert_eq!(report["settings"]["threads"], 1);
    assert_eq!(report["settings"]["speculation"]["depth"], 7);
    assert_eq!(report["settings"]["model"], "mini");
    assert_eq!(
        report["from_file"],
        serde_json::json!(["threads", "speculation.depth"])
    );
}

#[test]
fn a_model_is_inspected_and_asked() {
    let model = json(&["model", "inspect", "--json"]);
    assert_eq!(model["architecture"], "llama");
    assert!(model["fim_tokens"]["suffix"].is_number());
    let by_text = json(&[
        "model",
        "logits",
        "--text",
        "import os",
        "--top",
        "3",
        "--json",
    ]);
    let tokens = by_text["tokens"].as_array().expect("tokens");
    let tokens: Vec<String> = tokens.iter().map(Value::to_string).collect();
    let by_token = [
        "model",
        "logits",
        "--tokens",
        &tokens.join(","),
        "--top",
        "3",
        "--json",
    ];
    assert_eq!(json(&by_token), by_text);
    let top = by_text["top"].as_array().expect("tokens");
    assert_eq!(top.len(), 3);
    assert!(top[0]["log_prob"].as_f64() >= top[1]["log_prob"].as_f64());
}

/// Returns the path of a tiny model that the engine's tests use too.
fn fixture(name: &str) -> String {
    format!("crates/tabahead-engine/tests/fixtures/{name}")
}

#[test]
fn models_of_both_formats_are_inspected() {
    for (name, format, weights) in [
        ("qwen2.gguf", "gguf", "f32"),
        ("qwen2", "safetensors", "f16"),
    ] {
        let model = json(&["model", "inspect", &fixture(name), "--json"]);
        assert_eq!(model["format"], format);
        assert_eq!(model["weights"][weights], 27);
        assert_eq!(model["tokenizer"]["pre_tokenizer"], "qwen2");
        assert_eq!(model["completes"], true);
        assert_eq!(model["refusal"], Value::Null);
        assert_eq!(model["fim_tokens"]["suffix"], 387);
    }
}

#[test]
fn a_model_without_a_tokenizer_is_inspected_and_asked_but_does_not_complete() {
    for name in ["qwen3.gguf", "qwen3"] {
        let path = fixture(name);
        let model = json(&["model", "inspect", &path, "--json"]);
        assert_eq!(model["architecture"], "qwen3");
        assert_eq!(model["vocabulary"], 64);
        assert_eq!(model["tokenizer"], Value::Null);
        assert_eq!(model["completes"], false);
        let refusal = model["refusal"].as_str().expect("a reason");
        assert!(refusal.contains("tokenizer"), "{refusal}");
        assert!(succeeds(&["model", "inspect", &path]).contains(refusal));
        let tokens = ["model", "logits", &path, "--tokens", "1,2,3", "--json"];
        let report = json(&tokens);
        assert_eq!(report["logits"].as_array().expect("scores").len(), 64);
        let best = &report["top"][0];
        let id = best["id"].as_u64().expect("an id") as usize;
        assert_eq!(best["logit"], report["logits"][id]);
        fails(&["model", "logits", &path, "--text", "a"], "use --tokens");
        let place = "examples/shapes.rs:1";
        fails(&["complete", place, "--model", &path], "tokenizer");
        fails(&["bench", "--model", &path], "tokenizer");
    }
}

#[test]
fn a_directory_reads_text_and_is_completed_with_as_the_file_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.py");
    // The model is random: with this name and this text, it suggests something.
    fs::write(&file, "fn a() {").expect("written");
    let place = format!("{}:1", file.display());
    let asked = |name: &str| {
        let model = fixture(name);
        let logits = json(&["model", "logits", &model, "--text", "fn a() {", "--json"]);
        let report = json(&["complete", &place, "--model", &model, "--json"]);
        let step = &report["chain"][0];
        let text = step["text"].as_str().expect("a suggestion").to_owned();
        (
            text,
            logits["tokens"].clone(),
            logits["top"][0]["id"].clone(),
        )
    };
    assert_eq!(asked("qwen2"), asked("qwen2.gguf"));
}

#[test]
fn logits_take_the_model_by_place_or_by_name() {
    let by_place = json(&["model", "logits", "mini", "--tokens", "5,6", "--json"]);
    let by_name = [
        "model", "logits", "--model", "mini", "--tokens", "5,6", "--json",
    ];
    assert_eq!(json(&by_name), by_place);
    let scores = by_place["logits"].as_array().expect("scores");
    let model = json(&["model", "inspect", "mini", "--json"]);
    assert_eq!(model["vocabulary"], scores.len());
}

#[test]
fn the_engine_is_measured_with_one_thread_and_with_all() {
    let report = json(&["bench", "--quick", "--threads", "2", "--json"]);
    let positive = |pointer: &str| {
        let figure = report.pointer(pointer).and_then(Value::as_f64);
        assert!(figure.is_some_and(|figure| figure > 0.0), "{pointer}");
    };
    for pointer in [
        "/load_ms",
        "/weight_bytes",
        "/kv_bytes_per_token",
        "/layers",
        "/hit_us",
        "/prefill/512",
        "/decode/512",
        "/branches/4/step_ratio",
        "/cut_and_append/ratio",
        "/bandwidth/gb_per_s",
    ] {
        positive(pointer);
    }
    let threads = report["threads"].as_object().expect("details");
    assert!(threads.keys().eq(["1", "2"]), "{threads:?}");
    for count in threads.keys() {
        for figure in [
            "prefill/128/tokens_per_s",
            "prefill/1024/tokens_per_s",
            "decode/0/step_p50_ms",
            "decode/512/step_p99_ms",
            "branches/8/step_ms",
            "cut_and_append/cut_step_ms",
            "bandwidth/gb_per_s",
        ] {
            positive(&format!("/threads/{count}/{figure}"));
        }
        for cost in ["fixed_ms", "row_ms"] {
            assert!(threads[count]["costs"][cost].is_f64(), "{cost}");
        }
        // The built-in model's context holds 1024 tokens.
        assert_eq!(threads[count]["decode"]["2048"], Value::Null);
    }
    for wait in ["", "/one_step"] {
        for company in ["idle", "during_speculation", "difference"] {
            for quantile in ["p50", "p90", "p99", "max"] {
                let figure = report.pointer(&format!("/wait{wait}/{company}/{quantile}"));
                assert!(figure.is_some_and(Value::is_f64), "{wait} {company}");
            }
        }
    }
}

#[test]
fn the_page_of_figures_marks_what_does_not_fit_the_model() {
    let page = succeeds(&["bench", "--quick", "--threads", "1"]);
    assert!(
        page.contains("1 thread") && !page.contains("threads"),
        "{page}"
    );
    let line = |name: &str| {
        let line = page.lines().find(|line| line.trim().starts_with(name));
        line.unwrap_or_else(|| panic!("no {name} in {page}"))
    };
    assert!(line("after 2048 tokens").ends_with('-'), "{page}");
    assert!(line("during speculation").contains('.'), "{page}");
    assert!(!page.contains('\u{1b}'), "colours without a terminal");
}

/// Writes a script to use instead of llama.cpp's `llama-bench`.
#[cfg(unix)]
fn llama_bench(folder: &Path, body: &str) -> String {
    use std::os::unix::fs::PermissionsExt;

    let program = folder.join("llama-bench");
    fs::write(&program, format!("#!/bin/sh\n{body}\n")).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("made executable");
    program.to_str().expect("UTF-8").to_owned()
}

#[cfg(unix)]
#[test]
fn the_engine_is_compared_with_llama_cpp() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("model.gguf");
    fs::write(&model, tabahead_mini::WEIGHTS).expect("written");
    let model = model.to_str().expect("UTF-8");
    // It reads faster with two threads and decodes faster with one. It knows only prompts of 512
    // tokens and decoding after them.
    let program = llama_bench(
        folder.path(),
        r#"case "$*" in
            *model.gguf*"-t 1 -p 512 -n 0 -d 0"*) echo '[{"avg_ts": 1.0}]' ;;
            *model.gguf*"-t 2 -p 512 -n 0 -d 0"*) echo '[{"avg_ts": 2.0}]' ;;
            *model.gguf*"-t 1 -p 0 -n 32 -d 512"*) echo '[{"avg_ts": 0.5}]' ;;
            *model.gguf*"-t 2 -p 0 -n 32 -d 512"*) echo '[{"avg_ts": 0.25}]' ;;
            *) echo "what is this: $*" >&2; exit 1 ;;
        esac"#,
    );
    let arguments = ["bench", "--quick", "--threads", "2", "--model", model];
    let compare = ["--compare-llama", &program];
    let report = json(&[&arguments[..], &compare, &["--json"]].concat());
    for (work, threads, rate) in [("prefill", 2, 2.0), ("decode", 1, 0.5)] {
        let llama = &report[work]["llama"];
        assert_eq!(llama["threads"], threads, "{report}");
        assert_eq!(llama["tokens_per_s"], rate, "{report}");
        let number = |pointer: &str| report[work].pointer(pointer).and_then(Value::as_f64);
        let ours = number("/tabahead/tokens_per_s").expect("a number");
        let ratio = number("/ratio").expect("a number");
        // A number that was printed and parsed may differ in its last digit.
        assert!((ratio * rate / ours - 1.0).abs() < 1e-12, "{report}");
    }
    let bandwidth = report.pointer("/bandwidth/gb_per_s");
    assert!(bandwidth.and_then(Value::as_f64) > Some(0.0), "{report}");

    let page = succeeds(&[&arguments[..], &compare].concat());
    assert!(page.contains("llama.cpp") && page.contains('×'), "{page}");

    let broken = llama_bench(folder.path(), "echo 'no such model' >&2; exit 1");
    let compare = ["--compare-llama", &broken];
    fails(&[&arguments[..], &compare].concat(), "no such model");
    fails(&["bench", "--quick", "--compare-llama", &broken], "--model");
}

#[test]
fn without_servers_there_are_no_statistics() {
    assert_eq!(json(&["stats", "--json"])["servers"], Value::Array(vec![]));
    assert!(succeeds(&["stats"]).contains("No server runs"));
}

#[test]
fn shells_get_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = succeeds(&["completions", shell]);
        assert!(script.contains("tabahead") && script.contains("doctor"));
    }
}

#[cfg(unix)]
#[test]
fn bash_lists_the_commands_after_an_empty_word() {
    // Sets what bash sets when Tab is pressed after these words.
    let listed = |words: &[&str]| {
        let script = "source <(\"$0\" completions bash)
            COMP_WORDS=(tabahead \"$@\") COMP_CWORD=$#
            _tabahead tabahead \"${COMP_WORDS[$#]}\" \"${COMP_WORDS[$# - 1]}\"
            printf '%s\\n' \"${COMPREPLY[@]}\"";
        let output = Command::new("bash")
            .args(["--norc", "-c", script, env!("CARGO_BIN_EXE_tabahead")])
            .args(words)
            .output()
            .expect("bash runs");
        text(&output.stdout)
    };
    for (words, expected) in [
        (&[""][..], &["lsp", "complete", "doctor", "model"][..]),
        (&["do"], &["doctor"]),
        (&["model", ""], &["inspect", "use", "logits"]),
    ] {
        let listed = listed(words);
        for command in expected {
            assert!(
                listed.lines().any(|line| line == *command),
                "{words:?}: {listed}"
            );
        }
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let home = tempfile::tempdir().expect("a folder");
    let mut child = tabahead(home.path(), &["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let mut error = String::new();
    let mut stderr = child.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut error).expect("UTF-8");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(error, "");
}

#[test]
fn a_wrong_log_level_is_refused() {
    fails(&["--log", "a=b=c", "config"], "log level");
}

#[test]
fn nothing_but_the_output_is_printed_on_a_terminal_with_colours() {
    let home = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["stats"][..],
        &["config"],
        &["model", "inspect"],
        &["completions", "bash"],
        &["complete", "crates/tabahead/src/main.rs:3", "--tabs", "0"],
    ] {
        let output = tabahead(home.path(), arguments)
            .env_remove("NO_COLOR")
            .env("CLICOLOR_FORCE", "1")
            .env("TERM", "xterm-256color")
            .output()
            .expect("the binary starts");
        assert!(output.status.success(), "{arguments:?}");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
}

/// Reports whether a text would do anything to a terminal besides starting a new line.
fn commands(text: &str) -> bool {
    text.chars()
        .any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c))
}

#[test]
fn text_of_files_and_models_does_not_command_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a\u{1b}]0;name\u{7}.py");
    fs::write(
        &file,
        "# \u{1b}]0;title\u{7} \u{1b}[2J \u{9b}8m \u{202e} x\r\rdef add(a, b):\n    return ",
    )
    .expect("written");
    let place = format!("{}:4", file.display());
    let shown = succeeds(&["complete", &place, "--tabs", "1", "--no-speculation"]);
    assert!(shown.contains("␛]0;title␇"), "{shown}");
    assert!(!commands(&shown), "{shown:?}");
    // The same holds for an error.
    let place = format!("{}:40", file.display());
    let output = run(&["complete", &place]);
    let error = text(&output.stderr);
    assert!(
        error.contains("there is no line 40") && !commands(&error),
        "{error:?}"
    );

    let mut model = fs::read(root().join("crates/tabahead-mini/mini.gguf")).expect("it is there");
    let key = b"general.name";
    let at = model.windows(key.len()).position(|bytes| bytes == key);
    // The value's type and its length follow the key.
    let name = at.expect("it has a name") + key.len() + 4 + 8;
    model[name..name + 4].copy_from_slice(b"\x1b[2J");
    let file = folder.path().join("model.gguf");
    fs::write(&file, model).expect("written");
    let file = file.to_str().expect("Unicode");
    for arguments in [
        &["model", "inspect", file][..],
        &["doctor", "--model", file],
        &["complete", "crates/tabahead/src/main.rs:3", "--model", file],
    ] {
        let output = run(arguments);
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert!(shown.contains("mini") || shown.contains("␛[2J"), "{shown}");
        assert!(!commands(&shown), "{arguments:?}: {shown:?}");
    }
}

#[test]
fn the_longest_suggestion_that_may_be_set_leaves_room_to_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    fs::write(&file, "max_tokens = 1024\n").expect("written");
    let config = file.to_str().expect("Unicode");
    let place = "crates/tabahead/tests/cli.rs:200";
    let answer = json(&[
        "--config",
        config,
        "complete",
        place,
        "--json",
        "--no-speculation",
    ]);
    assert_ne!(answer["chain"][0]["reason"], "too long for the model");
    assert_eq!(answer["chain"][0]["origin"], "miss");
    let checks = run(&["--config", config, "doctor", "--json"]);
    let checks: Value = serde_json::from_slice(&checks.stdout).expect("output is JSON");
    let model = checks["checks"].as_array().expect("checks").iter();
    let model = model
        .filter(|check| check["name"] == "model")
        .map(|check| &check["state"]);
    assert_eq!(model.collect::<Vec<_>>(), ["ok"]);
}

/// Starts a server.
fn server(home: &Path) -> std::process::Child {
    tabahead(home, &["lsp"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

fn frame(body: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn a_client_that_closes_its_end_of_the_output_ends_the_server_quietly() {
    let home = tempfile::tempdir().expect("a folder");
    let mut server = server(home.path());
    drop(server.stdout.take());
    let mut input = server.stdin.take().expect("piped");
    input.write_all(&frame(INITIALIZE)).expect("it reads");
    // The input stays open.
    let status = server.wait().expect("it ends");
    drop(input);
    let mut log = String::new();
    let mut stderr = server.stderr.take().expect("piped");
    stderr.read_to_string(&mut log).expect("text");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_header_with_an_impossible_length_is_skipped_and_the_server_answers() {
    let home = tempfile::tempdir().expect("a folder");
    let mut server = server(home.path());
    let mut input = server.stdin.take().expect("piped");
    let shutdown = r#"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#;
    let exit = r#"{"jsonrpc":"2.0","method":"exit"}"#;
    for bytes in [
        &frame(INITIALIZE)[..],
        b"Content-Length: 18446744073709551610\r\n\r\n",
        &frame(r#"{"jsonrpc":"2.0","id":1e400,"method":"shutdown"}"#),
        &frame(shutdown),
        &frame(exit),
    ] {
        input.write_all(bytes).expect("it reads");
    }
    // The input stays open: the end of it would end the server too.
    let output = server.wait_with_output().expect("it ends");
    drop(input);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(r#""id":2"#));
    let log = text(&output.stderr);
    let unread = log.matches("a message could not be read").count();
    assert_eq!((unread, log.lines().count()), (2, 2), "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_message_takes_no_more_memory_than_a_few_times_its_length() {
    const BYTES: usize = 48 << 20;
    let home = tempfile::tempdir().expect("a folder");
    let mut server = server(home.path());
    let mut input = server.stdin.take().expect("piped");
    let output = server.stdout.take().expect("piped");
    let wide = "0,".repeat(BYTES / 2);
    for (method, params) in [
        ("nonsense", format!("[{wide}0]")),
        (
            "workspace/didChangeConfiguration",
            format!(r#"{{"settings":[{wide}0]}}"#),
        ),
        (
            "workspace/executeCommand",
            format!(r#"{{"command":"tabahead.accepted","arguments":[7,{wide}0]}}"#),
        ),
    ] {
        let initialize = frame(INITIALIZE);
        if method == "nonsense" {
            input.write_all(&initialize).expect("it reads");
        }
        let body = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        input.write_all(&frame(&body)).expect("it reads");
    }
    let shutdown = r#"{"jsonrpc":"2.0","id":"last","method":"shutdown"}"#;
    input.write_all(&frame(shutdown)).expect("it reads");
    // It still answers after all of that.
    let mut seen = Vec::new();
    let mut output = std::io::BufReader::new(output);
    while !String::from_utf8_lossy(&seen).contains(r#""id":"last""#) {
        let mut byte = [0];
        output.read_exact(&mut byte).expect("it answers");
        seen.push(byte[0]);
    }
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<usize>().ok());
    let peak = peak.expect("the system reports it") << 10;
    // Room for the message, for its parsed form, and for the model.
    assert!(peak < 4 * BYTES, "{} MiB", peak >> 20);
    drop(input);
    server.wait().expect("it ends");
}

#[cfg(target_os = "linux")]
#[test]
fn an_error_that_cannot_be_printed_is_an_exit_code() {
    let home = tempfile::tempdir().expect("a folder");
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let status = tabahead(home.path(), &["complete", "nowhere:1"])
        .stderr(full.expect("Linux has it"))
        .status()
        .expect("the binary starts");
    assert_eq!(status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_printed_is_an_error() {
    let home = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help", "lsp"],
        &["config"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = tabahead(home.path(), arguments)
            .stdout(full.expect("Linux has it"))
            .output()
            .expect("the binary starts");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.contains("No space left"), "{arguments:?}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nothing_writes_to_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    let pipe = home.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let pipe = pipe.display().to_string();
    let place = format!("{pipe}:1");
    for arguments in [
        &["complete", &place][..],
        &["complete", "examples/shapes.rs:1", "--model", &pipe],
        &["model", "inspect", &pipe],
        &["replay", &pipe],
        &["--config", &pipe, "config"],
    ] {
        fails(arguments, "is a pipe; give a file");
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_whose_link_leads_nowhere_is_not_all_defaults() {
    for target in ["config.toml", "nowhere.toml"] {
        let home = tempfile::tempdir().expect("a folder");
        configure(home.path(), "");
        let output = tabahead(home.path(), &["config", "--json"]).output();
        let found = text(&output.expect("it runs").stdout);
        let found: Value = serde_json::from_str(&found).expect("JSON");
        let file = PathBuf::from(found["file"].as_str().expect("a path"));
        fs::remove_file(&file).expect("removed");
        std::os::unix::fs::symlink(target, &file).expect("linked");
        for command in ["config", "doctor"] {
            let output = tabahead(home.path(), &[command]).output().expect("it runs");
            assert_eq!(output.status.code(), Some(1), "{command}");
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(said.contains("cannot read"), "{said}");
        }
    }
}

#[test]
fn a_model_is_chosen_although_another_setting_is_wrong_or_the_file_is_new() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("new.toml");
    let path = file.to_str().expect("Unicode");
    let arguments = ["--config", path, "model", "use", "mini"];
    let choose = || tabahead(home.path(), &arguments).output().expect("it runs");
    assert_eq!(choose().status.code(), Some(0));
    fs::write(&file, "max_tokens = 0\n").expect("written");
    let output = choose();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let changed = fs::read_to_string(&file).expect("it is there");
    assert_eq!(changed, "max_tokens = 0\nmodel = \"mini\"\n");
}

/// Returns a command that runs the binary where no file may get longer than `blocks` blocks.
#[cfg(unix)]
fn limited(home: &Path, blocks: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -f \"$0\"; exec \"$@\"", blocks])
        .arg(env!("CARGO_BIN_EXE_tabahead"))
        .args(arguments)
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("TABAHEAD_LOG");
    command
}

#[cfg(unix)]
#[test]
fn a_limit_of_file_sizes_costs_figures_and_recording_and_no_suggestions() {
    let home = tempfile::tempdir().expect("a folder");
    let recordings = home.path().join("recordings");
    let recordings = recordings.to_str().expect("Unicode");
    let code = "total = first + second\n".repeat(200);
    let opened = serde_json::json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": {
        "uri": "file:///w/a.py", "languageId": "python", "version": 1, "text": code,
    }}});
    let bodies = [
        INITIALIZE,
        r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
        &opened.to_string(),
        r#"{"jsonrpc":"2.0","id":2,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///w/a.py"},"position":{"line":200,"character":0}}}"#,
    ];
    for arguments in [&["lsp"][..], &["record", recordings]] {
        let mut server = limited(home.path(), "1", arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut input = server.stdin.take().expect("a pipe");
        for body in bodies {
            input.write_all(&frame(body)).expect("it reads");
        }
        // The figures are written at the latest two seconds after the first answer, and a warning
        // says that they cannot be.
        let mut log = std::io::BufReader::new(server.stderr.take().expect("a pipe"));
        let mut warnings = String::new();
        while !warnings.contains("figures cannot be written") {
            assert_ne!(log.read_line(&mut warnings).expect("text"), 0, "{warnings}");
        }
        for body in [
            r#"{"jsonrpc":"2.0","id":3,"method":"shutdown"}"#,
            r#"{"jsonrpc":"2.0","method":"exit"}"#,
        ] {
            input.write_all(&frame(body)).expect("it still reads");
        }
        log.read_to_string(&mut warnings).expect("text");
        let output = server.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{warnings}");
        let output = text(&output.stdout);
        assert!(
            output.contains(r#""id":2"#) && output.contains(r#""id":3"#),
            "{output}"
        );
        let recorded = warnings.contains("recording has stopped");
        assert_eq!(recorded, arguments[0] == "record", "{warnings}");
    }
    let names = fs::read_dir(home.path().join("tabahead")).expect("a folder");
    assert_eq!(names.count(), 0, "no half of a file is left");
}

#[cfg(unix)]
#[test]
fn a_configuration_that_cannot_be_written_stays_as_it_was() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("config.toml");
    let before = "# Mine.\nmax_tokens = 32\n";
    fs::write(&file, before).expect("written");
    // No file may get longer than 0 blocks, as on a full disk.
    let mut command = limited(home.path(), "0", &["--config"]);
    let output = command.arg(&file).args(["model", "use", "mini"]).output();
    let output = output.expect("sh runs");
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("cannot write"), "{error}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), before);
    let entries = fs::read_dir(home.path()).expect("a folder").count();
    assert_eq!(entries, 1, "no other file is left");
}

#[test]
fn an_error_of_the_system_is_quoted_once() {
    for arguments in [
        &["replay", "nowhere"][..],
        &["replay", "tests/replay", "--memo", "nowhere/answers"],
    ] {
        let output = run(arguments);
        let error = text(&output.stderr);
        assert_eq!(error.matches("os error").count(), 1, "{error}");
    }
}
