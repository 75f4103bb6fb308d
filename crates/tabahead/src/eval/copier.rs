//! N-gram copiers: the baselines that every model has to beat.
//!
//! A copier looks for the last characters before the cursor elsewhere in the file and copies what
//! followed there, up to the end of the line. Copiers know neither model nor window: they read the
//! whole file, which makes them strong baselines on repetitive text.

use std::collections::HashMap;

/// One way of copying.
#[derive(Debug, Clone, Copy)]
pub struct BaselineCopier {
    /// Name in the table and in JSON.
    pub name: &'static str,
    /// Minimum length of a match, in characters.
    shortest: usize,
    /// Maximum length of a match, in characters.
    longest: usize,
    /// Whether to copy from the text after the cursor too.
    after_cursor: bool,
    /// Whether to copy the most common text, not the nearest, among matches of equal length.
    commonest: bool,
}

const LONGEST_MATCH: BaselineCopier = BaselineCopier {
    name: "longest match",
    shortest: 3,
    longest: 40,
    after_cursor: true,
    commonest: false,
};

/// The baselines.
pub const COPIERS: [BaselineCopier; 5] = [
    LONGEST_MATCH,
    BaselineCopier {
        name: "12 characters",
        longest: 12,
        ..LONGEST_MATCH
    },
    BaselineCopier {
        name: "8 or more characters",
        shortest: 8,
        ..LONGEST_MATCH
    },
    BaselineCopier {
        name: "before the cursor",
        after_cursor: false,
        ..LONGEST_MATCH
    },
    BaselineCopier {
        name: "commonest",
        commonest: true,
        ..LONGEST_MATCH
    },
];

impl BaselineCopier {
    /// Returns what followed the longest match of the text before the cursor, up to the end of that
    /// line; empty if no match is long enough and has text after it on its line. Among matches of
    /// equal length, the latest one in `prefix` wins, then the first one in `suffix`, then the
    /// first one in the other open files.
    pub fn copy(&self, prefix: &str, suffix: &str, open_files: &[String]) -> String {
        let before: Vec<char> = prefix.chars().collect();
        let after: Vec<char> = suffix.chars().collect();
        let others: Vec<Vec<char>> = open_files.iter().map(|t| t.chars().collect()).collect();
        let needle = &before[before.len().saturating_sub(self.longest)..];

        let (mut farthest, mut copies) = (self.shortest, Vec::new());
        let ends = (0..=after.len()).filter(|_| self.after_cursor);
        let places = (0..before.len())
            .rev()
            .map(|end| (&before[..], end))
            .chain(ends.map(|end| (&after[..], end)))
            .chain(
                others
                    .iter()
                    .flat_map(|text| (0..=text.len()).map(move |end| (&text[..], end))),
            );
        for (text, end) in places {
            let copied = rest_of_line(&text[end..]);
            if copied.iter().all(|c| c.is_whitespace()) {
                continue;
            }
            let matched = common_suffix(needle, &text[..end]);
            if matched > farthest {
                farthest = matched;
                copies.clear();
            }
            if matched == farthest {
                copies.push(copied);
            }
        }
        let mut counts: HashMap<&[char], usize> = HashMap::new();
        if self.commonest {
            copies
                .iter()
                .for_each(|copy| *counts.entry(*copy).or_default() += 1);
        }
        // `max_by_key` returns the last of several maxima, so the nearest comes last.
        let best = copies.iter().rev().max_by_key(|&&copy| counts.get(copy));
        best.map_or_else(String::new, |copied| copied.iter().collect())
    }
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
        assert_eq!(LONGEST_MATCH.copy(prefix, suffix, &[]), expected);
    }

    fn named(name: &str) -> BaselineCopier {
        *COPIERS
            .iter()
            .find(|copier| copier.name == name)
            .expect("a copier")
    }

    #[test]
    fn the_commonest_of_equal_matches_may_win() {
        let prefix = "(abc one\n[abc one\n{abc two\n<abc";
        assert_eq!(named("commonest").copy(prefix, "", &[]), " one");
        assert_eq!(LONGEST_MATCH.copy(prefix, "", &[]), " two");
    }

    #[test]
    fn a_copier_may_want_more_characters_or_look_at_fewer_or_back_only() {
        let prefix = "abcdefgh one\nabcdefg";
        assert_eq!(named("8 or more characters").copy(prefix, "", &[]), "");
        assert_eq!(
            named("8 or more characters").copy(&format!("{prefix}h"), "", &[]),
            " one"
        );
        let prefix = "x-abcdefghijkl one\n-abcdefghijkl two\nx-abcdefghijkl";
        assert_eq!(LONGEST_MATCH.copy(prefix, "", &[]), " one");
        assert_eq!(named("12 characters").copy(prefix, "", &[]), " two");
        assert_eq!(named("before the cursor").copy("abc", "\nabc one", &[]), "");
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
    fn the_text_before_the_cursor_comes_before_the_text_after_it() {
        check("(abc one\n[abc$0\n{abc two", " one");
        check("[abc$0\n[abc two", " two");
    }

    #[test]
    fn a_match_after_the_cursor_may_be_the_longer_one() {
        check(" abc one\n.abc$0\n.abc two", " two");
    }

    #[test]
    fn other_open_files_come_last() {
        let open = ["[abc other".to_owned()];
        assert_eq!(LONGEST_MATCH.copy("(abc", "\n{abc mine", &open), " mine");
        assert_eq!(LONGEST_MATCH.copy("[abc", "\n{abc mine", &open), " other");
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
        // Both occurrences match in more than forty characters: the later one wins, although the
        // earlier one would match further.
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
