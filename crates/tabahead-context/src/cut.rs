//! The cut: from a path to what is shown.
//!
//! Shown is the rest of the line; where the model goes to the next line at once, that line. Knows no
//! model and no history: a pure function of document, cursor, path and settings. `scan` reads the
//! path, `joint` fits what was read to the text after the cursor, `repetition` keeps back what is said again.

mod joint;
mod repetition;

use std::{mem, ops::Range};

use tabahead_text::{Document, Offset};

use self::{
    joint::{End, Meeting, is_quote},
    repetition::{Made, loops},
};
use crate::{ModelProfile, Path, PathEnd, secrets::writes_secret};

/// Line ends that a suggestion may begin with.
const LEADING_LINE_ENDS: usize = 3;

/// Settings of the cut; the same with speculation on and off.
#[derive(Debug, Clone, PartialEq)]
pub struct CutSettings {
    /// Tokens after the cursor at most.
    pub max_tokens: usize,
    /// Mean natural log-probability below which nothing is shown. `f32::NEG_INFINITY` shows all, `None` what
    /// the model's file says, see [`CutSettings::for_model`].
    pub least_log_prob: Option<f32>,
    /// The same where the model would have ended the middle at the cursor: what it says when it must
    /// go on is shown only if it is surer than this, too. `f32::INFINITY` shows nothing there.
    pub least_log_prob_at_end: f32,
}

impl CutSettings {
    /// The same with what the model's file says where nothing else is set, and with no more tokens than
    /// leave half of the model's context to what it reads: otherwise it would be silent everywhere.
    pub fn for_model(&self, profile: &ModelProfile) -> Self {
        Self {
            max_tokens: self.max_tokens.min(profile.context_tokens / 2).max(1),
            least_log_prob: self.least_log_prob.or(profile.least_log_prob),
            ..self.clone()
        }
    }
}

/// Why nothing is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Silence {
    /// The cursor's line is too long (minified or data).
    LongLine,
    /// The model has nothing to add.
    Empty,
    /// The model would have ended here, and is not sure enough of what it says instead.
    EndOfMiddle,
    /// The model is not sure enough.
    Unsure,
    /// What it says stands behind the cursor already.
    RepeatsSuffix,
    /// What follows on the line would be glued to it, or be in a bracket that it opens.
    Apart,
    /// The text loops.
    Repetition,
    /// A key, a token or a password is on the line, or would with the suggestion.
    Secret,
}

impl Silence {
    /// The word that logs and statistics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LongLine => "long line",
            Self::Empty => "nothing to add",
            Self::EndOfMiddle => "end of the middle",
            Self::Unsure => "unsure",
            Self::RepeatsSuffix => "repeats what follows",
            Self::Apart => "does not join what follows",
            Self::Repetition => "repetition",
            Self::Secret => "secret",
        }
    }
}

/// What is shown, and what accepting it does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Suggestion {
    /// What is replaced: from the cursor over the closers that the text covers; one line.
    pub range: Range<Offset>,
    /// What stands there after an accept, with the document's line ends.
    pub text: String,
}

/// What a path says at a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Show this.
    Show(Suggestion),
    /// The path is too short to decide: decode on.
    NeedMore,
    /// Show nothing.
    Silent(Silence),
}

impl Suggestion {
    /// The document after an accept, and the cursor in it.
    pub fn apply(&self, document: &Document) -> (Document, Offset) {
        let after = document.with_replaced(self.range.clone(), &self.text);
        (after, Offset(self.range.start.0 + self.text.len()))
    }
}

/// What a line of a Markdown text begins with that encloses code. A model that was trained to chat ends code so.
const FENCE: &str = "```";

/// Whether fences are text of the document: its language is no code, or there is one not far above.
fn has_fences(document: &Document, cursor: Offset, language: &str) -> bool {
    const PROSE: [&str; 14] = [
        "",
        "markdown",
        "mdx",
        "rmd",
        "quarto",
        "restructuredtext",
        "asciidoc",
        "plaintext",
        "gitcommit",
        "git-commit",
        "pandoc",
        "org",
        "norg",
        "typst",
    ];
    const FAR: usize = 100;

    let line = document.line_of(cursor);
    let is_fence = |line| {
        document
            .slice(document.line_range(line))
            .trim_start()
            .starts_with(FENCE)
    };
    PROSE.contains(&language) || (line.saturating_sub(FAR)..line).any(is_fence)
}

/// Cuts the answer that `path` holds for the state at byte `at` of its bytes. `language` is the document's, as LSP names it.
///
/// Reads only tokens that end after `at`, from left to right, and once it has decided, further
/// tokens change nothing: so it gives the same for a fresh path and for a cached, longer one.
/// Call it only when `path.answers(..)` holds for the state.
pub fn cut(
    document: &Document,
    cursor: Offset,
    language: &str,
    left_out: &str,
    path: &Path,
    at: usize,
    settings: &CutSettings,
) -> Cut {
    let line = document.line_range(document.line_of(cursor));
    let after = document.slice(cursor..line.end);
    let Some(scanned) = scan(left_out, !after.trim().is_empty(), path, at, settings) else {
        return Cut::NeedMore;
    };
    let before = document.slice(line.start..cursor);
    let joint = Meeting {
        before: &before,
        after: &after,
        // The left-out text was cut from the document, so it is at the start of the line's rest.
        left_out: left_out.split('\n').next().unwrap_or_default().len(),
        text: &scanned.text,
        covered: (scanned.covered, scanned.covered_by),
        end: scanned.end,
    }
    .joint();
    let text = &scanned.text[..joint.length];
    if scanned.text.trim().is_empty() {
        return Cut::Silent(Silence::Empty);
    }
    // After the beginning of a comment or a literal it may be part of an example.
    let follows_code = text.starts_with('\n')
        || before.trim().is_empty()
        || before.trim_end().ends_with([';', ')', ']', '}']);
    let is_chat = follows_code && text.trim_start().starts_with(FENCE);
    if is_chat && !has_fences(document, cursor, language) {
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
    // What is written goes on without anything: what the model says when it must go on is made up.
    if scanned.ends_at_cursor && joint.before_code {
        return Cut::Silent(Silence::EndOfMiddle);
    }
    if !joint.joins {
        return Cut::Silent(Silence::Apart);
    }
    let made = Made {
        document,
        cursor,
        text,
        kept: &after[joint.covered..],
    };
    if loops(text, made.kept) || made.repeats_line_above() || made.redefines() {
        return Cut::Silent(Silence::Repetition);
    }
    if made.repeats_line_below() {
        return Cut::Silent(Silence::RepeatsSuffix);
    }
    if writes_secret(document, cursor, text, &after[joint.covered..]) {
        return Cut::Silent(Silence::Secret);
    }
    Cut::Show(Suggestion {
        range: cursor..Offset(cursor.0 + joint.covered),
        text: text.replace('\n', document.line_end(cursor).as_str()),
    })
}

/// What a path says behind a cursor, before it is fitted to the text there.
struct Scanned {
    text: String,
    /// Bytes of the left-out text that `text` spells and an accept must replace.
    covered: usize,
    /// Length of `text` up to the end of the last covered closer.
    covered_by: usize,
    end: End,
    mean_log_prob: f32,
    /// A stop was likelier than the token that starts at the cursor.
    ends_at_cursor: bool,
}

/// Reads the path up to the cut's end; `None` when the path is too short to know it.
fn scan(
    left_out: &str,
    mid_line: bool,
    path: &Path,
    at: usize,
    settings: &CutSettings,
) -> Option<Scanned> {
    let mut line = LineScan::new(left_out, mid_line);
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
    })
}

/// Reads a suggestion character by character and finds where it ends.
struct LineScan<'a> {
    left_out: &'a str,
    mid_line: bool,
    /// Bytes read: whole characters only.
    at: usize,
    line_ends: usize,
    has_text: bool,
    /// Start of the white space that ends at `at`.
    blank_from: usize,
    /// Closers of the brackets that the suggestion itself opened.
    open: Vec<char>,
    covered: usize,
    covered_by: usize,
    /// The quote that ends the literal that is being read.
    literal: Option<char>,
    /// A backslash takes the meaning of the next character.
    escapes: bool,
    last: Option<char>,
}

impl<'a> LineScan<'a> {
    fn new(left_out: &'a str, mid_line: bool) -> Self {
        Self {
            left_out,
            mid_line,
            at: 0,
            line_ends: 0,
            has_text: false,
            blank_from: 0,
            open: Vec::new(),
            covered: 0,
            covered_by: 0,
            // The cursor is in the literal that a quote which was left out ends.
            literal: (left_out.trim_start_matches([' ', '\t']).chars().next())
                .filter(|&c| is_quote(c)),
            escapes: false,
            last: None,
        }
    }

    /// Reads on; the length of the suggestion and how it ends once they are known. Half a character at the end is
    /// held back, bytes that are no character end the suggestion.
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

    /// Where the suggestion ends, if it ends before `c`.
    fn character(&mut self, c: char) -> Option<usize> {
        if c == '\n' {
            self.line_ends += 1;
            let ends = self.has_text || self.mid_line || self.line_ends > LEADING_LINE_ENDS;
            return ends.then_some(self.at);
        }
        // No text that people write: it would change what a terminal or an editor does.
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
            if other_line || self.line_ends > 0 {
                // It stands on a later line already: the suggestion ends before its white space.
                return Some(self.blank_from);
            }
            self.covered += before + closer.len_utf8();
            self.covered_by = self.at + closer.len_utf8();
        } else if !in_literal {
            self.bracket(c);
        }
        self.has_text |= !c.is_whitespace();
        None
    }

    /// Whether `c` belongs to the content of a string literal, in which brackets mean nothing.
    fn in_literal(&mut self, c: char) -> bool {
        let last = self.last.replace(c);
        if let Some(quote) = self.literal {
            let escaped = mem::take(&mut self.escapes);
            self.escapes = c == '\\' && !escaped;
            if c != quote || escaped {
                return true;
            }
            self.literal = None;
        } else if c == '"' && last != Some('\'') {
            self.literal = Some(c);
        }
        false
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

    /// The next closer of the left-out text that the suggestion has not spelled.
    fn next_left_out(&self) -> Option<char> {
        self.left_out[self.covered..]
            .chars()
            .find(|c| !c.is_whitespace())
    }
}

#[cfg(test)]
mod tests;
