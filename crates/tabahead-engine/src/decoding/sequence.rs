//! A running sequence: what was requested, and how far decoding has come.
//!
//! The engine computes and chooses; a sequence only remembers.

use crate::{
    CopySource, TokenId,
    decoding::{choice::StopRule, lookahead::Contest, track::Track},
};

/// What to decode.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SequenceRequest {
    /// Prompt tokens; not empty.
    pub prompt: Vec<TokenId>,
    /// Bytes that the first decoded tokens must spell; the last of these tokens may spell more.
    pub forced: Vec<u8>,
    /// Tokens that probably spell `forced`. They are computed with the prompt and kept as far as
    /// they match what decoding chooses. They never change the result.
    pub draft: Vec<TokenId>,
    /// Whether the token that starts exactly at the end of `forced` (the cursor) must not be a
    /// stop.
    pub mask_first_stop: bool,
    /// Number of tokens that must still fit after the prompt.
    pub reserve: usize,
    /// Number of likeliest characters after `forced` to report with the first token that spells
    /// more than `forced`.
    pub characters: usize,
    /// Whether the prompt is read ahead, before it is requested. An earlier prompt that was read
    /// ahead and has not been requested since becomes the first to be forgotten. So however much is
    /// read ahead, at most one such prompt takes room from what was requested.
    pub read_ahead: bool,
    /// Number of tokens at the end of the prompt that were decoded by an earlier sequence.
    pub continued: usize,
    /// The text that may be copied; its `before` ends where the `continued` tokens begin.
    pub copy_source: Option<CopySource>,
}

/// One decoded token.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedToken {
    /// The token's id.
    pub id: TokenId,
    /// Natural logarithm of its probability among all tokens, unmasked, copying mixed in.
    pub log_prob: f32,
    /// Natural logarithm of the probability of the stop that would have been chosen instead, had it
    /// not been masked.
    pub masked_stop: Option<f32>,
    /// The likeliest characters after the forced bytes, each with the natural logarithm of its
    /// probability. Only set if they were requested and this is the first token that spells more
    /// than was forced.
    pub characters: Vec<(char, f32)>,
}

/// A running sequence. Return it with [`Engine::retire`](crate::Engine::retire).
#[derive(Debug)]
pub struct Sequence {
    pub(crate) request: SequenceRequest,
    /// The prompt, the decoded tokens, and what is known of them.
    pub(crate) track: Track,
    /// Set while lookahead is deciding between two tokens.
    pub(crate) contest: Option<Box<Contest>>,
    /// Number of bytes of `forced` that are spelled.
    pub(crate) spelled: usize,
    /// Whether a token past the cursor was decoded.
    pub(crate) past_cursor: bool,
    /// Number of tokens up to and including the last healed one.
    pub(crate) healed: usize,
    /// The tree's change counter when this sequence was last looked up in it.
    pub(crate) looked_up: u64,
}

impl Sequence {
    /// Reports whether part of the prompt is not computed yet.
    pub fn prefills(&self) -> bool {
        let known = self.track.known.place.length();
        self.track.missing() > 0 && known < self.request.prompt.len()
    }

    /// Returns whether the next token may be a stop.
    pub(crate) fn stop_rule(&self) -> StopRule {
        let at_cursor = self.spelled == self.request.forced.len() && !self.past_cursor;
        if at_cursor && self.request.mask_first_stop {
            StopRule::Masked
        } else {
            StopRule::Allowed
        }
    }

    /// Returns the bytes of `forced` that are still to be spelled.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.request.forced[self.spelled..]
    }
}
