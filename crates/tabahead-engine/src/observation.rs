//! What the model and copying say of text that is known: what their mixture is fitted by, and what windows and
//! layouts are compared by.
//!
//! Where all tokens of a line are likeliest in their places, greedy decoding would have written the line. So a
//! line that is known costs one pass over all its tokens to judge, for any rule of copying, and not a pass for each.

use crate::{TokenId, copying::FEATURES};

/// What is said of the next bytes of a known text.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Logarithm of the model's probability of all tokens that agree with the text.
    pub right: f32,
    /// The likeliest of them to the model.
    pub best_right: Option<ObservedToken>,
    /// The likeliest other token to the model.
    pub best_wrong: Option<ObservedToken>,
    /// What copying says.
    pub votes: Vec<ObservedVote>,
}

/// A token, and the logarithm of the model's probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObservedToken {
    /// Its id.
    pub id: TokenId,
    /// Natural logarithm of its probability, without copying.
    pub log_prob: f32,
}

/// What copying says of a token.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedVote {
    /// The token.
    pub token: ObservedToken,
    /// Whether it agrees with the text.
    pub right: bool,
    /// Whether it can be chosen here.
    pub possible: bool,
    /// What the rule of copying looks at, see `copying.rs`.
    pub features: [f32; FEATURES],
}
