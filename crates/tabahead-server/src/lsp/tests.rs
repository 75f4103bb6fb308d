//! Compares the server's text with the editor's, over the wire: random editing with everything that
//! JSON, UTF-16 and clients do to a text.
//!
//! The editor is a list of UTF-16 units, as in JavaScript. A unit that is no character (half of a
//! pair, a byte that is not UTF-8) may be a substitute in the server; all others are the same, at
//! the same places. Otherwise the server knows that it lost track, and suggests nothing.

use std::{ops::Range, sync::Arc};

use proptest::{prelude::*, sample::select};
use serde_json::Value;
use tabahead_session::Message;
use tokio::{
    io::{AsyncReadExt, BufReader},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{
    converse,
    front::Front,
    wire::{Frame, read_frame},
};
use crate::lifecycle::Lifecycle;

/// Unit for a byte that is not UTF-8, with the byte in the low half; no generated text contains
/// such a unit otherwise.
const BYTE: u16 = 0xdc00;

#[derive(Debug, Clone)]
enum EditorAction {
    /// Replaces part of the text. Places are fractions of the text.
    Replace(f64, f64, Vec<u16>, Notation),
    /// Replaces the whole text.
    ReplaceAll(Vec<u16>, Notation),
    /// Damages the message of a change.
    Damage(f64, f64, Vec<u16>, Damage),
    /// Closes the document and opens it again.
    Reopen(Vec<u16>, Notation),
    /// Sends a message that concerns no document.
    Noise(&'static str),
    /// Requests a suggestion.
    Ask(f64),
}

/// Equivalent ways to write a message.
#[derive(Debug, Clone, Copy)]
enum Notation {
    Plain,
    /// Every letter as an escape.
    Escaped,
    /// Members are repeated; the last ones count.
    RepeatedAround,
    RepeatedWithin,
}

/// Ways to damage a message.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// The message ends in the middle of its parameters.
    CutOff,
    /// The change has no text, or a number instead.
    NoText,
    NumberForText,
    /// The message is in a batch, which LSP does not have.
    InBatch,
    OtherVersion,
    /// The header is invalid.
    NoHeader,
}

fn units() -> impl Strategy<Value = Vec<u16>> {
    let piece = select(vec![
        "a", "foo ", "é", "漢", "𝒷", "🦀", "\n", "\r\n", "\r", "\n\r", "\u{2028}", "\u{85}",
        "\u{b}", "\u{0}", "\"", "\\", "\\ud83d", "\u{fffd}",
    ]);
    let piece = piece.prop_map(|piece| piece.encode_utf16().collect());
    // Halves of some emoji, and bytes that begin no complete sequence.
    let half = select(vec![
        0xd83d,
        0xd83e,
        0xde00,
        0xdd80,
        BYTE | 0xe9,
        BYTE | 0xff,
    ]);
    let half = half.prop_map(|unit| vec![unit]);
    prop::collection::vec(prop_oneof![3 => piece, 1 => half], 0..6)
        .prop_map(|pieces| pieces.concat())
}

fn actions() -> impl Strategy<Value = Vec<EditorAction>> {
    use Damage::{CutOff, InBatch, NoHeader, NoText, NumberForText, OtherVersion};
    use Notation::{Escaped, Plain, RepeatedAround, RepeatedWithin};
    let place = || 0.0..1.0_f64;
    let notation = || select(vec![Plain, Plain, Escaped, RepeatedAround, RepeatedWithin]);
    let damage = select(vec![
        CutOff,
        NoText,
        NumberForText,
        InBatch,
        OtherVersion,
        NoHeader,
    ]);
    let noise = select(vec![
        "{",
        "[]",
        r#"{"jsonrpc":"2.0","jsonrpc":"2.0","method":"x"}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":["\ud83d"]}"#,
        r#"{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":null}}"#,
    ]);
    let action = prop_oneof![
        10 => (place(), place(), units(), notation()).prop_map(|(a, b, text, notation)| EditorAction::Replace(a, b, text, notation)),
        1 => (units(), notation()).prop_map(|(text, notation)| EditorAction::ReplaceAll(text, notation)),
        1 => (place(), place(), units(), damage).prop_map(|(a, b, text, damage)| EditorAction::Damage(a, b, text, damage)),
        1 => (units(), notation()).prop_map(|(text, notation)| EditorAction::Reopen(text, notation)),
        1 => noise.prop_map(EditorAction::Noise),
        6 => place().prop_map(EditorAction::Ask),
    ];
    prop::collection::vec(action, 1..40)
}

/// An editor with one document, and what it has sent.
struct Editor {
    units: Vec<u16>,
    /// Whether the server received every change.
    is_in_step: bool,
    sent: Vec<u8>,
    version: i32,
    requests: i64,
    /// For each request, the text and the place in it, if the server can know them.
    asked: Vec<Option<(Vec<u16>, usize)>>,
}

const URI: &str = "file:///w/a.rs";

impl Editor {
    fn new() -> Self {
        let mut editor = Self {
            units: Vec::new(),
            is_in_step: true,
            sent: Vec::new(),
            version: 0,
            requests: 0,
            asked: Vec::new(),
        };
        editor.send(
            br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":{}}}"#,
        );
        editor.open(Notation::Plain);
        editor
    }

    fn send(&mut self, body: &[u8]) {
        let header = format!("Content-Length: {}\r\n\r\n", body.len());
        self.sent.extend_from_slice(header.as_bytes());
        self.sent.extend_from_slice(body);
    }

    fn perform(&mut self, action: &EditorAction) {
        match action {
            EditorAction::Replace(from, to, text, notation) => {
                let change = self.replace(*from, *to, text, *notation);
                self.send(&change);
            }
            EditorAction::ReplaceAll(text, notation) => {
                self.units.clone_from(text);
                self.is_in_step = true;
                let change = self.change(None, text, *notation);
                self.send(&change);
            }
            EditorAction::Damage(from, to, text, damage) => {
                let change = self.replace(*from, *to, text, Notation::Plain);
                self.is_in_step = false;
                self.send_damaged(&change, *damage);
            }
            EditorAction::Reopen(text, notation) => {
                let close = format!(
                    r#"{{"jsonrpc":"2.0","method":"textDocument/didClose","params":{{"textDocument":{{"uri":"{URI}"}}}}}}"#
                );
                self.send(close.as_bytes());
                self.units.clone_from(text);
                self.open(*notation);
            }
            EditorAction::Noise(body) => self.send(body.as_bytes()),
            EditorAction::Ask(at) => self.ask(*at),
        }
    }

    fn open(&mut self, notation: Notation) {
        self.is_in_step = true;
        let text = json_text(&self.units, notation);
        let params = [
            format!(r#"{{"textDocument":{{"uri":"{URI}","languageId":"rust","version":0,"#)
                .as_bytes(),
            &member("text", &text, notation),
            b"}}",
        ]
        .concat();
        self.version = 0;
        let message = message("textDocument/didOpen", &params, notation);
        self.send(&message);
    }

    /// Changes the text; returns the message that reports it.
    fn replace(&mut self, from: f64, to: f64, text: &[u16], notation: Notation) -> Vec<u8> {
        let (one, other) = (self.place(from), self.place(to));
        let range = one.min(other)..one.max(other);
        let change = self.change(Some(range.clone()), text, notation);
        self.units.splice(range, text.iter().copied());
        change
    }

    fn change(&mut self, range: Option<Range<usize>>, text: &[u16], notation: Notation) -> Vec<u8> {
        self.version += 1;
        let range = range.map(|range| {
            let (start, end) = (self.position(range.start), self.position(range.end));
            format!(r#""range":{{"start":{start},"end":{end}}},"#)
        });
        let params = [
            format!(
                r#"{{"textDocument":{{"uri":"{URI}","version":{}}},"contentChanges":[{{{}"#,
                self.version,
                range.unwrap_or_default(),
            )
            .as_bytes(),
            &member("text", &json_text(text, notation), notation),
            b"}]}",
        ]
        .concat();
        message("textDocument/didChange", &params, notation)
    }

    fn send_damaged(&mut self, change: &[u8], damage: Damage) {
        let text = find(change, b"\"text\":");
        match damage {
            // Cut after the address: a message that names no document changes none.
            Damage::CutOff => self.send(&change[..text]),
            Damage::NoText => {
                self.send(&[&change[..text], b"\"x\":", &change[text + 7..]].concat())
            }
            Damage::NumberForText => self.send(&[&change[..text], b"\"text\":7}]}}"].concat()),
            Damage::InBatch => self.send(&[b"[", change, b"]"].concat()),
            Damage::OtherVersion => {
                let at = find(change, b"\"2.0\"");
                self.send(&[&change[..at], b"\"1.0\"", &change[at + 5..]].concat());
            }
            Damage::NoHeader => {
                let header = format!("Content-Size: {}\r\n\r\n", change.len());
                self.sent.extend_from_slice(header.as_bytes());
                self.sent.extend_from_slice(change);
                self.sent.extend_from_slice(b"\r\n");
            }
        }
    }

    fn ask(&mut self, at: f64) {
        let at = self.place(at);
        self.requests += 1;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"textDocument/inlineCompletion","params":{{"textDocument":{{"uri":"{URI}"}},"position":{}}}}}"#,
            self.requests,
            self.position(at)
        );
        self.send(body.as_bytes());
        let known = self.is_in_step.then(|| (self.units.clone(), at));
        self.asked.push(known);
    }

    /// Returns a place in the text, never between `\r` and `\n`: no position can express that.
    fn place(&self, share: f64) -> usize {
        let at = (share * (self.units.len() + 1) as f64) as usize;
        let is_between =
            at > 0 && self.units[..at].ends_with(&[13]) && self.units[at..].starts_with(&[10]);
        if is_between { at - 1 } else { at }
    }

    fn position(&self, at: usize) -> String {
        let (mut line, mut start) = (0, 0);
        for (i, &unit) in self.units[..at].iter().enumerate() {
            let ends = match unit {
                10 => true,
                13 => self.units.get(i + 1) != Some(&10),
                _ => false,
            };
            if ends {
                (line, start) = (line + 1, i + 1);
            }
        }
        format!(r#"{{"line":{line},"character":{}}}"#, at - start)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    let found = bytes
        .windows(wanted.len())
        .position(|window| window == wanted);
    found.expect("it is there")
}

fn message(method: &str, params: &[u8], notation: Notation) -> Vec<u8> {
    let head = match notation {
        Notation::RepeatedAround => {
            format!(
                r#"{{"jsonrpc":7,"method":"x","params":[],"jsonrpc":"2.0","method":"{method}","params":"#
            )
        }
        _ => format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":"#),
    };
    [head.as_bytes(), params, b"}"].concat()
}

fn member(name: &str, value: &[u8], notation: Notation) -> Vec<u8> {
    let head = match notation {
        Notation::RepeatedWithin => format!(r#""{name}":"another","{name}":"#),
        _ => format!(r#""{name}":"#),
    };
    [head.as_bytes(), value].concat()
}

/// Writes a text as JSON, surrogates as JavaScript does and bytes unchanged.
fn json_text(units: &[u16], notation: Notation) -> Vec<u8> {
    let mut json = vec![b'"'];
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Err(half) if half.unpaired_surrogate() & 0xff00 == BYTE => {
                json.push(half.unpaired_surrogate() as u8);
            }
            Err(half) => json.extend(format!("\\u{:04x}", half.unpaired_surrogate()).bytes()),
            Ok(c) if matches!(notation, Notation::Escaped) => {
                let mut buffer = [0; 2];
                let units = c.encode_utf16(&mut buffer).iter();
                json.extend(units.flat_map(|unit| format!("\\u{unit:04X}").into_bytes()));
            }
            Ok(c) => {
                let quoted = Value::from(c.to_string()).to_string();
                json.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
            }
        }
    }
    json.push(b'"');
    json
}

/// Returns whether a text is the editor's: each unit is equal, or a substitute for one that is no
/// character.
fn is_same(ours: &str, theirs: &[u16]) -> bool {
    let ours: Vec<u16> = ours.encode_utf16().collect();
    let is_same_unit = |(&one, &other): (&u16, &u16)| {
        one == other || (one == 0xfffd && (0xd800..0xe000).contains(&other))
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(is_same_unit)
}

/// Returns what the session received, and what the client was answered, after these bytes were
/// sent.
async fn conversation(sent: &[u8]) -> (Vec<Message>, Vec<Value>) {
    let (session, mut inbox) = mpsc::unbounded_channel();
    let (_notices, outbox) = mpsc::unbounded_channel();
    let lifecycle = Arc::new(Lifecycle::new());
    let greeted = CancellationToken::new();
    let front = Front::new("0", session, Arc::clone(&lifecycle), greeted.clone());
    let (output, mut answers) = tokio::io::duplex(1 << 20);
    converse(sent, output, front, outbox, greeted, &lifecycle).await;
    let mut received = Vec::new();
    while let Some(message) = inbox.recv().await {
        received.push(message);
    }
    let mut bytes = Vec::new();
    answers.read_to_end(&mut bytes).await.expect("in memory");
    let (mut input, mut messages) = (BufReader::new(&bytes[..]), Vec::new());
    while let Some(Frame::Body(body)) = read_frame(&mut input).await.expect("in memory") {
        messages.push(serde_json::from_slice(&body).expect("JSON"));
    }
    (received, messages)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_server_has_the_editor_s_text_or_answers_nothing(actions in actions()) {
        let mut editor = Editor::new();
        for action in &actions {
            editor.perform(action);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (received, messages) = runtime.block_on(conversation(&editor.sent));

        let mut asked = received.into_iter().filter_map(|message| match message {
            Message::Requested { asked, .. } => Some((asked.snapshot, asked.cursor)),
            _ => None,
        });
        for known in &editor.asked {
            // The session is not asked about a document that is out of step.
            let Some((units, at)) = known else { continue };
            let (snapshot, cursor) = asked.next().expect("the session is asked");
            let text = snapshot.text();
            prop_assert!(is_same(&text, units), "{text:?} is not {:?}", String::from_utf16_lossy(units));
            let cursor = text[..cursor.0].encode_utf16().count();
            // A place inside a pair is moved before the pair.
            let is_inside = text.encode_utf16().nth(*at).is_some_and(|unit| (0xdc00..0xe000).contains(&unit));
            prop_assert_eq!(cursor, at - usize::from(is_inside));
        }
        prop_assert!(asked.next().is_none(), "the session is asked about an unknown text");

        // Each request has one answer, and there are no other messages.
        let mut ids: Vec<i64> = messages.iter().filter_map(|message| message["id"].as_i64()).collect();
        ids.sort_unstable();
        prop_assert_eq!(ids, (0..=editor.requests).collect::<Vec<_>>());
        prop_assert_eq!(messages.len() as i64, editor.requests + 1);
    }
}
