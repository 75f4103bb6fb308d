//! The session's settings: the layers that they are resolved from, and the rules about documents
//! that follow.

use serde_json::Value;
use tabahead_backend::{LocalSettings, ModelSource};

use super::documents::DocumentRules;
use crate::{
    folders::Folders,
    message::EditorLayer,
    settings::{EMBEDDED, Settings},
    suitability::{Suitability, Unsuitable},
};

/// Names of the sources of settings, for messages.
const FILE: &str = "configuration file";
const EDITOR: &str = "editor's settings";

/// The layers of the settings, what they resolve to, and their rules.
pub(super) struct SettingsLayers {
    embedded: &'static [u8],
    folders: Folders,
    file: Value,
    /// Why the file cannot be read: it may hold a rule that keeps text from the model.
    unreadable: Option<String>,
    initial: Value,
    pushed: Value,
    flags: Value,
    settings: Settings,
    suitability: Suitability,
}

impl SettingsLayers {
    /// Builds the layers of a session that has no settings from its editor yet; `embedded` holds
    /// the weights of `mini`.
    pub(super) fn new(
        embedded: &'static [u8],
        folders: Folders,
        file: Result<Value, String>,
        flags: Value,
    ) -> Self {
        let (file, unreadable) = match file {
            Ok(file) => (file, None),
            Err(why) => (Value::Null, Some(why)),
        };
        Self {
            embedded,
            folders,
            file,
            unreadable,
            initial: Value::Null,
            pushed: Value::Null,
            flags,
            settings: Settings::default(),
            suitability: Suitability::default(),
        }
    }

    /// Takes the editor's settings as far as they can be read. Returns the backend's settings, and
    /// a line about each setting that cannot be used. Where the setting `model` cannot be used,
    /// `running` stays the model.
    pub(super) fn take(
        &mut self,
        layer: EditorLayer,
        value: Value,
        running: Option<&ModelSource>,
    ) -> (LocalSettings, Vec<String>) {
        match layer {
            EditorLayer::Initial => self.initial = value,
            EditorLayer::Pushed => self.pushed = value,
        }
        let layers = [
            (&self.file, FILE),
            (&self.initial, EDITOR),
            (&self.pushed, EDITOR),
            (&self.flags, "command line"),
        ];
        let readable = Settings::readable(&layers.map(|(layer, _)| layer));
        let mut lines = Vec::new();
        if let Some(why) = &self.unreadable {
            lines.push(format!(
                "{why}; there are no suggestions until it is corrected and the server restarted"
            ));
        }
        for (number, problem) in &readable.problems {
            lines.push(format!("{problem} (in the {})", layers[*number].1));
        }
        self.settings = readable.settings;
        let (suitability, refused) = Suitability::new(&self.settings, &self.folders);
        lines.extend(refused.iter().map(ToString::to_string));
        self.suitability = if self.unreadable.is_some() {
            suitability.closed(Unsuitable::ConfigurationUnread)
        } else if readable.is_closed {
            suitability.closed(Unsuitable::RuleUnread)
        } else {
            suitability
        };
        let local = match self.settings.local(self.embedded, &self.folders) {
            Ok(local) => local,
            Err(problem) => {
                lines.push(problem.to_string());
                self.local_with(running)
            }
        };
        (local, lines)
    }

    /// Builds the backend's settings without the setting `model`.
    fn local_with(&self, running: Option<&ModelSource>) -> LocalSettings {
        let embedded = Settings {
            model: EMBEDDED.to_owned(),
            ..self.settings.clone()
        };
        let local = embedded.local(self.embedded, &self.folders);
        let mut local = local.expect("the embedded model is nowhere");
        if let Some(model) = running {
            local.model = model.clone();
        }
        local
    }

    /// Returns the settings.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns which documents get suggestions.
    pub(super) fn suitability(&self) -> &Suitability {
        &self.suitability
    }

    /// Returns the rules about documents.
    pub(super) fn rules(&self) -> DocumentRules<'_> {
        DocumentRules {
            suitability: &self.suitability,
            copying: &self.settings.copying,
        }
    }
}
