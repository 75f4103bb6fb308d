//! One name for each type: no two types of `crates/*/src` have the same name, tests aside.
//!
//! Two meanings of a name are distinguished by the reader only with the whole context in mind.

use std::collections::BTreeMap;

use super::{Finding, defined_type};
use crate::source::code_only;

/// Types and where each is defined: file and line.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, Vec<(String, usize)>>);

impl Names {
    /// Collects the types of a source file.
    pub(super) fn read(&mut self, place: &str, text: &str) {
        let is_test = place.ends_with("tests.rs") || place.contains("/tests/");
        if !place.starts_with("crates/") || !place.contains("/src/") || is_test {
            return;
        }
        let code = code_only(text);
        let code = code
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        for (number, line) in (1..).zip(code.lines()) {
            // An associated type is indented and belongs to its trait.
            let is_associated = line.starts_with(' ') && line.trim_start().starts_with("type ");
            if let Some(name) = defined_type(line).filter(|_| defines(line) && !is_associated) {
                self.0
                    .entry(name.to_owned())
                    .or_default()
                    .push((place.to_owned(), number));
            }
        }
    }

    /// Finds the names that are defined more than once.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, places) in &self.0 {
            if let [(first, _), others @ ..] = &places[..] {
                findings.extend(others.iter().map(|(place, line)| Finding {
                    place: place.clone(),
                    line: *line,
                    rule: format!(
                        "type `{name}` is defined in {first} too: name it by what it is here"
                    ),
                }));
            }
        }
        findings
    }
}

/// Returns whether a line of code begins a definition, rather than mentioning one.
fn defines(line: &str) -> bool {
    let mut words = line
        .split_whitespace()
        .skip_while(|word| word.starts_with("pub"));
    matches!(
        words.next(),
        Some("struct" | "enum" | "trait" | "type" | "union")
    )
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn a_name_that_is_defined_twice_is_found() {
        let mut names = Names::default();
        names.read(
            "crates/a/src/lib.rs",
            "pub struct Place;\nstruct Once(u8);\n",
        );
        names.read(
            "crates/b/src/b.rs",
            "pub(crate) enum Place {}\n// struct Once\n",
        );
        names.read(
            "crates/b/src/c.rs",
            "impl A for B {\n    type Once = u8;\n}\n#[cfg(test)]\nmod tests {\nstruct Once;\n}\n",
        );
        names.read("crates/b/src/tests.rs", "struct Once;\n");
        let found: Vec<String> = names.findings().iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "crates/b/src/b.rs:1: type `Place` is defined in crates/a/src/lib.rs too: name it by what it is here"
            ]
        );
    }
}
