//! From the entries of a recording to what a user did: documents as texts, and each change with the
//! cursor after it and the kind of act that it was.
//!
//! Recorders write the reason of a change and the cursor after it as separate entries, shortly
//! after the change. So a change is read together with a few entries that follow it. Only the
//! current texts and the stored contents are kept.

mod classify;
mod convert;
mod problem;

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    time::Duration,
};

use tabahead_text::{Document, Offset, PositionEncoding, Version, language_of};

pub use classify::EditKind;
pub use problem::{EditingError, Inconsistency, Problem};

use crate::recording::{EntryKind, FetchedItem, RecordingEntry, RecordingError, Replacement};

/// Maximum number of entries after a change that are searched for its reason and its cursor.
const LOOK_AHEAD: usize = 64;

/// Maximum delay of a cursor that belongs to a change, in milliseconds.
const SELECTION_DELAY: u64 = 20;

/// Something that happened while a user edited.
#[derive(Debug, Clone)]
pub struct EditingEvent {
    /// Number of the entry that reports it, from 1.
    pub entry: usize,
    /// Time since the first entry that has a time. Never less than that of the event before:
    /// entries without a time, and texts, whose time may be the recording's end, happen with the
    /// one before.
    pub at: Duration,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Offsets are bytes.
#[derive(Debug, Clone)]
pub enum EventKind {
    /// A document got a text that did not come from a change.
    Opened {
        /// The document.
        document: u64,
        /// The last component of its path.
        file_name: String,
        /// Its path as recorded.
        path: String,
        /// Its LSP language id; empty if its name does not determine one.
        language: String,
        /// Its text.
        text: Document,
    },
    /// A document no longer has a text.
    Closed {
        /// The document.
        document: u64,
    },
    /// A text changed.
    Changed {
        /// The document.
        document: u64,
        /// The text before.
        before: Document,
        /// The text afterwards; its version is one more.
        after: Document,
        /// The replacements, from the beginning of the text to its end.
        edits: Vec<ByteEdit>,
        /// The cursor afterwards, in `after`.
        cursor: Offset,
        /// The kind of act that it was.
        kind: EditKind,
        /// The editor's reason, if it gave one.
        reason: Option<String>,
    },
    /// The cursor was moved without a change.
    Moved {
        /// The document.
        document: u64,
        /// The new cursor.
        cursor: Offset,
        /// Whether it came from another document or from further than the next line.
        far: bool,
    },
    /// The editor asked another product for suggestions.
    FetchStarted {
        /// The document.
        document: u64,
        /// The number of the request.
        request: u64,
        /// The editor's number for the text that it asked about.
        version: Option<i64>,
    },
    /// Another product answered, or its request was cancelled.
    FetchEnded {
        /// The number of the request.
        request: u64,
        /// Time that the request took.
        duration: Duration,
        /// Whether the editor cancelled the request.
        cancelled: bool,
        /// The suggestions.
        result: Vec<FetchedItem>,
    },
}

/// A range of the text before a change, and its replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByteEdit {
    /// The replaced range.
    pub range: Range<Offset>,
    /// The new text.
    pub text: String,
}

/// What a user did, in order. Goes on after an inconsistency: entries that do not fit are left out,
/// and a document whose text is no longer known is closed until it gets a new one.
pub struct Editing<I> {
    entries: I,
    ahead: VecDeque<Result<RecordingEntry, RecordingError>>,
    found: VecDeque<Result<EditingEvent, EditingError>>,
    clock: Clock,
    paths: HashMap<u64, String>,
    documents: HashMap<u64, EditedDocument>,
    stored: HashMap<String, Document>,
    /// The document in which the user was last.
    current: Option<u64>,
}

/// A document with a text.
struct EditedDocument {
    text: Document,
    /// The cursor in UTF-16 code units; `None` before it was reported.
    cursor: Option<usize>,
}

impl<I: Iterator<Item = Result<RecordingEntry, RecordingError>>> Editing<I> {
    /// Creates the iterator over what the recorded user did.
    pub fn new(entries: I) -> Self {
        Self {
            entries,
            ahead: VecDeque::new(),
            found: VecDeque::new(),
            clock: Clock::default(),
            paths: HashMap::new(),
            documents: HashMap::new(),
            stored: HashMap::new(),
            current: None,
        }
    }

    fn take(&mut self, entry: RecordingEntry) {
        let RecordingEntry { number, time, kind } = entry;
        if !is_act(&kind) {
            self.clock.begins_before(time);
            self.content(number, kind);
            return;
        }
        let at = self.clock.advance(time);
        match kind {
            EntryKind::Changed { id, version, edits } => {
                let context = self.context_of(id, version, time);
                self.change(number, id, &edits, context);
            }
            EntryKind::SelectionChanged { id, selections } => {
                if let Some(last) = selections.last() {
                    self.select(number, id, last);
                }
            }
            EntryKind::Closed { id } => self.close(number, id),
            EntryKind::FetchStarted {
                id,
                request,
                version,
            } => self.push(
                number,
                at,
                EventKind::FetchStarted {
                    document: id,
                    request,
                    version,
                },
            ),
            EntryKind::FetchEnded {
                request,
                duration,
                cancelled,
                result,
            } => self.push(
                number,
                at,
                EventKind::FetchEnded {
                    request,
                    duration,
                    cancelled,
                    result,
                },
            ),
            _ => {}
        }
    }

    fn content(&mut self, number: usize, kind: EntryKind) {
        match kind {
            EntryKind::DocumentEncountered { id, path } => {
                self.paths.insert(id, path);
            }
            EntryKind::SetContent { id, content, .. } => {
                self.open(number, id, Document::new(&content, Version(1)));
            }
            EntryKind::StoreContent { id, content_id } => match self.documents.get(&id) {
                Some(open) => {
                    self.stored.insert(content_id, open.text.clone());
                }
                None => self.problem(number, id, Problem::NoContent),
            },
            EntryKind::RestoreContent { id, content_id, .. } => {
                let Some(text) = self.stored.get(&content_id).cloned() else {
                    self.problem(number, id, Problem::NotStored(content_id));
                    return;
                };
                // A closed document may have lost changes that were not saved; an open one may not.
                if let Some(open) = self.documents.get(&id)
                    && !open.text.has_same_text(&text)
                {
                    self.problem(number, id, Problem::RestoredOther);
                }
                self.open(number, id, text);
            }
            _ => {}
        }
    }

    fn open(&mut self, number: usize, id: u64, text: Document) {
        self.close(number, id);
        let Some(path) = self.paths.get(&id).cloned() else {
            self.problem(number, id, Problem::NotEncountered);
            return;
        };
        let file_name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let kind = EventKind::Opened {
            document: id,
            file_name: file_name.to_owned(),
            language: language_of(file_name).to_owned(),
            text: text.clone(),
            path,
        };
        self.documents
            .insert(id, EditedDocument { text, cursor: None });
        self.push(number, self.clock.now, kind);
    }

    fn close(&mut self, number: usize, id: u64) {
        if self.documents.remove(&id).is_some() {
            self.push(number, self.clock.now, EventKind::Closed { document: id });
        }
    }

    fn change(&mut self, number: usize, id: u64, edits: &[Replacement], context: ChangeContext) {
        let Some(open) = self.documents.get_mut(&id) else {
            self.problem(number, id, Problem::NoContent);
            return;
        };
        let before = open.text.clone();
        let edits = match convert::byte_edits(&before, edits) {
            Ok(edits) => edits,
            Err(problem) => {
                self.problem(number, id, problem);
                self.close(number, id);
                return;
            }
        };
        let after = applied(&before, &edits);
        let length = after.utf16_unit_of(Offset(after.len()));
        let reported = context.selection.as_ref().map(|selection| selection.end);
        let cursor = reported.unwrap_or_else(|| after_last(&before, &edits, open.cursor));
        let edit_kind = classify::classify(&classify::RecordedChange {
            before: &before,
            edits: &edits,
            reason: context.reason.as_deref(),
            cursor: open.cursor.filter(|_| self.current == Some(id)),
            cursor_after: cursor,
            is_cursor_reported: reported.is_some(),
        });
        open.text = after.clone();
        open.cursor = Some(cursor.min(length));
        self.current = Some(id);
        if cursor > length {
            let problem = Problem::SelectionOutside { cursor, length };
            self.problem(number, id, problem);
        }
        let cursor = after.offset_of_utf16_unit(cursor.min(length));
        let kind = EventKind::Changed {
            document: id,
            before,
            cursor: cursor.unwrap_or(Offset(after.len())),
            after,
            edits,
            kind: edit_kind,
            reason: context.reason,
        };
        self.push(number, self.clock.now, kind);
    }

    fn select(&mut self, number: usize, id: u64, selection: &Range<usize>) {
        // Cursors are also reported for documents whose text never is: output panels, for example.
        let Some(open) = self.documents.get_mut(&id) else {
            return;
        };
        let furthest = selection.start.max(selection.end);
        let cursor = open.text.offset_of_utf16_unit(selection.end);
        let (Some(cursor), Some(_)) = (cursor, open.text.offset_of_utf16_unit(furthest)) else {
            let length = open.text.utf16_unit_of(Offset(open.text.len()));
            let problem = Problem::SelectionOutside {
                cursor: furthest,
                length,
            };
            self.problem(number, id, problem);
            return;
        };
        let before = open.cursor.filter(|_| self.current == Some(id));
        open.cursor = Some(selection.end);
        self.current = Some(id);
        if selection.start != selection.end || before == Some(selection.end) {
            return;
        }
        let line_at = |unit| {
            let offset = open.text.offset_of_utf16_unit(unit);
            offset.map(|offset| open.text.line_of(offset))
        };
        let far = match before.and_then(line_at) {
            Some(line) => line.abs_diff(open.text.line_of(cursor)) > 1,
            None => true,
        };
        let kind = EventKind::Moved {
            document: id,
            cursor,
            far,
        };
        self.push(number, self.clock.now, kind);
    }

    /// Looks at what follows a change. Its cursor is taken out, so that it is not a move too.
    fn context_of(&mut self, id: u64, version: Option<i64>, time: Option<u64>) -> ChangeContext {
        let mut context = ChangeContext::default();
        let mut selection = None;
        let mut is_first = true;
        for index in 0..LOOK_AHEAD {
            let Some(Ok(entry)) = self.look(index) else {
                break;
            };
            match &entry.kind {
                EntryKind::ChangeReason {
                    id: of,
                    version: changed,
                    reason,
                } => {
                    if *of == id && *changed == version && context.reason.is_none() {
                        context.reason = Some(reason.clone());
                    }
                }
                EntryKind::SelectionChanged { id: of, selections } => {
                    if *of != id {
                        break;
                    }
                    let delay = time.zip(entry.time).map_or(0, |(a, b)| a.abs_diff(b));
                    if is_first && delay <= SELECTION_DELAY && !selections.is_empty() {
                        selection = Some(index);
                    }
                    is_first = false;
                }
                EntryKind::FetchStarted { .. }
                | EntryKind::FetchEnded { .. }
                | EntryKind::StoreContent { .. }
                | EntryKind::Other => {}
                _ => break,
            }
        }
        let selection = selection.and_then(|index| self.ahead.remove(index));
        if let Some(Ok(RecordingEntry {
            kind: EntryKind::SelectionChanged { selections, .. },
            ..
        })) = selection
        {
            context.selection = selections.last().cloned();
        }
        context
    }

    fn look(&mut self, index: usize) -> Option<&Result<RecordingEntry, RecordingError>> {
        while self.ahead.len() <= index {
            self.ahead.push_back(self.entries.next()?);
        }
        self.ahead.get(index)
    }

    fn push(&mut self, entry: usize, at: Duration, kind: EventKind) {
        self.found.push_back(Ok(EditingEvent { entry, at, kind }));
    }

    fn problem(&mut self, entry: usize, document: u64, problem: Problem) {
        let inconsistency = Inconsistency {
            entry,
            document,
            problem,
        };
        self.found.push_back(Err(inconsistency.into()));
    }
}

impl<I: Iterator<Item = Result<RecordingEntry, RecordingError>>> Iterator for Editing<I> {
    type Item = Result<EditingEvent, EditingError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(found);
            }
            match self.ahead.pop_front().or_else(|| self.entries.next())? {
                Ok(entry) => self.take(entry),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

/// Facts about a change from the entries after it.
#[derive(Default)]
struct ChangeContext {
    reason: Option<String>,
    selection: Option<Range<usize>>,
}

/// Returns whether the time of an entry is the time when its event happened.
fn is_act(kind: &EntryKind) -> bool {
    !matches!(
        kind,
        EntryKind::Header { .. }
            | EntryKind::DocumentEncountered { .. }
            | EntryKind::SetContent { .. }
            | EntryKind::StoreContent { .. }
            | EntryKind::RestoreContent { .. }
            | EntryKind::Other
    )
}

/// The times of entries, made to ascend from zero.
#[derive(Default)]
struct Clock {
    origin: Option<u64>,
    is_running: bool,
    now: Duration,
}

impl Clock {
    /// Takes the time of an entry that is not an act: the recording begins no later.
    fn begins_before(&mut self, time: Option<u64>) {
        if !self.is_running {
            self.origin = [self.origin, time].into_iter().flatten().min();
        }
    }

    /// Returns the time of an act.
    fn advance(&mut self, time: Option<u64>) -> Duration {
        if let Some(time) = time {
            self.begins_before(Some(time));
            self.is_running = true;
            let since = time.saturating_sub(self.origin.unwrap_or(time));
            self.now = self.now.max(Duration::from_millis(since));
        }
        self.now
    }
}

/// Returns the text after edits that all refer to `before`. Its version is one more.
fn applied(before: &Document, edits: &[ByteEdit]) -> Document {
    // From the end, so that the offsets of the remaining edits stay right.
    let mut after = edits.iter().rev().fold(before.clone(), |text, edit| {
        text.with_replaced(edit.range.clone(), &edit.text)
    });
    let Version(version) = before.version();
    let next = Version(version.saturating_add(1));
    after.apply(&[], PositionEncoding::Utf16, next);
    after
}

/// Returns the cursor if it was not reported: after what was written last.
fn after_last(before: &Document, edits: &[ByteEdit], cursor: Option<usize>) -> usize {
    let Some(last) = edits.last() else {
        return cursor.unwrap_or(0);
    };
    let units = |text: &str| text.encode_utf16().count();
    let written: usize = edits.iter().map(|edit| units(&edit.text)).sum();
    let others = &edits[..edits.len() - 1];
    let removed: usize = others
        .iter()
        .map(|edit| before.utf16_unit_of(edit.range.end) - before.utf16_unit_of(edit.range.start))
        .sum();
    before.utf16_unit_of(last.range.start) + written - removed
}

#[cfg(test)]
mod tests;
