//! The n-gram copier: the baseline that every model has to beat.
//!
//! It looks for the last characters before the cursor elsewhere in the file and copies what
//! followed there, up to the end of the line. Knows no model and no window: it reads the whole
//! file, so it is a strong baseline on repetitive text.

/// Shortest match that is trusted, in characters.
const SHORTEST: usize = 3;
/// Longest match that is looked for, in characters.
const LONGEST: usize = 40;

/// What followed the longest earlier or later occurrence of the text before the cursor, to the
/// end of that line; empty when the last three characters occur nowhere else with text after
/// them on the line. Among occurrences of one length, the latest one in `prefix` wins, then the
/// first one in `suffix`.
pub fn copy(prefix: &str, suffix: &str) -> String {
    let before: Vec<char> = prefix.chars().collect();
    let after: Vec<char> = suffix.chars().collect();
    let needle = &before[before.len().saturating_sub(LONGEST)..];

    let mut best: Option<(usize, &[char])> = None;
    let places = (0..before.len())
        .rev()
        .map(|end| (&before[..], end))
        .chain((0..=after.len()).map(|end| (&after[..], end)));
    for (text, end) in places {
        let copied = rest_of_line(&text[end..]);
        if copied.iter().all(|c| c.is_whitespace()) {
            continue;
        }
        let matched = common_suffix(needle, &text[..end]);
        if matched >= SHORTEST && best.is_none_or(|(longest, _)| matched > longest) {
            best = Some((matched, copied));
        }
    }
    best.map_or_else(String::new, |(_, copied)| copied.iter().collect())
}

fn rest_of_line(text: &[char]) -> &[char] {
    let end = text
        .iter()
        .position(|c| matches!(c, '\n' | '\r'))
        .unwrap_or(text.len());
    &text[..end]
}

fn common_suffix(needle: &[char], text: &[char]) -> usize {
    let pairs = needle.iter().rev().zip(text.iter().rev());
    pairs.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fixture: &str, expected: &str) {
        let (prefix, suffix) = fixture
            .split_once("$0")
            .expect("the fixture marks the cursor by $0");
        assert_eq!(copy(prefix, suffix), expected);
    }

    #[test]
    fn copies_to_the_end_of_the_line() {
        check("let total = price;\nlet tot$0\n", "al = price;");
    }

    #[test]
    fn the_longest_match_wins_over_the_nearest() {
        check("xx abc one\nyabc two\nxx abc$0", " one");
    }

    #[test]
    fn the_most_recent_of_equal_matches_wins() {
        check("abc one\nabc two\nabc$0", " two");
    }

    #[test]
    fn the_text_before_the_cursor_comes_before_the_text_behind_it() {
        check("(abc one\n[abc$0\n{abc two", " one");
        check("[abc$0\n[abc two", " two");
    }

    #[test]
    fn a_match_behind_the_cursor_may_be_the_longer_one() {
        check(" abc one\n.abc$0\n.abc two", " two");
    }

    #[test]
    fn two_characters_are_no_match() {
        check("ab one\n.ab$0", "");
    }

    #[test]
    fn nothing_is_copied_from_the_end_of_a_line() {
        check("return x\nend\nabcend$0\n", "");
        check("end one\nend\nend$0\n", " one");
    }

    #[test]
    fn a_place_does_not_match_itself() {
        check("abcdef$0", "");
    }

    #[test]
    fn no_more_than_forty_characters_decide() {
        let long: String = ('a'..='z').chain('A'..='X').collect();
        // Both occurrences agree in more than forty characters: the later one wins although the
        // earlier one would agree in more.
        check(
            &format!("X-{long} first\nY-{long} second\nX-{long}$0"),
            " second",
        );
    }

    #[test]
    fn characters_are_whole() {
        check("größe = 1\ngrö$0", "ße = 1");
    }
}
