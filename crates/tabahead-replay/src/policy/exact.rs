//! The simplest cache: answers by the exact text and cursor, least recently used dropped first.
//!
//! Wraps [`AskAlways`]: a state that was answered before is answered again immediately.

use std::{collections::VecDeque, num::NonZeroUsize};

use lru::LruCache;
use tabahead_context::{ModelProfile, State};
use tabahead_speculation::{
    Answer, Effect, Input, Origin, RequestId, SpeculatorSettings, SuggestionId, Timestamp,
};
use xxhash_rust::xxh3::Xxh3;

use super::{AskAlways, Policy};

/// Maximum number of answers kept: as many as llama.vim keeps.
const ANSWERS: NonZeroUsize = NonZeroUsize::new(250).expect("not zero");

/// Remembers answers by the exact state.
pub struct Exact {
    asks: AskAlways,
    answers: LruCache<u128, Answer>,
    /// The latest request, and the hash of its state.
    asked: Option<(RequestId, u128)>,
    effects: VecDeque<Effect>,
}

impl Exact {
    /// Creates the policy for a model.
    pub fn new(settings: &SpeculatorSettings, profile: &ModelProfile) -> Self {
        Self {
            asks: AskAlways::new(settings, profile),
            answers: LruCache::new(ANSWERS),
            asked: None,
            effects: VecDeque::new(),
        }
    }
}

impl Policy for Exact {
    fn handle_input(&mut self, now: Timestamp, input: Input) {
        if let Input::CompletionRequested {
            request,
            document,
            snapshot,
            cursor,
            name,
            ..
        } = &input
        {
            let state = State {
                document: snapshot.clone(),
                cursor: *cursor,
                name: name.clone(),
            };
            let key = key(&state);
            if let Some(known) = self.answers.get(&key) {
                let answer = as_hit(known.clone());
                // A question that is still being answered is out of date.
                let (document, snapshot) = (*document, snapshot.clone());
                let changed = Input::DocumentChanged { document, snapshot };
                self.asks.handle_input(now, changed);
                self.effects
                    .extend(std::iter::from_fn(|| self.asks.poll_effect()));
                self.effects.push_back(Effect::Respond {
                    request: *request,
                    answer,
                });
                return;
            }
            self.asked = Some((*request, key));
        }
        self.asks.handle_input(now, input);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        let effect = self.asks.poll_effect()?;
        if let Effect::Respond { request, answer } = &effect
            && let Some((asked, key)) = self.asked
            && asked == *request
            && answer.origin().is_some()
        {
            self.answers.put(key, answer.clone());
        }
        Some(effect)
    }

    fn wasted_tokens(&self) -> u64 {
        0
    }
}

fn as_hit(known: Answer) -> Answer {
    let origin = Origin::Exact;
    match known {
        Answer::Suggestion { suggestion, .. } => Answer::Suggestion {
            id: SuggestionId(0),
            suggestion,
            origin,
            alternatives: Vec::new(),
        },
        Answer::Silent { reason, .. } => Answer::Silent {
            reason,
            origin: Some(origin),
        },
        other => other,
    }
}

fn key(state: &State) -> u128 {
    let mut hash = Xxh3::new();
    for part in [&state.name.file_name, &state.before(), &state.after()] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.digest128()
}
