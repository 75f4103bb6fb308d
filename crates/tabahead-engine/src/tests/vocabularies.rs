//! Checks real vocabularies against what `tabahead-tokens` assumes of all vocabularies: the split, the
//! stable boundary, the canonical mark. Also checks them against the ids of other tokenizers.
//!
//! The embedded model's vocabulary is always here. Those of Qwen2 and Llama 3 are in the folder
//! that `TABAHEAD_VOCABULARIES` names, which `cargo xtask prepare` fills.

mod boundary;
mod golden;
mod marks;
mod peers;

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use tabahead_tokens::PreTokenizer;

use super::{Random, skip};
use crate::{TokenId, vocabulary::Vocabulary};

const QWEN2: &str = "ggml-vocab-qwen2.gguf";
const LLAMA3: &str = "ggml-vocab-llama-bpe.gguf";

/// A vocabulary and its pre-tokenizer.
struct Known {
    vocabulary: Vocabulary,
    pre_tokenizer: PreTokenizer,
}

impl Known {
    fn read(file: &Path) -> Self {
        let vocabulary = Vocabulary::of_gguf(file).expect("the vocabulary is supported");
        Self {
            pre_tokenizer: vocabulary.pre_tokenizer(),
            vocabulary,
        }
    }

    fn encode(&self, text: &str) -> Vec<TokenId> {
        self.vocabulary.encode(text)
    }

    /// Returns the end positions of tokens that begin at `start`.
    fn ends(&self, start: usize, tokens: &[TokenId]) -> Vec<usize> {
        let lengths = tokens
            .iter()
            .map(|&token| self.vocabulary.token_bytes(token).len());
        lengths
            .scan(start, |end, length| {
                *end += length;
                Some(*end)
            })
            .collect()
    }
}

/// Returns the embedded model's vocabulary.
fn mini() -> &'static Known {
    static MINI: LazyLock<Known> = LazyLock::new(|| Known::read(&mini_file()));
    &MINI
}

fn mini_file() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates.expect("a folder").join("tabahead-mini/mini.gguf")
}

/// Returns Qwen2's vocabulary, unless it is not here.
fn qwen2() -> Option<&'static Known> {
    static KNOWN: LazyLock<Option<Known>> =
        LazyLock::new(|| real(QWEN2).map(|file| Known::read(&file)));
    KNOWN.as_ref()
}

/// Returns Llama 3's vocabulary, unless it is not here.
fn llama3() -> Option<&'static Known> {
    static KNOWN: LazyLock<Option<Known>> =
        LazyLock::new(|| real(LLAMA3).map(|file| Known::read(&file)));
    KNOWN.as_ref()
}

/// Returns the path of a file that is not part of the repository.
fn real(name: &str) -> Option<PathBuf> {
    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let folder = std::env::var_os("TABAHEAD_VOCABULARIES").map(PathBuf::from);
        if folder.is_none() {
            skip(
                "the vocabularies of Qwen2 and Llama 3",
                "TABAHEAD_VOCABULARIES is not set",
            );
        }
        folder
    });
    FOLDER.as_ref().map(|folder| folder.join(name))
}

/// Pieces of text at whose borders pre-tokenizers and merges have something to decide.
const PIECES: [&[&str]; 8] = [
    &[
        "'", "'s", "'S", "'r", "'re", "'l", "'ll", "'LL", "'v", "'ve", "'d", "'m", "'t", "'ſ", "''",
    ],
    &[
        " ", "  ", "   ", "    ", "\t", "\t\t", " \t", "\t\t}", "        ",
    ],
    &[
        "\n",
        "\n\n",
        "\n    ",
        "\n\t\t",
        "\n \n",
        "\r\n",
        "\r",
        ";\n\n    ",
    ],
    &[
        "(", "){", ";", "=>", "\"", "//", "->", "...", "::<", "();", "_", "====", "})", "*/", "#",
    ],
    &[
        "foo", "x", "bar", "return", "self", "K", "HashMap", "straße", "e", "l", "s", "re", "S",
    ],
    &[" the", " in", " let", " =", " (", " x", " '"],
    &[
        "\u{301}",
        "e\u{301}",
        "é",
        "漢字",
        "漢",
        "ひら",
        "한글",
        "กำ",
        "नमस्ते",
        "ﬁ",
        "İ",
        "ǅ",
        "🦀",
        "👩‍💻",
        "👨‍👩‍👧",
        "\u{fe0f}",
        "\u{200d}",
        "٣",
        "½",
        "²",
        "Ⅷ",
    ],
    &[
        "\u{a0}", "\u{2028}", "\u{85}", "\u{3000}", "\u{b}", "\u{feff}", "\u{200b}",
    ],
];

impl Random {
    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Returns up to `longest` pieces, concatenated.
    fn text(&mut self, longest: usize) -> String {
        let mut text = String::new();
        for _ in 0..self.below(longest + 1) {
            match self.below(10) {
                0 | 1 => {
                    for _ in 0..1 + self.below(7) {
                        text.push(char::from(b'0' + self.below(10) as u8));
                    }
                }
                2 if self.below(4) == 0 => {
                    text.extend(char::from_u32(self.below(0x11_0000) as u32))
                }
                _ => {
                    let pieces = *self.pick(&PIECES);
                    text.push_str(self.pick::<&str>(pieces));
                }
            }
        }
        text
    }
}
