//! Reading ahead: processes the prompt where the cursor rests before it is requested.
//!
//! Only in the document that the user is in, only once the cursor has rested for [`REST`], and only
//! while nothing else is computed. No token is decoded. The prompt after the next key begins with
//! what was read, so little is left to compute for it. A request that comes earlier waits for the
//! rest of the reading, which then runs for the user, and continues from there. Reading ahead
//! changes no answer.
//!
//! Decides what to read and when; `reconcile` decides whether to read, and `generations.rs` runs
//! it.

use std::time::Duration;

use tabahead_context::{ContextKey, DocumentName, QuestionSettings, State};

use crate::{
    DocumentId, Timestamp,
    answers::{Knowledge, Lookup, Need},
    documents::UserPlace,
    generations::For,
    state::BufferState,
};

/// Time that a cursor must stay in place to count as at rest: longer than the repeat interval of a
/// held key, shorter than the pause before a user who has moved somewhere begins to type.
const REST: Duration = Duration::from_millis(100);

/// The document that the user is in, and what to read there.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Document that the user is in.
    document: Option<DocumentId>,
    name: DocumentName,
    /// Time at which the cursor counts as at rest; `None` if it already does, or if a request has
    /// come since.
    rests: Option<Timestamp>,
    /// State to read, until it is read.
    state: Option<BufferState>,
    /// Key of the state that was read last.
    read: Option<ContextKey>,
}

impl Reading {
    /// Returns the document that the user is in.
    pub fn document(&self) -> Option<DocumentId> {
        self.document
    }

    /// Returns when the cursor counts as at rest.
    pub fn rests_at(&self) -> Option<Timestamp> {
        self.rests
    }

    /// Records that the user is in a document, perhaps at another place in it than before.
    pub fn attends(&mut self, document: DocumentId, name: DocumentName, now: Timestamp) {
        let read = self.read.filter(|_| self.document == Some(document));
        *self = Self {
            read,
            rests: Some(rest_from(now)),
            ..Self::of_request(document, name)
        };
    }

    /// Returns the reading after a request in a document, which reads the prompt itself.
    pub fn of_request(document: DocumentId, name: DocumentName) -> Self {
        Self {
            document: Some(document),
            name,
            ..Self::default()
        }
    }

    /// Follows a change of the text around the user, who is at `place` now. The current reading
    /// continues if a request for the new text would need it.
    pub fn follow(
        &mut self,
        place: Option<&UserPlace>,
        now: Timestamp,
        settings: &QuestionSettings,
    ) {
        self.rests = Some(rest_from(now));
        if let Some(read) = self.state.take()
            && let Some(here) = self.state_at(place, settings)
            && let (Ok(before), Ok(after)) = (&read.view, &here.view)
            && after.has_base_of(before)
            && after.window.tail.starts_with(&before.window.tail)
        {
            self.state = Some(read);
        }
    }

    /// Restarts the reading, because other settings may need another prompt.
    pub fn restart(&mut self, place: Option<&UserPlace>, settings: &QuestionSettings) {
        self.read = None;
        if self.state.take().is_some() {
            self.state = self.state_at(place, settings);
        }
    }

    /// Records that the cursor is at rest, if it is time.
    pub fn rest(&mut self, place: Option<&UserPlace>, now: Timestamp, settings: &QuestionSettings) {
        if self.rests.is_some_and(|rests| rests <= now) {
            self.rests = None;
            self.state = self.state_at(place, settings);
        }
    }

    /// Returns the state at the user's place.
    fn state_at(
        &self,
        place: Option<&UserPlace>,
        settings: &QuestionSettings,
    ) -> Option<BufferState> {
        let place = place?;
        let at = State {
            document: place.document.clone(),
            cursor: place.cursor,
            name: self.name.clone(),
        };
        Some(BufferState::new(at, settings))
    }

    /// Stops reading the state at rest.
    pub fn stop(&mut self) {
        self.state = None;
    }

    /// Returns what the state at rest needs in order to be read.
    pub fn look_up(&mut self, lookup: &mut Lookup<'_>) -> Option<(For, Need)> {
        let mut state = self.state.take()?;
        let Knowledge::Needs(need) = lookup.look_up(&mut state) else {
            return None;
        };
        let key = state.view.as_ref().ok()?.key;
        match need {
            Need::Begin(view, text, _) if self.read != Some(key) => {
                self.state = Some(state);
                Some((For::Reading, Need::Read(view, text)))
            }
            // The running generation has the same prompt to read.
            Need::Keep(id) => {
                self.state = Some(state);
                Some((For::Reading, Need::Keep(id)))
            }
            Need::Begin(..) | Need::Continue(..) | Need::Read(..) => None,
        }
    }

    /// Records that a prompt was read, or cannot be: it is not tried again while the user stays
    /// there.
    pub fn was_read(&mut self, key: ContextKey) {
        self.read = Some(key);
    }
}

/// Returns when a cursor that moves now counts as at rest.
fn rest_from(now: Timestamp) -> Timestamp {
    Timestamp(now.0 + REST)
}
