//! The recording as it happened, and the recording with its accepted suggestions served as if they
//! were ours.
//!
//! `RecordedUser` turns what happened into actions. `InjectedUser` looks ahead: for an accept it
//! finds when the accepted text first appeared (from the recorded fetches, or from a typist's times
//! if there are none), shows it at that time, and lets nothing of ours appear until it is accepted.

use std::{collections::VecDeque, time::Duration};

use tabahead_context::{DocumentName, Suggestion};
use tabahead_speculation::{DocumentId, Timestamp};
use tabahead_text::{Document, Offset, PositionEncoding};

use super::{AcceptedPart, User, UserAccept, UserAction, UserEdit, UserError};
use crate::{
    editing::{ByteEdit, EditingEvent, EventKind},
    recording::FetchedItem,
    typist::Typist,
};

/// Everything that happened, in order.
pub type EditingEvents = Box<dyn Iterator<Item = Result<EditingEvent, UserError>>>;

/// Longest time between a suggestion's appearance and its accept.
const LONGEST_READING: Duration = Duration::from_secs(30);

/// Maximum number of actions held back for looking ahead.
const LOOK_AHEAD: usize = 2_000;

/// The recording as it happened.
pub struct RecordedUser {
    events: EditingEvents,
    next: Option<(Timestamp, UserAction)>,
}

impl RecordedUser {
    /// Creates a user who does what happened.
    pub fn new(events: EditingEvents) -> Self {
        Self { events, next: None }
    }
}

impl User for RecordedUser {
    fn next(&mut self) -> Result<Option<Timestamp>, UserError> {
        while self.next.is_none() {
            let Some(event) = self.events.next().transpose()? else {
                return Ok(None);
            };
            self.next = action_of(&event).map(|action| (Timestamp(event.at), action));
        }
        Ok(self.next.as_ref().map(|(at, _)| *at))
    }

    fn act(&mut self) -> Option<UserAction> {
        self.next.take().map(|(_, action)| action)
    }
}

/// The recording, with its accepted suggestions served as ours.
pub struct InjectedUser {
    events: EditingEvents,
    ended: bool,
    actions: VecDeque<(Timestamp, UserAction)>,
    fetches: VecDeque<Fetch>,
    /// Recent requests, each with its document.
    fetching: VecDeque<(u64, DocumentId)>,
    typist: Typist,
}

/// A fetch that returned suggestions.
struct Fetch {
    at: Timestamp,
    document: DocumentId,
    items: Vec<FetchedItem>,
}

impl InjectedUser {
    /// Creates a user who does what happened; `seed` is for times that are not in the recording.
    pub fn new(events: EditingEvents, seed: u64) -> Self {
        Self {
            events,
            ended: false,
            actions: VecDeque::new(),
            fetches: VecDeque::new(),
            fetching: VecDeque::new(),
            typist: Typist::new(seed),
        }
    }

    /// Reads on until enough is known about what follows the first action.
    fn look_ahead(&mut self) -> Result<(), UserError> {
        let enough =
            |actions: &VecDeque<(Timestamp, UserAction)>| match (actions.front(), actions.back()) {
                (Some((first, _)), Some((last, _))) => {
                    actions.len() >= LOOK_AHEAD || last.0.saturating_sub(first.0) >= LONGEST_READING
                }
                _ => false,
            };
        while !self.ended && !enough(&self.actions) {
            match self.events.next().transpose()? {
                Some(event) => self.take(&event),
                None => self.ended = true,
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &EditingEvent) {
        let at = Timestamp(event.at);
        match &event.kind {
            EventKind::FetchStarted {
                document, request, ..
            } => {
                self.fetching.push_back((*request, DocumentId(*document)));
                if self.fetching.len() > 64 {
                    self.fetching.pop_front();
                }
            }
            EventKind::FetchEnded {
                request,
                cancelled: false,
                result,
                ..
            } if !result.is_empty() => {
                let from = self.fetching.iter().find(|(started, _)| started == request);
                if let Some(&(_, document)) = from {
                    let items = result.clone();
                    self.fetches.push_back(Fetch {
                        at,
                        document,
                        items,
                    });
                }
            }
            _ => {}
        }
        let horizon = at.0.saturating_sub(2 * LONGEST_READING);
        while self.fetches.front().is_some_and(|f| f.at.0 < horizon) {
            self.fetches.pop_front();
        }
        let Some(action) = action_of(event) else {
            return;
        };
        if let (UserAction::Edits(accepted), EventKind::Changed { before, .. }) =
            (&action, &event.kind)
            && accepted.accepts.is_some()
        {
            self.inject(at, before, accepted);
        }
        self.actions.push_back((at, action));
    }

    /// Shows the suggestion that is accepted now at the time when it first appeared.
    fn inject(&mut self, accepted_at: Timestamp, before: &Document, accepted: &UserEdit) {
        // States from which typing along leads to the accept, latest first.
        let mut chain: Vec<(usize, Appearance)> = Vec::new();
        for (index, (at, action)) in self.actions.iter().enumerate().rev() {
            let (text, cursor, edits) = match action {
                UserAction::Edits(edited) if edited.document == accepted.document => {
                    (&edited.after, edited.cursor, edited.accepts.is_none())
                }
                UserAction::Moves { document, cursor } if *document == accepted.document => {
                    (before, *cursor, false)
                }
                UserAction::Opens { document, .. } if *document == accepted.document => {
                    (before, Offset(0), false)
                }
                _ => continue,
            };
            let first = chain.is_empty();
            let along = leading(text, cursor, &accepted.after, accepted.cursor);
            let recent = accepted_at.0.saturating_sub(at.0) <= LONGEST_READING;
            let suggestion = match along.clone() {
                Some(along) if first || recent && action.is_edit() => Some(along),
                None if first => replacing(text, &accepted.after, accepted.cursor),
                _ => None,
            };
            let Some(suggestion) = suggestion else {
                break;
            };
            let appears = Appearance {
                at: *at,
                text: text.clone(),
                cursor,
                suggestion,
            };
            chain.push((index, appears));
            if !edits || along.is_none() {
                break;
            }
        }
        let Some((_, last)) = chain.first() else {
            return;
        };
        let (mut from, mut appeared) = (0, None);
        for (nth, (_, state)) in chain.iter().enumerate() {
            let until = match nth {
                0 => accepted_at,
                _ => chain[nth - 1].1.at,
            };
            let found = self.fetches.iter().find(|fetch| {
                (state.at..until).contains(&fetch.at)
                    && fetch.document == accepted.document
                    && fetch.leads(&state.text, &accepted.after)
            });
            if let Some(found) = found {
                (from, appeared) = (nth, Some(found.at));
            }
        }
        let appeared = appeared.unwrap_or_else(|| {
            let read = self.typist.accepts_after();
            last.at.max(Timestamp(accepted_at.0.saturating_sub(read)))
        });
        self.insert(accepted.document, chain, from, appeared);
    }

    /// Shows the suggestion in the states up to the `from`-th before the accept; in the earliest,
    /// at `appeared`.
    fn insert(
        &mut self,
        document: DocumentId,
        chain: Vec<(usize, Appearance)>,
        from: usize,
        appeared: Timestamp,
    ) {
        for (nth, (index, state)) in chain.into_iter().enumerate().take(from + 1) {
            let first = nth == from;
            let at = if first { appeared } else { state.at };
            let shows = UserAction::Shows {
                document,
                text: state.text,
                cursor: state.cursor,
                suggestion: state.suggestion,
            };
            if !first && let Some((_, UserAction::Edits(edited))) = self.actions.get_mut(index) {
                edited.asks = false;
            }
            let mut place = index + 1;
            while self
                .actions
                .get(place)
                .is_some_and(|(other, _)| *other <= at)
            {
                place += 1;
            }
            self.actions.insert(place, (at, shows));
        }
    }
}

/// A state and the suggestion that appears in it.
struct Appearance {
    at: Timestamp,
    text: Document,
    cursor: Offset,
    suggestion: Suggestion,
}

impl Fetch {
    /// Returns whether one of the fetched items turns `from` into `to`.
    fn leads(&self, from: &Document, to: &Document) -> bool {
        self.items.iter().any(|item| {
            let offset = |place| from.offset_of(place, PositionEncoding::Utf16);
            let (start, end) = (offset(item.range.start), offset(item.range.end));
            let range = start.min(end)..start.max(end);
            from.with_replaced(range, &item.text).has_same_text(to)
        })
    }
}

impl User for InjectedUser {
    fn next(&mut self) -> Result<Option<Timestamp>, UserError> {
        self.look_ahead()?;
        Ok(self.actions.front().map(|(at, _)| *at))
    }

    fn act(&mut self) -> Option<UserAction> {
        self.actions.pop_front().map(|(_, action)| action)
    }
}

/// Returns the action of an event; `None` for events that are only noted.
pub(super) fn action_of(event: &EditingEvent) -> Option<UserAction> {
    Some(match &event.kind {
        EventKind::Opened {
            document,
            file_name,
            language,
            text,
            ..
        } => UserAction::Opens {
            document: DocumentId(*document),
            name: DocumentName::new(file_name.clone(), language.clone()),
            text: text.clone(),
        },
        EventKind::Closed { document } => UserAction::Closes {
            document: DocumentId(*document),
        },
        EventKind::Changed {
            document,
            before,
            after,
            edits,
            cursor,
            kind,
            reason,
            ..
        } => {
            let accepts = reason.as_deref() == Some("inlineSuggestion.accept");
            UserAction::Edits(UserEdit {
                document: DocumentId(*document),
                after: after.clone(),
                cursor: *cursor,
                kind: *kind,
                accepts: accepts.then(|| UserAccept {
                    part: AcceptedPart::All,
                    characters: inserted(before, edits),
                    lines: 1 + after.line_count().saturating_sub(before.line_count()),
                    suggestion: None,
                }),
                asks: true,
            })
        }
        EventKind::Moved {
            document, cursor, ..
        } => UserAction::Moves {
            document: DocumentId(*document),
            cursor: *cursor,
        },
        EventKind::FetchStarted { .. } | EventKind::FetchEnded { .. } => return None,
    })
}

/// Returns the number of characters that a change adds to the text.
fn inserted(before: &Document, edits: &[ByteEdit]) -> usize {
    let characters = |text: &str| text.chars().count();
    let added: usize = edits.iter().map(|edit| characters(&edit.text)).sum();
    let gone = edits.iter().map(|edit| before.slice(edit.range.clone()));
    added.saturating_sub(gone.map(|text| characters(&text)).sum())
}

/// Returns the suggestion at the cursor whose accept leads from one state to the other.
fn leading(
    text: &Document,
    cursor: Offset,
    after: &Document,
    cursor_after: Offset,
) -> Option<Suggestion> {
    let inserted = cursor_after.0.checked_sub(cursor.0).filter(|&n| n > 0)?;
    let covered = (text.len() + inserted).checked_sub(after.len())?;
    let line = text.line_range(text.line_of(cursor));
    let end = Offset(cursor.0 + covered);
    let suggestion = Suggestion {
        range: cursor..end,
        text: after.slice(cursor..cursor_after),
    };
    let (leads_to, _) = suggestion.apply(text);
    (end <= line.end && leads_to.has_same_text(after)).then_some(suggestion)
}

/// Returns the suggestion anywhere in `text` whose accept leads to `after`, with the cursor at its
/// end.
fn replacing(text: &Document, after: &Document, cursor_after: Offset) -> Option<Suggestion> {
    let after_cursor = after.len().checked_sub(cursor_after.0)?;
    let end = Offset(text.len().checked_sub(after_cursor)?);
    let (old, new) = (
        text.slice(Offset(0)..end),
        after.slice(Offset(0)..cursor_after),
    );
    let same = old.chars().zip(new.chars()).take_while(|(a, b)| a == b);
    let start: usize = same.map(|(char, _)| char.len_utf8()).sum();
    let suggestion = Suggestion {
        range: Offset(start)..end,
        text: new[start..].to_owned(),
    };
    let (leads_to, _) = suggestion.apply(text);
    leads_to.has_same_text(after).then_some(suggestion)
}
