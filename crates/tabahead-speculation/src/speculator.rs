//! The Speculator: takes inputs, and decides what to answer and what to compute.
//!
//! Every input is handled in two steps: it changes what is known (a text, a request, a token),
//! then `reconcile` derives from what is known alone which requests can be answered and which
//! generations should run, and makes the running ones match. Read `reconcile` first.

mod answers;
mod changes;
mod generations;
mod reading;
mod requests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroUsize,
};

use lru::LruCache;
use tabahead_context::{
    Answering, ContextKey, ContextSettings, Cut, CutSettings, GenerationId, Goal, ModelProfile,
    PathEnd, Priority, Suggestion, cut,
};
use tabahead_text::Document;

use reading::Reading;
use requests::Asked;

use crate::{
    DocumentId, Effect, Input, Origin, RequestId, SelectedCompletion, Stats, SuggestionId,
    Timestamp,
    cache::SuggestionCache,
    chain::{Chain, Place},
    known_path::KnownPath,
    offer::Offer,
    state::{BufferState, View},
};

/// Windows remembered as too long for the model's context.
const TOO_LONG_REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// Documents of which it is looked ahead, those that were asked in last. The user is in one, and comes back to
/// a few.
const MOST_CHAINS: usize = 16;

/// Suggestions remembered by their ids, for reports of what became of them.
const SUGGESTIONS_REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// Settings, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeculatorSettings {
    /// What the model sees.
    pub context: ContextSettings,
    /// What is shown.
    pub cut: CutSettings,
    /// Whether to compute ahead at all. Changes no answer, only how long it takes.
    pub speculate: bool,
    /// How many accepts ahead.
    pub depth: usize,
    /// Bytes of paths kept.
    pub cache_bytes: usize,
    /// Generations running at once at most; at least one runs.
    pub in_flight: usize,
}

impl SpeculatorSettings {
    /// The same with what suits the model where nothing else is set.
    pub fn for_model(self, profile: &ModelProfile) -> Self {
        Self {
            context: self.context.for_model(profile),
            cut: self.cut.for_model(profile),
            ..self
        }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Speculator {
    settings: SpeculatorSettings,
    profile: ModelProfile,
    documents: BTreeMap<DocumentId, OpenDocument>,
    /// The documents that may have a request or a chain: all that a decision looks at.
    attended: BTreeSet<DocumentId>,
    /// Where suggestions were offered.
    offered: LruCache<SuggestionId, DocumentId>,
    running: BTreeMap<GenerationId, Running>,
    reading: Reading,
    cache: SuggestionCache,
    /// Windows that the backend refused; smaller ones are tried instead.
    too_long: LruCache<ContextKey, ()>,
    effects: VecDeque<Effect>,
    stats: Stats,
    /// The latest time that an input came with.
    now: Timestamp,
    /// Requests received, generations started, suggestions served: the latest number of each.
    turn: u64,
    generation: u64,
    suggestion: u64,
}

/// What is known of a document besides its cached paths.
#[derive(Debug, Default)]
struct OpenDocument {
    /// Its text, and where the user is in it as far as known.
    place: Option<Place>,
    /// The request that waits for an answer.
    request: Option<Request>,
    /// What may come next.
    chain: Option<Chain>,
    /// The suggestions that the editor has, the first one first.
    offers: Vec<Offer>,
    /// The one that the latest change completed: its accept may still be reported.
    completed: Option<Offer>,
    gone: Gone,
    /// When its latest request came, as a turn.
    turn: u64,
    /// The generations that request and chain wait for.
    request_waits_for: Vec<GenerationId>,
    chain_waits_for: Option<GenerationId>,
}

/// The suggestions that a change took away. Their accept may still be reported: an editor whose menu takes the typed
/// word away and puts the item there may send the one before the other.
#[derive(Debug, Default)]
struct Gone {
    offers: Vec<Offer>,
    /// It was counted that the user typed something else.
    has_diverged: bool,
}

/// A request without an answer yet.
#[derive(Debug)]
struct Request {
    id: RequestId,
    /// The state asked about; with the popup menu's item in it, if one is selected.
    state: BufferState,
    selected: Option<SelectedCompletion>,
    waited: bool,
    /// A generation was started for it.
    started: bool,
    /// How many other suggestions to add.
    alternatives: usize,
    /// What is decided of it.
    decided: Decided,
}

/// What is decided of a request, kept while the rest of it is computed: a small cache may forget it.
#[derive(Debug, Default)]
struct Decided {
    first: Option<First>,
    /// The character that the first suggestion's path begins with, and no other one.
    next: Option<char>,
    /// The states of the alternatives, once the characters that they begin with are known.
    others: Option<Vec<Other>>,
}

/// The first suggestion of an answer.
#[derive(Debug)]
struct First {
    shown: Result<Suggestion, &'static str>,
    /// Where it came from; `None` when the model need not be asked.
    origin: Option<Origin>,
}

/// Another suggestion of an answer.
#[derive(Debug)]
struct Other {
    state: BufferState,
    /// What it came to: nothing, or a suggestion.
    shown: Option<Option<Suggestion>>,
}

/// A generation that the backend works on.
#[derive(Debug)]
struct Running {
    /// What it has decoded: nothing, where its goal is to read.
    known: KnownPath,
    goal: Goal,
    priority: Priority,
    /// For a hypothesis, and not yet counted as finished, cancelled or failed.
    speculation: bool,
    /// It was asked for the likeliest characters.
    tells_characters: bool,
}

/// What is known of the answer at a state.
enum Knowledge {
    /// It is decided, by this path (by none if the model need not be asked).
    Decided(Cut, Option<Source>),
    /// Silent without a path, with the reason.
    NotAsked(&'static str),
    /// Something must run.
    Needs(Need),
}

/// The path that decided.
#[derive(Clone, Copy)]
enum Source {
    Running(GenerationId),
    Cached(ContextKey),
}

/// The generation that a state waits for.
enum Need {
    /// This one, which is running.
    Keep(GenerationId),
    /// One that begins at the state in this text, and tells so many of the likeliest characters there.
    Begin(Box<View>, Document, usize),
    /// One that decodes a stored path on, in this text.
    Continue(Box<KnownPath>, Document),
    /// One that reads the prompt at the state, and decodes nothing.
    Read(Box<View>),
}

/// For whom something should run.
#[derive(Clone, Copy, PartialEq)]
enum For {
    /// A request that waits.
    Request(DocumentId),
    /// A state that the user may reach.
    Hypothesis(DocumentId),
    /// A request that was cancelled or superseded and may be made again: what runs is kept.
    Return(DocumentId),
    /// Whatever is asked where the cursor rests.
    Reading,
}

impl Speculator {
    /// A Speculator for one model.
    pub fn new(settings: SpeculatorSettings, profile: ModelProfile) -> Self {
        let settings = settings.for_model(&profile);
        Self {
            cache: SuggestionCache::new(settings.cache_bytes),
            settings,
            profile,
            documents: BTreeMap::new(),
            attended: BTreeSet::new(),
            offered: LruCache::new(SUGGESTIONS_REMEMBERED),
            running: BTreeMap::new(),
            reading: Reading::default(),
            too_long: LruCache::new(TOO_LONG_REMEMBERED),
            effects: VecDeque::new(),
            stats: Stats::default(),
            now: Timestamp::default(),
            turn: 0,
            generation: 0,
            suggestion: 0,
        }
    }

    /// Takes an input; what follows from it is read with `poll_effect`.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        self.now = now;
        match input {
            Input::DocumentChanged { document, snapshot } => {
                self.document_changed(document, snapshot);
            }
            Input::DocumentClosed { document } => self.document_closed(document),
            Input::CompletionRequested {
                request,
                document,
                snapshot,
                cursor,
                name,
                selected,
                alternatives,
            } => {
                let asked = Asked {
                    id: request,
                    cursor,
                    name,
                    selected,
                    alternatives,
                };
                self.requested(document, snapshot, asked);
            }
            Input::RequestCancelled { request } => self.request_cancelled(request),
            Input::Generation(event) => self.generation_reported(event),
            Input::Accepted { suggestion } => self.accepted(suggestion),
            Input::Shown {
                document,
                snapshot,
                cursor,
                name,
                suggestion,
            } => self.shown(document, snapshot, cursor, name, &suggestion),
            Input::AcceptedPart { suggestion, length } => self.accepted_part(suggestion, length),
            Input::Displayed { suggestion } => self.displayed(suggestion),
            Input::Dismissed { document } => self.dismissed(document),
            Input::Focused {
                document,
                snapshot,
                cursor,
                name,
            } => self.focused(document, snapshot, cursor, name),
            Input::FocusLost => self.focus_lost(),
            Input::CursorMoved {
                document,
                snapshot,
                cursor,
                name,
            } => self.cursor_moved(document, snapshot, cursor, name),
        }
        self.reconcile();
    }

    /// Changes the settings. Answers follow the new ones from now on.
    pub fn configure(&mut self, settings: SpeculatorSettings) {
        let settings = settings.for_model(&self.profile);
        self.cache.set_budget(settings.cache_bytes);
        // What fits depends on the reserve, and a chain's steps on the cut.
        self.too_long.clear();
        if self.settings.cut.max_tokens != settings.cut.max_tokens {
            // They were begun with another reserve, and perhaps would not have been with this one.
            let running: Vec<_> = self.running.keys().copied().collect();
            running.into_iter().for_each(|id| self.stop(id));
        }
        self.settings = settings;
        self.read_anew();
        for open in self.documents.values_mut() {
            open.chain = None;
            if let Some(request) = &mut open.request {
                let state = &request.state;
                request.state = BufferState::new(
                    state.document.clone(),
                    state.cursor,
                    state.name.clone(),
                    &self.settings.context,
                    &self.profile,
                );
                request.decided = Decided::default();
            }
        }
        self.reconcile();
    }

    /// Takes the time that `poll_timeout` named.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = now;
        self.cursor_rests();
        self.reconcile();
    }

    /// The next effect, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When `handle_timeout` wants to be called, if at all.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.rests_at()
    }

    /// Counters since start.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Answers what can be answered and decides what to compute: first what people wait for, the
    /// longest waiting first; then, document by document, the state that the user would reach by
    /// accepting what is shown (and accepting again, up to `depth` times). At most `in_flight`
    /// generations run, the first ones of that list; whatever else runs is cancelled. Only when that
    /// list is empty, the prompt where the cursor rests is read.
    ///
    /// It looks only at documents in which something waits or is looked ahead of, so that its cost is the same
    /// however many are open.
    fn reconcile(&mut self) {
        let mut wanted: Vec<(For, Need)> = Vec::new();
        for document in self.documents_by_turn() {
            match self.look_up_request(document) {
                Some(needs) if !needs.is_empty() => {
                    wanted.extend(needs.into_iter().map(|need| (For::Request(document), need)));
                }
                Some(_) => self.respond(document),
                None => {}
            }
        }
        let mut chains = 0;
        for document in self.documents_by_turn().into_iter().rev() {
            let Some(open) = self.documents.get_mut(&document) else {
                continue;
            };
            if open.chain.is_none() {
                continue;
            }
            chains += 1;
            if chains > MOST_CHAINS {
                open.chain = None;
            } else {
                wanted.extend(self.advance_chain(document));
            }
        }
        if wanted.is_empty() {
            wanted.extend(self.read_ahead());
        }
        self.run_exactly(wanted);
        let documents = &self.documents;
        self.attended.retain(|document| {
            let open = documents.get(document);
            open.is_some_and(|open| open.request.is_some() || open.chain.is_some())
        });
        self.stats.running = self.running.len() as u64;
        self.stats.cache_paths = self.cache.len() as u64;
        self.stats.cache_bytes = self.cache.bytes() as u64;
        self.stats.cache_evicted = self.cache.evicted();
    }

    /// Decides the chain's states one after the other, as far as paths are known, and says what
    /// the first undecided one needs.
    fn advance_chain(&mut self, document: DocumentId) -> Option<(For, Need)> {
        let mut chain = self.documents.get_mut(&document)?.chain.take()?;
        let looks_ahead = chain.limit > 0 && self.settings.speculate;
        let mut wanted = None;
        while let Some(state) = chain.undecided() {
            match self.look_up(state) {
                Knowledge::Decided(Cut::Show(suggestion), source) => {
                    self.speculation_finished(source);
                    let next = state.accepted(&suggestion, &self.settings.context, &self.profile);
                    chain.states.push(next);
                }
                Knowledge::Decided(_, source) => {
                    self.speculation_finished(source);
                    chain.ended = true;
                }
                Knowledge::NotAsked(_) => chain.ended = true,
                Knowledge::Needs(needed) => {
                    wanted = match (looks_ahead, &needed) {
                        (true, _) => Some((For::Hypothesis(document), needed)),
                        (false, Need::Keep(_)) => Some((For::Return(document), needed)),
                        (false, Need::Begin(..) | Need::Continue(..) | Need::Read(..)) => None,
                    };
                    break;
                }
            }
        }
        if let Some(open) = self.documents.get_mut(&document) {
            open.chain = Some(chain);
        }
        wanted
    }

    /// What running and stored paths know of a state. Among several that answer, the one that is
    /// decoded furthest is asked: they agree, and it needs more least often.
    fn look_up(&mut self, state: &mut BufferState) -> Knowledge {
        self.stats.looked_at += 1;
        while let Ok(view) = &state.view
            && self.too_long.contains(&view.key)
        {
            if state.demanded > 0 {
                return Knowledge::NotAsked("too long for the model");
            }
            state.shrink(&self.settings.context, &self.profile);
        }
        let view = match &state.view {
            Ok(view) => view,
            Err(reason) => return Knowledge::NotAsked(reason),
        };
        let reserve = self.settings.cut.max_tokens;
        let mut best: Option<(Source, &KnownPath)> = None;
        let mut may_answer: Option<(GenerationId, &KnownPath)> = None;
        let running = self
            .running
            .iter()
            .map(|(&id, running)| (Source::Running(id), &running.known));
        let stored = self
            .cache
            .candidates(view)
            .map(|known| (Source::Cached(known.view.key), known));
        for (source, known) in running.chain(stored) {
            match (known.answers(view, &self.profile, reserve), source) {
                (Answering::Yes, _) if known.is_further_than(best.map(|(_, best)| best)) => {
                    best = Some((source, known));
                }
                (Answering::NotYet, Source::Running(id))
                    if known.is_further_than(may_answer.map(|(_, other)| other)) =>
                {
                    may_answer = Some((id, known));
                }
                _ => {}
            }
        }
        if let Some((source, known)) = best {
            let (window, settings) = (&view.window, &self.settings.cut);
            let cut = cut(
                &state.document,
                state.cursor,
                &state.name.language,
                &window.left_out,
                &known.path,
                window.tail.len() - state.demanded,
                settings,
            );
            return match (cut, source) {
                (Cut::NeedMore, _) if known.path.end() != PathEnd::Open => {
                    Knowledge::NotAsked("undecided")
                }
                (Cut::NeedMore, Source::Running(id)) => Knowledge::Needs(Need::Keep(id)),
                (Cut::NeedMore, Source::Cached(_)) => {
                    let mut known = known.clone();
                    // The same texts, but where they lie now.
                    known.view.window.elsewhere = window.elsewhere.clone();
                    known.view.window.name = window.name.clone();
                    Knowledge::Needs(Need::Continue(Box::new(known), state.document.clone()))
                }
                (decided, source) => Knowledge::Decided(decided, Some(source)),
            };
        }
        if let Some((id, _)) = may_answer {
            return Knowledge::Needs(Need::Keep(id));
        }
        // A generation of this very state answers it, by the backend's contract; without this
        // line one that does not would be started again for ever.
        if let Some((&id, own)) = self
            .running
            .iter()
            .find(|(_, r)| r.known.view.key == view.key)
        {
            return match own.known.path.end() {
                PathEnd::Open => Knowledge::Needs(Need::Keep(id)),
                _ => Knowledge::NotAsked("undecided"),
            };
        }
        Knowledge::Needs(Need::Begin(
            Box::new(view.clone()),
            state.document.clone(),
            0,
        ))
    }

    /// The documents that may have a request or a chain, the one whose request came first first.
    fn documents_by_turn(&mut self) -> Vec<DocumentId> {
        self.stats.looked_at += self.attended.len() as u64;
        let turn = |id: &DocumentId| self.documents.get(id).map(|open| (open.turn, *id));
        let mut documents: Vec<_> = self.attended.iter().filter_map(turn).collect();
        documents.sort_unstable();
        documents.into_iter().map(|(_, id)| id).collect()
    }

    /// A document of which something becomes known: the next decision looks at it.
    fn attended_document(&mut self, document: DocumentId) -> &mut OpenDocument {
        self.attended.insert(document);
        self.documents.entry(document).or_default()
    }
}

impl For {
    fn priority(self) -> Priority {
        match self {
            Self::Request(_) => Priority::Foreground,
            Self::Hypothesis(_) | Self::Return(_) | Self::Reading => Priority::Speculative,
        }
    }
}
