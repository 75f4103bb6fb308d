//! The Speculator: takes inputs, and decides what to answer and what to compute.
//!
//! Every input is handled in two steps: it changes what is known (a text, a request, a token), then
//! `reconcile` derives, from that alone, which requests can be answered and which generations
//! should run, and makes the running generations match. Read `reconcile` first.

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
    chain::{Chain, UserPlace},
    known_path::KnownPath,
    offer::Offer,
    state::{BufferState, View},
};

/// Number of windows remembered as too long for the model's context.
const TOO_LONG_REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// Maximum number of documents to look ahead in; those with the latest requests are kept. The user
/// is in one document, and returns to a few others.
const MOST_CHAINS: usize = 16;

/// Number of suggestions remembered by their ids, for reports of what became of them.
const SUGGESTIONS_REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// Settings of the Speculator, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeculatorSettings {
    /// Settings for what the model sees.
    pub context: ContextSettings,
    /// Settings for what is shown.
    pub cut: CutSettings,
    /// Whether to compute ahead at all. Changes no answer, only how long it takes.
    pub speculate: bool,
    /// Number of accepts to look ahead.
    pub depth: usize,
    /// Maximum size of the cached paths in bytes.
    pub cache_bytes: usize,
    /// Maximum number of concurrent generations; 0 means 1.
    pub in_flight: usize,
}

impl SpeculatorSettings {
    /// Returns the settings with the model's own values for what is not set.
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
    /// Documents that may have a request or a chain: the only ones that a decision looks at.
    attended: BTreeSet<DocumentId>,
    /// The document that each suggestion was offered in.
    offered: LruCache<SuggestionId, DocumentId>,
    running: BTreeMap<GenerationId, Running>,
    reading: Reading,
    cache: SuggestionCache,
    /// Windows that the backend refused as too long; smaller ones are tried instead.
    too_long: LruCache<ContextKey, ()>,
    effects: VecDeque<Effect>,
    stats: Stats,
    /// Time of the latest input.
    now: Timestamp,
    /// Numbers of the latest request, generation and suggestion.
    turn: u64,
    generation: u64,
    suggestion: u64,
}

/// Everything known about a document besides its cached paths.
#[derive(Debug, Default)]
struct OpenDocument {
    /// Text of the document, and the cursor as far as it is known.
    place: Option<UserPlace>,
    /// Request that waits for an answer.
    request: Option<Request>,
    /// Hypotheses about what comes next.
    chain: Option<Chain>,
    /// Suggestions that the editor has, in its order.
    offers: Vec<Offer>,
    /// Offer that the latest change completed: its accept may still be reported.
    completed: Option<Offer>,
    gone: Gone,
    /// Turn of the latest request.
    turn: u64,
    /// Generations that the request and the chain wait for.
    request_waits_for: Vec<GenerationId>,
    chain_waits_for: Option<GenerationId>,
}

/// The suggestions that a change removed. Their accept may still be reported: an editor whose menu
/// deletes the typed word and inserts the item may send the deletion before the insertion.
#[derive(Debug, Default)]
struct Gone {
    offers: Vec<Offer>,
    /// True if the change was counted as the user typing something else.
    has_diverged: bool,
}

/// A request without an answer yet.
#[derive(Debug)]
struct Request {
    id: RequestId,
    /// State that the request asks about, with the popup menu's item inserted if one is selected.
    state: BufferState,
    selected: Option<SelectedCompletion>,
    waited: bool,
    /// True if a generation was started for the request.
    started: bool,
    /// Number of other suggestions to add.
    alternatives: usize,
    /// Parts of the answer that are decided.
    decided: Decided,
}

/// The decided parts of an answer, kept while the rest is computed: a small cache may evict their
/// paths.
#[derive(Debug, Default)]
struct Decided {
    first: Option<First>,
    /// First character after the cursor in the first suggestion's path; no alternative may begin
    /// with it.
    next: Option<char>,
    /// The alternatives, once the characters that they begin with are known.
    others: Option<Vec<Other>>,
}

/// The first suggestion of an answer.
#[derive(Debug)]
struct First {
    shown: Result<Suggestion, &'static str>,
    /// Origin of the suggestion; `None` if the model need not be asked.
    origin: Option<Origin>,
}

/// Another suggestion of an answer.
#[derive(Debug)]
struct Other {
    state: BufferState,
    /// The result once it is decided: a suggestion, or nothing to show.
    shown: Option<Option<Suggestion>>,
}

/// A generation that the backend works on.
#[derive(Debug)]
struct Running {
    /// Path decoded so far; empty if the goal is to read.
    known: KnownPath,
    goal: Goal,
    priority: Priority,
    /// True if it runs for a hypothesis and is not yet counted as finished, cancelled or failed.
    speculation: bool,
    /// True if it was asked for the likeliest characters.
    tells_characters: bool,
}

/// The answer at a state, as far as it is known.
enum Knowledge {
    /// Decided by this path, or by none if the model need not be asked.
    Decided(Cut, Option<PathSource>),
    /// Silent without a path, with the reason.
    NotAsked(&'static str),
    /// A generation must run.
    Needs(Need),
}

/// The path that decided a state.
#[derive(Clone, Copy)]
enum PathSource {
    Running(GenerationId),
    Cached(ContextKey),
}

/// The generation that a state needs.
enum Need {
    /// This running generation.
    Keep(GenerationId),
    /// A new generation that begins at the state in this text, and reports this many of the
    /// likeliest characters there.
    Begin(Box<View>, Document, usize),
    /// A generation that continues a stored path in this text.
    Continue(Box<KnownPath>, Document),
    /// A generation that reads the prompt at the state, and decodes nothing.
    Read(Box<View>),
}

/// The purpose of a generation.
#[derive(Clone, Copy, PartialEq)]
enum For {
    /// A waiting request.
    Request(DocumentId),
    /// A state that the user may reach.
    Hypothesis(DocumentId),
    /// A request that was cancelled or superseded and may be made again: what already runs is kept.
    Return(DocumentId),
    /// Any request that may come at the place where the cursor rests.
    Reading,
}

impl Speculator {
    /// Creates a Speculator for one model.
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

    /// Handles an input. The caller reads the resulting effects with `poll_effect`.
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

    /// Changes the settings. Answers follow the new settings from now on.
    pub fn configure(&mut self, settings: SpeculatorSettings) {
        let settings = settings.for_model(&self.profile);
        self.cache.set_budget(settings.cache_bytes);
        // Which windows fit depends on the reserve, and the steps of a chain depend on the cut.
        self.too_long.clear();
        if self.settings.cut.max_tokens != settings.cut.max_tokens {
            // They were started with another reserve, and might not have been started with this
            // one.
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

    /// Handles the timeout that `poll_timeout` named.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = now;
        self.cursor_rests();
        self.reconcile();
    }

    /// Returns the next effect, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns when to call `handle_timeout`, if at all.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.rests_at()
    }

    /// Returns the counters since start.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Answers what can be answered and decides what to compute: first what requests wait for, the
    /// longest waiting first; then, document by document, the state that the user would reach by
    /// accepting what is shown (and accepting again, up to `depth` times). At most `in_flight`
    /// generations run, the first ones of that list; all others are cancelled. Only if that list is
    /// empty, the prompt where the cursor rests is read.
    ///
    /// Looks only at documents that have a waiting request or a chain, so that its cost does not
    /// depend on how many documents are open.
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

    /// Decides the chain's states one after the other, as far as paths are known, and returns what
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

    /// Returns what running and stored paths know about a state. If several paths answer, uses the
    /// one that is decoded furthest: they agree, and the longest one is least likely to need more.
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
        let mut best: Option<(PathSource, &KnownPath)> = None;
        let mut may_answer: Option<(GenerationId, &KnownPath)> = None;
        let running = self
            .running
            .iter()
            .map(|(&id, running)| (PathSource::Running(id), &running.known));
        let stored = self
            .cache
            .candidates(view)
            .map(|known| (PathSource::Cached(known.view.key), known));
        for (source, known) in running.chain(stored) {
            match (known.answers(view, &self.profile, reserve), source) {
                (Answering::Yes, _) if known.is_further_than(best.map(|(_, best)| best)) => {
                    best = Some((source, known));
                }
                (Answering::NotYet, PathSource::Running(id))
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
                (Cut::NeedMore, PathSource::Running(id)) => Knowledge::Needs(Need::Keep(id)),
                (Cut::NeedMore, PathSource::Cached(_)) => {
                    let mut known = known.clone();
                    // The texts are the same, but their positions may have changed.
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
        // By the backend's contract, a generation for exactly this state answers it. Without this
        // check, one that does not would be restarted for ever.
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

    /// Returns the documents that may have a request or a chain, ordered by their latest request,
    /// the oldest first.
    fn documents_by_turn(&mut self) -> Vec<DocumentId> {
        self.stats.looked_at += self.attended.len() as u64;
        let turn = |id: &DocumentId| self.documents.get(id).map(|open| (open.turn, *id));
        let mut documents: Vec<_> = self.attended.iter().filter_map(turn).collect();
        documents.sort_unstable();
        documents.into_iter().map(|(_, id)| id).collect()
    }

    /// Returns the entry of a document about which something becomes known, and adds the document
    /// to those that the next decision looks at.
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
