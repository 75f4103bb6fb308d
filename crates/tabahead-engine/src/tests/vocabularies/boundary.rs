//! The stable boundary of texts and their continuations.

use tabahead_tokens::stable_boundary;

use super::{Known, Random, llama3, mini, qwen2};

const CASES: usize = 20_000;

fn check(known: &Known) {
    let mut random = Random(0x5eed);
    let mut after_the_start = 0;
    for _ in 0..CASES {
        let text = random.text(10);
        let continuation = random.text(6);
        after_the_start += usize::from(check_one(known, &text, &continuation) > 0);
    }
    assert!(after_the_start > CASES / 2, "{after_the_start}");
}

/// Checks one text and continuation; returns the boundary of `text`.
fn check_one(known: &Known, text: &str, continuation: &str) -> usize {
    let whole = format!("{text}{continuation}");
    let tokens = known.encode(&whole);
    let spelled: Vec<u8> = tokens
        .iter()
        .flat_map(|&token| known.vocabulary.token_bytes(token))
        .copied()
        .collect();
    assert_eq!(spelled, whole.as_bytes(), "{whole:?}");
    let split = known.pre_tokenizer.split(&whole);
    let edges: Vec<usize> = split.map(|token| token.end).collect();
    let ends = known.ends(0, &tokens);
    for edge in &edges {
        let crossed = ends.binary_search(edge).is_err();
        assert!(!crossed, "a token crosses the edge at {edge} of {whole:?}");
    }

    // Each prefix is a text with a continuation, too, if only of one character.
    let mut before = 0;
    for (at, char) in whole.char_indices() {
        let beginning = &whole[..at + char.len_utf8()];
        let now = stable_boundary(known.pre_tokenizer, beginning);
        assert!(now >= before, "{beginning:?} moves {before} back to {now}");
        let is_edge = now == 0 || edges.binary_search(&now).is_ok();
        assert!(is_edge, "{now}, of {beginning:?}, is no edge in {whole:?}");
        before = now;
    }

    let boundary = stable_boundary(known.pre_tokenizer, text);
    let apart = [
        known.encode(&whole[..boundary]),
        known.encode(&whole[boundary..]),
    ];
    assert_eq!(apart.concat(), tokens, "{whole:?}, cut at {boundary}");
    let solid = known
        .pre_tokenizer
        .split(text)
        .filter(|token| !text[token.clone()].trim().is_empty())
        .last()
        .map_or(0, |token| token.start);
    assert!(boundary <= solid, "{text:?}: {boundary}");
    boundary
}

#[test]
fn no_continuation_moves_a_boundary_of_the_embedded_vocabulary() {
    check(mini());
}

#[test]
fn no_continuation_moves_a_boundary_of_qwen2() {
    if let Some(known) = qwen2() {
        check(known);
    }
}

#[test]
fn no_continuation_moves_a_boundary_of_llama_3() {
    if let Some(known) = llama3() {
        check(known);
    }
}
