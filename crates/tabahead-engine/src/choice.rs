//! Chooses the next token: greedily, under a constraint, ties to the lowest id.
//!
//! What is chosen from is the model's distribution, mixed with the votes of copying if there are any.
//! Masks depend on the place alone, and probabilities are those of the unmasked distribution, so
//! the same place gives the same choice in every run.

use std::collections::HashMap;

use crate::{
    EngineError, TokenId,
    copying::Votes,
    simd::Isa,
    vocabulary::{TokenKind, Vocabulary},
};

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice {
    Token {
        id: TokenId,
        log_prob: f32,
        /// Log-probability of the stop that would have been chosen, had it not been masked.
        masked_stop: Option<f32>,
    },
    Stop {
        log_prob: f32,
    },
}

/// The distribution of the next token.
pub(crate) struct Distribution<'a> {
    vocabulary: &'a Vocabulary,
    isa: Isa,
    logits: &'a [f32],
    /// Highest logit, and the logarithm of the sum of all exponentials below it.
    max: f32,
    total: f32,
    /// What copying adds to the probabilities of tokens, by token, and the sum of all probabilities then.
    added: Vec<(TokenId, f32)>,
    whole: f32,
}

impl<'a> Distribution<'a> {
    pub(crate) fn new(
        vocabulary: &'a Vocabulary,
        isa: Isa,
        logits: &'a [f32],
        votes: &Votes,
    ) -> Self {
        let max = isa.max(logits);
        let total = isa.sum_exp(logits, max).ln();
        let log_prob = |token| logits[token as usize] - max - total;
        let added = votes.added(log_prob, (-total).exp());
        Self {
            vocabulary,
            isa,
            logits,
            max,
            total,
            whole: 1.0 + added.iter().map(|(_, more)| more).sum::<f32>(),
            added,
        }
    }

    /// What copying adds to a token's probability.
    fn added(&self, token: TokenId) -> f32 {
        let at = self.added.binary_search_by_key(&token, |(id, _)| *id);
        at.map_or(0.0, |at| self.added[at].1)
    }

    /// Natural logarithm of a token's probability.
    fn log_prob(&self, token: TokenId) -> f32 {
        let model = self.logits[token as usize] - self.max - self.total;
        match self.added.is_empty() {
            true => model,
            false => ((model.exp() + self.added(token)) / self.whole).ln(),
        }
    }

    /// The best token whose bytes agree with `forced` (any, when that is empty).
    pub(crate) fn choose(&self, forced: &[u8], mask_stops: bool) -> Result<Choice, EngineError> {
        let last = match mask_stops {
            true => TokenKind::Text,
            false => TokenKind::Stop,
        };
        let Some(id) = self.best(forced, last) else {
            let byte = forced.first().copied().unwrap_or_default();
            return Err(EngineError::Unspellable { byte });
        };
        if self.vocabulary.kind(id) == TokenKind::Stop {
            let log_prob = self.log_prob(id);
            return Ok(Choice::Stop { log_prob });
        }
        let unmasked = match mask_stops && forced.is_empty() {
            true => self.best(forced, TokenKind::Stop),
            false => None,
        };
        Ok(Choice::Token {
            id,
            log_prob: self.log_prob(id),
            masked_stop: unmasked
                .filter(|&best| self.vocabulary.kind(best) == TokenKind::Stop)
                .map(|stop| self.log_prob(stop)),
        })
    }

    /// The likeliest token that may be chosen; `last` is the last kind that may, where nothing is forced.
    fn best(&self, forced: &[u8], last: TokenKind) -> Option<TokenId> {
        let vocabulary = self.vocabulary;
        let model = match forced {
            // Kinds are ordered so that what may be chosen comes first.
            [] => self.isa.best(self.logits, vocabulary.kinds(), last as u8),
            _ => best(self.logits, vocabulary.candidates(forced)),
        };
        let voted = self.added.iter().map(|(token, _)| *token);
        let allowed = voted.filter(|&token| match forced {
            [] => vocabulary.kind(token) as u8 <= last as u8,
            _ => vocabulary.spells(token, forced),
        });
        let better = |one, other| match self.log_prob(other) > self.log_prob(one) {
            true => other,
            false => one,
        };
        // Votes are in the order of ids. Whatever nobody votes for is ranked as the model ranks it, and
        // a tie goes to a vote: so one order holds under every constraint.
        allowed.chain(model).reduce(better)
    }

    /// The likeliest characters behind `forced`, at most so many, each with the logarithm of the summed
    /// probability of the tokens that spell `forced` and then begin with it. Tokens that end with `forced`,
    /// or within a character, say nothing about it. Ties go to the lower character.
    pub(crate) fn characters(&self, forced: &[u8], most: usize) -> Vec<(char, f32)> {
        let mut sums: HashMap<char, f64> = HashMap::new();
        // In the order of spellings, so that every run adds up in the same order.
        for token in self.vocabulary.continuations(forced) {
            let spelled = self.vocabulary.token_bytes(token);
            if let Some(next) = first_character(&spelled[forced.len()..]) {
                let model = f64::from(self.logits[token as usize] - self.max - self.total).exp();
                let added = f64::from(self.added(token));
                *sums.entry(next).or_default() += (model + added) / f64::from(self.whole);
            }
        }
        let mut ranked: Vec<(char, f64)> = sums.into_iter().collect();
        ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(most);
        let ranked = ranked.into_iter();
        ranked.map(|(next, sum)| (next, sum.ln() as f32)).collect()
    }
}

fn first_character(bytes: &[u8]) -> Option<char> {
    let most = &bytes[..bytes.len().min(char::MAX.len_utf8())];
    let valid = match std::str::from_utf8(most) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&most[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.chars().next()
}

/// The token of the highest logit.
fn best(logits: &[f32], candidates: impl Iterator<Item = TokenId>) -> Option<TokenId> {
    candidates.reduce(|one, other| {
        let (ours, theirs) = (logits[one as usize], logits[other as usize]);
        let better = theirs > ours || (theirs == ours && other < one);
        if better { other } else { one }
    })
}
