//! Rows of several sequences computed together, interrupted and resumed elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use candle_core::quantized::GgmlDType;

use super::{Random, Recipe};
use crate::{
    Model, Processor, TokenId,
    arithmetic::simd::Isa,
    kept::{
        kv::{KvPrecision, Ledger},
        place::Place,
    },
    pass::{Pass, Span},
    threads::Urgency,
};

const PRECISION: KvPrecision = KvPrecision::Half;

fn bits(logits: &[f32]) -> Vec<u32> {
    assert!(logits.iter().all(|logit| logit.is_finite()));
    logits.iter().map(|logit| logit.to_bits()).collect()
}

fn processors() -> Vec<Processor> {
    let new = |threads| Processor::with_isa(threads, Urgency::Urgent, Isa::detect());
    vec![new(1), new(2), new(3), new(2).with_far_weights()]
}

/// Returns the place after `tokens`, computed alone, and the bits of the logits.
fn compute(model: &Arc<Model>, place: Place, tokens: &[TokenId]) -> (Place, Vec<Vec<u32>>) {
    let (ledger, wanted) = (Ledger::default(), tokens.len());
    let span = Span::new(model, &ledger, PRECISION, place, tokens.to_vec(), wanted);
    let mut pass = Pass::new(vec![span]);
    Processor::with_isa(1, Urgency::Urgent, Isa::detect()).run(model, &mut pass, &|| false);
    let (place, logits) = pass.spans.pop().unwrap().close();
    (place, logits.iter().map(|logits| bits(logits)).collect())
}

#[test]
fn company_and_interruptions_change_no_bit() {
    let mut random = Random(41);
    for dtype in [GgmlDType::Q8_0, GgmlDType::F16] {
        let model = Recipe {
            dtype,
            ..Recipe::LLAMA
        }
        .model();
        for _ in 0..6 {
            // Two bases; the others fork one of them at some place and continue for some tokens.
            let bases = [90, 31].map(|length| {
                let tokens = random.tokens(&model, length);
                let (place, _) = compute(&model, Place::default(), &tokens);
                (tokens, place)
            });
            let forks: Vec<_> = (0..2 + random.below(6))
                .map(|_| {
                    let (base, place) = &bases[random.below(2)];
                    let length = random.below(base.len() + 1);
                    let mut place = place.clone();
                    place.cut(length);
                    let count = 1 + random.below(40);
                    let tail = random.tokens(&model, count);
                    (base[..length].to_vec(), place, tail)
                })
                .collect();
            let expected: Vec<_> = forks
                .iter()
                .map(|(base, _, tail)| {
                    let tokens = [base.as_slice(), tail].concat();
                    let (_, mut logits) = compute(&model, Place::default(), &tokens);
                    logits.split_off(base.len())
                })
                .collect();
            for processor in &mut processors() {
                let ledger = Ledger::default();
                let spans = forks.iter().map(|(_, place, tail)| {
                    let (place, tail, wanted) = (place.clone(), tail.clone(), tail.len());
                    Span::new(&model, &ledger, PRECISION, place, tail, wanted)
                });
                let mut pass = Pass::new(spans.collect());
                // Each layer runs on other threads than the one before.
                let mut elsewhere = Processor::with_isa(1, Urgency::Urgent, Isa::detect());
                loop {
                    let asked = AtomicUsize::new(0);
                    let second = || asked.fetch_add(1, Ordering::Relaxed) == 1;
                    if processor.run(&model, &mut pass, &second) {
                        break;
                    }
                    std::mem::swap(processor, &mut elsewhere);
                }
                for (span, expected) in pass.spans.into_iter().zip(&expected) {
                    let (_, logits) = span.close();
                    let found: Vec<_> = logits.iter().map(|logits| bits(logits)).collect();
                    assert_eq!(found, *expected, "{dtype:?}");
                }
            }
        }
    }
}

#[test]
fn a_fork_and_a_cut_copy_one_block_at_most() {
    let model = Recipe::LLAMA.model();
    let block = model.kv_bytes_per_token(PRECISION) * crate::arithmetic::kernels::KV_BLOCK;
    let mut random = Random(43);
    let tokens = random.tokens(&model, 300);
    let ledger = Ledger::default();
    let continue_at = |place: Place, tokens: &[TokenId]| {
        let span = Span::new(&model, &ledger, PRECISION, place, tokens.to_vec(), 1);
        let mut pass = Pass::new(vec![span]);
        Processor::new(1, Urgency::Urgent).run(&model, &mut pass, &|| false);
        pass.spans.pop().unwrap().close().0
    };
    let place = continue_at(Place::default(), &tokens);
    assert_eq!(ledger.bytes(), 10 * block);
    // A clone holds nothing of its own, wherever it is cut.
    let mut fork = place.clone();
    fork.cut(100);
    assert_eq!(ledger.bytes(), 10 * block);
    // Continuing from it takes a copy of the block that it ends in.
    let fork = continue_at(fork, &tokens[100..101]);
    assert_eq!(ledger.bytes(), 11 * block);
    // A block that nothing else holds is continued in place.
    let fork = continue_at(fork, &tokens[101..103]);
    assert_eq!(ledger.bytes(), 11 * block);
    drop(place);
    // The fork still holds three full blocks of the original.
    assert_eq!(ledger.bytes(), 4 * block);
    drop(fork);
    assert_eq!(ledger.bytes(), 0);
}
