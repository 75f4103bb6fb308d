//! Families of models: how they are recognised, and how their prompts are laid out.
//!
//! To add a family, give it a row in [`FAMILIES`], unless [`OTHERS`] describes it. If its files name
//! an architecture of their own, add it to [`Architecture`], and what its layers have to
//! `LayerProperties::of` in the engine. The two are apart because models of one architecture read
//! prompts in different orders.

use crate::{Layout, Marker, PreTokenizer};

/// How the layers of a model are built, by the name that its files state. The engine has the
/// arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Llama and models built like it. The embedded model is one.
    Llama,
    /// Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen3.
    Qwen3,
}

impl Architecture {
    /// All supported architectures.
    pub const ALL: [Self; 3] = [Self::Llama, Self::Qwen2, Self::Qwen3];

    /// Returns its name: `general.architecture` in GGUF files, and `model_type` in config.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// Returns the architecture of this name, if it is supported.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// A family of models that were trained to read prompts alike.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Beginning of the names of its models (`general.name`), in lower case and with hyphens.
    name: &'static str,
    /// Pre-tokenizer by which a model with another name is recognised as derived from this family,
    /// if it also has a file marker.
    derived: Option<PreTokenizer>,
    /// Order in which its models read a prompt.
    pub layout: Layout,
    /// Whether its models were trained with file names.
    pub file_name: bool,
}

/// The families that are known. None has [`Layout::Split`]: [`Layout::PrefixFirst`] presents the
/// same text in the same order with less to compute.
const FAMILIES: [Family; 2] = [
    // Our own: trained with this order alone, prompts cut by `cargo xtask prompts`, file name
    // first.
    Family {
        name: "tabahead-mini",
        derived: None,
        layout: Layout::SuffixFirst,
        file_name: true,
    },
    // Trained with prefix, suffix, middle (Qwen2.5-Coder Technical Report, 3.2: `<|fim_prefix|>`,
    // `<|fim_suffix|>`, `<|fim_middle|>`), with `<|file_sep|>` and the path before each file of a
    // repository. It was not trained with suffix first. Qwen3-Coder and models derived from either
    // are recognised by their tokenizer.
    Family {
        name: "qwen2.5-coder",
        derived: Some(PreTokenizer::Qwen2),
        layout: Layout::PrefixFirst,
        file_name: true,
    },
];

/// Families that are not in the table. Those that were trained with both orders (StarCoder, Code
/// Llama) can read this one, and most others (DeepSeek-Coder, CodeGemma) were trained with it
/// alone.
const OTHERS: Family = Family {
    name: "",
    derived: None,
    layout: Layout::PrefixFirst,
    file_name: false,
};

impl Family {
    /// Returns the family of a model by its name, or else by its tokenizer: how it splits text, and
    /// which markers it has.
    pub fn of(
        name: &str,
        pre_tokenizer: PreTokenizer,
        has: impl Fn(Marker) -> bool,
    ) -> &'static Self {
        let name = name.to_lowercase().replace([' ', '_'], "-");
        let named = FAMILIES.iter().find(|family| name.starts_with(family.name));
        let derived = || {
            let mut families = FAMILIES.iter().filter(|_| has(Marker::File));
            families.find(|family| family.derived == Some(pre_tokenizer))
        };
        named.or_else(derived).unwrap_or(&OTHERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, pre_tokenizer: PreTokenizer, layout: Layout, file_name: bool) {
        let family = Family::of(name, pre_tokenizer, |_| true);
        assert_eq!((family.layout, family.file_name), (layout, file_name));
    }

    #[test]
    fn families_are_known_by_the_beginning_of_their_name() {
        for pre_tokenizer in PreTokenizer::ALL {
            let known = |name, layout| check(name, pre_tokenizer, layout, true);
            known("tabahead-mini-v0", Layout::SuffixFirst);
            known("Tabahead_Mini", Layout::SuffixFirst);
            known("Qwen2.5 Coder 0.5B", Layout::PrefixFirst);
            known("Qwen2.5-Coder-1.5B-Instruct", Layout::PrefixFirst);
        }
    }

    #[test]
    fn a_derived_family_is_known_by_its_tokenizer() {
        check(
            "my-fine-tune",
            PreTokenizer::Qwen2,
            Layout::PrefixFirst,
            true,
        );
        let unmarked = Family::of("my-fine-tune", PreTokenizer::Qwen2, |marker| {
            marker != Marker::File
        });
        assert_eq!(unmarked, &OTHERS);
    }

    #[test]
    fn an_unknown_family_is_shown_no_file_name() {
        check(
            "something else",
            PreTokenizer::Llama3,
            Layout::PrefixFirst,
            false,
        );
    }

    #[test]
    fn an_architecture_is_known_by_its_whole_name() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::named(architecture.name()), Some(architecture));
        }
        assert_eq!(Architecture::named("qwen"), None);
    }
}
