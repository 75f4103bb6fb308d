//! A path: what a model answered at one state, and the states that it answers for.

use crate::PreTokenizer;

/// A token's number in a vocabulary.
pub type TokenId = u32;

/// One token of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathToken {
    /// Its id.
    pub id: TokenId,
    /// What it spells; not necessarily whole characters.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability among all tokens, unmasked.
    pub log_prob: f32,
}

/// Why a path ends where it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PathEnd {
    /// It can be decoded on.
    Open,
    /// The model's next token is the end of the middle, with this log-probability.
    Stop {
        /// Natural logarithm of the stop's probability.
        log_prob: f32,
    },
    /// The context is full: no engine would decode on.
    ContextFull,
}

/// Raw greedy tokens after a tail, uncut. Offsets count bytes from the tail's start.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    tail: String,
    /// Stable boundary of the tail: where `tokens` begin.
    boundary: usize,
    /// Tokens of the prompt before `boundary`, markers and base included.
    prompt_tokens: usize,
    tokens: Vec<PathToken>,
    end: PathEnd,
    /// Up to here the tokens are the ones that encoding the text gives.
    canonical_until: usize,
    bytes: Vec<u8>,
}

impl Path {
    /// A path without tokens yet, for a generation that starts at `tail`.
    pub fn new(_tail: String, _pre_tokenizer: PreTokenizer) -> Self {
        unimplemented!()
    }
}
