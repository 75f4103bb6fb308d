//! The results of `transformers` and `tokenizers`, see `tests/fixtures/make.py`.

use std::{path::PathBuf, sync::Arc};

use serde_json::Value;

use super::{exact_engine, request};
use crate::{Engine, Model, Step, TokenId};

/// Maximum difference from a number of `transformers`, where sums are in a different order.
const CLOSE: f32 = 1e-4;

pub(super) fn fixture(name: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<TokenId> {
    let ids = value.as_array().unwrap().iter();
    ids.map(|id| id.as_u64().unwrap() as TokenId).collect()
}

pub(super) fn tokens(value: &Value) -> Vec<TokenId> {
    ids(&value["tokens"])
}

fn numbers(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().unwrap().iter();
    numbers
        .map(|number| number.as_f64().unwrap() as f32)
        .collect()
}

/// Loads each model from its GGUF file and from its directory, with the expected results.
fn models() -> Vec<(String, Arc<Model>, Value)> {
    let expected = expected();
    let models = expected["models"].as_array().unwrap();
    assert_eq!(models.len(), 6);
    let mut loaded = Vec::new();
    for entry in models {
        let name = entry["name"].as_str().unwrap();
        for file in [format!("{name}.gguf"), name.to_owned()] {
            let model = Model::open(&fixture(&file)).unwrap();
            // All but one have no tokenizer.
            assert_eq!(model.spells().is_ok(), name == "qwen2", "{file}");
            let model = match model.spells() {
                Ok(()) => model,
                Err(_) => model.lettered(),
            };
            loaded.push((file, Arc::new(model), entry.clone()));
        }
    }
    loaded
}

#[track_caller]
fn check_logits(file: &str, logits: &[f32], expected: &Value) {
    let expected = numbers(expected);
    assert_eq!(logits.len(), expected.len());
    for (id, (logit, expected)) in logits.iter().zip(expected).enumerate() {
        assert!(
            (logit - expected).abs() < CLOSE,
            "{file}, token {id}: {logit} instead of {expected}"
        );
    }
}

/// Returns the best token and its log-probability according to `transformers`; ties go to the
/// lowest.
fn best(logits: &Value) -> (TokenId, f32) {
    let logits = numbers(logits);
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let best = logits.iter().position(|&logit| logit == largest).unwrap();
    let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    (best as TokenId, -sum.ln())
}

/// Checks the first token that an engine decodes after a prompt.
#[track_caller]
fn check_first(file: &str, engine: &mut Engine, prompt: &[TokenId], logits: &Value) {
    let mut sequence = engine.start(request(prompt, b"")).unwrap();
    let step = loop {
        match engine.step(&mut sequence).unwrap() {
            Step::Prefilled { .. } | Step::Undecided => {}
            step => break step,
        }
    };
    engine.retire(sequence);
    let (id, log_prob) = best(logits);
    let Step::Token(token) = step else {
        panic!("{file}: {step:?}");
    };
    assert_eq!(token.id, id, "{file}");
    assert!((token.log_prob - log_prob).abs() < CLOSE, "{file}");
}

#[test]
fn logits_are_those_of_transformers() {
    for (file, model, expected) in models() {
        let prompts = expected["prompts"].as_array().unwrap().iter();
        for prompt in prompts.chain(expected["forks"].as_array().unwrap()) {
            let logits = model.logits(&tokens(prompt)).unwrap();
            check_logits(&file, &logits, &prompt["logits"]);
        }
    }
}

#[test]
fn logits_of_every_position_are_those_of_transformers() {
    for (file, model, expected) in models() {
        let every = &expected["every"];
        let tokens = tokens(every);
        for (index, logits) in every["logits"].as_array().unwrap().iter().enumerate() {
            check_logits(&file, &model.logits(&tokens[..=index]).unwrap(), logits);
        }
    }
}

#[test]
fn a_prompt_in_pieces_is_that_of_transformers() {
    for (file, model, expected) in models() {
        let every = &expected["every"];
        let tokens = tokens(every);
        // Each prompt begins with the previous one, which is known, so it is computed in pieces.
        for pieces in [
            &[1, 2, 3, 10, 25, 33, 36][..],
            &[36],
            &[35, 36],
            &[31, 32, 33],
        ] {
            let mut engine = exact_engine(&model, 1);
            for &length in pieces {
                let logits = &every["logits"][length - 1];
                check_first(&file, &mut engine, &tokens[..length], logits);
            }
        }
    }
}

#[test]
fn tokens_decoded_one_by_one_are_those_of_transformers() {
    for (file, model, expected) in models() {
        let greedy = &expected["greedy"];
        let mut engine = exact_engine(&model, 2);
        let mut sequence = engine.start(request(&tokens(greedy), b"")).unwrap();
        let log_probs = numbers(&greedy["log_probs"]);
        let following = ids(&greedy["next"]).into_iter().zip(log_probs);
        for (id, log_prob) in following {
            let token = loop {
                match engine.step(&mut sequence).unwrap() {
                    Step::Prefilled { .. } | Step::Undecided => {}
                    Step::Token(token) => break token,
                    step => panic!("{file}: {step:?}"),
                }
            };
            assert_eq!(token.id, id, "{file}");
            assert!((token.log_prob - log_prob).abs() < CLOSE, "{file}");
        }
        engine.retire(sequence);
    }
}

#[test]
fn a_cut_prompt_and_two_forks_are_those_of_transformers() {
    for (file, model, expected) in models() {
        let (every, forks) = (&expected["every"], &expected["forks"]);
        let mut engine = exact_engine(&model, 1);
        let whole = tokens(every);
        check_first(&file, &mut engine, &whole, &every["logits"][35]);
        // Cut within a block, then continue with the original tokens and with others.
        check_first(&file, &mut engine, &whole[..20], &every["logits"][19]);
        check_first(&file, &mut engine, &whole[..30], &every["logits"][29]);
        for _ in 0..2 {
            for fork in forks.as_array().unwrap() {
                check_first(&file, &mut engine, &tokens(fork), &fork["logits"]);
            }
        }
    }
}

#[test]
fn token_ids_are_those_of_tokenizers() {
    for file in ["qwen2.gguf", "qwen2"] {
        let model = Model::open(&fixture(file)).unwrap();
        check_texts(&model);
    }
}

fn check_texts(model: &Model) {
    for entry in expected()["texts"].as_array().unwrap() {
        let text = entry["text"].as_str().unwrap();
        let ids = model.encode(text);
        assert_eq!(ids, tokens(entry), "{text:?}");
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|&id| model.token_bytes(id).to_vec())
            .collect();
        assert_eq!(bytes, text.as_bytes());
    }
}
