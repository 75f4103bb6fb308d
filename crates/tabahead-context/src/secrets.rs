//! Secret values in a text: keys, tokens and passwords, recognised by what they look like.
//!
//! The model sees a text without them, copying reads it without them, and nothing is suggested on a
//! line that holds one. The search is a pure function of a line and of what the lines above it
//! imply, so here, too, a cached answer equals a fresh one. The text examined is bounded: the lines
//! that a window holds, and above them as far as a private key reaches.
//!
//! Knows no file names: the server decides which files are left alone as a whole. `line.rs` finds
//! the values of a line; `issued.rs` knows the tokens of issuers, whose prefixes `tokens.rs` and
//! `shapes.rs` list, `names.rs` the names of secrets, `commands.rs` addresses and command lines,
//! `bytes.rs` literals of bytes and `calls.rs` calls. `value.rs` finds how far a value extends, and
//! `random.rs` whether it looks random. What a line implies for those below it is known by
//! `names.rs`, `between.rs`, `tables.rs` and, for private keys, `keys.rs`.

mod between;
mod bytes;
mod calls;
mod commands;
mod issued;
mod keys;
mod line;
mod names;
mod random;
mod shapes;
mod tables;
mod tokens;
mod value;

use std::{borrow::Cow, ops::Range};

use tabahead_text::{Document, Offset};

use self::{
    between::{
        begins_section, begins_text, begins_with_operator, ends_section, ends_text,
        ends_with_operand, is_aside, is_between,
    },
    keys::{SHORTEST_BODY_LINE, begins_jwk, begins_key, body_length},
    line::NamedAbove,
    tables::Table,
};

/// Maximum number of lines in the body of a private key: 32 kB in lines of 64 characters.
const LONGEST_BODY: u16 = 512;

/// Maximum number of lines between a key's header and its body: `Proc-Type`, `DEK-Info`, `Version`,
/// and a blank one.
const MOST_HEADERS: u8 = 8;

/// Maximum number of lines between a variable's name and its value: its type and a description.
const MOST_BETWEEN: u8 = 4;

/// Maximum number of lines with the values of one name, as in a list, and of a JSON web key.
const MOST_ITEMS: u8 = 16;

/// Maximum number of lines of a text among the entries of a variable.
const MOST_OF_TEXT: u8 = 8;

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
    let begins_line_of_key = keys::begins_literal(&text) || keys::is_empty_comment(&text);
    let is_awaited = match scan.above {
        Above::Header { bare, .. } => (bare && text.trim().is_empty()) || begins_line_of_key,
        Above::Body { .. } => begins_line_of_key,
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
    /// They end with a name and a separator, followed by this many comments: the value comes next.
    Name(u8),
    /// They end with a name and a separator, followed by this many lines with values: further ones may
    /// follow.
    Items(u8),
    /// They end with an entry that names a variable, followed by this many lines: the next entry
    /// may be its value.
    Entry(u8),
    /// They end with an entry that names a variable and with this many lines of a text that a later
    /// entry of it begins.
    Text(u8),
    /// They end with the name of a secret as an argument, followed by this many comments: the next
    /// argument comes next.
    Argument(u8),
    /// They end with the beginning of an array that has the name of a key, and with this many of its
    /// lines.
    Array(u8),
    /// They end with this many lines of a JSON web key below its type.
    Jwk(u8),
    /// They end with the beginning of a section of secrets, followed by this many of its lines.
    Section(u8),
    /// They end with rows of a table that has a column of secrets.
    Table(Table),
    /// They end with a variable that has the name of a secret, followed by this many lines that
    /// begin with operators.
    Operand(u8),
    /// They end with a key's header, followed by `lines` lines. `bare` if the header is alone on
    /// its line.
    Header { bare: bool, lines: u8 },
    /// They end with this many lines of a key's body. Its base64 is at `column` if code is around
    /// it.
    Body { lines: u16, column: u16 },
}

impl Above {
    /// Returns what a line that belongs to no key implies for the next one, whatever is above it.
    fn of(line: &str) -> Self {
        if let Some(table) = Table::headed_by(line) {
            Self::Table(table)
        } else if names::begins_array_of_key(line) {
            Self::Array(0)
        } else if begins_section(line) {
            Self::Section(0)
        } else if names::ends_with_name(line) {
            Self::Name(0)
        } else if names::ends_with_argument(line) {
            Self::Argument(0)
        } else if names::is_name_entry(line) {
            Self::Entry(0)
        } else if begins_jwk(line) {
            Self::Jwk(0)
        } else {
            Self::Nothing
        }
    }

    /// Returns what is above the next line if a line implies nothing on its own.
    fn below(self, line: &str) -> Self {
        match self {
            Self::Name(lines) if lines < MOST_BETWEEN && is_aside(line) => Self::Name(lines + 1),
            Self::Items(lines) if lines < MOST_ITEMS && is_aside(line) => Self::Items(lines + 1),
            Self::Name(_) | Self::Items(_) if names::ends_list(line) => Self::Nothing,
            Self::Name(lines) if names::is_item(line) => Self::Items(lines + 1),
            Self::Items(lines) if lines < MOST_ITEMS && names::is_item(line) => {
                Self::Items(lines + 1)
            }
            Self::Argument(lines) if lines < MOST_BETWEEN && is_aside(line) => {
                Self::Argument(lines + 1)
            }
            Self::Name(_) | Self::Argument(_) if is_between(line) => Self::Entry(1),
            Self::Entry(lines) if lines < MOST_BETWEEN && begins_text(line) => Self::Text(0),
            // Another entry may follow, and no other text.
            Self::Text(_) if ends_text(line) => Self::Entry(MOST_BETWEEN),
            Self::Text(lines) if lines < MOST_OF_TEXT => Self::Text(lines + 1),
            Self::Array(lines) if lines < MOST_ITEMS && !names::ends_list(line) => {
                Self::Array(lines + 1)
            }
            Self::Jwk(lines) if lines < MOST_ITEMS && !line.contains('}') => Self::Jwk(lines + 1),
            Self::Entry(lines) if lines < MOST_BETWEEN && (is_between(line) || is_aside(line)) => {
                Self::Entry(lines + 1)
            }
            Self::Section(lines) if lines < MOST_ITEMS && !ends_section(line) => {
                Self::Section(lines + 1)
            }
            Self::Table(table) => table.below(line).map_or(Self::Nothing, Self::Table),
            _ if ends_with_operand(line) => Self::Operand(0),
            Self::Operand(lines) if lines < MOST_BETWEEN && begins_with_operator(line) => {
                Self::Operand(lines + 1)
            }
            _ => Self::Nothing,
        }
    }

    /// Returns the values in a line that it names.
    fn named(self, line: &str) -> NamedAbove {
        let is_named = match self {
            Self::Name(_) | Self::Argument(_) => true,
            Self::Jwk(_) => keys::is_entry_of_jwk(line),
            Self::Array(_) => return NamedAbove::EverythingAndBytes,
            Self::Items(_) => names::is_item(line),
            Self::Entry(_) => names::is_value_entry(line),
            Self::Section(_) => !ends_section(line),
            Self::Operand(_) => begins_with_operator(line),
            Self::Table(table) => return NamedAbove::Cells(table.secret_cells(line)),
            _ => false,
        };
        if is_named {
            NamedAbove::Everything
        } else {
            NamedAbove::Nothing
        }
    }
}

impl Scan {
    /// Starts at a line of a document. Reads the lines above only as far as they matter.
    pub(crate) fn at(document: &Document, line: usize) -> Self {
        if let Some(scan) = Self::of_key(document, line) {
            return scan;
        }
        let first = first_that_matters(document, line);
        // A line that names something may itself be one of a key's headers.
        let mut scan = Self::of_key(document, first).unwrap_or_default();
        for line in first..line {
            scan.pass(&short_line(document, line).unwrap_or_default());
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
                    scan.pass(&text(line));
                }
                return Some(scan);
            }
            if !keys::is_header(&above) {
                break;
            }
            first -= 1;
            headers += 1;
        }
        None
    }

    /// Reads the next line and returns what is secret in it.
    pub(crate) fn next(&mut self, line: &str) -> Found {
        let above = self.above;
        if self.pass(line) == KeyPart::Body {
            return Found::Line;
        }
        let named = match (above.named(line), self.above) {
            (named @ (NamedAbove::Everything | NamedAbove::EverythingAndBytes), _) => named,
            (_, Above::Table(table)) if table.may_have_rows_in_heading() => {
                NamedAbove::Cells(table.secret_cells(line))
            }
            (named, _) => named,
        };
        Found::of(line::values(line, &named))
    }

    /// Reads the next line for what it implies for those below it.
    fn pass(&mut self, line: &str) -> KeyPart {
        let above = std::mem::take(&mut self.above);
        if line.len() > LONGEST_LINE {
            return KeyPart::Other;
        }
        if let Some(bare) = begins_key(line) {
            self.above = Above::Header { bare, lines: 0 };
            return KeyPart::Other;
        }
        let key = match above {
            Above::Header { bare, lines } => below_header(line, bare, lines),
            Above::Body { lines, column } => below_body(line, lines, column),
            _ => None,
        };
        if let Some((part, below)) = key {
            self.above = below;
            return part;
        }
        self.above = match Above::of(line) {
            Above::Nothing => above.below(line),
            own => own,
        };
        KeyPart::Other
    }

    /// Returns a number for what is above, for digests.
    pub(crate) fn number(self) -> u64 {
        let (kind, lines) = match self.above {
            Above::Nothing => (0, 0),
            Above::Name(lines) => (1, u64::from(lines)),
            Above::Items(lines) => (2, u64::from(lines)),
            Above::Entry(lines) => (3, u64::from(lines)),
            Above::Section(lines) => (4, u64::from(lines)),
            Above::Table(table) => (5, table.number()),
            Above::Operand(lines) => (6, u64::from(lines)),
            Above::Header { bare, lines } => (7, u64::from(lines) << 1 | u64::from(bare)),
            Above::Body { lines, column } => (8, u64::from(lines) << 16 | u64::from(column)),
            Above::Text(lines) => (9, u64::from(lines)),
            Above::Argument(lines) => (10, u64::from(lines)),
            Above::Jwk(lines) => (11, u64::from(lines)),
            Above::Array(lines) => (12, u64::from(lines)),
        };
        kind << 60 | lines
    }
}

/// Whether a line belongs to the body of a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyPart {
    Body,
    Other,
}

/// Returns what a line is below the header of a key and `lines` lines, and what it leaves for the next
/// one; `None` if it does not belong there.
fn below_header(line: &str, bare: bool, lines: u8) -> Option<(KeyPart, Above)> {
    if keys::is_surely_body(line) || bare && keys::is_plain_body(line) {
        return Some((KeyPart::Body, below_line_of_body(line, 1)));
    }
    let lines = lines + 1;
    (lines <= MOST_HEADERS && keys::is_header(line))
        .then_some((KeyPart::Other, Above::Header { bare, lines }))
}

/// Returns the same for a line below `lines` lines of a key's body.
fn below_body(line: &str, lines: u16, column: u16) -> Option<(KeyPart, Above)> {
    if body_length(line) > 0 {
        return (lines < LONGEST_BODY)
            .then(|| (KeyPart::Body, below_line_of_body(line, lines + 1)));
    }
    keys::is_last_of_body(line, column).then_some((KeyPart::Body, Above::Nothing))
}

fn below_line_of_body(line: &str, lines: u16) -> Above {
    if body_length(line) < SHORTEST_BODY_LINE {
        return Above::Nothing;
    }
    let column = keys::column_in_code(line);
    Above::Body { lines, column }
}

/// Returns the line from which on a scan that starts with nothing above has the same above `line` as
/// one that starts at the top.
fn first_that_matters(document: &Document, line: usize) -> usize {
    // What a line implies, whatever is above it, replaces what was above. It lasts for `MOST_ITEMS`
    // lines, and keeps operands from counting for as long.
    let reach = usize::from(MOST_ITEMS + MOST_BETWEEN) + 2;
    for above in (0..line).rev().take(reach) {
        // A longer line implies nothing for the next one.
        let Some(content) = short_line(document, above) else {
            return above + 1;
        };
        if Above::of(&content) != Above::Nothing {
            return above;
        }
    }
    let mut first = line.saturating_sub(1);
    let is_operation = |line| short_line(document, line).is_some_and(|l| begins_with_operator(&l));
    while first > 0 && line - first <= usize::from(MOST_BETWEEN) && is_operation(first) {
        first -= 1;
    }
    first
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

#[cfg(test)]
mod tests;
