//! Damaged and hostile files.

use std::{borrow::Cow, fs};

use candle_core::quantized::{GgmlDType, gguf_file::Value};

use half::f16;

use super::{Random, Recipe, bitwise::bits, fixtures::fixture};
use crate::{EngineError, Model, files::tensors::numbers};

/// Returns why a model does not load or does not complete.
#[track_caller]
pub(super) fn reason(model: Result<Model, EngineError>) -> String {
    let error = model
        .and_then(|model| model.completes())
        .expect_err("a refusal");
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[track_caller]
fn refusal(file: Vec<u8>) -> String {
    reason(Model::from_bytes(Cow::Owned(file)))
}

#[test]
fn every_truncated_file_is_refused_in_one_line() {
    let file = Recipe::LLAMA.file();
    // The last tensor's padding may be missing.
    let lengths = (0..200).chain((200..file.len() - 64).step_by(997));
    for length in lengths {
        refusal(file[..length].to_vec());
    }
}

#[test]
fn a_context_without_room_for_an_answer_is_refused() {
    let with = |context| Recipe {
        context,
        ..Recipe::LLAMA
    };
    assert_eq!(
        refusal(with(7).file()),
        "model cannot be used: its context of 7 tokens is too short to complete code; it takes at least 64"
    );
    assert!(with(64).model().completes().is_ok());
}

#[test]
fn numbers_are_read_wherever_they_begin() {
    let bytes: Vec<u8> = (0..80_u8).collect();
    for start in 0..9 {
        let bytes = &bytes[start..start + 64];
        let halves = bytes.as_chunks::<2>().0.iter();
        let expected: Vec<f32> = halves
            .map(|half| f16::from_le_bytes(*half).to_f32())
            .collect();
        assert_eq!(numbers(GgmlDType::F16, bytes).unwrap(), expected, "{start}");
    }
}

#[test]
fn a_file_is_the_same_from_disk_and_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    for recipe in [Recipe::LLAMA, Recipe::QWEN2] {
        let file = recipe.file();
        fs::write(&path, &file).unwrap();
        let from_disk = Model::open(&path).unwrap();
        let from_memory = Model::from_bytes(Cow::Owned(file.clone())).unwrap();
        assert_eq!(from_disk.info(), from_memory.info());
        let logits = |model: &Model| bits(&model.logits(&[1, 2, 3]).unwrap());
        assert_eq!(logits(&from_disk), logits(&from_memory));

        for length in [0, 3, 23, 5_000, file.len() / 2, file.len() - 64] {
            fs::write(&path, &file[..length]).unwrap();
            reason(Model::open(&path));
        }
    }
}

#[test]
fn progress_grows_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    fs::write(&path, Recipe::LLAMA.file()).unwrap();
    for path in [path, fixture("qwen2")] {
        let mut shares = Vec::new();
        Model::open_with(&path, &mut |share| shares.push(share)).unwrap();
        assert!(shares.len() >= 20, "{shares:?}");
        assert!(shares.is_sorted_by(|one, next| one < next), "{shares:?}");
        assert!(shares[0] > 0.0, "{shares:?}");
        assert_eq!(shares.last(), Some(&1.0));
    }
}

/// Builds a GGUF file of version 3 that states these counts of tensors and values and goes on with
/// `rest`.
fn stating(tensors: u64, values: u64, rest: &[&[u8]]) -> Vec<u8> {
    let head = [
        b"GGUF\x03\0\0\0".as_slice(),
        &tensors.to_le_bytes(),
        &values.to_le_bytes(),
    ];
    [&head, rest].concat().concat()
}

#[test]
fn stated_counts_take_no_memory() {
    let number = |number: u64| number.to_le_bytes();
    let kind = |kind: u32| kind.to_le_bytes();
    for count in [u64::MAX, 1 << 60, 1 << 40, 100] {
        refusal(stating(count, 0, &[]));
        refusal(stating(0, count, &[]));
        // The length of a key, of a text, and of arrays of each kind, arrays of arrays included.
        refusal(stating(0, 1, &[&number(count)]));
        let text = [number(1).as_slice(), b"k", &kind(8), &number(count)].concat();
        refusal(stating(0, 1, &[&text]));
        for inner in 0..=13 {
            let array = [
                number(1).as_slice(),
                b"k",
                &kind(9),
                &kind(inner),
                &number(count),
            ]
            .concat();
            refusal(stating(0, 1, &[&array]));
        }
    }
    // Nested arrays, each with one value, are followed only to a limited depth.
    let level = [kind(9).as_slice(), &number(1)].concat();
    let level = level.repeat(100_000);
    let deep = [number(1).as_slice(), b"k", &kind(9), &level].concat();
    let text = refusal(stating(0, 1, &[&deep]));
    assert!(text.contains("too deep"), "{text}");
}

#[test]
fn no_damaged_file_panics() {
    let file = Recipe::LLAMA.file();
    let mut random = Random(17);
    let mut refused = 0;
    let header = 12_000;
    for _ in 0..1500 {
        let mut damaged = file.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(header);
            damaged[at] = [0, 1, 0x7f, 0xff, random.bits() as u8][random.below(5)];
        }
        let model = Model::from_bytes(Cow::Owned(damaged));
        refused += usize::from(model.and_then(|model| model.completes()).is_err());
    }
    assert!(refused > 300, "only {refused} damaged files were refused");
}

#[test]
fn garbage_is_refused() {
    let mut random = Random(19);
    for length in [0, 1, 4, 24, 1000, 100_000] {
        let mut garbage: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        refusal(garbage.clone());
        if length > 8 {
            garbage[..8].copy_from_slice(b"GGUF\x03\0\0\0");
            refusal(garbage);
        }
    }
}

#[track_caller]
fn check_gate(value: Value, expected: Option<f32>) {
    let file = Recipe::LLAMA.file_with(|metadata| {
        metadata.insert("tabahead.gate.least_log_prob".to_owned(), value);
    });
    let model = Model::from_bytes(Cow::Owned(file)).expect("the model loads");
    assert_eq!(model.info().least_log_prob, expected);
}

#[test]
fn a_gate_that_is_no_log_probability_is_not_taken() {
    check_gate(Value::F32(-1.5), Some(-1.5));
    check_gate(Value::F32(0.0), Some(0.0));
    check_gate(Value::F32(0.5), None);
    check_gate(Value::F32(f32::NAN), None);
    check_gate(Value::F32(f32::NEG_INFINITY), None);
    check_gate(Value::String("-1".to_owned()), None);
}

#[track_caller]
fn check_refusal(key: &str, value: Option<Value>, expected: &str) {
    let file = Recipe::LLAMA.file_with(|metadata| {
        match value {
            Some(value) => metadata.insert(key.to_owned(), value),
            None => metadata.remove(key),
        };
    });
    let text = refusal(file);
    assert!(
        text.contains(expected),
        "'{text}' does not contain '{expected}'"
    );
}

#[test]
fn a_refusal_names_what_is_wrong() {
    let text = |text: &str| Some(Value::String(text.to_owned()));
    let number = |number| Some(Value::U32(number));
    check_refusal(
        "general.architecture",
        text("gemma"),
        "architecture 'gemma'",
    );
    check_refusal("tokenizer.ggml.pre", text("gpt-2"), "pre-tokenizer 'gpt-2'");
    check_refusal("tokenizer.ggml.model", text("llama"), "tokenizer 'llama'");
    check_refusal(
        "tokenizer.ggml.fim_suf_token_id",
        None,
        "fill-in-the-middle",
    );
    check_refusal(
        "tokenizer.ggml.fim_suf_token_id",
        number(1 << 30),
        "beyond the vocabulary",
    );
    check_refusal("tokenizer.ggml.merges", None, "merges");
    check_refusal("llama.attention.head_count", number(3), "heads");
    check_refusal("llama.attention.head_count", number(0), "head_count");
    check_refusal(
        "llama.attention.head_count_kv",
        number(0),
        "key-value heads",
    );
    check_refusal(
        "llama.block_count",
        number(u32::MAX),
        "blk.2.attn_norm.weight",
    );
    check_refusal("llama.embedding_length", number(1 << 31), "token_embd");
    check_refusal(
        "llama.rope.scaling.type",
        text("yarn"),
        "position scaling 'yarn'",
    );
    check_refusal("general.alignment", number(0), "alignment");
}

#[test]
fn llama_3_takes_a_whole_entry_whatever_the_merges_are() {
    let encode = |pre_tokenizer: &str| {
        let file = Recipe::LLAMA.file_with(|metadata| {
            let mut set = |key: &str, value| metadata.insert(key.to_owned(), value);
            set(
                "tokenizer.ggml.pre",
                Value::String(pre_tokenizer.to_owned()),
            );
            set(
                "tokenizer.ggml.merges",
                Value::Array(vec![Value::String("t h".to_owned())]),
            );
        });
        let model = Model::from_bytes(Cow::Owned(file)).unwrap();
        assert!(model.completes().is_ok());
        assert_eq!(model.info().pre_tokenizer, pre_tokenizer);
        let tokens = model.encode("the then");
        let tokens = tokens.into_iter().map(|token| model.token_bytes(token));
        tokens
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(encode("qwen2"), ["th", "e", " ", "th", "e", "n"]);
    assert_eq!(encode("llama-bpe"), ["the", " ", "th", "e", "n"]);
}

#[test]
fn other_quantised_types_are_converted() {
    let bits = |dtype| {
        let model = Recipe {
            dtype,
            ..Recipe::LLAMA
        }
        .model();
        model.logits(&[1, 2, 3, 4]).unwrap()
    };
    // Both models have the same weights: four bits are far off, but it is not another model.
    let (four, full) = (bits(GgmlDType::Q4_0), bits(GgmlDType::F32));
    let product: f32 = four.iter().zip(&full).map(|(a, b)| a * b).sum();
    let norm = |x: &[f32]| x.iter().map(|a| a * a).sum::<f32>().sqrt();
    let cosine = product / (norm(&four) * norm(&full));
    assert!(cosine > 0.9, "{cosine}");
    let eight = bits(GgmlDType::Q8_0);
    let product: f32 = eight.iter().zip(&full).map(|(a, b)| a * b).sum();
    assert!(product / (norm(&eight) * norm(&full)) > 0.999);
}

#[test]
fn a_model_is_known_by_its_bytes() {
    let id = |file| {
        Model::from_bytes(Cow::Owned(file))
            .unwrap()
            .info()
            .id
            .clone()
    };
    let file = Recipe::LLAMA.file();
    let mut other = file.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(id(file.clone()), id(file.clone()));
    assert_ne!(id(file.clone()), id(other));
    assert!(id(file).starts_with("tiny-"));
}

/// Encodes a text as in a GGUF file.
fn length_and(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

#[test]
fn an_alignment_of_zero_is_refused_anywhere_in_the_file() {
    // The file is read in chunks: the alignment is in the first one, at its end, and far after it.
    for filling in [0, (1 << 16) - 80, 64 << 20] {
        let text = [
            length_and(b"k"),
            vec![8, 0, 0, 0],
            length_and(&vec![b'a'; filling]),
        ]
        .concat();
        let alignment = [
            length_and(b"general.alignment"),
            vec![4, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let refused = refusal(stating(0, 2, &[&text, &alignment]));
        assert!(refused.contains("alignment of 0"), "{refused}");
    }
}

#[test]
fn a_refusal_is_short_and_printable_whatever_it_quotes() {
    let dimensions = 3_170_893_824_u32.to_le_bytes();
    for name in [
        "\0\x1b[2J\u{202e}blk.0\x07\n",
        &"\x1b]0;\u{2066}\n".repeat(1_000),
    ] {
        let name = name.as_bytes();
        let refused = refusal(stating(1, 0, &[&length_and(name), &dimensions]));
        assert!(refused.ends_with("has 3170893824 dimensions"), "{refused}");
        assert!(refused.chars().count() < 500, "{refused}");
        assert!(!refused.contains(char::is_control), "{refused}");
        assert!(!refused.contains(['\u{202e}', '\u{2066}']), "{refused}");
    }
}
