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
//! winner at a place wins there again after part of it is typed.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    Engine, EngineError, Sequence, TokenId,
    decoding::copying::{Mark, Source},
    kept::place::Place,
    kept::tree::Known,
    vocabulary::{TokenKind, Vocabulary},
};

/// Maximum number of tokens of a rival's line that are compared, the rival included.
const FARTHEST: usize = 6;

/// A contest between two rivals at a place.
#[derive(Debug)]
pub(crate) struct Contest {
    /// The two rivals, the likelier token first.
    rivals: [Rival; 2],
    /// Index of the rival that the sequence follows.
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
    /// What is known of this line, while the sequence is elsewhere.
    known: Beginning,
}

/// What is known of the tokens before a place and of a few after it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beginning {
    /// The place after the tokens whose keys and values are known: some decoded ones, then some of
    /// `draft`.
    pub(crate) place: Place,
    /// Logits by the number of tokens before them, from the end of the prompt on.
    pub(crate) logits: Known,
    /// Tokens that probably come next.
    pub(crate) draft: VecDeque<TokenId>,
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
    /// Starts a contest between two tokens that may come next in `sequence`, given with their
    /// log-probabilities.
    fn new(
        tokens: [(TokenId, f32); 2],
        masked_stop: Option<f32>,
        sequence: &Sequence,
        vocabulary: &Vocabulary,
    ) -> Self {
        let rivals = tokens.map(|token| {
            let mut rival = Rival {
                first: token.1,
                log_prob: 0.0,
                line: Vec::new(),
                over: false,
                known: sequence.known.clone(),
            };
            rival.push(token, vocabulary);
            rival
        });
        Self {
            rivals,
            followed: None,
            start: sequence.tokens.len(),
            mark: sequence.source.as_ref().map(Source::mark),
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

    /// Moves the sequence to the end of the line of the rival to follow, or back to where it was.
    fn lead(&mut self, sequence: &mut Sequence, vocabulary: &Vocabulary) {
        let next = self.undecided();
        if next == self.followed {
            return;
        }
        if let Some(rival) = self.followed {
            // What was computed of its line is reused if it is chosen.
            for token in sequence.tokens.drain(self.start..).rev() {
                sequence.known.draft.push_front(token);
            }
            if let (Some(source), Some(mark)) = (&mut sequence.source, &self.mark) {
                source.rewind(mark);
            }
            std::mem::swap(&mut sequence.known, &mut self.rivals[rival].known);
        }
        if let Some(rival) = next {
            let rival = &mut self.rivals[rival];
            std::mem::swap(&mut sequence.known, &mut rival.known);
            for &token in &rival.line {
                sequence.push(token, vocabulary);
            }
        }
        self.followed = next;
    }

    /// Returns the winner and gives the sequence what is known of the winner's line.
    fn decided(self, sequence: &mut Sequence) -> Decision {
        let [one, other] = self.rivals;
        let winner = if other.log_prob > one.log_prob {
            other
        } else {
            one
        };
        sequence.known = winner.known;
        Decision {
            token: winner.line[0],
            log_prob: winner.first,
            masked_stop: self.masked_stop,
        }
    }
}

impl Engine {
    /// Decides which token comes next in a sequence; `None` if more must be computed first.
    ///
    /// # Errors
    /// `Unspellable` when no token continues the forced bytes.
    pub(crate) fn decide(
        &mut self,
        sequence: &mut Sequence,
    ) -> Result<Option<Decision>, EngineError> {
        let model = Arc::clone(&self.model);
        let vocabulary = model.vocabulary();
        let mut contest = match sequence.contest.take() {
            Some(contest) => *contest,
            None => {
                let forced = sequence.request.forced[sequence.spelled..].to_vec();
                let mask_stops = sequence.masks_stops();
                let looks_ahead = self.settings.lookahead;
                let Some(distribution) = self.distribution(sequence) else {
                    return Ok(None);
                };
                let rivals = distribution.rivals(&forced, mask_stops, looks_ahead)?;
                let masked_stop = rivals.masked_stop;
                match rivals.tokens[..] {
                    [one, other] => Contest::new([one, other], masked_stop, sequence, vocabulary),
                    _ => {
                        let (token, log_prob) = rivals.tokens[0];
                        return Ok(Some(Decision {
                            token,
                            log_prob,
                            masked_stop,
                        }));
                    }
                }
            }
        };
        loop {
            contest.lead(sequence, vocabulary);
            let Some(followed) = contest.followed else {
                return Ok(Some(contest.decided(sequence)));
            };
            let rival = &mut contest.rivals[followed];
            if sequence.tokens.len() >= sequence.context {
                rival.over = true;
                continue;
            }
            self.draft(sequence);
            let Some(distribution) = self.distribution(sequence) else {
                sequence.contest = Some(Box::new(contest));
                return Ok(None);
            };
            match distribution.first() {
                Some(next) => {
                    rival.push(next, vocabulary);
                    if !rival.over {
                        sequence.push(next.0, vocabulary);
                    }
                }
                None => rival.over = true,
            }
        }
    }
}
