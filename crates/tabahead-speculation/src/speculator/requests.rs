//! A request from its arrival until its answer is decided: the first suggestion, and others if they
//! were asked for.
//!
//! **Alternatives** begin with the characters that the model thinks likeliest at the cursor, except
//! for the one that the first suggestion begins with; each is what the model generates when it must
//! begin with its character. So they are functions of the state, too, and a fresh process gives the
//! same.

use tabahead_context::{Cut, DocumentName, Suggestion};
use tabahead_text::{Document, Offset};

use super::{Decided, First, Knowledge, Need, Other, PathSource, Request, Speculator};
use crate::{
    DocumentId, Origin, RequestId, SelectedCompletion,
    chain::{UserPlace, place_of_cursor, shown_bytes},
    known_path::KnownPath,
    state::BufferState,
};

/// A request as it came, without its text.
pub(super) struct Asked {
    pub id: RequestId,
    pub cursor: Offset,
    pub name: DocumentName,
    pub selected: Option<SelectedCompletion>,
    pub alternatives: usize,
}

/// Number of characters to ask for. It is always the same, so that what one request learns serves
/// others, too. The first suggestion begins with one of them.
const MOST_CHARACTERS: usize = 9;

/// The likeliest characters at a state, as far as they are known.
enum Characters {
    Known(Vec<char>),
    Awaited(Need),
}

impl Speculator {
    pub(super) fn requested(&mut self, document: DocumentId, snapshot: Document, asked: Asked) {
        self.stats.requests += 1;
        self.turn += 1;
        // Following the text first lets the chain keep what this request may join.
        self.document_changed(document, snapshot.clone());
        self.attended_by_request(document, asked.name.clone());
        let cursor = place_of_cursor(&snapshot, asked.cursor);
        self.attended.insert(document);
        let open = self.documents.entry(document).or_default();
        if open
            .place
            .as_ref()
            .is_some_and(|place| place.cursor != cursor)
        {
            open.chain = None;
        }
        open.place = Some(UserPlace {
            document: snapshot.clone(),
            cursor,
        });
        open.turn = self.turn;
        let (text, at) = match &asked.selected {
            None => (snapshot, cursor),
            Some(item) => item.inserted_in(&snapshot),
        };
        let (context, profile) = (&self.settings.context, &self.profile);
        let older = open.request.replace(Request {
            id: asked.id,
            state: BufferState::new(text, at, asked.name, context, profile),
            selected: asked.selected,
            waited: false,
            started: false,
            alternatives: asked.alternatives,
            decided: Decided::default(),
        });
        if let Some(older) = older {
            self.supersede(older.id);
        }
    }

    /// Decides what can be decided of a document's request, and returns what the rest needs; `None`
    /// if there is no request.
    pub(super) fn look_up_request(&mut self, document: DocumentId) -> Option<Vec<Need>> {
        let mut request = self.documents.get_mut(&document)?.request.take()?;
        let mut needs = Vec::new();
        if request.decided.first.is_none() {
            let knowledge = self.look_up(&mut request.state);
            request.waited |= matches!(knowledge, Knowledge::Needs(_));
            let source = match &knowledge {
                Knowledge::Decided(_, source) => *source,
                Knowledge::Needs(Need::Keep(id)) => Some(PathSource::Running(*id)),
                _ => None,
            };
            request.decided.next = self.next_character(&request.state, source);
            match self.decide_first(&request, knowledge) {
                Ok(first) => request.decided.first = Some(first),
                // A generation that begins here can report the characters as well.
                Err(Need::Begin(view, text, _)) => {
                    let characters = characters_for(request.alternatives);
                    needs.push(Need::Begin(view, text, characters));
                }
                Err(need) => needs.push(need),
            }
        }
        if request.alternatives > 0 {
            self.look_up_others(&mut request, &mut needs);
        }
        if let Some(open) = self.documents.get_mut(&document) {
            open.request = Some(request);
        }
        Some(needs)
    }

    /// Returns the first suggestion, or what it needs.
    fn decide_first(&mut self, request: &Request, knowledge: Knowledge) -> Result<First, Need> {
        let (cut, source) = match knowledge {
            Knowledge::Needs(need) => return Err(need),
            Knowledge::NotAsked(reason) => {
                return Ok(First {
                    shown: Err(reason),
                    origin: None,
                });
            }
            Knowledge::Decided(cut, source) => (cut, source),
        };
        let shown = match cut {
            Cut::Show(suggestion) => Ok(suggestion),
            Cut::Silent(silence) => Err(silence.as_str()),
            Cut::NeedMore => Err("undecided"),
        };
        let origin = self.served(request, shown.as_ref().ok(), source);
        Ok(First {
            shown,
            origin: Some(origin),
        })
    }

    /// Decides the other suggestions as far as possible.
    fn look_up_others(&mut self, request: &mut Request, needs: &mut Vec<Need>) {
        if request.decided.others.is_none() {
            let characters = match self.characters_at(&request.state) {
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
            if request.decided.first.is_none() && request.decided.next.is_none() {
                return;
            }
            let (context, profile) = (&self.settings.context, &self.profile);
            let others = characters
                .into_iter()
                .filter(|&c| Some(c) != request.decided.next);
            let others = others.take(request.alternatives).map(|next| Other {
                state: request.state.demanding(next, context, profile),
                shown: None,
            });
            request.decided.others = Some(others.collect());
        }
        for other in request.decided.others.iter_mut().flatten() {
            if other.shown.is_some() {
                continue;
            }
            let (shown, source) = match self.look_up(&mut other.state) {
                Knowledge::Needs(need) => {
                    needs.push(need);
                    continue;
                }
                Knowledge::Decided(Cut::Show(shown), source) => (Some(shown), source),
                Knowledge::Decided(_, source) => (None, source),
                Knowledge::NotAsked(_) => (None, None),
            };
            let at = (other.state.view.as_ref()).map_or(0, |view| view.window.tail.len());
            let until = at - other.state.demanded + shown.as_ref().map_or(0, shown_bytes);
            self.read(source, shown.is_some().then_some(until));
            other.shown = Some(shown);
        }
    }

    /// Returns the likeliest characters at a state; `None` if the model is not asked.
    fn characters_at(&self, state: &BufferState) -> Option<Characters> {
        let view = state.view.as_ref().ok()?;
        let own = self
            .running
            .iter()
            .filter(|(_, running)| running.known.view.key == view.key);
        let mut awaited = None;
        for (&id, running) in own {
            match &running.known.characters {
                Some(characters) => return Some(Characters::Known(characters.clone())),
                // A backend that does not report characters has none.
                None if running.tells_characters && running.known.passes_origin() => {
                    return Some(Characters::Known(Vec::new()));
                }
                None if running.tells_characters => awaited = Some(Need::Keep(id)),
                None => {}
            }
        }
        let stored = self.cache.path_at(view.key);
        if let Some(characters) = stored.and_then(|known| known.characters.clone()) {
            return Some(Characters::Known(characters));
        }
        Some(Characters::Awaited(awaited.unwrap_or_else(|| {
            Need::Begin(
                Box::new(view.clone()),
                state.document.clone(),
                MOST_CHARACTERS,
            )
        })))
    }

    /// Returns the character with which a path continues after the cursor of a state, once it is
    /// complete.
    fn next_character(&self, state: &BufferState, source: Option<PathSource>) -> Option<char> {
        let view = state.view.as_ref().ok()?;
        let behind = self
            .path_of(source)?
            .path
            .bytes()
            .get(view.window.tail.len()..)?;
        let behind = &behind[..behind.len().min(char::MAX.len_utf8())];
        let valid = match std::str::from_utf8(behind) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&behind[..error.valid_up_to()]).ok()?,
        };
        valid.chars().next()
    }

    fn path_of(&self, source: Option<PathSource>) -> Option<&KnownPath> {
        match source? {
            PathSource::Running(id) => self.running.get(&id).map(|running| &running.known),
            PathSource::Cached(key) => self.cache.path_at(key),
        }
    }

    /// Records that an answer has read a path up to byte `until`, or all of it.
    fn read(&mut self, source: Option<PathSource>, until: Option<usize>) {
        self.speculation_finished(source);
        let known = match source {
            Some(PathSource::Running(id)) => self.running.get_mut(&id).map(|r| &mut r.known),
            Some(PathSource::Cached(key)) => self.cache.use_path(key),
            None => None,
        };
        if let Some(known) = known {
            let (read, first_uses) = known.serve(until);
            self.stats.tokens_wasted -= read;
            self.stats.speculations_used += first_uses;
        }
    }

    /// Records that the first suggestion was read. Returns where it came from.
    fn served(
        &mut self,
        request: &Request,
        shown: Option<&Suggestion>,
        source: Option<PathSource>,
    ) -> Origin {
        let at = (request.state.view.as_ref()).map_or(0, |view| view.window.tail.len());
        let origin = match (self.path_of(source), request.waited, request.started) {
            (Some(known), false, _) => known.origin_at(at),
            (Some(_), true, false) => Origin::Joined,
            _ => Origin::Miss,
        };
        self.read(source, shown.map(|shown| at + shown_bytes(shown)));
        origin
    }
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
