//! Lines that lead from the name of a secret to its value: comments and attributes, the entries of a
//! variable, operators, and sections whose values are all secret.
//!
//! Looks at one line at a time; `secrets.rs` counts how many lines there are.

use super::{
    keys::begins_key,
    names::{is_named, is_value_entry},
};

/// Returns whether a line may be between a variable's name and its value: another entry of the same
/// variable.
pub(super) fn is_between(line: &str) -> bool {
    let entry = line.trim_start();
    entry.starts_with(|c: char| c.is_alphabetic() || c == '"')
        && entry.contains([':', '='])
        && !is_value_entry(line)
        && begins_key(line).is_none()
}

/// Returns whether a line is an entry whose value is a text on the lines below, as a here-document.
pub(super) fn begins_text(line: &str) -> bool {
    line.rsplit_once("<<")
        .is_some_and(|(_, word)| ends_text(word.trim_start_matches(['-', '~'])))
}

/// Returns whether a line has nothing but the word that ends such a text.
pub(super) fn ends_text(line: &str) -> bool {
    let word = line.trim();
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// Returns whether a line has nothing but a comment or an attribute.
pub(super) fn is_aside(line: &str) -> bool {
    const COMMENTS: [&str; 9] = ["#", "//", "/*", "* ", "*/", "--", "; ", "% ", "<!--"];

    let line = line.trim();
    let begins = |sign: char| {
        line.strip_prefix(sign)
            .is_some_and(|rest| rest.starts_with(char::is_alphabetic))
    };
    // Java's and Python's, and C#'s.
    let is_attribute = begins('@') || begins('[') && line.ends_with(']');
    let is_comment = COMMENTS.iter().any(|sign| line.starts_with(sign));
    let is_rule = line.starts_with("---");
    is_attribute || is_comment && !is_rule
}

/// Returns whether a line begins a type or a module that has secrets and nothing else, by its name.
pub(super) fn begins_section(line: &str) -> bool {
    const KINDS: [&str; 8] = [
        "class",
        "enum",
        "object",
        "struct",
        "module",
        "mod",
        "namespace",
        "interface",
    ];
    const ENDS: [&str; 4] = ["secrets", "passwords", "credentials", "apikeys"];

    // Nearly every line ends with another character, or is longer.
    let line = line.trim_end();
    if !line.ends_with(|c: char| c == '{' || c == ':' || c.is_ascii_alphabetic()) {
        return false;
    }
    let mut words = line.split_whitespace().take(6);
    if !words.any(|word| KINDS.contains(&word)) {
        return false;
    }
    let word = words.next().unwrap_or_default();
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = &word[..word.find(|c| !is_of_name(c)).unwrap_or(word.len())];
    let name = name.replace('_', "").to_ascii_lowercase();
    ENDS.iter().any(|end| name.ends_with(end))
}

/// Returns whether a line ends a section: a bracket closes it, or the line is not indented.
pub(super) fn ends_section(line: &str) -> bool {
    let text = line.trim();
    let is_within = line.starts_with([' ', '\t']) || text.is_empty() || text == "{";
    !is_within || text.starts_with('}') || text == "end"
}

/// Returns whether a line ends with a variable that has the name of a secret, so that an operator on
/// the next line gives its value.
pub(super) fn ends_with_operand(line: &str) -> bool {
    let line = line.trim_end().trim_end_matches([')', ']', '"', '\'']);
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let before = line.trim_end_matches(is_of_name);
    let name = &line[before.len()..];
    // Prose has names of secrets, too, but as words among blanks.
    let is_of_code = name.contains('_')
        || !before.is_empty() && !before.contains(' ')
        || before.ends_with(['.', '"', '\'', '-', '$', '>']);
    is_of_code && is_named(name)
}

/// Returns whether a line continues an expression by a value that is taken instead of the operand.
pub(super) fn begins_with_operator(line: &str) -> bool {
    const OPERATORS: [&str; 12] = [
        "||",
        "??",
        "?:",
        "or ",
        "= ",
        ":= ",
        "=> ",
        ": ",
        "? ",
        ".unwrap_or",
        ".or",
        ".getOr",
    ];

    let line = line.trim_start();
    OPERATORS.iter().any(|operator| line.starts_with(operator))
}

/// Returns whether a line is a part of a form's field for a password, whose value may follow. Other
/// types are those of lexers.
pub(super) fn is_password_field(line: &str) -> bool {
    const ENDS: [&str; 4] = [
        "type=\"password\"",
        "type='password'",
        "type: \"password\"",
        "type\": \"password\"",
    ];

    let line = line.trim();
    let is_end = ENDS
        .iter()
        .any(|end| line.trim_end_matches([',', ' ']).ends_with(end));
    is_end || line.starts_with('<') && ENDS[..2].iter().any(|attribute| line.contains(attribute))
}
