//! The lines of a private key, whatever code or other text is around them: the header, what may be
//! between it and the body, and the body.
//!
//! Looks at one line at a time; `secrets.rs` remembers what the lines above were, and `line.rs`
//! finds keys that are on one line.

use super::line::key_header;

/// Minimum length of a line of a key's body; a shorter line ends the body.
pub(super) const SHORTEST_BODY_LINE: usize = 16;

/// Minimum length of the body's first line if the header is within other text.
const SURE_BODY_LINE: usize = 32;

/// Minimum length of the base64 in the body's first line if code is around it.
const SURE_BODY_IN_CODE: usize = 40;

/// Returns `None` unless the body of a private key begins below a line; otherwise whether the line
/// holds nothing but the header.
pub(super) fn begins_key(line: &str) -> Option<bool> {
    let text = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    if text.starts_with("Private-Lines:") {
        // The header of PuTTY's format.
        return Some(true);
    }
    if ends_with_tag_of_key(line.trim_end()) {
        return Some(false);
    }
    let header = key_header(line)?;
    let before = without_rem(&line[..header.start]);
    let after = line[header.end..].replace("\\n", "").replace("\\r", "");
    let is_alone =
        !before.contains(char::is_alphanumeric) && !after.contains(char::is_alphanumeric);
    (!after.contains("END ")).then_some(is_alone)
}

/// Returns whether a text ends with a tag whose content is a secret number of a key: .NET writes
/// them in XML.
pub(super) fn ends_with_tag_of_key(text: &str) -> bool {
    const TAGS: [&str; 6] = ["D", "P", "Q", "DP", "DQ", "InverseQ"];

    text.strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
        .is_some_and(|(_, tag)| TAGS.contains(&tag))
}

/// Returns whether the value after `before` is a secret number of a JSON web key, which is on one line
/// with its type.
pub(super) fn is_number_of_jwk(line: &str, before: &str) -> bool {
    let name = before.trim_end_matches(['"', ':', ' ', '\\']);
    NUMBERS_OF_JWK.iter().any(|number| name.ends_with(number)) && line.contains("\"kty\"")
}

/// Returns whether a line of a JSON web key says its type; its numbers may be on the next ones.
pub(super) fn begins_jwk(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches(['{', ' ']);
    line.starts_with("\"kty\"") && line.trim_end().ends_with(',')
}

/// Returns whether a line is an entry with a secret number of a JSON web key.
pub(super) fn is_entry_of_jwk(line: &str) -> bool {
    let line = line.trim_start();
    NUMBERS_OF_JWK.iter().any(|number| {
        line.strip_prefix(number)
            .is_some_and(|rest| rest.starts_with("\":"))
    })
}

/// Names of the secret numbers of a JSON web key, with the quote before them.
const NUMBERS_OF_JWK: [&str; 7] = ["\"d", "\"p", "\"q", "\"dp", "\"dq", "\"qi", "\"k"];

/// Returns whether a line below a key's header is surely the first of its body, whatever is around
/// the header.
pub(super) fn is_surely_body(line: &str) -> bool {
    plain_length(line) >= SURE_BODY_LINE || body_length(line) >= SURE_BODY_IN_CODE
}

/// Returns whether a line has base64 and no code around it.
pub(super) fn is_plain_body(line: &str) -> bool {
    plain_length(line) > 0
}

/// Returns whether a line below a key's line is its last one: it has a few characters of base64 in
/// the column where the line above has its own.
pub(super) fn is_last_of_body(line: &str, column: u16) -> bool {
    let Some((before, rest)) = line.split_at_checked(usize::from(column)) else {
        return false;
    };
    let length = rest.find(|c| !is_base64(c)).unwrap_or(rest.len());
    !before.is_empty() && !before.ends_with(is_base64) && (1..SHORTEST_BODY_LINE).contains(&length)
}

/// Returns the column at which a line of a key's body has its base64 if code is around it; 0 if
/// there is no code.
pub(super) fn column_in_code(line: &str) -> u16 {
    if is_plain_body(line) {
        return 0;
    }
    longest_run(line).map_or(0, |(at, _)| u16::try_from(at).unwrap_or_default())
}

/// Returns whether a line has nothing but the beginning of a literal, perhaps in a call.
pub(super) fn begins_literal(line: &str) -> bool {
    let line = line.trim();
    line.contains(['"', '\'']) && !line.contains(char::is_whitespace) && !line.contains("---")
}

/// Returns whether a line has nothing but a sign that makes it a comment.
pub(super) fn is_empty_comment(line: &str) -> bool {
    !line.trim().is_empty() && without_comment_sign(line).is_empty()
}

/// Returns the length of the base64 in a line that may belong to a key's body, whatever code or
/// other text is around it; 0 if there is none.
pub(super) fn body_length(line: &str) -> usize {
    let plain = plain_length(line);
    if plain > 0 || line.len() < SHORTEST_BODY_LINE || line.contains("----") {
        return plain;
    }
    longest_run(line)
        .map(|(_, length)| length)
        .filter(|length| *length >= SHORTEST_BODY_LINE)
        .unwrap_or_default()
}

/// Returns where the longest run of base64 is in a line, and its length.
fn longest_run(line: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    let runs = line.split_inclusive(|c| !is_base64(c)).map(|run| {
        let start = at;
        at += run.len();
        (start, run.trim_end_matches(|c| !is_base64(c)).len())
    });
    runs.max_by_key(|(_, length)| *length)
}

/// Returns the number of base64 characters in a line, if it has nothing else but what strings and
/// comments put around them; otherwise 0.
fn plain_length(line: &str) -> usize {
    let around = |c: char| c.is_whitespace() || "\"'`,;+()\\#*>|-%!".contains(c);
    let mut body = without_rem(line).trim_matches(around);
    // Slashes may begin a comment. A body's own leading slashes do not matter for its length.
    body = body.trim_start_matches('/').trim_start();
    for escape in ["\\n", "\\r"] {
        body = body.strip_suffix(escape).unwrap_or(body);
    }
    if body.chars().all(is_base64) {
        body.len()
    } else {
        0
    }
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// Returns whether a line may be between a key's header and its body: `Name: value`, or a blank
/// line.
pub(super) fn is_header(line: &str) -> bool {
    let line = without_comment_sign(line);
    line.is_empty()
        || line.split_once(':').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
        })
}

/// Returns a line without blanks around it and without the sign that makes it a comment.
pub(super) fn without_comment_sign(line: &str) -> &str {
    const SIGNS: [&str; 8] = ["#", "//", "%", "--", ";", "*", "!", "'"];

    let text = without_rem(line).trim();
    let sign = SIGNS.iter().find(|sign| text.starts_with(**sign));
    sign.map_or(text, |sign| text.trim_start_matches(sign).trim_start())
}

/// Returns a line without the word that begins a comment in Basic and in batch files.
fn without_rem(line: &str) -> &str {
    let text = line.trim_start();
    match text.split_at_checked(3) {
        Some((word, rest))
            if word.eq_ignore_ascii_case("rem") && !rest.starts_with(|c: char| is_base64(c)) =>
        {
            rest
        }
        _ => line,
    }
}
