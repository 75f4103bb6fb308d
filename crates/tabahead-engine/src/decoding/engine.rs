//! The engine: the keys and values that are kept, and the steps of sequences.
//!
//! A step has three parts, so that the driver can compute several sequences together, on any
//! threads, and can interrupt the computation between two layers: [`Engine::begin`] builds a
//! [`Pass`] from what the sequences need next, [`Processor::run`] computes it, [`Engine::finish`]
//! hands each sequence its results. Then [`Engine::choose`] chooses the next token.
//! [`Engine::step`] does all of this for one sequence.
//!
//! The driver decides which sequences are computed together, and when. `choice` chooses tokens,
//! `tree` keeps what later prompts can reuse.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    EngineError, Model, Processor, TokenId,
    arithmetic::{kernels::KV_BLOCK, simd::Isa},
    decoding::{
        choice::{Distribution, Sought},
        copying::{Copier, CopyingRule, Source, Votes},
        lookahead::{Contest, Decision},
        observation::Observation,
        sequence::{GeneratedToken, Sequence, SequenceRequest},
        track::{Beginning, Track},
    },
    kept::{
        kv::{KvPrecision, Ledger},
        tree::{KeptLogits, Known, PrefixTree},
    },
    pass::{Pass, Span},
    threads::Urgency,
    vocabulary::TokenKind,
};

/// Settings of an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineSettings {
    /// Number of computing threads; 0 chooses from the number of cores.
    pub threads: usize,
    /// Maximum size of the keys and values kept for later prompts, in bytes.
    pub kv_bytes: usize,
    /// Precision of the kept keys and values.
    pub kv_precision: KvPrecision,
    /// Whether, between two nearly equally likely tokens, the one with the likelier line is chosen.
    pub lookahead: bool,
    /// Maximum number of copied tokens that a pass computes after the last decoded one. As far as
    /// they match what decoding chooses, one pass decodes several tokens. They never change the
    /// result.
    pub copied_draft: usize,
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A chunk of the prompt was computed; more is left, or a token comes next.
    Prefilled {
        /// Number of tokens computed in this step, drafted ones included.
        tokens: usize,
    },
    /// A token was decoded.
    Token(GeneratedToken),
    /// The next token is a stop.
    Stop {
        /// Natural logarithm of the stop's probability.
        log_prob: f32,
    },
    /// More must be computed before the next token can be chosen.
    Undecided,
    /// The context is full.
    ContextFull,
}

/// Token counts since the engine was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Number of prompt tokens requested.
    pub prompt: u64,
    /// Number of prompt tokens computed; the others were in the tree.
    pub prefilled: u64,
    /// Number of drafted tokens computed.
    pub drafted: u64,
    /// Number of tokens decoded freely.
    pub decoded: u64,
    /// Number of tokens decoded under a constraint (healed).
    pub constrained: u64,
    /// Number of tokens computed for any reason: prefilled, drafted, or decoded and then continued
    /// from.
    pub computed: u64,
    /// Bytes of keys, values and logits held now.
    pub kv_bytes: u64,
}

/// A model and its kept keys and values, driven from one thread.
#[derive(Debug)]
pub struct Engine {
    model: Arc<Model>,
    pub(crate) settings: EngineSettings,
    processor: Processor,
    ledger: Ledger,
    tree: PrefixTree,
    copier: Copier,
    counters: Counters,
    /// The last prompt that was read ahead, until a sequence starts with it.
    read_ahead: Vec<TokenId>,
}

/// Maximum number of tokens that [`Engine::step`] computes together.
const CHUNK: usize = 128;

impl Engine {
    /// Creates an engine that keeps nothing yet.
    pub fn new(model: Arc<Model>, settings: EngineSettings) -> Self {
        let processor = Processor::new(settings.threads, Urgency::Urgent);
        Self {
            model,
            settings,
            processor,
            ledger: Ledger::default(),
            tree: PrefixTree::new(),
            copier: Copier::default(),
            counters: Counters::default(),
            read_ahead: Vec::new(),
        }
    }

    /// Returns the model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Returns the processor on which [`Engine::step`] computes.
    pub fn processor(&mut self) -> &mut Processor {
        &mut self.processor
    }

    /// Begins a sequence; computes nothing yet.
    ///
    /// # Errors
    /// `TooLong` when prompt, forced bytes and reserve do not fit the context, `Model` when the
    /// prompt is empty or holds a token beyond the vocabulary.
    pub fn start(&mut self, mut request: SequenceRequest) -> Result<Sequence, EngineError> {
        self.model.check_tokens(&request.prompt)?;
        let context = self.model.info().context_tokens;
        // A byte takes at most one token.
        let tokens = request
            .prompt
            .len()
            .saturating_add(request.forced.len())
            .saturating_add(request.reserve);
        if tokens > context {
            return Err(EngineError::TooLong { tokens, context });
        }
        let mut draft: VecDeque<TokenId> = request.draft.iter().copied().collect();
        if self.model.check_tokens(&request.draft).is_err() || draft.len() > request.forced.len() {
            draft.clear();
        }
        self.counters.prompt += request.prompt.len() as u64;
        if request.read_ahead {
            // A prompt that continues the last one still needs it.
            if !request.prompt.starts_with(&self.read_ahead) {
                self.tree.demote(&self.read_ahead);
            }
            self.read_ahead.clone_from(&request.prompt);
        }
        let mut source = request.copy_source.take().map(Source::new);
        if let Some(source) = &mut source {
            let continued = request.prompt.len().saturating_sub(request.continued);
            for token in &request.prompt[continued..] {
                source.push(self.model.token_bytes(*token));
            }
        }
        let mut sequence = Sequence {
            track: Track {
                tokens: request.prompt.clone(),
                known: Beginning {
                    draft,
                    ..Beginning::default()
                },
                source,
                context,
            },
            healed: request.prompt.len(),
            request,
            contest: None,
            spelled: 0,
            past_cursor: false,
            looked_up: 0,
        };
        self.look_up(&mut sequence);
        Ok(sequence)
    }

    /// Returns the number of tokens to compute before the next token of a sequence can be chosen: 0
    /// when its logits are known or when no more tokens fit. Includes what other sequences have
    /// computed since.
    pub fn missing(&mut self, sequence: &mut Sequence) -> usize {
        if sequence.prefills() && sequence.looked_up != self.tree.changes() {
            self.look_up(sequence);
        }
        sequence.track.missing()
    }

    /// Takes what the tree holds of a prompt if that is more than the sequence has.
    fn look_up(&mut self, sequence: &mut Sequence) {
        sequence.looked_up = self.tree.changes();
        let prompt = sequence.request.prompt.len();
        let all: Vec<_> = sequence.track.tokens_from(0).collect();
        let (mut place, known) = self.tree.find(&all, prompt);
        // To verify a draft, the logits before each of its tokens and after the last one must be
        // known.
        if let Some(unknown) = (prompt..=place.length()).find(|end| !known.contains_key(end)) {
            place.cut(unknown - 1);
        }
        if !sequence.request.read_ahead && all.starts_with(&self.read_ahead) {
            self.read_ahead.clear();
        }
        if place.length() > sequence.track.known.place.length() {
            sequence.track.known.place = place;
            sequence.track.known.logits = known;
        }
    }

    /// Builds a pass that computes the next tokens of each sequence, at most the given number for
    /// each. Each sequence must have missing tokens, see [`Engine::missing`]. A sequence may be in
    /// only one pass at a time; until that pass is finished, the only other call allowed with the
    /// sequence is [`Engine::retire`].
    pub fn begin(&mut self, sequences: &mut [(&mut Sequence, usize)]) -> Pass {
        let mut spans = Vec::with_capacity(sequences.len());
        for (sequence, most) in sequences {
            let missing = sequence.track.missing();
            debug_assert!(missing > 0, "a sequence in a pass misses tokens");
            let end = sequence.track.tokens.len() + sequence.track.known.draft.len();
            let start = end - missing;
            let count = missing.min((*most).max(1));
            let mut place = std::mem::take(&mut sequence.track.known.place);
            place.cut(start);
            // The sequence keeps its full blocks; the pass continues the partial one.
            sequence.track.known.place = place.clone();
            sequence.track.known.place.cut(start / KV_BLOCK * KV_BLOCK);
            let prompt = sequence.request.prompt.len();
            let prefilled = prompt.saturating_sub(start).min(count);
            let drafted = (start + count).saturating_sub(sequence.track.tokens.len());
            self.counters.prefilled += prefilled as u64;
            self.counters.drafted += drafted as u64;
            self.counters.computed += count as u64;
            let wanted = (start + count + 1).saturating_sub(sequence.track.tokens.len());
            let tokens = sequence.track.tokens_from(start).take(count).collect();
            spans.push(Span::new(
                &self.model,
                &self.ledger,
                self.settings.kv_precision,
                place,
                tokens,
                wanted.min(count),
            ));
        }
        Pass::new(spans)
    }

    /// Takes back a pass that is no longer needed, complete or not. What was known before it serves
    /// later prompts.
    pub fn abandon(&mut self, pass: Pass) {
        for span in pass.spans {
            self.tree.keep(&span.leave(), &Known::new());
        }
        self.evict();
    }

    /// Hands the sequences of a complete pass, in the order in which they were begun, what was
    /// computed for them. The results of a sequence that is gone serve later prompts.
    pub fn finish(&mut self, pass: Pass, sequences: &mut [Option<&mut Sequence>]) {
        debug_assert!(pass.complete, "what is finished was computed to its end");
        let sequences = sequences.iter_mut().map(Option::as_mut);
        for (span, sequence) in pass.spans.into_iter().zip(sequences) {
            let (place, logits) = span.close();
            let first = place.length() + 1 - logits.len();
            let logits = logits
                .into_iter()
                .map(|logits| KeptLogits::new(logits, &self.ledger));
            let known: Known = (first..).zip(logits).collect();
            let Some(sequence) = sequence else {
                self.tree.keep(&place, &known);
                continue;
            };
            sequence.track.known.place = place;
            sequence.track.known.logits.extend(known);
            if sequence.track.tokens.len() == sequence.request.prompt.len() {
                // From here on the prompt serves other sequences, however this one continues.
                self.tree
                    .keep(&sequence.track.known.place, &sequence.track.known.logits);
                sequence.looked_up = self.tree.changes();
            }
        }
        self.evict();
    }

    /// Returns the distribution of the next token of a sequence, or `None` if it misses tokens.
    fn distribution<'a>(&'a mut self, sequence: &'a mut Sequence) -> Option<Distribution<'a>> {
        let logits = sequence
            .track
            .known
            .logits
            .get(&sequence.track.tokens.len())?;
        let vocabulary = self.model.vocabulary();
        let nothing = Votes::default();
        let votes = match &mut sequence.track.source {
            Some(source) => self.copier.votes(vocabulary, source),
            None => &nothing,
        };
        let (isa, rule) = (
            self.processor.isa(),
            CopyingRule::for_model(self.model.info()),
        );
        Some(Distribution::new(
            vocabulary,
            isa,
            logits.values(),
            rule,
            votes,
        ))
    }

    /// Reports what the model and copying predict for the bytes of `forced` that are still to be
    /// spelled, in a sequence that misses no token. The cursor is after the first `cursor` bytes of
    /// `forced`. Chooses no token.
    pub fn observe(&mut self, sequence: &mut Sequence, cursor: usize) -> Option<Observation> {
        let rest = sequence.rest().to_vec();
        let typed = cursor.checked_sub(sequence.spelled);
        let votes = match &mut sequence.track.source {
            Some(source) => self.copier.votes(self.model.vocabulary(), source).clone(),
            None => Votes::default(),
        };
        let distribution = self.distribution(sequence)?;
        Some(distribution.observe(&rest, typed, &votes))
    }

    /// Chooses the next token of a sequence that misses none, or finds out what must be computed
    /// first.
    ///
    /// # Errors
    /// `Unspellable` when no token continues the forced bytes.
    pub fn choose(&mut self, sequence: &mut Sequence) -> Result<Step, EngineError> {
        if sequence.track.is_full() && sequence.contest.is_none() {
            return Ok(Step::ContextFull);
        }
        let Some(decision) = self.decide(sequence)? else {
            return Ok(Step::Undecided);
        };
        let Decision {
            token,
            log_prob,
            masked_stop,
        } = decision;
        let end = sequence.track.tokens.len();
        let forced = sequence.rest().to_vec();
        let length = self.model.token_bytes(token).len();
        if self.model.vocabulary().kind(token) == TokenKind::Stop {
            return Ok(Step::Stop { log_prob });
        }
        let passes_cursor = !sequence.past_cursor && length > forced.len();
        let characters = match sequence.request.characters {
            most if passes_cursor && most > 0 => {
                let distribution = self.distribution(sequence);
                distribution.map_or_else(Vec::new, |known| known.characters(&forced, most))
            }
            _ => Vec::new(),
        };
        if forced.is_empty() {
            self.counters.decoded += 1;
            sequence.past_cursor = true;
            // Logits are large: only those of healed tokens and of both ends are worth keeping.
            if end - 1 > sequence.healed {
                sequence.track.known.logits.remove(&(end - 1));
            }
        } else {
            self.counters.constrained += 1;
            sequence.past_cursor = length > forced.len();
            sequence.spelled += length.min(forced.len());
            sequence.healed = end + 1;
        }
        sequence.track.push(token, self.model.vocabulary());
        self.draft(sequence);
        Ok(Step::Token(GeneratedToken {
            id: token,
            log_prob,
            masked_stop,
            characters,
        }))
    }

    /// Decides which token comes next in a sequence; `None` if more must be computed first.
    ///
    /// # Errors
    /// `Unspellable` when no token continues the forced bytes.
    fn decide(&mut self, sequence: &mut Sequence) -> Result<Option<Decision>, EngineError> {
        let model = Arc::clone(&self.model);
        let vocabulary = model.vocabulary();
        let mut contest = match sequence.contest.take() {
            Some(contest) => contest,
            None => {
                let forced = sequence.rest().to_vec();
                let stops = sequence.stop_rule();
                let sought = if self.settings.lookahead {
                    Sought::Rivals
                } else {
                    Sought::Likeliest
                };
                let Some(distribution) = self.distribution(sequence) else {
                    return Ok(None);
                };
                let rivals = distribution.rivals(&forced, stops, sought)?;
                let masked_stop = rivals.masked_stop;
                match rivals.tokens[..] {
                    [one, other] => {
                        let tokens = [one, other];
                        let contest =
                            Contest::new(tokens, masked_stop, &sequence.track, vocabulary);
                        Box::new(contest)
                    }
                    _ => {
                        let (token, log_prob) = rivals.tokens[0];
                        return Ok(Some(Decision {
                            token,
                            log_prob,
                            masked_stop,
                        }));
                    }
                }
            }
        };
        while contest.lead(&mut sequence.track, vocabulary) {
            if sequence.track.is_full() {
                contest.follow(None, &mut sequence.track, vocabulary);
                continue;
            }
            self.draft(sequence);
            let Some(distribution) = self.distribution(sequence) else {
                sequence.contest = Some(contest);
                return Ok(None);
            };
            let next = distribution.first();
            contest.follow(next, &mut sequence.track, vocabulary);
        }
        Ok(Some(contest.decided(&mut sequence.track)))
    }

    /// Drafts what probably comes next, if that must be computed and nothing is drafted yet.
    fn draft(&mut self, sequence: &mut Sequence) {
        let end = sequence.track.tokens.len();
        let is_known = sequence.track.known.logits.contains_key(&end);
        let is_free = sequence.spelled == sequence.request.forced.len();
        if is_known || !is_free || !sequence.track.known.draft.is_empty() {
            return;
        }
        let room = sequence.track.context.saturating_sub(end + 1);
        let most = self.settings.copied_draft.min(room);
        if let Some(source) = &mut sequence.track.source
            && most > 0
        {
            let vocabulary = self.model.vocabulary();
            let draft = self.copier.draft(vocabulary, source, most);
            sequence.track.known.draft.extend(draft);
        }
    }

    /// Ends a sequence, finished or not. Its keys and values serve later prompts.
    pub fn retire(&mut self, sequence: Sequence) {
        self.tree
            .keep(&sequence.track.known.place, &sequence.track.known.logits);
        self.evict();
    }

    /// Computes the next chunk of a sequence's prompt or decodes its next token.
    ///
    /// # Errors
    /// See [`Engine::choose`].
    pub fn step(&mut self, sequence: &mut Sequence) -> Result<Step, EngineError> {
        if self.missing(sequence) > 0 {
            let prefills = sequence.prefills();
            let mut pass = self.begin(&mut [(sequence, CHUNK)]);
            self.processor.run(&self.model, &mut pass, &|| false);
            let tokens = pass.rows();
            self.finish(pass, &mut [Some(sequence)]);
            if prefills {
                return Ok(Step::Prefilled { tokens });
            }
        }
        self.choose(sequence)
    }

    /// Returns the counts so far.
    pub fn counters(&self) -> Counters {
        Counters {
            kv_bytes: self.ledger.bytes() as u64,
            ..self.counters
        }
    }

    fn evict(&mut self) {
        while self.ledger.bytes() > self.settings.kv_bytes && self.tree.forget_oldest() {}
    }
}

/// Returns the name of the instruction set that engines use on this machine, for display.
pub fn instruction_set() -> &'static str {
    Isa::detect().name()
}
