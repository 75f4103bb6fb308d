//! A path: what a model answered at one state, and the states for which that is the answer.
//!
//! Knows no model: it carries token ids and is given their bytes. Offsets count bytes from the
//! start of the tail. `CanonicalMarks` finds how far a path's tokens are the canonical ones.

use crate::{PreTokenizer, TokenId, stable_boundary};

/// One token of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathToken {
    /// Id of the token.
    pub id: TokenId,
    /// Bytes that the token spells; not necessarily whole characters.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability among all tokens, unmasked.
    pub log_prob: f32,
    /// Natural logarithm of the stop's probability, if the model would have stopped here. A stop is
    /// masked for the token that would start exactly at the cursor of the path's origin.
    pub masked_stop: Option<f32>,
}

/// Why a path ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PathEnd {
    /// The path can be decoded further.
    Open,
    /// The model's next token is the end of the middle, with this log-probability.
    Stop {
        /// Natural logarithm of the stop's probability.
        log_prob: f32,
    },
    /// The context is full: no engine would decode further.
    ContextFull,
}

/// Answer to the question whether a path holds what a fresh generation at a state would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answering {
    /// It does.
    Yes,
    /// It does not, and never will.
    No,
    /// It agrees as far as it goes; a few more tokens will decide.
    NotYet,
}

/// Raw tokens after a tail, before the cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Length of the tail, where the constraint ends.
    origin: usize,
    /// Stable boundary of the tail, where `tokens` begin.
    boundary: usize,
    /// Number of prompt tokens before `boundary`, markers and base included; known once started.
    prompt_tokens: Option<usize>,
    tokens: Vec<PathToken>,
    end: PathEnd,
    /// Offset up to which the tokens are those that encoding the text gives.
    canonical_until: usize,
    /// The tail up to `boundary`, then what the tokens spell. While they have not spelled the whole
    /// tail, the tail.
    bytes: Vec<u8>,
    /// Number of `bytes` that are spelled, including those before `boundary`.
    spelled: usize,
}

impl Path {
    /// Creates a path without tokens, for a generation that starts at `tail`.
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

    /// Records that the backend has encoded the prompt, with `prompt_tokens` tokens before the
    /// stable boundary.
    pub fn started(&mut self, prompt_tokens: usize) {
        self.prompt_tokens = Some(prompt_tokens);
    }

    /// Appends a token, with `canonical_until` as returned by `CanonicalMarks`.
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

    /// Marks the path as complete, for the reason `end`.
    pub fn finish(&mut self, end: PathEnd) {
        self.end = end;
    }

    /// Returns the tail that the generation started at.
    pub fn tail(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.origin])
            .expect("a path's bytes begin with its tail, which was a string")
    }

    /// Returns the length of the tail, where the constraint ends.
    pub fn origin(&self) -> usize {
        self.origin
    }

    /// Returns the stable boundary of the tail, where the tokens begin.
    pub fn boundary(&self) -> usize {
        self.boundary
    }

    /// Returns the number of prompt tokens before the boundary, once it is known.
    pub fn prompt_tokens(&self) -> Option<usize> {
        self.prompt_tokens
    }

    /// Returns the tokens, beginning at the boundary.
    pub fn tokens(&self) -> &[PathToken] {
        &self.tokens
    }

    /// Returns the ids of the tokens, for a generation that continues this path.
    pub fn token_ids(&self) -> Vec<TokenId> {
        self.tokens.iter().map(|token| token.id).collect()
    }

    /// Returns the tail and what follows it. Not necessarily whole characters.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the length of the tail and what follows it.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the offset up to which the tokens are the canonical ones.
    pub fn canonical_until(&self) -> usize {
        self.canonical_until
    }

    /// Returns why the path ends.
    pub fn end(&self) -> PathEnd {
        self.end
    }

    /// Returns the number of bytes on the heap, for a cache's budget.
    pub fn heap_bytes(&self) -> usize {
        let spelled: usize = self.tokens.iter().map(|token| token.bytes.capacity()).sum();
        self.bytes.capacity() + self.tokens.capacity() * size_of::<PathToken>() + spelled
    }

    /// Returns whether the state whose tail is `tail` is on this path and something is known after
    /// it. This needs no tokenizer, and no state that is not held is ever answered with
    /// [`Answering::Yes`].
    pub fn holds(&self, tail: &str) -> bool {
        let at = tail.len();
        (at == self.origin || self.origin < at && at < self.bytes.len())
            && self.bytes.starts_with(tail.as_bytes())
    }

    /// Returns whether this path holds what a fresh generation would give at the state whose tail
    /// is `tail`, all else (base, settings) being equal.
    ///
    /// A fresh generation encodes the tail up to its stable boundary and then takes, token by
    /// token, the best candidate that spells the rest. So the path must have the canonical tokens
    /// up to that boundary. After it, the path chose among more candidates; where the best of many
    /// is still allowed, it is also the best of the few. A fresh generation differs in two ways: it
    /// masks a stop exactly at the cursor, and it refuses a prompt that leaves no room for
    /// `reserve` tokens.
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
            // The next token may be the stop, which a fresh generation would not take here.
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

    /// Returns how many tokens end at or before `offset`; `None` if none ends exactly there.
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
