//! The boundary under continuations that could move it.

use proptest::prelude::*;

use super::{
    PreTokenizer::{self, Llama3, Qwen2},
    stable_boundary,
};

/// Checks that the boundary is at `|`, with both patterns.
#[track_caller]
fn check(fixture: &str) {
    check_of(Qwen2, fixture);
    check_of(Llama3, fixture);
}

#[track_caller]
fn check_of(pre_tokenizer: PreTokenizer, fixture: &str) {
    let at = fixture.find('|').expect("a boundary");
    let text = fixture.replacen('|', "", 1);
    let boundary = stable_boundary(pre_tokenizer, &text);
    assert_eq!(boundary, at, "{pre_tokenizer:?}: {fixture:?}");
}

#[test]
fn the_last_pre_token_starts_at_the_boundary() {
    check("|");
    check("|   \n ");
    check("|foo");
    check("foo| bar");
    check("foo| bar   \n\n  ");
    check("foo|(bar");
    check("foo|((");
    check("foo((|bar");
    check("don|'t");
    check("don't|x");
    check("x =| '");
    check("x\n\t|\t}");
    check("x\n  | y");
    check("x\n  | 5");
    check("x\n\t|}");
    check("x = '|re");
    check("fn f() {\n   | let");
    check("fn f()| {\n    ");
    check("a;b|;\n\n  ");
    check("é e|\u{301}");
    check("é e|\u{301}x");
    check("漢| 字漢字");
    check("x|🦀🦀");
}

#[test]
fn digits_are_cut_one_by_one_or_in_threes_from_the_first() {
    check_of(Qwen2, "a 1|2");
    check_of(Qwen2, "a 12345|6 ");
    check_of(Llama3, "a |1");
    check_of(Llama3, "a |12");
    check_of(Llama3, "a |123");
    check_of(Llama3, "a 123|4");
    check_of(Llama3, "a 123|456\n");
    check_of(Llama3, "a 123456|7");
    check_of(Llama3, "12x|34");
    check_of(Llama3, "x\n  | 123");
    check_of(Llama3, "x\n\t|\t1");
    check_of(Llama3, "½٣1|2");
}

#[test]
fn the_split_covers_the_text() {
    let text = "fn f(x: &'a str) {\r\n\tlet  y = \"it's\" + 42; \u{85}\u{301}\n\n}  ";
    for pre_tokenizer in [Qwen2, Llama3] {
        let mut end = 0;
        for token in pre_tokenizer.split(text) {
            assert_eq!(token.start, end);
            end = token.end;
        }
        assert_eq!(end, text.len());
    }
}

#[test]
fn a_run_of_white_space_on_which_the_regex_gives_up_is_one_pre_token_with_the_rest() {
    let text = format!("a{}b c", " ".repeat(1 << 20));
    for pre_tokenizer in [Qwen2, Llama3] {
        let split: Vec<_> = pre_tokenizer.split(&text).collect();
        assert_eq!(split, [0..1, 1..text.len()]);
    }
}

fn pre_tokenizers() -> impl Strategy<Value = PreTokenizer> {
    prop::sample::select(vec![Qwen2, Llama3])
}

fn pieces(longest: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => Just("'".to_string()),
        2 => prop::sample::select(vec!["'s", "'r", "'re", "'l", "'LL", "'v", "e", "l", "S", "ſ", "d", "T"])
            .prop_map(String::from),
        3 => prop::sample::select(vec!["foo", "x", "bar_", "K", "漢字", "é", "ß"]).prop_map(String::from),
        2 => prop::sample::select(vec!["1", "42", "365", "٣", "½"]).prop_map(String::from),
        3 => prop::sample::select(vec!["(", "){", ";", "=>", "\"", "//", "🦀", "\u{301}", "\u{200d}"])
            .prop_map(String::from),
        3 => prop::sample::select(vec![" ", "  ", "    ", "\t", "\u{a0}", "\u{85}", "\u{2028}", "\u{b}"])
            .prop_map(String::from),
        3 => prop::sample::select(vec!["\n", "\n\n", "\r\n", "\r", "\n    "]).prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..longest).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 40_000 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_continuation_moves_the_boundary(
        pre_tokenizer in pre_tokenizers(),
        text in pieces(12),
        continuation in pieces(8),
    ) {
        let boundary = stable_boundary(pre_tokenizer, &text);
        let whole = format!("{text}{continuation}");

        let edges = |text: &str| -> Vec<usize> {
            pre_tokenizer.split(text).map(|token| token.end).take_while(|&end| end <= boundary).collect()
        };
        let known = edges(&text[..boundary]);
        prop_assert_eq!(known.last().copied().unwrap_or(0), boundary);
        prop_assert_eq!(&known, &edges(&text));
        prop_assert_eq!(&known, &edges(&whole));
        prop_assert!(stable_boundary(pre_tokenizer, &whole) >= boundary);
    }

    #[test]
    fn it_is_the_latest_edge_at_which_the_text_can_be_cut(
        pre_tokenizer in pre_tokenizers(),
        text in pieces(16),
    ) {
        let all = pre_tokenizer
            .split(&text)
            .filter(|token| !text[token.clone()].trim().is_empty())
            .last()
            .map_or(0, |token| token.start);
        let boundary = stable_boundary(pre_tokenizer, &text);
        let given_away = &text[boundary..all];
        prop_assert!(given_away.chars().count() <= 1 && given_away.trim().is_empty());
        let latest = pre_tokenizer
            .split(&text)
            .map(|token| token.end)
            .chain([0])
            .filter(|&end| end <= all)
            .filter(|&end| {
                let alone = pre_tokenizer.split(&text[..end]).map(|token| token.end);
                alone.eq(pre_tokenizer.split(&text).map(|token| token.end).take_while(|&edge| edge <= end))
            })
            .max();
        prop_assert_eq!(Some(boundary), latest);
    }
}
