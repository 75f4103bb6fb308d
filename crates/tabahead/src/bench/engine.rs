//! Drives the engine for measurements: sequences that are computed pass by pass, timed or untimed.
//!
//! `speed` decides what is measured, and how often.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tabahead_engine::{Engine, EngineSettings, Model, Sequence, SequenceRequest, Step, TokenId};

/// Number of tokens that a branch decodes before it returns to the end of its prompt, so that it
/// stays near the measured depth.
pub const SPAN: usize = 32;
/// Number of tokens to leave free after a prompt for that: some are spent on getting past stops.
pub const ROOM: usize = 2 * SPAN;
/// Maximum number of stops to get past before a branch is taken as it is.
const STOPS: usize = 8;

/// An engine and text to run it on.
pub struct Bench {
    model: Arc<Model>,
    engine: Engine,
    /// Tokens of real code, from which prompts are taken.
    text: Vec<TokenId>,
    /// Number of tokens of `text` that were used to get past a stop, or to follow a cut.
    fillers: usize,
}

/// A sequence that lacks exactly one token whenever it is not in a pass: the last decoded one.
pub struct Branch {
    prompt: Vec<TokenId>,
    /// The prompt and the decoded tokens.
    tokens: Vec<TokenId>,
    sequence: Sequence,
}

impl Bench {
    /// # Errors
    /// When the model encodes the text to no token.
    pub fn new(model: &Arc<Model>, settings: &EngineSettings, text: &str) -> Result<Self> {
        let text = model.encode(text);
        if text.is_empty() {
            bail!("the model reads no text; is it a code model?");
        }
        Ok(Self {
            model: Arc::clone(model),
            engine: Engine::new(Arc::clone(model), settings.clone()),
            text,
            fillers: 0,
        })
    }

    /// Returns a prompt of `tokens` tokens from the text at `place`; prompts from different places
    /// share no prefix.
    pub fn prompt(&self, place: usize, tokens: usize) -> Vec<TokenId> {
        let text = self.text.iter().cycle();
        text.skip(place).take(tokens).copied().collect()
    }

    /// Computes a prompt of which nothing is known, and returns the time.
    pub fn prefill(&mut self, prompt: Vec<TokenId>) -> Result<Duration> {
        let mut sequence = self.engine.start(request(prompt))?;
        let started = Instant::now();
        while let Step::Prefilled { .. } = self.engine.step(&mut sequence)? {}
        let elapsed = started.elapsed();
        self.engine.retire(sequence);
        Ok(elapsed)
    }

    /// Starts a sequence after a prompt, ready to be computed further.
    pub fn branch(&mut self, prompt: Vec<TokenId>) -> Result<Branch> {
        let mut branch = Branch {
            sequence: self.engine.start(request(prompt.clone()))?,
            tokens: prompt.clone(),
            prompt,
        };
        self.settle(&mut branch)?;
        Ok(branch)
    }

    /// Starts a sequence after a prompt and one more token.
    pub fn fork(&mut self, mut prompt: Vec<TokenId>) -> Result<Branch> {
        prompt.push(self.filler());
        self.branch(prompt)
    }

    /// Decodes one token of each branch in one pass, and returns the time.
    pub fn step(&mut self, branches: &mut [Branch]) -> Result<Duration> {
        for branch in branches.iter_mut() {
            if branch.tokens.len() > branch.prompt.len() + SPAN {
                self.renew(branch)?;
                self.settle(branch)?;
            }
        }
        let Self { model, engine, .. } = self;
        let started = Instant::now();
        let mut members: Vec<_> = branches
            .iter_mut()
            .map(|branch| (&mut branch.sequence, 1))
            .collect();
        let mut pass = engine.begin(&mut members);
        engine.processor().run(model, &mut pass, &|| false);
        let mut sequences: Vec<_> = branches
            .iter_mut()
            .map(|branch| Some(&mut branch.sequence))
            .collect();
        engine.finish(pass, &mut sequences);
        let mut chosen = Vec::with_capacity(branches.len());
        for branch in branches.iter_mut() {
            chosen.push(engine.choose(&mut branch.sequence)?);
        }
        let elapsed = started.elapsed();
        for (branch, step) in branches.iter_mut().zip(chosen) {
            match step {
                Step::Token(token) => branch.tokens.push(token.id),
                Step::Stop { .. }
                | Step::ContextFull
                | Step::Prefilled { .. }
                | Step::Undecided => {
                    self.renew(branch)?;
                    self.settle(branch)?;
                }
            }
        }
        Ok(elapsed)
    }

    /// Measures the time to cut what is known of a prompt back to `kept` tokens, to append a token
    /// that never followed there, and to choose the next one: from the request to the token.
    /// Returns `None` if that was never possible.
    pub fn cut_and_append(&mut self, known: &[TokenId], kept: usize) -> Result<Option<Duration>> {
        /// Maximum number of tries; an appended token may turn out to be known.
        const TRIES: usize = 64;

        for _ in 0..TRIES {
            let mut prompt = known[..kept].to_vec();
            prompt.push(self.filler());
            let Self { model, engine, .. } = self;
            let started = Instant::now();
            let mut sequence = engine.start(request(prompt))?;
            let missing = engine.missing(&mut sequence);
            if missing == 0 {
                continue;
            }
            let mut pass = engine.begin(&mut [(&mut sequence, missing)]);
            engine.processor().run(model, &mut pass, &|| false);
            engine.finish(pass, &mut [Some(&mut sequence)]);
            engine.choose(&mut sequence)?;
            let elapsed = started.elapsed();
            engine.retire(sequence);
            // More than one token is missing if the prompt was evicted; it is known again now.
            if missing == 1 {
                return Ok(Some(elapsed));
            }
        }
        Ok(None)
    }

    /// Ends branches; their keys and values stay known.
    pub fn retire(&mut self, branches: impl IntoIterator<Item = Branch>) {
        for branch in branches {
            self.engine.retire(branch.sequence);
        }
    }

    /// Decodes untimed until two tokens were decoded in a row: then the prompt is computed, and the
    /// block that is written next is not shared.
    fn settle(&mut self, branch: &mut Branch) -> Result<()> {
        let (mut decoded, mut stops) = (0, 0);
        while decoded < 2 {
            match self.engine.step(&mut branch.sequence)? {
                Step::Prefilled { .. } | Step::Undecided => {}
                Step::Token(token) => {
                    branch.tokens.push(token.id);
                    decoded += 1;
                }
                Step::Stop { .. } | Step::ContextFull => {
                    self.renew(branch)?;
                    (decoded, stops) = (0, stops + 1);
                    if stops == STOPS {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Restarts the branch with one more token at its current end, or at the end of its prompt if
    /// it is far from there, so that a stop ends nothing.
    fn renew(&mut self, branch: &mut Branch) -> Result<()> {
        if branch.tokens.len() > branch.prompt.len() + SPAN {
            branch.tokens.clone_from(&branch.prompt);
            branch.tokens.pop();
        }
        branch.tokens.push(self.filler());
        let sequence = self.engine.start(request(branch.tokens.clone()))?;
        let before = std::mem::replace(&mut branch.sequence, sequence);
        self.engine.retire(before);
        Ok(())
    }

    fn filler(&mut self) -> TokenId {
        self.fillers += 1;
        self.text[self.fillers % self.text.len()]
    }
}

fn request(prompt: Vec<TokenId>) -> SequenceRequest {
    SequenceRequest {
        prompt,
        mask_first_stop: true,
        ..SequenceRequest::default()
    }
}
