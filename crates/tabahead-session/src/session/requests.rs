//! The session's requests: which of them go to the Speculator, which wait for the model, and which
//! are answered here.

use tabahead_backend::ModelState;
use tabahead_speculation::{Answer, DocumentId, Input, RequestId, SelectedCompletion};
use tabahead_text::{Document, Offset};
use tokio::{sync::oneshot, time::Instant};

use super::{Reply, SessionLoop, Trigger};

/// The subject of a request.
pub(super) struct SuggestionRequest {
    pub(super) document: DocumentId,
    pub(super) snapshot: Document,
    pub(super) cursor: Offset,
    pub(super) selected: Option<SelectedCompletion>,
    pub(super) trigger: Trigger,
    /// Time at which the request was read.
    pub(super) came: Instant,
}

impl SessionLoop {
    pub(super) fn take_request(
        &mut self,
        request: RequestId,
        asked: SuggestionRequest,
        sender: oneshot::Sender<Answer>,
    ) {
        let SuggestionRequest {
            document,
            snapshot,
            cursor,
            selected,
            trigger,
            came,
        } = asked;
        if trigger == Trigger::Menu && !self.settings.completion_menu {
            // The answer shows nothing, and gives the client no reason to ask again.
            let _ = sender.send(Answer::Superseded);
            return;
        }
        self.counts.requests += 1;
        let Some(open) = self.documents.get(&document) else {
            let _ = sender.send(Answer::Superseded);
            self.counts.superseded += 1;
            return;
        };
        if let Some(reason) = self.suitability.unsuitable(&open.file, snapshot.len()) {
            let reason = reason.as_str();
            tracing::debug!(request = request.0, reason, "silent");
            self.counts.unsuitable += 1;
            let _ = sender.send(Answer::Silent {
                reason,
                origin: None,
            });
            return;
        }
        self.recorder
            .ask(request, document, &snapshot, cursor, came);
        self.recency.touch(document);
        if let Some(open) = self.documents.get_mut(&document) {
            open.cursor = Some(cursor);
        }
        self.tell_status();
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
        let reply = Reply {
            came,
            sender,
            document,
            input: input.clone(),
        };
        match self.model() {
            ModelState::Ready(_) => {
                self.replies.insert(request, reply);
                self.tell(input);
            }
            ModelState::Loading => {
                // The client waits only for its newest request.
                self.supersede_early(document);
                self.replies.insert(request, reply);
            }
            ModelState::Unusable(line) => {
                self.replies.insert(request, reply);
                self.fail(request, &line);
            }
        }
    }

    pub(super) fn cancel(&mut self, request: RequestId) {
        if self.replies.contains_key(&request) {
            match self.speculator {
                Some(_) => {
                    self.tell(Input::RequestCancelled { request });
                    self.run_effects();
                }
                None => self.counts.superseded += 1,
            }
        }
        self.replies.remove(&request);
        self.recorder.answer(request, &Answer::Superseded);
    }

    /// While no model is ready, answers the waiting requests of a document as superseded.
    pub(super) fn supersede_early(&mut self, document: DocumentId) {
        if self.speculator.is_some() {
            return;
        }
        let is_early = |_: &RequestId, reply: &mut Reply| reply.document == document;
        for (request, reply) in self.replies.extract_if(is_early) {
            self.counts.superseded += 1;
            self.recorder.answer(request, &Answer::Superseded);
            let _ = reply.sender.send(Answer::Superseded);
        }
    }

    /// Fails all requests that wait for a model that cannot be used.
    pub(super) fn fail_all(&mut self, line: &str) {
        let requests: Vec<_> = self.replies.keys().copied().collect();
        for request in requests {
            self.fail(request, line);
        }
    }

    fn fail(&mut self, request: RequestId, line: &str) {
        let answer = Answer::Failed(line.to_owned());
        self.counts.failed += 1;
        self.recorder.answer(request, &answer);
        if let Some(reply) = self.replies.remove(&request) {
            let _ = reply.sender.send(answer);
        }
    }

    /// Passes the requests that still wait to the new Speculator, in the order of arrival.
    pub(super) fn ask_again(&mut self) {
        let mut waiting: Vec<_> = (self.replies.iter())
            .map(|(request, reply)| (*request, reply.input.clone()))
            .collect();
        waiting.sort_by_key(|(request, _)| request.0);
        for (_, input) in waiting {
            self.tell(input);
        }
    }
}
