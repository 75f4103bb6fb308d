//! `tabahead complete`: the suggestion at a place, Tab, the next suggestion, and so on.
//!
//! The same chain of buffer states is requested twice: from a session that computes ahead while the
//! suggestion is read, and from a session that does not. The answers must be equal; the command
//! fails if they are not. `screen.rs` draws.

mod screen;

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use serde::Serialize;
use tabahead_context::State;
use tabahead_session::{Session, TimedAnswer};
use tabahead_speculation::{Answer, Origin};

use crate::{
    args::CompleteArgs,
    config::{Resolved, Speculation},
    output,
    place::{FilePlace, OpenPlace},
};

/// Runs the command.
///
/// # Errors
/// When the place does not exist, the model cannot be used or standard output is closed.
pub fn run(args: &CompleteArgs, config: &Resolved) -> Result<ExitCode> {
    let place = FilePlace::parse(&args.place)?;
    place.refuse_private(&config.suitability()?)?;
    let OpenPlace {
        document,
        cursor,
        name,
        line,
        column,
    } = place.open()?;
    let config = config.with_engine(&args.engine)?;
    let first = State {
        document,
        cursor,
        name,
    };

    let bar = output::progress(args.tabs + 1, "reading and pressing Tab");
    let speculation = if args.no_speculation {
        Speculation::Off
    } else {
        Speculation::On
    };
    let mut session = config.session(speculation)?;
    let model = session.profile().id.clone();
    let mut steps = chain(&mut session, first, args.tabs, args.pause, || bar.inc(1));
    bar.finish_and_clear();
    // Leave the whole machine to the second session.
    drop(session);
    if !args.no_speculation {
        compare(&mut config.session(Speculation::Off)?, &mut steps);
    }

    let equal = steps.iter().all(|step| step.equals_fresh() != Some(false));
    if args.json {
        output::json(&CompleteReport::new(
            &place,
            (line, column),
            model,
            args.pause,
            &steps,
        ))?;
    } else {
        screen::draw(&mut output::stdout(), &args.place, &model, args, &steps)?;
    }
    let failed = steps
        .iter()
        .any(|step| matches!(step.answered.answer, Answer::Failed(_)));
    Ok(if equal && !failed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One request of the chain.
struct ChainStep {
    /// Buffer state of the request.
    state: State,
    answered: TimedAnswer,
    /// Answer for the same state from a session that computes nothing ahead.
    fresh: Option<TimedAnswer>,
}

impl ChainStep {
    /// Returns whether both sessions gave the same answer; `None` without a comparison.
    fn equals_fresh(&self) -> Option<bool> {
        let fresh = self.fresh.as_ref()?;
        Some(content_of(&self.answered.answer) == content_of(&fresh.answer))
    }
}

/// Returns the content of an answer, without its origin and its id.
fn content_of(answer: &Answer) -> AnswerContent<'_> {
    match answer {
        Answer::Suggestion { suggestion, .. } => AnswerContent::Text(
            suggestion.range.start.0,
            suggestion.range.end.0,
            &suggestion.text,
        ),
        Answer::Silent { reason, .. } => AnswerContent::Silent(reason.as_str()),
        Answer::Superseded => AnswerContent::Silent("superseded"),
        Answer::Failed(why) => AnswerContent::Failed(why),
    }
}

#[derive(Debug, PartialEq)]
enum AnswerContent<'a> {
    Text(usize, usize, &'a str),
    Silent(&'a str),
    Failed(&'a str),
}

/// Requests, reads for `pause`, presses Tab and requests again, until there is nothing to accept.
fn chain(
    session: &mut Session,
    first: State,
    tabs: usize,
    pause: Duration,
    mut answered_one: impl FnMut(),
) -> Vec<ChainStep> {
    let mut steps = Vec::new();
    let mut state = first;
    loop {
        let answered = session.request(&state);
        answered_one();
        let next = match &answered.answer {
            Answer::Suggestion { id, suggestion, .. } if steps.len() < tabs => {
                session.settle_for(pause);
                session.accepted(*id);
                Some(state.accepted(suggestion))
            }
            _ => None,
        };
        steps.push(ChainStep {
            state,
            answered,
            fresh: None,
        });
        match next {
            Some(next) => state = next,
            None => return steps,
        }
    }
}

/// Requests the same states again.
fn compare(session: &mut Session, steps: &mut [ChainStep]) {
    for step in steps {
        step.fresh = Some(session.request(&step.state));
    }
}

/// Returns the median time from Tab to the next answer, with speculation and without.
fn tab_to_next(steps: &[ChainStep]) -> (Option<Duration>, Option<Duration>) {
    let after_tab = steps.get(1..).unwrap_or_default();
    let with: Vec<Duration> = after_tab.iter().map(|s| s.answered.elapsed).collect();
    let without: Vec<Duration> = after_tab
        .iter()
        .filter_map(|step| step.fresh.as_ref().map(|fresh| fresh.elapsed))
        .collect();
    (output::median(&with), output::median(&without))
}

fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Miss => "miss",
        Origin::Joined => "joined",
        Origin::Exact => "exact",
        Origin::TypedThrough => "typed-through",
        Origin::Speculated => "speculated",
    }
}

/// The JSON object that `--json` prints.
#[derive(Serialize)]
struct CompleteReport {
    file: String,
    line: usize,
    column: usize,
    model: String,
    pause_ms: f64,
    chain: Vec<ReportedStep>,
    /// True if speculation changed no answer; absent without a comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<bool>,
    tab_to_next_ms: ReportedMedians,
}

#[derive(Serialize)]
struct ReportedStep {
    /// Number of Tabs pressed before this step.
    tab: usize,
    #[serde(flatten)]
    answer: ReportedAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    without_speculation: Option<ReportedAnswer>,
    /// True if both answers are the same; absent without a comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<bool>,
}

#[derive(Serialize)]
struct ReportedAnswer {
    /// Kind of answer: `suggestion`, `silent` or `failed`.
    answer: &'static str,
    /// Text that would be inserted; null if there is none.
    text: Option<String>,
    /// Byte range of the document that the text replaces.
    range: Option<[usize; 2]>,
    /// `miss`, `joined`, `exact`, `typed-through` or `speculated`; null when nothing was asked.
    origin: Option<&'static str>,
    /// Reason for silence or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    elapsed_ms: f64,
}

#[derive(Serialize)]
struct ReportedMedians {
    with_speculation: Option<f64>,
    without_speculation: Option<f64>,
}

impl CompleteReport {
    fn new(
        place: &FilePlace,
        (line, column): (usize, usize),
        model: String,
        pause: Duration,
        steps: &[ChainStep],
    ) -> Self {
        let (with, without) = tab_to_next(steps);
        let equal: Vec<bool> = steps.iter().filter_map(ChainStep::equals_fresh).collect();
        Self {
            file: place.file.display().to_string(),
            line,
            column,
            model,
            pause_ms: in_ms(pause),
            chain: steps
                .iter()
                .enumerate()
                .map(|(tab, step)| ReportedStep {
                    tab,
                    answer: ReportedAnswer::new(&step.answered),
                    without_speculation: step.fresh.as_ref().map(ReportedAnswer::new),
                    equal: step.equals_fresh(),
                })
                .collect(),
            equal: (!equal.is_empty()).then(|| equal.iter().all(|equal| *equal)),
            tab_to_next_ms: ReportedMedians {
                with_speculation: with.map(in_ms),
                without_speculation: without.map(in_ms),
            },
        }
    }
}

impl ReportedAnswer {
    fn new(answered: &TimedAnswer) -> Self {
        let empty = Self {
            answer: "silent",
            text: None,
            range: None,
            origin: None,
            reason: None,
            elapsed_ms: in_ms(answered.elapsed),
        };
        match &answered.answer {
            Answer::Suggestion {
                suggestion, origin, ..
            } => Self {
                answer: "suggestion",
                text: Some(suggestion.text.clone()),
                range: Some([suggestion.range.start.0, suggestion.range.end.0]),
                origin: Some(origin_word(*origin)),
                ..empty
            },
            Answer::Silent { reason, origin } => Self {
                origin: origin.map(origin_word),
                reason: Some(reason.as_str().to_owned()),
                ..empty
            },
            Answer::Superseded => Self {
                reason: Some("superseded".to_owned()),
                ..empty
            },
            Answer::Failed(why) => Self {
                answer: "failed",
                reason: Some(why.clone()),
                ..empty
            },
        }
    }
}

fn in_ms(time: Duration) -> f64 {
    // A clock call costs more than the digits that are rounded away.
    (time.as_secs_f64() * 1e6).round() / 1e3
}
