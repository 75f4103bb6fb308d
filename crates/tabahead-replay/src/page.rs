//! A page to look at: one self-contained HTML file, made of `page/page.html`, `page.css`, `page.js`
//! and the figures as JSON. It makes no network requests.

use serde_json::{Value, json};
use tabahead_speculation::{Origin, Timestamp};

use crate::{
    editing::EditKind,
    figures::{Figures, Samples},
    policy::PolicyName,
    report::{self, RecordingResults},
    timeline::{Moment, Timeline},
};

/// Maximum number of points of a curve.
const POINTS: usize = 256;

/// Returns the page; `about` describes the run.
pub fn page(about: &Value, recordings: &[RecordingResults]) -> String {
    let pooled = report::pooled(recordings);
    let data = json!({
        "about": about,
        "policies": policies(pooled.iter().map(|(name, figures)| (*name, figures))),
        "recordings": recordings.iter().map(|recording| json!({
            "name": recording.name,
            "policies": policies(
                recording.policies.iter().map(|(name, ran)| (*name, &ran.figures))
            ),
            "timelines": recording.policies.iter().map(|(_, ran)| timeline(&ran.timeline))
                .collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    });
    // `</script` would end the script, and after `<!--<script` its end would not be found. `<`
    // occurs in strings only.
    let data = data.to_string().replace('<', "\\u003c");
    include_str!("page/page.html")
        .replace("/*STYLE*/", include_str!("page/page.css"))
        .replace("/*SCRIPT*/", include_str!("page/page.js"))
        .replace("/*DATA*/null", &data)
}

fn policies<'a>(policies: impl Iterator<Item = (PolicyName, &'a Figures)>) -> Vec<Value> {
    policies
        .map(|(name, figures)| {
            json!({
                "name": name.as_str(),
                "figures": report::figures_json(figures),
                "perceived": curve(&figures.all_perceived()),
                "accept_to_next": curve(&figures.accept_to_next),
            })
        })
        .collect()
}

/// Returns quantiles of times in milliseconds, from the least to the greatest, evenly spaced in
/// share.
fn curve(samples: &Samples) -> Vec<f64> {
    let sorted = samples.sorted();
    let points = POINTS.min(sorted.len());
    (0..points)
        .map(|point| {
            let rank = match points {
                1 => 0,
                _ => point * (sorted.len() - 1) / (points - 1),
            };
            f64::from(sorted[rank]) / 1e3
        })
        .collect()
}

/// Returns a timeline as lists: `edits` of `[ms, kind, accept]`,
/// `shown` of `[ms, characters, origin]`,
/// `generations` of `[began, ended, ahead, given up before anything was answered]`.
fn timeline(timeline: &Timeline) -> Value {
    let mut edits = Vec::new();
    let mut shown = Vec::new();
    let mut generations: Vec<(f64, Option<f64>, bool, bool)> = Vec::new();
    let mut running = std::collections::HashMap::new();
    for (at, moment) in timeline.moments() {
        let ms = milliseconds(*at);
        match *moment {
            Moment::Edit { kind, accept } => edits.push(json!([ms, word_for(kind), accept])),
            Moment::Shown { characters, origin } => {
                shown.push(json!([ms, characters, origin_word(origin)]));
            }
            Moment::Started { id, ahead } => {
                running.insert(id, generations.len());
                generations.push((ms, None, ahead, false));
            }
            Moment::Stopped { id, in_vain } => {
                if let Some(at) = running.remove(&id) {
                    generations[at].1 = Some(ms);
                    generations[at].3 = in_vain;
                }
            }
            Moment::Ended { id } => {
                if let Some(at) = running.remove(&id) {
                    generations[at].1 = Some(ms);
                }
            }
        }
    }
    json!({"edits": edits, "shown": shown, "generations": generations})
}

fn milliseconds(at: Timestamp) -> f64 {
    at.0.as_micros() as f64 / 1e3
}

fn word_for(kind: EditKind) -> &'static str {
    match kind {
        EditKind::Keystroke => "key",
        EditKind::Enter => "enter",
        EditKind::Accept => "accept",
        EditKind::Deletion => "deletion",
        EditKind::Insert => "insert",
        EditKind::Jump => "jump",
        EditKind::Other => "other",
    }
}

fn origin_word(origin: Option<Origin>) -> &'static str {
    match origin {
        None => "recorded",
        Some(Origin::Miss) => "miss",
        Some(Origin::Joined) => "joined",
        Some(Origin::Exact) => "exact",
        Some(Origin::TypedThrough) => "typed through",
        Some(Origin::Speculated) => "speculated",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{simulation::RunResult, timeline::Timeline};

    const NAME: &str = "<!--<script></script><img src=x onerror=alert(1)>";

    fn made() -> String {
        let mut figures = Figures::default();
        figures.accept_to_next.add_time(Duration::from_millis(3));
        figures
            .perceived
            .miss
            .add_time(Duration::from_micros(1_500));
        let ran = RunResult {
            figures,
            timeline: Timeline::kept(),
        };
        let recording = RecordingResults {
            name: NAME.to_owned(),
            policies: vec![(PolicyName::Tabahead, ran)],
        };
        page(&json!({"mode": "inject", "costs": {}}), &[recording])
    }

    #[test]
    fn a_page_is_whole_and_loads_nothing() {
        let page = made();
        for placeholder in ["/*STYLE*/", "/*SCRIPT*/", "/*DATA*/"] {
            assert!(!page.contains(placeholder), "{placeholder}");
        }
        for address in ["http://", "https://", " src=\"", "@import", "url("] {
            assert!(!page.contains(address), "{address}");
        }
    }

    #[test]
    fn data_are_data() {
        let page = made();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("const DATA = ")?.strip_suffix(';'))
            .expect("the data stand on a line");
        let data: Value = serde_json::from_str(line).expect("they are JSON");
        assert_eq!(data["recordings"][0]["name"], NAME);
        assert_eq!(data["policies"][0]["perceived"], json!([1.5]));
        // Nothing in the data ends the script or hides its end.
        assert!(!line.contains('<'), "{line}");
        assert_eq!(page.matches("</script>").count(), 1);
    }
}
