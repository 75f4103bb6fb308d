//! Measures how often a real model's suggestion equals the original text, in this project's own
//! files: they are younger than the model, so it has learned none of them by heart.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{printed, root, small};
use crate::report;

/// File extensions, their languages, and the number of places taken of each.
const LANGUAGES: [(&str, &str, usize); 5] = [
    ("rs", "rust", 100),
    ("lua", "lua", 60),
    ("py", "python", 60),
    ("js", "javascript", 40),
    ("ts", "typescript", 40),
];

/// Folders of these files.
const FOLDERS: [&str; 4] = ["crates", "editors", "examples", "tests"];

/// Folders of files that are not ours, or generated.
const NOT_OURS: [&str; 4] = ["node_modules", "out", "dist", "target"];

/// Minimum share of right places, in percent.
// Three standard errors, 8 points, below the result of a run over all of them: 33.3 %, 35.3 %
// without copying.
const LEAST: f64 = 25.0;

#[test]
fn of_three_hundred_lines_enough_are_right() {
    const TEST: &str = "three hundred places with a real model";
    if !report::is_thorough() {
        return;
    }
    let Some(model) = small(TEST) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let rows = folder.path().join("rows.jsonl");
    let mut file = fs::File::create(&rows).expect("it can be written");
    let places = places();
    for place in &places {
        writeln!(file, "{}", place.row()).expect("it can be written");
    }
    assert_eq!(places.len(), 300);
    let figures = printed(&model, &["eval".as_ref(), rows.as_os_str()]);
    let share = |pointer: &str| {
        let share = figures.pointer(pointer).and_then(serde_json::Value::as_f64);
        share.unwrap_or_else(|| panic!("{pointer} in {figures}")) * 100.0
    };
    let (exact, alone) = (share("/exact"), share("/alone/exact"));
    report::note(
        TEST,
        &format!("{exact:.1} % right, {alone:.1} % without copying"),
    );
    assert!(
        exact >= LEAST,
        "{exact} % are right, {LEAST} % must be: {figures:#}"
    );
}

/// A place in a line.
struct Place {
    path: PathBuf,
    language: &'static str,
    text: String,
    /// Byte range of the line's rest.
    middle: std::ops::Range<usize>,
}

impl Place {
    fn row(&self) -> serde_json::Value {
        json!({
            "prefix": self.text[..self.middle.start],
            "middle": self.text[self.middle.clone()],
            "suffix": self.text[self.middle.end..],
            "language": self.language,
            "path": self.path,
        })
    }
}

/// Returns the places whose lines have the lowest hashes, so that a change of one file moves few of
/// them.
fn places() -> Vec<Place> {
    let mut all: Vec<(u64, Place)> = Vec::new();
    for folder in FOLDERS {
        visit(&root().join(folder), &mut all);
    }
    all.sort_by_key(|(hash, _)| *hash);
    let mut places = Vec::new();
    for (_, language, count) in LANGUAGES {
        let of_language = all.extract_if(.., |(_, place)| place.language == language);
        places.extend(of_language.take(count).map(|(_, place)| place));
    }
    places
}

fn visit(folder: &Path, all: &mut Vec<(u64, Place)>) {
    for entry in fs::read_dir(folder).expect("a folder of this project") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !NOT_OURS.contains(&&*name) && !name.starts_with('.') {
                visit(&path, all);
            }
            continue;
        }
        let ending = path.extension().unwrap_or_default();
        let known = LANGUAGES.iter().find(|(known, ..)| ending == *known);
        if let Some(&(_, language, _)) = known {
            let text = fs::read_to_string(&path).expect("a file of this project");
            add_lowest(path.clone(), language, text, all);
        }
    }
}

/// Adds at most eight places of a file.
fn add_lowest(path: PathBuf, language: &'static str, text: String, all: &mut Vec<(u64, Place)>) {
    let name = path.strip_prefix(root()).expect("it is in the workspace");
    let name = name.to_string_lossy().into_owned();
    let mut start = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        if content.trim_start().len() > 12 {
            lines.push((
                hash(&format!("{name}\n{content}")),
                start..start + content.len(),
            ));
        }
        start += line.len();
    }
    lines.sort_by_key(|(hash, _)| *hash);
    for (hash, line) in lines.into_iter().take(8) {
        let indentation = text[line.clone()].len() - text[line.clone()].trim_start().len();
        // After at least two characters, and before at least two.
        let first = line.start + indentation + 2;
        let mut cut = first + (hash >> 32) as usize % (line.end - 2 - first);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let place = Place {
            path: path.clone(),
            language,
            text: text.clone(),
            middle: cut..line.end,
        };
        all.push((hash, place));
    }
}

/// Returns the FNV-1a hash of a text.
fn hash(text: &str) -> u64 {
    let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}
