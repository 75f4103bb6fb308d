//! GGUF files: each is used, or refused in one line, whatever it contains.

use std::{borrow::Cow, fs, path::PathBuf};

use tabahead_engine::{EngineError, Model};
use tabahead_testkit::Random;

use crate::{
    bounds::{bounded, check_text},
    damage,
    run::{Verdict, fuzz},
};

const FIXTURES: [&str; 8] = [
    "llama",
    "llama-biases",
    "llama-linear",
    "llama-llama3",
    "qwen3",
    // The fixture with a tokenizer contains the most.
    "qwen2",
    "qwen2",
    "qwen2",
];

/// An intact file, and where its numbers are.
struct Sound {
    bytes: Vec<u8>,
    fields: Vec<(usize, usize)>,
    /// Approximate place where its tensors begin.
    data: usize,
}

#[test]
fn gguf_files_are_used_or_refused_in_one_line() {
    let files: Vec<Sound> = FIXTURES
        .iter()
        .map(|name| {
            let bytes = fs::read(fixtures().join(format!("{name}.gguf"))).expect("a fixture");
            let (fields, data) = fields(&bytes);
            assert!(fields.len() > 60, "{name}: {}", fields.len());
            Sound {
                bytes,
                fields,
                data,
            }
        })
        .collect();
    fuzz(
        "gguf",
        500,
        &[("used", 20), ("without a tokenizer", 40), ("refused", 200)],
        |random| {
            let file = damaged(random.pick(&files), random);
            let length = file.len();
            bounded(length, || used(Model::from_bytes(Cow::Owned(file))))?
        },
    );
}

/// Returns the folder of the engine's fixtures.
pub fn fixtures() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.join("../crates/tabahead-engine/tests/fixtures")
}

/// Uses a model as far as it can be used. The computed logits may be NaN; the code that chooses
/// tokens deals with that.
pub fn used(model: Result<Model, EngineError>) -> Verdict {
    let model = match model {
        Ok(model) => model,
        Err(error) => return check_text(&error).map(|()| "refused"),
    };
    let known = model.info();
    let names = [&known.name, &known.architecture, &known.pre_tokenizer];
    if names.iter().any(|name| name.len() > 1 << 20) {
        return Err("a name of a megabyte".to_owned());
    }
    if let Err(error) = model.completes() {
        check_text(&error)?;
    }
    let mut tokens = model.encode("fn größe(x: &str) -> usize {\n\t\tx.len() // 🙂\r\n}\u{0}");
    for token in tokens.iter().copied().chain([0, u32::MAX]) {
        model.token_bytes(token);
    }
    tokens.truncate(5);
    match model.logits(&tokens) {
        Ok(logits) if logits.len() == model.vocabulary_len() => Ok("used"),
        Ok(logits) => Err(format!(
            "{} scores for {} tokens",
            logits.len(),
            model.vocabulary_len()
        )),
        Err(error) => check_text(&error).map(|()| "without a tokenizer"),
    }
}

fn damaged(sound: &Sound, random: &mut Random) -> Vec<u8> {
    let mut file = sound.bytes.clone();
    for _ in 0..damage::pieces(random) {
        match random.below(8) {
            // The value of a number.
            0..=2 => {
                let (at, width) = *random.pick(&sound.fields);
                damage::overwrite(&mut file, at, width, random);
            }
            // The bytes before the tensors.
            3 | 4 => {
                let end = sound.data.min(file.len());
                let mut header = file[..end].to_vec();
                damage::bytes(&mut header, random);
                file.splice(..end, header);
            }
            5 => {
                let end = sound.data.min(file.len());
                let at = random.below(end.max(1));
                if let Some(byte) = file.get_mut(at) {
                    *byte = *random.pick(&[0, 1, 0x7f, 0xff, b'.', b'\n']);
                }
            }
            // A model family under another one's name: all names have five letters.
            6 => {
                let names = [&b"llama"[..], b"qwen2", b"qwen3"];
                let (from, to) = (*random.pick(&names), *random.pick(&names));
                let end = sound.data.min(file.len());
                for at in 0..end.saturating_sub(from.len()) {
                    if &file[at..at + from.len()] == from {
                        file[at..at + from.len()].copy_from_slice(to);
                    }
                }
            }
            _ => damage::bytes(&mut file, random),
        }
    }
    file
}

/// Returns where the numbers before the tensors are, with their widths, and where those numbers
/// end.
fn fields(file: &[u8]) -> (Vec<(usize, usize)>, usize) {
    let mut reader = Reader {
        file,
        at: 4,
        fields: Vec::new(),
    };
    reader.number(4);
    let tensors = reader.number(8);
    let values = reader.number(8);
    for _ in 0..values {
        reader.text();
        let kind = reader.number(4);
        reader.value(kind);
    }
    for _ in 0..tensors {
        reader.text();
        let dimensions = reader.number(4);
        for _ in 0..dimensions {
            reader.number(8);
        }
        reader.number(4);
        reader.number(8);
    }
    (reader.fields, reader.at)
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    fields: Vec<(usize, usize)>,
}

impl Reader<'_> {
    fn number(&mut self, width: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(&self.file[self.at..self.at + width]);
        self.fields.push((self.at, width));
        self.at += width;
        u64::from_le_bytes(bytes)
    }

    fn text(&mut self) {
        let length = self.number(8);
        self.at += length as usize;
    }

    fn value(&mut self, kind: u64) {
        match kind {
            0 | 1 | 7 => drop(self.number(1)),
            2 | 3 => drop(self.number(2)),
            4..=6 => drop(self.number(4)),
            8 => self.text(),
            9 => {
                let kind = self.number(4);
                let count = self.number(8);
                let known = self.fields.len();
                for _ in 0..count {
                    self.value(kind);
                }
                // A few elements of an array are enough.
                self.fields.truncate(known + 4);
            }
            10..=12 => drop(self.number(8)),
            other => panic!("a fixture with values of kind {other}"),
        }
    }
}
