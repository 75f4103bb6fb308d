//! The session loop: one task that owns the Speculator and runs its effects.
//!
//! No LSP types: the front passes in [`Message`]s, in the order in which the editor sent them, and
//! receives [`Answer`]s and [`Notice`]s. Start reading at [`SessionLoop::run`]: every cause of work
//! is in its `select!`, every consequence in `run_effects`.

mod figures;
mod focus;
mod model;
mod open_files;
mod recording;
mod requests;
mod status;

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use tabahead_backend::{Backend, BackendEvent, EventSink, LocalSettings};
use tabahead_context::{GenerationEvent, OpenFile, Suggestion};
use tabahead_speculation::{
    Answer, DocumentId, Effect, Input, Origin, RequestId, Speculator, Timestamp,
};
use tabahead_text::{Document, Offset};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use focus::Focus;
use model::BackendCandidate;
use open_files::Recency;
use recording::SessionRecorder;
use requests::SuggestionRequest;

use crate::{
    folders::Folders,
    message::{EditorLayer, Message, Notice, Status, StatusKind, Trigger},
    recorder::Recorder,
    settings::Settings,
    stats::{Latencies, SessionCounts},
    suitability::{File, Suitability},
};

/// Starts the backend that the settings describe.
pub type Launch = Box<dyn Fn(&LocalSettings, EventSink) -> Arc<dyn Backend> + Send>;

/// Everything that a session is built from.
pub struct SessionConfig {
    /// Weights of the model that the setting calls `mini`.
    pub embedded: &'static [u8],
    /// Base folders of `~` and of a model's relative path.
    pub folders: Folders,
    /// Settings from the file, overridden by the editor's; `Value::Null` for none.
    pub file: Value,
    /// Settings from the command line, overriding the editor's; `Value::Null` for none.
    pub flags: Value,
    /// Receives the newest figures from time to time; `None` publishes none.
    pub figures: Option<watch::Sender<Value>>,
    /// Version of the program, for the figures.
    pub version: &'static str,
    /// Number of the process, for the figures.
    pub pid: u32,
    /// Starts backends.
    pub launch: Launch,
    /// Recorder of what happens to documents; `None` records nothing.
    pub recorder: Option<Box<dyn Recorder>>,
}

/// An open document.
struct SessionDocument {
    file: File,
    snapshot: Document,
    /// Whether the Speculator knows the document.
    shown: bool,
    /// Last reported position of its cursor.
    cursor: Option<Offset>,
    /// The text that answers in other documents may copy from; built on first use.
    copied: Option<OpenFile>,
}

/// A request that waits for its answer. A model that becomes ready later is asked `input` again.
struct Reply {
    came: Instant,
    sender: oneshot::Sender<Answer>,
    document: DocumentId,
    input: Input,
}

/// The session's task and its state.
pub struct SessionLoop {
    config: SessionConfig,
    settings: Settings,
    /// The settings' rules about documents.
    suitability: Suitability,
    /// Messages about the settings that were refused most recently.
    refused: Vec<String>,
    initial: Value,
    pushed: Value,
    start: Instant,
    /// Unbounded, because the only reader of standard input fills it and must never wait: a full
    /// queue there would keep a cancel from being seen. What the editor's user does bounds it.
    inbox: mpsc::UnboundedReceiver<Message>,
    notices: mpsc::UnboundedSender<Notice>,
    /// Unbounded, because the engine's thread must never wait for us; the tokens of the generations
    /// in flight bound it. The number identifies the backend that sent the event.
    events: mpsc::UnboundedReceiver<(u64, BackendEvent)>,
    event_sender: mpsc::UnboundedSender<(u64, BackendEvent)>,
    epoch: u64,
    /// Number of backends started so far.
    launches: u64,
    backend: Option<Arc<dyn Backend>>,
    launched: Option<LocalSettings>,
    /// How much of the model is loaded, in percent, if the backend reports it.
    loaded: Option<u8>,
    /// Present from the moment the model is ready.
    speculator: Option<Speculator>,
    /// Replaces the backend as soon as its model is ready.
    candidate: Option<BackendCandidate>,
    documents: HashMap<DocumentId, SessionDocument>,
    recency: Recency,
    focus: Focus,
    /// The status that the editor received last.
    told: Option<Status>,
    replies: HashMap<RequestId, Reply>,
    recorder: SessionRecorder,
    counts: SessionCounts,
    latencies: Latencies,
    last_problem: Option<String>,
    stats: Option<watch::Sender<Value>>,
    stats_due: Option<Instant>,
}

impl SessionLoop {
    /// Builds a session that reads `inbox`.
    pub fn new(
        mut config: SessionConfig,
        inbox: mpsc::UnboundedReceiver<Message>,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> Self {
        let (event_sender, events) = mpsc::unbounded_channel();
        let recorder = SessionRecorder::new(config.recorder.take());
        let stats = config.figures.take();
        Self {
            config,
            settings: Settings::default(),
            suitability: Suitability::default(),
            refused: Vec::new(),
            initial: Value::Null,
            pushed: Value::Null,
            start: Instant::now(),
            inbox,
            notices,
            events,
            event_sender,
            epoch: 0,
            launches: 0,
            backend: None,
            launched: None,
            loaded: None,
            speculator: None,
            candidate: None,
            documents: HashMap::new(),
            recency: Recency::default(),
            focus: Focus::default(),
            told: None,
            replies: HashMap::new(),
            recorder,
            counts: SessionCounts::default(),
            latencies: Latencies::default(),
            last_problem: None,
            stats,
            stats_due: None,
        }
    }

    /// Runs until the front is gone.
    pub async fn run(mut self) {
        loop {
            self.run_effects();
            let timeout = self.speculator.as_ref().and_then(Speculator::poll_timeout);
            let timeout = timeout.map(|Timestamp(since)| self.start + since);
            tokio::select! {
                biased;
                message = self.inbox.recv() => match message {
                    Some(message) => self.take_message(message),
                    None => break,
                },
                Some(event) = self.events.recv() => self.take_numbered_event(event),
                () = until(timeout) => {
                    let now = self.now();
                    if let Some(speculator) = &mut self.speculator {
                        speculator.handle_timeout(now);
                    }
                }
                () = until(self.stats_due) => self.publish_stats(),
            }
        }
    }

    /// Runs the Speculator's pending effects.
    fn run_effects(&mut self) {
        let (Some(speculator), Some(backend)) = (&mut self.speculator, &self.backend) else {
            return;
        };
        while let Some(effect) = speculator.poll_effect() {
            match effect {
                Effect::Respond { request, answer } => {
                    tracing::debug!(request = request.0, answer = %said(&answer), "respond");
                    if let Answer::Failed(line) = &answer {
                        report(&self.notices, &mut self.last_problem, line);
                    }
                    self.recorder.answer(request, &answer);
                    // The editor may have cancelled in the meantime; then there is no reply left.
                    if let Some(reply) = self.replies.remove(&request) {
                        let (time, origin) = (reply.came.elapsed(), answer.origin());
                        let is_shown = matches!(answer, Answer::Suggestion { .. });
                        // Before the statistics, because the editor waits for the answer.
                        let _ = reply.sender.send(answer);
                        if let Some(origin) = origin {
                            self.latencies.add(origin, time);
                            // Text typed along with a suggestion is already on screen, so it saves
                            // no waiting.
                            if is_shown && matches!(origin, Origin::Exact | Origin::Speculated) {
                                self.counts.saved += self.latencies.saved(time);
                            }
                        }
                    }
                }
                Effect::StartGeneration(request) => {
                    let id = request.id.0;
                    tracing::debug!(generation = id, priority = ?request.priority, "start");
                    backend.start(request);
                }
                Effect::PrioritizeGeneration(id, priority) => {
                    tracing::debug!(generation = id.0, ?priority, "prioritize");
                    backend.prioritize(id, priority);
                }
                Effect::CancelGeneration(id) => {
                    tracing::debug!(generation = id.0, "cancel");
                    backend.cancel(id);
                }
            }
        }
    }

    fn take_message(&mut self, message: Message) {
        match message {
            Message::Opened {
                document,
                file,
                snapshot,
            } => {
                let open = SessionDocument {
                    file,
                    snapshot,
                    shown: false,
                    cursor: None,
                    copied: None,
                };
                self.documents.insert(document, open);
                self.recency.touch(document);
                self.record(document);
                self.show(document);
                self.opened();
                if let Some(backend) = &self.backend {
                    backend.warm();
                }
            }
            Message::Changed {
                document,
                snapshot,
                edits,
                encoding,
            } => {
                if let Some(open) = self.documents.get_mut(&document) {
                    open.snapshot = snapshot;
                    open.copied = None;
                    self.recency.touch(document);
                    self.record_change(document, edits, encoding);
                    self.supersede_early(document);
                    self.show(document);
                }
            }
            Message::Closed { document } => {
                if let Some(open) = self.documents.remove(&document) {
                    self.recency.forget(document);
                    self.supersede_early(document);
                    self.recorder.close(document);
                    if open.shown {
                        self.tell(Input::DocumentClosed { document });
                    }
                }
            }
            Message::Requested {
                request,
                document,
                snapshot,
                cursor,
                selected,
                trigger,
                came,
                reply,
            } => {
                let asked = SuggestionRequest {
                    document,
                    snapshot,
                    cursor,
                    selected,
                    trigger,
                    came,
                };
                self.take_request(request, asked, reply);
            }
            Message::Cancelled { request } => self.cancel(request),
            Message::Accepted { suggestion } => {
                self.counts.accepted += 1;
                self.recorder.accept(suggestion);
                self.tell(Input::Accepted { suggestion });
            }
            Message::AcceptedPart { suggestion, length } => {
                self.tell(Input::AcceptedPart { suggestion, length });
            }
            Message::Displayed { suggestion } => self.tell(Input::Displayed { suggestion }),
            Message::Dismissed { document } => self.tell(Input::Dismissed { document }),
            Message::CursorMoved { document, cursor } => self.cursor_moved(document, cursor),
            Message::Shown {
                document,
                snapshot,
                cursor,
                suggestion,
            } => self.shown(document, snapshot, cursor, suggestion),
            Message::Settings { layer, value } => self.take_settings(layer, value),
            Message::Focused { document } => {
                self.focus = Focus::Reported(document);
                self.tell_status();
                self.attend();
            }
            Message::Stats { reply } => {
                let counters = self.counters();
                // Everything in `counters` was reported as an event before; once these events are
                // taken, both sides agree.
                while let Ok(event) = self.events.try_recv() {
                    self.take_numbered_event(event);
                }
                let _ = reply.send(self.stats_json(counters));
            }
        }
        self.counts.documents = self.documents.len() as u64;
        self.stats_are_due();
    }

    fn shown(
        &mut self,
        document: DocumentId,
        snapshot: Document,
        cursor: Offset,
        suggestion: Suggestion,
    ) {
        let Some(open) = self.documents.get(&document) else {
            return;
        };
        if (self.suitability.unsuitable(&open.file, snapshot.len())).is_none() {
            let name = self.document_name(document);
            self.tell(Input::Shown {
                document,
                snapshot,
                cursor,
                name,
                suggestion,
            });
        }
    }

    fn take_numbered_event(&mut self, (epoch, event): (u64, BackendEvent)) {
        let is_of = |candidate: &BackendCandidate| candidate.epoch == epoch;
        if self.candidate.as_ref().is_some_and(is_of) {
            self.take_candidates_event(event);
        } else if epoch == self.epoch {
            self.take_event(event);
        }
    }

    fn take_event(&mut self, event: BackendEvent) {
        match event {
            BackendEvent::Loading(percent) => {
                self.loaded = Some(percent);
                self.tell_status();
            }
            BackendEvent::Ready(profile) => self.model_is_ready(profile),
            BackendEvent::Unusable(line) => self.model_is_unusable(&line),
            BackendEvent::Generation(event) => {
                match &event {
                    GenerationEvent::Token { .. } => self.counts.tokens_received += 1,
                    GenerationEvent::Started {
                        prompt_tokens,
                        continued,
                        ..
                    } => self.counts.prompt_received += (prompt_tokens + continued) as u64,
                    GenerationEvent::Characters { .. }
                    | GenerationEvent::Read { .. }
                    | GenerationEvent::Ended { .. }
                    | GenerationEvent::Failed { .. } => {}
                }
                self.tell(Input::Generation(event));
            }
        }
        self.stats_are_due();
    }

    /// Reports a document's current text to the Speculator if the document is suitable; otherwise
    /// closes it there.
    fn show(&mut self, document: DocumentId) {
        let (Some(open), Some(speculator)) =
            (self.documents.get_mut(&document), &mut self.speculator)
        else {
            return;
        };
        let now = Timestamp(self.start.elapsed());
        if (self.suitability.unsuitable(&open.file, open.snapshot.len())).is_none() {
            open.shown = true;
            let snapshot = open.snapshot.clone();
            speculator.handle_input(now, Input::DocumentChanged { document, snapshot });
        } else if std::mem::take(&mut open.shown) {
            speculator.handle_input(now, Input::DocumentClosed { document });
        }
    }

    fn tell(&mut self, input: Input) {
        let now = self.now();
        if let Some(speculator) = &mut self.speculator {
            speculator.handle_input(now, input);
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.start.elapsed())
    }
}

/// Shows a problem to the user, unless it is the one shown last.
fn report(notices: &mpsc::UnboundedSender<Notice>, last: &mut Option<String>, line: &str) {
    if last.as_deref() != Some(line) {
        *last = Some(line.to_owned());
        let _ = notices.send(Notice::Problem(line.to_owned()));
    }
}

/// Describes an answer without its text, for the log.
fn said(answer: &Answer) -> String {
    match answer {
        Answer::Suggestion {
            id,
            suggestion,
            origin,
            alternatives,
        } => format!(
            "suggestion {} of {} bytes and {} more, {origin:?}",
            id.0,
            suggestion.text.len(),
            alternatives.len()
        ),
        Answer::Silent { reason, .. } => format!("silent: {reason}"),
        Answer::Superseded => "superseded".to_owned(),
        Answer::Failed(line) => format!("failed: {line}"),
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
