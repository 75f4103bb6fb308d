//! The Speculator with its backend and its clock: passes it inputs with the time, and runs its
//! effects.
//!
//! The session loop and the session in this process share it. Outside is only what differs: where
//! inputs come from, who receives an answer, and how the next timeout is waited for.

use std::sync::Arc;

use tabahead_backend::{Backend, TokenCounters};
use tabahead_context::ModelProfile;
use tabahead_speculation::{
    Answer, Effect, Input, RequestId, Speculator, SpeculatorSettings, Stats, Timestamp,
};
use tokio::time::Instant;

/// The time since a session started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionClock {
    started: Instant,
}

impl SessionClock {
    /// Returns a clock that starts now.
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Returns the time now.
    pub(crate) fn now(self) -> Timestamp {
        Timestamp(self.started.elapsed())
    }

    fn instant(self, Timestamp(since): Timestamp) -> Instant {
        self.started + since
    }
}

/// A Speculator whose effects run on a backend.
pub(crate) struct Driver {
    speculator: Speculator,
    backend: Arc<dyn Backend>,
    clock: SessionClock,
}

impl Driver {
    /// Builds a Speculator for the backend's model, which must be ready.
    pub(crate) fn new(
        settings: SpeculatorSettings,
        profile: ModelProfile,
        backend: Arc<dyn Backend>,
        clock: SessionClock,
    ) -> Self {
        Self {
            speculator: Speculator::new(settings, profile),
            backend,
            clock,
        }
    }

    /// Passes an input to the Speculator. Its effects run when `poll_answer` is called.
    pub(crate) fn handle_input(&mut self, input: Input) {
        self.speculator.handle_input(self.clock.now(), input);
    }

    /// Lets the Speculator act on its timeout, which has passed.
    pub(crate) fn handle_timeout(&mut self) {
        self.speculator.handle_timeout(self.clock.now());
    }

    /// Returns when to call `handle_timeout`, if at all.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let timeout = self.speculator.poll_timeout()?;
        Some(self.clock.instant(timeout))
    }

    /// Runs the pending effects in order, up to the next answer, and returns it; `None` when all
    /// have run.
    pub(crate) fn poll_answer(&mut self) -> Option<(RequestId, Answer)> {
        loop {
            match self.speculator.poll_effect()? {
                Effect::Respond { request, answer } => return Some((request, answer)),
                Effect::StartGeneration(request) => {
                    let id = request.id.0;
                    tracing::debug!(generation = id, priority = ?request.priority, "start");
                    self.backend.start(request);
                }
                Effect::PrioritizeGeneration(id, priority) => {
                    tracing::debug!(generation = id.0, ?priority, "prioritize");
                    self.backend.prioritize(id, priority);
                }
                Effect::CancelGeneration(id) => {
                    tracing::debug!(generation = id.0, "cancel");
                    self.backend.cancel(id);
                }
            }
        }
    }

    /// Changes the Speculator's settings.
    pub(crate) fn configure(&mut self, settings: SpeculatorSettings) {
        self.speculator.configure(settings);
    }

    /// Returns the Speculator's counters.
    pub(crate) fn stats(&self) -> &Stats {
        self.speculator.stats()
    }

    /// Returns the backend's counters.
    pub(crate) fn counters(&self) -> TokenCounters {
        self.backend.counters()
    }
}
