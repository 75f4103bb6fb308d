//! Counters that the Speculator maintains.

use crate::{Origin, documents::Outcome};

/// Counters since start, as `tabahead/stats` reports them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Completion requests received.
    pub requests: u64,
    /// Requests answered from a path whose origin is exactly this state, not made by speculation.
    pub hits_exact: u64,
    /// Requests answered from an older path that the user typed along, not made by speculation.
    pub hits_typed_through: u64,
    /// Requests answered by a generation that was already running when the request came.
    pub hits_joined: u64,
    /// Requests answered at once from what speculation had computed ahead.
    pub hits_speculated: u64,
    /// Requests that needed a new generation.
    pub misses: u64,
    /// Requests that were cancelled or superseded before an answer.
    pub superseded: u64,
    /// Requests answered with silence without asking the model (long line, too long for its
    /// context).
    pub silent: u64,
    /// Requests answered with a failure of the backend.
    pub failed: u64,
    /// Suggestions that were accepted as a whole, or whose rest was.
    pub accepted_all: u64,
    /// Lines of suggestions that were accepted while more text followed.
    pub accepted_line: u64,
    /// Other parts of suggestions that were accepted.
    pub accepted_word: u64,
    /// Characters of suggestions that the user typed.
    pub typed_along: u64,
    /// Suggestions that ended because the user typed or deleted something else.
    pub diverged: u64,
    /// Suggestions that the user dismissed, as far as the editor reports it.
    pub dismissed: u64,
    /// Generations running now; 0 means that nothing is left to compute ahead.
    pub running: u64,
    /// Speculative generations that were started for a hypothesis, or that continued ahead of what
    /// they answered. Each is later counted once as finished, cancelled or failed.
    pub speculations_started: u64,
    /// Speculative generations that decided a hypothesis or a request; tokens decoded after that
    /// only look further ahead.
    pub speculations_finished: u64,
    /// Speculative generations cancelled before they decided anything.
    pub speculations_cancelled: u64,
    /// Speculative generations that the backend could not run.
    pub speculations_failed: u64,
    /// Speculative generations whose token, or whose end, an answer has read, at once or joined.
    /// Each is counted once.
    pub speculations_used: u64,
    /// Prompts whose reading ahead was started. Each is later counted once as finished, cancelled
    /// or failed.
    pub reads_started: u64,
    /// Prompts that were read ahead to their end.
    pub reads_finished: u64,
    /// Prompts whose reading ahead was cancelled; the part that was read is kept.
    pub reads_cancelled: u64,
    /// Prompts that the backend could not read ahead.
    pub reads_failed: u64,
    /// Tokens computed before they were requested that no answer has read so far: all tokens of
    /// speculative generations, and those that other generations decoded after they had answered.
    pub tokens_wasted: u64,
    /// Documents and states examined to decide what to answer and what to compute: the cost of
    /// decisions.
    pub looked_at: u64,
    /// Paths in the cache.
    pub cache_paths: u64,
    /// Bytes in the cache.
    pub cache_bytes: u64,
    /// Paths evicted from the cache.
    pub cache_evicted: u64,
}

impl Stats {
    /// Counts what became of a suggestion.
    pub(crate) fn count_outcome(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::AcceptedAll => &mut self.accepted_all,
            Outcome::AcceptedLine => &mut self.accepted_line,
            Outcome::AcceptedWord => &mut self.accepted_word,
            Outcome::TypedAlong => &mut self.typed_along,
            Outcome::Diverged => &mut self.diverged,
        } += 1;
    }

    /// Counts an answer that a path gave.
    pub(crate) fn count_answer(&mut self, origin: Origin) {
        *match origin {
            Origin::Miss => &mut self.misses,
            Origin::Joined => &mut self.hits_joined,
            Origin::Exact => &mut self.hits_exact,
            Origin::TypedThrough => &mut self.hits_typed_through,
            Origin::Speculated => &mut self.hits_speculated,
        } += 1;
    }
}
