//! The other suggestions of an answer, if a request asks for them.
//!
//! They begin with the characters that the model thinks likeliest at the cursor, except for the one
//! that the first suggestion begins with; each is what the model generates when it must begin with
//! its character. So they are functions of the state, too, and a fresh process gives the same.

use tabahead_context::{Silence, Suggestion};

use super::{Knowledge, Lookup, Need, PathSource, request::shown_bytes};
use crate::state::BufferState;

/// Number of characters to ask for. It is always the same, so that what one request learns serves
/// others, too. The first suggestion begins with one of them.
pub(super) const MOST_CHARACTERS: usize = 9;

/// The other suggestions of an answer, as far as they are decided.
#[derive(Debug, Default)]
pub(super) struct Alternatives {
    /// The suggestions, once the characters that they begin with are known.
    others: Option<Vec<Other>>,
}

/// Another suggestion of an answer.
#[derive(Debug)]
struct Other {
    state: BufferState,
    /// The result once it is decided.
    shown: Option<Result<Suggestion, Silence>>,
}

/// What is known about the first suggestion of an answer.
pub(super) struct FirstPath<'a> {
    /// State that the request asks about.
    pub state: &'a BufferState,
    /// First character after the cursor in the path, if it is known.
    pub next: Option<char>,
    pub is_decided: bool,
}

/// The likeliest characters at a state, as far as they are known.
enum Characters {
    Known(Vec<char>),
    Awaited(Need),
}

impl Alternatives {
    /// Returns the suggestions that were decided.
    pub fn shown(&self) -> impl Iterator<Item = &Suggestion> {
        let others = self.others.iter().flatten();
        others.filter_map(|other| other.shown.as_ref()?.as_ref().ok())
    }

    /// Decides at most `most` other suggestions as far as possible, and adds what the rest needs.
    pub fn look_up(
        &mut self,
        first: &FirstPath<'_>,
        most: usize,
        needs: &mut Vec<Need>,
        lookup: &mut Lookup<'_>,
    ) {
        if self.others.is_none() {
            let characters = match lookup.characters_at(first.state) {
                None => Vec::new(),
                Some(Characters::Known(characters)) => characters,
                Some(Characters::Awaited(need)) => {
                    // The first suggestion may already wait for the same generation.
                    if !matches!(need, Need::Begin(..)) || needs.is_empty() {
                        needs.push(need);
                    }
                    return;
                }
            };
            // Until the first suggestion is decided, the first character of its path must be known:
            // then both can be computed together.
            if !first.is_decided && first.next.is_none() {
                return;
            }
            let others = characters.into_iter().filter(|&c| Some(c) != first.next);
            let others = others.take(most).map(|next| Other {
                state: first.state.demanding(next, lookup.settings),
                shown: None,
            });
            self.others = Some(others.collect());
        }
        for other in self.others.iter_mut().flatten() {
            if other.shown.is_none() {
                needs.extend(other.look_up(lookup));
            }
        }
    }
}

impl Other {
    /// Decides the suggestion, or returns what it needs.
    fn look_up(&mut self, lookup: &mut Lookup<'_>) -> Option<Need> {
        self.shown = match lookup.look_up(&mut self.state) {
            Knowledge::Needs(need) => return Some(need),
            Knowledge::NotAsked(silence) => Some(Err(silence)),
            Knowledge::Decided(shown, source) => {
                let at = self.state.tail_length() - self.state.demanded;
                let until = shown.as_ref().ok().map(|shown| at + shown_bytes(shown));
                lookup.read(source, until);
                Some(shown)
            }
        };
        None
    }
}

impl Lookup<'_> {
    /// Returns the likeliest characters at a state; `None` if the model is not asked.
    fn characters_at(&self, state: &BufferState) -> Option<Characters> {
        let view = state.view.as_ref().ok()?;
        let mut awaited = None;
        for (id, known) in self.generations.begun_at(view.key) {
            let is_asked = self.generations.reports_characters(id);
            match &known.question.characters {
                Some(characters) => return Some(Characters::Known(characters.clone())),
                // A backend that does not report characters has none.
                None if is_asked && known.passes_origin() => {
                    return Some(Characters::Known(Vec::new()));
                }
                None if is_asked => awaited = Some(Need::Keep(id)),
                None => {}
            }
        }
        let stored = self.path_at(view.key);
        if let Some(characters) = stored.and_then(|known| known.question.characters.clone()) {
            return Some(Characters::Known(characters));
        }
        Some(Characters::Awaited(awaited.unwrap_or_else(|| {
            Need::Begin(
                Box::new(view.clone()),
                state.at.document.clone(),
                MOST_CHARACTERS,
            )
        })))
    }

    /// Returns the character with which a path continues after the cursor of a state, once it is
    /// complete.
    pub(super) fn character_at(&self, state: &BufferState, source: PathSource) -> Option<char> {
        let view = state.view.as_ref().ok()?;
        let after = self
            .path_of(source)?
            .question
            .path
            .bytes()
            .get(view.window.tail.len()..)?;
        let after = &after[..after.len().min(char::MAX.len_utf8())];
        let valid = match std::str::from_utf8(after) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&after[..error.valid_up_to()]).ok()?,
        };
        valid.chars().next()
    }
}
