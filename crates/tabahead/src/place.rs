//! A place in a file as a user writes it: `FILE:LINE:COL`, counted from 1, in characters.
//!
//! Turns arguments into documents and offsets; does not know what is done there.

use std::{
    fs::{self, File},
    io::Read,
    path::{self, Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tabahead_context::DocumentName;
use tabahead_session::Suitability;
use tabahead_text::{Document, Offset, Position, PositionEncoding, Version, language_of};

/// A place as typed, not looked up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// Path of the file.
    pub file: PathBuf,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1, in characters; `None` means the end of the line.
    pub column: Option<usize>,
}

impl FilePlace {
    /// Parses `FILE:LINE` or `FILE:LINE:COL`.
    ///
    /// A file's name may itself contain colons. When the text can be read both ways, the reading
    /// whose file exists wins. A third number belongs to the name only if such a file exists.
    ///
    /// # Errors
    /// One line that says how a place is written.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_with(text, &|path| path.is_file())
    }

    fn parse_with(text: &str, exists: &dyn Fn(&Path) -> bool) -> Result<Self> {
        let text = text.strip_suffix(':').unwrap_or(text);
        let Some((rest, last)) = split_number(text) else {
            bail!("'{text}' names no line; write FILE:LINE:COL or FILE:LINE");
        };
        let short = Self {
            file: rest.into(),
            line: last,
            column: None,
        };
        let place = match split_number(rest) {
            Some((file, line)) if !exists(&short.file) => Self {
                file: file.into(),
                line,
                column: Some(last),
            },
            _ => short,
        };
        if let Some((file, _)) = split_number(&place.file.to_string_lossy())
            && place.column.is_some()
            && !exists(&place.file)
        {
            bail!(
                "'{text}' has a number too many after '{file}'; write FILE:LINE:COL or FILE:LINE"
            );
        }
        if place.line == 0 || place.column == Some(0) {
            bail!("'{text}': lines and columns are counted from 1");
        }
        Ok(place)
    }

    /// Refuses a file that would get no suggestions in an editor either, before it is read.
    ///
    /// # Errors
    /// One line that says why.
    pub fn refuse_private(&self, suitability: &Suitability) -> Result<()> {
        let language = document_name(&self.file).language;
        let bytes = fs::metadata(&self.file).map_or(0, |metadata| metadata.len() as usize);
        // Check the name as given, and the name of the file that a link leads to.
        let absolute = path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        let real = fs::canonicalize(&self.file).unwrap_or_else(|_| absolute.clone());
        for path in [absolute, real] {
            if let Some(why) = suitability.why_not(&path.to_string_lossy(), &language, bytes) {
                bail!("{} gets no suggestions: {why}", self.file.display());
            }
        }
        Ok(())
    }

    /// Reads the file and finds the place in it.
    ///
    /// # Errors
    /// One line that says what is wrong with the file, or how long it is.
    pub fn open(&self) -> Result<OpenPlace> {
        let text = read_text(&self.file)?;
        let document = Document::new(&text, Version(0));
        let file = self.file.display();
        let lines = document.line_count();
        if self.line > lines {
            let lines = counted(lines, "line");
            bail!("{file} has {lines}; there is no line {}", self.line);
        }
        let range = document.line_range(self.line - 1);
        let characters = document.slice(range.clone()).chars().count();
        let column = self.column.unwrap_or(characters + 1);
        if column > characters + 1 {
            bail!(
                "line {} of {file} has {}; there is no column {column}",
                self.line,
                counted(characters, "character")
            );
        }
        let position = Position {
            line: u32::try_from(self.line - 1)?,
            character: u32::try_from(column - 1)?,
        };
        Ok(OpenPlace {
            cursor: document.offset_of(position, PositionEncoding::Utf32),
            line: self.line,
            column,
            name: document_name(&self.file),
            document,
        })
    }
}

/// A place in a document that has been read.
#[derive(Debug, Clone)]
pub struct OpenPlace {
    /// Text of the file.
    pub document: Document,
    /// Offset of the place in the document.
    pub cursor: Offset,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1, in characters.
    pub column: usize,
    /// Name and language of the file, as the model is shown them.
    pub name: DocumentName,
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn split_number(text: &str) -> Option<(&str, usize)> {
    let (rest, number) = text.rsplit_once(':')?;
    if rest.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((rest, number.parse().ok()?))
}

/// Reads a text file of at most 64 MB; the limit bounds the memory for a device that never ends. A
/// named pipe is refused: it may wait for a writer without end.
///
/// # Errors
/// One line that names the file and says what is wrong with it.
pub fn read_text(file: &Path) -> Result<String> {
    const MOST: u64 = 64 << 20;

    refuse_pipe(file)?;
    let mut bytes = Vec::new();
    let mut read = || File::open(file)?.take(MOST + 1).read_to_end(&mut bytes);
    let length = read().with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(
        length as u64 <= MOST,
        "{} is larger than 64 MB",
        file.display()
    );
    String::from_utf8(bytes).map_err(|error| {
        anyhow!(
            "{} is not UTF-8 text (byte {} is not); convert it first",
            file.display(),
            error.utf8_error().valid_up_to()
        )
    })
}

/// Refuses a named pipe, which may wait for a writer without end. A pipe of the shell's `<(…)` has a
/// writer.
///
/// # Errors
/// One line that names the file.
pub fn refuse_pipe(file: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;

        let is_pipe = fs::metadata(file).is_ok_and(|metadata| metadata.file_type().is_fifo());
        ensure!(
            !is_pipe || file.starts_with("/dev/fd") || file.starts_with("/proc"),
            "{} is a pipe; give a file",
            file.display()
        );
    }
    Ok(())
}

/// Returns what an editor would report about a file: its last path component and its language.
pub fn document_name(file: &Path) -> DocumentName {
    let file_name = file.file_name().unwrap_or_default().to_string_lossy();
    DocumentName::new(file_name.as_ref(), language_of(&file_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, file: &str, line: usize, column: Option<usize>) {
        let place = FilePlace::parse_with(text, &|_| false).expect("the place parses");
        let expected = FilePlace {
            file: file.into(),
            line,
            column,
        };
        assert_eq!(place, expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("a.py");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo runs").success());
        let error = read_text(&pipe).expect_err("nothing writes to it");
        let expected = format!("{} is a pipe; give a file", pipe.display());
        assert_eq!(error.to_string(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_end_is_refused() {
        let error = read_text(Path::new("/dev/zero")).expect_err("it has no end");
        assert_eq!(error.to_string(), "/dev/zero is larger than 64 MB");
    }

    #[test]
    fn line_and_column_are_at_the_end() {
        check("src/main.rs:3:14", "src/main.rs", 3, Some(14));
        check("src/main.rs:3", "src/main.rs", 3, None);
        check("src/main.rs:3:14:", "src/main.rs", 3, Some(14));
    }

    #[test]
    fn a_file_name_may_hold_colons() {
        check("C:/a b.rs:3", "C:/a b.rs", 3, None);
        check("odd:name:7:1", "odd:name", 7, Some(1));
        let file = PathBuf::from("12:30");
        let place = FilePlace::parse_with("12:30:5:6", &|path| path == file);
        let place = place.expect("there is such a file");
        assert_eq!((place.line, place.column), (5, Some(6)));
        assert_eq!(place.file, file);
    }

    #[test]
    fn the_reading_whose_file_exists_is_meant() {
        let exists = |path: &Path| path == Path::new("log:3");
        let place = FilePlace::parse_with("log:3:4", &exists).expect("the place parses");
        assert_eq!((place.line, place.column), (4, None));
        assert_eq!(place.file, PathBuf::from("log:3"));
    }

    #[track_caller]
    fn check_error(text: &str, part: &str) {
        let error = FilePlace::parse_with(text, &|_| false).expect_err("the place is wrong");
        assert!(error.to_string().contains(part), "{error}");
    }

    #[test]
    fn a_wrong_place_is_an_error_with_the_format() {
        check_error("src/main.rs", "write FILE:LINE:COL");
        check_error("src/main.rs:x", "write FILE:LINE:COL");
        check_error(":3", "write FILE:LINE:COL");
        check_error("src/main.rs:0:1", "counted from 1");
        check_error("src/main.rs:1:0", "counted from 1");
        check_error("a.py:1:2:3", "a number too many after 'a.py'");
        check_error("a.py:1:2:3:", "a number too many after 'a.py'");
    }
}
