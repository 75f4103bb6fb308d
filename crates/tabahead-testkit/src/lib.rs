//! What the tests of several crates share: random choices, a cursor's mark in a text, model
//! profiles and settings, and frames of messages.
//!
//! Crates have it as a dev-dependency only; tidy refuses a normal one. A unit test inside
//! `tabahead-text`, `tabahead-context` or `tabahead-speculation` is compiled with a second copy of
//! that crate's types. So it takes only what is made of the standard library's types from here:
//! [`Random`] and [`marked`].

mod fixture;
pub mod frames;
mod profile;
mod random;

pub use fixture::marked;
pub use profile::{cut_of, named, profile, speculator_settings, unnamed};
pub use random::Random;
