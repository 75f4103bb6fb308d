//! What the pure crates must know about a model, from its metadata.
//!
//! `Family` of `tabahead-tokens` is the table of which family reads which order.

use tabahead_context::{FimTemplate, Layout, Marker, ModelProfile, PreTokenizer, WindowBudgets};
use tabahead_engine::ModelInfo;
use tabahead_tokens::Family;

use crate::BackendError;

/// Number of weights from which a model reads so slowly that a larger window costs more than it
/// gains.
const SLOW: usize = 1_000_000_000;

/// Returns what the pure crates must know about a model.
///
/// # Errors
/// When the model splits text in an unknown way, or cannot fill in the middle.
pub(super) fn profile(
    info: &ModelInfo,
    has: impl Fn(Marker) -> bool,
) -> Result<ModelProfile, BackendError> {
    let model = || info.name.clone();
    let pre_tokenizer = PreTokenizer::named(&info.pre_tokenizer).ok_or_else(|| {
        BackendError::UnknownPreTokenizer {
            model: model(),
            pre_tokenizer: info.pre_tokenizer.clone(),
        }
    })?;
    let family = Family::of(&info.name, pre_tokenizer, &has);
    if let Some(missing) = missing_marker(family.layout, &has) {
        return Err(BackendError::NoInfilling {
            model: model(),
            missing,
        });
    }
    Ok(ModelProfile {
        id: info.id.clone(),
        template: FimTemplate {
            layout: family.layout,
            file_name: family.file_name && has(Marker::File),
        },
        pre_tokenizer,
        context_tokens: info.context_tokens,
        window: window(info),
        least_log_prob: info.least_log_prob,
    })
}

/// Returns how much of a document suits a model. A model of half a billion weights gets more lines
/// right with twice as much; one of 1.5 billion does not, and takes three times as long to read it.
/// The budgets follow from the file alone, and not from the speed of the machine, so that a fresh
/// process answers as this one does. docs/models.md has the measurements.
fn window(info: &ModelInfo) -> WindowBudgets {
    if info.is_large() && info.parameters < SLOW {
        WindowBudgets {
            prefix: 3072,
            suffix: 1024,
        }
    } else {
        WindowBudgets::default()
    }
}

/// Returns a marker that a layout needs and the model does not have, if any.
pub(super) fn missing_marker(layout: Layout, has: impl Fn(Marker) -> bool) -> Option<Marker> {
    let mut needed = layout.markers().iter().copied();
    needed.find(|marker| !has(*marker))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tabahead_engine::ModelFormat;

    use super::*;

    fn info(name: &str) -> ModelInfo {
        ModelInfo {
            id: format!("{name}#1"),
            name: name.to_owned(),
            format: ModelFormat::Gguf,
            architecture: "llama".to_owned(),
            context_tokens: 1024,
            parameters: 1,
            tensor_types: BTreeMap::new(),
            file_bytes: 1,
            pre_tokenizer: "qwen2".to_owned(),
            least_log_prob: None,
        }
    }

    #[track_caller]
    fn check(name: &str, layout: Layout, file_name: bool) {
        let profile = profile(&info(name), |_| true).expect("usable");
        assert_eq!(profile.template, FimTemplate { layout, file_name });
    }

    #[test]
    fn a_prompt_is_laid_out_as_the_family_of_the_model_reads_it() {
        check("tabahead-mini-v0", Layout::SuffixFirst, true);
        check("Qwen2.5 Coder 0.5B", Layout::PrefixFirst, true);
        check("Qwen2.5-Coder-1.5B-Instruct", Layout::PrefixFirst, true);
        check("my-fine-tune", Layout::PrefixFirst, true);
    }

    #[test]
    fn a_model_is_shown_more_where_that_brings_something() {
        let window = |parameters| {
            let info = ModelInfo {
                parameters,
                ..info("my-fine-tune")
            };
            profile(&info, |_| true).expect("usable").window
        };
        let (embedded, half, larger) = (7_000_000, 494_032_768, 1_543_714_304);
        assert_eq!(window(embedded), WindowBudgets::default());
        assert!(window(half).prefix > window(embedded).prefix);
        assert!(window(half).suffix > window(embedded).suffix);
        assert_eq!(window(larger), WindowBudgets::default());
    }

    #[test]
    fn a_model_without_a_file_marker_gets_no_file_name() {
        let profile = profile(&info("tabahead-mini"), |marker| marker != Marker::File);
        assert!(!profile.expect("usable").template.file_name);
    }

    #[test]
    fn a_model_that_cannot_fill_in_the_middle_is_refused() {
        let refused = |missing| {
            let error = profile(&info("prose"), |marker| marker != missing);
            error.expect_err("refused").to_string()
        };
        assert!(refused(Marker::Middle).contains("no Middle token"));
        assert!(refused(Marker::Suffix).contains("no Suffix token"));
    }

    #[test]
    fn text_is_split_as_the_model_declares() {
        for (name, expected) in [
            ("qwen2", PreTokenizer::Qwen2),
            ("llama-bpe", PreTokenizer::Llama3),
        ] {
            let info = ModelInfo {
                pre_tokenizer: name.to_owned(),
                ..info("something else")
            };
            let profile = profile(&info, |_| true).expect("usable");
            assert_eq!(profile.pre_tokenizer, expected);
        }
    }

    #[test]
    fn an_unknown_pre_tokenizer_is_refused_by_name() {
        let info = ModelInfo {
            pre_tokenizer: "gpt-9".to_owned(),
            ..info("tabahead-mini")
        };
        let line = profile(&info, |_| true).expect_err("refused").to_string();
        assert!(line.contains("'gpt-9'"), "{line}");
    }
}
