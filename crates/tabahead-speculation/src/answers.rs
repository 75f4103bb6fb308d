//! What the model has answered, as far as it is kept, and the decisions made from it.
//!
//! `look_up.rs` finds what is known about a state, `request.rs` decides a request's answer,
//! `alternatives.rs` its other suggestions.

mod alternatives;
mod look_up;
mod request;

use std::num::NonZeroUsize;

use lru::LruCache;
use tabahead_context::{ContextKey, View};

pub(crate) use look_up::{Knowledge, Lookup, Need, PathSource};
pub(crate) use request::Request;

use crate::{cache::SuggestionCache, known_path::KnownPath, stats::Stats};

/// Number of windows remembered as too long for the model's context.
const TOO_LONG_REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// The paths of generations that have ended or were stopped, and the windows that the backend
/// refused.
#[derive(Debug)]
pub(crate) struct KeptAnswers {
    cache: SuggestionCache,
    /// Windows that the backend refused as too long; smaller ones are tried instead.
    too_long: LruCache<ContextKey, ()>,
}

impl KeptAnswers {
    /// Creates an empty store for paths of at most `bytes` bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            cache: SuggestionCache::new(bytes),
            too_long: LruCache::new(TOO_LONG_REMEMBERED),
        }
    }

    /// Applies changed settings: paths may take this number of bytes, and which windows fit depends
    /// on the reserve.
    pub fn configure(&mut self, bytes: usize) {
        self.cache.set_budget(bytes);
        self.too_long.clear();
    }

    /// Keeps a path that does not grow any more.
    pub fn keep(&mut self, known: KnownPath) {
        if !known.is_blank() {
            self.cache.keep(known);
        }
    }

    /// Records that the backend refused a window as too long.
    pub fn refused(&mut self, window: ContextKey) {
        self.too_long.put(window, ());
    }

    fn is_too_long(&self, view: &View) -> bool {
        self.too_long.contains(&view.key)
    }

    /// Updates the counters of the cache.
    pub fn count(&self, stats: &mut Stats) {
        stats.cache_paths = self.cache.len() as u64;
        stats.cache_bytes = self.cache.bytes() as u64;
        stats.cache_evicted = self.cache.evicted();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_too_long_is_tried_again_under_other_settings() {
        let window = ContextKey(7);
        let mut answers = KeptAnswers::new(1 << 20);
        answers.refused(window);
        assert!(answers.too_long.contains(&window));
        answers.configure(1 << 20);
        assert!(!answers.too_long.contains(&window));
    }
}
