//! Figures as JSON and as tables. The fields are described in `docs/replay.md`.

use serde_json::{Map, Value, json};

use crate::{
    figures::{Figures, Samples},
    policy::PolicyName,
    simulation::RunResult,
};

/// Version of the JSON; grows when a field changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// The results of one recording.
#[derive(Debug)]
pub struct RecordingResults {
    /// The file's name.
    pub name: String,
    /// Result of each policy.
    pub policies: Vec<(PolicyName, RunResult)>,
}

/// Adds up the figures of each policy over recordings.
pub fn pooled(recordings: &[RecordingResults]) -> Vec<(PolicyName, Figures)> {
    let mut pooled: Vec<(PolicyName, Figures)> = Vec::new();
    for (name, RunResult { figures, .. }) in recordings.iter().flat_map(|r| &r.policies) {
        match pooled.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => sum.add(figures),
            None => pooled.push((*name, figures.clone())),
        }
    }
    pooled
}

/// Returns the policies' figures as JSON, by name.
pub fn policies_json<'a>(policies: impl IntoIterator<Item = (PolicyName, &'a Figures)>) -> Value {
    let policies = policies.into_iter();
    let named = policies.map(|(name, figures)| (name.as_str().to_owned(), figures_json(figures)));
    Value::Object(named.collect::<Map<_, _>>())
}

/// Returns the figures of one policy as JSON.
pub fn figures_json(figures: &Figures) -> Value {
    let mut perceived = Map::new();
    perceived.insert("all".to_owned(), times(&figures.all_perceived()));
    for (name, samples) in figures.perceived.each() {
        perceived.insert(name.to_owned(), times(samples));
    }
    let [busy, busy_ahead] = figures.busy.map(|time| time.as_secs_f64());
    json!({
        "requests": figures.requests,
        "shown": figures.shown,
        "silent": figures.silent,
        "superseded": figures.superseded,
        "perceived_ms": perceived,
        "accepts": figures.accepts,
        "partial_accepts": figures.partial_accepts,
        "accepts_with_next": figures.with_next,
        "non_empty_next_share": share(figures.with_next, figures.accepts),
        "next_ready": figures.next_ready,
        "next_ready_share": share(figures.next_ready, figures.with_next),
        "accept_to_next_ms": times(&figures.accept_to_next),
        "hit_rate_after_accept": share(figures.hits_after_accept, figures.with_next),
        "joined_rate_after_accept": share(figures.joined_after_accept, figures.with_next),
        "keys_along": figures.keys_along,
        "typed_through_rate": share(figures.hits_along, figures.keys_along),
        "keys_diverging": figures.keys_diverging,
        "hit_rate_diverging": share(figures.hits_diverging, figures.keys_diverging),
        "stale_shows": figures.stale_shows,
        "unlike_fresh": figures.unlike_fresh,
        "accepted_characters": figures.accepted_characters,
        "kept_characters_per_request": ratio(figures.accepted_characters as f64, figures.requests),
        "wasted_tokens": figures.wasted_tokens,
        "wasted_tokens_per_accept": ratio(figures.wasted_tokens as f64, figures.accepts),
        "prefilled_tokens_per_key": counts(&figures.prefilled_per_key),
        "prefilled_tokens_per_enter": counts(&figures.prefilled_per_enter),
        "prefilled_tokens_per_accept": counts(&figures.prefilled_per_accept),
        "prefilled_tokens_per_accept_base_stood": counts(&figures.prefilled_base_stood),
        "prefilled_tokens_per_accept_base_moved": counts(&figures.prefilled_base_moved),
        "prefilled_tokens_per_jump": counts(&figures.prefilled_per_jump),
        "base_moves_by_lines": base_moves(figures),
        "base_moves_ahead": figures.base_moves_ahead,
        "prefilled_tokens": {"waiting": figures.prefilled[0], "ahead": figures.prefilled[1]},
        "decoded_tokens": {"waiting": figures.decoded[0], "ahead": figures.decoded[1]},
        "generations": {"started": figures.generations[0], "cancelled": figures.generations[1]},
        "cpu_seconds": {"waiting": busy, "ahead": busy_ahead},
        "cpu_seconds_per_accepted_character":
            ratio(busy + busy_ahead, figures.accepted_characters),
        "recorded_seconds": figures.lasted.as_secs_f64(),
    })
}

/// Returns count and nearest-rank quantiles in milliseconds.
fn times(samples: &Samples) -> Value {
    let at = |share| {
        samples
            .quantile(share)
            .map(|micros| f64::from(micros) / 1e3)
    };
    json!({"count": samples.len(), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99)})
}

/// Returns count, nearest-rank quantiles and mean of whole numbers.
fn counts(samples: &Samples) -> Value {
    let at = |share| samples.quantile(share);
    json!({
        "count": samples.len(),
        "p50": at(0.5),
        "p90": at(0.9),
        "mean": ratio(samples.sum() as f64, samples.len() as u64),
    })
}

/// Returns, by the number of lines that accepts wrote, how many of them moved the base, and how
/// many there were.
fn base_moves(figures: &Figures) -> Value {
    let named = ["1", "2", "3_to_5", "more"].into_iter();
    let by_lines = named
        .zip(figures.base_moves)
        .map(|(name, [moved, all])| (name.to_owned(), json!({"moved": moved, "accepts": all})));
    Value::Object(by_lines.collect())
}

fn share(part: u64, whole: u64) -> Option<f64> {
    ratio(part as f64, whole)
}

fn ratio(part: f64, whole: u64) -> Option<f64> {
    // Six digits are more than any of these numbers needs.
    (whole > 0).then(|| (part / whole as f64 * 1e6).round() / 1e6)
}

/// Formats the figure of one row for a policy.
type Cell = fn(&Figures) -> String;

/// Returns a table in Markdown, with one column per policy.
pub fn table(policies: &[(PolicyName, Figures)]) -> String {
    let mut rows: Vec<(&str, Cell)> = Vec::new();
    let mut row = |name, cell: Cell| rows.push((name, cell));
    row("requests", |f| f.requests.to_string());
    row("answered before the next change", |f| {
        percent(share(f.shown + f.silent, f.requests))
    });
    row("request to answer, p50 / p90 / p99 (ms)", |f| {
        quantiles(&f.all_perceived())
    });
    row("accepts, of them with a next suggestion", |f| {
        format!("{}, {}", f.accepts, f.with_next)
    });
    row("next suggestion there before the next change", |f| {
        percent(share(f.next_ready, f.with_next))
    });
    row("accept to next, p50 / p90 / p99 (ms)", |f| {
        quantiles(&f.accept_to_next)
    });
    row("hit rate after accept", |f| {
        percent(share(f.hits_after_accept, f.with_next))
    });
    row("keys along a suggestion served at once", |f| {
        percent(share(f.hits_along, f.keys_along))
    });
    row("diverging keys served at once", |f| {
        percent(share(f.hits_diverging, f.keys_diverging))
    });
    row("stale shows", |f| f.stale_shows.to_string());
    row("shows unlike a fresh answer", |f| {
        f.unlike_fresh.to_string()
    });
    row("kept characters per request", |f| {
        number(ratio(f.accepted_characters as f64, f.requests))
    });
    row("wasted tokens per accept", |f| {
        number(ratio(f.wasted_tokens as f64, f.accepts))
    });
    row("prompt tokens computed per key, p50 / p90", |f| {
        pair(&f.prefilled_per_key)
    });
    row("prompt tokens computed per Enter, p50 / p90", |f| {
        pair(&f.prefilled_per_enter)
    });
    row("prompt tokens computed per accept, p50 / p90", |f| {
        pair(&f.prefilled_per_accept)
    });
    row("of them where the base stood, p50 / p90", |f| {
        pair(&f.prefilled_base_stood)
    });
    row("of them where the base moved, p50 / p90", |f| {
        pair(&f.prefilled_base_moved)
    });
    row("prompt tokens computed per jump, p50 / p90", |f| {
        pair(&f.prefilled_per_jump)
    });
    row(
        "accepts that moved the base, of all, by lines 1, 2, 3 to 5, more",
        |f| {
            let moves = f.base_moves.map(|[moved, all]| format!("{moved}/{all}"));
            moves.join(", ")
        },
    );
    row("of them computed ahead", |f| f.base_moves_ahead.to_string());
    row("computing time, waited for + ahead (s)", |f| {
        let [urgent, ahead] = f.busy.map(|time| time.as_secs_f64());
        format!("{urgent:.2} + {ahead:.2}")
    });
    row("computing time per accepted character (ms)", |f| {
        let busy: f64 = f.busy.iter().map(|time| time.as_secs_f64() * 1e3).sum();
        number(ratio(busy, f.accepted_characters))
    });
    let mut table = String::from("| |");
    for (name, _) in policies {
        table += &format!(" {} |", name.as_str());
    }
    table += "\n|---|";
    table += &"---:|".repeat(policies.len());
    for (name, cell) in rows {
        table += &format!("\n| {name} |");
        for (_, figures) in policies {
            table += &format!(" {} |", cell(figures));
        }
    }
    table + "\n"
}

fn quantiles(samples: &Samples) -> String {
    let at = |share| match samples.quantile(share) {
        Some(micros) => format!("{:.1}", f64::from(micros) / 1e3),
        None => "-".to_owned(),
    };
    format!("{} / {} / {}", at(0.5), at(0.9), at(0.99))
}

fn pair(samples: &Samples) -> String {
    let at = |share| match samples.quantile(share) {
        Some(count) => count.to_string(),
        None => "-".to_owned(),
    };
    format!("{} / {}", at(0.5), at(0.9))
}

fn percent(share: Option<f64>) -> String {
    match share {
        Some(share) => format!("{:.1} %", share * 100.0),
        None => "-".to_owned(),
    }
}

fn number(value: Option<f64>) -> String {
    match value {
        Some(value) => format!("{value:.2}"),
        None => "-".to_owned(),
    }
}
