//! The session's model: the backend that loads it, and the driver that asks it.
//!
//! While one model answers, another one is loaded beside it: the candidate. It takes over when it
//! is ready. If it cannot be used, the previous model stays.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use tabahead_backend::{
    Backend, BackendError, BackendEvent, EventSink, LocalSettings, ModelSource, ModelState,
    TokenCounters,
};
use tabahead_context::{GenerationEvent, ModelProfile};
use tabahead_speculation::{Answer, Input, RequestId, SpeculatorSettings, Stats};
use tokio::{sync::mpsc, time::Instant};

use super::Launch;
use crate::driver::{Driver, SessionClock};

/// A backend and what it was launched with.
struct LaunchedBackend {
    epoch: u64,
    backend: Arc<dyn Backend>,
    local: LocalSettings,
    progress: LoadProgress,
}

impl LaunchedBackend {
    /// Returns whether it gives the same answers as a backend with other settings, so that it can
    /// be reconfigured in place. Anything that changes answers needs caches of its own.
    fn answers_like(&self, other: &LocalSettings) -> bool {
        let one = &self.local;
        (&one.model, one.kv_precision, one.lookahead)
            == (&other.model, other.kv_precision, other.lookahead)
    }

    fn configure(&mut self, local: LocalSettings) {
        if self.local != local {
            self.backend.configure(&local);
            self.local = local;
        }
    }
}

/// How much of a model is loaded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LoadProgress {
    /// Percentage, if the backend reports it.
    pub(super) percent: Option<u8>,
}

impl fmt::Display for LoadProgress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("loading the model")?;
        match self.percent {
            Some(percent) => write!(formatter, ", {percent} %"),
            None => Ok(()),
        }
    }
}

/// An event of the backend with this epoch.
type NumberedEvent = (u64, BackendEvent);

/// What an event means for the session.
pub(super) enum ModelChange {
    /// More of a model is loaded.
    Progress,
    /// The model is ready: `SessionModel::begin` lets it answer.
    Ready(ModelProfile),
    /// The candidate is ready and has taken the place of the previous model, whose figures and
    /// problems are over.
    Replaced(ModelProfile),
    /// The model cannot be used.
    Unusable(BackendError),
    /// The candidate cannot be used. The previous model stays.
    CandidateUnusable(BackendError),
    /// A generation made progress.
    Generation(GenerationEvent),
    /// Nothing: the event came from a backend that was replaced.
    Nothing,
}

/// What new settings have launched in place of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relaunch {
    /// Nothing: the model stays, at least until a candidate is ready.
    None,
    /// The same model, loaded again.
    SameModel,
    /// Another model.
    AnotherModel,
}

/// The model that answers or will answer, and the candidate for its place.
pub(super) struct SessionModel {
    launch: Launch,
    clock: SessionClock,
    /// Unbounded, because the engine's thread must never wait for us; the tokens of the generations
    /// in flight bound it.
    events: mpsc::UnboundedReceiver<NumberedEvent>,
    event_sender: mpsc::UnboundedSender<NumberedEvent>,
    /// Number of backends launched so far.
    launches: u64,
    current: Option<LaunchedBackend>,
    /// Present from the moment the current model is ready.
    driver: Option<Driver>,
    /// Replaces the current backend as soon as its model is ready.
    candidate: Option<LaunchedBackend>,
}

impl SessionModel {
    /// Builds a session's model before the first settings, which launch one.
    pub(super) fn new(launch: Launch, clock: SessionClock) -> Self {
        let (event_sender, events) = mpsc::unbounded_channel();
        Self {
            launch,
            clock,
            events,
            event_sender,
            launches: 0,
            current: None,
            driver: None,
            candidate: None,
        }
    }

    /// Returns the source of the current model.
    pub(super) fn source(&self) -> Option<&ModelSource> {
        self.current.as_ref().map(|current| &current.local.model)
    }

    /// Returns the state of the current model.
    pub(super) fn state(&self) -> ModelState {
        match (&self.current, &self.driver) {
            (Some(current), Some(_)) => current.backend.model(),
            // Ready, but its event has not been taken yet: for the session it is still loading.
            (Some(current), None) => match current.backend.model() {
                ModelState::Ready(_) => ModelState::Loading,
                state => state,
            },
            (None, _) => ModelState::Loading,
        }
    }

    /// Returns whether there is a model that answers.
    pub(super) fn answers(&self) -> bool {
        self.driver.is_some()
    }

    /// Returns how much of the current model is loaded.
    pub(super) fn progress(&self) -> LoadProgress {
        (self.current.as_ref()).map_or_else(LoadProgress::default, |current| current.progress)
    }

    /// Returns how much of the candidate is loaded; `None` without a candidate.
    pub(super) fn candidate_progress(&self) -> Option<LoadProgress> {
        self.candidate.as_ref().map(|candidate| candidate.progress)
    }

    /// Reconfigures or replaces the backend to match these settings.
    pub(super) fn apply(&mut self, local: LocalSettings) -> Relaunch {
        let state = self.state();
        match (&mut self.current, &mut self.candidate) {
            // The user may have repaired what was wrong with the model.
            _ if matches!(state, ModelState::Unusable(_)) => self.relaunch(local),
            (Some(current), _) if current.answers_like(&local) => {
                current.configure(local);
                self.candidate = None;
                Relaunch::None
            }
            (_, Some(candidate)) if candidate.answers_like(&local) => {
                candidate.configure(local);
                Relaunch::None
            }
            _ if state == ModelState::Loading => self.relaunch(local),
            _ => {
                self.candidate = Some(self.launch(local));
                Relaunch::None
            }
        }
    }

    /// Starts to load a model while none answers.
    fn relaunch(&mut self, local: LocalSettings) -> Relaunch {
        let is_same = self.source() == Some(&local.model);
        let launched = self.launch(local);
        self.driver = None;
        self.candidate = None;
        self.current = Some(launched);
        if is_same {
            Relaunch::SameModel
        } else {
            Relaunch::AnotherModel
        }
    }

    fn launch(&mut self, local: LocalSettings) -> LaunchedBackend {
        self.launches += 1;
        let (epoch, events) = (self.launches, self.event_sender.clone());
        // The receiver lives as long as the session; after that no events are read.
        let sink: EventSink = Box::new(move |event| drop(events.send((epoch, event))));
        LaunchedBackend {
            epoch,
            backend: (self.launch)(&local, sink),
            local,
            progress: LoadProgress::default(),
        }
    }

    /// Lets the current model, which is ready, answer from now on.
    pub(super) fn begin(&mut self, profile: ModelProfile, settings: SpeculatorSettings) {
        if let Some(current) = &self.current {
            let backend = Arc::clone(&current.backend);
            self.driver = Some(Driver::new(settings, profile, backend, self.clock));
        }
    }

    /// Waits for the next event.
    pub(super) async fn next_event(&mut self) -> NumberedEvent {
        match self.events.recv().await {
            Some(event) => event,
            // Never: a sender is here.
            None => std::future::pending().await,
        }
    }

    /// Returns the next event if it is here already.
    pub(super) fn try_next_event(&mut self) -> Option<NumberedEvent> {
        self.events.try_recv().ok()
    }

    /// Takes an event.
    pub(super) fn take_event(&mut self, (epoch, event): NumberedEvent) -> ModelChange {
        let is_of = |launched: &&mut LaunchedBackend| launched.epoch == epoch;
        if let Some(candidate) = self.candidate.as_mut().filter(is_of) {
            match event {
                BackendEvent::Loading(percent) => {
                    candidate.progress.percent = Some(percent);
                    ModelChange::Progress
                }
                BackendEvent::Ready(profile) => {
                    self.driver = None;
                    self.current = self.candidate.take();
                    ModelChange::Replaced(profile)
                }
                BackendEvent::Unusable(error) => {
                    self.candidate = None;
                    ModelChange::CandidateUnusable(error)
                }
                // The candidate has not been asked anything yet.
                BackendEvent::Generation(_) => ModelChange::Nothing,
            }
        } else if let Some(current) = self.current.as_mut().filter(is_of) {
            match event {
                BackendEvent::Loading(percent) => {
                    current.progress.percent = Some(percent);
                    ModelChange::Progress
                }
                BackendEvent::Ready(profile) => ModelChange::Ready(profile),
                BackendEvent::Unusable(error) => ModelChange::Unusable(error),
                BackendEvent::Generation(event) => ModelChange::Generation(event),
            }
        } else {
            ModelChange::Nothing
        }
    }

    /// Passes an input to the Speculator, if the model answers.
    pub(super) fn handle_input(&mut self, input: Input) {
        if let Some(driver) = &mut self.driver {
            driver.handle_input(input);
        }
    }

    /// Lets the Speculator act on its timeout, which has passed.
    pub(super) fn handle_timeout(&mut self) {
        if let Some(driver) = &mut self.driver {
            driver.handle_timeout();
        }
    }

    /// Returns when to call `handle_timeout`, if at all.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.driver.as_ref().and_then(Driver::timeout)
    }

    /// Runs the Speculator's pending effects up to the next answer, and returns it.
    pub(super) fn poll_answer(&mut self) -> Option<(RequestId, Answer)> {
        self.driver.as_mut().and_then(Driver::poll_answer)
    }

    /// Changes the Speculator's settings.
    pub(super) fn configure(&mut self, settings: SpeculatorSettings) {
        if let Some(driver) = &mut self.driver {
            driver.configure(settings);
        }
    }

    /// Lets the current backend touch the memory that a generation touches.
    pub(super) fn warm(&self) {
        if let Some(current) = &self.current {
            current.backend.warm();
        }
    }

    /// Returns the Speculator's counters.
    pub(super) fn stats(&self) -> &Stats {
        static NONE: LazyLock<Stats> = LazyLock::new(Stats::default);
        self.driver.as_ref().map_or(&NONE, Driver::stats)
    }

    /// Returns the current backend's counters.
    pub(super) fn counters(&self) -> TokenCounters {
        self.current
            .as_ref()
            .map_or_else(TokenCounters::default, |current| current.backend.counters())
    }
}
