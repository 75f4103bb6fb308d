//! Reads a tokenizer from the metadata of a GGUF file.

use std::collections::HashMap;

use tabahead_tokens::{Marker, PreTokenizer};

use super::{
    Parts,
    special::{Specials, StatedTokens},
};
use crate::{EngineError, error::refuse, files::gguf::GgufFile};

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
    let pre_tokenizer = PreTokenizer::named(name).ok_or_else(|| {
        refuse(format!(
            "pre-tokenizer '{name}' is not supported, only {} are",
            super::supported()
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
    const MARKERS: [(Marker, &str); 8] = [
        (Marker::File, "fim_sep"),
        (Marker::File, "file_sep"),
        (Marker::Prefix, "fim_pre"),
        (Marker::Prefix, "prefix"),
        (Marker::Suffix, "fim_suf"),
        (Marker::Suffix, "suffix"),
        (Marker::Middle, "fim_mid"),
        (Marker::Middle, "middle"),
    ];
    const STOPS: [&str; 6] = ["eos", "eot", "eom", "fim_pad", "fim_rep", "padding"];

    let id = |name: &str| file.integer(&format!("tokenizer.ggml.{name}_token_id"));
    let mut markers = HashMap::new();
    for (marker, name) in MARKERS {
        if let Some(id) = id(name) {
            markers.entry(marker).or_insert(id);
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
