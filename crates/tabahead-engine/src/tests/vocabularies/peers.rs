//! The crate `tokenizers` gives the same ids for the same files.

use std::path::Path;

use super::{Known, LLAMA3, QWEN2, Random, llama3, mini, mini_file, qwen2, real};
use crate::vocabulary::peer::Peer;

#[track_caller]
fn check(known: &Known, file: &Path) {
    let peer = Peer::of_gguf(file);
    let mut random = Random(31);
    let check = |text: &str| assert_eq!(known.encode(text), peer.encode(text), "{text:?}");
    check("");
    // Long enough that merges depend on what was merged far before.
    for piece in ["a", "=", " ", "\n", "ab", "é", "漢", "e\u{301}", "\u{2028}"] {
        for count in [2, 3, 7, 64, 1001] {
            check(&piece.repeat(count));
            check(&format!("{}x", piece.repeat(count)));
        }
    }
    for _ in 0..2_000 {
        let text = random.text(24);
        check(&text);
        // Without white space and digits, so that it consists of few pre-tokens.
        let dense: String = text.chars().filter(|char| char.is_alphabetic()).collect();
        check(&dense);
    }
}

#[test]
fn the_embedded_models_tokens_are_those_of_tokenizers() {
    check(mini(), &mini_file());
}

#[test]
fn qwen2_tokens_are_those_of_tokenizers() {
    if let (Some(known), Some(file)) = (qwen2(), real(QWEN2)) {
        check(known, &file);
    }
}

#[test]
fn llama_3_tokens_are_those_of_tokenizers() {
    if let (Some(known), Some(file)) = (llama3(), real(LLAMA3)) {
        check(known, &file);
    }
}
