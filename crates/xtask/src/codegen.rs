//! `cargo xtask codegen`: settings in package.json and README.md, written from the program's own
//! schema.
//!
//! The one struct of settings is `tabahead_session::Settings`. `tabahead config --schema` describes
//! it; this task turns the schema into the `configuration` of the VS Code extension and the table
//! of README.md. Tidy compares both with the committed files.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::building::build;

const PACKAGE: &str = "editors/vscode/package.json";
const README: &str = "README.md";

/// Settings that decide which program or file is run or read. VS Code takes them only from the
/// user's own settings, because a folder that the user opens must not decide that.
const MACHINE: [&str; 1] = ["model"];

/// Writes the files. Returns whether that succeeded.
pub fn run(root: &Path) -> Result<bool> {
    for (file, text) in generated(root)? {
        fs::write(root.join(file), text).with_context(|| format!("{file} cannot be written"))?;
    }
    Ok(true)
}

/// Returns the files whose contents are not what would be written.
pub fn stale(root: &Path) -> Result<Vec<&'static str>> {
    let mut stale = Vec::new();
    for (file, text) in generated(root)? {
        if fs::read_to_string(root.join(file))? != text {
            stale.push(file);
        }
    }
    Ok(stale)
}

fn generated(root: &Path) -> Result<Vec<(&'static str, String)>> {
    let program = build(root, &["--bins"])?.context("the program does not compile")?;
    let output = Command::new(program)
        .args(["config", "--schema"])
        .output()
        .context("the program could not be run")?;
    ensure!(output.status.success(), "tabahead config --schema failed");
    let settings = leaves(&serde_json::from_slice(&output.stdout)?);
    let read = |file: &str| fs::read_to_string(root.join(file)).context(file.to_owned());
    Ok(vec![
        (PACKAGE, with_configuration(&read(PACKAGE)?, &settings)?),
        (README, with_table(&read(README)?, &settings)?),
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
    let (begin, end) = ("<!-- settings -->\n", "<!-- /settings -->");
    let (before, rest) = readme
        .split_once(begin)
        .with_context(|| format!("{README} has no {begin}"))?;
    let (_, after) = rest
        .split_once(end)
        .with_context(|| format!("{README} has no {end}"))?;
    let mut table = "| key | default | what it does |\n| --- | --- | --- |\n".to_owned();
    for (key, schema) in settings {
        let default = match &schema["default"] {
            Value::Null => "unset".to_owned(),
            value => format!("`{value}`"),
        };
        let doc = schema["description"].as_str().unwrap_or_default();
        table += &format!("| `{key}` | {default} | {doc} |\n");
    }
    Ok(format!("{before}{begin}{table}{end}{after}"))
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
