//! Which places vote, for what, and how strongly.

use super::*;
use crate::tests::Recipe;

fn source(before: &str, after: &str) -> CopySource {
    CopySource {
        before: before.as_bytes().to_vec(),
        after: after.as_bytes().to_vec(),
    }
}

/// What the votes are for, the strongest first.
#[track_caller]
fn check(before: &str, after: &str, expected: &[&str]) {
    let model = Recipe::QWEN2.model();
    let votes = Copier::default().votes(model.vocabulary(), &source(before, after));
    let mut shares = votes.shares().to_vec();
    shares.sort_by(|one, other| other.1.total_cmp(&one.1));
    let said: Vec<_> = shares
        .iter()
        .map(|(token, _)| String::from_utf8_lossy(model.token_bytes(*token)).into_owned())
        .collect();
    let first = |text: &&str| {
        let first = model.encode(text).first().copied();
        let bytes = first.map_or(&b""[..], |token| model.token_bytes(token));
        String::from_utf8_lossy(bytes).into_owned()
    };
    assert_eq!(said, expected.iter().map(first).collect::<Vec<_>>());
    if !votes.is_empty() {
        let sum: f32 = votes.shares().iter().map(|(_, share)| share).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        for likeliest in [0.0, 0.5, 1.0] {
            assert!((0.0..1.0).contains(&votes.weight(likeliest)));
        }
    }
}

#[test]
fn what_followed_the_same_text_votes() {
    check("abc1\nabc", "", &["1"]);
    check("[abc", "{abc2", &["2"]);
}

#[test]
fn the_longest_match_says_most_and_of_equal_ones_the_nearest() {
    check("xx abc1\nyabc2\nxx abc", "", &["1", "2"]);
    check("abc1\nabc2\nabc", "", &["2", "1"]);
}

#[test]
fn nothing_votes_where_little_or_nothing_agrees() {
    check("ab one\n.ab", "", &[]);
    check("abcdef", "", &[]);
    check("", "abc", &[]);
    check("ab", "ab", &[]);
}

#[test]
fn where_a_line_ended_the_middle_ends() {
    let model = Recipe::QWEN2.model();
    let votes = |after| {
        let source = source("call();\ncall();", after);
        Copier::default().votes(model.vocabulary(), &source)
    };
    let end = model.vocabulary().end().expect("the model has an end");
    assert_eq!(votes("\nnext").share(end), 1.0);
    assert_eq!(votes("").share(end), 1.0);
    // Text behind the cursor: a line end is a token as any other.
    assert_eq!(votes(" // why").share(end), 0.0);
    assert!(!votes(" // why").is_empty());
}

#[test]
fn long_matches_and_many_are_bounded() {
    let line = "a_long_line_that_agrees_in_more_than_sixty_four_bytes_and_goes_on_and_on();\n";
    let text = line.repeat(200);
    let found = matches(&source(&text, ""));
    assert_eq!(found.len(), MOST);
    assert!(found.iter().all(|one| one.length == LONGEST));
    assert_eq!(found[0].distance, line.len());
}

#[test]
fn characters_are_whole() {
    // The stretch that is cut into tokens ends within a character.
    let text = format!("abc {}\nabc", "é".repeat(AHEAD));
    check(&text, "", &[" é"]);
}
