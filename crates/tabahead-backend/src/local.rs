//! The local engine on a thread of its own.
//!
//! This file is the handle: a queue of commands to the thread, and the state that may be read from
//! anywhere. `local/worker.rs` is the thread, `local/runner.rs` the one beside it that computes ahead,
//! `local/profile.rs` the table of model families, `local/direct.rs` the
//! same engine without threads.

mod compute;
mod direct;
mod generation;
mod profile;
mod runner;
mod worker;

use std::{
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use tabahead_context::{
    GenerationEvent, GenerationFailure, GenerationId, GenerationRequest, ModelProfile, Priority,
};
use tabahead_engine::{EngineError, EngineSettings, KvPrecision, Model};

use crate::{Backend, BackendEvent, EventSink, ModelState, TokenCounters};
use compute::LocalCompute;
pub use direct::{DirectGeneration, DirectModel};
use worker::{Command, Message, Worker};

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// Weights in the program.
    Embedded(&'static [u8]),
    /// A GGUF file, or a directory with weights in safetensors files.
    File(PathBuf),
}

/// Settings of the local backend.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalSettings {
    /// Weights.
    pub model: ModelSource,
    /// Threads that compute; 0 chooses.
    pub threads: usize,
    /// Bytes of keys and values kept.
    pub kv_bytes: usize,
    /// How exactly they are kept.
    pub kv_precision: KvPrecision,
    /// Whether, of two tokens that are nearly as likely, the one is chosen whose line is likelier.
    pub lookahead: bool,
}

impl LocalSettings {
    fn engine(&self) -> EngineSettings {
        EngineSettings {
            threads: self.threads,
            kv_bytes: self.kv_bytes,
            kv_precision: self.kv_precision,
            lookahead: self.lookahead,
            // Follows from the model, see `LocalCompute::new`.
            copied_draft: 0,
        }
    }
}

/// Why a local model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Choose another model.
    #[error("{0}")]
    Unusable(String),
}

/// A model on this machine.
///
/// Dropping it ends its thread at the next step, without waiting for it.
pub struct LocalBackend {
    messages: Mutex<Sender<Message>>,
    /// Absent when it could not be spawned.
    thread: Option<Thread>,
    shared: Arc<Shared>,
}

/// What the thread tells and anybody may read.
struct Shared {
    sink: EventSink,
    model: Mutex<ModelState>,
    model_changed: Condvar,
    counters: Mutex<TokenCounters>,
    /// Commands that the thread has not taken yet: it looks here between any two layers.
    waiting: AtomicUsize,
}

impl LocalBackend {
    /// Starts the thread, which reads the model and then runs generations. Returns at once; how
    /// loading ends is reported to `sink`.
    pub fn new(settings: LocalSettings, sink: EventSink) -> Self {
        let (messages, queue) = mpsc::channel();
        let shared = Arc::new(Shared {
            sink,
            model: Mutex::new(ModelState::Loading),
            model_changed: Condvar::new(),
            counters: Mutex::new(TokenCounters::default()),
            waiting: AtomicUsize::new(0),
        });
        let on_thread = Arc::clone(&shared);
        let spawned = thread::Builder::new()
            .name("tabahead-engine".to_owned())
            .spawn(move || run(&settings, &on_thread, queue));
        if let Err(error) = &spawned {
            shared.set_model(ModelState::Unusable(format!(
                "no thread for the engine: {error}"
            )));
        }
        Self {
            thread: spawned.ok().map(|handle| handle.thread().clone()),
            messages: Mutex::new(messages),
            shared,
        }
    }

    /// Waits until the model is read.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn wait_until_loaded(&self) -> Result<ModelProfile, BackendError> {
        let mut model = lock(&self.shared.model);
        loop {
            match &*model {
                ModelState::Ready(profile) => return Ok(profile.clone()),
                ModelState::Unusable(line) => return Err(BackendError::Unusable(line.clone())),
                ModelState::Loading => {
                    model = self
                        .shared
                        .model_changed
                        .wait(model)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn send(&self, message: Message) {
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        let sent = lock(&self.messages).send(message);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
        // The thread ends before its handle only when it could not be spawned.
        if let Err(mpsc::SendError(Message::Command(Command::Start(request)))) = sent {
            self.shared.refuse(request.id);
        }
    }
}

impl Drop for LocalBackend {
    fn drop(&mut self) {
        self.send(Message::Close);
    }
}

impl Backend for LocalBackend {
    fn model(&self) -> ModelState {
        lock(&self.shared.model).clone()
    }

    fn start(&self, request: GenerationRequest) {
        self.send(Message::Command(Command::Start(Box::new(request))));
    }

    fn prioritize(&self, id: GenerationId, priority: Priority) {
        self.send(Message::Command(Command::Prioritize(id, priority)));
    }

    fn cancel(&self, id: GenerationId) {
        self.send(Message::Command(Command::Cancel(id)));
    }

    fn warm(&self) {
        self.send(Message::Command(Command::Warm));
    }

    fn configure(&self, settings: &LocalSettings) {
        self.send(Message::Command(Command::Configure(settings.engine())));
    }

    fn counters(&self) -> TokenCounters {
        *lock(&self.shared.counters)
    }
}

impl std::fmt::Debug for LocalBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalBackend")
            .field("model", &*lock(&self.shared.model))
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn set_model(&self, model: ModelState) {
        let event = match &model {
            ModelState::Loading => None,
            ModelState::Ready(profile) => Some(BackendEvent::Ready(profile.clone())),
            ModelState::Unusable(line) => Some(BackendEvent::Unusable(line.clone())),
        };
        *lock(&self.model) = model;
        self.model_changed.notify_all();
        if let Some(event) = event {
            (self.sink)(event);
        }
    }

    fn emit(&self, event: GenerationEvent) {
        (self.sink)(BackendEvent::Generation(event));
    }

    /// Fails a generation with what is wrong with the model.
    fn refuse(&self, id: GenerationId) {
        let line = match &*lock(&self.model) {
            ModelState::Unusable(line) => line.clone(),
            ModelState::Loading | ModelState::Ready(_) => "the engine has stopped".to_owned(),
        };
        self.emit(GenerationEvent::Failed {
            id,
            failure: GenerationFailure::Broken(line),
        });
    }
}

/// The thread's life: load, then work until the handle is dropped.
fn run(settings: &LocalSettings, shared: &Shared, queue: Receiver<Message>) {
    let tell = |percent| (shared.sink)(BackendEvent::Loading(percent));
    let loaded = worker::guarded(|| load(&settings.model, &tell)).unwrap_or_else(|()| {
        Err("the model's file cannot be read: the loader stopped unexpectedly".to_owned())
    });
    match loaded {
        Ok((model, profile)) => {
            let pre_tokenizer = profile.pre_tokenizer;
            shared.set_model(ModelState::Ready(profile));
            let build =
                move |settings: &EngineSettings| LocalCompute::new(pre_tokenizer, &model, settings);
            Worker::new(build, settings.engine(), shared, queue).run();
        }
        Err(line) => {
            shared.set_model(ModelState::Unusable(line));
            for message in queue {
                match message {
                    Message::Command(Command::Start(request)) => shared.refuse(request.id),
                    Message::Command(_) => {}
                    Message::Close => return,
                }
            }
        }
    }
}

fn load(source: &ModelSource, tell: &dyn Fn(u8)) -> Result<(Arc<Model>, ModelProfile), String> {
    let (mut news, started) = (LoadingNews::default(), Instant::now());
    let mut progress = |share: f32| {
        if let Some(percent) = news.of(share, started.elapsed()) {
            tell(percent);
        }
    };
    let model = match source {
        ModelSource::Embedded(bytes) => Model::from_bytes(std::borrow::Cow::Borrowed(bytes)),
        ModelSource::File(path) => Model::open_with(path, &mut progress),
    }
    .map_err(|error| in_one_line(&error))?;
    model.completes().map_err(|error| in_one_line(&error))?;
    let profile = profile::profile(model.info(), |token| model.special(token).is_some())?;
    Ok((Arc::new(model), profile))
}

/// Of how far loading is, what is worth telling: the first percent, the last one, and ten a second between.
#[derive(Default)]
struct LoadingNews {
    told: u8,
    next: Duration,
}

impl LoadingNews {
    fn of(&mut self, share: f32, since_start: Duration) -> Option<u8> {
        let percent = (share * 100.0) as u8;
        let is_due = since_start >= self.next || percent == 100;
        if percent <= self.told || !is_due {
            return None;
        }
        self.told = percent;
        self.next = since_start + Duration::from_millis(100);
        Some(percent)
    }
}

/// An error with its causes.
fn in_one_line(error: &EngineError) -> String {
    let mut line = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line.replace('\n', " ")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loading_is_told_ten_times_a_second_and_at_its_end() {
        let mut news = LoadingNews::default();
        let told: Vec<u8> = (0..=1000)
            .filter_map(|step| news.of(step as f32 / 1000.0, Duration::from_micros(500 * step)))
            .collect();
        // Half a second.
        assert_eq!(told, [1, 21, 41, 61, 81, 100]);
    }
}
