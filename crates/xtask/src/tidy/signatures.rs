//! What a `pub fn` of `crates/*/src` must not take or return.
//!
//! A call with `true` does not show what is true, so no parameter is a `bool`. A caller cannot tell
//! apart errors that are a `String` or `()`, so an error is a type.

use super::Finding;
use crate::source::{code_only, is_identifier};

/// Types that are no errors.
const UNTYPED: [&str; 2] = ["String", "()"];

/// Finds parameters and errors that should be types in a source file at `place`.
pub(super) fn findings(place: &str, text: &str) -> Vec<Finding> {
    if !place.starts_with("crates/") || !place.contains("/src/") {
        return Vec::new();
    }
    let code = code_only(text);
    let mut findings = Vec::new();
    for signature in signatures(&code) {
        let Signature {
            line,
            name,
            parameters,
            output,
        } = signature;
        let mut report = |rule: String| {
            findings.push(Finding {
                place: place.into(),
                line,
                rule,
            });
        };
        for parameter in split(parameters) {
            if let Some((parameter, "bool")) = named(parameter) {
                report(format!(
                    "`{name}` takes `{parameter}: bool`: name both cases by an enum, or split the function"
                ));
            }
        }
        for (at, _) in output.match_indices("Result<") {
            let arguments = split(enclosed(&output[at + "Result".len()..]));
            if let [_, error] = arguments[..]
                && UNTYPED.contains(&error)
            {
                report(format!(
                    "`{name}` returns a `Result` with the error `{error}`: make the error a type"
                ));
            }
        }
    }
    findings
}

/// The parts of a public function's signature.
struct Signature<'a> {
    line: usize,
    name: &'a str,
    /// What is between the parentheses.
    parameters: &'a str,
    /// What is between them and the body.
    output: &'a str,
}

/// Returns the signatures of all functions that are public to some extent.
fn signatures(code: &str) -> impl Iterator<Item = Signature<'_>> {
    code.match_indices("fn ").filter_map(|(at, _)| {
        let begin = code[..at].rfind('\n').map_or(0, |end| end + 1);
        let mut before = code[begin..at].split_whitespace();
        if !before.next()?.starts_with("pub") {
            return None;
        }
        let rest = &code[at + "fn ".len()..];
        let name = &rest[..rest.find(|character| !is_identifier(character))?];
        let mut rest = &rest[name.len()..];
        if rest.starts_with('<') {
            rest = &rest[enclosed(rest).len() + 2..];
        }
        let parameters = enclosed(rest);
        let output = &rest[parameters.len() + 2..];
        Some(Signature {
            line: code[..at].matches('\n').count() + 1,
            name,
            parameters,
            output: &output[..output.find(['{', ';']).unwrap_or(output.len())],
        })
    })
}

/// Returns what the bracket encloses that `text` begins with.
fn enclosed(text: &str) -> &str {
    let mut end = text.len();
    scan(text, |at, depth| {
        if depth == 0 {
            end = end.min(at);
        }
    });
    text.get(1..end).unwrap_or_default()
}

/// Splits a list at its commas, but not at those of inner lists.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    scan(list, |at, depth| {
        if depth == 0 && list[at..].starts_with(',') {
            parts.push(list[start..at].trim());
            start = at + 1;
        }
    });
    parts.push(list[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Calls `visit` with the place of each comma and bracket, and the number of brackets that are open
/// after it.
fn scan(text: &str, mut visit: impl FnMut(usize, usize)) {
    let (mut depth, mut last) = (0usize, ' ');
    for (at, character) in text.char_indices() {
        match character {
            '(' | '[' | '{' | '<' => depth += 1,
            // Not the end of an arrow.
            ')' | ']' | '}' | '>' if (last, character) != ('-', '>') => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        if ",()[]{}<>".contains(character) && (last, character) != ('-', '>') {
            visit(at, depth);
        }
        last = character;
    }
}

/// Splits a parameter into its name and its type.
fn named(parameter: &str) -> Option<(&str, &str)> {
    let (name, kind) = parameter.split_once(':')?;
    Some((name.trim_start_matches("mut ").trim(), kind.trim()))
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = findings("crates/a/src/b.rs", text)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_boolean_parameter_of_a_public_function_is_found() {
        let found = |line: usize, name: &str| {
            format!(
                "crates/a/src/b.rs:{line}: `{name}` takes `c: bool`: name both cases by an enum, or split the function"
            )
        };
        check("pub fn a(c: bool) {}\n", &[&found(1, "a")]);
        check(
            "\npub(in super::super) const fn a<F: Fn(bool) -> u8, const D: bool>(\n    b: F,\n    mut c: bool,\n) -> bool {\n",
            &[&found(2, "a")],
        );
        check(
            "impl A {\n    pub(crate) async fn b(&self, d: (u8, bool), c: bool);\n}\n",
            &[&found(2, "b")],
        );
        check("fn a(c: bool) {}\n", &[]);
        check(
            "pub fn a(b: &[bool], f: impl Fn(u8, bool)) -> bool {}\n",
            &[],
        );
        check("// pub fn a(c: bool) {}\n", &[]);
        check("pub struct A {\n    c: bool,\n}\n", &[]);
    }

    #[test]
    fn an_error_that_is_no_type_is_found() {
        let found = |error: &str| {
            format!(
                "crates/a/src/b.rs:1: `a` returns a `Result` with the error `{error}`: make the error a type"
            )
        };
        check(
            "pub fn a() -> Result<(u8, Vec<u8>), String> {\n",
            &[&found("String")],
        );
        check(
            "pub fn a(\n    b: u8,\n) -> Option<Result<u8, ()>>\nwhere\n    A: B,\n{\n",
            &[&found("()")],
        );
        check("pub fn a() -> Result<String> {\n", &[]);
        check("pub fn a() -> io::Result<()> {\n", &[]);
        check(
            "pub fn a() -> Result<(u8, String), Broken<String>> {\n",
            &[],
        );
        check("fn a() -> Result<u8, String> {\n", &[]);
        check("pub fn a() {\n    let b: Result<u8, ()> = c();\n}\n", &[]);
    }

    #[test]
    fn only_the_code_of_crates_is_looked_at() {
        assert_eq!(findings("tests/a.rs", "pub fn a(c: bool) {}\n"), []);
    }
}
