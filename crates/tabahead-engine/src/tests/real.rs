//! A widely used file, unmodified: the official one of Qwen2.5-Coder-0.5B-Instruct, compared with
//! the results of llama.cpp.
//!
//! `tests/real/make.py` wrote the expected results. `TABAHEAD_REAL_MODEL` is the path of the file;
//! `cargo xtask prepare` fetches it.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use serde_json::Value;

use super::{engine, skip};
use crate::{Engine, Marker, Model, SequenceRequest, Step, TokenId, vocabulary::TokenKind};

/// Minimum margin by which a token's logit must exceed the next best for its choice to be clear;
/// below this, rounding decides. llama.cpp's own two ways of reading a prompt are as far from each
/// other as both are from ours, and choose different tokens up to a margin of 0.6.
const CLEAR: f64 = 1.0;

/// Returns the model, unless it is not here.
fn model() -> Option<&'static Arc<Model>> {
    static MODEL: LazyLock<Option<Arc<Model>>> = LazyLock::new(|| {
        let Some(file) = std::env::var_os("TABAHEAD_REAL_MODEL") else {
            skip("a real model", "TABAHEAD_REAL_MODEL is not set");
            return None;
        };
        let model = Model::open(Path::new(&file)).expect("the official file loads");
        Some(Arc::new(model))
    });
    MODEL.as_ref()
}

fn expected(part: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/expected.json");
    let text = std::fs::read_to_string(file).expect("a file of this project");
    let mut expected: Value = serde_json::from_str(&text).expect("it is JSON");
    match expected[part].take() {
        Value::Array(entries) => entries,
        other => panic!("{part}: {other}"),
    }
}

fn ids(value: &Value) -> Vec<TokenId> {
    let ids = value.as_array().expect("a list").iter();
    ids.map(|id| id.as_u64().expect("an id") as TokenId)
        .collect()
}

#[test]
fn an_untouched_file_has_its_markers_and_completes() {
    let Some(model) = model() else { return };
    model.completes().expect("it completes");
    let markers = [
        (Marker::Prefix, 151_659),
        (Marker::Middle, 151_660),
        (Marker::Suffix, 151_661),
    ];
    for (marker, id) in markers {
        assert_eq!(model.marker(marker), Some(id), "{marker:?}");
    }
    // Ends of a text and of a turn, padding, repository name, file separator, and the markers.
    for end in [151_643, 151_645].into_iter().chain(151_659..=151_664) {
        assert_eq!(model.vocabulary().kind(end), TokenKind::Stop, "{end}");
    }
}

#[test]
fn tokens_of_a_hundred_texts_are_those_of_llama_cpp() {
    let Some(model) = model() else { return };
    let texts = expected("texts");
    assert_eq!(texts.len(), 100);
    for text in texts {
        let (text, expected) = (text[0].as_str().expect("a text"), ids(&text[1]));
        assert_eq!(model.encode(text), expected, "{text:?}");
        let bytes = expected.iter().flat_map(|&token| model.token_bytes(token));
        assert!(bytes.eq(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn what_follows_twenty_prompts_is_that_of_llama_cpp_where_rounding_does_not_decide() {
    let Some(model) = model() else { return };
    let continuations = expected("continuations");
    assert_eq!(continuations.len(), 20);
    let mut engine = engine(model, 0, 1 << 28);
    let (mut clear, mut same, mut all) = (0, 0, 0);
    for continuation in continuations {
        let margins = continuation["margins"].as_array().expect("a list");
        let steps: Vec<(TokenId, bool)> = ids(&continuation["tokens"])
            .into_iter()
            .zip(
                margins
                    .iter()
                    .map(|margin| margin.as_f64().expect("a number") >= CLEAR),
            )
            .collect();
        clear += steps.iter().filter(|(_, clear)| *clear).count();
        all += steps.len();
        same += check_continuation(&mut engine, &ids(&continuation["prompt"]), &steps);
    }
    assert!(
        clear * 10 > all * 7,
        "only {clear} of {all} steps are clear"
    );
    assert!(
        same * 100 > all * 95,
        "only {same} of {all} steps are the same"
    );
}

/// Checks that decoding takes each clear step. At an unclear step it may choose another token than
/// llama.cpp; decoding then goes on after llama.cpp's. Returns how many steps are the same as
/// llama.cpp's.
#[track_caller]
fn check_continuation(engine: &mut Engine, prompt: &[TokenId], steps: &[(TokenId, bool)]) -> usize {
    let (mut taken, mut equal) = (0, 0);
    while taken < steps.len() {
        let before = steps[..taken].iter().map(|(token, _)| *token);
        let request = SequenceRequest {
            prompt: prompt.iter().copied().chain(before).collect(),
            ..SequenceRequest::default()
        };
        let mut sequence = engine.start(request).expect("it fits");
        for (at, &(token, clear)) in steps.iter().enumerate().skip(taken) {
            let ends = engine.model().vocabulary().kind(token) == TokenKind::Stop;
            let step = loop {
                match engine.step(&mut sequence).expect("it can be computed") {
                    Step::Prefilled { .. } | Step::Undecided => {}
                    step => break step,
                }
            };
            taken = at + 1;
            let same = match &step {
                Step::Token(decoded) => decoded.id == token,
                Step::Stop { .. } => ends,
                _ => false,
            };
            assert!(
                same || !clear,
                "step {at} after {prompt:?}: {step:?} instead of {token}"
            );
            equal += usize::from(same);
            if !same {
                break;
            }
        }
        engine.retire(sequence);
    }
    equal
}
