//! Closers that the editor inserted: left out of the prompt, and distinguished from what was typed.
//!
//! A heuristic on characters, the same for every language. What it gets wrong costs a little
//! quality and is never an error, because the cut treats the left-out text as text that is in the
//! document.

/// Brackets and quotes that editors close on their own, each with its closer.
const PAIRS: [(char, char); 7] = [
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('<', '>'),
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
];

/// Returns whether an editor may have added all of `text` after what was typed: closers, and white
/// space around them.
pub fn are_added_closers(text: &str) -> bool {
    let is_closer = |c| PAIRS.iter().any(|(_, closer)| *closer == c);
    text.chars().all(|c| c.is_whitespace() || is_closer(c))
}

/// Returns whether `text` is an opener and the closer that editors add to it.
pub fn is_closed_pair(text: &str) -> bool {
    let mut chars = text.chars();
    let pair = (chars.next(), chars.next(), chars.next());
    matches!(pair, (Some(opener), Some(closer), None) if PAIRS.contains(&(opener, closer)))
}

/// Returns the length in bytes of the longest run of (white space, closer) at the start of `after`
/// in which each closer matches an opener still open in `tail`, from the innermost outwards. White
/// space after the last such closer is not counted. Returns 0 if the run is empty.
///
/// A bracket closes the innermost open bracket of its kind and those inside that one. So typing an
/// opener that the editor does not close leaves out the same text as before, and the prompt stays.
/// A quote closes if it occurs an odd number of times on the tail's last line, and only on that
/// line.
pub fn left_out_closers(tail: &str, after: &str) -> usize {
    let mut open = open_brackets(tail);
    let line = &tail[tail.rfind('\n').map_or(0, |end| end + 1)..];
    let mut closed_quotes = String::new();
    let mut on_line = true;
    let mut length = 0;
    for (at, c) in after.char_indices() {
        match c {
            ')' | ']' | '}' => match open.iter().rposition(|&closer| closer == c) {
                Some(at) => open.truncate(at),
                None => break,
            },
            '"' | '\'' | '`' if on_line && is_open_quote(line, c) && !closed_quotes.contains(c) => {
                closed_quotes.push(c);
            }
            _ if c.is_whitespace() => {
                on_line &= c != '\n';
                continue;
            }
            _ => break,
        }
        length = at + c.len_utf8();
    }
    length
}

/// Returns the closers that are missing in `text`, innermost last.
///
/// Brackets do not count in string literals that end on their line and in character literals. A
/// closer without an opener is ignored. A closer of an outer bracket closes the inner ones, too, so
/// that a bracket counted by mistake is forgotten at the end of its block.
fn open_brackets(text: &str) -> Vec<char> {
    Unmatched::of(text).missing
}

/// Brackets without a partner.
#[derive(Debug, Default)]
pub(crate) struct Unmatched {
    /// Missing closers, innermost last.
    pub(crate) missing: Vec<char>,
    /// Number of closers without an opener.
    pub(crate) unopened: usize,
    /// Number of openers passed over when an outer one was closed.
    pub(crate) passed_over: usize,
}

impl Unmatched {
    /// Finds those of a text, see `open_brackets`.
    pub(crate) fn of(text: &str) -> Self {
        let mut found = Self::default();
        let open = &mut found.missing;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '(' => open.push(')'),
                '[' => open.push(']'),
                '{' => open.push('}'),
                ')' | ']' | '}' => match open.iter().rposition(|&closer| closer == c) {
                    Some(at) => {
                        found.passed_over += open.len() - at - 1;
                        open.truncate(at);
                    }
                    None => found.unopened += 1,
                },
                '"' => rest = &rest[literal_length(rest, '"', usize::MAX)..],
                '\'' => rest = &rest[literal_length(rest, '\'', 1)..],
                _ => {}
            }
        }
        found
    }
}

/// Returns the number of bytes up to and including the quote that ends a literal of at most
/// `longest` characters (an escape is one); 0 if there is none on the line.
fn literal_length(rest: &str, quote: char, longest: usize) -> usize {
    let mut chars = rest.char_indices();
    let mut count = 0usize;
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => return 0,
            _ if c == quote => return at + c.len_utf8(),
            _ if count == longest => return 0,
            '\\' => {
                chars.next();
            }
            _ => {}
        }
        count += 1;
    }
    0
}

/// Returns whether `quote` occurs an odd number of times on the line, not counting escaped ones.
fn is_open_quote(line: &str, quote: char) -> bool {
    let mut chars = line.chars();
    let mut odd = false;
    while let Some(c) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            odd = !odd;
        }
    }
    odd
}

#[cfg(test)]
mod tests {
    use super::{are_added_closers, is_closed_pair, left_out_closers};

    /// Checks that the left-out run is the text between the cursor, `$0`, and `$1`.
    #[track_caller]
    fn check(fixture: &str) {
        let (tail, after) = fixture.split_once("$0").expect("a cursor");
        let (run, rest) = after.split_once("$1").expect("an end of the run");
        assert_eq!(
            left_out_closers(tail, &format!("{run}{rest}")),
            run.len(),
            "{fixture}"
        );
    }

    #[test]
    fn inserted_closers_are_left_out() {
        check("foo($0)$1;");
        check("foo(bar[$0])$1;");
        check("foo(bar[1]$0)$1;");
        check("fn f() {$0}$1\n");
        check("fn f() {\n    $0\n}$1\n\nfn g() {}");
        check("if a {\n  if b {\n    $0\n  }\n}$1\n");
        check("foo( $0 )$1 ;");
        check("say(\"$0\")$1;");
        check("x = `$0`$1;");
    }

    #[test]
    fn an_unclosed_opener_changes_nothing() {
        check("fn f() {\n    g($0\n}$1\n\nfn g() {}");
        check("fn f() {\n    g(a, [$0\n}$1\n\nfn g() {}");
        check("fn f() {\n    g(\n        $0\n}$1\n\nfn g() {}");
        check("foo(bar[$0)$1;");
        check("foo(bar[$0)$1]");
    }

    #[test]
    fn what_matches_nothing_stays_in_the_suffix() {
        check("foo$0$1)");
        check("foo($0$1]");
        check("foo(a)$0$1)");
        check("a $0$1b)");
        check("say(\"x\"$0)$1\"");
        check("x = $0$1\"a\"");
        check("x = \"$0$1\n\"");
        check("(\n  $0$1  a)");
    }

    #[test]
    fn brackets_in_literals_do_not_count() {
        check("match c { '(' => 1, $0}$1");
        check("match c { '\\'' => f(\"(\"), $0}$1");
        check("fn f<'a>(x: &'a str$0)$1");
        check("f(\"it's (\", $0)$1");
    }

    #[test]
    fn what_an_editor_adds_is_closers_and_white_space() {
        assert!(
            ["", ")", "\n}", " ] >", "\"'`"]
                .into_iter()
                .all(are_added_closers)
        );
        assert!(!["(", "a)", ");"].into_iter().any(are_added_closers));
        assert!(["()", "<>", "\"\""].into_iter().all(is_closed_pair));
        assert!(!["", "(", "(]", ")(", "())"].into_iter().any(is_closed_pair));
    }
}
