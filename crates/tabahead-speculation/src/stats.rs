//! What the Speculator counts.

use std::time::Duration;

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
    /// Silent without asking the model (long line, setting).
    pub silent: u64,
    /// Speculative generations started.
    pub speculations_started: u64,
    /// Speculative generations that decided their hypothesis.
    pub speculations_finished: u64,
    /// Speculative generations cancelled.
    pub speculations_cancelled: u64,
    /// Speculated results that answered a request.
    pub speculations_used: u64,
    /// Tokens of speculative generations that no request ever read, so far.
    pub tokens_wasted: u64,
    /// Paths held, and their bytes.
    pub cache_paths: u64,
    /// Bytes held.
    pub cache_bytes: u64,
    /// Paths evicted.
    pub cache_evicted: u64,
    /// Request to response by origin, newest last, bounded.
    pub latencies: Latencies,
}

/// Bounded samples of request-to-response times per origin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latencies {
    /// Samples of misses.
    pub miss: Vec<Duration>,
    /// Samples of joined answers.
    pub joined: Vec<Duration>,
    /// Samples of exact hits.
    pub exact: Vec<Duration>,
    /// Samples of typed-through hits.
    pub typed_through: Vec<Duration>,
    /// Samples of speculated hits.
    pub speculated: Vec<Duration>,
}
