//! What is known about a state, and the generation that it needs if that is too little.

use tabahead_context::{
    Answering, ContextKey, GenerationId, PathEnd, QuestionSettings, Silence, Suggestion, View,
};
use tabahead_text::Document;

use super::KeptAnswers;
use crate::{generations::Generations, known_path::KnownPath, state::BufferState, stats::Stats};

/// The answer at a state, as far as it is known.
pub(crate) enum Knowledge {
    /// Decided by this path: what is shown, or why nothing is.
    Decided(Result<Suggestion, Silence>, PathSource),
    /// Silent without a path, with the reason.
    NotAsked(Silence),
    /// A generation must run.
    Needs(Need),
}

/// The path that decided a state.
#[derive(Clone, Copy)]
pub(crate) enum PathSource {
    Running(GenerationId),
    Cached(ContextKey),
}

/// The generation that a state needs.
pub(crate) enum Need {
    /// This running generation.
    Keep(GenerationId),
    /// A new generation that begins at the state in this text, and reports this many of the
    /// likeliest characters there.
    Begin(Box<View>, Document, usize),
    /// A generation that continues a stored path in this text.
    Continue(Box<KnownPath>, Document),
    /// A generation that reads the prompt at the state in this text, and decodes nothing.
    Read(Box<View>, Document),
}

/// All paths, those that are kept and those that grow, to look states up in.
pub(crate) struct Lookup<'a> {
    pub answers: &'a mut KeptAnswers,
    pub generations: &'a mut Generations,
    pub settings: &'a QuestionSettings,
    pub stats: &'a mut Stats,
}

impl Lookup<'_> {
    /// Returns what running and stored paths know about a state. If several paths answer, uses the
    /// one that is decoded furthest: they agree, and the longest one is least likely to need more.
    pub fn look_up(&mut self, state: &mut BufferState) -> Knowledge {
        self.stats.looked_at += 1;
        while let Ok(view) = &state.view
            && self.answers.is_too_long(view)
        {
            if state.demanded > 0 {
                return Knowledge::NotAsked(Silence::TooLong);
            }
            state.shrink(self.settings);
        }
        let view = match &state.view {
            Ok(view) => view,
            Err(silence) => return Knowledge::NotAsked(*silence),
        };
        let (answers, may_answer) = self.paths_for(view);
        if let Some((source, known)) = answers {
            return self.decide(state, view, source, known);
        }
        if let Some(id) = may_answer {
            return Knowledge::Needs(Need::Keep(id));
        }
        // By the backend's contract, a generation for exactly this state answers it. Without this
        // check, one that does not would be restarted for ever.
        if let Some((id, own)) = self.generations.begun_at(view.key).next() {
            return match own.question.path.end() {
                PathEnd::Open => Knowledge::Needs(Need::Keep(id)),
                _ => Knowledge::NotAsked(Silence::Undecided),
            };
        }
        Knowledge::Needs(Need::Begin(
            Box::new(view.clone()),
            state.at.document.clone(),
            0,
        ))
    }

    /// Returns the path that answers a view and the running generation that may come to answer it,
    /// of several the ones that are decoded furthest.
    fn paths_for<'a>(
        &'a self,
        view: &'a View,
    ) -> (Option<(PathSource, &'a KnownPath)>, Option<GenerationId>) {
        let mut best: Option<(PathSource, &KnownPath)> = None;
        let mut may_answer: Option<(GenerationId, &KnownPath)> = None;
        let running = self
            .generations
            .paths()
            .map(|(id, known)| (PathSource::Running(id), known));
        let stored = self
            .answers
            .cache
            .candidates(view)
            .map(|known| (PathSource::Cached(known.question.view.key), known));
        for (source, known) in running.chain(stored) {
            match (known.question.answers(view, self.settings), source) {
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
        (best, may_answer.map(|(id, _)| id))
    }

    /// Cuts what a path answers at a state. `view` is what the model sees there.
    fn decide(
        &self,
        state: &BufferState,
        view: &View,
        source: PathSource,
        known: &KnownPath,
    ) -> Knowledge {
        let cut = &self.settings.cut;
        let decided = known.question.decide(&state.at, view, state.demanded, cut);
        match (decided, source) {
            (Some(Err(Silence::Undecided)), _) => Knowledge::NotAsked(Silence::Undecided),
            (Some(decided), source) => Knowledge::Decided(decided, source),
            (None, PathSource::Running(id)) => Knowledge::Needs(Need::Keep(id)),
            (None, PathSource::Cached(_)) => {
                let mut known = known.clone();
                // The texts are the same, but their positions may have changed.
                let window = &mut known.question.view.window;
                window.elsewhere = view.window.elsewhere.clone();
                window.name = view.window.name.clone();
                Knowledge::Needs(Need::Continue(Box::new(known), state.at.document.clone()))
            }
        }
    }

    /// Returns a path.
    pub fn path_of(&self, source: PathSource) -> Option<&KnownPath> {
        match source {
            PathSource::Running(id) => self.generations.path(id),
            PathSource::Cached(key) => self.path_at(key),
        }
    }

    /// Returns the stored path that was generated at a state.
    pub fn path_at(&self, key: ContextKey) -> Option<&KnownPath> {
        self.answers.cache.path_at(key)
    }

    /// Records that a path has decided a state.
    pub fn speculation_decided(&mut self, source: PathSource) {
        if let PathSource::Running(id) = source {
            self.generations.has_decided(id, self.stats);
        }
    }

    /// Records that an answer has read a path up to byte `until`, or all of it.
    pub fn read(&mut self, source: PathSource, until: Option<usize>) {
        self.speculation_decided(source);
        let known = match source {
            PathSource::Running(id) => self.generations.path_mut(id),
            PathSource::Cached(key) => self.answers.cache.use_path(key),
        };
        if let Some(known) = known {
            let (read, first_uses) = known.serve(until);
            self.stats.tokens_wasted -= read;
            self.stats.speculations_used += first_uses;
        }
    }
}
