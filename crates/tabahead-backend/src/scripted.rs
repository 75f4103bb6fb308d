//! A backend that answers from a script, for testing code that drives a backend.
//!
//! Its vocabulary is the bytes: token 65 spells `A`. So every position is a token boundary, every
//! token is the canonical one, and a generation's output is the text that the test wrote.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tabahead_context::{
    GenerationEvent, GenerationFailure, GenerationId, GenerationRequest, Goal, ModelProfile,
    PathEnd, PathToken, Priority, Segment, TokenId,
};

use crate::{
    Backend, BackendError, BackendEvent, EventSink, LocalSettings, ModelState, TokenCounters,
};

/// The script's treatment of a generation. A generation that only reads its prompt outputs no
/// token, but fails or waits as the script decides.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// Output this text after the tail, then stop.
    Text(String),
    /// Fail with this failure.
    Fail(GenerationFailure),
    /// Do nothing until the test calls [`ScriptedBackend::release`].
    Hold,
}

type ScriptFn = Box<dyn FnMut(&GenerationRequest) -> Script + Send>;

/// Answers from a script, on the caller's thread.
pub struct ScriptedBackend {
    sink: EventSink,
    state: Mutex<RunningScripts>,
}

struct RunningScripts {
    model: ModelState,
    script: ScriptFn,
    /// Generations that wait for the model, or that the script held.
    waiting: BTreeMap<GenerationId, GenerationRequest>,
    started: Vec<GenerationRequest>,
    cancelled: Vec<GenerationId>,
    prioritized: Vec<(GenerationId, Priority)>,
    warmed: usize,
    configured: Vec<LocalSettings>,
    counters: TokenCounters,
}

impl ScriptedBackend {
    /// Creates a backend whose model is ready after [`ScriptedBackend::load`] is called.
    pub fn new(
        sink: EventSink,
        script: impl FnMut(&GenerationRequest) -> Script + Send + 'static,
    ) -> Self {
        Self {
            sink,
            state: Mutex::new(RunningScripts {
                model: ModelState::Loading,
                script: Box::new(script),
                waiting: BTreeMap::new(),
                started: Vec::new(),
                cancelled: Vec::new(),
                prioritized: Vec::new(),
                warmed: 0,
                configured: Vec::new(),
                counters: TokenCounters::default(),
            }),
        }
    }

    /// Reports that `percent` percent of the model are read.
    pub fn progress(&self, percent: u8) {
        (self.sink)(BackendEvent::Loading(percent));
    }

    /// Ends loading with success or failure, and runs the generations that waited.
    pub fn load(&self, result: Result<ModelProfile, BackendError>) {
        let waiting = {
            let mut state = self.state();
            state.model = match &result {
                Ok(profile) => ModelState::Ready(profile.clone()),
                Err(error) => ModelState::Unusable(error.clone()),
            };
            std::mem::take(&mut state.waiting)
        };
        (self.sink)(match result {
            Ok(profile) => BackendEvent::Ready(profile),
            Err(error) => BackendEvent::Unusable(error),
        });
        for request in waiting.into_values() {
            self.play(request);
        }
    }

    /// Answers a generation that the script held. Does nothing if it was cancelled.
    pub fn release(&self, id: GenerationId, script: Script) {
        let request = self.state().waiting.remove(&id);
        if let Some(request) = request {
            self.send_events(request, script);
        }
    }

    /// Returns the generations that are held now, oldest first.
    pub fn held(&self) -> Vec<GenerationRequest> {
        self.state().waiting.values().cloned().collect()
    }

    /// Returns all generations ever started.
    pub fn started(&self) -> Vec<GenerationRequest> {
        self.state().started.clone()
    }

    /// Returns all cancels ever requested.
    pub fn cancelled(&self) -> Vec<GenerationId> {
        self.state().cancelled.clone()
    }

    /// Returns all changes of priority ever requested.
    pub fn prioritized(&self) -> Vec<(GenerationId, Priority)> {
        self.state().prioritized.clone()
    }

    /// Sets the number of generations that the counters report. A thread that computes may take a
    /// while to end a cancelled one, and reports no event for it.
    pub fn count_generations(&self, generations: u64) {
        self.state().counters.generations = generations;
    }

    /// Returns how often warming was requested.
    pub fn warmed(&self) -> usize {
        self.state().warmed
    }

    /// Returns all settings that were passed to `configure`.
    pub fn configured(&self) -> Vec<LocalSettings> {
        self.state().configured.clone()
    }

    fn state(&self) -> MutexGuard<'_, RunningScripts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn play(&self, request: GenerationRequest) {
        let script = {
            let mut state = self.state();
            match &state.model {
                ModelState::Loading => Script::Hold,
                ModelState::Ready(_) => (state.script)(&request),
                ModelState::Unusable(error) => {
                    Script::Fail(GenerationFailure::Broken(error.to_string()))
                }
            }
        };
        if script == Script::Hold {
            self.state().waiting.insert(request.id, request);
        } else {
            self.send_events(request, script);
        }
    }

    fn send_events(&self, request: GenerationRequest, script: Script) {
        let id = request.id;
        let event = |event| (self.sink)(BackendEvent::Generation(event));
        let text = match script {
            Script::Text(text) => text,
            Script::Fail(failure) => return event(GenerationEvent::Failed { id, failure }),
            Script::Hold => {
                self.state().waiting.insert(id, request);
                return;
            }
        };
        let prompt_tokens = request
            .prompt
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Marker(_) => 1,
                Segment::Text(text) => text.len(),
            })
            .sum();
        event(GenerationEvent::Started {
            id,
            prompt_tokens,
            continued: request.continued.len(),
        });
        if request.goal == Goal::Read {
            {
                let counters = &mut self.state().counters;
                counters.prompt += prompt_tokens as u64;
                counters.prefilled += prompt_tokens as u64;
            }
            return event(GenerationEvent::Read { id });
        }
        let forced = request.prompt.forced.as_bytes();
        let boundary = request.tail.len() - forced.len();
        let path = [forced, text.as_bytes()].concat();
        for (i, byte) in path.iter().enumerate().skip(request.continued.len()) {
            event(GenerationEvent::Token {
                id,
                token: PathToken {
                    id: TokenId::from(*byte),
                    bytes: vec![*byte],
                    log_prob: -0.1,
                    masked_stop: None,
                },
                canonical_until: boundary + i + 1,
            });
        }
        {
            let counters = &mut self.state().counters;
            let prompt = prompt_tokens + request.continued.len();
            let constrained = forced.len().saturating_sub(request.continued.len());
            let emitted = path.len().saturating_sub(request.continued.len());
            counters.prompt += prompt as u64;
            counters.prefilled += prompt as u64;
            counters.constrained += constrained as u64;
            counters.decoded += (emitted - constrained) as u64;
        }
        event(GenerationEvent::Ended {
            id,
            end: PathEnd::Stop { log_prob: -0.1 },
        });
    }
}

impl Backend for ScriptedBackend {
    fn model(&self) -> ModelState {
        self.state().model.clone()
    }

    fn start(&self, request: GenerationRequest) {
        self.state().started.push(request.clone());
        self.play(request);
    }

    fn prioritize(&self, id: GenerationId, priority: Priority) {
        self.state().prioritized.push((id, priority));
    }

    fn cancel(&self, id: GenerationId) {
        let mut state = self.state();
        state.waiting.remove(&id);
        state.cancelled.push(id);
    }

    fn warm(&self) {
        self.state().warmed += 1;
    }

    fn configure(&self, settings: &LocalSettings) {
        self.state().configured.push(settings.clone());
    }

    fn counters(&self) -> TokenCounters {
        self.state().counters
    }
}

impl std::fmt::Debug for ScriptedBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptedBackend")
            .field("model", &self.state().model)
            .finish_non_exhaustive()
    }
}
