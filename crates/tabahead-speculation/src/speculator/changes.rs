//! How each input changes what is known. `reconcile` decides what follows from it.

use tabahead_context::{
    DocumentName, GenerationEvent, GenerationFailure, GenerationId, Goal, Suggestion,
};
use tabahead_text::{Document, Offset};

use super::{Gone, OpenDocument, Speculator};
use crate::{
    Answer, DocumentId, Effect, RequestId, Stats, SuggestionId,
    chain::{Chain, UserPlace, cursor_after, is_same_text},
    offer::{Followed, Offer, Outcome},
    state::BufferState,
};

impl Speculator {
    pub(super) fn document_changed(&mut self, document: DocumentId, snapshot: Document) {
        if self.follow_change(document, snapshot) {
            self.reading_follows(document);
        }
    }

    /// Follows the user to a document's new text. Returns false if nothing was known of the
    /// document, or if the text is the same.
    fn follow_change(&mut self, document: DocumentId, snapshot: Document) -> bool {
        self.attended.insert(document);
        let open = self.documents.entry(document).or_default();
        let Some(from) = open.place.take() else {
            return false;
        };
        if is_same_text(&from.document, &snapshot, from.cursor) {
            open.place = Some(from);
            return false;
        }
        let waiting = open.request.take();
        let told = open.follow_offers(&from, &snapshot, &mut self.stats);
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
            let cursor = told.unwrap_or_else(|| cursor_after(&from, &snapshot));
            open.chain = name.cloned().map(|name| {
                Chain::expecting(BufferState::new(
                    snapshot.clone(),
                    cursor,
                    name,
                    &self.settings.context,
                    &self.profile,
                ))
            });
            open.place = Some(UserPlace {
                document: snapshot,
                cursor,
            });
        }
        if let Some(request) = waiting {
            self.supersede(request.id);
        }
        true
    }

    pub(super) fn document_closed(&mut self, document: DocumentId) {
        self.is_not_read(document);
        self.attended.remove(&document);
        if let Some(open) = self.documents.remove(&document)
            && let Some(request) = open.request
        {
            self.supersede(request.id);
        }
    }

    /// Supersedes a cancelled request. The user may ask again after typing, so what already runs is
    /// kept until a change or a request decides otherwise.
    pub(super) fn request_cancelled(&mut self, id: RequestId) {
        let waiting = self.attended.iter().find_map(|document| {
            let open = self.documents.get_mut(document)?;
            let request = open.request.take_if(|request| request.id == id)?;
            open.chain = Some(Chain::expecting(request.state));
            Some(request.id)
        });
        if let Some(request) = waiting {
            self.supersede(request);
        }
    }

    pub(super) fn supersede(&mut self, request: RequestId) {
        self.stats.superseded += 1;
        self.effects.push_back(Effect::Respond {
            request,
            answer: Answer::Superseded,
        });
    }

    /// Records that a suggestion from another source is on screen: what follows its accept is
    /// looked at next. It replaces what a request would show, so a waiting request is superseded.
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
        let (context, profile) = (&self.settings.context, &self.profile);
        let state = BufferState::new(snapshot.clone(), cursor, name.clone(), context, profile);
        let accepted = state.accepted(suggestion, context, profile);
        let place = UserPlace {
            document: snapshot,
            cursor,
        };
        let offer = Offer::new(id, place.clone(), suggestion.clone(), accepted);
        self.attended_by_request(document, name);
        let open = self.attended_document(document);
        open.place = Some(place);
        let waiting = open.request.take();
        self.offer(document, vec![offer]);
        if let Some(waiting) = waiting {
            self.supersede(waiting.id);
        }
    }

    /// Records that another of the editor's suggestions is on screen.
    pub(super) fn displayed(&mut self, suggestion: SuggestionId) {
        let Some((document, open)) = self.offered_in(suggestion) else {
            return;
        };
        let shown = open.offers.iter().position(|offer| offer.id == suggestion);
        // If the suggestion was typed along, the chain is already where it should be.
        if let (Some(shown), Some(place)) = (shown, &open.place)
            && open.offers[shown].is_at(&place.document, place.cursor)
            && open.chain.as_ref().and_then(|chain| chain.suggestion) != Some(suggestion)
        {
            let mut offers = std::mem::take(&mut open.offers);
            offers[..=shown].rotate_right(1);
            self.offer(document, offers);
        }
    }

    /// Returns the document in which a suggestion was offered.
    fn offered_in(&mut self, suggestion: SuggestionId) -> Option<(DocumentId, &mut OpenDocument)> {
        let document = *self.offered.get(&suggestion)?;
        Some((document, self.documents.get_mut(&document)?))
    }

    /// Records an accept. It may be reported before the changed text: the chain moves with
    /// whichever comes first.
    pub(super) fn accepted(&mut self, suggestion: SuggestionId) {
        let depth = self.settings.depth;
        let speculate = self.settings.speculate && depth > 0;
        let Some(&document) = self.offered.get(&suggestion) else {
            return;
        };
        let Some(open) = self.documents.get_mut(&document) else {
            return;
        };
        if let Some(accepted) = open.gone.take(suggestion, &mut self.stats)
            && speculate
            && open.request.is_none()
            && let Some(place) = &open.place
            && is_same_text(&place.document, &accepted.document, accepted.cursor)
        {
            let mut chain = Chain::after(suggestion, accepted, depth);
            open.place = Some(chain.reach(0, depth));
            open.chain = Some(chain);
            self.attended.insert(document);
        }
        if let Some(chain) = &mut open.chain
            && chain.suggestion == Some(suggestion)
        {
            open.place = Some(chain.reach(0, depth));
        }
        self.report(suggestion, |offer, stats| offer.report_whole(stats));
    }

    pub(super) fn accepted_part(&mut self, suggestion: SuggestionId, length: usize) {
        self.report(suggestion, |offer, stats| offer.report(length, stats));
    }

    /// Applies an editor report to the offer of a suggestion.
    fn report(&mut self, suggestion: SuggestionId, told: impl Fn(&mut Offer, &mut Stats)) {
        let document = self.offered.get(&suggestion);
        if let Some(open) = document.and_then(|document| self.documents.get_mut(document)) {
            let offers = open.offers.iter_mut().chain(&mut open.completed);
            for offer in offers.filter(|offer| offer.id == suggestion) {
                told(offer, &mut self.stats);
            }
        }
    }

    pub(super) fn dismissed(&mut self, document: DocumentId) {
        if let Some(open) = self.documents.get_mut(&document) {
            open.chain = None;
            self.stats.dismissed += u64::from(!open.offers.is_empty());
            open.forget_offers();
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
            GenerationEvent::Characters { id, characters } => {
                if let Some(running) = self.running.get_mut(&id) {
                    running.known.characters = Some(characters);
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
            GenerationEvent::Read { id } => {
                if let Some(running) = self.running.remove(&id) {
                    self.stats.reads_finished += 1;
                    self.was_read(running.known.view.key);
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
        self.stats.reads_failed += u64::from(running.goal == Goal::Read);
        let line = match failure {
            GenerationFailure::TooLong => {
                self.too_long.put(running.known.view.key, ());
                return;
            }
            GenerationFailure::Broken(line) => line,
        };
        if running.goal == Goal::Read {
            // Whatever waits for the reading continues without it.
            return self.was_read(running.known.view.key);
        }
        for document in &self.attended {
            let Some(open) = self.documents.get_mut(document) else {
                continue;
            };
            if open.chain_waits_for == Some(id) {
                open.chain = None;
            }
            if open.request_waits_for.contains(&id)
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

impl OpenDocument {
    /// Follows a change of the text with the suggestions that the editor has. Returns the cursor,
    /// if one of them determines it.
    fn follow_offers(
        &mut self,
        from: &UserPlace,
        to: &Document,
        stats: &mut Stats,
    ) -> Option<Offset> {
        let (mut along, mut away, mut cursor) = (None, None, None);
        let mut gone = Vec::new();
        self.completed = None;
        let offers = std::mem::take(&mut self.offers);
        // The offers are in the editor's order, and the accepted one is the first that agrees.
        for mut offer in offers.into_iter().filter(|offer| !offer.is_complete()) {
            let at = match offer.follow(from, to) {
                Followed::Along(outcome, at) => {
                    if along.is_some() {
                        offer.is_not_counted();
                    }
                    along = along.or(Some(outcome));
                    at
                }
                Followed::Back(at) => at,
                Followed::Away(outcome) => {
                    away = away.or(outcome);
                    gone.push(offer);
                    continue;
                }
            };
            cursor = cursor.or(Some(at));
            if offer.is_complete() {
                self.completed.get_or_insert(offer);
            } else {
                self.offers.push(offer);
            }
        }
        // If one offer agrees with the change, it counts as a divergence from none.
        let verdict = along.or(away.filter(|_| cursor.is_none()));
        if let Some(outcome) = verdict {
            stats.count_outcome(outcome);
        }
        if cursor.is_none() && !gone.is_empty() {
            self.gone = Gone {
                offers: gone,
                has_diverged: verdict == Some(Outcome::Diverged),
            };
        }
        cursor
    }

    /// Records that the editor has no suggestions any more.
    pub(super) fn forget_offers(&mut self) {
        self.offers.clear();
        self.gone = Gone::default();
    }
}

impl Gone {
    /// Takes the suggestion that the editor reports as accepted, and corrects the verdict in the
    /// statistics. Returns the state after the accept.
    fn take(&mut self, suggestion: SuggestionId, stats: &mut Stats) -> Option<BufferState> {
        let at = self
            .offers
            .iter()
            .position(|offer| offer.id == suggestion)?;
        let offer = self.offers.swap_remove(at);
        if std::mem::take(&mut self.has_diverged) {
            stats.diverged -= 1;
        }
        stats.count_outcome(Outcome::AcceptedAll);
        Some(offer.accepted)
    }
}
