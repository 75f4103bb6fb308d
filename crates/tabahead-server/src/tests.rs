//! The whole server over in-memory pipes: a client that sends raw messages, and the scripted
//! backend. One file for each topic.

mod client;
mod configuration;
mod documents;
mod focus;
mod lifecycle;
mod loading;
mod logged;
mod menu;
mod messages;
mod privacy;
mod recorded;
mod reports;
mod requests;
mod statistics;
mod switching;

use tabahead_backend::Script;

/// Returns a script that always continues with this text.
fn generates(text: &str) -> impl Fn(&str) -> Script + Send + 'static + use<> {
    let text = text.to_owned();
    move |_| Script::Text(text.clone())
}

/// A script that never answers.
fn holds(_: &str) -> Script {
    Script::Hold
}

const URI: &str = "file:///w/a.rs";
