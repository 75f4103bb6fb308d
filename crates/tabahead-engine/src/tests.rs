//! Tests on tiny random models built here, on fixtures made with `transformers`, and on a real
//! model.

mod bitwise;
mod checkpoints;
mod company;
mod decoding;
mod files;
mod fixtures;
mod lookahead;
mod prefixes;
mod products;
mod real;
mod vocabularies;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::OpenOptions,
    io::{Cursor, Write},
    sync::Arc,
};

use candle_core::{
    Device, Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{self, Value},
    },
};

use crate::{Engine, EngineSettings, KvPrecision, Model, SequenceRequest, Step, TokenId};

/// Parameters of a tiny random model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    architecture: &'static str,
    dtype: GgmlDType,
    width: usize,
    feed_forward: usize,
    heads: usize,
    kv_heads: usize,
    context: usize,
    tied: bool,
}

impl Recipe {
    pub(crate) const LLAMA: Self = Self {
        architecture: "llama",
        dtype: GgmlDType::Q8_0,
        width: 64,
        feed_forward: 96,
        heads: 4,
        kv_heads: 2,
        context: 400,
        tied: true,
    };

    pub(crate) const QWEN2: Self = Self {
        architecture: "qwen2",
        tied: false,
        ..Self::LLAMA
    };

    const QWEN3: Self = Self {
        architecture: "qwen3",
        ..Self::LLAMA
    };

    pub(crate) fn model(self) -> Arc<Model> {
        let model = Model::from_bytes(Cow::Owned(self.file())).expect("a sound file loads");
        Arc::new(model)
    }

    fn file(self) -> Vec<u8> {
        self.file_with(|_| {})
    }

    /// Builds the file after a change to its metadata.
    fn file_with(self, change: impl FnOnce(&mut BTreeMap<String, Value>)) -> Vec<u8> {
        const HEAD_WIDTH: usize = 16;
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let (tokens, merges) = vocabulary();
        let vocabulary = tokens.len();
        let mut tensors: Vec<(String, QTensor)> = Vec::new();
        let mut matrix = |name: &str, rows: usize, columns: usize| {
            let numbers: Vec<f32> = (0..rows * columns).map(|_| random.next() * 0.4).collect();
            let tensor = Tensor::from_vec(numbers, (rows, columns), &Device::Cpu).unwrap();
            // Makers of such files do the same if the rows are not multiples of a type's block.
            let dtype = if columns.is_multiple_of(self.dtype.block_size()) {
                self.dtype
            } else {
                GgmlDType::Q8_0
            };
            let tensor = QTensor::quantize(&tensor, dtype).unwrap();
            tensors.push((format!("{name}.weight"), tensor));
        };
        matrix("token_embd", vocabulary, self.width);
        if !self.tied {
            matrix("output", vocabulary, self.width);
        }
        for layer in 0..2 {
            let name = |part: &str| format!("blk.{layer}.{part}");
            matrix(&name("attn_q"), self.heads * HEAD_WIDTH, self.width);
            matrix(&name("attn_k"), self.kv_heads * HEAD_WIDTH, self.width);
            matrix(&name("attn_v"), self.kv_heads * HEAD_WIDTH, self.width);
            matrix(&name("attn_output"), self.width, self.heads * HEAD_WIDTH);
            matrix(&name("ffn_gate"), self.feed_forward, self.width);
            matrix(&name("ffn_up"), self.feed_forward, self.width);
            matrix(&name("ffn_down"), self.width, self.feed_forward);
        }
        let mut vector = |name: &str, length: usize, middle: f32| {
            let numbers: Vec<f32> = (0..length).map(|_| middle + random.next() * 0.3).collect();
            let tensor = Tensor::from_vec(numbers, length, &Device::Cpu).unwrap();
            let tensor = QTensor::quantize(&tensor, GgmlDType::F32).unwrap();
            tensors.push((name.to_owned(), tensor));
        };
        vector("output_norm.weight", self.width, 1.0);
        for layer in 0..2 {
            vector(&format!("blk.{layer}.attn_norm.weight"), self.width, 1.0);
            vector(&format!("blk.{layer}.ffn_norm.weight"), self.width, 1.0);
            if self.architecture == "qwen3" {
                for part in ["q", "k"] {
                    let name = format!("blk.{layer}.attn_{part}_norm.weight");
                    vector(&name, HEAD_WIDTH, 1.0);
                }
            }
            if self.architecture == "qwen2" {
                vector(
                    &format!("blk.{layer}.attn_q.bias"),
                    self.heads * HEAD_WIDTH,
                    0.0,
                );
                vector(
                    &format!("blk.{layer}.attn_k.bias"),
                    self.kv_heads * HEAD_WIDTH,
                    0.0,
                );
                vector(
                    &format!("blk.{layer}.attn_v.bias"),
                    self.kv_heads * HEAD_WIDTH,
                    0.0,
                );
            }
        }

        let first = vocabulary as u32 - SPECIAL.len() as u32;
        let types = (0..vocabulary as u32).map(|id| Value::I32(if id < first { 1 } else { 3 }));
        let text = |text: &str| Value::String(text.to_owned());
        let number = |number: usize| Value::U32(number as u32);
        let here = |name: &str| format!("{}.{name}", self.architecture);
        let mut metadata = BTreeMap::from([
            ("general.architecture".to_owned(), text(self.architecture)),
            ("general.name".to_owned(), text("tiny")),
            (here("context_length"), number(self.context)),
            (here("embedding_length"), number(self.width)),
            (here("block_count"), number(2)),
            (here("feed_forward_length"), number(self.feed_forward)),
            (here("attention.head_count"), number(self.heads)),
            (here("attention.head_count_kv"), number(self.kv_heads)),
            (here("attention.key_length"), number(HEAD_WIDTH)),
            (here("attention.layer_norm_rms_epsilon"), Value::F32(1e-5)),
            ("tokenizer.ggml.model".to_owned(), text("gpt2")),
            ("tokenizer.ggml.pre".to_owned(), text("qwen2")),
            (
                "tokenizer.ggml.tokens".to_owned(),
                Value::Array(tokens.iter().map(|token| text(token)).collect()),
            ),
            (
                "tokenizer.ggml.merges".to_owned(),
                Value::Array(merges.iter().map(|merge| text(merge)).collect()),
            ),
            (
                "tokenizer.ggml.token_type".to_owned(),
                Value::Array(types.collect()),
            ),
            ("tokenizer.ggml.eos_token_id".to_owned(), Value::U32(first)),
            (
                "tokenizer.ggml.fim_pre_token_id".to_owned(),
                Value::U32(first + 1),
            ),
            (
                "tokenizer.ggml.fim_suf_token_id".to_owned(),
                Value::U32(first + 2),
            ),
            (
                "tokenizer.ggml.fim_sep_token_id".to_owned(),
                Value::U32(first + 3),
            ),
        ]);
        change(&mut metadata);
        let metadata: Vec<_> = metadata
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        let tensors: Vec<_> = tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
            .collect();
        let mut file = Cursor::new(Vec::new());
        gguf_file::write(&mut file, &metadata, &tensors).unwrap();
        file.into_inner()
    }
}

const SPECIAL: [&str; 4] = ["<|end|>", "<|pre|>", "<|suf|>", "<|sep|>"];

/// Returns all bytes, some longer words and the special tokens, and the merges.
fn vocabulary() -> (Vec<String>, Vec<String>) {
    let mut moved = 0x100;
    let mut char_of = |byte: u8| match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
        _ => {
            moved += 1;
            char::from_u32(moved - 1).unwrap()
        }
    };
    let mut tokens: Vec<String> = (0..=255).map(|byte| char_of(byte).to_string()).collect();
    // U+0120 represents a space, U+010A a line feed, U+010D a carriage return.
    let merges = [
        "e r",
        "i n",
        "o n",
        "r e",
        "t h",
        "th e",
        "Ġ Ġ",
        "ĠĠ ĠĠ",
        "Ġ the",
        "l e",
        "le t",
        "f n",
        "Ġ in",
        "Ġ le",
        "Ġle t",
        "in t",
        "( )",
        "Ċ Ċ",
        "č Ċ",
        "Ã ©",
        "r er",
    ];
    for merge in merges {
        tokens.push(merge.replace(' ', ""));
    }
    tokens.extend(SPECIAL.map(str::to_owned));
    (tokens, merges.map(str::to_owned).to_vec())
}

/// Random numbers between -1 and 1, the same in every run.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn next(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    fn tokens(&mut self, model: &Model, count: usize) -> Vec<TokenId> {
        (0..count)
            .map(|_| self.below(model.vocabulary_len()) as TokenId)
            .collect()
    }
}

fn engine(model: &Arc<Model>, threads: usize, kv_bytes: usize) -> Engine {
    let settings = EngineSettings {
        threads,
        kv_bytes,
        kv_precision: KvPrecision::Half,
        lookahead: false,
        copied_draft: 0,
    };
    Engine::new(model.clone(), settings)
}

/// Creates an engine that keeps everything and rounds nothing.
fn exact_engine(model: &Arc<Model>, threads: usize) -> Engine {
    let settings = EngineSettings {
        threads,
        kv_bytes: 1 << 30,
        kv_precision: KvPrecision::Full,
        lookahead: false,
        copied_draft: 0,
    };
    Engine::new(model.clone(), settings)
}

fn request(prompt: &[TokenId], forced: &[u8]) -> SequenceRequest {
    SequenceRequest {
        prompt: prompt.to_vec(),
        forced: forced.to_vec(),
        mask_first_stop: true,
        ..SequenceRequest::default()
    }
}

/// Returns up to `count` steps other than prefill, with log-probabilities as bits.
fn run(engine: &mut Engine, request: SequenceRequest, count: usize) -> Vec<(TokenId, u32)> {
    let mut sequence = engine.start(request).unwrap();
    let mut decoded = Vec::new();
    while decoded.len() < count {
        match engine.step(&mut sequence).unwrap() {
            Step::Prefilled { .. } | Step::Undecided => {}
            Step::Token(token) => decoded.push((token.id, token.log_prob.to_bits())),
            Step::Stop { log_prob } => {
                decoded.push((TokenId::MAX, log_prob.to_bits()));
                break;
            }
            Step::ContextFull => break,
        }
    }
    engine.retire(sequence);
    decoded
}

/// Reports loudly, once for all tests that need it, that `what` is not here. Fails if everything
/// was promised to be here (`TABAHEAD_REQUIRE_ALL`).
fn skip(what: &str, reason: &str) {
    assert!(
        std::env::var_os("TABAHEAD_REQUIRE_ALL").is_none(),
        "{what} must be here, but: {reason}"
    );
    let line = format!("SKIPPED   {what}: {reason}\n");
    // Do not use `eprintln!`, whose output the test harness captures when a test passes.
    let mut written = std::io::stderr().write_all(line.as_bytes());
    if let Some(log) = std::env::var_os("TABAHEAD_TEST_LOG") {
        let file = OpenOptions::new().create(true).append(true).open(log);
        written = written.and_then(|()| file?.write_all(line.as_bytes()));
    }
    written.expect("the test log can be written");
}
