//! A tokenizer as a tokenizer.json states it.
//!
//! What GGUF metadata say outright is recognised here: the pre-tokenizer by its expression, special
//! tokens by their names.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{CONTROL, NORMAL, Parts, QWEN2_SPLIT, UNUSED};
use crate::{EngineError, SpecialToken, error::refuse};

/// Special tokens of the model families that complete code, by name.
const NAMES: [(SpecialToken, &[&str]); 4] = [
    (
        SpecialToken::File,
        &["<|file_sep|>", "<file_sep>", "<|file_separator|>"],
    ),
    (
        SpecialToken::Prefix,
        &[
            "<|fim_prefix|>",
            "<fim_prefix>",
            "<fim-prefix>",
            "<PRE>",
            "<｜fim▁begin｜>",
        ],
    ),
    (
        SpecialToken::Suffix,
        &[
            "<|fim_suffix|>",
            "<fim_suffix>",
            "<fim-suffix>",
            "<SUF>",
            "<｜fim▁hole｜>",
        ],
    ),
    (
        SpecialToken::Middle,
        &[
            "<|fim_middle|>",
            "<fim_middle>",
            "<fim-middle>",
            "<MID>",
            "<｜fim▁end｜>",
        ],
    ),
];

#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    model: Value,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct AddedToken {
    id: usize,
    content: String,
}

#[derive(Deserialize)]
struct Bpe {
    vocab: HashMap<String, usize>,
    merges: Vec<Merge>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

/// Reads a tokenizer for an embedding table of `rows` rows; `stops` are the tokens that the
/// configuration names as ends of a text.
pub(crate) fn read(file: &[u8], rows: usize, stops: Vec<usize>) -> Result<Parts, EngineError> {
    let file: TokenizerFile = serde_json::from_slice(file).map_err(unreadable)?;
    let kind = file.model["type"].as_str().unwrap_or("BPE");
    if kind != "BPE" {
        return Err(refuse(format!(
            "tokenizer '{kind}' is not supported, only byte-level BPE is"
        )));
    }
    refuse_unlike_qwen2(&file)?;
    let model: Bpe = Bpe::deserialize(file.model).map_err(unreadable)?;

    let mut tokens = vec![None; rows];
    let normal = model
        .vocab
        .into_iter()
        .map(|(token, id)| (id, token, NORMAL));
    let added = file.added_tokens.into_iter();
    // Added tokens may stand in the vocabulary too, and are no ordinary text all the same.
    let added = added.map(|token| (token.id, token.content, CONTROL));
    let mut special = HashMap::new();
    for (id, token, token_type) in normal.chain(added) {
        let place = tokens.get_mut(id).ok_or_else(|| {
            refuse(format!(
                "token {id} of tokenizer.json is beyond the {rows} rows of the embedding table"
            ))
        })?;
        if token_type == CONTROL
            && let Some((role, _)) = NAMES.iter().find(|(_, names)| names.contains(&&*token))
        {
            special.entry(*role).or_insert(id);
        }
        *place = Some((token, token_type));
    }
    let tokens = tokens.into_iter().enumerate();
    let (tokens, types) = tokens
        .map(|(id, token)| token.unwrap_or_else(|| (super::padding(id), UNUSED)))
        .unzip();
    let merges = model.merges.into_iter().map(|merge| match merge {
        Merge::Pair(left, right) => Ok((left, right)),
        Merge::Line(line) => super::pair(&line),
    });
    Ok(Parts {
        tokens,
        types,
        merges: merges.collect::<Result<_, _>>()?,
        special,
        stops,
    })
}

/// Text may be brought into normal form before it is cut, which is not done here: the tokens of a
/// prompt spell its bytes.
fn refuse_unlike_qwen2(file: &TokenizerFile) -> Result<(), EngineError> {
    let normalizer = file.normalizer["type"].as_str().unwrap_or("NFC");
    if normalizer != "NFC" {
        return Err(refuse(format!(
            "normalizer '{normalizer}' of tokenizer.json is not supported"
        )));
    }
    let steps = file.pre_tokenizer["pretokenizers"].as_array();
    let recognised = steps.is_some_and(|steps| match &steps[..] {
        [split, bytes] => {
            split["type"] == "Split"
                && split["pattern"]["Regex"] == QWEN2_SPLIT
                && split["behavior"] == "Isolated"
                && split["invert"] != true
                && bytes["type"] == "ByteLevel"
                && bytes["add_prefix_space"] == false
                && bytes["use_regex"] == false
        }
        _ => false,
    });
    match recognised {
        true => Ok(()),
        false => Err(refuse(
            "the pre-tokenizer of tokenizer.json is not supported, only that of 'qwen2' is",
        )),
    }
}

fn unreadable(error: serde_json::Error) -> EngineError {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    refuse(format!("tokenizer.json is not readable: {line}"))
}
