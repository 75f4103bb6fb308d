//! The measurements, and their JSON. `page` prints them as text.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    costs::FittedCosts,
    speed::{BRANCHES, CutAndAppend, DEPTHS, PREFILLS, Speed},
    wait::{Wait, WaitSamples, Waits},
};
use crate::output;

/// The measurements.
pub struct BenchReport {
    pub name: String,
    pub id: String,
    pub context_tokens: usize,
    pub instructions: &'static str,
    pub runs: usize,
    pub load: Duration,
    pub hit: Duration,
    pub memory: Memory,
    /// Speed by number of threads; the last entry uses all of them.
    pub speeds: BTreeMap<usize, Speed>,
    /// Memory bandwidth in bytes per second, by number of threads.
    pub bandwidths: BTreeMap<usize, f64>,
    /// The waits for a first token; absent when no prompt fits the model's context.
    pub wait: Option<Wait>,
}

/// The sizes of what is in memory.
pub struct Memory {
    pub weight_bytes: usize,
    /// Bytes of weights that are read to compute a token.
    pub bytes_per_step: usize,
    pub kv_bytes_per_token: usize,
    pub layers: usize,
    /// Size of the largest cache.
    pub cache_bytes: Option<u64>,
    /// Size of the buffer that was read to measure the bandwidth.
    pub buffer_bytes: usize,
    pub resident_after_load: Option<u64>,
    pub resident: Option<u64>,
}

impl Memory {
    /// Reports whether the weights fit the caches, so that memory bandwidth does not bound
    /// decoding.
    pub fn fits_caches(&self) -> bool {
        self.cache_bytes
            .is_some_and(|bytes| self.bytes_per_step as u64 <= bytes)
    }
}

/// Quantiles of a time, in milliseconds.
#[derive(Clone, Copy, PartialEq)]
pub struct Quantiles(pub [f64; 4]);

pub const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];

impl Quantiles {
    pub fn new(times: &[Duration]) -> Self {
        let at = |share| ms(output::quantile(times, share).unwrap_or_default());
        Self(QUANTILES.map(|(_, share)| at(share)))
    }

    /// Returns how much longer each quantile is than with nothing else running.
    pub fn beyond(self, idle: Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] - idle.0[index]))
    }

    fn json(self) -> Map<String, Value> {
        let pairs = QUANTILES.iter().zip(self.0);
        pairs
            .map(|((name, _), value)| ((*name).to_owned(), json!(value)))
            .collect()
    }
}

impl WaitSamples {
    pub fn quantiles(&self) -> Quantiles {
        Quantiles::new(&self.waits)
    }

    fn json(&self) -> Value {
        let mut json = self.quantiles().json();
        json.insert("samples".to_owned(), json!(self.waits.len()));
        if !self.without_core.is_empty() {
            let quantiles = Quantiles::new(&self.without_core).json();
            json.insert("without_core".to_owned(), Value::Object(quantiles));
        }
        Value::Object(json)
    }
}

impl BenchReport {
    /// Returns everything as JSON; times are in milliseconds unless the name says otherwise.
    pub fn json(&self) -> Value {
        let details: Map<String, Value> = self
            .speeds
            .iter()
            .map(|(threads, speed)| (threads.to_string(), self.details(*threads, speed)))
            .collect();
        let all = self.speeds.last_key_value();
        let bandwidth = all.map(|(threads, speed)| self.bandwidth(*threads, speed));
        let mut report = json!({
            "model": self.id,
            "context_tokens": self.context_tokens,
            "instructions": self.instructions,
            "runs": self.runs,
            "load_ms": ms(self.load),
            "resident_after_load_bytes": self.memory.resident_after_load,
            "resident_bytes": self.memory.resident,
            "weight_bytes": self.memory.weight_bytes,
            "weight_bytes_per_step": self.memory.bytes_per_step,
            "weights_fit_caches": self.memory.fits_caches(),
            "kv_bytes_per_token": self.memory.kv_bytes_per_token,
            "layers": self.memory.layers,
            "cache_bytes": self.memory.cache_bytes,
            "bandwidth_buffer_bytes": self.memory.buffer_bytes,
            "bandwidth": bandwidth,
            "hit_us": self.hit.as_secs_f64() * 1e6,
            "wait": self.wait.as_ref().map(wait_json),
            "threads": details,
        });
        if let (Some((_, speed)), Some(report)) = (all, report.as_object_mut()) {
            report.extend(figures(speed));
        }
        report
    }

    fn details(&self, threads: usize, speed: &Speed) -> Value {
        let prefill = by(&PREFILLS, |size| {
            let prefill = speed.prefill.get(&size)?;
            Some(json!({
                "tokens": prefill.tokens,
                "tokens_per_s": prefill.tokens_per_s(),
                "ms": ms(prefill.taken),
            }))
        });
        let decode = by(&DEPTHS, |depth| {
            let decode = speed.decode.get(&depth)?;
            let [p50, p90, p99, max] = Quantiles::new(&decode.steps).0;
            Some(json!({
                "tokens_per_s": decode.tokens_per_s(),
                "step_p50_ms": p50,
                "step_p90_ms": p90,
                "step_p99_ms": p99,
                "step_max_ms": max,
                "steps": decode.steps.len(),
            }))
        });
        let mut details = figures(speed);
        details.insert("prefill".to_owned(), prefill);
        details.insert("decode".to_owned(), decode);
        details.insert("bandwidth".to_owned(), self.bandwidth(threads, speed));
        Value::Object(details)
    }

    fn bandwidth(&self, threads: usize, speed: &Speed) -> Value {
        let bandwidth = self.bandwidths.get(&threads);
        json!({
            "gb_per_s": bandwidth.map(|bytes| bytes / 1e9),
            "decode_share": self.share(threads, speed),
        })
    }

    /// Returns the share of the bandwidth that decoding a short text uses; `None` when weights need
    /// not come from memory.
    pub fn share(&self, threads: usize, speed: &Speed) -> Option<f64> {
        let decode = speed.decode.values().next()?;
        let bandwidth = self.bandwidths.get(&threads)?;
        let bytes = self.memory.bytes_per_step as f64 * decode.tokens_per_s();
        let share = bytes / bandwidth;
        (!self.memory.fits_caches() && share <= 1.0).then_some(share)
    }
}

/// Returns the figures that appear both at the top level and among the details.
fn figures(speed: &Speed) -> Map<String, Value> {
    let branches = by(&BRANCHES, |count| {
        Some(json!({
            "step_ms": ms(*speed.branches.get(&count)?),
            "step_ratio": step_ratio(speed, count),
        }))
    });
    let FittedCosts { fixed, row, error } = speed.costs;
    let figures = [
        (
            "prefill",
            by(&PREFILLS, |size| {
                Some(json!(speed.prefill.get(&size)?.tokens_per_s()))
            }),
        ),
        (
            "decode",
            by(&DEPTHS, |depth| {
                Some(json!(speed.decode.get(&depth)?.tokens_per_s()))
            }),
        ),
        ("branches", branches),
        ("cut_and_append", json!(speed.cut.as_ref().map(cut_json))),
        (
            "costs",
            json!({"fixed_ms": fixed * 1e3, "row_ms": row * 1e3, "largest_error": error}),
        ),
    ];
    figures
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn cut_json(cut: &CutAndAppend) -> Value {
    json!({
        "depth": cut.depth,
        "cut_step_ms": ms(cut.cut),
        "plain_step_ms": ms(cut.plain),
        "ratio": cut.ratio(),
    })
}

/// Builds the JSON of the waits. Those with everything known are at the top level, because they are
/// the promise.
fn wait_json(wait: &Wait) -> Value {
    let mut report = waits_json(&wait.known);
    report.insert("one_step".to_owned(), json!(waits_json(&wait.one_step)));
    Value::Object(report)
}

fn waits_json(waits: &Waits) -> Map<String, Value> {
    let (idle, busy) = (waits.idle.quantiles(), waits.busy.quantiles());
    [
        ("idle", waits.idle.json()),
        ("during_speculation", waits.busy.json()),
        ("difference", Value::Object(busy.beyond(idle).json())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Builds an object with a value, or null, for each of `numbers`.
fn by(numbers: &[usize], value: impl Fn(usize) -> Option<Value>) -> Value {
    let pairs = numbers
        .iter()
        .map(|&number| (number.to_string(), json!(value(number))));
    Value::Object(pairs.collect())
}

/// Returns the time of a step of `count` sequences, relative to a step of one.
pub fn step_ratio(speed: &Speed, count: usize) -> Option<f64> {
    let (one, many) = (speed.branches.get(&1)?, speed.branches.get(&count)?);
    Some(many.as_secs_f64() / one.as_secs_f64())
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
