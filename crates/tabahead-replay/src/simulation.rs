//! The virtual clock: a user, an editor, a policy and an engine, one event after the other.
//!
//! The editor asks immediately after every change and cancels its previous request. Its suggestion
//! stays on screen while the user types along. Events of the same time are taken in a fixed order:
//! the engine's, the policy's own time, the user's. So a run is the same on every machine.
//!
//! Effects run here, and not in the driver of `tabahead-session`: a generation's start returns its
//! first events at once, and each effect is counted and noted with its virtual time.

mod engine;
mod known;

use std::{collections::BTreeMap, time::Duration};

use tabahead_context::{DocumentName, GenerationEvent, GenerationId, State, Suggestion};
use tabahead_speculation::{
    Answer, DocumentId, Effect, Input, Origin, RequestId, SpeculatorSettings, SuggestionId,
    SuggestionReport, Timestamp,
};
use tabahead_text::{Document, Offset};

use crate::{
    answers::Answers,
    editing::EditKind,
    figures::{AcceptFacts, Figures, RequestEnd, RequestFacts, RequestResult},
    fresh::FreshProcess,
    policy::{Policy, PolicyName},
    timeline::{Moment, Timeline},
    user::{Screen, User, UserAction, UserEdit, UserError},
};

use engine::VirtualEngine;
pub use engine::{EngineCosts, Work};

/// How long the engine continues after the last action.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Setup of a run, apart from the recording.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Settings of our policy; context and cut apply to all policies.
    pub settings: SpeculatorSettings,
    /// Costs of computing.
    pub costs: EngineCosts,
    /// Whether to keep a timeline, for a picture.
    pub timeline: bool,
}

/// Result of a run.
#[derive(Debug)]
pub struct RunResult {
    /// The measured figures.
    pub figures: Figures,
    /// The timeline; empty unless it was asked for.
    pub timeline: Timeline,
}

/// Runs a policy against a user.
///
/// # Errors
/// When the recording cannot be read on.
pub fn run(
    policy: PolicyName,
    user: &mut dyn User,
    answers: &mut Answers,
    setup: &Setup,
) -> Result<RunResult, UserError> {
    let profile = answers.profile().clone();
    let mut simulation = Simulation {
        policy: policy.start(&setup.settings, &profile),
        engine: VirtualEngine::new(setup.costs),
        fresh: FreshProcess::new(&setup.settings, &profile),
        answers,
        now: Timestamp::default(),
        documents: BTreeMap::new(),
        written: None,
        moved: None,
        waiting: None,
        screen: None,
        requests: 0,
        user_acts: false,
        answered: 0,
        started: BTreeMap::new(),
        figures: Figures::default(),
        timeline: setup.timeline.then(Timeline::kept).unwrap_or_default(),
    };
    simulation.run(user)?;
    Ok(simulation.finish())
}

struct Simulation<'a> {
    policy: Box<dyn Policy>,
    engine: VirtualEngine,
    fresh: FreshProcess,
    answers: &'a mut Answers,
    now: Timestamp,
    documents: BTreeMap<DocumentId, SimulatedDocument>,
    /// Document and line in which the last change left the cursor, and where it was moved since.
    written: Option<(DocumentId, usize)>,
    moved: Option<(DocumentId, usize)>,
    waiting: Option<WaitingRequest>,
    screen: Option<Screen>,
    requests: u64,
    /// Whether the current event was caused by the user, not by the engine.
    user_acts: bool,
    /// Number of answers so far, and the number at the start of each running generation.
    answered: u64,
    started: BTreeMap<GenerationId, u64>,
    figures: Figures,
    timeline: Timeline,
}

/// An open document.
struct SimulatedDocument {
    name: DocumentName,
    text: Document,
    /// The user's cursor in the document; `None` before the user was there.
    cursor: Option<Offset>,
}

/// A suggestion that is about to be shown.
struct ShownSuggestion {
    id: SuggestionId,
    suggestion: Suggestion,
    origin: Origin,
}

/// The request that is waiting for an answer.
struct WaitingRequest {
    request: RequestId,
    document: DocumentId,
    state: State,
    at: Timestamp,
    asked: RequestFacts,
    /// Number of prompt tokens computed for foreground requests before this one.
    prefilled: u64,
}

impl Simulation<'_> {
    fn run(&mut self, user: &mut dyn User) -> Result<(), UserError> {
        let mut last = Timestamp::default();
        loop {
            let action = user.next()?;
            let until = action.unwrap_or(Timestamp(last.0 + LAST_WORDS));
            let engine = self.engine.next();
            let timeout = self.policy.poll_timeout();
            let Some(next) = engine.into_iter().chain(timeout).chain(action).min() else {
                return Ok(());
            };
            if next > until {
                return Ok(());
            }
            // A timeout in the past is due now.
            self.now = self.now.max(next);
            let before = self.screen.clone();
            if engine == Some(next) {
                let events = self.engine.advance(self.now, self.answers);
                self.take(events);
            } else if timeout == Some(next) {
                self.policy.handle_timeout(self.now);
                self.run_effects();
            } else {
                last = self.now;
                if let Some(action) = user.act() {
                    self.does(action);
                }
            }
            if self.screen != before {
                user.sees(self.now, self.screen.as_ref());
            }
        }
    }

    fn finish(mut self) -> RunResult {
        self.supersede();
        let (urgent, ahead) = (self.engine.urgent_work(), self.engine.work_ahead());
        self.figures.prefilled = [urgent.prefilled, ahead.prefilled];
        self.figures.decoded = [urgent.decoded, ahead.decoded];
        self.figures.busy = [urgent.busy, ahead.busy];
        self.figures.wasted_tokens = self.policy.wasted_tokens();
        self.figures.lasted = self.now.0;
        RunResult {
            figures: self.figures,
            timeline: self.timeline,
        }
    }

    fn does(&mut self, action: UserAction) {
        self.user_acts = true;
        match action {
            UserAction::Opens {
                document,
                name,
                text,
            } => {
                let opened = SimulatedDocument {
                    name,
                    text: text.clone(),
                    cursor: None,
                };
                self.documents.insert(document, opened);
                self.input(Input::DocumentChanged {
                    document,
                    snapshot: text,
                });
            }
            UserAction::Closes { document } => {
                self.supersede();
                self.screen = None;
                self.documents.remove(&document);
                self.input(Input::DocumentClosed { document });
            }
            UserAction::Edits(edited) => self.edits(edited),
            UserAction::Moves { document, cursor } => {
                self.cancel();
                self.screen = None;
                if let Some(opened) = self.documents.get_mut(&document) {
                    opened.cursor = Some(cursor);
                    self.moved = Some((document, opened.text.line_of(cursor)));
                    let (snapshot, name) = (opened.text.clone(), opened.name.clone());
                    self.input(Input::CursorMoved {
                        document,
                        snapshot,
                        cursor,
                        name,
                    });
                }
            }
            UserAction::Shows {
                document,
                text,
                cursor,
                suggestion,
            } => {
                self.cancel();
                self.screen = None;
                let name = match self.documents.get_mut(&document) {
                    Some(opened) => {
                        opened.cursor = Some(cursor);
                        opened.name.clone()
                    }
                    None => DocumentName::default(),
                };
                self.timeline
                    .add(self.now, || Moment::shown(&suggestion, None));
                self.input(Input::Shown {
                    document,
                    snapshot: text,
                    cursor,
                    name,
                    suggestion,
                });
            }
        }
    }

    fn edits(&mut self, edited: UserEdit) {
        let along;
        self.cancel();
        (self.screen, along) = Screen::after(self.screen.take(), &edited);
        let UserEdit {
            document,
            after,
            cursor,
            kind,
            accepts,
            asks,
        } = edited;
        let accept = accepts.is_some();
        self.timeline
            .add(self.now, || Moment::Edit { kind, accept });
        self.input(Input::DocumentChanged {
            document,
            snapshot: after.clone(),
        });
        if let Some(suggestion) = accepts.and_then(|accepts| accepts.suggestion) {
            self.input(Input::Reported(SuggestionReport::Accepted { suggestion }));
        }
        let before = self.state_of(document);
        let mut name = DocumentName::default();
        if let Some(opened) = self.documents.get_mut(&document) {
            opened.text = after.clone();
            opened.cursor = Some(cursor);
            name = opened.name.clone();
        }
        let jumped = self.jumps(document, after.line_of(cursor));
        let state = State {
            document: after,
            cursor,
            name,
        };
        let accept = accepts.map(|accepts| AcceptFacts {
            part: accepts.part,
            characters: accepts.characters,
            has_next: self.fresh.shown(&state, self.answers).is_ok(),
            base_moves: before.and_then(|before| self.base_moves(&before, &state)),
            lines: accepts.lines,
        });
        let kind = if jumped { EditKind::Jump } else { kind };
        if asks {
            self.asks(
                document,
                state,
                RequestFacts {
                    kind,
                    along,
                    accept,
                },
            );
        }
    }

    /// Returns what the user has in front of them in a document; `None` before the user was there.
    fn state_of(&self, document: DocumentId) -> Option<State> {
        let opened = self.documents.get(&document)?;
        Some(State {
            document: opened.text.clone(),
            cursor: opened.cursor?,
            name: opened.name.clone(),
        })
    }

    /// Reports whether the change that leaves the cursor in `line` is the first since the cursor
    /// was moved to another document, or further than to the next line. Editors report the move
    /// before the change, so the change itself looks near.
    fn jumps(&mut self, document: DocumentId, line: usize) -> bool {
        let written = self.written.replace((document, line));
        match (written, self.moved.take()) {
            (Some((left, from)), Some((entered, to))) => left != entered || from.abs_diff(to) > 1,
            _ => false,
        }
    }

    /// Reports whether the prompt of `after` is anything but the prompt of `before` with text
    /// appended. `None` if the model is not asked at one of them.
    fn base_moves(&mut self, before: &State, after: &State) -> Option<bool> {
        let before = self.fresh.window(before, self.answers)?;
        let after = self.fresh.window(after, self.answers)?;
        Some(!(after.same_base(&before) && after.tail.starts_with(&before.tail)))
    }

    fn asks(&mut self, document: DocumentId, state: State, asked: RequestFacts) {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.waiting = Some(WaitingRequest {
            request,
            document,
            state: state.clone(),
            at: self.now,
            asked,
            prefilled: self.engine.urgent_work().prefilled,
        });
        self.input(Input::CompletionRequested {
            request,
            document,
            snapshot: state.document,
            cursor: state.cursor,
            name: state.name,
            selected: None,
            alternatives: 0,
        });
    }

    /// Cancels the waiting request, as the editor does.
    fn cancel(&mut self) {
        if let Some(waiting) = &self.waiting {
            let request = waiting.request;
            self.supersede();
            self.input(Input::RequestCancelled { request });
        }
    }

    fn supersede(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.ends(&waiting, None, RequestEnd::Superseded);
        }
    }

    fn ends(&mut self, waiting: &WaitingRequest, origin: Option<Origin>, end: RequestEnd) {
        let result = RequestResult {
            took: self.now.0.saturating_sub(waiting.at.0),
            origin,
            untold: false,
            end,
            prefilled: Some(self.engine.urgent_work().prefilled - waiting.prefilled),
        };
        self.figures.count(waiting.asked, result);
    }

    fn input(&mut self, input: Input) {
        self.policy.handle_input(self.now, input);
        self.run_effects();
    }

    fn take(&mut self, events: Vec<GenerationEvent>) {
        self.user_acts = false;
        for event in events {
            if let GenerationEvent::Read { id } | GenerationEvent::Ended { id, .. } = event {
                self.started.remove(&id);
                self.timeline.add(self.now, || Moment::Ended { id });
            }
            self.policy.handle_input(self.now, Input::Generation(event));
            self.run_effects();
        }
    }

    fn run_effects(&mut self) {
        while let Some(effect) = self.policy.poll_effect() {
            match effect {
                Effect::Respond { request, answer } => self.responds(request, answer),
                Effect::StartGeneration(request) => {
                    self.figures.generations[0] += 1;
                    let (id, priority) = (request.id, request.priority);
                    self.timeline
                        .add(self.now, || Moment::started(id, priority));
                    self.started.insert(id, self.answered);
                    let events = self.engine.start(self.now, request, self.answers);
                    self.take(events);
                }
                Effect::PrioritizeGeneration(id, priority) => {
                    self.engine.prioritize(self.now, id, priority);
                }
                Effect::CancelGeneration(id) => {
                    let unanswered = self.started.remove(&id) == Some(self.answered);
                    let in_vain = unanswered && self.user_acts;
                    if self.engine.cancel(self.now, id) {
                        self.figures.generations[1] += 1;
                        self.timeline
                            .add(self.now, || Moment::Stopped { id, in_vain });
                    }
                }
            }
        }
    }

    fn responds(&mut self, request: RequestId, answer: Answer) {
        let current = self.waiting.as_ref().is_some_and(|w| w.request == request);
        let Some(waiting) = self.waiting.take_if(|_| current) else {
            // The protocol forbids answers to other requests; a suggestion in one no longer fits
            // the text.
            self.figures.stale_shows += u64::from(matches!(answer, Answer::Suggestion { .. }));
            return;
        };
        let origin = answer.origin();
        self.answered += u64::from(origin.is_some());
        match answer {
            Answer::Suggestion {
                id,
                suggestion,
                origin,
                ..
            } => {
                self.ends(&waiting, Some(origin), RequestEnd::Shown);
                self.timeline
                    .add(self.now, || Moment::shown(&suggestion, Some(origin)));
                let shown = ShownSuggestion {
                    id,
                    suggestion,
                    origin,
                };
                self.shows(&waiting, shown);
            }
            Answer::Silent { .. } => {
                self.screen = None;
                self.ends(&waiting, origin, RequestEnd::Silent);
            }
            Answer::Failed(_) => self.ends(&waiting, None, RequestEnd::Silent),
            Answer::Superseded => self.ends(&waiting, None, RequestEnd::Superseded),
        }
    }

    fn shows(&mut self, waiting: &WaitingRequest, shown: ShownSuggestion) {
        let ShownSuggestion {
            id,
            suggestion,
            origin,
        } = shown;
        // An answer computed for this request alone is fresh anyway.
        if origin != Origin::Miss {
            let fresh = self.fresh.shown(&waiting.state, self.answers);
            self.figures.unlike_fresh += u64::from(fresh.as_ref() != Ok(&suggestion));
        }
        let since = Screen::since(self.screen.as_ref(), &suggestion, self.now);
        self.screen = Some(Screen {
            document: waiting.document,
            id,
            suggestion,
            since,
        });
    }
}

#[cfg(test)]
mod tests;
