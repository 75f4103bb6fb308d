//! A Speculator and a backend driven by blocking calls, in this process, without an editor.
//!
//! For the command line and for tests that ask at one place, wait until all speculation has
//! finished, accept, and ask again. It takes no decision, and has the same driver as the session
//! loop.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::Duration,
};

use tabahead_backend::{Backend, BackendError, BackendEvent, EventSink, TokenCounters};
use tabahead_context::{ModelProfile, State};
use tabahead_speculation::{
    Answer, DocumentId, Input, RequestId, SpeculatorSettings, Stats, SuggestionId, SuggestionReport,
};
use tabahead_text::Document;
use tokio::time::Instant;

use crate::driver::{Driver, SessionClock};

/// An answer and how long the editor waited for it.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedAnswer {
    /// The answer.
    pub answer: Answer,
    /// Time from the request until the answer was available.
    pub elapsed: Duration,
}

/// One document, one Speculator and one backend.
pub struct Session {
    driver: Driver,
    profile: ModelProfile,
    events: Receiver<BackendEvent>,
    answers: HashMap<RequestId, Answer>,
    requests: u64,
}

/// The only document of a session.
const DOCUMENT: DocumentId = DocumentId(0);

impl Session {
    /// Starts a backend and waits until its model is ready.
    ///
    /// # Errors When the model cannot be used.
    pub fn new(
        settings: SpeculatorSettings,
        start_backend: impl FnOnce(EventSink) -> Box<dyn Backend>,
    ) -> Result<Self, BackendError> {
        let (sender, events) = channel();
        // Once the session is gone, its events are not needed any more.
        let backend = start_backend(Box::new(move |event| drop(sender.send(event))));
        let profile = loop {
            match events.recv() {
                Ok(BackendEvent::Ready(profile)) => break profile,
                Ok(BackendEvent::Unusable(error)) => return Err(error),
                Ok(BackendEvent::Loading(_) | BackendEvent::Generation(_)) => {}
                Err(_) => return Err(BackendError::Stopped),
            }
        };
        let clock = SessionClock::start();
        Ok(Self {
            driver: Driver::new(settings, profile.clone(), Arc::from(backend), clock),
            profile,
            events,
            answers: HashMap::new(),
            requests: 0,
        })
    }

    /// Returns the profile of the model that answers.
    pub fn profile(&self) -> &ModelProfile {
        &self.profile
    }

    /// Reports a changed text, as an editor does on each keystroke.
    pub fn change(&mut self, document: &Document) {
        self.input(Input::DocumentChanged {
            document: DOCUMENT,
            snapshot: document.clone(),
        });
    }

    /// Reports that a suggestion was accepted; the changed text is reported by `change` or
    /// `request`.
    pub fn accepted(&mut self, suggestion: SuggestionId) {
        self.input(Input::Reported(SuggestionReport::Accepted { suggestion }));
    }

    /// Reports the text, requests a suggestion and waits for the answer.
    pub fn request(&mut self, state: &State) -> TimedAnswer {
        let asked = Instant::now();
        self.change(&state.document);
        let request = RequestId(self.requests);
        self.requests += 1;
        self.input(Input::CompletionRequested {
            request,
            document: DOCUMENT,
            snapshot: state.document.clone(),
            cursor: state.cursor,
            name: state.name.clone(),
            selected: None,
            alternatives: 0,
        });
        loop {
            if let Some(answer) = self.answers.remove(&request) {
                return TimedAnswer {
                    answer,
                    elapsed: asked.elapsed(),
                };
            }
            if self.wait(None) == WaitResult::Stopped {
                return TimedAnswer {
                    answer: Answer::Failed(BackendError::Stopped.to_string()),
                    elapsed: asked.elapsed(),
                };
            }
        }
    }

    /// Waits until no generation is running: everything that the Speculator wanted to compute ahead
    /// has been computed.
    pub fn settle(&mut self) {
        while self.computes() && self.wait(None) != WaitResult::Stopped {}
    }

    /// Waits like `settle`, but for at most `pause`, the time in which a person reads.
    pub fn settle_for(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        while self.computes() && self.wait(Some(until)) == WaitResult::Event {}
    }

    /// Returns the Speculator's counters.
    pub fn stats(&self) -> &Stats {
        self.driver.stats()
    }

    /// Returns the backend's counters.
    pub fn counters(&self) -> TokenCounters {
        self.driver.counters()
    }

    /// Returns whether a generation is running.
    fn computes(&self) -> bool {
        self.stats().running > 0
    }

    fn input(&mut self, input: Input) {
        self.driver.handle_input(input);
        self.take_answers();
    }

    fn take_answers(&mut self) {
        self.answers
            .extend(std::iter::from_fn(|| self.driver.poll_answer()));
    }

    /// Waits until the next event or the Speculator's own timeout, but not beyond `until`.
    fn wait(&mut self, until: Option<Instant>) -> WaitResult {
        let wake = self.driver.timeout();
        let event = match wake.into_iter().chain(until).min() {
            None => self
                .events
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            Some(next) => self
                .events
                .recv_timeout(next.saturating_duration_since(Instant::now())),
        };
        match event {
            Ok(BackendEvent::Generation(event)) => {
                self.input(Input::Generation(event));
                WaitResult::Event
            }
            Ok(BackendEvent::Loading(_) | BackendEvent::Ready(_) | BackendEvent::Unusable(_)) => {
                WaitResult::Event
            }
            Err(RecvTimeoutError::Timeout) if wake.is_some_and(|wake| wake <= Instant::now()) => {
                self.driver.handle_timeout();
                self.take_answers();
                WaitResult::Event
            }
            Err(RecvTimeoutError::Timeout) => WaitResult::TimedOut,
            Err(RecvTimeoutError::Disconnected) => WaitResult::Stopped,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitResult {
    Event,
    TimedOut,
    Stopped,
}
