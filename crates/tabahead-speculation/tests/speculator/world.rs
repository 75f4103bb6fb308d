//! Users, documents, a simulated engine and a Speculator, driven by random inputs in random order.
//! Every law is checked at every effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    time::Duration,
};

use tabahead_context::{
    ContextKey, ContextSettings, ContextWindow, CutSettings, DocumentName, FimTemplate,
    GenerationEvent, GenerationFailure, GenerationId, GenerationRequest, Goal, Layout,
    ModelProfile, OpenFile, OpenFiles, PreTokenizer, Priority, Suggestion, WindowBudgets,
};
use tabahead_speculation::{
    Answer, ComputedAhead, DocumentId, Effect, Input, Origin, RequestId, SelectedCompletion,
    Speculator, SpeculatorSettings, Stats, SuggestionId, Timestamp,
};
use tabahead_testkit::Random;
use tabahead_text::{Document, Offset, Version};

use crate::engine::{Engine, Fault};

pub mod acts;

use acts::TEXTS;

/// Counts of what the runs met, so that a law that was never put to the test is noticed.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    pub inputs: u64,
    pub compared: u64,
    pub shown: u64,
    pub silent: u64,
    pub joins: u64,
    pub exact: u64,
    pub typed_through: u64,
    pub speculated: u64,
    pub misses: u64,
    pub superseded: u64,
    pub evictions: u64,
    pub cancels: u64,
    pub multi_byte_edits: u64,
    pub too_long: u64,
    pub continued: u64,
    pub popup_items: u64,
    pub broken: u64,
    pub alternatives: u64,
    /// Prompts read ahead to their end, and prompts that a waiting request took over.
    pub reads: u64,
    pub taken_over: u64,
    /// Keyed by the names in `acts::KINDS`.
    pub met: BTreeMap<&'static str, u64>,
}

/// An open document and what its user sees.
#[derive(Debug)]
struct Open {
    document: Document,
    cursor: Offset,
    name: DocumentName,
    shown: Option<(SuggestionId, Suggestion)>,
    latest: Option<RequestId>,
    /// Texts and cursors before the latest changes.
    earlier: Vec<(Document, Offset)>,
}

/// A request that is not answered yet.
#[derive(Debug, Clone)]
struct Asked {
    document: usize,
    snapshot: Document,
    cursor: Offset,
    selected: Option<SelectedCompletion>,
    alternatives: usize,
    name: DocumentName,
}

pub struct World {
    random: Random,
    pub settings: SpeculatorSettings,
    profile: ModelProfile,
    fault: Fault,
    /// One engine event in `breaks` is replaced by a failure of its generation.
    breaks: usize,
    speculator: Speculator,
    engine: Engine,
    open: Vec<Open>,
    asked: BTreeMap<RequestId, Asked>,
    requests: u64,
    seen: BTreeSet<GenerationId>,
    cancelled: BTreeSet<GenerationId>,
    /// Generations that read a prompt ahead now.
    reading: BTreeSet<GenerationId>,
    now: Duration,
    pub counts: Counts,
}

pub type Checked = Result<(), String>;

fn fresh_answer(
    settings: &SpeculatorSettings,
    profile: &ModelProfile,
    fault: Fault,
    asked: &Asked,
) -> Answer {
    let settings = SpeculatorSettings {
        ahead: ComputedAhead::Nothing,
        ..settings.clone()
    };
    let mut speculator = Speculator::new(settings, profile.clone());
    let mut engine = Engine::new(profile, fault);
    let now = Timestamp::default();
    speculator.handle_input(
        now,
        Input::CompletionRequested {
            request: RequestId(1),
            document: DocumentId(1),
            snapshot: asked.snapshot.clone(),
            cursor: asked.cursor,
            name: asked.name.clone(),
            selected: asked.selected.clone(),
            alternatives: asked.alternatives,
        },
    );
    loop {
        while let Some(effect) = speculator.poll_effect() {
            match effect {
                Effect::Respond { answer, .. } => return answer,
                Effect::StartGeneration(request) => engine.start(request),
                Effect::CancelGeneration(id) => engine.cancel(id),
                Effect::PrioritizeGeneration(..) => {}
            }
        }
        let id = *engine.running().first().expect("a fresh process answers");
        let event = engine.step(id);
        speculator.handle_input(now, Input::Generation(event));
    }
}

/// Returns an answer without what may differ: ids and origin.
fn essence(answer: &Answer) -> Result<Vec<&Suggestion>, &str> {
    match answer {
        Answer::Suggestion {
            suggestion,
            alternatives,
            ..
        } => {
            let others = alternatives.iter().map(|other| &other.suggestion);
            Ok(std::iter::once(suggestion).chain(others).collect())
        }
        Answer::Silent { reason, .. } => Err(reason.as_str()),
        Answer::Superseded => Err("superseded"),
        Answer::Failed(_) => Err("failed"),
    }
}

impl World {
    pub fn new(seed: u64, fault: Fault) -> Self {
        let mut random = Random::new(seed);
        let settings = SpeculatorSettings {
            context: ContextSettings {
                prefix_budget: Some(*random.pick(&[60, 160, 400])),
                suffix_budget: Some(*random.pick(&[30, 60])),
                longest_line: 60,
                anchor_lines: 2,
                copy_budget: *random.pick(&[0, 50, 2_000]),
            },
            cut: CutSettings {
                max_tokens: 6 + random.below(12),
                least_log_prob: *random.pick(&[None, None, Some(-2.5)]),
                least_log_prob_at_end: *random.pick(&[f32::NEG_INFINITY, -2.5, f32::INFINITY]),
            },
            ahead: match (random.one_in(8), random.below(4)) {
                (true, _) => ComputedAhead::Nothing,
                (false, accepts) => ComputedAhead::Accepts(accepts),
            },
            cache_bytes: *random.pick(&[0, 3_000, 10_000, 10_000_000, 10_000_000]),
            in_flight: NonZeroUsize::MIN.saturating_add(random.below(3)),
        };
        let profile = ModelProfile {
            id: "simulated".to_string(),
            template: FimTemplate {
                layout: *random.pick(&Layout::ALL),
                file_name: random.one_in(2),
            },
            pre_tokenizer: PreTokenizer::Qwen2,
            context_tokens: *random.pick(&[60, 120, 5_000, 5_000, 5_000]),
            window: WindowBudgets::default(),
            least_log_prob: None,
        };
        let open = (0..1 + random.below(2))
            .map(|number| Open {
                document: Document::new(TEXTS[random.below(TEXTS.len())], Version(0)),
                cursor: Offset(0),
                name: DocumentName::new(
                    format!("{}.rs", random.below(2) + number),
                    // Most random text closes brackets that are not open, which only a shell shows.
                    *random.pick(&["rust", "shellscript", "shellscript", "shellscript"]),
                ),
                shown: None,
                latest: None,
                earlier: Vec::new(),
            })
            .collect();
        Self {
            breaks: if random.one_in(6) { 150 } else { usize::MAX },
            speculator: Speculator::new(settings.clone(), profile.clone()),
            engine: Engine::new(&profile, fault),
            random,
            settings,
            profile,
            fault,
            open,
            asked: BTreeMap::new(),
            requests: 0,
            seen: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            reading: BTreeSet::new(),
            now: Duration::ZERO,
            counts: Counts::default(),
        }
    }

    /// Gives `inputs` random inputs, then drains the engine and closes everything.
    pub fn run(&mut self, inputs: usize) -> Checked {
        for document in 0..self.open.len() {
            self.jump(document);
            self.changed(document)?;
        }
        for _ in 0..inputs {
            self.random_input()?;
        }
        self.wait()?;
        for document in 0..self.open.len() {
            let document = DocumentId(document as u64);
            self.input(Input::DocumentClosed { document })?;
        }
        self.check_quiet()
    }

    /// Lets the engine work until nothing runs.
    fn wait(&mut self) -> Checked {
        let mut steps = 0;
        while !self.engine.running().is_empty() {
            self.engine_step()?;
            steps += 1;
            if steps > 20_000 {
                return Err("the engine does not finish".to_string());
            }
        }
        if self.asked.is_empty() {
            Ok(())
        } else {
            Err(format!("nothing runs and {:?} wait", self.asked.keys()))
        }
    }

    fn engine_step(&mut self) -> Checked {
        let running = self.engine.running();
        if running.is_empty() {
            return Ok(());
        }
        let id = running[self.random.below(running.len())];
        if self.breaks != usize::MAX && self.random.one_in(self.breaks) {
            self.engine.cancel(id);
            self.counts.broken += 1;
            let failure = GenerationFailure::Broken("out of luck".to_string());
            return self.input(Input::Generation(GenerationEvent::Failed { id, failure }));
        }
        let event = self.engine.step(id);
        if let GenerationEvent::Failed { .. } = event {
            self.counts.too_long += 1;
        }
        self.counts.reads += u64::from(matches!(event, GenerationEvent::Read { .. }));
        self.input(Input::Generation(event))
    }

    /// Returns what decides an answer in a document besides its text, as the session passes it. In
    /// some worlds other files are not copied from; where they are, a change of one file makes what
    /// is known of the other useless.
    fn name(&self, document: usize) -> DocumentName {
        let others = self.open.iter().enumerate();
        let copied: Vec<_> = others
            .filter(|(number, _)| *number != document && self.settings.context.copy_budget > 50)
            .map(|(_, open)| OpenFile::new(&open.document))
            .collect();
        DocumentName {
            open_files: OpenFiles::new(&copied),
            ..self.open[document].name.clone()
        }
    }

    /// Checks a law: the key after edits is the key of the text.
    fn check_key(&self, document: usize) -> Checked {
        let (open, name) = (&self.open[document], self.name(document));
        let key = |document: &Document| {
            let layout = self.profile.template.layout;
            let context = &self.settings.context;
            ContextWindow::new(document, open.cursor, &name, layout, context, 0)
                .map(|window| ContextKey::of_window(&self.profile, context, &window))
        };
        let scratch = Document::new(&open.document.text(), Version(0));
        if key(&open.document) == key(&scratch) {
            Ok(())
        } else {
            Err(format!("another key from scratch for {:?}", scratch.text()))
        }
    }

    /// Handles a due timeout now, or leaves it for later.
    fn time_passes(&mut self) -> Checked {
        let due = self.speculator.poll_timeout();
        if due.is_some_and(|due| due.0 <= self.now) && !self.random.one_in(4) {
            self.speculator.handle_timeout(Timestamp(self.now));
            if self.speculator.poll_timeout() == due {
                return Err(format!("{due:?} is not over when it is past"));
            }
        }
        self.take_effects()
    }

    fn input(&mut self, input: Input) -> Checked {
        self.counts.inputs += 1;
        self.speculator.handle_input(Timestamp(self.now), input);
        self.take_effects()
    }

    fn take_effects(&mut self) -> Checked {
        while let Some(effect) = self.speculator.poll_effect() {
            self.check_effect(effect)?;
        }
        let running = self.engine.running().len();
        if running > self.settings.in_flight.get() {
            return Err(format!("{running} generations run"));
        }
        let stats = self.speculator.stats();
        if stats.cache_bytes > self.settings.cache_bytes as u64 {
            return Err(format!("the cache holds {} bytes", stats.cache_bytes));
        }
        Ok(())
    }

    fn check_effect(&mut self, effect: Effect) -> Checked {
        match effect {
            Effect::Respond { request, answer } => {
                let Some(asked) = self.asked.remove(&request) else {
                    return Err(format!("{request:?} was answered twice or never asked"));
                };
                self.check_answer(request, asked, answer)
            }
            Effect::StartGeneration(request) => {
                let id = request.id;
                if !self.seen.insert(id) {
                    return Err(format!("{id:?} was started twice"));
                }
                self.counts.continued += u64::from(!request.continued.is_empty());
                let checked = match request.goal {
                    Goal::Read => self.check_read(&request),
                    Goal::Decode => Ok(()),
                };
                self.engine.start(request);
                checked
            }
            Effect::PrioritizeGeneration(id, priority) => {
                if self.cancelled.contains(&id) || !self.seen.contains(&id) {
                    return Err(format!("{id:?} does not run and was prioritized"));
                }
                let taken_over = self.reading.contains(&id) && priority == Priority::Foreground;
                self.counts.taken_over += u64::from(taken_over);
                Ok(())
            }
            Effect::CancelGeneration(id) => {
                if !self.cancelled.insert(id) || !self.seen.contains(&id) {
                    return Err(format!("{id:?} does not run and was cancelled"));
                }
                self.counts.cancels += 1;
                self.reading.remove(&id);
                // An event that was under way when the cancel was requested may still be reported.
                let late = self.engine.running().contains(&id) && self.random.one_in(3);
                let event = late.then(|| self.engine.step(id));
                self.engine.cancel(id);
                match event {
                    Some(event) => {
                        self.speculator
                            .handle_input(Timestamp(self.now), Input::Generation(event));
                        Ok(())
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// Checks a law: a prompt is read ahead at low priority, while nothing else runs, and nothing
    /// is to be decoded.
    fn check_read(&mut self, request: &GenerationRequest) -> Checked {
        let decodes = !request.continued.is_empty() || request.copy_source.is_some();
        let running = self.engine.running();
        let is_off = self.settings.ahead == ComputedAhead::Nothing;
        if is_off || request.priority != Priority::Speculative || decodes {
            return Err(format!("this is no reading ahead: {request:?}"));
        }
        if !running.is_empty() {
            return Err(format!("{:?} reads ahead beside {running:?}", request.id));
        }
        self.reading.insert(request.id);
        Ok(())
    }

    fn check_answer(&mut self, request: RequestId, asked: Asked, answer: Answer) -> Checked {
        let open = &mut self.open[asked.document];
        let origin = match &answer {
            Answer::Superseded => {
                self.counts.superseded += 1;
                return Ok(());
            }
            Answer::Failed(line) if line == "out of luck" => return Ok(()),
            Answer::Failed(line) => return Err(format!("{request:?} failed: {line}")),
            Answer::Suggestion {
                id,
                suggestion,
                origin,
                alternatives,
            } => {
                self.counts.shown += 1;
                self.counts.alternatives += alternatives.len() as u64;
                // A user who asked for several suggestions looks at one of them.
                let other = match alternatives.len() {
                    0 => None,
                    others => alternatives.get(self.random.below(others + 1)),
                };
                open.shown = Some(match other {
                    Some(other) => (other.id, other.suggestion.clone()),
                    None => (*id, suggestion.clone()),
                });
                Some(*origin)
            }
            Answer::Silent { origin, .. } => {
                self.counts.silent += 1;
                *origin
            }
        };
        match origin {
            Some(Origin::Miss) => self.counts.misses += 1,
            Some(Origin::Joined) => self.counts.joins += 1,
            Some(Origin::Exact) => self.counts.exact += 1,
            Some(Origin::TypedThrough) => self.counts.typed_through += 1,
            Some(Origin::Speculated) => self.counts.speculated += 1,
            None => {}
        }
        if open.latest != Some(request) || !open.document.has_same_text(&asked.snapshot) {
            return Err(format!("{request:?} was answered for an old version"));
        }
        self.counts.compared += 1;
        let fresh = fresh_answer(&self.settings, &self.profile, self.fault, &asked);
        if essence(&answer) == essence(&fresh) {
            return Ok(());
        }
        let mut text = asked.snapshot.text();
        text.insert_str(asked.cursor.0, "$0");
        Err(format!(
            "not the fresh answer to {request:?} at {text:?}\n given: {answer:?}\n fresh: {fresh:?}\n selected: {:?}",
            asked.selected
        ))
    }

    /// Checks, after everything was closed, that nothing runs or waits, and that every counter
    /// agrees with what was seen.
    fn check_quiet(&mut self) -> Checked {
        if !self.engine.running().is_empty() || !self.asked.is_empty() {
            return Err("something runs or waits after everything was closed".to_string());
        }
        let stats: &Stats = self.speculator.stats();
        let hits = [
            (stats.misses, self.counts.misses),
            (stats.hits_joined, self.counts.joins),
            (stats.hits_exact, self.counts.exact),
            (stats.hits_typed_through, self.counts.typed_through),
            (stats.hits_speculated, self.counts.speculated),
            (stats.superseded, self.counts.superseded),
            (stats.requests, self.requests),
        ];
        let answered = hits[..6].iter().map(|(counted, _)| counted).sum::<u64>();
        if hits.iter().any(|(counted, seen)| counted != seen)
            || answered + stats.silent + stats.failed != stats.requests
            || stats.speculations_started
                != stats.speculations_finished
                    + stats.speculations_cancelled
                    + stats.speculations_failed
            || stats.reads_started
                != stats.reads_finished + stats.reads_cancelled + stats.reads_failed
            || stats.speculations_used > stats.speculations_started
            || (self.settings.ahead == ComputedAhead::Nothing
                && stats.speculations_started + stats.reads_started > 0)
        {
            return Err(format!(
                "the counters do not add up: {stats:?} {:?}",
                self.counts
            ));
        }
        self.counts.evictions += stats.cache_evicted;
        Ok(())
    }
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.inputs, other.inputs),
            (&mut self.compared, other.compared),
            (&mut self.shown, other.shown),
            (&mut self.silent, other.silent),
            (&mut self.joins, other.joins),
            (&mut self.exact, other.exact),
            (&mut self.typed_through, other.typed_through),
            (&mut self.speculated, other.speculated),
            (&mut self.misses, other.misses),
            (&mut self.superseded, other.superseded),
            (&mut self.evictions, other.evictions),
            (&mut self.cancels, other.cancels),
            (&mut self.multi_byte_edits, other.multi_byte_edits),
            (&mut self.too_long, other.too_long),
            (&mut self.continued, other.continued),
            (&mut self.popup_items, other.popup_items),
            (&mut self.broken, other.broken),
            (&mut self.alternatives, other.alternatives),
            (&mut self.reads, other.reads),
            (&mut self.taken_over, other.taken_over),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
        for (kind, more) in &other.met {
            *self.met.entry(kind).or_default() += more;
        }
    }
}
