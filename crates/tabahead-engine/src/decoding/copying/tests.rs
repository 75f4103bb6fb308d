//! Tests which places vote, for what, and how strongly.

use std::collections::BTreeMap;

use super::*;
use crate::ModelFormat;
use crate::tests::Recipe;

fn source(before: &str, after: &str) -> Source {
    with_open_files(before, after, &[])
}

fn with_open_files(before: &str, after: &str, open_files: &[&str]) -> Source {
    Source::new(CopySource {
        before: before.to_owned(),
        after: after.to_owned(),
        open_files: open_files.iter().map(|&text| text.into()).collect(),
    })
}

fn votes(source: &mut Source) -> Votes {
    let model = Recipe::QWEN2.model();
    Copier::default().votes(model.vocabulary(), source).clone()
}

/// Returns the text after each match, the best match first.
fn following(source: &mut Source) -> Vec<(usize, usize, String)> {
    let matches = source.matches();
    let copies = |one: &Match| {
        let next = source.bytes_of(one.text)[one.at..].split(|byte| *byte == b'\n');
        let next = next.into_iter().find(|line| !line.is_empty());
        String::from_utf8_lossy(next.unwrap_or_default()).into_owned()
    };
    matches
        .iter()
        .map(|one| (one.length, one.next, copies(one)))
        .collect()
}

/// Checks which tokens have votes, the strongest first.
#[track_caller]
fn check(before: &str, after: &str, expected: &[&str]) {
    let model = Recipe::QWEN2.model();
    let votes = votes(&mut source(before, after));
    let mut ranked = votes.votes.clone();
    ranked.sort_by(|one, other| other.share.total_cmp(&one.share));
    let copies: Vec<_> = ranked
        .iter()
        .map(|Vote { token, .. }| String::from_utf8_lossy(model.token_bytes(*token)).into_owned())
        .collect();
    let first = |text: &&str| {
        let first = model.encode(text).first().copied();
        let bytes = first.map_or(&b""[..], |token| model.token_bytes(token));
        String::from_utf8_lossy(bytes).into_owned()
    };
    assert_eq!(copies, expected.iter().map(first).collect::<Vec<_>>());
    if !ranked.is_empty() {
        let sum: f32 = ranked.iter().map(|vote| vote.share).sum();
        assert!((sum - 1.0).abs() < 1e-5);
    }
    for (log_prob, likeliest) in [(f32::NEG_INFINITY, 1.0), (-3.0, 0.5), (0.0, 1.0)] {
        for (_, more) in votes.added(&CopyingRule::MINI, |_| log_prob, likeliest) {
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
fn the_longest_match_counts_most_and_of_equal_ones_the_nearest() {
    check("xx abc1\nyabc2\nxx abc", "", &["1", "2"]);
    check("abc1\nabc2\nabc", "", &["2", "1"]);
}

#[test]
fn other_open_files_vote_and_of_equal_matches_the_own_file_comes_first() {
    // A match at the end of a text has nothing after it to copy.
    let mut source = with_open_files("[abc", "", &["nothing", "xabc1 abc"]);
    assert_eq!(following(&mut source), [(3, 0, "1 abc".to_owned())]);
    assert_eq!(source.matches()[0].text, SourceText::OpenFile(1));
    assert_eq!(votes(&mut source).votes.len(), 1);

    let mut source = with_open_files("-abc1\n[abc", "", &["{abc2", "[abc3"]);
    let texts: Vec<_> = source.matches().iter().map(|one| one.text).collect();
    let expected = [
        SourceText::OpenFile(1),
        SourceText::BeforeCursor,
        SourceText::OpenFile(0),
    ];
    assert_eq!(texts, expected);
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
        let votes = votes(&mut source("call();\ncall();", after)).votes;
        votes
            .into_iter()
            .map(|vote| (vote.token, vote.share))
            .collect::<Vec<_>>()
    };
    let end = model.vocabulary().end().expect("the model has an end");
    assert_eq!(votes("\nnext"), [(end, 1.0)]);
    assert_eq!(votes(""), [(end, 1.0)]);
    // With text after the cursor, a line end is a token like any other.
    let other = votes(" // why");
    assert!(other.iter().all(|(token, _)| *token != end) && !other.is_empty());
}

#[test]
fn where_a_line_begins_its_whole_indentation_agrees() {
    let mut source = source("if a {\n    one();\n        two();\n    ", "");
    let copies = following(&mut source);
    assert_eq!(
        copies,
        [(8, 0, "    two();".to_owned()), (5, 0, "one();".to_owned())]
    );
    // Nothing but blanks: there is no text to match.
    check("        ", "         a", &[]);
}

#[test]
fn long_matches_and_many_are_bounded() {
    let line = "a_long_line_that_agrees_in_more_than_sixty_four_bytes_and_goes_on_and_on();\n";
    let text = line.repeat(200);
    let found = source(&text, "").matches();
    assert_eq!(found.len(), MOST);
    assert!(found.iter().all(|one| one.length == LONGEST));
    assert_eq!(found[0].distance, line.len());
}

#[test]
fn characters_are_whole() {
    // The stretch that is tokenized ends within a character.
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

#[test]
fn of_equal_matches_the_one_whose_next_line_agrees_counts_more() {
    let mut source = source("x = f(1)\n\n  end one\ny = f(2)\nz = f(", "\nend one\n");
    let copies = following(&mut source);
    assert_eq!(copies, [(5, 7, "1)".to_owned()), (5, 0, "2)".to_owned())]);
    let votes = votes(&mut source);
    assert_eq!((votes.longest, votes.next), (5, 7));
    let one = Recipe::QWEN2.model().encode("1")[0];
    let best = votes
        .votes
        .iter()
        .max_by(|one, other| one.share.total_cmp(&other.share));
    assert_eq!(best.map(|vote| vote.token), Some(one));
}

#[test]
fn where_the_next_line_agrees_a_shorter_match_counts() {
    let copies = |before, after| following(&mut source(before, after));
    assert_eq!(copies("(a)\n  next\n;b", "\nnext"), []);
    let found = [(1, 4, ")".to_owned())];
    assert_eq!(copies("(a)\n  next\n;a", "\nnext"), found);
    // Also over an empty line, and whatever the indentation.
    assert_eq!(copies("(a)\n\n\tnext\n;a", "\n \n    next"), found);
    // The line goes on after the cursor, so there is no next line.
    assert_eq!(copies("(a)\n  next\n;a", ";\nnext"), []);
    assert_eq!(
        copies("(a)\n  x next\n;a", "\nnext"),
        [],
        "only what begins a line"
    );
    // One occurrence of the probe begins within another.
    assert_eq!(copies("1}\n}\n}\n,1", "\n}\n}").len(), 1);
}

#[test]
fn text_that_grows_is_matched_as_if_it_had_always_been_there() {
    let text = "f(a)\n}\n}\nf(b)\n\n  }\n}\ng(a)\n}\n}\n}\nf(";
    for after in ["\n}\n}\n", "\n\n  }\n", "\nf(b)", "", "x\n}"] {
        let mut grown = source("", after);
        for end in 1..=text.len() {
            grown.push(&text.as_bytes()[end - 1..end]);
            // Votes are not requested after every token.
            if end % 3 != 0 {
                let mut fresh = source(&text[..end], after);
                assert_eq!(
                    following(&mut grown),
                    following(&mut fresh),
                    "{after:?}, {end}"
                );
                assert_eq!(votes(&mut grown), votes(&mut fresh));
            }
        }
    }
}

#[test]
fn a_rewound_source_finds_the_same_copies() {
    let text = "f(a)\n}\n}\nf(b)\n}\ng(";
    let (mut used, mut fresh) = (source(text, "\n}\n}\n"), source(text, "\n}\n}\n"));
    let mark = used.mark();
    // Once before the nearest lines were searched, once after.
    for _ in 0..2 {
        used.push("a)\n}\n}\n".repeat(2 * FOLLOWED).as_bytes());
        used.push(b"g(");
        assert_ne!(following(&mut used), following(&mut fresh));
        used.rewind(&mark);
        assert_eq!(following(&mut used), following(&mut fresh));
        assert_eq!(votes(&mut used), votes(&mut fresh));
    }
}

#[test]
fn long_lines_and_many_are_not_searched_for_the_next_line() {
    let long = "a".repeat(LINE + 1);
    assert_eq!(
        following(&mut source(&format!("{long}\nnext\n;a"), "\nnext")),
        []
    );
    let many = "(a)\nnext\n".repeat(2 * FOLLOWED);
    let mut source = source(&format!("{many};a"), "\nnext\n");
    assert_eq!(source.matches().len(), FOLLOWED.min(MOST));
    assert_eq!(source.matches()[0].distance, ")\nnext\n;a".len());
}

fn info(parameters: usize) -> ModelInfo {
    ModelInfo {
        id: String::new(),
        name: String::new(),
        format: ModelFormat::Gguf,
        architecture: "qwen2".to_owned(),
        context_tokens: 1,
        parameters,
        tensor_types: BTreeMap::new(),
        file_bytes: 1,
        pre_tokenizer: "qwen2".to_owned(),
        least_log_prob: None,
    }
}

#[test]
fn a_large_model_is_contradicted_less() {
    let small = CopyingRule::for_model(&info(7_000_000));
    let large = CopyingRule::for_model(&info(494_032_768));
    // Two matches of eight bytes agree, at a place where the model is sure of another token.
    let votes = Votes {
        votes: vec![Vote {
            token: 5,
            share: 1.0,
            longest: 8,
            next: 0,
            count: 2,
        }],
        longest: 8,
        next: 0,
        best: None,
    };
    let added = |rule| votes.added(rule, |_| -3.0, 0.9)[0].1;
    assert!(added(large) < added(small) / 2.0);
}

#[test]
fn a_text_that_repeats_itself_costs_no_more_than_the_matches_that_count() {
    let lines = "  \n".repeat(20_000);
    let files = [lines.as_str(), "a short one\n"];
    let source = with_open_files(&lines, &lines, &files);
    // `CONSIDERED` matches in each of the three texts, and shorter ones where the other two begin.
    let shorter = 2 * (LONGEST / "  \n".len());
    assert_eq!(source.matches_to_consider().len(), 3 * CONSIDERED + shorter);
    let nearest: Vec<_> = source
        .long_matches()
        .iter()
        .map(|one| one.distance)
        .collect();
    // Each match is found after the one before it, from the beginning of the text on.
    assert_eq!(nearest.len(), CONSIDERED);
    assert_eq!(nearest[..3], [3, 6, 9]);
}
