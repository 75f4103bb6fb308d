//! Measures how fast the engine computes with a number of threads: prompts, tokens after them,
//! several sequences at once, and the first token after a cut.
//!
//! Compared figures are measured alternately, so that other load on the machine affects both.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use indicatif::ProgressBar;
use tabahead_engine::{EngineSettings, Model, TokenId};

use super::{
    Plan, TEXT,
    costs::FittedCosts,
    engine::{Bench, Branch, ROOM, SPAN},
};
use crate::output;

/// Lengths of the prompts that are read, in tokens.
pub const PREFILLS: [usize; 3] = [128, 512, 1024];
/// Numbers of tokens before the decoded ones.
pub const DEPTHS: [usize; 3] = [0, 512, 2048];
/// Numbers of sequences that are computed together.
pub const BRANCHES: [usize; 4] = [1, 2, 4, 8];
/// Number of tokens that they share.
pub const SHARED: usize = 512;
/// Number of tokens before the cut.
pub const CUT: usize = 1024;
/// Maximum number of tokens that are cut off.
const CUT_OFF: usize = 16;
/// Number of rows of a pass of a prompt.
const CHUNK: usize = 128;
/// Minimum number of measurements of a kind.
const LEAST: usize = 4;

/// Number of kinds of measurements per number of threads.
pub const MEASUREMENTS: usize = PREFILLS.len() + DEPTHS.len() + 2;

/// The figures of one number of threads. Those that do not fit the model's context are absent.
pub struct Speed {
    pub prefill: BTreeMap<usize, Prefill>,
    pub decode: BTreeMap<usize, Decode>,
    /// Median time of a step, by the number of sequences computed together.
    pub branches: BTreeMap<usize, Duration>,
    pub cut: Option<CutAndAppend>,
    pub costs: FittedCosts,
}

/// The time to read a prompt.
pub struct Prefill {
    /// Number of tokens: as many of the wanted ones as fit the context.
    pub tokens: usize,
    /// Median time.
    pub taken: Duration,
}

/// The times of decoding after a prompt.
pub struct Decode {
    pub steps: Vec<Duration>,
}

/// The times of a step after a cut, and of one without.
pub struct CutAndAppend {
    /// Number of tokens before the cut: as many of the wanted ones as fit the context.
    pub depth: usize,
    /// Median time after a cut.
    pub cut: Duration,
    pub plain: Duration,
}

impl Prefill {
    pub fn tokens_per_s(&self) -> f64 {
        self.tokens as f64 / self.taken.as_secs_f64()
    }
}

impl Decode {
    pub fn median(&self) -> Duration {
        output::median(&self.steps).unwrap_or_default()
    }

    pub fn tokens_per_s(&self) -> f64 {
        1.0 / self.median().as_secs_f64()
    }
}

impl CutAndAppend {
    pub fn ratio(&self) -> f64 {
        self.cut.as_secs_f64() / self.plain.as_secs_f64()
    }
}

impl Speed {
    /// Runs the measurements.
    ///
    /// # Errors
    /// When the model cannot be run.
    pub fn new(
        model: &Arc<Model>,
        settings: &EngineSettings,
        plan: &Plan,
        bar: &ProgressBar,
    ) -> Result<Self> {
        let context = model.info().context_tokens;
        let mut bench = Bench::new(model, settings, TEXT)?;
        // The first pass still has to allocate its working memory and to touch the weights.
        let first = bench.prompt(1, fitting(CHUNK, context, 1).unwrap_or(1));
        bench.prefill(first)?;

        let mut prefill = BTreeMap::new();
        // Each prompt begins elsewhere; what follows uses the place of the last one.
        let mut place = 2;
        for wanted in PREFILLS {
            if let Some(tokens) = fitting(wanted, context, 1) {
                let times = repeat(plan, plan.runs, 1, || {
                    place += 1;
                    let prompt = bench.prompt(place, tokens);
                    bench.prefill(prompt)
                })?;
                let taken = output::median(&times).unwrap_or_default();
                prefill.insert(wanted, Prefill { tokens, taken });
            }
            bar.inc(1);
        }
        let mut decode = BTreeMap::new();
        for depth in DEPTHS {
            if let Some(tokens) = fitting(depth.max(1), context, ROOM) {
                let prompt = bench.prompt(place, tokens);
                let mut branch = [bench.branch(prompt)?];
                let steps = repeat(plan, plan.steps, LEAST, || bench.step(&mut branch))?;
                bench.retire(branch);
                decode.insert(depth, Decode { steps });
            }
            bar.inc(1);
        }
        let branches = match fitting(SHARED, context, ROOM) {
            Some(tokens) => {
                let shared = bench.prompt(place, tokens);
                branches(&mut bench, plan, &shared)?
            }
            None => BTreeMap::new(),
        };
        bar.inc(1);
        let cut = match fitting(CUT, context, ROOM + CUT_OFF) {
            Some(depth) => cut(&mut bench, plan, place, depth)?,
            None => None,
        };
        bar.inc(1);
        let costs = FittedCosts::fit(&passes(&branches, prefill.get(&SHARED)));
        Ok(Self {
            prefill,
            decode,
            branches,
            cut,
            costs,
        })
    }
}

/// Returns `wanted`, or the few less that leave `room` in the context; `None` if many do not fit.
fn fitting(wanted: usize, context: usize, room: usize) -> Option<usize> {
    let tokens = wanted.min(context.saturating_sub(room));
    (tokens > 0 && tokens >= wanted - wanted / 8).then_some(tokens)
}

/// Measures `times` times, or until patience runs out, but at least `least` times.
fn repeat(
    plan: &Plan,
    times: usize,
    least: usize,
    mut measure: impl FnMut() -> Result<Duration>,
) -> Result<Vec<Duration>> {
    let started = Instant::now();
    let mut measured = Vec::new();
    while measured.len() < times.max(least) {
        measured.push(measure()?);
        if measured.len() >= least && started.elapsed() > plan.patience {
            break;
        }
    }
    Ok(measured)
}

/// Returns the median time of a step for each number of sequences.
fn branches(
    bench: &mut Bench,
    plan: &Plan,
    shared: &[TokenId],
) -> Result<BTreeMap<usize, Duration>> {
    let mut groups = Vec::new();
    for count in BRANCHES {
        let group: Result<Vec<Branch>> = (0..count).map(|_| bench.fork(shared.to_vec())).collect();
        groups.push(group?);
    }
    let mut times = vec![Vec::new(); groups.len()];
    repeat(plan, plan.rounds, LEAST, || {
        let mut round = Duration::ZERO;
        for (group, times) in groups.iter_mut().zip(&mut times) {
            let step = bench.step(group)?;
            times.push(step);
            round += step;
        }
        Ok(round)
    })?;
    bench.retire(groups.into_iter().flatten());
    let medians = times
        .iter()
        .map(|times| output::median(times).unwrap_or_default());
    Ok(BRANCHES.into_iter().zip(medians).collect())
}

/// Measures the median of a step after a cut, and of one without at the same depth.
fn cut(bench: &mut Bench, plan: &Plan, place: usize, depth: usize) -> Result<Option<CutAndAppend>> {
    let known = bench.prompt(place, depth + CUT_OFF);
    // The tokens that are cut must be known first.
    let branch = bench.branch(known.clone())?;
    bench.retire([branch]);
    // Its mean depth equals that of the cuts.
    let start = depth - (SPAN + CUT_OFF) / 2;
    let mut plain = [bench.branch(known[..start].to_vec())?];
    let (mut plains, mut cuts) = (Vec::new(), Vec::new());
    repeat(plan, plan.rounds, LEAST, || {
        let step = bench.step(&mut plain)?;
        plains.push(step);
        let kept = depth - 1 - cuts.len() % CUT_OFF;
        let cut = bench.cut_and_append(&known, kept)?;
        cuts.extend(cut);
        Ok(step + cut.unwrap_or_default())
    })?;
    bench.retire(plain);
    let medians = output::median(&cuts).zip(output::median(&plains));
    Ok(medians.map(|(cut, plain)| CutAndAppend { depth, cut, plain }))
}

/// Returns the passes whose times are known, by their rows.
fn passes(
    branches: &BTreeMap<usize, Duration>,
    prefill: Option<&Prefill>,
) -> Vec<(usize, Duration)> {
    let mut passes: Vec<_> = branches
        .iter()
        .map(|(&rows, &taken)| (rows, taken))
        .collect();
    if let Some(prefill) = prefill {
        let chunks = prefill.tokens as f64 / CHUNK as f64;
        passes.push((CHUNK, prefill.taken.div_f64(chunks)));
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_the_context_is_left_out() {
        assert_eq!(fitting(512, 1024, 64), Some(512));
        assert_eq!(fitting(1024, 1024, 64), Some(960));
        assert_eq!(fitting(2048, 1024, 64), None);
        assert_eq!(fitting(1, 1, 1), None);
    }
}
