//! Text to tokens and tokens to bytes, from a GGUF file's metadata.
//!
//! Encoding is canonical and knows no special tokens: markers enter a prompt only as ids. The
//! bytes of a token are bytes, not text: one character may span several tokens.

use std::{
    collections::HashMap,
    io::{Read, Seek},
    ops::Range,
};

use tokenizers::{
    SplitDelimiterBehavior, Tokenizer,
    models::bpe::BPE,
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use crate::{
    EngineError, SpecialToken, TokenId,
    gguf::{GgufFile, refuse},
};

/// The pre-tokenizer that llama.cpp calls `qwen2`.
const QWEN2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// What decoding may do with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    tokenizer: Tokenizer,
    /// All spellings, one behind the other.
    bytes: Vec<u8>,
    spans: Vec<Range<u32>>,
    kinds: Vec<TokenKind>,
    /// Text tokens in the order of their bytes.
    sorted: Vec<TokenId>,
    special: HashMap<SpecialToken, TokenId>,
}

impl Vocabulary {
    /// Reads the vocabulary from a file's metadata.
    pub(crate) fn load<R: Read + Seek>(file: &mut GgufFile<R>) -> Result<Self, EngineError> {
        let model = file.string("tokenizer.ggml.model").unwrap_or("none");
        if model != "gpt2" {
            return Err(refuse(format!(
                "tokenizer '{model}' is not supported, only 'gpt2' (byte-level BPE) is"
            )));
        }
        let pre_tokenizer = file.string("tokenizer.ggml.pre").unwrap_or("none");
        if pre_tokenizer != "qwen2" {
            return Err(refuse(format!(
                "pre-tokenizer '{pre_tokenizer}' is not supported, only 'qwen2' is"
            )));
        }
        let tokens = file
            .take_strings("tokenizer.ggml.tokens")
            .ok_or_else(|| refuse("the vocabulary is missing"))?;
        let merges = file
            .take_strings("tokenizer.ggml.merges")
            .ok_or_else(|| refuse("the merges of the vocabulary are missing"))?;
        let types = file
            .take_integers("tokenizer.ggml.token_type")
            .unwrap_or_else(|| vec![1; tokens.len()]);
        if types.len() != tokens.len() {
            return Err(refuse(
                "the vocabulary and its token types differ in length",
            ));
        }
        if u32::try_from(tokens.len()).is_err() {
            return Err(refuse("the vocabulary is too large"));
        }
        let special = special_tokens(file, tokens.len())?;
        let stops = stop_tokens(file, &special);

        let (bytes, spans, kinds) = spell(&tokens, &types, &stops)?;
        let mut sorted: Vec<TokenId> = (0..tokens.len() as TokenId)
            .filter(|&token| kinds[token as usize] == TokenKind::Text)
            .collect();
        let spelling = |token: &TokenId| {
            let span = &spans[*token as usize];
            &bytes[span.start as usize..span.end as usize]
        };
        sorted.sort_by(|left, right| spelling(left).cmp(spelling(right)).then(left.cmp(right)));

        let vocabulary = Self {
            tokenizer: tokenizer(tokens, &types, &merges)?,
            bytes,
            spans,
            kinds,
            sorted,
            special,
        };
        vocabulary.refuse_missing_bytes()?;
        Ok(vocabulary)
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn kind(&self, token: TokenId) -> TokenKind {
        self.kinds[token as usize]
    }

    pub(crate) fn special(&self, token: SpecialToken) -> Option<TokenId> {
        self.special.get(&token).copied()
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
        let start = self.lower_bound(forced);
        let rest = self.sorted[start..].iter().copied();
        shorter.chain(rest.take_while(move |&token| self.token_bytes(token).starts_with(forced)))
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

fn special_tokens<R: Read + Seek>(
    file: &GgufFile<R>,
    vocabulary: usize,
) -> Result<HashMap<SpecialToken, TokenId>, EngineError> {
    let keys = [
        (SpecialToken::File, "fim_sep"),
        (SpecialToken::File, "file_sep"),
        (SpecialToken::Prefix, "fim_pre"),
        (SpecialToken::Suffix, "fim_suf"),
        (SpecialToken::Middle, "fim_mid"),
    ];
    let mut special = HashMap::new();
    for (token, key) in keys {
        let key = format!("tokenizer.ggml.{key}_token_id");
        if let Some(id) = file.integer(&key) {
            if id >= vocabulary {
                return Err(refuse(format!("{key} is {id}, beyond the vocabulary")));
            }
            special.entry(token).or_insert(id as TokenId);
        }
    }
    if !special.contains_key(&SpecialToken::Suffix)
        || !(special.contains_key(&SpecialToken::Prefix)
            || special.contains_key(&SpecialToken::Middle))
    {
        return Err(refuse(
            "the model has no fill-in-the-middle tokens; choose one trained for code completion",
        ));
    }
    Ok(special)
}

fn stop_tokens<R: Read + Seek>(
    file: &GgufFile<R>,
    special: &HashMap<SpecialToken, TokenId>,
) -> Vec<usize> {
    let keys = ["eos", "eot", "fim_pad", "fim_rep"];
    let named = keys
        .iter()
        .filter_map(|key| file.integer(&format!("tokenizer.ggml.{key}_token_id")));
    named
        .chain(special.values().map(|&token| token as usize))
        .collect()
}

type Spelled = (Vec<u8>, Vec<Range<u32>>, Vec<TokenKind>);

fn spell(tokens: &[String], types: &[usize], stops: &[usize]) -> Result<Spelled, EngineError> {
    const NORMAL: usize = 1;
    const BYTE: usize = 6;

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

fn tokenizer(
    tokens: Vec<String>,
    types: &[usize],
    merges: &[String],
) -> Result<Tokenizer, EngineError> {
    let merges = merges
        .iter()
        .map(|merge| {
            merge
                .split_once(' ')
                .map(|(left, right)| (left.to_owned(), right.to_owned()))
                .ok_or_else(|| refuse(format!("merge '{merge}' is not a pair")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    // Special tokens stay out of the model's words, so that their names are plain text.
    let words = tokens
        .into_iter()
        .zip(types)
        .enumerate()
        .filter(|(_, (_, token_type))| matches!(token_type, 1 | 6))
        .map(|(id, (token, _))| (token, id as TokenId));
    let words: HashMap<String, TokenId> = words.collect();
    let model = BPE::builder()
        .vocab_and_merges(
            words
                .into_iter()
                .collect::<tokenizers::models::bpe::Vocab>(),
            merges,
        )
        .build()
        .map_err(|error| refuse(format!("the vocabulary is inconsistent: {error}")))?;
    let split = Split::new(
        SplitPattern::Regex(QWEN2_SPLIT.to_owned()),
        SplitDelimiterBehavior::Isolated,
        false,
    )
    .map_err(|error| refuse(format!("the pre-tokenizer cannot be built: {error}")))?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::Sequence(Sequence::new(vec![
        PreTokenizerWrapper::Split(split),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)),
    ]))));
    Ok(tokenizer)
}
