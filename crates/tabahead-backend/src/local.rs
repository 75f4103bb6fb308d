//! The local engine on a thread of its own.
//!
//! This file is the handle: a queue of commands to the thread, and the state that any thread may
//! read. `local/worker.rs` is the thread, `local/runner.rs` the second thread that computes ahead,
//! `local/profile.rs` what the pure crates must know about a model, `local/direct.rs` the same engine
//! without threads.

mod compute;
mod direct;
mod generation;
mod panics;
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

use crate::{Backend, BackendError, BackendEvent, EventSink, ModelState, TokenCounters};
use compute::LocalCompute;
pub use direct::{DirectGeneration, DirectModel};
use panics::Panicked;
use worker::{Worker, WorkerCommand, WorkerMessage};

/// The source of the weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// Weights embedded in the program.
    Embedded(&'static [u8]),
    /// A GGUF file, or a directory with weights in safetensors files.
    File(PathBuf),
}

/// Settings of the local backend.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalSettings {
    /// Source of the weights.
    pub model: ModelSource,
    /// Number of threads that compute; 0 chooses automatically.
    pub threads: usize,
    /// Maximum size of the stored keys and values in bytes.
    pub kv_bytes: usize,
    /// Precision of the stored keys and values.
    pub kv_precision: KvPrecision,
    /// Whether to choose, of two tokens that are almost equally likely, the one whose line is
    /// likelier.
    pub lookahead: bool,
}

impl LocalSettings {
    fn engine(&self) -> EngineSettings {
        EngineSettings {
            threads: self.threads,
            kv_bytes: self.kv_bytes,
            kv_precision: self.kv_precision,
            lookahead: self.lookahead,
            // Depends on the model, see `LocalCompute::new`.
            copied_draft: 0,
        }
    }
}

/// A model on this machine.
///
/// Dropping it ends its thread at the next step, without waiting for it.
pub struct LocalBackend {
    messages: Mutex<Sender<WorkerMessage>>,
    /// The engine's thread; `None` if it could not be spawned.
    thread: Option<Thread>,
    shared: Arc<Shared>,
}

/// State that the thread publishes and any other thread may read.
struct Shared {
    sink: EventSink,
    model: Mutex<ModelState>,
    model_changed: Condvar,
    counters: Mutex<TokenCounters>,
    /// Number of messages that the thread has not taken yet; it checks this between any two layers.
    waiting: AtomicUsize,
}

impl LocalBackend {
    /// Starts the thread, which reads the model and then runs generations. Returns at once; the
    /// result of loading is reported to `sink`.
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
            let reason = error.to_string();
            shared.set_model(ModelState::Unusable(BackendError::NoThread { reason }));
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
    /// If the model cannot be used.
    pub fn wait_until_loaded(&self) -> Result<ModelProfile, BackendError> {
        let mut model = lock(&self.shared.model);
        loop {
            match &*model {
                ModelState::Ready(profile) => return Ok(profile.clone()),
                ModelState::Unusable(error) => return Err(error.clone()),
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

    fn command(&self, command: WorkerCommand) {
        self.send(WorkerMessage::Command(command));
    }

    fn send(&self, message: WorkerMessage) {
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        let sent = lock(&self.messages).send(message);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
        // The thread can only have ended before its handle if it was never spawned.
        if let Err(mpsc::SendError(WorkerMessage::Command(WorkerCommand::Start(request)))) = sent {
            self.shared.refuse(request.id);
        }
    }
}

impl Drop for LocalBackend {
    fn drop(&mut self) {
        self.send(WorkerMessage::Close);
    }
}

impl Backend for LocalBackend {
    fn model(&self) -> ModelState {
        lock(&self.shared.model).clone()
    }

    fn start(&self, request: GenerationRequest) {
        self.command(WorkerCommand::Start(Box::new(request)));
    }

    fn prioritize(&self, id: GenerationId, priority: Priority) {
        self.command(WorkerCommand::Prioritize(id, priority));
    }

    fn cancel(&self, id: GenerationId) {
        self.command(WorkerCommand::Cancel(id));
    }

    fn warm(&self) {
        self.command(WorkerCommand::Warm);
    }

    fn configure(&self, settings: &LocalSettings) {
        self.command(WorkerCommand::Configure(settings.engine()));
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
            ModelState::Unusable(error) => Some(BackendEvent::Unusable(error.clone())),
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

    /// Fails a generation because of the state of the model.
    fn refuse(&self, id: GenerationId) {
        let line = match &*lock(&self.model) {
            ModelState::Unusable(error) => error.to_string(),
            ModelState::Loading | ModelState::Ready(_) => "the engine has stopped".to_owned(),
        };
        self.emit(GenerationEvent::Failed {
            id,
            failure: GenerationFailure::Broken(line),
        });
    }
}

/// Runs the thread: loads the model, then works until the handle is dropped.
fn run(settings: &LocalSettings, shared: &Shared, queue: Receiver<WorkerMessage>) {
    let report = |percent| (shared.sink)(BackendEvent::Loading(percent));
    let loaded = panics::guarded(|| load(&settings.model, &report))
        .unwrap_or_else(|Panicked| Err(BackendError::LoaderPanicked));
    match loaded {
        Ok((model, profile)) => {
            let pre_tokenizer = profile.pre_tokenizer;
            shared.set_model(ModelState::Ready(profile));
            let build =
                move |settings: &EngineSettings| LocalCompute::new(pre_tokenizer, &model, settings);
            Worker::new(build, settings.engine(), shared, queue).run();
        }
        Err(error) => {
            shared.set_model(ModelState::Unusable(error));
            for message in queue {
                match message {
                    WorkerMessage::Command(WorkerCommand::Start(request)) => {
                        shared.refuse(request.id);
                    }
                    WorkerMessage::Command(_) => {}
                    WorkerMessage::Close => return,
                }
            }
        }
    }
}

fn load(
    source: &ModelSource,
    report: &dyn Fn(u8),
) -> Result<(Arc<Model>, ModelProfile), BackendError> {
    let (mut news, started) = (LoadingNews::default(), Instant::now());
    let mut progress = |share: f32| {
        if let Some(percent) = news.of(share, started.elapsed()) {
            report(percent);
        }
    };
    let model = match source {
        ModelSource::Embedded(bytes) => Model::from_bytes(std::borrow::Cow::Borrowed(bytes)),
        ModelSource::File(path) => Model::open_with(path, &mut progress),
    }?;
    model.completes()?;
    let profile = profile::profile(model.info(), |marker| model.marker(marker).is_some())?;
    Ok((Arc::new(model), profile))
}

/// Selects which loading progress is worth reporting: the first percent, the last one, and ten a
/// second in between.
#[derive(Default)]
struct LoadingNews {
    reported: u8,
    next: Duration,
}

impl LoadingNews {
    fn of(&mut self, share: f32, since_start: Duration) -> Option<u8> {
        let percent = (share * 100.0) as u8;
        let is_due = since_start >= self.next || percent == 100;
        if percent <= self.reported || !is_due {
            return None;
        }
        self.reported = percent;
        self.next = since_start + Duration::from_millis(100);
        Some(percent)
    }
}

impl From<EngineError> for BackendError {
    fn from(error: EngineError) -> Self {
        let reason = in_one_line(&error);
        match error {
            EngineError::Unreadable(_) => Self::Unreadable { reason },
            _ => Self::Refused { reason },
        }
    }
}

/// Formats an error and its causes as one line.
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
    fn loading_is_reported_ten_times_a_second_and_at_its_end() {
        let mut news = LoadingNews::default();
        let reported: Vec<u8> = (0..=1000)
            .filter_map(|step| news.of(step as f32 / 1000.0, Duration::from_micros(500 * step)))
            .collect();
        // Loading takes half a second.
        assert_eq!(reported, [1, 21, 41, 61, 81, 100]);
    }
}
