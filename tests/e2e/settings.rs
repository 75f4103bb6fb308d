//! Settings from the editor, and files in which the server stays silent.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{buffer::Buffer, client::Client};

const TEXT: &str = "fn add(a: i32, b: i32) -> i32 {\n    a $0\n}\n";

/// Returns a server's answer at the fixture's cursor, and the number of prompt tokens that it asked
/// the model for.
fn answer(options: Value, buffer: &Buffer) -> (Value, u64) {
    let mut client = Client::start(options);
    client.open(buffer);
    let answer = client.complete(buffer);
    let stats = client.settle();
    (answer, stats["tokens"]["prompt"].as_u64().expect("a count"))
}

#[track_caller]
fn is_silent(options: Value, buffer: &Buffer) {
    let (answer, tokens) = answer(options, buffer);
    assert_eq!(buffer.item(&answer), None);
    assert_eq!(tokens, 0, "the model was not to see {}", buffer.uri());
}

#[track_caller]
fn is_answered(options: Value, buffer: &Buffer) {
    let (answer, tokens) = answer(options, buffer);
    assert!(buffer.item(&answer).is_some(), "{}: {answer}", buffer.uri());
    assert!(tokens > 0);
}

#[test]
fn files_that_hold_secrets_are_never_shown_to_the_model() {
    is_answered(json!({}), &Buffer::new("plain.rs", "rust", TEXT));
    for name in [".env", ".env.local", "id_rsa", "server.pem", "tls.key"] {
        is_silent(json!({}), &Buffer::new(name, "rust", TEXT));
    }
}

/// Checks that a server with this configuration file suggests nothing and shows `message`.
#[track_caller]
fn shows(file: &Path, message: &str) {
    let mut client = Client::start_configured(file);
    let buffer = Buffer::new("plain.rs", "rust", TEXT);
    client.open(&buffer);
    let answer = client.complete(&buffer);
    assert_eq!(buffer.item(&answer), None);
    let shown = client.take(|message| message["method"] == "window/showMessage");
    let shown = shown["params"]["message"].as_str().expect("a text");
    assert!(shown.contains(message), "{shown}");
    assert!(
        shown
            .ends_with("; there are no suggestions until it is corrected and the server restarted"),
        "{shown}"
    );
}

#[test]
fn a_configuration_file_that_cannot_be_read_is_shown_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let text = "threads = 1\nmax_tokens = \n[languages]\nrust = false\n";
    fs::write(&file, text).expect("written");
    shows(&file, "config.toml: line 2: no value after 'max_tokens ='");
    shows(&folder.path().join("missing.toml"), "cannot read");
    #[cfg(unix)]
    {
        let link = folder.path().join("link.toml");
        std::os::unix::fs::symlink(&link, &link).expect("linked");
        shows(&link, "cannot read");
    }
}

/// A value is typed in a script, letter by letter, while another file that contains it is open.
#[test]
fn values_of_secrets_are_copied_from_no_file() {
    let value = "sk_live_51Hq7ZkTopSecretValue9aX";
    let line = format!("API_TOKEN=\"{value}\"\n");
    for name in [".env", "deploy.sh", "terraform.tfstate.backup", "notes.txt"] {
        let mut client = Client::start(json!({}));
        client.open(&Buffer::new(
            name,
            "shellscript",
            &format!("{line}{line}$0"),
        ));
        let mut buffer = Buffer::new(
            "main.sh",
            "shellscript",
            "#!/bin/sh\nexport A=1\nAPI_TOKEN=\"$0",
        );
        client.open(&buffer);
        let mut typed = String::new();
        for letter in value[..14].chars() {
            let answer = client.complete(&buffer);
            if let Some(item) = buffer.item(&answer) {
                assert!(
                    !(typed.clone() + &item.text).contains(&value[..16]),
                    "{name}: {answer}"
                );
            }
            typed.push(letter);
            client.change(buffer.insert(&letter.to_string()));
        }
        client.settle();
    }
}

#[test]
fn a_minified_line_is_silence() {
    let long = format!("var a=[{}$0];\n", "1,".repeat(4000));
    is_silent(json!({}), &Buffer::new("bundle.js", "javascript", &long));
}

#[test]
fn suggestions_are_switched_off_per_language_and_per_path() {
    let buffer = Buffer::new("plain.rs", "rust", TEXT);
    is_silent(json!({"languages": {"rust": false}}), &buffer);
    is_silent(json!({"languages": {"*": false}}), &buffer);
    is_answered(json!({"languages": {"*": false, "rust": true}}), &buffer);
    is_silent(
        json!({"paths": [{"glob": "plain.*", "enabled": false}]}),
        &buffer,
    );
    is_answered(
        json!({"paths": [{"glob": "other.*", "enabled": false}]}),
        &buffer,
    );
}

#[test]
fn an_unknown_setting_is_refused_by_its_name() {
    let mut client = Client::spawn();
    let answer = client.call(
        "initialize",
        Client::initialize(json!({"speculation": {"enabeld": false}})),
    );
    let message = if answer.get("error").is_some() {
        client.close_input();
        answer.to_string()
    } else {
        client.notify("initialized", json!({}));
        client
            .take(|message| message["method"] == "window/showMessage")
            .to_string()
    };
    assert!(message.contains("speculation.enabeld"), "{message}");
}

#[test]
fn settings_changed_while_running_count_from_then_on() {
    let mut client = Client::start(json!({}));
    let mut buffer = Buffer::new("plain.rs", "rust", TEXT);
    client.open(&buffer);
    assert!(client.complete(&buffer) != Value::Null);
    client.notify(
        "workspace/didChangeConfiguration",
        json!({"settings": {"tabahead": {"languages": {"rust": false}}}}),
    );
    client.change(buffer.insert("+"));
    let answer = client.complete(&buffer);
    assert_eq!(buffer.item(&answer), None);
    client.settle();
}

#[test]
fn without_speculation_nothing_is_computed_ahead() {
    let mut client = Client::start(json!({"speculation": {"enabled": false}}));
    let buffer = Buffer::new("plain.rs", "rust", TEXT);
    client.open(&buffer);
    client.complete(&buffer);
    let stats = client.settle();
    assert_eq!(stats["speculations"]["started"], 0, "{stats}");
}
