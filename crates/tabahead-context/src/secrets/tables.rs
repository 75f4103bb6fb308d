//! Tables with a column of secrets: CSV, Markdown and the rows of SQL's `INSERT` and `COPY`.
//!
//! A heading says which columns are secret. The state that it leaves for the rows below is a set of
//! columns, not text, so a row is looked at without its heading.

use std::ops::Range;

use super::{MOST_ITEMS, names::is_heading_of_secrets};

/// Maximum length of a heading; what is longer is a sentence.
const LONGEST_HEADING: usize = 40;

/// Maximum number of headings that have lines of their own: as many lines have the values, and all are
/// within the reach of a scan.
const MOST_LINES: u8 = 8;

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
    /// By lines. The headings are still coming, one on each line.
    Headings,
    /// By lines, in one row.
    Lines,
}

impl Table {
    /// Returns the table that a line is the heading of, if one of its columns is secret.
    pub(super) fn headed_by(line: &str) -> Option<Self> {
        if begins_insert_of_lines(line) {
            return Some(Self {
                form: RowForm::Headings,
                width: 0,
                secret: 0,
                rows: 0,
            });
        }
        let separated = |list: Range<usize>| {
            let list = &line[list];
            let texts = cells(list, b',').into_iter().map(|cell| &list[cell]);
            texts.collect::<Vec<_>>()
        };
        let (form, texts) = if let Some(separator) = separator_of_headings(line) {
            let texts = cells(line, separator).into_iter().map(|cell| &line[cell]);
            (RowForm::Separated(separator), texts.collect())
        } else if let Some(columns) = columns_of_copy(line) {
            (RowForm::Separated(b'\t'), separated(columns))
        } else {
            (RowForm::Lists, separated(columns_of_insert(line)?))
        };
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
            RowForm::Headings => return self.below_heading(line.trim()),
            RowForm::Lines => self.rows < self.width && !line.trim_start().starts_with(')'),
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

    /// Returns the table below a line that has one heading, or that ends the headings.
    fn below_heading(self, line: &str) -> Option<Self> {
        let values = line.trim_start_matches([')', ' ']);
        if starts_with_values(values) && values.ends_with('(') {
            return (self.secret != 0).then_some(Self {
                form: RowForm::Lines,
                rows: 0,
                ..self
            });
        }
        if line == ")" {
            return (self.rows == 0).then_some(Self { rows: 1, ..self });
        }
        let heading = line.trim_end_matches(',').trim_end();
        (is_heading(heading) && self.width < MOST_LINES).then(|| Self {
            width: self.width + 1,
            secret: self.secret | u32::from(is_heading_of_secrets(heading)) << self.width,
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
            RowForm::Headings => Vec::new(),
            RowForm::Lines => vec![(usize::from(self.rows), 0..line.len())],
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
            RowForm::Headings => 1,
            RowForm::Lines => 2,
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

/// Returns whether a line begins an `INSERT` whose columns and values have lines of their own.
fn begins_insert_of_lines(line: &str) -> bool {
    let line = line.trim_end();
    line.ends_with('(') && {
        let mut words = line
            .split([' ', '(', '"', '\'', '`'])
            .filter(|word| !word.is_empty());
        words.any(|word| word.eq_ignore_ascii_case("insert"))
            && words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("into"))
            && line.matches('(').count() == 1
    }
}

/// Returns the list of columns of PostgreSQL's `COPY`, whose rows come below.
fn columns_of_copy(line: &str) -> Option<Range<usize>> {
    let begins = line.get(..5)?.eq_ignore_ascii_case("copy ");
    let open = line.find('(').filter(|_| begins)?;
    let close = open + line[open..].find(')')?;
    let end = line[close + 1..].trim().to_ascii_lowercase();
    end.starts_with("from stdin").then_some(open + 1..close)
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
