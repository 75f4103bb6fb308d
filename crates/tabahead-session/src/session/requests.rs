//! The requests that wait for their answers.

use std::{collections::HashMap, time::Duration};

use tabahead_context::DocumentName;
use tabahead_speculation::{Answer, DocumentId, Input, RequestId};
use tokio::{sync::oneshot, time::Instant};

use crate::message::{SuggestionRequest, Trigger};

impl SuggestionRequest {
    /// Returns the request as the Speculator takes it. `alternatives` is how many suggestions are
    /// added when the user asked for suggestions.
    pub(super) fn input(&self, name: DocumentName, alternatives: usize) -> Input {
        Input::CompletionRequested {
            request: self.id,
            document: self.document,
            snapshot: self.snapshot.clone(),
            cursor: self.cursor,
            name,
            selected: self.selected.clone(),
            alternatives: match self.trigger {
                Trigger::Invoked => alternatives,
                Trigger::Automatic | Trigger::Menu => 0,
            },
        }
    }
}

/// A request that waits for its answer.
pub(super) struct UnansweredRequest {
    came: Instant,
    document: DocumentId,
    /// What a model that becomes ready later is asked.
    input: Input,
    reply: oneshot::Sender<Answer>,
}

impl UnansweredRequest {
    pub(super) fn new(
        asked: &SuggestionRequest,
        input: Input,
        reply: oneshot::Sender<Answer>,
    ) -> Self {
        Self {
            came: asked.came,
            document: asked.document,
            input,
            reply,
        }
    }

    /// Returns how long the request has waited.
    pub(super) fn waited(&self) -> Duration {
        self.came.elapsed()
    }

    /// Answers the request.
    pub(super) fn answer(self, answer: Answer) {
        // The editor may have gone in the meantime.
        let _ = self.reply.send(answer);
    }
}

/// All requests that wait for their answers.
#[derive(Default)]
pub(super) struct UnansweredRequests(HashMap<RequestId, UnansweredRequest>);

impl UnansweredRequests {
    /// Lets a request wait.
    pub(super) fn add(&mut self, request: RequestId, waiting: UnansweredRequest) {
        self.0.insert(request, waiting);
    }

    /// Returns whether a request waits.
    pub(super) fn contains(&self, request: RequestId) -> bool {
        self.0.contains_key(&request)
    }

    /// Returns the number of requests that wait.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes a request and returns it; `None` if it does not wait.
    pub(super) fn remove(&mut self, request: RequestId) -> Option<UnansweredRequest> {
        self.0.remove(&request)
    }

    /// Removes the requests of a document and returns them.
    pub(super) fn remove_of(
        &mut self,
        document: DocumentId,
    ) -> Vec<(RequestId, UnansweredRequest)> {
        let is_of = |_: &RequestId, waiting: &mut UnansweredRequest| waiting.document == document;
        self.0.extract_if(is_of).collect()
    }

    /// Removes all requests and returns them.
    pub(super) fn remove_all(&mut self) -> Vec<(RequestId, UnansweredRequest)> {
        self.0.drain().collect()
    }

    /// Returns what all requests ask, in the order of arrival.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let mut waiting: Vec<_> = self.0.iter().collect();
        waiting.sort_by_key(|(request, _)| request.0);
        let inputs = waiting.iter().map(|(_, waiting)| waiting.input.clone());
        inputs.collect()
    }
}
