//! What happened when, for a picture of a session.

use tabahead_context::{GenerationId, Priority, Suggestion};
use tabahead_speculation::{Origin, Timestamp};

use crate::editing::EditKind;

/// Moments kept at most: a picture of more is no picture.
const MOST: usize = 200_000;

/// Moments in order of time.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    kept: bool,
    moments: Vec<(Timestamp, Moment)>,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A change by the user.
    Edit {
        /// Of which kind.
        kind: EditKind,
        /// It was an accept.
        accept: bool,
    },
    /// A suggestion appeared.
    Shown {
        /// Its characters.
        characters: usize,
        /// Where it came from; `None` when it was not ours.
        origin: Option<Origin>,
    },
    /// A generation started.
    Started {
        /// Which.
        id: GenerationId,
        /// Nobody waited for it.
        ahead: bool,
    },
    /// A generation was stopped.
    Stopped {
        /// Which.
        id: GenerationId,
        /// Nothing was answered since it started.
        in_vain: bool,
    },
    /// A generation came to its end.
    Ended {
        /// Which.
        id: GenerationId,
    },
}

impl Moment {
    pub(crate) fn edit(kind: EditKind, accept: bool) -> Self {
        Self::Edit { kind, accept }
    }

    pub(crate) fn shown(suggestion: &Suggestion, origin: Option<Origin>) -> Self {
        let characters = suggestion.text.chars().count();
        Self::Shown { characters, origin }
    }

    pub(crate) fn started(id: GenerationId, priority: Priority) -> Self {
        let ahead = priority == Priority::Speculative;
        Self::Started { id, ahead }
    }
}

impl Timeline {
    /// A timeline that keeps what it is given, or nothing.
    pub(crate) fn new(kept: bool) -> Self {
        Self {
            kept,
            moments: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, at: Timestamp, moment: impl FnOnce() -> Moment) {
        if self.kept && self.moments.len() < MOST {
            self.moments.push((at, moment()));
        }
    }

    /// The moments, in order of time.
    pub fn moments(&self) -> &[(Timestamp, Moment)] {
        &self.moments
    }
}
