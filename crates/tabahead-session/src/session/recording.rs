//! The session's side of recording: which documents are recorded, and what is recorded about them.
//!
//! Without a recorder every function here does nothing. [`SessionRecorder`] follows the texts
//! itself, because edits that are sent together are each relative to the result of the previous
//! one. Recording a document stops when a secret value is found in it, until it is closed and
//! opened without one.

use std::collections::{HashMap, HashSet};

use tabahead_context::{holds_secret, holds_secret_within};
use tabahead_speculation::{Answer, DocumentId, RequestId, SuggestionId};
use tabahead_text::{Document, Edit, PositionEncoding};
use tokio::time::Instant;

use super::documents::SessionDocument;
use crate::{
    message::SuggestionRequest,
    recorder::{Recorded, Recorder},
    suitability::Suitability,
};

/// What the recorder has received so far.
pub(super) struct SessionRecorder {
    recorder: Option<Box<dyn Recorder>>,
    /// The documents that are recorded.
    recorded: HashMap<DocumentId, RecordedDocument>,
    /// Documents in which a secret value was seen.
    secret: HashSet<DocumentId>,
    asked: HashMap<RequestId, RecordedRequest>,
}

struct RecordedDocument {
    text: Document,
    /// The cursor in UTF-16 code units; `None` when an edit may have moved it.
    cursor: Option<usize>,
    /// The most recent suggestions, until one is accepted.
    suggestions: Vec<SuggestionId>,
    accept: AcceptState,
}

/// State of an accept: an editor changes the text and reports the accept, in either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AcceptState {
    /// Nothing has changed since the last suggestion.
    Unchanged,
    /// The last change may turn out to be the accept.
    Changed,
    /// The accept was reported; the next change is the accept.
    Reported,
}

struct RecordedRequest {
    document: DocumentId,
    snapshot: Document,
    came: Instant,
}

impl SessionRecorder {
    pub(super) fn new(recorder: Option<Box<dyn Recorder>>) -> Self {
        Self {
            recorder,
            recorded: HashMap::new(),
            secret: HashSet::new(),
            asked: HashMap::new(),
        }
    }

    /// Starts recording a document if it is suitable as it is now, and stops immediately if it is
    /// not.
    pub(super) fn see(
        &mut self,
        document: DocumentId,
        open: &SessionDocument,
        suitability: &Suitability,
    ) {
        if self.recorder.is_none() {
            return;
        }
        let is_recorded = self.recorded.contains_key(&document);
        let is_suitable =
            open.unsuitable(suitability).is_none() && !self.secret.contains(&document);
        match (is_suitable, is_recorded) {
            (true, false) if holds_secret(&open.snapshot().text()) => self.has_secret(document),
            (true, false) => self.start(document, open),
            (false, true) => self.stop(document),
            (true, true) | (false, false) => {}
        }
    }

    fn start(&mut self, document: DocumentId, open: &SessionDocument) {
        self.record(Recorded::Opened {
            document: document.0,
            path: open.file().path.clone(),
            text: open.snapshot().clone(),
        });
        let recorded = RecordedDocument {
            text: open.snapshot().clone(),
            cursor: None,
            suggestions: Vec::new(),
            accept: AcceptState::Unchanged,
        };
        self.recorded.insert(document, recorded);
    }

    /// Records the edits that led to a document's text.
    pub(super) fn change(
        &mut self,
        document: DocumentId,
        open: &SessionDocument,
        edits: Vec<Edit>,
        encoding: PositionEncoding,
        suitability: &Suitability,
    ) {
        let was_recorded = self.recorded.contains_key(&document);
        if was_recorded {
            self.look_for_secrets(document, open.snapshot(), &edits);
        }
        // First, because the edits may have made the document unsuitable. If recording only starts
        // now, the edits are already in its text.
        self.see(document, open, suitability);
        if was_recorded {
            // Does nothing if recording has just stopped.
            self.record_edits(document, edits, encoding, open.snapshot());
        }
    }

    /// Looks for secret values in the lines that edits have changed.
    fn look_for_secrets(&mut self, document: DocumentId, snapshot: &Document, edits: &[Edit]) {
        let is_secret = match edits {
            [
                Edit {
                    range: Some(range),
                    text,
                },
            ] => {
                let first = range.start.line.min(range.end.line) as usize;
                let written = text.matches(['\r', '\n']).count();
                holds_secret_within(snapshot, first..first + written + 1)
            }
            // With several edits, finding where the lines of the first ones are now is not worth
            // the effort.
            _ => holds_secret(&snapshot.text()),
        };
        if is_secret {
            self.has_secret(document);
        }
    }

    fn has_secret(&mut self, document: DocumentId) {
        tracing::info!(
            document = document.0,
            "not recorded: it holds a secret value"
        );
        self.secret.insert(document);
        self.stop(document);
    }

    /// Stops recording a document that was closed.
    pub(super) fn close(&mut self, document: DocumentId) {
        self.secret.remove(&document);
        self.stop(document);
    }

    fn stop(&mut self, document: DocumentId) {
        if self.recorded.remove(&document).is_some() {
            self.record(Recorded::Closed {
                document: document.0,
            });
        }
    }

    /// Records edits that were sent together; `snapshot` is the text after them.
    fn record_edits(
        &mut self,
        document: DocumentId,
        edits: Vec<Edit>,
        encoding: PositionEncoding,
        snapshot: &Document,
    ) {
        let Some(recorded) = self.recorded.get_mut(&document) else {
            return;
        };
        let version = snapshot.version();
        let mut changes = Vec::with_capacity(edits.len());
        for edit in edits {
            let text = &recorded.text;
            let (replaced, inserted) = text.replaced_by(&edit, encoding);
            let range = text.utf16_unit_of(replaced.start)..text.utf16_unit_of(replaced.end);
            let inserted = inserted.into_owned();
            recorded.text = text.with_replaced(replaced, &inserted);
            changes.push(Recorded::Changed {
                document: document.0,
                version: version.0,
                range,
                text: inserted,
            });
        }
        recorded.text = snapshot.clone();
        recorded.cursor = None;
        let is_accept = recorded.accept == AcceptState::Reported;
        recorded.accept = if is_accept {
            AcceptState::Unchanged
        } else {
            AcceptState::Changed
        };
        for change in changes {
            self.record(change);
        }
        if is_accept {
            self.record(Recorded::Accepted {
                document: document.0,
                version: version.0,
            });
        }
    }

    /// Records a request and where the cursor was.
    pub(super) fn ask(&mut self, request: &SuggestionRequest) {
        let (document, snapshot) = (request.document, &request.snapshot);
        let Some(recorded) = self.recorded.get_mut(&document) else {
            return;
        };
        // A reported accept that no change followed did not happen.
        if recorded.accept == AcceptState::Reported {
            recorded.accept = AcceptState::Unchanged;
        }
        let cursor = snapshot.utf16_unit_of(request.cursor);
        if recorded.cursor.replace(cursor) != Some(cursor) {
            self.record(Recorded::Cursor {
                document: document.0,
                cursor,
            });
        }
        self.record(Recorded::Asked {
            document: document.0,
            request: request.id.0,
            version: snapshot.version().0,
        });
        let asked = RecordedRequest {
            document,
            snapshot: snapshot.clone(),
            came: request.came,
        };
        self.asked.insert(request.id, asked);
    }

    /// Records an answer, or that it is not wanted any more.
    pub(super) fn answer(&mut self, request: RequestId, answer: &Answer) {
        let Some(asked) = self.asked.remove(&request) else {
            return;
        };
        let mut shown = None;
        if let Answer::Suggestion {
            id,
            suggestion,
            alternatives,
            ..
        } = answer
        {
            let position = |offset| asked.snapshot.position_of(offset, PositionEncoding::Utf16);
            let range = tabahead_text::Range {
                start: position(suggestion.range.start),
                end: position(suggestion.range.end),
            };
            shown = Some((range, suggestion.text.clone()));
            if let Some(recorded) = self.recorded.get_mut(&asked.document) {
                recorded.suggestions = std::iter::once(*id)
                    .chain(alternatives.iter().map(|other| other.id))
                    .collect();
                recorded.accept = AcceptState::Unchanged;
            }
        }
        self.record(Recorded::Answered {
            request: request.0,
            waited: asked.came.elapsed(),
            cancelled: *answer == Answer::Superseded,
            suggestion: shown,
        });
    }

    /// Records that a suggestion was accepted.
    pub(super) fn accept(&mut self, suggestion: SuggestionId) {
        let is_shown =
            |(_, recorded): &(_, &mut RecordedDocument)| recorded.suggestions.contains(&suggestion);
        let Some((&document, recorded)) = self.recorded.iter_mut().find(is_shown) else {
            return;
        };
        recorded.suggestions.clear();
        let version = recorded.text.version();
        match recorded.accept {
            AcceptState::Changed => {
                recorded.accept = AcceptState::Unchanged;
                self.record(Recorded::Accepted {
                    document: document.0,
                    version: version.0,
                });
            }
            AcceptState::Unchanged | AcceptState::Reported => {
                recorded.accept = AcceptState::Reported;
            }
        }
    }

    fn record(&mut self, recorded: Recorded) {
        if let Some(recorder) = &mut self.recorder {
            recorder.record(recorded);
        }
    }
}
