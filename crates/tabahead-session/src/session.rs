//! The session loop: one task that owns everything of a session and coordinates it.
//!
//! No protocol: the front passes in [`Message`]s, in the order in which the editor sent them, and
//! receives answers and notices. Start reading at [`SessionLoop::run`]: every cause of work is in
//! its `select!`; every consequence runs in `deliver_answers`, through the driver.
//!
//! What the loop owns is a few values with fields of their own: the layers of settings, the model,
//! the open documents, the waiting requests, the recorder, the notices and the figures. A decision
//! about one of them is in its file; here is what one means for the others.

mod documents;
mod figures;
mod layers;
mod model;
mod notices;
mod recording;
mod requests;
mod status;

use std::sync::Arc;

use serde_json::Value;
use tabahead_backend::{Backend, BackendEvent, EventSink, LocalSettings, ModelState};
use tabahead_context::{ModelProfile, Silence, Suggestion};
use tabahead_speculation::{Answer, DocumentId, Input, RequestId, SuggestionReport};
use tabahead_text::{Document, Edit, Offset, PositionEncoding};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use documents::OpenDocuments;
use figures::{AnswerTime, SessionFigures};
use layers::SettingsLayers;
use model::{ModelChange, Relaunch, SessionModel};
use notices::EditorNotices;
use recording::SessionRecorder;
use requests::{UnansweredRequest, UnansweredRequests};
use status::status;

use crate::{
    driver::SessionClock,
    folders::Folders,
    message::{EditorLayer, Message, Notice, SuggestionRequest, Trigger},
    recorder::Recorder,
    suitability::File,
};

/// Starts the backend that the settings describe.
pub type Launch = Box<dyn Fn(&LocalSettings, EventSink) -> Arc<dyn Backend> + Send>;

/// Everything that a session is built from.
pub struct SessionConfig {
    /// Weights of the model that the setting calls `mini`.
    pub embedded: &'static [u8],
    /// Base folders of `~` and of a model's relative path.
    pub folders: Folders,
    /// Settings from the file, overridden by the editor's; `Value::Null` for none. An error says why
    /// the file cannot be read; then nothing is suggested.
    pub file: Result<Value, String>,
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
    /// Recorder of what happens to documents; `None` records nothing. An error says why nothing is
    /// recorded although the user asked for it; the editor shows it.
    pub recorder: Result<Option<Box<dyn Recorder>>, String>,
}

/// The session's task and what it owns.
pub struct SessionLoop {
    /// Unbounded, because the only reader of the editor's stream fills it and must never wait: a
    /// full queue there would keep a cancel from being seen. What the editor's user does bounds it.
    inbox: mpsc::UnboundedReceiver<Message>,
    clock: SessionClock,
    layers: SettingsLayers,
    model: SessionModel,
    documents: OpenDocuments,
    requests: UnansweredRequests,
    recorder: SessionRecorder,
    notices: EditorNotices,
    figures: SessionFigures,
}

impl SessionLoop {
    /// Builds a session that reads `inbox` until it is closed, and writes to `notices`.
    pub fn new(
        config: SessionConfig,
        inbox: mpsc::UnboundedReceiver<Message>,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> Self {
        let clock = SessionClock::start();
        let SessionConfig {
            embedded,
            folders,
            file,
            flags,
            figures,
            version,
            pid,
            launch,
            recorder,
        } = config;
        let notices = EditorNotices::new(notices);
        let recorder = recorder.unwrap_or_else(|why| {
            tracing::error!(why, "nothing is recorded");
            notices.report_again(format!("nothing is recorded: {why}"));
            None
        });
        Self {
            inbox,
            clock,
            layers: SettingsLayers::new(embedded, folders, file, flags),
            model: SessionModel::new(launch, clock),
            documents: OpenDocuments::default(),
            requests: UnansweredRequests::default(),
            recorder: SessionRecorder::new(recorder),
            notices,
            figures: SessionFigures::new(version, pid, figures),
        }
    }

    /// Runs until the front is gone.
    pub async fn run(mut self) {
        // At once, because `tabahead stats` finds a server by its figures.
        self.publish_figures();
        loop {
            self.deliver_answers();
            let timeout = self.model.timeout();
            let figures_due = self.figures.due();
            tokio::select! {
                biased;
                message = self.inbox.recv() => match message {
                    Some(message) => self.take_message(message),
                    None => break,
                },
                event = self.model.next_event() => self.take_event(event),
                () = until(timeout) => self.model.handle_timeout(),
                () = until(figures_due) => self.publish_figures(),
            }
        }
    }

    fn publish_figures(&mut self) {
        let settings = self.layers.settings();
        self.figures
            .publish(&self.model, settings, self.clock.now());
    }

    /// Runs the Speculator's pending effects, and passes on its answers.
    fn deliver_answers(&mut self) {
        while let Some((request, answer)) = self.model.poll_answer() {
            tracing::debug!(request = request.0, answer = %described(&answer), "respond");
            if let Answer::Failed(line) = &answer {
                self.notices.report(line);
            }
            self.recorder.answer(request, &answer);
            // The editor may have cancelled in the meantime; then no request is left.
            if let Some(waiting) = self.requests.remove(request) {
                let time = AnswerTime::new(&answer, waiting.waited());
                waiting.answer(answer);
                self.figures.answered(time);
            }
        }
    }

    fn take_message(&mut self, message: Message) {
        match message {
            Message::Opened {
                document,
                file,
                snapshot,
            } => self.opened(document, file, snapshot),
            Message::Changed {
                document,
                snapshot,
                edits,
                encoding,
            } => self.changed(document, snapshot, edits, encoding),
            Message::Closed { document } => self.closed(document),
            Message::Requested { asked, reply } => self.requested(asked, reply),
            Message::Cancelled { request } => self.cancelled(request),
            Message::Reported(report) => self.reported(report),
            Message::CursorMoved { document, cursor } => self.cursor_moved(document, cursor),
            Message::Shown {
                document,
                snapshot,
                cursor,
                suggestion,
            } => self.shown(document, snapshot, cursor, suggestion),
            Message::Settings { layer, value } => self.take_settings(layer, value),
            Message::Focused { document } => {
                self.documents.move_focus(document);
                self.show_status();
                self.attend();
            }
            Message::Stats { reply } => self.report_figures(reply),
        }
        self.figures.open_documents(self.documents.len());
        self.figures.changed();
    }

    fn opened(&mut self, document: DocumentId, file: File, snapshot: Document) {
        self.documents.open(document, file, snapshot);
        self.look_at(document);
        if !self.documents.knows_focus() {
            self.attend();
        }
        self.model.warm();
    }

    fn changed(
        &mut self,
        document: DocumentId,
        snapshot: Document,
        edits: Vec<Edit>,
        encoding: PositionEncoding,
    ) {
        let Some(open) = self.documents.change(document, snapshot) else {
            return;
        };
        let suitability = self.layers.suitability();
        self.recorder
            .change(document, open, edits, encoding, suitability);
        self.supersede_early(document);
        self.show(document);
    }

    fn closed(&mut self, document: DocumentId) {
        let Some(open) = self.documents.close(document) else {
            return;
        };
        self.supersede_early(document);
        self.recorder.close(document);
        if open.is_shown() {
            self.model.handle_input(Input::DocumentClosed { document });
        }
    }

    /// Passes a request to the Speculator, lets it wait for the model, or answers it here.
    fn requested(&mut self, asked: SuggestionRequest, reply: oneshot::Sender<Answer>) {
        let (request, document) = (asked.id, asked.document);
        let refusal = match asked.trigger {
            // The answer shows nothing, and gives the client no reason to ask again.
            Trigger::Menu if !self.layers.settings().completion_menu => Some(Answer::Superseded),
            Trigger::Automatic | Trigger::Invoked | Trigger::Menu => {
                self.figures.requested();
                self.refusal(&asked)
            }
        };
        if let Some(answer) = refusal {
            let _ = reply.send(answer);
            return;
        }
        self.recorder.ask(&asked);
        self.documents.request_at(document, asked.cursor);
        self.show_status();
        let name = self.documents.name(document, self.layers.rules());
        let input = asked.input(name, self.layers.settings().alternatives);
        let waiting = UnansweredRequest::new(&asked, input.clone(), reply);
        match self.model.state() {
            ModelState::Ready(_) => {
                self.requests.add(request, waiting);
                self.model.handle_input(input);
            }
            ModelState::Loading => {
                // The client waits only for its newest request.
                self.supersede_early(document);
                self.requests.add(request, waiting);
            }
            ModelState::Unusable(error) => self.fail(request, waiting, &error.to_string()),
        }
    }

    /// Returns the answer to a request about a document that is not open or gets no suggestions.
    fn refusal(&mut self, asked: &SuggestionRequest) -> Option<Answer> {
        let Some(open) = self.documents.get(asked.document) else {
            self.figures.superseded();
            return Some(Answer::Superseded);
        };
        let suitability = self.layers.suitability();
        let reason = suitability
            .unsuitable(open.file(), asked.snapshot.len())?
            .as_str();
        tracing::debug!(request = asked.id.0, reason, "silent");
        self.figures.unsuitable();
        Some(Answer::Silent {
            reason: Silence::Unsuitable,
            origin: None,
        })
    }

    fn cancelled(&mut self, request: RequestId) {
        if self.requests.contains(request) {
            if self.model.answers() {
                self.model.handle_input(Input::RequestCancelled { request });
                self.deliver_answers();
            } else {
                self.figures.superseded();
            }
        }
        self.requests.remove(request);
        self.recorder.answer(request, &Answer::Superseded);
    }

    /// Passes a report to the Speculator. An accept is also counted and recorded.
    fn reported(&mut self, report: SuggestionReport) {
        if let SuggestionReport::Accepted { suggestion } = report {
            self.figures.accepted();
            self.recorder.accept(suggestion);
        }
        self.model.handle_input(Input::Reported(report));
    }

    fn cursor_moved(&mut self, document: DocumentId, cursor: Offset) {
        if self.documents.get(document).is_none() {
            return;
        }
        self.documents.move_cursor(document, cursor);
        self.show_status();
        if let Some(input) = self.documents.cursor_input(document, self.layers.rules()) {
            self.model.handle_input(input);
        }
    }

    fn shown(
        &mut self,
        document: DocumentId,
        snapshot: Document,
        cursor: Offset,
        suggestion: Suggestion,
    ) {
        let Some(open) = self.documents.get(document) else {
            return;
        };
        let suitability = self.layers.suitability();
        if suitability
            .unsuitable(open.file(), snapshot.len())
            .is_none()
        {
            let name = self.documents.name(document, self.layers.rules());
            self.model.handle_input(Input::Shown {
                document,
                snapshot,
                cursor,
                name,
                suggestion,
            });
        }
    }

    fn report_figures(&mut self, reply: oneshot::Sender<Value>) {
        let counters = self.model.counters();
        // Everything in `counters` was reported as an event before; once these events are taken,
        // both sides agree.
        while let Some(event) = self.model.try_next_event() {
            self.take_event(event);
        }
        let (settings, now) = (self.layers.settings(), self.clock.now());
        let _ = reply.send(self.figures.to_json(&self.model, counters, settings, now));
    }

    /// Takes the editor's settings as far as they can be read, and reports what cannot.
    fn take_settings(&mut self, layer: EditorLayer, value: Value) {
        let (local, refused) = self.layers.take(layer, value, self.model.source());
        let suitability = self.layers.suitability();
        self.notices.report_refused(refused, suitability);
        match self.model.apply(local) {
            Relaunch::None => {}
            Relaunch::SameModel => self.figures.reset(self.requests.len()),
            Relaunch::AnotherModel => self.reset_figures(),
        }
        self.model.configure(self.layers.settings().speculator());
        for document in self.documents.ids() {
            self.look_at(document);
        }
        self.show_status();
        self.attend();
    }

    fn take_event(&mut self, event: (u64, BackendEvent)) {
        match self.model.take_event(event) {
            ModelChange::Nothing => return,
            ModelChange::Progress => self.show_status(),
            ModelChange::Ready(profile) => self.model_is_ready(profile),
            ModelChange::Replaced(profile) => {
                self.reset_figures();
                self.model_is_ready(profile);
            }
            ModelChange::Unusable(error) => self.model_is_unusable(&error.to_string()),
            ModelChange::CandidateUnusable(error) => {
                let line = error.to_string();
                tracing::error!(line, "another model cannot be used");
                let line = format!("{line}; the model before it stays");
                self.notices.report_again(line);
                self.show_status();
            }
            ModelChange::Generation(event) => {
                self.figures.received(&event);
                self.model.handle_input(Input::Generation(event));
            }
        }
        self.figures.changed();
    }

    /// Forgets the figures and problems of the previous model.
    fn reset_figures(&mut self) {
        self.figures.reset(self.requests.len());
        self.notices.forget_problem();
    }

    fn model_is_ready(&mut self, profile: ModelProfile) {
        tracing::info!(model = profile.id, "model is ready");
        let settings = self.layers.settings().speculator();
        self.model.begin(profile, settings);
        self.show_status();
        // The Speculator is new and knows no document.
        self.documents.hide_all();
        for document in self.documents.ids() {
            self.show(document);
        }
        self.attend();
        for input in self.requests.inputs() {
            self.model.handle_input(input);
        }
        if !self.documents.is_empty() {
            self.model.warm();
        }
    }

    fn model_is_unusable(&mut self, line: &str) {
        tracing::error!(line, "model cannot be used");
        self.show_status();
        self.notices.report(line);
        for (request, waiting) in self.requests.remove_all() {
            self.fail(request, waiting, line);
        }
    }

    /// Fails a request because the model cannot be used.
    fn fail(&mut self, request: RequestId, waiting: UnansweredRequest, line: &str) {
        let answer = Answer::Failed(line.to_owned());
        self.figures.failed();
        self.recorder.answer(request, &answer);
        waiting.answer(answer);
    }

    /// While no model is ready, answers the waiting requests of a document as superseded.
    fn supersede_early(&mut self, document: DocumentId) {
        if self.model.answers() {
            return;
        }
        for (request, waiting) in self.requests.remove_of(document) {
            self.figures.superseded();
            self.recorder.answer(request, &Answer::Superseded);
            waiting.answer(Answer::Superseded);
        }
    }

    /// Reports a document's current text to the recorder and to the Speculator, if it is suitable.
    fn look_at(&mut self, document: DocumentId) {
        if let Some(open) = self.documents.get(document) {
            let suitability = self.layers.suitability();
            self.recorder.see(document, open, suitability);
        }
        self.show(document);
    }

    /// Reports a document's current text to the Speculator if the document is suitable; otherwise
    /// closes it there.
    fn show(&mut self, document: DocumentId) {
        let suitability = self.layers.suitability();
        if let Some(input) = self.documents.show(document, suitability) {
            self.model.handle_input(input);
        }
    }

    /// Reports to the Speculator which document the user is in.
    fn attend(&mut self) {
        let input = self.documents.focus_input(self.layers.rules());
        self.model.handle_input(input);
    }

    /// Sends the session's status to the editor if it has changed.
    fn show_status(&mut self) {
        let suitability = self.layers.suitability();
        let status = status(&self.model, &self.documents, suitability);
        self.notices.show_status(status);
    }
}

/// Describes an answer without its text, for the log.
fn described(answer: &Answer) -> String {
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
