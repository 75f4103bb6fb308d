//! Healing, stops and masks, compared with a search through the whole vocabulary.

use proptest::prelude::*;

use super::{Random, Recipe, engine, request, run};
use crate::{
    CopySource, EngineError, KvPrecision, Marker, Model, SequenceRequest, Step, TokenId,
    arithmetic::simd::Isa,
    decoding::{
        choice::{Distribution, Sought, StopRule},
        copying::{CopyingRule, Votes},
    },
    vocabulary::TokenKind,
};

/// Implements the rule literally, over all tokens.
fn expected(model: &Model, logits: &[f32], forced: &[u8], mask_stops: bool) -> Option<TokenId> {
    let fits = |token: TokenId| {
        let bytes = model.token_bytes(token);
        let stop = model.vocabulary().kind(token) == TokenKind::Stop;
        match forced.is_empty() {
            true if stop => !mask_stops,
            false if stop => false,
            _ => {
                !bytes.contains(&b'\r') && (forced.starts_with(bytes) || bytes.starts_with(forced))
            }
        }
    };
    let mut best: Option<TokenId> = None;
    for token in (0..model.vocabulary_len() as TokenId).filter(|&token| fits(token)) {
        if best.is_none_or(|best| logits[token as usize] > logits[best as usize]) {
            best = Some(token);
        }
    }
    best
}

#[test]
fn the_choice_is_the_best_of_all_that_fit() {
    let model = Recipe::LLAMA.model();
    let mut random = Random(23);
    let texts: [&[u8]; 8] = [
        b"",
        b" ",
        b"th",
        b"    x",
        b" the()",
        b"\n\n",
        "é".as_bytes(),
        b"inte",
    ];
    for round in 0..400 {
        // Few distinct values make ties common.
        let logits: Vec<f32> = (0..model.vocabulary_len())
            .map(|_| random.below(4 + round) as f32 / 8.0)
            .collect();
        for forced in texts {
            for stops in [StopRule::Allowed, StopRule::Masked] {
                let mask_stops = stops == StopRule::Masked;
                let votes = Votes::default();
                let isa = Isa::detect();
                let distribution = Distribution::new(
                    model.vocabulary(),
                    isa,
                    &logits,
                    CopyingRule::for_model(model.info()),
                    &votes,
                );
                let unmasked = expected(&model, &logits, forced, false).unwrap();
                let expected = expected(&model, &logits, forced, mask_stops).unwrap();
                let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
                let probability = f64::from(logits[expected as usize]) - total.ln();
                let rivals = distribution
                    .rivals(forced, stops, Sought::Likeliest)
                    .unwrap();
                let [(id, log_prob)] = rivals.tokens[..] else {
                    panic!("one was asked for");
                };
                assert_eq!(id, expected);
                let stop_score = rivals
                    .masked_stop
                    .map(|stop| (f64::from(stop) + total.ln()) as f32);
                let is_stop = model.vocabulary().kind(unmasked) == TokenKind::Stop;
                assert_eq!(
                    stop_score.is_some(),
                    forced.is_empty() && mask_stops && is_stop
                );
                assert!(
                    stop_score.is_none_or(|stop_score| (stop_score - logits[unmasked as usize])
                        .abs()
                        < 1e-4)
                );
                assert!((f64::from(log_prob) - probability).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn what_is_copied_is_decoded_to_its_end_and_keeps_to_what_is_forced() {
    let model = Recipe::QWEN2.model();
    let prompt = Random(5).tokens(&model, 20);
    let decoded = |forced: &str| {
        let mut request = request(&prompt, forced.as_bytes());
        request.copy_source = Some(CopySource {
            // Long enough that the votes outweigh any random weights.
            before: "the text that comes before: abc1234\nxyz789\nthe text that comes before: abc"
                .to_owned(),
            after: " x".to_owned(),
            open_files: Vec::new(),
        });
        let mut engine = engine(&model, 1, 1 << 24);
        let decoded = run(&mut engine, request, 4);
        let bytes = decoded
            .iter()
            .flat_map(|&(id, _)| model.token_bytes(id).to_vec());
        String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
    };
    assert_eq!(decoded(""), "1234");
    assert_eq!(decoded("12"), "1234");
    assert!(decoded("9").starts_with('9'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn decoded_bytes_begin_with_the_forced_ones(forced in "[a-z é({\n]{0,12}", seed in 1u64..1 << 40) {
        let model = Recipe::QWEN2.model();
        let mut random = Random(seed);
        let prompt = random.tokens(&model, 20);
        let mut engine = engine(&model, 1, 1 << 24);
        let decoded = run(&mut engine, request(&prompt, forced.as_bytes()), forced.len() + 4);
        let bytes: Vec<u8> = decoded
            .iter()
            .flat_map(|&(id, _)| model.token_bytes(id).to_vec())
            .collect();
        prop_assert!(bytes.starts_with(forced.as_bytes()), "{:?}", String::from_utf8_lossy(&bytes));
        prop_assert!(!bytes.contains(&b'\r'));
        // Each token is the best of those that fit, by logits computed from scratch.
        let (mut tokens, mut spelled) = (prompt, 0);
        for &(id, _) in &decoded {
            let logits = model.logits_with(&tokens, KvPrecision::Half).unwrap();
            let rest = &forced.as_bytes()[spelled.min(forced.len())..];
            let at_cursor = spelled == forced.len();
            let expected = expected(&model, &logits, rest, at_cursor).unwrap();
            if id == TokenId::MAX {
                prop_assert_eq!(model.vocabulary().kind(expected), TokenKind::Stop);
                break;
            }
            prop_assert_eq!(id, expected);
            tokens.push(id);
            spelled += model.token_bytes(id).len();
        }
    }

    #[test]
    fn a_draft_changes_nothing_but_the_work(
        forced in "[a-z é({\n]{0,12}",
        noise in prop::collection::vec(0u32..281, 0..6),
        seed in 1u64..1 << 40,
    ) {
        let model = Recipe::LLAMA.model();
        let mut random = Random(seed);
        let prompt = random.tokens(&model, 20);
        let encoded = model.encode(&forced);
        let mixed = [&encoded[..encoded.len() / 2], &noise].concat();
        let count = forced.len() + 6;
        let expected = run(&mut engine(&model, 1, 1 << 24), request(&prompt, forced.as_bytes()), count);
        let mut used = engine(&model, 1, 1 << 24);
        for draft in [encoded, mixed, noise, vec![TokenId::MAX]] {
            let drafted = SequenceRequest { draft, ..request(&prompt, forced.as_bytes()) };
            let fresh = run(&mut engine(&model, 1, 1 << 24), drafted.clone(), count);
            prop_assert_eq!(&fresh, &expected);
            // The same with what earlier drafts have left.
            prop_assert_eq!(&run(&mut used, drafted, count), &expected);
        }
    }

    #[test]
    fn decoding_an_encoding_gives_the_text(text in "\\PC{0,40}|[ \t\r\n'a-zA-Z0-9é]{0,60}") {
        thread_local! {
            static MODEL: std::sync::Arc<Model> = Recipe::LLAMA.model();
        }
        MODEL.with(|model| {
            let tokens = model.encode(&text);
            let bytes: Vec<u8> =
                tokens.iter().flat_map(|&token| model.token_bytes(token).to_vec()).collect();
            assert_eq!(bytes, text.as_bytes());
        });
    }
}

#[test]
fn special_tokens_spelled_in_a_text_are_text() {
    let model = Recipe::LLAMA.model();
    let tokens = model.encode("<|end|><|pre|>");
    assert!(
        tokens
            .iter()
            .all(|&token| model.vocabulary().kind(token) == TokenKind::Text)
    );
    let prefix = model.marker(Marker::Prefix).unwrap();
    assert!(model.token_bytes(prefix).is_empty());
    assert_eq!(model.marker(Marker::Middle), None);
}

#[test]
fn a_draft_is_verified_in_one_pass() {
    let model = Recipe::LLAMA.model();
    let prompt = Random(37).tokens(&model, 40);
    // The tokens with which decoding spells these bytes are the correct draft.
    let spelled = run(
        &mut engine(&model, 1, 1 << 24),
        request(&prompt, b"zzzz("),
        5,
    );
    let draft: Vec<TokenId> = spelled.iter().map(|&(id, _)| id).collect();
    let mut engine = engine(&model, 1, 1 << 24);
    let request = SequenceRequest {
        draft: draft.clone(),
        ..request(&prompt, b"zzzz(")
    };
    let mut sequence = engine.start(request.clone()).unwrap();
    let (mut passes, mut tokens) = (0, 0);
    while tokens <= draft.len() {
        match engine.step(&mut sequence).unwrap() {
            Step::Prefilled { tokens: count } => {
                assert_eq!(count, 40 + draft.len());
                passes += 1;
            }
            Step::Token(_) => tokens += 1,
            Step::Undecided => panic!("nothing is looked ahead at"),
            Step::Stop { .. } | Step::ContextFull => break,
        }
    }
    // The token after the draft is chosen by the same pass.
    assert_eq!((passes, engine.counters().computed), (1, 45));
    engine.retire(sequence);
    // All logits from the end of the prompt on are kept.
    run(&mut engine, request, 5);
    assert_eq!(engine.counters().computed, 45);
}

#[test]
fn a_stop_is_masked_only_at_the_cursor() {
    let model = Recipe::LLAMA.model();
    let mut random = Random(29);
    let (mut stops, mut masked, mut stops_after) = (0, 0, 0);
    for _ in 0..400 {
        let prompt = random.tokens(&model, 3);
        let logits = model.logits(&prompt).unwrap();
        let unmasked = expected(&model, &logits, b"", false).unwrap();
        let stops_here = model.vocabulary().kind(unmasked) == TokenKind::Stop;
        stops += usize::from(stops_here);
        for mask_first_stop in [false, true] {
            let mut engine = engine(&model, 1, 1 << 24);
            let request = SequenceRequest {
                mask_first_stop,
                ..request(&prompt, b"")
            };
            let decoded = run(&mut engine, request, 8);
            let first = decoded[0].0;
            let stops_later = decoded[1..].iter().any(|(id, _)| *id == TokenId::MAX);
            stops_after += usize::from(mask_first_stop && stops_later);
            if stops_here && !mask_first_stop {
                assert_eq!(first, TokenId::MAX)
            } else {
                assert_ne!(first, TokenId::MAX)
            }
            masked += usize::from(stops_here && mask_first_stop);
        }
    }
    assert!(stops > 0 && masked > 0, "no prompt stopped");
    assert!(stops_after > 0, "no sequence stopped after its first token");
}

#[test]
fn a_carriage_return_cannot_be_forced() {
    let model = Recipe::LLAMA.model();
    let mut engine = engine(&model, 1, 1 << 24);
    let mut sequence = engine.start(request(&[1, 2], b"\r\n")).unwrap();
    assert_eq!(
        engine.step(&mut sequence).unwrap(),
        Step::Prefilled { tokens: 2 }
    );
    let error = engine.step(&mut sequence).unwrap_err();
    assert!(
        matches!(error, EngineError::Unspellable { byte: b'\r' }),
        "{error}"
    );
}

#[test]
fn the_context_ends_a_sequence() {
    let model = Recipe {
        context: 40,
        ..Recipe::LLAMA
    }
    .model();
    let mut engine = engine(&model, 1, 1 << 24);
    let mut random = Random(31);
    let prompt = random.tokens(&model, 36);
    let too_long = SequenceRequest {
        reserve: 5,
        ..request(&prompt, b"")
    };
    let error = engine.start(too_long).unwrap_err();
    assert!(
        matches!(
            error,
            EngineError::TooLong {
                tokens: 41,
                context: 40
            }
        ),
        "{error}"
    );
    assert!(engine.start(request(&[], b"")).is_err());
    assert!(engine.start(request(&[TokenId::MAX], b"")).is_err());
    // Forced bytes keep stops away, so the context ends the sequence: the only token that could
    // spell several of these is not in the vocabulary.
    let mut sequence = engine.start(request(&prompt, b"zzzz")).unwrap();
    let mut tokens = prompt.len();
    loop {
        match engine.step(&mut sequence).unwrap() {
            Step::Prefilled { .. } | Step::Undecided => {}
            Step::Token(_) => tokens += 1,
            Step::Stop { .. } => panic!("a stop under a constraint"),
            Step::ContextFull => break,
        }
    }
    assert_eq!(tokens, 40);
}
