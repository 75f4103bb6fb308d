//! Hypotheses: the states that the user may reach next in a document.
//!
//! `kind.rs` has the ways to get from one state to the next, `tree.rs` the states and how they follow
//! the user, `rank.rs` the order in which they are computed. Decides nothing about answers: a
//! request is answered from any path that holds its state. What is guessed wrongly costs
//! computation alone.

mod kind;
mod rank;
mod tree;

pub(crate) use rank::{RankInputs, rank};
pub(crate) use tree::Hypotheses;
