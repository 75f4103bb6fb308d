//! The order in which a model reads base and tail.
//!
//! Names markers by role and never spells them: a marker in the edited text is text. See
//! `boundary.rs` for where the prompt ends and the forced text begins.

use crate::{ContextWindow, PreTokenizer, WindowBudgets, stable_boundary};

/// Order of the parts of a prompt: the two of section "Base and tail" in ARCHITECTURE.md, and the
/// one that others use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Suffix, then the prefix, which runs on into the middle without a marker.
    SuffixFirst,
    /// Prefix, suffix, middle marker, then the text since the anchor as forced middle.
    PrefixFirst,
    /// Prefix up to the cursor, suffix, middle marker, and nothing forced: what llama.vim requests
    /// from a llama.cpp server. Every state has its own base. Not the layout of any model family;
    /// for comparison.
    Split,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 3] = [Self::SuffixFirst, Self::PrefixFirst, Self::Split];

    /// Returns the name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SuffixFirst => "suffix-first",
            Self::PrefixFirst => "prefix-first",
            Self::Split => "split",
        }
    }

    /// Returns the markers that a model needs to read this layout.
    pub fn markers(self) -> &'static [Marker] {
        match self {
            Self::SuffixFirst => &[Marker::Prefix, Marker::Suffix],
            Self::PrefixFirst | Self::Split => &[Marker::Prefix, Marker::Suffix, Marker::Middle],
        }
    }
}

impl std::str::FromStr for Layout {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|layout| layout.as_str() == name);
        found.ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("'{name}' is not a layout; choose from {all}")
        })
    }
}

/// A special token, by role; only the engine knows its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marker {
    /// Before a file's name.
    File,
    /// Before the prefix.
    Prefix,
    /// Before the suffix.
    Suffix,
    /// Before the middle.
    Middle,
}

/// One stretch of a prompt. Text between two markers is encoded as one segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A special token.
    Marker(Marker),
    /// Text, encoded canonically.
    Text(String),
}

/// Prompt format of a model family: the layout, and whether a file name is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FimTemplate {
    /// Order of the parts.
    pub layout: Layout,
    /// Whether `File`, the name and a line end come first.
    pub file_name: bool,
}

/// Properties of a model that the pure crates need to know.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelProfile {
    /// Identity of weights and tokenizer; part of every key.
    pub id: String,
    /// Layout of the prompt.
    pub template: FimTemplate,
    /// How its tokenizer splits text before merging.
    pub pre_tokenizer: PreTokenizer,
    /// Number of tokens that fit the model's context.
    pub context_tokens: usize,
    /// How much of a document the model is shown, unless the user sets something else.
    pub window: WindowBudgets,
    /// Mean natural log-probability of a suggestion's tokens from which it is worth showing, if the
    /// model's file gives one.
    pub least_log_prob: Option<f32>,
}

/// A prompt cut at the stable boundary, ready for an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prompt {
    /// Everything up to the stable boundary; the last segment is the tail up to it (maybe empty).
    pub segments: Vec<Segment>,
    /// The tail after the stable boundary: the first tokens must spell it.
    pub forced: String,
}

impl FimTemplate {
    /// Renders a window; `forced` begins at `stable_boundary(tail)`.
    pub fn render(&self, window: &ContextWindow, pre_tokenizer: PreTokenizer) -> Prompt {
        let (known, forced) = window
            .tail
            .split_at(stable_boundary(pre_tokenizer, &window.tail));
        let mut segments = Vec::with_capacity(8);
        let mut part = |marker, text: &str| {
            segments.push(Segment::Marker(marker));
            segments.push(Segment::Text(text.to_string()));
        };
        if self.file_name && !window.name.file_name.is_empty() {
            part(Marker::File, &format!("{}\n", window.name.file_name));
        }
        match self.layout {
            Layout::SuffixFirst => {
                part(Marker::Suffix, &window.suffix);
                part(Marker::Prefix, known);
            }
            // The split layout has no tail: the text up to the cursor comes before the suffix.
            Layout::PrefixFirst | Layout::Split => {
                part(Marker::Prefix, &window.before_anchor);
                part(Marker::Suffix, &window.suffix);
                part(Marker::Middle, known);
            }
        }
        Prompt {
            segments,
            forced: forced.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
