//! Models and settings for tests whose subject is something else. A test states what it depends on
//! and takes the rest from here.

use std::num::NonZeroUsize;

use tabahead_context::{
    ContextSettings, CutSettings, FimTemplate, Layout, ModelProfile, PreTokenizer, WindowBudgets,
};
use tabahead_speculation::{ComputedAhead, SpeculatorSettings};

/// Returns a template that shows the model the file's name.
pub fn named(layout: Layout) -> FimTemplate {
    FimTemplate {
        layout,
        file_name: true,
    }
}

/// Returns a template without the file's name.
pub fn unnamed(layout: Layout) -> FimTemplate {
    FimTemplate {
        layout,
        file_name: false,
    }
}

/// Returns a model that reads text as Qwen2 does and has no limit of its own for what is shown.
pub fn profile(id: &str, template: FimTemplate, context_tokens: usize) -> ModelProfile {
    ModelProfile {
        id: id.to_owned(),
        template,
        pre_tokenizer: PreTokenizer::Qwen2,
        context_tokens,
        window: WindowBudgets::default(),
        least_log_prob: None,
    }
}

/// Returns settings that show up to `max_tokens` tokens, however unlikely they are.
pub fn cut_of(max_tokens: usize) -> CutSettings {
    CutSettings {
        max_tokens,
        least_log_prob: None,
        least_log_prob_at_end: f32::NEG_INFINITY,
    }
}

/// Returns the settings of a Speculator that shows up to 20 tokens, keeps a megabyte and runs two
/// generations at a time.
pub fn speculator_settings(ahead: ComputedAhead) -> SpeculatorSettings {
    SpeculatorSettings {
        context: ContextSettings::default(),
        cut: cut_of(20),
        ahead,
        cache_bytes: 1 << 20,
        in_flight: NonZeroUsize::new(2).expect("not zero"),
    }
}
