//! A replay in real time, with this same program as the server.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tabahead_replay::{
    policy::PolicyName,
    report::RecordingResults,
    session::user,
    wall::{WallError, WallSetup, run},
};

use super::{ReplayMeasurements, in_file, is_private, mode, name_of, policies, words};
use crate::{
    args::{ReplayAnswers, ReplayArgs},
    config::Resolved,
    output,
};

/// Policies that the server implements.
const POLICIES: [PolicyName; 2] = [PolicyName::None, PolicyName::Tabahead];

/// Runs every policy over every recording.
pub(super) fn measure(
    args: &ReplayArgs,
    config: &Resolved,
    config_file: Option<&Path>,
    files: &[PathBuf],
) -> Result<ReplayMeasurements> {
    if args.answers == ReplayAnswers::Ngram {
        bail!("the wall clock runs the real server; leave --answers ngram out");
    }
    if args.layout.is_some() || args.anchor_lines.is_some() {
        bail!("the wall clock runs the server as it is; --layout is for the virtual clock");
    }
    // Fail now, not after other policies have run for minutes.
    if let Some(&other) = args.policy.iter().find(|name| !POLICIES.contains(name)) {
        return Err(WallError::VirtualOnly(other).into());
    }
    let setup = WallSetup {
        program: env::current_exe().context("this program's file is not known")?,
        arguments: server_arguments(args, config_file),
        longest_pause: args.max_gap,
        timeline: args.html.is_some(),
    };
    let (policies, mode) = (policies(args, &POLICIES), mode(args.mode));
    let bar = output::progress(files.len() * policies.len(), "runs");
    let mut recordings = Vec::new();
    for file in files {
        let mut of_policies = Vec::new();
        for &policy in &policies {
            let user = user(mode, file, args.seed, is_private(config)?);
            let mut user = user.map_err(|error| in_file(file, error))?;
            let ran = run(policy, &mut *user, &setup).map_err(|error| match error {
                WallError::Recording(error) => in_file(file, error),
                other => other.into(),
            })?;
            of_policies.push((policy, ran));
            bar.inc(1);
        }
        recordings.push(RecordingResults {
            name: name_of(file),
            policies: of_policies,
        });
    }
    bar.finish_and_clear();
    let (mode, clock, answers) = words(args);
    Ok(ReplayMeasurements {
        mode,
        clock,
        answers,
        model: config.settings.model.clone(),
        // The server does not report it.
        layout: None,
        seed: args.seed,
        costs: json!({"max_gap_ms": args.max_gap.as_secs_f64() * 1e3, "pass": Value::Null}),
        recordings,
    })
}

/// Returns the arguments that start the server with the options of this call.
fn server_arguments(args: &ReplayArgs, config_file: Option<&Path>) -> Vec<String> {
    let mut arguments = Vec::new();
    if let Some(file) = config_file {
        arguments.extend(["--config".to_owned(), file.display().to_string()]);
    }
    arguments.extend(["lsp".to_owned(), "--no-daemon".to_owned()]);
    if let Some(model) = &args.engine.model {
        arguments.extend(["--model".to_owned(), model.clone()]);
    }
    if let Some(threads) = args.engine.threads {
        arguments.extend(["--threads".to_owned(), threads.to_string()]);
    }
    arguments
}
