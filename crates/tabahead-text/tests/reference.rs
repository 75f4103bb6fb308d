//! Our document against `vscode-languageserver-textdocument`, which most language servers use, on
//! generated edit scripts.
//!
//! The reference counts UTF-16 code units, so this covers that encoding only. One kind of position
//! is left out: inside a surrogate pair the reference cuts the character in two, which leaves text
//! that is not valid Unicode; ours has a substitute for each half (`properties.rs`). `reference.js`
//! explains where the reference needs help.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tabahead_testkit::Random;
use tabahead_text::{Document, Edit, Offset, Position, PositionEncoding, Range, Version};

/// Number of scripts compared; ten times as many if `TABAHEAD_THOROUGH` is set.
const SCRIPTS: u64 = 12_000;

const PIECES: [&str; 18] = [
    "a",
    "foo(bar)",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "é",
    "e\u{301}",
    "日本",
    "🙂",
    "👩\u{200d}💻",
    "\t",
    "\u{2028}",
    "\u{b}",
    "\u{85}",
    "",
    "x\ny\r\nz",
];

#[test]
fn edit_scripts_give_the_texts_and_positions_of_the_reference() {
    let Some(modules) = reference_modules() else {
        return;
    };
    let factor = if std::env::var_os("TABAHEAD_THOROUGH").is_some() {
        10
    } else {
        1
    };
    let scripts: Vec<Script> = (0..SCRIPTS * factor).map(Script::generated).collect();
    let input: String = scripts
        .iter()
        .map(|script| format!("{}\n", script.to_json()))
        .collect();
    let output = run_reference(&modules, &input);
    let answers: Vec<&str> = output.lines().collect();
    assert_eq!(answers.len(), scripts.len());
    let mut compared = 0;
    for (script, answer) in scripts.iter().zip(answers) {
        let answer: Value = serde_json::from_str(answer).expect("the reference writes JSON");
        assert_eq!(script.ours(), answer, "{}", script.to_json());
        compared += script.positions.len() + script.offsets.len();
    }
    println!(
        "{} scripts, {compared} positions and offsets, no difference",
        scripts.len()
    );
}

/// A text, edits of it, and places to query in the final text.
struct Script {
    text: String,
    versions: Vec<Vec<Edit>>,
    positions: Vec<Position>,
    /// Offsets in UTF-16 code units, at character boundaries.
    offsets: Vec<usize>,
}

impl Script {
    /// Generates the script of a seed. Applies the edits to a plain string on the way, so that
    /// positions inside a surrogate pair can be left out.
    fn generated(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let text: String = (0..random.below(12))
            .map(|_| *random.pick(&PIECES))
            .collect();
        let mut now = text.clone();
        let mut versions = Vec::new();
        for _ in 0..=random.below(3) {
            let mut edits = Vec::new();
            for _ in 0..=random.below(3) {
                let inserted: String = (0..random.below(4))
                    .map(|_| *random.pick(&PIECES))
                    .collect();
                let range = (random.below(12) > 0).then(|| Range {
                    start: position(&mut random, &now),
                    end: position(&mut random, &now),
                });
                let edit = Edit {
                    range,
                    text: inserted,
                };
                now = applied(&now, &edit);
                edits.push(edit);
            }
            versions.push(edits);
        }
        let positions = (0..6).map(|_| position(&mut random, &now)).collect();
        let offsets = (0..6)
            .map(|_| {
                let characters = now.chars().count();
                now.chars()
                    .take(random.below(characters + 3))
                    .map(char::len_utf16)
                    .sum()
            })
            .collect();
        Self {
            text,
            versions,
            positions,
            offsets,
        }
    }

    fn to_json(&self) -> Value {
        let change = |edit: &Edit| match edit.range {
            Some(range) => json!({
                "range": {"start": to_json(range.start), "end": to_json(range.end)},
                "text": edit.text,
            }),
            None => json!({"text": edit.text}),
        };
        let versions: Vec<Vec<Value>> = self
            .versions
            .iter()
            .map(|edits| edits.iter().map(change).collect())
            .collect();
        let positions: Vec<Value> = self.positions.iter().copied().map(to_json).collect();
        json!({"text": self.text, "versions": versions, "positions": positions, "offsets": self.offsets})
    }

    /// Returns what our document makes of the script, in the shape of the reference's answer.
    fn ours(&self) -> Value {
        let mut document = Document::new(&self.text, Version(0));
        let mut texts = Vec::new();
        for (version, edits) in (1..).zip(&self.versions) {
            document.apply(edits, PositionEncoding::Utf16, Version(version));
            texts.push(whole(&document));
        }
        let text = whole(&document);
        let offsets: Vec<usize> = self
            .positions
            .iter()
            .map(|&position| {
                let offset = document.offset_of(position, PositionEncoding::Utf16);
                text[..offset.0].encode_utf16().count()
            })
            .collect();
        let positions: Vec<Value> = self
            .offsets
            .iter()
            .map(|&units| {
                let offset = Offset(bytes_of_units(&text, units));
                to_json(document.position_of(offset, PositionEncoding::Utf16))
            })
            .collect();
        json!({
            "texts": texts, "offsets": offsets, "positions": positions,
            "lines": document.line_count(),
        })
    }
}

fn to_json(position: Position) -> Value {
    json!({"line": position.line, "character": position.character})
}

fn whole(document: &Document) -> String {
    document.slice(Offset(0)..Offset(document.len()))
}

fn bytes_of_units(text: &str, units: usize) -> usize {
    let mut counted = 0;
    for (at, character) in text.char_indices() {
        if counted >= units {
            return at;
        }
        counted += character.len_utf16();
    }
    text.len()
}

/// Returns a position in or around a text, but not inside a surrogate pair.
fn position(random: &mut Random, text: &str) -> Position {
    loop {
        let lines = lines(text);
        let line = random.below(lines.len() + 2);
        let content = lines.get(line).copied().unwrap_or_default();
        let units = content.encode_utf16().count();
        let character = if random.below(20) == 0 {
            u32::MAX as usize >> 1
        } else {
            random.below(units + 3)
        };
        if character >= units || is_character_border(content, character) {
            return Position {
                line: line as u32,
                character: character as u32,
            };
        }
    }
}

fn is_character_border(line: &str, units: usize) -> bool {
    line[..bytes_of_units(line, units)].encode_utf16().count() == units
}

/// Returns the lines of a text without their ends; LF, CRLF and CR end a line.
fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\r', '\n']) {
        let length = if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        lines.push(&rest[..at]);
        rest = &rest[at + length..];
    }
    lines.push(rest);
    lines
}

/// Returns a plain string after an edit; only good enough to generate the next position.
fn applied(text: &str, edit: &Edit) -> String {
    let mut document = Document::new(text, Version(0));
    document.apply(
        std::slice::from_ref(edit),
        PositionEncoding::Utf16,
        Version(1),
    );
    whole(&document)
}

/// Returns the folder with `node_modules`, as `cargo xtask test` prepares it. Without it the test
/// is skipped with a message; with `TABAHEAD_REQUIRE_ALL` it fails.
fn reference_modules() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("TABAHEAD_NODE") {
        return Some(PathBuf::from(folder));
    }
    assert!(
        std::env::var_os("TABAHEAD_REQUIRE_ALL").is_none(),
        "the reference must be there: TABAHEAD_NODE is not set"
    );
    eprintln!("SKIPPED the comparison with the reference document: TABAHEAD_NODE is not set");
    None
}

fn run_reference(modules: &Path, input: &str) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/reference.js");
    let mut node = Command::new("node")
        .arg(script)
        .env("NODE_PATH", modules.join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut stdin = node.stdin.take().expect("stdin is piped");
    // The script reads everything before it writes anything, so this cannot block forever.
    stdin.write_all(input.as_bytes()).expect("node reads");
    drop(stdin);
    let output = node.wait_with_output().expect("node ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("node writes UTF-8")
}
