//! What a model sees of a state, and the keys that identify it.

use crate::{
    ContextKey, ContextSettings, ContextWindow, CutSettings, ModelProfile, Silence, State,
};

/// A model and the settings that decide, with a state, what it is asked and what is shown of its
/// answer.
#[derive(Debug, Clone)]
pub struct QuestionSettings {
    /// The model.
    pub profile: ModelProfile,
    /// Settings of the window.
    pub context: ContextSettings,
    /// Settings of the cut.
    pub cut: CutSettings,
}

impl QuestionSettings {
    /// Combines settings with a model. What they leave open takes the model's values.
    pub fn new(context: &ContextSettings, cut: &CutSettings, profile: &ModelProfile) -> Self {
        Self {
            context: context.for_model(profile),
            cut: cut.for_model(profile),
            profile: profile.clone(),
        }
    }
}

/// The part of a state that the model sees, and the keys that identify it.
#[derive(Debug, Clone)]
pub struct View {
    /// The window.
    pub window: ContextWindow,
    /// Identifies base and tail.
    pub key: ContextKey,
    /// Identifies the base alone.
    pub base: ContextKey,
}

impl View {
    /// Returns what the model sees of a state, with the largest budgets.
    ///
    /// # Errors
    /// Returns a [`Silence`] if the model is not asked at this state.
    pub fn new(state: &State, settings: &QuestionSettings) -> Result<Self, Silence> {
        Self::with_budgets(state, settings, 0)
    }

    /// Returns the view of the same state with the next smaller budgets, because the engine found
    /// this one too long.
    ///
    /// # Errors
    /// Returns [`Silence::TooLong`] if there are no smaller budgets.
    pub fn shrunk(&self, state: &State, settings: &QuestionSettings) -> Result<Self, Silence> {
        Self::with_budgets(state, settings, self.window.attempt + 1)
    }

    fn with_budgets(
        state: &State,
        settings: &QuestionSettings,
        attempt: u8,
    ) -> Result<Self, Silence> {
        let QuestionSettings {
            profile, context, ..
        } = settings;
        let State {
            document,
            cursor,
            name,
        } = state;
        let layout = profile.template.layout;
        let window = ContextWindow::new(document, *cursor, name, layout, context, attempt)?;
        Ok(Self {
            key: ContextKey::of_window(profile, context, &window),
            base: ContextKey::of_base(profile, context, &window),
            window,
        })
    }

    /// Adds a character to the tail that the model must generate. Base and left-out closers stay,
    /// whatever the character opens or closes.
    pub fn demand(&mut self, next: char, settings: &QuestionSettings) {
        self.window.tail.push(next);
        self.key = ContextKey::of_window(&settings.profile, &settings.context, &self.window);
    }

    /// Returns whether both views have the same base. Compares the text; the hash only finds
    /// candidates.
    pub fn has_base_of(&self, other: &Self) -> bool {
        self.base == other.base && self.window.same_base(&other.window)
    }
}

#[cfg(test)]
mod tests {
    use tabahead_text::{Document, Offset, Version};

    use super::*;
    use crate::{DocumentName, FimTemplate, Layout, PreTokenizer, WindowBudgets};

    #[test]
    fn bases_of_one_hash_are_compared_as_texts() {
        let profile = ModelProfile {
            id: "none".to_string(),
            template: FimTemplate {
                layout: Layout::SuffixFirst,
                file_name: false,
            },
            pre_tokenizer: PreTokenizer::Qwen2,
            context_tokens: 100,
            window: WindowBudgets::default(),
            least_log_prob: None,
        };
        let cut = CutSettings {
            max_tokens: 8,
            least_log_prob: None,
            least_log_prob_at_end: f32::NEG_INFINITY,
        };
        let settings = QuestionSettings::new(&ContextSettings::default(), &cut, &profile);
        let view = |text: &str| {
            let state = State {
                document: Document::new(text, Version(0)),
                cursor: Offset(1),
                name: DocumentName::default(),
            };
            View::new(&state, &settings).expect("a view")
        };
        let (one, typed, mut other) = (view("a\nsuffix"), view("b\nsuffix"), view("a\nother"));
        assert!(one.has_base_of(&typed));
        assert!(!one.has_base_of(&other));
        other.base = one.base;
        assert!(!one.has_base_of(&other));
    }
}
