//! The answer to `tabahead/stats`: figures and a model's name, never text, a path or a document's
//! address.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tabahead_backend::{ModelState, TokenCounters};
use tabahead_speculation::{Origin, Stats};

/// The sources of all figures.
pub(crate) struct FigureSources<'a> {
    pub(crate) speculator: &'a Stats,
    pub(crate) counters: TokenCounters,
    pub(crate) model: &'a ModelState,
    pub(crate) session: SessionCounts,
    pub(crate) latencies: &'a Latencies,
    pub(crate) settings_digest: String,
    pub(crate) speculation_enabled: bool,
    pub(crate) version: &'a str,
    pub(crate) pid: u32,
    pub(crate) uptime: Duration,
}

/// What the session counts itself, because the Speculator never sees it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SessionCounts {
    /// Completion requests from the editor.
    pub(crate) requests: u64,
    /// Requests for documents that get no suggestions.
    pub(crate) unsuitable: u64,
    /// Requests superseded or cancelled while the model was still loading.
    pub(crate) superseded: u64,
    /// Requests that failed because there was no model.
    pub(crate) failed: u64,
    /// Suggestions whose command the editor ran.
    pub(crate) accepted: u64,
    /// Token events received from the backend.
    pub(crate) tokens_received: u64,
    /// Prompt tokens that the backend reported in its events.
    pub(crate) prompt_received: u64,
    /// Documents that are open now.
    pub(crate) documents: u64,
    /// Time that answers computed ahead have saved, compared with misses.
    pub(crate) saved: Duration,
}

/// The most recent times from a request's arrival to its answer, by origin.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    miss: VecDeque<Duration>,
    joined: VecDeque<Duration>,
    exact: VecDeque<Duration>,
    typed_through: VecDeque<Duration>,
    speculated: VecDeque<Duration>,
}

/// Number of times kept per origin.
const TIMES: usize = 1024;

impl Latencies {
    pub(crate) fn add(&mut self, origin: Origin, time: Duration) {
        let times = match origin {
            Origin::Miss => &mut self.miss,
            Origin::Joined => &mut self.joined,
            Origin::Exact => &mut self.exact,
            Origin::TypedThrough => &mut self.typed_through,
            Origin::Speculated => &mut self.speculated,
        };
        if times.len() == TIMES {
            times.pop_front();
        }
        times.push_back(time);
    }

    /// Returns how much longer than `time` a computed answer takes: compares it with the median of
    /// the misses. Zero before there was a miss.
    pub(crate) fn saved(&self, time: Duration) -> Duration {
        let mut misses: Vec<Duration> = self.miss.iter().copied().collect();
        if misses.is_empty() {
            return Duration::ZERO;
        }
        let middle = misses.len() / 2;
        let (_, median, _) = misses.select_nth_unstable(middle);
        median.saturating_sub(time)
    }
}

impl FigureSources<'_> {
    /// Returns the tokens of prompts and answers per second of computing; `None` before there were
    /// any.
    fn tokens_per_second(&self) -> Option<u64> {
        let seconds = self.counters.time.as_secs_f64();
        (seconds > 0.0).then(|| (self.counters.timed as f64 / seconds).round() as u64)
    }

    pub(crate) fn to_json(&self) -> Value {
        let stats = self.speculator;
        let session = self.session;
        let model = match self.model {
            ModelState::Loading => json!({"state": "loading"}),
            ModelState::Ready(profile) => json!({
                "state": "ready",
                "id": profile.id,
                "context_tokens": profile.context_tokens,
            }),
            ModelState::Unusable(line) => json!({"state": "failed", "message": line}),
        };
        json!({
            "version": self.version,
            "pid": self.pid,
            "uptime_seconds": self.uptime.as_secs(),
            "model": model,
            "settings": {
                "digest": self.settings_digest,
                "speculation_enabled": self.speculation_enabled,
            },
            "documents": session.documents,
            "requests": session.requests,
            "hits": {
                "exact": stats.hits_exact,
                "typed_through": stats.hits_typed_through,
                "joined": stats.hits_joined,
                "speculated": stats.hits_speculated,
            },
            "misses": stats.misses,
            "superseded": stats.superseded + session.superseded,
            "silent": stats.silent + session.unsuitable,
            "failed": stats.failed + session.failed,
            "accepted": session.accepted,
            "saved_ms": session.saved.as_millis() as u64,
            "outcomes": {
                "accepted_all": stats.accepted_all,
                "accepted_line": stats.accepted_line,
                "accepted_word": stats.accepted_word,
                "typed_along": stats.typed_along,
                "diverged": stats.diverged,
                "dismissed": stats.dismissed,
            },
            "generations": {"running": stats.running.max(self.counters.generations)},
            "speculations": {
                "started": stats.speculations_started,
                "finished": stats.speculations_finished,
                "cancelled": stats.speculations_cancelled,
                "used": stats.speculations_used,
            },
            "reads_ahead": {
                "started": stats.reads_started,
                "finished": stats.reads_finished,
                "cancelled": stats.reads_cancelled,
            },
            "tokens": {
                "prompt": self.counters.prompt,
                "prefilled": self.counters.prefilled,
                "drafted": self.counters.drafted,
                "decoded": self.counters.decoded,
                "constrained": self.counters.constrained,
                "computed": self.counters.computed,
                "per_second": self.tokens_per_second(),
                "wasted": stats.tokens_wasted,
                "received": session.tokens_received,
                "prompt_received": session.prompt_received,
            },
            "latency": {
                "miss": quantiles(&self.latencies.miss),
                "joined": quantiles(&self.latencies.joined),
                "exact": quantiles(&self.latencies.exact),
                "typed_through": quantiles(&self.latencies.typed_through),
                "speculated": quantiles(&self.latencies.speculated),
            },
            "cache": {
                "paths": stats.cache_paths,
                "bytes": stats.cache_bytes,
                "evicted": stats.cache_evicted,
            },
            "kv": {"bytes": self.counters.kv_bytes},
        })
    }
}

/// Returns the count and nearest-rank quantiles in milliseconds; `null` if there is no sample.
fn quantiles<'a>(times: impl IntoIterator<Item = &'a Duration>) -> Value {
    let mut sorted: Vec<Duration> = times.into_iter().copied().collect();
    sorted.sort_unstable();
    let at = |percent: usize| {
        let rank = (sorted.len() * percent).div_ceil(100);
        let sample = sorted.get(rank.saturating_sub(1))?;
        // Finer than microseconds would mean nothing here.
        Some(sample.as_micros() as f64 / 1000.0)
    };
    json!({"count": sorted.len(), "p50_ms": at(50), "p90_ms": at(90), "p99_ms": at(99)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_rank() {
        let milliseconds = |n| Duration::from_millis(n);
        assert_eq!(
            quantiles(&(1..=100).rev().map(milliseconds).collect::<Vec<_>>()),
            json!({"count": 100, "p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0})
        );
        assert_eq!(
            quantiles(&[milliseconds(3)]),
            json!({"count": 1, "p50_ms": 3.0, "p90_ms": 3.0, "p99_ms": 3.0})
        );
        assert_eq!(
            quantiles(&[]),
            json!({"count": 0, "p50_ms": null, "p90_ms": null, "p99_ms": null})
        );
    }

    #[test]
    fn time_is_saved_where_an_answer_is_faster_than_one_that_is_computed() {
        let milliseconds = Duration::from_millis;
        let mut latencies = Latencies::default();
        assert_eq!(latencies.saved(milliseconds(1)), Duration::ZERO);
        for miss in [30, 10, 500] {
            latencies.add(Origin::Miss, milliseconds(miss));
        }
        assert_eq!(latencies.saved(milliseconds(1)), milliseconds(29));
        assert_eq!(latencies.saved(milliseconds(40)), Duration::ZERO);
    }
}
