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
    Token { id: TokenId, log_prob: f32 },
    Stop { log_prob: f32 },
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
        None => best(logits, free(vocabulary, mask_stops)),
        Some(_) => best(logits, vocabulary.candidates(forced)),
    };
    let Some(id) = id else {
        let byte = forced.first().copied().unwrap_or_default();
        return Err(EngineError::Unspellable { byte });
    };
    let max = logits
        .iter()
        .fold(f32::NEG_INFINITY, |max, &logit| max.max(logit));
    let log_prob = logits[id as usize] - max - isa.sum_exp(logits, max).ln();
    Ok(match vocabulary.kind(id) {
        TokenKind::Stop => Choice::Stop { log_prob },
        TokenKind::Text | TokenKind::Masked => Choice::Token { id, log_prob },
    })
}

fn free(vocabulary: &Vocabulary, mask_stops: bool) -> impl Iterator<Item = TokenId> {
    (0..vocabulary.len() as TokenId).filter(move |&token| match vocabulary.kind(token) {
        TokenKind::Text => true,
        TokenKind::Stop => !mask_stops,
        TokenKind::Masked => false,
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
