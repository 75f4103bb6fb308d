//! The session's requests: which of them the Speculator is asked, which wait for the model, and which are
//! answered here.

use tabahead_backend::ModelState;
use tabahead_speculation::{Answer, DocumentId, Input, RequestId, SelectedCompletion};
use tabahead_text::{Document, Offset};

use super::{Early, Reply, SessionLoop, Trigger};
use crate::suitability::unsuitable;

/// What a request asks about.
pub(super) struct Asked {
    pub(super) snapshot: Document,
    pub(super) cursor: Offset,
    pub(super) selected: Option<SelectedCompletion>,
    pub(super) trigger: Trigger,
}

impl SessionLoop {
    pub(super) fn take_request(
        &mut self,
        request: RequestId,
        document: DocumentId,
        asked: Asked,
        reply: Reply,
    ) {
        let Asked {
            snapshot,
            cursor,
            selected,
            trigger,
        } = asked;
        if trigger == Trigger::Menu && !self.settings.completion_menu {
            // Nothing, and nothing to ask again for.
            let _ = reply.sender.send(Answer::Superseded);
            return;
        }
        self.counts.requests += 1;
        let Some(open) = self.documents.get(&document) else {
            let _ = reply.sender.send(Answer::Superseded);
            self.counts.superseded += 1;
            return;
        };
        if let Some(reason) = unsuitable(&open.file, snapshot.len(), &self.settings) {
            let reason = reason.as_str();
            tracing::debug!(request = request.0, reason, "silent");
            self.counts.unsuitable += 1;
            let _ = reply.sender.send(Answer::Silent {
                reason,
                origin: None,
            });
            return;
        }
        self.scribe
            .ask(request, document, &snapshot, cursor, reply.came);
        self.touch(document);
        let input = Input::CompletionRequested {
            request,
            document,
            snapshot,
            cursor,
            name: self.document_name(document),
            selected,
            alternatives: match trigger {
                Trigger::Invoked => self.settings.alternatives,
                Trigger::Automatic | Trigger::Menu => 0,
            },
        };
        match self.model() {
            ModelState::Ready(_) => {
                self.replies.insert(request, reply);
                self.tell(input);
            }
            ModelState::Loading => {
                // The newest request is the one that somebody still waits for.
                self.supersede_early(document);
                self.replies.insert(request, reply);
                self.early.push(Early {
                    request,
                    document,
                    input,
                });
            }
            ModelState::Unusable(line) => {
                self.counts.failed += 1;
                let answer = Answer::Failed(line);
                self.scribe.answer(request, &answer);
                let _ = reply.sender.send(answer);
            }
        }
    }

    pub(super) fn cancel(&mut self, request: RequestId) {
        let waited = self.early.len();
        self.early.retain(|early| early.request != request);
        if self.early.len() < waited {
            self.counts.superseded += 1;
        } else if self.replies.contains_key(&request) {
            self.tell(Input::RequestCancelled { request });
            self.run_effects();
        }
        self.replies.remove(&request);
        self.scribe.answer(request, &Answer::Superseded);
    }

    /// Answers what waits for the model at an older state of a document.
    pub(super) fn supersede_early(&mut self, document: DocumentId) {
        for early in self
            .early
            .extract_if(.., |early| early.document == document)
        {
            self.counts.superseded += 1;
            self.scribe.answer(early.request, &Answer::Superseded);
            if let Some(reply) = self.replies.remove(&early.request) {
                let _ = reply.sender.send(Answer::Superseded);
            }
        }
    }
}
