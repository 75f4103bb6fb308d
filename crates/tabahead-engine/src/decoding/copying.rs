//! Copying: the text that followed similar text elsewhere votes for the next token.
//!
//! A small model does not know the names in the file it completes; the file does. At each place the
//! matches of the text before it are looked up in a [`CopySource`], and the tokens that follow them
//! there vote. The longer a match is, and the more of the lines after it agrees with the lines
//! after the cursor's line, the more its vote counts. The choice is made from a mixture of the
//! model's distribution and the votes (as in a pointer network, Merity et al. 2016, over an
//! unbounded cache, Grave et al. 2017). A small fitted rule decides how much to add to a token's
//! probability, from how far its matches extend to both sides, how many there are, how much they
//! agree, and how likely the token is to the model.
//!
//! The mixture depends only on the model's distribution and the text on both sides of the place. It
//! knows nothing of the constraint. So if a longer constraint still allows the best token, that
//! token is still the best, as it is without copying.

use std::{cmp::Reverse, collections::HashMap, ops::Range, sync::Arc};

use tabahead_tokens::CopySource;

use crate::{ModelInfo, TokenId, vocabulary::Vocabulary};

/// Minimum number of bytes that must agree for a match to vote, unless the next line agrees. After
/// blanks, all of them must agree and so must the byte before them: three of many blanks mean
/// nothing, and at the beginning of a line its whole indentation counts.
const SHORTEST: usize = 3;
/// Maximum length of a match in bytes; longer matches count the same.
const LONGEST: usize = 64;
/// Maximum number of matches that vote: those that extend the farthest; ties go to the nearest.
const MOST: usize = 64;
/// Maximum number of matches of each kind, the longest ones, whose next lines are compared.
const CONSIDERED: usize = 128;
/// Maximum number of bytes of the next lines that are compared.
const NEXT: usize = 100;
/// Number of these bytes by which a line is looked up.
const PROBE: usize = 3;
/// Maximum number of lines of one text, the nearest ones, that are searched for matches because
/// their next line agrees.
const FOLLOWED: usize = 64;
/// Maximum number of bytes that are searched for the beginning of a line, for its end, or for the
/// beginning of the next line.
const LINE: usize = 400;
/// Maximum number of bytes after a match that are cut into tokens.
const AHEAD: usize = 32;
/// Minimum number of bytes that agree on both sides of a place to draft from it; `DRAFTED_SHARE` is
/// the minimum share of the matches that agree on how the draft begins. With these values, 6 of 10
/// drafts begin with the token that is chosen (docs/engine.md).
const DRAFTED: usize = 4;
const DRAFTED_SHARE: f32 = 0.5;
/// Maximum number of texts whose first token is cached.
const REMEMBERED: usize = 1 << 13;

/// A place in the source whose text before it agrees.
#[derive(Debug, Clone, Copy)]
struct Match {
    /// Number of bytes before it that agree.
    length: usize,
    /// Number of bytes after its line that agree with the text after the cursor's line, from the
    /// first byte that is not white space to the last.
    next: usize,
    text: SourceText,
    /// Position in that text.
    at: usize,
    /// Distance in bytes: to the place where the next token is chosen, to the cursor, or to the
    /// start of the other file.
    distance: usize,
}

/// One of the texts of a source, for example the one that a match lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SourceText {
    BeforeCursor,
    AfterCursor,
    /// The other open file with this index.
    OpenFile(usize),
}

/// The votes of a source for the next token.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Votes {
    /// Votes sorted by token.
    votes: Vec<Vote>,
    /// Length of the longest match in bytes.
    longest: usize,
    /// Number of bytes that agree after the line of the best match.
    next: usize,
    /// Where the text after the best match begins.
    best: Option<(SourceText, usize)>,
}

/// The vote for one token.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Vote {
    token: TokenId,
    /// Share of the matches followed by this token, weighted by their strength.
    share: f32,
    /// Length of the longest of these matches in bytes.
    longest: usize,
    /// Number of bytes that agree after the line of the best of them.
    next: usize,
    /// Number of these matches.
    count: usize,
}

/// The text around a sequence while it is decoded.
#[derive(Debug)]
pub(crate) struct Source {
    /// The text before the place; it grows.
    before: Vec<u8>,
    /// The text after the cursor.
    after: Vec<u8>,
    /// Texts of the other open files.
    open_files: Vec<Arc<str>>,
    /// Lines followed by the same text as the cursor's line, in all texts but the growing one.
    followed: Vec<(SourceText, Range<usize>)>,
    /// Such lines of the growing text, the one before the place.
    followed_before: Vec<Range<usize>>,
    /// Number of bytes of the growing text that were searched for them.
    scanned: usize,
    /// Votes at the end of the text before the place, once computed.
    votes: Option<Votes>,
}

/// A position of a source, without the text.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    length: usize,
    followed_before: Vec<Range<usize>>,
    scanned: usize,
}

/// A cache of the first tokens of words.
#[derive(Debug, Default)]
pub(crate) struct Copier {
    first_tokens: HashMap<Box<[u8]>, Option<TokenId>>,
}

impl Copier {
    /// Returns the votes at the end of the text before the place.
    pub(crate) fn votes<'a>(
        &mut self,
        vocabulary: &Vocabulary,
        source: &'a mut Source,
    ) -> &'a Votes {
        let votes = match source.votes.take() {
            Some(votes) => votes,
            None => self.asked(vocabulary, source),
        };
        source.votes.insert(votes)
    }

    fn asked(&mut self, vocabulary: &Vocabulary, source: &mut Source) -> Votes {
        let matches = source.matches();
        let Some(most) = matches.iter().map(rule::strength).reduce(f32::max) else {
            return Votes::default();
        };
        // If nothing but a line end follows the cursor, the middle ends where the line ends.
        let ends_lines = matches!(source.after.first(), None | Some(b'\n'));
        let mut votes: Vec<Vote> = Vec::new();
        let mut total = 0.0;
        for one in &matches {
            let next = &source.bytes_of(one.text)[one.at..];
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
            best: matches.first().map(|best| (best.text, best.at)),
            votes,
        }
    }

    /// Returns at most `most` tokens that probably come next: those after the best match, up to the
    /// end of its line. Empty if the matches are short or disagree.
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
        let Some((text, at)) = votes.best.filter(|_| is_likely) else {
            return Vec::new();
        };
        let text = &source.bytes_of(text)[at..];
        let text = &text[..text.len().min(AHEAD)];
        let line = memchr::memchr(b'\n', text).unwrap_or(text.len());
        let mut tokens = vocabulary.encode(whole_characters(&text[..line]));
        tokens.truncate(most);
        tokens
    }

    /// Returns the first token of the first word of `text`; the word is tokenized on its own.
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
    /// Creates the source at the end of `copied.before`.
    pub(crate) fn new(copied: CopySource) -> Self {
        let mut source = Self {
            before: copied.before.into_bytes(),
            after: copied.after.into_bytes(),
            open_files: copied.open_files,
            followed: Vec::new(),
            followed_before: Vec::new(),
            scanned: 0,
            votes: None,
        };
        let files = (0..source.open_files.len()).map(SourceText::OpenFile);
        for text in [SourceText::AfterCursor].into_iter().chain(files) {
            let lines = followed(source.bytes_of(text), 0, source.next_lines());
            let lines: Vec<_> = lines.take(FOLLOWED).map(|line| (text, line)).collect();
            source.followed.extend(lines);
        }
        source
    }

    /// Appends decoded text before the place.
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.before.extend_from_slice(text);
        self.votes = None;
    }

    /// Returns a mark of the current position, to rewind to.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            length: self.before.len(),
            followed_before: self.followed_before.clone(),
            scanned: self.scanned,
        }
    }

    /// Returns to an earlier position.
    pub(crate) fn rewind(&mut self, mark: &Mark) {
        self.before.truncate(mark.length);
        self.followed_before.clone_from(&mark.followed_before);
        self.scanned = mark.scanned;
        self.votes = None;
    }

    fn bytes_of(&self, text: SourceText) -> &[u8] {
        match text {
            SourceText::BeforeCursor => &self.before,
            SourceText::AfterCursor => &self.after,
            SourceText::OpenFile(file) => self.open_files[file].as_bytes(),
        }
    }

    /// Returns the text after the cursor's line; empty if the line goes on after the cursor.
    fn next_lines(&self) -> &[u8] {
        let lines = match self.after.first() {
            Some(b'\n') => without_white_space(&self.after),
            _ => &[],
        };
        &lines[..lines.len().min(NEXT)]
    }

    /// Finds the new lines before the place that are followed by the cursor's next lines.
    fn look_for_followed(&mut self) {
        // Occurrences that begin further left were found before.
        let from = self.scanned.saturating_sub(PROBE - 1);
        let new: Vec<_> = followed(&self.before, from, self.next_lines()).collect();
        self.followed_before.extend(new);
        let farther = self.followed_before.len().saturating_sub(FOLLOWED);
        self.followed_before.drain(..farther);
        self.scanned = self.before.len();
    }

    /// Returns the matches of the end of the text before the place that extend the farthest to both
    /// sides, the best first. Ties go to matches before the cursor, then to those after it, then to
    /// the nearest.
    fn matches(&mut self) -> Vec<Match> {
        self.look_for_followed();
        let mut matches = self.long_matches();
        matches.append(&mut self.short_matches());
        let next_lines = self.next_lines();
        for one in &mut matches {
            one.next = agreeing(next_lines, &self.bytes_of(one.text)[one.at..]);
        }
        only_first(&mut matches, MOST, |one| one.length + one.next.min(32));
        matches
    }

    /// Returns the longest matches of [`least`] bytes or more.
    fn long_matches(&self) -> Vec<Match> {
        let mut matches = self.matches_to_consider();
        only_first(&mut matches, CONSIDERED, |one| one.length);
        matches
    }

    /// Returns matches of [`least`] bytes or more, the longest among them. A repetitive text can
    /// have as many as it has lines, so those that cannot be among the longest are left out.
    fn matches_to_consider(&self) -> Vec<Match> {
        let before = &self.before;
        let mut matches = Vec::new();
        if let Some(start) = before.len().checked_sub(least(before)) {
            let files = (0..self.open_files.len()).map(SourceText::OpenFile);
            let own = [SourceText::BeforeCursor, SourceText::AfterCursor];
            for text in own.into_iter().chain(files) {
                let bytes = self.bytes_of(text);
                let found = memchr::memmem::find_iter(bytes, &before[start..]);
                let ends = found.map(|at| at + before.len() - start);
                // At the end of a text is the place itself, or nothing follows.
                let ends = ends.take_while(|&end| end < bytes.len());
                if text == SourceText::BeforeCursor {
                    let ends: Vec<usize> = ends.collect();
                    self.consider(text, ends.into_iter().rev(), &mut matches);
                } else {
                    self.consider(text, ends, &mut matches);
                }
            }
        }
        matches
    }

    /// Collects the matches of one text, the nearest first, until `CONSIDERED` of them have the
    /// maximum length.
    fn consider(
        &self,
        text: SourceText,
        ends: impl Iterator<Item = usize>,
        matches: &mut Vec<Match>,
    ) {
        let mut longest = 0;
        for end in ends {
            let one = self.match_at(text, end);
            longest += usize::from(one.length == LONGEST);
            matches.push(one);
            if longest == CONSIDERED {
                return;
            }
        }
    }

    /// Returns the longest of the shorter matches, in lines whose next line agrees.
    fn short_matches(&self) -> Vec<Match> {
        let before = &self.before;
        let others = self.followed.iter().map(|(text, line)| (*text, line));
        let lines = self.followed_before.iter();
        let lines = lines
            .map(|line| (SourceText::BeforeCursor, line))
            .chain(others);
        let lengths = blanks(before) + 1..least(before);
        let ends =
            lines.flat_map(|(text, line)| (line.start..=line.end).map(move |end| (text, end)));
        let matches = ends.map(|(text, end)| self.match_at(text, end));
        let mut matches: Vec<_> = matches
            .filter(|one| lengths.contains(&one.length))
            .collect();
        only_first(&mut matches, CONSIDERED, |one| one.length);
        matches
    }

    fn match_at(&self, text: SourceText, at: usize) -> Match {
        let bytes = self.bytes_of(text);
        Match {
            length: common_suffix(&self.before, &bytes[..at]),
            next: 0,
            text,
            at,
            distance: match text {
                SourceText::BeforeCursor => bytes.len() - at,
                SourceText::AfterCursor | SourceText::OpenFile(_) => at,
            },
        }
    }
}

impl Votes {
    /// Returns what `rule` adds to the probability of each token that has votes, sorted by token,
    /// before all probabilities are divided by their sum. `log_prob` returns the model's
    /// log-probability of a token; `likeliest` is the probability of the model's likeliest token.
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

    /// Returns the rule's features for each token that has votes.
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

/// The features that a rule looks at; `rule::features` defines each number.
pub(crate) type Features = [f32; FEATURES];

/// Number of features.
pub(crate) const FEATURES: usize = 15;

/// How much is added to a token's probability, fitted to one kind of model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CopyingRule {
    weights: Features,
}

impl CopyingRule {
    /// The rule for our embedded model, from `training/copying.py` of `tabahead-mini`, see its
    /// model card.
    pub(crate) const MINI: Self = Self {
        weights: [
            -5.119, -0.19, 2.943, 0.392, 1.468, -1.443, 1.604, 2.756, 2.52, 2.111, -1.744, -0.565,
            0.195, 1.177, -0.714,
        ],
    };

    /// The rule for models of half a billion weights and more, fitted to the predictions of
    /// Qwen2.5-Coder 0.5B, see docs/models.md. These models are surer of more tokens, so votes
    /// decide less often.
    pub(crate) const LARGE: Self = Self {
        weights: [
            -4.421, -0.086, 2.162, 0.923, 1.154, -2.051, 1.497, 1.199, 1.197, 1.896, -1.629, 0.505,
            -0.532, 1.682, -1.386,
        ],
    };

    /// Returns the rule that suits a model.
    pub(crate) fn for_model(info: &ModelInfo) -> &'static Self {
        if info.is_large() {
            &Self::LARGE
        } else {
            &Self::MINI
        }
    }

    /// Returns the exponential of the weighted sum of the features.
    fn added(&self, features: &Features) -> f32 {
        /// Logarithm of the maximum that is added.
        const MOST: f32 = 12.0;

        let pairs = self.weights.iter().zip(features);
        let sum: f32 = pairs.map(|(weight, feature)| weight * feature).sum();
        sum.min(MOST).exp()
    }
}

/// The features of the rules. Constants that are not in the weights were fitted with
/// [`CopyingRule::MINI`].
mod rule {
    use super::{Features, Match, SourceText, Vote, Votes};

    /// Lower bound on a token's log-probability in the features.
    const LEAST: f32 = -12.0;

    /// Returns the logarithm of a match's weight among all matches.
    pub(super) fn strength(one: &Match) -> f32 {
        let (near, far) = (one.length.min(16), one.length.saturating_sub(16));
        let distance = (one.distance as f32).ln_1p();
        let place = match one.text {
            SourceText::BeforeCursor => -0.119 * distance,
            SourceText::AfterCursor => -0.119 * distance - 0.006,
            SourceText::OpenFile(_) => -0.764,
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

/// Returns the minimum length in bytes of a match of the end of a text, if nothing else agrees.
fn least(before: &[u8]) -> usize {
    SHORTEST.max(blanks(before) + 1)
}

/// Returns the number of blanks at the end of a text.
fn blanks(text: &[u8]) -> usize {
    let last = text.iter().rev().take(LONGEST - 1);
    last.take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// Keeps the `count` best matches by `worth`; ties go to the nearer text, then to the nearer match.
fn only_first(matches: &mut Vec<Match>, count: usize, worth: impl Fn(&Match) -> usize) {
    let order = |one: &Match| (Reverse(worth(one)), one.text, one.distance);
    if matches.len() > count {
        matches.select_nth_unstable_by_key(count, order);
        matches.truncate(count);
    }
    matches.sort_unstable_by_key(order);
}

/// Returns how many bytes of the next lines follow a line, from its first byte that is not white
/// space to the last.
fn agreeing(next_lines: &[u8], rest_of_line: &[u8]) -> usize {
    if next_lines.is_empty() {
        return 0;
    }
    let line = &rest_of_line[..rest_of_line.len().min(LINE)];
    let Some(end) = memchr::memchr(b'\n', line) else {
        return 0;
    };
    // Bounded, for files that consist of blank lines only.
    let after = &rest_of_line[end..rest_of_line.len().min(end + 4 * LINE)];
    let after = without_white_space(after);
    let pairs = next_lines.iter().zip(after);
    let agreeing = pairs.take_while(|(one, other)| one == other).count();
    next_lines[..agreeing].trim_ascii_end().len()
}

fn is_white(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn without_white_space(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| is_white(byte)).count()..]
}

/// Returns the lines of `text` that are followed by the beginning of `next_lines`, searching from
/// byte `from` on, without white space at their ends.
fn followed(text: &[u8], from: usize, next_lines: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let probe = next_lines.get(..PROBE);
    let mut from = from;
    // One occurrence may begin within another.
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

/// Returns the part of a line before byte `at`, or `None` if that part is long.
fn line_before(text: &[u8], at: usize) -> Option<Range<usize>> {
    let from = at.saturating_sub(LINE);
    match memchr::memrchr(b'\n', &text[from..at]) {
        Some(end) => Some(from + end + 1..at),
        None => (from == 0).then_some(0..at),
    }
}

/// Returns the length of the common suffix of two texts in bytes, up to [`LONGEST`].
fn common_suffix(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().rev().zip(other.iter().rev()).take(LONGEST);
    pairs.take_while(|(a, b)| a == b).count()
}

/// Returns the leading white space of a text, the word after it up to the next white space, and the
/// line ends that follow. Byte-level vocabularies always cut there, so the first token is that of
/// the whole text. And words recur, so the cache soon knows them; longer stretches are all
/// different.
fn first_word(text: &[u8]) -> &[u8] {
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let end_of = |from: usize, last: &dyn Fn(&u8) -> bool| {
        from + text[from..].iter().take_while(|byte| last(byte)).count()
    };
    let begin = end_of(0, &is_white);
    let end = end_of(begin, &|byte| !is_white(byte));
    &text[..end_of(end, &is_line_end)]
}

/// Returns the text up to the last whole character.
fn whole_characters(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
