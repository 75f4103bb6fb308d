//! A real model as a source of answers.

use std::collections::HashMap;

use tabahead_backend::{BackendError, DirectGeneration, DirectModel, LocalSettings};
use tabahead_context::{
    GenerationEvent, GenerationFailure, GenerationRequest, Goal, Layout, ModelProfile,
};

use super::{Beginning, Said, Source, StateKey};

/// A model, computed on the caller's thread.
pub struct RealModel {
    model: DirectModel,
    looks_ahead: bool,
    paths: HashMap<StateKey, Begun>,
}

/// A path that was begun.
struct Begun {
    generation: DirectGeneration,
    /// Places left at which it depends on what the engine knew how much was computed: of the text that must be spelled.
    drafted: usize,
    /// Passes that the last place took.
    steps: Option<u32>,
}

impl RealModel {
    /// Reads the model.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn load(settings: &LocalSettings) -> Result<Self, BackendError> {
        Ok(Self {
            model: DirectModel::load(settings)?,
            looks_ahead: settings.lookahead,
            paths: HashMap::new(),
        })
    }

    /// From now on prompts are laid out like this, whatever the model was trained for.
    ///
    /// # Errors
    /// When the model has no token for a marker that the layout needs.
    pub fn lay_out(&mut self, layout: Layout) -> Result<(), BackendError> {
        self.model.lay_out(layout)
    }
}

impl Source for RealModel {
    fn profile(&self) -> &ModelProfile {
        self.model.profile()
    }

    fn looks_ahead(&self) -> bool {
        self.looks_ahead
    }

    fn begin(
        &mut self,
        key: StateKey,
        request: &GenerationRequest,
    ) -> Result<Beginning, GenerationFailure> {
        let (prompt, draft) = self.model.prompt_tokens(request);
        let request = GenerationRequest {
            // The answer to the state, whatever part of it is known already or asked for.
            goal: Goal::Decode,
            continued: Vec::new(),
            ..request.clone()
        };
        let generation = self.model.begin(request)?;
        let begun = Begun {
            generation,
            // The place behind it, too.
            drafted: draft.len() + usize::from(!draft.is_empty()),
            steps: None,
        };
        self.paths.insert(key, begun);
        Ok(Beginning { prompt, draft })
    }

    fn next(&mut self, key: StateKey) -> Said {
        let Some(path) = self.paths.get_mut(&key) else {
            return Said::Broken("the path was forgotten".to_owned());
        };
        let event = self.model.next(&mut path.generation);
        path.steps = (path.drafted == 0).then(|| path.generation.steps());
        path.drafted = path.drafted.saturating_sub(1);
        match event {
            GenerationEvent::Token {
                token,
                canonical_until,
                ..
            } => Said::Token(token, canonical_until),
            GenerationEvent::Ended { end, .. } => Said::End(end),
            GenerationEvent::Failed { failure, .. } => Said::Broken(match failure {
                GenerationFailure::TooLong => "the prompt is too long".to_owned(),
                GenerationFailure::Broken(line) => line,
            }),
            GenerationEvent::Started { .. }
            | GenerationEvent::Characters { .. }
            | GenerationEvent::Read { .. } => {
                Said::Broken("the model told what nobody asked".to_owned())
            }
        }
    }

    fn steps(&self, key: StateKey) -> Option<u32> {
        self.paths.get(&key)?.steps
    }

    fn forget(&mut self, key: StateKey) {
        if let Some(mut path) = self.paths.remove(&key) {
            self.model.retire(&mut path.generation);
        }
    }
}
