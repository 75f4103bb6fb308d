//! One document: the user's place in it, the request that waits, what the editor shows, and the
//! hypotheses about what comes next.

use std::num::NonZeroUsize;

use tabahead_text::{Document, Offset};

use super::{
    edit::{ChangeReading, UserPlace, is_same_text},
    offer::{Followed, Offer, Outcome},
};
use tabahead_context::{QuestionSettings, State};

use crate::{
    DocumentId, RequestId, Stats, SuggestionId,
    answers::{Lookup, Need, Request},
    generations::For,
    hypotheses::{Hypotheses, RankInputs},
    state::BufferState,
};

/// Everything known about a document besides its cached paths.
#[derive(Debug, Default)]
pub(crate) struct OpenDocument {
    /// Text of the document, and the cursor as far as it is known.
    place: Option<UserPlace>,
    /// Request that waits for an answer.
    request: Option<Request>,
    /// Hypotheses about what comes next.
    hypotheses: Option<Hypotheses>,
    /// Suggestions that the editor has, in its order.
    offers: Vec<Offer>,
    /// Offer that the latest change was counted for, when the editor has it no more: that the
    /// change was an accept may still be reported.
    counted: Option<Offer>,
    gone: Gone,
    /// Turn of the latest request.
    turn: u64,
}

/// The suggestions that a change removed. Their accept may still be reported: an editor whose menu
/// deletes the typed word and inserts the item may send the deletion before the insertion.
#[derive(Debug, Default)]
struct Gone {
    offers: Vec<Offer>,
    /// True if the change was counted as the user typing something else.
    has_diverged: bool,
}

impl OpenDocument {
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// Returns the user's place, as far as it is known.
    pub fn place(&self) -> Option<&UserPlace> {
        self.place.as_ref()
    }

    /// Returns whether a request waits or something is computed ahead.
    pub fn needs_attention(&self) -> bool {
        self.request.is_some() || self.hypotheses.is_some()
    }

    pub fn has_hypotheses(&self) -> bool {
        self.hypotheses.is_some()
    }

    /// Returns whether the text is known and is not `snapshot`.
    pub fn differs_from(&self, snapshot: &Document) -> bool {
        let place = self.place.as_ref();
        place.is_some_and(|place| !is_same_text(&place.document, snapshot, place.cursor))
    }

    /// Follows the user to a text that differs. Returns the request that waited, which is about the
    /// old text.
    pub fn follow(
        &mut self,
        snapshot: Document,
        settings: &QuestionSettings,
        stats: &mut Stats,
    ) -> Option<RequestId> {
        let from = self.place.take()?;
        let change = ChangeReading::new(&from, &snapshot);
        let waiting = self.request.take();
        let reported = self.follow_offers(&change, stats);
        let followed = (self.hypotheses.as_mut()).and_then(|expected| expected.follow(&change));
        let place = followed.unwrap_or_else(|| {
            let cursor = reported.unwrap_or_else(|| change.cursor());
            let name = match (&waiting, &self.hypotheses) {
                (Some(request), _) => Some(request.name()),
                (None, Some(hypotheses)) => Some(hypotheses.name()),
                (None, None) => None,
            };
            self.hypotheses = name.cloned().map(|name| {
                let document = snapshot.clone();
                let at = State {
                    document,
                    cursor,
                    name,
                };
                Hypotheses::here(BufferState::new(at, settings))
            });
            UserPlace {
                document: snapshot.clone(),
                cursor,
            }
        });
        self.place = Some(place);
        waiting.map(|request| request.id())
    }

    /// Records where the user is.
    pub fn is_at(&mut self, place: UserPlace) {
        self.place = Some(place);
    }

    /// Records where the user is, unless that is known.
    pub fn place_or(&mut self, place: UserPlace) {
        self.place.get_or_insert(place);
    }

    /// Moves the cursor in an unchanged text. What was shown at the old cursor is dropped. Returns
    /// whether the cursor was elsewhere.
    pub fn move_to(&mut self, place: UserPlace) -> bool {
        if self.cursor() == Some(place.cursor) {
            return false;
        }
        self.place = Some(place);
        self.hypotheses = None;
        self.forget_offers();
        true
    }

    fn cursor(&self) -> Option<Offset> {
        self.place.as_ref().map(|place| place.cursor)
    }

    /// Takes a request that the user makes at a place. Returns the request that waited until now.
    pub fn ask(&mut self, place: UserPlace, turn: u64, request: Request) -> Option<RequestId> {
        if self.cursor().is_some_and(|cursor| cursor != place.cursor) {
            self.hypotheses = None;
        }
        self.place = Some(place);
        self.turn = turn;
        self.request.replace(request).map(|older| older.id())
    }

    /// Decides what can be decided of the request, and returns what the rest needs; `None` if there
    /// is no request.
    pub fn look_up_request(&mut self, lookup: &mut Lookup<'_>) -> Option<Vec<Need>> {
        Some(self.request.as_mut()?.look_up(lookup))
    }

    /// Records that a generation was started for the request.
    pub fn request_has_started(&mut self) {
        if let Some(request) = &mut self.request {
            request.has_started();
        }
    }

    /// Takes the request to answer it. What was shown before is gone.
    pub fn take_answered(&mut self) -> Option<Request> {
        let request = self.request.take()?;
        self.hypotheses = None;
        self.forget_offers();
        Some(request)
    }

    /// Cancels a request, if it waits here. The user may ask again after typing, so what already
    /// runs is kept until a change or a request decides otherwise.
    pub fn cancel(&mut self, id: RequestId) -> Option<RequestId> {
        let request = self.request.take_if(|request| request.id() == id)?;
        self.hypotheses = Some(Hypotheses::here(request.into_state()));
        Some(id)
    }

    /// Takes the request because something else is shown, or because the document is closed.
    pub fn take_request(&mut self) -> Option<RequestId> {
        self.request.take().map(|request| request.id())
    }

    /// Drops what waits for one of these purposes. Returns the request, if it was one.
    pub fn fail(&mut self, id: DocumentId, failed: &[For]) -> Option<RequestId> {
        if failed.contains(&For::Hypothesis(id)) || failed.contains(&For::Return(id)) {
            self.hypotheses = None;
        }
        if failed.contains(&For::Request(id)) {
            return self.take_request();
        }
        None
    }

    /// Applies changed settings: nothing is expected any more, and the request is decided again.
    pub fn configure(&mut self, settings: &QuestionSettings) {
        self.hypotheses = None;
        if let Some(request) = &mut self.request {
            request.decide_again(settings);
        }
    }

    /// Drops the hypotheses.
    pub fn expect_nothing(&mut self) {
        self.hypotheses = None;
    }

    /// Decides the hypotheses as far as paths are known, and returns what the others need.
    pub fn advance(
        &mut self,
        id: DocumentId,
        lookup: &mut Lookup<'_>,
    ) -> Vec<(RankInputs, (For, Need))> {
        let hypotheses = self.hypotheses.as_mut();
        hypotheses.map_or_else(Vec::new, |hypotheses| {
            hypotheses.advance(id, self.turn, lookup)
        })
    }

    /// Records that the editor has these suggestions now, and shows the first one. Looks `accepts`
    /// accepts ahead of it.
    pub fn offer(&mut self, offers: Vec<Offer>, accepts: Option<NonZeroUsize>) {
        self.hypotheses = (offers.first().zip(accepts)).map(|(first, accepts)| {
            Hypotheses::after(first.id(), first.accepted().clone(), accepts)
        });
        self.offers = offers;
    }

    /// Records that another of the editor's suggestions is on screen. Returns the suggestions in
    /// their new order; `None` if what is expected follows from it already.
    pub fn take_displayed(&mut self, suggestion: SuggestionId) -> Option<Vec<Offer>> {
        let shown = (self.offers.iter()).position(|offer| offer.id() == suggestion)?;
        let place = self.place.as_ref()?;
        let expected = self.hypotheses.as_ref().and_then(Hypotheses::suggestion);
        // If the suggestion was typed along, the hypotheses are already where they should be.
        if expected == Some(suggestion) || !self.offers[shown].is_at(place) {
            return None;
        }
        let mut offers = std::mem::take(&mut self.offers);
        offers[..=shown].rotate_right(1);
        Some(offers)
    }

    /// Records an accept. It may be reported before the changed text: the hypotheses move with
    /// whichever comes first.
    pub fn accepted(
        &mut self,
        suggestion: SuggestionId,
        accepts: Option<NonZeroUsize>,
        stats: &mut Stats,
    ) {
        if let Some(accepted) = self.gone.take(suggestion, stats)
            && let Some(accepts) = accepts
            && self.request.is_none()
            && let Some(place) = &self.place
            && is_same_text(&place.document, &accepted.at.document, accepted.at.cursor)
        {
            self.hypotheses = Some(Hypotheses::after(suggestion, accepted, accepts));
        }
        let hypotheses = self.hypotheses.as_mut();
        if let Some(place) = hypotheses.and_then(|expected| expected.accepted(suggestion)) {
            self.place = Some(place);
        }
        // If the editor has other suggestions by now, the change to come is counted for one of them.
        (self.counted).take_if(|offer| offer.id() == suggestion && !offer.is_complete());
        self.report(suggestion, |offer| offer.report_whole(stats));
    }

    /// Applies an editor's report to the offer of a suggestion.
    pub fn report(&mut self, suggestion: SuggestionId, mut apply: impl FnMut(&mut Offer)) {
        let offers = self.offers.iter_mut().chain(&mut self.counted);
        for offer in offers.filter(|offer| offer.id() == suggestion) {
            apply(offer);
        }
    }

    /// Records that the user dismissed what was shown.
    pub fn dismiss(&mut self, stats: &mut Stats) {
        self.hypotheses = None;
        stats.dismissed += u64::from(!self.offers.is_empty());
        self.forget_offers();
    }

    /// Follows a change of the text with the suggestions that the editor has. Returns the cursor,
    /// if one of them determines it.
    fn follow_offers(&mut self, change: &ChangeReading<'_>, stats: &mut Stats) -> Option<Offset> {
        let (mut along, mut away, mut cursor) = (None, None, None);
        let mut gone = Vec::new();
        self.counted = None;
        let offers = std::mem::take(&mut self.offers);
        // The offers are in the editor's order, and the accepted one is the first that agrees.
        for mut offer in offers.into_iter().filter(|offer| !offer.is_complete()) {
            let at = match offer.follow(change) {
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
            if !offer.is_complete() {
                self.offers.push(offer);
            } else if offer.is_counted() {
                self.counted = Some(offer);
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

    /// Records that the editor has no suggestions any more. A report of the latest change may still
    /// come.
    fn forget_offers(&mut self) {
        if let Some(counted) = self.offers.drain(..).find(Offer::is_counted) {
            self.counted = Some(counted);
        }
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
            .position(|offer| offer.id() == suggestion)?;
        let offer = self.offers.swap_remove(at);
        if std::mem::take(&mut self.has_diverged) {
            stats.diverged -= 1;
        }
        stats.count_outcome(Outcome::AcceptedAll);
        Some(offer.into_accepted())
    }
}
