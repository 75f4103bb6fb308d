//! The session's figures, as they are reported and published: counts, times and a model's name,
//! never text, a path or a document's address.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tabahead_backend::{ModelState, TokenCounters};
use tabahead_context::GenerationEvent;
use tabahead_speculation::{Answer, Origin, Timestamp};
use tokio::{sync::watch, time::Instant};

use super::model::SessionModel;
use crate::settings::Settings;

/// Maximum delay between an event and the published figures that include it.
const STATS_PERIOD: Duration = Duration::from_secs(2);

/// What the session counts and measures, and where it publishes it.
pub(super) struct SessionFigures {
    version: &'static str,
    pid: u32,
    counts: SessionCounts,
    latencies: Latencies,
    published: Option<watch::Sender<Value>>,
    /// When the figures must be published, if anything has changed since.
    due: Option<Instant>,
}

/// What the session counts itself, because the Speculator never sees it.
#[derive(Debug, Clone, Copy, Default)]
struct SessionCounts {
    /// Completion requests from the editor.
    requests: u64,
    /// Requests for documents that get no suggestions.
    unsuitable: u64,
    /// Requests superseded or cancelled while the model was still loading.
    superseded: u64,
    /// Requests that failed because there was no model.
    failed: u64,
    /// Suggestions whose command the editor ran.
    accepted: u64,
    /// Token events received from the backend.
    tokens_received: u64,
    /// Prompt tokens that the backend reported in its events.
    prompt_received: u64,
    /// Documents that are open now.
    documents: u64,
    /// Time that answers computed ahead have saved, compared with misses.
    saved: Duration,
}

/// The most recent times from a request's arrival to its answer, by origin.
#[derive(Debug, Default)]
struct Latencies {
    miss: VecDeque<Duration>,
    joined: VecDeque<Duration>,
    exact: VecDeque<Duration>,
    typed_through: VecDeque<Duration>,
    speculated: VecDeque<Duration>,
}

/// Number of times kept per origin.
const TIMES: usize = 1024;

impl Latencies {
    fn add(&mut self, origin: Origin, time: Duration) {
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
    fn saved(&self, time: Duration) -> Duration {
        let mut misses: Vec<Duration> = self.miss.iter().copied().collect();
        if misses.is_empty() {
            return Duration::ZERO;
        }
        let middle = misses.len() / 2;
        let (_, median, _) = misses.select_nth_unstable(middle);
        median.saturating_sub(time)
    }
}

/// What counts of an answer; taken before the answer is sent, and counted afterwards, because the
/// editor waits for it.
pub(super) struct AnswerTime {
    origin: Option<Origin>,
    is_shown: bool,
    time: Duration,
}

impl AnswerTime {
    /// Returns what counts of an answer that was waited for.
    pub(super) fn new(answer: &Answer, time: Duration) -> Self {
        Self {
            origin: answer.origin(),
            is_shown: matches!(answer, Answer::Suggestion { .. }),
            time,
        }
    }
}

impl SessionFigures {
    /// Builds the figures of a session that has just started. `published` receives them from time
    /// to time.
    pub(super) fn new(
        version: &'static str,
        pid: u32,
        published: Option<watch::Sender<Value>>,
    ) -> Self {
        Self {
            version,
            pid,
            counts: SessionCounts::default(),
            latencies: Latencies::default(),
            published,
            due: None,
        }
    }

    /// Counts a request from the editor.
    pub(super) fn requested(&mut self) {
        self.counts.requests += 1;
    }

    /// Counts a request that was superseded or cancelled while no model was ready.
    pub(super) fn superseded(&mut self) {
        self.counts.superseded += 1;
    }

    /// Counts a request for a document that gets no suggestions.
    pub(super) fn unsuitable(&mut self) {
        self.counts.unsuitable += 1;
    }

    /// Counts a request that failed because there is no model.
    pub(super) fn failed(&mut self) {
        self.counts.failed += 1;
    }

    /// Counts an accepted suggestion.
    pub(super) fn accepted(&mut self) {
        self.counts.accepted += 1;
    }

    /// Counts what an event of a generation reports.
    pub(super) fn received(&mut self, event: &GenerationEvent) {
        match event {
            GenerationEvent::Token { .. } => self.counts.tokens_received += 1,
            GenerationEvent::Started {
                prompt_tokens,
                continued,
                ..
            } => self.counts.prompt_received += (prompt_tokens + continued) as u64,
            GenerationEvent::Characters { .. }
            | GenerationEvent::Read { .. }
            | GenerationEvent::Ended { .. }
            | GenerationEvent::Failed { .. } => {}
        }
    }

    /// Counts an answer that a model gave.
    pub(super) fn answered(&mut self, answer: AnswerTime) {
        let AnswerTime {
            origin,
            is_shown,
            time,
        } = answer;
        let Some(origin) = origin else { return };
        self.latencies.add(origin, time);
        // Text typed along with a suggestion is already on screen, so it saves no waiting.
        if is_shown && matches!(origin, Origin::Exact | Origin::Speculated) {
            self.counts.saved += self.latencies.saved(time);
        }
    }

    /// Notes the number of open documents.
    pub(super) fn open_documents(&mut self, documents: usize) {
        self.counts.documents = documents as u64;
    }

    /// Drops the figures of a model that was replaced: sums over two models are meaningless.
    /// `waiting` is the number of requests that wait for the new one.
    pub(super) fn reset(&mut self, waiting: usize) {
        self.counts = SessionCounts {
            documents: self.counts.documents,
            requests: waiting as u64,
            ..SessionCounts::default()
        };
        self.latencies = Latencies::default();
    }

    /// Notes that something has changed, so that the figures must be published.
    pub(super) fn changed(&mut self) {
        if self.published.is_some() && self.due.is_none() {
            self.due = Some(Instant::now() + STATS_PERIOD);
        }
    }

    /// Returns when to publish the figures, if at all.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Publishes the figures, and again later if a generation runs: a cancelled one ends without an
    /// event.
    pub(super) fn publish(&mut self, model: &SessionModel, settings: &Settings, now: Timestamp) {
        self.due = None;
        let counters = model.counters();
        if let Some(published) = &self.published {
            published.send_replace(self.to_json(model, counters, settings, now));
        }
        if running(model, counters) > 0 {
            self.changed();
        }
    }

    /// Returns all figures at this time; `counters` are the backend's.
    pub(super) fn to_json(
        &self,
        model: &SessionModel,
        counters: TokenCounters,
        settings: &Settings,
        Timestamp(uptime): Timestamp,
    ) -> Value {
        let stats = model.stats();
        let running = running(model, counters);
        let session = self.counts;
        let model = match model.state() {
            ModelState::Loading => json!({"state": "loading"}),
            ModelState::Ready(profile) => json!({
                "state": "ready",
                "id": profile.id,
                "context_tokens": profile.context_tokens,
            }),
            ModelState::Unusable(error) => {
                json!({"state": "failed", "message": error.to_string()})
            }
        };
        json!({
            "version": self.version,
            "pid": self.pid,
            "uptime_seconds": uptime.as_secs(),
            "model": model,
            "settings": {
                "digest": settings.digest(),
                "speculation_enabled": settings.speculation.enabled,
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
            "generations": {"running": running},
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
                "prompt": counters.prompt,
                "prefilled": counters.prefilled,
                "drafted": counters.drafted,
                "decoded": counters.decoded,
                "constrained": counters.constrained,
                "computed": counters.computed,
                "per_second": tokens_per_second(counters),
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
            "kv": {"bytes": counters.kv_bytes},
        })
    }
}

/// Returns the number of generations that the Speculator waits for or the backend computes,
/// whichever is larger.
fn running(model: &SessionModel, counters: TokenCounters) -> u64 {
    model.stats().running.max(counters.generations)
}

/// Returns the tokens of prompts and answers per second of computing; `None` before there were any.
fn tokens_per_second(counters: TokenCounters) -> Option<u64> {
    let seconds = counters.time.as_secs_f64();
    (seconds > 0.0).then(|| (counters.timed as f64 / seconds).round() as u64)
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
