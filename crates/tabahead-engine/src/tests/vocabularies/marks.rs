//! The canonical mark of texts that are spelled by other tokens than those that encoding gives.

use tabahead_tokens::{CanonicalMarks, stable_boundary};

use super::{Known, Random, llama3, mini, qwen2};
use crate::TokenId;

const CASES: usize = 6_000;

/// Returns tokens that spell `text`: the canonical ones, until, with a chance of one in four,
/// another is picked. From there on, any tokens that spell what comes next, until a canonical one
/// begins where they end.
fn any_spelling(known: &Known, random: &mut Random, text: &str) -> Vec<TokenId> {
    /// Maximum length of the tokens that are tried.
    const LONGEST: usize = 12;

    let canonical = known.encode(text);
    let ends = known.ends(0, &canonical);
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = match at {
            0 => Some(0),
            _ => ends.binary_search(&at).ok().map(|end| end + 1),
        };
        let token = match next {
            Some(next) if random.below(4) > 0 => canonical[next],
            _ => {
                let rest = &text.as_bytes()[at..text.len().min(at + LONGEST)];
                let fitting: Vec<TokenId> = known
                    .vocabulary
                    .candidates(rest)
                    .filter(|&token| known.vocabulary.token_bytes(token).len() <= rest.len())
                    .collect();
                *random.pick(&fitting)
            }
        };
        at += known.vocabulary.token_bytes(token).len();
        tokens.push(token);
    }
    tokens
}

/// Follows a path from the stable boundary of the first `tail` bytes of `text` and returns the last
/// mark. Compares each mark with the latest stable boundary so far up to which the tokens are those
/// of the text, encoded as a whole.
fn follow(known: &Known, text: &str, tail: usize, tokens: &[TokenId]) -> usize {
    let boundary_of = |text: &str| stable_boundary(known.pre_tokenizer, text);
    let boundary = boundary_of(&text[..tail]);
    let mut marks = CanonicalMarks::new(known.pre_tokenizer, &text[..tail], boundary);
    let before = known.encode(&text[..boundary]);
    let ends = known.ends(boundary, tokens);
    let (mut latest, mut expected) = (boundary, boundary);
    for (&token, &end) in tokens.iter().zip(&ends) {
        let mark = marks.advance(known.vocabulary.token_bytes(token), token, |text| {
            known.encode(text)
        });
        let whole_characters = text.floor_char_boundary(end);
        let stable = boundary_of(&text[..whole_characters]);
        if stable > latest {
            latest = stable;
            let spelled = ends.binary_search(&stable).map(|edge| &tokens[..=edge]);
            if spelled.is_ok_and(|spelled| {
                known.encode(&text[..stable]) == [before.as_slice(), spelled].concat()
            }) {
                expected = stable;
            }
        }
        assert_eq!(mark, expected, "{text:?} from {boundary}, at {end}");
    }
    expected
}

fn check(known: &Known) {
    let mut random = Random(0x3a4b);
    let (mut followed, mut left) = (0, 0);
    for _ in 0..CASES {
        // The text of a path has no carriage returns.
        let text = random.text(16).replace('\r', "\n");
        let tail = text.floor_char_boundary(random.below(text.len() + 1));
        let boundary = stable_boundary(known.pre_tokenizer, &text[..tail]);
        let last = stable_boundary(known.pre_tokenizer, &text);

        let canonical = known.encode(&text[boundary..]);
        assert_eq!(follow(known, &text, tail, &canonical), last, "{text:?}");

        let other = any_spelling(known, &mut random, &text[boundary..]);
        let mark = follow(known, &text, tail, &other);
        followed += usize::from(mark > boundary);
        left += usize::from(mark < last);
    }
    // Both cases are common: a mark that moves on, and one that stops.
    assert!(
        followed > CASES / 5 && left > CASES / 5,
        "{followed}, {left}"
    );
}

#[test]
fn marks_are_where_the_embedded_vocabulary_is_followed() {
    check(mini());
}

#[test]
fn marks_are_where_qwen2_is_followed() {
    if let Some(known) = qwen2() {
        check(known);
    }
}

#[test]
fn marks_are_where_llama_3_is_followed() {
    if let Some(known) = llama3() {
        check(known);
    }
}
