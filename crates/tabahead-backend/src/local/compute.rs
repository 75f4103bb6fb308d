//! The trait through which the engine's thread uses an engine, and its implementation by the real
//! one. Tests implement it with an engine that panics on demand.

use std::sync::Arc;

use tabahead_context::{Goal, Marker, PreTokenizer, TokenId};
use tabahead_engine::{
    Counters, Engine, EngineError, EngineSettings, Model, Observation, Pass, Processor, Sequence,
    SequenceRequest, Step, threads::Urgency,
};

/// Condition to stop a pass; checked between any two layers.
pub(super) type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// An engine. See `tabahead_engine::Engine` for what each method does.
pub(super) trait Compute {
    type Sequence;
    type Pass: Send + 'static;
    type Ahead: Ahead<Self::Pass>;
    fn encode(&self, text: &str) -> Vec<TokenId>;
    fn token_bytes(&self, token: TokenId) -> &[u8];
    fn marker(&self, marker: Marker) -> Option<TokenId>;
    fn begin_token(&self) -> Option<TokenId>;
    fn pre_tokenizer(&self) -> PreTokenizer;
    fn start(&mut self, request: SequenceRequest) -> Result<Self::Sequence, EngineError>;
    fn missing(&mut self, sequence: &mut Self::Sequence) -> usize;
    fn prefills(&self, sequence: &Self::Sequence) -> bool;
    fn begin(&mut self, sequences: &mut [(&mut Self::Sequence, usize)]) -> Self::Pass;
    fn run(&mut self, pass: &mut Self::Pass, stop: Stop<'_>) -> bool;
    fn finish(&mut self, pass: Self::Pass, sequences: &mut [Option<&mut Self::Sequence>]);
    fn abandon(&mut self, pass: Self::Pass);
    fn choose(&mut self, sequence: &mut Self::Sequence) -> Result<Step, EngineError>;
    fn retire(&mut self, sequence: Self::Sequence);
    fn counters(&self) -> Counters;
    fn rows(&self, pass: &Self::Pass) -> usize;
    fn is_begun(&self, pass: &Self::Pass) -> bool;
    fn is_complete(&self, pass: &Self::Pass) -> bool;
    /// Returns what computes passes on a thread of low priority.
    fn ahead(&self) -> Self::Ahead;
}

/// Computes passes, and nothing else.
pub(super) trait Ahead<P>: Send + 'static {
    /// Computes a pass whose generations have this goal.
    fn run(&mut self, pass: &mut P, goal: Goal, stop: Stop<'_>) -> bool;
    fn is_begun(&self, pass: &P) -> bool;
}

/// A model and the engine that runs it.
pub(super) struct LocalCompute {
    pre_tokenizer: PreTokenizer,
    model: Arc<Model>,
    engine: Engine,
    threads: usize,
}

impl LocalCompute {
    /// Returns what is predicted for the text that must be spelled next, see `Engine::observe`.
    pub(super) fn observe(
        &mut self,
        sequence: &mut Sequence,
        cursor: usize,
    ) -> Option<Observation> {
        self.engine.observe(sequence, cursor)
    }

    pub(super) fn new(
        pre_tokenizer: PreTokenizer,
        model: &Arc<Model>,
        settings: &EngineSettings,
    ) -> Self {
        let threads = settings.threads;
        let settings = EngineSettings {
            copied_draft: if model.info().is_large() {
                COPIED_DRAFT
            } else {
                0
            },
            ..settings.clone()
        };
        Self {
            pre_tokenizer,
            model: Arc::clone(model),
            engine: Engine::new(Arc::clone(model), settings),
            threads,
        }
    }
}

/// Number of tokens to draft where a large model decodes text that may be copied. A small model
/// decodes a token in less time than it takes to read it, and would compute more than it saves.
const COPIED_DRAFT: usize = 4;

impl Compute for LocalCompute {
    type Sequence = Sequence;
    type Pass = Pass;
    type Ahead = LocalAhead;

    fn encode(&self, text: &str) -> Vec<TokenId> {
        self.model.encode(text)
    }

    fn token_bytes(&self, token: TokenId) -> &[u8] {
        self.model.token_bytes(token)
    }

    fn marker(&self, marker: Marker) -> Option<TokenId> {
        self.model.marker(marker)
    }

    fn begin_token(&self) -> Option<TokenId> {
        self.model.begin_token()
    }

    fn pre_tokenizer(&self) -> PreTokenizer {
        self.pre_tokenizer
    }

    fn start(&mut self, request: SequenceRequest) -> Result<Sequence, EngineError> {
        self.engine.start(request)
    }

    fn missing(&mut self, sequence: &mut Sequence) -> usize {
        self.engine.missing(sequence)
    }

    fn prefills(&self, sequence: &Sequence) -> bool {
        sequence.prefills()
    }

    fn begin(&mut self, sequences: &mut [(&mut Sequence, usize)]) -> Pass {
        self.engine.begin(sequences)
    }

    fn run(&mut self, pass: &mut Pass, stop: Stop<'_>) -> bool {
        self.engine.processor().run(&self.model, pass, stop)
    }

    fn finish(&mut self, pass: Pass, sequences: &mut [Option<&mut Sequence>]) {
        self.engine.finish(pass, sequences);
    }

    fn abandon(&mut self, pass: Pass) {
        self.engine.abandon(pass);
    }

    fn choose(&mut self, sequence: &mut Sequence) -> Result<Step, EngineError> {
        self.engine.choose(sequence)
    }

    fn retire(&mut self, sequence: Sequence) {
        self.engine.retire(sequence);
    }

    fn counters(&self) -> Counters {
        self.engine.counters()
    }

    fn rows(&self, pass: &Pass) -> usize {
        pass.rows()
    }

    fn is_begun(&self, pass: &Pass) -> bool {
        pass.is_begun()
    }

    fn is_complete(&self, pass: &Pass) -> bool {
        pass.is_complete()
    }

    fn ahead(&self) -> LocalAhead {
        LocalAhead {
            model: Arc::clone(&self.model),
            threads: self.threads,
            processor: Processor::new(self.threads, Urgency::Idle),
            reading: None,
        }
    }
}

/// The processors of the thread that computes ahead.
pub(super) struct LocalAhead {
    model: Arc<Model>,
    threads: usize,
    processor: Processor,
    /// Processor for prompts that are read while nothing else is computed; created when first
    /// needed.
    reading: Option<Processor>,
}

impl Ahead<Pass> for LocalAhead {
    fn run(&mut self, pass: &mut Pass, goal: Goal, stop: Stop<'_>) -> bool {
        let threads = self.threads;
        let processor = match goal {
            Goal::Decode => &mut self.processor,
            Goal::Read => {
                (self.reading).get_or_insert_with(|| Processor::new(threads, Urgency::Reading))
            }
        };
        processor.run(&self.model, pass, stop)
    }

    fn is_begun(&self, pass: &Pass) -> bool {
        pass.is_begun()
    }
}
