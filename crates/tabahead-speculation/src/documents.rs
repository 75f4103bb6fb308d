//! The documents in which the user is followed.
//!
//! `document.rs` has what is known about one, `offer.rs` a suggestion that the editor has, `edit.rs`
//! what a change did. Knows nothing of generations and paths: what is computed, and with what
//! answer, is decided elsewhere.

mod document;
mod edit;
mod offer;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
};

use lru::LruCache;
use tabahead_context::{QuestionSettings, Suggestion};

pub(crate) use document::OpenDocument;
pub(crate) use edit::{ChangeReading, ExpectedText, TextChange, UserPlace};
pub(crate) use offer::Outcome;

use crate::{
    Alternative, Answer, DocumentId, RequestId, Stats, SuggestionId, SuggestionReport,
    answers::{Lookup, Need, Request},
    generations::For,
    hypotheses::RankInputs,
    state::BufferState,
};
use offer::Offer;

/// Maximum number of documents to look ahead in; those with the latest requests are kept. The user
/// is in one document, and returns to a few others.
const MOST_TREES: usize = 16;

/// Number of suggestions remembered by their ids, for reports of what became of them.
const SUGGESTIONS_REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// All documents, and the ids of the suggestions that were offered in them.
#[derive(Debug)]
pub(crate) struct Documents {
    open: BTreeMap<DocumentId, OpenDocument>,
    /// Documents that may have a request or hypotheses: the only ones that a decision looks at.
    attended: BTreeSet<DocumentId>,
    /// The document that each suggestion was offered in.
    offered: LruCache<SuggestionId, DocumentId>,
    /// Number of the latest request.
    turn: u64,
    /// Number of the latest suggestion.
    suggestion: u64,
}

impl Documents {
    pub fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            attended: BTreeSet::new(),
            offered: LruCache::new(SUGGESTIONS_REMEMBERED),
            turn: 0,
            suggestion: 0,
        }
    }

    /// Returns the entry of a document about which something becomes known, and adds the document
    /// to those that the next decision looks at.
    pub fn attend(&mut self, document: DocumentId) -> &mut OpenDocument {
        self.attended.insert(document);
        self.open.entry(document).or_default()
    }

    /// Returns the user's place in a document, as far as it is known.
    pub fn place(&self, document: DocumentId) -> Option<&UserPlace> {
        self.open.get(&document)?.place()
    }

    /// Forgets a document. Returns the request that waited.
    pub fn close(&mut self, document: DocumentId) -> Option<RequestId> {
        self.attended.remove(&document);
        self.open.remove(&document)?.take_request()
    }

    /// Takes a request at a place in a document. Returns the request that waited until now.
    pub fn ask(
        &mut self,
        document: DocumentId,
        place: UserPlace,
        request: Request,
    ) -> Option<RequestId> {
        self.turn += 1;
        let turn = self.turn;
        self.attend(document).ask(place, turn, request)
    }

    /// Cancels a request. Returns it if it was waiting.
    pub fn cancel(&mut self, request: RequestId) -> Option<RequestId> {
        let mut attended = self.attended.iter();
        attended.find_map(|document| self.open.get_mut(document)?.cancel(request))
    }

    /// Applies changed settings.
    pub fn configure(&mut self, settings: &QuestionSettings) {
        for open in self.open.values_mut() {
            open.configure(settings);
        }
    }

    /// Decides what can be decided of a document's request, and returns what the rest needs; `None`
    /// if there is no request.
    pub fn look_up_request(
        &mut self,
        document: DocumentId,
        lookup: &mut Lookup<'_>,
    ) -> Option<Vec<Need>> {
        self.open.get_mut(&document)?.look_up_request(lookup)
    }

    /// Answers a document's request, which is completely decided. What follows the accept of the
    /// first suggestion is expected next.
    pub fn respond(
        &mut self,
        document: DocumentId,
        accepts: Option<NonZeroUsize>,
        settings: &QuestionSettings,
        stats: &mut Stats,
    ) -> Option<(RequestId, Answer)> {
        let open = self.open.get_mut(&document)?;
        let request = open.take_answered()?;
        request.count(stats);
        let place = open.place().cloned();
        let mut offers = Vec::new();
        let mut items = Vec::new();
        for (suggestion, accepted) in request.shown(settings) {
            let id = self.new_suggestion(document);
            if let Some(place) = place.clone() {
                offers.push(Offer::new(id, place, suggestion.clone(), accepted));
            }
            items.push(Alternative { id, suggestion });
        }
        self.attend(document).offer(offers, accepts);
        Some((request.id(), request.answer(items)))
    }

    /// Records that the editor shows a suggestion from another source at `state`, the user's place.
    /// Returns the request that waited: what it would show is replaced.
    pub fn show(
        &mut self,
        document: DocumentId,
        state: BufferState,
        suggestion: &Suggestion,
        accepts: Option<NonZeroUsize>,
        settings: &QuestionSettings,
    ) -> Option<RequestId> {
        let accepted = state.accepted(suggestion, settings);
        let place = UserPlace {
            document: state.at.document,
            cursor: state.at.cursor,
        };
        let id = self.new_suggestion(document);
        let offer = Offer::new(id, place.clone(), suggestion.clone(), accepted);
        let open = self.attend(document);
        open.is_at(place);
        let waiting = open.take_request();
        open.offer(vec![offer], accepts);
        waiting
    }

    /// Returns the id of a suggestion that is offered in a document.
    fn new_suggestion(&mut self, document: DocumentId) -> SuggestionId {
        self.suggestion += 1;
        let id = SuggestionId(self.suggestion);
        self.offered.put(id, document);
        id
    }

    /// Records what the editor reports about a suggestion.
    pub fn report(
        &mut self,
        report: SuggestionReport,
        accepts: Option<NonZeroUsize>,
        stats: &mut Stats,
    ) {
        match report {
            SuggestionReport::Accepted { suggestion } => self.accepted(suggestion, accepts, stats),
            SuggestionReport::AcceptedPart { suggestion, length } => {
                if let Some((_, open)) = self.offered_in(suggestion) {
                    open.report(suggestion, |offer| offer.report(length, stats));
                }
            }
            SuggestionReport::Displayed { suggestion } => self.displayed(suggestion, accepts),
            SuggestionReport::Dismissed { document } => {
                if let Some(open) = self.open.get_mut(&document) {
                    open.dismiss(stats);
                }
            }
        }
    }

    /// Records that another of the editor's suggestions is on screen.
    fn displayed(&mut self, suggestion: SuggestionId, accepts: Option<NonZeroUsize>) {
        if let Some((document, open)) = self.offered_in(suggestion)
            && let Some(offers) = open.take_displayed(suggestion)
        {
            self.attend(document).offer(offers, accepts);
        }
    }

    /// Records the editor's report that a suggestion was accepted.
    fn accepted(
        &mut self,
        suggestion: SuggestionId,
        accepts: Option<NonZeroUsize>,
        stats: &mut Stats,
    ) {
        if let Some((document, open)) = self.offered_in(suggestion) {
            open.accepted(suggestion, accepts, stats);
            if open.needs_attention() {
                self.attended.insert(document);
            }
        }
    }

    /// Returns the document in which a suggestion was offered.
    fn offered_in(&mut self, suggestion: SuggestionId) -> Option<(DocumentId, &mut OpenDocument)> {
        let document = *self.offered.get(&suggestion)?;
        Some((document, self.open.get_mut(&document)?))
    }

    /// Drops what waits for one of these purposes, which failed. Returns the requests.
    pub fn fail(&mut self, failed: &[For]) -> Vec<RequestId> {
        let attended = self.attended.iter();
        let requests =
            attended.filter_map(|document| self.open.get_mut(document)?.fail(*document, failed));
        requests.collect()
    }

    /// Records that generations were started for the requests of these documents.
    pub fn requests_have_started(&mut self, documents: &[DocumentId]) {
        for document in documents {
            if let Some(open) = self.open.get_mut(document) {
                open.request_has_started();
            }
        }
    }

    /// Returns the documents that may have a request or hypotheses, ordered by their latest
    /// request, the oldest first.
    pub fn by_turn(&self, stats: &mut Stats) -> Vec<DocumentId> {
        stats.looked_at += self.attended.len() as u64;
        let turn = |id: &DocumentId| self.open.get(id).map(|open| (open.turn(), *id));
        let mut documents: Vec<_> = self.attended.iter().filter_map(turn).collect();
        documents.sort_unstable();
        documents.into_iter().map(|(_, id)| id).collect()
    }

    /// Decides the hypotheses in the documents with the latest requests, as far as paths are known,
    /// and returns what the others need. Drops those about all other documents.
    pub fn advance(&mut self, lookup: &mut Lookup<'_>) -> Vec<(RankInputs, (For, Need))> {
        let mut wanted = Vec::new();
        let mut trees = 0;
        for document in self.by_turn(lookup.stats).into_iter().rev() {
            let open = self.open.get_mut(&document);
            let Some(open) = open.filter(|open| open.has_hypotheses()) else {
                continue;
            };
            trees += 1;
            if trees > MOST_TREES {
                open.expect_nothing();
            } else {
                wanted.extend(open.advance(document, lookup));
            }
        }
        wanted
    }

    /// Looks no more at documents in which nothing waits and nothing is expected.
    pub fn forget_unattended(&mut self) {
        let open = &self.open;
        self.attended.retain(|document| {
            open.get(document)
                .is_some_and(OpenDocument::needs_attention)
        });
    }
}
