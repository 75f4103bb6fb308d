//! Secret values in a text: keys, tokens and passwords, recognised by what they look like.
//!
//! The model sees a text without them, copying reads it without them, and nothing is suggested on a
//! line that holds one. The search is a pure function of a line and of what the lines above it
//! imply, so here, too, a cached answer equals a fresh one. The text examined is bounded: the lines
//! that a window holds, and above them as far as a private key reaches.
//!
//! Knows no file names: the server decides which files are left alone as a whole. `line.rs` finds
//! the values of a line; `issued.rs` knows the tokens of issuers, whose prefixes `tokens.rs` lists,
//! `names.rs` the names of secrets, `commands.rs` addresses and command lines. `value.rs` finds how
//! far a value extends, and `random.rs` whether it looks random.

mod commands;
mod issued;
mod line;
mod names;
mod random;
mod tokens;
mod value;

use std::{borrow::Cow, ops::Range};

use tabahead_text::{Document, Offset};

use self::line::NameAbove;

/// Maximum number of lines in the body of a private key: 32 kB in lines of 64 characters.
const LONGEST_BODY: u16 = 512;

/// Maximum number of lines between a key's header and its body: `Proc-Type`, `DEK-Info`, `Version`,
/// and a blank one.
const MOST_HEADERS: u8 = 8;

/// Minimum length of a line of a key's body; a shorter line ends the body.
const SHORTEST_BODY_LINE: usize = 16;

/// Minimum length of the body's first line if the header is within other text.
const SURE_BODY_LINE: usize = 32;

/// Minimum length of the base64 in the body's first line if code is around it.
const SURE_BODY_IN_CODE: usize = 40;

/// Maximum number of lines between a variable's name and its value: its type and a description.
const MOST_BETWEEN: u8 = 4;

/// Maximum number of lines with the values of one name, as in a list.
const MOST_ITEMS: u8 = 16;

/// Maximum length of a line that can affect the next one; a longer line would be read again at each
/// key press.
const LONGEST_LINE: usize = 16 << 10;

/// Returns whether a text holds a secret value.
pub fn holds_secret(text: &str) -> bool {
    let mut scan = Scan::default();
    lines(text).any(|line| scan.next(line) != Found::Nothing)
}

/// Returns whether a secret value is on the line of `offset`, or belongs there because the line is
/// below the header of a private key. Does not search a line that is too long for a window.
pub fn holds_secret_at(document: &Document, offset: Offset) -> bool {
    let line = document.line_of(document.clamp(offset));
    let Some(text) = short_line(document, line) else {
        return false;
    };
    let mut scan = Scan::at(document, line);
    let is_awaited = match scan.above {
        Above::Header { bare, .. } => (bare && text.trim().is_empty()) || begins_literal(&text),
        Above::Body(_) => begins_literal(&text),
        _ => false,
    };
    is_awaited || scan.next(&text) != Found::Nothing
}

/// Returns whether a secret value is on one of `lines`, on the line below them, or on further lines
/// if the lines above them imply that one may follow.
pub fn holds_secret_within(document: &Document, lines: Range<usize>) -> bool {
    let mut scan = Scan::at(document, lines.start);
    for line in lines.start..document.line_count() {
        if line > lines.end && scan.above == Above::Nothing {
            break;
        }
        if scan.next(&document.slice(document.line_range(line))) != Found::Nothing {
            return true;
        }
    }
    false
}

/// Returns whether a secret value is on one of the lines that inserting `text` makes of the
/// cursor's line. `rest` is the rest of that line after the replaced range.
pub(crate) fn writes_secret(document: &Document, cursor: Offset, text: &str, rest: &str) -> bool {
    let line = document.line_of(cursor);
    let start = document.line_range(line).start;
    let mut scan = Scan::at(document, line);
    let written = document.slice(start..cursor) + text + rest;
    lines(&written).any(|line| scan.next(line) != Found::Nothing)
}

/// Returns a text of LF lines without its secret values. `scan` knows what is above it.
pub(crate) fn without_secrets(mut scan: Scan, text: String) -> String {
    let mut result: Option<String> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let found = scan.next(content);
        if found != Found::Nothing {
            let seen = found.without(content);
            let result = result.get_or_insert_with(|| text[..at].to_owned());
            if let Some(seen) = seen {
                result.push_str(&seen);
                result.push_str(&line[content.len()..]);
            }
        } else if let Some(result) = &mut result {
            result.push_str(line);
        }
        at += line.len();
    }
    result.unwrap_or(text)
}

/// Returns an end, no later than `end`, for a stretch of text, such that it cuts no value in two.
pub(crate) fn whole_end(document: &Document, end: Offset) -> Offset {
    let end = document.clamp(end);
    if end.0 == document.len() {
        return end;
    }
    let start = document.line_range(document.line_of(end)).start;
    if end.0 - start.0 <= LONGEST_LINE_LEFT_OUT {
        return start;
    }
    // If a value is longer, enough of it is left to recognise it.
    let before = document.clamp(Offset(end.0 - SURE_VALUE));
    let last = document.slice(before..end);
    match last.rfind(line::is_delimiter) {
        Some(at) => Offset(before.0 + at),
        None => end,
    }
}

/// Maximum length of a partial last line that is dropped. A longer line is cut inside: it is
/// minified or data.
const LONGEST_LINE_LEFT_OUT: usize = 2048;

/// Length at which a value is recognised without its end.
const SURE_VALUE: usize = 64;

/// The secret parts of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing is secret.
    Nothing,
    /// These ranges, from left to right and disjoint.
    Values(Vec<Range<usize>>),
    /// The whole line: it belongs to a key.
    Line,
}

impl Found {
    fn of(values: Vec<Range<usize>>) -> Self {
        if values.is_empty() {
            Self::Nothing
        } else {
            Self::Values(values)
        }
    }

    /// Returns what is left of a line from `at` on. No value may begin before `at`.
    pub(crate) fn without_from(self, line: &str, at: usize) -> String {
        let found = match self {
            Self::Values(values) => {
                let kept = values.into_iter().filter(|value| value.start >= at);
                Self::Values(kept.map(|value| value.start - at..value.end - at).collect())
            }
            other => other,
        };
        found.without(&line[at..]).unwrap_or_default().into_owned()
    }

    /// Returns the line without its secret parts; `None` if the whole line is secret.
    pub(crate) fn without<'a>(&self, line: &'a str) -> Option<Cow<'a, str>> {
        match self {
            Self::Nothing => Some(Cow::Borrowed(line)),
            Self::Line => None,
            Self::Values(values) => {
                let mut rest = String::with_capacity(line.len());
                let mut at = 0;
                for value in values {
                    rest.push_str(&line[at..value.start]);
                    at = value.end;
                }
                rest.push_str(&line[at..]);
                Some(Cow::Owned(rest))
            }
        }
    }
}

/// A scan of lines from top to bottom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    above: Above,
}

/// State that the lines above leave for the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Above {
    #[default]
    Nothing,
    /// They end with a name and a separator: the value comes next.
    Name,
    /// They end with a name and a separator, followed by this many lines with values: further ones may
    /// follow.
    Items(u8),
    /// They end with an entry that names a variable, followed by this many lines: the next entry
    /// may be its value.
    Entry(u8),
    /// They end with a key's header, followed by `lines` lines. `bare` if the header is alone on
    /// its line.
    Header { bare: bool, lines: u8 },
    /// They end with this many lines of a key's body.
    Body(u16),
}

impl Above {
    /// Returns what a line that belongs to no key implies for the next one.
    fn of(line: &str) -> Self {
        if names::ends_with_name(line) {
            Self::Name
        } else if names::is_name_entry(line) {
            Self::Entry(0)
        } else {
            Self::Nothing
        }
    }
}

impl Scan {
    /// Starts at a line of a document. Reads the lines above only as far as they matter.
    pub(crate) fn at(document: &Document, line: usize) -> Self {
        if let Some(scan) = Self::of_key(document, line) {
            return scan;
        }
        let text = |line: usize| short_line(document, line).unwrap_or_default();
        let mut first = line;
        for above in (0..line).rev().take(1 + usize::from(MOST_ITEMS)) {
            // A longer line implies nothing for the next one.
            let Some(content) = short_line(document, above) else {
                break;
            };
            if Above::of(&content) != Above::Nothing {
                first = above;
                break;
            }
            if !is_between(&content) && !names::is_item(&content) {
                break;
            }
        }
        // A line that names something may itself be one of a key's headers.
        let mut scan = Self::of_key(document, first).unwrap_or_default();
        for line in first..line {
            scan.next(&text(line));
        }
        scan
    }

    /// Starts at a line that a private key may reach, if a key's header is near enough above.
    fn of_key(document: &Document, line: usize) -> Option<Self> {
        // A longer line implies nothing for the next one.
        let text = |line: usize| short_line(document, line).unwrap_or_default();
        let mut first = line;
        let mut body = 0;
        while first > 0
            && body < LONGEST_BODY
            && body_length(&text(first - 1)) >= SHORTEST_BODY_LINE
            && begins_key(&text(first - 1)).is_none()
        {
            first -= 1;
            body += 1;
        }
        let mut headers = 0;
        while first > 0
            && headers <= MOST_HEADERS
            && let Some(above) = short_line(document, first - 1)
        {
            if begins_key(&above).is_some() {
                let mut scan = Self::default();
                for line in first - 1..line {
                    scan.next(&text(line));
                }
                return Some(scan);
            }
            if !is_header(&above) {
                break;
            }
            first -= 1;
            headers += 1;
        }
        None
    }

    /// Reads the next line and returns what is secret in it.
    pub(crate) fn next(&mut self, line: &str) -> Found {
        let above = std::mem::take(&mut self.above);
        let name = match above {
            Above::Name => NameAbove::Given,
            Above::Items(_) if names::is_item(line) => NameAbove::Given,
            Above::Entry(_) if names::is_value_entry(line) => NameAbove::Given,
            _ => NameAbove::Absent,
        };
        if line.len() > LONGEST_LINE {
            return Found::of(line::values(line, name));
        }
        if let Some(bare) = begins_key(line) {
            self.above = Above::Header { bare, lines: 0 };
        } else if let Above::Header { .. } | Above::Body(_) = above {
            let body = body_length(line);
            match above {
                Above::Header { bare, .. } if is_first_of_body(line, bare) => {
                    self.body(1, body);
                    return Found::Line;
                }
                Above::Header { bare, lines } if lines < MOST_HEADERS && is_header(line) => {
                    let lines = lines + 1;
                    self.above = Above::Header { bare, lines };
                    return Found::Nothing;
                }
                Above::Body(lines) if body > 0 && lines < LONGEST_BODY => {
                    self.body(lines + 1, body);
                    return Found::Line;
                }
                _ => {}
            }
        }
        if self.above == Above::Nothing {
            self.above = match (Above::of(line), above) {
                (Above::Nothing, Above::Entry(lines))
                    if lines < MOST_BETWEEN && is_between(line) =>
                {
                    Above::Entry(lines + 1)
                }
                (Above::Nothing, Above::Name | Above::Items(_)) if names::ends_list(line) => {
                    Above::Nothing
                }
                (Above::Nothing, Above::Name) if names::is_item(line) => Above::Items(1),
                (Above::Nothing, Above::Items(lines))
                    if lines < MOST_ITEMS && names::is_item(line) =>
                {
                    Above::Items(lines + 1)
                }
                (Above::Nothing, Above::Name) if is_between(line) => Above::Entry(1),
                (own, _) => own,
            };
        }
        Found::of(line::values(line, name))
    }

    fn body(&mut self, lines: u16, length: usize) {
        if length >= SHORTEST_BODY_LINE {
            self.above = Above::Body(lines);
        }
    }

    /// Returns a number for what is above, for digests.
    pub(crate) fn number(self) -> u64 {
        match self.above {
            Above::Nothing => 0,
            Above::Name => 1,
            Above::Items(lines) => 20 + u64::from(lines),
            Above::Entry(lines) => 50 + u64::from(lines),
            Above::Header { bare, lines } => 2 + 2 * u64::from(lines) + u64::from(bare),
            Above::Body(lines) => 100 + u64::from(lines),
        }
    }
}

/// Returns a line's text, unless it is too long.
fn short_line(document: &Document, line: usize) -> Option<String> {
    let range = document.line_range(line);
    (range.end.0 - range.start.0 <= LONGEST_LINE).then(|| document.slice(range))
}

/// Returns the lines of a text without their line ends, of whatever kind.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\r', '\n']) else {
            rest = None;
            return Some(text);
        };
        let length = if text[end..].starts_with("\r\n") {
            2
        } else {
            1
        };
        let next = end + length;
        rest = Some(&text[next..]);
        Some(&text[..end])
    })
}

/// Returns `None` unless the body of a private key begins below a line; otherwise whether the line
/// holds nothing but the header.
fn begins_key(line: &str) -> Option<bool> {
    let text = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    if text.starts_with("Private-Lines:") {
        // The header of PuTTY's format.
        return Some(true);
    }
    let header = line::key_header(line)?;
    let before = line[..header.start].chars().any(char::is_alphanumeric);
    let after = line[header.end..].replace("\\n", "").replace("\\r", "");
    let is_followed = after.chars().any(char::is_alphanumeric);
    (!after.contains("END ")).then_some(!before && !is_followed)
}

/// Returns whether a line below a key's header is the first of its body.
fn is_first_of_body(line: &str, bare: bool) -> bool {
    let plain = plain_length(line);
    plain >= SURE_BODY_LINE || (bare && plain > 0) || body_length(line) >= SURE_BODY_IN_CODE
}

/// Returns whether a line has nothing but the beginning of a literal, perhaps in a call.
fn begins_literal(line: &str) -> bool {
    let line = line.trim();
    line.contains(['"', '\'']) && !line.contains(char::is_whitespace) && !line.contains("---")
}

/// Returns the length of the base64 in a line that may belong to a key's body, whatever code or
/// other text is around it; 0 if there is none.
fn body_length(line: &str) -> usize {
    let plain = plain_length(line);
    if plain > 0 || line.len() < SHORTEST_BODY_LINE || line.contains("----") {
        return plain;
    }
    let runs = line.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
    let longest = runs.map(str::len).max().unwrap_or_default();
    if longest >= SHORTEST_BODY_LINE {
        longest
    } else {
        0
    }
}

/// Returns the number of base64 characters in a line, if it has nothing else but what strings and
/// comments put around them; otherwise 0.
fn plain_length(line: &str) -> usize {
    let around = |c: char| c.is_whitespace() || "\"'`,;+()\\#*>|-".contains(c);
    let mut body = line.trim_matches(around);
    // Slashes may begin a comment. A body's own leading slashes do not matter for its length.
    body = body.trim_start_matches('/').trim_start();
    for escape in ["\\n", "\\r"] {
        body = body.strip_suffix(escape).unwrap_or(body);
    }
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    if body.bytes().all(is_base64) {
        body.len()
    } else {
        0
    }
}

/// Returns whether a line may be between a key's header and its body: `Name: value`, or a blank
/// line.
fn is_header(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line.split_once(':').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
        })
}

/// Returns whether a line may be between a variable's name and its value: another entry of the same
/// variable.
fn is_between(line: &str) -> bool {
    let entry = line.trim_start();
    entry.starts_with(|c: char| c.is_alphabetic() || c == '"')
        && entry.contains([':', '='])
        && !names::is_value_entry(line)
        && begins_key(line).is_none()
}

#[cfg(test)]
mod tests;
