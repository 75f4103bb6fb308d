//! A request from its arrival until its answer is decided: the first suggestion, and others if they
//! were asked for.

use tabahead_context::{DocumentName, QuestionSettings, Silence, Suggestion};

use super::{
    Knowledge, Lookup, Need, PathSource,
    alternatives::{Alternatives, FirstPath, MOST_CHARACTERS},
};
use crate::{
    Alternative, Answer, Origin, RequestId, SelectedCompletion, Stats, state::BufferState,
};

/// A request without an answer yet.
#[derive(Debug)]
pub(crate) struct Request {
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
    others: Alternatives,
}

/// The first suggestion of an answer.
#[derive(Debug)]
struct First {
    shown: Result<Suggestion, Silence>,
    /// Origin of the suggestion; `None` if the model need not be asked.
    origin: Option<Origin>,
}

impl Request {
    /// Creates a request about a state, which includes the item that is selected.
    pub fn new(
        id: RequestId,
        state: BufferState,
        selected: Option<SelectedCompletion>,
        alternatives: usize,
    ) -> Self {
        Self {
            id,
            state,
            selected,
            waited: false,
            started: false,
            alternatives,
            decided: Decided::default(),
        }
    }

    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Returns the name of the document.
    pub fn name(&self) -> &DocumentName {
        &self.state.at.name
    }

    /// Returns the state that the request asks about.
    pub fn into_state(self) -> BufferState {
        self.state
    }

    /// Records that a generation was started for the request.
    pub fn has_started(&mut self) {
        self.started = true;
    }

    /// Decides the request again, with other settings.
    pub fn decide_again(&mut self, settings: &QuestionSettings) {
        self.state = BufferState::new(self.state.at.clone(), settings);
        self.decided = Decided::default();
    }

    /// Decides what can be decided, and returns what the rest needs.
    pub fn look_up(&mut self, lookup: &mut Lookup<'_>) -> Vec<Need> {
        let mut needs = Vec::new();
        if self.decided.first.is_none() {
            let knowledge = lookup.look_up(&mut self.state);
            self.waited |= matches!(knowledge, Knowledge::Needs(_));
            let source = match &knowledge {
                Knowledge::Decided(_, source) => Some(*source),
                Knowledge::Needs(Need::Keep(id)) => Some(PathSource::Running(*id)),
                _ => None,
            };
            self.decided.next = source.and_then(|source| lookup.character_at(&self.state, source));
            match self.decide_first(knowledge, lookup) {
                Ok(first) => self.decided.first = Some(first),
                // A generation that begins here can report the characters as well.
                Err(Need::Begin(view, text, _)) => {
                    let characters = characters_for(self.alternatives);
                    needs.push(Need::Begin(view, text, characters));
                }
                Err(need) => needs.push(need),
            }
        }
        if self.alternatives > 0 {
            let first = FirstPath {
                state: &self.state,
                next: self.decided.next,
                is_decided: self.decided.first.is_some(),
            };
            let others = &mut self.decided.others;
            others.look_up(&first, self.alternatives, &mut needs, lookup);
        }
        needs
    }

    /// Returns the first suggestion, or what it needs.
    fn decide_first(&self, knowledge: Knowledge, lookup: &mut Lookup<'_>) -> Result<First, Need> {
        match knowledge {
            Knowledge::Needs(need) => Err(need),
            Knowledge::NotAsked(silence) => Ok(First {
                shown: Err(silence),
                origin: None,
            }),
            Knowledge::Decided(shown, source) => {
                let at = self.state.tail_length();
                let origin = match (lookup.path_of(source), self.waited, self.started) {
                    (Some(known), false, _) => known.origin_at(at),
                    (Some(_), true, false) => Origin::Joined,
                    _ => Origin::Miss,
                };
                let until = shown.as_ref().ok().map(|shown| at + shown_bytes(shown));
                lookup.read(source, until);
                Ok(First {
                    shown,
                    origin: Some(origin),
                })
            }
        }
    }

    /// Counts the answer, once it is decided.
    pub fn count(&self, stats: &mut Stats) {
        match self.origin() {
            Some(origin) => stats.count_answer(origin),
            None => stats.silent += 1,
        }
    }

    /// Returns the suggestions that were decided, the first one first, each with the state after
    /// its accept.
    pub fn shown(&self, settings: &QuestionSettings) -> Vec<(Suggestion, BufferState)> {
        let first = self.decided.first.iter();
        let first = first.filter_map(|first| first.shown.as_ref().ok());
        let mut shown: Vec<&Suggestion> = Vec::new();
        for suggestion in first.chain(self.decided.others.shown()) {
            if !shown.contains(&suggestion) {
                shown.push(suggestion);
            }
        }
        let shown = shown.into_iter().map(|suggestion| {
            let accepted = (self.state).accepted(suggestion, settings);
            let suggestion = match self.selected.clone() {
                Some(item) => item.extended_by(suggestion.clone()),
                None => suggestion.clone(),
            };
            (suggestion, accepted)
        });
        shown.collect()
    }

    /// Returns the answer that shows these suggestions.
    pub fn answer(&self, shown: Vec<Alternative>) -> Answer {
        let mut shown = shown.into_iter();
        match (shown.next(), self.origin()) {
            (Some(Alternative { id, suggestion }), Some(origin)) => Answer::Suggestion {
                id,
                suggestion,
                origin,
                alternatives: shown.collect(),
            },
            (_, origin) => {
                let first = self.decided.first.as_ref();
                let reason = first.and_then(|first| first.shown.as_ref().err().copied());
                Answer::Silent {
                    reason: reason.unwrap_or(Silence::Undecided),
                    origin,
                }
            }
        }
    }

    fn origin(&self) -> Option<Origin> {
        self.decided.first.as_ref()?.origin
    }
}

/// Returns how many bytes of a path `suggestion` shows: the length of its text with LF line ends,
/// as in paths.
pub(super) fn shown_bytes(suggestion: &Suggestion) -> usize {
    suggestion.text.len() - suggestion.text.matches("\r\n").count()
}

/// Returns how many characters a generation for a request should report.
fn characters_for(alternatives: usize) -> usize {
    match alternatives {
        0 => 0,
        _ => MOST_CHARACTERS,
    }
}

#[cfg(test)]
mod tests;
