//! The table of model families: from metadata to the layout of a prompt.
//!
//! A family that is not in the table gets the order that most models were trained with.

use tabahead_context::{FimTemplate, Layout, Marker, ModelProfile, PreTokenizer, WindowBudgets};
use tabahead_engine::{ModelInfo, SpecialToken};

/// Families by the beginning of `general.name` in lower case: layout, and whether they were trained
/// with file names. No family has [`Layout::Split`]: [`Layout::PrefixFirst`] presents the same text
/// in the same order with less to compute.
const FAMILIES: [(&str, Layout, bool); 2] = [
    // Our own: trained with this order alone, prompts cut by `cargo xtask prompts`, file name
    // first.
    ("tabahead-mini", Layout::SuffixFirst, true),
    // Trained with prefix, suffix, middle (Qwen2.5-Coder Technical Report, 3.2: `<|fim_prefix|>`,
    // `<|fim_suffix|>`, `<|fim_middle|>`), with `<|file_sep|>` and the path before each file of a
    // repository. It was not trained with suffix first.
    ("qwen2.5-coder", QWEN.0, QWEN.1),
];

/// Qwen2.5-Coder, Qwen3-Coder and models derived from them.
const QWEN: (Layout, bool) = (Layout::PrefixFirst, true);

/// Families that are not in the table. Those that were trained with both orders (StarCoder, Code
/// Llama) can read this one, and most others (DeepSeek-Coder, CodeGemma) were trained with it
/// alone.
const OTHERS: (Layout, bool) = (Layout::PrefixFirst, false);

/// Number of weights from which a model reads so slowly that a larger window costs more than it
/// gains.
const SLOW: usize = 1_000_000_000;

/// Returns what the pure crates must know about a model, or one line on why it cannot be used.
pub(super) fn profile(
    info: &ModelInfo,
    has: impl Fn(SpecialToken) -> bool,
) -> Result<ModelProfile, String> {
    let name = info.name.to_lowercase().replace([' ', '_'], "-");
    let named = FAMILIES
        .iter()
        .find(|(family, ..)| name.starts_with(family));
    let (layout, file_name) = match named {
        Some((_, layout, file_name)) => (*layout, *file_name),
        // A model derived from Qwen's under another name is recognized by its tokenizer.
        None if info.pre_tokenizer == "qwen2" && has(SpecialToken::File) => QWEN,
        None => OTHERS,
    };
    if let Some(missing) = missing_marker(layout, &has) {
        return Err(format!(
            "model '{}' cannot fill in the middle: it has no {missing:?} token; choose a code model with fill-in-the-middle",
            info.name
        ));
    }
    let pre_tokenizer = match info.pre_tokenizer.as_str() {
        "qwen2" => PreTokenizer::Qwen2,
        "llama-bpe" => PreTokenizer::Llama3,
        other => {
            return Err(format!(
                "model '{}' splits text by '{other}', which is not supported; choose a model with 'qwen2' or 'llama-bpe'",
                info.name
            ));
        }
    };
    Ok(ModelProfile {
        id: info.id.clone(),
        template: FimTemplate {
            layout,
            file_name: file_name && has(SpecialToken::File),
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
pub(super) fn missing_marker(
    layout: Layout,
    has: impl Fn(SpecialToken) -> bool,
) -> Option<SpecialToken> {
    let mut needed = layout.markers().iter().map(|marker| special(*marker));
    needed.find(|token| !has(*token))
}

/// Returns the special token for a marker.
pub(super) fn special(marker: Marker) -> SpecialToken {
    match marker {
        Marker::File => SpecialToken::File,
        Marker::Prefix => SpecialToken::Prefix,
        Marker::Suffix => SpecialToken::Suffix,
        Marker::Middle => SpecialToken::Middle,
    }
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
    fn families_are_known_by_the_beginning_of_their_name() {
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
    fn an_unknown_family_is_shown_no_file_name() {
        let info = ModelInfo {
            pre_tokenizer: "llama-bpe".to_owned(),
            ..info("something else")
        };
        let profile = profile(&info, |_| true).expect("usable");
        assert_eq!(profile.template.layout, Layout::PrefixFirst);
        assert!(!profile.template.file_name);
    }

    #[test]
    fn a_model_without_a_file_marker_gets_no_file_name() {
        let profile = profile(&info("tabahead-mini"), |token| token != SpecialToken::File);
        assert!(!profile.expect("usable").template.file_name);
    }

    #[test]
    fn a_model_that_cannot_fill_in_the_middle_is_refused() {
        let line = profile(&info("prose"), |token| token != SpecialToken::Middle);
        assert!(line.expect_err("refused").contains("no Middle token"));
        let line = profile(&info("prose"), |token| token != SpecialToken::Suffix);
        assert!(line.expect_err("refused").contains("no Suffix token"));
    }

    #[test]
    fn text_is_split_as_the_model_says() {
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
        let line = profile(&info, |_| true).expect_err("refused");
        assert!(line.contains("'gpt-9'"), "{line}");
    }
}
