//! The session loop: one task that owns the Speculator and runs its effects.
//!
//! No LSP types: the front hands in [`Message`]s, in the order in which the editor sent what they
//! say, and gets [`Answer`]s and [`Notice`]s. Start reading at [`SessionLoop::run`]: every cause of
//! work is in its `select!`, every consequence in `run_effects`.

mod figures;
mod focus;
mod model;
mod open_files;
mod requests;
mod scribe;
mod status;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use serde_json::Value;
use tabahead_backend::{Backend, BackendEvent, EventSink, LocalSettings};
use tabahead_context::{GenerationEvent, OpenFile, Suggestion};
use tabahead_speculation::{
    Answer, DocumentId, Effect, Input, Origin, RequestId, SelectedCompletion, Speculator,
    SuggestionId, Timestamp,
};
use tabahead_text::{Document, Edit, Offset, PositionEncoding};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use focus::Focus;
use model::Candidate;
use open_files::Recency;
use requests::Asked;
use scribe::Scribe;

use crate::{
    folders::Folders,
    recorder::Recorder,
    settings::Settings,
    stats::{Latencies, SessionCounts, StatsFile},
    suitability::{File, Suitability},
};

/// What the front tells the session.
#[derive(Debug)]
pub(crate) enum Message {
    /// A document was opened.
    Opened {
        document: DocumentId,
        file: File,
        snapshot: Document,
    },
    /// Its text changed.
    Changed {
        document: DocumentId,
        snapshot: Document,
        /// What made it of the text before, one after the other.
        edits: Vec<Edit>,
        encoding: PositionEncoding,
    },
    /// It was closed.
    Closed { document: DocumentId },
    /// The editor wants a suggestion.
    Requested {
        request: RequestId,
        document: DocumentId,
        snapshot: Document,
        cursor: Offset,
        selected: Option<SelectedCompletion>,
        trigger: Trigger,
        /// When it was read.
        came: Instant,
        reply: oneshot::Sender<Answer>,
    },
    /// The editor no longer wants it.
    Cancelled { request: RequestId },
    /// The editor accepted a suggestion.
    Accepted { suggestion: SuggestionId },
    /// A part of a suggestion is accepted: so many UTF-16 units of its text.
    AcceptedPart {
        suggestion: SuggestionId,
        length: usize,
    },
    /// The editor shows one of the suggestions that it was given.
    Displayed { suggestion: SuggestionId },
    /// The user dismissed what was shown.
    Dismissed { document: DocumentId },
    /// The cursor went somewhere else.
    CursorMoved {
        document: DocumentId,
        cursor: Offset,
    },
    /// The editor shows a suggestion of another source.
    Shown {
        document: DocumentId,
        snapshot: Document,
        cursor: Offset,
        suggestion: Suggestion,
    },
    /// Settings came, as they were sent. The first ones start the model.
    Settings { layer: EditorLayer, value: Value },
    /// The focus is in this document, or in none.
    Focused { document: Option<DocumentId> },
    /// Somebody wants the figures.
    Stats { reply: oneshot::Sender<Value> },
}

/// What a suggestion is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The editor shows one by itself.
    Automatic,
    /// Somebody asked for suggestions.
    Invoked,
    /// The editor fills its completion menu.
    Menu,
}

/// Which of the editor's two sources of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EditorLayer {
    /// `initializationOptions`.
    Initial,
    /// `workspace/didChangeConfiguration`; a new one replaces the one before.
    Pushed,
}

/// What the session tells the editor without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// How the server is.
    Status(Status),
    /// A line that the user must read.
    Problem(String),
}

/// How the server is, where the focus is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) kind: StatusKind,
    /// Something is on its way that will change it.
    pub(crate) busy: bool,
    pub(crate) message: String,
    /// How much of a model is read, while one is and as far as it is known.
    pub(crate) percent: Option<u8>,
}

/// The kinds of `didChangeStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusKind {
    Normal,
    Inactive,
    Error,
}

/// Makes the backend that settings ask for.
pub(crate) type Launch = Box<dyn Fn(&LocalSettings, EventSink) -> Arc<dyn Backend> + Send>;

/// What a session is made of.
pub(crate) struct SessionConfig {
    pub(crate) embedded: &'static [u8],
    pub(crate) folders: Folders,
    pub(crate) file: Value,
    pub(crate) flags: Value,
    pub(crate) stats_dir: Option<PathBuf>,
    pub(crate) version: &'static str,
    pub(crate) launch: Launch,
    pub(crate) recorder: Option<Box<dyn Recorder>>,
}

/// A document as the session knows it.
struct Open {
    file: File,
    snapshot: Document,
    /// Whether the Speculator was told of it.
    shown: bool,
    /// Where its cursor was reported last.
    cursor: Option<Offset>,
    /// What answers in other documents may copy from it, once somebody asked for that.
    copied: Option<OpenFile>,
}

/// Whom an answer goes to, and what it is about: a model that is ready later is asked the same.
struct Reply {
    came: Instant,
    sender: oneshot::Sender<Answer>,
    document: DocumentId,
    input: Input,
}

/// The task.
pub(crate) struct SessionLoop {
    config: SessionConfig,
    settings: Settings,
    /// What they say of documents.
    suitability: Suitability,
    /// What of the settings was refused last.
    refused: Vec<String>,
    initial: Value,
    pushed: Value,
    start: Instant,
    /// Unbounded, because it is filled by the one reader of standard input, which must never wait:
    /// a full queue there would keep a cancel from being seen. An editor's user bounds it.
    inbox: mpsc::UnboundedReceiver<Message>,
    notices: mpsc::UnboundedSender<Notice>,
    /// Unbounded, because the engine's thread must never wait for us; it is bounded by the tokens
    /// of the generations in flight. The number tells a backend from those before it.
    events: mpsc::UnboundedReceiver<(u64, BackendEvent)>,
    event_sender: mpsc::UnboundedSender<(u64, BackendEvent)>,
    epoch: u64,
    /// How many backends were made so far.
    launches: u64,
    backend: Option<Arc<dyn Backend>>,
    launched: Option<LocalSettings>,
    /// Percent of the model that are read, where that is told.
    loaded: Option<u8>,
    /// There from the moment the model is.
    speculator: Option<Speculator>,
    /// Takes the backend's place as soon as its model is ready.
    candidate: Option<Candidate>,
    documents: HashMap<DocumentId, Open>,
    recency: Recency,
    focus: Focus,
    /// What the editor was told last.
    told: Option<Status>,
    replies: HashMap<RequestId, Reply>,
    scribe: Scribe,
    counts: SessionCounts,
    latencies: Latencies,
    last_problem: Option<String>,
    stats: Option<watch::Sender<Value>>,
    stats_due: Option<Instant>,
}

impl SessionLoop {
    pub(crate) fn new(
        mut config: SessionConfig,
        inbox: mpsc::UnboundedReceiver<Message>,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> Self {
        let (event_sender, events) = mpsc::unbounded_channel();
        let scribe = Scribe::new(config.recorder.take());
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
            scribe,
            counts: SessionCounts::default(),
            latencies: Latencies::default(),
            last_problem: None,
            stats: None,
            stats_due: None,
        }
    }

    /// Runs until the front is gone.
    pub(crate) async fn run(mut self) {
        let writing = self.config.stats_dir.as_deref().map(|stats_dir| {
            let (newest, reader) = watch::channel(Value::Null);
            self.stats = Some(newest);
            tokio::spawn(StatsFile::new(stats_dir).keep_written(reader))
        });
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
        self.stats = None;
        if let Some(writing) = writing
            && let Err(error) = writing.await
        {
            tracing::warn!(%error, "figures were not taken away");
        }
    }

    /// Does what the Speculator wants done.
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
                    self.scribe.answer(request, &answer);
                    // The editor may have cancelled in the meantime: then nobody listens.
                    if let Some(reply) = self.replies.remove(&request) {
                        let (time, origin) = (reply.came.elapsed(), answer.origin());
                        let is_shown = matches!(answer, Answer::Suggestion { .. });
                        // First of all, because somebody waits for it and for no figure.
                        let _ = reply.sender.send(answer);
                        if let Some(origin) = origin {
                            self.latencies.add(origin, time);
                            // What somebody types along with stands on the screen already.
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
                let open = Open {
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
                    self.scribe.close(document);
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
                let asked = Asked {
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
                self.scribe.accept(suggestion);
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
                // What was counted before was reported before: now both sides have it.
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
        let is_of = |candidate: &Candidate| candidate.epoch == epoch;
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

    /// Tells the Speculator what a document's text is now, if that is any of its business.
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

/// Tells the user what is wrong, once.
fn report(notices: &mpsc::UnboundedSender<Notice>, last: &mut Option<String>, line: &str) {
    if last.as_deref() != Some(line) {
        *last = Some(line.to_owned());
        let _ = notices.send(Notice::Problem(line.to_owned()));
    }
}

/// An answer without its text, for the log.
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
