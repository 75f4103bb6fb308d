//! The cut: from a path to what is shown.
//!
//! Shown is the rest of the line; where the model goes to the next line at once, that line. Knows no
//! model and no history: a pure function of document, cursor, path and settings. `scan` reads the
//! path, `cut` fits what was read to the text behind the cursor.

use std::ops::Range;

use tabahead_text::{Document, Offset};

use crate::{ModelProfile, Path, PathEnd};

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
    /// The same with what the model's file says where nothing else is set.
    pub fn for_model(&self, profile: &ModelProfile) -> Self {
        Self {
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
    /// The text loops.
    Repetition,
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
            Self::Repetition => "repetition",
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

/// Cuts the answer that `path` holds for the state at byte `at` of its bytes.
///
/// Reads only tokens that end after `at`, from left to right, and once it has decided, further
/// tokens change nothing: so it gives the same for a fresh path and for a cached, longer one.
/// Call it only when `path.answers(..)` holds for the state.
pub fn cut(
    document: &Document,
    cursor: Offset,
    left_out: &str,
    path: &Path,
    at: usize,
    settings: &CutSettings,
) -> Cut {
    let line = document.line_of(cursor);
    let behind_cursor = document.slice(cursor..document.line_range(line).end);
    let on_line = left_out.split('\n').next().unwrap_or_default();
    // The left-out text was cut from the document, so it stands at the start of the line's rest.
    let rest = behind_cursor.get(on_line.len()..).unwrap_or_default();
    let scanned = match scan(
        left_out,
        !behind_cursor.trim().is_empty(),
        path,
        at,
        settings,
    ) {
        Some(scanned) => scanned,
        None => return Cut::NeedMore,
    };
    let text = without_overlap(scanned.text.trim_end(), rest.trim_end()).trim_end();
    if text.trim().is_empty() {
        let overlapped = !scanned.text.trim().is_empty();
        return Cut::Silent(if overlapped {
            Silence::RepeatsSuffix
        } else {
            Silence::Empty
        });
    }
    let least = settings.least_log_prob.unwrap_or(f32::NEG_INFINITY);
    if scanned.mean_log_prob < least {
        return Cut::Silent(Silence::Unsure);
    }
    if scanned.ends_at_cursor && scanned.mean_log_prob < settings.least_log_prob_at_end {
        return Cut::Silent(Silence::EndOfMiddle);
    }
    if loops(text) || repeats_line_above(document, cursor, text) {
        return Cut::Silent(Silence::Repetition);
    }
    if repeats_next_line(document, line, text) {
        return Cut::Silent(Silence::RepeatsSuffix);
    }
    // What the text covers is only what it still spells after the trimming.
    let covered = if text.len() >= scanned.covered_by {
        scanned.covered
    } else {
        0
    };
    if redefines(document, cursor, text, &behind_cursor[covered..]) {
        return Cut::Silent(Silence::Repetition);
    }
    Cut::Show(Suggestion {
        range: cursor..Offset(cursor.0 + covered),
        text: text.replace('\n', document.line_end().as_str()),
    })
}

/// What a path says behind a cursor, before it is fitted to the text there.
struct Scanned {
    text: String,
    /// Bytes of the left-out text that `text` spells and an accept must replace.
    covered: usize,
    /// Length of `text` up to behind the last covered closer.
    covered_by: usize,
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
    let mut end = None;
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
        end = line.read(&text);
        if end.is_some() {
            break;
        }
        if log_probs.len() >= settings.max_tokens {
            end = Some(line.at);
            break;
        }
    }
    let end = match path.end() {
        _ if end.is_some() => end?,
        PathEnd::Open => return None,
        PathEnd::Stop { .. } | PathEnd::ContextFull => line.at,
    };
    let used: Vec<f32> = log_probs
        .iter()
        .filter(|&&(start, _)| start < end)
        .map(|&(_, p)| p)
        .collect();
    let mean_log_prob = used.iter().sum::<f32>() / used.len().max(1) as f32;
    text.truncate(end);
    Some(Scanned {
        text: String::from_utf8(text).expect("the scan ends between characters it has read"),
        covered: line.covered,
        covered_by: line.covered_by,
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
        }
    }

    /// Reads on; the length of the suggestion once it is known. Half a character at the end is held
    /// back, bytes that are no character end the suggestion.
    fn read(&mut self, text: &[u8]) -> Option<usize> {
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
                return Some(end);
            }
            self.at += c.len_utf8();
            if !c.is_whitespace() {
                self.blank_from = self.at;
            }
        }
        broken.then_some(self.at)
    }

    /// Where the suggestion ends, if it ends before `c`.
    fn character(&mut self, c: char) -> Option<usize> {
        if c == '\n' {
            self.line_ends += 1;
            let ends = self.has_text || self.mid_line || self.line_ends > LEADING_LINE_ENDS;
            return ends.then_some(self.at);
        }
        if let Some(closer) = self.next_left_out()
            && c == closer
            && self.open.is_empty()
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
        } else {
            self.bracket(c);
        }
        self.has_text |= !c.is_whitespace();
        None
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

/// The text without its longest end that is the start of what follows on the line.
fn without_overlap<'a>(text: &'a str, rest: &str) -> &'a str {
    let overlap = rest
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .filter(|&length| text.ends_with(&rest[..length]))
        .max()
        .unwrap_or_default();
    &text[..text.len() - overlap]
}

/// Whether the text goes in circles: a piece four times in a row and long enough that no table or pattern is meant;
/// without letters that is longer, and one character may be repeated for ever, as in a ruled line.
fn loops(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (2..=chars.len() / 4).any(|period| {
        let least = (3 * period).max(20);
        let (mut run, mut letters, mut changes) = (0, 0, 0);
        chars.windows(period + 1).any(|window| {
            let (earlier, later, before) = (window[0], window[period], window[period - 1]);
            if later != earlier {
                (run, letters, changes) = (0, 0, 0);
                return false;
            }
            run += 1;
            letters += usize::from(later.is_alphanumeric());
            changes += usize::from(later != before);
            run >= least && (letters > 0 || run >= 40 && changes > 0)
        })
    })
}

/// Whether the text makes a line that says what the line above it says: a small model that has begun to repeat itself
/// goes on for as long as it is accepted.
fn repeats_line_above(document: &Document, cursor: Offset, text: &str) -> bool {
    let line = document.line_of(cursor);
    let before = document.slice(document.line_range(line).start..cursor);
    let (above, added) = match text.rsplit_once('\n') {
        Some((_, added)) => (before, added.to_owned()),
        None if line > 0 => {
            let above = document.slice(document.line_range(line - 1));
            (above, before + text)
        }
        None => return false,
    };
    has_words(&added) && above.trim() == added.trim()
}

/// Words that begin a definition.
const DEFINITIONS: [&str; 9] = [
    "def",
    "fn",
    "func",
    "function",
    "class",
    "struct",
    "enum",
    "trait",
    "interface",
];
/// Words that may stand before them.
const MODIFIERS: [&str; 12] = [
    "pub",
    "pub(crate)",
    "pub(super)",
    "async",
    "unsafe",
    "const",
    "export",
    "default",
    "abstract",
    "public",
    "private",
    "static",
];
/// Lines of a block that are looked at in either direction.
const BLOCK_LINES: usize = 500;

/// Whether the text defines what its block defines already, in the same words. Copying does it to whoever accepts
/// on and on: behind a copied end of a function comes, as in the original, the next function.
///
/// `kept` is what stands behind the suggestion on its line.
fn redefines(document: &Document, cursor: Offset, text: &str, kept: &str) -> bool {
    let line = document.line_of(cursor);
    let before = document.slice(document.line_range(line).start..cursor);
    let new = match text.rsplit_once('\n') {
        Some((_, last)) => format!("{last}{kept}"),
        None => format!("{before}{text}{kept}"),
    };
    let new = new.trim_end();
    let mut words = new
        .split_whitespace()
        .skip_while(|word| MODIFIERS.contains(word));
    // What goes on on further lines may differ there.
    if !words.next().is_some_and(|word| DEFINITIONS.contains(&word)) || new.ends_with(['(', ',']) {
        return false;
    }
    let indentation = |text: &str| text.len() - text.trim_start().len();
    // The cursor's own line stands above a new one.
    let above = line + usize::from(text.contains('\n'));
    let stands_in = |lines: &mut dyn Iterator<Item = usize>| {
        lines
            .take(BLOCK_LINES)
            .map(|line| document.slice(document.line_range(line)))
            .filter(|line| !line.trim().is_empty())
            .take_while(|line| indentation(line) >= indentation(new))
            .any(|line| line.trim_end() == new)
    };
    stands_in(&mut (0..above).rev()) || stands_in(&mut (line + 1..document.line_count()))
}

/// Whether a line is more than closers and punctuation, which stand below each other everywhere.
fn has_words(line: &str) -> bool {
    line.chars().filter(|c| c.is_alphanumeric()).count() >= 3
}

/// Whether the last line of the text is the next line below that is not blank.
fn repeats_next_line(document: &Document, line: usize, text: &str) -> bool {
    let last = text.lines().last().unwrap_or_default().trim();
    if !has_words(last) {
        return false;
    }
    // Looking far would cost more than it finds.
    (line + 1..document.line_count().min(line + 8))
        .map(|below| document.line_range(below))
        .find(|range| !document.slice(range.clone()).trim().is_empty())
        .is_some_and(|range| {
            // A suggestion that begins in the middle of its line repeats a line only with its start.
            let start = document.line_range(line).start;
            let before = if text.contains('\n') {
                String::new()
            } else {
                document.slice(start..document.line_range(line).end)
            };
            let below = document.slice(range);
            below.trim() == last || below.trim() == format!("{}{last}", before.trim_start()).trim()
        })
}

#[cfg(test)]
mod tests;
