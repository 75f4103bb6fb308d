//! Prints the measurements as text, with a column for each number of threads.

use std::{
    io::{self, Write},
    time::Duration,
};

use console::style;

use super::{
    costs::FittedCosts,
    report::{BenchReport, Memory, QUANTILES, Quantiles, ms, step_ratio},
    speed::{BRANCHES, CUT, DEPTHS, Decode, PREFILLS, Prefill, Speed},
    wait::WaitSamples,
};
use crate::output;

/// Width of a row's name, in characters.
const NAME: usize = 30;
/// Width of a bar, in characters.
const BAR: usize = 12;

impl BenchReport {
    /// Prints the report as text.
    ///
    /// # Errors
    /// When `out` cannot be written.
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
            ("with keys and values kept", self.memory.resident),
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
            let name = format!("after {depth} tokens");
            self.row(out, &name, largest, figure, rate)?;
        }
        section(out, "A step of it, median / 99th percentile")?;
        for depth in DEPTHS {
            let cells = self.speeds.values().map(|speed| {
                let steps = &speed.decode.get(&depth)?.steps;
                let [p50, _, p99, _] = Quantiles::new(steps).0;
                Some(format!("{} / {}", short(p50), short_ms(p99)))
            });
            line(out, &format!("after {depth} tokens"), cells)?;
        }
        Ok(())
    }

    fn print_comparisons(&self, out: &mut impl Write) -> io::Result<()> {
        section(
            out,
            "Sequences in one pass after 512 shared tokens, of one alone",
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
            let FittedCosts { fixed, row, .. } = speed.costs;
            Some(format!(
                "{} + {} n",
                short_ms(fixed * 1e3),
                short(row * 1e3)
            ))
        });
        line(out, "costs", cells)?;
        let depth = self.speeds.values().find_map(|speed| speed.cut.as_ref());
        let depth = depth.map_or(CUT, |cut| cut.depth);
        section(out, "First token after a cut, of a plain step")?;
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
            let (idle, busy) = (waits.idle.quantiles(), waits.busy.quantiles());
            let without_core = |samples: &WaitSamples| {
                let times = &samples.without_core;
                (!times.is_empty()).then(|| Quantiles::new(times))
            };
            for (name, quantiles, samples) in [
                ("nothing else runs", Some(idle), Some(&waits.idle)),
                ("  of it without a core", without_core(&waits.idle), None),
                ("during speculation", Some(busy), Some(&waits.busy)),
                ("  of it without a core", without_core(&waits.busy), None),
                ("difference", Some(busy.beyond(idle)), None),
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

    /// Prints a figure for each number of threads, with a bar.
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

fn section(out: &mut impl Write, title: &str) -> io::Result<()> {
    writeln!(out, "\n{}", style(title).bold())
}

/// Prints a text for each number of threads.
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
