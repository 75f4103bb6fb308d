//! Measures how long the user waits for a first token while the same backend computes ahead, as the
//! server runs it.
//!
//! Speculation reads long and short prompts and decodes after them without a pause. At random
//! moments the user requests what is known already, or what lacks one token of being known. The
//! baseline is the same requests with nothing else running.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use tabahead_backend::{Backend, BackendEvent, LocalBackend, LocalSettings};
use tabahead_context::{
    DocumentName, GenerationEvent, GenerationFailure, GenerationId, GenerationPlan,
    GenerationRequest, Priority, Question, QuestionSettings, Segment, State, View,
};
use tabahead_speculation::SpeculatorSettings;
use tabahead_text::{Document, Offset, Version};

use super::{Plan, TEXT, contention::without_core};

/// Number of measurements, one of each kind.
pub const MEASUREMENTS: usize = 4;
/// Maximum pause between two requests of the user.
const PAUSE: Duration = Duration::from_millis(80);
/// Line of the text at which the user writes.
const LINE: usize = 300;

/// Times from a request to its first token.
pub struct Wait {
    /// Everything that the first token depends on was known.
    pub known: Waits,
    /// One token had to be computed first.
    pub one_step: Waits,
}

/// The same requests with nothing else running, and during speculation.
pub struct Waits {
    pub idle: WaitSamples,
    pub busy: WaitSamples,
}

/// The time that each request took.
#[derive(Default)]
pub struct WaitSamples {
    pub waits: Vec<Duration>,
    /// Time that the threads which the request needs were without a core, summed over them; empty
    /// if the system does not report it.
    pub without_core: Vec<Duration>,
}

impl Wait {
    /// Runs the measurements; returns `None` when nothing fits the model's context.
    ///
    /// # Errors
    /// When the model cannot be used.
    pub fn new(
        local: LocalSettings,
        settings: SpeculatorSettings,
        plan: &Plan,
        bar: &ProgressBar,
    ) -> Result<Option<Self>> {
        let Some(mut bench) = WaitBench::new(local, settings)? else {
            return Ok(None);
        };
        let mut digits = Digits::default();
        let known_idle = bench.idle(plan, String::new)?;
        bar.inc(1);
        let one_step_idle = bench.idle(plan, || digits.next())?;
        bar.inc(1);
        bench.speculate();
        let known_busy = bench.busy(plan, String::new)?;
        bar.inc(1);
        let one_step_busy = bench.busy(plan, || digits.next())?;
        bar.inc(1);
        Ok(Some(Self {
            known: Waits {
                idle: known_idle,
                busy: known_busy,
            },
            one_step: Waits {
                idle: one_step_idle,
                busy: one_step_busy,
            },
        }))
    }
}

/// A document in which the user writes while speculation runs.
struct WaitBench {
    backend: LocalBackend,
    events: Receiver<BackendEvent>,
    settings: QuestionSettings,
    /// Number of speculative generations that run at a time.
    in_flight: usize,
    /// The user's place.
    state: State,
    /// View of the user's requests, up to the digits.
    view: View,
    generations: u64,
    speculations: u64,
    ahead: Vec<BackgroundGeneration>,
    random: XorShift,
}

/// A running speculative generation.
struct BackgroundGeneration {
    id: GenerationId,
    tokens: usize,
}

impl WaitBench {
    /// Loads the model and reads the user's text, so that it is known up to its last token. Returns
    /// `None` when nothing fits the model's context.
    fn new(local: LocalSettings, settings: SpeculatorSettings) -> Result<Option<Self>> {
        const NO_PLACE: &str = "the text cannot be completed at its middle";

        let (sender, events) = channel();
        let sink = Box::new(move |event| drop(sender.send(event)));
        let backend = LocalBackend::new(local, sink);
        let profile = backend.wait_until_loaded()?;
        let in_flight = settings.in_flight.get();
        let mut settings = QuestionSettings::new(&settings.context, &settings.cut, &profile);
        // The time of a pass is measured, not what copying adds to it.
        settings.context.copy_budget = 0;
        let state = state_at(&Document::new(TEXT, Version(0)), LINE);
        let mut bench = Self {
            view: View::new(&state, &settings).ok().context(NO_PLACE)?,
            backend,
            events,
            settings,
            in_flight,
            state,
            generations: 0,
            speculations: 0,
            ahead: Vec::new(),
            random: XorShift(0x7461_6261_6865_6164),
        };
        loop {
            let whole = bench.view.clone();
            bench.view.window.tail.push_str("limit(");
            // Longer requests must fit as well.
            if bench.first_token("9999")?.is_some() && bench.first_token("")?.is_some() {
                return Ok(Some(bench));
            }
            match whole.shrunk(&bench.state, &bench.settings) {
                Ok(shorter) => bench.view = shorter,
                Err(_) => return Ok(None),
            }
        }
    }

    /// Measures the user's requests with nothing else running.
    fn idle(&mut self, plan: &Plan, mut next: impl FnMut() -> String) -> Result<WaitSamples> {
        let mut samples = WaitSamples::default();
        let started = Instant::now();
        while samples.waits.len() < plan.waits && started.elapsed() < plan.waiting / 2 {
            while self.backend.counters().generations > 0 {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(1 + self.random.below(3)));
            self.request(&next(), &mut samples)?;
        }
        Ok(samples)
    }

    /// Measures the user's requests at random moments of speculation.
    fn busy(&mut self, plan: &Plan, mut next: impl FnMut() -> String) -> Result<WaitSamples> {
        let mut samples = WaitSamples::default();
        let started = Instant::now();
        while samples.waits.len() < plan.waits && started.elapsed() < plan.waiting {
            let pause = Duration::from_micros(self.random.below(PAUSE.as_micros() as u64));
            self.look_on(Instant::now() + pause)?;
            self.request(&next(), &mut samples)?;
        }
        Ok(samples)
    }

    /// Measures the time from a request to its first token.
    fn request(&mut self, digits: &str, samples: &mut WaitSamples) -> Result<()> {
        let before = without_core();
        let waited = self.first_token(digits)?;
        let after = without_core();
        let waited = waited.context("a prompt that fitted is too long")?;
        samples.waits.push(waited);
        if let Some((before, after)) = before.zip(after) {
            samples.without_core.push(after.saturating_sub(before));
        }
        Ok(())
    }

    /// Returns the time from a request to its first token; `None` when the prompt is too long.
    fn first_token(&mut self, digits: &str) -> Result<Option<Duration>> {
        let mut view = self.view.clone();
        view.window.tail.push_str(digits);
        let mut request = self.generation(view, Priority::Foreground);
        // Make the whole tail part of the prompt: one more digit is one more token, and nothing is
        // healed.
        let forced = std::mem::take(&mut request.prompt.forced);
        if let Some(Segment::Text(known)) = request.prompt.segments.last_mut() {
            known.push_str(&forced);
        }
        let id = request.id;
        let started = Instant::now();
        self.backend.start(request);
        loop {
            match self.events.recv().context("the engine's thread ended")? {
                BackendEvent::Generation(GenerationEvent::Token { id: of, .. }) if of == id => {
                    break;
                }
                BackendEvent::Generation(GenerationEvent::Failed {
                    id: of,
                    failure: GenerationFailure::TooLong,
                }) if of == id => return Ok(None),
                BackendEvent::Generation(
                    event @ (GenerationEvent::Read { id: of }
                    | GenerationEvent::Ended { id: of, .. }
                    | GenerationEvent::Failed { id: of, .. }),
                ) if of == id => bail!("the model gives no token: {event:?}"),
                event => self.note(&event),
            }
        }
        let waited = started.elapsed();
        self.backend.cancel(id);
        Ok(Some(waited))
    }

    /// Keeps speculation going until `until`.
    fn look_on(&mut self, until: Instant) -> Result<()> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => self.note(&event),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => bail!("the engine's thread ended"),
            }
        }
    }

    /// Starts as many speculative generations as the server would.
    fn speculate(&mut self) {
        for _ in 0..self.in_flight {
            self.start_ahead();
        }
    }

    /// Replaces a speculative generation with another one when it is complete.
    fn note(&mut self, event: &BackendEvent) {
        let BackendEvent::Generation(event) = event else {
            return;
        };
        let (id, over) = match event {
            GenerationEvent::Token { id, .. } => (*id, false),
            GenerationEvent::Read { id }
            | GenerationEvent::Ended { id, .. }
            | GenerationEvent::Failed { id, .. } => (*id, true),
            GenerationEvent::Started { .. } | GenerationEvent::Characters { .. } => return,
        };
        let Some(index) = self.ahead.iter().position(|ahead| ahead.id == id) else {
            return;
        };
        let ahead = &mut self.ahead[index];
        ahead.tokens += 1;
        if over || ahead.tokens >= self.settings.cut.max_tokens {
            if !over {
                self.backend.cancel(id);
            }
            self.ahead.swap_remove(index);
            self.start_ahead();
        }
    }

    /// Starts a speculative generation somewhere in the text. No two prompts share a prefix; long
    /// and short ones alternate.
    fn start_ahead(&mut self) {
        self.speculations += 1;
        let lines = self.state.document.line_count() as u64;
        let line = self.random.below(lines) as usize;
        let Some(mut view) = self.view_at(line) else {
            return;
        };
        let mark = format!("// {}\n", self.speculations);
        view.window.suffix.insert_str(0, &mark);
        view.window.before_anchor.insert_str(0, &mark);
        let request = self.generation(view, Priority::Speculative);
        self.ahead.push(BackgroundGeneration {
            id: request.id,
            tokens: 0,
        });
        self.backend.start(request);
    }

    /// Returns the view in the middle of a line, every second time with the smallest budgets; `None`
    /// where nothing would be suggested.
    fn view_at(&self, line: usize) -> Option<View> {
        let state = state_at(&self.state.document, line);
        let mut view = View::new(&state, &self.settings).ok()?;
        while !self.speculations.is_multiple_of(2)
            && let Ok(shorter) = view.shrunk(&state, &self.settings)
        {
            view = shorter;
        }
        Some(view)
    }

    fn generation(&mut self, view: View, priority: Priority) -> GenerationRequest {
        let plan = GenerationPlan::decode(GenerationId(self.generations), priority);
        self.generations += 1;
        let question = Question::new(view, &self.settings.profile);
        question.request(plan, &self.state.document, &self.settings)
    }
}

/// Returns the state with the cursor in the middle of a line.
fn state_at(document: &Document, line: usize) -> State {
    let line = document.line_range(line);
    State {
        document: document.clone(),
        cursor: Offset((line.start.0 + line.end.0) / 2),
        name: DocumentName::new("bench.rs", "rust"),
    }
}

/// Numbers, the shortest first, so that each is one digit longer than an earlier one. A digit is
/// always a token.
#[derive(Debug, Default)]
struct Digits {
    next: usize,
    length: u32,
}

impl Digits {
    fn next(&mut self) -> String {
        if self.length == 0 || self.next == 10_usize.pow(self.length) {
            (self.next, self.length) = (0, self.length + 1);
        }
        self.next += 1;
        format!("{:0width$}", self.next - 1, width = self.length as usize)
    }
}

/// Random numbers that are the same in every run: xorshift.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_number_is_one_digit_longer_than_an_earlier_one() {
        let mut digits = Digits::default();
        let mut seen = HashSet::from([String::new()]);
        for _ in 0..1500 {
            let number = digits.next();
            assert!(seen.contains(&number[..number.len() - 1]), "{number}");
            assert!(seen.insert(number.clone()), "{number} came twice");
        }
    }
}
