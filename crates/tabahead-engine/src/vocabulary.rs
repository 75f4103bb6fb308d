//! Text to tokens and tokens to bytes.
//!
//! Encoding is canonical and knows no special tokens: markers enter a prompt only as ids. The
//! bytes of a token are bytes, not text: one character may span several tokens. What a file states
//! of its tokenizer is read in `vocabulary/metadata.rs` (GGUF) and `vocabulary/json.rs`
//! (tokenizer.json); the vocabulary is made of it here, in the same way.

pub(crate) mod json;
pub(crate) mod metadata;
mod special;

use std::{collections::HashMap, ops::Range};

use tokenizers::{
    SplitDelimiterBehavior, Tokenizer,
    models::bpe::{self, BPE},
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use self::special::Specials;
use crate::{EngineError, SpecialToken, TokenId, error::refuse};

/// GGUF's numbers for what a token is: ordinary text, a marker, nothing, a single byte.
const NORMAL: usize = 1;
const CONTROL: usize = 3;
const UNUSED: usize = 5;
const BYTE: usize = 6;

/// How text is cut before merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PreTokenizer {
    /// Digits one by one.
    Qwen2,
    /// Digits in groups of up to three.
    Llama3,
}

impl PreTokenizer {
    const ALL: [Self; 2] = [Self::Qwen2, Self::Llama3];

    /// What llama.cpp calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
            Self::Llama3 => "llama-bpe",
        }
    }

    /// The expression as tokenizer.json files have it.
    fn expression(self) -> &'static str {
        match self {
            Self::Qwen2 => {
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            }
            Self::Llama3 => {
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            }
        }
    }

    fn find(recognised: impl Fn(Self) -> bool) -> Option<Self> {
        Self::ALL.into_iter().find(|known| recognised(*known))
    }

    /// Those that are supported, for a refusal.
    fn names() -> String {
        Self::ALL
            .map(|known| format!("'{}'", known.name()))
            .join(" and ")
    }
}

/// A byte-level BPE tokenizer, as a file states it.
#[derive(Debug)]
pub(crate) struct Parts {
    pre_tokenizer: PreTokenizer,
    tokens: Vec<String>,
    types: Vec<usize>,
    merges: Vec<(String, String)>,
    /// Whether a pre-token that is a whole entry is that token, whatever the merges would make of it.
    ignore_merges: bool,
    specials: Specials,
}

/// What decoding may do with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TokenKind {
    /// Spells bytes.
    Text,
    /// Ends a suggestion.
    Stop,
    /// Is never decoded: it spells nothing, or a carriage return.
    Masked,
}

/// Tokens of a model.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    pre_tokenizer: PreTokenizer,
    tokenizer: Tokenizer,
    /// All spellings, one behind the other.
    bytes: Vec<u8>,
    spans: Vec<Range<u32>>,
    /// As numbers, for the kernel that chooses.
    kinds: Vec<u8>,
    /// Text tokens in the order of their bytes.
    sorted: Vec<TokenId>,
    special: HashMap<SpecialToken, TokenId>,
    /// The end of a text.
    end: Option<TokenId>,
}

impl Vocabulary {
    /// Makes the vocabulary of a model whose embedding table has `rows` rows.
    pub(crate) fn new(parts: Parts, rows: usize) -> Result<Self, EngineError> {
        let vocabulary = Self::build(parts, rows)?;
        vocabulary.refuse_missing_bytes()?;
        Ok(vocabulary)
    }

    /// The vocabulary that a GGUF file states, which may hold no model.
    #[cfg(test)]
    pub(crate) fn of_gguf(path: &std::path::Path) -> Result<Self, EngineError> {
        let file = std::fs::File::open(path).expect("the file is there");
        let mut file = crate::gguf::GgufFile::read(std::io::BufReader::new(file))?;
        let parts = metadata::take(&mut file)?;
        let rows = parts.tokens.len();
        Self::new(parts, rows)
    }

    /// The pre-tokens of `text`, as encoding cuts them.
    #[cfg(test)]
    pub(crate) fn split(&self, text: &str) -> Vec<Range<usize>> {
        use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

        let mut splits = PreTokenizedString::from(text);
        let pre_tokenizer = self.tokenizer.get_pre_tokenizer().expect("there is one");
        pre_tokenizer
            .pre_tokenize(&mut splits)
            .expect("text can be cut");
        let splits = splits.get_splits(OffsetReferential::Original, OffsetType::Byte);
        splits
            .into_iter()
            .map(|(_, (start, end), _)| start..end)
            .collect()
    }

    /// A vocabulary of up to 94 tokens that spell one letter each, for decoding with models that
    /// have no tokenizer.
    #[cfg(test)]
    pub(crate) fn letters(rows: usize) -> Self {
        let parts = Parts {
            pre_tokenizer: PreTokenizer::Qwen2,
            tokens: ('!'..='~').take(rows).map(String::from).collect(),
            types: vec![NORMAL; rows],
            merges: Vec::new(),
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
            end,
        } = specials;
        if let Some((token, id)) = markers.iter().find(|(_, id)| **id >= tokens.len()) {
            return Err(refuse(format!(
                "the {token:?} token is {id}, beyond the vocabulary"
            )));
        }
        // Tables have rows behind the last token where that makes them rounder.
        tokens.extend((tokens.len()..rows).map(padding));
        types.resize(rows, UNUSED);
        let end = end.map(|id| id as TokenId);
        let markers = markers.into_iter();
        let special = markers.map(|(token, id)| (token, id as TokenId)).collect();

        let (bytes, spans, kinds) = spell(&tokens, &types, &stops)?;
        let mut sorted: Vec<TokenId> = (0..tokens.len() as TokenId)
            .filter(|&token| kinds[token as usize] == TokenKind::Text)
            .collect();
        let spelling = |token: &TokenId| {
            let span = &spans[*token as usize];
            &bytes[span.start as usize..span.end as usize]
        };
        sorted.sort_by(|left, right| spelling(left).cmp(spelling(right)).then(left.cmp(right)));

        let bpe = BPE::builder()
            .vocab_and_merges(words(tokens, &types), merges)
            .ignore_merges(ignore_merges)
            .build()
            .map_err(|error| refuse(format!("the vocabulary is inconsistent: {error}")))?;
        Ok(Self {
            pre_tokenizer,
            tokenizer: tokenizer(pre_tokenizer, bpe)?,
            bytes,
            spans,
            kinds: kinds.into_iter().map(|kind| kind as u8).collect(),
            sorted,
            special,
            end,
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

    /// Kinds of all tokens, as numbers in the order in which [`TokenKind`] names them.
    pub(crate) fn kinds(&self) -> &[u8] {
        &self.kinds
    }

    pub(crate) fn special(&self, token: SpecialToken) -> Option<TokenId> {
        self.special.get(&token).copied()
    }

    /// The token that ends a text, if the model has one.
    pub(crate) fn end(&self) -> Option<TokenId> {
        self.end
    }

    pub(crate) fn token_bytes(&self, token: TokenId) -> &[u8] {
        match self.spans.get(token as usize) {
            Some(span) => &self.bytes[span.start as usize..span.end as usize],
            None => &[],
        }
    }

    pub(crate) fn encode(&self, text: &str) -> Vec<TokenId> {
        if text.is_empty() {
            return Vec::new();
        }
        self.tokenizer
            .encode_fast(text, false)
            .expect("a vocabulary that holds every byte encodes every text")
            .get_ids()
            .to_vec()
    }

    /// Text tokens that can come next when `forced` must be spelled: each spells a beginning of
    /// it, or all of it and more.
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

    /// Whether a token is among the [`Vocabulary::candidates`].
    pub(crate) fn spells(&self, token: TokenId, forced: &[u8]) -> bool {
        let bytes = self.token_bytes(token);
        self.kind(token) == TokenKind::Text
            && (bytes.starts_with(forced) || forced.starts_with(bytes))
    }

    /// Text tokens that spell all of `forced`, and more or not, in the order of their spellings.
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
        // The carriage return has a token too, which is only masked.
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

/// The name of a row of the embedding table that no token has.
fn padding(id: usize) -> String {
    format!("[PAD{id}]")
}

/// The two sides of a merge.
fn pair(merge: &str) -> Result<(String, String), EngineError> {
    merge
        .split_once(' ')
        .map(|(left, right)| (left.to_owned(), right.to_owned()))
        .ok_or_else(|| refuse(format!("merge '{merge}' is not a pair")))
}

type Spelled = (Vec<u8>, Vec<Range<u32>>, Vec<TokenKind>);

fn spell(tokens: &[String], types: &[usize], stops: &[usize]) -> Result<Spelled, EngineError> {
    let byte_of = bytes_by_char();
    let mut bytes = Vec::new();
    let mut spans = Vec::with_capacity(tokens.len());
    let mut kinds = Vec::with_capacity(tokens.len());
    for (id, (token, &token_type)) in tokens.iter().zip(types).enumerate() {
        let start = bytes.len();
        // Whatever is not ordinary text (control, user-defined, unused) would not come back from
        // encoding, so it ends a suggestion.
        let text = matches!(token_type, NORMAL | BYTE) && !stops.contains(&id);
        if text {
            for char in token.chars() {
                let byte = byte_of.get(&char).ok_or_else(|| {
                    refuse(format!("token {id} ('{token}') is not byte-level text"))
                })?;
                bytes.push(*byte);
            }
        }
        let end = u32::try_from(bytes.len()).map_err(|_| refuse("the vocabulary is too large"))?;
        let spelling = &bytes[start..];
        kinds.push(match text {
            false => TokenKind::Stop,
            true if spelling.is_empty() || spelling.contains(&b'\r') => TokenKind::Masked,
            true => TokenKind::Text,
        });
        spans.push(start as u32..end);
    }
    Ok((bytes, spans, kinds))
}

/// GPT-2's table: printable Latin-1 characters stand for themselves, all other bytes for the
/// characters from U+0100 on.
fn bytes_by_char() -> HashMap<char, u8> {
    let mut moved = 0x100;
    (0..=u8::MAX)
        .map(|byte| {
            let char = match byte {
                b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
                _ => {
                    moved += 1;
                    char::from_u32(moved - 1).expect("U+0100 to U+0143 are characters")
                }
            };
            (char, byte)
        })
        .collect()
}

/// What the model's words are. Special tokens stay out of them, so that their names are plain text.
fn words(tokens: Vec<String>, types: &[usize]) -> bpe::Vocab {
    tokens
        .into_iter()
        .zip(types)
        .enumerate()
        .filter(|(_, (_, token_type))| matches!(**token_type, NORMAL | BYTE))
        .map(|(id, (token, _))| (token, id as TokenId))
        .collect()
}

fn tokenizer(pre_tokenizer: PreTokenizer, bpe: BPE) -> Result<Tokenizer, EngineError> {
    let split = Split::new(
        SplitPattern::Regex(pre_tokenizer.expression().to_owned()),
        SplitDelimiterBehavior::Isolated,
        false,
    )
    .map_err(|error| refuse(format!("the pre-tokenizer cannot be built: {error}")))?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::Sequence(Sequence::new(vec![
        PreTokenizerWrapper::Split(split),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)),
    ]))));
    Ok(tokenizer)
}
