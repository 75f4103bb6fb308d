//! The hypotheses about one document: a tree of states, each reached from its parent.
//!
//! Decides nothing about generations. Where it guesses (whether typing follows a suggestion), a
//! wrong guess costs computation and never gives a wrong answer: answers come from a look-up of the
//! state that was asked about.

use std::num::NonZeroUsize;

use tabahead_context::DocumentName;
use tabahead_text::Offset;

use super::{
    kind::{HypothesisKind, after_shown},
    rank::RankInputs,
};
use crate::{
    DocumentId, SuggestionId,
    answers::{Knowledge, Lookup, Need},
    documents::{ChangeReading, ExpectedText, TextChange, UserPlace},
    generations::For,
    state::BufferState,
};

/// The states that the user may reach in a document, and those that may follow from them.
#[derive(Debug)]
pub(crate) struct Hypotheses {
    /// The states; each comes after its parent. There is at least one.
    nodes: Vec<Hypothesis>,
    allowed: Allowed,
    /// Suggestion that is shown where the user is, if the roots follow from it.
    suggestion: Option<SuggestionId>,
}

/// A state that the user may reach.
#[derive(Debug)]
struct Hypothesis {
    state: BufferState,
    kind: HypothesisKind,
    /// Index of the state from which it is reached; `None` for a root.
    parent: Option<usize>,
    /// True once it is known what is shown there. What follows from that are the children.
    is_decided: bool,
}

/// The generations that may run for a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// Those that run already: nothing was shown yet, and the user typed on or cancelled.
    Running,
    /// New ones, too, down to this level of the tree. `accepts` is the number of accepts to look
    /// ahead.
    New { levels: usize, accepts: usize },
}

impl Hypotheses {
    /// Expects that the user accepts the suggestion `id`, which leads to `accepted`, and looks
    /// `accepts` accepts ahead in all.
    pub fn after(id: SuggestionId, accepted: BufferState, accepts: NonZeroUsize) -> Self {
        Self {
            nodes: vec![Hypothesis::root(HypothesisKind::AcceptedAll, accepted)],
            allowed: Allowed::New {
                levels: accepts.get(),
                accepts: accepts.get(),
            },
            suggestion: Some(id),
        }
    }

    /// Expects a request where the user is. No answer to it has been shown.
    pub fn here(state: BufferState) -> Self {
        Self {
            nodes: vec![Hypothesis::root(HypothesisKind::Here, state)],
            allowed: Allowed::Running,
            suggestion: None,
        }
    }

    /// Returns the suggestion from which the roots follow.
    pub fn suggestion(&self) -> Option<SuggestionId> {
        self.suggestion
    }

    /// Returns the name of the document.
    pub fn name(&self) -> &DocumentName {
        &self.nodes[0].state.at.name
    }

    /// Follows the user through a change of the text. Returns `None` if the change rules out what
    /// was expected; otherwise the user's new place.
    pub fn follow(&mut self, change: &ChangeReading<'_>) -> Option<UserPlace> {
        let from = change.from.cursor;
        let changes: Vec<TextChange> = (self.nodes.iter())
            .map(|node| node.compared_with(change))
            .collect();
        if let Some(reached) = changes.iter().position(|c| *c == TextChange::Accepted) {
            return Some(self.reach(reached));
        }
        let (at, along) = (changes.iter().enumerate()).find_map(|(at, change)| match change {
            TextChange::TypedAlong(along) => Some((at, along)),
            _ => None,
        })?;
        self.keep_from(at);
        Some(UserPlace {
            document: change.to.clone(),
            cursor: Offset(from.0 + along.typed),
        })
    }

    /// Moves to the state after the accept of a suggestion, if it is the one that is shown. Returns
    /// the user's new place.
    pub fn accepted(&mut self, suggestion: SuggestionId) -> Option<UserPlace> {
        if self.suggestion != Some(suggestion) {
            return None;
        }
        let is_accept =
            |node: &Hypothesis| node.parent.is_none() && node.kind == HypothesisKind::AcceptedAll;
        let accepted = self.nodes.iter().position(is_accept)?;
        Some(self.reach(accepted))
    }

    /// Makes the state that the user has reached the root. Returns the user's place.
    fn reach(&mut self, reached: usize) -> UserPlace {
        self.keep_from(reached);
        if let Allowed::New { levels, accepts } = &mut self.allowed {
            *levels = *accepts + 1;
        }
        let root = &mut self.nodes[0];
        root.kind = HypothesisKind::Here;
        UserPlace {
            document: root.state.at.document.clone(),
            cursor: root.state.at.cursor,
        }
    }

    /// Makes a state the only root, and drops what does not follow from it.
    fn keep_from(&mut self, root: usize) {
        self.suggestion = None;
        let mut kept: Vec<Option<usize>> = Vec::new();
        let mut count = 0;
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.parent = node.parent.and_then(|parent| kept[parent]);
            let is_kept = at == root || node.parent.is_some();
            kept.push(is_kept.then_some(count));
            count += usize::from(is_kept);
        }
        let mut kept = kept.into_iter();
        self.nodes.retain(|_| kept.next().flatten().is_some());
    }

    /// Decides the states, as far as paths are known, and returns what the others need. `turn` is
    /// that of the document's latest request.
    pub fn advance(
        &mut self,
        document: DocumentId,
        turn: u64,
        lookup: &mut Lookup<'_>,
    ) -> Vec<(RankInputs, (For, Need))> {
        let levels = match self.allowed {
            Allowed::Running => 1,
            Allowed::New { levels, .. } => levels,
        };
        let mut wanted = Vec::new();
        let mut at = 0;
        // States that follow from decided ones are added at the end.
        while at < self.nodes.len() {
            let level = self.level(at);
            if !self.nodes[at].is_decided
                && level <= levels
                && let Some(need) = self.decide(at, lookup)
                && let Some(purpose) = self.purpose(document, &need)
            {
                let inputs = RankInputs {
                    turn,
                    document,
                    level,
                };
                wanted.push((inputs, (purpose, need)));
            }
            at += 1;
        }
        wanted
    }

    /// Decides a state and adds what follows from it; returns what it needs if it is undecided.
    fn decide(&mut self, at: usize, lookup: &mut Lookup<'_>) -> Option<Need> {
        match lookup.look_up(&mut self.nodes[at].state) {
            Knowledge::Needs(need) => return Some(need),
            Knowledge::NotAsked(_) => {}
            Knowledge::Decided(shown, source) => {
                lookup.speculation_decided(source);
                if let Ok(suggestion) = shown {
                    let state = &self.nodes[at].state;
                    let next = after_shown(state, &suggestion, lookup.settings);
                    self.nodes.extend(next.map(|(kind, state)| Hypothesis {
                        parent: Some(at),
                        ..Hypothesis::root(kind, state)
                    }));
                }
            }
        }
        self.nodes[at].is_decided = true;
        None
    }

    /// Returns for what a needed generation runs; `None` if it may not.
    fn purpose(&self, document: DocumentId, need: &Need) -> Option<For> {
        match (self.allowed, need) {
            (Allowed::New { .. }, _) => Some(For::Hypothesis(document)),
            (Allowed::Running, Need::Keep(_)) => Some(For::Return(document)),
            (Allowed::Running, Need::Begin(..) | Need::Continue(..) | Need::Read(..)) => None,
        }
    }

    /// Returns the level of a state: 1 for a root.
    fn level(&self, at: usize) -> usize {
        let ancestors = std::iter::successors(Some(at), |&at| self.nodes[at].parent);
        ancestors.count()
    }
}

impl Hypothesis {
    fn root(kind: HypothesisKind, state: BufferState) -> Self {
        Self {
            state,
            kind,
            parent: None,
            is_decided: false,
        }
    }

    /// Compares the state with what a change did.
    fn compared_with(&self, change: &ChangeReading<'_>) -> TextChange {
        let state = &self.state;
        // Nothing can be typed towards a cursor that is not after the user's.
        let until = state.at.cursor.max(change.from.cursor);
        change.compared_with(ExpectedText {
            document: &state.at.document,
            at_cursor: &state.at.document.slice(change.from.cursor..until),
        })
    }
}

#[cfg(test)]
mod tests {
    use tabahead_context::{Silence, State};
    use tabahead_text::{Document, Version};

    use super::*;

    #[test]
    fn what_follows_from_the_state_that_the_user_reaches_stays() {
        let node = |(cursor, parent)| {
            let at = State {
                document: Document::new("abcdef", Version(0)),
                cursor: Offset(cursor),
                name: DocumentName::default(),
            };
            let state = BufferState {
                at,
                view: Err(Silence::Empty),
                demanded: 0,
            };
            Hypothesis {
                parent,
                ..Hypothesis::root(HypothesisKind::AcceptedAll, state)
            }
        };
        let parents = [None, None, Some(0), Some(1), Some(3), Some(2), Some(4)];
        let mut tree = Hypotheses {
            nodes: parents.into_iter().enumerate().map(node).collect(),
            allowed: Allowed::Running,
            suggestion: Some(SuggestionId(1)),
        };
        tree.keep_from(1);
        let kept: Vec<_> = (tree.nodes.iter())
            .map(|node| (node.state.at.cursor.0, node.parent))
            .collect();
        assert_eq!(kept, [(1, None), (3, Some(0)), (4, Some(1)), (6, Some(2))]);
        assert_eq!((tree.suggestion, tree.level(3)), (None, 4));
    }
}
