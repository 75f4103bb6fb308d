//! `cargo xtask codegen`: settings in package.json, README.md and Neovim's help, written from the
//! program's own schema.
//!
//! The one struct of settings is `tabahead_session::Settings`. `tabahead config --schema` describes
//! it; this task turns the schema into the `configuration` of the VS Code extension, the table of
//! README.md and a section of Neovim's help. Tidy compares them with the committed files.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::building::build;

const PACKAGE: &str = "editors/vscode/package.json";
const README: &str = "README.md";
const HELP: &str = "editors/nvim/doc/tabahead.txt";
const HELP_TAGS: &str = "editors/nvim/doc/tags";

/// Number of columns of a help file, as `:help help-writing` has it.
const HELP_COLUMNS: usize = 78;

/// Columns before a setting's description in the help file.
const HELP_INDENT: usize = 4;

/// Settings that decide which program or file is run or read. VS Code takes them only from the
/// user's own settings, because a folder that the user opens must not decide that.
const MACHINE: [&str; 1] = ["model"];

/// Writes the files. Returns whether that succeeded.
pub fn run(root: &Path) -> Result<bool> {
    let program = build(root, &["--bins"])?.context("the program does not compile")?;
    for (file, text) in generated(root, &program)? {
        fs::write(root.join(file), text).with_context(|| format!("{file} cannot be written"))?;
    }
    Ok(true)
}

/// Returns the files whose contents are not what would be written.
pub fn stale(root: &Path, program: &Path) -> Result<Vec<&'static str>> {
    let mut stale = Vec::new();
    for (file, text) in generated(root, program)? {
        if fs::read_to_string(root.join(file))? != text {
            stale.push(file);
        }
    }
    Ok(stale)
}

fn generated(root: &Path, program: &Path) -> Result<Vec<(&'static str, String)>> {
    let output = Command::new(program)
        .args(["config", "--schema"])
        .output()
        .context("the program could not be run")?;
    ensure!(output.status.success(), "tabahead config --schema failed");
    let settings = leaves(&serde_json::from_slice(&output.stdout)?);
    let read = |file: &str| fs::read_to_string(root.join(file)).context(file.to_owned());
    let help = with_help_section(&read(HELP)?, &settings)?;
    let tags = help_tags(&help)?;
    Ok(vec![
        (PACKAGE, with_configuration(&read(PACKAGE)?, &settings)?),
        (README, with_table(&read(README)?, &settings)?),
        (HELP, help),
        (HELP_TAGS, tags),
    ])
}

/// A setting: its dotted key and its schema.
type SettingSchema = (String, Value);

/// Returns the settings of a schema, in their own order.
fn leaves(schema: &Value) -> Vec<SettingSchema> {
    fn collect(schema: &Value, path: &str, found: &mut Vec<SettingSchema>) {
        match schema["properties"].as_object() {
            // Only a setting has `order`: that distinguishes a setting that is an object from a
            // table of settings.
            Some(properties) if schema.get("order").is_none() => {
                for (name, inner) in properties {
                    let dot = if path.is_empty() { "" } else { "." };
                    collect(inner, &format!("{path}{dot}{name}"), found);
                }
            }
            _ => found.push((path.to_owned(), schema.clone())),
        }
    }
    let mut found = Vec::new();
    collect(schema, "", &mut found);
    found.sort_by_key(|(_, schema)| schema["order"].as_u64());
    found
}

/// Returns package.json with these settings. It is edited as text, so that the layout of the rest
/// stays.
fn with_configuration(package: &str, settings: &[SettingSchema]) -> Result<String> {
    let mut properties: Vec<SettingSchema> = vec![(
        "tabahead.server.path".to_owned(),
        json!({
            "type": ["string", "null"],
            "default": null,
            "markdownDescription": "The program `tabahead`; unset, the one in this package or on the PATH.",
            "scope": "machine",
            "order": 100,
        }),
    )];
    for (key, schema) in settings {
        let mut schema = schema.clone();
        let scope = if MACHINE.contains(&key.as_str()) {
            "machine"
        } else {
            "window"
        };
        schema["scope"] = json!(scope);
        schema["markdownDescription"] = schema["description"].take();
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("description");
        }
        properties.push((format!("tabahead.{key}"), schema));
    }
    let properties: Vec<String> = properties
        .iter()
        .map(|(key, schema)| format!("\"{key}\": {schema:#}"))
        .collect();
    let text = format!(
        "\"configuration\": {{\n  \"title\": \"tabahead\",\n  \"properties\": {{\n{}\n  }}\n}}",
        indented(&properties.join(",\n"), 4)
    );
    let begin = "    \"configuration\": {\n";
    let end = "\n    }";
    let begins = package
        .find(begin)
        .with_context(|| format!("{PACKAGE} has no place for a configuration"))?;
    // Start at the line feed before its first line, where an empty configuration ends.
    let (before, rest) = (&package[..begins], &package[begins + begin.len() - 1..]);
    let (_, after) = rest.split_once(end).context("a configuration ends")?;
    Ok(format!("{before}{}{after}", indented(&text, 4)))
}

/// Returns README.md with a row for each setting, between two marks.
fn with_table(readme: &str, settings: &[SettingSchema]) -> Result<String> {
    let mut table = "| key | default | what it does |\n| --- | --- | --- |\n".to_owned();
    for (key, schema) in settings {
        let default = match &schema["default"] {
            Value::Null => "unset".to_owned(),
            value => format!("`{value}`"),
        };
        table += &format!("| `{key}` | {default} | {} |\n", description(schema));
    }
    let marks = ("<!-- settings -->\n", "<!-- /settings -->");
    with_text_between(readme, marks, &table).context(README)
}

/// Returns Neovim's help with a paragraph for each setting: from the line with the section's tag to
/// the line that separates it from the next section.
fn with_help_section(help: &str, settings: &[SettingSchema]) -> Result<String> {
    let introduction = "These are settings of the program, for `settings` in |tabahead.setup()|. \
                        A dotted key can also be written as a table in a table.";
    let mut section = format!("\n{}\n", wrapped(introduction, HELP_COLUMNS).join("\n"));
    for (key, schema) in settings {
        let tag = format!("*tabahead-settings.{key}*");
        let default = match &schema["default"] {
            Value::Null => "unset".to_owned(),
            value => value.to_string(),
        };
        section += &format!("\n{tag:>HELP_COLUMNS$}\n`{key}`  (default: {default})\n");
        let lines = wrapped(description(schema), HELP_COLUMNS - HELP_INDENT);
        section += &indented(&lines.join("\n"), HELP_INDENT);
        section.push('\n');
    }
    section.push('\n');
    let marks = ("*tabahead-settings*\n", "=====");
    with_text_between(help, marks, &section).context(HELP)
}

/// Returns the index of the help file's tags, as `:helptags` writes it.
fn help_tags(help: &str) -> Result<String> {
    let mut tags = BTreeSet::new();
    for word in help.split_whitespace() {
        let tag = word
            .strip_prefix('*')
            .and_then(|word| word.strip_suffix('*'));
        if let Some(tag) = tag.filter(|tag| !tag.is_empty() && !tag.contains(['*', '|'])) {
            ensure!(tags.insert(tag), "{HELP} has the tag '{tag}' twice");
        }
    }
    let lines = tags
        .iter()
        .map(|tag| format!("{tag}\ttabahead.txt\t/*{tag}*\n"));
    Ok(lines.collect())
}

fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// Returns the text with `inner` between the marks.
fn with_text_between(text: &str, (begin, end): (&str, &str), inner: &str) -> Result<String> {
    let no_mark = |mark: &str| format!("the mark '{}' is missing", mark.trim_end());
    let (before, rest) = text.split_once(begin).with_context(|| no_mark(begin))?;
    let ends = rest.find(end).with_context(|| no_mark(end))?;
    Ok(format!("{before}{begin}{inner}{}", &rest[ends..]))
}

/// Breaks a text into lines of at most `width` characters. Does not break code in backticks.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    // Every second part is code: its blanks do not separate words.
    let mut words = vec![String::new()];
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 1 {
            let word = words.last_mut().expect("there is always a word");
            *word += &format!("`{part}`");
            continue;
        }
        for (number, piece) in part.split(' ').enumerate() {
            if number > 0 {
                words.push(String::new());
            }
            words
                .last_mut()
                .expect("there is always a word")
                .push_str(piece);
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                *line += &format!(" {word}");
            }
            _ => lines.push(word),
        }
    }
    lines
}

fn indented(text: &str, by: usize) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("{:by$}{line}", ""))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Vec<SettingSchema> {
        leaves(&json!({
            "properties": {
                "a": {"properties": {"x": {"order": 1, "default": 2, "description": "X."}}},
                "z": {"order": 0, "default": null, "description": "Z.", "properties": {"q": {}}},
                "model": {"order": 2, "default": "mini", "description": "The model."},
            }
        }))
    }

    #[test]
    fn settings_are_found_in_their_order() {
        let keys: Vec<String> = settings().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["z", "a.x", "model"]);
    }

    #[test]
    fn a_table_is_written_between_its_marks_and_written_again() {
        let once = with_table(
            "a\n<!-- settings -->\nold\n<!-- /settings -->\nb\n",
            &settings(),
        );
        let once = once.expect("it has the marks");
        assert_eq!(
            once,
            "a\n<!-- settings -->\n| key | default | what it does |\n| --- | --- | --- |\n| `z` | unset | Z. |\n| `a.x` | `2` | X. |\n| `model` | `\"mini\"` | The model. |\n<!-- /settings -->\nb\n"
        );
        assert_eq!(with_table(&once, &settings()).expect("again"), once);
        assert!(with_table("nothing", &settings()).is_err());
    }

    #[test]
    fn a_help_section_is_written_between_its_tag_and_the_next_section() {
        let help = "*tabahead.txt*\n|tabahead-settings|\n=====\n2. Settings *tabahead-settings*\nold\n=====\n3. x\n";
        let once = with_help_section(help, &settings()).expect("it has the marks");
        assert!(once.starts_with(
            "*tabahead.txt*\n|tabahead-settings|\n=====\n2. Settings *tabahead-settings*\n\nThese"
        ));
        let last = format!(
            "\n{:>78}\n`model`  (default: \"mini\")\n    The model.\n\n=====\n3. x\n",
            "*tabahead-settings.model*"
        );
        assert!(once.ends_with(&last), "{once}");
        assert_eq!(with_help_section(&once, &settings()).expect("again"), once);
        assert!(with_help_section("nothing", &settings()).is_err());
    }

    #[test]
    fn tags_are_listed_once_and_in_order() {
        assert_eq!(
            help_tags("*b*  x `*`\n *a.c* |b|\n").expect("they differ"),
            "a.c\ttabahead.txt\t/*a.c*\nb\ttabahead.txt\t/*b*\n"
        );
        assert!(help_tags("*a* *a*").is_err());
    }

    #[test]
    fn lines_are_not_broken_in_code() {
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(
            wrapped("as `{ a = 1 }`, or", 8),
            ["as", "`{ a = 1 }`,", "or"]
        );
    }

    #[test]
    fn a_package_stays_json_and_the_rest_of_it_as_it_was() {
        let package =
            "{\n  \"contributes\": {\n    \"configuration\": {\n    },\n    \"z\": 1\n  }\n}\n";
        let once = with_configuration(package, &settings()).expect("it has the place");
        let json: Value = serde_json::from_str(&once).expect("JSON");
        assert_eq!(json["contributes"]["z"], 1);
        let properties = &json["contributes"]["configuration"]["properties"];
        assert_eq!(properties["tabahead.a.x"]["default"], 2);
        assert_eq!(properties["tabahead.a.x"]["scope"], "window");
        // A workspace must decide neither which program runs nor which file it reads.
        for key in ["tabahead.server.path", "tabahead.model"] {
            assert_eq!(properties[key]["scope"], "machine", "{key}");
        }
        assert_eq!(with_configuration(&once, &settings()).expect("again"), once);
    }
}
