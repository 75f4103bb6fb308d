//! Shows what was measured: as JSON, or as a page for people.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use console::style;
use serde_json::{Map, Value, json};

use super::{
    costs::Costs,
    speed::{BRANCHES, CUT, CutAndAppend, DEPTHS, Decode, PREFILLS, Prefill, Speed},
    wait::{Samples, Wait, Waits},
};
use crate::output;

/// Characters of a row's name.
const NAME: usize = 30;
/// Characters of a bar.
const BAR: usize = 12;

/// What was measured.
pub struct Report {
    pub name: String,
    pub id: String,
    pub context_tokens: usize,
    pub instructions: &'static str,
    pub runs: usize,
    pub load: Duration,
    pub hit: Duration,
    pub memory: Memory,
    /// By threads; the last has all of them.
    pub speeds: BTreeMap<usize, Speed>,
    /// Bytes per second, by threads.
    pub bandwidths: BTreeMap<usize, f64>,
    /// Absent when no prompt fits the model's context.
    pub wait: Option<Wait>,
}

/// What is in memory.
pub struct Memory {
    pub weight_bytes: usize,
    /// Weights that are read to compute a token.
    pub bytes_per_step: usize,
    pub kv_bytes_per_token: usize,
    /// Of the largest cache.
    pub cache_bytes: Option<u64>,
    /// Of what was read to measure the bandwidth.
    pub buffer_bytes: usize,
    pub resident_after_load: Option<u64>,
    pub resident: Option<u64>,
}

impl Memory {
    /// Whether memory's bandwidth says nothing about decoding.
    fn fits_caches(&self) -> bool {
        self.cache_bytes
            .is_some_and(|bytes| self.bytes_per_step as u64 <= bytes)
    }
}

/// Quantiles of waiting, in milliseconds.
#[derive(Clone, Copy, PartialEq)]
struct Quantiles([f64; 4]);

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];

impl Quantiles {
    fn new(times: &[Duration]) -> Self {
        let at = |share| ms(output::quantile(times, share).unwrap_or_default());
        Self(QUANTILES.map(|(_, share)| at(share)))
    }

    /// How much longer each is than with nothing else running.
    fn beyond(self, idle: Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] - idle.0[index]))
    }

    fn json(self) -> Map<String, Value> {
        let pairs = QUANTILES.iter().zip(self.0);
        pairs
            .map(|((name, _), value)| ((*name).to_owned(), json!(value)))
            .collect()
    }
}

impl Samples {
    fn quantiles(&self) -> Quantiles {
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

impl Report {
    /// Everything; times are in milliseconds where the name does not say otherwise.
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

    /// Part of the bandwidth that decoding a short text takes; `None` when weights need not come
    /// from memory.
    fn share(&self, threads: usize, speed: &Speed) -> Option<f64> {
        let decode = speed.decode.values().next()?;
        let bandwidth = self.bandwidths.get(&threads)?;
        let bytes = self.memory.bytes_per_step as f64 * decode.tokens_per_s();
        let share = bytes / bandwidth;
        (!self.memory.fits_caches() && share <= 1.0).then_some(share)
    }

    /// A page for people.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        self.print_head(out)?;
        let names = self.speeds.keys().map(|threads| match threads {
            1 => "1 thread".to_owned(),
            n => format!("{n} threads"),
        });
        let cells: String = names.map(|name| format!("{name:>16}{:BAR$}", "")).collect();
        writeln!(out, "\n{:NAME$}{}", "", style(cells.trim_end()).bold())?;
        self.print_speed(out)?;
        self.print_comparisons(out)?;
        self.print_bandwidth(out)?;
        self.print_wait(out)
    }

    fn print_head(&self, out: &mut impl Write) -> io::Result<()> {
        let Memory {
            weight_bytes,
            kv_bytes_per_token,
            ..
        } = self.memory;
        let title = style(&self.name).bold();
        writeln!(out, "{title} · {}\n", self.instructions)?;
        let mut line = |what: &str, figure: String| writeln!(out, "{what:<NAME$}{figure:>16}");
        line("load", output::milliseconds(self.load))?;
        line("weights", output::bytes(weight_bytes as u64))?;
        line(
            "keys and values of a token",
            output::bytes(kv_bytes_per_token as u64),
        )?;
        for (what, bytes) in [
            ("resident after loading", self.memory.resident_after_load),
            ("resident after the run", self.memory.resident),
        ] {
            if let Some(bytes) = bytes {
                line(what, output::bytes(bytes))?;
            }
        }
        line(
            "answer that was stored",
            format!("{:.0} µs", self.hit.as_secs_f64() * 1e6),
        )
    }

    fn print_speed(&self, out: &mut impl Write) -> io::Result<()> {
        section(out, "Reading a prompt, tokens/s")?;
        for size in PREFILLS {
            let tokens = self
                .speeds
                .values()
                .find_map(|speed| speed.prefill.get(&size));
            let name = format!("{} tokens", tokens.map_or(size, |prefill| prefill.tokens));
            let figure = |speed: &Speed| speed.prefill.get(&size).map(Prefill::tokens_per_s);
            let largest = self.largest(|speed| {
                let rates = speed.prefill.values().map(Prefill::tokens_per_s);
                rates.fold(0.0, f64::max)
            });
            self.row(out, &name, largest, figure, |rate| format!("{rate:.0}"))?;
        }
        section(out, "Decoding, tokens/s")?;
        for depth in DEPTHS {
            let figure = |speed: &Speed| speed.decode.get(&depth).map(Decode::tokens_per_s);
            let largest = self.largest(|speed| {
                let rates = speed.decode.values().map(Decode::tokens_per_s);
                rates.fold(0.0, f64::max)
            });
            let name = format!("behind {depth} tokens");
            self.row(out, &name, largest, figure, rate)?;
        }
        section(out, "A step of it, median / 99th percentile")?;
        for depth in DEPTHS {
            let cells = self.speeds.values().map(|speed| {
                let steps = &speed.decode.get(&depth)?.steps;
                let [p50, _, p99, _] = Quantiles::new(steps).0;
                Some(format!("{} / {}", short(p50), short_ms(p99)))
            });
            line(out, &format!("behind {depth} tokens"), cells)?;
        }
        Ok(())
    }

    fn print_comparisons(&self, out: &mut impl Write) -> io::Result<()> {
        section(
            out,
            "Sequences in one pass behind 512 shared tokens, of one alone",
        )?;
        for count in BRANCHES {
            let ratio = |speed: &Speed| step_ratio(speed, count);
            let largest = self.largest(|speed| {
                let ratios = BRANCHES
                    .iter()
                    .filter_map(|&count| step_ratio(speed, count));
                ratios.fold(0.0, f64::max)
            });
            let step = |speed: &Speed| speed.branches.get(&count).copied().map(ms);
            let times: Vec<Option<f64>> = self.speeds.values().map(step).collect();
            let mut times = times.into_iter();
            let name = match count {
                1 => "1 sequence".to_owned(),
                n => format!("{n} sequences"),
            };
            self.row(out, &name, largest, ratio, |ratio| {
                let time = times.next().flatten().unwrap_or_default();
                format!("{} {ratio:.2}×", short_ms(time))
            })?;
        }
        section(out, "A pass of n rows, about")?;
        let cells = self.speeds.values().map(|speed| {
            let Costs { fixed, row, .. } = speed.costs;
            Some(format!(
                "{} + {} n",
                short_ms(fixed * 1e3),
                short(row * 1e3)
            ))
        });
        line(out, "costs", cells)?;
        let depth = self.speeds.values().find_map(|speed| speed.cut.as_ref());
        let depth = depth.map_or(CUT, |cut| cut.depth);
        section(out, "First token behind a cut, of a plain step")?;
        let cells = self.speeds.values().map(|speed| {
            let cut = speed.cut.as_ref()?;
            Some(format!("{} {:.2}×", short_ms(ms(cut.cut)), cut.ratio()))
        });
        line(out, &format!("at depth {depth}"), cells)
    }

    fn print_bandwidth(&self, out: &mut impl Write) -> io::Result<()> {
        section(out, "Memory")?;
        let name = format!("reading {}", output::bytes(self.memory.buffer_bytes as u64));
        let cells = self.speeds.keys().map(|threads| {
            let bandwidth = self.bandwidths.get(threads)?;
            Some(format!("{:.1} GB/s", bandwidth / 1e9))
        });
        line(out, &name, cells)?;
        if self.memory.fits_caches() {
            return writeln!(
                out,
                "  The model fits the caches: memory's bandwidth does not bound decoding."
            );
        }
        let cells = self.speeds.iter().map(|(&threads, speed)| {
            let share = self.share(threads, speed)?;
            Some(output::percent(share))
        });
        line(out, "decoding's share of it", cells)
    }

    fn print_wait(&self, out: &mut impl Write) -> io::Result<()> {
        section(out, "Wait for a first token, ms")?;
        let Some(wait) = &self.wait else {
            return writeln!(out, "  No prompt fits the model's context.");
        };
        let names = QUANTILES.map(|(name, _)| format!("{name:>9}")).concat();
        for (what, waits) in [
            ("all known", &wait.known),
            ("one token to compute", &wait.one_step),
        ] {
            writeln!(out, "  {what:<28}{names}{:>9}", "samples")?;
            let (idle, behind) = (waits.idle.quantiles(), waits.behind.quantiles());
            let without_core = |samples: &Samples| {
                let times = &samples.without_core;
                (!times.is_empty()).then(|| Quantiles::new(times))
            };
            for (name, quantiles, samples) in [
                ("nothing else runs", Some(idle), Some(&waits.idle)),
                ("  of it without a core", without_core(&waits.idle), None),
                ("behind speculation", Some(behind), Some(&waits.behind)),
                ("  of it without a core", without_core(&waits.behind), None),
                ("difference", Some(behind.beyond(idle)), None),
            ] {
                let Some(Quantiles(figures)) = quantiles else {
                    continue;
                };
                let figures: String = figures.iter().map(|v| format!("{v:>9.2}")).collect();
                let samples = samples.map(|samples| format!("{:>9}", samples.waits.len()));
                let samples = samples.unwrap_or_default();
                writeln!(out, "    {name:<26}{figures}{samples}")?;
            }
        }
        Ok(())
    }

    fn largest(&self, figure: impl Fn(&Speed) -> f64) -> f64 {
        self.speeds.values().map(figure).fold(0.0, f64::max)
    }

    /// A figure for each number of threads, with a bar.
    fn row(
        &self,
        out: &mut impl Write,
        name: &str,
        largest: f64,
        figure: impl Fn(&Speed) -> Option<f64>,
        mut text: impl FnMut(f64) -> String,
    ) -> io::Result<()> {
        let cells: String = self
            .speeds
            .values()
            .map(|speed| match figure(speed) {
                Some(value) => {
                    let bar = output::bar(value / largest, BAR - 2);
                    format!("{:>16} {} ", text(value), style(bar).cyan())
                }
                None => format!("{:>16}{:BAR$}", "-", ""),
            })
            .collect();
        writeln!(
            out,
            "  {name:<width$}{}",
            cells.trim_end(),
            width = NAME - 2
        )
    }
}

/// The figures that are the same alone and among the details.
fn figures(speed: &Speed) -> Map<String, Value> {
    let branches = by(&BRANCHES, |count| {
        Some(json!({
            "step_ms": ms(*speed.branches.get(&count)?),
            "step_ratio": step_ratio(speed, count),
        }))
    });
    let Costs { fixed, row, error } = speed.costs;
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

/// With everything known at the top, because that is the promise.
fn wait_json(wait: &Wait) -> Value {
    let mut report = waits_json(&wait.known);
    report.insert("one_step".to_owned(), json!(waits_json(&wait.one_step)));
    Value::Object(report)
}

fn waits_json(waits: &Waits) -> Map<String, Value> {
    let (idle, behind) = (waits.idle.quantiles(), waits.behind.quantiles());
    [
        ("idle", waits.idle.json()),
        ("behind_speculation", waits.behind.json()),
        ("difference", Value::Object(behind.beyond(idle).json())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// An object with a value, or null, for each of some numbers.
fn by(numbers: &[usize], value: impl Fn(usize) -> Option<Value>) -> Value {
    let pairs = numbers
        .iter()
        .map(|&number| (number.to_string(), json!(value(number))));
    Value::Object(pairs.collect())
}

fn step_ratio(speed: &Speed, count: usize) -> Option<f64> {
    let (one, many) = (speed.branches.get(&1)?, speed.branches.get(&count)?);
    Some(many.as_secs_f64() / one.as_secs_f64())
}

fn section(out: &mut impl Write, title: &str) -> io::Result<()> {
    writeln!(out, "\n{}", style(title).bold())
}

/// A text for each number of threads.
fn line(
    out: &mut impl Write,
    name: &str,
    cells: impl Iterator<Item = Option<String>>,
) -> io::Result<()> {
    let cells: String = cells
        .map(|cell| {
            let cell = cell.unwrap_or("-".to_owned());
            format!("{cell:>16}{:BAR$}", "")
        })
        .collect();
    writeln!(
        out,
        "  {name:<width$}{}",
        cells.trim_end(),
        width = NAME - 2
    )
}

fn rate(tokens_per_s: f64) -> String {
    match tokens_per_s {
        rate if rate < 100.0 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    }
}

fn short(milliseconds: f64) -> String {
    short_ms(milliseconds).trim_end_matches(" ms").to_owned()
}

fn short_ms(milliseconds: f64) -> String {
    output::milliseconds(Duration::from_secs_f64(milliseconds.max(0.0) / 1e3))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
