//! The text of the configuration file: from TOML to a layer of settings, and where in it something
//! is wrong.
//!
//! Knows no setting. `config.rs` finds and reads the file.

use anyhow::{Result, anyhow};
use serde_json::Value;
use tabahead_text::quoted;
use toml::de::DeTable;

/// Longest quoted part of the file.
const LONGEST_LINE: usize = 120;
const LONGEST_KEY: usize = 80;

/// Reads a layer of settings.
///
/// # Errors
/// One line that names the line of the text and what is wrong in it.
pub(super) fn layer_from_toml(text: &str) -> Result<Value> {
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let line = line_at(text, span.start);
        let problem = match (error.message(), text.get(span)) {
            ("duplicate key", Some(key)) if !key.is_empty() => {
                format!("'{}' is given a second time", quoted(key, LONGEST_KEY))
            }
            (message, _) => problem_in(text, line, message),
        };
        anyhow!("line {line}: {problem}")
    })
}

/// Returns the line, counted from 1, that sets a dotted key, or where the entry with a number begins,
/// counted from 1, if the value is a list.
pub(super) fn line_of(text: &str, key: &str, entry: Option<usize>) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let root = root.get_ref();
    let section = || root.get("tabahead")?.get_ref().as_table();
    let in_section = || position_in(section()?, key);
    let entry = entry.and_then(|number| {
        let list = root.get(key).or_else(|| section()?.get(key))?;
        let entry = list.get_ref().as_array()?.get(number.checked_sub(1)?)?;
        Some(entry.span().start)
    });
    let position = entry
        .or_else(|| position_in(root, key))
        .or_else(in_section)?;
    Some(line_at(text, position))
}

/// Returns where a table has a key, or as much of it as there is. Both `a.b = 1` and `"a.b" = 1` are
/// the key `a.b`.
fn position_in(table: &DeTable<'_>, key: &str) -> Option<usize> {
    if let Some((name, _)) = table.get_key_value(key) {
        return Some(name.span().start);
    }
    let (part, rest) = key.split_once('.')?;
    let (name, value) = table.get_key_value(part)?;
    let inner = value.get_ref().as_table();
    inner
        .and_then(|inner| position_in(inner, rest))
        .or(Some(name.span().start))
}

fn line_at(text: &str, position: usize) -> usize {
    let before = text.bytes().take(position);
    before.filter(|byte| *byte == b'\n').count() + 1
}

/// Returns what is wrong in a line, counted from 1, that is not TOML: our own words where the value
/// is missing, otherwise the parser's and the line.
fn problem_in(text: &str, line: usize, message: &str) -> String {
    let source = text.lines().nth(line - 1).unwrap_or_default().trim();
    let before_comment = source.split('#').next().unwrap_or_default().trim_end();
    if let Some(key) = before_comment.strip_suffix('=')
        && !key.contains(['=', '"', '\''])
    {
        return format!("no value after '{} ='", quoted(key.trim_end(), LONGEST_KEY));
    }
    let message = message.lines().next().unwrap_or_default();
    if source.is_empty() {
        return message.to_owned();
    }
    format!("{message}: `{}`", quoted(source, LONGEST_LINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        let error = layer_from_toml(text).expect_err("it is wrong");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_toml_error_names_its_line() {
        check_error(
            "threads = 1\nmodel = \n",
            "line 2: no value after 'model ='",
        );
    }

    #[test]
    fn a_key_that_is_given_twice_is_named() {
        for (text, key) in [
            ("threads = 1\nthreads = 2\n", "threads"),
            ("cache.bytes = 1\ncache.bytes = 1\n", "bytes"),
            ("[speculation]\n[speculation]\n", "speculation"),
            ("speculation.depth = 1\n[speculation]\n", "speculation"),
        ] {
            check_error(text, &format!("line 2: '{key}' is given a second time"));
        }
    }

    #[test]
    fn the_line_of_a_setting_is_found_however_it_is_written() {
        let text =
            "typo = 1\n[speculation]\n# None.\ndepth = -1\n[context]\n\"prefix_bytes\" = 2\n";
        for (key, line) in [
            ("typo", Some(1)),
            ("speculation", Some(2)),
            ("speculation.depth", Some(4)),
            ("context.prefix_bytes", Some(6)),
            ("threads", None),
        ] {
            assert_eq!(line_of(text, key, None), line, "{key}");
        }
        for text in [
            "\nspeculation.depth = 1",
            "\n\"speculation.depth\" = 1",
            "\nspeculation = { depth = 1 }",
            "\nspeculation = 7",
            "[tabahead]\nspeculation.depth = 1",
        ] {
            assert_eq!(line_of(text, "speculation.depth", None), Some(2), "{text}");
        }
    }

    #[test]
    fn each_rule_of_a_list_has_its_line() {
        let list =
            "model = 'mini'\npaths = [\n  {glob = 'a', enabled = false},\n  {glob = 'b'},\n]\n";
        assert_eq!(line_of(list, "paths", Some(2)), Some(4));
        let tables = "[[paths]]\nglob = 'a'\n\n[[paths]]\nglob = 'b'\n";
        assert_eq!(line_of(tables, "paths", Some(2)), Some(4));
        assert_eq!(
            line_of(&format!("[tabahead]\n{list}"), "paths", Some(1)),
            Some(4)
        );
        assert_eq!(line_of("\npaths = 1\n", "paths", None), Some(2));
    }
}
