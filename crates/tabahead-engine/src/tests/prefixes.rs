//! A request computes only the tokens after the longest prefix that it shares with kept sequences.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Recipe, engine, request};
use crate::{Engine, SequenceRequest, Step, TokenId};

/// Prefills and decodes; returns the tokens that the engine has computed so far.
fn go(engine: &mut Engine, request: SequenceRequest, decode: usize) -> Vec<TokenId> {
    let mut tokens = request.prompt.clone();
    let mut sequence = engine.start(request).unwrap();
    let mut decoded = 0;
    loop {
        match engine.step(&mut sequence).unwrap() {
            Step::Prefilled { .. } | Step::Undecided => {}
            Step::Token(token) => {
                tokens.push(token.id);
                decoded += 1;
            }
            Step::Stop { .. } | Step::ContextFull => break,
        }
        if decoded == decode {
            // The last token's keys and values are only computed when they are needed.
            tokens.truncate(tokens.len() - 1);
            break;
        }
    }
    engine.retire(sequence);
    tokens
}

/// What the engine must know, as plain sets.
#[derive(Debug, Default)]
struct Sets {
    /// Prefixes whose keys and values were computed.
    computed: BTreeSet<Vec<TokenId>>,
    /// Prefixes whose logits are kept, a subset of `computed`.
    kept: BTreeSet<Vec<TokenId>>,
}

impl Sets {
    /// Returns the number of tokens that a request computes before its first token is chosen.
    fn missing(&self, prompt: &[TokenId], draft: &[TokenId]) -> usize {
        let all = [prompt, draft].concat();
        if self.kept.contains(prompt) {
            return 0;
        }
        let known = (1..=all.len()).take_while(|&end| self.computed.contains(&all[..end]));
        all.len() - known.count().min(prompt.len() - 1)
    }

    fn compute(&mut self, tokens: &[TokenId]) {
        let beginnings = (1..=tokens.len()).map(|end| tokens[..end].to_vec());
        self.computed.extend(beginnings);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_request_computes_exactly_the_tokens_that_are_not_kept(
        steps in prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                0usize..80,
                prop::collection::vec(0u32..6, 0..60),
                "[a-c]{0,4}",
            ),
            1..14,
        ),
    ) {
        let model = Recipe::LLAMA.model();
        let mut engine = engine(&model, 1, 1 << 30);
        let mut sets = Sets::default();
        let mut seen: Vec<Vec<TokenId>> = vec![vec![]];
        for (index, cut, tail, forced) in steps {
            let mut prompt = index.get(&seen).clone();
            prompt.truncate(cut);
            prompt.extend(tail);
            if prompt.is_empty() {
                continue;
            }
            let draft = model.encode(&forced);
            let mut sequence = engine
                .start(SequenceRequest {
                    draft: draft.clone(),
                    ..request(&prompt, forced.as_bytes())
                })
                .unwrap();
            let before = engine.counters();
            let expected = sets.missing(&prompt, &draft);
            prop_assert_eq!(engine.missing(&mut sequence), expected);
            if expected > 0 {
                engine.step(&mut sequence).unwrap();
            }
            let after = engine.counters();
            prop_assert_eq!(after.computed - before.computed, expected as u64);
            prop_assert_eq!(
                after.prefilled + after.drafted - before.prefilled - before.drafted,
                expected as u64
            );
            if expected > 0 {
                let all = [prompt.as_slice(), &draft].concat();
                sets.compute(&all);
                sets.kept.extend((prompt.len()..=all.len()).map(|end| all[..end].to_vec()));
            }
            engine.retire(sequence);
            seen.push([prompt, draft].concat());
        }
    }

    #[test]
    fn decoded_tokens_serve_later_prompts(
        steps in prop::collection::vec((any::<prop::sample::Index>(), 0usize..80, prop::collection::vec(0u32..6, 0..60), 1usize..6), 1..14),
    ) {
        let model = Recipe::LLAMA.model();
        let mut engine = engine(&model, 1, 1 << 30);
        let mut seen: Vec<Vec<TokenId>> = vec![vec![]];
        // Prompts whose logits are kept.
        let mut answered: BTreeSet<Vec<TokenId>> = BTreeSet::new();
        for (index, cut, tail, decode) in steps {
            let mut prompt = index.get(&seen).clone();
            prompt.truncate(cut);
            prompt.extend(tail);
            if prompt.is_empty() {
                continue;
            }
            let known = seen
                .iter()
                .map(|tokens| tokens.iter().zip(&prompt).take_while(|(a, b)| a == b).count())
                .max()
                .unwrap();
            let expected = match known == prompt.len() {
                true if answered.contains(&prompt) => 0,
                true => 1,
                false => prompt.len() - known,
            };
            let before = engine.counters();
            let computed = go(&mut engine, request(&prompt, b""), decode);
            let after = engine.counters();
            prop_assert_eq!(after.prompt - before.prompt, prompt.len() as u64);
            // The end of a kept sequence has logits that were not requested for a prompt.
            let prefilled = (after.prefilled - before.prefilled) as usize;
            prop_assert!(
                prefilled == expected || (expected == 1 && prefilled == 0 && seen.contains(&prompt)),
                "{} instead of {}", prefilled, expected
            );
            answered.insert(prompt);
            seen.push(computed);
        }
    }

    #[test]
    fn memory_stays_within_the_budget(
        steps in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(0u32..200, 1..90)), 1..12),
        budget in 0usize..400_000,
    ) {
        let model = Recipe::LLAMA.model();
        let mut engine = engine(&model, 1, budget);
        let mut seen = vec![vec![]];
        for (index, tail) in steps {
            let mut prompt: Vec<TokenId> = index.get(&seen).clone();
            prompt.truncate(200);
            prompt.extend(tail);
            seen.push(go(&mut engine, request(&prompt, b""), 2));
            prop_assert!(engine.counters().kv_bytes <= budget as u64);
        }
    }
}

#[test]
fn sequences_run_in_turn_without_disturbing_each_other() {
    let model = Recipe::LLAMA.model();
    let base: Vec<TokenId> = (0..70).map(|id| id * 3 % 200).collect();
    let decode = |engine: &mut Engine, requests: &[SequenceRequest]| -> Vec<Vec<TokenId>> {
        let mut sequences: Vec<_> = requests
            .iter()
            .map(|request| engine.start(request.clone()).unwrap())
            .collect();
        let mut decoded = vec![Vec::new(); requests.len()];
        for _ in 0..60 {
            for (sequence, decoded) in sequences.iter_mut().zip(&mut decoded) {
                if let Step::Token(token) = engine.step(sequence).unwrap() {
                    decoded.push(token.id);
                }
            }
        }
        sequences
            .into_iter()
            .for_each(|sequence| engine.retire(sequence));
        decoded
    };
    let requests = [b"a", b"b", b"("].map(|forced| request(&base, forced));
    let mut shared = engine(&model, 1, 1 << 30);
    // All three know the prompt, and their ends lie in the same block.
    go(&mut shared, request(&base, b"x"), 1);
    let together = decode(&mut shared, &requests);
    for (request, together) in requests.iter().zip(together) {
        let mut fresh = engine(&model, 1, 1 << 30);
        let alone = decode(&mut fresh, std::slice::from_ref(request));
        assert!(!together.is_empty());
        let both = together.len().min(alone[0].len());
        assert_eq!(alone[0][..both], together[..both]);
    }
    assert_eq!(shared.counters().prefilled, base.len() as u64);
}

#[test]
fn a_fully_known_prompt_computes_nothing() {
    let model = Recipe::LLAMA.model();
    let prompt: Vec<TokenId> = (0..100).collect();
    let mut engine = engine(&model, 1, 1 << 30);
    go(&mut engine, request(&prompt, b"le"), 5);
    let before = engine.counters();
    let mut sequence = engine.start(request(&prompt, b"th")).unwrap();
    assert!(matches!(
        engine.step(&mut sequence).unwrap(),
        Step::Token(_)
    ));
    assert_eq!(engine.counters().prefilled, before.prefilled);
    engine.retire(sequence);
}

#[test]
fn an_unfinished_prompt_serves_the_next() {
    let model = Recipe::LLAMA.model();
    let prompt: Vec<TokenId> = (0..200).collect();
    let mut engine = engine(&model, 1, 1 << 30);
    let mut sequence = engine.start(request(&prompt, b"")).unwrap();
    let Step::Prefilled { tokens } = engine.step(&mut sequence).unwrap() else {
        panic!("a chunk of the prompt comes first");
    };
    assert!(tokens < 200);
    engine.retire(sequence);
    go(&mut engine, request(&prompt, b""), 1);
    assert_eq!(engine.counters().prefilled, 200);
}

/// Reads a prompt before it is requested.
fn read_ahead(engine: &mut Engine, prompt: &[TokenId]) {
    let request = SequenceRequest {
        read_ahead: true,
        ..request(prompt, b"")
    };
    let mut sequence = engine.start(request).unwrap();
    while engine.missing(&mut sequence) > 0 {
        engine.step(&mut sequence).unwrap();
    }
    engine.retire(sequence);
}

#[test]
fn what_is_read_ahead_takes_the_room_of_one_prompt_from_what_was_asked_for() {
    let model = Recipe::LLAMA.model();
    let prompt = |first: TokenId| -> Vec<TokenId> { (first..first + 96).collect() };
    let mut roomy = engine(&model, 1, 1 << 30);
    go(&mut roomy, request(&prompt(0), b""), 1);
    let room = roomy.counters().kv_bytes as usize;

    let mut engine = engine(&model, 1, 3 * room);
    let missing = |engine: &mut Engine, prompt: &[TokenId]| {
        let mut sequence = engine.start(request(prompt, b"")).unwrap();
        let missing = engine.missing(&mut sequence);
        engine.retire(sequence);
        missing
    };
    go(&mut engine, request(&prompt(0), b""), 1);
    // A prompt that was requested after it was read is no longer read ahead.
    read_ahead(&mut engine, &prompt(1));
    go(&mut engine, request(&prompt(1), b""), 1);
    for first in 2..10 {
        read_ahead(&mut engine, &prompt(first));
        assert!(engine.counters().kv_bytes as usize <= 3 * room);
    }
    assert_eq!(missing(&mut engine, &prompt(9)), 0);
    assert_eq!(missing(&mut engine, &prompt(1)), 0);
    assert_eq!(missing(&mut engine, &prompt(0)), 0);
    assert_eq!(missing(&mut engine, &prompt(8)), 96);
}

#[test]
fn a_pass_that_is_given_up_loses_nothing_that_was_known_before() {
    let model = Recipe::LLAMA.model();
    let prompt: Vec<TokenId> = (0..100).collect();
    let mut engine = engine(&model, 1, 1 << 30);
    let mut sequence = engine.start(request(&prompt, b"zzzz")).unwrap();
    while engine.counters().constrained < 3 {
        engine.step(&mut sequence).unwrap();
    }
    let known = engine.counters().computed;
    let mut tokens = prompt;
    tokens.extend(model.encode("zzz"));
    // The third token is chosen but not computed: it is in a pass when the sequence is given up.
    let pass = engine.begin(&mut [(&mut sequence, 1)]);
    engine.retire(sequence);
    engine.abandon(pass);
    let mut again = engine.start(request(&tokens, b"")).unwrap();
    assert_eq!(known, 102);
    assert_eq!(engine.missing(&mut again), 1);
}
