//! The model's answer at a state: the same answers for every policy of a run.
//!
//! An answer is a function of the state that the model sees and of nothing else; above all, not of
//! the recording's future. An [`AnswerSource`] computes it (a real model, or the deterministic
//! copier in `ngram.rs`). [`Answers`] remembers it, so that each state is computed once, however
//! many policies ask. `file.rs` keeps the answers for the next run.

mod file;
mod model;
mod ngram;

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use tabahead_context::{
    GenerationFailure, GenerationRequest, ModelProfile, PathEnd, PathToken, Segment, TokenId,
};
use xxhash_rust::xxh3::Xxh3;

pub use file::{AnswersFile, AnswersFileError};
pub use model::RealModel;
pub use ngram::Ngram;

/// Maximum number of paths that the source can continue; each may hold keys and values.
const PATHS: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// Maximum number of states whose answers are kept in memory.
const STATES: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// 128-bit xxh3 of everything that a generation's tokens depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateKey(pub u128);

/// The model's answer at one place of a path: its next token, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum NextToken {
    /// A token, and the bytes from the tail's start up to which the path's tokens are canonical.
    Token(PathToken, usize),
    /// The path is complete.
    End(PathEnd),
    /// The model failed; the message is one line.
    Broken(String),
}

/// A generation's prompt as tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct PathBeginning {
    /// Tokens up to the stable boundary, markers included.
    pub prompt: Vec<TokenId>,
    /// Tokens of the text that must be spelled next, encoded on its own.
    pub draft: Vec<TokenId>,
}

/// Computes answers, from the prompt and token by token.
pub trait AnswerSource {
    /// Returns the model's profile.
    fn profile(&self) -> &ModelProfile;

    /// Reports whether the source looks ahead, which changes its answers.
    fn looks_ahead(&self) -> bool;

    /// Begins a path at the request's state, ignoring any part of the path that is already known.
    ///
    /// # Errors
    /// When the prompt is too long, or the model fails.
    fn begin(
        &mut self,
        key: StateKey,
        request: &GenerationRequest,
    ) -> Result<PathBeginning, GenerationFailure>;

    /// Returns the next token of a path that was begun and not forgotten.
    fn next(&mut self, key: StateKey) -> NextToken;

    /// Returns the number of passes after the prompt that the last token of a path took; `None` if
    /// its passes are not counted.
    fn steps(&self, key: StateKey) -> Option<u32>;

    /// Drops the state kept for a path.
    fn forget(&mut self, key: StateKey);
}

/// Answers by state, each computed once.
pub struct Answers {
    source: Box<dyn AnswerSource>,
    states: LruCache<StateKey, KnownAnswer>,
    /// States whose paths the source can continue.
    live: LruCache<StateKey, ()>,
    file: Option<AnswersFile>,
    computed: u64,
}

/// Everything known about the answer at one state.
#[derive(Debug, Clone)]
struct KnownAnswer {
    beginning: Result<Arc<PathBeginning>, GenerationFailure>,
    tokens: Vec<(PathToken, usize)>,
    /// Number of passes that each token took.
    steps: Vec<Option<u32>>,
    end: Option<NextToken>,
    /// How much of the state is in the file; `None` if the file does not have the state.
    filed: Option<usize>,
}

impl KnownAnswer {
    /// Returns the number of known tokens, plus one if the end is known.
    fn known(&self) -> usize {
        self.tokens.len() + usize::from(self.end.is_some())
    }
}

impl Answers {
    /// Creates the answers of `source`, remembered in memory and, if there is one, in `file`.
    pub fn new(source: Box<dyn AnswerSource>, file: Option<AnswersFile>) -> Self {
        Self {
            source,
            states: LruCache::new(STATES),
            live: LruCache::new(PATHS),
            file,
            computed: 0,
        }
    }

    /// Returns the model's profile.
    pub fn profile(&self) -> &ModelProfile {
        self.source.profile()
    }

    /// Returns the number of tokens that the source had to compute because they were not
    /// remembered.
    pub fn computed(&self) -> u64 {
        self.computed
    }

    /// Returns the key of the request's state and its prompt.
    ///
    /// # Errors
    /// When the prompt is too long, or the model fails.
    pub fn begin(
        &mut self,
        request: &GenerationRequest,
    ) -> Result<(StateKey, Arc<PathBeginning>), GenerationFailure> {
        let key = key_of(&*self.source, request);
        if !self.states.contains(&key) {
            let filed = self.file.as_mut().and_then(|file| file.find(key));
            let answer = match filed {
                Some(answer) => answer,
                None => KnownAnswer {
                    beginning: self.begin_path(key, request).map(Arc::new),
                    tokens: Vec::new(),
                    steps: Vec::new(),
                    end: None,
                    filed: None,
                },
            };
            if let Some((evicted, answer)) = self.states.push(key, answer) {
                self.keep(evicted, &answer);
            }
        }
        let answer = self.states.get(&key).expect("it was put there");
        answer.beginning.clone().map(|beginning| (key, beginning))
    }

    /// Returns the model's answer at the `n`-th place of the path that begins at the request's
    /// state, counted from the stable boundary.
    pub fn token_at(&mut self, request: &GenerationRequest, key: StateKey, n: usize) -> NextToken {
        if self.states.get(&key).is_none()
            && let Err(failure) = self.begin(request)
        {
            return NextToken::Broken(format!("{failure:?}"));
        }
        loop {
            let answer = self.states.get(&key).expect("it was begun");
            if let Some((token, canonical)) = answer.tokens.get(n) {
                return NextToken::Token(token.clone(), *canonical);
            }
            if let Some(end) = &answer.end {
                return end.clone();
            }
            let known = answer.tokens.len();
            if self.live.get(&key).is_none() {
                if self.begin_path(key, request).is_err() {
                    return NextToken::Broken("the model no longer takes this prompt".to_owned());
                }
                for _ in 0..known {
                    self.source.next(key);
                }
            }
            self.computed += 1;
            let token = self.source.next(key);
            let ended = !matches!(token, NextToken::Token(..));
            let steps = self.source.steps(key);
            let answer = self.states.get_mut(&key).expect("it was begun");
            match token {
                NextToken::Token(token, canonical) => {
                    answer.tokens.push((token, canonical));
                    answer.steps.push(steps);
                }
                end => answer.end = Some(end),
            }
            if ended {
                self.forget(key);
            }
        }
    }

    /// Returns the number of passes after the prompt that the `n`-th token of a path took, if it is
    /// known.
    pub fn steps(&mut self, key: StateKey, n: usize) -> Option<u32> {
        *self.states.get(&key)?.steps.get(n)?
    }

    /// Lets the source begin a path; forgets the least recently continued one if there are too
    /// many.
    fn begin_path(
        &mut self,
        key: StateKey,
        request: &GenerationRequest,
    ) -> Result<PathBeginning, GenerationFailure> {
        let beginning = self.source.begin(key, request)?;
        if let Some((oldest, ())) = self.live.push(key, ())
            && oldest != key
        {
            self.source.forget(oldest);
        }
        Ok(beginning)
    }

    fn forget(&mut self, key: StateKey) {
        if self.live.pop(&key).is_some() {
            self.source.forget(key);
        }
    }

    /// Writes everything that the file does not have yet.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&mut self) -> Result<(), AnswersFileError> {
        let Self { states, file, .. } = self;
        let Some(file) = file else { return Ok(()) };
        // Oldest first, so that equal runs write equal files.
        for (key, answer) in states.iter_mut().rev() {
            file.append(*key, answer);
            answer.filed = Some(answer.known());
        }
        file.flush()
    }

    fn keep(&mut self, key: StateKey, answer: &KnownAnswer) {
        self.forget(key);
        if let Some(file) = &mut self.file {
            file.append(key, answer);
        }
    }
}

fn key_of(source: &dyn AnswerSource, request: &GenerationRequest) -> StateKey {
    let mut hash = Xxh3::new();
    let mut part = |kind: u8, text: &str| {
        hash.update(&[kind]);
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(0, &source.profile().id);
    for segment in &request.prompt.segments {
        match segment {
            Segment::Marker(marker) => part(1 + *marker as u8, ""),
            Segment::Text(text) => part(5, text),
        }
    }
    part(6, &request.prompt.forced);
    if let Some(source) = &request.copy_source {
        part(7, &source.before);
        part(8, &source.after);
        for file in &source.open_files {
            part(9, file);
        }
    }
    hash.update(&(request.reserve as u64).to_le_bytes());
    hash.update(&[u8::from(source.looks_ahead())]);
    StateKey(hash.digest128())
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers")
            .field("model", &self.profile().id)
            .finish_non_exhaustive()
    }
}
