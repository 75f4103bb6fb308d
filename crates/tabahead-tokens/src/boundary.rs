//! How tokenizers split text, and the stable boundary: the latest place in a text that stays a token
//! edge whatever follows.
//!
//! Tokenizers first split text into pre-tokens by a pattern and then merge inside each; no token
//! crosses the edge of a pre-token. So an edge that survives every continuation of the text is a
//! place up to which the tokens are known for good. The engine encodes by the same patterns. Knows
//! no vocabulary.

use std::{iter, ops::Range, sync::LazyLock};

use fancy_regex::Regex;

/// How a tokenizer splits text before merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PreTokenizer {
    /// Qwen2's pattern: digits one by one, contractions.
    Qwen2,
    /// Llama 3's pattern: like Qwen2's, but digits form groups of up to three, counted from the
    /// first of a run.
    Llama3,
}

/// The pattern of both tokenizers, as it is in tokenizer.json files; they differ in the alternative
/// for digits.
macro_rules! pattern {
    ($digits:literal) => {
        concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
            r"|[^\r\n\p{L}\p{N}]?\p{L}+",
            "|",
            $digits,
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*",
            r"|\s*[\r\n]+",
            r"|\s+(?!\S)",
            r"|\s+",
        )
    };
}

const QWEN2: &str = pattern!(r"\p{N}");
const LLAMA3: &str = pattern!(r"\p{N}{1,3}");

impl PreTokenizer {
    /// All supported ones.
    pub const ALL: [Self; 2] = [Self::Qwen2, Self::Llama3];

    /// Returns its name: `tokenizer.ggml.pre` in GGUF files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
            Self::Llama3 => "llama-bpe",
        }
    }

    /// Returns the pre-tokenizer of this name, if it is supported.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Returns its pattern, as it is in tokenizer.json files.
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Qwen2 => QWEN2,
            Self::Llama3 => LLAMA3,
        }
    }

    /// Returns the pre-tokens of `text`, in order. They cover it: every character matches some
    /// alternative.
    pub fn split(self, text: &str) -> impl Iterator<Item = Range<usize>> {
        // The regex gives up on runs of a million white space characters. A window's lines are
        // bounded, so no window holds such a run. The text before it is still split correctly, and
        // the rest is one pre-token.
        let mut found = self.regex().find_iter(text);
        let mut end = 0;
        iter::from_fn(move || {
            let start = end;
            end = match found.next() {
                Some(Ok(found)) => found.end(),
                Some(Err(_)) | None => text.len(),
            };
            (start < end).then_some(start..end)
        })
    }

    fn regex(self) -> &'static Regex {
        static QWEN2: LazyLock<Regex> = LazyLock::new(|| compile(PreTokenizer::Qwen2));
        static LLAMA3: LazyLock<Regex> = LazyLock::new(|| compile(PreTokenizer::Llama3));
        match self {
            Self::Qwen2 => &QWEN2,
            Self::Llama3 => &LLAMA3,
        }
    }
}

fn compile(pre_tokenizer: PreTokenizer) -> Regex {
    Regex::new(pre_tokenizer.pattern()).expect("the patterns are constants and compile")
}

/// Returns the stable boundary of `text` in bytes: an edge between pre-tokens under every
/// continuation of `text`, no later than the start of the last pre-token that is not white space.
/// It never moves back when text is appended. It is 0 for a text of white space only.
///
/// Moreover, the text up to the boundary splits on its own as it splits in every continuation. So
/// the tokens of a text are those of the text up to its boundary and those of the rest, each
/// encoded on its own.
///
/// For Qwen2's pattern it is the start of the last solid pre-token, or one character before. The
/// pattern is matched from left to right, and whether a match ends at a place depends on the one
/// character after it, which is already there: it is the start of the pre-token itself. A
/// continuation changes how far the last pre-token reaches, never where it starts: an apostrophe
/// and the letters after it start at the same place whether or not they become a contraction. It
/// may be one character before, because a run of white space gives up its last character when
/// something solid follows (`\s+(?!\S)`): `\t\t}` splits into `\t`, `\t`, `}`, but `\t\t` alone is
/// one pre-token.
///
/// Llama 3's pattern differs in one alternative, and the same holds: a run of digits is cut into
/// threes from its first digit, so appended digits fill the last group or begin new ones. `1234` is
/// `123`, `4`, and stays cut after the `123`, which is also a group on its own. Inside a group
/// nothing is stable, not even its last digit: `12` is one group, and `123` is not `1`, `23`. Nor
/// does a digit take the white space before it: two spaces before a digit are two pre-tokens, as
/// before `}`, and as in Qwen2's pattern.
///
/// Only the last line that is not blank is examined. Its start is an edge: a pre-token that holds a
/// line end ends with one and takes all the line ends that directly follow, or all the white space
/// up to a later one, but no other character. So no pre-token reaches into the line from before it.
pub fn stable_boundary(pre_tokenizer: PreTokenizer, text: &str) -> usize {
    let solid = text.trim_end();
    let start = solid.rfind(['\r', '\n']).map_or(0, |at| at + 1);
    let line = &text[start..];
    // Starts of the last two blank pre-tokens directly before the current one.
    let (mut last, mut one_before) = (None, None);
    let mut boundary = 0;
    for token in pre_tokenizer.split(line) {
        if start + token.start >= solid.len() {
            break;
        }
        if line[token.clone()].trim().is_empty() {
            one_before = last.replace(token.start);
        } else {
            boundary = match (one_before, last) {
                (Some(_), Some(given_away)) => given_away,
                _ => token.start,
            };
            (last, one_before) = (None, None);
        }
    }
    start + boundary
}

#[cfg(test)]
mod tests;
