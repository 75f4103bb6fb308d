//! The kinds of hypotheses: the ways in which a user gets to a state.
//!
//! A new kind is a variant, and a line in `after_shown` that makes its state.

use tabahead_context::{QuestionSettings, Suggestion};

use crate::state::BufferState;

/// How a user gets to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HypothesisKind {
    /// The user is there. A request is expected, and nothing was shown yet.
    Here,
    /// The user accepts the whole suggestion that is shown at the state before.
    AcceptedAll,
}

/// Returns the states that may follow `state` when `suggestion` is shown there.
pub(super) fn after_shown(
    state: &BufferState,
    suggestion: &Suggestion,
    settings: &QuestionSettings,
) -> [(HypothesisKind, BufferState); 1] {
    let accepted = state.accepted(suggestion, settings);
    [(HypothesisKind::AcceptedAll, accepted)]
}
