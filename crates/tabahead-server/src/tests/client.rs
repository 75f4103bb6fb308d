//! A client that sends raw messages over in-memory pipes, and the server at their other end.

use std::{
    collections::VecDeque,
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use tabahead_backend::{
    Backend, BackendError, LocalBackend, LocalSettings, Script, ScriptedBackend,
};
use tabahead_context::{GenerationRequest, Layout, ModelProfile};
use tabahead_session::{Folders, Launch, Recorder};
use tabahead_testkit::{frames, named};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream},
    task::JoinHandle,
};

use crate::{ServerConfig, log_directives, run::serve};

/// The part of a server's configuration that the command line provides.
#[derive(Default)]
pub(super) struct Started {
    pub(super) file: Value,
    pub(super) flags: Value,
    pub(super) stats_dir: Option<PathBuf>,
    pub(super) recorder: Option<Box<dyn Recorder>>,
}

type Launched = Arc<Mutex<Vec<(LocalSettings, Option<Arc<ScriptedBackend>>)>>>;

pub(super) struct Client {
    input: Option<DuplexStream>,
    output: BufReader<DuplexStream>,
    server: JoinHandle<i32>,
    launched: Launched,
    next_id: i64,
    /// Messages that were read while waiting for another one.
    unread: VecDeque<Value>,
}

pub(super) fn profile() -> ModelProfile {
    tabahead_testkit::profile("script", named(Layout::SuffixFirst), 100_000)
}

impl Client {
    /// Starts a server whose model is not loaded yet and that has received no message.
    pub(super) async fn start(script: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        Self::start_with(Started::default(), script).await
    }

    pub(super) async fn start_with(
        started: Started,
        script: impl Fn(&str) -> Script + Send + Sync + 'static,
    ) -> Self {
        let launched = Launched::default();
        let launches = Arc::clone(&launched);
        let script = Arc::new(script);
        let launch: Launch = Box::new(move |settings, sink| {
            let script = Arc::clone(&script);
            let backend = ScriptedBackend::new(sink, move |request: &GenerationRequest| {
                script(&request.tail)
            });
            let backend = Arc::new(backend);
            lock(&launches).push((settings.clone(), Some(Arc::clone(&backend))));
            backend
        });
        Self::serve(started, launch, launched)
    }

    /// Starts a server with the real engine.
    pub(super) async fn start_local(flags: Value) -> Self {
        let launch: Launch = Box::new(|settings, sink| -> Arc<dyn Backend> {
            Arc::new(LocalBackend::new(settings.clone(), sink))
        });
        let started = Started {
            flags,
            ..Started::default()
        };
        Self::serve(started, launch, Launched::default())
    }

    fn serve(started: Started, launch: Launch, launched: Launched) -> Self {
        let (input, server_input) = tokio::io::duplex(1 << 20);
        let (server_output, output) = tokio::io::duplex(1 << 20);
        let config = ServerConfig {
            embedded: &[],
            folders: Folders {
                home: Some(PathBuf::from("/people/ada")),
                configuration: Some(PathBuf::from("/people/ada/.config/tabahead")),
            },
            file: Ok(started.file),
            flags: started.flags,
            stats_dir: started.stats_dir,
            version: "0.0.0",
            recorder: Ok(started.recorder),
        };
        Self {
            input: Some(input),
            output: BufReader::new(output),
            server: tokio::spawn(serve(config, launch, server_input, server_output)),
            launched,
            next_id: 0,
            unread: VecDeque::new(),
        }
    }

    /// Starts a server, completes the handshake and loads the model.
    pub(super) async fn ready(script: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        let mut client = Self::start(script).await;
        client.initialize(json!({})).await;
        client.load(Ok(profile()));
        client
    }

    /// Performs the handshake. Settings have taken effect when it returns.
    pub(super) async fn initialize(&mut self, options: Value) {
        let params = json!({"capabilities": {}, "initializationOptions": options});
        let answer = self.request("initialize", params).await;
        assert!(answer.get("error").is_none(), "{answer}");
        self.notify("initialized", json!({})).await;
        self.stats().await;
    }

    /// Completes loading.
    pub(super) fn load(&self, result: Result<ModelProfile, String>) {
        let refused = |reason| BackendError::Refused { reason };
        self.backend().load(result.map_err(refused));
    }

    pub(super) fn backend(&self) -> Arc<ScriptedBackend> {
        let launched = lock(&self.launched);
        let (_, backend) = launched.last().expect("a model was asked for");
        Arc::clone(backend.as_ref().expect("a scripted one"))
    }

    /// Returns the backend with index `number`, in order of creation.
    pub(super) fn backend_at(&self, number: usize) -> Arc<ScriptedBackend> {
        let (_, backend) = &lock(&self.launched)[number];
        Arc::clone(backend.as_ref().expect("a scripted one"))
    }

    pub(super) fn launched(&self) -> LocalSettings {
        lock(&self.launched)
            .last()
            .expect("a model was asked for")
            .0
            .clone()
    }

    pub(super) fn launches(&self) -> usize {
        lock(&self.launched).len()
    }

    pub(super) async fn send_raw(&mut self, body: &str) {
        self.send_bytes(body.as_bytes()).await;
    }

    pub(super) async fn send_bytes(&mut self, body: &[u8]) {
        let header = frames::header(body.len());
        let input = self.input.as_mut().expect("input is open");
        let frame = [header.as_bytes(), body].concat();
        input.write_all(&frame).await.expect("it reads");
    }

    /// Returns whether every message received so far was taken, apart from statuses.
    pub(super) fn has_read_everything(&self) -> bool {
        let is_status = |message: &Value| message["method"] == "tabahead/status";
        self.unread.iter().all(is_status)
    }

    pub(super) async fn notify(&mut self, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.send_raw(&message.to_string()).await;
    }

    pub(super) async fn send_request(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send_raw(&message.to_string()).await;
        id
    }

    pub(super) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send_request(method, params).await;
        self.response(id).await
    }

    pub(super) async fn open(&mut self, uri: &str, text: &str) {
        let document = json!({"uri": uri, "languageId": "rust", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}))
            .await;
    }

    /// Replaces the whole text.
    pub(super) async fn change(&mut self, uri: &str, version: i64, text: &str) {
        let params = json!({
            "textDocument": {"uri": uri, "version": version},
            "contentChanges": [{"text": text}],
        });
        self.notify("textDocument/didChange", params).await;
    }

    pub(super) async fn send_completion(&mut self, uri: &str, (line, column): (u32, u32)) -> i64 {
        let params = json!({
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": column},
            "context": {"triggerKind": 2},
        });
        self.send_request("textDocument/inlineCompletion", params)
            .await
    }

    pub(super) async fn complete(&mut self, uri: &str, position: (u32, u32)) -> Value {
        let id = self.send_completion(uri, position).await;
        self.response(id).await
    }

    /// Requests a suggestion and returns the only item of the answer.
    pub(super) async fn suggestion(&mut self, uri: &str, position: (u32, u32)) -> Value {
        let answer = self.complete(uri, position).await;
        let items = answer["result"]["items"].as_array();
        assert_eq!(items.map(Vec::len), Some(1), "{answer}");
        answer["result"]["items"][0].clone()
    }

    pub(super) async fn stats(&mut self) -> Value {
        self.request("tabahead/stats", Value::Null).await["result"].take()
    }

    pub(super) async fn response(&mut self, id: i64) -> Value {
        self.find(|message| message.get("method").is_none() && message["id"] == id)
            .await
    }

    pub(super) async fn notified(&mut self, method: &str) -> Value {
        self.find(|message| message["method"] == method).await["params"].take()
    }

    /// Returns all notifications of a method received so far.
    pub(super) async fn all_notified(&mut self, method: &str) -> Vec<Value> {
        self.stats().await;
        let is = |message: &Value| message["method"] == method;
        let (found, unread) = self.unread.drain(..).partition(is);
        self.unread = unread;
        VecDeque::into_iter(found)
            .map(|mut message: Value| message["params"].take())
            .collect()
    }

    async fn find(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(i) = self.unread.iter().position(&wanted) {
            return self.unread.remove(i).expect("it is there");
        }
        loop {
            let message = self.read().await;
            if wanted(&message) {
                return message;
            }
            self.unread.push_back(message);
        }
    }

    /// Returns the next message that is not a notification.
    pub(super) async fn message(&mut self) -> Value {
        self.find(|message| message.get("method").is_none()).await
    }

    async fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).await.expect("in memory");
            assert!(read > 0, "the server has closed its output");
            match line.trim().strip_prefix("Content-Length: ") {
                Some(value) => length = value.parse().expect("a number"),
                None if line.trim().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).await.expect("in memory");
        serde_json::from_slice(&body).expect("JSON")
    }

    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    /// Closes the reading end of the server's output.
    pub(super) fn close_output(&mut self) {
        let (closed, _) = tokio::io::duplex(1);
        self.output = BufReader::new(closed);
    }

    /// Returns the exit code once the server has ended, without reading its output.
    pub(super) async fn ended_unread(self) -> i32 {
        let _output = self.output;
        self.server.await.expect("it does not panic")
    }

    /// Returns the exit code once the server has ended.
    pub(super) async fn ended(self) -> i32 {
        self.server.await.expect("it does not panic")
    }

    /// Ends the server as an editor does.
    pub(super) async fn stop(mut self, code: i32) {
        let answer = self.request("shutdown", Value::Null).await;
        assert_eq!(answer["result"], Value::Null, "{answer}");
        self.notify("exit", Value::Null).await;
        assert_eq!(self.ended().await, code);
    }
}

/// Captures everything logged on this thread, at the finest level.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn capture(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(log_directives("trace").expect("a level"))
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
