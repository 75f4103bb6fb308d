//! The joint: where a suggestion meets what follows the cursor on its line.
//!
//! An accept puts the text before what is already there. So the text covers the closers that it
//! spells itself, ends before what it would repeat, and is not shown where the rest of the line
//! would be glued to it. The functions work on characters, the same for every language.

use std::mem;

use crate::closers::Unmatched;

/// Closers that are not single brackets or quotes, longer ones first. Editor templates and users
/// write them in pairs with their openers, so a suggestion between the two must not add a second
/// one.
const LONG_CLOSERS: [&str; 9] = ["-->", "]]>", "/>", "%}", "%>", "?>", "}}", "*/", ">"];

/// How the reading of a path ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The model ended the middle: it expects what follows the cursor.
    Middle,
    /// The line ended.
    Line,
    /// The path was too long, or its bytes are not text.
    Broken,
}

/// A text fitted to what follows the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joint {
    /// Length of the part of the text that is kept.
    pub(super) length: usize,
    /// Bytes after the cursor that the text replaces.
    pub(super) covered: usize,
    /// Whether the rest of the line goes on where the text ends.
    pub(super) joins: bool,
    /// Whether the rest of the line is code, not just closers.
    pub(super) before_code: bool,
}

/// A text and the line that it is put into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meeting<'a> {
    /// The line up to the cursor.
    pub(super) before: &'a str,
    /// The rest of the line.
    pub(super) after: &'a str,
    /// Number of bytes of `after` that are left out of the prompt.
    pub(super) left_out: usize,
    /// The text, of one or more lines.
    pub(super) text: &'a str,
    /// Number of bytes after the cursor that the text covers by spelling left-out closers, and the
    /// text's length up to the last of those closers.
    pub(super) covered: (usize, usize),
    pub(super) end: End,
}

impl Meeting<'_> {
    /// Fits the text to what follows the cursor.
    pub(super) fn joint(self) -> Joint {
        let (mut covered, mut spelled) = self.covered;
        let (length, met) = loop {
            let (text, kept) = (&self.text[spelled..], &self.after[covered..]);
            // Left-out closers are covered while the path is read, or they stay in front of what
            // the text spells.
            let overlap = overlap(text, &self.after[self.left_out.max(covered)..]);
            if overlap.whole || kept.trim().is_empty() {
                break (spelled + overlap.start, overlap.whole);
            }
            // What follows a covered closer was written to follow that closer.
            if spelled > 0 && (!is_closing(kept) || meets(text, kept)) {
                break (spelled, true);
            }
            let Some((end, bytes)) = self.covers_long(text, kept) else {
                if spelled > 0 && ends_too_early(text, kept) {
                    break (spelled, true);
                }
                break (spelled + overlap.start, false);
            };
            spelled += end;
            covered += bytes;
        };
        let kept = &self.after[covered..];
        let text = &self.text[..length];
        let is_hidden = hides_closers(self.before, &self.text[..spelled]);
        // The rest of the line would become part of the comment.
        let text = match comment(self.before, text) {
            Some(start) if !kept.trim().is_empty() => text[..start].trim_end(),
            _ => text,
        };
        // Users do not want white space before a closer or at the end of a line.
        let ends = is_closing(kept) && !kept.starts_with('{');
        let text = if ends || kept.starts_with(char::is_whitespace) {
            text.trim_end()
        } else {
            text
        };
        Joint {
            length: text.len(),
            covered,
            joins: !is_hidden && self.joins(text, covered, met),
            before_code: !kept.trim().is_empty() && !is_closing(kept),
        }
    }

    /// Returns whether the text left after the cursor goes on where `text` ends.
    fn joins(self, text: &str, covered: usize, met: bool) -> bool {
        let kept = &self.after[covered..];
        if self.after.trim().is_empty() {
            return true;
        }
        let line = [self.before, self.after].concat();
        let made = [self.before, text, kept].concat();
        let (old, new) = (Unmatched::of(&line), Unmatched::of(&made));
        // A closer has lost its opener, or a closer of an opener above has got a different one.
        if new.unopened != old.unopened || new.passed_over > old.passed_over {
            return false;
        }
        if kept.trim().is_empty() {
            return true;
        }
        // The bracket around the list is closed on a later line.
        let leaves_list =
            kept.trim_start().starts_with(',') && new.missing.len() < old.missing.len();
        if new.missing.len() > old.missing.len()
            || leaves_list
            || opens_literal(&line, &made)
            || is_one_token(self.before, self.after)
            || is_escaped(self.before, &line)
            || crosses_hole(self.before, text)
            || is_after_literal(self.before, text)
            || is_in_end_tag(self.before, text)
            || ends_too_early(text, kept)
            || runs_into(text, kept)
            || kept.trim_start().starts_with('{') && !self.is_head(text, covered)
        {
            return false;
        }
        match self.end {
            // Closers at the start of a line close something above, unless the editor inserted
            // them.
            _ if is_closing(kept) => {
                !self.before.trim().is_empty() || covered + kept.trim_end().len() <= self.left_out
            }
            End::Broken => false,
            _ if covered == 0 && changes_operand(self.before, text, kept) => false,
            // Code at the start of a line is complete without anything before it.
            _ if self.before.trim().is_empty() => false,
            _ if met => true,
            // A model may end a middle where nothing joins. So the text must be a value, followed
            // by an operator or a comma. Continuing a word that is already written would be
            // guessing at an edit.
            End::Middle => {
                !self.before.ends_with(is_word) && ends_value(text.trim_end()) && goes_on(kept)
            }
            End::Line => false,
        }
    }

    /// Returns whether a block may begin after the text: the text ends with the closers it covers,
    /// or the line begins with a keyword that takes a block.
    fn is_head(self, text: &str, covered: usize) -> bool {
        const MODIFIERS: [&str; 14] = [
            "pub",
            "pub(crate)",
            "pub(super)",
            "export",
            "default",
            "async",
            "unsafe",
            "const",
            "static",
            "abstract",
            "public",
            "private",
            "protected",
            "override",
        ];
        const HEADS: [&str; 31] = [
            "if",
            "else",
            "elif",
            "for",
            "foreach",
            "while",
            "loop",
            "do",
            "switch",
            "match",
            "select",
            "case",
            "try",
            "catch",
            "with",
            "using",
            "fn",
            "func",
            "fun",
            "function",
            "def",
            "class",
            "struct",
            "enum",
            "union",
            "trait",
            "interface",
            "impl",
            "mod",
            "namespace",
            "type",
        ];

        let closer = self.after[..covered].trim_end();
        if !closer.is_empty() && text.trim_end().ends_with(closer) {
            return true;
        }
        let words = self
            .before
            .split(|c: char| !(is_word(c) || c == '(' || c == ')'));
        let mut words = words.filter(|word| !word.is_empty() && *word != ")");
        let first = words.find(|word| !MODIFIERS.contains(word));
        first.is_some_and(|word| HEADS.contains(&word.split('(').next().unwrap_or_default()))
    }

    /// Returns where in `text` the long closer at the start of `kept` ends, and the number of bytes
    /// of `kept` up to its end.
    fn covers_long(self, text: &str, kept: &str) -> Option<(usize, usize)> {
        let blank = kept.len() - kept.trim_start().len();
        let closer = long_closer(&kept[blank..])?;
        let end = match closer {
            // The text may end the element with `/>` instead of `>`, or the other way round.
            ">" | "/>" => unopened_angle(self.before, text)? + 1,
            _ => text.find(closer)? + closer.len(),
        };
        Some((end, blank + closer.len()))
    }
}

/// The end of a text that already follows the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Overlap {
    /// Start of the overlap in the text.
    start: usize,
    /// Whether it spells everything after the cursor.
    whole: bool,
}

/// Returns the longest end of `text` that `rest` begins with, whatever white space is between the
/// characters.
fn overlap(text: &str, rest: &str) -> Overlap {
    let signs = rest.chars().filter(|c| !c.is_whitespace()).count();
    let mut last = ' ';
    let found = text.char_indices().find_map(|(start, c)| {
        // A word that ends as what follows is another word.
        let is_within_word = is_word(mem::replace(&mut last, c)) && is_word(c);
        let count = begins_with(rest, &text[start..]).filter(|_| !is_within_word)?;
        Some(Overlap {
            start,
            whole: count == signs,
        })
    });
    found.unwrap_or(Overlap {
        start: text.len(),
        whole: false,
    })
}

/// Returns how many characters of `rest`, white space aside, `end` spells; `None` if `rest` does
/// not begin with it.
fn begins_with(rest: &str, end: &str) -> Option<usize> {
    if end.starts_with(char::is_whitespace) && !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let mut rest = rest.chars().peekable();
    let mut end = end.chars().peekable();
    let (mut count, mut last) = (0, None);
    loop {
        let blanks = skip_blanks(&mut rest) != skip_blanks(&mut end);
        let Some(&c) = end.peek() else { break };
        if rest.peek() != Some(&c) {
            return None;
        }
        // White space may differ around punctuation, but not between words.
        if blanks && last.is_some_and(is_word) && is_word(c) {
            return None;
        }
        last = Some(c);
        rest.next();
        end.next();
        count += 1;
    }
    (count > 0).then_some(count)
}

/// Skips white space; returns whether there was any.
fn skip_blanks(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let mut any = false;
    while chars.next_if(|c| c.is_whitespace()).is_some() {
        any = true;
    }
    any
}

/// Returns the long closer that `text` begins with.
fn long_closer(text: &str) -> Option<&'static str> {
    (LONG_CLOSERS.into_iter()).find(|closer| text.starts_with(closer))
}

/// Returns whether `text` begins with the same character as `kept`, white space aside.
fn meets(text: &str, kept: &str) -> bool {
    let first = |text: &str| text.trim_start().chars().next();
    first(kept).is_some() && first(text) == first(kept)
}

/// Returns where `text` spells the `>` of a `<` that is open before the cursor: on this line or, if
/// `before` has neither `<` nor `>`, above.
fn unopened_angle(before: &str, text: &str) -> Option<usize> {
    let open = |text: &str, mut last: char| {
        let mut depth = 0usize;
        for (at, c) in text.char_indices() {
            let next = text[at + c.len_utf8()..].chars().next();
            match c {
                '<' if last != '<' && !matches!(next, Some('<' | '=' | '-' | ' ')) => depth += 1,
                '>' if !matches!(last, '-' | '=' | ' ') => match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => return Err(at),
                },
                _ => {}
            }
            last = c;
        }
        Ok(depth)
    };
    let is_open = matches!(open(before, ' '), Ok(1..)) || !before.contains(['<', '>']);
    let last = before.chars().next_back().unwrap_or(' ');
    open(text, last).err().filter(|_| is_open)
}

/// Returns whether `kept` has only closers, characters that may end a line, and a comment.
fn is_closing(kept: &str) -> bool {
    let mut kept = kept.trim();
    while let Some(c) = kept.chars().next() {
        if ["# ", "// ", "/* "]
            .iter()
            .any(|mark| kept.starts_with(mark))
        {
            return true;
        }
        kept = match (c, long_closer(kept)) {
            (_, Some(closer)) => &kept[closer.len()..],
            (')' | ']' | '}' | '"' | '\'' | '`' | ';' | ',' | ':' | '{', _) => &kept[1..],
            _ => return false,
        }
        .trim_start();
    }
    true
}

/// Returns whether the text puts a word directly after the quote that ends a literal.
fn is_after_literal(before: &str, text: &str) -> bool {
    let quote = before.chars().next_back().filter(|&c| is_quote(c));
    quote.is_some_and(|quote| before.matches(quote).count().is_multiple_of(2))
        && text.starts_with(is_word)
}

/// Returns whether the text puts more than a name into an end tag.
fn is_in_end_tag(before: &str, text: &str) -> bool {
    let tag = before.rsplit_once('<').map_or("", |(_, tag)| tag);
    let name = text.split('>').next().unwrap_or_default();
    tag.starts_with('/') && !tag.contains('>') && name.contains([' ', '=', '"'])
}

/// Returns whether a list item or a statement ends twice or inside brackets, or the text ends in a
/// line continuation.
fn ends_too_early(text: &str, kept: &str) -> bool {
    let (text, kept) = (text.trim_end(), kept.trim_start());
    text.ends_with([',', ';', ':']) && kept.starts_with([',', ';'])
        || text.ends_with([',', ';']) && kept.starts_with('{')
        || text.ends_with([';', ':']) && kept.starts_with(')')
        || text.ends_with(';') && kept.starts_with([']', '>'])
        || text.ends_with('\\')
}

/// Returns where the text begins a line comment, or a block comment that it does not end; `None` if
/// there is no such comment or the cursor is in one.
fn comment(before: &str, text: &str) -> Option<usize> {
    const MARKS: [&str; 4] = ["//", "# ", "-- ", "/*"];
    let line = [before, text].concat();
    let mut quotes = [('"', false), ('`', false)];
    let mut last = ' ';
    for (at, c) in line.char_indices() {
        let rest = &line[at..];
        let begins = last.is_whitespace() || "([{},;".contains(last) || at == before.len();
        let is_mark = MARKS.iter().any(|mark| rest.starts_with(mark));
        let is_ended = rest.starts_with("/*") && rest.contains("*/");
        if begins && is_mark && !is_ended && quotes.iter().all(|(_, open)| !open) {
            return at.checked_sub(before.len());
        }
        for (quote, open) in &mut quotes {
            *open ^= c == *quote && last != '\\';
        }
        last = c;
    }
    None
}

/// Returns whether a text that covers closers spells the last of them in its own comment, where it
/// closes nothing. Only `# ` counts: two slashes may be a division.
fn hides_closers(before: &str, text: &str) -> bool {
    comment(before, text).is_some_and(|start| text[start..].starts_with("# "))
}

/// Returns whether `line` has no open literal and `made` has one.
fn opens_literal(line: &str, made: &str) -> bool {
    let is_even = |line: &str, quote| line.matches(quote).count().is_multiple_of(2);
    let opens = open_literal(line).is_none() && matches!(open_literal(made), Some((_, '"' | '`')));
    opens
        || ['"', '`']
            .into_iter()
            .any(|quote| is_even(line, quote) && !is_even(made, quote))
}

/// Returns where the literal that is open at the end of a line begins, and its quote. A single
/// quote that is not closed on the line is an apostrophe or begins a lifetime.
fn open_literal(line: &str) -> Option<(usize, char)> {
    let mut open = None;
    let mut chars = line.char_indices();
    let mut last = ' ';
    while let Some((at, c)) = chars.next() {
        match open {
            Some(_) if c == '\\' => {
                chars.next();
            }
            Some((_, quote)) if c == quote => open = None,
            None if c == '"' || c == '`' => open = Some((at, c)),
            None if c == '\'' && !is_word(last) && line[at + 1..].contains('\'') => {
                open = Some((at, c))
            }
            _ => {}
        }
        last = c;
    }
    open
}

/// Returns whether the cursor is directly after the backslash of an escape.
fn is_escaped(before: &str, line: &str) -> bool {
    let backslashes = before.len() - before.trim_end_matches('\\').len();
    !backslashes.is_multiple_of(2) && open_literal(line).is_none()
}

/// Returns whether a text inside a literal closes one of its brackets with a closer of another
/// kind, as after a name in `"{name}"`.
fn crosses_hole(before: &str, text: &str) -> bool {
    let Some((start, _)) = open_literal(before) else {
        return false;
    };
    let mut open = Vec::new();
    let written = before[start..].chars().map(|c| (c, false));
    for (c, is_new) in written.chain(text.chars().map(|c| (c, true))) {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' => match open.pop() {
                Some(closer) if closer != c && is_new => return true,
                _ => {}
            },
            _ => {}
        }
    }
    false
}

/// Returns whether the cursor is inside a word, an operator or the quotes of a long literal.
fn is_one_token(before: &str, after: &str) -> bool {
    let both = |of: fn(char) -> bool| before.ends_with(of) && after.starts_with(of);
    let is_opener =
        before.ends_with(['<', '%', '?']) || before.trim_end_matches('*').ends_with('/');
    let is_pair = is_opener && long_closer(after).is_some();
    let is_long_quote = ['"', '\'', '`'].into_iter().any(|quote| {
        let opened = before.len() - before.trim_end_matches(quote).len();
        let closed = after.len() - after.trim_start_matches(quote).len();
        (1..3).contains(&opened) && closed > 0 && opened + closed >= 3
    });
    both(is_word) || both(is_operator) && !is_pair || is_long_quote
}

/// Returns whether a word or a value directly follows another, or two operators become one.
fn runs_into(text: &str, kept: &str) -> bool {
    let operators = text.ends_with(is_operator) && kept.starts_with(is_operator);
    let values = text.ends_with(|c| is_word(c) || is_quote(c) || matches!(c, ')' | ']' | '}'))
        && kept.starts_with(|c| is_word(c) || is_quote(c));
    (operators || values) && !is_closing(kept)
}

/// Returns whether the code after the cursor would apply to something else than now: the text
/// changes the operator before the cursor, puts a word directly after a value, or puts no value
/// between a value and an operator.
fn changes_operand(before: &str, text: &str, kept: &str) -> bool {
    const BETWEEN_VALUES: [&str; 14] = [
        "and",
        "as",
        "else",
        "extends",
        "for",
        "if",
        "implements",
        "in",
        "instanceof",
        "is",
        "not",
        "or",
        "satisfies",
        "where",
    ];

    if before.ends_with(is_operator) && text.starts_with(is_operator) {
        return true;
    }
    if !kept.trim_start().starts_with(is_operator) {
        return false;
    }
    let before = before.trim_end();
    let text = text.trim();
    let word = text.split(|c| !is_word(c)).next().unwrap_or_default();
    let follows_value = before.ends_with([')', ']']) || before.ends_with(is_quote);
    let is_second = follows_value && !word.is_empty() && !BETWEEN_VALUES.contains(&word);
    is_second || ends_value(before) && !ends_value(text)
}

/// Returns whether a text ends with a value.
fn ends_value(text: &str) -> bool {
    text.ends_with(|c| is_word(c) || is_quote(c) || matches!(c, ')' | ']' | '}'))
}

/// Returns whether `kept` can follow a value: it begins with a comma or an operator other than `:`.
fn goes_on(kept: &str) -> bool {
    let kept = kept.trim_start();
    kept.starts_with(|c: char| c == ',' || is_operator(c)) && !kept.starts_with(':')
}

fn is_operator(c: char) -> bool {
    "-+*/%=<>!&|^~:.?".contains(c)
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
