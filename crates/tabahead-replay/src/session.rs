//! From a file to the user who edits as it says.

use std::path::Path;

use crate::{
    editing::Editing,
    recording::Entries,
    user::{Happenings, Injected, Recorded, Typing, User, UserError},
};

/// What the user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What was recorded.
    Recorded,
    /// What was recorded; recorded accepts are of suggestions that are served as if they were ours.
    Inject,
    /// Types what was recorded, and accepts what agrees with it.
    Typist,
}

/// The user of a recording. `seed` is for what is drawn by chance.
///
/// # Errors
/// When the recording cannot be read.
pub fn user(mode: Mode, recording: &Path, seed: u64) -> Result<Box<dyn User>, UserError> {
    let entries = Entries::open(recording)?;
    let happenings: Happenings = Box::new(Editing::new(entries));
    Ok(match mode {
        Mode::Recorded => Box::new(Recorded::new(happenings)),
        Mode::Inject => Box::new(Injected::new(happenings, seed)),
        Mode::Typist => Box::new(Typing::new(happenings, seed)),
    })
}
