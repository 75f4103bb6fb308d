//! Tokens per second of prefill and decode: `cargo bench -p tabahead-engine -- [MODEL.gguf] [THREADS]`.
//!
//! Without a model it makes one of the embedded model's shape with random weights. Each figure is
//! the best and the median of several runs.

use std::{borrow::Cow, io::Cursor, path::Path, sync::Arc, time::Instant};

use candle_core::{
    Device, Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{self, Value},
    },
};
use tabahead_engine::{Engine, EngineSettings, Model, SequenceRequest, Step};

const RUNS: usize = 9;
const PROMPT: usize = 512;
const DECODE: usize = 48;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let model = match arguments.next() {
        Some(path) => Model::open(Path::new(&path)).expect("the model named loads"),
        None => Model::from_bytes(Cow::Owned(random_model())).expect("the random model loads"),
    };
    let model = Arc::new(model);
    let threads = match arguments.next() {
        Some(threads) => vec![threads.parse().expect("a number of threads")],
        None => vec![1, 2],
    };
    for threads in threads {
        let (mut prefill, mut decode, mut longest) = (Vec::new(), Vec::new(), 0.0f64);
        let mut engine = Engine::new(
            model.clone(),
            EngineSettings {
                threads,
                kv_bytes: 0,
            },
        );
        for run in 0..RUNS {
            let prompt = (0..PROMPT).map(|index| ((index * 37 + run * 101) % 8000 + 10) as u32);
            let request = SequenceRequest {
                prompt: prompt.collect(),
                forced: b"                                                ".to_vec(),
                mask_first_stop: true,
                reserve: 0,
            };
            let mut sequence = engine.start(request).expect("the prompt fits");
            let started = Instant::now();
            let (mut tokens, mut first) = (0, None);
            while tokens < DECODE {
                let step = Instant::now();
                match engine.step(&mut sequence).expect("spaces can be spelled") {
                    Step::Prefilled { .. } => longest = longest.max(step.elapsed().as_secs_f64()),
                    Step::Token(_) => {
                        tokens += 1;
                        first.get_or_insert_with(Instant::now);
                    }
                    Step::Stop { .. } | Step::ContextFull => break,
                }
            }
            let first = first.expect("at least one token");
            prefill.push(PROMPT as f64 / (first - started).as_secs_f64());
            decode.push((tokens - 1) as f64 / first.elapsed().as_secs_f64());
            engine.retire(sequence);
        }
        let name = engine.instruction_set();
        println!(
            "{name}, {threads} threads: prefill {PROMPT} {}, decode {}, longest step {:.1} ms",
            figures(prefill),
            figures(decode),
            longest * 1e3
        );
    }
}

fn figures(mut rates: Vec<f64>) -> String {
    rates.sort_by(f64::total_cmp);
    let (median, best) = (rates[rates.len() / 2], rates[rates.len() - 1]);
    format!("{median:.0} tok/s (best {best:.0})")
}

/// 256 wide, 4 layers, 4 heads of 64 on 2, feed-forward 768, 8192 tokens, Q8_0, tied.
fn random_model() -> Vec<u8> {
    let mut state = 1u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[usize], dtype| {
        let numbers: Vec<f32> = (0..shape.iter().product())
            .map(|_| random() * 0.1)
            .collect();
        let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu).expect("the numbers fit");
        tensors.push((
            name,
            QTensor::quantize(&tensor, dtype).expect("the type fits"),
        ));
    };
    add(
        "token_embd.weight".to_owned(),
        &[8192, 256],
        GgmlDType::Q8_0,
    );
    add("output_norm.weight".to_owned(), &[256], GgmlDType::F32);
    for layer in 0..4 {
        let matrices = [
            ("attn_q", [256, 256]),
            ("attn_k", [128, 256]),
            ("attn_v", [128, 256]),
            ("attn_output", [256, 256]),
            ("ffn_gate", [768, 256]),
            ("ffn_up", [768, 256]),
            ("ffn_down", [256, 768]),
        ];
        for (name, shape) in matrices {
            add(
                format!("blk.{layer}.{name}.weight"),
                &shape,
                GgmlDType::Q8_0,
            );
        }
        for name in ["attn_norm", "ffn_norm"] {
            add(format!("blk.{layer}.{name}.weight"), &[256], GgmlDType::F32);
        }
    }
    let text = |text: &str| Value::String(text.to_owned());
    let bytes = (0u32..256).scan(0x100, |moved, byte| {
        Some(match byte {
            0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from_u32(byte),
            _ => {
                *moved += 1;
                char::from_u32(*moved - 1)
            }
        })
    });
    let mut words: Vec<String> = bytes.flatten().map(String::from).collect();
    words.extend((words.len()..8189).map(|index| format!("word{index}")));
    let markers = ["<end>", "<prefix>", "<suffix>"].map(str::to_owned);
    let types = (0..8192).map(|id| Value::I32(if id < 8189 { 1 } else { 3 }));
    words[256] = "wo".to_owned();
    let tokens = words
        .iter()
        .chain(&markers)
        .map(|word| text(word))
        .collect();
    let merges = Value::Array(vec![text("w o")]);
    let metadata = [
        ("general.architecture", text("llama")),
        ("llama.context_length", Value::U32(1024)),
        ("llama.embedding_length", Value::U32(256)),
        ("llama.block_count", Value::U32(4)),
        ("llama.feed_forward_length", Value::U32(768)),
        ("llama.attention.head_count", Value::U32(4)),
        ("llama.attention.head_count_kv", Value::U32(2)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("qwen2")),
        ("tokenizer.ggml.tokens", Value::Array(tokens)),
        ("tokenizer.ggml.merges", merges),
        ("tokenizer.ggml.token_type", Value::Array(types.collect())),
        ("tokenizer.ggml.fim_pre_token_id", Value::U32(8190)),
        ("tokenizer.ggml.fim_suf_token_id", Value::U32(8191)),
    ];
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    let mut file = Cursor::new(Vec::new());
    gguf_file::write(&mut file, &metadata, &tensors).expect("memory can be written");
    file.into_inner()
}
