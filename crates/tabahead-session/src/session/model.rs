//! The session's settings and its model: from the settings that the editor sends to a loaded
//! backend.
//!
//! While one model answers, another one is loaded beside it: the [`BackendCandidate`]. It takes
//! over when it is ready. If it cannot be used, the user is notified and the previous model stays.

use std::sync::Arc;

use serde_json::Value;
use tabahead_backend::{Backend, BackendEvent, EventSink, LocalSettings, ModelState};
use tabahead_context::ModelProfile;
use tabahead_speculation::Speculator;

use super::{EditorLayer, Notice, SessionLoop, report};
use crate::{
    settings::{EMBEDDED, PRIVACY, Settings},
    stats::{Latencies, SessionCounts},
    suitability::Suitability,
};

/// Names of the sources of settings, for messages.
const FILE: &str = "configuration file";
const EDITOR: &str = "editor's settings";

/// A backend whose model is loaded while another one answers.
pub(super) struct BackendCandidate {
    pub(super) epoch: u64,
    backend: Arc<dyn Backend>,
    local: LocalSettings,
    /// How much of the model is loaded, in percent, if the backend reports it.
    pub(super) loaded: Option<u8>,
}

/// Returns whether two backends give the same answers, so that one can be reconfigured into the
/// other in place. Anything that changes answers needs caches of its own.
fn answer_alike(one: &LocalSettings, other: &LocalSettings) -> bool {
    (&one.model, one.kv_precision, one.lookahead)
        == (&other.model, other.kv_precision, other.lookahead)
}

impl SessionLoop {
    /// Takes the editor's settings as far as they can be read, and reports what cannot.
    pub(super) fn take_settings(&mut self, layer: EditorLayer, value: Value) {
        match layer {
            EditorLayer::Initial => self.initial = value,
            EditorLayer::Pushed => self.pushed = value,
        }
        let layers = [
            (&self.config.file, FILE),
            (&self.initial, EDITOR),
            (&self.pushed, EDITOR),
            (&self.config.flags, "command line"),
        ];
        let readable = Settings::readable(&layers.map(|(layer, _)| layer));
        let mut lines = Vec::new();
        for (number, problem) in &readable.problems {
            lines.push(format!("{problem} (in the {})", layers[*number].1));
        }
        let settings = readable.settings;
        let (suitability, refused) = Suitability::new(&settings, &self.config.folders);
        lines.extend(refused.iter().map(ToString::to_string));
        self.suitability = if readable.is_closed {
            suitability.closed()
        } else {
            suitability
        };
        let local = match settings.local(self.config.embedded, &self.config.folders) {
            Ok(local) => local,
            Err(problem) => {
                lines.push(problem.to_string());
                self.local_without_model(&settings)
            }
        };
        self.tell_problems(lines);
        self.apply(settings, local);
    }

    /// Builds the backend's settings when the setting `model` cannot be resolved: the current model
    /// stays.
    fn local_without_model(&self, settings: &Settings) -> LocalSettings {
        let embedded = Settings {
            model: EMBEDDED.to_owned(),
            ..settings.clone()
        };
        let local = embedded.local(self.config.embedded, &self.config.folders);
        let mut local = local.expect("the embedded model is nowhere");
        if let Some(running) = &self.launched {
            local.model = running.model.clone();
        }
        local
    }

    /// Reports refused settings to the user, except those that the previous settings already
    /// reported.
    fn tell_problems(&mut self, mut lines: Vec<String>) {
        /// Maximum number of messages at once; users do not read more.
        const MOST: usize = 8;

        if lines.len() > MOST {
            let more = lines.split_off(MOST - 1).len();
            lines.push(format!("{more} more settings cannot be used"));
        }
        for line in &lines {
            tracing::error!(line, "setting refused");
            if !self.refused.contains(line) {
                let is_rule = PRIVACY.iter().any(|setting| line.contains(setting));
                let closed = match self.suitability.is_closed() {
                    true if is_rule => "; there are no suggestions until every rule can be read",
                    true => "",
                    false => "; every other setting holds",
                };
                let _ = self
                    .notices
                    .send(Notice::Problem(format!("{line}{closed}")));
            }
        }
        self.refused = lines;
    }

    /// Reconfigures or replaces backend and Speculator to match these settings.
    fn apply(&mut self, settings: Settings, local: LocalSettings) {
        self.settings = settings;
        let is_running =
            (self.launched.as_ref()).is_some_and(|running| answer_alike(running, &local));
        let is_coming = (self.candidate.as_ref())
            .is_some_and(|candidate| answer_alike(&candidate.local, &local));
        match self.model() {
            // The user may have repaired what was wrong with the model.
            ModelState::Unusable(_) => self.launch(local),
            _ if is_running => {
                self.candidate = None;
                if let Some(backend) = &self.backend
                    && self.launched.as_ref() != Some(&local)
                {
                    backend.configure(&local);
                }
                self.launched = Some(local);
            }
            _ if is_coming => {
                if let Some(candidate) = &mut self.candidate
                    && candidate.local != local
                {
                    candidate.backend.configure(&local);
                    candidate.local = local;
                }
            }
            ModelState::Ready(_) => self.prepare(local),
            ModelState::Loading => self.launch(local),
        }
        if let Some(speculator) = &mut self.speculator {
            speculator.configure(self.settings.speculator());
        }
        let documents: Vec<_> = self.documents.keys().copied().collect();
        for document in documents {
            self.record(document);
            self.show(document);
        }
        self.tell_status();
        self.attend();
    }

    /// Starts to load a model while none answers. Waiting requests keep waiting.
    fn launch(&mut self, local: LocalSettings) {
        let is_another = (self.launched.as_ref()).is_none_or(|before| before.model != local.model);
        if is_another {
            self.last_problem = None;
        }
        let (epoch, backend) = self.start(&local);
        self.begin_anew();
        self.epoch = epoch;
        self.backend = Some(backend);
        self.launched = Some(local);
        self.tell_status();
    }

    /// Starts to load a model beside the one that answers.
    fn prepare(&mut self, local: LocalSettings) {
        let (epoch, backend) = self.start(&local);
        self.candidate = Some(BackendCandidate {
            epoch,
            backend,
            local,
            loaded: None,
        });
    }

    fn start(&mut self, local: &LocalSettings) -> (u64, Arc<dyn Backend>) {
        self.launches += 1;
        let (epoch, events) = (self.launches, self.event_sender.clone());
        // The receiver lives as long as the session; after that no events are read.
        let sink: EventSink = Box::new(move |event| drop(events.send((epoch, event))));
        (epoch, (self.config.launch)(local, sink))
    }

    /// Drops the current model and all of its figures: sums over two models are meaningless.
    fn begin_anew(&mut self) {
        self.speculator = None;
        self.backend = None;
        self.candidate = None;
        self.loaded = None;
        self.counts = SessionCounts {
            documents: self.counts.documents,
            requests: self.replies.len() as u64,
            ..SessionCounts::default()
        };
        self.latencies = Latencies::default();
    }

    pub(super) fn take_candidates_event(&mut self, event: BackendEvent) {
        match event {
            BackendEvent::Loading(percent) => {
                if let Some(candidate) = &mut self.candidate {
                    candidate.loaded = Some(percent);
                }
                self.tell_status();
            }
            BackendEvent::Ready(profile) => self.adopt(profile),
            BackendEvent::Unusable(line) => {
                self.candidate = None;
                tracing::error!(line, "another model cannot be used");
                let told = format!("{line}; the model before it stays");
                let _ = self.notices.send(Notice::Problem(told));
                self.tell_status();
            }
            // The candidate has not been asked anything yet.
            BackendEvent::Generation(_) => {}
        }
        self.stats_are_due();
    }

    /// Lets the candidate, whose model is ready, answer from now on.
    fn adopt(&mut self, profile: ModelProfile) {
        let Some(candidate) = self.candidate.take() else {
            return;
        };
        self.begin_anew();
        self.last_problem = None;
        self.epoch = candidate.epoch;
        self.backend = Some(candidate.backend);
        self.launched = Some(candidate.local);
        self.model_is_ready(profile);
    }

    pub(super) fn model_is_ready(&mut self, profile: ModelProfile) {
        tracing::info!(model = profile.id, "model is ready");
        let settings = self.settings.speculator();
        self.speculator = Some(Speculator::new(settings, profile));
        self.tell_status();
        let documents: Vec<_> = self.documents.keys().copied().collect();
        for document in documents {
            // The Speculator is new and knows no document.
            if let Some(open) = self.documents.get_mut(&document) {
                open.shown = false;
            }
            self.show(document);
        }
        self.attend();
        self.ask_again();
        if let Some(backend) = &self.backend
            && !self.documents.is_empty()
        {
            backend.warm();
        }
    }

    pub(super) fn model_is_unusable(&mut self, line: &str) {
        tracing::error!(line, "model cannot be used");
        self.tell_status();
        report(&self.notices, &mut self.last_problem, line);
        self.fail_all(line);
    }

    pub(super) fn model(&self) -> ModelState {
        match (&self.backend, &self.speculator) {
            (Some(backend), Some(_)) => backend.model(),
            // Ready, but its event has not been taken yet: for the session it is still loading.
            (Some(backend), None) => match backend.model() {
                ModelState::Ready(_) => ModelState::Loading,
                state => state,
            },
            (None, _) => ModelState::Loading,
        }
    }
}
