//! The Speculator's main stories, as timelines: inputs at the left, what followed behind `->`.
//!
//! The model's words are written in the story; they come as the tokens that encoding gives.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use expect_test::{Expect, expect};
use tabahead_context::{
    ContextSettings, CutSettings, DocumentName, FimTemplate, GenerationEvent, GenerationFailure,
    GenerationId, GenerationRequest, Layout, ModelProfile, PathEnd, PathToken, PreTokenizer,
    Priority, Suggestion, stable_boundary,
};
use tabahead_speculation::{
    Answer, DocumentId, Effect, Input, RequestId, SelectedCompletion, Speculator,
    SpeculatorSettings, SuggestionId, Timestamp,
};
use tabahead_text::{Document, Offset, Version};

use crate::engine::VOCABULARY;

struct Timeline {
    speculator: Speculator,
    now: u64,
    document: Document,
    cursor: Offset,
    shown: Option<(SuggestionId, Suggestion)>,
    requests: u64,
    /// Started generations, each with what its path has spelled behind the tail so far.
    generations: BTreeMap<u64, (GenerationRequest, String)>,
    /// Those of which nothing was reported yet.
    unreported: BTreeSet<u64>,
    log: String,
}

/// A timeline of a document whose cursor stands at `$0`.
fn open(text: &str) -> Timeline {
    open_with(text, 2)
}

fn open_with(text: &str, depth: usize) -> Timeline {
    let cursor = text.find("$0").expect("the text has a cursor");
    let settings = SpeculatorSettings {
        context: ContextSettings::default(),
        cut: CutSettings {
            max_tokens: 20,
            least_log_prob: f32::NEG_INFINITY,
            least_log_prob_at_end: f32::NEG_INFINITY,
        },
        speculate: depth > 0,
        depth,
        cache_bytes: 1 << 20,
        in_flight: 2,
    };
    let profile = ModelProfile {
        id: "told".to_string(),
        template: FimTemplate {
            layout: Layout::SuffixFirst,
            file_name: false,
        },
        pre_tokenizer: PreTokenizer::Qwen2,
        context_tokens: 1_000,
    };
    let mut timeline = Timeline {
        speculator: Speculator::new(settings, profile),
        now: 0,
        document: Document::new(&text.replace("$0", ""), Version(1)),
        cursor: Offset(cursor),
        shown: None,
        requests: 0,
        generations: BTreeMap::new(),
        unreported: BTreeSet::new(),
        log: String::new(),
    };
    timeline.does(&format!("open {text:?}"));
    timeline.changed();
    timeline
}

impl Timeline {
    fn request(&mut self) -> &mut Self {
        self.request_with(None)
    }

    fn request_with(&mut self, selected: Option<SelectedCompletion>) -> &mut Self {
        self.requests += 1;
        self.does(&format!("request r{}", self.requests));
        self.input(Input::CompletionRequested {
            request: RequestId(self.requests),
            document: DocumentId(1),
            snapshot: self.document.clone(),
            cursor: self.cursor,
            name: DocumentName::default(),
            selected,
            alternatives: 0,
        })
    }

    fn cancels_request(&mut self) -> &mut Self {
        self.does(&format!("cancel r{}", self.requests));
        let request = RequestId(self.requests);
        self.input(Input::RequestCancelled { request })
    }

    fn types(&mut self, text: &str) -> &mut Self {
        self.does(&format!("type {text:?}"));
        self.document = self.document.with_replaced(self.cursor..self.cursor, text);
        self.cursor.0 += text.len();
        self.changed()
    }

    fn accepts(&mut self) -> &mut Self {
        let (_, suggestion) = self.shown.take().expect("something is shown");
        self.does("accept");
        (self.document, self.cursor) = suggestion.apply(&self.document);
        self.changed()
    }

    /// Another source's suggestion appears at the cursor.
    fn sees(&mut self, text: &str) -> &mut Self {
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

    fn dismisses(&mut self) -> &mut Self {
        self.does("dismiss");
        let document = DocumentId(1);
        self.input(Input::Dismissed { document })
    }

    fn closes(&mut self) -> &mut Self {
        self.does("close");
        let document = DocumentId(1);
        self.input(Input::DocumentClosed { document })
    }

    fn changed(&mut self) -> &mut Self {
        let snapshot = self.document.clone();
        let document = DocumentId(1);
        self.input(Input::DocumentChanged { document, snapshot })
    }

    /// The model says a text behind what it has said so far; the first time also what it must.
    fn says(&mut self, id: u64, text: &str) -> &mut Self {
        self.does(&format!("g{id} says {text:?}"));
        let (request, said) = self.generations.get_mut(&id).expect("it was started");
        let tail = request.tail.clone();
        let boundary = tail.len() - request.prompt.forced.len();
        let before = VOCABULARY
            .encode(&(tail[boundary..].to_string() + said))
            .len();
        let before = if said.is_empty() { 0 } else { before };
        said.push_str(text);
        let whole = tail + said;
        let tokens = VOCABULARY.encode(&whole[boundary..]);
        if self.unreported.remove(&id) {
            self.input(Input::Generation(GenerationEvent::Started {
                id: GenerationId(id),
                prompt_tokens: VOCABULARY.encode(&whole[..boundary]).len(),
                continued: before,
            }));
        }
        let canonical_until = stable_boundary(PreTokenizer::Qwen2, &whole);
        let mut end = boundary;
        for (number, &token) in tokens.iter().enumerate() {
            let bytes = VOCABULARY.bytes(token).to_vec();
            end += bytes.len();
            if number >= before {
                self.input(Input::Generation(GenerationEvent::Token {
                    id: GenerationId(id),
                    token: PathToken {
                        id: token,
                        bytes,
                        log_prob: -0.1,
                        masked_stop: None,
                    },
                    canonical_until: canonical_until.min(end),
                }));
            }
        }
        self
    }

    fn stops(&mut self, id: u64) -> &mut Self {
        self.does(&format!("g{id} stops"));
        let id = GenerationId(id);
        let end = PathEnd::Stop { log_prob: -0.1 };
        self.input(Input::Generation(GenerationEvent::Ended { id, end }))
    }

    fn fails(&mut self, id: u64, failure: GenerationFailure) -> &mut Self {
        self.does(&format!("g{id} fails: {failure:?}"));
        let id = GenerationId(id);
        self.input(Input::Generation(GenerationEvent::Failed { id, failure }))
    }

    fn does(&mut self, what: &str) {
        self.log
            .push_str(&format!("{:<6} {what}\n", format!("{}ms", self.now)));
    }

    fn input(&mut self, input: Input) -> &mut Self {
        let now = Timestamp(Duration::from_millis(self.now));
        self.speculator.handle_input(now, input);
        self.now += 5;
        while let Some(effect) = self.speculator.poll_effect() {
            let line = self.describe(effect);
            self.log.push_str(&format!("       -> {line}\n"));
        }
        self
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
                    let mut line = format!("respond r{request} {:?}", suggestion.text);
                    for other in &alternatives {
                        line += &format!(" or {:?}", other.suggestion.text);
                    }
                    line += &format!(" {origin:?}");
                    self.shown = Some((id, suggestion));
                    line
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
                let line = format!("start g{id} {} at {end:?}", who(request.priority));
                let known = request.continued.iter();
                let known: Vec<u8> = known
                    .flat_map(|&id| VOCABULARY.bytes(id).to_vec())
                    .collect();
                let said = known.get(request.prompt.forced.len()..).unwrap_or_default();
                let said = String::from_utf8(said.to_vec()).expect("text");
                self.unreported.insert(id);
                self.generations.insert(id, (request, said));
                line
            }
            Effect::PrioritizeGeneration(id, priority) => {
                format!("g{} is {} now", id.0, who(priority))
            }
            Effect::CancelGeneration(id) => format!("cancel g{}", id.0),
        }
    }

    #[track_caller]
    fn check(&self, expected: Expect) {
        expected.assert_eq(&self.log);
    }
}

#[test]
fn a_miss_is_answered_and_then_its_accept_is_computed() {
    open("let x = $0\n")
        .request()
        .says(1, "foo(a);")
        .says(1, "\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "foo(a);"
            40ms   g1 says "\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn an_accept_is_answered_at_once_from_what_was_computed_ahead() {
    open("let x = $0\n")
        .request()
        .says(1, "foo(a);\n")
        .says(1, "let y = bar;\nret")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            45ms   g1 says "let y = bar;\nret"
            80ms   accept
            85ms   request r2
                   -> respond r2 "\nlet y = bar;" Speculated
        "#]]);
}

#[test]
fn what_another_source_shows_is_looked_ahead_of_and_ends_the_wait() {
    open("let x = $0\n")
        .request()
        .sees("foo(a);")
        .says(1, "q")
        .says(2, "\nlet y = bar;\n")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   see "foo(a);"
                   -> superseded r1
                   -> g1 is speculative now
            15ms   g1 says "q"
                   -> cancel g1
                   -> start g2 speculative at " x = foo(a);"
            35ms   g2 says "\nlet y = bar;\n"
            80ms   accept
            85ms   request r2
                   -> respond r2 "\nlet y = bar;" Speculated
        "#]]);
}

#[test]
fn a_speculation_that_goes_on_with_a_path_is_used_once_when_an_answer_reads_its_part() {
    let mut timeline = open_with("let x = $0\n", 1);
    timeline
        .request()
        .says(1, "foo(a);\n")
        .says(1, "bar(b);\n")
        .accepts()
        .request();
    let stats = timeline.speculator.stats();
    assert_eq!((stats.hits_speculated, stats.speculations_used), (1, 1));
    timeline.says(2, "baz(c);\n").accepts().request().request();
    let stats = timeline.speculator.stats();
    assert_eq!((stats.hits_speculated, stats.speculations_used), (2, 2));
    timeline.check(expect![[r#"
        0ms    open "let x = $0\n"
        5ms    request r1
               -> start g1 foreground at "let x = "
        10ms   g1 says "foo(a);\n"
               -> respond r1 "foo(a);" Miss
               -> g1 is speculative now
        45ms   g1 says "bar(b);\n"
               -> cancel g1
        70ms   accept
               -> start g2 speculative at "let x = "
        75ms   request r2
               -> respond r2 "\nbar(b);" Speculated
        80ms   g2 says "baz(c);\n"
               -> cancel g2
        115ms  accept
               -> start g3 speculative at "let x = "
        120ms  request r3
               -> respond r3 "\nbaz(c);" Speculated
        125ms  request r4
               -> respond r4 "\nbaz(c);" TypedThrough
    "#]]);
}

#[test]
fn an_accept_behind_a_stop_begins_anew_and_is_speculated() {
    open("let x = $0\n")
        .request()
        .says(1, "foo(a);")
        .stops(1)
        .says(2, "\nbar();\nret")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "foo(a);"
            40ms   g1 stops
                   -> respond r1 "foo(a);" Miss
                   -> start g2 speculative at " x = foo(a);"
            45ms   g2 says "\nbar();\nret"
            80ms   accept
            85ms   request r2
                   -> respond r2 "\nbar();" Speculated
        "#]]);
}

#[test]
fn typing_along_is_answered_from_the_same_path() {
    open("let x = $0\n")
        .request()
        .says(1, "foo(a);\n")
        .types("f")
        .request()
        .types("oo(")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            45ms   type "f"
            50ms   request r2
                   -> respond r2 "oo(a);" TypedThrough
            55ms   type "oo("
            60ms   request r3
                   -> respond r3 "a);" TypedThrough
        "#]]);
}

#[test]
fn a_request_joins_a_generation_that_may_answer_it() {
    open("let x = $0\n")
        .request()
        .types("f")
        .request()
        .says(1, "foo(a);\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   type "f"
                   -> superseded r1
                   -> g1 is speculative now
            15ms   request r2
                   -> g1 is foreground now
            20ms   g1 says "foo(a);\n"
                   -> respond r2 "oo(a);" Joined
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn typing_something_else_cancels_what_was_computed_ahead() {
    open("let x = $0\n")
        .request()
        .says(1, "foo(a);")
        .stops(1)
        .types("b")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "foo(a);"
            40ms   g1 stops
                   -> respond r1 "foo(a);" Miss
                   -> start g2 speculative at " x = foo(a);"
            45ms   type "b"
                   -> cancel g2
            50ms   request r2
                   -> start g3 foreground at "let x = b"
        "#]]);
}

#[test]
fn a_newer_request_supersedes_an_older_one_and_joins_its_generation() {
    open("let x = $0\n")
        .request()
        .request()
        .says(1, "foo;\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   request r2
                   -> superseded r1
            15ms   g1 says "foo;\n"
                   -> respond r2 "foo;" Joined
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn a_cancelled_request_leaves_its_generation_to_the_next_one() {
    open("let x = $0\n")
        .request()
        .cancels_request()
        .request()
        .says(1, "foo;\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   cancel r1
                   -> superseded r1
                   -> g1 is speculative now
            15ms   request r2
                   -> g1 is foreground now
            20ms   g1 says "foo;\n"
                   -> respond r2 "foo;" Joined
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn a_prompt_that_is_too_long_is_tried_twice_with_less() {
    open("let x = $0\n")
        .request()
        .fails(1, GenerationFailure::TooLong)
        .fails(2, GenerationFailure::TooLong)
        .fails(3, GenerationFailure::TooLong)
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 fails: TooLong
                   -> start g2 foreground at "let x = "
            15ms   g2 fails: TooLong
                   -> start g3 foreground at "let x = "
            20ms   g3 fails: TooLong
                   -> silent r1: too long for the model None
            25ms   request r2
                   -> silent r2: too long for the model None
        "#]]);
}

#[test]
fn a_broken_generation_fails_its_request_once() {
    open("let x = $0\n")
        .request()
        .fails(1, GenerationFailure::Broken("out of memory".to_string()))
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 fails: Broken("out of memory")
                   -> failed r1: out of memory
        "#]]);
}

#[test]
fn a_broken_speculation_is_silent_and_not_tried_again() {
    open("let x = $0\n")
        .request()
        .says(1, "foo;")
        .stops(1)
        .fails(2, GenerationFailure::Broken("out of memory".to_string()))
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "foo;"
            30ms   g1 stops
                   -> respond r1 "foo;" Miss
                   -> start g2 speculative at "let x = foo;"
            35ms   g2 fails: Broken("out of memory")
        "#]]);
}

#[test]
fn silence_is_remembered_as_a_suggestion_is() {
    open("let x = $0\n")
        .request()
        .says(1, "\n\n\n\n\n")
        .stops(1)
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "\n\n\n\n\n"
                   -> silent r1: nothing to add Some(Miss)
                   -> cancel g1
            40ms   g1 stops
            45ms   request r2
                   -> silent r2: nothing to add Some(Exact)
        "#]]);
}

#[test]
fn nothing_is_computed_behind_a_dismissed_suggestion() {
    open("let x = $0\n")
        .request()
        .says(1, "foo;")
        .stops(1)
        .dismisses()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "foo;"
            30ms   g1 stops
                   -> respond r1 "foo;" Miss
                   -> start g2 speculative at "let x = foo;"
            35ms   dismiss
                   -> cancel g2
        "#]]);
}

#[test]
fn closing_a_document_answers_and_cancels() {
    open("let x = $0\n").request().closes().check(expect![[r#"
        0ms    open "let x = $0\n"
        5ms    request r1
               -> start g1 foreground at "let x = "
        10ms   close
               -> superseded r1
               -> cancel g1
    "#]]);
}

#[test]
fn without_speculation_a_generation_ends_with_its_answer() {
    open_with("let x = $0\n", 0)
        .request()
        .says(1, "foo(a);\n")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 says "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> cancel g1
            45ms   accept
            50ms   request r2
                   -> start g2 foreground at "let x = "
        "#]]);
}

#[test]
fn a_popup_item_begins_what_is_suggested() {
    let selected = Some(SelectedCompletion {
        range: Offset(8)..Offset(9),
        text: "foo".to_string(),
    });
    open("let x = f$0\n")
        .request_with(selected)
        .says(1, "(a);\n")
        .accepts()
        .check(expect![[r#"
            0ms    open "let x = f$0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = foo"
            10ms   g1 says "(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            40ms   accept
        "#]]);
}
