//! A path with its provenance: where it began, who had it made, and how much of it was read.
//!
//! The provenance serves statistics and the name of an answer's origin; it never touches what is
//! answered.

use tabahead_context::{Answering, GenerationId, ModelProfile, Path, PathEnd, PathToken, Priority};

use crate::{Origin, state::View};

/// A path that is being made or was made.
#[derive(Debug, Clone)]
pub(crate) struct KnownPath {
    /// What the model saw where the path begins.
    pub view: View,
    pub path: Path,
    /// The likeliest characters behind the tail, if the model was asked for them.
    pub characters: Option<Vec<char>>,
    /// Begun for a hypothesis, before anybody asked.
    speculated: bool,
    /// Bytes from the tail's start that an answer has shown.
    shown_until: Option<usize>,
    /// Tokens from here on were computed before anybody asked for them.
    ahead_from: Option<usize>,
    /// Tokens that an answer has shown or decided on.
    read: usize,
    /// The speculative generations that computed it, oldest first.
    speculations: Vec<Speculation>,
}

/// A speculative generation as a part of a path.
#[derive(Debug, Clone, Copy)]
struct Speculation {
    generation: GenerationId,
    /// Tokens that the path had when it began.
    began: usize,
    /// An answer has read what it computed, and was counted.
    used: bool,
}

impl KnownPath {
    pub fn new(view: View, priority: Priority, profile: &ModelProfile) -> Self {
        let speculated = priority == Priority::Speculative;
        Self {
            path: Path::new(view.window.tail.clone(), profile.pre_tokenizer),
            view,
            characters: None,
            speculated,
            shown_until: None,
            ahead_from: speculated.then_some(0),
            read: 0,
            speculations: Vec::new(),
        }
    }

    /// Whether the path answers what `view` sees.
    pub fn answers(&self, view: &View, profile: &ModelProfile, reserve: usize) -> Answering {
        if !self.view.has_base_of(view) {
            return Answering::No;
        }
        self.path.answers(
            &view.window.tail,
            profile.pre_tokenizer,
            profile.context_tokens,
            reserve,
        )
    }

    /// Whether this path knows more than `other`, which begins at the same place.
    pub fn extends(&self, other: &Self) -> bool {
        self.progress() >= other.progress()
    }

    /// How far the path is decoded; an end is worth more than its last byte.
    pub fn progress(&self) -> (usize, bool) {
        (self.path.byte_len(), self.path.end() != PathEnd::Open)
    }

    /// Whether this path is decoded further than another, if there is another.
    pub fn is_further_than(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| self.progress() > other.progress())
    }

    /// Whether a token was decoded that says what stands behind the tail.
    pub fn passes_origin(&self) -> bool {
        self.path.byte_len() > self.path.origin() || self.path.end() != PathEnd::Open
    }

    /// Nothing that another generation could use was decoded.
    pub fn is_blank(&self) -> bool {
        self.path.tokens().is_empty() && self.path.end() == PathEnd::Open
    }

    pub fn heap_bytes(&self) -> usize {
        self.path.heap_bytes()
            + self.view.window.heap_bytes()
            + self.speculations.capacity() * size_of::<Speculation>()
            + self.characters.as_ref().map_or(0, Vec::capacity) * size_of::<char>()
    }

    /// The name of an answer that this path gives at once for the state at byte `at`.
    pub fn origin_at(&self, at: usize) -> Origin {
        if self.speculated
            || self
                .shown_until
                .is_some_and(|shown| at >= shown && at > self.path.origin())
        {
            Origin::Speculated
        } else if at == self.path.origin() {
            Origin::Exact
        } else {
            Origin::TypedThrough
        }
    }

    /// Takes a token; returns how many more tokens nobody has asked for.
    pub fn push(&mut self, token: PathToken, canonical_until: usize) -> u64 {
        let before = self.unread();
        self.path.push(token, canonical_until);
        self.unread() - before
    }

    /// Tokens from here on are computed before anybody asks for them.
    pub fn goes_ahead(&mut self) {
        self.ahead_from.get_or_insert(self.path.tokens().len());
    }

    /// A speculative generation begins to compute this path, or goes on with it.
    pub fn speculation_begins(&mut self, generation: GenerationId) {
        self.goes_ahead();
        self.speculations.push(Speculation {
            generation,
            began: self.path.tokens().len(),
            used: false,
        });
    }

    /// An answer was served that showed the bytes up to `shown_until`; silence has read all.
    /// Returns how many tokens were computed ahead and are read now for the first time, and how
    /// many speculative generations were used for the first time.
    pub fn serve(&mut self, shown_until: Option<usize>) -> (u64, u64) {
        let before = self.unread();
        let read = match shown_until {
            Some(until) => self.tokens_before(until),
            None => self.path.tokens().len(),
        };
        self.read = self.read.max(read);
        self.shown_until = self.shown_until.max(shown_until);
        let mut first_uses = 0;
        for speculation in &mut self.speculations {
            // One that found the end alone has no token; only silence reads the end.
            let reads = speculation.began < read || shown_until.is_none();
            if reads && !speculation.used {
                speculation.used = true;
                first_uses += 1;
            }
        }
        (before - self.unread(), first_uses)
    }

    /// Takes over what is known of the use of an older path from the same place.
    pub fn inherit(&mut self, older: &Self) {
        if self.characters.is_none() {
            self.characters.clone_from(&older.characters);
        }
        self.shown_until = self.shown_until.max(older.shown_until);
        self.read = self.read.max(older.read);
        for theirs in &older.speculations {
            let known = |mine: &&mut Speculation| {
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
            self.path
                .tokens()
                .len()
                .saturating_sub(ahead_from.max(self.read)) as u64
        })
    }

    /// Tokens that begin before a byte.
    fn tokens_before(&self, until: usize) -> usize {
        let mut begins = self.path.boundary();
        self.path
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
