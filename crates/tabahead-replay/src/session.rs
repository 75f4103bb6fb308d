//! From a file to the user who edits as it says.

use std::{collections::HashSet, path::Path};

use crate::{
    editing::Editing,
    recording::{Entries, EntryKind, RecordingEntry, RecordingError},
    user::{EditingEvents, InjectedUser, RecordedUser, TypingUser, User, UserError},
};

/// How the user of a recording behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Does what was recorded.
    Recorded,
    /// Does what was recorded; recorded accepts are of suggestions served as if they were ours.
    Inject,
    /// Types what was recorded, and accepts suggestions that agree with it.
    Typist,
}

/// Creates the user of a recording. `seed` determines everything drawn by chance. Documents whose
/// path `is_private` are left out: their text is shown to no model.
///
/// # Errors
/// When the recording cannot be read.
pub fn user(
    mode: Mode,
    recording: &Path,
    seed: u64,
    is_private: Box<dyn Fn(&str) -> bool>,
) -> Result<Box<dyn User>, UserError> {
    let entries = PublicEntries::new(Entries::open(recording)?, is_private);
    let events: EditingEvents = Box::new(Editing::new(entries));
    Ok(match mode {
        Mode::Recorded => Box::new(RecordedUser::new(events)),
        Mode::Inject => Box::new(InjectedUser::new(events, seed)),
        Mode::Typist => Box::new(TypingUser::new(events, seed)),
    })
}

/// Entries without those of private documents.
struct PublicEntries<I> {
    entries: I,
    is_private: Box<dyn Fn(&str) -> bool>,
    documents: HashSet<u64>,
    requests: HashSet<u64>,
}

impl<I> PublicEntries<I> {
    fn new(entries: I, is_private: Box<dyn Fn(&str) -> bool>) -> Self {
        Self {
            entries,
            is_private,
            documents: HashSet::new(),
            requests: HashSet::new(),
        }
    }

    fn is_left_out(&mut self, kind: &EntryKind) -> bool {
        match kind {
            // The document may have had another name before.
            EntryKind::DocumentEncountered { id, path } if (self.is_private)(path) => {
                self.documents.insert(*id);
                true
            }
            EntryKind::DocumentEncountered { id, .. } => {
                self.documents.remove(id);
                false
            }
            EntryKind::FetchStarted { id, request, .. } if self.documents.contains(id) => {
                self.requests.insert(*request);
                true
            }
            EntryKind::FetchEnded { request, .. } => self.requests.remove(request),
            EntryKind::SetContent { id, .. }
            | EntryKind::StoreContent { id, .. }
            | EntryKind::RestoreContent { id, .. }
            | EntryKind::Opened { id }
            | EntryKind::Closed { id }
            | EntryKind::Changed { id, .. }
            | EntryKind::ChangeReason { id, .. }
            | EntryKind::SelectionChanged { id, .. }
            | EntryKind::FetchStarted { id, .. } => self.documents.contains(id),
            _ => false,
        }
    }
}

impl<I: Iterator<Item = Result<RecordingEntry, RecordingError>>> Iterator for PublicEntries<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = self.entries.next()?;
            if !(entry.as_ref()).is_ok_and(|entry| self.is_left_out(&entry.kind)) {
                return Some(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{RecordingForm, Replacement, line};

    #[test]
    fn private_documents_are_left_out_with_all_that_happens_in_them() {
        let document = |id: u64, path: &str| {
            let edit = Replacement::new(0..0, "x");
            [
                EntryKind::DocumentEncountered {
                    id,
                    path: path.to_owned(),
                },
                EntryKind::SetContent {
                    id,
                    version: Some(1),
                    content: format!("text of {path}"),
                },
                EntryKind::Opened { id },
                EntryKind::Changed {
                    id,
                    version: Some(2),
                    edits: vec![edit],
                },
                EntryKind::FetchStarted {
                    id,
                    request: id,
                    version: Some(2),
                },
                EntryKind::FetchEnded {
                    request: id,
                    duration: std::time::Duration::ZERO,
                    cancelled: false,
                    result: Vec::new(),
                },
                EntryKind::Closed { id },
            ]
        };
        let header = [EntryKind::Header { root: None }];
        let all = header
            .into_iter()
            .chain(document(1, "a.rs"))
            .chain(document(2, ".env"));
        let lines: String = all.map(|kind| line(Some(1), &kind)).collect();
        let read = || {
            Entries::read(
                Path::new("r"),
                RecordingForm::Lines,
                std::io::Cursor::new(lines.clone()),
            )
        };
        let is_private = |path: &str| path == ".env";
        let left = PublicEntries::new(read(), Box::new(is_private));
        let left: Vec<_> = left.map(|entry| entry.expect("it is good").kind).collect();
        let expected: Vec<_> = read()
            .take(8)
            .map(|entry| entry.expect("it is good").kind)
            .collect();
        assert_eq!(left, expected);
        for event in Editing::new(PublicEntries::new(read(), Box::new(is_private))) {
            event.expect("nothing is missing");
        }
    }
}
