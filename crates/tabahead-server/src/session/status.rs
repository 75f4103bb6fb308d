//! What the editor is told of how the server is: of its model, and of the document that has the focus.

use tabahead_backend::ModelState;

use super::{Notice, SessionLoop, Status, StatusKind};
use crate::suitability::{Unsuitable, unsuitable};

impl SessionLoop {
    /// Tells the editor how the server is, if that is news.
    pub(super) fn tell_status(&mut self) {
        let status = self.status();
        if self.told.as_ref() != Some(&status) {
            self.told = Some(status.clone());
            // The receiver is gone only when the server is ending.
            let _ = self.notices.send(Notice::Status(status));
        }
    }

    fn status(&self) -> Status {
        let (kind, busy, message) = match self.model() {
            ModelState::Loading => {
                let loaded = self.loaded.map(|percent| format!(", {percent} %"));
                let message = format!("loading the model{}", loaded.unwrap_or_default());
                (StatusKind::Inactive, true, message)
            }
            ModelState::Unusable(line) => (StatusKind::Error, false, line),
            ModelState::Ready(_) => match self.unsuitable_focus() {
                Some(reason) => (StatusKind::Inactive, false, reason.to_string()),
                None => (StatusKind::Normal, false, "ready".to_owned()),
            },
        };
        Status {
            kind,
            busy,
            message,
        }
    }

    fn unsuitable_focus(&self) -> Option<Unsuitable> {
        let open = self.documents.get(&self.focused?)?;
        unsuitable(&open.file, open.snapshot.len(), &self.settings)
    }
}
