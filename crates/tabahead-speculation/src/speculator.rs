//! The Speculator: takes inputs, and decides what to answer and what to compute.
//!
//! Every input is handled in two steps: it changes what is known (a text, a request, a token), then
//! `reconcile` derives, from that alone, which requests can be answered and which generations
//! should run, and makes the running generations match. Read `reconcile` first.
//!
//! This file coordinates. What is known is in five values, which do not see each other's fields.

use std::collections::VecDeque;

use tabahead_context::{
    DocumentName, GenerationEvent, ModelProfile, QuestionSettings, State, Suggestion,
};
use tabahead_text::{Document, Offset};

use crate::{
    Answer, ComputedAhead, DocumentId, Effect, Input, RequestId, SelectedCompletion,
    SpeculatorSettings, Stats, Timestamp,
    answers::{KeptAnswers, Lookup, Need, Request},
    documents::{Documents, UserPlace},
    generations::{For, Generations, Reported, SideEffects},
    hypotheses::rank,
    reading::Reading,
    state::BufferState,
};

/// The state machine.
#[derive(Debug)]
pub struct Speculator {
    settings: QuestionSettings,
    ahead: ComputedAhead,
    documents: Documents,
    answers: KeptAnswers,
    generations: Generations,
    reading: Reading,
    stats: Stats,
    effects: VecDeque<Effect>,
}

/// A request as it came, without its text.
struct Asked {
    id: RequestId,
    cursor: Offset,
    name: DocumentName,
    selected: Option<SelectedCompletion>,
    alternatives: usize,
}

impl Speculator {
    /// Creates a Speculator for one model.
    pub fn new(settings: SpeculatorSettings, profile: ModelProfile) -> Self {
        let settings = settings.for_model(&profile);
        Self {
            ahead: settings.ahead,
            documents: Documents::new(),
            answers: KeptAnswers::new(settings.cache_bytes),
            generations: Generations::new(settings.in_flight),
            reading: Reading::default(),
            stats: Stats::default(),
            effects: VecDeque::new(),
            settings: QuestionSettings {
                profile,
                context: settings.context,
                cut: settings.cut,
            },
        }
    }

    /// Handles an input. The caller reads the resulting effects with `poll_effect`.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        let accepts = self.ahead.accepts();
        let (documents, stats) = (&mut self.documents, &mut self.stats);
        match input {
            Input::DocumentChanged { document, snapshot } => {
                self.document_changed(now, document, snapshot);
            }
            Input::DocumentClosed { document } => self.document_closed(document),
            Input::CompletionRequested {
                request,
                document,
                snapshot,
                cursor,
                name,
                selected,
                alternatives,
            } => {
                let asked = Asked {
                    id: request,
                    cursor,
                    name,
                    selected,
                    alternatives,
                };
                self.requested(document, snapshot, asked);
            }
            Input::RequestCancelled { request } => self.request_cancelled(request),
            Input::Generation(event) => self.generation_reported(event),
            Input::Reported(report) => documents.report(report, accepts, stats),
            Input::Shown {
                document,
                snapshot,
                cursor,
                name,
                suggestion,
            } => self.shown(document, snapshot, cursor, name, &suggestion),
            Input::Focused {
                document,
                snapshot,
                cursor,
                name,
            } => self.focused(now, document, snapshot, cursor, name),
            Input::FocusLost => self.reading = Reading::default(),
            Input::CursorMoved {
                document,
                snapshot,
                cursor,
                name,
            } => self.cursor_moved(now, document, snapshot, cursor, name),
        }
        self.reconcile();
    }

    /// Changes the settings. Answers follow the new settings from now on.
    pub fn configure(&mut self, settings: SpeculatorSettings) {
        let settings = settings.for_model(&self.settings.profile);
        self.answers.configure(settings.cache_bytes);
        if self.settings.cut.max_tokens != settings.cut.max_tokens {
            // They were started with another reserve, and might not have been started with this
            // one.
            self.generations.stop_all(&mut SideEffects {
                answers: &mut self.answers,
                effects: &mut self.effects,
                stats: &mut self.stats,
            });
        }
        self.generations.set_most(settings.in_flight);
        self.ahead = settings.ahead;
        self.settings.context = settings.context;
        self.settings.cut = settings.cut;
        let place = self.reading.document();
        let place = place.and_then(|document| self.documents.place(document));
        self.reading.restart(place, &self.settings);
        self.documents.configure(&self.settings);
        self.reconcile();
    }

    /// Handles the timeout that `poll_timeout` named.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.ahead.includes_reading() {
            let place = self.reading.document();
            let place = place.and_then(|document| self.documents.place(document));
            self.reading.rest(place, now, &self.settings);
        }
        self.reconcile();
    }

    /// Returns the next effect, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns when to call `handle_timeout`, if at all.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let rests = self.reading.rests_at();
        rests.filter(|_| self.ahead.includes_reading())
    }

    /// Returns the counters since start.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Answers what can be answered and decides what to compute: first what requests wait for, the
    /// longest waiting first; then the hypotheses, in the order of `rank`. Only as many generations
    /// run as the settings allow, the first ones of that list; all others are cancelled. Only if
    /// that list is empty, the prompt where the cursor rests is read.
    ///
    /// Looks only at documents that have a waiting request or hypotheses, so that its cost does not
    /// depend on how many documents are open.
    fn reconcile(&mut self) {
        let mut wanted = self.wanted_by_requests();
        wanted.extend(self.wanted_by_hypotheses());
        if wanted.is_empty() {
            wanted.extend(self.wanted_by_reading());
        }
        let mut side = SideEffects {
            answers: &mut self.answers,
            effects: &mut self.effects,
            stats: &mut self.stats,
        };
        let started = (self.generations).run_exactly(wanted, &self.settings, &mut side);
        self.documents.requests_have_started(&started);
        self.documents.forget_unattended();
        self.stats.running = self.generations.len() as u64;
        self.answers.count(&mut self.stats);
    }

    /// Answers the requests that are decided, and returns what the others need.
    fn wanted_by_requests(&mut self) -> Vec<(For, Need)> {
        let mut wanted = Vec::new();
        for document in self.documents.by_turn(&mut self.stats) {
            let (mut lookup, documents, _) = self.lookup();
            match documents.look_up_request(document, &mut lookup) {
                Some(needs) if needs.is_empty() => self.respond(document),
                needs => {
                    let needs = needs.into_iter().flatten();
                    wanted.extend(needs.map(|need| (For::Request(document), need)));
                }
            }
        }
        wanted
    }

    /// Returns what the hypotheses need that are not decided, those that rank first first.
    fn wanted_by_hypotheses(&mut self) -> impl Iterator<Item = (For, Need)> + use<> {
        let (mut lookup, documents, _) = self.lookup();
        rank(documents.advance(&mut lookup))
    }

    /// Returns what is needed to read the prompt where the cursor rests.
    fn wanted_by_reading(&mut self) -> Option<(For, Need)> {
        if !self.ahead.includes_reading() {
            self.reading.stop();
        }
        let (mut lookup, _, reading) = self.lookup();
        reading.look_up(&mut lookup)
    }

    /// Returns all paths, to look up the states of the documents and the one where the cursor rests.
    fn lookup(&mut self) -> (Lookup<'_>, &mut Documents, &mut Reading) {
        let lookup = Lookup {
            answers: &mut self.answers,
            generations: &mut self.generations,
            settings: &self.settings,
            stats: &mut self.stats,
        };
        (lookup, &mut self.documents, &mut self.reading)
    }

    /// Answers a document's request, which is completely decided, and looks ahead of what is shown.
    fn respond(&mut self, document: DocumentId) {
        let (accepts, settings) = (self.ahead.accepts(), &self.settings);
        let answered = (self.documents).respond(document, accepts, settings, &mut self.stats);
        if let Some((request, answer)) = answered {
            let respond = Effect::Respond { request, answer };
            self.effects.push_back(respond);
        }
    }

    /// Answers a request that is no longer wanted, or that something newer replaces.
    fn supersede(&mut self, request: RequestId) {
        self.stats.superseded += 1;
        self.effects.push_back(Effect::Respond {
            request,
            answer: Answer::Superseded,
        });
    }

    /// Follows the user to a document's text. Returns whether the text was known and is new.
    fn follow(&mut self, document: DocumentId, snapshot: Document) -> bool {
        let open = self.documents.attend(document);
        if !open.differs_from(&snapshot) {
            return false;
        }
        if let Some(outdated) = open.follow(snapshot, &self.settings, &mut self.stats) {
            self.supersede(outdated);
        }
        true
    }

    fn document_changed(&mut self, now: Timestamp, document: DocumentId, snapshot: Document) {
        if self.follow(document, snapshot) && self.reading.document() == Some(document) {
            let place = self.documents.place(document);
            self.reading.follow(place, now, &self.settings);
        }
    }

    fn document_closed(&mut self, document: DocumentId) {
        if self.reading.document() == Some(document) {
            self.reading = Reading::default();
        }
        if let Some(waiting) = self.documents.close(document) {
            self.supersede(waiting);
        }
    }

    fn requested(&mut self, document: DocumentId, snapshot: Document, asked: Asked) {
        self.stats.requests += 1;
        // Following the text first lets the hypotheses keep what this request may join.
        self.follow(document, snapshot.clone());
        self.reading = Reading::of_request(document, asked.name.clone());
        let place = UserPlace::of_cursor(snapshot, asked.cursor);
        let (text, at) = match &asked.selected {
            None => (place.document.clone(), place.cursor),
            Some(item) => item.inserted_in(&place.document),
        };
        let state = self.state_at(text, at, asked.name);
        let request = Request::new(asked.id, state, asked.selected, asked.alternatives);
        if let Some(older) = self.documents.ask(document, place, request) {
            self.supersede(older);
        }
    }

    /// Supersedes a cancelled request.
    fn request_cancelled(&mut self, request: RequestId) {
        if let Some(cancelled) = self.documents.cancel(request) {
            self.supersede(cancelled);
        }
    }

    /// Records that a suggestion from another source is on screen: what follows its accept is
    /// looked at next. It replaces what a request would show, so a waiting request is superseded.
    fn shown(
        &mut self,
        document: DocumentId,
        snapshot: Document,
        cursor: Offset,
        name: DocumentName,
        suggestion: &Suggestion,
    ) {
        self.follow(document, snapshot.clone());
        self.reading = Reading::of_request(document, name.clone());
        let state = self.state_at(snapshot, cursor, name);
        let (accepts, settings) = (self.ahead.accepts(), &self.settings);
        let waiting = (self.documents).show(document, state, suggestion, accepts, settings);
        if let Some(replaced) = waiting {
            self.supersede(replaced);
        }
    }

    /// Records that the user is in a document with this text. The cursor is `cursor`, unless more
    /// recent inputs have given another one.
    fn focused(
        &mut self,
        now: Timestamp,
        document: DocumentId,
        snapshot: Document,
        cursor: Option<Offset>,
        name: DocumentName,
    ) {
        self.follow(document, snapshot.clone());
        let place = UserPlace::of_cursor(snapshot, cursor.unwrap_or_default());
        self.documents.attend(document).place_or(place);
        self.reading.attends(document, name, now);
    }

    /// Records that the cursor moved.
    fn cursor_moved(
        &mut self,
        now: Timestamp,
        document: DocumentId,
        snapshot: Document,
        cursor: Offset,
        name: DocumentName,
    ) {
        self.document_changed(now, document, snapshot.clone());
        let place = UserPlace::of_cursor(snapshot, cursor);
        let has_moved = self.documents.attend(document).move_to(place);
        if has_moved || self.reading.document() != Some(document) {
            self.reading.attends(document, name, now);
        }
    }

    fn generation_reported(&mut self, event: GenerationEvent) {
        match self.generations.take(event, &mut self.stats) {
            Reported::Progress => {}
            Reported::Read(window) => self.reading.was_read(window),
            Reported::TooLong(window) => self.answers.refused(window),
            Reported::Broken(waiting, line) => {
                for request in self.documents.fail(&waiting) {
                    self.stats.failed += 1;
                    self.effects.push_back(Effect::Respond {
                        request,
                        answer: Answer::Failed(line.clone()),
                    });
                }
            }
        }
    }

    fn state_at(&self, document: Document, cursor: Offset, name: DocumentName) -> BufferState {
        let at = State {
            document,
            cursor,
            name,
        };
        BufferState::new(at, &self.settings)
    }
}
