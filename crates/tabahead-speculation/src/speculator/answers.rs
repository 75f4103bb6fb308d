//! Answering a request: the effect, its place in the statistics, and what to look at after it.

use tabahead_context::{Cut, Suggestion};

use super::{Knowledge, Request, Source, Speculator};
use crate::{
    Answer, DocumentId, Effect, Origin, SuggestionId,
    chain::{Chain, shown_bytes},
};

impl Speculator {
    /// Answers a document's request with what is known, and looks ahead of what it shows.
    pub(super) fn respond(&mut self, document: DocumentId, knowledge: Knowledge) {
        let Some(open) = self.documents.get_mut(&document) else {
            return;
        };
        let Some(request) = open.request.take() else {
            return;
        };
        open.chain = None;
        let id = request.id;
        let answer = match knowledge {
            Knowledge::Decided(cut, source) => {
                let shown = match cut {
                    Cut::Show(suggestion) => Ok(suggestion),
                    Cut::Silent(silence) => Err(silence.as_str()),
                    Cut::NeedMore => Err("undecided"),
                };
                let origin = self.served(&request, shown.as_ref().ok(), source);
                match shown {
                    Ok(suggestion) => self.suggest(document, request, suggestion, origin),
                    Err(reason) => Answer::Silent {
                        reason,
                        origin: Some(origin),
                    },
                }
            }
            Knowledge::NotAsked(reason) => {
                self.stats.silent += 1;
                let origin = None;
                Answer::Silent { reason, origin }
            }
            Knowledge::Needs(_) => return,
        };
        self.effects.push_back(Effect::Respond {
            request: id,
            answer,
        });
    }

    /// Counts an answer; returns where it came from.
    fn served(
        &mut self,
        request: &Request,
        shown: Option<&Suggestion>,
        source: Option<Source>,
    ) -> Origin {
        self.speculation_finished(source);
        let known = match source {
            Some(Source::Running(id)) => self.running.get_mut(&id).map(|r| &mut r.known),
            Some(Source::Cached(key)) => self.cache.use_path(key),
            None => None,
        };
        let mut origin = Origin::Miss;
        if let Some(known) = known
            && let Ok(view) = &request.state.view
        {
            let at = view.window.tail.len();
            origin = match (request.waited, request.started) {
                (false, _) => known.origin_at(at),
                (true, false) => Origin::Joined,
                (true, true) => Origin::Miss,
            };
            let (read, first_uses) = known.serve(shown.map(|shown| at + shown_bytes(shown)));
            self.stats.tokens_wasted -= read;
            self.stats.speculations_used += first_uses;
        }
        self.stats.count_answer(origin);
        origin
    }

    /// The answer that shows a suggestion; what comes after its accept is looked at next.
    fn suggest(
        &mut self,
        document: DocumentId,
        request: Request,
        shown: Suggestion,
        origin: Origin,
    ) -> Answer {
        self.suggestion += 1;
        let id = SuggestionId(self.suggestion);
        if self.settings.speculate && self.settings.depth > 0 {
            let accepted = request
                .state
                .accepted(&shown, &self.settings.context, &self.profile);
            if let Some(open) = self.documents.get_mut(&document) {
                open.chain = Some(Chain::after(id, accepted, self.settings.depth));
            }
        }
        let suggestion = match request.selected {
            Some(item) => item.extended_by(shown),
            None => shown,
        };
        Answer::Suggestion {
            id,
            suggestion,
            origin,
        }
    }

    pub(super) fn speculation_finished(&mut self, source: Option<Source>) {
        if let Some(Source::Running(id)) = source
            && let Some(running) = self.running.get_mut(&id)
            && std::mem::take(&mut running.speculation)
        {
            self.stats.speculations_finished += 1;
        }
    }
}
