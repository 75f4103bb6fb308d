//! The results that llama.cpp's own tests expect for the same files.

use super::{Known, llama3, qwen2, real};
use crate::TokenId;

/// Separator between two texts and after the last.
const SEPARATOR: &str = "\n__ggml_vocab_test__\n";

#[track_caller]
fn check(known: Option<&Known>, name: &str) {
    let Some(known) = known else { return };
    let read = |ending: &str| {
        let file = real(&format!("ggml-vocab-{name}.gguf.{ending}")).expect("a folder");
        std::fs::read_to_string(file).expect("a file beside the vocabulary")
    };
    let (texts, ids) = (read("inp"), read("out"));
    let texts = texts.strip_suffix(SEPARATOR).expect("a last separator");
    let texts: Vec<&str> = texts.split(SEPARATOR).collect();
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(texts.len(), ids.len());
    assert!(texts.len() > 40, "only {} texts", texts.len());
    for (text, ids) in texts.iter().zip(ids) {
        let ids: Vec<TokenId> = ids
            .split_whitespace()
            .map(|id| id.parse().expect("a number"))
            .collect();
        assert_eq!(known.encode(text), ids, "{name}: {text:?}");
    }
}

#[test]
fn qwen2_tokens_are_those_of_llama_cpp() {
    check(qwen2(), "qwen2");
}

#[test]
fn llama_3_tokens_are_those_of_llama_cpp() {
    check(llama3(), "llama-bpe");
}
