//! Text that JSON can carry and Rust cannot: bytes that are not UTF-8, and lone surrogates.
//!
//! A substitute is as wide here as the original is in the editor, so that every position after it
//! means the same on both sides. JavaScript writes a lone surrogate as `\ud83d`; Neovim sends the
//! bytes of a buffer unchanged, and counts them as [`width`] does.

use std::borrow::Cow;

use tabahead_text::PositionEncoding;

/// Returns a body as JSON that Rust can read.
pub(super) fn readable(body: &[u8], encoding: PositionEncoding) -> Cow<'_, str> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(without_broken_bytes(body, encoding)),
    };
    match without_halves(&text) {
        Some(whole) => Cow::Owned(whole),
        None => text,
    }
}

fn without_broken_bytes(body: &[u8], encoding: PositionEncoding) -> String {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(valid) => valid,
            Err(error) => {
                let (valid, _) = rest.split_at(error.valid_up_to());
                std::str::from_utf8(valid).unwrap_or_default()
            }
        };
        text.push_str(valid);
        rest = &rest[valid.len()..];
        if let Some((bytes, units)) = width(rest, encoding) {
            text.extend(std::iter::repeat_n(encoding.substitute(), units));
            rest = &rest[bytes..];
        }
    }
    text
}

/// Returns how many bytes at the start of `bytes`, which are not UTF-8, are one character to
/// Neovim, and how many units it counts for them; `None` at the end.
///
/// A byte that begins no sequence is a character of its own, and so is each byte of a truncated
/// sequence, unless the line ends there. A sequence with the right number of bytes is not checked
/// further: surrogates and numbers beyond Unicode are characters to Neovim.
fn width(bytes: &[u8], encoding: PositionEncoding) -> Option<(usize, usize)> {
    let length = match bytes.first()? {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        0xf8..=0xfb => 5,
        0xfc..=0xfd => 6,
        _ => 1,
    };
    let follow = bytes[1..].iter().take(length - 1);
    let there = 1 + follow
        .take_while(|byte| (0x80..=0xbf).contains(*byte))
        .count();
    let line_ends = ["\"", "\\n", "\\r"];
    let ends_line = line_ends
        .iter()
        .any(|end| bytes[there..].starts_with(end.as_bytes()));
    let taken = if there == length || ends_line {
        there
    } else {
        1
    };
    let is_beyond = there == length && length > 3 && spelled(&bytes[..length]) > 0xffff;
    let units = match encoding {
        PositionEncoding::Utf8 => taken,
        PositionEncoding::Utf16 if is_beyond => 2,
        PositionEncoding::Utf16 | PositionEncoding::Utf32 => 1,
    };
    Some((taken, units))
}

/// Returns the number that a sequence of bytes encodes.
fn spelled(sequence: &[u8]) -> u64 {
    let lead = u64::from(sequence[0]) & (0x7f >> sequence.len());
    let follow = sequence[1..].iter();
    follow.fold(lead, |number, byte| number << 6 | u64::from(byte & 0x3f))
}

/// Returns JSON with each lone surrogate replaced by `\ufffd`; `None` if there is none.
fn without_halves(json: &str) -> Option<String> {
    let mut result: Option<String> = None;
    let bytes = json.as_bytes();
    let (mut at, mut copied) = (0, 0);
    while let Some(next) = bytes[at..].iter().position(|&byte| byte == b'\\') {
        at += next;
        match escaped(bytes, at) {
            Some(0xd800..=0xdbff) if matches!(escaped(bytes, at + 6), Some(0xdc00..=0xdfff)) => {
                at += 12;
            }
            Some(0xd800..=0xdfff) => {
                let result = result.get_or_insert_default();
                result.push_str(&json[copied..at]);
                result.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            // Another escape: skip the byte after the backslash, which may itself be a backslash.
            _ => at = (at + 2).min(bytes.len()),
        }
    }
    let mut result = result?;
    result.push_str(&json[copied..]);
    Some(result)
}

/// Returns the number that `\uXXXX` at `at` encodes.
fn escaped(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use PositionEncoding::{Utf8, Utf16, Utf32};

    use super::*;

    #[track_caller]
    fn check(body: &[u8], encoding: PositionEncoding, expected: &str) {
        assert_eq!(readable(body, encoding), expected);
    }

    #[test]
    fn what_is_text_is_borrowed() {
        for text in ["", "a", r#""\ud83d\ude00 \u00e9 \\""#, "😀", "\"\\"] {
            assert!(matches!(
                readable(text.as_bytes(), Utf16),
                Cow::Borrowed(same) if same == text
            ));
        }
    }

    #[test]
    fn each_half_of_a_pair_is_one_character() {
        check(br#""\ud83d""#, Utf16, r#""\ufffd""#);
        check(br#""\uDE00\uD83D""#, Utf16, r#""\ufffd\ufffd""#);
        check(
            br#""\ud83d\ud83d\ude00x""#,
            Utf16,
            r#""\ufffd\ud83d\ude00x""#,
        );
        check(br#""\ud83dx\ude00""#, Utf32, r#""\ufffdx\ufffd""#);
        // An escaped backslash, followed by plain letters.
        check(br#""\\ud83d""#, Utf16, r#""\\ud83d""#);
        check(br#""\\\ud83d""#, Utf16, r#""\\\ufffd""#);
        // Truncated, which JSON refuses.
        check(br#""\ud83"#, Utf16, r#""\ud83"#);
        check(br#""\ud83d\"#, Utf16, r#""\ufffd\"#);
        check(br#""\u+83d"#, Utf16, r#""\u+83d"#);
    }

    #[test]
    fn bytes_that_are_no_text_are_as_wide_as_neovim_counts_them() {
        // All widths as counted by Neovim 0.12.
        let cases: [(&[u8], &str); 17] = [
            (b"caf\xe9!", "caf\u{fffd}!"),
            (b"\xe9\xe8", "\u{fffd}\u{fffd}"),
            // Truncated: each byte is one character.
            (b"\xe2\x82x", "\u{fffd}\u{fffd}x"),
            (b"\x80\xbf", "\u{fffd}\u{fffd}"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            // A surrogate encoded as UTF-8, and an overlong zero.
            (b"\xed\xa0\xbdx", "\u{fffd}x"),
            (b"\xc0\x80x", "\u{fffd}x"),
            // Beyond Unicode: two units, as beyond the basic plane.
            (b"\xf7\xbf\xbf\xbfx", "\u{fffd}\u{fffd}x"),
            (b"\xfb\xbf\xbf\xbf\xbfx", "\u{fffd}\u{fffd}x"),
            (b"\xfd\xbf\xbf\xbf\xbf\xbfx", "\u{fffd}\u{fffd}x"),
            // Overlong sequences encode a smaller number than their length allows.
            (b"\xf0\x80\x80\x80x", "\u{fffd}x"),
            (b"\xf8\x80\x80\x80\x80x", "\u{fffd}x"),
            // Truncated at the end of a line: all of it is one character.
            (b"\xe2\x82\\n", "\u{fffd}\\n"),
            (b"a\xf0\x9f\"", "a\u{fffd}\""),
            (b"\xe2\x82\\t", "\u{fffd}\u{fffd}\\t"),
            (b"\xfex", "\u{fffd}x"),
            ("é\u{1f600}".as_bytes(), "é\u{1f600}"),
        ];
        for (bytes, expected) in cases {
            check(bytes, Utf16, expected);
        }
        check(b"\xf7\xbf\xbf\xbfx", Utf32, "\u{fffd}x");
        check(b"\xed\xa0\xbdx", Utf8, "???x");
        check(b"caf\xe9!", Utf8, "caf?!");
    }
}
