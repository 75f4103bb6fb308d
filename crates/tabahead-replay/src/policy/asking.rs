//! What the policies that ask fresh questions share: the result of a question, and when one is no
//! longer wanted.

use tabahead_context::{
    Asker, GenerationEvent, ModelProfile, QuestionSettings, Silence, Suggestion,
};
use tabahead_speculation::{DocumentId, Input, RequestId, SpeculatorSettings};

/// Result of a question: what to show, or why nothing is shown.
pub(crate) type QuestionResult = Result<Suggestion, Silence>;

/// Returns an asker for a model.
pub(crate) fn asker(settings: &SpeculatorSettings, profile: &ModelProfile) -> Asker {
    Asker::new(QuestionSettings::new(
        &settings.context,
        &settings.cut,
        profile,
    ))
}

/// Returns whether, after `input`, the answer to `request` in `document` is no longer wanted.
pub(crate) fn overtakes(input: &Input, request: RequestId, document: DocumentId) -> bool {
    match input {
        Input::CompletionRequested { .. } | Input::Shown { .. } => true,
        Input::DocumentChanged {
            document: other, ..
        }
        | Input::DocumentClosed { document: other } => *other == document,
        Input::RequestCancelled { request: other } => *other == request,
        _ => false,
    }
}

/// Returns whether this is the last event of a generation.
pub(crate) fn is_last(event: &GenerationEvent) -> bool {
    matches!(
        event,
        GenerationEvent::Read { .. }
            | GenerationEvent::Ended { .. }
            | GenerationEvent::Failed { .. }
    )
}
