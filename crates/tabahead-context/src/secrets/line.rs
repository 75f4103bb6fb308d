//! Secret values in one line: tokens of known issuers, what looks random after a name such as
//! `password`, passwords in URLs, and private keys on one line.
//!
//! Values are searched for before names, because values are rarer: a line of ordinary code is read
//! once, byte by byte, and nothing in it is examined twice.

use std::ops::Range;

use super::{
    bytes::{list_of_bytes, literals_of_bytes},
    calls::is_argument_of_secret,
    commands::{password_of_address, password_of_command},
    issued::token,
    keys::{ends_with_tag_of_key, is_number_of_jwk},
    names::{is_name_of_key, is_named, is_named_after},
    random::{SHORTEST, is_random},
    value::{SHORTEST_TOKEN, is_checksum, is_hexadecimal, is_public, is_value, whole_value},
};

/// Names of phrases that a key is derived from.
const NAMES_OF_PHRASES: [&str; 5] = [
    "mnemonic",
    "seedphrase",
    "recoveryphrase",
    "backupphrase",
    "secretphrase",
];

/// Minimum number of words in such a phrase.
const SHORTEST_PHRASE: usize = 12;

/// Minimum length in base64 of a number of a key: 256 bits.
const SHORTEST_NUMBER: usize = 40;

/// Returns whether a character ends a value.
pub(super) fn is_delimiter(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if c.is_ascii() => is_delimiting(byte),
        _ => !c.is_alphanumeric(),
    }
}

/// Returns the number of bytes up to the next delimiter.
fn run_length(text: &str) -> usize {
    let mut at = 0;
    for byte in text.bytes() {
        if byte >= 128 {
            let rest = &text[at..];
            return at + rest.find(is_delimiter).unwrap_or(rest.len());
        }
        if is_delimiting(byte) {
            return at;
        }
        at += 1;
    }
    at
}

const fn is_delimiting(byte: u8) -> bool {
    DELIMITERS[byte as usize]
}

const DELIMITERS: [bool; 256] = {
    let delimiters = b" \t\r\n\x0b\x0c\"'`,;()[]{}<>=:&?|\\";
    let mut is_one = [false; 256];
    let mut at = 0;
    while at < delimiters.len() {
        is_one[delimiters[at] as usize] = true;
        at += 1;
    }
    is_one
};

/// The values of a line that the lines above it name as secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NamedAbove {
    Nothing,
    /// Everything but lists of bytes.
    Everything,
    EverythingAndBytes,
    /// What is in these cells of a table.
    Cells(Vec<Range<usize>>),
}

impl NamedAbove {
    fn holds(&self, at: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything | Self::EverythingAndBytes => true,
            Self::Cells(cells) => cells.iter().any(|cell| cell.contains(&at)),
        }
    }
}

/// Returns the secret values of a line, from left to right and disjoint. `named` are those that the
/// lines above name.
pub(super) fn values(line: &str, named: &NamedAbove) -> Vec<Range<usize>> {
    let is_secret = |value: &Range<usize>| named.holds(value.start) || is_named_in(line, value);
    let mut found: Vec<Range<usize>> = Vec::new();
    let bytes = line.as_bytes();
    // A value may extend over values that were found before it and over later ones.
    let mut add = |value: Range<usize>| match found.last_mut() {
        Some(last) if last.end >= value.start => {
            *last = last.start.min(value.start)..last.end.max(value.end);
        }
        _ => found.push(value),
    };
    let mut literal = Literal::default();
    let mut start = 0;
    while start <= bytes.len() {
        let length = run_length(&line[start..]);
        let at = start + length;
        if length >= SHORTEST {
            let run = start..at;
            if let Some(value) = token(line, run.clone()) {
                add(value);
            } else if let Some(value) = password_of_address(line, run.clone())
                .or_else(|| password_of_command(line, run.clone()))
            {
                add(value);
            } else if (is_random(&bytes[run.clone()]) || is_hexadecimal(&bytes[run.clone()]))
                && is_value(line, &run)
                && (is_secret(&run) || is_signed_address(&line[..start]))
                && !is_public(&line[..start], &line[run.clone()])
            {
                add(whole_value(line, run));
            } else if let Some(value) = number_of_key(line, run) {
                add(value);
            }
        }
        if let Some(value) = bytes.get(at).and_then(|byte| literal.read(at, *byte))
            && is_random(&bytes[value.clone()])
            && !line[value.clone()].contains("://")
            && !(line[value.clone()].contains('&') && line[value.clone()].contains('='))
            && is_secret(&value)
            && !is_public(&line[..value.start], &line[value.clone()])
        {
            add(value);
        }
        start = at + line[at..].chars().next().map_or(1, char::len_utf8);
    }
    for value in values_of_bytes(line, named) {
        put_in(&mut found, value);
    }
    if let Some(body) = key_in_line(line).or_else(|| phrase(line)) {
        put_in(&mut found, body);
    }
    found
}

/// Returns the values of a line that are written as bytes.
fn values_of_bytes(line: &str, named: &NamedAbove) -> Vec<Range<usize>> {
    let is_literal = |value: &Range<usize>| {
        (named.holds(value.start) || is_named_in(line, value))
            && !is_checksum(&line[..value.start], &line[value.clone()])
    };
    let is_list = |value: &Range<usize>| {
        *named == NamedAbove::EverythingAndBytes || is_name_of_key(&line[..value.start])
    };
    let literals = literals_of_bytes(line).into_iter().filter(is_literal);
    literals
        .chain(list_of_bytes(line).filter(is_list))
        .collect()
}

/// Returns whether the text before a value, a call that it is an argument of, or the next entry says that
/// it is a secret.
fn is_named_in(line: &str, value: &Range<usize>) -> bool {
    let before = &line[..value.start];
    is_named(before)
        || is_argument_of_secret(before)
        || is_number_of_jwk(line, before)
        || is_named_after(before, &line[value.end..])
}

/// Puts a value into its place among those that do not overlap it, and in the place of the others.
fn put_in(found: &mut Vec<Range<usize>>, value: Range<usize>) {
    found.retain(|other| other.end <= value.start || value.end <= other.start);
    let at = found.partition_point(|other| other.start < value.start);
    found.insert(at, value);
}

/// Returns whether a line of a key in BIND's format has one of the secret numbers.
fn is_line_of_bind(before: &str) -> bool {
    const NAMES: [&str; 6] = [
        "PrivateExponent:",
        "Prime1:",
        "Prime2:",
        "Exponent1:",
        "Exponent2:",
        "Coefficient:",
    ];

    NAMES.contains(&before.trim())
}

/// Returns the secret number of a key in XML or in BIND's format that a run begins.
fn number_of_key(line: &str, run: Range<usize>) -> Option<Range<usize>> {
    let before = &line[..run.start];
    let is_number = run.len() >= SHORTEST_NUMBER
        && (ends_with_tag_of_key(before) || is_line_of_bind(before))
        && is_random(&line.as_bytes()[run.clone()]);
    let end = line[run.end..].find('<').map_or(run.end, |at| run.end + at);
    is_number.then_some(run.start..end)
}

/// Finds literals that hold delimiters, but neither white space nor escapes: a password may contain
/// any other delimiter.
#[derive(Default)]
struct Literal {
    /// Quote of the open literal, and where its text begins.
    open: Option<(u8, usize)>,
    is_divided: bool,
}

impl Literal {
    /// Reads a delimiter; returns the text of the literal that it closes.
    fn read(&mut self, at: usize, byte: u8) -> Option<Range<usize>> {
        match (byte, self.open) {
            (b'"' | b'\'' | b'`', Some((quote, start))) if quote == byte => {
                self.open = None;
                let literal = start..at;
                (self.is_divided && literal.len() >= SHORTEST).then_some(literal)
            }
            (b'"' | b'\'' | b'`', None) => {
                self.open = Some((byte, at + 1));
                self.is_divided = false;
                None
            }
            (b' ' | b'\t' | b'\\', _) => {
                self.open = None;
                None
            }
            _ => {
                self.is_divided = true;
                None
            }
        }
    }
}

/// Returns the range of a private key's header.
pub(super) fn key_header(line: &str) -> Option<Range<usize>> {
    // `contains` needs no preparation, and nearly every line has no header.
    if !line.contains("BEGIN ") {
        return None;
    }
    let kinds = ["PRIVATE KEY BLOCK", "PRIVATE KEY", "OpenVPN Static key V1"];
    let (name, kind) = (kinds.iter()).find_map(|kind| Some((line.find(kind)?, kind)))?;
    let begin = line[..name].rfind("BEGIN ")?;
    let dashes = line[..begin].trim_end_matches([' ', '-']).len();
    let after = &line[name + kind.len()..];
    let end = after.trim_start_matches([' ', '-']);
    let has_dashes = line[dashes..begin].contains("----") && after.trim_start().starts_with("----");
    has_dashes.then(|| dashes..line.len() - end.len())
}

/// Returns the body of a private key whose header comes before it on the same line, as in JSON.
fn key_in_line(line: &str) -> Option<Range<usize>> {
    let start = key_header(line)?.end;
    let rest = &line[start..];
    let end = rest
        .find("-----END")
        .or_else(|| rest.find(['"', '\'', '`']));
    let body = &rest[..end.unwrap_or(rest.len())];
    let is_body = body
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '/'))
        .any(|part| part.len() > SHORTEST_TOKEN);
    is_body.then(|| start..start + body.len())
}

/// Returns the words that a wallet's key is derived from, if a name before them identifies them.
fn phrase(line: &str) -> Option<Range<usize>> {
    let names_phrase = |before: &str| {
        let letters = before.chars().filter(|c| c.is_ascii_alphabetic());
        let letters: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        NAMES_OF_PHRASES.iter().any(|name| letters.contains(name))
    };
    let is_word = |word: &&str| {
        (3..=8).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    let mut at = 0;
    for part in line.split_inclusive(|c| is_delimiter(c) && c != ' ') {
        // Most parts of a line of code have fewer words.
        if part.bytes().filter(|byte| *byte == b' ').count() < 3 {
            at += part.len();
            continue;
        }
        let text = part.trim_end_matches(is_delimiter).trim_start();
        let start = at + (part.len() - part.trim_start().len());
        // Google's passwords for programs.
        let is_group = |word: &str| word.len() == 4 && is_word(&word);
        let is_google = text.split(' ').count() == 4 && text.split(' ').all(is_group);
        if is_google && is_named(&line[..start]) {
            return Some(start..start + text.len());
        }
        let words = text.split(' ').filter(is_word).count();
        if words >= SHORTEST_PHRASE
            && words == text.split(' ').count()
            && names_phrase(&line[..start])
        {
            return Some(start..start + text.len());
        }
        at += part.len();
    }
    None
}

/// Returns whether the next run is the signature in a URL that gives access to a store, like
/// Azure's, or the key in the address of a hook.
fn is_signed_address(before: &str) -> bool {
    let is_of_chat =
        || before.contains("chat.googleapis.com/") || before.contains("qyapi.weixin.qq.com/");
    before.ends_with("sig=") && before.contains("sv=")
        || before.ends_with("Signature=") && before.contains('?')
        || before.ends_with("key=") && is_of_chat()
}
