//! Literals that spell a value's bytes: `b"\x9f\x86…"`, where escapes and characters alternate, and
//! lists of bytes.
//!
//! The rules for runs of characters find nothing here, because a backslash ends a run.

use std::{collections::BTreeSet, ops::Range};

use super::random::{SHORTEST, is_random};

/// Minimum number of bytes written as escapes for a literal of such bytes to be a value, and minimum
/// number of different ones.
const FEWEST_ESCAPES: usize = 8;
const FEWEST_DIFFERENT: usize = 4;

/// Returns the texts of the literals in a line whose bytes look random.
pub(super) fn literals_of_bytes(line: &str) -> Vec<Range<usize>> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    // Nearly every line has no escape.
    if !bytes.contains(&b'\\') {
        return found;
    }
    let mut at = 0;
    while let Some(open) = bytes[at..].iter().position(|byte| is_quote(*byte)) {
        let start = at + open + 1;
        let end = end_of_literal(bytes, start);
        let text = &line[start..end];
        let is_of_bytes = bytes[..start - 1].ends_with(b"b") || text.contains("\\x");
        if is_of_bytes && !text.contains("://") && looks_random(&bytes[start..end]) {
            found.push(start..end);
        }
        at = (end + 1).min(bytes.len());
    }
    found
}

/// Returns the numbers of a line if it has a list of bytes that look random: `{0x9f, 0x86, …}`.
pub(super) fn list_of_bytes(line: &str) -> Option<Range<usize>> {
    // Nearly every line has fewer commas.
    if line.bytes().filter(|byte| *byte == b',').count() + 1 < FEWEST_ESCAPES {
        return None;
    }
    let open = line.rfind(['[', '{', '(']).map_or(0, |at| at + 1);
    let list = line[open..].trim_start();
    let start = line.len() - list.len();
    let is_of_number = |c: char| c.is_ascii_hexdigit() || matches!(c, 'x' | 'X' | ',') || c == ' ';
    let list = &list[..list.find(|c| !is_of_number(c)).unwrap_or(list.len())];
    let list = list.trim_end_matches([' ', ',']);
    let byte = |number: &str| match number.trim().split_at_checked(2) {
        Some(("0x" | "0X", digits)) => u8::from_str_radix(digits, 16).ok(),
        _ => number.trim().parse().ok(),
    };
    let bytes: Option<Vec<u8>> = list.split(',').map(byte).collect();
    let bytes = bytes?;
    let is_random = bytes.len() >= FEWEST_ESCAPES
        && different(&bytes) * 4 >= bytes.len() * 3
        && bytes.iter().any(|byte| *byte >= 128)
        && !is_text(&bytes)
        && steps(&bytes) >= FEWEST_ESCAPES / 2;
    is_random.then_some(start..start + list.len())
}

/// Returns the number of different distances between bytes that follow one another: a table has few.
fn steps(bytes: &[u8]) -> usize {
    let steps: Vec<u8> = bytes
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    different(&steps)
}

fn is_text(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok()
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// Returns where the literal ends whose text begins at `start`: before its quote, or with the line.
fn end_of_literal(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start - 1];
    let mut at = start;
    while at < bytes.len() && bytes[at] != quote {
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    at.min(bytes.len())
}

/// Returns whether the bytes that a literal spells look random: those of a text as any text does,
/// others if there are enough different ones, or if the characters between them look random.
fn looks_random(literal: &[u8]) -> bool {
    let (escaped, others) = spelled(literal);
    let is_written = |bytes: &[u8]| bytes.len() >= SHORTEST && !bytes.contains(&b' ');
    // A few bytes at random are hardly ever characters in UTF-8.
    let judged = if str::from_utf8(&escaped).is_ok() {
        [escaped, others].concat()
    } else if escaped.len() >= FEWEST_ESCAPES && different(&escaped) >= FEWEST_DIFFERENT {
        return true;
    } else {
        others
    };
    is_written(&judged) && is_random(&judged)
}

/// Returns the bytes that a literal spells as `\x` and two digits, and those that it spells as
/// themselves.
fn spelled(literal: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (mut escaped, mut others) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < literal.len() {
        let byte = match literal[at..] {
            [b'\\', b'x', high, low, ..] => digit(high).zip(digit(low)),
            _ => None,
        };
        if let Some((high, low)) = byte {
            escaped.push((high << 4 | low) as u8);
            at += 4;
        } else if literal[at] == b'\\' {
            at += 2;
        } else {
            others.push(literal[at]);
            at += 1;
        }
    }
    (escaped, others)
}

fn different(bytes: &[u8]) -> usize {
    bytes.iter().collect::<BTreeSet<_>>().len()
}
