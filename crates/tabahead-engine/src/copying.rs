//! Copying: what followed the same text elsewhere has a say in which token comes next.
//!
//! A small model does not know the names of the file that it is asked about; the file does. At each place
//! the longest matches of the text before it are looked up in a [`CopySource`], and the tokens that follow
//! them there vote. The choice is made from a mixture of the model's distribution and the votes (as in a
//! pointer network, Merity et al. 2016, over a cache without bound, Grave et al. 2017). How much is added
//! to a token's probability, a small rule takes from how far its matches reach, how many they are, how much
//! they agree, and how likely the token is to the model.
//!
//! The mixture depends on nothing but the model's distribution and the text on both sides of the place.
//! It knows no constraint, so under a longer constraint the best of many that is still allowed is the
//! best of the few, as it is without copying.

use std::{collections::HashMap, sync::Arc};

use crate::{TokenId, vocabulary::Vocabulary};

/// The text that may be copied from, besides what is decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopySource {
    /// The text before the first decoded token, the prompt's part of it included.
    pub before: Vec<u8>,
    /// The text behind the cursor.
    pub after: Vec<u8>,
    /// The other open files.
    pub open_files: Vec<Arc<str>>,
}

/// Bytes that must agree before what follows them is heard.
const SHORTEST: usize = 3;
/// Bytes behind which two matches count the same.
const LONGEST: usize = 64;
/// Matches that vote: the longest, of equal ones the nearest.
const MOST: usize = 64;
/// Bytes of a word that are cut into tokens at most, to find the first of them.
const AHEAD: usize = 32;
/// Texts whose first token is remembered.
const REMEMBERED: usize = 1 << 13;

/// A place in the source whose text before it agrees.
#[derive(Debug, Clone, Copy)]
struct Match {
    /// How many bytes agree.
    length: usize,
    place: Place,
    /// Bytes from the place where the next token is chosen, from the cursor, or from the other file's start.
    distance: usize,
}

/// Which text a match stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    BeforeCursor,
    BehindCursor,
    /// In this one of the other open files.
    OpenFile(usize),
}

/// What the source says of the next token.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Votes {
    /// By token.
    votes: Vec<Vote>,
    /// Bytes that the longest match agrees in.
    longest: usize,
}

/// What it says of one token.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Vote {
    token: TokenId,
    /// Share of the matches that it follows, by their strength.
    share: f32,
    /// Bytes that the longest of them agrees in.
    longest: usize,
    /// How many they are.
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
        let longest = best.length;
        // The middle ends where the line does, when nothing but a line end stands behind the cursor.
        let ends_lines = matches!(source.after.first(), None | Some(b'\n'));
        let most = rule::strength(best);
        let mut votes: Vec<Vote> = Vec::new();
        let mut total = 0.0;
        for one in &matches {
            let next = source.next(one);
            let token = match next.first() {
                Some(b'\n') if ends_lines => vocabulary.end(),
                _ => self.first_token(vocabulary, next),
            };
            let Some(token) = token else { continue };
            let share = (rule::strength(one) - most).exp();
            total += share;
            match votes.iter_mut().find(|known| known.token == token) {
                Some(known) => {
                    known.share += share;
                    known.count += 1;
                }
                // Matches come the longest first.
                None => votes.push(Vote {
                    token,
                    share,
                    longest: one.length,
                    count: 1,
                }),
            }
        }
        for vote in &mut votes {
            vote.share /= total;
        }
        votes.sort_unstable_by_key(|vote| vote.token);
        Votes { votes, longest }
    }

    /// The first token of a text's first word, cut into tokens by itself.
    fn first_token(&mut self, vocabulary: &Vocabulary, text: &[u8]) -> Option<TokenId> {
        let text = whole_characters(first_word(&text[..text.len().min(AHEAD)]));
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
        match one.place {
            Place::BeforeCursor => &self.before[self.before.len() - one.distance..],
            Place::BehindCursor => &self.after[one.distance..],
            Place::OpenFile(file) => &self.open_files[file].as_bytes()[one.distance..],
        }
    }
}

impl Votes {
    /// What is added to the probability of each token that is voted for, by token, before all are divided
    /// by their sum. `log_prob` is the model's logarithm of a token's probability, `likeliest` the
    /// probability of its likeliest token.
    pub(crate) fn added(
        &self,
        log_prob: impl Fn(TokenId) -> f32,
        likeliest: f32,
    ) -> Vec<(TokenId, f32)> {
        let votes = self.votes.iter();
        votes
            .map(|vote| {
                let model = log_prob(vote.token);
                (
                    vote.token,
                    rule::added(vote, self.longest, model, likeliest),
                )
            })
            .collect()
    }
}

/// The rule, fitted by maximum likelihood: `training/copying.py` of `tabahead-mini`, see its model card.
mod rule {
    use super::{Match, Place, Vote};

    /// Less likely tokens are as unlikely as this to the rule, a logarithm.
    const LEAST: f32 = -12.0;
    /// Logarithm of what is added at most.
    const MOST: f32 = 12.0;

    /// Logarithm of how much a match counts among all.
    pub(super) fn strength(one: &Match) -> f32 {
        let (near, far) = (one.length.min(16), one.length.saturating_sub(16));
        let distance = (one.distance as f32).ln_1p();
        let place = match one.place {
            Place::BeforeCursor => -0.022 * distance,
            Place::BehindCursor => -0.022 * distance - 0.122,
            Place::OpenFile(_) => -0.785,
        };
        1.406 * near as f32 + 0.621 * far as f32 + place
    }

    pub(super) fn added(vote: &Vote, longest: usize, model: f32, likeliest: f32) -> f32 {
        let (longest, own) = (longest as f32, vote.longest as f32);
        let model = model.max(LEAST) / 8.0;
        let features = [
            (-5.481, 1.0),
            (-0.193, vote.share.max(1e-6).ln()),
            (2.954, own.min(8.0) / 8.0),
            (0.682, (own - 8.0).clamp(0.0, 16.0) / 16.0),
            (2.025, (own - 24.0).clamp(0.0, 40.0) / 40.0),
            (-0.952, likeliest),
            (1.817, (vote.count as f32).ln_1p() / 4.0),
            (2.994, vote.share * own.min(16.0) / 16.0),
            (2.261, model),
            (2.243, own / longest),
            (-2.007, longest.min(16.0) / 16.0),
            (-0.175, likeliest * model),
        ];
        let sum: f32 = features
            .iter()
            .map(|(weight, feature)| weight * feature)
            .sum();
        sum.min(MOST).exp()
    }
}

/// The longest matches of the end of `source.before`, longest first, of equal ones first those before the
/// cursor, then those behind it, and of those the nearest.
fn matches(source: &CopySource) -> Vec<Match> {
    let CopySource {
        before,
        after,
        open_files,
    } = source;
    let Some(least) = least(before) else {
        return Vec::new();
    };
    let mut matches = Vec::new();
    let mut look = |text: &[u8], place: Place| {
        for at in memchr::memmem::find_iter(text, least) {
            let end = at + least.len();
            if end == text.len() {
                // The place itself, or nothing follows.
                break;
            }
            matches.push(Match {
                length: common_suffix(before, &text[..end]),
                place,
                distance: match place {
                    Place::BeforeCursor => text.len() - end,
                    Place::BehindCursor | Place::OpenFile(_) => end,
                },
            });
        }
    };
    look(before, Place::BeforeCursor);
    look(after, Place::BehindCursor);
    for (number, file) in open_files.iter().enumerate() {
        look(file.as_bytes(), Place::OpenFile(number));
    }
    let order = |one: &Match| (std::cmp::Reverse(one.length), one.place, one.distance);
    if matches.len() > MOST {
        matches.select_nth_unstable_by_key(MOST, order);
        matches.truncate(MOST);
    }
    matches.sort_unstable_by_key(order);
    matches
}

/// The end of the text that a match agrees in at least: behind white space all of that, and what stands before
/// it. Three of many blanks say nothing, and where a line begins its whole indentation counts.
fn least(before: &[u8]) -> Option<&[u8]> {
    let blanks = before.iter().rev().take(LONGEST - 1);
    let blanks = blanks
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let length = SHORTEST.max(blanks + 1);
    Some(&before[before.len().checked_sub(length)?..])
}

/// How many bytes the ends of two texts share, up to [`LONGEST`].
fn common_suffix(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().rev().zip(other.iter().rev()).take(LONGEST);
    pairs.take_while(|(a, b)| a == b).count()
}

/// White space, what stands behind it up to the next, and line ends. Byte-level vocabularies cut there in any case,
/// so the first token is that of the whole text, and the word is soon known: longer stretches are all different.
fn first_word(text: &[u8]) -> &[u8] {
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let behind = |from: usize, last: &dyn Fn(&u8) -> bool| {
        from + text[from..].iter().take_while(|byte| last(byte)).count()
    };
    let begin = behind(0, &is_white);
    let end = behind(begin, &|byte| !is_white(byte));
    &text[..behind(end, &is_line_end)]
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
