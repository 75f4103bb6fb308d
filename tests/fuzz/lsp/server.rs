//! A running server, and the answers that it owes its client.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::texts::{self, Encoding, FIRST_HALF, Place, SECOND_HALF};
use tabahead_testkit::{
    Random,
    frames::{header, read_message},
};

use crate::{bounds::check_text, program};

/// Word that texts may contain; it must not be in the log.
pub const CANARY: &str = "zqcanaryqz";

/// Time after which a server is taken to hang.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    input: Option<ChildStdin>,
    incoming: Receiver<Value>,
    stderr: Option<JoinHandle<String>>,
    next_id: i64,
    owed: BTreeMap<String, Owed>,
    /// Subject of each request, by the request's id.
    asked: HashMap<String, Asked>,
    answers: HashMap<String, Value>,
    /// Suggestions that came, newest last.
    pub items: Vec<Item>,
    /// Number of answers that may still come to messages that may not be valid requests.
    strays: usize,
    anything: bool,
    problems: Vec<String>,
    /// Home of the server, so that no file of the user is read or written.
    _home: TempDir,
}

/// Numbers of answers to an id.
#[derive(Default)]
struct Owed {
    wanted: usize,
    came: usize,
}

/// The place for which suggestions were requested.
pub struct Asked {
    pub uri: String,
    /// Text of the document, if the client is sure of it.
    pub text: Option<String>,
    pub encoding: Encoding,
    pub place: Place,
}

/// A suggestion.
#[derive(Clone)]
pub struct Item {
    pub uri: String,
    /// Text of the document that it was for, if known.
    pub text: Option<String>,
    pub start: Place,
    pub end: Place,
    pub insert: String,
    pub command: Value,
}

impl Server {
    pub fn start(random: &mut Random) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let level = *random.pick(&["warn", "warn", "debug", "trace"]);
        let mut child = Command::new(program::path())
            .args(["lsp", "--log", level])
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take();
        let output = child.stdout.take().expect("stdout is piped");
        let mut errors = child.stderr.take().expect("stderr is piped");
        let (sender, incoming) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read_message(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = errors.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self {
            child,
            input,
            incoming,
            stderr: Some(stderr),
            next_id: 1,
            owed: BTreeMap::new(),
            asked: HashMap::new(),
            answers: HashMap::new(),
            items: Vec::new(),
            strays: 0,
            anything: false,
            problems: Vec::new(),
            _home: home,
        }
    }

    /// Returns an id that no request has had.
    pub fn fresh_id(&mut self, random: &mut Random) -> Value {
        self.next_id += 1;
        match random.below(10) {
            0 => json!(format!("id {}", self.next_id)),
            1 => json!(-self.next_id),
            2 => json!((1_i64 << 52) + self.next_id),
            _ => json!(self.next_id),
        }
    }

    /// Returns ids of requests, answered or not.
    pub fn known_ids(&self) -> Vec<Value> {
        let ids = self.owed.keys().rev().take(30);
        ids.filter_map(|id| serde_json::from_str(id).ok()).collect()
    }

    /// Remembers what a request was about.
    pub fn note(&mut self, id: &Value, asked: Asked) {
        self.asked.insert(id.to_string(), asked);
    }

    /// Forgets what a request was about: it is damaged, so it may be about anything.
    pub fn forget(&mut self, id: &Value) {
        self.asked.remove(&id.to_string());
    }

    /// Allows any answer from now on: what is sent is not a message.
    pub fn expect_anything(&mut self) {
        self.anything = true;
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(
            json!({"jsonrpc": "2.0", "method": method, "params": params})
                .to_string()
                .as_bytes(),
        );
    }

    pub fn request(&mut self, method: &str, params: Value) -> String {
        self.next_id += 1;
        // No damaged message has such an id by chance.
        let id = json!(format!("call {}", self.next_id));
        self.send(
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
                .to_string()
                .as_bytes(),
        );
        id.to_string()
    }

    /// Sends a request and waits for its answer.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, String> {
        let id = self.request(method, params);
        let begin = Instant::now();
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return Ok(answer);
            }
            self.wait(begin, &format!("{method} has no answer"))?;
        }
    }

    /// Sends a body in a valid frame, and records what is owed for it.
    pub fn send(&mut self, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        if text.contains([FIRST_HALF, SECOND_HALF]) {
            let halves = text
                .replace(FIRST_HALF, "\\ud83d")
                .replace(SECOND_HALF, "\\ude00");
            return self.send(halves.as_bytes());
        }
        match wanted(body) {
            Wanted::Answer(id) => self.owed.entry(id).or_default().wanted += 1,
            Wanted::Nothing => {}
            Wanted::Perhaps => self.strays += 1,
        }
        self.write(header(body.len()).as_bytes());
        self.write(body);
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        let Some(input) = &mut self.input else { return };
        if let Err(error) = input.write_all(bytes).and_then(|()| input.flush()) {
            self.problems
                .push(format!("the server does not read: {error}"));
            self.input = None;
        }
        while let Ok(message) = self.incoming.try_recv() {
            self.sort(message);
        }
    }

    /// Waits until no answer is owed.
    pub fn settle(&mut self) -> Result<(), String> {
        let begin = Instant::now();
        while let Some((id, _)) = self.owed.iter().find(|(_, owed)| owed.came < owed.wanted) {
            let id = id.clone();
            self.wait(begin, &format!("request {id} has no answer"))?;
        }
        self.first_problem()
    }

    /// Shuts down as LSP specifies, and checks the run.
    pub fn end(mut self) -> Result<(), String> {
        let id = self.request("shutdown", Value::Null);
        self.settle()?;
        self.answers.remove(&id);
        self.notify("exit", Value::Null);
        self.look_back(0)
    }

    /// Leaves without `shutdown`; `code` is the exit code to expect after an `exit`.
    pub fn leave(mut self, random: &mut Random, code: i32) -> Result<(), String> {
        // Pending requests may be answered or not; it does not matter.
        self.anything = true;
        let code = match random.below(2) {
            0 => {
                self.notify("exit", Value::Null);
                code
            }
            _ => 1,
        };
        self.input = None;
        self.look_back(code)
    }

    fn look_back(&mut self, code: i32) -> Result<(), String> {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if begin.elapsed() > PATIENCE {
                return Err("the server does not end".to_owned());
            }
            self.listen(Duration::from_millis(5));
        };
        // The reader thread ends with the server's output, and closes the channel.
        while self.listen(PATIENCE) {}
        let log = self
            .stderr
            .take()
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default();
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            return Err(format!("the server panicked: {line}"));
        }
        if let Some(line) = log.lines().find(|line| line.contains(CANARY)) {
            return Err(format!("the log holds text of a document: {line}"));
        }
        if status.code() != Some(code) {
            return Err(format!("the server ends with {status}, not {code}"));
        }
        self.first_problem()
    }

    fn first_problem(&mut self) -> Result<(), String> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(self.problems.remove(0))
        }
    }

    fn wait(&mut self, begin: Instant, problem: &str) -> Result<(), String> {
        if begin.elapsed() > PATIENCE {
            return Err(problem.to_owned());
        }
        if !self.listen(Duration::from_millis(200)) {
            let status = self.child.wait().expect("a child can be waited for");
            let log = self
                .stderr
                .take()
                .and_then(|reader| reader.join().ok())
                .unwrap_or_default();
            let last = log.lines().last().unwrap_or_default();
            return Err(format!("{problem}: the server has ended, {status}: {last}"));
        }
        Ok(())
    }

    /// Takes in a message if one comes in time; returns false if the server closed its output.
    fn listen(&mut self, time: Duration) -> bool {
        match self.incoming.recv_timeout(time) {
            Ok(message) => {
                self.sort(message);
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    fn sort(&mut self, message: Value) {
        if message.get("method").is_some() {
            if let Some(id) = message.get("id") {
                let answer = json!({"jsonrpc": "2.0", "id": id, "result": null}).to_string();
                self.write(header(answer.len()).as_bytes());
                self.write(answer.as_bytes());
            }
            let text = message["params"]["message"].as_str();
            if let Some(Err(problem)) = text.map(|text| check_text(&text)) {
                self.problems.push(problem);
            }
            return;
        }
        let id = message["id"].to_string();
        let owed = self.owed.entry(id.clone()).or_default();
        owed.came += 1;
        if owed.came > owed.wanted && !self.anything {
            owed.came -= 1;
            match self.strays {
                0 => self
                    .problems
                    .push(format!("an answer without a request: {message}")),
                _ => self.strays -= 1,
            }
        }
        if let Some(asked) = self.asked.remove(&id)
            && !self.anything
            && let Err(problem) = self.read_items(&message["result"], &asked)
        {
            self.problems.push(format!("{problem}: {message}"));
        }
        self.answers.insert(id, message);
    }

    fn read_items(&mut self, result: &Value, asked: &Asked) -> Result<(), String> {
        let Some(items) = result["items"].as_array() else {
            return Ok(());
        };
        for item in items {
            let edit = &item["textEdit"];
            let (range, insert) = if edit.is_null() {
                (&item["range"], &item["insertText"])
            } else {
                (&edit["range"], &edit["newText"])
            };
            let (start, end) = place(&range["start"])
                .zip(place(&range["end"]))
                .ok_or("no range")?;
            let insert = insert.as_str().ok_or("no text")?.to_owned();
            if let Some(text) = &asked.text {
                is_in_place(text, (start, end), asked)?;
            }
            self.items.push(Item {
                uri: asked.uri.clone(),
                text: asked.text.clone(),
                start,
                end,
                insert,
                command: item["command"].clone(),
            });
        }
        let old = self.items.len().saturating_sub(8);
        self.items.drain(..old);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_in_place(text: &str, (start, end): (Place, Place), asked: &Asked) -> Result<(), String> {
    let encoding = asked.encoding;
    for side in [start, end] {
        if !texts::has(text, side, encoding) {
            return Err(format!(
                "{side:?} is no place in a text of {} bytes",
                text.len()
            ));
        }
    }
    let cursor = texts::place(text, texts::offset(text, asked.place, encoding), encoding);
    if start.0 == cursor.0 && end.0 == cursor.0 && start <= cursor && cursor <= end {
        Ok(())
    } else {
        Err(format!("{start:?} to {end:?} is not around {cursor:?}"))
    }
}

fn place(value: &Value) -> Option<Place> {
    value["line"].as_u64().zip(value["character"].as_u64())
}

/// The answer that is owed for a body.
enum Wanted {
    /// One answer with this id.
    Answer(String),
    Nothing,
    /// One answer or none: the body is not a valid message, so its id may be anything.
    Perhaps,
}

/// Returns the answer that JSON-RPC demands for a body. A body with repeated members is not valid.
fn wanted(body: &[u8]) -> Wanted {
    let text = String::from_utf8_lossy(body);
    let once = |member: &str| text.matches(member).count() < 2;
    let sound = serde_json::from_slice::<Value>(body).ok().filter(|value| {
        let members = ["\"jsonrpc\"", "\"id\"", "\"method\"", "\"params\""];
        let is_other = |member| value.get(member).is_some();
        value["jsonrpc"] == "2.0"
            && value["method"].is_string()
            && !is_other("result")
            && !is_other("error")
            && members.into_iter().all(once)
    });
    let Some(message) = sound else {
        return Wanted::Perhaps;
    };
    match message.get("id") {
        None => Wanted::Nothing,
        Some(id) if id.is_i64() || id.is_string() => Wanted::Answer(id.to_string()),
        Some(_) => Wanted::Perhaps,
    }
}
