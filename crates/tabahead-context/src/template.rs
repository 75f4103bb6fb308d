//! The order in which a model reads base and tail.
//!
//! Names markers by role and never spells them: a marker in the edited text is text. See
//! `stable_boundary` for where the prompt ends and the forced text begins.

use crate::{ContextWindow, Layout, Marker, PreTokenizer, WindowBudgets, stable_boundary};

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
