//! A tokenizer as the metadata of a GGUF file state it.

use std::{
    collections::HashMap,
    io::{Read, Seek},
};

use super::{Parts, PreTokenizer};
use crate::{EngineError, SpecialToken, error::refuse, gguf::GgufFile};

/// Takes the tokenizer out of the metadata.
pub(crate) fn take<R: Read + Seek>(file: &mut GgufFile<R>) -> Result<Parts, EngineError> {
    let model = file
        .string("tokenizer.ggml.model")
        .ok_or_else(|| refuse("the file has no tokenizer"))?;
    if model != "gpt2" {
        return Err(refuse(format!(
            "tokenizer '{model}' is not supported, only 'gpt2' (byte-level BPE) is"
        )));
    }
    let name = file.string("tokenizer.ggml.pre").unwrap_or("none");
    let pre_tokenizer = PreTokenizer::find(|known| known.name() == name).ok_or_else(|| {
        refuse(format!(
            "pre-tokenizer '{name}' is not supported, only {} are",
            PreTokenizer::names()
        ))
    })?;
    let tokens = file
        .take_strings("tokenizer.ggml.tokens")
        .ok_or_else(|| refuse("the vocabulary is missing"))?;
    let merges = file
        .take_strings("tokenizer.ggml.merges")
        .ok_or_else(|| refuse("the merges of the vocabulary are missing"))?;
    let types = file
        .take_integers("tokenizer.ggml.token_type")
        .unwrap_or_else(|| vec![1; tokens.len()]);
    let merges = merges.iter().map(|merge| super::pair(merge));
    Ok(Parts {
        pre_tokenizer,
        tokens,
        types,
        merges: merges.collect::<Result<_, _>>()?,
        // GGUF has no key for it: it goes with the pre-tokenizer, as in llama.cpp.
        ignore_merges: pre_tokenizer == PreTokenizer::Llama3,
        special: special_tokens(file),
        stops: ["eos", "eot", "fim_pad", "fim_rep"]
            .iter()
            .filter_map(|key| file.integer(&format!("tokenizer.ggml.{key}_token_id")))
            .collect(),
    })
}

fn special_tokens<R: Read + Seek>(file: &GgufFile<R>) -> HashMap<SpecialToken, usize> {
    let keys = [
        (SpecialToken::File, "fim_sep"),
        (SpecialToken::File, "file_sep"),
        (SpecialToken::Prefix, "fim_pre"),
        (SpecialToken::Suffix, "fim_suf"),
        (SpecialToken::Middle, "fim_mid"),
    ];
    let mut special = HashMap::new();
    for (token, key) in keys {
        if let Some(id) = file.integer(&format!("tokenizer.ggml.{key}_token_id")) {
            special.entry(token).or_insert(id);
        }
    }
    special
}
