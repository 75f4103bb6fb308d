//! An LSP client over stdio that lets no message go unread.
//!
//! Knows framing and bookkeeping, not editing. A server message that no test expects or takes fails
//! the test when the client ends, as does a second answer to a request.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io::{BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tabahead_testkit::frames::{framed, read_message};

use crate::{buffer::Buffer, program};

/// Time after which a hang becomes a failure; no test depends on how fast anything is.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Messages that a server sends on its own and that a test need not read.
const EXPECTED: [&str; 4] = [
    "$/progress",
    "tabahead/status",
    "window/logMessage",
    "window/workDoneProgress/create",
];

/// A running server and its messages so far.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    incoming: Receiver<Value>,
    stderr: Option<JoinHandle<String>>,
    next_id: i64,
    waiting: BTreeSet<i64>,
    answers: BTreeMap<i64, Value>,
    unread: Vec<Value>,
}

impl Client {
    /// Starts `tabahead lsp --no-daemon` and initializes it with these options.
    #[track_caller]
    pub fn start(options: Value) -> Self {
        Self::greet(Self::spawn(), options)
    }

    /// Starts `tabahead record FOLDER` and initializes it.
    #[track_caller]
    pub fn start_recording(folder: &Path) -> Self {
        let arguments = ["record".as_ref(), folder.as_os_str()];
        Self::greet(Self::spawn_as(&arguments), json!({}))
    }

    /// Starts `tabahead lsp` with this configuration file and initializes it.
    #[track_caller]
    pub fn start_configured(file: &Path) -> Self {
        let arguments = ["lsp".as_ref(), "--config".as_ref(), file.as_os_str()];
        Self::greet(Self::spawn_as(&arguments), json!({}))
    }

    #[track_caller]
    fn greet(mut client: Self, options: Value) -> Self {
        let answer = client.call("initialize", Self::initialize(options));
        assert!(answer.get("error").is_none(), "{answer}");
        client.notify("initialized", json!({}));
        client
    }

    /// Starts the server without sending anything.
    pub fn spawn() -> Self {
        Self::spawn_as(&["lsp".as_ref(), "--no-daemon".as_ref()])
    }

    fn spawn_as(arguments: &[&OsStr]) -> Self {
        let mut child = Command::new(program::path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take();
        let output = child.stdout.take().expect("stdout is piped");
        let errors = child.stderr.take().expect("stderr is piped");
        let (sender, incoming) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read_message(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            input,
            incoming,
            stderr: Some(std::thread::spawn(move || read_all(errors))),
            next_id: 1,
            waiting: BTreeSet::new(),
            answers: BTreeMap::new(),
            unread: Vec::new(),
        }
    }

    /// Returns the parameters of `initialize`, as Neovim 0.12 sends them where it matters.
    pub fn initialize(options: Value) -> Value {
        json!({
            "processId": std::process::id(),
            "rootUri": null,
            "capabilities": {
                "general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]},
                "textDocument": {"inlineCompletion": {"dynamicRegistration": false}},
                "window": {"workDoneProgress": true},
            },
            "initializationOptions": options,
        })
    }

    /// Sends a request and returns its id; `answer` takes the answer.
    pub fn request(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.insert(id);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a message in a frame.
    pub fn send(&mut self, message: &Value) {
        self.send_bytes(framed(&message.to_string()).as_bytes());
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(bytes).expect("the server reads");
        input.flush().expect("the server reads");
    }

    /// Waits for the whole answer message to a request, which holds `result` or `error`.
    #[track_caller]
    pub fn answer(&mut self, id: i64) -> Value {
        let begin = Instant::now();
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            self.read(begin);
        }
    }

    /// Sends a request and waits for the whole answer message.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.answer(id)
    }

    /// Sends a request and returns its result.
    #[track_caller]
    pub fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Opens a buffer.
    pub fn open(&mut self, buffer: &Buffer) {
        self.notify("textDocument/didOpen", buffer.opened());
    }

    /// Sends a change of a buffer.
    pub fn change(&mut self, change: Value) {
        self.notify("textDocument/didChange", change);
    }

    /// Asks for a suggestion at the buffer's cursor and waits for the answer.
    #[track_caller]
    pub fn complete(&mut self, buffer: &Buffer) -> Value {
        self.result("textDocument/inlineCompletion", buffer.request())
    }

    /// Waits for a message that the server sends on its own.
    #[track_caller]
    pub fn take(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.unread.iter().position(&wanted) {
                return self.unread.remove(at);
            }
            self.read(begin);
        }
    }

    /// Returns the server's counters.
    #[track_caller]
    pub fn stats(&mut self) -> Value {
        self.result("tabahead/stats", Value::Null)
    }

    /// Waits until nothing is computed ahead any more. Returns the counters at that moment, and
    /// checks that the engine has counted exactly the tokens that arrived. Beside other work a large
    /// model computes ahead slowly, so only a wait without any progress fails.
    #[track_caller]
    pub fn settle(&mut self) -> Value {
        let (mut begin, mut counted) = (Instant::now(), Value::Null);
        loop {
            let stats = self.stats();
            if stats["tokens"] != counted {
                (begin, counted) = (Instant::now(), stats["tokens"].clone());
            }
            let running = stats["generations"]["running"].as_u64();
            if running.expect("a count") == 0 {
                let tokens = |name: &str| stats["tokens"][name].as_u64().expect("a count");
                let decoded = tokens("decoded") + tokens("constrained");
                assert_eq!(decoded, tokens("received"), "{stats}");
                assert_eq!(tokens("prompt"), tokens("prompt_received"), "{stats}");
                return stats;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "speculation does not end: {stats}"
            );
            // Leave the cores to the server between two polls.
            self.listen(Duration::from_millis(5));
        }
    }

    /// Returns the id of the server process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the server process to end, and returns its status.
    #[track_caller]
    pub fn exit_status(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "the server does not exit");
            self.listen(Duration::from_millis(5));
        }
    }

    /// Closes the server's input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Shuts the server down as the protocol requires, and checks that nothing stays unread.
    fn finish(&mut self) {
        if self.input.is_some() && self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let answer = self.call("shutdown", Value::Null);
            assert_eq!(answer["result"], Value::Null, "{answer}");
            self.notify("exit", Value::Null);
            assert_eq!(self.exit_status().code(), Some(0));
        }
        // The reader thread ends with the server's output, and closes the channel.
        while let Ok(message) = self.incoming.recv_timeout(PATIENCE) {
            self.sort(message);
        }
        assert!(
            self.waiting.is_empty(),
            "requests without an answer: {:?}",
            self.waiting
        );
        assert!(
            self.answers.is_empty(),
            "unread answers: {:?}",
            self.answers
        );
        assert!(self.unread.is_empty(), "unread messages: {:?}", self.unread);
    }

    #[track_caller]
    fn read(&mut self, begin: Instant) {
        assert!(
            begin.elapsed() < PATIENCE,
            "no answer; still waiting: {:?}",
            self.waiting
        );
        if !self.listen(Duration::from_secs(1)) {
            let status = self.child.try_wait().expect("the child can be waited for");
            panic!("the server hung up: {status:?}, unread: {:?}", self.unread);
        }
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
        if message.get("method").is_none() {
            match message["id"].as_i64() {
                Some(id) if self.waiting.remove(&id) => {
                    self.answers.insert(id, message);
                }
                _ => self.unread.push(message),
            }
            return;
        }
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        if let Some(id) = message.get("id").filter(|_| self.input.is_some()) {
            self.send(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
        }
        if !EXPECTED.contains(&method.as_str()) {
            self.unread.push(message);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            if let Some(stderr) = self.stderr.take().and_then(|reader| reader.join().ok()) {
                eprintln!("---- stderr of the server ----\n{stderr}");
            }
        } else {
            self.finish();
        }
    }
}

fn read_all(mut errors: ChildStderr) -> String {
    let mut bytes = Vec::new();
    let _ = errors.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
