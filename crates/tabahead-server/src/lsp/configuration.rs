//! `workspace/didChangeConfiguration`: the editor's settings, also those of other programs.

use serde::Deserialize;
use serde_json::{Value, json};

use tabahead_session::{EditorLayer, Message, Settings};

use super::{front::Front, tower::Error, wire::Call};

/// `workspace/didChangeConfiguration`.
#[derive(Debug, Deserialize)]
struct DidChangeConfiguration {
    #[serde(default)]
    settings: Value,
}

/// `workspace/didChangeConfiguration` with our section alone, for when the whole cannot be read.
#[derive(Debug, Deserialize)]
struct OurConfiguration {
    settings: OurSettings,
}

#[derive(Debug, Deserialize)]
struct OurSettings {
    #[serde(default)]
    tabahead: Value,
}

pub(super) fn did_change_configuration(front: &mut Front, call: &Call<'_>) -> Result<(), Error> {
    let settings = call.values::<DidChangeConfiguration>();
    // Other programs' settings may be of any depth and size.
    let ours = || call.params::<OurConfiguration>();
    match settings.map(|params| params.settings) {
        Ok(settings) => configure(front, settings),
        Err(_) => match ours().map(|params| params.settings.tabahead) {
            Ok(ours) if !ours.is_null() => configure(front, json!({"tabahead": ours})),
            // What the settings were meant to turn off is unknown, so everything is turned off.
            _ => configure(front, json!("unreadable")),
        },
    }
    Ok(())
}

fn configure(front: &Front, value: Value) {
    // `null` reports that something changed, but not what.
    if value.is_null() || value.get("tabahead") == Some(&Value::Null) {
        return;
    }
    if Settings::are_of_others(&value) {
        return tracing::debug!("the settings of other programs came");
    }
    let layer = EditorLayer::Pushed;
    front.send(Message::Settings { layer, value });
}
