//! The rows of an evaluation: the text before a cursor, after it, and in between.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use tabahead_context::{DocumentName, OpenFile, OpenFiles, State, holds_secret};
use tabahead_text::{Document, Offset, Version};

use crate::place;

/// One place whose continuation is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EvalRow {
    /// Text of the file before the cursor.
    pub prefix: String,
    /// Text of the file after the middle.
    pub suffix: String,
    /// Original text in between.
    pub middle: String,
    /// Language, as an LSP id or by another common name.
    pub language: String,
    /// Path of the file; without one, the file is called `main` with the language's extension.
    #[serde(default)]
    pub path: Option<String>,
    /// Texts of the other open files.
    #[serde(default)]
    pub open_files: Vec<String>,
}

impl EvalRow {
    /// Returns the document without its middle, with the cursor there; `shown` is the part of the
    /// text after the cursor that the model may see.
    pub fn state(&self, shown: &str) -> State {
        State {
            document: Document::new(&format!("{}{shown}", self.prefix), Version(0)),
            cursor: Offset(self.prefix.len()),
            name: self.name(),
        }
    }

    /// Reports whether the middle is a secret value or a part of one.
    pub fn has_secret_middle(&self) -> bool {
        let line = self.prefix.rfind('\n').map_or(0, |end| end + 1);
        let after = self.suffix.lines().next().unwrap_or_default();
        let written = format!("{}{}{after}", &self.prefix[line..], self.middle);
        holds_secret(&written)
    }

    /// Returns what an editor would report about the file and the other open files.
    pub fn name(&self) -> DocumentName {
        let extension = tabahead_text::extension_of(&self.language);
        let file_name = match (&self.path, extension) {
            (Some(path), _) => place::document_name(Path::new(path)).file_name,
            (None, Some(extension)) => format!("main.{extension}"),
            (None, None) => String::new(),
        };
        let document = |text: &String| OpenFile::new(&Document::new(text, Version(0)));
        let open_files: Vec<_> = self.open_files.iter().map(document).collect();
        DocumentName {
            open_files: OpenFiles::new(&open_files),
            ..DocumentName::new(file_name, &self.language)
        }
    }
}

/// Reads the rows of a file, at most `limit`. Blank lines are skipped.
///
/// # Errors
/// One line with the file, the line's number and what is wrong with it.
pub fn read(file: &Path, limit: usize) -> Result<Vec<EvalRow>> {
    let name = file.display();
    if file.is_dir() {
        bail!("{name} is a folder; give a file with one row per line");
    }
    let open = File::open(file).with_context(|| format!("cannot read {name}"))?;
    let rows = parse(BufReader::new(open), limit).map_err(|error| anyhow!("{name}:{error:#}"))?;
    if limit == 0 {
        bail!("--limit 0 leaves no rows; give 1 or more");
    }
    if rows.is_empty() {
        bail!("{name} holds no rows");
    }
    Ok(rows)
}

fn parse(mut lines: impl BufRead, limit: usize) -> Result<Vec<EvalRow>> {
    /// Limit of a row's size in bytes: a device has no line ends.
    const MOST: u64 = 64 << 20;

    let mut rows = Vec::new();
    for number in 1.. {
        let mut line = String::new();
        let read = lines.by_ref().take(MOST).read_line(&mut line);
        let length = read.map_err(|error| anyhow!("{number}: {error}"))?;
        if length == 0 || rows.len() == limit {
            break;
        }
        if length as u64 == MOST {
            bail!("{number}: a row is larger than 64 MB");
        }
        if line.trim().is_empty() {
            continue;
        }
        let row = serde_json::from_str(&line)
            // serde_json counts lines within the one line that it gets.
            .map_err(|error| {
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                anyhow!("{number}: not a row: {message}")
            })?;
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"prefix":"a","suffix":"b","middle":"c","language":"python"}"#;

    #[test]
    fn rows_are_read_up_to_the_limit() {
        let text = format!("{ROW}\n\n{ROW}\nnot read");
        let rows = parse(text.as_bytes(), 2).expect("both rows are right");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].middle, "c");
        assert_eq!(rows[0].name().file_name, "main.py");
    }

    #[track_caller]
    fn check_error(line: &str, part: &str) {
        let text = format!("{ROW}\n{line}\n");
        let error = parse(text.as_bytes(), 9).expect_err("the second row is wrong");
        let error = error.to_string();
        assert!(error.starts_with("2: not a row: "), "{error}");
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn a_wrong_row_is_named_by_its_line() {
        check_error("{", "EOF");
        check_error(r#"{"prefix":"a","suffix":"b","language":"c"}"#, "`middle`");
        check_error(
            r#"{"prefix":1,"suffix":"b","middle":"c","language":"c"}"#,
            "string",
        );
    }

    #[test]
    fn a_path_names_the_file() {
        let row = EvalRow {
            prefix: String::new(),
            suffix: String::new(),
            middle: String::new(),
            language: "go".to_owned(),
            path: Some("pkg/server.go".to_owned()),
            open_files: Vec::new(),
        };
        assert_eq!(row.name().file_name, "server.go");
        assert_eq!(row.name().language, "go");
    }
}
