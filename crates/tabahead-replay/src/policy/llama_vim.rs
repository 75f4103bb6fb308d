//! The behaviour of llama.vim (its `autoload/llama.vim` at commit a1c8e6e of January 2026, read,
//! not copied).
//!
//! - Every change asks; while a job runs, one shared timer of 100 ms asks again later. A job is
//!   never cancelled, and its answer is remembered wherever the cursor is by then (`llama#fim`,
//!   lines 702 to 851).
//! - 250 keys, least recently used dropped first. A key is a hash of up to 256 lines before the
//!   cursor, the line and 64 lines after it. A job's answer is stored under four keys: the full
//!   one, and those with the first one, two or three lines left out, so that it is found again when
//!   the window slides (lines 751 to 763).
//! - The look-up tries the state, then the states up to 128 bytes back whose answer begins with
//!   what was typed since; the longest rest wins (`s:fim_try_hint`, lines 953 to 1017).
//! - When a suggestion is shown, the state after its full accept is asked about, once. The text of
//!   that state repeats the text after the cursor on its line, so mid-line it never occurs (lines
//!   629 to 651 and 1148). A speculation that waits for the timer is lost when a key is pressed.
//! - Nothing is asked with more than 8 characters after the cursor on its line (line 737).
//!
//! Left out: the ring of chunks of other files, and the time limits of the server, which apply to
//! suggestions of several lines only.

use std::{cell::Cell, collections::VecDeque, num::NonZeroUsize, rc::Rc, time::Duration};

use lru::LruCache;
use tabahead_context::{
    Asker, FreshQuestion, GenerationEvent, ModelProfile, Priority, Progress, Silence, State,
    Suggestion,
};
use tabahead_speculation::{
    Answer, DocumentId, Effect, Input, Origin, RequestId, SpeculatorSettings, Timestamp,
};
use tabahead_text::{Document, Offset};
use xxhash_rust::xxh3::Xxh3;

use super::{
    Policy,
    asking::{QuestionResult, asker, overtakes},
    none::answer,
};

const KEYS: NonZeroUsize = NonZeroUsize::new(250).expect("not zero");
const LINES_BEFORE: usize = 256;
const LINES_AFTER: usize = 64;
const DROPPED_LINES: usize = 3;
const LOOK_BACK: usize = 128;
const MOST_AFTER: usize = 8;
const RETRY: Duration = Duration::from_millis(100);

/// The policy that behaves like llama.vim.
pub struct LlamaVim {
    asker: Asker,
    answers: LruCache<u128, RememberedAnswer>,
    job: Option<Job>,
    /// Whether a job is over and its answer is being drawn.
    draws: bool,
    timer: Option<(Timestamp, TimerCall)>,
    /// The state at the cursor.
    here: Option<State>,
    waiting: Option<(RequestId, DocumentId)>,
    effects: VecDeque<Effect>,
    served: u64,
    wasted: u64,
}

/// A remembered answer.
#[derive(Clone)]
struct RememberedAnswer {
    text: Rc<str>,
    /// Number of bytes after the cursor that it replaces.
    covers: usize,
    speculated: bool,
    /// Number of tokens computed ahead and not shown so far.
    unread: Rc<Cell<u64>>,
}

/// The running job.
struct Job {
    asking: FreshQuestion,
    keys: Vec<u128>,
    speculates: bool,
}

/// The call that the timer makes.
enum TimerCall {
    /// Asks about the state at the cursor.
    Ask,
    /// Asks about this state, ahead of time.
    Speculate(State),
}

impl LlamaVim {
    /// Creates the policy for a model.
    pub fn new(settings: &SpeculatorSettings, profile: &ModelProfile) -> Self {
        Self {
            asker: asker(settings, profile),
            answers: LruCache::new(KEYS),
            job: None,
            draws: false,
            timer: None,
            here: None,
            waiting: None,
            effects: VecDeque::new(),
            served: 0,
            wasted: 0,
        }
    }

    fn respond(&mut self, shown: QuestionResult, origin: Origin) {
        if let Some((request, _)) = self.waiting.take() {
            self.served += 1;
            let answer = answer(self.served, shown, origin);
            self.effects.push_back(Effect::Respond { request, answer });
        }
    }

    fn supersede(&mut self) {
        if let Some((request, _)) = self.waiting.take() {
            self.effects.push_back(Effect::Respond {
                request,
                answer: Answer::Superseded,
            });
        }
    }

    /// Shows what is remembered for the state at the cursor, and speculates on what is shown.
    fn try_hint(&mut self, now: Timestamp, fresh: bool) {
        let Some(state) = self.here.clone() else {
            return;
        };
        if self.waiting.is_none() {
            return;
        }
        let Some((rest, covers, origin)) = self.find(&Window::new(&state)) else {
            return;
        };
        if rest.is_empty() {
            return self.respond(Err(Silence::Empty), origin);
        }
        let end = Offset(state.cursor.0 + covers);
        let suggestion = Suggestion {
            range: state.cursor..end,
            text: rest,
        };
        let next = with_whole_line(&state, &suggestion);
        let origin = if fresh { Origin::Miss } else { origin };
        self.respond(Ok(suggestion), origin);
        self.call(now, TimerCall::Speculate(next));
    }

    fn find(&mut self, window: &Window) -> Option<(String, usize, Origin)> {
        let show = |known: &RememberedAnswer, typed: usize, wasted: &mut u64| {
            *wasted -= known.unread.take();
            let origin = match (known.speculated, typed) {
                (true, _) => Origin::Speculated,
                (false, 0) => Origin::Exact,
                (false, _) => Origin::TypedThrough,
            };
            (known.text[typed..].to_owned(), known.covers, origin)
        };
        if let Some(known) = self.answers.get(&window.key(0)) {
            return Some(show(known, 0, &mut self.wasted));
        }
        let mut best: Option<(RememberedAnswer, usize)> = None;
        for typed in 1..=LOOK_BACK {
            let Some(key) = window.key_back(typed) else {
                continue;
            };
            if let Some(known) = self.answers.get(&key)
                && known.text.len() > typed
                && known.text.as_bytes().starts_with(window.last(typed))
            {
                let rest = known.text.len() - typed;
                let better = best
                    .as_ref()
                    .is_none_or(|(best, typed)| rest > best.text.len() - typed);
                if better {
                    best = Some((known.clone(), typed));
                }
            }
        }
        best.map(|(known, typed)| show(&known, typed, &mut self.wasted))
    }

    /// Starts a job; if one is running, sets the timer to try again.
    fn call(&mut self, now: Timestamp, call: TimerCall) {
        if self.job.is_some() || self.draws {
            self.timer = Some((Timestamp(now.0 + RETRY), call));
            return;
        }
        let (state, speculates) = match call {
            TimerCall::Speculate(state) => (state, true),
            TimerCall::Ask => match &self.here {
                Some(state) => (state.clone(), false),
                None => return,
            },
        };
        let window = Window::new(&state);
        if !speculates && window.after_on_line > MOST_AFTER {
            return self.respond(Err(Silence::Apart), Origin::Miss);
        }
        let keys: Vec<u128> = (0..=DROPPED_LINES).map(|lines| window.key(lines)).collect();
        if keys.iter().all(|key| self.answers.contains(key)) {
            return;
        }
        let priority = if speculates {
            Priority::Speculative
        } else {
            Priority::Foreground
        };
        match self.asker.ask(state, priority) {
            Ok((asking, generation)) => {
                self.effects.push_back(Effect::StartGeneration(generation));
                self.job = Some(Job {
                    asking,
                    keys,
                    speculates,
                });
            }
            Err(silence) if !speculates => self.respond(Err(silence), Origin::Miss),
            Err(_) => {}
        }
    }

    fn job_reported(&mut self, now: Timestamp, event: GenerationEvent) {
        let id = event.id();
        let Some(job) = self.job.as_mut().filter(|job| job.asking.id == id) else {
            return;
        };
        let shown = match self.asker.take(&mut job.asking, event) {
            Progress::Waits => return,
            Progress::AskAgain(generation) => {
                self.effects.push_back(Effect::StartGeneration(generation));
                return;
            }
            Progress::Decided(decided) => decided,
            Progress::Failed(_) => Err(Silence::Undecided),
        };
        self.effects.push_back(Effect::CancelGeneration(id));
        let Some(job) = self.job.take() else { return };
        let unread = if job.speculates {
            job.asking.question.path.tokens().len() as u64
        } else {
            0
        };
        self.wasted += unread;
        let (text, covers) = match &shown {
            Ok(suggestion) => (
                &suggestion.text[..],
                suggestion.range.end.0 - suggestion.range.start.0,
            ),
            Err(_) => ("", 0),
        };
        let remembered = RememberedAnswer {
            text: text.into(),
            covers,
            speculated: job.speculates,
            unread: Rc::new(Cell::new(unread)),
        };
        for key in job.keys {
            self.answers.put(key, remembered.clone());
        }
        // The plug-in draws before it notes that the job is over, so a speculation that starts then
        // waits for the timer.
        self.draws = true;
        self.try_hint(now, !job.speculates);
        self.draws = false;
    }
}

impl Policy for LlamaVim {
    fn handle_input(&mut self, now: Timestamp, input: Input) {
        let waiting = self.waiting;
        if waiting.is_some_and(|(request, document)| overtakes(&input, request, document)) {
            self.supersede();
        }
        match input {
            Input::CompletionRequested {
                request,
                document,
                snapshot,
                cursor,
                name,
                ..
            } => {
                self.waiting = Some((request, document));
                self.here = Some(State {
                    document: snapshot,
                    cursor,
                    name,
                });
                self.try_hint(now, false);
                self.call(now, TimerCall::Ask);
            }
            Input::Generation(event) => self.job_reported(now, event),
            Input::Shown {
                snapshot,
                cursor,
                name,
                suggestion,
                ..
            } => {
                let state = State {
                    document: snapshot,
                    cursor,
                    name,
                };
                let next = with_whole_line(&state, &suggestion);
                self.here = Some(state);
                self.call(now, TimerCall::Speculate(next));
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        if let Some((_, call)) = self.timer.take_if(|(due, _)| *due <= now) {
            self.call(now, call);
        }
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.timer.as_ref().map(|(due, _)| *due)
    }

    fn wasted_tokens(&self) -> u64 {
        self.wasted
    }
}

/// Returns the state that is speculated on: the suggestion, followed by the text after the cursor
/// on its line, inserted at the end of the whole line.
fn with_whole_line(state: &State, shown: &Suggestion) -> State {
    let document = &state.document;
    let line = document.line_range(document.line_of(state.cursor));
    let kept = document.slice(shown.range.end.min(line.end)..line.end);
    let text = format!("{}{kept}", shown.text);
    State {
        document: document.with_replaced(line.end..line.end, &text),
        cursor: Offset(line.end.0 + text.len()),
        name: state.name.clone(),
    }
}

/// The text that keys are made of.
struct Window {
    /// Up to 256 lines, and the cursor's line up to the cursor.
    before: String,
    after: String,
    /// Number of characters after the cursor on its line.
    after_on_line: usize,
}

impl Window {
    fn new(state: &State) -> Self {
        let document = &state.document;
        let line = document.line_of(state.cursor);
        let range = document.line_range(line);
        let start = |line: usize| document.line_range(line).start;
        let above = document.slice(start(line.saturating_sub(LINES_BEFORE))..range.start);
        let left = document.slice(range.start..state.cursor);
        let right = document.slice(state.cursor..range.end);
        let below = document.slice(range.end..start_or_end(document, line + 1 + LINES_AFTER));
        let blank = left.trim().is_empty() && right.trim().is_empty();
        let (left, right) = if blank {
            (String::new(), String::new())
        } else {
            (left, right)
        };
        Self {
            after_on_line: right.chars().count(),
            before: above + &left,
            after: right + &below,
        }
    }

    /// Returns the key with `dropped_lines` of the first lines left out.
    fn key(&self, dropped_lines: usize) -> u128 {
        let mut before = &self.before[..];
        for _ in 0..dropped_lines {
            match before.split_once('\n') {
                Some((_, rest)) => before = rest,
                None => break,
            }
        }
        self.hash(before)
    }

    /// Returns the key of the state before the last `typed` bytes.
    fn key_back(&self, typed: usize) -> Option<u128> {
        let before = self.before.get(..self.before.len().checked_sub(typed)?)?;
        Some(self.hash(before))
    }

    fn last(&self, typed: usize) -> &[u8] {
        &self.before.as_bytes()[self.before.len() - typed..]
    }

    fn hash(&self, before: &str) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(before.as_bytes());
        hash.update(b"\xce\xa8");
        hash.update(self.after.as_bytes());
        hash.digest128()
    }
}

fn start_or_end(document: &Document, line: usize) -> Offset {
    if line < document.line_count() {
        document.line_range(line).start
    } else {
        Offset(document.len())
    }
}
