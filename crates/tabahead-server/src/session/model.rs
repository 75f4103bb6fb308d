//! The session's settings and its model: from what the editor sends to a backend that is loaded.

use serde_json::Value;
use tabahead_backend::{EventSink, LocalSettings, ModelState};
use tabahead_context::ModelProfile;
use tabahead_speculation::{Answer, Speculator};

use super::{EditorLayer, Notice, SessionLoop, report};
use crate::{
    settings::Settings,
    stats::{Latencies, SessionCounts},
};

impl SessionLoop {
    pub(super) fn take_settings(&mut self, layer: EditorLayer, value: Value) {
        let (initial, pushed) = match layer {
            EditorLayer::Initial => (&value, &self.pushed),
            EditorLayer::Pushed => (&self.initial, &value),
        };
        let layers = [&self.config.file, initial, pushed, &self.config.flags];
        match Settings::resolve(&layers) {
            Ok(settings) => {
                self.settings = settings;
                match layer {
                    EditorLayer::Initial => self.initial = value,
                    EditorLayer::Pushed => self.pushed = value,
                }
            }
            Err(error) => {
                tracing::error!(%error, "settings refused");
                let _ = self.notices.send(Notice::Problem(error.to_string()));
                if self.launched.is_none() {
                    // The editor's first settings are bad: start with those that are not its own.
                    let layers = [&self.config.file, &self.config.flags];
                    self.settings = Settings::resolve(&layers).unwrap_or_default();
                }
            }
        }
        self.apply_settings();
    }

    /// Brings backend and Speculator to the settings as they are now.
    fn apply_settings(&mut self) {
        let local = self.settings.local(self.config.embedded);
        match (&self.launched, &self.backend) {
            (Some(launched), _) if *launched == local => {}
            // Whatever changes answers needs caches of its own; the rest is changed in place.
            (Some(launched), Some(backend))
                if (&launched.model, launched.kv_precision, launched.lookahead)
                    == (&local.model, local.kv_precision, local.lookahead) =>
            {
                backend.configure(&local);
            }
            _ => self.launch(&local),
        }
        self.launched = Some(local);
        if let Some(speculator) = &mut self.speculator {
            speculator.configure(self.settings.speculator());
        }
        let documents: Vec<_> = self.documents.keys().copied().collect();
        for document in documents {
            self.record(document);
            self.show(document);
        }
        self.tell_status();
    }

    /// Begins to load a model. What waited for the one before is answered, and all figures begin
    /// again: sums over two models would be nobody's.
    fn launch(&mut self, local: &LocalSettings) {
        self.speculator = None;
        self.backend = None;
        self.early.clear();
        for (request, reply) in self.replies.drain() {
            self.scribe.answer(request, &Answer::Superseded);
            let _ = reply.sender.send(Answer::Superseded);
        }
        self.counts = SessionCounts {
            documents: self.counts.documents,
            ..SessionCounts::default()
        };
        self.latencies = Latencies::default();
        self.epoch += 1;
        self.last_problem = None;
        self.loaded = None;
        let (epoch, events) = (self.epoch, self.event_sender.clone());
        // The receiver lives as long as the session: after that nobody wants events.
        let sink: EventSink = Box::new(move |event| drop(events.send((epoch, event))));
        self.backend = Some((self.config.launch)(local, sink));
        self.tell_status();
    }

    pub(super) fn model_is_ready(&mut self, profile: ModelProfile) {
        tracing::info!(model = profile.id, "model is ready");
        let settings = self.settings.speculator();
        self.speculator = Some(Speculator::new(settings, profile));
        self.tell_status();
        let documents: Vec<_> = self.documents.keys().copied().collect();
        for document in documents {
            self.show(document);
        }
        for early in std::mem::take(&mut self.early) {
            self.tell(early.input);
        }
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
        for early in std::mem::take(&mut self.early) {
            self.counts.failed += 1;
            let answer = Answer::Failed(line.to_owned());
            self.scribe.answer(early.request, &answer);
            if let Some(reply) = self.replies.remove(&early.request) {
                let _ = reply.sender.send(answer);
            }
        }
    }

    pub(super) fn model(&self) -> ModelState {
        match (&self.backend, &self.speculator) {
            (Some(backend), Some(_)) => backend.model(),
            // Ready, but its event is still on the way: to everybody here it is loading.
            (Some(backend), None) => match backend.model() {
                ModelState::Ready(_) => ModelState::Loading,
                state => state,
            },
            (None, _) => ModelState::Loading,
        }
    }
}
