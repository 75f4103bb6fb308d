//! The thread that owns the engine.
//!
//! Between any two steps (a prefill chunk or a token) it takes the commands that wait and chooses
//! anew what to compute: [`choose`] is the whole policy. It must not know where prompts come from,
//! nor when enough was decoded: a generation ends by its stop, a full context or a cancel.
//!
//! Engine steps run under `catch_unwind`. When one panics or fails, its generation fails, the engine
//! is built anew, and the other generations are begun again behind the tokens that they have
//! already reported; the law that a continued path equals an uninterrupted one makes that invisible.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
};

use tabahead_context::{
    CanonicalMarks, GenerationEvent, GenerationFailure, GenerationId, GenerationRequest, Marker,
    PathEnd, PathToken, PreTokenizer, Priority, Segment, TokenId,
};
use tabahead_engine::{
    Counters, Engine, EngineError, EngineSettings, Model, Sequence, SequenceRequest, SpecialToken,
    Step,
};

use super::{Shared, in_one_line, lock};
use crate::TokenCounters;

/// What the handle asks of the thread.
pub(super) enum Command {
    Start(Box<GenerationRequest>),
    Prioritize(GenerationId, Priority),
    Cancel(GenerationId),
    Configure(EngineSettings),
    Warm,
}

/// What the thread needs of an engine. The real one is [`LocalCompute`]; tests have one that panics.
pub(super) trait Compute {
    type Sequence;
    fn encode(&self, text: &str) -> Vec<TokenId>;
    fn token_bytes(&self, token: TokenId) -> &[u8];
    fn special(&self, token: SpecialToken) -> Option<TokenId>;
    fn pre_tokenizer(&self) -> PreTokenizer;
    fn start(&mut self, request: SequenceRequest) -> Result<Self::Sequence, EngineError>;
    fn step(&mut self, sequence: &mut Self::Sequence) -> Result<Step, EngineError>;
    fn retire(&mut self, sequence: Self::Sequence);
    fn counters(&self) -> Counters;
}

/// A model and the engine that runs it.
pub(super) struct LocalCompute {
    pub(super) pre_tokenizer: PreTokenizer,
    pub(super) model: Arc<Model>,
    pub(super) engine: Engine,
}

impl Compute for LocalCompute {
    type Sequence = Sequence;

    fn encode(&self, text: &str) -> Vec<TokenId> {
        self.model.encode(text)
    }

    fn token_bytes(&self, token: TokenId) -> &[u8] {
        self.model.token_bytes(token)
    }

    fn special(&self, token: SpecialToken) -> Option<TokenId> {
        self.model.special(token)
    }

    fn pre_tokenizer(&self) -> PreTokenizer {
        self.pre_tokenizer
    }

    fn start(&mut self, request: SequenceRequest) -> Result<Sequence, EngineError> {
        self.engine.start(request)
    }

    fn step(&mut self, sequence: &mut Sequence) -> Result<Step, EngineError> {
        self.engine.step(sequence)
    }

    fn retire(&mut self, sequence: Sequence) {
        self.engine.retire(sequence);
    }

    fn counters(&self) -> Counters {
        self.engine.counters()
    }
}

/// A generation that is neither finished nor cancelled.
struct Live<S> {
    request: Box<GenerationRequest>,
    /// Grows with every start and every change of priority.
    rank: u64,
    /// Whether `Started` was reported.
    started: bool,
    /// Tokens reported.
    emitted: Vec<TokenId>,
    /// Its state in the engine; `None` before its first step and after a rebuilt engine.
    running: Option<Running<S>>,
}

struct Running<S> {
    sequence: S,
    marks: CanonicalMarks,
}

/// What a step came to.
enum Outcome {
    /// Go on with whatever is best now.
    Continue,
    /// The generation is over and its sequence can be kept for later prompts.
    Ended(PathEnd),
    /// It could not begin.
    Refused(GenerationFailure),
}

pub(super) struct Worker<'a, C: Compute, B> {
    build: B,
    settings: EngineSettings,
    compute: C,
    /// Tokens of engines that were replaced.
    before: TokenCounters,
    shared: &'a Shared,
    queue: Receiver<Command>,
    live: Vec<Live<C::Sequence>>,
    next_rank: u64,
    warmed: bool,
}

impl<'a, C: Compute, B: Fn(&EngineSettings) -> C> Worker<'a, C, B> {
    pub(super) fn new(
        build: B,
        settings: EngineSettings,
        shared: &'a Shared,
        queue: Receiver<Command>,
    ) -> Self {
        Self {
            compute: build(&settings),
            build,
            settings,
            before: TokenCounters::default(),
            shared,
            queue,
            live: Vec::new(),
            next_rank: 0,
            warmed: false,
        }
    }

    /// Works until the handle is dropped.
    pub(super) fn run(mut self) {
        loop {
            // An idle thread sleeps in `recv`; a busy one takes what waits and steps on.
            let command = if self.live.is_empty() {
                self.queue.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.queue.try_recv()
            };
            match command {
                Ok(command) => {
                    self.obey(command);
                    self.publish_counters();
                }
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    let order = self.live.iter().map(|l| (l.request.priority, l.rank));
                    if let Some(best) = choose(order) {
                        self.advance(best);
                        // Behind the step's events: whoever reads these figures and then the
                        // events that wait has at least what is counted.
                        self.publish_counters();
                    }
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(request) => {
                let rank = self.rank();
                self.live.push(Live {
                    request,
                    rank,
                    started: false,
                    emitted: Vec::new(),
                    running: None,
                });
            }
            Command::Prioritize(id, priority) => {
                let rank = self.rank();
                if let Some(live) = self.live.iter_mut().find(|live| live.request.id == id) {
                    live.request.priority = priority;
                    live.rank = rank;
                }
            }
            Command::Cancel(id) => {
                if let Some(i) = self.live.iter().position(|live| live.request.id == id) {
                    let live = self.live.remove(i);
                    self.keep(live.running);
                }
            }
            Command::Configure(settings) => {
                if settings != self.settings {
                    self.settings = settings;
                    self.rebuild();
                }
            }
            Command::Warm => self.warm(),
        }
    }

    /// One step of one generation.
    fn advance(&mut self, i: usize) {
        let Self {
            compute,
            live,
            shared,
            ..
        } = self;
        let current = &mut live[i];
        let id = current.request.id;
        let outcome = guarded(|| step(compute, current, shared));
        match outcome {
            Ok(Ok(Outcome::Continue)) => {}
            Ok(Ok(Outcome::Ended(end))) => {
                let live = self.live.remove(i);
                self.keep(live.running);
                self.shared.emit(GenerationEvent::Ended { id, end });
            }
            Ok(Ok(Outcome::Refused(failure))) => {
                self.live.remove(i);
                self.shared.emit(GenerationEvent::Failed { id, failure });
            }
            Ok(Err(error)) => self.break_off(i, in_one_line(&error)),
            Err(()) => self.break_off(
                i,
                "the engine stopped unexpectedly on this prompt and was started again".to_owned(),
            ),
        }
    }

    /// Fails a generation whose step left the engine in an unknown state.
    fn break_off(&mut self, i: usize, line: String) {
        tracing::error!(line, "engine step failed");
        let live = self.live.remove(i);
        let id = live.request.id;
        let _ = guarded(|| drop(live));
        self.rebuild();
        self.shared.emit(GenerationEvent::Failed {
            id,
            failure: GenerationFailure::Broken(line),
        });
    }

    /// Replaces the engine; whatever ran is begun again when its turn comes.
    fn rebuild(&mut self) {
        for live in &mut self.live {
            let running = live.running.take();
            let _ = guarded(|| drop(running));
        }
        self.before = TokenCounters {
            kv_bytes: 0,
            ..self.total()
        };
        let fresh = (self.build)(&self.settings);
        let old = std::mem::replace(&mut self.compute, fresh);
        let _ = guarded(|| drop(old));
    }

    /// Runs a few tokens through an engine of its own, so that the weights are in memory and the
    /// counters and the cache of the real one are untouched.
    fn warm(&mut self) {
        if self.warmed || !self.live.is_empty() {
            return;
        }
        self.warmed = true;
        let warmed = guarded(|| -> Result<(), EngineError> {
            let mut compute = (self.build)(&self.settings);
            let mut sequence = compute.start(SequenceRequest {
                prompt: compute.encode("fn main() {\n    let mut lines = Vec::new();\n"),
                forced: Vec::new(),
                mask_first_stop: true,
                reserve: 1,
            })?;
            while let Step::Prefilled { .. } = compute.step(&mut sequence)? {}
            Ok(())
        });
        match warmed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "warming failed"),
            Err(()) => tracing::warn!("warming stopped unexpectedly"),
        }
    }

    /// Keys and values of what ran serve later prompts.
    fn keep(&mut self, running: Option<Running<C::Sequence>>) {
        if let Some(running) = running {
            let compute = &mut self.compute;
            if guarded(|| compute.retire(running.sequence)).is_err() {
                self.rebuild();
            }
        }
    }

    fn total(&self) -> TokenCounters {
        let now = self.compute.counters();
        TokenCounters {
            prompt: self.before.prompt + now.prompt,
            prefilled: self.before.prefilled + now.prefilled,
            decoded: self.before.decoded + now.decoded,
            constrained: self.before.constrained + now.constrained,
            kv_bytes: now.kv_bytes,
            generations: self.live.len() as u64,
        }
    }

    fn publish_counters(&self) {
        *lock(&self.shared.counters) = self.total();
    }

    fn rank(&mut self) -> u64 {
        self.next_rank += 1;
        self.next_rank
    }
}

/// Which generation computes next, given priority and rank of each: whoever a person waits for,
/// the newest first because the older ones are about to be superseded; then what was asked for
/// ahead, in the order in which it was asked for, because that is the Speculator's ranking.
fn choose(order: impl Iterator<Item = (Priority, u64)>) -> Option<usize> {
    order
        .enumerate()
        .max_by_key(|(_, (priority, rank))| match priority {
            Priority::Foreground => (1, *rank),
            Priority::Speculative => (0, u64::MAX - rank),
        })
        .map(|(i, _)| i)
}

/// Begins a generation, or computes its next chunk or token and reports it.
fn step<C: Compute>(
    compute: &mut C,
    live: &mut Live<C::Sequence>,
    shared: &Shared,
) -> Result<Outcome, EngineError> {
    let id = live.request.id;
    let Some(running) = &mut live.running else {
        let prompt = prompt_tokens(compute, &live.request);
        let prompt_tokens = prompt.len();
        let known = [live.request.continued.as_slice(), &live.emitted].concat();
        match begin(compute, &live.request, prompt, &known) {
            Ok(running) => live.running = Some(running),
            Err(EngineError::TooLong { .. }) => {
                return Ok(Outcome::Refused(GenerationFailure::TooLong));
            }
            // The prompt is at fault, not the engine.
            Err(error @ EngineError::Unspellable { .. }) => {
                let line = in_one_line(&error);
                return Ok(Outcome::Refused(GenerationFailure::Broken(line)));
            }
            Err(error) => return Err(error),
        }
        if !live.started {
            live.started = true;
            shared.emit(GenerationEvent::Started {
                id,
                prompt_tokens,
                continued: known.len(),
            });
        }
        return Ok(Outcome::Continue);
    };
    Ok(match compute.step(&mut running.sequence)? {
        Step::Prefilled { .. } => Outcome::Continue,
        Step::Token(token) => {
            let bytes = compute.token_bytes(token.id).to_vec();
            let canonical_until = running
                .marks
                .advance(&bytes, token.id, |text| compute.encode(text));
            live.emitted.push(token.id);
            shared.emit(GenerationEvent::Token {
                id,
                token: PathToken {
                    id: token.id,
                    bytes,
                    log_prob: token.log_prob,
                },
                canonical_until,
            });
            Outcome::Continue
        }
        Step::Stop { log_prob } => Outcome::Ended(PathEnd::Stop { log_prob }),
        Step::ContextFull => Outcome::Ended(PathEnd::ContextFull),
    })
}

/// A sequence behind the prompt and the tokens of the path that are known already.
fn begin<C: Compute>(
    compute: &mut C,
    request: &GenerationRequest,
    mut prompt: Vec<TokenId>,
    known: &[TokenId],
) -> Result<Running<C::Sequence>, EngineError> {
    let forced = request.prompt.forced.as_bytes();
    let mut marks = CanonicalMarks::new(
        compute.pre_tokenizer(),
        &request.tail,
        request.tail.len() - forced.len(),
    );
    let mut spelled = 0;
    for token in known {
        let bytes = compute.token_bytes(*token).to_vec();
        spelled += bytes.len();
        marks.advance(&bytes, *token, |text| compute.encode(text));
    }
    prompt.extend_from_slice(known);
    let sequence = compute.start(SequenceRequest {
        prompt,
        forced: forced.get(spelled..).unwrap_or_default().to_vec(),
        // The stop is masked only where the cursor stood when the path began.
        mask_first_stop: spelled <= forced.len(),
        // What fits does not depend on how much of the path is known.
        reserve: request.reserve.saturating_sub(known.len()),
    })?;
    Ok(Running { sequence, marks })
}

/// The tokens of a prompt; each stretch between markers is encoded as one segment.
fn prompt_tokens(compute: &impl Compute, request: &GenerationRequest) -> Vec<TokenId> {
    let mut tokens = Vec::new();
    for segment in &request.prompt.segments {
        match segment {
            // A template asks only for markers that the model has, or it was refused at load.
            Segment::Marker(marker) => tokens.extend(compute.special(match marker {
                Marker::File => SpecialToken::File,
                Marker::Prefix => SpecialToken::Prefix,
                Marker::Suffix => SpecialToken::Suffix,
                Marker::Middle => SpecialToken::Middle,
            })),
            Segment::Text(text) => tokens.extend(compute.encode(text)),
        }
    }
    tokens
}

/// Runs `work`; `Err` when it panicked. The panic's message, which may quote a buffer, is not kept.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| ())
}

#[cfg(test)]
mod tests;
