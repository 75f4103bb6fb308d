//! Rules of single languages about what an accept puts before the rest of the line.
//!
//! Each function gets the line before the cursor (`before`), the text of a suggestion (`text`) and
//! what is left after it (`kept`). `preceding.rs` decides with them.

use super::signs::{comment_start, is_closing, is_word, open_literal};
use crate::closers::Unmatched;

/// Languages without two names in a row.
const APART: [&str; 6] = [
    "javascript",
    "javascriptreact",
    "python",
    "rust",
    "typescript",
    "typescriptreact",
];
/// Keywords of all these languages together, with words that are keywords in some places only.
const KEYWORDS: &[&str] = &[
    "abstract",
    "accessor",
    "and",
    "as",
    "assert",
    "asserts",
    "async",
    "auto",
    "await",
    "become",
    "box",
    "case",
    "catch",
    "class",
    "const",
    "crate",
    "debugger",
    "declare",
    "def",
    "default",
    "del",
    "delete",
    "do",
    "dyn",
    "elif",
    "else",
    "enum",
    "except",
    "exec",
    "export",
    "extends",
    "extern",
    "final",
    "finally",
    "fn",
    "for",
    "from",
    "function",
    "get",
    "global",
    "if",
    "impl",
    "implements",
    "import",
    "in",
    "infer",
    "instanceof",
    "interface",
    "is",
    "keyof",
    "lambda",
    "let",
    "loop",
    "macro",
    "macro_rules",
    "match",
    "mod",
    "module",
    "move",
    "mut",
    "namespace",
    "new",
    "nonlocal",
    "not",
    "of",
    "or",
    "out",
    "override",
    "package",
    "pass",
    "print",
    "private",
    "protected",
    "pub",
    "public",
    "raise",
    "raw",
    "readonly",
    "ref",
    "return",
    "safe",
    "satisfies",
    "set",
    "static",
    "struct",
    "switch",
    "throw",
    "trait",
    "try",
    "type",
    "typeof",
    "union",
    "unique",
    "unsafe",
    "use",
    "using",
    "var",
    "void",
    "where",
    "while",
    "with",
    "yield",
];

/// Returns whether the text puts a name next to the name before the cursor, before other code or a
/// block, in a language that has no two names in a row.
pub(super) fn has_names_in_a_row(before: &str, text: &str, kept: &str, language: &str) -> bool {
    let is_keyword = |word: &str| KEYWORDS.contains(&word);
    let first = &text[..text.len() - text.trim_start_matches(is_word).len()];
    let code = before.trim_end();
    let last = &code[code.trim_end_matches(is_word).len()..];
    APART.contains(&language)
        && code.len() < before.len()
        && is_code(kept)
        && !first.is_empty()
        && !last.is_empty()
        && !is_keyword(first)
        && !is_keyword(last)
        && is_outside_literals(before)
}

/// Returns whether the text puts something other than bounds between the type that a Rust function
/// returns and its body.
pub(super) fn parts_head_from_body(before: &str, text: &str, kept: &str, language: &str) -> bool {
    let is_function = (before.split(|c| !is_word(c))).any(|word| word == "fn");
    let follows_type = before
        .split_once("->")
        .is_some_and(|(_, returned)| returned.ends_with(' ') && !returned.trim().is_empty());
    language == "rust"
        && is_function
        && follows_type
        && kept.trim_start().starts_with('{')
        && !text.trim_start().starts_with("where")
        && !text.trim_start().starts_with('+')
        && is_outside_literals(before)
}

/// Returns whether the text is put before a value in YAML, where the value is all that follows on
/// the line: nothing shows that it would end before it.
pub(super) fn is_before_yaml_value(text: &str, kept: &str, language: &str) -> bool {
    let is_yaml = ["yaml", "yml", "dockercompose"].contains(&language);
    is_yaml && !text.contains('\n') && !kept.trim().is_empty() && !is_closing(kept)
}

/// Returns whether the text ends a statement in JSON, which has none.
pub(super) fn ends_json_statement(before: &str, text: &str, language: &str) -> bool {
    let is_statement = |at| open_literal(&[before, &text[..at]].concat()).is_none();
    is_json(language)
        && comment_start(before, 0).is_none()
        && text.match_indices(';').any(|(at, _)| is_statement(at))
}

/// Returns whether the text has a key outside the objects that it begins. `before` is the line up to
/// the cursor.
pub(super) fn has_json_key(before: &str, text: &str) -> bool {
    (text.match_indices("\":")).any(|(at, _)| {
        // The quote ends a literal, which may begin before the cursor.
        let line = [before, &text[..at]].concat();
        open_literal(&line).is_some_and(|(start, _)| {
            let written = &line[before.len().min(start)..start];
            !Unmatched::of(written).missing.contains(&'}')
        })
    })
}

pub(super) fn is_json(language: &str) -> bool {
    ["json", "jsonc", "json5", "jsonl"].contains(&language)
}

/// Returns whether code or a block follows, not closers alone.
fn is_code(kept: &str) -> bool {
    let kept = kept.trim_start();
    !kept.is_empty() && (kept.starts_with('{') || !is_closing(kept))
}

fn is_outside_literals(before: &str) -> bool {
    open_literal(before).is_none() && comment_start(before, before.len()).is_none()
}
