//! The behaviour of GitHub Copilot's ghost text (microsoft/vscode-copilot-chat at commit 31acd00a,
//! MIT, `src/extension/completions-core/vscode-node/lib/src/ghostText`, read, not copied).
//!
//! - `completionsCache.ts`: 100 answers by the text before the cursor, least recently used dropped
//!   first. A hit needs the same text after the cursor, and an answer that begins with what was
//!   typed since.
//! - `current.ts`: a shown suggestion that is typed along is served without asking.
//! - `asyncCompletions.ts`: a running request is waited for, for at most 200 ms, while the text
//!   after the cursor is the same and what it has said so far agrees with what was typed; the
//!   newest request cancels those that cannot be used.
//! - `speculativeRequestCache.ts`: when a suggestion is shown (and was not only typed along), the
//!   state after its full accept is asked about, once; the answer goes into the same cache.
//!
//! Left out: the floor of 200 ms under every answer, which is in that commit but not in the
//! recording of March 2025, and next edits away from the cursor. Both would make it slower here.

use std::{collections::VecDeque, time::Duration};

use lru::LruCache;
use tabahead_context::{
    Asker, FreshQuestion, GenerationEvent, GenerationId, ModelProfile, Priority, Progress, Silence,
    State, Suggestion,
};
use tabahead_speculation::{
    Answer, DocumentId, Effect, Input, Origin, RequestId, SpeculatorSettings, Timestamp,
};
use tabahead_text::Offset;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    Policy,
    asking::{QuestionResult, asker, overtakes},
    none::answer,
};

const ANSWERS: std::num::NonZeroUsize = std::num::NonZeroUsize::new(100).expect("not zero");
const WAIT: Duration = Duration::from_millis(200);

/// The cache: answers by the text before the cursor.
pub struct CopilotCache {
    answers: LruCache<u64, CachedAnswer>,
    added: u64,
}

/// An answer in the cache.
struct CachedAnswer {
    before: String,
    after: u128,
    text: String,
    covers: usize,
    speculated: bool,
    /// Number of tokens computed ahead and not shown so far.
    unread: u64,
}

/// A cache hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheHit {
    /// Rest of the answer.
    pub rest: String,
    /// Number of bytes typed since the answer was asked for.
    pub typed: usize,
    /// Number of bytes after the cursor that it replaces.
    pub covers: usize,
    /// Whether it was computed ahead.
    pub speculated: bool,
    /// Number of tokens that are shown for the first time.
    unread: u64,
}

impl CopilotCache {
    /// Creates an empty cache.
    pub fn new() -> Self {
        Self {
            answers: LruCache::new(ANSWERS),
            added: 0,
        }
    }

    /// Remembers an answer.
    pub fn add(&mut self, before: &str, after: &str, text: &str) {
        self.insert(CachedAnswer {
            before: before.to_owned(),
            after: xxh3_128(after.as_bytes()),
            text: text.to_owned(),
            covers: 0,
            speculated: false,
            unread: 0,
        });
    }

    fn insert(&mut self, entry: CachedAnswer) {
        self.added += 1;
        self.answers.put(self.added, entry);
    }

    /// Returns the answer for a state; of several, the one with the longest text before the cursor,
    /// that is, the one since which least was typed.
    pub fn find(&mut self, before: &str, after: &str) -> Option<CacheHit> {
        let after = xxh3_128(after.as_bytes());
        let fits = |entry: &CachedAnswer| {
            let typed = before.get(entry.before.len()..)?;
            let rest = entry.text.strip_prefix(typed)?;
            let fits =
                entry.after == after && !rest.is_empty() && before.starts_with(&entry.before);
            fits.then_some(typed.len())
        };
        let (&key, typed) = self
            .answers
            .iter()
            .filter_map(|(key, entry)| Some((key, fits(entry)?)))
            .min_by_key(|(key, typed)| (*typed, u64::MAX - **key))?;
        let entry = self.answers.get_mut(&key)?;
        Some(CacheHit {
            rest: entry.text[typed..].to_owned(),
            typed,
            covers: entry.covers,
            speculated: entry.speculated,
            unread: std::mem::take(&mut entry.unread),
        })
    }
}

impl Default for CopilotCache {
    fn default() -> Self {
        Self::new()
    }
}

/// The policy that behaves like Copilot.
pub struct Copilot {
    asker: Asker,
    cache: CopilotCache,
    /// The state at which a suggestion is shown, and the suggestion.
    current: Option<(State, Suggestion)>,
    pending: Vec<ModelRequest>,
    waiting: Option<EditorRequest>,
    effects: VecDeque<Effect>,
    served: u64,
    wasted: u64,
}

/// A running request to the model.
struct ModelRequest {
    asking: FreshQuestion,
    before: String,
    after: String,
    speculates: bool,
}

struct EditorRequest {
    request: RequestId,
    document: DocumentId,
    state: State,
    /// The earlier request that it waits for, and until when.
    joined: Option<(GenerationId, Timestamp)>,
    /// The request that was made for it.
    own: Option<GenerationId>,
}

impl Copilot {
    /// Creates the policy for a model.
    pub fn new(settings: &SpeculatorSettings, profile: &ModelProfile) -> Self {
        Self {
            asker: asker(settings, profile),
            cache: CopilotCache::new(),
            current: None,
            pending: Vec::new(),
            waiting: None,
            effects: VecDeque::new(),
            served: 0,
            wasted: 0,
        }
    }

    fn requested(&mut self, now: Timestamp, mut waiting: EditorRequest) {
        let state = waiting.state.clone();
        if let Some((at, shown)) = &self.current
            && let Some(rest) = typed_along(at, shown, &state)
        {
            self.waiting = Some(waiting);
            return self.respond(Ok(rest), Origin::TypedThrough);
        }
        let (before, after) = (state.before(), state.after());
        if let Some(found) = self.cache.find(&before, &after) {
            self.wasted -= found.unread;
            let origin = match (found.speculated, found.typed) {
                (true, _) => Origin::Speculated,
                (false, 0) => Origin::Exact,
                (false, _) => Origin::TypedThrough,
            };
            self.waiting = Some(waiting);
            return self.show(&state, found.rest, found.covers, origin);
        }
        let usable = self
            .pending
            .iter()
            .rev()
            .find(|pending| pending.agrees(&before, &after));
        if let Some(pending) = usable {
            let id = pending.asking.id;
            let prioritized = Effect::PrioritizeGeneration(id, Priority::Foreground);
            self.effects.push_back(prioritized);
            waiting.joined = Some((id, Timestamp(now.0 + WAIT)));
            self.waiting = Some(waiting);
            return;
        }
        self.waiting = Some(waiting);
        self.ask_for_waiting();
    }

    /// Makes a model request for the waiting request; cancels running ones that cannot be used.
    fn ask_for_waiting(&mut self) {
        let Some(waiting) = &mut self.waiting else {
            return;
        };
        waiting.joined = None;
        let state = waiting.state.clone();
        let (before, after) = (state.before(), state.after());
        let effects = &mut self.effects;
        self.pending.retain(|pending| {
            let usable = pending.agrees(&before, &after);
            if !usable {
                effects.push_back(Effect::CancelGeneration(pending.asking.id));
            }
            usable
        });
        match self.asker.ask(state, Priority::Foreground) {
            Ok((asking, generation)) => {
                waiting.own = Some(asking.id);
                self.effects.push_back(Effect::StartGeneration(generation));
                self.pending.push(ModelRequest {
                    asking,
                    before,
                    after,
                    speculates: false,
                });
            }
            Err(silence) => self.respond(Err(silence), Origin::Miss),
        }
    }

    fn show(&mut self, state: &State, text: String, covers: usize, origin: Origin) {
        let suggestion = Suggestion {
            range: state.cursor..Offset(state.cursor.0 + covers),
            text,
        };
        self.respond(Ok(suggestion.clone()), origin);
        self.current = Some((state.clone(), suggestion.clone()));
        self.speculate(state, &suggestion);
    }

    fn speculate(&mut self, state: &State, shown: &Suggestion) {
        let next = state.accepted(shown);
        let (before, after) = (next.before(), next.after());
        let asked = |pending: &ModelRequest| pending.before == before && pending.after == after;
        if self.cache.find(&before, &after).is_some() || self.pending.iter().any(asked) {
            return;
        }
        if let Ok((asking, generation)) = self.asker.ask(next, Priority::Speculative) {
            self.effects.push_back(Effect::StartGeneration(generation));
            self.pending.push(ModelRequest {
                asking,
                before,
                after,
                speculates: true,
            });
        }
    }

    fn respond(&mut self, shown: QuestionResult, origin: Origin) {
        if let Some(waiting) = self.waiting.take() {
            self.served += 1;
            self.effects.push_back(Effect::Respond {
                request: waiting.request,
                answer: answer(self.served, shown, origin),
            });
        }
    }

    /// Answers the waiting request as superseded; what runs for it may still be of use.
    fn supersede(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.effects.push_back(Effect::Respond {
                request: waiting.request,
                answer: Answer::Superseded,
            });
        }
    }

    fn reported(&mut self, event: GenerationEvent) {
        let id = event.id();
        let Some(at) = self.pending.iter().position(|p| p.asking.id == id) else {
            return;
        };
        let pending = &mut self.pending[at];
        let decided = match self.asker.take(&mut pending.asking, event) {
            Progress::Waits => {
                let joined = self
                    .waiting
                    .as_ref()
                    .filter(|w| w.joined.is_some_and(|(j, _)| j == id));
                let agrees = joined.is_none_or(|waiting| {
                    pending.agrees(&waiting.state.before(), &waiting.state.after())
                });
                if !agrees {
                    self.ask_for_waiting();
                }
                return;
            }
            Progress::AskAgain(generation) => {
                let shorter = generation.id;
                self.effects.push_back(Effect::StartGeneration(generation));
                if let Some(waiting) = &mut self.waiting {
                    waiting.own = waiting.own.map(|own| if own == id { shorter } else { own });
                    if let Some((joined, _)) = &mut waiting.joined
                        && *joined == id
                    {
                        *joined = shorter;
                    }
                }
                return;
            }
            Progress::Decided(decided) => decided,
            Progress::Failed(_) => Err(Silence::Undecided),
        };
        self.effects.push_back(Effect::CancelGeneration(id));
        let pending = self.pending.remove(at);
        self.decided(id, pending, decided);
    }

    fn decided(&mut self, id: GenerationId, pending: ModelRequest, decided: QuestionResult) {
        let unread = if pending.speculates {
            pending.asking.question.path.tokens().len() as u64
        } else {
            0
        };
        self.wasted += unread;
        if let Ok(suggestion) = &decided {
            self.cache.insert(CachedAnswer {
                before: pending.before.clone(),
                after: xxh3_128(pending.after.as_bytes()),
                text: suggestion.text.clone(),
                covers: suggestion.range.end.0 - suggestion.range.start.0,
                speculated: pending.speculates,
                unread,
            });
        }
        let Some(waiting) = &self.waiting else { return };
        let own = waiting.own == Some(id);
        let joined = waiting.joined.is_some_and(|(joined, _)| joined == id);
        if !own && !joined {
            return;
        }
        let state = waiting.state.clone();
        let found = self.cache.find(&state.before(), &state.after());
        match found {
            Some(found) => {
                self.wasted -= found.unread;
                let origin = if own { Origin::Miss } else { Origin::Joined };
                self.show(&state, found.rest, found.covers, origin);
            }
            None if own => self.respond(decided.and(Err(Silence::Empty)), Origin::Miss),
            None => self.ask_for_waiting(),
        }
    }
}

impl ModelRequest {
    /// Returns whether what the request has said so far may be of use at a state.
    fn agrees(&self, before: &str, after: &str) -> bool {
        let Some(typed) = before.strip_prefix(&self.before[..]) else {
            return false;
        };
        let path = &self.asking.question.path;
        let written = &path.bytes()[path.origin()..];
        let compared = typed.len().min(written.len());
        self.after == after && typed.as_bytes()[..compared] == written[..compared]
    }
}

impl Policy for Copilot {
    fn handle_input(&mut self, now: Timestamp, input: Input) {
        let waiting = self.waiting.as_ref();
        if waiting.is_some_and(|w| overtakes(&input, w.request, w.document)) {
            self.supersede();
        }
        match input {
            Input::CompletionRequested {
                request,
                document,
                snapshot,
                cursor,
                name,
                ..
            } => {
                let state = State {
                    document: snapshot,
                    cursor,
                    name,
                };
                let waiting = EditorRequest {
                    request,
                    document,
                    state,
                    joined: None,
                    own: None,
                };
                self.requested(now, waiting);
            }
            Input::Generation(event) => self.reported(event),
            Input::Shown {
                snapshot,
                cursor,
                name,
                suggestion,
                ..
            } => {
                let state = State {
                    document: snapshot,
                    cursor,
                    name,
                };
                self.current = Some((state.clone(), suggestion.clone()));
                self.speculate(&state, &suggestion);
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        let due = |waiting: &EditorRequest| waiting.joined.is_some_and(|(_, until)| until <= now);
        if self.waiting.as_ref().is_some_and(due) {
            self.ask_for_waiting();
        }
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let (_, until) = self.waiting.as_ref()?.joined?;
        Some(until)
    }

    fn wasted_tokens(&self) -> u64 {
        self.wasted
    }
}

/// Returns the rest of a suggestion that was typed along; `None` if it was not.
fn typed_along(at: &State, shown: &Suggestion, now: &State) -> Option<Suggestion> {
    let before = now.before();
    let typed = before.strip_prefix(&at.before()[..])?;
    let rest = shown.text.strip_prefix(typed)?;
    let covers = shown.range.end.0 - shown.range.start.0;
    (!rest.is_empty() && at.after() == now.after()).then(|| Suggestion {
        range: now.cursor..Offset(now.cursor.0 + covers),
        text: rest.to_owned(),
    })
}
