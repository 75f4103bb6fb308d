//! The running generations, and how they are made to match the wanted ones: starts and cancels
//! them, and changes their priority.
//!
//! Decides nothing: `reconcile` decides what is wanted.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroUsize,
};

use tabahead_context::{
    ContextKey, GenerationEvent, GenerationFailure, GenerationId, GenerationPlan, Goal, PathEnd,
    Priority, QuestionSettings, View,
};
use tabahead_text::Document;

use crate::{
    DocumentId, Effect, Stats,
    answers::{KeptAnswers, Need},
    known_path::KnownPath,
};

/// The purpose of a generation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum For {
    /// A waiting request.
    Request(DocumentId),
    /// A state that the user may reach.
    Hypothesis(DocumentId),
    /// A request that was cancelled or superseded and may be made again: what already runs is kept.
    Return(DocumentId),
    /// Any request that may come at the place where the cursor rests.
    Reading,
}

impl For {
    fn priority(self) -> Priority {
        match self {
            Self::Request(_) => Priority::Foreground,
            Self::Hypothesis(_) | Self::Return(_) | Self::Reading => Priority::Speculative,
        }
    }
}

/// The generations that the backend works on.
#[derive(Debug)]
pub(crate) struct Generations {
    running: BTreeMap<GenerationId, Running>,
    /// Maximum number of concurrent generations.
    most: NonZeroUsize,
    /// Number of the latest generation.
    latest: u64,
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
    reports_characters: bool,
    /// What waits for it, the most urgent first.
    waiting: Vec<For>,
}

/// A generation to start.
struct NewGeneration {
    waiting: For,
    known: KnownPath,
    /// Text that the view is of.
    text: Document,
    goal: Goal,
    /// Number of likeliest characters to report.
    characters: usize,
}

/// What a report of the backend means for others.
pub(crate) enum Reported {
    /// Nothing but that the path is known further.
    Progress,
    /// The prompt of this window was read, or cannot be.
    Read(ContextKey),
    /// This window is too long.
    TooLong(ContextKey),
    /// What waited for the generation fails, with one line for the user.
    Broken(Vec<For>, String),
}

/// What changes besides the generations when they start and stop.
pub(crate) struct SideEffects<'a> {
    /// Takes the paths of stopped generations.
    pub answers: &'a mut KeptAnswers,
    pub effects: &'a mut VecDeque<Effect>,
    pub stats: &'a mut Stats,
}

impl Generations {
    /// Creates an empty set for at most `most` concurrent generations.
    pub fn new(most: NonZeroUsize) -> Self {
        Self {
            running: BTreeMap::new(),
            most,
            latest: 0,
        }
    }

    /// Changes the maximum number of concurrent generations.
    pub fn set_most(&mut self, most: NonZeroUsize) {
        self.most = most;
    }

    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Returns the paths that grow.
    pub fn paths(&self) -> impl Iterator<Item = (GenerationId, &KnownPath)> {
        self.running
            .iter()
            .map(|(&id, running)| (id, &running.known))
    }

    /// Returns the paths that grow and begin at a state.
    pub fn begun_at(&self, key: ContextKey) -> impl Iterator<Item = (GenerationId, &KnownPath)> {
        self.paths()
            .filter(move |(_, known)| known.question.view.key == key)
    }

    pub fn path(&self, id: GenerationId) -> Option<&KnownPath> {
        self.running.get(&id).map(|running| &running.known)
    }

    /// Returns a path to record that it was read.
    pub fn path_mut(&mut self, id: GenerationId) -> Option<&mut KnownPath> {
        self.running.get_mut(&id).map(|running| &mut running.known)
    }

    /// Returns whether a generation was asked for the likeliest characters.
    pub fn reports_characters(&self, id: GenerationId) -> bool {
        (self.running.get(&id)).is_some_and(|running| running.reports_characters)
    }

    /// Records that a generation has decided what it runs for.
    pub fn has_decided(&mut self, id: GenerationId, stats: &mut Stats) {
        if let Some(running) = self.running.get_mut(&id)
            && std::mem::take(&mut running.speculation)
        {
            stats.speculations_finished += 1;
        }
    }

    /// Handles a report of the backend.
    pub fn take(&mut self, event: GenerationEvent, stats: &mut Stats) -> Reported {
        let id = event.id();
        let Some(running) = self.running.get_mut(&id) else {
            return Reported::Progress;
        };
        if let GenerationEvent::Read { .. } = event {
            stats.reads_finished += 1;
            let read = Reported::Read(running.known.question.view.key);
            self.running.remove(&id);
            return read;
        }
        match running.known.take(event) {
            Ok(unread) => {
                stats.tokens_wasted += unread;
                Reported::Progress
            }
            Err(failure) => self.failed(id, failure, stats),
        }
    }

    fn failed(
        &mut self,
        id: GenerationId,
        failure: GenerationFailure,
        stats: &mut Stats,
    ) -> Reported {
        let Some(running) = self.running.remove(&id) else {
            return Reported::Progress;
        };
        let key = running.known.question.view.key;
        stats.speculations_failed += u64::from(running.speculation);
        stats.reads_failed += u64::from(running.goal == Goal::Read);
        match (failure, running.goal) {
            (GenerationFailure::TooLong, _) => Reported::TooLong(key),
            // Whatever waits for the reading continues without it.
            (GenerationFailure::Broken(_), Goal::Read) => Reported::Read(key),
            (GenerationFailure::Broken(line), Goal::Decode) => {
                Reported::Broken(running.waiting, line)
            }
        }
    }

    /// Makes the running generations the first of those in `wanted`, as many as may run. Returns
    /// the documents for whose requests generations were started.
    pub fn run_exactly(
        &mut self,
        wanted: Vec<(For, Need)>,
        settings: &QuestionSettings,
        side: &mut SideEffects<'_>,
    ) -> Vec<DocumentId> {
        let (keep, start) = self.plan(wanted, settings);
        let is_idle = |id: &GenerationId| !keep.contains(id);
        let idle: Vec<_> = self.running.keys().copied().filter(is_idle).collect();
        for id in idle {
            self.stop(id, side);
        }
        for id in keep {
            self.prioritize(id, side);
        }
        let mut requests = Vec::new();
        for new in start {
            if let For::Request(document) = new.waiting {
                requests.push(document);
            }
            self.start(new, settings, side);
        }
        requests
    }

    /// Returns the generations to keep and those to start, and notes what waits for the former.
    fn plan(
        &mut self,
        wanted: Vec<(For, Need)>,
        settings: &QuestionSettings,
    ) -> (Vec<GenerationId>, Vec<NewGeneration>) {
        let mut keep: Vec<GenerationId> = Vec::new();
        let mut start: Vec<NewGeneration> = Vec::new();
        for running in self.running.values_mut() {
            running.waiting.clear();
        }
        for (waiting, need) in wanted {
            let full = keep.len() + start.len() >= self.most.get();
            let begun = |view: View| KnownPath::new(view, waiting.priority(), &settings.profile);
            let (known, text, goal, characters) = match need {
                Need::Keep(id) => {
                    if !full && !keep.contains(&id) {
                        keep.push(id);
                    }
                    if keep.contains(&id)
                        && let Some(running) = self.running.get_mut(&id)
                    {
                        running.waiting.push(waiting);
                    }
                    continue;
                }
                Need::Begin(view, text, characters) => {
                    (begun(*view), text, Goal::Decode, characters)
                }
                Need::Continue(known, text) => (*known, text, Goal::Decode, 0),
                Need::Read(view, text) => (begun(*view), text, Goal::Read, 0),
            };
            let key = known.question.view.key;
            let wanted_already = start
                .iter()
                .any(|other| other.known.question.view.key == key);
            if !full && !wanted_already {
                start.push(NewGeneration {
                    waiting,
                    known,
                    text,
                    goal,
                    characters,
                });
            }
        }
        (keep, start)
    }

    /// Stops all generations.
    pub fn stop_all(&mut self, side: &mut SideEffects<'_>) {
        let running: Vec<_> = self.running.keys().copied().collect();
        running.into_iter().for_each(|id| self.stop(id, side));
    }

    /// Removes a generation from the running ones, cancels it unless it has ended, and keeps its
    /// path.
    fn stop(&mut self, id: GenerationId, side: &mut SideEffects<'_>) {
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        let stats = &mut *side.stats;
        if running.known.question.path.end() == PathEnd::Open {
            side.effects.push_back(Effect::CancelGeneration(id));
            stats.reads_cancelled += u64::from(running.goal == Goal::Read);
            stats.speculations_cancelled += u64::from(running.speculation);
        } else {
            stats.speculations_finished += u64::from(running.speculation);
        }
        side.answers.keep(running.known);
    }

    /// Gives a generation the priority of what waits for it.
    fn prioritize(&mut self, id: GenerationId, side: &mut SideEffects<'_>) {
        let Some(running) = self.running.get_mut(&id) else {
            return;
        };
        let Some(&waiting) = running.waiting.first() else {
            return;
        };
        let priority = waiting.priority();
        if priority == Priority::Speculative {
            running.known.goes_ahead();
        }
        if running.priority != priority {
            running.priority = priority;
            // A generation that answered a request and continues ahead of it is a speculation from
            // here on.
            let decodes = running.goal == Goal::Decode;
            if matches!(waiting, For::Hypothesis(_)) && decodes && !running.speculation {
                running.speculation = true;
                running.known.speculation_begins(id);
                side.stats.speculations_started += 1;
            }
            let effect = Effect::PrioritizeGeneration(id, priority);
            side.effects.push_back(effect);
        }
    }

    /// Starts a generation.
    fn start(
        &mut self,
        new: NewGeneration,
        settings: &QuestionSettings,
        side: &mut SideEffects<'_>,
    ) {
        let NewGeneration {
            waiting,
            mut known,
            text,
            goal,
            characters,
        } = new;
        self.latest += 1;
        let id = GenerationId(self.latest);
        let priority = waiting.priority();
        let speculation = priority == Priority::Speculative && goal == Goal::Decode;
        side.stats.reads_started += u64::from(goal == Goal::Read);
        if speculation {
            known.speculation_begins(id);
            side.stats.speculations_started += 1;
        }
        let plan = GenerationPlan {
            id,
            goal,
            priority,
            characters,
        };
        let request = known.question.request(plan, &text, settings);
        side.effects.push_back(Effect::StartGeneration(request));
        let running = Running {
            known,
            goal,
            priority,
            speculation,
            reports_characters: characters > 0,
            waiting: vec![waiting],
        };
        self.running.insert(id, running);
    }
}
