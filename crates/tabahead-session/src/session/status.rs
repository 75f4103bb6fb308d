//! The status that the editor receives: the state of the model, and of the document that has the
//! focus.

use tabahead_backend::ModelState;

use super::{documents::OpenDocuments, model::SessionModel};
use crate::{
    message::{Status, StatusKind},
    suitability::Suitability,
};

/// Returns the session's status.
pub(super) fn status(
    model: &SessionModel,
    documents: &OpenDocuments,
    suitability: &Suitability,
) -> Status {
    // A candidate is loading while the current model answers.
    let mut loading = model.candidate_progress();
    let (kind, message) = match model.state() {
        ModelState::Loading => {
            loading = loading.or(Some(model.progress()));
            (StatusKind::Inactive, String::new())
        }
        ModelState::Unusable(error) => (StatusKind::Error, error.to_string()),
        ModelState::Ready(_) => match documents.why_not_here(suitability) {
            Some(reason) => (StatusKind::Inactive, reason),
            None => (StatusKind::Normal, "ready".to_owned()),
        },
    };
    Status {
        kind,
        busy: loading.is_some(),
        message: loading.map_or(message, |progress| progress.to_string()),
        percent: loading.and_then(|progress| progress.percent),
    }
}
