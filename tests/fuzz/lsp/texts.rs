//! The client's side of a document: its text, and what positions mean in it. Written from the LSP
//! specification, not from the server's code.
//!
//! Half a surrogate pair is kept as a private-use character. In each encoding it is as wide as what
//! the server has in its place, and it becomes `\ud83d` or `\ude00` when a message is written.

use std::ops::Range;

/// Placeholder for the first half of a surrogate pair.
pub const FIRST_HALF: char = '\u{f8ff}';

/// Placeholder for the second half.
pub const SECOND_HALF: char = '\u{f8fe}';

/// The unit in which a position's `character` counts.
#[derive(Debug, Clone, Copy, Default)]
pub enum Encoding {
    Utf8,
    #[default]
    Utf16,
    Utf32,
}

impl Encoding {
    /// Returns the encoding with this name in LSP.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "utf-8" => Some(Self::Utf8),
            "utf-16" => Some(Self::Utf16),
            "utf-32" => Some(Self::Utf32),
            _ => None,
        }
    }

    fn width(self, c: char) -> u64 {
        match self {
            Self::Utf8 => c.len_utf8() as u64,
            Self::Utf16 => c.len_utf16() as u64,
            Self::Utf32 => 1,
        }
    }
}

/// Line and character of a position.
pub type Place = (u64, u64);

/// Returns the lines of a text without their ends: "the following strings are used as line endings:
/// '
///
/// ', '\r
///
/// ' and '\r'".
fn lines(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut lines, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let end = at;
        at += match bytes[at] {
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => 2,
            _ => 1,
        };
        if matches!(bytes[end], b'\n' | b'\r') {
            lines.push(start..end);
            start = at;
        }
    }
    lines.push(start..bytes.len());
    lines
}

/// Returns the byte of a place: "if the character value is greater than the line length it defaults
/// back to the line length". A place after the last line is the end of the text; one inside a
/// character is the start of the character.
pub fn offset(text: &str, (line, character): Place, encoding: Encoding) -> usize {
    let lines = lines(text);
    let Some(line) = usize::try_from(line).ok().and_then(|line| lines.get(line)) else {
        return text.len();
    };
    let mut units = 0;
    for (at, c) in text[line.clone()].char_indices() {
        units += encoding.width(c);
        if units > character {
            return line.start + at;
        }
    }
    line.end
}

/// Returns the text in which the range between two places, in either order, is replaced by
/// `inserted`. A client counts in its own units, so a place inside a character cuts it: the
/// remaining units are kept as halves of a pair, or as `?` for bytes.
pub fn replaced(text: &str, places: [Place; 2], inserted: &str, encoding: Encoding) -> String {
    let mut ends = places.map(|place| unit(text, place, encoding));
    ends.sort_unstable();
    let [start, end] = ends;
    match encoding {
        Encoding::Utf8 => {
            let kept = text.as_bytes();
            let bytes = [&kept[..start], inserted.as_bytes(), &kept[end..]].concat();
            let mut spelled = String::new();
            for chunk in bytes.utf8_chunks() {
                spelled.push_str(chunk.valid());
                spelled.extend(chunk.invalid().iter().map(|_| '?'));
            }
            spelled
        }
        Encoding::Utf16 => {
            let kept: Vec<u16> = text.encode_utf16().collect();
            let inserted: Vec<u16> = inserted.encode_utf16().collect();
            let units = [&kept[..start], &inserted, &kept[end..]].concat();
            let half = |unit| match unit {
                0xd800..=0xdbff => FIRST_HALF,
                _ => SECOND_HALF,
            };
            char::decode_utf16(units)
                .map(|spelled| spelled.unwrap_or_else(|error| half(error.unpaired_surrogate())))
                .collect()
        }
        Encoding::Utf32 => {
            let kept = text.chars();
            let before = kept.clone().take(start);
            before
                .chain(inserted.chars())
                .chain(kept.skip(end))
                .collect()
        }
    }
}

/// Returns the number of units before a place, from the start of the text.
fn unit(text: &str, (line, character): Place, encoding: Encoding) -> usize {
    let width = |text: &str| text.chars().map(|c| encoding.width(c)).sum::<u64>();
    let lines = lines(text);
    let Some(line) = usize::try_from(line).ok().and_then(|line| lines.get(line)) else {
        return width(text) as usize;
    };
    let within = width(&text[line.clone()]).min(character);
    (width(&text[..line.start]) + within) as usize
}

/// Returns the place of a byte at which a character begins.
pub fn place(text: &str, offset: usize, encoding: Encoding) -> Place {
    let lines = lines(text);
    let line = lines.partition_point(|line| line.start <= offset) - 1;
    let before = &text[lines[line].start..offset.min(lines[line].end)];
    let character = before.chars().map(|c| encoding.width(c)).sum();
    (line as u64, character)
}

/// Reports whether a place is in the text: not beyond it and not inside a character.
pub fn has(text: &str, wanted: Place, encoding: Encoding) -> bool {
    place(text, offset(text, wanted, encoding), encoding) == wanted
}
