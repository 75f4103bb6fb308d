//! What keeps text from the model, over the wire: rules that hold whatever else is wrong, files
//! that are secret whatever their scheme, and values that are secret in any file.

use serde_json::{Value, json};

use super::{
    URI,
    client::{Client, Started, profile},
    generates,
};

const CONFIGURE: &str = "workspace/didChangeConfiguration";

/// A value that does not occur by chance.
const VALUE: &str = "Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1";

async fn open_as(client: &mut Client, uri: &str, language: &str, text: &str) {
    let document = json!({"uri": uri, "languageId": language, "version": 1, "text": text});
    client
        .notify("textDocument/didOpen", json!({"textDocument": document}))
        .await;
}

/// Returns whether a document at this address gets a suggestion.
async fn is_answered(client: &mut Client, uri: &str) -> bool {
    open_as(client, uri, "python", "a = ").await;
    let answer = client.complete(uri, (0, 4)).await;
    let params = json!({"textDocument": {"uri": uri}});
    client.notify("textDocument/didClose", params).await;
    let items = answer["result"]["items"].as_array().expect("a list");
    !items.is_empty()
}

/// Returns what the model read and what it may copy from, over all requests so far.
fn shown(client: &Client) -> String {
    let requests = client.backend().started();
    let shown = requests.iter().map(|request| {
        let copied = request.copy_source.as_ref();
        let open_files = copied.map(|copied| copied.open_files.concat());
        format!(
            "{:?}{}{:?}{open_files:?}",
            request.prompt, request.tail, copied
        )
    });
    shown.collect()
}

async fn status_at(client: &mut Client, line: u32) -> Value {
    let mut all = client.all_notified("tabahead/status").await;
    let position = json!({"line": line, "character": 0});
    let params = json!({"textDocument": {"uri": URI}, "position": position});
    client.notify("tabahead/didMoveCursor", params).await;
    all.extend(client.all_notified("tabahead/status").await);
    all.pop().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn secrets_giants_and_other_schemes_are_silent_and_never_reach_the_model() {
    let mut client = Client::ready(generates("x\n")).await;
    let giant = "let a = 1;\n".repeat(400_000);
    for (uri, text) in [
        ("file:///w/.env", "KEY="),
        ("file:///w/%2Eenv", "KEY="),
        ("file:///srv/u/.ssh/id_ed25519", "-----BEGIN "),
        ("file:///w/tls.pem", "-----BEGIN "),
        ("file:///w/my-secret.yaml", "token: "),
        ("git:/w/a.rs", "let a = "),
        ("output:tasks", "let a = "),
        ("file:///w/big.rs", &giant),
        ("file:///w/jquery.min.js", "var a="),
    ] {
        client.open(uri, text).await;
        let answer = client.complete(uri, (0, 100)).await;
        assert_eq!(answer["result"], json!({"items": []}), "{uri}");
    }
    assert!(client.backend().started().is_empty());
    client.open("untitled:Untitled-1", "let a = ").await;
    client.suggestion("untitled:Untitled-1", (0, 8)).await;
    let stats = client.stats().await;
    assert_eq!(
        (&stats["requests"], &stats["silent"]),
        (&json!(10), &json!(9))
    );
    client.stop(0).await;
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_link_to_a_secret_is_silent() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at(".ssh")).expect("a folder");
    for (name, link) in [
        (".env", "plain.txt"),
        (".ssh/work", "notes.txt"),
        ("a.txt", "b.txt"),
    ] {
        std::fs::write(at(name), "a = ").expect("a file");
        std::os::unix::fs::symlink(at(name), at(link)).expect("a link");
    }
    std::os::unix::fs::symlink(at(".ssh"), at("links")).expect("a link");
    let mut client = Client::ready(generates("b")).await;
    for (name, expected) in [
        ("plain.txt", false),
        ("notes.txt", false),
        ("links/work", false),
        ("links/not-saved-yet", false),
        ("b.txt", true),
    ] {
        let uri = format!("file://{}", at(name).display());
        assert_eq!(is_answered(&mut client, &uri).await, expected, "{name}");
    }
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn settings_that_cannot_be_read_turn_everything_off() {
    let rules = r#""tabahead":{"languages":{"python":false}}"#;
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (settings, messages) in [
        // Other programs' settings may be anything.
        (format!("{{{rules},\"other\":{nested}}}"), 0),
        (format!("{{{rules},\"other\":1e999}}"), 0),
        (
            format!("{{{rules},\"other\":\"{}\"}}", "x".repeat(5 << 20)),
            0,
        ),
        (format!("{{\"tabahead\":{nested}}}"), 1),
        ("{\"tabahead\":{\"languages\":1e999}}".to_owned(), 1),
    ] {
        let mut client = Client::ready(generates("b")).await;
        assert!(is_answered(&mut client, "file:///w/a.py").await);
        let body = format!(
            r#"{{"jsonrpc":"2.0","method":"{CONFIGURE}","params":{{"settings":{settings}}}}}"#
        );
        client.send_raw(&body).await;
        let is_answered = is_answered(&mut client, "file:///w/b.py").await;
        assert!(!is_answered, "{}", &settings[..settings.len().min(60)]);
        let shown = client.all_notified("window/showMessage").await;
        assert_eq!(shown.len(), messages, "{shown:?}");
        client.stop(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_settings_of_other_programs_are_not_reported() {
    let mut client = Client::ready(generates("b")).await;
    let others = json!({"python": {"a": 1}, "editor": {"tabSize": 2}});
    for settings in [others, json!([]), json!({})] {
        let params = json!({"settings": settings});
        client.notify(CONFIGURE, params).await;
    }
    assert!(is_answered(&mut client, "file:///w/a.py").await);
    assert!(client.all_notified("window/showMessage").await.is_empty());
    // Users do not read a long message.
    let many: serde_json::Map<_, _> = (0..2000).map(|n| (format!("key{n}"), json!(1))).collect();
    client
        .notify(CONFIGURE, json!({"settings": {"tabahead": many}}))
        .await;
    let shown = client.all_notified("window/showMessage").await;
    let [shown] = &shown[..] else {
        panic!("one message has all: {shown:?}")
    };
    let shown = shown.to_string();
    assert_eq!(shown.matches("unknown setting").count(), 7, "{shown}");
    assert!(shown.contains("1993 more"), "{shown}");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_key_in_the_editors_settings_costs_no_rule() {
    let rules = json!({
        "languages": {"rust": false},
        "paths": [{"glob": "private", "enabled": false}],
    });
    for bad in [
        json!({"typo": 1}),
        json!({"max_tokens": 0}),
        json!({"model": "~unknown/../", "threads": "two"}),
    ] {
        let mut options = rules.clone();
        let object = options.as_object_mut().expect("an object");
        object.extend(bad.as_object().expect("an object").clone());
        for is_pushed in [false, true] {
            let mut client = Client::start(generates("1\n")).await;
            client
                .initialize(if is_pushed {
                    json!({})
                } else {
                    options.clone()
                })
                .await;
            if is_pushed {
                client.notify(CONFIGURE, json!({"settings": options})).await;
            }
            let shown = client.notified("window/showMessage").await;
            let shown = shown["message"].as_str().expect("a line").to_owned();
            assert!(shown.ends_with("every other setting holds"), "{shown}");
            client.load(Ok(profile()));
            assert!(!is_answered(&mut client, "file:///w/private/a.py").await);
            assert!(is_answered(&mut client, "file:///w/a.py").await);
            client.open(URI, "let a = ").await;
            let answer = client.complete(URI, (0, 8)).await;
            assert_eq!(answer["result"], json!({"items": []}));
            client.stop(0).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_key_in_the_file_costs_no_rule_and_is_reported_once() {
    let started = Started {
        file: json!({"typo": 1, "languages": {"rust": false}}),
        ..Started::default()
    };
    let mut client = Client::start_with(started, generates("1\n")).await;
    client.initialize(json!({})).await;
    client.load(Ok(profile()));
    let shown = client.notified("window/showMessage").await;
    assert_eq!(
        shown["message"],
        "tabahead: unknown setting 'typo' (in the configuration file); every other setting holds"
    );
    client
        .notify(CONFIGURE, json!({"settings": {"threads": 1}}))
        .await;
    assert_eq!(
        client.all_notified("window/showMessage").await,
        [Value::Null; 0]
    );
    client.open(URI, "let a = ").await;
    let answer = client.complete(URI, (0, 8)).await;
    assert_eq!(answer["result"], json!({"items": []}));
    assert!(is_answered(&mut client, "file:///w/a.py").await);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_rule_turns_everything_off_until_it_is_mended() {
    let mut client = Client::ready(generates("1\n")).await;
    let rules = |glob: &str| json!({"settings": {"paths": [{"glob": glob, "enabled": false}]}});
    client.notify(CONFIGURE, rules("private/[")).await;
    let shown = client.notified("window/showMessage").await["message"].to_string();
    assert!(
        shown.contains("'private/['") && shown.contains("there are no suggestions"),
        "{shown}"
    );
    assert!(!is_answered(&mut client, "file:///w/a.py").await);
    client.notify(CONFIGURE, rules("private/")).await;
    assert!(is_answered(&mut client, "file:///w/a.py").await);
    assert!(!is_answered(&mut client, "file:///w/private/a.py").await);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn secrets_and_rules_hold_whatever_the_scheme() {
    let mut client = Client::ready(generates("1\n")).await;
    let rule = json!({"paths": [
        {"glob": "~/private", "enabled": false},
        {"glob": "/w/c#/private", "enabled": false},
    ]});
    client.notify(CONFIGURE, json!({"settings": rule})).await;
    for uri in [
        "untitled:/w/.env",
        "untitled:.env",
        "untitled:/w/prod/id_rsa",
        "vscode-notebook-cell:/w/.ssh/a.ipynb#W0",
        "untitled:/people/ada/private/a.py",
        "file:///people/ada/private/b/c.py",
        "file:///w/.ssh/work",
        "vscode-remote://ssh-remote%2Bhost/w/.env",
        "scp://host//w/a.py",
        "git:/w/a.py?%7B%7D",
        "untitled:Untitled-1?.env",
        "untitled:/w/prod#.env",
        "file:///w/a.py?/../.ssh/work",
        "file:///w/c#/private/a.py",
    ] {
        assert!(!is_answered(&mut client, uri).await, "{uri}");
    }
    for uri in [
        "untitled:Untitled-1",
        "untitled:/w/a.py",
        "untitled:Untitled-1?x=1",
        "file:///w/c#/a.py",
        "file:///people/ada/a.py",
    ] {
        assert!(is_answered(&mut client, uri).await, "{uri}");
    }
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn secret_values_are_out_of_the_models_reach_in_every_file() {
    let mut client = Client::ready(generates("1\n")).await;
    let filler = "x = 1\n".repeat(1500);
    let token = format!("API_TOKEN = \"sk_live_{VALUE}\"\n");
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\n{VALUE}{VALUE}\n{VALUE}\n-----END PRIVATE KEY-----\n"
    );
    // In another file, far above, near, right above and right below the cursor.
    client
        .open("file:///w/deploy", &format!("{key}{token}"))
        .await;
    let text = format!("{token}{filler}{key}{token}y = \n{token}{filler}{key}");
    client.open(URI, &text).await;
    let line = text
        .lines()
        .position(|line| line == "y = ")
        .expect("the line");
    let item = client.suggestion(URI, (line as u32, 4)).await;
    assert_eq!(item["insertText"], "1");
    let shown = shown(&client);
    assert!(
        shown.contains("API_TOKEN = ") && shown.contains("BEGIN PRIVATE KEY"),
        "{shown}"
    );
    assert!(!shown.contains(VALUE));
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_line_with_a_secret_is_silent_and_the_status_has_the_reason() {
    let mut client = Client::ready(generates("1\n")).await;
    client
        .open(URI, &format!("password = '{VALUE}'\nb = \n"))
        .await;
    let focus = json!({"textDocument": {"uri": URI}});
    client.notify("textDocument/didFocus", focus).await;
    let status = status_at(&mut client, 0).await;
    assert_eq!(status["kind"], "Inactive");
    assert_eq!(
        status["message"],
        "this line holds what looks like a key, a token or a password"
    );
    let answer = client.complete(URI, (0, 12)).await;
    assert_eq!(answer["result"], json!({"items": []}));
    assert_eq!(status_at(&mut client, 1).await["kind"], "Normal");
    client.suggestion(URI, (1, 4)).await;
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_suggestion_that_would_make_a_secret_is_not_shown() {
    let mut client = Client::ready(generates(&format!("{VALUE}\"\n"))).await;
    client.open(URI, "a = \"\ntoken = \"\n").await;
    client.suggestion(URI, (0, 5)).await;
    let answer = client.complete(URI, (1, 9)).await;
    assert_eq!(answer["result"], json!({"items": []}));
    client.stop(0).await;
}
