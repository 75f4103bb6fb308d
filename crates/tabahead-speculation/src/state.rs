//! A state and what the model sees there.
//!
//! The states that requests ask about and the states that the user may reach have the same type, so
//! that both are looked up and generated in the same way.

use tabahead_context::{QuestionSettings, Silence, State, Suggestion, View};

/// A state, cut for the model.
#[derive(Debug, Clone)]
pub(crate) struct BufferState {
    pub at: State,
    /// The view of the model, or the reason why it is not asked.
    pub view: Result<View, Silence>,
    /// Number of bytes at the end of the tail that the model must generate. They are not in the
    /// document.
    pub demanded: usize,
}

impl BufferState {
    pub fn new(at: State, settings: &QuestionSettings) -> Self {
        Self {
            view: View::new(&at, settings),
            at,
            demanded: 0,
        }
    }

    /// Returns the same state with the constraint that the model must generate `next` at the
    /// cursor.
    pub fn demanding(&self, next: char, settings: &QuestionSettings) -> Self {
        let mut state = self.clone();
        if let Ok(view) = &mut state.view {
            view.demand(next, settings);
        }
        state.demanded += next.len_utf8();
        state
    }

    /// Returns the state after the accept of `suggestion`, which was shown here.
    pub fn accepted(&self, suggestion: &Suggestion, settings: &QuestionSettings) -> Self {
        Self::new(self.at.accepted(suggestion), settings)
    }

    /// Returns the length of the tail that the model sees; 0 if it is not asked.
    pub fn tail_length(&self) -> usize {
        self.view.as_ref().map_or(0, |view| view.window.tail.len())
    }

    /// Cuts the window again with the next smaller budgets, because the engine found this one too
    /// long.
    pub fn shrink(&mut self, settings: &QuestionSettings) {
        if let Ok(view) = &self.view {
            self.view = view.shrunk(&self.at, settings);
        }
    }
}
