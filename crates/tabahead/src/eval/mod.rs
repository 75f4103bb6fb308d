//! `tabahead eval`: how often a suggestion is what really stood there.
//!
//! `rows` are read, the `predictor` and the `copier` answer each, `metrics` compares. The figures
//! are put together here.

mod copier;
mod metrics;
mod predictor;
mod rows;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;
use console::style;
use serde_json::{Map, Value, json};
use tabahead_context::Suggestion;
use tabahead_server::BufferState;
use tabahead_text::{Document, Offset, Version};

use self::{
    metrics::{Score, confidence_curve, edit_similarity, exact_match},
    predictor::{Prediction, Predictor},
    rows::Row,
};
use crate::{args::EvalArgs, config::Resolved, output, output::percent};

/// Shares of the most confident rows for which exact match is told.
const SHARES: [f64; 5] = [0.1, 0.2, 0.3, 0.5, 1.0];

/// The share that the summary names.
const NAMED_SHARE: f64 = 0.3;

/// Runs the command.
///
/// # Errors
/// When the rows or the model cannot be used or standard output is closed.
pub fn run(args: &EvalArgs, config: &Resolved) -> Result<ExitCode> {
    let rows = rows::read(&args.file, args.limit.unwrap_or(usize::MAX))?;
    let config = config.with_engine(&args.engine)?;
    let mut settings = config.settings.speculator();
    if let Some(least) = args.min_log_prob {
        settings.cut.least_log_prob = least;
    }
    let mut report = Report {
        least_log_prob: settings.cut.least_log_prob,
        least_log_prob_at_end: settings.cut.least_log_prob_at_end,
        ..Report::default()
    };
    let mut predictor = Predictor::new(settings, config.local(), args.layout)?;
    report.model = predictor.profile().id.clone();

    let started = Instant::now();
    let bar = output::progress(rows.len(), "rows");
    for row in &rows {
        let state = BufferState {
            document: Document::new(&format!("{}{}", row.prefix, row.suffix), Version(0)),
            cursor: Offset(row.prefix.len()),
            name: row.name(),
        };
        let mut prediction = predictor.predict(&state)?;
        if args.gate && !prediction.shown {
            prediction.suggestion = None;
        }
        let alone = match predictor.copies() {
            true => predictor.predict_alone(&state)?,
            false => prediction.clone(),
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

/// What is suggested, the model alone, the copier, and either of these two, on the same rows.
#[derive(Debug, Clone, Default)]
struct Scores {
    suggested: Score,
    model: Score,
    copier: Score,
    either: Score,
}

impl Scores {
    fn add(&mut self, suggested: (bool, f64), model: (bool, f64), copier: (bool, f64)) {
        self.suggested.add(suggested.0, suggested.1);
        self.model.add(model.0, model.1);
        self.copier.add(copier.0, copier.1);
        self.either.add(model.0 || copier.0, model.1.max(copier.1));
    }

    fn to_json(&self) -> Map<String, Value> {
        let part = |score: &Score| {
            json!({
                "exact": score.exact_share(),
                "edit_similarity": score.mean_similarity(),
            })
        };
        Map::from_iter([
            ("rows".to_owned(), json!(self.suggested.rows)),
            ("exact".to_owned(), json!(self.suggested.exact_share())),
            (
                "edit_similarity".to_owned(),
                json!(self.suggested.mean_similarity()),
            ),
            ("alone".to_owned(), part(&self.model)),
            ("copier".to_owned(), part(&self.copier)),
            ("either".to_owned(), part(&self.either)),
        ])
    }
}

/// Everything that was measured.
#[derive(Debug, Default)]
struct Report {
    model: String,
    all: Scores,
    single_line: Scores,
    several_lines: Scores,
    languages: BTreeMap<String, Scores>,
    least_log_prob: f32,
    least_log_prob_at_end: f32,
    /// Rows that the gate lets pass.
    shown: Score,
    /// Mean log-probability and exactness of each row.
    confidence: Vec<(f32, bool)>,
    /// The same of the rows where the model would have ended at the cursor.
    at_end: Vec<(f32, bool)>,
    elapsed: Duration,
}

impl Report {
    fn add(&mut self, row: &Row, prediction: &Prediction, alone: &Prediction) {
        let suggested = compare(row, prediction.suggestion.as_ref());
        let model = compare(row, alone.suggestion.as_ref());
        let copied = copier::copy(&row.prefix, &row.suffix);
        let copier = (
            exact_match(&copied, &row.middle),
            edit_similarity(&copied, &row.middle),
        );
        self.all.add(suggested, model, copier);
        let lines = match row.middle.trim_end().contains('\n') {
            false => &mut self.single_line,
            true => &mut self.several_lines,
        };
        lines.add(suggested, model, copier);
        let language = self.languages.entry(row.language.clone()).or_default();
        language.add(suggested, model, copier);
        if prediction.shown {
            self.shown.add(suggested.0, suggested.1);
        }
        self.confidence
            .push((prediction.mean_log_prob, suggested.0));
        if prediction.at_end {
            self.at_end.push((prediction.mean_log_prob, suggested.0));
        }
    }

    fn shown_share(&self) -> f64 {
        self.shown.rows as f64 / self.all.model.rows.max(1) as f64
    }

    /// Of the rows where the model would have ended at the cursor: the share that its gate lets pass,
    /// and the share of those that is exact.
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
        let mut json = self.all.to_json();
        let mut put = |key: &str, value: Value| json.insert(key.to_owned(), value);
        put("model", json!(self.model));
        put("single_line", self.single_line.to_json().into());
        put("several_lines", self.several_lines.to_json().into());
        let languages = self.languages.iter();
        let languages: Map<String, Value> = languages
            .map(|(language, scores)| (language.clone(), scores.to_json().into()))
            .collect();
        put("by_language", languages.into());
        put(
            "gate",
            json!({
                // JSON has no infinity: null shows all.
                "least_log_prob": self.least_log_prob.is_finite().then_some(self.least_log_prob),
                "shown": self.shown_share(),
                "exact": self.shown.exact_share(),
            }),
        );
        let curve: Vec<Value> = confidence_curve(self.confidence.clone(), &SHARES)
            .iter()
            .map(|(share, exact)| json!({"share": share, "exact": exact}))
            .collect();
        put("most_confident", curve.into());
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
            self.model,
            self.milliseconds_per_row()
        )?;
        let head = format!(
            "{:<18} {:>6}  {:>16} {:>16} {:>16} {:>16}",
            "exact / similarity", "rows", "suggested", "model alone", "copier", "either"
        );
        writeln!(out, "{}", style(head).underlined())?;
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
                cell(&scores.copier),
                cell(&scores.either)
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
        let (_, exact) = confidence_curve(self.confidence.clone(), &[NAMED_SHARE])[0];
        writeln!(
            out,
            "\nMost confident {:.0} %: {} exact.",
            NAMED_SHARE * 100.0,
            percent(exact)
        )?;
        match self.least_log_prob.is_finite() {
            true => writeln!(
                out,
                "With the gate at {}: {} shown, {} of them exact.",
                self.least_log_prob,
                percent(self.shown_share()),
                percent(self.shown.exact_share())
            )?,
            false => writeln!(
                out,
                "No gate is set: {} shown, {} of them exact.",
                percent(self.shown_share()),
                percent(self.shown.exact_share())
            )?,
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

/// The share of exact rows.
fn share(rows: &[(f32, bool)]) -> f64 {
    let exact = rows.iter().filter(|(_, exact)| *exact).count();
    exact as f64 / rows.len().max(1) as f64
}

/// Exactness and similarity of a suggestion to the row's middle.
///
/// A suggestion may cover closers behind the cursor (`a, b)` over `)`); what it then inserts is
/// its text without them, or, when it goes on behind them, it is held against the middle and what
/// it covers.
fn compare(row: &Row, suggestion: Option<&Suggestion>) -> (bool, f64) {
    let Some(suggestion) = suggestion else {
        let nothing = "";
        return (
            exact_match(nothing, &row.middle),
            edit_similarity(nothing, &row.middle),
        );
    };
    let covered = suggestion.range.end.0 - suggestion.range.start.0;
    let covered = row.suffix.get(..covered).unwrap_or_default();
    let text = suggestion.text.as_str();
    match text.strip_suffix(covered) {
        Some(inserted) => (
            exact_match(inserted, &row.middle),
            edit_similarity(inserted, &row.middle),
        ),
        None => {
            let expected = format!("{}{covered}", row.middle);
            (
                exact_match(text, &expected),
                edit_similarity(text, &expected),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fixture: &str, text: &str, covers: usize, exact: bool) {
        let parts: Vec<&str> = fixture.split('|').collect();
        let row = Row {
            prefix: parts[0].to_owned(),
            middle: parts[1].to_owned(),
            suffix: parts[2].to_owned(),
            language: "rust".to_owned(),
            path: None,
        };
        let cursor = row.prefix.len();
        let suggestion = Suggestion {
            range: Offset(cursor)..Offset(cursor + covers),
            text: text.to_owned(),
        };
        assert_eq!(compare(&row, Some(&suggestion)).0, exact);
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
    fn silence_is_right_where_nothing_stood() {
        let row = Row {
            prefix: "a;".to_owned(),
            middle: " ".to_owned(),
            suffix: "\n".to_owned(),
            language: "c".to_owned(),
            path: None,
        };
        assert_eq!(compare(&row, None), (true, 1.0));
    }
}
