//! A user, a document, and a model that always generates the same story, around one Speculator.
//!
//! Shared by the benches. The story continues after `let total`, which a document contains once, in
//! its middle. The story's tokens are pre-tokens, so every state in it has a path.

use std::{collections::BTreeMap, num::NonZeroUsize};

use tabahead_context::{
    ContextSettings, DocumentName, GenerationEvent, GenerationId, GenerationRequest, Layout,
    PathToken, PreTokenizer, Suggestion, stable_boundary,
};
use tabahead_speculation::{
    Answer, ComputedAhead, DocumentId, Effect, Input, RequestId, Speculator, SpeculatorSettings,
    Timestamp,
};
use tabahead_testkit::{cut_of, named, profile};
use tabahead_text::{Document, Edit, Offset, PositionEncoding, Range, Version};

/// Text before the story.
pub const BEFORE: &str = "    let total";

/// One line of the story, which repeats. The first line end ends what is shown after `BEFORE`.
const LINE: [&str; 14] = [
    " =", " value", " plus", " other", " times", " more", " than", " that", "\n", "   ", " let",
    " next", " total", " too",
];

/// Number of tokens in the story; no path is decoded this far.
const STORY_TOKENS: usize = 2_000;

const DOCUMENT: DocumentId = DocumentId(1);

/// A Speculator, with what the user and the model around it did.
pub struct SpeculatorDriver {
    pub speculator: Speculator,
    requests: u64,
    /// Running generations.
    running: BTreeMap<GenerationId, Telling>,
    answer: Option<Answer>,
}

struct Telling {
    tail: String,
    /// Index in the tail at which the story begins.
    begins: usize,
    next: usize,
}

/// A text with the cursor in it.
#[derive(Clone)]
pub struct State {
    pub document: Document,
    pub cursor: Offset,
}

impl State {
    /// Returns a document of about `bytes` bytes of code, with the beginning of the story in its
    /// middle.
    pub fn of_size(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes + 200);
        let mut line = 0;
        let mut cursor = None;
        while text.len() < bytes || cursor.is_none() {
            line += 1;
            if cursor.is_none() && text.len() >= bytes / 2 {
                text += BEFORE;
                cursor = Some(Offset(text.len()));
                text += "\n";
            }
            text += &format!("    let value_{line} = compute(value, {line});\n");
        }
        Self {
            document: Document::new(&text, Version(0)),
            cursor: cursor.expect("the loop sets it"),
        }
    }

    /// Returns what an editor sends when `text` replaces `range`.
    pub fn edit(&self, range: std::ops::Range<Offset>, text: &str) -> Edit {
        let position = |offset| self.document.position_of(offset, PositionEncoding::Utf16);
        Edit {
            range: Some(Range {
                start: position(range.start),
                end: position(range.end),
            }),
            text: text.to_string(),
        }
    }

    /// Returns what an editor sends when `text` is typed.
    pub fn typing(&self, text: &str) -> Edit {
        self.edit(self.cursor..self.cursor, text)
    }

    /// Returns the state after `text` is typed.
    pub fn typed(&self, text: &str) -> Self {
        Self {
            document: self.document.with_replaced(self.cursor..self.cursor, text),
            cursor: Offset(self.cursor.0 + text.len()),
        }
    }
}

impl SpeculatorDriver {
    pub fn new(ahead: ComputedAhead) -> Self {
        let settings = SpeculatorSettings {
            context: ContextSettings::default(),
            cut: cut_of(64),
            ahead,
            cache_bytes: 1 << 30,
            in_flight: NonZeroUsize::new(2).expect("not zero"),
        };
        let profile = profile("story", named(Layout::SuffixFirst), 10_000);
        Self {
            speculator: Speculator::new(settings, profile),
            requests: 0,
            running: BTreeMap::new(),
            answer: None,
        }
    }

    /// Handles an input, and records what the Speculator wants from the model.
    pub fn input(&mut self, input: Input) {
        self.speculator.handle_input(Timestamp::default(), input);
        while let Some(effect) = self.speculator.poll_effect() {
            match effect {
                Effect::Respond { answer, .. } => self.answer = Some(answer),
                Effect::StartGeneration(request) => {
                    self.running.insert(request.id, Telling::new(&request));
                    let (id, continued) = (request.id, request.continued.len());
                    self.speculator.handle_input(
                        Timestamp::default(),
                        Input::Generation(GenerationEvent::Started {
                            id,
                            prompt_tokens: 100,
                            continued,
                        }),
                    );
                }
                Effect::PrioritizeGeneration(..) => {}
                Effect::CancelGeneration(id) => {
                    self.running.remove(&id);
                }
            }
        }
    }

    pub fn changed(&mut self, document: &Document) {
        self.input(changed(document));
    }

    /// Requests a suggestion, and lets the model generate until no generation is wanted any more.
    pub fn suggestion(&mut self, state: &State) -> Suggestion {
        let request = self.request(state);
        self.input(request);
        while let Some(token) = self.next_token() {
            self.input(token);
        }
        match self.answer.take() {
            Some(Answer::Suggestion { suggestion, .. }) => suggestion,
            other => panic!("no suggestion but {other:?}"),
        }
    }

    /// Returns the input that requests a suggestion at a state.
    pub fn request(&mut self, state: &State) -> Input {
        self.requests += 1;
        Input::CompletionRequested {
            request: RequestId(self.requests),
            document: DOCUMENT,
            snapshot: state.document.clone(),
            cursor: state.cursor,
            name: DocumentName::new("main.rs", "rust"),
            selected: None,
            alternatives: 0,
        }
    }

    /// Returns the next report of the first running generation.
    pub fn next_token(&mut self) -> Option<Input> {
        let (&id, telling) = self.running.iter_mut().next()?;
        Some(Input::Generation(telling.token(id)))
    }

    /// Cancels the latest request.
    pub fn cancel(&mut self) {
        let request = RequestId(self.requests);
        self.input(Input::RequestCancelled { request });
    }

    pub fn close(&mut self) {
        self.input(Input::DocumentClosed { document: DOCUMENT });
    }

    pub fn takes_answer(&mut self) -> Option<Answer> {
        self.answer.take()
    }
}

pub fn changed(document: &Document) -> Input {
    Input::DocumentChanged {
        document: DOCUMENT,
        snapshot: document.clone(),
    }
}

impl Telling {
    fn new(request: &GenerationRequest) -> Self {
        let begins = request.tail.rfind(BEFORE).expect("the story's beginning") + BEFORE.len();
        let boundary = request.tail.len() - request.prompt.forced.len();
        let mut at = begins;
        let mut next = 0;
        while at < boundary {
            at += word(next).len();
            next += 1;
        }
        assert_eq!(at, boundary, "the tail follows the story");
        Self {
            tail: request.tail.clone(),
            begins,
            next: next + request.continued.len(),
        }
    }

    fn token(&mut self, id: GenerationId) -> GenerationEvent {
        assert!(
            self.next < STORY_TOKENS,
            "the story is longer than any path"
        );
        let written: String = (0..=self.next).map(word).collect();
        let text = self.tail[..self.begins].to_string() + &written;
        let token = PathToken {
            id: (self.next % LINE.len()) as u32,
            bytes: word(self.next).as_bytes().to_vec(),
            log_prob: -0.1,
            masked_stop: None,
        };
        self.next += 1;
        GenerationEvent::Token {
            id,
            token,
            canonical_until: stable_boundary(PreTokenizer::Qwen2, &text),
        }
    }
}

fn word(number: usize) -> &'static str {
    LINE[number % LINE.len()]
}
