//! The events of a session and their times, for a picture of it.

use tabahead_context::{GenerationId, Priority, Suggestion};
use tabahead_speculation::{Origin, Timestamp};

use crate::editing::EditKind;

/// Maximum number of moments kept; a picture of more would be unreadable.
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
        /// Kind of the change.
        kind: EditKind,
        /// Whether it was an accept.
        accept: bool,
    },
    /// A suggestion appeared.
    Shown {
        /// Number of characters of the suggestion.
        characters: usize,
        /// Where the suggestion came from; `None` if it was not ours.
        origin: Option<Origin>,
    },
    /// A generation started.
    Started {
        /// Id of the generation.
        id: GenerationId,
        /// Whether it was speculative, so that no request waited for it.
        ahead: bool,
    },
    /// A generation was stopped.
    Stopped {
        /// Id of the generation.
        id: GenerationId,
        /// Whether the user's act stopped it and nothing had been answered since it started.
        in_vain: bool,
    },
    /// A generation came to its end.
    Ended {
        /// Id of the generation.
        id: GenerationId,
    },
}

impl Moment {
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
    /// Creates a timeline that keeps its moments, as the default one does not.
    pub(crate) fn kept() -> Self {
        Self {
            kept: true,
            moments: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, at: Timestamp, moment: impl FnOnce() -> Moment) {
        if self.kept && self.moments.len() < MOST {
            self.moments.push((at, moment()));
        }
    }

    /// Returns the moments in order of time.
    pub fn moments(&self) -> &[(Timestamp, Moment)] {
        &self.moments
    }
}
