//! Tables with a column of secrets: CSV, Markdown and the rows of SQL's `INSERT`.
//!
//! A heading says which columns are secret. The state that it leaves for the rows below is a set of
//! columns, not text, so a row is looked at without its heading.

use std::ops::Range;

use super::{MOST_ITEMS, names::is_heading_of_secrets};

/// Maximum length of a heading; what is longer is a sentence.
const LONGEST_HEADING: usize = 40;

/// Maximum number of words of a heading.
const MOST_WORDS: usize = 3;

/// A table whose rows come below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    form: RowForm,
    /// Number of columns.
    width: u8,
    /// Secret columns: a bit for each of the first 32.
    secret: u32,
    /// Number of rows so far.
    rows: u8,
}

/// How a table's cells are separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowForm {
    /// By this byte.
    Separated(u8),
    /// In a list in parentheses for each row, as SQL's `VALUES`.
    Lists,
}

impl Table {
    /// Returns the table that a line is the heading of, if one of its columns is secret.
    pub(super) fn headed_by(line: &str) -> Option<Self> {
        let (form, headings) = match (separator_of_headings(line), columns_of_insert(line)) {
            (Some(separator), _) => (RowForm::Separated(separator), cells(line, separator)),
            (None, Some(columns)) => {
                let cells = cells(&line[columns.clone()], b',');
                let moved =
                    |cell: Range<usize>| columns.start + cell.start..columns.start + cell.end;
                (RowForm::Lists, cells.into_iter().map(moved).collect())
            }
            (None, None) => return None,
        };
        let texts: Vec<&str> = headings.into_iter().map(|cell| &line[cell]).collect();
        if texts.len() < 2 || !texts.iter().all(|text| is_heading(text)) {
            return None;
        }
        let secret = (0..)
            .zip(texts.iter().take(32))
            .fold(0, |secret, (at, text)| {
                secret | u32::from(is_heading_of_secrets(text)) << at
            });
        let width = u8::try_from(texts.len()).ok()?;
        (secret != 0).then_some(Self {
            form,
            width,
            secret,
            rows: 0,
        })
    }

    /// Returns the table below one more line; `None` if the line is no row of it.
    pub(super) fn below(self, line: &str) -> Option<Self> {
        let is_row = match self.form {
            RowForm::Separated(separator) => {
                cells(line, separator).len() == usize::from(self.width)
            }
            RowForm::Lists => {
                let row = line.trim_start_matches([' ', '\t', '"', '\'', '`']);
                row.starts_with('(') || starts_with_values(row)
            }
        };
        (is_row && self.rows < MOST_ITEMS).then_some(Self {
            rows: self.rows + 1,
            ..self
        })
    }

    /// Returns whether only the heading was read, and the rows may begin on its line, as those of an
    /// `INSERT`.
    pub(super) fn may_have_rows_in_heading(self) -> bool {
        self.form == RowForm::Lists && self.rows == 0
    }

    /// Returns the cells of a row that are in a secret column.
    pub(super) fn secret_cells(self, line: &str) -> Vec<Range<usize>> {
        let cells = match self.form {
            RowForm::Separated(separator) => {
                cells(line, separator).into_iter().enumerate().collect()
            }
            RowForm::Lists => cells_of_lists(line),
        };
        let is_secret = |column: usize| column < 32 && self.secret >> column & 1 == 1;
        let cells = cells.into_iter().filter(|(column, _)| is_secret(*column));
        cells.map(|(_, cell)| cell).collect()
    }

    /// Returns a number for digests that differs from that of any other table.
    pub(super) fn number(self) -> u64 {
        let form = match self.form {
            RowForm::Separated(separator) => separator,
            RowForm::Lists => 0,
        };
        u64::from(self.secret)
            | u64::from(self.width) << 32
            | u64::from(self.rows) << 40
            | u64::from(form) << 48
    }
}

/// Returns what separates the cells of a line that has nothing but short names and separators of
/// one kind.
fn separator_of_headings(line: &str) -> Option<u8> {
    let is_of_name =
        |byte: u8| byte.is_ascii_alphanumeric() || b"_- .\"'`*".contains(&byte) || byte >= 128;
    let mut others = line.trim().bytes().filter(|byte| !is_of_name(*byte));
    let separator = others.next()?;
    (b",;\t|".contains(&separator) && others.all(|byte| byte == separator)).then_some(separator)
}

/// Returns the list of columns of an `INSERT`, which may have lines of its own.
fn columns_of_insert(line: &str) -> Option<Range<usize>> {
    let is_sign = |c: char| matches!(c, '"' | '\'' | '`' | '\\') || c.is_whitespace();
    let begins_list = |before: &str| {
        let mut words = before.trim_end().rsplit(char::is_whitespace).skip(1);
        before.trim_matches(is_sign).is_empty()
            || words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("into"))
    };
    let (open, _) = (line.match_indices('(')).find(|(open, _)| begins_list(&line[..*open]))?;
    let close = open + line[open..].find(')')?;
    let after = line[close + 1..].trim_start_matches(is_sign);
    (after.is_empty() || starts_with_values(after)).then_some(open + 1..close)
}

fn starts_with_values(text: &str) -> bool {
    text.get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case("values"))
}

/// Returns whether a cell is the name of a column.
fn is_heading(cell: &str) -> bool {
    let text = cell.trim_matches([' ', '\t', '"', '\'', '`', '*']);
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.len() <= LONGEST_HEADING
        && text.split_whitespace().count() <= MOST_WORDS
}

/// Returns the cells of a row. A quoted cell may hold separators; a row of Markdown has one at both
/// ends.
fn cells(line: &str, separator: u8) -> Vec<Range<usize>> {
    let is_markdown = separator == b'|';
    let start = line.len() - line.trim_start().len();
    let mut end = line.trim_end().len().max(start);
    let mut at = start;
    if is_markdown && line[start..end].starts_with('|') {
        at += 1;
        end -= usize::from(end > at && line[..end].ends_with('|'));
    }
    let mut cells = Vec::new();
    let mut begin = at;
    let mut is_quoted = false;
    for (byte, at) in line.bytes().zip(0..).take(end).skip(at) {
        if byte == b'"' && !is_markdown {
            is_quoted = !is_quoted;
        } else if byte == separator && !is_quoted {
            cells.push(begin..at);
            begin = at + 1;
        }
    }
    cells.push(begin..end);
    cells
}

/// Returns the cells of all lists of a line, each with its column. In a line that begins the
/// `INSERT`, the lists are after `VALUES`.
fn cells_of_lists(line: &str) -> Vec<(usize, Range<usize>)> {
    let keyword = line
        .bytes()
        .zip(0..)
        .position(|(_, at)| line.get(at..).is_some_and(starts_with_values));
    let mut cells = Vec::new();
    let (mut depth, mut column, mut begin, mut is_quoted) = (0_u32, 0, 0, false);
    for (byte, at) in line.bytes().zip(0..).skip(keyword.unwrap_or_default()) {
        match byte {
            b'\'' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'(' => {
                depth += 1;
                if depth == 1 {
                    (column, begin) = (0, at + 1);
                }
            }
            b',' | b')' if depth == 1 => {
                cells.push((column, begin..at));
                (column, begin) = (column + 1, at + 1);
                depth -= u32::from(byte == b')');
            }
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    cells
}
