//! What the Speculator counts.

use std::time::Duration;

use crate::Origin;

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
    /// Generations running now: none means that nothing is left to compute ahead.
    pub running: u64,
    /// Speculative generations started. Each is later counted once as finished, cancelled or
    /// failed.
    pub speculations_started: u64,
    /// Speculative generations that decided a hypothesis or a request; what is decoded after
    /// that only looks further ahead.
    pub speculations_finished: u64,
    /// Speculative generations cancelled before they decided anything.
    pub speculations_cancelled: u64,
    /// Speculative generations that the backend could not run.
    pub speculations_failed: u64,
    /// Speculated paths that answered a request, at once or joined; each is counted once.
    pub speculations_used: u64,
    /// Tokens computed before anybody asked for them that no answer has read so far: of
    /// speculative generations, and of others what they decoded after they had answered.
    pub tokens_wasted: u64,
    /// Paths held.
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

/// Samples kept per origin.
const SAMPLES: usize = 1024;

impl Stats {
    /// Counts an answer that a path gave.
    pub(crate) fn count_answer(&mut self, origin: Origin, latency: Duration) {
        let (counter, samples) = match origin {
            Origin::Miss => (&mut self.misses, &mut self.latencies.miss),
            Origin::Joined => (&mut self.hits_joined, &mut self.latencies.joined),
            Origin::Exact => (&mut self.hits_exact, &mut self.latencies.exact),
            Origin::TypedThrough => (
                &mut self.hits_typed_through,
                &mut self.latencies.typed_through,
            ),
            Origin::Speculated => (&mut self.hits_speculated, &mut self.latencies.speculated),
        };
        *counter += 1;
        if samples.len() == SAMPLES {
            samples.remove(0);
        }
        samples.push(latency);
    }
}
