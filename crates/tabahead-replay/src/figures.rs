//! What is measured of one policy: counts and times, whatever clock they come from.
//!
//! `report.rs` makes tables and JSON of it. Definitions stand here, beside the fields.

use std::time::Duration;

use tabahead_speculation::Origin;

use crate::{editing::EditKind, user::Part};

/// Times in microseconds, all of them: four bytes each.
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

    /// Adds all of another's.
    pub fn extend(&mut self, others: &Self) {
        self.values.extend_from_slice(&others.values);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The nearest-rank quantile; `None` without any.
    pub fn quantile(&self, share: f64) -> Option<u32> {
        let mut values = self.values.clone();
        values.sort_unstable();
        let rank = (values.len() as f64 * share).ceil() as usize;
        values.get(rank.saturating_sub(1)).copied()
    }

    /// All of them together.
    pub fn sum(&self) -> u64 {
        self.values.iter().map(|&value| u64::from(value)).sum()
    }

    /// All of them, in order of size.
    pub fn sorted(&self) -> Vec<u32> {
        let mut values = self.values.clone();
        values.sort_unstable();
        values
    }
}

/// By where answers came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByOrigin<T> {
    /// A generation was started for it.
    pub miss: T,
    /// A generation ran already and was waited for.
    pub joined: T,
    /// It was known for exactly this state.
    pub exact: T,
    /// It was known, and the user typed along.
    pub typed_through: T,
    /// It was computed ahead.
    pub speculated: T,
    /// Nobody told: on the wall clock, answers that suggest nothing.
    pub untold: T,
}

impl<T> ByOrigin<T> {
    /// The one of an origin.
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

    /// All, with the names that JSON has.
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

/// What is measured of one policy over one or more recordings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests that the editor made.
    pub requests: u64,
    /// Of those, answered with a suggestion.
    pub shown: u64,
    /// Of those, answered with nothing to suggest.
    pub silent: u64,
    /// Of those, overtaken by the next change before an answer.
    pub superseded: u64,
    /// From request to answer, by where the answer came from.
    pub perceived: ByOrigin<Samples>,
    /// Suggestions accepted as a whole.
    pub accepts: u64,
    /// Suggestions accepted by line or word.
    pub partial_accepts: u64,
    /// Of the whole accepts, those behind which a fresh process would show something.
    pub with_next: u64,
    /// Of those with a next one: it was on the screen before the next change.
    pub next_ready: u64,
    /// From a whole accept to the next suggestion on the screen, where it came before the next change.
    pub accept_to_next: Samples,
    /// Of those with a next one: the request behind the accept was answered without waiting for the
    /// model.
    pub hits_after_accept: u64,
    /// Of those with a next one: it was answered by a generation that ran already.
    pub joined_after_accept: u64,
    /// Keys typed along a shown suggestion.
    pub keys_along: u64,
    /// Of those, answered without waiting for the model.
    pub hits_along: u64,
    /// Keys typed that differ from a shown suggestion.
    pub keys_diverging: u64,
    /// Of those, answered without waiting for the model.
    pub hits_diverging: u64,
    /// Suggestions that came for a text that was no longer there.
    pub stale_shows: u64,
    /// Suggestions that a fresh process would not have shown at that state.
    pub unlike_fresh: u64,
    /// Characters that accepts inserted.
    pub accepted_characters: u64,
    /// Tokens computed before anybody asked that no answer has shown or decided on.
    pub wasted_tokens: u64,
    /// Prompt tokens computed while the request waited: per key typed.
    pub prefilled_per_key: Samples,
    /// The same, for each line end typed.
    pub prefilled_per_enter: Samples,
    /// The same, for each request behind a whole accept.
    pub prefilled_per_accept: Samples,
    /// Of those, where the base stood: the prompt behind the accept is the one before it with text
    /// behind it. The base moves when an end of the window moves, when the anchor does, or when other
    /// closers are left out.
    pub prefilled_base_stood: Samples,
    /// Of those, where the base moved.
    pub prefilled_base_moved: Samples,
    /// The same, for each request behind the first change after the cursor was moved to another document or
    /// further than to the next line, and behind each change far from the cursor.
    pub prefilled_per_jump: Samples,
    /// Whole accepts by the lines that they wrote or went on with (1, 2, 3 to 5, more): those that moved the
    /// base, and all.
    pub base_moves: [[u64; 2]; 4],
    /// Of the accepts that moved the base, those whose request was answered without waiting for the
    /// model: they had been computed ahead by then.
    pub base_moves_ahead: u64,
    /// Prompt tokens computed while somebody waited, and before anybody asked.
    pub prefilled: [u64; 2],
    /// Tokens decoded while somebody waited, and before anybody asked.
    pub decoded: [u64; 2],
    /// Generations started, and given up before their end.
    pub generations: [u64; 2],
    /// Computing time: while somebody waited, and before anybody asked.
    pub busy: [Duration; 2],
    /// How long the recording lasted.
    pub lasted: Duration,
}

impl Figures {
    /// Adds what was measured of another recording.
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

    /// All times from request to answer.
    pub fn all_perceived(&self) -> Samples {
        let mut all = Samples::default();
        for (_, samples) in self.perceived.each() {
            all.extend(samples);
        }
        all
    }
}

/// A request as far as figures need it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) kind: EditKind,
    /// What was typed agreed with what was shown; `None` when nothing was shown.
    pub(crate) along: Option<bool>,
    /// It follows an accept.
    pub(crate) accept: Option<Accepted>,
}

/// An accept as far as figures need it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) part: Part,
    pub(crate) characters: usize,
    /// A fresh process would show something behind it.
    pub(crate) has_next: bool,
    /// It moved the base, where that is known.
    pub(crate) base_moves: Option<bool>,
    /// Lines that it wrote or went on with.
    pub(crate) lines: usize,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// From the request to its end.
    pub(crate) took: Duration,
    /// Where its answer came from.
    pub(crate) origin: Option<Origin>,
    /// It was answered, but nobody told from where.
    pub(crate) untold: bool,
    pub(crate) shown: bool,
    pub(crate) superseded: bool,
    /// Prompt tokens that were computed meanwhile, for people, where that is known.
    pub(crate) prefilled: Option<u64>,
}

impl Figures {
    /// Counts a request that is over.
    pub(crate) fn count(&mut self, asked: Asked, outcome: Outcome) {
        self.requests += 1;
        match (outcome.superseded, outcome.shown) {
            (true, _) => self.superseded += 1,
            (false, true) => self.shown += 1,
            (false, false) => self.silent += 1,
        }
        if outcome.origin.is_some() || outcome.untold {
            self.perceived.of(outcome.origin).add_time(outcome.took);
        }
        use Origin::{Exact, Joined, Speculated, TypedThrough};
        let hit = matches!(outcome.origin, Some(Exact | TypedThrough | Speculated));
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
            (Some(accepted), _) if accepted.part == Part::All => {
                Some(&mut self.prefilled_per_accept)
            }
            (None, EditKind::Keystroke) => Some(&mut self.prefilled_per_key),
            (None, EditKind::Enter) => Some(&mut self.prefilled_per_enter),
            (None, EditKind::Jump) => Some(&mut self.prefilled_per_jump),
            _ => None,
        };
        let prefilled = outcome.prefilled;
        let prefilled = prefilled.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
        if let (Some(samples), Some(prefilled)) = (per_request, prefilled) {
            samples.add(prefilled);
        }
        let Some(accepted) = asked.accept else { return };
        self.accepted_characters += accepted.characters as u64;
        if accepted.part != Part::All {
            self.partial_accepts += 1;
            return;
        }
        self.accepts += 1;
        if let (Some(moves), Some(prefilled)) = (accepted.base_moves, prefilled) {
            let samples = match moves {
                true => &mut self.prefilled_base_moved,
                false => &mut self.prefilled_base_stood,
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
            self.joined_after_accept += u64::from(outcome.origin == Some(Joined));
            if outcome.shown {
                self.next_ready += 1;
                self.accept_to_next.add_time(outcome.took);
            }
        }
    }
}

/// Where accepts of so many lines are counted.
fn by_lines(lines: usize) -> usize {
    match lines {
        0 | 1 => 0,
        2 => 1,
        3..=5 => 2,
        _ => 3,
    }
}
