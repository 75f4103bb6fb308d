//! The local engine on the caller's thread: one token at a time, for callers that have time.
//!
//! It generates the same output as [`super::LocalBackend`] (the same code begins and chooses), so
//! that answers can be computed independently of any clock. A panic of the engine reaches the
//! caller.

use tabahead_context::{
    GenerationEvent, GenerationFailure, GenerationRequest, Layout, ModelProfile,
};
use tabahead_engine::{Observation, TokenId};

use super::{
    LocalSettings,
    compute::{Compute, LocalCompute},
    generation::{self, Live, StepResult},
    in_one_line, load,
    profile::missing_marker,
};
use crate::BackendError;

/// A model on the caller's thread.
pub struct DirectModel {
    compute: LocalCompute,
    profile: ModelProfile,
}

/// A generation that has begun.
pub struct DirectGeneration {
    live: Live<tabahead_engine::Sequence>,
    /// True once the prompt, and what was drafted after it, are computed.
    prefilled: bool,
    steps: u32,
}

impl DirectGeneration {
    /// Returns the number of passes that the last event took, except those for the prompt: one for
    /// a token, none if looking ahead has already computed it, more if it looked ahead. What the
    /// engine knew before makes no difference.
    pub fn steps(&self) -> u32 {
        self.steps
    }
}

impl DirectModel {
    /// Reads the model.
    ///
    /// # Errors
    /// If the model cannot be used.
    pub fn load(settings: &LocalSettings) -> Result<Self, BackendError> {
        let (model, profile) = load(&settings.model, &|_| ())?;
        let compute = LocalCompute::new(profile.pre_tokenizer, &model, &settings.engine());
        Ok(Self { compute, profile })
    }

    /// Lays out prompts like this from now on, whatever layout the model was trained with.
    ///
    /// # Errors
    /// If the model has no token for a marker that the layout needs.
    pub fn lay_out(&mut self, layout: Layout) -> Result<(), BackendError> {
        let has = |marker| self.compute.marker(marker).is_some();
        if let Some(missing) = missing_marker(layout, has) {
            return Err(BackendError::UnreadableLayout {
                model: self.profile.id.clone(),
                layout,
                missing,
            });
        }
        self.profile.template.layout = layout;
        Ok(())
    }

    /// Returns the model's profile.
    pub fn profile(&self) -> &ModelProfile {
        &self.profile
    }

    /// Returns the prompt's tokens, and those of the text that must be spelled next.
    pub fn prompt_tokens(&self, request: &GenerationRequest) -> (Vec<TokenId>, Vec<TokenId>) {
        let prompt = generation::prompt_tokens(&self.compute, request);
        (prompt, self.compute.encode(&request.prompt.forced))
    }

    /// Begins a generation. Computes nothing yet.
    ///
    /// # Errors
    /// If the prompt is too long, or the engine fails.
    pub fn begin(
        &mut self,
        request: GenerationRequest,
    ) -> Result<DirectGeneration, GenerationFailure> {
        let mut live = Live::new(Box::new(request), 0);
        match generation::begin(&mut self.compute, &mut live, &mut |_| {}) {
            Ok(StepResult::Refused(failure)) => Err(failure),
            Ok(_) => Ok(DirectGeneration {
                live,
                prefilled: false,
                steps: 0,
            }),
            Err(error) => Err(GenerationFailure::Broken(in_one_line(&error))),
        }
    }

    /// Returns the next event of a generation: a token, its end or its failure.
    pub fn next(&mut self, generation: &mut DirectGeneration) -> GenerationEvent {
        let id = generation.live.request.id;
        let failed = |failure| GenerationEvent::Failed { id, failure };
        generation.steps = 0;
        loop {
            let Some(running) = &mut generation.live.running else {
                return failed(GenerationFailure::Broken(
                    "the generation is over".to_owned(),
                ));
            };
            let sequence = &mut running.sequence;
            let missing = self.compute.missing(sequence);
            if missing > 0 {
                generation.steps += u32::from(generation.prefilled);
                let mut pass = self.compute.begin(&mut [(sequence, missing)]);
                self.compute.run(&mut pass, &|| false);
                self.compute.finish(pass, &mut [Some(sequence)]);
                continue;
            }
            generation.prefilled = true;
            let mut reported = None;
            let live = &mut generation.live;
            match generation::choose(&mut self.compute, live, &mut |event| reported = Some(event)) {
                Ok(StepResult::Continue) => {
                    if let Some(event) = reported {
                        return event;
                    }
                }
                Ok(StepResult::Read) => {
                    self.retire(generation);
                    return GenerationEvent::Read { id };
                }
                Ok(StepResult::Ended(end)) => {
                    self.retire(generation);
                    return GenerationEvent::Ended { id, end };
                }
                Ok(StepResult::Refused(failure)) => return failed(failure),
                Err(error) => return failed(GenerationFailure::Broken(in_one_line(&error))),
            }
        }
    }

    /// Returns what the model and copying predict for `middle` and its line end, token by token,
    /// after the request's prompt.
    ///
    /// # Errors
    /// If the prompt is too long, or the engine fails.
    pub fn observe(
        &mut self,
        mut request: GenerationRequest,
        middle: &str,
    ) -> Result<Vec<Observation>, GenerationFailure> {
        let cursor = request.prompt.forced.len();
        for text in [&mut request.prompt.forced, &mut request.tail] {
            text.push_str(middle);
            text.push('\n');
        }
        let whole = request.prompt.forced.len();
        let mut observations = Vec::new();
        let mut spelled = 0;
        let mut generation = self.begin(request)?;
        while spelled < whole {
            let Some(running) = &mut generation.live.running else {
                break;
            };
            let sequence = &mut running.sequence;
            let missing = self.compute.missing(sequence);
            if missing > 0 {
                let mut pass = self.compute.begin(&mut [(sequence, missing)]);
                self.compute.run(&mut pass, &|| false);
                self.compute.finish(pass, &mut [Some(sequence)]);
                continue;
            }
            observations.extend(self.compute.observe(sequence, cursor));
            match self.next(&mut generation) {
                GenerationEvent::Token { token, .. } => spelled += token.bytes.len(),
                GenerationEvent::Failed { failure, .. } => return Err(failure),
                _ => break,
            }
        }
        self.retire(&mut generation);
        Ok(observations)
    }

    /// Ends a generation, and keeps what it computed for later prompts.
    pub fn retire(&mut self, generation: &mut DirectGeneration) {
        if let Some(running) = generation.live.running.take() {
            self.compute.retire(running.sequence);
        }
    }
}
