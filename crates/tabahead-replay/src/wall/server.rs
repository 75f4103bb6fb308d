//! The server as a child process, driven as an editor drives it.

use std::{
    collections::HashMap,
    io::{BufReader, BufWriter, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use lsp_server::{Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};
use tabahead_context::{DocumentName, State, Suggestion};
use tabahead_text::{Document, Position, PositionEncoding};

use super::position;

/// Maximum wait for an answer that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the server cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server cannot be started.
    #[error("the server cannot be started: {0}")]
    Start(std::io::Error),
    /// The server ended, or does not read its input.
    #[error("the server stopped: {0}; run it with --log debug to see why")]
    Stopped(String),
    /// The server's model cannot be used.
    #[error("the server's model cannot be used: {0}")]
    Model(String),
}

/// An answer, and when it arrived.
pub(super) struct ArrivedAnswer {
    pub(super) id: i64,
    pub(super) at: Instant,
    pub(super) result: Value,
}

/// A running server.
pub(super) struct Server {
    child: Child,
    input: BufWriter<ChildStdin>,
    messages: Receiver<(Instant, Message)>,
    answers: HashMap<i64, ArrivedAnswer>,
    next_id: i64,
    opened: u64,
}

impl Server {
    /// Starts the server and waits until its model is ready.
    pub(super) fn start(
        program: &Path,
        arguments: &[String],
        options: &Value,
    ) -> Result<Self, ServerError> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(ServerError::Start)?;
        let gone = || ServerError::Stopped("it has no standard input or output".to_owned());
        let input = BufWriter::new(child.stdin.take().ok_or_else(gone)?);
        let output = child.stdout.take().ok_or_else(gone)?;
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Ok(Some(message)) = Message::read(&mut output) {
                if sender.send((Instant::now(), message)).is_err() {
                    return;
                }
            }
        });
        let mut server = Self {
            child,
            input,
            messages,
            answers: HashMap::new(),
            next_id: 0,
            opened: 0,
        };
        let initialize = json!({
            "processId": std::process::id(),
            "rootUri": null,
            "capabilities": {"general": {"positionEncodings": ["utf-16"]}},
            "initializationOptions": options,
        });
        server.call("initialize", &initialize)?;
        server.notify("initialized", &json!({}))?;
        server.wait_for_model()?;
        Ok(server)
    }

    fn wait_for_model(&mut self) -> Result<(), ServerError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let stats = self.call("tabahead/stats", &json!({}))?;
            match stats["model"]["state"].as_str() {
                Some("ready") => return Ok(()),
                Some("failed") => {
                    return Err(ServerError::Model(stats["model"]["message"].to_string()));
                }
                _ if Instant::now() > until => {
                    return Err(ServerError::Model("it is not read in a minute".to_owned()));
                }
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    pub(super) fn notify(&mut self, method: &str, params: &Value) -> Result<(), ServerError> {
        self.send(&Message::Notification(Notification {
            method: method.to_owned(),
            params: params.clone(),
        }))
    }

    /// Sends a request and returns its id; the answer comes from `next`.
    pub(super) fn request(&mut self, method: &str, params: &Value) -> Result<i64, ServerError> {
        self.next_id += 1;
        let id = i32::try_from(self.next_id).unwrap_or(i32::MAX);
        self.send(&Message::Request(Request {
            id: RequestId::from(id),
            method: method.to_owned(),
            params: params.clone(),
        }))?;
        Ok(i64::from(id))
    }

    /// Sends a request and waits for its result.
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Result<Value, ServerError> {
        let id = self.request(method, params)?;
        let until = Instant::now() + PATIENCE;
        while let Some(arrived) = self.read(until)? {
            if arrived.id == id {
                return Ok(arrived.result);
            }
            self.answers.insert(arrived.id, arrived);
        }
        Err(ServerError::Stopped(format!("no answer to {method}")))
    }

    /// Returns the next answer that arrives before `until`.
    pub(super) fn next(&mut self, until: Instant) -> Result<Option<ArrivedAnswer>, ServerError> {
        if let Some(&id) = self.answers.keys().min() {
            return Ok(self.answers.remove(&id));
        }
        self.read(until)
    }

    fn read(&mut self, until: Instant) -> Result<Option<ArrivedAnswer>, ServerError> {
        loop {
            let patience = until.saturating_duration_since(Instant::now());
            let (at, message) = match self.messages.recv_timeout(patience) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait();
                    let status = status.map_or_else(|e| e.to_string(), |status| status.to_string());
                    return Err(ServerError::Stopped(status));
                }
            };
            match message {
                Message::Response(response) => {
                    if let Ok(id) = response.id.to_string().parse() {
                        let result = response.response_result.unwrap_or_default();
                        return Ok(Some(ArrivedAnswer { id, at, result }));
                    }
                }
                Message::Request(Request { id, .. }) => {
                    self.send(&Message::Response(Response::new_ok(id, Value::Null)))?;
                }
                Message::Notification(_) => {}
            }
        }
    }

    fn send(&mut self, message: &Message) -> Result<(), ServerError> {
        let input = &mut self.input;
        let sent = message.clone().write(input).and_then(|()| input.flush());
        sent.map_err(|error| ServerError::Stopped(error.to_string()))
    }

    pub(super) fn open(
        &mut self,
        uri: &str,
        name: &DocumentName,
        text: &Document,
    ) -> Result<(), ServerError> {
        let opened = json!({"textDocument": {
            "uri": uri,
            "languageId": name.language,
            "version": 1,
            "text": text.text(),
        }});
        self.notify("textDocument/didOpen", &opened)
    }

    /// Returns the suggestion at a state that the server has not seen.
    pub(super) fn suggests(&mut self, state: &State) -> Result<Option<Suggestion>, ServerError> {
        self.opened += 1;
        let uri = uri(&format!("fresh/{}", self.opened), &state.name);
        self.open(&uri, &state.name, &state.document)?;
        let params = json!({
            "textDocument": {"uri": uri},
            "position": position(&state.document, state.cursor),
            "context": {"triggerKind": 2},
        });
        let result = self.call("textDocument/inlineCompletion", &params)?;
        self.notify(
            "textDocument/didClose",
            &json!({"textDocument": {"uri": uri}}),
        )?;
        let item = result.pointer("/items/0");
        Ok(item.and_then(|item| suggestion(item, &state.document)))
    }

    /// Returns the processor time that the server has used; `None` if the system does not report
    /// it.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        /// Ticks per second in `/proc`: the same on every Linux.
        const TICKS: u64 = 100;

        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The second field is a name in parentheses, which may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
        // utime and stime: fields 14 and 15.
        let ticks = ticks(11)? + ticks(12)?;
        Some(Duration::from_millis(ticks * 1_000 / TICKS))
    }

    /// Shuts the server down as an editor does.
    pub(super) fn stop(mut self) -> Result<(), ServerError> {
        self.call("shutdown", &Value::Null)?;
        self.notify("exit", &Value::Null)?;
        let ended = self.child.wait();
        ended.map_err(ServerError::Start).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killing a process that has ended does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads an item as a suggestion in `text`.
pub(super) fn suggestion(item: &Value, text: &Document) -> Option<Suggestion> {
    let offset = |pointer: &str| {
        let number = |field: &str| item.pointer(&format!("{pointer}/{field}"))?.as_u64();
        let position = Position {
            line: u32::try_from(number("line")?).ok()?,
            character: u32::try_from(number("character")?).ok()?,
        };
        Some(text.offset_of(position, PositionEncoding::Utf16))
    };
    Some(Suggestion {
        range: offset("/range/start")?..offset("/range/end")?,
        text: item["insertText"].as_str()?.to_owned(),
    })
}

/// Returns the URI of a file in `folder` with the name that the model is to see.
pub(super) fn uri(folder: &str, name: &DocumentName) -> String {
    let mut uri = format!("file:///{folder}/");
    for byte in name.file_name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                uri.push(char::from(byte));
            }
            other => uri += &format!("%{other:02X}"),
        }
    }
    uri
}
