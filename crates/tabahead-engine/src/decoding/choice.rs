//! Which token may come next: the likeliest under a constraint, and its rival if that is nearly as
//! likely.
//!
//! Tokens are chosen from the model's distribution, mixed with the votes of copying if there are
//! any. Masks depend only on the place, and probabilities are those of the unmasked distribution,
//! so the same place gives the same choice in every run.
//!
//! A longer constraint keeps those rivals that it still allows; other tokens are considered only if
//! it allows none of them. So the rival that won wins again after text that it spells is typed.
//! (See `lookahead.rs` for how a rival wins.)

use std::collections::HashMap;

use crate::{
    EngineError, TokenId,
    arithmetic::simd::Isa,
    decoding::{
        copying::{CopyingRule, Votes},
        observation::{Observation, ObservedToken, ObservedVote},
    },
    vocabulary::{TokenKind, Vocabulary},
};

/// Minimum probability of a rival, relative to that of the likeliest token.
const RIVAL: f32 = 0.4;

/// Whether the line may end at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopRule {
    /// A stop may be chosen.
    Allowed,
    /// Another token is chosen, however likely a stop is.
    Masked,
}

/// Which tokens are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// The likeliest.
    Likeliest,
    /// The likeliest and, if it has one, its rival.
    Rivals,
}

/// The tokens that may come next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rivals {
    /// One or two tokens, possibly stops, with their log-probabilities; the likelier first.
    pub(crate) tokens: Vec<(TokenId, f32)>,
    /// Log-probability of the stop that would have been the likeliest token, had it not been
    /// masked.
    pub(crate) masked_stop: Option<f32>,
}

/// The distribution of the next token.
pub(crate) struct Distribution<'a> {
    vocabulary: &'a Vocabulary,
    isa: Isa,
    logits: &'a [f32],
    /// Highest logit; `total` is the logarithm of the sum of all exponentials relative to it.
    max: f32,
    total: f32,
    /// What copying adds to the probabilities of tokens, sorted by token; `whole` is the sum of all
    /// probabilities including these.
    added: Vec<(TokenId, f32)>,
    whole: f32,
}

impl<'a> Distribution<'a> {
    pub(crate) fn new(
        vocabulary: &'a Vocabulary,
        isa: Isa,
        logits: &'a [f32],
        rule: &CopyingRule,
        votes: &Votes,
    ) -> Self {
        let max = isa.max(logits);
        let total = isa.sum_exp(logits, max).ln();
        let log_prob = |token| logits[token as usize] - max - total;
        let added = votes.added(rule, log_prob, (-total).exp());
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

    /// Returns what copying adds to a token's probability.
    fn added(&self, token: TokenId) -> f32 {
        let at = self.added.binary_search_by_key(&token, |(id, _)| *id);
        at.map_or(0.0, |at| self.added[at].1)
    }

    /// Returns the natural logarithm of a token's probability.
    fn log_prob(&self, token: TokenId) -> f32 {
        let model = self.logits[token as usize] - self.max - self.total;
        if self.added.is_empty() {
            model
        } else {
            ((model.exp() + self.added(token)) / self.whole).ln()
        }
    }

    /// Returns the tokens to choose from, which must agree with `forced` (any do if it is empty).
    pub(crate) fn rivals(
        &self,
        forced: &[u8],
        stops: StopRule,
        sought: Sought,
    ) -> Result<Rivals, EngineError> {
        let free = self.likeliest(b"", TokenKind::Stop, sought);
        let masks_stops = stops == StopRule::Masked || !forced.is_empty();
        let masked_stop = match free[..] {
            [(first, log_prob), ..]
                if forced.is_empty()
                    && stops == StopRule::Masked
                    && !self.vocabulary.spells(first, b"") =>
            {
                Some(log_prob)
            }
            _ => None,
        };
        // Each of these allows fewer tokens than the one before.
        let texts = (0..=forced.len()).map(|length| &forced[..length]);
        let constrained = texts.map(|text| self.likeliest(text, TokenKind::Text, sought));
        let left = std::iter::once(free)
            .chain(constrained)
            .find_map(|mut tokens| {
                tokens.retain(|&(token, _)| !masks_stops || self.vocabulary.spells(token, forced));
                (!tokens.is_empty()).then_some(tokens)
            });
        let Some(tokens) = left else {
            let byte = forced.first().copied().unwrap_or_default();
            return Err(EngineError::Unspellable { byte });
        };
        Ok(Rivals {
            tokens,
            masked_stop,
        })
    }

    /// Returns the likeliest token that agrees with `forced` and, if rivals are sought, the second
    /// likeliest if it is one. `last` is the last allowed kind of token if nothing is forced.
    fn likeliest(&self, forced: &[u8], last: TokenKind, sought: Sought) -> Vec<(TokenId, f32)> {
        let vocabulary = self.vocabulary;
        let model = match forced {
            // Kinds are ordered so that those that may be chosen come first.
            [] => self.best_two(last, sought),
            _ => best_two(self.logits, vocabulary.candidates(forced)),
        };
        let voted = self.added.iter().map(|(token, _)| *token);
        let allowed = voted.filter(|&token| match forced {
            [] => vocabulary.kind(token) as u8 <= last as u8,
            _ => vocabulary.spells(token, forced),
        });
        // Votes are sorted by id. Tokens without votes are ranked as the model ranks them, and a
        // tie goes to a token with a vote. So the order is the same under every constraint.
        let mut ranked: Vec<(TokenId, f32)> = Vec::new();
        for token in allowed.chain(model.into_iter().flatten()) {
            if ranked.iter().all(|&(known, _)| known != token) {
                ranked.push((token, self.log_prob(token)));
            }
        }
        // This must be a stable sort.
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        ranked.truncate(match sought {
            Sought::Likeliest => 1,
            Sought::Rivals => 2,
        });
        if let [first, second] = ranked[..]
            && second.1 < first.1 + RIVAL.ln()
        {
            ranked.pop();
        }
        ranked
    }

    /// Returns the token with the highest logit among the kinds up to `last` and, if rivals are
    /// sought, the second.
    fn best_two(&self, last: TokenKind, sought: Sought) -> [Option<TokenId>; 2] {
        let (logits, kinds) = (self.logits, self.vocabulary.kinds());
        let Some(first) = self.isa.best(logits, kinds, last as u8) else {
            return [None; 2];
        };
        if sought == Sought::Likeliest {
            return [Some(first), None];
        }
        let at = first as usize;
        let before = self.isa.best(&logits[..at], &kinds[..at], last as u8);
        let after = self
            .isa
            .best(&logits[at + 1..], &kinds[at + 1..], last as u8);
        let rest = before
            .into_iter()
            .chain(after.map(|token| first + 1 + token));
        [Some(first), best_two(logits, rest)[0]]
    }

    /// Returns the likeliest of all tokens, with which an unconstrained line continues.
    pub(crate) fn first(&self) -> Option<(TokenId, f32)> {
        self.likeliest(b"", TokenKind::Stop, Sought::Likeliest)
            .pop()
    }

    /// Returns at most `most` of the likeliest characters after `forced`, each with the logarithm
    /// of the summed probability of the tokens that spell `forced` and then begin with that
    /// character. Tokens that end with `forced`, or within a character, do not contribute. Ties go
    /// to the lower character.
    pub(crate) fn characters(&self, forced: &[u8], most: usize) -> Vec<(char, f32)> {
        let mut sums: HashMap<char, f64> = HashMap::new();
        // Iterate in the order of spellings, so that every run sums in the same order.
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

    /// Reports what the model and copying predict for `rest`, the text that really comes next. A
    /// stop counts as right if only the line end is left of `rest`. The first `typed` bytes of
    /// `rest` are before the cursor: `Some(0)` means that the cursor is here, `None` that this
    /// place is after it.
    pub(crate) fn observe(&self, rest: &[u8], typed: Option<usize>, votes: &Votes) -> Observation {
        // A token must spell what was typed, and stops are masked up to the cursor.
        let possible = |token: TokenId| match (self.vocabulary.kind(token), typed) {
            (TokenKind::Masked, _) => false,
            (TokenKind::Stop, typed) => typed.is_none(),
            (TokenKind::Text, typed) => self.vocabulary.spells(token, &rest[..typed.unwrap_or(0)]),
        };
        let right = |token: TokenId| match self.vocabulary.kind(token) {
            TokenKind::Stop => rest == b"\n",
            _ => self.vocabulary.spells(token, rest),
        };
        let log_prob = |token: TokenId| self.logits[token as usize] - self.max - self.total;
        let better = |one: TokenId, best: &Option<TokenId>| {
            best.is_none_or(|best| self.logits[one as usize] > self.logits[best as usize])
        };
        let (mut sum, mut best_right, mut best_wrong) = (0.0f64, None, None);
        for token in 0..self.logits.len() as TokenId {
            let best = match right(token) {
                true => {
                    sum += f64::from(log_prob(token)).exp();
                    &mut best_right
                }
                false if possible(token) => &mut best_wrong,
                false => continue,
            };
            if better(token, best) {
                *best = Some(token);
            }
        }
        let likeliest = (-self.total).exp();
        let observed = |id: TokenId| ObservedToken {
            id,
            log_prob: log_prob(id),
        };
        let votes = votes.features(log_prob, likeliest);
        Observation {
            right: sum.ln() as f32,
            best_right: best_right.map(observed),
            best_wrong: best_wrong.map(observed),
            votes: votes
                .map(|(token, features)| ObservedVote {
                    token: observed(token),
                    right: right(token),
                    possible: possible(token),
                    features,
                })
                .collect(),
        }
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

/// Returns the tokens with the two highest logits; ties go to the lowest id.
fn best_two(logits: &[f32], candidates: impl Iterator<Item = TokenId>) -> [Option<TokenId>; 2] {
    let better = |one: TokenId, other: Option<TokenId>| {
        other.is_none_or(|other| {
            let (ours, theirs) = (logits[one as usize], logits[other as usize]);
            ours > theirs || (ours == theirs && one < other)
        })
    };
    let mut best = [None; 2];
    for token in candidates {
        if better(token, best[0]) {
            best = [Some(token), best[0]];
        } else if better(token, best[1]) {
            best[1] = Some(token);
        }
    }
    best
}
