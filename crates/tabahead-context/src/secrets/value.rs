//! Values: how far one extends, and whether it is a value at all or a checksum.

use std::ops::Range;

use super::{
    calls::{is_argument_of_secret, last},
    random::is_random,
};

/// Minimum length of a run that holds an issuer's token.
pub(super) const SHORTEST_TOKEN: usize = 16;

/// Returns whether a run is a value rather than a piece of an expression: it is quoted or assigned,
/// and it is not called.
pub(super) fn is_value(line: &str, run: &Range<usize>) -> bool {
    let before = &line[..run.start];
    let after = &line[run.end..];
    if before.ends_with(['"', '\'', '`']) {
        return !after.starts_with('(');
    }
    let is_tag = after.starts_with('<') && !after.starts_with("</");
    let is_called = after.starts_with(['(', '[']) || is_tag || after.starts_with("::");
    let is_part = before.ends_with(['(', '[', '<', '{']) || before.ends_with("::");
    // A long one is no name, wherever it is.
    let text = &line.as_bytes()[run.clone()];
    let is_sure = run.len() >= SHORTEST_TOKEN && text.iter().any(u8::is_ascii_digit);
    !is_called && (!is_part || is_sure && is_random(text))
}

/// Returns the whole value that a run is part of: a literal that is neither a sentence nor a URL,
/// or what is assigned up to white space or a bracket. Otherwise returns the run.
pub(super) fn whole_value(line: &str, run: Range<usize>) -> Range<usize> {
    let is_quote = |c: char| matches!(c, '"' | '\'' | '`');
    let ends = |c: char| {
        let is_sign = !c.is_ascii() && !c.is_alphanumeric();
        is_sign || is_quote(c) || c.is_whitespace() || ",;()[]{}<>\\".contains(c)
    };
    let before = &line[..run.start];
    let open = before
        .rfind(is_quote)
        .filter(|open| !before[*open..].contains(char::is_whitespace));
    if let Some(open) = open {
        let quote = char::from(line.as_bytes()[open]);
        let close = line[run.end..].find(quote).map(|close| run.end + close);
        let literal = open + 1..close.unwrap_or(run.end);
        let text = &line[literal.clone()];
        let is_one =
            !text.contains(char::is_whitespace) && !text.contains("://") && !text.contains('\\');
        let is_one = is_one && !(text.contains('&') && text.contains('='));
        return if is_one { literal } else { run };
    }
    let is_address = before.contains("://") || before.contains(['?', '&']);
    let end = line[run.end..].find(ends).unwrap_or(line.len() - run.end);
    if is_address {
        run
    } else {
        run.start..run.end + end
    }
}

/// Returns whether a run of characters is public, by its form or by what is directly before it: a
/// checksum, a number that identifies something, a version, a list of algorithms, an address with
/// nothing else at random in it, or a class or an outline in a page.
pub(super) fn is_public(before: &str, value: &str) -> bool {
    // The name of an algorithm may be another argument: `createHmac('sha256', '…')`.
    is_checksum(before, value) && !is_argument_of_secret(before)
        || is_commit(before, value)
        || is_uuid(value) && names_identifier(before)
        || is_version(value)
        || is_list_of_algorithms(value)
        || is_address_with_uuid(value)
        || is_part_of_page(before)
}

/// Returns whether a value is 160 bits after a name that says that it is a commit.
fn is_commit(before: &str, value: &str) -> bool {
    value.len() == 40
        && last_name(before).to_ascii_lowercase().contains("commit")
        && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the last name in a text.
fn last_name(before: &str) -> &str {
    let name = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    &name[name.trim_end_matches(is_of_name).len()..]
}

fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().zip(0..).all(|(byte, at)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Returns whether the name before a value is that of an identifier. A session's is as good as a
/// password, and so is what HashiCorp Vault calls `secret_id`; `UUID` is a type.
fn names_identifier(before: &str) -> bool {
    let letters = last_name(before)
        .replace(['_', '-'], "")
        .to_ascii_lowercase();
    letters.ends_with("id")
        && !letters.ends_with("sid")
        && !letters.ends_with("uid")
        && !letters.ends_with("sessionid")
        && letters != "secretid"
}

/// Returns whether a value begins with a version of three numbers: `v0.9.1-…`.
fn is_version(value: &str) -> bool {
    let rest = value.strip_prefix('v').unwrap_or_default();
    let mut numbers = rest.split(['.', '-', '+']).take(3);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    rest.matches('.').count() >= 2 && numbers.all(is_number)
}

/// Returns whether a value is the names of algorithms of signed tokens, such as `RS256`.
fn is_list_of_algorithms(value: &str) -> bool {
    value.len().is_multiple_of(5)
        && value.as_bytes().chunks(5).all(|name| {
            name[..2].iter().all(u8::is_ascii_uppercase)
                && [&b"256"[..], b"384", b"512"].contains(&&name[2..])
        })
}

/// Returns whether a value is the rest of an address that has UUIDs in it, as of a tenant, and nothing
/// else that looks random.
fn is_address_with_uuid(value: &str) -> bool {
    value.starts_with("//")
        && value.split('/').any(is_uuid)
        && !value
            .split('/')
            .any(|part| !is_uuid(part) && is_random(part.as_bytes()))
}

/// Returns whether a value is in a list of classes or in an outline, the attributes of a page's
/// elements.
fn is_part_of_page(before: &str) -> bool {
    const REACH: usize = 512;

    let before = last(before, REACH);
    let is_open = |attribute: &str| {
        before
            .rfind(attribute)
            .is_some_and(|at| !before[at + attribute.len()..].contains('"'))
    };
    is_open("class=\"") || is_open("className=\"") || before.contains("<path") && is_open(" d=\"")
}

/// Returns whether a value is a checksum, a pattern or another public text, by what it begins with or
/// by the last name before it.
pub(super) fn is_checksum(before: &str, value: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "sha1-", "sha256-", "sha384-", "sha512-", "sha256:", "sha512:", "h1:", "arn:aws", "data:",
    ];
    const ENDS: [&str; 8] = [
        "sha1:",
        "sha256:",
        "sha384:",
        "sha512:",
        "md5:",
        "h1:",
        "base64,",
        "checksum:",
    ];
    const NAMES: [&str; 11] = [
        "sha1",
        "sha256",
        "sha384",
        "sha512",
        "md5",
        "checksum",
        "digest",
        "integrity",
        "mappings",
        "revision",
        "publickeytoken",
    ];

    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let up_to_name = before.trim_end_matches(|c| !is_name(c));
    let name = &up_to_name[up_to_name.trim_end_matches(is_name).len()..];
    let name = name.to_ascii_lowercase();
    // A class of characters in a pattern.
    let is_class = ["[a-z", "[A-Z", "[0-9"]
        .iter()
        .any(|class| value.contains(class));
    let of_resource = before.rsplit(|c: char| c.is_whitespace() || "\"'`,;".contains(c));
    let is_resource = of_resource
        .take(1)
        .any(|start| start.starts_with("arn:aws"));
    let is_secret = name.contains("pass") || name.contains("secret");
    is_class
        || BEGINNINGS.iter().any(|start| value.starts_with(start))
        || ENDS.iter().any(|end| before.ends_with(end))
        || is_resource
        || !is_secret && NAMES.iter().any(|word| name.ends_with(word))
}

/// Returns whether a run is hexadecimal digits, long enough to be a key, and not a number, an
/// address or a word.
pub(super) fn is_hexadecimal(run: &[u8]) -> bool {
    const KEY_OF_256_BITS: usize = 64;

    let run = match run {
        [b'0', b'x', digits @ ..] if digits.len() >= KEY_OF_256_BITS => digits,
        run => run,
    };
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    run.len() >= SHORTEST_TOKEN
        && run.iter().all(u8::is_ascii_hexdigit)
        && digits >= 4
        && run.len() - digits >= 2
}
