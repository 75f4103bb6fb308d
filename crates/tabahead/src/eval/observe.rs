//! `tabahead eval --observe`: what the model and copying predict for each token of the original
//! text.
//!
//! Writes one line of JSON per row. The copying rule is fitted to it, and windows and layouts are
//! compared by it: all tokens of a middle cost one pass, while a prediction takes a pass for each.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tabahead_backend::{DirectModel, LocalSettings};
use tabahead_context::{
    Asker, ContextWindow, GenerationEvent, Priority, Progress, QuestionSettings, Segment, State,
};
use tabahead_engine::{Observation, ObservedToken};
use tabahead_speculation::SpeculatorSettings;

use super::rows::EvalRow;
use crate::{args::EvalArgs, output};

/// Writes the observations of each row whose middle is within one line.
///
/// # Errors
/// When the model cannot be used or fails, or when the file cannot be written.
pub fn run(
    rows: &[EvalRow],
    settings: &SpeculatorSettings,
    local: &LocalSettings,
    args: &EvalArgs,
    file: &Path,
) -> Result<()> {
    // No token is chosen here, so lookahead has nothing to decide.
    let mut model = DirectModel::load(&LocalSettings {
        lookahead: false,
        ..local.clone()
    })?;
    if let Some(layout) = args.layout {
        model.lay_out(layout)?;
    }
    let mut asker = asker(settings, &model);
    let heals = !args.without_healing;
    let name = file.display();
    let open = File::create(file).with_context(|| format!("cannot write {name}"))?;
    let mut out = BufWriter::new(open);
    let bar = output::progress(rows.len(), "rows");
    for (number, row) in rows.iter().enumerate() {
        bar.inc(1);
        let middle = row.middle.trim_end();
        if middle.is_empty() || middle.contains('\n') {
            continue;
        }
        let Some((window, observations)) = observe(
            &mut model,
            &mut asker,
            heals,
            &row.state(&row.suffix),
            middle,
        )?
        else {
            continue;
        };
        let line = json!({
            "row": number,
            "language": row.language,
            "middle": middle,
            "window": window.before_anchor.len() + window.tail.len() + window.suffix.len(),
            "observations": observations.iter().map(observation).collect::<Vec<_>>(),
        });
        writeln!(out, "{line}").with_context(|| format!("cannot write {name}"))?;
    }
    bar.finish_and_clear();
    out.flush().with_context(|| format!("cannot write {name}"))
}

/// Returns what asks the model with these settings.
fn asker(settings: &SpeculatorSettings, model: &DirectModel) -> Asker {
    Asker::new(QuestionSettings::new(
        &settings.context,
        &settings.cut,
        model.profile(),
    ))
}

fn observe(
    model: &mut DirectModel,
    asker: &mut Asker,
    heals: bool,
    state: &State,
    middle: &str,
) -> Result<Option<(ContextWindow, Vec<Observation>)>> {
    let Ok((mut asked, mut request)) = asker.ask(state.clone(), Priority::Foreground) else {
        return Ok(None);
    };
    loop {
        let id = request.id;
        if !heals && let Some(Segment::Text(text)) = request.prompt.segments.last_mut() {
            text.push_str(&std::mem::take(&mut request.prompt.forced));
        }
        let failure = match model.observe(request, middle) {
            Ok(observations) => return Ok(Some((asked.question.view.window, observations))),
            Err(failure) => failure,
        };
        match asker.take(&mut asked, GenerationEvent::Failed { id, failure }) {
            Progress::AskAgain(shorter) => request = shorter,
            Progress::Failed(why) => bail!("the model failed: {why}"),
            Progress::Decided(_) | Progress::Waits => return Ok(None),
        }
    }
}

fn observation(observation: &Observation) -> Value {
    let token = |token: &ObservedToken| json!([token.id, token.log_prob]);
    let votes = observation.votes.iter().map(|vote| {
        json!({
            "token": token(&vote.token),
            "right": vote.right,
            "possible": vote.possible,
            "features": vote.features,
        })
    });
    json!({
        "right": observation.right,
        "best_right": observation.best_right.as_ref().map(token),
        "best_wrong": observation.best_wrong.as_ref().map(token),
        "votes": votes.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use tabahead_session::{CopyingSettings, Folders, Settings};

    use super::{
        super::{compare, predictor::Predictor},
        *,
    };

    /// Reports whether greedy decoding without copying writes the observed text.
    fn is_likeliest(observations: &[Observation]) -> bool {
        observations.iter().all(|observation| {
            let log_prob = |token: Option<ObservedToken>| {
                token.map_or(f32::NEG_INFINITY, |token| token.log_prob)
            };
            log_prob(observation.best_right) > log_prob(observation.best_wrong)
        })
    }

    #[test]
    fn what_is_likeliest_in_every_place_is_what_is_predicted() {
        let settings = Settings {
            lookahead: false,
            copying: CopyingSettings {
                enabled: false,
                ..CopyingSettings::default()
            },
            ..Settings::default()
        };
        let local = settings
            .local(tabahead_mini::WEIGHTS, &Folders::default())
            .expect("the built-in model needs no folder");
        let mut model = DirectModel::load(&local).expect("the model loads");
        let mut asker = asker(&settings.speculator(), &model);
        let mut predictor =
            Predictor::new(settings.speculator(), local, None).expect("the model loads");
        let text = include_str!("copier.rs");
        let (mut right, mut wrong) = (0, 0);
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let (begin, end) = (start + line.len() / 2, start + line.trim_end().len());
            start += line.len();
            // A model that would end at once is asked for more, and observed text always continues.
            // So lines without a rest are skipped.
            if begin >= end || !text.is_char_boundary(begin) {
                continue;
            }
            let row = EvalRow {
                prefix: text[..begin].to_owned(),
                middle: text[begin..end].to_owned(),
                suffix: text[end..].to_owned(),
                language: "rust".to_owned(),
                path: Some("copier.rs".to_owned()),
                open_files: Vec::new(),
            };
            let observed = observe(
                &mut model,
                &mut asker,
                true,
                &row.state(&row.suffix),
                &row.middle,
            );
            let (_, observations) = observed
                .expect("the model answers")
                .expect("the line is short");
            assert!(observations.iter().all(|one| one.right <= 1e-3));
            let predicted = predictor
                .predict(&row.state(&row.suffix))
                .expect("the model answers");
            let rating = compare(&row, predicted.suggestion.as_ref());
            if is_likeliest(&observations) {
                // Only the cut can withhold it.
                assert!(
                    rating.exact || predicted.suggestion.is_none(),
                    "{:?} instead of {:?}",
                    predicted.suggestion,
                    row.middle
                );
                right += 1;
            } else {
                wrong += 1;
            }
            assert!(observations.iter().all(|one| one.votes.is_empty()));
        }
        assert!(right > 5 && wrong > 5, "{right} right, {wrong} wrong");
    }
}
