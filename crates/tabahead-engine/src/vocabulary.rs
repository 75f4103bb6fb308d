//! Text to tokens and tokens to bytes.
//!
//! Encoding is canonical and knows no special tokens: markers enter a prompt only as ids. The bytes
//! of a token are bytes, not text: one character may span several tokens. `vocabulary/metadata.rs`
//! (GGUF) and `vocabulary/json.rs` (tokenizer.json) read what a file states of its tokenizer; here
//! the vocabulary is built from it in the same way for both.

pub(crate) mod json;
mod merges;
pub(crate) mod metadata;
#[cfg(test)]
pub(crate) mod peer;
mod special;

use std::{collections::HashMap, ops::Range};

use tabahead_tokens::{Marker, PreTokenizer};

use self::{
    merges::{Merges, Workspace},
    special::Specials,
};
use crate::{EngineError, TokenId, error::refuse, files::texts::Texts};

/// GGUF's numbers for token types: ordinary text, a marker, unused, a single byte.
const NORMAL: usize = 1;
const CONTROL: usize = 3;
const UNUSED: usize = 5;
const BYTE: usize = 6;

/// A byte-level BPE tokenizer, as a file states it.
#[derive(Debug)]
pub(crate) struct Parts {
    pre_tokenizer: PreTokenizer,
    tokens: Texts,
    types: Vec<usize>,
    /// Merges, each as two tokens with a space between them.
    merges: Texts,
    /// Whether a pre-token that is a whole entry becomes that token, whatever the merges would
    /// give.
    ignore_merges: bool,
    specials: Specials,
}

#[cfg(test)]
impl Parts {
    fn of_gguf(path: &std::path::Path) -> Result<Self, EngineError> {
        use crate::files::storage::{Meter, Storage};

        let file = std::fs::File::open(path).expect("the file is there");
        let storage = Storage::file(file, &Meter::new(None)).expect("the file can be read");
        metadata::take(&mut crate::files::gguf::GgufFile::read(storage.into())?)
    }
}

/// What decoding may do with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TokenKind {
    /// The token spells bytes.
    Text,
    /// The token ends a suggestion.
    Stop,
    /// The token is never decoded: it spells nothing, or a carriage return.
    Masked,
}

/// The tokens of a model.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    pre_tokenizer: PreTokenizer,
    merges: Merges,
    /// Tokens that a pre-token becomes as a whole, whatever the merges give, sorted by their bytes.
    wholes: Vec<TokenId>,
    /// All spellings, concatenated.
    bytes: Vec<u8>,
    spans: Vec<Range<u32>>,
    /// Kinds as numbers, for the kernel that chooses.
    kinds: Vec<u8>,
    /// Text tokens, sorted by their bytes.
    sorted: Vec<TokenId>,
    markers: HashMap<Marker, TokenId>,
    /// The token that every text begins with.
    begin: Option<TokenId>,
    /// The token that ends a text.
    end: Option<TokenId>,
}

impl Vocabulary {
    /// Builds the vocabulary of a model whose embedding table has `rows` rows.
    pub(crate) fn new(parts: Parts, rows: usize) -> Result<Self, EngineError> {
        let vocabulary = Self::build(parts, rows)?;
        vocabulary.refuse_missing_bytes()?;
        Ok(vocabulary)
    }

    /// Reads the vocabulary of a GGUF file, which may hold no model.
    #[cfg(test)]
    pub(crate) fn of_gguf(path: &std::path::Path) -> Result<Self, EngineError> {
        let parts = Parts::of_gguf(path)?;
        let rows = parts.tokens.len();
        Self::new(parts, rows)
    }

    /// Builds a vocabulary of up to 94 tokens that spell one letter each, to decode with models
    /// that have no tokenizer.
    #[cfg(test)]
    pub(crate) fn letters(rows: usize) -> Self {
        let parts = Parts {
            pre_tokenizer: PreTokenizer::Qwen2,
            tokens: ('!'..='~').take(rows).map(String::from).collect(),
            types: vec![NORMAL; rows.min(94)],
            merges: Texts::default(),
            ignore_merges: false,
            specials: Specials::default(),
        };
        Self::build(parts, rows).expect("letters are tokens")
    }

    fn build(parts: Parts, rows: usize) -> Result<Self, EngineError> {
        let Parts {
            pre_tokenizer,
            mut tokens,
            mut types,
            merges,
            ignore_merges,
            specials,
        } = parts;
        if types.len() != tokens.len() {
            return Err(refuse(
                "the vocabulary and its token types differ in length",
            ));
        }
        if tokens.len() > rows || u32::try_from(rows).is_err() {
            return Err(refuse(format!(
                "a vocabulary of {} tokens does not fit an embedding table of {rows} rows",
                tokens.len()
            )));
        }
        let Specials {
            markers,
            stops,
            begin,
            end,
        } = specials;
        if let Some((marker, id)) = markers.iter().find(|(_, id)| **id >= tokens.len()) {
            return Err(refuse(format!(
                "the {marker:?} token is {id}, beyond the vocabulary"
            )));
        }
        if let Some(id) = begin.filter(|id| *id >= tokens.len()) {
            return Err(refuse(format!(
                "the Begin token is {id}, beyond the vocabulary"
            )));
        }
        // Tables are often padded with rows after the last token.
        tokens.extend((tokens.len()..rows).map(padding));
        types.resize(rows, UNUSED);
        let markers = markers.into_iter();

        let table = bytes_by_char();
        let Spelled {
            bytes,
            spans,
            words,
            kinds,
        } = spell(&tokens, &types, &stops, &table)?;
        let spelling = |token: TokenId| of_span(&bytes, &spans[token as usize]);
        let words = (0..rows as TokenId).filter_map(|token| {
            let word = of_span(&bytes, &words[token as usize]);
            (!word.is_empty()).then_some((word, token))
        });
        let merges = Merges::new(words, &merges, |char| byte_of(&table, char))?;
        Ok(Self {
            pre_tokenizer,
            merges,
            wholes: if ignore_merges {
                sorted(rows, spelling, |token| !spelling(token).is_empty())
            } else {
                Vec::new()
            },
            sorted: sorted(rows, spelling, |token| {
                kinds[token as usize] == TokenKind::Text
            }),
            bytes,
            spans,
            kinds: kinds.into_iter().map(|kind| kind as u8).collect(),
            markers: markers
                .map(|(marker, id)| (marker, id as TokenId))
                .collect(),
            begin: begin.map(|id| id as TokenId),
            end: end.map(|id| id as TokenId),
        })
    }

    pub(crate) fn pre_tokenizer(&self) -> PreTokenizer {
        self.pre_tokenizer
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn kind(&self, token: TokenId) -> TokenKind {
        match self.kinds[token as usize] {
            0 => TokenKind::Text,
            1 => TokenKind::Stop,
            _ => TokenKind::Masked,
        }
    }

    /// Returns the kinds of all tokens, as numbers in the order of the variants of [`TokenKind`].
    pub(crate) fn kinds(&self) -> &[u8] {
        &self.kinds
    }

    pub(crate) fn marker(&self, marker: Marker) -> Option<TokenId> {
        self.markers.get(&marker).copied()
    }

    /// Returns the token that every text begins with, if the file asks for one.
    pub(crate) fn begin(&self) -> Option<TokenId> {
        self.begin
    }

    /// Returns the token that ends a text, if the model has one.
    pub(crate) fn end(&self) -> Option<TokenId> {
        self.end
    }

    pub(crate) fn token_bytes(&self, token: TokenId) -> &[u8] {
        match self.spans.get(token as usize) {
            Some(span) => of_span(&self.bytes, span),
            None => &[],
        }
    }

    pub(crate) fn encode(&self, text: &str) -> Vec<TokenId> {
        let mut tokens = Vec::new();
        let mut workspace = Workspace::default();
        for range in self.pre_tokenizer.split(text) {
            let word = &text.as_bytes()[range];
            match self.whole(word) {
                Some(token) => tokens.push(token),
                None => self.merges.encode(word, &mut workspace, &mut tokens),
            }
        }
        tokens
    }

    /// Returns the token that a pre-token becomes as a whole; the last of several equal ones.
    fn whole(&self, word: &[u8]) -> Option<TokenId> {
        let end = self
            .wholes
            .partition_point(|&token| self.token_bytes(token) <= word);
        let token = self.wholes[..end].last().copied()?;
        (self.token_bytes(token) == word).then_some(token)
    }

    /// Returns the text tokens that can come next if `forced` must be spelled: each spells a prefix
    /// of it, or all of it and perhaps more.
    pub(crate) fn candidates(&self, forced: &[u8]) -> impl Iterator<Item = TokenId> {
        let shorter = (1..forced.len()).flat_map(move |length| {
            let prefix = &forced[..length];
            let start = self.lower_bound(prefix);
            self.sorted[start..]
                .iter()
                .copied()
                .take_while(move |&token| self.token_bytes(token) == prefix)
        });
        shorter.chain(self.continuations(forced))
    }

    /// Returns whether a token is among the [`Vocabulary::candidates`].
    pub(crate) fn spells(&self, token: TokenId, forced: &[u8]) -> bool {
        let bytes = self.token_bytes(token);
        self.kind(token) == TokenKind::Text
            && (bytes.starts_with(forced) || forced.starts_with(bytes))
    }

    /// Returns the text tokens that spell all of `forced` and perhaps more, sorted by their
    /// spellings.
    pub(crate) fn continuations(&self, forced: &[u8]) -> impl Iterator<Item = TokenId> {
        let start = self.lower_bound(forced);
        let rest = self.sorted[start..].iter().copied();
        rest.take_while(move |&token| self.token_bytes(token).starts_with(forced))
    }

    fn lower_bound(&self, bytes: &[u8]) -> usize {
        self.sorted
            .partition_point(|&token| self.token_bytes(token) < bytes)
    }

    fn refuse_missing_bytes(&self) -> Result<(), EngineError> {
        // The carriage return has a token, too, which is only masked.
        let single: Vec<&[u8]> = (0..self.len() as TokenId)
            .map(|token| self.token_bytes(token))
            .filter(|bytes| bytes.len() == 1)
            .collect();
        match (0..=u8::MAX).find(|byte| !single.contains(&&[*byte][..])) {
            Some(byte) => Err(refuse(format!(
                "the vocabulary has no token for the byte 0x{byte:02x}"
            ))),
            None => Ok(()),
        }
    }
}

/// Returns the names of the supported pre-tokenizers, for an error message.
fn supported() -> String {
    PreTokenizer::ALL
        .map(|known| format!("'{}'", known.name()))
        .join(" and ")
}

/// Returns the name of a row of the embedding table without a token.
fn padding(id: usize) -> String {
    format!("[PAD{id}]")
}

/// The bytes that tokens represent.
struct Spelled {
    bytes: Vec<u8>,
    /// What each token spells when it is decoded.
    spans: Vec<Range<u32>>,
    /// What each token is among the words that text can become, which include stops.
    words: Vec<Range<u32>>,
    kinds: Vec<TokenKind>,
}

fn of_span<'a>(bytes: &'a [u8], span: &Range<u32>) -> &'a [u8] {
    &bytes[span.start as usize..span.end as usize]
}

fn spell(
    tokens: &Texts,
    types: &[usize],
    stops: &[usize],
    table: &ByteTable,
) -> Result<Spelled, EngineError> {
    let mut spelled = Spelled {
        bytes: Vec::new(),
        spans: Vec::with_capacity(types.len()),
        words: Vec::with_capacity(types.len()),
        kinds: Vec::with_capacity(types.len()),
    };
    let bytes = &mut spelled.bytes;
    for (id, (token, &token_type)) in tokens.iter().zip(types).enumerate() {
        let start = bytes.len();
        // Special tokens are not words, so their names are plain text.
        let word = matches!(token_type, NORMAL | BYTE);
        // Tokens other than ordinary text (control, user-defined, unused) would not come back from
        // encoding, so they end a suggestion.
        let text = word && !stops.contains(&id);
        if word {
            for char in token.chars() {
                match byte_of(table, char) {
                    Some(byte) => bytes.push(byte),
                    None if text => {
                        return Err(refuse(format!(
                            "token {id} ('{token}') is not byte-level text"
                        )));
                    }
                    // A marker that its file declares ordinary: text never becomes it.
                    None => {
                        bytes.truncate(start);
                        break;
                    }
                }
            }
        }
        let end = u32::try_from(bytes.len()).map_err(|_| refuse("the vocabulary is too large"))?;
        let spelling = &bytes[start..];
        spelled.kinds.push(match text {
            false => TokenKind::Stop,
            true if spelling.is_empty() || spelling.contains(&b'\r') => TokenKind::Masked,
            true => TokenKind::Text,
        });
        let start = start as u32;
        spelled.words.push(start..end);
        spelled
            .spans
            .push(if text { start..end } else { start..start });
    }
    Ok(spelled)
}

/// Returns the chosen tokens, sorted by their bytes, then by their ids.
fn sorted<'a>(
    rows: usize,
    spelling: impl Fn(TokenId) -> &'a [u8],
    chosen: impl Fn(TokenId) -> bool,
) -> Vec<TokenId> {
    // Most tokens differ in their first eight bytes, which compare as one number.
    let beginning = |bytes: &[u8]| {
        let mut first = [0; 8];
        let length = bytes.len().min(8);
        first[..length].copy_from_slice(&bytes[..length]);
        u64::from_be_bytes(first)
    };
    let mut keyed: Vec<(u64, TokenId)> = (0..rows as TokenId)
        .filter(|&token| chosen(token))
        .map(|token| (beginning(spelling(token)), token))
        .collect();
    keyed.sort_unstable_by(|left, right| {
        left.0
            .cmp(&right.0)
            .then_with(|| spelling(left.1).cmp(spelling(right.1)))
            .then(left.1.cmp(&right.1))
    });
    keyed.into_iter().map(|(_, token)| token).collect()
}

/// Maps the characters from U+0000 to U+0143 to bytes.
type ByteTable = [Option<u8>; 0x144];

fn byte_of(table: &ByteTable, char: char) -> Option<u8> {
    table.get(char as usize).copied().flatten()
}

/// Builds GPT-2's table: printable Latin-1 characters represent themselves, the characters from
/// U+0100 on represent all other bytes.
fn bytes_by_char() -> ByteTable {
    let mut table = [None; 0x144];
    let mut moved = 0x100;
    for byte in 0..=u8::MAX {
        match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => table[usize::from(byte)] = Some(byte),
            _ => {
                table[moved] = Some(byte);
                moved += 1;
            }
        }
    }
    table
}
