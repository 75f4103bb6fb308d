//! What happens to a request whose answer is partly decided.

use std::num::NonZeroUsize;

use tabahead_context::{
    ContextSettings, CutSettings, FimTemplate, GenerationEvent, GenerationId, Layout, ModelProfile,
    PathToken, PreTokenizer, WindowBudgets,
};
use tabahead_text::{Document, Offset, Version};

use super::*;
use crate::{ComputedAhead, DocumentId, Effect, Input, Speculator, SpeculatorSettings, Timestamp};

fn settings(least_log_prob: Option<f32>) -> SpeculatorSettings {
    SpeculatorSettings {
        context: ContextSettings::default(),
        cut: CutSettings {
            max_tokens: 20,
            least_log_prob,
            least_log_prob_at_end: f32::NEG_INFINITY,
        },
        ahead: ComputedAhead::Nothing,
        cache_bytes: 1 << 20,
        in_flight: NonZeroUsize::new(2).expect("not zero"),
    }
}

/// Returns the events by which a model generates these tokens, the first of which spell the forced
/// bytes. They begin at `boundary`.
fn generates(id: u64, boundary: usize, tokens: &[&str]) -> Vec<Input> {
    let id = GenerationId(id);
    let started = GenerationEvent::Started {
        id,
        prompt_tokens: 3,
        continued: 0,
    };
    let tokens = tokens.iter().map(|text| GenerationEvent::Token {
        id,
        token: PathToken {
            id: 7,
            bytes: text.as_bytes().to_vec(),
            log_prob: -0.5,
            masked_stop: None,
        },
        canonical_until: boundary,
    });
    let events = std::iter::once(started).chain(tokens);
    events.map(Input::Generation).collect()
}

fn profile(least_log_prob: Option<f32>) -> ModelProfile {
    ModelProfile {
        id: "test".to_string(),
        template: FimTemplate {
            layout: Layout::SuffixFirst,
            file_name: false,
        },
        pre_tokenizer: PreTokenizer::Qwen2,
        context_tokens: 1_000,
        window: WindowBudgets::default(),
        least_log_prob,
    }
}

fn request(alternatives: usize) -> Input {
    Input::CompletionRequested {
        request: RequestId(1),
        document: DocumentId(1),
        snapshot: Document::new("x =\n", Version(1)),
        cursor: Offset(3),
        name: DocumentName::default(),
        selected: None,
        alternatives,
    }
}

fn answers(speculator: &mut Speculator) -> Vec<Answer> {
    std::iter::from_fn(|| speculator.poll_effect())
        .filter_map(|effect| match effect {
            Effect::Respond { answer, .. } => Some(answer),
            _ => None,
        })
        .collect()
}

#[test]
fn a_decision_under_other_settings_is_made_again() {
    let mut speculator = Speculator::new(settings(None), profile(None));
    let now = Timestamp::default();
    speculator.handle_input(now, request(1));
    speculator.handle_input(
        now,
        Input::Generation(GenerationEvent::Characters {
            id: GenerationId(1),
            characters: vec![' ', 'b'],
        }),
    );
    // The first suggestion is decided, and the other one has begun.
    for input in generates(1, 1, &[" =", " foo;", "\n"]) {
        speculator.handle_input(now, input);
    }
    speculator.configure(settings(Some(-0.1)));
    for input in generates(2, 3, &["b", "ar;", "\n"]) {
        speculator.handle_input(now, input);
    }
    let answers = answers(&mut speculator);
    let [Answer::Silent { reason, .. }] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(*reason, Silence::Unsure);
}

/// Checks whether tokens of log-probability -0.5 are shown, with `set` in the settings and
/// `of_model` in the model's file.
#[track_caller]
fn check_gate(set: Option<f32>, of_model: Option<f32>, shown: bool) {
    let mut speculator = Speculator::new(settings(set), profile(of_model));
    let now = Timestamp::default();
    speculator.handle_input(now, request(0));
    for input in generates(1, 1, &[" =", " foo;", "\n"]) {
        speculator.handle_input(now, input);
    }
    let answers = answers(&mut speculator);
    let [answer] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(matches!(answer, Answer::Suggestion { .. }), shown);
}

#[test]
fn the_gate_is_the_model_s_where_the_settings_have_none() {
    check_gate(None, None, true);
    check_gate(None, Some(-0.6), true);
    check_gate(None, Some(-0.4), false);
    check_gate(Some(-100.0), Some(-0.4), true);
    check_gate(Some(-0.4), None, false);
}
