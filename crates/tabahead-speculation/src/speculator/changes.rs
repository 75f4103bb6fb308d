//! What each input changes in what is known. What follows from it, `reconcile` decides.

use tabahead_context::{
    DocumentName, GenerationEvent, GenerationFailure, GenerationId, Suggestion,
};
use tabahead_text::{Document, Offset};

use super::{Request, Speculator};
use crate::{
    Answer, DocumentId, Effect, RequestId, SelectedCompletion, SuggestionId,
    chain::{Chain, Place, cursor_after, is_same_text},
    state::BufferState,
};

impl Speculator {
    pub(super) fn document_changed(&mut self, document: DocumentId, snapshot: Document) {
        let open = self.documents.entry(document).or_default();
        let Some(from) = open.place.take() else {
            return;
        };
        if is_same_text(&from.document, &snapshot, from.cursor) {
            open.place = Some(from);
            return;
        }
        let waiting = open.request.take();
        let followed = open
            .chain
            .as_mut()
            .and_then(|chain| chain.follow(&from, &snapshot, self.settings.depth));
        if let Some(place) = followed {
            open.place = Some(place);
        } else {
            let name = match (&waiting, &open.chain) {
                (Some(request), _) => Some(&request.state.name),
                (None, Some(chain)) => chain.states.first().map(|state| &state.name),
                (None, None) => None,
            };
            let cursor = cursor_after(&from, &snapshot);
            open.chain = name.cloned().map(|name| {
                Chain::expecting(BufferState::new(
                    snapshot.clone(),
                    cursor,
                    name,
                    &self.settings.context,
                    &self.profile,
                ))
            });
            open.place = Some(Place {
                document: snapshot,
                cursor,
            });
        }
        if let Some(request) = waiting {
            self.supersede(request.id);
        }
    }

    pub(super) fn document_closed(&mut self, document: DocumentId) {
        if let Some(open) = self.documents.remove(&document)
            && let Some(request) = open.request
        {
            self.supersede(request.id);
        }
    }

    pub(super) fn requested(
        &mut self,
        document: DocumentId,
        id: RequestId,
        snapshot: Document,
        cursor: Offset,
        name: DocumentName,
        selected: Option<SelectedCompletion>,
    ) {
        self.stats.requests += 1;
        self.turn += 1;
        // Following the text first lets the chain keep what this request may join.
        self.document_changed(document, snapshot.clone());
        let line = snapshot.line_range(snapshot.line_of(cursor));
        // Nobody stands between `\r` and `\n`.
        let cursor = snapshot.clamp(cursor).min(line.end);
        let open = self.documents.entry(document).or_default();
        if open
            .place
            .as_ref()
            .is_some_and(|place| place.cursor != cursor)
        {
            open.chain = None;
        }
        open.place = Some(Place {
            document: snapshot.clone(),
            cursor,
        });
        open.turn = self.turn;
        let (text, at) = match &selected {
            None => (snapshot, cursor),
            Some(item) => item.inserted_in(&snapshot),
        };
        let state = BufferState::new(text, at, name, &self.settings.context, &self.profile);
        let older = open.request.replace(Request {
            id,
            state,
            selected,
            waited: false,
            started: false,
        });
        if let Some(older) = older {
            self.supersede(older.id);
        }
    }

    /// The user no longer waits, but may be about to ask again, having typed: what runs already
    /// is kept until a change or a request tells.
    pub(super) fn request_cancelled(&mut self, id: RequestId) {
        let waiting = self.documents.values_mut().find_map(|open| {
            let request = open.request.take_if(|request| request.id == id)?;
            open.chain = Some(Chain::expecting(request.state));
            Some(request.id)
        });
        if let Some(request) = waiting {
            self.supersede(request);
        }
    }

    fn supersede(&mut self, request: RequestId) {
        self.stats.superseded += 1;
        self.effects.push_back(Effect::Respond {
            request,
            answer: Answer::Superseded,
        });
    }

    /// Somebody else's suggestion is on the screen: what comes after its accept is looked at next.
    /// It takes the place of what a request would show, so one that waits is superseded.
    pub(super) fn shown(
        &mut self,
        document: DocumentId,
        snapshot: Document,
        cursor: Offset,
        name: DocumentName,
        suggestion: &Suggestion,
    ) {
        self.document_changed(document, snapshot.clone());
        self.suggestion += 1;
        let id = SuggestionId(self.suggestion);
        let looks_ahead = self.settings.speculate && self.settings.depth > 0;
        let chain = looks_ahead.then(|| {
            let (context, profile) = (&self.settings.context, &self.profile);
            let state = BufferState::new(snapshot.clone(), cursor, name, context, profile);
            let accepted = state.accepted(suggestion, context, profile);
            Chain::after(id, accepted, self.settings.depth)
        });
        let open = self.documents.entry(document).or_default();
        open.place = Some(Place {
            document: snapshot,
            cursor,
        });
        open.chain = chain;
        if let Some(waiting) = open.request.take() {
            self.supersede(waiting.id);
        }
    }

    /// An accept may be reported before the changed text: the chain moves with whichever is first.
    pub(super) fn accepted(&mut self, suggestion: SuggestionId) {
        for open in self.documents.values_mut() {
            if let Some(chain) = &mut open.chain
                && chain.suggestion == Some(suggestion)
            {
                open.place = Some(chain.reach(0, self.settings.depth));
            }
        }
    }

    pub(super) fn generation_reported(&mut self, event: GenerationEvent) {
        match event {
            GenerationEvent::Started {
                id, prompt_tokens, ..
            } => {
                if let Some(running) = self.running.get_mut(&id) {
                    running.known.path.started(prompt_tokens);
                }
            }
            GenerationEvent::Token {
                id,
                token,
                canonical_until,
            } => {
                if let Some(running) = self.running.get_mut(&id) {
                    self.stats.tokens_wasted += running.known.push(token, canonical_until);
                }
            }
            GenerationEvent::Ended { id, end } => {
                if let Some(running) = self.running.get_mut(&id) {
                    running.known.path.finish(end);
                }
            }
            GenerationEvent::Failed { id, failure } => self.generation_failed(id, failure),
        }
    }

    fn generation_failed(&mut self, id: GenerationId, failure: GenerationFailure) {
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        self.stats.speculations_failed += u64::from(running.speculation);
        let line = match failure {
            GenerationFailure::TooLong => {
                self.too_long.put(running.known.view.key, ());
                return;
            }
            GenerationFailure::Broken(line) => line,
        };
        for open in self.documents.values_mut() {
            if open.chain_waits_for == Some(id) {
                open.chain = None;
            }
            if open.request_waits_for == Some(id)
                && let Some(request) = open.request.take()
            {
                self.stats.failed += 1;
                self.effects.push_back(Effect::Respond {
                    request: request.id,
                    answer: Answer::Failed(line.clone()),
                });
            }
        }
    }
}
