//! Tokens of issuers whose length and alphabet are known: what begins like one of them, but is shorter
//! or longer, is something else.
//!
//! For prefixes that other words begin with, too. `tokens.rs` has those after which a minimum length
//! decides.

use super::random::is_random;

/// Tokens: text, and in `<>` a number of characters of an alphabet (`is_of`), or the least and the
/// greatest number. The text of each begins with two characters at least.
pub(super) const SHAPES: &[&str] = &[
    // Work and data
    "aio_<a28>",
    "p8e-<a32>",
    "pat<a14>.<h64>",
    "1/<d15-17>:<h32>",
    "2/<d15-17>/<d15-17>:<h32>",
    "ATTA<h60-72>",
    "dnkey-<a26>-<a52>",
    "ico-<a32>",
    "cal_live_<h32>",
    "dub_<a24>",
    "EXO<h24>",
    // Payment and mail
    "live_<t40>",
    "re_<a8>_<a24>",
    "rzp_live_<a14>",
    // Version control, hosting and operations
    "pat.<t22>.<h24>.<a20>",
    "API-<u25-32>",
    "tk-us-<t48>",
    "ptr_<b43-44>",
    "pnu_<l36>",
    "AQVN<t35-38>",
    "SEC<h64>",
    // Models
    "sk_<h48>",
    "csk-<l48>",
    "fw_<a22-24>",
    "pa-<t43>",
    // Keys of wallets: the second character is the rest of the kind's number.
    "nsec1<c58>",
    "SA<s54>",
    "SB<s54>",
    "SC<s54>",
    "SD<s54>",
    "edsk<a50>",
    "edsk<a94>",
];

/// Number of bytes at the end of a token that are examined for randomness: the beginning may be a
/// number.
const MOST_JUDGED: usize = 40;

/// Returns the length of the token that a text begins with, if it has the shape of one.
pub(super) fn with_shape(text: &[u8]) -> Option<usize> {
    SHAPES.iter().find_map(|shape| {
        let length = length_of(shape, text)?;
        let prefix = shape.find('<').unwrap_or_default();
        let judged = &text[prefix.max(length.saturating_sub(MOST_JUDGED))..length];
        is_random(judged).then_some(length)
    })
}

/// Returns the length of a shape at the beginning of a text. What follows it belongs to no word.
fn length_of(shape: &str, text: &[u8]) -> Option<usize> {
    let mut parts = shape.split('<');
    let mut at = parts.next()?.len();
    if !text.starts_with(&shape.as_bytes()[..at]) {
        return None;
    }
    for part in parts {
        let (kind, literal) = part.split_once('>')?;
        let (alphabet, numbers) = kind.split_at_checked(1)?;
        let (least, most) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let alphabet = alphabet.as_bytes()[0];
        let length = text[at..]
            .iter()
            .take_while(|b| is_of(alphabet, **b))
            .count();
        if !(least.parse().ok()?..=most.parse().ok()?).contains(&length) {
            return None;
        }
        at += length;
        if !text[at..].starts_with(literal.as_bytes()) {
            return None;
        }
        at += literal.len();
    }
    let goes_on = text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    (!goes_on).then_some(at)
}

/// Returns whether a byte is of an alphabet: letters and digits, those of base64 in two forms, capitals
/// or small letters with digits, hexadecimal or decimal digits, base 32 in two forms.
const fn is_of(alphabet: u8, byte: u8) -> bool {
    match alphabet {
        b'a' => byte.is_ascii_alphanumeric(),
        b't' => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
        b'b' => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
        b'u' => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
        b'h' => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
        b'd' => byte.is_ascii_digit(),
        b's' => byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7'),
        b'c' => {
            byte.is_ascii_digit()
                || byte.is_ascii_lowercase() && !matches!(byte, b'b' | b'i' | b'o')
        }
        _ => false,
    }
}
