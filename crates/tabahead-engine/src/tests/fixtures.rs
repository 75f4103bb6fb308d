//! What `transformers` and `tokenizers` say, see `tests/fixtures/make.py`.

use serde_json::Value;

use crate::{Model, TokenId};

fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn tokens(value: &Value) -> Vec<TokenId> {
    let ids = value["tokens"].as_array().unwrap().iter();
    ids.map(|id| id.as_u64().unwrap() as TokenId).collect()
}

#[test]
fn logits_are_those_of_transformers() {
    let expected = expected();
    let models = expected["models"].as_array().unwrap();
    assert_eq!(models.len(), 2);
    for entry in models {
        let name = entry["file"].as_str().unwrap();
        let model = Model::open(&fixture(name)).unwrap();
        for prompt in entry["prompts"].as_array().unwrap() {
            let logits = model.logits(&tokens(prompt)).unwrap();
            let expected = prompt["logits"].as_array().unwrap();
            assert_eq!(logits.len(), expected.len());
            for (id, (logit, expected)) in logits.iter().zip(expected).enumerate() {
                let expected = expected.as_f64().unwrap() as f32;
                assert!(
                    (logit - expected).abs() < 1e-3,
                    "{name}, token {id}: {logit} instead of {expected}"
                );
            }
        }
    }
}

#[test]
fn token_ids_are_those_of_tokenizers() {
    let model = Model::open(&fixture("llama.gguf")).unwrap();
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
