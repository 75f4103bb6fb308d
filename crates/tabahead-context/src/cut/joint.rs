//! The joint: where a suggestion meets what follows the cursor on its line.
//!
//! An accept puts the text before what is already there. So the text covers the closers that it
//! spells itself, ends before what it would repeat, and is not shown where the rest of the line
//! would be glued to it. The functions work on characters, the same for every language.

use std::mem;

use super::{signs::*, tags::*};
use crate::closers::Unmatched;

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
    /// Whether an opening bracket is the last character above the line, white space aside.
    pub(super) follows_opener: bool,
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
            let rest = &self.after[self.left_out.max(covered)..];
            // The `>` of a tag that the text begins is not the one after the closers.
            let has_own = rest.starts_with('>') && unopened_angle(self.before, text).is_none();
            let overlap = if has_own && self.left_out > covered {
                Overlap::none(text)
            } else {
                overlap(text, rest)
            };
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
        // What follows the last covered closer of a text without an end is incomplete.
        let length = if self.end == End::Broken && spelled > 0 {
            spelled
        } else {
            length
        };
        let text = &self.text[..length];
        // A tag ends once: at the `>` after the cursor.
        let in_tag = is_in_tag(self.before) || is_in_end_tag(self.before);
        let text = if kept.trim_start().starts_with(['>', '/']) && in_tag {
            &text[..end_in_tag(self.before, text)]
        } else {
            text
        };
        // A block begins once, too: after the text, with what begins it already.
        let (text, met) = match own_beginning(text, kept) {
            Some(end) => (&text[..end], true),
            None => (text, met),
        };
        let is_hidden = hides_closers(self.before, &self.text[..spelled]);
        // The rest of the line would become part of the comment.
        let text = match comment(self.before, text) {
            Some(start) if !kept.trim().is_empty() => text[..start].trim_end(),
            _ => text,
        };
        // Users do not want white space before a closer or at the end of a line.
        let ends = is_closing(kept) && !kept.starts_with('{');
        let mut text = if ends || kept.starts_with(char::is_whitespace) {
            text.trim_end()
        } else {
            text
        };
        // A comma after the last argument is for calls that are written on several lines.
        if after_comments(kept).starts_with(')') && is_in_call(self.before, text) {
            text = text.strip_suffix(',').unwrap_or(text);
        }
        text = without_second_end(text, kept);
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
        if crosses_hole(self.before, text) || crosses_template(self.before, text) {
            return false;
        }
        if self.after.trim().is_empty() {
            return true;
        }
        let line = [self.before, self.after].concat();
        let made = [self.before, text, kept].concat();
        let (old, new) = (Unmatched::of(&line), Unmatched::of(&made));
        // A closer has lost its opener, or a closer of an opener above has got a different one.
        if new.unopened != old.unopened
            || new.passed_over > old.passed_over
            || leaves_element_open(self.before, text, &self.after[..covered], kept)
            || makes_key(self.before, text, kept)
            || computes_parameter(self.before, text)
            || is_in_visibility(self.before, text)
            || is_after_literal(self.before, text)
            || is_glued_to_value(self.before, text)
            || splits_literal(self.before, text, kept)
        {
            return false;
        }
        if kept.trim().is_empty() {
            // The block whose closer the editor inserted goes on, and opens none after it.
            return !self.before.trim().is_empty() || new.missing.len() <= old.missing.len();
        }
        // The bracket around the list is closed on a later line.
        let leaves_list =
            kept.trim_start().starts_with(',') && new.missing.len() < old.missing.len();
        if new.missing.len() > old.missing.len()
            || leaves_list
            || opens_literal(&line, &made)
            || parts_literal(self.before, text, self.after, covered)
            || is_one_token(self.before, self.after)
            || is_escaped(self.before, &line)
            || is_before_comment(self.before, kept)
            || opens_type(text, kept)
            || ends_comment_twice(self.before, text, kept)
            || extends_end_tag(self.before, text)
            || names_no_element(self.before, text)
            || ends_too_early(text, kept)
            || runs_into(text, kept)
            || kept.trim_start().starts_with('{') && !self.is_head(text, covered)
        {
            return false;
        }
        match self.end {
            _ if is_closing(kept) && lacks_operand(self.before, text) => false,
            // Closers at the start of a line close something above. An editor that inserted them
            // left nothing between them and their opener. No statement is inside parentheses.
            _ if is_closing(kept) && self.before.trim().is_empty() => {
                self.follows_opener
                    && covered + kept.trim_end().len() <= self.left_out
                    && !(kept.trim_start().starts_with([')', ']']) && is_statement(text))
            }
            _ if is_closing(kept) => true,
            End::Broken => false,
            _ if covered == 0 && new.missing.len() != old.missing.len() => false,
            _ if covered == 0 && changes_what_precedes(self.before, text) => false,
            _ if covered == 0 && begins_item_with_dot(self.before, text) => false,
            _ if covered == 0 && takes_operand(self.before, text, kept) => false,
            _ if covered == 0 && makes_binary(self.before, text, kept) => false,
            _ if covered == 0 && repeats_line(self.before, text) => false,
            // Code at the start of a line is complete without anything before it.
            _ if self.before.trim().is_empty() => false,
            _ if met => true,
            // A model may end a middle where nothing joins. So the text must be a value, followed
            // by an operator or a comma.
            End::Middle => ends_value(text.trim_end()) && continues_value(kept),
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
        let is_head = |word: &str| HEADS.contains(&word.split('(').next().unwrap_or_default());
        // A `type` with a `=` is another name of a type.
        first.is_some_and(|word| is_head(word) && !(word == "type" && self.before.contains('=')))
    }

    /// Returns where in `text` the long closer at the start of `kept` ends, and the number of bytes
    /// of `kept` up to its end.
    fn covers_long(self, text: &str, kept: &str) -> Option<(usize, usize)> {
        let blank = kept.len() - kept.trim_start().len();
        let closer = long_closer(&kept[blank..])?;
        let end = match closer {
            // The text may end the element with `/>` instead of `>`, or the other way round.
            ">" | "/>" => {
                let end = unopened_angle(self.before, text)? + 1;
                let rest = &kept[blank + closer.len()..];
                if !ends_element(self.before, &text[..end], closer, &text[end..], rest) {
                    return None;
                }
                end
            }
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

impl Overlap {
    /// Builds the overlap of a text of which nothing follows the cursor.
    fn none(text: &str) -> Self {
        Self {
            start: text.len(),
            whole: false,
        }
    }
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
    found.unwrap_or(Overlap::none(text))
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

/// Returns whether the cursor is inside a word, an operator or the quotes of a long literal.
fn is_one_token(before: &str, after: &str) -> bool {
    let both = |of: fn(char) -> bool| before.ends_with(of) && after.starts_with(of);
    let is_opener =
        before.ends_with(['<', '%', '?']) || before.trim_end_matches('*').ends_with('/');
    let is_value = before.ends_with('=') && is_in_tag(before);
    let is_pair = (is_opener || is_value) && long_closer(after).is_some();
    let is_long_quote = ['"', '\'', '`'].into_iter().any(|quote| {
        let opened = before.len() - before.trim_end_matches(quote).len();
        let closed = after.len() - after.trim_start_matches(quote).len();
        (1..3).contains(&opened) && closed > 0 && opened + closed >= 3
    });
    both(is_word) || both(is_operator) && !is_pair || is_long_quote
}

/// Returns whether `text` begins with the same character as `kept`, white space aside.
fn meets(text: &str, kept: &str) -> bool {
    let first = |text: &str| text.trim_start().chars().next();
    first(kept).is_some() && first(text) == first(kept)
}
