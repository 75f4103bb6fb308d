//! The engine: a key-value cache and the steps that decode with it.
//!
//! A sequence owns its place in the cache, so an engine can run several in turn; which of them
//! runs next is its driver's decision. What a token is chosen by is in `choice`, what is kept for
//! later prompts in `kept`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    EngineError, Model, TokenId,
    choice::{Choice, choose},
    forward::Processor,
    kept::{Kept, KeptLogits},
    kernels::KV_BLOCK,
    kv::{Block, Ledger},
};

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
pub struct Sequence {
    request: SequenceRequest,
    /// The prompt and what was decoded.
    tokens: Vec<TokenId>,
    /// Tokens whose keys and values are in `blocks`.
    computed: usize,
    blocks: Vec<Arc<Block>>,
    /// Logits after all of `tokens`, when those are computed.
    logits: Option<KeptLogits>,
    /// Logits worth keeping, by the number of tokens before them.
    known: Vec<(usize, KeptLogits)>,
    /// Bytes of `forced` that are spelled.
    spelled: usize,
    /// A token past the cursor was decoded.
    past_cursor: bool,
    /// The prompt's keys and values serve others already.
    published: bool,
}

/// A model with a key-value cache, driven from one thread.
#[derive(Debug)]
pub struct Engine {
    model: Arc<Model>,
    settings: EngineSettings,
    processor: Processor,
    ledger: Ledger,
    kept: Kept,
    counters: Counters,
    /// Tokens of the next prefill chunk.
    chunk: usize,
}

/// A prefill step should take about as long, so that a driver can change its mind.
const STEP: Duration = Duration::from_millis(8);

/// Bounds of a prefill chunk, in tokens.
const CHUNKS: std::ops::RangeInclusive<usize> = 8..=256;

impl Engine {
    /// An engine with an empty cache.
    pub fn new(model: Arc<Model>, settings: EngineSettings) -> Self {
        let threads = match settings.threads {
            0 => default_threads(),
            threads => threads,
        };
        let processor = Processor::new(threads);
        Self::with_processor(model, settings, processor)
    }

    pub(crate) fn with_processor(
        model: Arc<Model>,
        settings: EngineSettings,
        processor: Processor,
    ) -> Self {
        Self {
            model,
            settings,
            processor,
            ledger: Ledger::default(),
            kept: Kept::default(),
            counters: Counters::default(),
            chunk: KV_BLOCK,
        }
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The instruction set that the engine computes with, for people.
    pub fn instruction_set(&self) -> &'static str {
        self.processor.isa().name()
    }

    /// Begins a sequence; computes nothing yet.
    ///
    /// # Errors
    /// `TooLong` when prompt, forced bytes and reserve do not fit the context, `Model` when the
    /// prompt is empty or holds a token beyond the vocabulary.
    pub fn start(&mut self, request: SequenceRequest) -> Result<Sequence, EngineError> {
        self.model.check_tokens(&request.prompt)?;
        let context = self.model.info().context_tokens;
        // A byte takes a token at most.
        let tokens = request
            .prompt
            .len()
            .saturating_add(request.forced.len())
            .saturating_add(request.reserve);
        if tokens > context {
            return Err(EngineError::TooLong { tokens, context });
        }
        let (mut computed, mut blocks, logits) = self.kept.find(&request.prompt);
        if logits.is_none() {
            // The last token is computed again for its logits.
            computed = computed.min(request.prompt.len() - 1);
        }
        blocks.truncate(computed.div_ceil(KV_BLOCK));
        self.counters.prompt += request.prompt.len() as u64;
        let known = logits
            .iter()
            .map(|logits| (computed, logits.clone()))
            .collect();
        Ok(Sequence {
            tokens: request.prompt.clone(),
            request,
            computed,
            blocks,
            published: logits.is_some(),
            logits,
            known,
            spelled: 0,
            past_cursor: false,
        })
    }

    /// Computes the next prefill chunk or decodes the next token.
    ///
    /// # Errors
    /// `Unspellable` when no token continues the forced bytes.
    pub fn step(&mut self, sequence: &mut Sequence) -> Result<Step, EngineError> {
        let prompt = sequence.request.prompt.len();
        if sequence.computed < prompt {
            return Ok(self.prefill(sequence));
        }
        if sequence.tokens.len() >= self.model.info().context_tokens {
            return Ok(Step::ContextFull);
        }
        let constrained = sequence.spelled < sequence.request.forced.len();
        let logits = self.logits(sequence);
        let forced = &sequence.request.forced[sequence.spelled..];
        let at_cursor = forced.is_empty() && !sequence.past_cursor;
        let mask_stops = at_cursor && sequence.request.mask_first_stop;
        let vocabulary = self.model.vocabulary();
        let (id, log_prob) = match choose(
            vocabulary,
            self.processor.isa(),
            logits.values(),
            forced,
            mask_stops,
        )? {
            Choice::Token { id, log_prob } => (id, log_prob),
            Choice::Stop { log_prob } => return Ok(Step::Stop { log_prob }),
        };
        match constrained {
            true => {
                self.counters.constrained += 1;
                let length = self.model.token_bytes(id).len();
                sequence.past_cursor = length > forced.len();
                sequence.spelled += length.min(forced.len());
            }
            false => {
                self.counters.decoded += 1;
                sequence.past_cursor = true;
            }
        }
        sequence.tokens.push(id);
        sequence.logits = None;
        Ok(Step::Token(GeneratedToken { id, log_prob }))
    }

    /// Ends a sequence, finished or not; its keys and values serve later prompts.
    pub fn retire(&mut self, mut sequence: Sequence) {
        if let Some(logits) = sequence.logits.take() {
            sequence.known.push((sequence.computed, logits));
        }
        sequence.tokens.truncate(sequence.computed);
        self.kept
            .keep(sequence.tokens, sequence.blocks, sequence.known);
        self.evict();
    }

    /// Tokens so far.
    pub fn counters(&self) -> Counters {
        Counters {
            kv_bytes: self.ledger.bytes() as u64,
            ..self.counters
        }
    }

    fn prefill(&mut self, sequence: &mut Sequence) -> Step {
        let prompt = sequence.request.prompt.len();
        let count = self.chunk.min(prompt - sequence.computed);
        let started = Instant::now();
        self.extend(sequence, count);
        let taken = started.elapsed();
        // How a prompt is cut into chunks changes no result, so the clock may decide it.
        if count == self.chunk {
            let fitting = STEP.as_secs_f64() / taken.as_secs_f64().max(1e-6) * count as f64;
            self.chunk = (fitting as usize).clamp(count / 2, count * 2);
            self.chunk = self.chunk.clamp(*CHUNKS.start(), *CHUNKS.end());
        }
        self.counters.prefilled += count as u64;
        if sequence.computed == prompt {
            self.logits(sequence);
        }
        Step::Prefilled { tokens: count }
    }

    /// Logits after the last token, which is computed if it is not yet.
    fn logits(&mut self, sequence: &mut Sequence) -> KeptLogits {
        if let Some(logits) = &sequence.logits {
            return logits.clone();
        }
        let missing = sequence.tokens.len() - sequence.computed;
        if missing > 0 {
            self.extend(sequence, missing);
        }
        let logits = KeptLogits::new(self.processor.logits(&self.model), &self.ledger);
        sequence.logits = Some(logits.clone());
        let healing = sequence.spelled < sequence.request.forced.len();
        if sequence.computed == sequence.request.prompt.len() || healing {
            sequence.known.push((sequence.computed, logits.clone()));
        }
        if !sequence.published {
            sequence.published = true;
            let (tokens, blocks) = (sequence.tokens.clone(), sequence.blocks.clone());
            self.kept.keep(tokens, blocks, sequence.known.clone());
            self.evict();
        }
        logits
    }

    /// Computes the next `count` tokens of a sequence.
    fn extend(&mut self, sequence: &mut Sequence, count: usize) {
        let start = sequence.computed;
        let end = start + count;
        while sequence.blocks.len() < end.div_ceil(KV_BLOCK) {
            sequence
                .blocks
                .push(Block::zeroed(&self.model, &self.ledger));
        }
        for block in &mut sequence.blocks[start / KV_BLOCK..] {
            Arc::make_mut(block);
        }
        let tokens = &sequence.tokens[start..end];
        self.processor
            .extend(&self.model, &mut sequence.blocks, start, tokens);
        sequence.computed = end;
    }

    fn evict(&mut self) {
        while self.ledger.bytes() > self.settings.kv_bytes && self.kept.forget_oldest() {}
    }
}

/// All cores, but no more than four: beyond that small models only get in their own way.
fn default_threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(4)
}
