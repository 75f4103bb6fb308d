//! The identity of what the model sees.

use xxhash_rust::xxh3::Xxh3;

use crate::{ContextSettings, ContextWindow, Layout, ModelProfile};

/// 128-bit xxh3 of model id, template, attempt, settings, file name, language, base, tail and what
/// may be copied.
///
/// Text left out at the cursor is not part of it, because the model does not see it. The hash is
/// only a name: after a lookup by key, the text is still compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextKey(pub u128);

impl ContextKey {
    /// Returns the key of a whole window.
    pub fn of_window(
        profile: &ModelProfile,
        settings: &ContextSettings,
        window: &ContextWindow,
    ) -> Self {
        let mut fields = Fields::of_base(profile, settings, window);
        fields.text(&window.tail);
        fields.key()
    }

    /// Returns the key of a window without its tail. All states that typing at the cursor leads to
    /// share it.
    pub fn of_base(
        profile: &ModelProfile,
        settings: &ContextSettings,
        window: &ContextWindow,
    ) -> Self {
        Fields::of_base(profile, settings, window).key()
    }
}

/// Hashes fields one by one, texts with their lengths, so that no two lists of fields run together.
struct Fields(Xxh3);

impl Fields {
    fn of_base(profile: &ModelProfile, settings: &ContextSettings, window: &ContextWindow) -> Self {
        // Destructured so that a new setting cannot be forgotten here.
        let ContextSettings {
            prefix_budget: _,
            suffix_budget: _,
            longest_line,
            anchor_lines,
            copy_budget,
        } = *settings;
        let budgets = settings.budgets(0).expect("the first try is allowed");
        let mut fields = Self(Xxh3::new());
        fields.text(&profile.id);
        fields.number(match profile.template.layout {
            Layout::SuffixFirst => 0,
            Layout::PrefixFirst => 1,
            Layout::Split => 2,
        });
        fields.number(u64::from(profile.template.file_name));
        fields.number(u64::from(window.attempt));
        for setting in [
            budgets.prefix,
            budgets.suffix,
            longest_line,
            anchor_lines,
            copy_budget,
        ] {
            fields.number(setting as u64);
        }
        fields.text(&window.name.file_name);
        fields.text(&window.name.language);
        fields.text(&window.before_anchor);
        fields.text(&window.suffix);
        for copied in [window.elsewhere.digest(), window.name.open_files.digest()] {
            fields.0.update(&copied.to_le_bytes());
        }
        fields
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn key(self) -> ContextKey {
        ContextKey(self.0.digest128())
    }
}
