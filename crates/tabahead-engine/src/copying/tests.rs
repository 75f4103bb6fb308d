//! Which places vote, for what, and how strongly.

use super::*;
use crate::tests::Recipe;

fn source(before: &str, after: &str) -> CopySource {
    CopySource {
        before: before.as_bytes().to_vec(),
        after: after.as_bytes().to_vec(),
        open_files: Vec::new(),
    }
}

/// What the votes are for, the strongest first.
#[track_caller]
fn check(before: &str, after: &str, expected: &[&str]) {
    let model = Recipe::QWEN2.model();
    let votes = Copier::default().votes(model.vocabulary(), &source(before, after));
    let mut ranked = votes.votes.clone();
    ranked.sort_by(|one, other| other.share.total_cmp(&one.share));
    let said: Vec<_> = ranked
        .iter()
        .map(|Vote { token, .. }| String::from_utf8_lossy(model.token_bytes(*token)).into_owned())
        .collect();
    let first = |text: &&str| {
        let first = model.encode(text).first().copied();
        let bytes = first.map_or(&b""[..], |token| model.token_bytes(token));
        String::from_utf8_lossy(bytes).into_owned()
    };
    assert_eq!(said, expected.iter().map(first).collect::<Vec<_>>());
    if !ranked.is_empty() {
        let sum: f32 = ranked.iter().map(|vote| vote.share).sum();
        assert!((sum - 1.0).abs() < 1e-5);
    }
    for (log_prob, likeliest) in [(f32::NEG_INFINITY, 1.0), (-3.0, 0.5), (0.0, 1.0)] {
        for (_, more) in votes.added(|_| log_prob, likeliest) {
            assert!(more > 0.0 && more.is_finite(), "{more}");
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
fn other_open_files_vote_and_of_equal_matches_the_own_file_comes_first() {
    let model = Recipe::QWEN2.model();
    let others = |before: &str, open_files: &[&str]| {
        let source = CopySource {
            open_files: open_files.iter().map(|&text| text.into()).collect(),
            ..source(before, "")
        };
        let found = matches(&source);
        let votes = Copier::default().votes(model.vocabulary(), &source);
        (found, votes, source)
    };
    let (found, votes, source) = others("[abc", &["nothing", "xabc1 abc"]);
    assert_eq!(votes.votes.len(), 1);
    assert_eq!(found[0].place, Place::OpenFile(1));
    // What ends with the place's text has nothing behind it to copy.
    assert_eq!((found.len(), source.next(&found[0])), (1, &b"1 abc"[..]));

    let (found, ..) = others("-abc1\n[abc", &["{abc2", "[abc3"]);
    let places: Vec<_> = found.iter().map(|one| one.place).collect();
    let expected = [Place::OpenFile(1), Place::BeforeCursor, Place::OpenFile(0)];
    assert_eq!(places, expected);
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
        let votes = Copier::default().votes(model.vocabulary(), &source).votes;
        votes
            .into_iter()
            .map(|vote| (vote.token, vote.share))
            .collect::<Vec<_>>()
    };
    let end = model.vocabulary().end().expect("the model has an end");
    assert_eq!(votes("\nnext"), [(end, 1.0)]);
    assert_eq!(votes(""), [(end, 1.0)]);
    // Text behind the cursor: a line end is a token as any other.
    let other = votes(" // why");
    assert!(other.iter().all(|(token, _)| *token != end) && !other.is_empty());
}

#[test]
fn where_a_line_begins_its_whole_indentation_agrees() {
    let source = source("if a {\n    one();\n        two();\n    ", "");
    let found = matches(&source);
    let said: Vec<_> = found
        .iter()
        .map(|one| (one.length, &source.next(one)[..7]))
        .collect();
    assert_eq!(said, [(8, &b"    two"[..]), (5, b"one();\n")]);
    // Nothing but blanks: no text to agree in.
    check("        ", "         a", &[]);
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

#[test]
fn the_first_word_is_cut_where_its_text_is_in_any_case() {
    let words = [
        ("one two", "one"),
        ("  \n  one\ttwo", "  \n  one"),
        ("){\n\n  x", "){\n\n"),
        ("\r\n", "\r\n"),
        ("é è", "é"),
        ("", ""),
    ];
    let model = Recipe::QWEN2.model();
    for (text, word) in words {
        assert_eq!(first_word(text.as_bytes()), word.as_bytes());
        assert_eq!(model.encode(text).first(), model.encode(word).first());
    }
}
