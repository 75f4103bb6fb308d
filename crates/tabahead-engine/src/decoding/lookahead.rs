//! Looks ahead if two tokens are nearly equally likely, and chooses the one with the likelier line.
//!
//! The likeliest token often begins an unlikely line: of `foo(a, b` and `foo(b)`, the end of the
//! line after `a` may be anything, after `b` it is certain. So each of two rivals is followed
//! greedily to the end of its line, for a few tokens at most, and the likelier of the two
//! continuations wins. (A beam search finds likely lines, too. But what it finds depends on what
//! else is in the beam, and so on how much of the line was typed. And it prefers short lines,
//! because it gives up a likely token for an unlikely one.)
//!
//! How a rival is followed depends only on the tokens before it, never on a constraint. So the
//! winner at a place wins there again after part of it is typed. The engine computes the rivals'
//! next tokens.

use crate::{
    TokenId,
    decoding::{
        copying::{Mark, Source},
        track::{Beginning, Track},
    },
    vocabulary::{TokenKind, Vocabulary},
};

/// Maximum number of tokens of a rival's line that are compared, the rival included.
const FARTHEST: usize = 6;

/// A contest between two rivals at a place.
#[derive(Debug)]
pub(crate) struct Contest {
    /// The two rivals, the likelier token first.
    rivals: [Rival; 2],
    /// Index of the rival that the track follows.
    followed: Option<usize>,
    /// Number of tokens before the place.
    start: usize,
    /// Mark of the copy source at the place.
    mark: Option<Mark>,
    /// Log-probability of the stop that is likelier than both, but masked.
    masked_stop: Option<f32>,
}

/// A candidate token and the continuation of its line.
#[derive(Debug)]
struct Rival {
    /// Log-probability of the token.
    first: f32,
    /// Log-probability of all of `line`.
    log_prob: f32,
    line: Vec<TokenId>,
    /// Whether the line ends here and is not followed any further.
    over: bool,
    /// What is known of this line, while the track is elsewhere.
    known: Beginning,
}

/// The token chosen at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decision {
    /// The token, possibly a stop.
    pub(crate) token: TokenId,
    /// Log-probability of the token.
    pub(crate) log_prob: f32,
    /// Log-probability of the stop that would have been chosen, had it not been masked.
    pub(crate) masked_stop: Option<f32>,
}

impl Rival {
    /// Appends a token to the line.
    fn push(&mut self, (token, log_prob): (TokenId, f32), vocabulary: &Vocabulary) {
        self.line.push(token);
        self.log_prob += log_prob;
        self.over = vocabulary.kind(token) == TokenKind::Stop
            || self.line.len() == FARTHEST
            || vocabulary.token_bytes(token).contains(&b'\n');
    }
}

impl Contest {
    /// Starts a contest between two tokens that may come next, given with their
    /// log-probabilities.
    pub(crate) fn new(
        tokens: [(TokenId, f32); 2],
        masked_stop: Option<f32>,
        track: &Track,
        vocabulary: &Vocabulary,
    ) -> Self {
        let rivals = tokens.map(|token| {
            let mut rival = Rival {
                first: token.1,
                log_prob: 0.0,
                line: Vec::new(),
                over: false,
                known: track.known.clone(),
            };
            rival.push(token, vocabulary);
            rival
        });
        Self {
            rivals,
            followed: None,
            start: track.tokens.len(),
            mark: track.source.as_ref().map(Source::mark),
            masked_stop,
        }
    }

    /// Returns the rival that must be followed further to decide the contest. The second one is
    /// followed only while it is likelier.
    fn undecided(&self) -> Option<usize> {
        let [one, other] = &self.rivals;
        match (one.over, other.over) {
            (false, _) => Some(0),
            (true, false) if other.log_prob > one.log_prob => Some(1),
            _ => None,
        }
    }

    /// Moves the track to the end of the line of the rival to follow, or back to where it was.
    /// Returns whether a rival is followed; if not, the contest is decided.
    pub(crate) fn lead(&mut self, track: &mut Track, vocabulary: &Vocabulary) -> bool {
        let next = self.undecided();
        if next == self.followed {
            return next.is_some();
        }
        if let Some(rival) = self.followed {
            // What was computed of its line is reused if it is chosen.
            for token in track.tokens.drain(self.start..).rev() {
                track.known.draft.push_front(token);
            }
            if let (Some(source), Some(mark)) = (&mut track.source, &self.mark) {
                source.rewind(mark);
            }
            std::mem::swap(&mut track.known, &mut self.rivals[rival].known);
        }
        if let Some(rival) = next {
            let rival = &mut self.rivals[rival];
            std::mem::swap(&mut track.known, &mut rival.known);
            for &token in &rival.line {
                track.push(token, vocabulary);
            }
        }
        self.followed = next;
        next.is_some()
    }

    /// Continues the line of the rival being followed with its likeliest next token; `None` ends
    /// the line.
    pub(crate) fn follow(
        &mut self,
        next: Option<(TokenId, f32)>,
        track: &mut Track,
        vocabulary: &Vocabulary,
    ) {
        let Some(followed) = self.followed else {
            return;
        };
        let rival = &mut self.rivals[followed];
        match next {
            Some(next) => {
                rival.push(next, vocabulary);
                if !rival.over {
                    track.push(next.0, vocabulary);
                }
            }
            None => rival.over = true,
        }
    }

    /// Returns the winner and gives the track what is known of the winner's line.
    pub(crate) fn decided(self, track: &mut Track) -> Decision {
        let [one, other] = self.rivals;
        let winner = if other.log_prob > one.log_prob {
            other
        } else {
            one
        };
        track.known = winner.known;
        Decision {
            token: winner.line[0],
            log_prob: winner.first,
            masked_stop: self.masked_stop,
        }
    }
}
