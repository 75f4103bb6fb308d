//! What the Speculator counts.

use crate::{Origin, offer::Outcome};

/// Counters since start, as `tabahead/stats` reports them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Completion requests received.
    pub requests: u64,
    /// Answered from a path whose origin is exactly this state, not made by speculation.
    pub hits_exact: u64,
    /// Answered from an older path that the user typed along, not made by speculation.
    pub hits_typed_through: u64,
    /// Answered by a generation that was running already when the request came.
    pub hits_joined: u64,
    /// Answered at once from what speculation computed ahead.
    pub hits_speculated: u64,
    /// Needed a new generation.
    pub misses: u64,
    /// Cancelled or superseded before an answer.
    pub superseded: u64,
    /// Silent without an answer of the model (long line, too long for its context).
    pub silent: u64,
    /// Answered with the backend's failure.
    pub failed: u64,
    /// Suggestions, or the rest of them, that were accepted as a whole.
    pub accepted_all: u64,
    /// Lines of suggestions that were accepted while there was more.
    pub accepted_line: u64,
    /// Other parts of suggestions that were accepted.
    pub accepted_word: u64,
    /// Characters of suggestions that the user typed.
    pub typed_along: u64,
    /// Suggestions in whose place the user typed or deleted something else.
    pub diverged: u64,
    /// Suggestions that the user dismissed, as far as the editor reports it.
    pub dismissed: u64,
    /// Generations running now: none means that nothing is left to compute ahead.
    pub running: u64,
    /// Speculative generations: started for a hypothesis, or gone on ahead of what they answered.
    /// Each is later counted once as finished, cancelled or failed.
    pub speculations_started: u64,
    /// Speculative generations that decided a hypothesis or a request; what is decoded after
    /// that only looks further ahead.
    pub speculations_finished: u64,
    /// Speculative generations cancelled before they decided anything.
    pub speculations_cancelled: u64,
    /// Speculative generations that the backend could not run.
    pub speculations_failed: u64,
    /// Speculative generations of which an answer has read a token, or the end, at once or joined;
    /// each is counted once.
    pub speculations_used: u64,
    /// Prompts that began to be read ahead. Each is later counted once as finished, cancelled or failed.
    pub reads_started: u64,
    /// Prompts that were read ahead to their end.
    pub reads_finished: u64,
    /// Prompts of which reading ahead was given up: what was read of them is kept.
    pub reads_cancelled: u64,
    /// Prompts that the backend could not read ahead.
    pub reads_failed: u64,
    /// Tokens computed before anybody asked for them that no answer has read so far: of
    /// speculative generations, and of others what they decoded after they had answered.
    pub tokens_wasted: u64,
    /// Documents and states looked at to decide what to answer and what to compute: what decisions cost.
    pub looked_at: u64,
    /// Paths held.
    pub cache_paths: u64,
    /// Bytes held.
    pub cache_bytes: u64,
    /// Paths evicted.
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
