//! `tabahead eval`: measures how often a suggestion equals the original text.
//!
//! `rows` reads the rows, the `predictor` and the copiers answer each, and `metrics` compares. This
//! module puts the figures together.

mod copier;
mod metrics;
mod observe;
mod predictor;
mod rows;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use self::{
    copier::COPIERS,
    metrics::{Confidence, Rating, Score},
    predictor::{Prediction, Predictor},
    rows::EvalRow,
};
use crate::{args::EvalArgs, config::Resolved, output, output::percent};
use anyhow::{Result, bail};
use console::style;
use serde_json::{Map, Value, json};
use tabahead_context::Suggestion;
use tabahead_session::Suitability;

/// Number of points on the curve of exact match over the share of the most confident rows.
const POINTS: u32 = 20;

/// Shares of right suggestions for which the lowest log-probability is reported.
const RIGHT: [f64; 2] = [0.3, 0.5];

/// Share of the most confident rows that the summary reports.
const NAMED_SHARE: f64 = 0.3;

/// Runs the command.
///
/// # Errors
/// When the rows or the model cannot be used or standard output is closed.
pub fn run(args: &EvalArgs, config: &Resolved) -> Result<ExitCode> {
    let mut rows = rows::read(&args.file, args.limit.unwrap_or(usize::MAX))?;
    let config = config.with_engine(&args.engine)?;
    let left_out = leave_out_private(&mut rows, &config.suitability()?);
    if left_out > 0 {
        tracing::warn!(
            rows = left_out,
            "left out: secrets, and files that are turned off"
        );
    }
    if rows.is_empty() {
        bail!(
            "{} holds only rows of secrets and of files that are turned off",
            args.file.display()
        );
    }
    if !config.settings.copying.open_files {
        rows.iter_mut().for_each(|row| row.open_files.clear());
    }
    let mut settings = config.settings.speculator();
    if let Some(least) = args.min_log_prob {
        settings.cut.least_log_prob = Some(least);
    }
    if let Some(lines) = args.anchor_lines {
        settings.context.anchor_lines = lines.get();
    }
    if let Some(file) = &args.observe {
        if args.without_suffix {
            rows.iter_mut().for_each(|row| row.suffix.clear());
        }
        observe::run(&rows, &settings, &config.local(), args, file)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut predictor = Predictor::new(settings, config.local(), args.layout)?;
    let gate = predictor.gate();
    let mut report = Report {
        model: predictor.profile().id.clone(),
        least_log_prob: gate.least_log_prob.unwrap_or(f32::NEG_INFINITY),
        least_log_prob_at_end: gate.least_log_prob_at_end,
        ..Report::default()
    };

    let started = Instant::now();
    let bar = output::progress(rows.len(), "rows");
    for row in &rows {
        // The copiers see the suffix in any case.
        let state = row.state(if args.without_suffix { "" } else { &row.suffix });
        let mut prediction = predictor.predict(&state)?;
        if args.gate && !prediction.shown {
            prediction.suggestion = None;
        }
        let alone = if predictor.copies() {
            predictor.predict_alone(&state)?
        } else {
            prediction.clone()
        };
        report.add(row, &prediction, &alone);
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.elapsed = started.elapsed();

    if args.json {
        output::json(&report.to_json())?;
    } else {
        report.print(&mut output::stdout())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes the rows of files that are not shown to a model, and those whose middle is a secret.
/// Returns how many.
fn leave_out_private(rows: &mut Vec<EvalRow>, suitability: &Suitability) -> usize {
    let all = rows.len();
    rows.retain(|row| {
        let is_private = |path: &String| suitability.is_private(path);
        !row.path.as_ref().is_some_and(is_private) && !row.has_secret_middle()
    });
    all - rows.len()
}

/// Scores on the same rows: of the suggestions, of the model alone, of each copier, and of the
/// better of the model and each copier.
#[derive(Debug, Clone, Default)]
struct Scores {
    suggested: Score,
    model: Score,
    copiers: [Score; COPIERS.len()],
    either: [Score; COPIERS.len()],
}

impl Scores {
    fn add(&mut self, suggested: Rating, model: Rating, copied: [Rating; COPIERS.len()]) {
        self.suggested.add(suggested);
        self.model.add(model);
        for (at, copied) in copied.into_iter().enumerate() {
            self.copiers[at].add(copied);
            self.either[at].add(if copied.similarity > model.similarity {
                copied
            } else {
                model
            });
        }
    }

    /// Returns the index of the copier with the most exact rows; the first one wins a tie.
    fn best_copier(&self) -> usize {
        let ranked = self.copiers.iter().enumerate().rev();
        ranked
            .max_by_key(|(_, score)| score.exact)
            .map_or(0, |(at, _)| at)
    }

    /// Builds the JSON of the scores; `copier` is the index of the copier to report.
    fn to_json(&self, copier: usize) -> Map<String, Value> {
        let part = |score: &Score| {
            json!({
                "exact": score.exact_share(),
                "edit_similarity": score.mean_similarity(),
                "kept": score.kept_per_suggestion(),
            })
        };
        Map::from_iter([
            ("rows".to_owned(), json!(self.suggested.rows)),
            ("exact".to_owned(), json!(self.suggested.exact_share())),
            (
                "edit_similarity".to_owned(),
                json!(self.suggested.mean_similarity()),
            ),
            (
                "kept".to_owned(),
                json!(self.suggested.kept_per_suggestion()),
            ),
            ("alone".to_owned(), part(&self.model)),
            ("copier".to_owned(), part(&self.copiers[copier])),
            ("either".to_owned(), part(&self.either[copier])),
        ])
    }
}

/// All measurements.
#[derive(Debug, Default)]
struct Report {
    model: String,
    all: Scores,
    single_line: Scores,
    several_lines: Scores,
    languages: BTreeMap<String, Scores>,
    least_log_prob: f32,
    least_log_prob_at_end: f32,
    /// Score of the rows that the gate lets pass.
    shown: Score,
    /// Mean log-probability and exactness of each row.
    confidence: Vec<(f32, bool)>,
    /// The same for the model alone.
    alone: Vec<(f32, bool)>,
    /// The same for the rows where the model would have ended at the cursor.
    at_end: Vec<(f32, bool)>,
    elapsed: Duration,
}

impl Report {
    fn add(&mut self, row: &EvalRow, prediction: &Prediction, alone: &Prediction) {
        let suggested = compare(row, prediction.suggestion.as_ref());
        let model = compare(row, alone.suggestion.as_ref());
        let copied = COPIERS.map(|copier| {
            let copied = copier.copy(&row.prefix, &row.suffix, &row.open_files);
            Rating::new(&copied, &row.middle)
        });
        self.all.add(suggested, model, copied);
        let lines = if row.middle.trim_end().contains('\n') {
            &mut self.several_lines
        } else {
            &mut self.single_line
        };
        lines.add(suggested, model, copied);
        let language = self.languages.entry(row.language.clone()).or_default();
        language.add(suggested, model, copied);
        if prediction.shown {
            self.shown.add(suggested);
        }
        let sure = (prediction.mean_log_prob, suggested.exact);
        self.confidence.push(sure);
        if prediction.at_end {
            self.at_end.push(sure);
        }
        self.alone.push((alone.mean_log_prob, model.exact));
    }

    fn shown_share(&self) -> f64 {
        self.shown.rows as f64 / self.all.model.rows.max(1) as f64
    }

    /// Returns, for the rows where the model would have ended at the cursor, the share that the
    /// gate lets pass there, and the share of those that is exact.
    fn shown_at_end(&self) -> (f64, f64) {
        let surer = |&&(mean_log_prob, _): &&(f32, bool)| {
            mean_log_prob >= self.least_log_prob_at_end.max(self.least_log_prob)
        };
        let shown: Vec<_> = self.at_end.iter().filter(surer).copied().collect();
        let rows = self.at_end.len().max(1) as f64;
        (shown.len() as f64 / rows, share(&shown))
    }

    fn milliseconds_per_row(&self) -> f64 {
        self.elapsed.as_secs_f64() * 1e3 / self.all.model.rows.max(1) as f64
    }

    fn to_json(&self) -> Value {
        let copier = self.all.best_copier();
        let mut json = self.all.to_json(copier);
        let mut put = |key: &str, value: Value| json.insert(key.to_owned(), value);
        put("model", json!(self.model));
        put("single_line", self.single_line.to_json(copier).into());
        put("several_lines", self.several_lines.to_json(copier).into());
        let copiers = COPIERS.iter().zip(&self.all.copiers);
        let copiers: Map<String, Value> = copiers
            .map(|(copier, score)| (copier.name.to_owned(), json!(score.exact_share())))
            .collect();
        put("copiers", copiers.into());
        let languages = self.languages.iter();
        let languages: Map<String, Value> = languages
            .map(|(language, scores)| (language.clone(), scores.to_json(copier).into()))
            .collect();
        put("by_language", languages.into());
        put(
            "gate",
            json!({
                // JSON has no infinity: null means that all is shown.
                "least_log_prob": self.least_log_prob.is_finite().then_some(self.least_log_prob),
                "shown": self.shown_share(),
                "exact": self.shown.exact_share(),
            }),
        );
        let confidence = Confidence::new(self.confidence.clone());
        let alone = Confidence::new(self.alone.clone());
        let curve: Vec<Value> = (1..=POINTS)
            .map(|point| f64::from(point) / f64::from(POINTS))
            .map(|part| {
                json!({
                    "share": part,
                    "exact": confidence.exact_among(part),
                    "exact_alone": alone.exact_among(part),
                })
            })
            .collect();
        put("most_confident", curve.into());
        let right: Vec<Value> = RIGHT
            .iter()
            .map(|&right| {
                let least = confidence.least_for(right);
                json!({
                    "right": right,
                    "least_log_prob": least.map(|(least, _)| least),
                    "shown": least.map(|(_, shown)| shown),
                })
            })
            .collect();
        put("right", right.into());
        let (shown, exact) = self.shown_at_end();
        put(
            "end_of_middle",
            json!({
                "rows": self.at_end.len(),
                "exact": share(&self.at_end),
                "least_log_prob": self.least_log_prob_at_end,
                "shown": shown,
                "exact_of_shown": exact,
            }),
        );
        put("ms_per_row", json!(self.milliseconds_per_row()));
        json.into()
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let rows = self.all.model.rows;
        writeln!(
            out,
            "{} · {rows} rows · {:.1} ms per row\n",
            output::plain(&self.model),
            self.milliseconds_per_row()
        )?;
        let head = format!(
            "{:<18} {:>6}  {:>16} {:>16} {:>16} {:>16}",
            "exact / similarity", "rows", "suggested", "model alone", "best copier", "either"
        );
        writeln!(out, "{}", style(head).underlined())?;
        let copier = self.all.best_copier();
        let mut line = |name: &str, scores: &Scores| {
            let cell = |score: &Score| {
                format!(
                    "{:>7} / {:>6}",
                    percent(score.exact_share()),
                    percent(score.mean_similarity())
                )
            };
            writeln!(
                out,
                "{name:<18} {:>6}  {:>16} {:>16} {:>16} {:>16}",
                scores.model.rows,
                cell(&scores.suggested),
                cell(&scores.model),
                cell(&scores.copiers[copier]),
                cell(&scores.either[copier])
            )
        };
        line("all", &self.all)?;
        if self.several_lines.model.rows > 0 {
            line("one line", &self.single_line)?;
            line("several lines", &self.several_lines)?;
        }
        if self.languages.len() > 1 {
            for (language, scores) in &self.languages {
                line(&format!("  {language}"), scores)?;
            }
        }
        writeln!(
            out,
            "\nKept characters per suggestion: {:.1} suggested, {:.1} model alone, {:.1} copier ({}).",
            self.all.suggested.kept_per_suggestion(),
            self.all.model.kept_per_suggestion(),
            self.all.copiers[copier].kept_per_suggestion(),
            COPIERS[copier].name
        )?;
        let confidence = Confidence::new(self.confidence.clone());
        writeln!(
            out,
            "Most confident {:.0} %: {} exact.",
            NAMED_SHARE * 100.0,
            percent(confidence.exact_among(NAMED_SHARE))
        )?;
        for right in RIGHT {
            if let Some((least, shown)) = confidence.least_for(right) {
                writeln!(
                    out,
                    "From {least:.2} on, {} are exact: {} of all.",
                    percent(right),
                    percent(shown)
                )?;
            }
        }
        if self.least_log_prob.is_finite() {
            writeln!(
                out,
                "With the gate at {}: {} shown, {} of them exact.",
                self.least_log_prob,
                percent(self.shown_share()),
                percent(self.shown.exact_share())
            )?
        } else {
            writeln!(
                out,
                "No gate is set: {} shown, {} of them exact.",
                percent(self.shown_share()),
                percent(self.shown.exact_share())
            )?
        }
        let (shown, exact) = self.shown_at_end();
        writeln!(
            out,
            "Where the model would have ended ({} of the rows): {} exact; {} shown by the gate at {}, {} of \
             them exact.",
            percent(self.at_end.len() as f64 / rows.max(1) as f64),
            percent(share(&self.at_end)),
            percent(shown),
            self.least_log_prob_at_end,
            percent(exact)
        )
    }
}

/// Returns the share of exact rows.
fn share(rows: &[(f32, bool)]) -> f64 {
    let exact = rows.iter().filter(|(_, exact)| *exact).count();
    exact as f64 / rows.len().max(1) as f64
}

/// Compares a suggestion with the row's middle.
///
/// A suggestion may cover closers after the cursor (`a, b)` over `)`). If it ends with them, its
/// text without them is compared; if it continues after them, it is compared with the middle
/// followed by what it covers.
fn compare(row: &EvalRow, suggestion: Option<&Suggestion>) -> Rating {
    let Some(suggestion) = suggestion else {
        return Rating::new("", &row.middle);
    };
    let covered = suggestion.range.end.0 - suggestion.range.start.0;
    let covered = row.suffix.get(..covered).unwrap_or_default();
    let text = suggestion.text.as_str();
    match text.strip_suffix(covered) {
        Some(inserted) => Rating::new(inserted, &row.middle),
        None => Rating::new(text, &format!("{}{covered}", row.middle)),
    }
}

#[cfg(test)]
mod tests {
    use tabahead_text::Offset;

    use super::*;

    #[track_caller]
    fn check(fixture: &str, text: &str, covers: usize, exact: bool) {
        let parts: Vec<&str> = fixture.split('|').collect();
        let row = EvalRow {
            prefix: parts[0].to_owned(),
            middle: parts[1].to_owned(),
            suffix: parts[2].to_owned(),
            language: "rust".to_owned(),
            path: None,
            open_files: Vec::new(),
        };
        let cursor = row.prefix.len();
        let suggestion = Suggestion {
            range: Offset(cursor)..Offset(cursor + covers),
            text: text.to_owned(),
        };
        assert_eq!(compare(&row, Some(&suggestion)).exact, exact);
    }

    #[test]
    fn a_suggestion_is_held_against_the_middle() {
        check("f(|a, b|);", "a, b", 0, true);
        check("f(|a, b|);", "a, c", 0, false);
        check("x = |1;|\n", "1;  ", 0, true);
    }

    #[test]
    fn covered_closers_are_not_part_of_what_is_inserted() {
        check("f(|a, b|);", "a, b)", 1, true);
        check("f(|a, b|);", "a, b);", 1, false);
        check("f(|a, b|);", "a)", 1, false);
    }

    #[test]
    fn silence_is_right_where_there_was_no_text() {
        let row = EvalRow {
            prefix: "a;".to_owned(),
            middle: " ".to_owned(),
            suffix: "\n".to_owned(),
            language: "c".to_owned(),
            path: None,
            open_files: Vec::new(),
        };
        let rating = compare(&row, None);
        assert!(rating.exact && !rating.suggested);
    }
}
