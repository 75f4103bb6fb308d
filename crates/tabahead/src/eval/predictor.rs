//! Asks the model at one place after another, as a fresh process does.
//!
//! It uses no Speculator, because an evaluation asks once per place and wants to see the
//! log-probabilities of an answer; `tests` below check that both give the same answers.

use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context, Result, bail};
use tabahead_backend::{Backend, BackendEvent, LocalBackend, LocalSettings};
use tabahead_context::{
    Asker, ContextSettings, CutSettings, FreshQuestion, GenerationEvent, GenerationId, Layout,
    ModelProfile, Path, Priority, Progress, QuestionSettings, State, Suggestion,
};
use tabahead_speculation::SpeculatorSettings;

/// The model's prediction at a place, whether or not it would be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Suggestion before the gate; `None` is silence.
    pub suggestion: Option<Suggestion>,
    /// Mean natural log-probability of the suggestion's tokens.
    pub mean_log_prob: f32,
    /// Whether the gate lets the suggestion pass.
    pub shown: bool,
    /// Whether the model would have ended at the cursor.
    pub at_end: bool,
}

/// A model that predicts at one place after another.
pub struct Predictor {
    backend: LocalBackend,
    events: Receiver<BackendEvent>,
    /// Asks without a gate.
    asker: Asker,
    /// Settings of the gate.
    gate: CutSettings,
}

impl Predictor {
    /// Loads the model. `settings.cut` decides what `shown` means. `layout` replaces the prompt
    /// layout that the model was trained for.
    ///
    /// # Errors
    /// When the model cannot be used.
    pub fn new(
        settings: SpeculatorSettings,
        local: LocalSettings,
        layout: Option<Layout>,
    ) -> Result<Self> {
        let (sender, events) = channel();
        let sink = Box::new(move |event| drop(sender.send(event)));
        let backend = LocalBackend::new(local, sink);
        let mut profile = backend.wait_until_loaded()?;
        profile.template.layout = layout.unwrap_or(profile.template.layout);
        let gate = settings.cut.for_model(&profile);
        let open = CutSettings {
            least_log_prob: Some(f32::NEG_INFINITY),
            least_log_prob_at_end: f32::NEG_INFINITY,
            ..gate
        };
        let asked = QuestionSettings::new(&settings.context, &open, &profile);
        Ok(Self {
            backend,
            events,
            asker: Asker::new(asked),
            gate,
        })
    }

    /// Returns the profile of the model.
    pub fn profile(&self) -> &ModelProfile {
        &self.asker.settings().profile
    }

    /// Returns the settings that decide whether a prediction is shown.
    pub fn gate(&self) -> &CutSettings {
        &self.gate
    }

    /// Reports whether predictions copy.
    pub fn copies(&self) -> bool {
        self.asker.settings().context.copy_budget > 0
    }

    /// Predicts the suggestion at a place.
    ///
    /// # Errors
    /// When the backend fails.
    pub fn predict(&mut self, state: &State) -> Result<Prediction> {
        let Ok((mut asked, request)) = self.asker.ask(state.clone(), Priority::Foreground) else {
            return Ok(Prediction::SILENT);
        };
        self.backend.start(request);
        loop {
            let event = self.next_event(asked.id)?;
            match self.asker.take(&mut asked, event) {
                Progress::Waits => {}
                Progress::AskAgain(shorter) => self.backend.start(shorter),
                Progress::Failed(why) => bail!("the model failed: {why}"),
                Progress::Decided(decided) => {
                    self.backend.cancel(asked.id);
                    return Ok(decided.map_or(Prediction::SILENT, |suggestion| {
                        self.prediction(&asked, suggestion)
                    }));
                }
            }
        }
    }

    /// Predicts with the model alone, without copying.
    ///
    /// # Errors
    /// When the backend fails.
    pub fn predict_alone(&mut self, state: &State) -> Result<Prediction> {
        let copying = self.asker.settings().clone();
        let context = ContextSettings {
            copy_budget: 0,
            ..copying.context.clone()
        };
        self.asker.configure(QuestionSettings {
            context,
            ..copying.clone()
        });
        let predicted = self.predict(state);
        self.asker.configure(copying);
        predicted
    }

    fn prediction(&self, asked: &FreshQuestion, suggestion: Suggestion) -> Prediction {
        let path = &asked.question.path;
        Prediction {
            mean_log_prob: mean_log_prob(path, suggestion.text.len()),
            shown: matches!(asked.decide(&self.gate), Some(Ok(_))),
            at_end: path
                .tokens()
                .iter()
                .any(|token| token.masked_stop.is_some()),
            suggestion: Some(suggestion),
        }
    }

    /// Returns the next event of one generation; remaining events of cancelled ones are skipped.
    fn next_event(&self, wanted: GenerationId) -> Result<GenerationEvent> {
        loop {
            match self.events.recv().context("the engine's thread ended")? {
                BackendEvent::Generation(event) if event.id() == wanted => return Ok(event),
                BackendEvent::Unusable(why) => bail!("the model cannot be used: {why}"),
                _ => {}
            }
        }
    }
}

impl Prediction {
    const SILENT: Self = Self {
        suggestion: None,
        mean_log_prob: f32::NEG_INFINITY,
        shown: false,
        at_end: false,
    };
}

/// Returns the mean over the tokens that end after the tail and begin within the first `shown`
/// bytes after it.
fn mean_log_prob(path: &Path, shown: usize) -> f32 {
    let origin = path.origin();
    let mut start = path.boundary();
    let mut used = Vec::new();
    for token in path.tokens() {
        let end = start + token.bytes.len();
        if end > origin && start < origin + shown {
            used.push(token.log_prob);
        }
        start = end;
    }
    used.iter().sum::<f32>() / used.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use tabahead_context::DocumentName;
    use tabahead_session::{Folders, Session, Settings};
    use tabahead_speculation::Answer;
    use tabahead_text::{Document, Offset, Version};

    use super::*;

    #[test]
    fn predictions_are_what_the_product_answers() {
        let settings = Settings::default();
        let local = settings.local(tabahead_mini::WEIGHTS, &Folders::default());
        let local = local.expect("the embedded model is nowhere");
        let mut predictor =
            Predictor::new(settings.speculator(), local.clone(), None).expect("the model loads");
        let mut session = Session::new(settings.speculator(), |sink| {
            Box::new(LocalBackend::new(local, sink))
        })
        .expect("the model loads");
        let text = include_str!("copier.rs");
        let document = Document::new(text, Version(0));
        let mut suggestions = 0;
        for line in (0..document.line_count()).step_by(7) {
            // The request is for the rest of the line.
            let range = document.line_range(line);
            let cursor = Offset((range.start.0 + range.end.0) / 2);
            let state = State {
                document: document.with_replaced(cursor..range.end, ""),
                cursor,
                name: DocumentName::new("copier.rs", "rust"),
            };
            let predicted = predictor.predict(&state).expect("the model answers");
            let answered = match session.request(&state).answer {
                Answer::Suggestion { suggestion, .. } => Some(suggestion),
                Answer::Silent { .. } => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(predicted.shown, answered.is_some());
            if predicted.shown {
                suggestions += 1;
                assert_eq!(predicted.suggestion, answered);
                assert!(predicted.mean_log_prob <= 0.0);
            }
        }
        assert!(suggestions > 0, "the model suggests nothing anywhere");
    }
}
