//! Chooses the next token: greedily, under a constraint, ties to the lowest id.
//!
//! Masks depend on the place alone, and probabilities are those of the unmasked distribution, so
//! the same place gives the same choice in every run.

use std::collections::HashMap;

use crate::{
    EngineError, TokenId,
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

/// The best token whose bytes agree with `forced` (any, when that is empty).
pub(crate) fn choose(
    vocabulary: &Vocabulary,
    isa: Isa,
    logits: &[f32],
    forced: &[u8],
    mask_stops: bool,
) -> Result<Choice, EngineError> {
    let id = match forced.first() {
        // Kinds are ordered so that what may be chosen comes first.
        None => isa.best(
            logits,
            vocabulary.kinds(),
            match mask_stops {
                true => TokenKind::Text,
                false => TokenKind::Stop,
            } as u8,
        ),
        Some(_) => best(logits, vocabulary.candidates(forced)),
    };
    let Some(id) = id else {
        let byte = forced.first().copied().unwrap_or_default();
        return Err(EngineError::Unspellable { byte });
    };
    let max = isa.max(logits);
    let total = isa.sum_exp(logits, max).ln();
    let log_prob = |id: TokenId| logits[id as usize] - max - total;
    if vocabulary.kind(id) == TokenKind::Stop {
        let log_prob = log_prob(id);
        return Ok(Choice::Stop { log_prob });
    }
    let unmasked = match mask_stops && forced.is_empty() {
        true => isa.best(logits, vocabulary.kinds(), TokenKind::Stop as u8),
        false => None,
    };
    Ok(Choice::Token {
        id,
        log_prob: log_prob(id),
        masked_stop: unmasked
            .filter(|&best| vocabulary.kind(best) == TokenKind::Stop)
            .map(log_prob),
    })
}

/// The likeliest characters behind `forced`, at most so many, each with the logarithm of the summed
/// probability of the tokens that spell `forced` and then begin with it. Tokens that end with `forced`,
/// or within a character, say nothing about it. Ties go to the lower character.
pub(crate) fn characters(
    vocabulary: &Vocabulary,
    isa: Isa,
    logits: &[f32],
    forced: &[u8],
    most: usize,
) -> Vec<(char, f32)> {
    let max = isa.max(logits);
    let mut sums: HashMap<char, f64> = HashMap::new();
    // In the order of spellings, so that every run adds up in the same order.
    for token in vocabulary.continuations(forced) {
        if let Some(next) = first_character(&vocabulary.token_bytes(token)[forced.len()..]) {
            *sums.entry(next).or_default() += f64::from(logits[token as usize] - max).exp();
        }
    }
    let mut ranked: Vec<(char, f64)> = sums.into_iter().collect();
    ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(most);
    let total = f64::from(isa.sum_exp(logits, max)).ln();
    ranked
        .into_iter()
        .map(|(next, sum)| (next, (sum.ln() - total) as f32))
        .collect()
}

fn first_character(bytes: &[u8]) -> Option<char> {
    let most = &bytes[..bytes.len().min(char::MAX.len_utf8())];
    let valid = match std::str::from_utf8(most) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&most[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.chars().next()
}

fn best(logits: &[f32], candidates: impl Iterator<Item = TokenId>) -> Option<TokenId> {
    candidates.fold(None, |best, token| {
        let (logit, id) = (logits[token as usize], token);
        match best {
            None => Some(id),
            Some(best) => {
                let highest = logits[best as usize];
                let better = logit > highest || (logit == highest && id < best);
                Some(if better { id } else { best })
            }
        }
    })
}
