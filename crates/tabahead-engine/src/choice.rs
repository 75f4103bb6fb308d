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
    let log_prob = logits[id as usize] - max - isa.sum_exp(logits, max).ln();
    Ok(match vocabulary.kind(id) {
        TokenKind::Stop => Choice::Stop { log_prob },
        TokenKind::Text | TokenKind::Masked => Choice::Token { id, log_prob },
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
