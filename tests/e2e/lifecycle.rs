//! Start and exit of the server.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::Client;

#[test]
fn the_capability_is_in_the_answer_to_initialize_and_utf_16_is_chosen() {
    let mut client = Client::spawn();
    let answer = client.call("initialize", Client::initialize(Value::Null));
    let capabilities = &answer["result"]["capabilities"];
    let provider = &capabilities["inlineCompletionProvider"];
    assert!(*provider == json!(true) || provider.is_object(), "{answer}");
    assert_eq!(capabilities["positionEncoding"], "utf-16", "{answer}");
    let commands = &capabilities["executeCommandProvider"]["commands"];
    assert!(
        commands
            .as_array()
            .is_some_and(|commands| commands.contains(&json!("tabahead.accepted"))),
        "{answer}"
    );
    assert_eq!(
        answer["result"]["serverInfo"]["name"], "tabahead",
        "{answer}"
    );
    client.notify("initialized", json!({}));
}

#[test]
fn a_client_that_offers_only_utf_8_gets_utf_8() {
    let mut client = Client::spawn();
    let mut params = Client::initialize(Value::Null);
    params["capabilities"]["general"]["positionEncodings"] = json!(["utf-8"]);
    let answer = client.call("initialize", params);
    assert_eq!(
        answer["result"]["capabilities"]["positionEncoding"], "utf-8",
        "{answer}"
    );
    client.notify("initialized", json!({}));
}

#[test]
fn exit_after_shutdown_is_success_while_the_input_stays_open() {
    let mut client = Client::start(json!({}));
    let answer = client.call("shutdown", Value::Null);
    assert_eq!(answer.get("error"), None, "{answer}");
    client.notify("exit", Value::Null);
    assert_eq!(client.exit_status().code(), Some(0));
}

#[test]
fn exit_after_shutdown_is_success_when_the_input_ends_right_after_it() {
    // The end of the input must not overtake `exit`. Such a race shows only in some runs.
    for _ in 0..12 {
        let mut client = Client::start(json!({}));
        client.call("shutdown", Value::Null);
        client.notify("exit", Value::Null);
        client.close_input();
        assert_eq!(client.exit_status().code(), Some(0));
    }
}

#[test]
fn exit_without_shutdown_is_a_failure() {
    let mut client = Client::start(json!({}));
    client.notify("exit", Value::Null);
    assert_eq!(client.exit_status().code(), Some(1));
}

#[test]
fn the_server_ends_when_its_input_does() {
    let mut client = Client::start(json!({}));
    client.close_input();
    client.exit_status();
}

#[test]
fn the_server_ends_when_the_editor_ends_without_exit() {
    let mut editor = Command::new("sleep")
        .arg("3600")
        .stdin(Stdio::null())
        .spawn()
        .expect("a process that plays the editor");
    let mut client = Client::spawn();
    let mut params = Client::initialize(Value::Null);
    params["processId"] = json!(editor.id());
    let answer = client.call("initialize", params);
    assert_eq!(answer.get("error"), None, "{answer}");
    client.notify("initialized", json!({}));
    client.stats();
    editor.kill().expect("the editor dies");
    editor.wait().expect("the editor is gone");
    client.exit_status();
}
