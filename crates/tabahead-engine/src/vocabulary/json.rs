//! Reads a tokenizer from a tokenizer.json.
//!
//! What GGUF metadata state directly is inferred here: the pre-tokenizer from its expression, the
//! token that begins a text from the template that adds it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use tabahead_tokens::PreTokenizer;

use super::{
    CONTROL, NORMAL, Parts, UNUSED,
    special::{Specials, StatedTokens},
};
use crate::{EngineError, error::refuse, files::texts::Texts};

#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
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
    #[serde(default)]
    ignore_merges: bool,
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
    refuse_normalizer(&file)?;
    let pre_tokenizer = pre_tokenizer(&file)?;
    let begin = begin(&file);
    let model: Bpe = Bpe::deserialize(file.model).map_err(unreadable)?;

    let mut tokens = vec![None; rows];
    let normal = model
        .vocab
        .into_iter()
        .map(|(token, id)| (id, token, NORMAL));
    let added = file.added_tokens.into_iter();
    // Added tokens may be in the vocabulary, too, but are not ordinary text.
    let added = added.map(|token| (token.id, token.content, CONTROL));
    for (id, token, token_type) in normal.chain(added) {
        let place = tokens.get_mut(id).ok_or_else(|| {
            refuse(format!(
                "token {id} of tokenizer.json is beyond the {rows} rows of the embedding table"
            ))
        })?;
        *place = Some((token, token_type));
    }
    let tokens = tokens.into_iter().enumerate();
    let (tokens, types): (Texts, Vec<_>) = tokens
        .map(|(id, token)| token.unwrap_or_else(|| (super::padding(id), UNUSED)))
        .unzip();
    let stated = StatedTokens {
        stops,
        begin,
        ..StatedTokens::default()
    };
    let specials = Specials::find(stated, &tokens, &types);
    let merges = model.merges.into_iter().map(|merge| match merge {
        Merge::Pair(left, right) => format!("{left} {right}"),
        Merge::Line(line) => line,
    });
    Ok(Parts {
        pre_tokenizer,
        tokens,
        types,
        merges: merges.collect(),
        ignore_merges: model.ignore_merges,
        specials,
    })
}

/// Rejects normalisers other than NFC. Text may be normalised before it is split, which is not done
/// here: the tokens of a prompt spell its bytes.
fn refuse_normalizer(file: &TokenizerFile) -> Result<(), EngineError> {
    let normalizer = file.normalizer["type"].as_str().unwrap_or("NFC");
    if normalizer != "NFC" {
        return Err(refuse(format!(
            "normalizer '{normalizer}' of tokenizer.json is not supported"
        )));
    }
    Ok(())
}

fn pre_tokenizer(file: &TokenizerFile) -> Result<PreTokenizer, EngineError> {
    let steps = file.pre_tokenizer["pretokenizers"].as_array();
    let expression = steps.and_then(|steps| match &steps[..] {
        [split, bytes]
            if split["type"] == "Split"
                && split["behavior"] == "Isolated"
                && split["invert"] != true
                && bytes["type"] == "ByteLevel"
                && bytes["add_prefix_space"] == false
                && bytes["use_regex"] == false =>
        {
            split["pattern"]["Regex"].as_str()
        }
        _ => None,
    });
    let mut known = PreTokenizer::ALL.into_iter();
    let found = known.find(|known| Some(known.pattern()) == expression);
    found.ok_or_else(|| {
        refuse(format!(
            "the pre-tokenizer of tokenizer.json is not supported, only those of {} are",
            super::supported()
        ))
    })
}

/// Returns the token that the file's template puts before every text.
fn begin(file: &TokenizerFile) -> Option<usize> {
    let processor = &file.post_processor;
    let steps = match &processor["processors"] {
        Value::Array(steps) => &steps[..],
        _ => std::slice::from_ref(processor),
    };
    let name = steps
        .iter()
        .filter(|step| step["type"] == "TemplateProcessing")
        .find_map(|step| step["single"][0]["SpecialToken"]["id"].as_str())?;
    let added = file.added_tokens.iter().find(|token| token.content == name);
    added.map(|token| token.id)
}

fn unreadable(error: serde_json::Error) -> EngineError {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    refuse(format!("tokenizer.json is not readable: {line}"))
}
