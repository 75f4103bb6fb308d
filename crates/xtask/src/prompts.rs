//! `cargo xtask prompts`: builds training rows for a model, with the same code that builds prompts.
//!
//! Takes pieces out of source files at seeded random places, as if the user had not typed them yet,
//! and writes what `tabahead-context` would show a model there, with the answer. Knows no
//! tokenizer; `crates/tabahead-mini/training/pack.py` reads the rows.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    ops::Range,
    path::PathBuf,
};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};
use tabahead_context::{ContextSettings, ContextWindow, DocumentName, Layout, OpenFile, OpenFiles};
use tabahead_text::{Document, Offset, Version};

/// Maximum length of a middle in bytes; a completion at the cursor is not longer.
const LONGEST_MIDDLE: usize = 1200;
/// Maximum number of places to try for a row.
const TRIES: usize = 8;
/// Mean length of a random span, in bytes.
const MEAN_SPAN: f64 = 60.0;

/// Options of `cargo xtask prompts`.
#[derive(Debug, Args)]
pub struct PromptsArguments {
    /// File of JSON lines with `repo`, `path`, `language` and `text` (LF only).
    files: PathBuf,
    /// Average number of bytes of a file per row.
    #[arg(long, default_value_t = 1600.0)]
    density: f64,
    /// Share of rows with a small window, so that more of a training row is middle.
    #[arg(long, default_value_t = 0.6)]
    small: f64,
    /// Seed of the random places.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Layouts, dealt to the rows in turn; the places do not depend on them.
    #[arg(long, value_delimiter = ',', default_value = "suffix-first")]
    layout: Vec<Layout>,
    /// Bytes on each side of the window to write as well, as text that an answer may be copied
    /// from.
    #[arg(long, default_value_t = 0)]
    copy: usize,
    /// Number of files of the same repository and language to write as well, as if they were open:
    /// the nearest.
    #[arg(long, default_value_t = 0)]
    open_files: usize,
}

#[derive(Debug, Deserialize)]
struct SourceFile {
    #[serde(default)]
    repo: String,
    path: String,
    language: String,
    text: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct TrainingRow {
    layout: &'static str,
    file_name: String,
    /// Text before the suffix; empty in the suffix-first layout.
    before: String,
    suffix: String,
    /// Text that continues into the middle; empty in the split layout.
    tail: String,
    middle: String,
    /// Text that may be copied from, without the tail.
    #[serde(skip_serializing_if = "Option::is_none")]
    copied: Option<Copied>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Copied {
    before: String,
    after: String,
    open_files: Vec<String>,
}

/// Writes the rows to stdout.
pub fn run(arguments: &PromptsArguments) -> Result<bool> {
    let path = &arguments.files;
    let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut sources = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let source: SourceFile = serde_json::from_str(&line?)
            .with_context(|| format!("line {} is not a file's row", number + 1))?;
        sources.push(source);
    }
    for source in &sources {
        let open_files = beside(source, &sources, arguments);
        for row in rows(source, &open_files, arguments) {
            serde_json::to_writer(&mut out, &row)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(true)
}

/// Returns the files of the same repository and language in the nearest folders; the seed breaks
/// ties.
fn beside(source: &SourceFile, sources: &[SourceFile], arguments: &PromptsArguments) -> OpenFiles {
    if arguments.open_files == 0 {
        return OpenFiles::default();
    }
    let folders = |path: &str| path.matches('/').count();
    let same = sources.iter().filter(|other| {
        other.repo == source.repo && other.language == source.language && other.path != source.path
    });
    let mut same: Vec<_> = same
        .map(|other| {
            let pairs = source.path.split('/').zip(other.path.split('/'));
            let shared = pairs.take_while(|(one, other)| one == other).count();
            let apart = folders(&source.path) + folders(&other.path) - 2 * shared;
            let draw = Dice::new(arguments.seed, &format!("{} {}", source.path, other.path)).next();
            (apart, draw, other)
        })
        .collect();
    same.sort_unstable_by_key(|(apart, draw, _)| (*apart, *draw));
    let nearest = same.iter().take(arguments.open_files);
    let files: Vec<_> = nearest
        .map(|(.., file)| OpenFile::new(&Document::new(&file.text, Version(0))))
        .collect();
    OpenFiles::new(&files)
}

/// Returns the rows of one file; the same for the same path, text, open files and arguments.
fn rows(
    source: &SourceFile,
    open_files: &OpenFiles,
    arguments: &PromptsArguments,
) -> Vec<TrainingRow> {
    let text = source.text.as_str();
    let mut dice = Dice::new(arguments.seed, &source.path);
    let document = Document::new(text, Version(0));
    let name = DocumentName {
        open_files: open_files.clone(),
        ..DocumentName::new(
            source.path.rsplit('/').next().unwrap_or(""),
            &source.language,
        )
    };
    let wanted = text.len() as f64 / arguments.density;
    let count = wanted as usize + usize::from(dice.share() < wanted.fract());
    let mut rows = Vec::with_capacity(count);
    for number in 0..count {
        let Some(cut) = (0..TRIES).find_map(|_| cut(&mut dice, text)) else {
            continue;
        };
        let mut settings = ContextSettings {
            copy_budget: arguments.copy,
            ..ContextSettings::default()
        };
        if dice.share() < arguments.small {
            settings.prefix_budget = Some(300 + dice.below(501));
            settings.suffix_budget = Some(100 + dice.below(201));
        }
        let buffer = document.with_replaced(Offset(cut.start)..Offset(cut.end), "");
        let cursor = Offset(cut.start);
        let layout = arguments.layout[number % arguments.layout.len()];
        let window = ContextWindow::new(&buffer, cursor, &name, layout, &settings, 0);
        // The line is too long: the model is never asked there.
        let Ok(window) = window else { continue };
        let copied = window.copy_source(&buffer).map(|source| Copied {
            before: source.before,
            after: source.after,
            open_files: source
                .open_files
                .iter()
                .map(|text| text.to_string())
                .collect(),
        });
        rows.push(TrainingRow {
            copied,
            layout: layout.as_str(),
            file_name: name.file_name.clone(),
            before: window.before_anchor,
            // The model has to write what is left out of the suffix.
            middle: format!("{}{}", &text[cut], window.left_out),
            suffix: window.suffix,
            tail: window.tail,
        });
    }
    rows
}

/// Chooses a piece to take out: not blank, and on character boundaries. Returns `None` if the place
/// has none.
fn cut(dice: &mut Dice, text: &str) -> Option<Range<usize>> {
    if text.is_empty() {
        return None;
    }
    let kind = dice.share();
    let at = text.floor_char_boundary(dice.below(text.len()));
    let line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |n| from + n);
    let end = line_end(at);
    let cut = if kind < 0.70 {
        // The rest of the line; in some cases with one or two more lines.
        if text[at..end].trim().is_empty() {
            return None;
        }
        let more = if kind < 0.55 { 0 } else { 1 + dice.below(2) };
        let last = (0..more).fold(end, |end, _| line_end((end + 1).min(text.len())));
        at..last
    } else if kind < 0.82 {
        // A whole line: without its indentation, or with the line end before it.
        let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
        let line = &text[start..end];
        if start == 0 || dice.share() < 0.5 {
            start + line.len() - line.trim_start().len()..end
        } else {
            start - 1..end
        }
    } else {
        let length = 1 + (-MEAN_SPAN * (1.0 - dice.share()).ln()) as usize;
        at..text.ceil_char_boundary((at + length).min(text.len()))
    };
    let fits = cut.len() <= LONGEST_MIDDLE && !text[cut.clone()].trim().is_empty();
    fits.then_some(cut)
}

/// Seeded random numbers (SplitMix64), the same on every machine.
struct Dice(u64);

impl Dice {
    /// Returns the sequence of a seed and a file, whatever the order of the files.
    fn new(seed: u64, path: &str) -> Self {
        // FNV-1a.
        let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(path.bytes().fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 up to, but not including, 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number from 0 up to, but not including, `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.share() * end as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> SourceFile {
        let function = |n: usize| {
            format!(
                "/// Doubles é {n}.\nfn double_{n}(a: u32) -> u32 {{\n    add(a, [a; {n}][0])\n}}\n\n"
            )
        };
        SourceFile {
            repo: "one/repository".to_string(),
            path: "src/double.rs".to_string(),
            language: "rust".to_string(),
            text: (0..200).map(function).collect(),
        }
    }

    fn arguments(density: f64, seed: u64, layout: &[Layout]) -> PromptsArguments {
        PromptsArguments {
            files: PathBuf::new(),
            density,
            small: 0.6,
            seed,
            layout: layout.to_vec(),
            copy: 0,
            open_files: 0,
        }
    }

    fn suffix_first(density: f64, seed: u64) -> PromptsArguments {
        arguments(density, seed, &[Layout::SuffixFirst])
    }

    #[test]
    fn a_row_spells_the_file_around_its_place() {
        let source = source();
        let rows = rows(
            &source,
            &OpenFiles::default(),
            &arguments(40.0, 1, &Layout::ALL),
        );
        assert!(rows.len() > 300, "{} rows", rows.len());
        for row in &rows {
            let spelled = format!("{}{}{}{}", row.before, row.tail, row.middle, row.suffix);
            assert!(source.text.contains(&spelled), "{row:?}");
            assert!(!row.middle.trim().is_empty(), "{row:?}");
            assert_eq!(row.file_name, "double.rs");
        }
    }

    #[test]
    fn closers_left_out_of_the_suffix_are_part_of_the_middle() {
        let rows = rows(&source(), &OpenFiles::default(), &suffix_first(40.0, 1));
        let closing = |row: &&TrainingRow| row.tail.ends_with("add(") && row.middle.contains(')');
        let row = rows
            .iter()
            .find(closing)
            .expect("some place is after the bracket");
        assert!(!row.suffix.trim_start().starts_with(')'), "{row:?}");
    }

    #[test]
    fn what_may_be_copied_is_the_file_around_the_window() {
        let source = source();
        let whole = PromptsArguments {
            copy: source.text.len(),
            ..suffix_first(400.0, 1)
        };
        for row in rows(&source, &OpenFiles::default(), &whole) {
            let copied = row.copied.expect("copying is on");
            let spelled = format!(
                "{}{}{}{}",
                copied.before, row.tail, row.middle, copied.after
            );
            assert_eq!(spelled, source.text);
        }
    }

    #[test]
    fn the_nearest_files_of_the_same_repository_and_language_are_open() {
        let file = |repo: &str, path: &str, language: &str| SourceFile {
            repo: repo.to_string(),
            path: path.to_string(),
            language: language.to_string(),
            text: format!("{repo} {path}"),
        };
        let sources = [
            file("a", "src/one/two/here.rs", "rust"),
            file("a", "src/one/two/near.rs", "rust"),
            file("a", "src/one/up.rs", "rust"),
            file("a", "tests/far.rs", "rust"),
            file("a", "src/one/two/other.py", "python"),
            file("b", "src/one/two/other.rs", "rust"),
        ];
        let open = |count| {
            let arguments = PromptsArguments {
                open_files: count,
                ..suffix_first(100.0, 1)
            };
            let files = beside(&sources[0], &sources, &arguments);
            let mut texts: Vec<_> = files.texts().iter().map(|text| text.to_string()).collect();
            texts.sort_unstable();
            texts
        };
        assert_eq!(open(0), Vec::<String>::new());
        assert_eq!(open(2), ["a src/one/two/near.rs", "a src/one/up.rs"]);
        assert_eq!(open(9).len(), 3);
    }

    #[test]
    fn a_seed_gives_the_same_rows_and_another_seed_others() {
        let source = source();
        let of_seed = |seed| rows(&source, &OpenFiles::default(), &suffix_first(100.0, seed));
        assert_eq!(of_seed(1), of_seed(1));
        assert_ne!(of_seed(1), of_seed(2));
    }

    #[test]
    fn layouts_are_dealt_in_turn_over_the_same_places() {
        let source = source();
        let cut =
            |layouts: &[Layout]| rows(&source, &OpenFiles::default(), &arguments(40.0, 1, layouts));
        let (mixed, first) = (cut(&Layout::ALL), cut(&[Layout::SuffixFirst]));
        let (mut same, mut split) = (0, 0);
        for (mixed, first) in mixed.iter().zip(&first) {
            same += usize::from(mixed == first);
            split += usize::from(mixed.layout == "split" && mixed.tail.is_empty());
            assert!(
                first.middle.starts_with(&mixed.middle) || mixed.middle.starts_with(&first.middle)
            );
        }
        assert!(same > 100 && split > 100, "{same}, {split}");
    }

    #[test]
    fn a_file_that_is_empty_blank_or_one_long_line_gives_nothing() {
        for text in ["", "\n\n \n", &"x".repeat(50_000)] {
            let source = SourceFile {
                text: text.to_string(),
                ..source()
            };
            assert_eq!(
                rows(&source, &OpenFiles::default(), &suffix_first(100.0, 1)),
                []
            );
        }
    }
}
