//! Users, documents, a simulated engine and a Speculator, driven by random inputs in random order,
//! with every law checked at every effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tabahead_context::{
    ContextKey, ContextSettings, ContextWindow, CutSettings, DocumentName, FimTemplate,
    GenerationEvent, GenerationFailure, GenerationId, Layout, ModelProfile, PreTokenizer,
    Suggestion,
};
use tabahead_speculation::{
    Answer, DocumentId, Effect, Input, Origin, RequestId, SelectedCompletion, Speculator,
    SpeculatorSettings, Stats, SuggestionId, Timestamp,
};
use tabahead_text::{Document, Edit, Offset, PositionEncoding, Range, Version};

use crate::engine::{Engine, Fault};

/// A seeded generator (splitmix64): the same seed gives the same run on every machine.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// What the runs met, so that a law that was never put to the test is noticed.
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
    pub accepts: u64,
    pub too_long: u64,
    pub continued: u64,
    pub popup_items: u64,
    pub broken: u64,
}

/// An open document and what its user sees.
#[derive(Debug)]
struct Open {
    document: Document,
    cursor: Offset,
    name: DocumentName,
    shown: Option<(SuggestionId, Suggestion)>,
    latest: Option<RequestId>,
}

/// A request that was made and not answered.
#[derive(Debug, Clone)]
struct Asked {
    document: usize,
    snapshot: Document,
    cursor: Offset,
    selected: Option<SelectedCompletion>,
}

pub struct World {
    random: Random,
    pub settings: SpeculatorSettings,
    profile: ModelProfile,
    fault: Fault,
    /// One event in so many is the end of a broken generation.
    breaks: usize,
    speculator: Speculator,
    engine: Engine,
    open: Vec<Open>,
    asked: BTreeMap<RequestId, Asked>,
    requests: u64,
    seen: BTreeSet<GenerationId>,
    cancelled: BTreeSet<GenerationId>,
    now: Duration,
    pub counts: Counts,
}

pub type Checked = Result<(), String>;

const TEXTS: &[&str] = &[
    "let foo = bar(a, b);\nfoo(bar);\nint abc = 10;\n\nfn foo(a) {\n    let bar = a;\n    ab\n}\n\nbar(foo);\n",
    "let é = '😀';\r\nfoo(é);\r\n  bar('s);\r\n\r\nlet foo = é;\r\n",
    "  foo\n  bar\n  foo\n  ba",
    "foo(bar(a), {\n    \n});\nlet x = [a, b];\nret foo;\nret bar;\nint x1 = 21;\nint x2 = 22;\n",
    "",
];
const TYPED: &[&str] = &[
    "f", "o", "a", "b", "(", " ", "  ", ";", "=", "1", "let ", "foo", "'", "\n", "}", "x",
];
const MULTI_BYTE: &[&str] = &["é", "😀", "e\u{301}", "日本", "👩‍💻", "ß", "\u{a0}"];

fn fresh_answer(
    settings: &SpeculatorSettings,
    profile: &ModelProfile,
    fault: Fault,
    asked: &Asked,
    name: &DocumentName,
) -> Answer {
    let settings = SpeculatorSettings {
        speculate: false,
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
            name: name.clone(),
            selected: asked.selected.clone(),
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

/// An answer without what may differ: its id and its origin.
fn essence(answer: &Answer) -> Result<&Suggestion, &str> {
    match answer {
        Answer::Suggestion { suggestion, .. } => Ok(suggestion),
        Answer::Silent { reason, .. } => Err(reason),
        Answer::Superseded => Err("superseded"),
        Answer::Failed(_) => Err("failed"),
    }
}

impl World {
    pub fn new(seed: u64, fault: Fault) -> Self {
        let mut random = Random(seed);
        let settings = SpeculatorSettings {
            context: ContextSettings {
                prefix_budget: *random.pick(&[&60, &160, &400]),
                suffix_budget: *random.pick(&[&30, &60]),
                longest_line: 60,
                anchor_lines: 2,
            },
            cut: CutSettings {
                max_tokens: 6 + random.below(12),
                least_log_prob: *random.pick(&[&f32::NEG_INFINITY, &f32::NEG_INFINITY, &-2.5]),
            },
            speculate: !random.one_in(8),
            depth: random.below(4),
            cache_bytes: *random.pick(&[&0, &3_000, &10_000, &10_000_000, &10_000_000]),
            in_flight: 1 + random.below(3),
        };
        let profile = ModelProfile {
            id: "simulated".to_string(),
            template: FimTemplate {
                layout: *random.pick(&Layout::ALL.each_ref()),
                file_name: random.one_in(2),
            },
            pre_tokenizer: PreTokenizer::Qwen2,
            context_tokens: *random.pick(&[&60, &120, &5_000, &5_000, &5_000]),
        };
        let open = (0..1 + random.below(2))
            .map(|number| Open {
                document: Document::new(random.pick(TEXTS), Version(0)),
                cursor: Offset(0),
                name: DocumentName {
                    file_name: format!("{}.rs", random.below(2) + number),
                    language: "rust".to_string(),
                },
                shown: None,
                latest: None,
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
            now: Duration::ZERO,
            counts: Counts::default(),
        }
    }

    /// So many random inputs, then everything is closed and drained.
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

    fn random_input(&mut self) -> Checked {
        self.now += Duration::from_millis(self.random.below(40) as u64);
        let document = self.random.below(self.open.len());
        // A document that grows for ever tests nothing new.
        if self.open[document].document.len() > 600 {
            self.reopen(document)?;
        }
        match self.random.below(100) {
            0..36 => {
                // Mostly a few tokens between two inputs, sometimes none.
                for _ in 0..self.random.below(12) {
                    self.engine_step()?;
                }
            }
            36..44 => self.wait()?,
            44..56 => {
                self.type_along(document)?;
                self.request(document)?;
            }
            56..64 => {
                self.accept(document)?;
                self.request(document)?;
            }
            64..72 => {
                let text = match self.random.below(3) {
                    0 => self.random.pick(MULTI_BYTE),
                    _ => self.random.pick(TYPED),
                };
                self.type_text(document, text)?;
                self.request(document)?;
            }
            72..76 => {
                self.backspace(document)?;
                self.request(document)?;
            }
            76..79 => {
                self.jump(document);
                self.request(document)?;
            }
            79..88 => self.request(document)?,
            88..91 => self.type_along(document)?,
            91..93 => self.edit_elsewhere(document)?,
            93..96 => self.cancel(document)?,
            96 => {
                self.open[document].shown = None;
                let document = DocumentId(document as u64);
                self.input(Input::Dismissed { document })?;
            }
            97 => self.reopen(document)?,
            _ => {
                // Two things in a row that one burst may hold.
                self.type_along(document)?;
                self.cancel(document)?;
                self.request(document)?;
            }
        }
        Ok(())
    }

    /// Lets the engine work until nothing runs.
    fn wait(&mut self) -> Checked {
        let mut steps = 0;
        while !self.engine.running().is_empty() {
            self.engine_step()?;
            steps += 1;
            if steps > 20_000 {
                return Err("the engine never comes to rest".to_string());
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
        self.input(Input::Generation(event))
    }

    fn type_along(&mut self, document: usize) -> Checked {
        let open = &self.open[document];
        let Some((_, suggestion)) = &open.shown else {
            let text = self.random.pick(TYPED);
            return self.type_text(document, text);
        };
        let chars = 1 + self.random.below(3);
        let mut typed: String = suggestion.text.chars().take(chars).collect();
        if typed.ends_with('\r') && suggestion.text[typed.len()..].starts_with('\n') {
            typed.push('\n');
        }
        self.type_text(document, &typed)
    }

    fn accept(&mut self, document: usize) -> Checked {
        let open = &mut self.open[document];
        let Some((id, suggestion)) = open.shown.take() else {
            return Ok(());
        };
        self.counts.accepts += 1;
        let by_word = suggestion
            .text
            .char_indices()
            .skip(1)
            .find(|(_, c)| !c.is_alphanumeric() && *c != '\n')
            .map_or(suggestion.text.len(), |(at, _)| at);
        let by_line = suggestion
            .text
            .find('\n')
            .map_or(suggestion.text.len(), |at| at + 1);
        let part = match self.random.below(4) {
            0 => by_word,
            1 => by_line,
            _ => suggestion.text.len(),
        };
        let reported_first = self.random.one_in(3);
        if part == suggestion.text.len() {
            if reported_first {
                self.input(Input::Accepted { suggestion: id })?;
            }
            let (after, cursor) = suggestion.apply(&self.open[document].document);
            self.replace(document, suggestion.range.clone(), &suggestion.text)?;
            if !self.open[document].document.has_same_text(&after) {
                return Err(format!(
                    "accepting {suggestion:?} gives {:?} and not {:?}",
                    self.open[document].document.text(),
                    after.text()
                ));
            }
            self.open[document].cursor = cursor;
            if !reported_first {
                self.input(Input::Accepted { suggestion: id })?;
            }
            if self.random.one_in(6) {
                self.type_text(document, "\n")?;
            }
            Ok(())
        } else {
            self.type_text(document, &suggestion.text[..part])
        }
    }

    fn type_text(&mut self, document: usize, text: &str) -> Checked {
        let open = &mut self.open[document];
        let line_end = open.document.line_end().as_str();
        let text = match text {
            "\n" => line_end.to_string() + self.random.pick(&["", "    "]),
            text => text.to_string(),
        };
        let at = open.cursor;
        let shown = open.shown.take();
        // Some editors close what is opened.
        let closer = match text.as_str() {
            "(" if self.random.one_in(2) => ")",
            "'" if self.random.one_in(2) => "'",
            _ => "",
        };
        self.replace(document, at..at, &(text.clone() + closer))?;
        let open = &mut self.open[document];
        open.cursor = Offset(at.0 + text.len());
        if let Some((id, suggestion)) = shown
            && closer.is_empty()
            && let Some(rest) = suggestion.text.strip_prefix(&text)
            && !rest.is_empty()
        {
            let end = Offset(suggestion.range.end.0 + text.len());
            let range = open.cursor..end;
            let text = rest.to_string();
            open.shown = Some((id, Suggestion { range, text }));
        }
        Ok(())
    }

    fn backspace(&mut self, document: usize) -> Checked {
        let open = &mut self.open[document];
        open.shown = None;
        let end = open.cursor;
        let position = open.document.position_of(end, PositionEncoding::Utf32);
        let start = if position.character > 0 {
            open.document.clamp(Offset(end.0 - 1))
        } else if position.line > 0 {
            open.document.line_range(position.line as usize - 1).end
        } else {
            return Ok(());
        };
        self.replace(document, start..end, "")?;
        self.open[document].cursor = start;
        Ok(())
    }

    fn edit_elsewhere(&mut self, document: usize) -> Checked {
        let open = &mut self.open[document];
        open.shown = None;
        let line = self.random.below(open.document.line_count());
        let at = open.document.line_range(line).start;
        let behind = at <= open.cursor;
        let text = format!("foo{}", open.document.line_end().as_str());
        self.replace(document, at..at, &text)?;
        if behind {
            self.open[document].cursor.0 += text.len();
        }
        Ok(())
    }

    fn jump(&mut self, document: usize) {
        let open = &mut self.open[document];
        open.shown = None;
        let line = open
            .document
            .line_range(self.random.below(open.document.line_count()));
        let within = self.random.below(line.end.0 - line.start.0 + 1);
        open.cursor = match self.random.below(3) {
            0 => open.document.clamp(Offset(line.start.0 + within)),
            _ => line.end,
        };
    }

    fn reopen(&mut self, document: usize) -> Checked {
        let id = DocumentId(document as u64);
        self.input(Input::DocumentClosed { document: id })?;
        let text = self.random.pick(TEXTS);
        let open = &mut self.open[document];
        open.document = Document::new(text, Version(0));
        self.jump(document);
        self.changed(document)
    }

    /// Edits as an editor does: by positions of an encoding.
    fn replace(&mut self, document: usize, range: std::ops::Range<Offset>, text: &str) -> Checked {
        let encoding = *self.random.pick(&[
            &PositionEncoding::Utf8,
            &PositionEncoding::Utf16,
            &PositionEncoding::Utf32,
        ]);
        let open = &mut self.open[document];
        if !text.is_ascii() || !open.document.slice(range.clone()).is_ascii() {
            self.counts.multi_byte_edits += 1;
        }
        let range = Range {
            start: open.document.position_of(range.start, encoding),
            end: open.document.position_of(range.end, encoding),
        };
        let version = Version(open.document.version().0 + 1);
        let edit = Edit {
            range: Some(range),
            text: text.to_string(),
        };
        open.document.apply(&[edit], encoding, version);
        self.changed(document)
    }

    fn changed(&mut self, document: usize) -> Checked {
        let snapshot = self.open[document].document.clone();
        let document = DocumentId(document as u64);
        self.input(Input::DocumentChanged { document, snapshot })
    }

    fn cancel(&mut self, document: usize) -> Checked {
        match self.open[document].latest {
            Some(request) => self.input(Input::RequestCancelled { request }),
            None => Ok(()),
        }
    }

    fn request(&mut self, document: usize) -> Checked {
        if self.random.one_in(8) {
            return Ok(());
        }
        let open = &mut self.open[document];
        open.cursor = open.document.clamp(open.cursor);
        open.shown = None;
        self.requests += 1;
        let request = RequestId(self.requests);
        open.latest = Some(request);
        let (snapshot, cursor) = (open.document.clone(), open.cursor);
        let selected = self.random.one_in(25).then(|| {
            self.counts.popup_items += 1;
            let back = self.random.below(3);
            let line = snapshot.line_range(snapshot.line_of(cursor)).start;
            SelectedCompletion {
                range: snapshot
                    .clamp(Offset(cursor.0.saturating_sub(back)))
                    .max(line)..cursor,
                text: self.random.pick(&["foo", "bar(", "é"]).to_string(),
            }
        });
        self.check_key(document)?;
        let asked = Asked {
            document,
            snapshot: snapshot.clone(),
            cursor,
            selected: selected.clone(),
        };
        self.asked.insert(request, asked);
        let name = self.open[document].name.clone();
        let document = DocumentId(document as u64);
        self.input(Input::CompletionRequested {
            request,
            document,
            snapshot,
            cursor,
            name,
            selected,
        })
    }

    /// Law: the key after edits is the key of the text.
    fn check_key(&self, document: usize) -> Checked {
        let open = &self.open[document];
        let key = |document: &Document| {
            let layout = self.profile.template.layout;
            let context = &self.settings.context;
            ContextWindow::new(document, open.cursor, &open.name, layout, context, 0)
                .map(|window| ContextKey::of_window(&self.profile, context, &window))
        };
        let scratch = Document::new(&open.document.text(), Version(0));
        if key(&open.document) == key(&scratch) {
            Ok(())
        } else {
            Err(format!("another key from scratch for {:?}", scratch.text()))
        }
    }

    fn input(&mut self, input: Input) -> Checked {
        self.counts.inputs += 1;
        self.speculator.handle_input(Timestamp(self.now), input);
        while let Some(effect) = self.speculator.poll_effect() {
            self.check_effect(effect)?;
        }
        let running = self.engine.running().len();
        if running > self.settings.in_flight {
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
                self.engine.start(request);
                Ok(())
            }
            Effect::PrioritizeGeneration(id, _) => {
                if self.cancelled.contains(&id) || !self.seen.contains(&id) {
                    return Err(format!("{id:?} does not run and was prioritized"));
                }
                Ok(())
            }
            Effect::CancelGeneration(id) => {
                if !self.cancelled.insert(id) || !self.seen.contains(&id) {
                    return Err(format!("{id:?} does not run and was cancelled"));
                }
                self.counts.cancels += 1;
                // What was under way when the cancel was asked for may still be reported.
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
            } => {
                self.counts.shown += 1;
                open.shown = Some((*id, suggestion.clone()));
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
        let name = open.name.clone();
        let fresh = fresh_answer(&self.settings, &self.profile, self.fault, &asked, &name);
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

    /// Everything is closed: nothing runs or waits, and every counter agrees with what was seen.
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
            || stats.speculations_used > stats.speculations_started
            || (!self.settings.speculate && stats.speculations_started > 0)
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
            (&mut self.accepts, other.accepts),
            (&mut self.too_long, other.too_long),
            (&mut self.continued, other.continued),
            (&mut self.popup_items, other.popup_items),
            (&mut self.broken, other.broken),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
    }
}
