//! Copying: what followed the same text elsewhere has a say in which token comes next.
//!
//! A small model does not know the names of the file that it is asked about; the file does. At each place
//! the matches of the text before it are looked up in a [`CopySource`], and the tokens that follow them there
//! vote, with the more weight the longer the match is and the more of the next lines agrees with what stands
//! behind the cursor's line. The choice is made from a mixture of the model's distribution and the votes (as
//! in a pointer network, Merity et al. 2016, over a cache without bound, Grave et al. 2017). How much is added
//! to a token's probability, a small rule takes from how far its matches reach to both sides, how many they
//! are, how much they agree, and how likely the token is to the model.
//!
//! The mixture depends on nothing but the model's distribution and the text on both sides of the place.
//! It knows no constraint, so under a longer constraint the best of many that is still allowed is the
//! best of the few, as it is without copying.

use std::{cmp::Reverse, collections::HashMap, ops::Range, sync::Arc};

use crate::{ModelInfo, TokenId, vocabulary::Vocabulary};

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

/// Bytes that must agree before what follows them is heard, unless the next line agrees. Behind white space all of
/// that must agree, and what stands before it: three of many blanks say nothing, and where a line begins its
/// whole indentation counts.
const SHORTEST: usize = 3;
/// Bytes behind which two matches count the same.
const LONGEST: usize = 64;
/// Matches that vote: those that reach the farthest, of equal ones the nearest.
const MOST: usize = 64;
/// Matches of each kind, the longest, of which the next lines are looked at.
const CONSIDERED: usize = 128;
/// Bytes of the next lines that are compared.
const NEXT: usize = 100;
/// How many of them a line is looked up by.
const PROBE: usize = 3;
/// Lines of one text, the nearest, that matches are looked for in because the next line agrees.
const FOLLOWED: usize = 64;
/// Bytes that a line's beginning, its end and the next line's beginning are looked for in.
const LINE: usize = 400;
/// Bytes of a word that are cut into tokens at most, to find the first of them.
const AHEAD: usize = 32;
/// Bytes that agree on both sides of a place from which a draft is taken, and the share of the matches that say how it
/// begins. With these, 6 of 10 drafts begin with what is chosen (docs/engine.md).
const DRAFTED: usize = 4;
const DRAFTED_SHARE: f32 = 0.5;
/// Texts whose first token is remembered.
const REMEMBERED: usize = 1 << 13;

/// A place in the source whose text before it agrees.
#[derive(Debug, Clone, Copy)]
struct Match {
    /// How many bytes before it agree.
    length: usize,
    /// How many bytes behind its line agree with what stands behind the cursor's line, from the first and to the
    /// last that is no white space.
    next: usize,
    place: Place,
    /// Where it is in that text.
    at: usize,
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
    /// Bytes that agree behind the line of the best match.
    next: usize,
    /// Where the text after the best match is.
    best: Option<(Place, usize)>,
}

/// What it says of one token.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Vote {
    token: TokenId,
    /// Share of the matches that it follows, by their strength.
    share: f32,
    /// Bytes that the longest of them agrees in.
    longest: usize,
    /// Bytes that agree behind the line of the best of them.
    next: usize,
    /// How many they are.
    count: usize,
}

/// The text around a sequence while it is decoded.
#[derive(Debug)]
pub(crate) struct Source {
    copied: CopySource,
    /// Lines behind which stands what stands behind the cursor's line, of all texts but the one that grows.
    followed: Vec<(Place, Range<usize>)>,
    /// Those of the text before the place.
    followed_before: Vec<Range<usize>>,
    /// How many of its bytes were looked through for them.
    scanned: usize,
    /// What it says at the end of the text before the place, once that was asked.
    said: Option<Votes>,
}

/// Where a source was, without the text.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    length: usize,
    followed_before: Vec<Range<usize>>,
    scanned: usize,
}

/// The first tokens of words.
#[derive(Debug, Default)]
pub(crate) struct Copier {
    first_tokens: HashMap<Box<[u8]>, Option<TokenId>>,
}

impl Copier {
    /// What the source says at the end of the text before the place.
    pub(crate) fn votes<'a>(
        &mut self,
        vocabulary: &Vocabulary,
        source: &'a mut Source,
    ) -> &'a Votes {
        let said = match source.said.take() {
            Some(said) => said,
            None => self.asked(vocabulary, source),
        };
        source.said.insert(said)
    }

    fn asked(&mut self, vocabulary: &Vocabulary, source: &mut Source) -> Votes {
        let matches = source.matches();
        let Some(most) = matches.iter().map(rule::strength).reduce(f32::max) else {
            return Votes::default();
        };
        // The middle ends where the line does, when nothing but a line end stands behind the cursor.
        let ends_lines = matches!(source.copied.after.first(), None | Some(b'\n'));
        let mut votes: Vec<Vote> = Vec::new();
        let mut total = 0.0;
        for one in &matches {
            let next = &source.text(one.place)[one.at..];
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
                    known.longest = known.longest.max(one.length);
                    known.next = known.next.max(one.next);
                    known.count += 1;
                }
                None => votes.push(Vote {
                    token,
                    share,
                    longest: one.length,
                    next: one.next,
                    count: 1,
                }),
            }
        }
        for vote in &mut votes {
            vote.share /= total;
        }
        votes.sort_unstable_by_key(|vote| vote.token);
        Votes {
            longest: matches.iter().map(|one| one.length).max().unwrap_or(0),
            next: votes.iter().map(|vote| vote.next).max().unwrap_or(0),
            best: matches.first().map(|best| (best.place, best.at)),
            votes,
        }
    }

    /// Tokens that probably come next, at most so many: those after the best match, to the end of its line. None where
    /// matches are short or say different things.
    pub(crate) fn draft(
        &mut self,
        vocabulary: &Vocabulary,
        source: &mut Source,
        most: usize,
    ) -> Vec<TokenId> {
        let votes = self.votes(vocabulary, source);
        let share = votes
            .votes
            .iter()
            .map(|vote| vote.share)
            .fold(0.0, f32::max);
        let is_likely = votes.longest + votes.next >= DRAFTED && share >= DRAFTED_SHARE;
        let Some((place, at)) = votes.best.filter(|_| is_likely) else {
            return Vec::new();
        };
        let text = &source.text(place)[at..];
        let text = &text[..text.len().min(AHEAD)];
        let line = memchr::memchr(b'\n', text).unwrap_or(text.len());
        let mut tokens = vocabulary.encode(whole_characters(&text[..line]));
        tokens.truncate(most);
        tokens
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

impl Source {
    /// The source at the end of a prompt.
    pub(crate) fn new(copied: CopySource) -> Self {
        let mut source = Self {
            copied,
            followed: Vec::new(),
            followed_before: Vec::new(),
            scanned: 0,
            said: None,
        };
        let files = (0..source.copied.open_files.len()).map(Place::OpenFile);
        for place in [Place::BehindCursor].into_iter().chain(files) {
            let lines = followed(source.text(place), 0, source.next_lines());
            let lines: Vec<_> = lines.take(FOLLOWED).map(|line| (place, line)).collect();
            source.followed.extend(lines);
        }
        source
    }

    /// Goes on behind more text before the place.
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.copied.before.extend_from_slice(text);
        self.said = None;
    }

    /// Where it is, to come back from farther on.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            length: self.copied.before.len(),
            followed_before: self.followed_before.clone(),
            scanned: self.scanned,
        }
    }

    /// Comes back.
    pub(crate) fn rewind(&mut self, mark: &Mark) {
        self.copied.before.truncate(mark.length);
        self.followed_before.clone_from(&mark.followed_before);
        self.scanned = mark.scanned;
        self.said = None;
    }

    fn text(&self, place: Place) -> &[u8] {
        match place {
            Place::BeforeCursor => &self.copied.before,
            Place::BehindCursor => &self.copied.after,
            Place::OpenFile(file) => self.copied.open_files[file].as_bytes(),
        }
    }

    /// What stands behind the cursor's line; nothing where the line goes on behind the cursor.
    fn next_lines(&self) -> &[u8] {
        let lines = match self.copied.after.first() {
            Some(b'\n') => without_white_space(&self.copied.after),
            _ => &[],
        };
        &lines[..lines.len().min(NEXT)]
    }

    /// Finds what is new among the lines before the place.
    fn look_for_followed(&mut self) {
        // What begins further left was found before.
        let from = self.scanned.saturating_sub(PROBE - 1);
        let new: Vec<_> = followed(&self.copied.before, from, self.next_lines()).collect();
        self.followed_before.extend(new);
        let farther = self.followed_before.len().saturating_sub(FOLLOWED);
        self.followed_before.drain(..farther);
        self.scanned = self.copied.before.len();
    }

    /// The matches of the end of the text before the place that reach the farthest to both sides, the best first,
    /// of equal ones first those before the cursor, then those behind it, and of those the nearest.
    fn matches(&mut self) -> Vec<Match> {
        self.look_for_followed();
        let mut matches = self.long_matches();
        matches.append(&mut self.short_matches());
        let next_lines = self.next_lines();
        for one in &mut matches {
            one.next = agreeing(next_lines, &self.text(one.place)[one.at..]);
        }
        only_first(&mut matches, MOST, |one| one.length + one.next.min(32));
        matches
    }

    /// The longest matches of [`least`] bytes or more.
    fn long_matches(&self) -> Vec<Match> {
        let mut matches = self.matches_to_consider();
        only_first(&mut matches, CONSIDERED, |one| one.length);
        matches
    }

    /// Matches of [`least`] bytes or more, and among them the longest. A text that repeats itself has
    /// as many as it has lines: those are left out that can be none of the longest.
    fn matches_to_consider(&self) -> Vec<Match> {
        let before = &self.copied.before;
        let mut matches = Vec::new();
        if let Some(start) = before.len().checked_sub(least(before)) {
            let files = (0..self.copied.open_files.len()).map(Place::OpenFile);
            let places = [Place::BeforeCursor, Place::BehindCursor];
            for place in places.into_iter().chain(files) {
                let text = self.text(place);
                let found = memchr::memmem::find_iter(text, &before[start..]);
                let ends = found.map(|at| at + before.len() - start);
                // At a text's end is the place itself, or nothing follows.
                let ends = ends.take_while(|&end| end < text.len());
                if place == Place::BeforeCursor {
                    let ends: Vec<usize> = ends.collect();
                    self.consider(place, ends.into_iter().rev(), &mut matches);
                } else {
                    self.consider(place, ends, &mut matches);
                }
            }
        }
        matches
    }

    /// Takes the matches of one text, the nearest first, until there are enough that nothing exceeds.
    fn consider(&self, place: Place, ends: impl Iterator<Item = usize>, matches: &mut Vec<Match>) {
        let mut longest = 0;
        for end in ends {
            let one = self.match_at(place, end);
            longest += usize::from(one.length == LONGEST);
            matches.push(one);
            if longest == CONSIDERED {
                return;
            }
        }
    }

    /// The longest of the shorter matches, in lines that the next line stands behind.
    fn short_matches(&self) -> Vec<Match> {
        let before = &self.copied.before;
        let others = self.followed.iter().map(|(place, line)| (*place, line));
        let lines = self.followed_before.iter();
        let lines = lines.map(|line| (Place::BeforeCursor, line)).chain(others);
        let lengths = blanks(before) + 1..least(before);
        let ends =
            lines.flat_map(|(place, line)| (line.start..=line.end).map(move |end| (place, end)));
        let matches = ends.map(|(place, end)| self.match_at(place, end));
        let mut matches: Vec<_> = matches
            .filter(|one| lengths.contains(&one.length))
            .collect();
        only_first(&mut matches, CONSIDERED, |one| one.length);
        matches
    }

    fn match_at(&self, place: Place, at: usize) -> Match {
        let text = self.text(place);
        Match {
            length: common_suffix(&self.copied.before, &text[..at]),
            next: 0,
            place,
            at,
            distance: match place {
                Place::BeforeCursor => text.len() - at,
                Place::BehindCursor | Place::OpenFile(_) => at,
            },
        }
    }
}

impl Votes {
    /// What a rule adds to the probability of each token that is voted for, by token, before all are divided
    /// by their sum. `log_prob` is the model's logarithm of a token's probability, `likeliest` the
    /// probability of its likeliest token.
    pub(crate) fn added(
        &self,
        rule: &CopyingRule,
        log_prob: impl Fn(TokenId) -> f32,
        likeliest: f32,
    ) -> Vec<(TokenId, f32)> {
        self.features(log_prob, likeliest)
            .map(|(token, features)| (token, rule.added(&features)))
            .collect()
    }

    /// What a rule looks at, for each token that is voted for.
    pub(crate) fn features(
        &self,
        log_prob: impl Fn(TokenId) -> f32,
        likeliest: f32,
    ) -> impl Iterator<Item = (TokenId, Features)> {
        self.votes.iter().map(move |vote| {
            let features = rule::features(vote, self, log_prob(vote.token), likeliest);
            (vote.token, features)
        })
    }
}

/// What a rule looks at; the meaning of each number is in `rule::features`.
pub(crate) type Features = [f32; FEATURES];

/// How many numbers a rule looks at.
pub(crate) const FEATURES: usize = 15;

/// How much is added to a token's probability, fitted to a kind of model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CopyingRule {
    weights: Features,
}

impl CopyingRule {
    /// For our embedded model: `training/copying.py` of `tabahead-mini`, see its model card.
    pub(crate) const MINI: Self = Self {
        weights: [
            -5.119, -0.19, 2.943, 0.392, 1.468, -1.443, 1.604, 2.756, 2.52, 2.111, -1.744, -0.565,
            0.195, 1.177, -0.714,
        ],
    };

    /// For models of half a billion weights and more: fitted to what Qwen2.5-Coder 0.5B says, see
    /// docs/models.md. They are surer of more tokens, so that votes decide less often.
    pub(crate) const LARGE: Self = Self {
        weights: [
            -4.421, -0.086, 2.162, 0.923, 1.154, -2.051, 1.497, 1.199, 1.197, 1.896, -1.629, 0.505,
            -0.532, 1.682, -1.386,
        ],
    };

    /// The rule that suits a model.
    pub(crate) fn for_model(info: &ModelInfo) -> &'static Self {
        match info.is_large() {
            false => &Self::MINI,
            true => &Self::LARGE,
        }
    }

    /// Summed up, and to the power of e.
    fn added(&self, features: &Features) -> f32 {
        /// Logarithm of what is added at most.
        const MOST: f32 = 12.0;

        let pairs = self.weights.iter().zip(features);
        let sum: f32 = pairs.map(|(weight, feature)| weight * feature).sum();
        sum.min(MOST).exp()
    }
}

/// What the rules look at. What is not in their weights was fitted with [`CopyingRule::MINI`].
mod rule {
    use super::{Features, Match, Place, Vote, Votes};

    /// Less likely tokens are as unlikely as this to the rule, a logarithm.
    const LEAST: f32 = -12.0;

    /// Logarithm of how much a match counts among all.
    pub(super) fn strength(one: &Match) -> f32 {
        let (near, far) = (one.length.min(16), one.length.saturating_sub(16));
        let distance = (one.distance as f32).ln_1p();
        let place = match one.place {
            Place::BeforeCursor => -0.119 * distance,
            Place::BehindCursor => -0.119 * distance - 0.006,
            Place::OpenFile(_) => -0.764,
        };
        1.496 * near as f32 + 0.686 * far as f32 + 0.153 * one.next.min(16) as f32 + place
    }

    pub(super) fn features(vote: &Vote, all: &Votes, model: f32, likeliest: f32) -> Features {
        let (longest, own) = (all.longest as f32, vote.longest as f32);
        let next = vote.next as f32;
        let model = model.max(LEAST) / 8.0;
        [
            1.0,
            vote.share.max(1e-6).ln(),
            own.min(8.0) / 8.0,
            (own - 8.0).clamp(0.0, 16.0) / 16.0,
            (own - 24.0).clamp(0.0, 40.0) / 40.0,
            likeliest,
            (vote.count as f32).ln_1p() / 4.0,
            vote.share * own.min(16.0) / 16.0,
            model,
            own / longest,
            longest.min(16.0) / 16.0,
            likeliest * model,
            next.min(4.0) / 4.0,
            (next - 4.0).clamp(0.0, 20.0) / 20.0,
            (all.next as f32 - next).min(16.0) / 16.0,
        ]
    }
}

/// Bytes that a match of the end of a text agrees in, if nothing else does.
fn least(before: &[u8]) -> usize {
    SHORTEST.max(blanks(before) + 1)
}

/// Blanks at the end of a text.
fn blanks(text: &[u8]) -> usize {
    let last = text.iter().rev().take(LONGEST - 1);
    last.take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// Sorts by a worth, the highest first, of equal ones by text and distance, and leaves so many.
fn only_first(matches: &mut Vec<Match>, count: usize, worth: impl Fn(&Match) -> usize) {
    let order = |one: &Match| (Reverse(worth(one)), one.place, one.distance);
    if matches.len() > count {
        matches.select_nth_unstable_by_key(count, order);
        matches.truncate(count);
    }
    matches.sort_unstable_by_key(order);
}

/// How many bytes of the next lines stand behind a line, from its first byte that is no white space to the last.
fn agreeing(next_lines: &[u8], rest_of_line: &[u8]) -> usize {
    if next_lines.is_empty() {
        return 0;
    }
    let line = &rest_of_line[..rest_of_line.len().min(LINE)];
    let Some(end) = memchr::memchr(b'\n', line) else {
        return 0;
    };
    // Bounded, for files of nothing but blank lines.
    let behind = &rest_of_line[end..rest_of_line.len().min(end + 4 * LINE)];
    let behind = without_white_space(behind);
    let pairs = next_lines.iter().zip(behind);
    let agreeing = pairs.take_while(|(one, other)| one == other).count();
    next_lines[..agreeing].trim_ascii_end().len()
}

fn is_white(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn without_white_space(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| is_white(byte)).count()..]
}

/// The lines of a text that `next_lines` begins behind, from a byte on, without white space at their ends.
fn followed(text: &[u8], from: usize, next_lines: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let probe = next_lines.get(..PROBE);
    let mut from = from;
    // One may begin within another.
    let places = std::iter::from_fn(move || {
        let at = from + memchr::memmem::find(&text[from..], probe?)?;
        from = at + 1;
        Some(at)
    });
    places.filter_map(move |at| {
        let indentation = line_before(text, at)?;
        if !text[indentation.clone()].iter().all(is_white) {
            return None;
        }
        let above = &text[indentation.start.saturating_sub(LINE)..indentation.start];
        let white = above.iter().rev().take_while(|byte| is_white(byte)).count();
        line_before(text, indentation.start - white).filter(|line| !line.is_empty())
    })
}

/// The part of its line that stands before a byte, unless that is long.
fn line_before(text: &[u8], at: usize) -> Option<Range<usize>> {
    let from = at.saturating_sub(LINE);
    match memchr::memrchr(b'\n', &text[from..at]) {
        Some(end) => Some(from + end + 1..at),
        None => (from == 0).then_some(0..at),
    }
}

/// How many bytes the ends of two texts share, up to [`LONGEST`].
fn common_suffix(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().rev().zip(other.iter().rev()).take(LONGEST);
    pairs.take_while(|(a, b)| a == b).count()
}

/// White space, what stands behind it up to the next, and line ends. Byte-level vocabularies cut there in any case,
/// so the first token is that of the whole text, and the word is soon known: longer stretches are all different.
fn first_word(text: &[u8]) -> &[u8] {
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
