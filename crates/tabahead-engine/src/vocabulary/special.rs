//! Which tokens are special, and what they mean.
//!
//! A file names them by id if its converter knew them. Older GGUF files and tokenizer.json do not;
//! there the spelling of a token decides. [`SPELLINGS`] is the one table for both. Knows nothing of
//! file formats.

use std::collections::HashMap;

use tabahead_tokens::Marker::{self, File, Middle, Prefix, Suffix};

use super::NORMAL;
use crate::files::texts::Texts;

/// The meaning of a spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A marker of fill-in-the-middle prompts. As output it ends a middle.
    Mark(Marker),
    /// The end of a document, which a model trained to fill in the middle writes after a middle.
    End,
    /// Any other token that ends a middle: ends of turns, padding, separators.
    Stop,
}

use Meaning::{End, Mark, Stop};

/// Spellings of special tokens in the model families that complete code, and in the chat models
/// derived from them.
#[rustfmt::skip]
const SPELLINGS: &[(&str, Meaning)] = &[
    // Qwen2.5-Coder, Qwen3-Coder, CodeGemma, Granite 4, and our own.
    ("<|fim_prefix|>", Mark(Prefix)), ("<|fim_suffix|>", Mark(Suffix)), ("<|fim_middle|>", Mark(Middle)),
    // StarCoder, Granite, Mellum, SmolLM; SantaCoder.
    ("<fim_prefix>", Mark(Prefix)), ("<fim_suffix>", Mark(Suffix)), ("<fim_middle>", Mark(Middle)),
    ("<fim-prefix>", Mark(Prefix)), ("<fim-suffix>", Mark(Suffix)), ("<fim-middle>", Mark(Middle)),
    // DeepSeek-Coder: the beginning, the hole between the two texts, and the end of the prompt.
    ("<｜fim▁begin｜>", Mark(Prefix)), ("<｜fim▁hole｜>", Mark(Suffix)), ("<｜fim▁end｜>", Mark(Middle)),
    // CodeLlama, with or without the space that SentencePiece writes.
    ("<PRE>", Mark(Prefix)), ("<SUF>", Mark(Suffix)), ("<MID>", Mark(Middle)),
    ("▁<PRE>", Mark(Prefix)), ("▁<SUF>", Mark(Suffix)), ("▁<MID>", Mark(Middle)),
    // Codestral.
    ("[PREFIX]", Mark(Prefix)), ("[SUFFIX]", Mark(Suffix)), ("[MIDDLE]", Mark(Middle)),
    // Seed-Coder.
    ("<[fim-prefix]>", Mark(Prefix)), ("<[fim-suffix]>", Mark(Suffix)), ("<[fim-middle]>", Mark(Middle)),
    // Beginnings of files.
    ("<|file_sep|>", Mark(File)), ("<file_sep>", Mark(File)), ("<|file_separator|>", Mark(File)),
    ("<filename>", Mark(File)), ("<|filename|>", Mark(File)),
    // Ends of a text.
    ("<|endoftext|>", End), ("<|end_of_text|>", End), ("<｜end▁of▁sentence｜>", End),
    ("<[end▁of▁sentence]>", End), ("<EOT>", End), ("▁<EOT>", End), ("</s>", End), ("<eos>", End),
    // Ends of turns.
    ("<|im_end|>", Stop), ("<|im_start|>", Stop), ("<|eot_id|>", Stop), ("<|eom_id|>", Stop), ("<|EOT|>", Stop),
    ("<|end|>", Stop), ("<|eot|>", Stop), ("<end_of_turn>", Stop), ("<start_of_turn>", Stop), ("<|end_of_turn|>", Stop),
    ("<|end_of_role|>", Stop), ("<|start_of_role|>", Stop), ("<end_of_utterance>", Stop), ("<｜User｜>", Stop), ("<｜Assistant｜>", Stop),
    // Padding.
    ("<|fim_pad|>", Stop), ("<fim_pad>", Stop), ("<fim-pad>", Stop), ("<pad>", Stop), ("<|pad|>", Stop), ("<[PAD▁TOKEN]>", Stop),
    ("<｜▁pad▁｜>", Stop),
    // Repositories, and the other separators of StarCoder's corpus.
    ("<|repo_name|>", Stop), ("<repo_name>", Stop), ("<reponame>", Stop), ("<|reponame|>", Stop), ("<gh_stars>", Stop), ("<|gh_stars|>", Stop),
    ("<issue_start>", Stop), ("<issue_comment>", Stop), ("<issue_closed>", Stop), ("<jupyter_start>", Stop), ("<jupyter_text>", Stop),
    ("<jupyter_code>", Stop), ("<jupyter_output>", Stop), ("<jupyter_script>", Stop), ("<empty_output>", Stop), ("<commit_before>", Stop),
    ("<commit_msg>", Stop), ("<commit_after>", Stop), ("<pr>", Stop),
];

/// The special tokens that the metadata of a file state; each may be missing.
#[derive(Debug, Default)]
pub(crate) struct StatedTokens {
    /// Markers by id.
    pub(crate) markers: HashMap<Marker, usize>,
    /// Ends of a text or of a turn, padding and separators. The first one is the end of a text.
    pub(crate) stops: Vec<usize>,
    /// The token that every text begins with, if the file asks for one.
    pub(crate) begin: Option<usize>,
}

/// The special tokens of a vocabulary.
#[derive(Debug, Default)]
pub(crate) struct Specials {
    /// Markers by id.
    pub(crate) markers: HashMap<Marker, usize>,
    /// Every token that ends a middle, markers and the begin included.
    pub(crate) stops: Vec<usize>,
    /// The token that every text begins with.
    pub(crate) begin: Option<usize>,
    /// The token that ends a text.
    pub(crate) end: Option<usize>,
}

impl Specials {
    /// Finds the special tokens of a vocabulary. What the file states takes precedence over the
    /// meaning of a spelling, and an earlier row of [`SPELLINGS`] over a later one.
    pub(crate) fn find(stated: StatedTokens, tokens: &Texts, types: &[usize]) -> Self {
        let rows: HashMap<&str, usize> = SPELLINGS
            .iter()
            .enumerate()
            .map(|(row, (spelling, _))| (*spelling, row))
            .collect();
        let mut found: Vec<(usize, usize)> = tokens
            .iter()
            .zip(types)
            .enumerate()
            .filter(|(_, (token, token_type))| **token_type != NORMAL || is_unmistakable(token))
            .filter_map(|(id, (token, _))| Some((*rows.get(token)?, id)))
            .collect();
        found.sort_unstable();

        let StatedTokens {
            mut markers,
            mut stops,
            begin,
        } = stated;
        let mut end = None;
        for (row, id) in found {
            match SPELLINGS[row].1 {
                Mark(marker) => {
                    markers.entry(marker).or_insert(id);
                }
                End => {
                    end.get_or_insert(id);
                }
                Stop => {}
            }
            stops.push(id);
        }
        // The file of an instruct model declares the end of a turn as its end; a middle ends as
        // documents do.
        let end = end.or(stops.first().copied());
        stops.extend(markers.values().copied().chain(begin));
        Self {
            markers,
            stops,
            begin,
            end,
        }
    }
}

/// Returns whether a spelling is a special token even if the file declares it ordinary text, as
/// files of careless converters do. `</s>` or `<pad>` may be markup in a user's text.
fn is_unmistakable(token: &str) -> bool {
    (token.starts_with("<|") && token.ends_with("|>"))
        || (token.starts_with("<｜") && token.ends_with("｜>"))
        || token.starts_with("<fim_")
        || token.starts_with("<fim-")
        || token.starts_with("<[fim-")
}

#[cfg(test)]
mod tests;
