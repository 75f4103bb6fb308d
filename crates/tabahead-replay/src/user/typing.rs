//! A simulated user: types the text that the recording ends up with, at the recording's pace, and
//! accepts a suggestion if it agrees with that text and was shown long enough to be read.
//!
//! Consecutive changes at one place form a *stretch*: whatever was typed, corrected, pasted in a
//! line or accepted there comes down to one text. The typist types that text key by key. The k-th
//! key waits as long as the recording's k-th change did, later keys as long as typists do.
//! Everything else happens as recorded, with the same delay after the stretch. A line end and the
//! indentation after it are one key, because editors indent automatically; brackets are not closed
//! automatically.

use std::{collections::VecDeque, time::Duration};

use tabahead_context::Suggestion;
use tabahead_speculation::{DocumentId, Timestamp};
use tabahead_text::{Document, Offset};

use super::{
    AcceptedPart, EditingEvents, Screen, User, UserAccept, UserAction, UserEdit, UserError,
    recorded::action_of,
};
use crate::{
    editing::{EditKind, EditingEvent, EventKind},
    typist::Typist,
};

/// Minimum number of characters that are worth the Tab key.
const LEAST_CHARACTERS: usize = 2;

/// Maximum length of an insertion that is typed; a longer one was pasted.
const LONGEST_TYPED: usize = 400;

/// Maximum number of changes in a stretch.
const LONGEST_STRETCH: usize = 5_000;

/// The simulated user.
pub struct TypingUser {
    events: EditingEvents,
    /// Events that were read but not begun.
    ahead: VecDeque<EditingEvent>,
    /// The rest of the stretch that is being typed.
    stretch: Option<Stretch>,
    action: Option<PlannedAction>,
    /// The typist's time at the recording's time `recorded`.
    now: Timestamp,
    recorded: Duration,
    screen: Option<Screen>,
    /// Since when the suggestion on the screen is shown, and how long it is read, once that is
    /// decided.
    reading: Option<(Timestamp, Duration)>,
    /// Nothing is typed before this time.
    rests_until: Timestamp,
    typist: Typist,
}

/// The text typed at one place.
struct Stretch {
    document: DocumentId,
    /// The current text: the document before the stretch, with the keys typed so far.
    before: Document,
    /// Range that the stretch replaces, until the first key is typed.
    replaces: Option<std::ops::Range<Offset>>,
    /// Text still to be typed.
    rest: String,
    cursor: Offset,
    gaps: VecDeque<Duration>,
    /// Whether the cursor comes from elsewhere.
    jumps: bool,
    /// The recording's time at the end of the stretch.
    ends: Duration,
}

/// The action that comes next.
enum PlannedAction {
    Recorded(Timestamp, Box<UserAction>, Duration),
    Key(Timestamp),
    Accept(Timestamp, AcceptedPart),
}

impl TypingUser {
    /// Creates a typist of what happened.
    pub fn new(events: EditingEvents, seed: u64) -> Self {
        Self {
            events,
            ahead: VecDeque::new(),
            stretch: None,
            action: None,
            now: Timestamp::default(),
            recorded: Duration::ZERO,
            screen: None,
            reading: None,
            rests_until: Timestamp::default(),
            typist: Typist::new(seed),
        }
    }

    fn peek(&mut self, nth: usize) -> Result<Option<&EditingEvent>, UserError> {
        while self.ahead.len() <= nth {
            match self.events.next().transpose()? {
                Some(event) => self.ahead.push_back(event),
                None => return Ok(None),
            }
        }
        Ok(self.ahead.get(nth))
    }

    /// Plans the next action from the current state.
    fn plan(&mut self) -> Result<(), UserError> {
        while self.action.is_none() {
            if let Some(stretch) = &mut self.stretch {
                if stretch.rest.is_empty() && stretch.replaces.is_none() {
                    self.recorded = stretch.ends;
                    self.stretch = None;
                    continue;
                }
                let gap = match stretch.gaps.pop_front() {
                    Some(gap) => gap,
                    None => self.typist.next_key(),
                };
                let due = Timestamp((self.now.0 + gap).max(self.rests_until.0));
                self.action = Some(PlannedAction::Key(due));
                self.reconsider();
                return Ok(());
            }
            if self.begin_stretch()? {
                continue;
            }
            let Some(event) = self.ahead.pop_front() else {
                return Ok(());
            };
            if let Some(mut action) = action_of(&event) {
                if let UserAction::Edits(edited) = &mut action {
                    // This accept was not of our suggestions, and the text was not typed either.
                    edited.accepts = None;
                }
                let due = self.now.0 + event.at.saturating_sub(self.recorded);
                let due = Timestamp(due.max(self.rests_until.0));
                self.action = Some(PlannedAction::Recorded(due, Box::new(action), event.at));
            }
        }
        Ok(())
    }

    /// Takes the next changes together if they are typed at one place; returns whether it did.
    fn begin_stretch(&mut self) -> Result<bool, UserError> {
        let mut region = Region::default();
        let mut gaps = VecDeque::new();
        let mut last = self.recorded;
        let mut taken = 0;
        let mut end = None;
        for nth in 0..LONGEST_STRETCH {
            let Some(event) = self.peek(nth)? else {
                break;
            };
            match &event.kind {
                EventKind::FetchStarted { .. } | EventKind::FetchEnded { .. } => continue,
                EventKind::Changed { .. } if region.take(&event.kind) => {
                    gaps.push_back(event.at.saturating_sub(last));
                    last = event.at;
                    taken = nth + 1;
                    if let EventKind::Changed {
                        document,
                        after,
                        cursor,
                        ..
                    } = &event.kind
                    {
                        end = Some((DocumentId(*document), after.clone(), *cursor));
                    }
                }
                _ => break,
            }
        }
        let (Some(before), Some((document, after, _))) = (region.before, end) else {
            self.peek(0)?;
            return Ok(false);
        };
        let typed = after.slice(Offset(region.start)..Offset(region.end));
        self.ahead.drain(..taken);
        let replaces = (Offset(region.start), Offset(region.start + region.replaced));
        self.stretch = Some(Stretch {
            document,
            replaces: (replaces.0 < replaces.1).then_some(replaces.0..replaces.1),
            cursor: replaces.0,
            before,
            rest: typed,
            gaps,
            jumps: region.jumps,
            ends: last,
        });
        Ok(true)
    }

    /// Accepts the suggestion on the screen instead of typing on, if it has been read by then.
    fn reconsider(&mut self) {
        let (Some(stretch), Some(screen)) = (&self.stretch, &self.screen) else {
            return;
        };
        let due = match &self.action {
            Some(PlannedAction::Key(due)) => *due,
            _ => return,
        };
        let Some(part) = stretch.agrees(screen) else {
            return;
        };
        let reading = match self.reading {
            Some((since, reading)) if since == screen.since => reading,
            _ => {
                let reading = self.typist.accepts_after();
                self.reading = Some((screen.since, reading));
                reading
            }
        };
        let accepts = Timestamp((screen.since.0 + reading).max(self.now.0));
        if accepts < due {
            // The accept comes first; the key is planned again afterwards.
            self.action = Some(PlannedAction::Accept(accepts, part));
        }
    }

    fn presses_key(&mut self) -> Option<UserAction> {
        let stretch = self.stretch.as_mut()?;
        let key = next_key(&stretch.rest);
        let typed: String = stretch.rest.drain(..key).collect();
        let kind = match std::mem::take(&mut stretch.jumps) {
            true => EditKind::Jump,
            false if typed.starts_with(['\n', '\r']) => EditKind::Enter,
            false if typed.is_empty() => EditKind::Deletion,
            false => EditKind::Keystroke,
        };
        let at = stretch.cursor;
        let range = stretch.replaces.take().unwrap_or(at..at);
        stretch.before = stretch.before.with_replaced(range, &typed);
        stretch.cursor = Offset(at.0 + typed.len());
        Some(UserAction::Edits(UserEdit {
            document: stretch.document,
            after: stretch.before.clone(),
            cursor: stretch.cursor,
            kind,
            accepts: None,
            asks: true,
        }))
    }

    fn presses_tab(&mut self, part: AcceptedPart) -> Option<UserAction> {
        let screen = self.screen.take()?;
        let stretch = self.stretch.as_mut()?;
        let text = part_of(&screen.suggestion.text, part);
        let mut keys = 0;
        let mut counted = 0;
        while counted < text.len() {
            counted += next_key(&stretch.rest[counted..]);
            keys += 1;
        }
        // The keys that the accept saves take their pauses with them.
        stretch.gaps.drain(..keys.min(stretch.gaps.len()));
        stretch.rest.drain(..text.len());
        let (at, replaced) = (stretch.cursor, stretch.replaces.take());
        let lines_before = stretch.before.line_count();
        stretch.before = stretch
            .before
            .with_replaced(replaced.unwrap_or(at..at), text);
        stretch.cursor = Offset(at.0 + text.len());
        self.rests_until = Timestamp(self.now.0 + self.typist.edits_after_accept());
        Some(UserAction::Edits(UserEdit {
            document: stretch.document,
            after: stretch.before.clone(),
            cursor: stretch.cursor,
            kind: EditKind::Accept,
            accepts: Some(UserAccept {
                part,
                characters: text.chars().count(),
                lines: 1 + stretch.before.line_count().saturating_sub(lines_before),
                suggestion: (part == AcceptedPart::All).then_some(screen.id),
            }),
            asks: true,
        }))
    }
}

impl User for TypingUser {
    fn next(&mut self) -> Result<Option<Timestamp>, UserError> {
        self.plan()?;
        Ok(self.action.as_ref().map(|action| match action {
            PlannedAction::Recorded(at, ..)
            | PlannedAction::Key(at)
            | PlannedAction::Accept(at, _) => *at,
        }))
    }

    fn act(&mut self) -> Option<UserAction> {
        match self.action.take()? {
            PlannedAction::Recorded(at, action, recorded) => {
                self.now = at;
                self.recorded = recorded;
                Some(*action)
            }
            PlannedAction::Key(at) => {
                self.now = at;
                self.presses_key()
            }
            PlannedAction::Accept(at, part) => {
                self.now = at;
                self.presses_tab(part)
            }
        }
    }

    fn sees(&mut self, now: Timestamp, screen: Option<&Screen>) {
        self.screen = screen.cloned();
        if let Some(PlannedAction::Accept(..)) = self.action {
            self.action = None;
        }
        let before = self.now;
        self.now = now.max(before);
        self.reconsider();
        self.now = before;
    }
}

impl Stretch {
    /// Returns how much of a suggestion agrees with the text to be typed; `None` if it is not worth
    /// a key.
    fn agrees(&self, screen: &Screen) -> Option<AcceptedPart> {
        let Suggestion { range, text } = &screen.suggestion;
        let here = screen.document == self.document
            && range.start == self.cursor
            && range.end == self.cursor
            && self.replaces.is_none();
        let parts = [AcceptedPart::All, AcceptedPart::Line, AcceptedPart::Word];
        let agreed = parts.into_iter().find(|part| {
            let text = part_of(text, *part);
            let longer = text.chars().count() >= LEAST_CHARACTERS;
            longer && self.rest.starts_with(text) && ends_with_key(&self.rest, text.len())
        });
        agreed.filter(|_| here)
    }
}

/// The region that a stretch has typed so far.
#[derive(Default)]
struct Region {
    before: Option<Document>,
    document: u64,
    start: usize,
    end: usize,
    /// Number of bytes of `before` that are gone.
    replaced: usize,
    /// Whether the cursor was elsewhere.
    jumps: bool,
}

impl Region {
    /// Takes a change if it continues at this place; returns whether it did.
    fn take(&mut self, event: &EventKind) -> bool {
        let EventKind::Changed {
            document,
            before,
            edits,
            kind,
            reason,
            ..
        } = event
        else {
            return false;
        };
        let [edit] = &edits[..] else { return false };
        let accepted = reason.as_deref() == Some("inlineSuggestion.accept");
        let typed = match kind {
            EditKind::Keystroke | EditKind::Enter => true,
            EditKind::Deletion => self.before.is_some(),
            EditKind::Accept | EditKind::Insert => accepted || edit.text.len() <= LONGEST_TYPED,
            EditKind::Jump => self.before.is_none() && edit.text.len() <= LONGEST_TYPED,
            EditKind::Other => false,
        };
        if !typed || (reason.is_some() && !accepted) {
            return false;
        }
        let (start, end) = (edit.range.start.0, edit.range.end.0);
        if self.before.is_none() {
            *self = Self {
                before: Some(before.clone()),
                document: *document,
                start,
                end: start + edit.text.len(),
                replaced: end - start,
                jumps: *kind == EditKind::Jump,
            };
            return true;
        }
        let inside = *document == self.document && start >= self.start && end <= self.end;
        if inside {
            self.end = self.end - (end - start) + edit.text.len();
        }
        inside
    }
}

/// Returns the length of the next key in bytes: a character, or a line end with the indentation
/// after it.
fn next_key(text: &str) -> usize {
    let line_end = match text.as_bytes() {
        [b'\r', b'\n', ..] => 2,
        [b'\n' | b'\r', ..] => 1,
        _ => return text.chars().next().map_or(0, char::len_utf8),
    };
    let after = &text[line_end..];
    line_end + (after.len() - after.trim_start_matches([' ', '\t']).len())
}

/// Returns whether a key ends at `at`, so that typing can continue there.
fn ends_with_key(text: &str, at: usize) -> bool {
    let mut end = 0;
    while end < at {
        end += next_key(&text[end..]);
    }
    end == at
}

/// Returns the part of a suggestion that is accepted.
fn part_of(text: &str, part: AcceptedPart) -> &str {
    let end = match part {
        AcceptedPart::All => text.len(),
        AcceptedPart::Line => match text.trim_start_matches(['\r', '\n']).find('\n') {
            Some(at) => text.len() - text.trim_start_matches(['\r', '\n']).len() + at,
            None => text.len(),
        },
        AcceptedPart::Word => {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let start = text.find(word).unwrap_or(0);
            let length = text[start..]
                .find(|c| !word(c))
                .unwrap_or(text.len() - start);
            start + length
        }
    };
    &text[..end]
}
