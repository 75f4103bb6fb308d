//! `tabahead model`: prints a model's metadata and the tokens that it thinks come next. `choose.rs`
//! sets the model in the configuration.

use std::{io::Write, path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tabahead_engine::{Marker, Model};

use crate::{
    args::{EngineArgs, LogitsArgs, ModelCommand},
    choose,
    config::Resolved,
    output,
};

/// Runs the command.
///
/// # Errors
/// When the model cannot be used or standard output is closed.
pub fn run(command: &ModelCommand, config: &Resolved, named: Option<&Path>) -> Result<ExitCode> {
    match command {
        ModelCommand::Use { model } => choose::run(model, config, named)?,
        ModelCommand::Inspect { model, json } => inspect(model.clone(), *json, config)?,
        ModelCommand::Logits(args) => logits(args, config)?,
    }
    Ok(ExitCode::SUCCESS)
}

const MARKERS: [(&str, Marker); 4] = [
    ("file", Marker::File),
    ("prefix", Marker::Prefix),
    ("suffix", Marker::Suffix),
    ("middle", Marker::Middle),
];

fn inspect(model: Option<String>, as_json: bool, config: &Resolved) -> Result<()> {
    let engine = EngineArgs {
        model,
        threads: None,
    };
    let model = config.with_engine(&engine)?.model()?;
    if as_json {
        return output::json(&description(&model, config));
    }
    let info = model.info();
    let mut out = output::stdout();
    let mut line =
        |what: &str, value: String| writeln!(out, "{what:<16} {}", output::plain(&value));
    line("name", info.name.clone())?;
    line("id", info.id.clone())?;
    line("format", info.format.name().to_owned())?;
    line("architecture", info.architecture.clone())?;
    line(
        "parameters",
        format!("{:.1} million", info.parameters as f64 / 1e6),
    )?;
    let types: Vec<String> = info
        .tensor_types
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    line("tensors", types.join(", "))?;
    line("context", format!("{} tokens", info.context_tokens))?;
    line(
        "vocabulary",
        format!(
            "{} tokens, pre-tokenizer {}",
            model.vocabulary_len(),
            info.pre_tokenizer
        ),
    )?;
    line("file", output::bytes(info.file_bytes as u64))?;
    line("in memory", output::bytes(model.weight_bytes() as u64))?;
    line(
        "keys and values",
        format!(
            "{} bytes per token",
            model.kv_bytes_per_token(config.local().kv_precision)
        ),
    )?;
    let markers: Vec<String> = MARKERS
        .iter()
        .map(|(name, marker)| match model.marker(*marker) {
            Some(id) => format!("{name} {id}"),
            None => format!("{name} -"),
        })
        .collect();
    line("FIM tokens", markers.join(", "))?;
    if let Some(id) = model.begin_token() {
        line("begins with", format!("token {id}"))?;
    }
    line("completes", refusal(&model).unwrap_or("yes".to_owned()))?;
    Ok(())
}

fn description(model: &Model, config: &Resolved) -> serde_json::Value {
    let info = model.info();
    let markers: serde_json::Map<String, serde_json::Value> = MARKERS
        .iter()
        .map(|(name, marker)| ((*name).to_owned(), json!(model.marker(*marker))))
        .collect();
    let tokenizer = model.spells().is_ok().then(|| {
        json!({
            "pre_tokenizer": info.pre_tokenizer,
            "tokens": model.vocabulary_len(),
        })
    });
    json!({
        "id": info.id,
        "name": info.name,
        "format": info.format.name(),
        "architecture": info.architecture,
        "parameters": info.parameters,
        "weights": info.tensor_types,
        "context_tokens": info.context_tokens,
        "vocabulary": model.vocabulary_len(),
        "pre_tokenizer": info.pre_tokenizer,
        "tokenizer": tokenizer,
        "completes": model.completes().is_ok(),
        "refusal": refusal(model),
        "file_bytes": info.file_bytes,
        "weight_bytes": model.weight_bytes(),
        "kv_bytes_per_token": model.kv_bytes_per_token(config.local().kv_precision),
        "fim_tokens": markers,
    })
}

/// Returns why the model cannot complete, or `None` if it can.
fn refusal(model: &Model) -> Option<String> {
    model.completes().err().map(|error| error.to_string())
}

fn logits(args: &LogitsArgs, config: &Resolved) -> Result<()> {
    let mut engine = args.engine.clone();
    engine.model = engine.model.or_else(|| args.path.clone());
    let model = config.with_engine(&engine)?.model()?;
    let tokens = match (&args.tokens, &args.text) {
        (Some(tokens), _) => tokens.clone(),
        (None, Some(text)) => {
            model.spells().context("text is not read; use --tokens")?;
            model.encode(text)
        }
        (None, None) => bail!("give a prompt: --text or --tokens"),
    };
    if tokens.is_empty() {
        bail!("the prompt is empty; give at least one token");
    }
    let logits = model.logits(&tokens)?;
    let normaliser = log_sum_exp(&logits);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    order.truncate(args.top);
    let spelled = |id: usize| {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        String::from_utf8_lossy(model.token_bytes(id)).into_owned()
    };
    if args.json {
        let top: Vec<_> = order
            .iter()
            .map(|&id| {
                json!({
                    "id": id,
                    "text": spelled(id),
                    "logit": logits[id],
                    "log_prob": logits[id] - normaliser,
                })
            })
            .collect();
        return output::json(&json!({"tokens": tokens, "top": top, "logits": logits}));
    }
    let mut out = output::stdout();
    writeln!(out, "tokens {tokens:?}\n")?;
    writeln!(out, "{:>7} {:>9} {:>9}  text", "id", "logit", "log-prob")?;
    for id in order {
        writeln!(
            out,
            "{id:>7} {:>9.4} {:>9.4}  {:?}",
            logits[id],
            logits[id] - normaliser,
            spelled(id)
        )?;
    }
    Ok(())
}

/// Returns the logarithm of the sum of exponentials, computed without overflow.
fn log_sum_exp(logits: &[f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    largest + logits.iter().map(|x| (x - largest).exp()).sum::<f32>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one() {
        let logits = [1000.0, 1001.0, 999.0];
        let normaliser = log_sum_exp(&logits);
        let sum: f32 = logits.iter().map(|x| (x - normaliser).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    }
}
