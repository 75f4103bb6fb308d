//! Answering a request: the effect, how it is counted, and what to look ahead at after it.

use tabahead_context::Suggestion;

use super::{First, PathSource, Request, Speculator};
use crate::{Alternative, Answer, DocumentId, Effect, SuggestionId, chain::Chain, offer::Offer};

impl Speculator {
    /// Answers a document's request, which is completely decided, and looks ahead of what is shown.
    pub(super) fn respond(&mut self, document: DocumentId) {
        let Some(open) = self.documents.get_mut(&document) else {
            return;
        };
        let Some(mut request) = open.request.take() else {
            return;
        };
        open.chain = None;
        open.forget_offers();
        let Some(first) = request.decided.first.take() else {
            return;
        };
        match first.origin {
            Some(origin) => self.stats.count_answer(origin),
            None => self.stats.silent += 1,
        }
        let others = request.decided.others.take().into_iter().flatten();
        let mut shown: Vec<Suggestion> = first.shown.iter().cloned().collect();
        for other in others.filter_map(|other| other.shown?) {
            if !shown.contains(&other) {
                shown.push(other);
            }
        }
        let id = request.id;
        let answer = self.answer(document, request, &first, shown);
        self.effects.push_back(Effect::Respond {
            request: id,
            answer,
        });
    }

    /// Builds the answer that shows these suggestions. What follows the accept of the first one is
    /// looked at next.
    fn answer(
        &mut self,
        document: DocumentId,
        request: Request,
        first: &First,
        shown: Vec<Suggestion>,
    ) -> Answer {
        let (context, profile) = (&self.settings.context, &self.profile);
        let mut offers = Vec::new();
        let mut items = Vec::new();
        for suggestion in shown {
            self.suggestion += 1;
            let id = SuggestionId(self.suggestion);
            let accepted = request.state.accepted(&suggestion, context, profile);
            let suggestion = match request.selected.clone() {
                Some(item) => item.extended_by(suggestion),
                None => suggestion,
            };
            if let Some(place) = self.documents.get(&document).and_then(|o| o.place.clone()) {
                offers.push(Offer::new(id, place, suggestion.clone(), accepted));
            }
            items.push(Alternative { id, suggestion });
        }
        self.offer(document, offers);
        let mut items = items.into_iter();
        match (items.next(), first.origin) {
            (Some(Alternative { id, suggestion }), Some(origin)) => Answer::Suggestion {
                id,
                suggestion,
                origin,
                alternatives: items.collect(),
            },
            (_, origin) => Answer::Silent {
                reason: first.shown.as_ref().err().copied().unwrap_or("undecided"),
                origin,
            },
        }
    }

    /// Records that the editor has these suggestions now, and shows the first one.
    pub(super) fn offer(&mut self, document: DocumentId, offers: Vec<Offer>) {
        let depth = self.settings.depth;
        let looks_ahead = self.settings.speculate && depth > 0;
        for offer in &offers {
            self.offered.put(offer.id, document);
        }
        let open = self.attended_document(document);
        open.chain = (offers.first())
            .filter(|_| looks_ahead)
            .map(|first| Chain::after(first.id, first.accepted.clone(), depth));
        open.offers = offers;
    }

    pub(super) fn speculation_finished(&mut self, source: Option<PathSource>) {
        if let Some(PathSource::Running(id)) = source
            && let Some(running) = self.running.get_mut(&id)
            && std::mem::take(&mut running.speculation)
        {
            self.stats.speculations_finished += 1;
        }
    }
}
