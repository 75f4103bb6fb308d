//! Reads a tokenizer from the metadata of a GGUF file.

use std::collections::HashMap;

use super::{
    Parts, PreTokenizer,
    special::{Specials, StatedTokens},
};
use crate::{EngineError, SpecialToken, error::refuse, files::gguf::GgufFile};

/// Removes the tokenizer from the metadata and returns it.
pub(crate) fn take(file: &mut GgufFile) -> Result<Parts, EngineError> {
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
        .unwrap_or_else(|| vec![super::NORMAL; tokens.len()]);
    let specials = Specials::find(stated(file, pre_tokenizer), &tokens, &types);
    Ok(Parts {
        pre_tokenizer,
        tokens,
        types,
        merges,
        // GGUF has no key for this: it goes with the pre-tokenizer, as in llama.cpp.
        ignore_merges: pre_tokenizer == PreTokenizer::Llama3,
        specials,
    })
}

/// Returns the ids that the metadata state, under the keys of current and of older converters.
fn stated(file: &GgufFile, pre_tokenizer: PreTokenizer) -> StatedTokens {
    const MARKERS: [(SpecialToken, &str); 8] = [
        (SpecialToken::File, "fim_sep"),
        (SpecialToken::File, "file_sep"),
        (SpecialToken::Prefix, "fim_pre"),
        (SpecialToken::Prefix, "prefix"),
        (SpecialToken::Suffix, "fim_suf"),
        (SpecialToken::Suffix, "suffix"),
        (SpecialToken::Middle, "fim_mid"),
        (SpecialToken::Middle, "middle"),
    ];
    const STOPS: [&str; 6] = ["eos", "eot", "eom", "fim_pad", "fim_rep", "padding"];

    let id = |name: &str| file.integer(&format!("tokenizer.ggml.{name}_token_id"));
    let mut markers = HashMap::new();
    for (token, name) in MARKERS {
        if let Some(id) = id(name) {
            markers.entry(token).or_insert(id);
        }
    }
    // If the key is missing, llama.cpp decides by the pre-tokenizer.
    let begins = file
        .boolean("tokenizer.ggml.add_bos_token")
        .unwrap_or(pre_tokenizer == PreTokenizer::Llama3);
    StatedTokens {
        markers,
        stops: STOPS.into_iter().filter_map(id).collect(),
        begin: id("bos").filter(|_| begins),
    }
}
