//! The session's figures, as they are reported and published.

use std::{sync::LazyLock, time::Duration};

use serde_json::Value;
use tabahead_backend::TokenCounters;
use tabahead_speculation::{Speculator, Stats};
use tokio::time::Instant;

use super::SessionLoop;
use crate::stats::FigureSources;

/// Maximum delay between an event and the figures that include it.
const STATS_PERIOD: Duration = Duration::from_secs(2);

impl SessionLoop {
    pub(super) fn stats_are_due(&mut self) {
        if self.stats.is_some() && self.stats_due.is_none() {
            self.stats_due = Some(Instant::now() + STATS_PERIOD);
        }
    }

    pub(super) fn publish_stats(&mut self) {
        self.stats_due = None;
        if let Some(stats) = &self.stats {
            stats.send_replace(self.stats_json(self.counters()));
        }
    }

    pub(super) fn counters(&self) -> TokenCounters {
        self.backend
            .as_ref()
            .map_or_else(TokenCounters::default, |backend| backend.counters())
    }

    pub(super) fn stats_json(&self, counters: TokenCounters) -> Value {
        static NONE: LazyLock<Stats> = LazyLock::new(Stats::default);
        FigureSources {
            speculator: self.speculator.as_ref().map_or(&NONE, Speculator::stats),
            counters,
            model: &self.model(),
            session: self.counts,
            latencies: &self.latencies,
            settings_digest: self.settings.digest(),
            speculation_enabled: self.settings.speculation.enabled,
            version: self.config.version,
            pid: self.config.pid,
            uptime: self.start.elapsed(),
        }
        .to_json()
    }
}
