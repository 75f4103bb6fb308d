//! The cut: turns a path into what is shown.
//!
//! It shows the rest of the line or, if the model goes to the next line at once, that line. Knows
//! no model and no history: it is a pure function of document, cursor, path and settings. `scan`
//! reads the path, `joint` fits the result to the text after the cursor, `preceding` refuses what
//! cannot follow the text before it, `languages` has the rules of single languages, `repetition`
//! holds back what repeats.

mod balance;
mod joint;
mod languages;
mod preceding;
mod repetition;
mod signs;
mod tags;

use std::{mem, ops::Range};

use tabahead_text::{Document, Offset};

use self::{
    balance::is_balanced,
    joint::{End, Meeting},
    preceding::{Preceding, is_prose},
    repetition::{Made, loops},
    signs::is_quote,
};
use crate::{ModelProfile, Path, PathEnd, Silence, State, secrets::writes_secret};

/// Maximum number of line ends at the start of a suggestion.
const LEADING_LINE_ENDS: usize = 3;

/// Settings of the cut; the same with speculation on and off.
#[derive(Debug, Clone, PartialEq)]
pub struct CutSettings {
    /// Maximum number of tokens after the cursor.
    pub max_tokens: usize,
    /// Minimum mean natural log-probability of a suggestion that is shown. `f32::NEG_INFINITY`
    /// shows everything; `None` uses the value from the model's file, see
    /// [`CutSettings::for_model`].
    pub least_log_prob: Option<f32>,
    /// The same minimum where the model would have ended the middle at the cursor: what it says
    /// when it must go on is shown only if it reaches this value, too. `f32::INFINITY` shows
    /// nothing there.
    pub least_log_prob_at_end: f32,
}

impl CutSettings {
    /// Returns these settings with the value from the model's file where none is set, and with
    /// `max_tokens` limited to half of the model's context. With a higher limit the prompt would
    /// never fit and nothing would ever be suggested.
    pub fn for_model(&self, profile: &ModelProfile) -> Self {
        Self {
            max_tokens: self.max_tokens.min(profile.context_tokens / 2).max(1),
            least_log_prob: self.least_log_prob.or(profile.least_log_prob),
            ..self.clone()
        }
    }
}

/// A suggestion: what is shown, and what an accept does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Suggestion {
    /// The range that an accept replaces: from the cursor to the end of the closers that the text
    /// covers, within one line.
    pub range: Range<Offset>,
    /// The text that replaces the range, with the document's line ends.
    pub text: String,
}

/// Result of cutting a path at a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Show this suggestion.
    Show(Suggestion),
    /// The path is too short to decide: decode further.
    NeedMore,
    /// Show nothing.
    Silent(Silence),
}

impl Suggestion {
    /// Returns the document after an accept, and the cursor in it.
    pub fn apply(&self, document: &Document) -> (Document, Offset) {
        let after = document.with_replaced(self.range.clone(), &self.text);
        (after, Offset(self.range.start.0 + self.text.len()))
    }
}

/// Start of a line that encloses code in Markdown. A model that was trained to chat ends its code
/// with one.
const FENCE: &str = "```";

/// Returns whether fences belong to the document's text: its language is not code, or there is a
/// fence not far above.
fn has_fences(document: &Document, cursor: Offset, language: &str) -> bool {
    const FAR: usize = 100;

    let line = document.line_of(cursor);
    let is_fence = |line| {
        document
            .slice(document.line_range(line))
            .trim_start()
            .starts_with(FENCE)
    };
    is_prose(language) || (line.saturating_sub(FAR)..line).any(is_fence)
}

/// Returns whether the line below the cursor's is `expected`, white space aside.
fn next_line_is(document: &Document, cursor: Offset, expected: &str) -> bool {
    let below = document.line_of(cursor) + 1;
    below < document.line_count() && document.slice(document.line_range(below)).trim() == expected
}

/// Returns whether nothing follows in the object or list of a JSON file, which allows no comma there.
fn ends_list(state: &State, kept: &str) -> bool {
    let (document, line) = (&state.document, state.document.line_of(state.cursor));
    let below = (line + 1..document.line_count()).take(4);
    ["json", "jsonc"].contains(&state.name.language.as_str())
        && kept.trim().is_empty()
        && below
            .map(|line| document.slice(document.line_range(line)))
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.trim_start().starts_with(['}', ']']))
}

/// Returns whether the line below the cursor's goes on with a member of what the cursor's line ends
/// with, as a chain of calls does.
fn is_chain(state: &State) -> bool {
    const STYLES: [&str; 5] = ["css", "scss", "sass", "less", "stylus"];

    let (document, below) = (&state.document, state.document.line_of(state.cursor) + 1);
    if STYLES.contains(&state.name.language.as_str()) || below >= document.line_count() {
        return false;
    }
    let line = document.slice(document.line_range(below));
    let member = line.trim_start().trim_start_matches('?').strip_prefix('.');
    member.is_some_and(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// Returns whether an opening bracket is the last character above the cursor's line. At most three
/// blank lines are passed over.
fn follows_opener(document: &Document, cursor: Offset) -> bool {
    let above = (0..document.line_of(cursor)).rev().take(4);
    let mut above = above.map(|line| document.slice(document.line_range(line)));
    (above.find(|line| !line.trim().is_empty()))
        .is_some_and(|line| line.trim_end().ends_with(['(', '[', '{']))
}

/// Cuts the answer that `path` holds for `state` at byte `at` of its bytes. `left_out` is the text
/// after the cursor that the prompt does not have.
///
/// Reads only tokens that end after `at`, from left to right, and once it has decided, further
/// tokens change nothing. So the result is the same for a fresh path and for a longer, cached one.
/// Call it only if `path.answers(..)` holds for the state.
pub fn cut(state: &State, left_out: &str, path: &Path, at: usize, settings: &CutSettings) -> Cut {
    let (document, cursor) = (&state.document, state.cursor);
    let line = document.line_range(document.line_of(cursor));
    let after = document.slice(cursor..line.end);
    let before = document.slice(line.start..cursor);
    let lines = LineScan::new(left_out, &before, !after.trim().is_empty());
    let Some(scanned) = scan(lines, path, at, settings) else {
        return Cut::NeedMore;
    };
    let joint = Meeting {
        before: &before,
        after: &after,
        // The left-out text begins at the cursor, so its first line is at the start of `after`.
        left_out: left_out.split('\n').next().unwrap_or_default().len(),
        text: &scanned.text,
        covered: (scanned.covered, scanned.covered_by),
        follows_opener: follows_opener(document, cursor),
        end: scanned.end,
    }
    .joint();
    let mut text = &scanned.text[..joint.length];
    // The block of the suggestion begins on the next line already.
    if let Some(head) = text.strip_suffix('{')
        && after[joint.covered..].trim().is_empty()
        && next_line_is(document, cursor, "{")
    {
        text = head.trim_end();
    }
    if ends_list(state, &after[joint.covered..]) {
        text = text.strip_suffix(',').unwrap_or(text);
    }
    // A chain of calls goes on below.
    if after[joint.covered..].trim().is_empty() && is_chain(state) {
        text = text.strip_suffix(';').unwrap_or(text);
    }
    if scanned.text.trim().is_empty() {
        return Cut::Silent(Silence::Empty);
    }
    // Elsewhere, as after the start of a comment or a literal, a fence may be part of an example.
    let follows_code = text.starts_with('\n')
        || before.trim().is_empty()
        || before.trim_end().ends_with([';', ')', ']', '}']);
    let is_chat = follows_code && text.trim_start().starts_with(FENCE);
    if is_chat && !has_fences(document, cursor, &state.name.language) {
        return Cut::Silent(Silence::Empty);
    }
    // An accept would change nothing.
    if text.trim().is_empty() || text.trim() == after[..joint.covered].trim() {
        return Cut::Silent(Silence::RepeatsSuffix);
    }
    let least = settings.least_log_prob.unwrap_or(f32::NEG_INFINITY);
    if scanned.mean_log_prob < least {
        return Cut::Silent(Silence::Unsure);
    }
    if scanned.ends_at_cursor && scanned.mean_log_prob < settings.least_log_prob_at_end {
        return Cut::Silent(Silence::EndOfMiddle);
    }
    // The existing code goes on without any insertion: what the model says when it must go on is
    // made up.
    if scanned.ends_at_cursor && joint.before_code {
        return Cut::Silent(Silence::EndOfMiddle);
    }
    if !joint.joins {
        return Cut::Silent(Silence::Apart);
    }
    let preceding = Preceding {
        document,
        cursor,
        language: &state.name.language,
    };
    if scanned.closes_inner && (is_balanced(document) || preceding.misplaces_closer(text)) {
        return Cut::Silent(Silence::Empty);
    }
    if preceding.refuses(text, joint.covered) {
        return Cut::Silent(Silence::Unfit);
    }
    let made = Made {
        document,
        cursor,
        text,
        kept: &after[joint.covered..],
    };
    if loops(text, made.kept, scanned.end)
        || made.repeats_line_above()
        || made.repeats_before()
        || made.repeats_branch()
        || made.redefines()
    {
        return Cut::Silent(Silence::Repetition);
    }
    if made.repeats_line_below() {
        return Cut::Silent(Silence::RepeatsSuffix);
    }
    if made.closes_before_the_end() || made.ends_comment_early() {
        return Cut::Silent(Silence::Unfit);
    }
    if writes_secret(document, cursor, text, &after[joint.covered..]) {
        return Cut::Silent(Silence::Secret);
    }
    Cut::Show(Suggestion {
        range: cursor..Offset(cursor.0 + joint.covered),
        text: text.replace('\n', document.line_end(cursor).as_str()),
    })
}

/// The text that a path gives after the cursor, before it is fitted to what follows there.
struct Scanned {
    text: String,
    /// Bytes of the left-out text that `text` spells and an accept must replace.
    covered: usize,
    /// Length of `text` up to the end of the last covered closer.
    covered_by: usize,
    end: End,
    mean_log_prob: f32,
    /// Whether a stop was likelier than the token that starts at the cursor.
    ends_at_cursor: bool,
    /// Whether the text closes a block inside the one that the left-out text closes.
    closes_inner: bool,
}

/// Reads the path up to the end of the suggestion; returns `None` if the path is too short to find
/// it.
fn scan(mut line: LineScan<'_>, path: &Path, at: usize, settings: &CutSettings) -> Option<Scanned> {
    let mut text: Vec<u8> = Vec::new();
    let mut log_probs: Vec<(usize, f32)> = Vec::new();
    let mut token_end = path.boundary();
    let mut ended = None;
    let mut ends_at_cursor = false;
    for token in path.tokens() {
        let token_start = token_end;
        token_end += token.bytes.len();
        if token_end <= at {
            continue;
        }
        ends_at_cursor |= token_start == at && token.masked_stop.is_some();
        log_probs.push((text.len(), token.log_prob));
        text.extend_from_slice(&token.bytes[at.saturating_sub(token_start)..]);
        ended = line.read(&text);
        if ended.is_some() {
            break;
        }
        if log_probs.len() >= settings.max_tokens {
            ended = Some((line.at, End::Broken));
            break;
        }
    }
    let (length, end) = match (ended, path.end()) {
        (Some(ended), _) => ended,
        (None, PathEnd::Open) => return None,
        (None, PathEnd::Stop { .. }) => (line.at, End::Middle),
        (None, PathEnd::ContextFull) => (line.at, End::Broken),
    };
    let used: Vec<f32> = log_probs
        .iter()
        .filter(|&&(start, _)| start < length)
        .map(|&(_, p)| p)
        .collect();
    let mean_log_prob = used.iter().sum::<f32>() / used.len().max(1) as f32;
    text.truncate(length);
    Some(Scanned {
        text: String::from_utf8(text).expect("the scan ends between characters it has read"),
        covered: line.covered,
        covered_by: line.covered_by,
        end,
        mean_log_prob,
        ends_at_cursor,
        closes_inner: line.closes_inner,
    })
}

/// Reads a suggestion character by character and finds where it ends.
struct LineScan<'a> {
    left_out: &'a str,
    mid_line: bool,
    /// Bytes read so far; always whole characters.
    at: usize,
    line_ends: usize,
    has_text: bool,
    /// White space that the suggestion's line begins with, with what is before the cursor; `None`
    /// if there is text before the cursor.
    indentation: Option<String>,
    closes_inner: bool,
    /// Start of the white space that ends at `at`.
    blank_from: usize,
    /// Closers of the brackets that the suggestion itself opened, innermost last.
    open: Vec<char>,
    covered: usize,
    covered_by: usize,
    /// Quote that ends the literal being read.
    literal: Option<char>,
    /// Whether a backslash escapes the next character.
    escapes: bool,
    last: Option<char>,
}

impl<'a> LineScan<'a> {
    fn new(left_out: &'a str, before: &str, mid_line: bool) -> Self {
        Self {
            left_out,
            mid_line,
            at: 0,
            line_ends: 0,
            has_text: false,
            indentation: before.trim().is_empty().then(|| before.to_owned()),
            closes_inner: false,
            blank_from: 0,
            open: Vec::new(),
            covered: 0,
            covered_by: 0,
            // If the left-out text begins with a quote, the cursor is in a literal that this quote
            // ends.
            literal: (left_out.trim_start_matches([' ', '\t']).chars().next())
                .filter(|&c| is_quote(c)),
            escapes: false,
            last: None,
        }
    }

    /// Reads the new part of `text`. Returns the suggestion's length and how it ends once both are
    /// known. An incomplete character at the end waits for the next call; bytes that form no
    /// character end the suggestion.
    fn read(&mut self, text: &[u8]) -> Option<(usize, End)> {
        let unread = &text[self.at..];
        let (valid, broken) = match std::str::from_utf8(unread) {
            Ok(valid) => (valid, false),
            Err(error) => {
                let valid = std::str::from_utf8(&unread[..error.valid_up_to()])
                    .expect("the bytes up to valid_up_to are valid");
                (valid, error.error_len().is_some())
            }
        };
        for c in valid.chars() {
            if let Some(end) = self.character(c) {
                return Some((end, End::Line));
            }
            self.at += c.len_utf8();
            if !c.is_whitespace() {
                self.blank_from = self.at;
            }
        }
        broken.then_some((self.at, End::Broken))
    }

    /// Reads `c`; returns where the suggestion ends if it ends before `c`.
    fn character(&mut self, c: char) -> Option<usize> {
        if c == '\n' {
            self.line_ends += 1;
            self.indentation = Some(String::new());
            let ends = self.has_text || self.mid_line || self.line_ends > LEADING_LINE_ENDS;
            return ends.then_some(self.at);
        }
        // Users do not write control characters, and terminals and editors act on them.
        if c.is_control() && c != '\t' {
            return Some(self.at);
        }
        let in_literal = self.in_literal(c);
        if let Some(closer) = self.next_left_out()
            && c == closer
            && self.open.is_empty()
            && !in_literal
        {
            let before = self.left_out[self.covered..]
                .find(closer)
                .unwrap_or_default();
            let other_line = self.left_out[..self.covered + before].contains('\n');
            if other_line && self.is_deeper() {
                self.closes_inner = true;
            } else if other_line || self.line_ends > 0 {
                // The closer is already on a later line: end before the white space in front of it.
                return Some(self.blank_from);
            } else {
                self.covered += before + closer.len_utf8();
                self.covered_by = self.at + closer.len_utf8();
            }
        } else if !in_literal {
            self.bracket(c);
        }
        if let Some(indentation) = &mut self.indentation
            && !self.has_text
            && c.is_whitespace()
        {
            indentation.push(c);
        }
        self.has_text |= !c.is_whitespace();
        None
    }

    /// Returns whether a closer read now begins a line that is deeper than that of the next left-out
    /// closer: it closes another block, inside that one.
    fn is_deeper(&self) -> bool {
        let left_out = &self.left_out[self.covered..];
        let closer = left_out.find(|c: char| !c.is_whitespace());
        let line = &left_out[..closer.unwrap_or(left_out.len())];
        let outer = &line[line.rfind('\n').map_or(0, |end| end + 1)..];
        !self.has_text
            && (self.indentation.as_deref())
                .is_some_and(|inner| inner.len() > outer.len() && inner.starts_with(outer))
    }

    /// Tracks literals; returns whether `c` is inside a string literal, where brackets mean
    /// nothing.
    fn in_literal(&mut self, c: char) -> bool {
        let last = self.last.replace(c);
        if let Some(quote) = self.literal {
            let escaped = mem::take(&mut self.escapes);
            self.escapes = c == '\\' && !escaped;
            if c != quote || escaped {
                return true;
            }
            self.literal = None;
        } else if c == '"' && last != Some('\'') && !self.closes_left_out(c) {
            self.literal = Some(c);
        }
        false
    }

    /// Returns whether a quote ends the literal that the cursor is in.
    fn closes_left_out(&self, quote: char) -> bool {
        self.open.is_empty() && self.next_left_out() == Some(quote)
    }

    fn bracket(&mut self, c: char) {
        match c {
            '(' => self.open.push(')'),
            '[' => self.open.push(']'),
            '{' => self.open.push('}'),
            _ if self.open.last() == Some(&c) => {
                self.open.pop();
            }
            _ => {}
        }
    }

    /// Returns the next closer of the left-out text that the suggestion has not spelled.
    fn next_left_out(&self) -> Option<char> {
        self.left_out[self.covered..]
            .chars()
            .find(|c| !c.is_whitespace())
    }
}

#[cfg(test)]
mod tests;
