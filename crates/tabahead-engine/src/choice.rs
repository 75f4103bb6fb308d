//! Chooses the next token: greedily, under a constraint, ties to the lowest id.
//!
//! Masks depend on the place alone, and probabilities are those of the unmasked distribution, so
//! the same place gives the same choice in every run.

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
