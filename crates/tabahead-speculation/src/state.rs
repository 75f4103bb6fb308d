//! A buffer state: a text, a cursor, and what the model sees there.
//!
//! The states that requests ask about and the states that the user may reach have the same type, so
//! that both are looked up and generated in the same way.

use tabahead_context::{
    ContextKey, ContextSettings, ContextWindow, DocumentName, ModelProfile, Silence, Suggestion,
};
use tabahead_text::{Document, Offset};

/// A text with a cursor in it, cut for the model.
#[derive(Debug, Clone)]
pub(crate) struct BufferState {
    pub document: Document,
    pub cursor: Offset,
    pub name: DocumentName,
    /// The view of the model, or the reason why it is not asked.
    pub view: Result<View, Silence>,
    /// Number of bytes at the end of the tail that the model must generate. They are not in the
    /// document.
    pub demanded: usize,
}

/// The part of a state that the model sees, and the keys that identify it.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub window: ContextWindow,
    /// Identifies base and tail.
    pub key: ContextKey,
    /// Identifies the base alone.
    pub base: ContextKey,
}

impl BufferState {
    pub fn new(
        document: Document,
        cursor: Offset,
        name: DocumentName,
        settings: &ContextSettings,
        profile: &ModelProfile,
    ) -> Self {
        let view = View::new(&document, cursor, &name, settings, profile, 0);
        Self {
            document,
            cursor,
            name,
            view,
            demanded: 0,
        }
    }

    /// Returns the same state with the constraint that the model must generate `next` at the
    /// cursor. Base and left-out closers stay, whatever `next` opens or closes.
    pub fn demanding(
        &self,
        next: char,
        settings: &ContextSettings,
        profile: &ModelProfile,
    ) -> Self {
        let mut state = self.clone();
        if let Ok(view) = &mut state.view {
            view.window.tail.push(next);
            view.key = ContextKey::of_window(profile, settings, &view.window);
        }
        state.demanded += next.len_utf8();
        state
    }

    /// Returns the state after the accept of `suggestion`, which was shown here.
    pub fn accepted(
        &self,
        suggestion: &Suggestion,
        settings: &ContextSettings,
        profile: &ModelProfile,
    ) -> Self {
        let (document, cursor) = suggestion.apply(&self.document);
        Self::new(document, cursor, self.name.clone(), settings, profile)
    }

    /// Returns the length of the tail that the model sees; 0 if it is not asked.
    pub fn tail_length(&self) -> usize {
        self.view.as_ref().map_or(0, |view| view.window.tail.len())
    }

    /// Cuts the window again with the next smaller budgets, because the engine found this one too
    /// long.
    pub fn shrink(&mut self, settings: &ContextSettings, profile: &ModelProfile) {
        if let Ok(view) = &self.view {
            let attempt = view.window.attempt + 1;
            self.view = View::new(
                &self.document,
                self.cursor,
                &self.name,
                settings,
                profile,
                attempt,
            );
        }
    }
}

impl View {
    fn new(
        document: &Document,
        cursor: Offset,
        name: &DocumentName,
        settings: &ContextSettings,
        profile: &ModelProfile,
        attempt: u8,
    ) -> Result<Self, Silence> {
        let layout = profile.template.layout;
        let window = ContextWindow::new(document, cursor, name, layout, settings, attempt)?;
        Ok(Self {
            key: ContextKey::of_window(profile, settings, &window),
            base: ContextKey::of_base(profile, settings, &window),
            window,
        })
    }

    /// Reports whether both views have the same base. Compares the text; the hash only finds
    /// candidates.
    pub fn has_base_of(&self, other: &Self) -> bool {
        self.base == other.base && self.window.same_base(&other.window)
    }
}

#[cfg(test)]
mod tests {
    use tabahead_context::{FimTemplate, Layout, PreTokenizer, WindowBudgets};
    use tabahead_text::Version;

    use super::*;

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
        let view = |text: &str| {
            let document = Document::new(text, Version(0));
            let (name, settings) = (DocumentName::default(), ContextSettings::default());
            View::new(&document, Offset(1), &name, &settings, &profile, 0).expect("a view")
        };
        let (one, typed, mut other) = (view("a\nsuffix"), view("b\nsuffix"), view("a\nother"));
        assert!(one.has_base_of(&typed));
        assert!(!one.has_base_of(&other));
        other.base = one.base;
        assert!(!one.has_base_of(&other));
    }
}
