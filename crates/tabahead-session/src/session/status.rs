//! The status that the editor receives: the state of the model, and of the document that has the
//! focus.

use tabahead_backend::ModelState;
use tabahead_context::holds_secret_at;

use super::{Focus, Notice, SessionLoop, Status, StatusKind};

impl SessionLoop {
    /// Sends the server's status to the editor if it has changed.
    pub(super) fn tell_status(&mut self) {
        let status = self.status();
        if self.told.as_ref() != Some(&status) {
            self.told = Some(status.clone());
            // The receiver is gone only when the server is ending.
            let _ = self.notices.send(Notice::Status(status));
        }
    }

    fn status(&self) -> Status {
        let (kind, message) = match self.model() {
            ModelState::Loading => (StatusKind::Inactive, loading(self.loaded)),
            ModelState::Unusable(line) => (StatusKind::Error, line),
            ModelState::Ready(_) => match self.why_not_here() {
                Some(reason) => (StatusKind::Inactive, reason),
                None => (StatusKind::Normal, "ready".to_owned()),
            },
        };
        // Another model is loading while the current one answers.
        if let Some(candidate) = &self.candidate {
            return Status {
                kind,
                busy: true,
                message: loading(candidate.loaded),
                percent: candidate.loaded,
            };
        }
        let busy = matches!(self.model(), ModelState::Loading);
        Status {
            kind,
            busy,
            message,
            percent: if busy { self.loaded } else { None },
        }
    }

    /// Returns why there are no suggestions at the focus; the reason quotes nothing of the text.
    fn why_not_here(&self) -> Option<String> {
        let Focus::Reported(focused) = self.focus else {
            return None;
        };
        let open = self.documents.get(&focused?)?;
        if let Some(reason) = self.suitability.unsuitable(&open.file, open.snapshot.len()) {
            return Some(reason.to_string());
        }
        let is_secret = open
            .cursor
            .is_some_and(|cursor| holds_secret_at(&open.snapshot, cursor));
        is_secret.then(|| SECRET_LINE.to_owned())
    }
}

/// Status message where the cursor's line holds a secret value.
const SECRET_LINE: &str = "this line holds what looks like a key, a token or a password";

fn loading(percent: Option<u8>) -> String {
    let loaded = percent.map(|percent| format!(", {percent} %"));
    format!("loading the model{}", loaded.unwrap_or_default())
}
