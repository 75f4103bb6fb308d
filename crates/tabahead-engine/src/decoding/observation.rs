//! What the model and copying predict for known text. Their mixture is fitted to these
//! observations, and windows and layouts are compared by them.
//!
//! If every token of a line is the likeliest in its place, greedy decoding would have written the
//! line. So one pass over all tokens of a known line is enough to judge it under any copying rule,
//! instead of one pass per token.

use crate::{TokenId, decoding::copying::FEATURES};

/// The prediction for the next bytes of a known text.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Natural logarithm of the model's summed probability of all tokens that agree with the text.
    pub right: f32,
    /// The agreeing token that the model finds likeliest.
    pub best_right: Option<ObservedToken>,
    /// The likeliest token for the model among the others.
    pub best_wrong: Option<ObservedToken>,
    /// The votes of copying.
    pub votes: Vec<ObservedVote>,
}

/// A token and the logarithm of its probability according to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObservedToken {
    /// The token's id.
    pub id: TokenId,
    /// Natural logarithm of its probability, without copying.
    pub log_prob: f32,
}

/// A vote of copying for a token.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedVote {
    /// The token voted for.
    pub token: ObservedToken,
    /// Whether it agrees with the text.
    pub right: bool,
    /// Whether the token can be chosen here.
    pub possible: bool,
    /// The features that the copying rule looks at, see `copying.rs`.
    pub features: [f32; FEATURES],
}
