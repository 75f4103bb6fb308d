//! The wall clock: the real server over standard input and output, in real time.
//!
//! No other module here reads a clock or starts the server. `wall/server.rs` speaks to the server;
//! its answers are counted as on the virtual clock. Some figures need a fresh process: whether
//! there was something to show next, and whether a fresh process would show what was shown. They
//! are asked of another process afterwards, so that it takes no computing time from the first.

mod server;

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tabahead_context::{DocumentName, State, Suggestion};
use tabahead_speculation::{DocumentId, Origin, SuggestionId, Timestamp};
use tabahead_text::{Document, Offset, PositionEncoding};

use crate::{
    figures::{AcceptFacts, Figures, RequestEnd, RequestFacts, RequestResult},
    policy::PolicyName,
    simulation::RunResult,
    timeline::{Moment, Timeline},
    user::{Screen, User, UserAction, UserEdit, UserError},
};

pub use server::ServerError;
use server::{ArrivedAnswer, Server};

/// How the server is started and how long pauses last.
#[derive(Debug, Clone)]
pub struct WallSetup {
    /// Path of the program.
    pub program: PathBuf,
    /// Arguments of the program: `lsp` and its flags.
    pub arguments: Vec<String>,
    /// Longest pause of the user; longer ones are shortened to this.
    pub longest_pause: Duration,
    /// Whether to keep a timeline, for a picture.
    pub timeline: bool,
}

/// Why a run in real time failed.
#[derive(Debug, thiserror::Error)]
pub enum WallError {
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] UserError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Only policies that the real server implements can run in real time.
    #[error("'{}' runs on the virtual clock only; on the wall clock there are none and tabahead", .0.as_str())]
    VirtualOnly(PolicyName),
}

/// Runs a policy against a user in real time; `none` is the server without speculation and without
/// a cache of suggestions.
///
/// # Errors
/// When the recording cannot be read on or the server does not do what it must.
pub fn run(
    policy: PolicyName,
    user: &mut dyn User,
    setup: &WallSetup,
) -> Result<RunResult, WallError> {
    let options = match policy {
        PolicyName::None => asks_always(),
        PolicyName::Tabahead => json!({}),
        other => return Err(WallError::VirtualOnly(other)),
    };
    let mut player = Player {
        server: Server::start(&setup.program, &setup.arguments, &options)?,
        began: Instant::now(),
        skipped: Duration::ZERO,
        longest_pause: setup.longest_pause,
        last: Timestamp::default(),
        last_at: Instant::now(),
        documents: HashMap::new(),
        waiting: None,
        screen: None,
        finished: Vec::new(),
        timeline: setup.timeline.then(Timeline::kept).unwrap_or_default(),
    };
    player.play(user)?;
    player.finish(setup)
}

/// Returns settings under which every request asks the model.
fn asks_always() -> Value {
    json!({"speculation": {"enabled": false}, "cache": {"bytes": 0}})
}

struct Player {
    server: Server,
    /// Start of the user's time, and how much of it has been skipped since.
    began: Instant,
    skipped: Duration,
    longest_pause: Duration,
    /// The user's time of the latest action, and when it really happened.
    last: Timestamp,
    last_at: Instant,
    documents: HashMap<DocumentId, SentDocument>,
    waiting: Option<SentRequest>,
    screen: Option<Screen>,
    finished: Vec<FinishedRequest>,
    timeline: Timeline,
}

struct SentDocument {
    uri: String,
    name: DocumentName,
    text: Document,
    version: i32,
}

/// The request that is waiting for an answer.
struct SentRequest {
    id: i64,
    document: DocumentId,
    state: State,
    asked_at: Instant,
    asked: RequestFacts,
}

/// A finished request, kept so that a fresh process can be asked about its state.
struct FinishedRequest {
    state: State,
    asked: RequestFacts,
    result: RequestResult,
    shown: Option<Suggestion>,
}

impl Player {
    fn play(&mut self, user: &mut dyn User) -> Result<(), WallError> {
        while let Some(due) = user.next()? {
            let pause = due.0.saturating_sub(self.last.0);
            let due_at = self.began + due.0.saturating_sub(self.skipped);
            let left_out = if pause > self.longest_pause {
                due_at.saturating_duration_since(self.last_at + self.longest_pause)
            } else {
                Duration::ZERO
            };
            match self.server.next(due_at - left_out)? {
                Some(arrived) => {
                    let before = self.screen.clone();
                    self.take(arrived);
                    if self.screen != before {
                        user.sees(self.now(), self.screen.as_ref());
                    }
                }
                None => {
                    self.skipped += left_out;
                    (self.last, self.last_at) = (due, Instant::now());
                    let before = self.screen.clone();
                    if let Some(action) = user.act() {
                        self.does(action)?;
                    }
                    if self.screen != before {
                        user.sees(self.now(), self.screen.as_ref());
                    }
                }
            }
        }
        // Wait for the answer to the last request.
        let until = Instant::now() + self.longest_pause;
        while self.waiting.is_some()
            && let Some(arrived) = self.server.next(until)?
        {
            self.take(arrived);
        }
        Ok(())
    }

    fn close(&mut self, document: DocumentId) -> Result<(), ServerError> {
        match self.documents.remove(&document) {
            Some(SentDocument { uri, .. }) => {
                let about = json!({"textDocument": {"uri": uri}});
                self.server.notify("textDocument/didClose", &about)
            }
            None => Ok(()),
        }
    }

    /// Returns the current time on the user's clock.
    fn now(&self) -> Timestamp {
        Timestamp(self.began.elapsed() + self.skipped)
    }

    fn does(&mut self, action: UserAction) -> Result<(), WallError> {
        match action {
            UserAction::Opens {
                document,
                name,
                text,
            } => {
                self.close(document)?;
                let uri = server::uri(&format!("recorded/{}", document.0), &name);
                self.server.open(&uri, &name, &text)?;
                let opened = SentDocument {
                    uri,
                    name,
                    text,
                    version: 1,
                };
                self.documents.insert(document, opened);
            }
            UserAction::Closes { document } => {
                self.cancel()?;
                self.screen = None;
                self.close(document)?;
            }
            UserAction::Moves { .. } => {
                self.cancel()?;
                self.screen = None;
            }
            UserAction::Shows {
                document,
                text,
                cursor,
                suggestion,
            } => {
                self.cancel()?;
                self.screen = None;
                let now = self.now();
                self.timeline.add(now, || Moment::shown(&suggestion, None));
                let Some(opened) = self.documents.get(&document) else {
                    return Ok(());
                };
                let at = |offset| position(&text, offset);
                let (start, end) = (at(suggestion.range.start), at(suggestion.range.end));
                let shown = json!({
                    "textDocument": {"uri": opened.uri},
                    "position": at(cursor),
                    "range": {"start": start, "end": end},
                    "insertText": suggestion.text,
                });
                self.server.notify("tabahead/didShow", &shown)?;
            }
            UserAction::Edits(edited) => self.edits(edited)?,
        }
        Ok(())
    }

    fn edits(&mut self, edited: UserEdit) -> Result<(), WallError> {
        self.cancel()?;
        let along;
        (self.screen, along) = Screen::after(self.screen.take(), &edited);
        let UserEdit {
            document,
            after,
            cursor,
            kind,
            accepts,
            asks,
        } = edited;
        let now = self.now();
        let accept = accepts.is_some();
        self.timeline.add(now, || Moment::Edit { kind, accept });
        let Some(opened) = self.documents.get_mut(&document) else {
            return Ok(());
        };
        opened.version += 1;
        let change = change(&opened.text, &after);
        opened.text = after.clone();
        let (name, uri) = (opened.name.clone(), opened.uri.clone());
        let changed = json!({
            "textDocument": {"uri": uri, "version": opened.version},
            "contentChanges": [change],
        });
        self.server.notify("textDocument/didChange", &changed)?;
        if !asks {
            return Ok(());
        }
        let asked_at = Instant::now();
        let params = json!({
            "textDocument": {"uri": uri},
            "position": position(&after, cursor),
            "context": {"triggerKind": 2},
        });
        let id = self
            .server
            .request("textDocument/inlineCompletion", &params)?;
        let accept = accepts.map(|accepts| AcceptFacts {
            part: accepts.part,
            characters: accepts.characters,
            // A fresh process is asked in `finish`.
            has_next: false,
            base_moves: None,
            lines: accepts.lines,
        });
        self.waiting = Some(SentRequest {
            id,
            document,
            state: State {
                document: after,
                cursor,
                name,
            },
            asked_at,
            asked: RequestFacts {
                kind,
                along,
                accept,
            },
        });
        // Like editors: after the change and the request.
        if let Some(suggestion) = accepts.and_then(|accepts| accepts.suggestion) {
            let accepted = json!({"command": "tabahead.accepted", "arguments": [suggestion.0]});
            self.server.request("workspace/executeCommand", &accepted)?;
        }
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), WallError> {
        if let Some(waiting) = self.waiting.take() {
            let id = json!({"id": waiting.id});
            self.server.notify("$/cancelRequest", &id)?;
            let took = waiting.asked_at.elapsed();
            self.ends(waiting, took, RequestEnd::Superseded, None, None);
        }
        Ok(())
    }

    fn take(&mut self, arrived: ArrivedAnswer) {
        let Some(waiting) = self.waiting.take_if(|waiting| waiting.id == arrived.id) else {
            return;
        };
        let took = arrived.at.saturating_duration_since(waiting.asked_at);
        let item = arrived.result.pointer("/items/0");
        let Some((suggestion, id, origin)) = item.and_then(|item| item_of(item, &waiting)) else {
            self.screen = None;
            return self.ends(waiting, took, RequestEnd::Silent, None, None);
        };
        let now = self.now();
        self.timeline
            .add(now, || Moment::shown(&suggestion, origin));
        let since = Screen::since(self.screen.as_ref(), &suggestion, now);
        self.screen = Some(Screen {
            document: waiting.document,
            id,
            suggestion: suggestion.clone(),
            since,
        });
        self.ends(waiting, took, RequestEnd::Shown, origin, Some(suggestion));
    }

    fn ends(
        &mut self,
        waiting: SentRequest,
        took: Duration,
        end: RequestEnd,
        origin: Option<Origin>,
        shown: Option<Suggestion>,
    ) {
        let result = RequestResult {
            took,
            origin,
            untold: origin.is_none() && end != RequestEnd::Superseded,
            end,
            // The server does not report it per request.
            prefilled: None,
        };
        self.finished.push(FinishedRequest {
            state: waiting.state,
            asked: waiting.asked,
            result,
            shown,
        });
    }

    /// Collects what the server counted, and asks a fresh process about the finished requests.
    fn finish(mut self, setup: &WallSetup) -> Result<RunResult, WallError> {
        let stats = self.server.call("tabahead/stats", &json!({}))?;
        let mut figures = Figures {
            lasted: self.now().0,
            ..Figures::default()
        };
        let count = |pointer: &str| stats.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        figures.wasted_tokens = count("/tokens/wasted");
        figures.prefilled = [count("/tokens/prefilled") + count("/tokens/drafted"), 0];
        figures.decoded = [count("/tokens/decoded"), 0];
        figures.busy = [self.server.cpu_time().unwrap_or_default(), Duration::ZERO];
        self.server.stop()?;
        let mut fresh = Server::start(&setup.program, &setup.arguments, &asks_always())?;
        for finished in self.finished {
            let FinishedRequest {
                state,
                mut asked,
                result,
                shown,
            } = finished;
            if let Some(accept) = &mut asked.accept {
                accept.has_next = fresh.suggests(&state)?.is_some();
            }
            if let Some(shown) = shown
                && result.origin != Some(Origin::Miss)
            {
                figures.unlike_fresh += u64::from(fresh.suggests(&state)? != Some(shown));
            }
            figures.count(asked, result);
        }
        fresh.stop()?;
        Ok(RunResult {
            figures,
            timeline: self.timeline,
        })
    }
}

/// Reads a suggestion, its id and its origin from an item of the protocol.
fn item_of(
    item: &Value,
    waiting: &SentRequest,
) -> Option<(Suggestion, SuggestionId, Option<Origin>)> {
    let suggestion = server::suggestion(item, &waiting.state.document)?;
    let id = item.pointer("/command/arguments/0")?.as_u64()?;
    let word = item.pointer("/command/arguments/1")?.as_str()?;
    let origins = [
        Origin::Miss,
        Origin::Joined,
        Origin::Exact,
        Origin::TypedThrough,
        Origin::Speculated,
    ];
    let origin = origins.into_iter().find(|origin| origin.as_str() == word);
    Some((suggestion, SuggestionId(id), origin))
}

fn position(text: &Document, offset: Offset) -> Value {
    let position = text.position_of(offset, PositionEncoding::Utf16);
    json!({"line": position.line, "character": position.character})
}

/// Returns the smallest change from `before` to `after` whose ends are valid positions.
fn change(before: &Document, after: &Document) -> Value {
    let (old, new) = (before.text(), after.text());
    let same = old.chars().zip(new.chars()).take_while(|(a, b)| a == b);
    let mut start: usize = same.map(|(char, _)| char.len_utf8()).sum();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let same = old_rest.chars().rev().zip(new_rest.chars().rev());
    let same_end: usize = same
        .take_while(|(a, b)| a == b)
        .map(|(char, _)| char.len_utf8())
        .sum();
    let mut end = old.len() - same_end;
    // No position lies between `\r` and `\n`.
    if old[..start].ends_with('\r') {
        start -= 1;
    }
    if old[..end].ends_with('\r') && old[end..].starts_with('\n') {
        end += 1;
    }
    let text = &new[start..new.len() - (old.len() - end)];
    json!({
        "range": {
            "start": position(before, Offset(start)),
            "end": position(before, Offset(end)),
        },
        "text": text,
    })
}
