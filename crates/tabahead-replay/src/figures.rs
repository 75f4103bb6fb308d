//! The figures of one policy: counts and times, from either clock.
//!
//! `report.rs` turns them into tables and JSON. The fields' docs are the definitions.

use std::time::Duration;

use tabahead_speculation::Origin;

use crate::{editing::EditKind, user::AcceptedPart};

/// All samples of one figure, four bytes each; times are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    values: Vec<u32>,
}

impl Samples {
    /// Adds a time.
    pub fn add_time(&mut self, time: Duration) {
        self.add(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds a number.
    pub fn add(&mut self, value: u32) {
        self.values.push(value);
    }

    /// Adds all samples of `others`.
    pub fn extend(&mut self, others: &Self) {
        self.values.extend_from_slice(&others.values);
    }

    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the nearest-rank quantile; `None` without samples.
    pub fn quantile(&self, share: f64) -> Option<u32> {
        let mut values = self.values.clone();
        values.sort_unstable();
        let rank = (values.len() as f64 * share).ceil() as usize;
        values.get(rank.saturating_sub(1)).copied()
    }

    /// Returns the sum of the samples.
    pub fn sum(&self) -> u64 {
        self.values.iter().map(|&value| u64::from(value)).sum()
    }

    /// Returns the samples in ascending order.
    pub fn sorted(&self) -> Vec<u32> {
        let mut values = self.values.clone();
        values.sort_unstable();
        values
    }
}

/// A value for each origin of answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByOrigin<T> {
    /// Answers for which a generation was started.
    pub miss: T,
    /// Answers of a generation that was already running.
    pub joined: T,
    /// Answers that were known for exactly this state.
    pub exact: T,
    /// Answers that were known, after the user typed along.
    pub typed_through: T,
    /// Answers that were computed ahead.
    pub speculated: T,
    /// Answers of unknown origin: on the wall clock, those that suggest nothing.
    pub untold: T,
}

impl<T> ByOrigin<T> {
    /// Returns the value of an origin.
    pub fn of(&mut self, origin: Option<Origin>) -> &mut T {
        match origin {
            Some(Origin::Miss) => &mut self.miss,
            Some(Origin::Joined) => &mut self.joined,
            Some(Origin::Exact) => &mut self.exact,
            Some(Origin::TypedThrough) => &mut self.typed_through,
            Some(Origin::Speculated) => &mut self.speculated,
            None => &mut self.untold,
        }
    }

    /// Returns all values with their names in JSON.
    pub fn each(&self) -> [(&'static str, &T); 6] {
        [
            ("miss", &self.miss),
            ("joined", &self.joined),
            ("exact", &self.exact),
            ("typed_through", &self.typed_through),
            ("speculated", &self.speculated),
            ("untold", &self.untold),
        ]
    }
}

/// The figures of one policy over one or more recordings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Number of requests from the editor.
    pub requests: u64,
    /// Requests answered with a suggestion.
    pub shown: u64,
    /// Requests answered with nothing to suggest.
    pub silent: u64,
    /// Requests overtaken by the next change before an answer.
    pub superseded: u64,
    /// Time from request to answer, by the origin of the answer.
    pub perceived: ByOrigin<Samples>,
    /// Suggestions accepted as a whole.
    pub accepts: u64,
    /// Suggestions accepted by line or word.
    pub partial_accepts: u64,
    /// Whole accepts after which a fresh process would show something.
    pub with_next: u64,
    /// Accepts with a next suggestion that was on screen before the next change.
    pub next_ready: u64,
    /// Time from a whole accept to the next suggestion on screen, if it came before the next
    /// change.
    pub accept_to_next: Samples,
    /// Accepts with a next suggestion whose request was answered without waiting for the model.
    pub hits_after_accept: u64,
    /// Accepts with a next suggestion whose request was answered by a generation that was already
    /// running.
    pub joined_after_accept: u64,
    /// Keys typed along a shown suggestion.
    pub keys_along: u64,
    /// Keys along a suggestion that were answered without waiting for the model.
    pub hits_along: u64,
    /// Keys typed that differ from a shown suggestion.
    pub keys_diverging: u64,
    /// Diverging keys that were answered without waiting for the model.
    pub hits_diverging: u64,
    /// Suggestions that came for a text that no longer existed.
    pub stale_shows: u64,
    /// Suggestions that a fresh process would not have shown at that state.
    pub unlike_fresh: u64,
    /// Characters that accepts inserted.
    pub accepted_characters: u64,
    /// Tokens that were computed before any request asked and that no answer has shown or decided
    /// on.
    pub wasted_tokens: u64,
    /// Prompt tokens computed while the request waited, per key typed.
    pub prefilled_per_key: Samples,
    /// The same, per line end typed.
    pub prefilled_per_enter: Samples,
    /// The same, per request after a whole accept.
    pub prefilled_per_accept: Samples,
    /// Of those, accepts that left the base in place: the prompt after the accept is the one before
    /// it with text appended. The base moves when an end of the window moves, when the anchor
    /// moves, or when other closers are left out.
    pub prefilled_base_stood: Samples,
    /// Of those, accepts that moved the base.
    pub prefilled_base_moved: Samples,
    /// The same, per request after the first change since the cursor was moved to another document
    /// or further than to the next line, and after each change far from the cursor.
    pub prefilled_per_jump: Samples,
    /// Whole accepts by the number of lines that they wrote or continued (1, 2, 3 to 5, more):
    /// those that moved the base, and all.
    pub base_moves: [[u64; 2]; 4],
    /// Accepts that moved the base and whose request was answered without waiting for the model:
    /// they had been computed ahead by then.
    pub base_moves_ahead: u64,
    /// Prompt tokens computed while a request waited, and before any request asked.
    pub prefilled: [u64; 2],
    /// Tokens decoded while a request waited, and before any request asked.
    pub decoded: [u64; 2],
    /// Generations started, and given up before their end.
    pub generations: [u64; 2],
    /// Computing time while a request waited, and before any request asked.
    pub busy: [Duration; 2],
    /// Duration of the recording.
    pub lasted: Duration,
}

impl Figures {
    /// Adds the figures of another recording.
    pub fn add(&mut self, other: &Self) {
        // Destructured so that a new figure cannot be forgotten here.
        let Self {
            requests,
            shown,
            silent,
            superseded,
            perceived,
            accepts,
            partial_accepts,
            with_next,
            next_ready,
            accept_to_next,
            hits_after_accept,
            joined_after_accept,
            keys_along,
            hits_along,
            keys_diverging,
            hits_diverging,
            stale_shows,
            unlike_fresh,
            accepted_characters,
            wasted_tokens,
            prefilled_per_key,
            prefilled_per_enter,
            prefilled_per_accept,
            prefilled_base_stood,
            prefilled_base_moved,
            prefilled_per_jump,
            base_moves,
            base_moves_ahead,
            prefilled,
            decoded,
            generations,
            busy,
            lasted,
        } = other;
        for (mine, theirs) in [
            (&mut self.requests, requests),
            (&mut self.shown, shown),
            (&mut self.silent, silent),
            (&mut self.superseded, superseded),
            (&mut self.accepts, accepts),
            (&mut self.partial_accepts, partial_accepts),
            (&mut self.with_next, with_next),
            (&mut self.next_ready, next_ready),
            (&mut self.hits_after_accept, hits_after_accept),
            (&mut self.joined_after_accept, joined_after_accept),
            (&mut self.keys_along, keys_along),
            (&mut self.hits_along, hits_along),
            (&mut self.keys_diverging, keys_diverging),
            (&mut self.hits_diverging, hits_diverging),
            (&mut self.stale_shows, stale_shows),
            (&mut self.unlike_fresh, unlike_fresh),
            (&mut self.accepted_characters, accepted_characters),
            (&mut self.wasted_tokens, wasted_tokens),
            (&mut self.base_moves_ahead, base_moves_ahead),
        ] {
            *mine += theirs;
        }
        let origins = |by: &mut ByOrigin<Samples>| {
            by.miss.extend(&perceived.miss);
            by.joined.extend(&perceived.joined);
            by.exact.extend(&perceived.exact);
            by.typed_through.extend(&perceived.typed_through);
            by.speculated.extend(&perceived.speculated);
            by.untold.extend(&perceived.untold);
        };
        origins(&mut self.perceived);
        self.accept_to_next.extend(accept_to_next);
        for (mine, theirs) in [
            (&mut self.prefilled_per_key, prefilled_per_key),
            (&mut self.prefilled_per_enter, prefilled_per_enter),
            (&mut self.prefilled_per_accept, prefilled_per_accept),
            (&mut self.prefilled_base_stood, prefilled_base_stood),
            (&mut self.prefilled_base_moved, prefilled_base_moved),
            (&mut self.prefilled_per_jump, prefilled_per_jump),
        ] {
            mine.extend(theirs);
        }
        for (mine, theirs) in self.base_moves.iter_mut().zip(base_moves) {
            mine[0] += theirs[0];
            mine[1] += theirs[1];
        }
        for at in 0..2 {
            self.prefilled[at] += prefilled[at];
            self.decoded[at] += decoded[at];
            self.generations[at] += generations[at];
            self.busy[at] += busy[at];
        }
        self.lasted += *lasted;
    }

    /// Returns all times from request to answer.
    pub fn all_perceived(&self) -> Samples {
        let mut all = Samples::default();
        for (_, samples) in self.perceived.each() {
            all.extend(samples);
        }
        all
    }
}

/// The data of a request that the figures need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestFacts {
    pub(crate) kind: EditKind,
    /// Whether the typed text agreed with what was shown; `None` if nothing was shown.
    pub(crate) along: Option<bool>,
    /// The accept that the request follows, if any.
    pub(crate) accept: Option<AcceptFacts>,
}

/// The data of an accept that the figures need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AcceptFacts {
    pub(crate) part: AcceptedPart,
    pub(crate) characters: usize,
    /// Whether a fresh process would show something after it.
    pub(crate) has_next: bool,
    /// Whether it moved the base, if that is known.
    pub(crate) base_moves: Option<bool>,
    /// Number of lines that it wrote or continued.
    pub(crate) lines: usize,
}

/// What the user got from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestEnd {
    /// A suggestion.
    Shown,
    /// An answer without one.
    Silent,
    /// No answer: another request, or a cancellation, came first.
    Superseded,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestResult {
    /// Time from the request to its end.
    pub(crate) took: Duration,
    /// Origin of the answer.
    pub(crate) origin: Option<Origin>,
    /// Whether the request was answered with an unknown origin.
    pub(crate) untold: bool,
    pub(crate) end: RequestEnd,
    /// Number of prompt tokens computed meanwhile for foreground requests, if that is known.
    pub(crate) prefilled: Option<u64>,
}

impl Figures {
    /// Counts a request that is over.
    pub(crate) fn count(&mut self, asked: RequestFacts, result: RequestResult) {
        self.requests += 1;
        match result.end {
            RequestEnd::Superseded => self.superseded += 1,
            RequestEnd::Shown => self.shown += 1,
            RequestEnd::Silent => self.silent += 1,
        }
        if result.origin.is_some() || result.untold {
            self.perceived.of(result.origin).add_time(result.took);
        }
        use Origin::{Exact, Joined, Speculated, TypedThrough};
        let hit = matches!(result.origin, Some(Exact | TypedThrough | Speculated));
        match asked.along {
            Some(true) => {
                self.keys_along += 1;
                self.hits_along += u64::from(hit);
            }
            Some(false) => {
                self.keys_diverging += 1;
                self.hits_diverging += u64::from(hit);
            }
            None => {}
        }
        let per_request = match (asked.accept, asked.kind) {
            (Some(accepted), _) if accepted.part == AcceptedPart::All => {
                Some(&mut self.prefilled_per_accept)
            }
            (None, EditKind::Keystroke) => Some(&mut self.prefilled_per_key),
            (None, EditKind::Enter) => Some(&mut self.prefilled_per_enter),
            (None, EditKind::Jump) => Some(&mut self.prefilled_per_jump),
            _ => None,
        };
        let prefilled = result.prefilled;
        let prefilled = prefilled.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
        if let (Some(samples), Some(prefilled)) = (per_request, prefilled) {
            samples.add(prefilled);
        }
        let Some(accepted) = asked.accept else { return };
        self.accepted_characters += accepted.characters as u64;
        if accepted.part != AcceptedPart::All {
            self.partial_accepts += 1;
            return;
        }
        self.accepts += 1;
        if let (Some(moves), Some(prefilled)) = (accepted.base_moves, prefilled) {
            let samples = if moves {
                &mut self.prefilled_base_moved
            } else {
                &mut self.prefilled_base_stood
            };
            samples.add(prefilled);
            let [moved, all] = &mut self.base_moves[by_lines(accepted.lines)];
            *moved += u64::from(moves);
            *all += 1;
            self.base_moves_ahead += u64::from(moves && hit);
        }
        if accepted.has_next {
            self.with_next += 1;
            self.hits_after_accept += u64::from(hit);
            self.joined_after_accept += u64::from(result.origin == Some(Joined));
            if result.end == RequestEnd::Shown {
                self.next_ready += 1;
                self.accept_to_next.add_time(result.took);
            }
        }
    }
}

/// Returns the index at which accepts of `lines` lines are counted.
fn by_lines(lines: usize) -> usize {
    match lines {
        0 | 1 => 0,
        2 => 1,
        3..=5 => 2,
        _ => 3,
    }
}
