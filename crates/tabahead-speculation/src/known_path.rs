//! A path with its provenance: where it began, who requested it, and how much of it was read.
//!
//! The provenance serves statistics and the origin reported with an answer; it never affects what
//! is answered.

use tabahead_context::{
    GenerationEvent, GenerationFailure, GenerationId, ModelProfile, PathEnd, Priority, Question,
    View,
};

use crate::Origin;

/// A path that is being generated or was generated.
#[derive(Debug, Clone)]
pub(crate) struct KnownPath {
    pub question: Question,
    /// True if the path was begun for a hypothesis, before any request.
    speculated: bool,
    /// End of the bytes that an answer has shown, counted from the tail's start.
    shown_until: Option<usize>,
    /// Index of the first token that was computed before it was requested.
    ahead_from: Option<usize>,
    /// Number of tokens that an answer has shown or was decided by.
    read: usize,
    /// The speculative generations that computed this path, oldest first.
    speculations: Vec<SpeculativeGeneration>,
}

/// A speculative generation that computed a part of a path.
#[derive(Debug, Clone, Copy)]
struct SpeculativeGeneration {
    generation: GenerationId,
    /// Number of tokens that the path had when the generation began.
    began: usize,
    /// True once an answer has read what the generation computed, and that was counted.
    used: bool,
}

impl KnownPath {
    pub fn new(view: View, priority: Priority, profile: &ModelProfile) -> Self {
        let speculated = priority == Priority::Speculative;
        Self {
            question: Question::new(view, profile),
            speculated,
            shown_until: None,
            ahead_from: speculated.then_some(0),
            read: 0,
            speculations: Vec::new(),
        }
    }

    /// Returns whether this path knows at least as much as `other`, which begins at the same place.
    pub fn extends(&self, other: &Self) -> bool {
        self.progress() >= other.progress()
    }

    /// Returns how far the path is decoded; an end counts for more than the last byte before it.
    pub fn progress(&self) -> (usize, bool) {
        (
            self.question.path.byte_len(),
            self.question.path.end() != PathEnd::Open,
        )
    }

    /// Returns whether this path is decoded further than `other`, if there is another.
    pub fn is_further_than(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| self.progress() > other.progress())
    }

    /// Returns whether a token was decoded that extends beyond the tail.
    pub fn passes_origin(&self) -> bool {
        self.question.path.byte_len() > self.question.path.origin()
            || self.question.path.end() != PathEnd::Open
    }

    /// Returns whether no token has been decoded yet that another generation could reuse.
    pub fn is_blank(&self) -> bool {
        self.question.path.tokens().is_empty() && self.question.path.end() == PathEnd::Open
    }

    pub fn heap_bytes(&self) -> usize {
        self.question.path.heap_bytes()
            + self.question.view.window.heap_bytes()
            + self.speculations.capacity() * size_of::<SpeculativeGeneration>()
            + self.question.characters.as_ref().map_or(0, Vec::capacity) * size_of::<char>()
    }

    /// Returns the origin to report for an answer that this path gives at once for the state at
    /// byte `at`.
    pub fn origin_at(&self, at: usize) -> Origin {
        if self.speculated
            || self
                .shown_until
                .is_some_and(|shown| at >= shown && at > self.question.path.origin())
        {
            Origin::Speculated
        } else if at == self.question.path.origin() {
            Origin::Exact
        } else {
            Origin::TypedThrough
        }
    }

    /// Takes an event of the generation. Returns how many more tokens there are now that were
    /// computed ahead and not read.
    pub fn take(&mut self, event: GenerationEvent) -> Result<u64, GenerationFailure> {
        let before = self.unread();
        self.question.take(event)?;
        Ok(self.unread() - before)
    }

    /// Marks the tokens from here on as computed before they are requested.
    pub fn goes_ahead(&mut self) {
        self.ahead_from
            .get_or_insert(self.question.path.tokens().len());
    }

    /// Records that a speculative generation begins to compute this path, or continues it.
    pub fn speculation_begins(&mut self, generation: GenerationId) {
        self.goes_ahead();
        self.speculations.push(SpeculativeGeneration {
            generation,
            began: self.question.path.tokens().len(),
            used: false,
        });
    }

    /// Records that an answer was served that showed the bytes up to `shown_until`; a silent answer
    /// (`None`) has read everything. Returns how many tokens computed ahead are read now for the
    /// first time, and how many speculative generations were used for the first time.
    pub fn serve(&mut self, shown_until: Option<usize>) -> (u64, u64) {
        let before = self.unread();
        let read = match shown_until {
            Some(until) => self.tokens_before(until),
            None => self.question.path.tokens().len(),
        };
        self.read = self.read.max(read);
        self.shown_until = self.shown_until.max(shown_until);
        let mut first_uses = 0;
        for speculation in &mut self.speculations {
            // A generation that found only the end has no token; only a silent answer reads the
            // end.
            let reads = speculation.began < read || shown_until.is_none();
            if reads && !speculation.used {
                speculation.used = true;
                first_uses += 1;
            }
        }
        (before - self.unread(), first_uses)
    }

    /// Takes over what is known about the use of an older path from the same place.
    pub fn inherit(&mut self, older: &Self) {
        if self.question.characters.is_none() {
            self.question
                .characters
                .clone_from(&older.question.characters);
        }
        self.shown_until = self.shown_until.max(older.shown_until);
        self.read = self.read.max(older.read);
        for theirs in &older.speculations {
            let known = |mine: &&mut SpeculativeGeneration| {
                (mine.generation, mine.began) == (theirs.generation, theirs.began)
            };
            match self.speculations.iter_mut().find(known) {
                Some(mine) => mine.used |= theirs.used,
                None => self.speculations.push(*theirs),
            }
        }
    }

    fn unread(&self) -> u64 {
        self.ahead_from.map_or(0, |ahead_from| {
            self.question
                .path
                .tokens()
                .len()
                .saturating_sub(ahead_from.max(self.read)) as u64
        })
    }

    /// Returns the number of tokens that begin before byte `until`.
    fn tokens_before(&self, until: usize) -> usize {
        let mut begins = self.question.path.boundary();
        self.question
            .path
            .tokens()
            .iter()
            .take_while(|token| {
                let before = begins < until;
                begins += token.bytes.len();
                before
            })
            .count()
    }
}
