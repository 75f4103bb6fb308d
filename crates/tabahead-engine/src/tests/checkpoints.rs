//! Directories with weights in safetensors files, intact and damaged.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{Random, engine, fixtures::fixture, request};
use crate::{Marker, Model, ModelFormat};

/// A copy of a fixture, to be damaged.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(name: &str) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        for entry in fs::read_dir(fixture(name)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(
                entry.path(),
                copy.file(&entry.file_name().to_string_lossy()),
            )
            .unwrap();
        }
        copy
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let file = self.file(name);
        let mut value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        change(&mut value);
        fs::write(file, value.to_string()).unwrap();
    }

    #[track_caller]
    fn refusal(&self) -> String {
        refusal(self.0.path())
    }

    /// Checks that a change to a JSON file gives a model that does not load or does not complete.
    #[track_caller]
    fn check(name: &str, file: &str, pointer: &str, value: Value, expected: &str) {
        let copy = Self::of(name);
        copy.change(file, |config| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            config.pointer_mut(parent).unwrap()[key] = value;
        });
        let text = copy.refusal();
        assert!(
            text.contains(expected),
            "'{text}' does not contain '{expected}'"
        );
    }
}

#[track_caller]
fn refusal(path: &Path) -> String {
    super::files::reason(Model::open(path))
}

#[test]
fn every_truncated_file_is_refused_in_one_line() {
    let copy = Copy::of("llama");
    let file = copy.file("model.safetensors");
    let whole = fs::read(&file).unwrap();
    for length in (0..200).chain((200..whole.len()).step_by(997)) {
        fs::write(&file, &whole[..length]).unwrap();
        assert!(Model::open(copy.0.path()).is_err(), "{length} bytes");
        copy.refusal();
    }
    let mut longer = whole;
    longer.push(0);
    fs::write(&file, longer).unwrap();
    copy.refusal();
}

#[test]
fn no_damaged_header_panics() {
    let copy = Copy::of("llama");
    let file = copy.file("model.safetensors");
    let whole = fs::read(&file).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut random = Random(29);
    let mut refused = 0;
    for _ in 0..600 {
        let mut damaged = whole.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(header);
            let bytes = [b'0', b'9', b'"', b'}', 0xff, random.bits() as u8];
            damaged[at] = bytes[random.below(bytes.len())];
        }
        fs::write(&file, damaged).unwrap();
        refused += usize::from(Model::open(copy.0.path()).is_err());
    }
    assert!(refused > 400, "only {refused} damaged files were refused");
}

#[test]
fn stated_sizes_take_no_memory() {
    let copy = Copy::of("llama");
    let file = copy.file("model.safetensors");
    // A header as long as memory, a tensor as large as memory, and a product that overflows.
    for length in [u64::MAX, u64::MAX - 7, 1 << 40, 1 << 24] {
        fs::write(&file, [&length.to_le_bytes()[..], b"{}"].concat()).unwrap();
        assert!(copy.refusal().contains("a header of"));
    }
    for (sizes, end) in [
        ("[1099511627776,4]", 1u64 << 44),
        ("[4294967296,4294967296,4]", 64),
        ("[18446744073709551615]", u64::MAX),
    ] {
        let header = format!(
            r#"{{"model.embed_tokens.weight":{{"dtype":"F32","shape":{sizes},"data_offsets":[0,{end}]}}}}"#
        );
        let length = (header.len() as u64).to_le_bytes();
        fs::write(&file, [&length[..], header.as_bytes()].concat()).unwrap();
        assert!(copy.refusal().contains("is no safetensors file"));
    }
}

#[test]
fn a_refusal_names_what_is_wrong() {
    let config = |key: &str, value: Value, expected: &str| {
        Copy::check("llama", "config.json", &format!("/{key}"), value, expected);
    };
    config("model_type", json!("gemma"), "architecture 'gemma'");
    config("hidden_size", json!(64), "model.embed_tokens.weight");
    config("hidden_size", json!(-1), "hidden_size");
    config("hidden_size", json!(u64::MAX), "model.embed_tokens.weight");
    config("num_attention_heads", json!(3), "heads");
    config("num_attention_heads", json!(0), "num_attention_heads");
    config("num_key_value_heads", json!(2), "self_attn.v_proj");
    config("num_key_value_heads", json!(0), "key-value heads");
    config("head_dim", json!(u64::MAX), "heads");
    config("intermediate_size", json!(49), "mlp.gate_proj");
    config("num_hidden_layers", json!(1u64 << 60), "model.layers.2.");
    config("num_hidden_layers", json!(1), "more layers");
    config("tie_word_embeddings", json!(false), "lm_head.weight");
    config("max_position_embeddings", json!("256"), "max_position");
    config("rms_norm_eps", json!(-1.0), "epsilon");
    config("hidden_act", json!("gelu"), "activation 'gelu'");
    config("use_sliding_window", json!(true), "sliding-window");
    config("quantization_config", json!({}), "quantised checkpoints");
    let rope = |value: Value, expected: &str| config("rope_parameters", value, expected);
    rope(json!({"rope_type": "yarn"}), "position scaling 'yarn'");
    rope(json!({"rope_type": "linear"}), "factor");
    rope(json!({"rope_type": "linear", "factor": 0.0}), "rotated");
    rope(json!({"rope_theta": 0.0}), "rotated");
    rope(json!({"partial_rotary_factor": 0.5}), "partly rotated");
    rope(json!({"full_attention": {}}), "rotations of their own");
}

#[test]
fn files_that_are_missing_are_named() {
    let copy = Copy::of("llama-linear");
    let index = "model.safetensors.index.json";
    copy.change(index, |index| {
        index["weight_map"]["x"] = json!("../model.safetensors");
    });
    assert!(copy.refusal().contains("no file of its own"));
    copy.change(index, |index| {
        index["weight_map"]["x"] = json!("none.safetensors");
    });
    assert!(copy.refusal().contains("'none.safetensors'"));
    fs::write(copy.file(index), "{").unwrap();
    assert!(copy.refusal().contains("is not JSON"));
    fs::remove_file(copy.file(index)).unwrap();
    assert!(copy.refusal().contains("there is neither"));
    fs::remove_file(copy.file("config.json")).unwrap();
    assert!(copy.refusal().contains("config.json"));
    let file = fixture("llama/model.safetensors");
    assert!(refusal(&file).contains("give the directory"));
}

#[test]
fn a_model_without_a_usable_tokenizer_computes_but_does_not_complete() {
    let tokenizer = |pointer: &str, value: Value, expected: &str| {
        Copy::check("qwen2", "tokenizer.json", pointer, value, expected);
    };
    tokenizer("/model/type", json!("Unigram"), "tokenizer 'Unigram'");
    tokenizer("/pre_tokenizer/pretokenizers", json!([]), "pre-tokenizer");
    tokenizer("/normalizer", json!({"type": "NFKC"}), "'NFKC'");
    tokenizer("/model/merges", json!(["ab"]), "not a pair");
    tokenizer("/model/merges", json!(7), "not readable");
    tokenizer("/model/vocab/abc", json!(1u64 << 40), "beyond the 389 rows");
    tokenizer("/added_tokens", json!([]), "fill-in-the-middle");

    let model = Model::open(&fixture("llama")).unwrap();
    assert!(refusal(&fixture("llama")).contains("there is no tokenizer.json"));
    assert!(refusal(&fixture("llama.gguf")).contains("no tokenizer"));
    assert!(model.encode("text").is_empty());
    assert_eq!(model.token_bytes(1), b"");
    assert_eq!(model.marker(Marker::Prefix), None);
    assert_eq!(model.logits(&[1, 2]).unwrap().len(), model.vocabulary_len());
    let mut engine = engine(&Arc::new(model), 1, 1 << 20);
    assert!(engine.start(request(&[1, 2], b"")).is_err());
}

#[test]
fn a_checkpoint_is_the_model_that_the_gguf_file_is() {
    let (directory, file) = (fixture("qwen2"), fixture("qwen2.gguf"));
    let (directory, file) = (
        Model::open(&directory).unwrap(),
        Model::open(&file).unwrap(),
    );
    for marker in [Marker::File, Marker::Prefix, Marker::Suffix, Marker::Middle] {
        assert!(file.marker(marker).is_some());
        assert_eq!(directory.marker(marker), file.marker(marker));
    }
    for token in 0..file.vocabulary_len() as u32 {
        assert_eq!(directory.token_bytes(token), file.token_bytes(token));
        let kind = |model: &Model| model.vocabulary().kind(token);
        assert_eq!(kind(&directory), kind(&file));
    }
    let (info, of_file) = (directory.info(), file.info());
    assert_eq!(info.format, ModelFormat::Safetensors);
    assert_eq!(info.pre_tokenizer, of_file.pre_tokenizer);
    assert_eq!(info.parameters, of_file.parameters);
    assert_eq!(info.context_tokens, of_file.context_tokens);
    assert_eq!(info.tensor_types["f16"], 27);
    assert!(info.id.starts_with("qwen2-"));
}

#[test]
fn a_checkpoint_with_the_tokenizer_of_llama_3_is_recognised() {
    let copy = Copy::of("qwen2");
    copy.change("tokenizer.json", |tokenizer| {
        let expression = &mut tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
        let digits = r"\p{N}{1,3}";
        *expression = json!(expression.as_str().unwrap().replacen(
            r"|\p{N}|",
            &format!("|{digits}|"),
            1
        ));
        tokenizer["model"]["merges"] = json!([["d", "e"]]);
    });
    let tokens_of = |text: &str| {
        let model = Model::open(copy.0.path()).unwrap();
        assert!(model.completes().is_ok());
        assert_eq!(model.info().pre_tokenizer, "llama-bpe");
        model.encode(text).len()
    };
    assert_eq!(tokens_of("def"), 2);
    copy.change("tokenizer.json", |tokenizer| {
        tokenizer["model"]["ignore_merges"] = json!(true);
    });
    assert_eq!(tokens_of("def"), 1);
}

#[test]
fn an_older_configuration_is_the_same_model() {
    let copy = Copy::of("llama-llama3");
    copy.change("config.json", |config| {
        let mut rope = config["rope_parameters"].take();
        config["rope_theta"] = rope["rope_theta"].take();
        config["rope_scaling"] = rope;
    });
    let older = Model::open(copy.0.path()).unwrap();
    let newer = Model::open(&fixture("llama-llama3")).unwrap();
    assert_eq!(
        older.logits(&[1, 2, 3]).unwrap(),
        newer.logits(&[1, 2, 3]).unwrap()
    );
    assert_ne!(older.info().id, newer.info().id);
}

#[test]
fn a_checkpoint_is_known_by_its_files() {
    let copy = Copy::of("llama");
    let id = || Model::open(copy.0.path()).unwrap().info().id.clone();
    let before = id();
    assert_eq!(id(), before);
    let file = copy.file("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_ne!(id(), before);
}
