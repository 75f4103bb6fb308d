//! Copying: what followed the same text elsewhere has a say in which token comes next.
//!
//! A small model does not know the names of the file that it is asked about; the file does. At each place
//! the longest matches of the text before it are looked up in a [`CopySource`], and the tokens that follow
//! them there vote. The choice is made from a mixture of the model's distribution and the votes (a
//! pointer network's, Merity et al. 2016, over a cache without bound, Grave et al. 2017), whose weight a
//! small rule takes from how far the matches reach, how much they agree and how sure the model is.
//!
//! The mixture depends on nothing but the model's distribution and the text on both sides of the place.
//! It knows no constraint, so under a longer constraint the best of many that is still allowed is the
//! best of the few, as it is without copying.

use std::collections::HashMap;

use crate::{TokenId, vocabulary::Vocabulary};

/// The text that may be copied from, besides what is decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopySource {
    /// The text before the first decoded token, the prompt's part of it included.
    pub before: Vec<u8>,
    /// The text behind the cursor.
    pub after: Vec<u8>,
}

/// Bytes that must agree before what follows them is heard.
const SHORTEST: usize = 3;
/// Bytes behind which two matches count the same.
const LONGEST: usize = 64;
/// Matches that vote: the longest, of equal ones the nearest.
const MOST: usize = 64;
/// Bytes that are cut into tokens to find the first of them.
const AHEAD: usize = 32;
/// Texts whose first token is remembered.
const REMEMBERED: usize = 1 << 13;

/// A place in the source whose text before it agrees.
#[derive(Debug, Clone, Copy)]
struct Match {
    /// How many bytes agree.
    length: usize,
    /// In the text behind the cursor.
    behind: bool,
    /// Bytes from the place where the next token is chosen, or from the cursor.
    distance: usize,
}

/// What the source says of the next token.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Votes {
    /// Shares of the tokens that follow, by id; their sum is 1 if there are any.
    shares: Vec<(TokenId, f32)>,
    /// Bytes that the longest match agrees in.
    longest: usize,
    /// Share of the token that follows the longest and nearest match.
    first: f32,
    /// Matches.
    count: usize,
}

/// The text around a sequence, and the first tokens of stretches of it.
#[derive(Debug, Default)]
pub(crate) struct Copier {
    first_tokens: HashMap<Box<[u8]>, Option<TokenId>>,
}

impl Copier {
    /// What the source says at the end of `source.before`.
    pub(crate) fn votes(&mut self, vocabulary: &Vocabulary, source: &CopySource) -> Votes {
        let matches = matches(source);
        let Some(best) = matches.first() else {
            return Votes::default();
        };
        let (longest, count) = (best.length, matches.len());
        // The middle ends where the line does, when nothing but a line end stands behind the cursor.
        let ends_lines = matches!(source.after.first(), None | Some(b'\n'));
        let most = rule::strength(best);
        let mut shares: Vec<(TokenId, f32)> = Vec::new();
        let (mut total, mut first) = (0.0, None);
        for one in &matches {
            let next = source.next(one);
            let token = match next.first() {
                Some(b'\n') if ends_lines => vocabulary.end(),
                _ => self.first_token(vocabulary, next),
            };
            let Some(token) = token else { continue };
            let weight = (rule::strength(one) - most).exp();
            total += weight;
            first = first.or(Some(token));
            match shares.iter_mut().find(|(known, _)| *known == token) {
                Some((_, share)) => *share += weight,
                None => shares.push((token, weight)),
            }
        }
        for (_, share) in &mut shares {
            *share /= total;
        }
        shares.sort_unstable_by_key(|(token, _)| *token);
        let mut votes = Votes {
            shares,
            longest,
            first: 0.0,
            count,
        };
        votes.first = first.map_or(0.0, |token| votes.share(token));
        votes
    }

    /// The first token of a text, cut into tokens by itself.
    fn first_token(&mut self, vocabulary: &Vocabulary, text: &[u8]) -> Option<TokenId> {
        let text = whole_characters(&text[..text.len().min(AHEAD)]);
        if let Some(known) = self.first_tokens.get(text.as_bytes()) {
            return *known;
        }
        let token = vocabulary.encode(text).first().copied();
        if self.first_tokens.len() >= REMEMBERED {
            self.first_tokens.clear();
        }
        self.first_tokens.insert(text.as_bytes().into(), token);
        token
    }
}

impl CopySource {
    /// The text behind a match.
    fn next(&self, one: &Match) -> &[u8] {
        match one.behind {
            true => &self.after[one.distance..],
            false => &self.before[self.before.len() - one.distance..],
        }
    }
}

impl Votes {
    /// Whether nothing votes.
    pub(crate) fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// Tokens with their shares, by id.
    pub(crate) fn shares(&self) -> &[(TokenId, f32)] {
        &self.shares
    }

    /// The share of one token.
    pub(crate) fn share(&self, token: TokenId) -> f32 {
        let at = self.shares.binary_search_by_key(&token, |(id, _)| *id);
        at.map_or(0.0, |at| self.shares[at].1)
    }

    /// Weight of the votes in the mixture, from 0 to 1, where the model's likeliest token has this
    /// probability.
    pub(crate) fn weight(&self, likeliest: f32) -> f32 {
        match self.is_empty() {
            true => 0.0,
            false => rule::weight(self, likeliest),
        }
    }
}

/// The rule, fitted by maximum likelihood; see the model card.
mod rule {
    use super::{Match, Votes};

    /// Logarithm of how much a match counts.
    pub(super) fn strength(one: &Match) -> f32 {
        let (near, far) = (one.length.min(16), one.length.saturating_sub(16));
        0.643 * near as f32 + 0.104 * far as f32 - 0.299 * (one.distance as f32).ln_1p()
    }

    pub(super) fn weight(votes: &Votes, likeliest: f32) -> f32 {
        let longest = votes.longest as f32;
        let features = [
            (-2.387, 1.0),
            (0.435, longest.min(8.0) / 8.0),
            (0.544, (longest - 8.0).clamp(0.0, 16.0) / 16.0),
            (0.919, (longest - 24.0).clamp(0.0, 40.0) / 40.0),
            (-1.71, likeliest),
            (0.11, votes.first),
            (0.26, (votes.count as f32).ln_1p() / 4.0),
            (1.738, votes.first * longest.min(16.0) / 16.0),
        ];
        let sum: f32 = features
            .iter()
            .map(|(weight, feature)| weight * feature)
            .sum();
        1.0 / (1.0 + (-sum).exp())
    }
}

/// The longest matches of the end of `source.before`, longest first, of equal ones first those before the
/// cursor, and of those the nearest.
fn matches(source: &CopySource) -> Vec<Match> {
    let CopySource { before, after } = source;
    let Some(least) = before.len().checked_sub(SHORTEST).map(|at| &before[at..]) else {
        return Vec::new();
    };
    let mut matches = Vec::new();
    let mut look = |text: &[u8], behind: bool| {
        for at in memchr::memmem::find_iter(text, least) {
            let end = at + SHORTEST;
            if end == text.len() {
                // The place itself, or nothing follows.
                break;
            }
            matches.push(Match {
                length: common_suffix(before, &text[..end]),
                behind,
                distance: if behind { end } else { text.len() - end },
            });
        }
    };
    look(before, false);
    look(after, true);
    let order = |one: &Match| (std::cmp::Reverse(one.length), one.behind, one.distance);
    if matches.len() > MOST {
        matches.select_nth_unstable_by_key(MOST, order);
        matches.truncate(MOST);
    }
    matches.sort_unstable_by_key(order);
    matches
}

/// How many bytes the ends of two texts share, up to [`LONGEST`].
fn common_suffix(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().rev().zip(other.iter().rev()).take(LONGEST);
    pairs.take_while(|(a, b)| a == b).count()
}

/// The text up to the last whole character.
fn whole_characters(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
