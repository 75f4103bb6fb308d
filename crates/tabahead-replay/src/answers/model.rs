//! A real model as a source of answers.

use std::collections::HashMap;

use tabahead_backend::{BackendError, DirectGeneration, DirectModel, LocalSettings};
use tabahead_context::{
    GenerationEvent, GenerationFailure, GenerationRequest, Goal, Layout, ModelProfile,
};

use super::{AnswerSource, NextToken, PathBeginning, StateKey};

/// A model that runs on the caller's thread.
pub struct RealModel {
    model: DirectModel,
    looks_ahead: bool,
    paths: HashMap<StateKey, BegunPath>,
}

/// A path that was begun.
struct BegunPath {
    generation: DirectGeneration,
    /// Number of places still to come whose passes depend on what the engine already had: the text
    /// that must be spelled, and one place more.
    drafted: usize,
    /// Number of passes that the last place took.
    steps: Option<u32>,
}

impl RealModel {
    /// Loads the model.
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

    /// Uses `layout` for all prompts from now on, whatever the model was trained for.
    ///
    /// # Errors
    /// When the model has no token for a marker that the layout needs.
    pub fn lay_out(&mut self, layout: Layout) -> Result<(), BackendError> {
        self.model.lay_out(layout)
    }
}

impl AnswerSource for RealModel {
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
    ) -> Result<PathBeginning, GenerationFailure> {
        let (prompt, draft) = self.model.prompt_tokens(request);
        let request = GenerationRequest {
            // The full answer to the state, whatever part of it is already known or asked for.
            goal: Goal::Decode,
            continued: Vec::new(),
            ..request.clone()
        };
        let generation = self.model.begin(request)?;
        let begun = BegunPath {
            generation,
            // Includes the place after the draft.
            drafted: draft.len() + usize::from(!draft.is_empty()),
            steps: None,
        };
        self.paths.insert(key, begun);
        Ok(PathBeginning { prompt, draft })
    }

    fn next(&mut self, key: StateKey) -> NextToken {
        let Some(path) = self.paths.get_mut(&key) else {
            return NextToken::Broken("the path was forgotten".to_owned());
        };
        let event = self.model.next(&mut path.generation);
        path.steps = (path.drafted == 0).then(|| path.generation.steps());
        path.drafted = path.drafted.saturating_sub(1);
        match event {
            GenerationEvent::Token {
                token,
                canonical_until,
                ..
            } => NextToken::Token(token, canonical_until),
            GenerationEvent::Ended { end, .. } => NextToken::End(end),
            GenerationEvent::Failed { failure, .. } => NextToken::Broken(match failure {
                GenerationFailure::TooLong => "the prompt is too long".to_owned(),
                GenerationFailure::Broken(line) => line,
            }),
            GenerationEvent::Started { .. }
            | GenerationEvent::Characters { .. }
            | GenerationEvent::Read { .. } => {
                NextToken::Broken("the model reported an event that was not requested".to_owned())
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
