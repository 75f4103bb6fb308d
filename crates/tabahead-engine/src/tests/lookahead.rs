//! The rival with the likelier line wins, compared with the literal rule, with logits from scratch.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Random, Recipe, request, run};
use crate::{
    CopySource, Engine, EngineSettings, KvPrecision, Model, SequenceRequest, Step, TokenId,
    arithmetic::simd::Isa,
    decoding::{
        choice::{Distribution, Sought, StopRule},
        copying::{CopyingRule, Votes},
    },
    vocabulary::TokenKind,
};

fn engine(model: &Arc<Model>) -> Engine {
    let settings = EngineSettings {
        threads: 1,
        kv_bytes: 1 << 24,
        kv_precision: KvPrecision::Half,
        lookahead: true,
        copied_draft: 0,
    };
    Engine::new(Arc::clone(model), settings)
}

/// Creates an engine that drafts what may be copied.
fn drafting(model: &Arc<Model>) -> Engine {
    let settings = EngineSettings {
        copied_draft: 4,
        ..engine(model).settings
    };
    Engine::new(Arc::clone(model), settings)
}

/// Two numbers are so close that rounding decides between them.
#[derive(Debug)]
struct Near;

fn above(one: f32, other: f32) -> Result<bool, Near> {
    if (one - other).abs() > 1e-3 {
        Ok(one > other)
    } else {
        Err(Near)
    }
}

/// Returns the two likeliest of the tokens that fit, with log-probabilities; the second only if it
/// is at least 0.4 times as likely.
fn rivals(
    model: &Model,
    tokens: &[TokenId],
    fits: impl Fn(TokenId) -> bool,
) -> Result<Vec<(TokenId, f32)>, Near> {
    let logits = model.logits_with(tokens, KvPrecision::Half).unwrap();
    let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
    let fitting = (0..logits.len() as TokenId).filter(|&token| fits(token));
    let mut ranked: Vec<(TokenId, f32)> = fitting
        .map(|token| {
            let log_prob = f64::from(logits[token as usize]) - total.ln();
            (token, log_prob as f32)
        })
        .collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
    ranked.truncate(2);
    if let [first, second] = ranked[..] {
        above(first.1, second.1)?;
        if above(first.1 + 0.4f32.ln(), second.1)? {
            ranked.pop();
        }
    }
    Ok(ranked)
}

/// Returns the log-probability of a token and what greedily follows it in its line, at most six
/// tokens.
fn line(model: &Model, tokens: &[TokenId], first: (TokenId, f32)) -> Result<f32, Near> {
    let is_over = |token: TokenId| {
        model.vocabulary().kind(token) == TokenKind::Stop
            || model.token_bytes(token).contains(&b'\n')
    };
    let (mut tokens, (mut last, mut sum)) = (tokens.to_vec(), first);
    for _ in 1..6 {
        if is_over(last) {
            break;
        }
        tokens.push(last);
        let any = |token| model.vocabulary().kind(token) != TokenKind::Masked;
        let (next, log_prob) = rivals(model, &tokens, any)?[0];
        (sum, last) = (sum + log_prob, next);
    }
    Ok(sum)
}

/// Returns the token to choose, possibly a stop.
fn chosen(
    model: &Model,
    tokens: &[TokenId],
    forced: &[u8],
    mask_stops: bool,
) -> Result<TokenId, Near> {
    let kind = |token: TokenId| model.vocabulary().kind(token);
    let spells = |token: TokenId, text: &[u8]| {
        let bytes = model.token_bytes(token);
        kind(token) == TokenKind::Text && (bytes.starts_with(text) || text.starts_with(bytes))
    };
    let mut left = rivals(model, tokens, |token| kind(token) != TokenKind::Masked)?;
    if mask_stops || !forced.is_empty() {
        left.retain(|&(token, _)| spells(token, forced));
        for length in 0..=forced.len() {
            if left.is_empty() {
                left = rivals(model, tokens, |token| spells(token, &forced[..length]))?;
                left.retain(|&(token, _)| spells(token, forced));
            }
        }
    }
    match left[..] {
        [one, other] => {
            let wins = above(line(model, tokens, other)?, line(model, tokens, one)?)?;
            Ok(if wins { other.0 } else { one.0 })
        }
        _ => Ok(left[0].0),
    }
}

fn spelled(model: &Model, decoded: &[(TokenId, u32)]) -> Vec<u8> {
    let tokens = decoded.iter().filter(|&&(id, _)| id != TokenId::MAX);
    tokens
        .flat_map(|&(id, _)| model.token_bytes(id).to_vec())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn of_two_rivals_the_one_of_the_likelier_line_is_chosen(forced in "[a-z (\n]{0,6}", seed in 1u64..1 << 40) {
        let model = Recipe::QWEN2.model();
        let mut random = Random(seed);
        let mut tokens = random.tokens(&model, 20);
        let count = forced.len() + 6;
        let decoded = run(&mut engine(&model), request(&tokens, forced.as_bytes()), count);
        let mut spelled = 0;
        for &(id, _) in &decoded {
            let rest = &forced.as_bytes()[spelled.min(forced.len())..];
            if let Ok(expected) = chosen(&model, &tokens, rest, spelled == forced.len()) {
                let is_stop = model.vocabulary().kind(expected) == TokenKind::Stop;
                prop_assert_eq!(id, if is_stop { TokenId::MAX } else { expected });
            }
            if id == TokenId::MAX {
                break;
            }
            tokens.push(id);
            spelled += model.token_bytes(id).len();
        }
    }

    #[test]
    fn typing_along_gives_the_same_tokens(seed in 1u64..1 << 40, copies in any::<bool>()) {
        let model = Recipe::QWEN2.model();
        let prompt = Random(seed).tokens(&model, 20);
        let source = CopySource {
            before: "the (inner) one\nthe (other) one\nthe re".to_owned(),
            after: "\nthe end".to_owned(),
            open_files: Vec::new(),
        };
        let at = |prompt: &[TokenId], forced: &[u8], continued: usize| SequenceRequest {
            continued,
            copy_source: copies.then(|| source.clone()),
            ..request(prompt, forced)
        };
        let mut used = engine(&model);
        let path = run(&mut used, at(&prompt, b"", 0), 12);
        let bytes = spelled(&model, &path);
        for typed in 1..bytes.len() {
            // Tokens that end before the end of the typed text may be in the prompt, too.
            let tokens = path.iter().scan(0, |end, &(id, _)| {
                *end += model.token_bytes(id).len();
                (*end <= typed).then_some(id)
            });
            let tokens: Vec<TokenId> = tokens.collect();
            let before: usize = tokens.iter().map(|id| model.token_bytes(*id).len()).sum();
            for (continued, prompt, forced) in [
                (0, prompt.clone(), &bytes[..typed]),
                (tokens.len(), [&prompt[..], &tokens].concat(), &bytes[before..typed]),
            ] {
                if forced.is_empty() && path[continued].0 == TokenId::MAX {
                    // The stop is masked at the cursor.
                    continue;
                }
                let request = at(&prompt, forced, continued);
                let expected = &path[continued..];
                prop_assert_eq!(&run(&mut engine(&model), request.clone(), expected.len()), expected);
                prop_assert_eq!(&run(&mut used, request, expected.len()), expected);
            }
        }
    }

    #[test]
    fn a_draft_of_what_may_be_copied_changes_nothing_but_the_work(
        copied in "([a-z ({]{3,9}\n){2,5}",
        forced in "[a-z]{0,3}",
        seed in 1u64..1 << 40,
    ) {
        let model = Recipe::LLAMA.model();
        let prompt = Random(seed).tokens(&model, 20);
        let source = CopySource {
            before: [&copied, &copied[..5]].concat(),
            after: "\n".to_owned(),
            open_files: Vec::new(),
        };
        let copying = SequenceRequest {
            copy_source: Some(source),
            ..request(&prompt, forced.as_bytes())
        };
        let expected = run(&mut engine(&model), copying.clone(), 12);
        let mut used = drafting(&model);
        prop_assert_eq!(&run(&mut drafting(&model), copying.clone(), 12), &expected);
        for _ in 0..2 {
            prop_assert_eq!(&run(&mut used, copying.clone(), 12), &expected);
        }
    }

    #[test]
    fn a_draft_changes_nothing_but_the_work(
        forced in "[a-z ({\n]{0,12}",
        noise in prop::collection::vec(0u32..281, 0..6),
        seed in 1u64..1 << 40,
    ) {
        let model = Recipe::LLAMA.model();
        let prompt = Random(seed).tokens(&model, 20);
        let encoded = model.encode(&forced);
        let mixed = [&encoded[..encoded.len() / 2], &noise].concat();
        let count = forced.len() + 6;
        let expected = run(&mut engine(&model), request(&prompt, forced.as_bytes()), count);
        let mut used = engine(&model);
        for draft in [encoded, mixed, noise] {
            let drafted = SequenceRequest { draft, ..request(&prompt, forced.as_bytes()) };
            prop_assert_eq!(&run(&mut engine(&model), drafted.clone(), count), &expected);
            prop_assert_eq!(&run(&mut used, drafted, count), &expected);
        }
    }
}

#[test]
fn who_was_no_rival_before_a_byte_was_typed_is_none_after() {
    let model = Recipe::LLAMA.model();
    let token = |text: &str| {
        let tokens = model.encode(text);
        assert_eq!(tokens.len(), 1, "{text} is a token");
        tokens[0]
    };
    // The likelier first, each a rival of the one before it.
    let ranked = ["a", "b", " the", " in", " "].map(token);
    let mut logits = vec![-20.0; model.vocabulary_len()];
    for (rank, &token) in ranked.iter().enumerate() {
        logits[token as usize] = -0.1 * rank as f32;
    }
    let votes = Votes::default();
    let distribution = Distribution::new(
        model.vocabulary(),
        Isa::detect(),
        &logits,
        CopyingRule::for_model(model.info()),
        &votes,
    );
    let left = |forced: &[u8]| {
        let rivals = distribution
            .rivals(forced, StopRule::Allowed, Sought::Rivals)
            .unwrap();
        rivals
            .tokens
            .iter()
            .map(|&(token, _)| token)
            .collect::<Vec<_>>()
    };
    let [a, b, the, within, _] = ranked;
    assert_eq!(left(b""), [a, b]);
    assert_eq!(left(b"a"), [a]);
    assert_eq!(left(b" "), [the, within]);
    // The space agrees, too, but it was not a rival of " the" before the letter was typed.
    assert_eq!(left(b" t"), [the]);
    assert_eq!(left(b" the"), [the]);
}

#[test]
fn what_was_computed_of_the_winners_line_is_not_computed_again() {
    let model = Recipe::QWEN2.model();
    let (mut decided, mut spared) = (0, 0);
    for seed in 1..60 {
        let prompt = Random(seed).tokens(&model, 20);
        let mut engine = engine(&model);
        let mut sequence = engine.start(request(&prompt, b"")).unwrap();
        let mut tokens = Vec::new();
        while tokens.len() < 8 {
            let before = engine.counters().computed;
            let step = loop {
                match engine.step(&mut sequence).unwrap() {
                    Step::Prefilled { .. } | Step::Undecided => {}
                    step => break step,
                }
            };
            let Step::Token(token) = step else {
                break;
            };
            tokens.push(token.id);
            let computed = engine.counters().computed - before;
            // Two lines of six tokens, of which the first five are computed, and the prompt.
            assert!(computed <= 10 + if tokens.len() == 1 { 20 } else { 1 });
            decided += usize::from(computed > 1);
            spared += usize::from(computed == 0);
        }
        engine.retire(sequence);
    }
    assert!(decided > 20 && spared > 20, "{decided} {spared}");
}

#[test]
fn a_pass_decodes_several_tokens_of_what_is_copied() {
    let model = Recipe::LLAMA.model();
    let line = "let total = amount(of, these);\n";
    let source = CopySource {
        before: format!("{line}{line}{line}let tot"),
        after: "\n".to_owned(),
        open_files: Vec::new(),
    };
    let passes = |mut engine: Engine| {
        let copying = SequenceRequest {
            copy_source: Some(source.clone()),
            ..request(&model.encode(line), b"")
        };
        let mut sequence = engine.start(copying).unwrap();
        let (mut passes, mut tokens) = (0, Vec::new());
        while tokens.len() < 8 {
            passes += usize::from(engine.missing(&mut sequence) > 0);
            match engine.step(&mut sequence).unwrap() {
                Step::Token(token) => tokens.push(token.id),
                Step::Prefilled { .. } | Step::Undecided => {}
                Step::Stop { .. } | Step::ContextFull => break,
            }
        }
        (passes, tokens)
    };
    let ((alone, tokens), (drafted, same)) = (passes(engine(&model)), passes(drafting(&model)));
    assert_eq!(tokens, same);
    assert!(
        !tokens.is_empty() && drafted < alone,
        "{drafted} passes instead of {alone}"
    );
}
