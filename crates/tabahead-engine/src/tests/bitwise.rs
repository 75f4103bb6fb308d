//! One result per prompt, whatever else is computed with it.

use std::sync::Arc;

use candle_core::quantized::GgmlDType;

use super::{Random, Recipe, engine, request, run};
use crate::{
    Model, TokenId,
    arithmetic::{
        kernels::{self, Gathered, KV_BLOCK, LANES, QUANT_WORDS, Query},
        simd::Isa,
    },
    kept::{
        kv::{KvPrecision, Ledger},
        place::Place,
    },
    pass::{Pass, Span, forward::Processor},
    threads::Urgency,
};

fn recipes() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for recipe in [Recipe::LLAMA, Recipe::QWEN2, Recipe::QWEN3] {
        for dtype in [GgmlDType::Q8_0, GgmlDType::F16, GgmlDType::F32] {
            // Multi-head, grouped-query and multi-query attention.
            for kv_heads in [4, 2, 1] {
                recipes.push(Recipe {
                    dtype,
                    kv_heads,
                    ..recipe
                });
            }
        }
        recipes.push(Recipe {
            dtype: GgmlDType::BF16,
            ..recipe
        });
        for dtype in [GgmlDType::Q4_1, GgmlDType::Q5_0] {
            recipes.push(Recipe { dtype, ..recipe });
        }
        for dtype in [GgmlDType::Q4K, GgmlDType::Q5K, GgmlDType::Q6K] {
            recipes.push(Recipe {
                dtype,
                width: 256,
                feed_forward: 512,
                ..recipe
            });
        }
    }
    recipes
}

pub(super) fn bits(logits: &[f32]) -> Vec<u32> {
    assert!(logits.iter().all(|logit| logit.is_finite()));
    logits.iter().map(|logit| logit.to_bits()).collect()
}

/// Returns the logits after the last token, computed in chunks whose sizes cycle through `sizes`.
fn in_chunks(
    model: &Arc<Model>,
    kv_precision: KvPrecision,
    processor: &mut Processor,
    tokens: &[TokenId],
    sizes: &mut dyn Iterator<Item = usize>,
) -> Vec<u32> {
    let ledger = Ledger::default();
    let mut place = Place::default();
    loop {
        let start = place.length();
        let end = (start + sizes.next().unwrap()).min(tokens.len());
        let chunk = tokens[start..end].to_vec();
        let span = Span::new(model, &ledger, kv_precision, place, chunk, 1);
        let mut pass = Pass::new(vec![span]);
        assert!(processor.run(model, &mut pass, &|| false));
        let (next, logits) = pass.spans.pop().unwrap().close();
        place = next;
        if end == tokens.len() {
            return bits(&logits[0]);
        }
    }
}

#[test]
fn chunks_threads_and_instructions_change_no_bit() {
    let mut random = Random(1);
    for (recipe, kv_precision) in recipes().into_iter().flat_map(|recipe| {
        [KvPrecision::Half, KvPrecision::Full].map(|precision| (recipe, precision))
    }) {
        let model = recipe.model();
        let length = 100 + random.below(60);
        let tokens = random.tokens(&model, length);
        let expected = bits(&model.logits_with(&tokens, kv_precision).unwrap());
        for isa in Isa::available() {
            let most = if isa == Isa::detect() { 3 } else { 1 };
            for threads in 1..=most {
                let mut processor = Processor::with_isa(threads, Urgency::Urgent, isa);
                let mut check = |how: &str, sizes: &mut dyn Iterator<Item = usize>| {
                    let found = in_chunks(&model, kv_precision, &mut processor, &tokens, sizes);
                    let name = isa.name();
                    assert_eq!(found, expected, "{recipe:?} {name} {threads} threads {how}");
                };
                check("in one go", &mut std::iter::repeat(length));
                check("token by token", &mut std::iter::repeat(1));
                let mut sizes = std::iter::from_fn(|| Some(1 + random.below(70)));
                check("in random chunks", &mut sizes);
            }
        }
    }
}

#[test]
fn what_was_computed_before_changes_no_bit() {
    let mut random = Random(5);
    for recipe in recipes() {
        let model = recipe.model();
        let base = random.tokens(&model, 90);
        let mut used = engine(&model, 1, 1 << 30);
        for _ in 0..12 {
            let mut prompt = base[..1 + random.below(base.len())].to_vec();
            let tail = 1 + random.below(50);
            prompt.extend(random.tokens(&model, tail));
            let count = 1 + random.below(40);
            let found = run(&mut used, request(&prompt, b"let"), count);
            for threads in [1, 2] {
                let mut fresh = engine(&model, threads, 1 << 30);
                let expected = run(&mut fresh, request(&prompt, b"let"), count);
                assert_eq!(found, expected, "{recipe:?}");
            }
        }
        let counters = used.counters();
        assert!(
            counters.prefilled < counters.prompt,
            "nothing was shared: {counters:?}"
        );
    }
}

/// Checks that every instruction set computes the same numbers.
fn agree(work: impl Fn(Isa) -> Vec<f32>) {
    let results: Vec<_> = Isa::available()
        .into_iter()
        .map(|isa| (isa, work(isa)))
        .collect();
    let (_, portable) = results.last().unwrap();
    for (isa, result) in &results {
        assert_eq!(bits(result), bits(portable), "{}", isa.name());
    }
}

#[test]
fn every_instruction_set_gives_the_same_kernels() {
    let mut random = Random(9);
    for round in 0..50 {
        let mut numbers = |count: usize, scale: f32| -> Vec<f32> {
            (0..count).map(|_| random.next() * scale).collect()
        };
        let scale = [1e-3, 1.0, 30.0][round % 3];
        let x = numbers(96, scale);
        let y = numbers(96, 2.0);
        let queries = numbers(4 * 32, scale);
        let (keys, values) = (numbers(32 * KV_BLOCK, 1.0), numbers(32 * KV_BLOCK, 1.0));
        let tile = numbers(96 * LANES, 1.0);
        let valid = 1 + random.below(KV_BLOCK);

        agree(|isa| {
            let mut out = vec![0.0; 96];
            isa.rms_norm(&x, &y, 1e-5, &mut out);
            out
        });
        agree(|isa| {
            let mut out = x.clone();
            isa.silu_mul(&mut out, &y);
            out
        });
        agree(|isa| {
            let mut out = x.clone();
            isa.rotate(&mut out, &y[..48], &y[48..]);
            out
        });
        agree(|isa| vec![isa.sum_exp(&x, 3.0)]);
        agree(|isa| {
            let mut halves = vec![0; 96];
            isa.narrow(&x, &mut halves);
            let mut out = vec![0.0; 96];
            isa.widen(&halves, &mut out);
            out
        });
        agree(|isa| {
            let mut out = [[0.0; LANES]; 2];
            isa.dense_tile(&tile, [&x, &y], &mut out);
            out.as_flattened().to_vec()
        });
        agree(|isa| {
            let mut blocks = [[[0]; QUANT_WORDS]; 3];
            isa.quantize(&x, &mut blocks);
            let words = blocks.as_flattened().as_flattened();
            words.iter().map(|&word| word as f32).collect()
        });
        agree(|isa| {
            let mut gathered = [Gathered::NOTHING; 4];
            let mut out = vec![0.0; 4 * 32];
            let rows = queries
                .chunks(32)
                .zip(out.chunks_mut(32))
                .zip(&mut gathered);
            let mut rows: Vec<_> = rows
                .map(|((query, out), gathered)| Query {
                    query,
                    gathered,
                    out,
                })
                .collect();
            for rows in rows.as_chunks_mut::<4>().0 {
                isa.attend(&keys, &values, KV_BLOCK, 0.1, rows);
                isa.attend(&keys, &values, valid, 0.1, rows);
            }
            out
        });
    }
}

#[test]
fn half_floats_are_those_of_the_half_crate() {
    for bits in (0..=u16::MAX).filter(|&bits| half::f16::from_bits(bits).is_finite()) {
        let expected = half::f16::from_bits(bits).to_f32();
        assert_eq!(kernels::widen_one(bits).to_bits(), expected.to_bits());
        assert_eq!(kernels::narrow_one(expected), bits);
    }
    let mut random = Random(13);
    for _ in 0..200_000 {
        let number = f32::from_bits(random.bits() as u32);
        if number.abs() < 65504.0 {
            let expected = half::f16::from_f32(number).to_bits();
            assert_eq!(kernels::narrow_one(number), expected, "{number:e}");
        }
    }
    assert_eq!(kernels::narrow_one(f32::INFINITY), half::f16::MAX.to_bits());
}

#[test]
fn the_exponential_is_close() {
    for step in -8600..=8600 {
        let x = step as f32 / 100.0;
        let (found, expected) = (f64::from(kernels::exp(x)), f64::from(x).exp());
        assert!(
            (found / expected - 1.0).abs() < 4e-7,
            "{x}: {found} {expected}"
        );
    }
}
