//! A path: what a model answered at one state, and the states that it answers for.
//!
//! Knows no model: token ids are carried, their bytes are given. Offsets count bytes from the
//! start of the tail. `marks.rs` finds how far a path's tokens are the canonical ones.

use crate::{PreTokenizer, stable_boundary};

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
    /// The model would have stopped here: natural logarithm of the stop's probability. A stop is masked
    /// as the token that would start exactly at the cursor of the path's origin.
    pub masked_stop: Option<f32>,
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

/// Whether a path holds what a fresh generation at a state would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answering {
    /// It does.
    Yes,
    /// It does not, and never will.
    No,
    /// It agrees as far as it goes; a few tokens more will tell.
    NotYet,
}

/// Raw tokens after a tail, uncut.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Length of the tail: where the constraint ends.
    origin: usize,
    /// Stable boundary of the tail: where `tokens` begin.
    boundary: usize,
    /// Tokens of the prompt before `boundary`, markers and base included; known once started.
    prompt_tokens: Option<usize>,
    tokens: Vec<PathToken>,
    end: PathEnd,
    /// Up to here the tokens are the ones that encoding the text gives.
    canonical_until: usize,
    /// The tail up to `boundary`, then what the tokens spell; before the tokens have spelled the
    /// whole tail, the tail.
    bytes: Vec<u8>,
    /// How many of `bytes` the tokens have spelled.
    spelled: usize,
}

impl Path {
    /// A path without tokens yet, for a generation that starts at `tail`.
    pub fn new(tail: String, pre_tokenizer: PreTokenizer) -> Self {
        let boundary = stable_boundary(pre_tokenizer, &tail);
        Self {
            origin: tail.len(),
            boundary,
            prompt_tokens: None,
            tokens: Vec::new(),
            end: PathEnd::Open,
            canonical_until: boundary,
            bytes: tail.into_bytes(),
            spelled: boundary,
        }
    }

    /// The backend encoded the prompt: `prompt_tokens` stand before the stable boundary.
    pub fn started(&mut self, prompt_tokens: usize) {
        self.prompt_tokens = Some(prompt_tokens);
    }

    /// One token more; `canonical_until` as `CanonicalMarks` gives it.
    pub fn push(&mut self, token: PathToken, canonical_until: usize) {
        let known = (self.bytes.len() - self.spelled).min(token.bytes.len());
        debug_assert_eq!(
            token.bytes[..known],
            self.bytes[self.spelled..self.spelled + known],
            "constrained tokens spell the tail"
        );
        self.bytes.extend_from_slice(&token.bytes[known..]);
        self.spelled += token.bytes.len();
        self.canonical_until = canonical_until;
        self.tokens.push(token);
    }

    /// The path is complete, for this reason.
    pub fn finish(&mut self, end: PathEnd) {
        self.end = end;
    }

    /// The tail that the generation started at.
    pub fn tail(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.origin])
            .expect("a path's bytes begin with its tail, which was a string")
    }

    /// Where the constraint ends: the length of the tail.
    pub fn origin(&self) -> usize {
        self.origin
    }

    /// Where the tokens begin: the stable boundary of the tail.
    pub fn boundary(&self) -> usize {
        self.boundary
    }

    /// Tokens of the prompt before the boundary, once they are known.
    pub fn prompt_tokens(&self) -> Option<usize> {
        self.prompt_tokens
    }

    /// The tokens from the boundary on.
    pub fn tokens(&self) -> &[PathToken] {
        &self.tokens
    }

    /// The ids of the tokens, for a generation that continues this path.
    pub fn token_ids(&self) -> Vec<TokenId> {
        self.tokens.iter().map(|token| token.id).collect()
    }

    /// Tail and what follows it. Not necessarily whole characters.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length of tail and what follows it.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// How far the tokens are the canonical ones.
    pub fn canonical_until(&self) -> usize {
        self.canonical_until
    }

    /// Why it ends where it ends.
    pub fn end(&self) -> PathEnd {
        self.end
    }

    /// Bytes on the heap, for a cache's budget.
    pub fn heap_bytes(&self) -> usize {
        let spelled: usize = self.tokens.iter().map(|token| token.bytes.capacity()).sum();
        self.bytes.capacity() + self.tokens.capacity() * size_of::<PathToken>() + spelled
    }

    /// Whether the state whose tail is `tail` stands on this path, and something is known behind it. It
    /// takes no tokenizer to tell, and no other state is ever answered with [`Answering::Yes`].
    pub fn holds(&self, tail: &str) -> bool {
        let at = tail.len();
        (at == self.origin || self.origin < at && at < self.bytes.len())
            && self.bytes.starts_with(tail.as_bytes())
    }

    /// Whether this path holds what a fresh generation would give at the state whose tail is `tail`,
    /// all else (base, settings) being equal.
    ///
    /// A fresh generation encodes the tail up to its stable boundary and then takes, token by token,
    /// the best candidate that spells the rest. So the path must have the canonical tokens up to that
    /// boundary; behind it, its own choices were made among more candidates, and the best of many that
    /// is still allowed is the best of the few. Two things only a fresh generation has: it masks a stop
    /// exactly at the cursor, and it refuses a prompt that leaves no room for `reserve` tokens.
    pub fn answers(
        &self,
        tail: &str,
        pre_tokenizer: PreTokenizer,
        context_tokens: usize,
        reserve: usize,
    ) -> Answering {
        let at = tail.len();
        let shared = at.min(self.bytes.len());
        if at < self.origin || tail.as_bytes()[..shared] != self.bytes[..shared] {
            return Answering::No;
        }
        let open = self.end == PathEnd::Open;
        let undecided = if open {
            Answering::NotYet
        } else {
            Answering::No
        };
        if at > self.bytes.len() {
            return undecided;
        }
        if at > self.origin && at == self.bytes.len() {
            // The next token may be the stop that a fresh generation would not take here.
            return match self.end {
                PathEnd::Open => Answering::NotYet,
                PathEnd::Stop { .. } => Answering::No,
                PathEnd::ContextFull => Answering::No,
            };
        }
        let Some(prompt_tokens) = self.prompt_tokens else {
            return undecided;
        };
        let boundary = stable_boundary(pre_tokenizer, tail);
        if boundary < self.boundary || boundary > self.canonical_until {
            return Answering::No;
        }
        let Some(before) = self.tokens_before(boundary) else {
            return Answering::No;
        };
        if prompt_tokens + before + (at - boundary) + reserve > context_tokens {
            return Answering::No;
        }
        Answering::Yes
    }

    /// How many tokens end at or before `offset`, if one ends exactly there.
    fn tokens_before(&self, offset: usize) -> Option<usize> {
        let mut end = self.boundary;
        for (count, token) in self.tokens.iter().enumerate() {
            if end >= offset {
                return (end == offset).then_some(count);
            }
            end += token.bytes.len();
        }
        (end == offset).then_some(self.tokens.len())
    }
}

#[cfg(test)]
mod tests;
