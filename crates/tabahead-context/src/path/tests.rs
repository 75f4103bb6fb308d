//! The answering rule against a toy language model: whenever a path claims to answer a state, a
//! fresh generation at that state gives the same tokens and the same cut.
//!
//! The toy's vocabulary has tokens that occur in no canonical encoding (they cross the edges of
//! pre-tokens), and its choices depend on the ids of the last tokens, so another tokenisation of
//! the same text continues differently.

use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use proptest::prelude::*;
use tabahead_text::{Document, Offset, Version};

use super::{Answering, Path, PathEnd, PathToken, TokenId};
use crate::{
    CanonicalMarks, Cut, CutSettings, DocumentName, PreTokenizer::Qwen2, State, cut,
    stable_boundary,
};

const VOCABULARY: [&str; 36] = [
    "f", "o", "b", "a", "r", "(", ")", ";", " ", "\n", "1", "'", "s", "\t", "é", "fo", "oo", "foo",
    " f", " fo", " foo", "ba", "bar", " bar", "()", ");", ";\n", "  ", "   ", "\n\n", "'s", "o(",
    ") ", "a\n", "1 ", "foo()",
];
const STOP: TokenId = VOCABULARY.len() as TokenId;
const CONTEXT: usize = 60;
const RESERVE: usize = 4;

/// For each vocabulary entry, whether it is one token of canonical text.
static CANONICAL: LazyLock<Vec<bool>> = LazyLock::new(|| {
    VOCABULARY
        .iter()
        .map(|text| encode(text).len() == 1)
        .collect()
});

/// Encodes a text by the longest match, from left to right, in each pre-token.
fn encode(text: &str) -> Vec<TokenId> {
    let mut ids = Vec::new();
    for token in Qwen2.split(text) {
        let mut rest = &text[token];
        while !rest.is_empty() {
            let id = (0..VOCABULARY.len())
                .filter(|&id| rest.starts_with(VOCABULARY[id]))
                .max_by_key(|&id| VOCABULARY[id].len())
                .expect("every character of the alphabet is a token");
            ids.push(id as TokenId);
            rest = &rest[VOCABULARY[id].len()..];
        }
    }
    ids
}

/// Returns how much the model likes `next` after `context`; `seed` selects the model.
fn score(seed: u64, context: &[TokenId], next: TokenId) -> u64 {
    let last = &context[context.len().saturating_sub(4)..];
    let bytes: Vec<u8> = last
        .iter()
        .chain([&next])
        .flat_map(|id| id.to_le_bytes())
        .collect();
    let score = xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, seed);
    // A model mostly continues as canonical text does; without this, hardly any state would be
    // answered.
    if CANONICAL.get(next as usize) == Some(&true) {
        score
    } else {
        score / 4
    }
}

/// Runs a fresh generation at `tail`, with at most `tokens` tokens.
fn generate(seed: u64, tail: &str, tokens: usize) -> Path {
    let boundary = stable_boundary(Qwen2, tail);
    let mut path = Path::new(tail.to_string(), Qwen2);
    let mut marks = CanonicalMarks::new(Qwen2, tail, boundary);
    let mut context = encode(&tail[..boundary]);
    path.started(context.len());
    let mut spelled = boundary;
    for _ in 0..tokens {
        if context.len() >= CONTEXT {
            path.finish(PathEnd::ContextFull);
            break;
        }
        let forced = tail.get(spelled..).unwrap_or_default();
        let best = (0..=STOP)
            .filter(|&id| match VOCABULARY.get(id as usize) {
                Some(text) => text.starts_with(forced) || forced.starts_with(text),
                None => spelled > tail.len(),
            })
            .max_by_key(|&id| (score(seed, &context, id), std::cmp::Reverse(id)))
            .expect("single characters spell everything");
        if best == STOP {
            path.finish(PathEnd::Stop { log_prob: -1.0 });
            break;
        }
        let bytes = VOCABULARY[best as usize].as_bytes();
        spelled += bytes.len();
        context.push(best);
        let canonical = marks.advance(bytes, best, encode);
        let token = PathToken {
            id: best,
            bytes: bytes.to_vec(),
            log_prob: -0.5,
            masked_stop: None,
        };
        path.push(token, canonical);
    }
    path
}

/// Returns the path as it was after its first `tokens` tokens.
fn truncated(path: &Path, tokens: usize) -> Path {
    let mut shorter = Path::new(path.tail().to_string(), Qwen2);
    let mut marks = CanonicalMarks::new(Qwen2, path.tail(), path.boundary());
    shorter.started(path.prompt_tokens().expect("it started"));
    for token in &path.tokens()[..tokens] {
        let canonical = marks.advance(&token.bytes, token.id, encode);
        shorter.push(token.clone(), canonical);
    }
    shorter
}

fn cut_at(path: &Path, tail: &str) -> Cut {
    let document = Document::new(&format!("{tail}\n\nend\n"), Version(0));
    let settings = CutSettings {
        max_tokens: 5,
        least_log_prob: None,
        least_log_prob_at_end: f32::NEG_INFINITY,
    };
    let state = State {
        document,
        cursor: Offset(tail.len()),
        name: DocumentName::new("", "rust"),
    };
    cut(&state, "", path, tail.len(), &settings)
}

fn tails() -> impl Strategy<Value = String> {
    let pieces = [&VOCABULARY[..], &["foo bar", "\n    ", "\t\t", "bar()"]].concat();

    prop::collection::vec(prop::sample::select(pieces), 0..8).prop_map(|pieces| pieces.concat())
}

#[test]
fn what_a_path_answers_is_what_a_fresh_generation_gives() {
    let yes = AtomicUsize::new(0);
    let refused_rightly = AtomicUsize::new(0);
    let config = ProptestConfig {
        cases: 800,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(seed in any::<u64>(), tail in tails())| {
        let path = generate(seed, &tail, 14);
        let text = String::from_utf8_lossy(path.bytes()).into_owned();
        let places = (path.origin()..=path.byte_len()).filter(|&at| text.is_char_boundary(at));
        for at in places {
            let state = &text[..at];
            let fresh = generate(seed, state, 40);
            let boundary = fresh.boundary();
            let known = path
                .tokens()
                .iter()
                .scan(path.boundary(), |end, token| {
                    *end += token.bytes.len();
                    Some(*end)
                })
                .take_while(|&end| end <= boundary)
                .count();
            let rest = &path.tokens()[known..];
            let fits = fresh.prompt_tokens().unwrap_or_default() + (at - boundary) + RESERVE <= CONTEXT;
            let same = path.prompt_tokens().map(|tokens| tokens + known) == fresh.prompt_tokens()
                && rest.iter().zip(fresh.tokens()).all(|(ours, theirs)| ours == theirs)
                && (fresh.tokens().len() > rest.len()
                    || fresh.tokens().len() == rest.len()
                        && (path.end() == PathEnd::Open || path.end() == fresh.end()));
            match path.answers(state, Qwen2, CONTEXT, RESERVE) {
                Answering::Yes => {
                    prop_assert!(path.holds(state), "at {state:?}\npath {path:?}");
                    yes.fetch_add(1, Ordering::Relaxed);
                    prop_assert!(fits, "a fresh process would refuse {state:?}");
                    prop_assert!(same, "at {state:?}\npath {path:?}\nfresh {fresh:?}");
                    let ours = cut_at(&path, state);
                    if ours != Cut::NeedMore {
                        prop_assert_eq!(ours, cut_at(&fresh, state));
                    }
                }
                Answering::No if !same || !fits => {
                    refused_rightly.fetch_add(1, Ordering::Relaxed);
                }
                Answering::No | Answering::NotYet => {}
            }
        }
    });
    let (yes, refused) = (yes.into_inner(), refused_rightly.into_inner());
    println!("{yes} states answered, {refused} refused that would have been wrong");
    assert!(yes > 5_000, "{yes} states answered");
    assert!(refused > 1_000, "{refused} refused");
}

#[test]
fn an_answer_once_known_stays() {
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(seed in any::<u64>(), tail in tails())| {
        let path = generate(seed, &tail, 12);
        let text = String::from_utf8_lossy(path.bytes()).into_owned();
        for at in (path.origin()..=path.byte_len()).filter(|&at| text.is_char_boundary(at)) {
            let state = &text[..at];
            let mut before = Answering::NotYet;
            let mut cut_before = Cut::NeedMore;
            for tokens in 0..=path.tokens().len() {
                let mut shorter = truncated(&path, tokens);
                if tokens == path.tokens().len() {
                    shorter.finish(path.end());
                }
                let now = shorter.answers(state, Qwen2, CONTEXT, RESERVE);
                prop_assert!(before == Answering::NotYet || before == now, "{before:?} became {now:?} at {state:?} {path:?}");
                before = now;
                if now == Answering::Yes {
                    let cut_now = cut_at(&shorter, state);
                    prop_assert!(cut_before == Cut::NeedMore || cut_before == cut_now);
                    cut_before = cut_now;
                }
            }
        }
    });
}

#[test]
fn a_path_that_is_elsewhere_answers_nothing() {
    let path = generate(1, "foo(", 8);
    for state in ["", "foo", "bar(", "foo(\u{1f980}", "bar(foo"] {
        assert!(!path.holds(state), "{state}");
        assert_eq!(
            path.answers(state, Qwen2, CONTEXT, RESERVE),
            Answering::No,
            "{state}"
        );
    }
    assert_eq!(
        path.answers("foo(", Qwen2, CONTEXT, RESERVE),
        Answering::Yes
    );
    assert_eq!(path.answers("foo(", Qwen2, RESERVE, RESERVE), Answering::No);
}

/// The tokens forced there may differ from what the model would say.
#[test]
fn a_path_answers_nothing_before_its_origin() {
    let path = generate(1, "foo((", 8);
    assert_eq!(path.boundary(), stable_boundary(Qwen2, "foo("));
    assert_eq!(path.answers("foo(", Qwen2, CONTEXT, RESERVE), Answering::No);
    assert_eq!(
        path.answers("foo((", Qwen2, CONTEXT, RESERVE),
        Answering::Yes
    );
}

/// A fresh generation there would have to go on.
#[test]
fn a_path_answers_nothing_where_it_stopped() {
    let mut path = generate(1, "foo(", 3);
    let all = String::from_utf8_lossy(path.bytes()).into_owned();
    let answer = |path: &Path| path.answers(&all, Qwen2, CONTEXT, RESERVE);
    assert!(all.len() > path.origin());
    assert_eq!(answer(&path), Answering::NotYet);
    path.finish(PathEnd::Stop { log_prob: -1.0 });
    assert_eq!(answer(&path), Answering::No);
}

#[test]
fn before_it_starts_a_path_does_not_know() {
    let path = Path::new("foo(".into(), Qwen2);
    assert_eq!(
        path.answers("foo(", Qwen2, CONTEXT, RESERVE),
        Answering::NotYet
    );
    assert_eq!(
        path.answers("foo(x", Qwen2, CONTEXT, RESERVE),
        Answering::NotYet
    );
    assert_eq!(path.answers("foo)", Qwen2, CONTEXT, RESERVE), Answering::No);
}
