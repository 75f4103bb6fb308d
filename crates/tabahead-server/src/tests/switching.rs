//! Switching models while the server runs: the new model is loaded beside the current one, and
//! takes over or is refused.

use serde_json::{Value, json};
use tabahead_backend::ModelSource;
use tabahead_context::ModelProfile;

use super::{
    URI,
    client::{self, Client, Started},
    generates, holds,
};

const CONFIGURE: &str = "workspace/didChangeConfiguration";

fn another() -> ModelProfile {
    ModelProfile {
        id: "another".to_owned(),
        ..client::profile()
    }
}

async fn configure(client: &mut Client, settings: Value) {
    client
        .notify(CONFIGURE, json!({"settings": {"tabahead": settings}}))
        .await;
    client.stats().await;
}

async fn model(client: &mut Client) -> Value {
    client.stats().await["model"]["id"].take()
}

/// Returns the statuses reported so far, in short form.
async fn statuses(client: &mut Client) -> Vec<String> {
    let reported = client.all_notified("tabahead/status").await;
    let of = |status: &Value| {
        let busy = if status["busy"] == true { " busy" } else { "" };
        let percent = match &status["percent"] {
            Value::Null => String::new(),
            percent => format!(" ({percent})"),
        };
        format!(
            "{}{busy}: {}{percent}",
            status["kind"].as_str().expect("a kind"),
            status["message"].as_str().expect("a message")
        )
    };
    reported.iter().map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn the_model_before_answers_until_the_other_one_is_ready() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    client.suggestion(URI, (0, 8)).await;
    statuses(&mut client).await;

    configure(&mut client, json!({"model": "/models/other.gguf"})).await;
    assert_eq!(client.launches(), 2);
    client.suggestion(URI, (0, 8)).await;
    assert_eq!(model(&mut client).await, "script");
    client.backend().progress(34);
    client.stats().await;
    client.load(Ok(another()));
    assert_eq!(model(&mut client).await, "another");
    assert_eq!(
        statuses(&mut client).await,
        [
            "Normal busy: loading the model",
            "Normal busy: loading the model, 34 % (34)",
            "Normal: ready",
        ]
    );

    // No state of the document was lost in the switch.
    client.change(URI, 2, "let a = 1 + ").await;
    let item = client.suggestion(URI, (0, 12)).await;
    assert_eq!(item["insertText"], "1;");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn figures_are_those_of_one_model() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    client.suggestion(URI, (0, 8)).await;
    configure(&mut client, json!({"model": "/models/other.gguf"})).await;
    client.load(Ok(another()));
    client.suggestion(URI, (0, 8)).await;
    let stats = client.stats().await;
    assert_eq!(
        (&stats["requests"], &stats["misses"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(stats["documents"], 1);
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn what_still_waits_when_the_model_changes_is_answered_by_the_other_one() {
    let mut client = Client::ready(holds).await;
    client.open(URI, "let a = ").await;
    let waiting = client.send_completion(URI, (0, 8)).await;
    configure(&mut client, json!({"model": "/models/other.gguf"})).await;
    let before = client.backend_at(0);
    client.load(Ok(another()));
    client.stats().await;
    let asked = client.backend().held();
    assert_eq!(asked.len(), 1, "the other model is asked the same");
    // Whatever the previous backend still produces comes too late.
    before.release(
        before.held()[0].id,
        tabahead_backend::Script::Text("before\n".to_owned()),
    );
    client.backend().release(
        asked[0].id,
        tabahead_backend::Script::Text("after\n".to_owned()),
    );
    let answer = client.response(waiting).await;
    assert_eq!(answer["result"]["items"][0]["insertText"], "after");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_from_before_any_model_is_answered_by_the_one_that_was_named_meanwhile() {
    let mut client = Client::start(generates("1;\n")).await;
    client.initialize(json!({})).await;
    client.open(URI, "let a = ").await;
    let early = client.send_completion(URI, (0, 8)).await;
    configure(&mut client, json!({"model": "/models/other.gguf"})).await;
    client.load(Ok(another()));
    let answer = client.response(early).await;
    assert_eq!(answer["result"]["items"][0]["insertText"], "1;");
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_model_is_reported_each_time_and_the_one_before_stays() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    for _ in 0..2 {
        configure(&mut client, json!({"model": "/models/chat.gguf"})).await;
        client.load(Err("no FIM tokens: choose another".to_owned()));
        assert_eq!(
            client.notified("window/showMessage").await["message"],
            "tabahead: no FIM tokens: choose another; the model before it stays"
        );
        assert_eq!(model(&mut client).await, "script");
        client.suggestion(URI, (0, 8)).await;
    }
    assert_eq!(client.launches(), 3);
    let reported = statuses(&mut client).await;
    assert_eq!(reported.last().map(String::as_str), Some("Normal: ready"));
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_model_is_not_waited_for_when_the_one_before_is_wanted_again() {
    let mut client = Client::ready(generates("1;\n")).await;
    client.open(URI, "let a = ").await;
    configure(&mut client, json!({"model": "/models/other.gguf"})).await;
    // Changing another setting does not restart the loading.
    configure(
        &mut client,
        json!({"model": "/models/other.gguf", "threads": 1}),
    )
    .await;
    assert_eq!(client.launches(), 2);
    assert_eq!(client.backend().configured().len(), 1);
    configure(&mut client, json!({"model": "mini"})).await;
    client.load(Ok(another()));
    assert_eq!(model(&mut client).await, "script");
    assert_eq!(client.launches(), 2);
    let reported = statuses(&mut client).await;
    assert_eq!(reported.last().map(String::as_str), Some("Normal: ready"));
    client.stop(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_could_not_be_loaded_is_tried_again_with_the_next_settings() {
    let mut client = Client::start(generates("1;\n")).await;
    let settings = json!({"model": "/models/late.gguf"});
    client.initialize(settings.clone()).await;
    client.load(Err("there is nothing".to_owned()));
    client.notified("window/showMessage").await;
    configure(&mut client, settings.clone()).await;
    client.load(Err("there is nothing".to_owned()));
    client.stats().await;
    assert!(client.all_notified("window/showMessage").await.is_empty());
    configure(&mut client, settings).await;
    client.load(Ok(another()));
    client.open(URI, "let a = ").await;
    client.suggestion(URI, (0, 8)).await;
    assert_eq!(client.launches(), 3);
    client.stop(0).await;
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_models_path_counts_from_the_home_or_the_configurations_folder() {
    for (layer, meant) in [
        (json!({"model": "~/m.gguf"}), "/people/ada/m.gguf"),
        (
            json!({"model": "m.gguf"}),
            "/people/ada/.config/tabahead/m.gguf",
        ),
        (json!({"model": "/m.gguf"}), "/m.gguf"),
    ] {
        let meant = ModelSource::File(meant.into());
        let started = Started {
            file: layer.clone(),
            ..Started::default()
        };
        let mut client = Client::start_with(started, generates("x")).await;
        client.initialize(json!({})).await;
        assert_eq!(client.launched().model, meant);
        client.stop(0).await;

        let mut client = Client::start(generates("x")).await;
        client.initialize(layer.clone()).await;
        assert_eq!(client.launched().model, meant);
        client.stop(0).await;

        let mut client = Client::ready(generates("x")).await;
        configure(&mut client, layer).await;
        assert_eq!(client.launched().model, meant);
        client.stop(0).await;
    }
}
