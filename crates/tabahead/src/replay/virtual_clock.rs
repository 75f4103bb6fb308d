//! A replay on the virtual clock.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tabahead_replay::{
    answers::{Answers, AnswersFile, Ngram, RealModel},
    policy::PolicyName,
    report::RecordingResults,
    session::user,
    simulation::{EngineCosts, Setup, run},
};

use super::{ReplayMeasurements, in_file, is_private, mode, name_of, policies, words};
use crate::{
    args::{ReplayAnswers, ReplayArgs},
    config::{Resolved, cache_folder},
    output,
    place::read_text,
};

/// Runs every policy over every recording.
pub(super) fn measure(
    args: &ReplayArgs,
    config: &Resolved,
    files: &[PathBuf],
) -> Result<ReplayMeasurements> {
    let mut answers = answers(args, config)?;
    let mut setup = Setup {
        settings: config.settings.speculator(),
        costs: EngineCosts::default(),
        timeline: args.html.is_some(),
    };
    if let Some(lines) = args.anchor_lines {
        setup.settings.context.anchor_lines = lines.get();
    }
    if let Some(file) = &args.costs {
        setup.costs = read_costs(file)?;
    }
    let (policies, mode) = (policies(args, &PolicyName::ALL), mode(args.mode));
    let bar = output::progress(files.len() * policies.len(), "runs");
    let mut recordings = Vec::new();
    let mut unsaved = false;
    for file in files {
        let mut of_policies = Vec::new();
        for &policy in &policies {
            let ran = user(mode, file, args.seed, is_private(config)?)
                .and_then(|mut user| run(policy, &mut *user, &mut answers, &setup))
                .map_err(|error| in_file(file, error))?;
            of_policies.push((policy, ran));
            bar.inc(1);
        }
        // Saved answers only save time in the next run; the figures do not depend on them.
        if let Err(error) = answers.save()
            && !std::mem::replace(&mut unsaved, true)
        {
            let error = anyhow::Error::new(error);
            tracing::warn!("{error:#}; what was measured is not remembered");
        }
        recordings.push(RecordingResults {
            name: name_of(file),
            policies: of_policies,
        });
    }
    bar.finish_and_clear();
    let (mode, clock, by) = words(args);
    Ok(ReplayMeasurements {
        mode,
        clock,
        answers: by,
        model: answers.profile().id.clone(),
        layout: Some(answers.profile().template.layout),
        seed: args.seed,
        costs: json!({
            "fixed_ms": setup.costs.pass.fixed * 1e3,
            "row_ms": setup.costs.pass.row * 1e3,
            "layers": setup.costs.layers,
            "kv_tokens": setup.costs.kv_tokens,
        }),
        recordings,
    })
}

fn answers(args: &ReplayArgs, config: &Resolved) -> Result<Answers> {
    if args.answers == ReplayAnswers::Ngram {
        let copier = args.layout.map_or_else(Ngram::new, Ngram::in_layout);
        return Ok(Answers::new(Box::new(copier), None));
    }
    let mut model = RealModel::load(&config.local()).map_err(anyhow::Error::new)?;
    if let Some(layout) = args.layout {
        model.lay_out(layout).map_err(anyhow::Error::new)?;
    }
    let file = match &args.memo {
        Some(file) => file.clone(),
        None => {
            let folder = cache_folder()
                .context("no home for the cache folder; name a file with --memo")?
                .join("answers");
            fs::create_dir_all(&folder)
                .with_context(|| format!("'{}' cannot be made", folder.display()))?;
            folder.join(file_name(
                &tabahead_replay::answers::AnswerSource::profile(&model).id,
            ))
        }
    };
    Ok(Answers::new(
        Box::new(model),
        Some(AnswersFile::open(&file)?),
    ))
}

/// Returns the name of the file for a model's answers.
fn file_name(model: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "-.".contains(c) {
            c
        } else {
            '_'
        }
    };
    format!("{}.jsonl", model.chars().map(safe).collect::<String>())
}

/// Reads the costs that `tabahead bench --json` measured.
fn read_costs(file: &Path) -> Result<EngineCosts> {
    let shown = file.display();
    let text = read_text(file)?;
    let costs: Value =
        serde_json::from_str(&text).with_context(|| format!("'{shown}' is not JSON"))?;
    let number = |pointer: &str| {
        let number = costs.pointer(pointer).and_then(Value::as_f64);
        let number = number.filter(|number| number.is_finite() && *number >= 0.0);
        number.with_context(|| {
            format!("'{shown}' has no '{pointer}'; make it with `tabahead bench --json`")
        })
    };
    let default = EngineCosts::default();
    let kv_bytes = default.kv_tokens.get() as f64 * 2048.0;
    let kv_tokens = (kv_bytes / number("/kv_bytes_per_token")?.max(1.0)) as usize;
    Ok(EngineCosts {
        pass: tabahead_backend::schedule::Costs {
            fixed: number("/costs/fixed_ms")? * 1e-3,
            row: number("/costs/row_ms")? * 1e-3,
        },
        layers: number("/layers")? as u32,
        kv_tokens: NonZeroUsize::new(kv_tokens).unwrap_or(NonZeroUsize::MIN),
    })
}
