//! A timeline: inputs at the left, and what followed from them after `->`. A test compares the
//! whole of it.
//!
//! A story says what a user does to one document and what the model generates. The model's text
//! comes as the tokens that encoding gives, unless the story spells it token by token.

use std::{collections::BTreeMap, time::Duration};

use expect_test::Expect;
use tabahead_context::{
    CanonicalMarks, ContextSettings, DocumentName, GenerationEvent, GenerationFailure,
    GenerationId, GenerationRequest, Goal, Layout, PathEnd, PathToken, PreTokenizer, Priority,
    Suggestion, TokenId,
};
use tabahead_speculation::{
    Alternative, Answer, ComputedAhead, DocumentId, Effect, Input, RequestId, SelectedCompletion,
    Speculator, SpeculatorSettings, SuggestionId, SuggestionReport, Timestamp,
};
use tabahead_testkit::{marked, profile, speculator_settings, unnamed};
use tabahead_text::{Document, Offset, Version};

use crate::engine::VOCABULARY;

/// A user's actions, the model's output, and what followed.
pub struct Timeline {
    pub speculator: Speculator,
    now: u64,
    document: Document,
    cursor: Offset,
    shown: Option<(SuggestionId, Suggestion)>,
    others: Vec<Alternative>,
    requests: u64,
    /// Started generations, each with what the model has generated so far.
    generations: BTreeMap<u64, Telling>,
    pub log: String,
}

/// A generation as the model sees it.
struct Telling {
    request: GenerationRequest,
    /// Tokens from the stable boundary on.
    tokens: Vec<TokenId>,
    /// Number of those tokens that the Speculator provided; `None` once the start was reported.
    unreported: Option<usize>,
    marks: CanonicalMarks,
}

/// Opens a timeline of a document with the cursor at `$0`.
pub fn open(text: &str) -> Timeline {
    open_with(text, 2)
}

/// Opens a timeline that looks `depth` accepts ahead; 0 means no speculation.
pub fn open_with(text: &str, depth: usize) -> Timeline {
    open_in(Layout::SuffixFirst, text, depth)
}

/// Opens a timeline in a layout. With prefix first, about every second line is an anchor.
pub fn open_in(layout: Layout, text: &str, depth: usize) -> Timeline {
    let (unmarked, cursor) = marked(text);
    let settings = SpeculatorSettings {
        context: ContextSettings {
            anchor_lines: 2,
            ..ContextSettings::default()
        },
        ..speculator_settings(match depth {
            0 => ComputedAhead::Nothing,
            accepts => ComputedAhead::Accepts(accepts),
        })
    };
    let profile = profile("test", unnamed(layout), 1_000);
    let mut timeline = Timeline {
        speculator: Speculator::new(settings, profile),
        now: 0,
        document: Document::new(&unmarked, Version(1)),
        cursor: Offset(cursor),
        shown: None,
        others: Vec::new(),
        requests: 0,
        generations: BTreeMap::new(),
        log: String::new(),
    };
    timeline.does(&format!("open {text:?}"));
    timeline.changed();
    timeline
}

impl Timeline {
    pub fn request(&mut self) -> &mut Self {
        self.request_with(None)
    }

    pub fn request_with(&mut self, selected: Option<SelectedCompletion>) -> &mut Self {
        self.asks(selected, 0)
    }

    /// Requests this many suggestions besides the first.
    pub fn request_several(&mut self, alternatives: usize) -> &mut Self {
        self.asks(None, alternatives)
    }

    pub fn asks(&mut self, selected: Option<SelectedCompletion>, alternatives: usize) -> &mut Self {
        self.requests += 1;
        let several = match alternatives {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        self.does(&format!("request r{}{several}", self.requests));
        self.input(Input::CompletionRequested {
            request: RequestId(self.requests),
            document: DocumentId(1),
            snapshot: self.document.clone(),
            cursor: self.cursor,
            name: DocumentName::default(),
            selected,
            alternatives,
        })
    }

    /// Requests a suggestion at the end of another document, and lets it be shown there.
    pub fn is_shown_in(&mut self, document: u64, text: &str) -> &mut Self {
        let snapshot = Document::new(text, Version(1));
        let document = DocumentId(document);
        self.input(Input::DocumentChanged {
            document,
            snapshot: snapshot.clone(),
        });
        self.requests += 1;
        self.input(Input::CompletionRequested {
            request: RequestId(self.requests),
            document,
            cursor: Offset(snapshot.len()),
            snapshot,
            name: DocumentName::default(),
            selected: None,
            alternatives: 0,
        });
        self.generates(self.newest(), "foo(a);\n")
    }

    /// Returns the generation that was started last.
    pub fn newest(&self) -> u64 {
        let newest = self.generations.last_key_value();
        *newest.expect("one was started").0
    }

    /// Reports the likeliest characters at the cursor.
    pub fn rates(&mut self, id: u64, characters: &str) -> &mut Self {
        self.does(&format!("g{id} rates {characters:?}"));
        self.input(Input::Generation(GenerationEvent::Characters {
            id: GenerationId(id),
            characters: characters.chars().collect(),
        }))
    }

    /// Shows another one of the suggestions that the editor was given.
    pub fn cycles_to(&mut self, number: usize) -> &mut Self {
        let other = self.others[number].clone();
        self.does(&format!("cycle to {:?}", other.suggestion.text));
        self.shown = Some((other.id, other.suggestion));
        let suggestion = other.id;
        self.reports(SuggestionReport::Displayed { suggestion })
    }

    pub fn cancels_request(&mut self) -> &mut Self {
        self.does(&format!("cancel r{}", self.requests));
        let request = RequestId(self.requests);
        self.input(Input::RequestCancelled { request })
    }

    pub fn types(&mut self, text: &str) -> &mut Self {
        self.does(&format!("type {text:?}"));
        self.insert(text)
    }

    /// Deletes the character before the cursor.
    pub fn backspaces(&mut self) -> &mut Self {
        self.does("backspace");
        let start = self.document.clamp(Offset(self.cursor.0 - 1));
        self.document = self.document.with_replaced(start..self.cursor, "");
        self.cursor = start;
        self.changed()
    }

    /// Replaces the document's text, as an editor does for keys that do more than type.
    pub fn becomes(&mut self, text: &str) -> &mut Self {
        self.does(&format!("becomes {text:?}"));
        let (unmarked, cursor) = marked(text);
        self.cursor = Offset(cursor);
        self.document = Document::new(&unmarked, Version(1));
        self.changed()
    }

    /// Accepts the beginning of what is shown.
    pub fn accepts_part(&mut self, part: &str) -> &mut Self {
        let (_, suggestion) = self.shown.take().expect("something is shown");
        assert!(suggestion.text.starts_with(part), "{part:?} is shown first");
        self.does(&format!("accept {part:?}"));
        self.insert(part)
    }

    pub fn accepts(&mut self) -> &mut Self {
        let (_, suggestion) = self.shown.take().expect("something is shown");
        self.does("accept");
        (self.document, self.cursor) = suggestion.apply(&self.document);
        self.changed()
    }

    /// Shows another source's suggestion at the cursor.
    pub fn sees(&mut self, text: &str) -> &mut Self {
        self.does(&format!("see {text:?}"));
        let suggestion = Suggestion {
            range: self.cursor..self.cursor,
            text: text.to_string(),
        };
        self.shown = Some((SuggestionId(0), suggestion.clone()));
        self.input(Input::Shown {
            document: DocumentId(1),
            snapshot: self.document.clone(),
            cursor: self.cursor,
            name: DocumentName::default(),
            suggestion,
        })
    }

    /// Gives the document the focus.
    pub fn focuses(&mut self) -> &mut Self {
        self.does("focus");
        self.input(Input::Focused {
            document: DocumentId(1),
            snapshot: self.document.clone(),
            cursor: None,
            name: DocumentName::default(),
        })
    }

    /// Takes the focus from all documents.
    pub fn loses_focus(&mut self) -> &mut Self {
        self.does("focus nowhere");
        self.input(Input::FocusLost)
    }

    /// Moves the cursor before the first occurrence of `text`.
    pub fn moves_to(&mut self, text: &str) -> &mut Self {
        self.does(&format!("move to {text:?}"));
        let found = self.document.text().find(text);
        self.cursor = Offset(found.expect("the text has it"));
        self.input(Input::CursorMoved {
            document: DocumentId(1),
            snapshot: self.document.clone(),
            cursor: self.cursor,
            name: DocumentName::default(),
        })
    }

    /// Lets time pass, and handles the Speculator's timeout if it is due then.
    pub fn waits(&mut self, milliseconds: u64) -> &mut Self {
        self.does(&format!("wait {milliseconds} ms"));
        self.now += milliseconds;
        let now = Timestamp(Duration::from_millis(self.now));
        if self.speculator.poll_timeout().is_some_and(|due| due <= now) {
            self.speculator.handle_timeout(now);
            self.take_effects();
        }
        self
    }

    /// Reports that the engine has read a prompt.
    pub fn has_read(&mut self, id: u64) -> &mut Self {
        self.does(&format!("g{id} has read"));
        let id = GenerationId(id);
        self.input(Input::Generation(GenerationEvent::Read { id }))
    }

    pub fn dismisses(&mut self) -> &mut Self {
        self.does("dismiss");
        let document = DocumentId(1);
        self.reports(SuggestionReport::Dismissed { document })
    }

    pub fn reports(&mut self, report: SuggestionReport) -> &mut Self {
        self.input(Input::Reported(report))
    }

    pub fn closes(&mut self) -> &mut Self {
        self.does("close");
        let document = DocumentId(1);
        self.input(Input::DocumentClosed { document })
    }

    fn insert(&mut self, text: &str) -> &mut Self {
        self.document = self.document.with_replaced(self.cursor..self.cursor, text);
        self.cursor.0 += text.len();
        self.changed()
    }

    fn changed(&mut self) -> &mut Self {
        let snapshot = self.document.clone();
        let document = DocumentId(1);
        self.input(Input::DocumentChanged { document, snapshot })
    }

    /// Lets the model generate a text after what it has generated so far, and before it, the first
    /// time, the forced text.
    pub fn generates(&mut self, id: u64, text: &str) -> &mut Self {
        self.does(&format!("g{id} generates {text:?}"));
        let running = &self.generations[&id];
        let forced = &running.request.prompt.forced;
        let mut whole = running.spelled();
        if whole.is_empty() {
            whole.clone_from(forced);
        }
        let tokens = VOCABULARY.encode(&(whole + text));
        assert!(
            tokens.starts_with(&running.tokens),
            "the text is spelled canonically"
        );
        self.emit(id, &tokens[running.tokens.len()..])
    }

    /// Lets the model generate these tokens; the first ones spell the forced text.
    pub fn generates_tokens(&mut self, id: u64, tokens: &[&str]) -> &mut Self {
        self.does(&format!("g{id} generates {tokens:?}"));
        let tokens: Vec<TokenId> = tokens
            .iter()
            .map(|text| match VOCABULARY.encode(text)[..] {
                [token] => token,
                _ => panic!("{text:?} is no token"),
            })
            .collect();
        self.emit(id, &tokens)
    }

    fn emit(&mut self, id: u64, tokens: &[TokenId]) -> &mut Self {
        let running = self.generations.get_mut(&id).expect("it was started");
        if let Some(continued) = running.unreported.take() {
            let tail = running.request.tail.len();
            let boundary = tail - running.request.prompt.forced.len();
            let before = VOCABULARY.encode(&running.request.tail[..boundary]);
            self.input(Input::Generation(GenerationEvent::Started {
                id: GenerationId(id),
                prompt_tokens: before.len(),
                continued,
            }));
        }
        for &token in tokens {
            let running = self.generations.get_mut(&id).expect("it was started");
            let (token, canonical_until) = running.take(token);
            self.input(Input::Generation(GenerationEvent::Token {
                id: GenerationId(id),
                token,
                canonical_until,
            }));
        }
        self
    }

    pub fn stops(&mut self, id: u64) -> &mut Self {
        self.does(&format!("g{id} stops"));
        let id = GenerationId(id);
        let end = PathEnd::Stop { log_prob: -0.1 };
        self.input(Input::Generation(GenerationEvent::Ended { id, end }))
    }

    pub fn fails(&mut self, id: u64, failure: GenerationFailure) -> &mut Self {
        self.does(&format!("g{id} fails: {failure:?}"));
        let id = GenerationId(id);
        self.input(Input::Generation(GenerationEvent::Failed { id, failure }))
    }

    fn does(&mut self, what: &str) {
        self.log
            .push_str(&format!("{:<6} {what}\n", format!("{}ms", self.now)));
    }

    pub fn input(&mut self, input: Input) -> &mut Self {
        let now = Timestamp(Duration::from_millis(self.now));
        self.speculator.handle_input(now, input);
        self.now += 5;
        self.take_effects();
        self
    }

    fn take_effects(&mut self) {
        while let Some(effect) = self.speculator.poll_effect() {
            let line = self.describe(effect);
            self.log.push_str(&format!("       -> {line}\n"));
        }
    }

    fn describe(&mut self, effect: Effect) -> String {
        let who = |priority| match priority {
            Priority::Foreground => "foreground",
            Priority::Speculative => "speculative",
        };
        match effect {
            Effect::Respond {
                request: RequestId(request),
                answer,
            } => match answer {
                Answer::Suggestion {
                    id,
                    suggestion,
                    origin,
                    alternatives,
                } => {
                    let others: String = alternatives
                        .iter()
                        .map(|other| format!(" or {:?}", other.suggestion.text))
                        .collect();
                    let covered = match self.document.slice(suggestion.range.clone()) {
                        covered if covered.is_empty() => String::new(),
                        covered => format!(" over {covered:?}"),
                    };
                    let text = suggestion.text.clone();
                    self.shown = Some((id, suggestion));
                    self.others = alternatives;
                    format!("respond r{request} {text:?}{covered}{others} {origin:?}")
                }
                Answer::Silent { reason, origin } => {
                    format!("silent r{request}: {reason} {origin:?}")
                }
                Answer::Superseded => format!("superseded r{request}"),
                Answer::Failed(line) => format!("failed r{request}: {line}"),
            },
            Effect::StartGeneration(request) => {
                let id = request.id.0;
                let end: String = request.tail.chars().rev().take(12).collect();
                let end: String = end.chars().rev().collect();
                let reads = match request.goal {
                    Goal::Read => " reading",
                    Goal::Decode => "",
                };
                let line = format!("start g{id} {}{reads} at {end:?}", who(request.priority));
                self.generations.insert(id, Telling::new(request));
                line
            }
            Effect::PrioritizeGeneration(id, priority) => {
                format!("g{} is {} now", id.0, who(priority))
            }
            Effect::CancelGeneration(id) => format!("cancel g{}", id.0),
        }
    }

    /// Returns all that happened so far.
    pub fn log(&self) -> &str {
        &self.log
    }

    #[track_caller]
    pub fn check(&self, expected: Expect) {
        expected.assert_eq(&self.log);
    }
}

impl Telling {
    fn new(mut request: GenerationRequest) -> Self {
        let boundary = request.tail.len() - request.prompt.forced.len();
        let continued = std::mem::take(&mut request.continued);
        let mut running = Self {
            marks: CanonicalMarks::new(PreTokenizer::Qwen2, &request.tail, boundary),
            request,
            tokens: Vec::new(),
            unreported: Some(continued.len()),
        };
        for token in continued {
            running.take(token);
        }
        running
    }

    /// Adds a token, as a backend reports it.
    fn take(&mut self, id: TokenId) -> (PathToken, usize) {
        self.tokens.push(id);
        let bytes = VOCABULARY.bytes(id).to_vec();
        let canonical_until = self
            .marks
            .advance(&bytes, id, |text| VOCABULARY.encode(text));
        let log_prob = -0.1;
        (
            PathToken {
                id,
                bytes,
                log_prob,
                masked_stop: None,
            },
            canonical_until,
        )
    }

    /// Returns what the tokens spell.
    fn spelled(&self) -> String {
        let bytes = self.tokens.iter().flat_map(|&id| VOCABULARY.bytes(id));
        String::from_utf8(bytes.copied().collect()).expect("stories have whole characters")
    }
}
