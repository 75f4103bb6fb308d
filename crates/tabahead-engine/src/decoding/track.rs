//! The tokens of a sequence and what is known of them.
//!
//! A track only grows token by token; lookahead moves it along the line of a rival and back. Knows
//! nothing of constraints or of how a token is chosen.

use std::collections::VecDeque;

use crate::{
    TokenId,
    decoding::copying::Source,
    kept::{place::Place, tree::Known},
    vocabulary::Vocabulary,
};

/// The tokens of a sequence, what is known of them, and the text that may be copied after them.
#[derive(Debug)]
pub(crate) struct Track {
    /// The prompt and the decoded tokens; during a contest also the line of the rival being
    /// followed.
    pub(crate) tokens: Vec<TokenId>,
    /// What has been computed of these tokens, and what probably comes next.
    pub(crate) known: Beginning,
    /// The text that may be copied.
    pub(crate) source: Option<Source>,
    /// Maximum number of tokens.
    pub(crate) context: usize,
}

/// What is known of the tokens before a place and of a few after it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beginning {
    /// The place after the tokens whose keys and values are known: some decoded ones, then some of
    /// `draft`.
    pub(crate) place: Place,
    /// Logits by the number of tokens before them, from the end of the prompt on.
    pub(crate) logits: Known,
    /// Tokens that probably come next.
    pub(crate) draft: VecDeque<TokenId>,
}

impl Track {
    /// Returns whether no more tokens fit.
    pub(crate) fn is_full(&self) -> bool {
        self.tokens.len() >= self.context
    }

    /// Returns the number of tokens to compute before the next one can be chosen.
    pub(crate) fn missing(&self) -> usize {
        let end = self.tokens.len();
        if self.known.logits.contains_key(&end) || self.is_full() {
            return 0;
        }
        // If its keys and values outlived its logits, the last token is computed again.
        let start = self.known.place.length().min(end - 1);
        end + self.known.draft.len() - start
    }

    /// Appends a token.
    pub(crate) fn push(&mut self, token: TokenId, vocabulary: &Vocabulary) {
        let end = self.tokens.len();
        self.tokens.push(token);
        if let Some(source) = &mut self.source {
            source.push(vocabulary.token_bytes(token));
        }
        if self.known.draft.pop_front() != Some(token) {
            self.known.draft.clear();
            self.known.place.cut(end);
            self.known.logits.split_off(&(end + 1));
        }
    }

    /// Returns the tokens after the first `start`, drafted ones included.
    pub(crate) fn tokens_from(&self, start: usize) -> impl Iterator<Item = TokenId> {
        let tokens = self.tokens.iter().chain(&self.known.draft);
        tokens.skip(start).copied()
    }
}
