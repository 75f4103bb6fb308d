//! The engine: a key-value cache and the steps that decode with it.

use std::sync::Arc;

use crate::{EngineError, Model, TokenId};

/// Settings of an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineSettings {
    /// Threads that compute; 0 chooses from the cores.
    pub threads: usize,
    /// Bytes of keys and values kept for later prompts.
    pub kv_bytes: usize,
}

/// What to decode.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceRequest {
    /// Prompt tokens; not empty.
    pub prompt: Vec<TokenId>,
    /// The first tokens must spell these bytes (the last of them may spell on).
    pub forced: Vec<u8>,
    /// Whether the token that starts exactly at the end of `forced` (the cursor) may not be a stop.
    pub mask_first_stop: bool,
    /// Tokens that must fit behind the prompt.
    pub reserve: usize,
}

/// One decoded token.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedToken {
    /// Its id.
    pub id: TokenId,
    /// Natural logarithm of its probability among all tokens, unmasked.
    pub log_prob: f32,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Computed a chunk of the prompt; more is left or a token comes next.
    Prefilled {
        /// Tokens computed in this step.
        tokens: usize,
    },
    /// Decoded a token.
    Token(GeneratedToken),
    /// The next token is a stop.
    Stop {
        /// Natural logarithm of the stop's probability.
        log_prob: f32,
    },
    /// The context is full.
    ContextFull,
}

/// Tokens that passed through an engine since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Prompt tokens asked for.
    pub prompt: u64,
    /// Prompt tokens computed: the others were in the cache.
    pub prefilled: u64,
    /// Tokens decoded freely.
    pub decoded: u64,
    /// Tokens decoded under a constraint (healed).
    pub constrained: u64,
    /// Bytes of keys and values held now.
    pub kv_bytes: u64,
}

/// A running sequence. Give it back with [`Engine::retire`].
#[derive(Debug)]
pub struct Sequence {}

/// A model with a key-value cache, driven from one thread.
#[derive(Debug)]
pub struct Engine {
    _model: Arc<Model>,
}

impl Engine {
    /// An engine with an empty cache.
    pub fn new(model: Arc<Model>, _settings: EngineSettings) -> Self {
        Self { _model: model }
    }

    /// Begins a sequence; computes nothing yet.
    ///
    /// # Errors
    /// `TooLong` when prompt, forced bytes and reserve do not fit the context.
    pub fn start(&mut self, _request: SequenceRequest) -> Result<Sequence, EngineError> {
        unimplemented!()
    }

    /// Computes the next prefill chunk or decodes the next token.
    ///
    /// # Errors
    /// When the computation fails.
    pub fn step(&mut self, _sequence: &mut Sequence) -> Result<Step, EngineError> {
        unimplemented!()
    }

    /// Ends a sequence, finished or not; its keys and values serve later prompts.
    pub fn retire(&mut self, _sequence: Sequence) {}

    /// Tokens so far.
    pub fn counters(&self) -> Counters {
        unimplemented!()
    }
}
