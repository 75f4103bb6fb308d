//! `tabahead model use`: checks that a model completes, and names it in the configuration file.
//!
//! Only the setting `model` of the file changes; comments and everything else stay as they are.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tabahead_session::EMBEDDED;
use toml_edit::{DocumentMut, Item, value};

use crate::{
    args::EngineArgs,
    config::{self, Resolved},
    output,
};

/// Runs the command.
///
/// # Errors
/// When the model cannot be used, or the file cannot be written.
pub fn run(model: &str, config: &Resolved, named: Option<&Path>) -> Result<()> {
    let file = config::find(named)
        .context("there is no home for a configuration file; use --config FILE")?;
    let chosen = config.with_engine(&EngineArgs {
        model: Some(model.to_owned()),
        threads: None,
    })?;
    let name = chosen.completing_model()?.info().name.clone();
    let setting = match chosen.model_file() {
        Some(path) => below_home(&path, config::home().as_deref()),
        None => EMBEDDED.to_owned(),
    };
    name_in(&file, &setting)?;
    let mut out = output::stdout();
    let (name, file) = (output::plain(&name), file.display().to_string());
    writeln!(out, "Set the model to {name} in {}:", output::plain(&file))?;
    writeln!(
        out,
        "{}",
        output::plain(&format!("model = {}", json!(setting)))
    )?;
    writeln!(
        out,
        "A running server keeps its model until it is restarted: in VS Code \"tabahead: Restart\", in Neovim :Tabahead restart"
    )?;
    Ok(())
}

/// Returns the path as it is written to the file: from `~` on if it is below the home.
fn below_home(path: &Path, home: Option<&Path>) -> String {
    let rest = home.and_then(|home| path.strip_prefix(home).ok());
    let written = rest.map(|rest| Path::new("~").join(rest));
    written.as_deref().unwrap_or(path).display().to_string()
}

/// Names a model in a configuration file, which need not exist.
fn name_in(file: &Path, model: &str) -> Result<()> {
    let text = if config::is_there(file) {
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
    } else {
        String::new()
    };
    let Some(text) = with_model(&text, model) else {
        bail!(
            "{} cannot be changed from here; write in it: model = {}",
            file.display(),
            json!(model)
        );
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    replace(file, &text).with_context(|| format!("cannot write {}", file.display()))
}

/// Replaces a file's text. On an error the file is as it was: the text is written to a new file,
/// which then takes its name.
fn replace(file: &Path, text: &str) -> Result<()> {
    // A link stays a link to the file that is replaced.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(&file) {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(&file)?;
    Ok(())
}

/// Returns `text` with this model; `None` if it is not valid TOML or `model` is a table in it.
fn with_model(text: &str, model: &str) -> Option<String> {
    let is_windows = text.contains("\r\n");
    let text = text.replace("\r\n", "\n");
    let whole: DocumentMut = text.parse().ok()?;
    let has_settings = whole.iter().any(|(_, item)| is_setting(item));
    // The comment that heads a file stays first; the parser counts it to what follows.
    let (head, rest) = text.split_at(if has_settings { 0 } else { heading(&text) });
    let mut document: DocumentMut = rest.parse().ok()?;
    match document.get_mut("model") {
        Some(Item::Value(old)) => {
            let decor = old.decor().clone();
            *old = model.into();
            *old.decor_mut() = decor;
        }
        Some(_) => return None,
        None => document["model"] = value(model),
    }
    let changed = format!("{head}{document}");
    Some(if is_windows {
        changed.replace('\n', "\r\n")
    } else {
        changed
    })
}

/// Returns whether an item of the file is a setting before its tables.
fn is_setting(item: &Item) -> bool {
    match item {
        Item::Table(table) => table.is_dotted(),
        Item::Value(_) => true,
        Item::ArrayOfTables(_) | Item::None => false,
    }
}

/// Returns the length of the comment that a text begins with, and the blank line after it; 0 if the
/// comment is about what is below it.
fn heading(text: &str) -> usize {
    let lines = || text.split_inclusive('\n');
    let comments = lines().take_while(|line| line.starts_with('#')).count();
    let is_blank = lines()
        .nth(comments)
        .is_some_and(|line| line.trim().is_empty());
    let is_head = comments > 0 && is_blank;
    lines()
        .take(if is_head { comments + 1 } else { 0 })
        .map(str::len)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_model_is_changed() {
        for (text, changed) in [
            ("", "model = \"~/a.gguf\"\n"),
            (
                "# Mine.\nthreads = 1\n[kv]\nbytes = 5\n",
                "# Mine.\nthreads = 1\nmodel = \"~/a.gguf\"\n[kv]\nbytes = 5\n",
            ),
            (
                "# Mine.\n# All of it.\n\n[kv]\nbytes = 5\n",
                "# Mine.\n# All of it.\n\nmodel = \"~/a.gguf\"\n[kv]\nbytes = 5\n",
            ),
            (
                "# Nothing else.\n\n",
                "# Nothing else.\n\nmodel = \"~/a.gguf\"\n",
            ),
            (
                "kv.bytes = 5 # few\r\n\r\n[languages]\r\nc = false\r\n",
                "kv.bytes = 5 # few\r\nmodel = \"~/a.gguf\"\r\n\r\n[languages]\r\nc = false\r\n",
            ),
            // A comment after the value stays.
            (
                "# model = 'mini' # small\nthreads = 1\nmodel  =  'mini' # small\nmax_tokens = 8\n",
                "# model = 'mini' # small\nthreads = 1\nmodel  =  \"~/a.gguf\" # small\nmax_tokens = 8\n",
            ),
            ("'model' = \"\"\"\nmini\"\"\"\n", "'model' = \"~/a.gguf\"\n"),
            // The same words elsewhere are not the setting.
            (
                "# model = \"x\"\n[languages]\nmodel = false\n",
                "model = \"~/a.gguf\"\n# model = \"x\"\n[languages]\nmodel = false\n",
            ),
        ] {
            let found = with_model(text, "~/a.gguf");
            assert_eq!(found.as_deref(), Some(changed), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        for text in ["threads = \n", "[model]\npath = \"mini\"\n"] {
            assert_eq!(with_model(text, "~/a.gguf"), None, "{text}");
        }
    }

    #[test]
    fn names_with_quotes_and_backslashes_are_read_again() {
        for name in [r#"/m/a "b".gguf"#, r"C:\models\ü.gguf"] {
            let text = with_model("", name).expect("it can be written");
            let read: serde_json::Value = toml::from_str(&text).expect("TOML");
            assert_eq!(read["model"], name);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_below_the_home_is_written_from_there_on() {
        let home = Some(Path::new("/people/ada"));
        assert_eq!(
            below_home(Path::new("/people/ada/m/a.gguf"), home),
            "~/m/a.gguf"
        );
        assert_eq!(
            below_home(Path::new("/people/adam/a.gguf"), home),
            "/people/adam/a.gguf"
        );
        assert_eq!(below_home(Path::new("/m/a.gguf"), None), "/m/a.gguf");
    }
}
