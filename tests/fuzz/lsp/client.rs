//! Makes messages: most are what an editor would send, some are damaged, and they come in any
//! order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    material::{ADDRESSES, LANGUAGES, damaged, position, range, text},
    server::{Asked, Item, Server},
    texts::{self, Encoding, Place},
};
use tabahead_testkit::Random;

use crate::settings::layer;

/// The state of an editor.
#[derive(Default)]
pub struct Client {
    encoding: Encoding,
    has_menu: bool,
    is_greeted: bool,
    has_plain_settings: bool,
    documents: BTreeMap<&'static str, Document>,
}

/// An open document.
struct Document {
    /// Text; `None` after a damaged message about it, because the server may have another text
    /// until it gets a whole one.
    text: Option<String>,
    version: i32,
}

/// A message to send: method, parameters, and what it asks for, if it is a request.
struct Act {
    method: &'static str,
    params: Value,
    wants_answer: bool,
    asked: Option<Asked>,
}

impl Act {
    fn notify(method: &'static str, params: Value) -> Self {
        Self {
            method,
            params,
            wants_answer: false,
            asked: None,
        }
    }

    fn ask(method: &'static str, params: Value) -> Self {
        Self {
            method,
            params,
            wants_answer: true,
            asked: None,
        }
    }
}

impl Client {
    pub fn has_plain_settings(&self) -> bool {
        self.has_plain_settings
    }

    pub fn completion_method(&self) -> &'static str {
        if self.has_menu {
            "textDocument/completion"
        } else {
            "textDocument/inlineCompletion"
        }
    }

    /// Sends `initialize` and `initialized`.
    pub fn greet(&mut self, server: &mut Server, random: &mut Random) -> Result<(), String> {
        let offers = [
            json!(["utf-8"]),
            json!(["utf-32"]),
            json!(["utf-16", "utf-8"]),
            json!(["utf-8", "utf-32"]),
            Value::Null,
        ];
        self.has_menu = random.below(5) == 0;
        self.has_plain_settings = random.below(6) > 0;
        let feature = if self.has_menu {
            json!({"completion": {"completionItem": {"documentationFormat": ["markdown"]}}})
        } else {
            json!({"inlineCompletion": {}})
        };
        let options = if self.has_plain_settings {
            json!({"threads": random.below(3), "speculation": {"enabled": random.below(4) > 0}})
        } else {
            layer(random)
        };
        let mut params = json!({
            "processId": std::process::id(),
            "rootUri": null,
            "capabilities": {
                "general": {"positionEncodings": random.pick(&offers)},
                "textDocument": feature,
                "window": {"workDoneProgress": random.below(2) == 0},
            },
            "initializationOptions": options,
        });
        let mut answer = server.call("initialize", params.clone())?;
        // Options that are nested too deeply are refused as a whole.
        if answer["error"]["code"] == -32602 && !self.has_plain_settings {
            params["initializationOptions"] = Value::Null;
            answer = server.call("initialize", params)?;
        }
        let encoding = answer["result"]["capabilities"]["positionEncoding"].as_str();
        let encoding = encoding.and_then(Encoding::named);
        self.encoding = encoding.ok_or_else(|| format!("no position encoding: {answer}"))?;
        server.notify("initialized", json!({}));
        self.is_greeted = true;
        // The server ignored everything before.
        self.documents.clear();
        Ok(())
    }

    /// Sends one message, and perhaps waits for answers.
    pub fn act(&mut self, server: &mut Server, random: &mut Random) -> Result<(), String> {
        let Act {
            method,
            params,
            mut wants_answer,
            asked,
        } = self.choose(server, random);
        if random.below(25) == 0 {
            wants_answer = !wants_answer;
        }
        let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        let id = server.fresh_id(random);
        if wants_answer {
            message["id"] = id.clone();
            if let Some(asked) = asked {
                server.note(&id, asked);
            }
        }
        if random.below(8) > 0 {
            server.send(message.to_string().as_bytes());
        } else {
            self.doubt(&message, random.below(2) == 0);
            server.forget(&id);
            server.send(&damaged(message, random));
        }
        if random.below(6) == 0 {
            server.settle()?;
        }
        Ok(())
    }

    /// Returns a valid message for the caller to damage.
    pub fn message(&mut self, server: &Server, random: &mut Random) -> Value {
        let Act {
            method,
            params,
            wants_answer,
            ..
        } = self.choose(server, random);
        let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        if wants_answer {
            message["id"] = json!(1_000_000 + random.below(1000));
        }
        message
    }

    /// Forgets all texts: what the server has of any document is not known any more.
    pub fn forget_texts(&mut self) {
        for document in self.documents.values_mut() {
            document.text = None;
        }
    }

    pub fn close_all(&mut self, server: &mut Server) {
        self.documents.clear();
        for uri in ADDRESSES {
            server.notify(
                "textDocument/didClose",
                json!({"textDocument": {"uri": uri}}),
            );
        }
    }

    /// Forgets the texts that a message may change: it is going to be damaged, so it may do
    /// anything or nothing.
    fn doubt(&mut self, message: &Value, all: bool) {
        let method = message["method"].as_str().unwrap_or_default();
        if !method.starts_with("textDocument/did") {
            return;
        }
        let uri = message["params"]["textDocument"]["uri"].as_str();
        for (address, document) in &mut self.documents {
            if all || uri == Some(*address) {
                document.text = None;
            }
        }
    }

    fn choose(&mut self, server: &Server, random: &mut Random) -> Act {
        if self.documents.is_empty() {
            return self.open(random);
        }
        match random.below(100) {
            0..=7 => self.open(random),
            8..=10 => self.close(random),
            11..=44 => self.change(random),
            45..=69 => self.complete(random),
            70..=77 => self.accept(server, random),
            78..=83 => self.notify_of_cursor(random),
            84..=86 => self.notify_of_item(server, random),
            87..=90 => cancel(server, random),
            91 | 92 => Act::notify("workspace/didChangeConfiguration", settings(random)),
            93 => Act::ask("tabahead/stats", Value::Null),
            _ => self.other(random),
        }
    }

    fn open(&mut self, random: &mut Random) -> Act {
        let uri = *random.pick(&ADDRESSES);
        let text = text(random, 30);
        let version = random.below(5) as i32 - 1;
        let params = json!({"textDocument": {
            "uri": uri, "languageId": random.pick(&LANGUAGES), "version": version, "text": text,
        }});
        self.documents.insert(
            uri,
            Document {
                text: Some(text),
                version,
            },
        );
        Act::notify("textDocument/didOpen", params)
    }

    fn close(&mut self, random: &mut Random) -> Act {
        let uri = *random.pick(&ADDRESSES);
        self.documents.remove(uri);
        Act::notify(
            "textDocument/didClose",
            json!({"textDocument": {"uri": uri}}),
        )
    }

    /// Returns one of the open documents, or rarely one that is not open.
    fn some_document(&self, random: &mut Random) -> &'static str {
        let open: Vec<&'static str> = self.documents.keys().copied().collect();
        let among = if open.is_empty() || random.below(15) == 0 {
            &ADDRESSES[..]
        } else {
            &open[..]
        };
        let chosen: &&'static str = random.pick(among);
        chosen
    }

    /// Returns a place in a document, mostly one that exists.
    fn some_place(&self, uri: &str, random: &mut Random) -> Place {
        let document = self.documents.get(uri);
        let text = document
            .and_then(|document| document.text.as_deref())
            .unwrap_or("\n\n\n");
        let mut at = random.below(text.len() + 1);
        if random.below(3) == 0 {
            at = text.len();
        }
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let (line, character) = texts::place(text, at, self.encoding);
        match random.below(20) {
            0 => (line, character + 1),
            1 => (line + 1, character),
            2 => (line, *random.pick(&[1_000_000, 0x7fff_ffff, 0xffff_ffff])),
            3 => (
                *random.pick(&[1_000_000, 0x7fff_ffff, 0xffff_ffff]),
                character,
            ),
            _ => (line, character),
        }
    }

    fn change(&mut self, random: &mut Random) -> Act {
        let uri = self.some_document(random);
        let mut changes = Vec::new();
        for _ in 0..1 + random.below(3) * random.below(2) {
            changes.push(self.one_change(uri, random));
        }
        let mut about = json!({"uri": uri});
        if let Some(document) = self.documents.get_mut(uri) {
            match random.below(12) {
                0 => document.version = *random.pick(&[0, -1, i32::MAX, i32::MIN]),
                _ => document.version = document.version.wrapping_add(1),
            }
            if random.below(20) > 0 {
                about["version"] = json!(document.version);
            }
        }
        Act::notify(
            "textDocument/didChange",
            json!({"textDocument": about, "contentChanges": changes}),
        )
    }

    /// Makes a change, and applies it here as well.
    fn one_change(&mut self, uri: &str, random: &mut Random) -> Value {
        let (mut start, mut end) = (self.some_place(uri, random), self.some_place(uri, random));
        if random.below(3) > 0 {
            end = start;
        }
        let is_known = self
            .documents
            .get(uri)
            .is_some_and(|document| document.text.is_some());
        let is_whole = random.below(if is_known { 25 } else { 3 }) == 0;
        let inserted = text(random, if is_whole { 30 } else { 2 });
        let encoding = self.encoding;
        if let Some(document) = self.documents.get_mut(uri) {
            if is_whole {
                document.text = Some(inserted.clone());
            } else if let Some(text) = &mut document.text {
                *text = texts::replaced(text, [start, end], &inserted, encoding);
                if text.len() > 20_000 {
                    document.text = None;
                }
            }
        }
        if random.below(30) == 0 {
            std::mem::swap(&mut start, &mut end);
        }
        if is_whole {
            json!({"text": inserted})
        } else {
            json!({"range": range(start, end), "text": inserted})
        }
    }

    fn complete(&mut self, random: &mut Random) -> Act {
        let uri = self.some_document(random);
        let place = self.some_place(uri, random);
        let document = self.documents.get(uri);
        let mut about = json!({"uri": uri});
        if random.below(4) == 0 {
            let known = document.map_or(1, |document| document.version);
            about["version"] = json!(known.wrapping_sub(i32::from(random.below(4) == 0)));
        }
        let mut context = json!({"triggerKind": 1 + random.below(2)});
        if random.below(8) == 0 {
            let start = match random.below(3) {
                0 => self.some_place(uri, random),
                _ => (place.0, place.1.saturating_sub(random.below(5) as u64)),
            };
            context["selectedCompletionInfo"] =
                json!({"range": range(start, place), "text": text(random, 1)});
        }
        let mut act = Act::ask(
            self.completion_method(),
            json!({"textDocument": about, "position": position(place), "context": context}),
        );
        act.asked = Some(Asked {
            uri: uri.to_owned(),
            text: document.and_then(|document| document.text.clone()),
            encoding: self.encoding,
            place,
        });
        act
    }

    /// Accepts a suggestion if its document is unchanged; otherwise only reports an accept.
    fn accept(&mut self, server: &Server, random: &mut Random) -> Act {
        if server.items.is_empty() {
            return self.complete(random);
        }
        let item: &Item = random.pick(&server.items);
        let document = self.documents.iter_mut().find(|(uri, _)| **uri == item.uri);
        if let Some((uri, document)) = document
            && item.text.is_some()
            && document.text == item.text
            && let Some(text) = &mut document.text
        {
            let start = texts::offset(text, item.start, self.encoding);
            let end = texts::offset(text, item.end, self.encoding);
            text.replace_range(start..end, &item.insert);
            document.version = document.version.wrapping_add(1);
            return Act::notify(
                "textDocument/didChange",
                json!({
                    "textDocument": {"uri": uri, "version": document.version},
                    "contentChanges": [{"range": range(item.start, item.end), "text": item.insert}],
                }),
            );
        }
        let command = &item.command;
        Act::ask(
            "workspace/executeCommand",
            json!({"command": command["command"], "arguments": command["arguments"]}),
        )
    }

    fn notify_of_cursor(&mut self, random: &mut Random) -> Act {
        let uri = self.some_document(random);
        let place = self.some_place(uri, random);
        let about = json!({"uri": uri});
        match random.below(4) {
            0 => Act::notify("textDocument/didFocus", json!({"textDocument": about})),
            1 => Act::notify("tabahead/didDismiss", json!({"textDocument": about})),
            2 => Act::notify(
                "tabahead/didMoveCursor",
                json!({"textDocument": about, "position": position(place)}),
            ),
            _ => {
                let end = self.some_place(uri, random);
                let shown = json!({
                    "textDocument": about, "position": position(place),
                    "range": range(place, end), "insertText": text(random, 3),
                });
                Act::notify("tabahead/didShow", shown)
            }
        }
    }

    fn notify_of_item(&mut self, server: &Server, random: &mut Random) -> Act {
        let command = if server.items.is_empty() {
            json!({"arguments": [random.below(100).to_string()]})
        } else {
            random.pick(&server.items).command.clone()
        };
        let item = json!({"insertText": "x", "command": command});
        match random.below(2) {
            0 => Act::notify("textDocument/didShowCompletion", json!({"item": item})),
            _ => Act::notify(
                "textDocument/didPartiallyAcceptCompletion",
                json!({"item": item, "acceptedLength": random.below(40)}),
            ),
        }
    }

    fn other(&self, random: &mut Random) -> Act {
        match random.below(8) {
            0 => Act::ask("textDocument/hover", json!({"position": position((0, 0))})),
            1 => Act::ask(
                "workspace/executeCommand",
                json!({"command": "tabahead.accepted", "arguments": [random.below(50)]}),
            ),
            // `greet` sends the first one.
            2 if self.is_greeted => Act::ask("initialize", json!({"capabilities": {}})),
            3 => Act::notify("$/setTrace", json!({"value": "verbose"})),
            4 => Act::notify("workspace/didChangeWatchedFiles", json!({"changes": []})),
            5 => Act::ask("$/unknown", json!([1, 2])),
            6 => Act::notify("initialized", json!({})),
            _ => Act::ask("", Value::Null),
        }
    }
}

fn cancel(server: &Server, random: &mut Random) -> Act {
    let known = server.known_ids();
    let id = if known.is_empty() || random.below(6) == 0 {
        json!(random.below(100_000))
    } else {
        random.pick(&known).clone()
    };
    Act::notify("$/cancelRequest", json!({"id": id}))
}

fn settings(random: &mut Random) -> Value {
    let mut settings = layer(random);
    // Another model takes a while to load, and other targets try files that are not models.
    if let Some(object) = settings.as_object_mut().filter(|_| random.below(4) > 0) {
        object.remove("model");
    }
    json!({"settings": settings})
}
