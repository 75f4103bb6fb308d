//! Which documents get suggestions at all: no secrets, no giants, nothing that the user turned off.
//!
//! A pure function of a file's identity, its size and the settings, shared by the server and every
//! command that shows text to a model or records it. Long lines and secret values are not decided
//! here: the context window handles them itself. `names.rs` recognises secrets, `rules.rs`
//! the setting `paths`.

mod names;
mod rules;

use std::collections::BTreeMap;

use tabahead_context::DocumentName;
use tabahead_text::is_language;

pub use names::is_secret;
pub(crate) use rules::{canonical, problem_of};

use crate::{
    folders::Folders,
    settings::{Settings, SettingsError},
};
use rules::PathRules;

/// What is known about a document besides its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// The place where its text is stored.
    pub location: Location,
    /// The path, decoded and canonical; for a buffer without a file the editor's name for it,
    /// possibly empty.
    pub path: String,
    /// LSP language id; empty when unknown.
    pub language: String,
    /// Other canonical paths that it may have: where it leads to, if it is a link.
    others: Vec<String>,
    /// Whether the path or the language is a secret's. Computed once, because it is needed for all
    /// open documents at each key.
    is_secret: bool,
}

/// The place where a document's text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Location {
    /// On this machine's disk.
    #[default]
    Disk,
    /// In the editor, not saved yet.
    Untitled,
    /// In a cell of the notebook at the path.
    Notebook,
    /// Anywhere else: a commit, an output panel, an archive.
    Elsewhere,
}

impl File {
    /// Builds the identity of a document from its decoded path.
    pub fn new(location: Location, path: &str, language: &str) -> Self {
        let path = canonical(path);
        Self {
            location,
            is_secret: is_secret(&path) || names::is_language_of_secrets(language),
            path,
            others: Vec::new(),
            language: language.to_owned(),
        }
    }

    /// Returns the same identity for a path that leads to another, as a link does: it is a secret if
    /// either is, and rules hold for both.
    #[must_use]
    pub fn leading_to(mut self, other: &str) -> Self {
        self.is_secret |= is_secret(other);
        let other = canonical(other);
        if other != self.path {
            self.others.push(other);
        }
        self
    }

    /// Returns the paths that a rule may match.
    fn paths(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.path)
            .chain(&self.others)
            .map(String::as_str)
    }

    /// Returns the last component of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the name that the model sees. A notebook cell is source in its own language,
    /// whatever the notebook's file format is.
    pub(crate) fn document_name(&self) -> DocumentName {
        let name = self.name();
        match (self.location, name.rsplit_once('.')) {
            // The editor's name for a buffer without a path carries no information.
            (Location::Untitled, _) if !self.path.contains('/') => {
                DocumentName::new("", &self.language)
            }
            (Location::Notebook, Some((stem, _))) if self.language == "python" => {
                DocumentName::new(format!("{stem}.py"), &self.language)
            }
            (Location::Notebook, Some((stem, _))) => DocumentName::new(stem, &self.language),
            _ => DocumentName::new(name, &self.language),
        }
    }
}

/// Maximum size of a document in bytes; a larger one is data or generated, and gets no suggestions.
const LARGEST_DOCUMENT: usize = 4 << 20;

/// Why a document gets no suggestions. Its text is a clause for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsuitable {
    #[error("this is not a file")]
    Elsewhere,
    #[error("a file of this name may hold secrets")]
    Secret,
    #[error("the file is too large")]
    Huge,
    #[error("the file is minified")]
    Minified,
    #[error("off for this language, by the setting 'languages'")]
    LanguageOff,
    #[error("off for this file, by the setting 'paths'")]
    PathOff,
    #[error("off, because a rule in the settings cannot be read")]
    RuleUnread,
    #[error("off, because the configuration file cannot be read")]
    ConfigurationUnread,
}

impl Unsuitable {
    /// Returns a short name for logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Secret => "secret",
            Self::Huge => "huge",
            Self::Minified => "minified",
            Self::LanguageOff => "language off",
            Self::PathOff => "path off",
            Self::RuleUnread => "rule unread",
            Self::ConfigurationUnread => "configuration unread",
        }
    }
}

/// The settings' rules about documents, compiled for frequent use.
#[derive(Debug, Clone, Default)]
pub struct Suitability {
    languages: BTreeMap<String, bool>,
    paths: PathRules,
    /// Why everything is off: a rule that turns something off, or the file that may hold one, cannot
    /// be understood.
    closed: Option<Unsuitable>,
}

impl Suitability {
    /// Compiles the rules of these settings; also returns those that cannot be understood. If one
    /// of them turns something off, everything is off, because what it was meant to protect is
    /// unknown.
    pub fn new(settings: &Settings, folders: &Folders) -> (Self, Vec<SettingsError>) {
        let home = folders.home.as_deref().map(|home| home.to_string_lossy());
        let (paths, refused) = PathRules::new(&settings.paths, home.as_deref());
        let suitability = Self {
            languages: settings.languages.clone(),
            paths,
            closed: (refused.iter().any(|(rule, _)| !rule.enabled))
                .then_some(Unsuitable::RuleUnread),
        };
        let problems = refused.into_iter().map(|(rule, problem)| {
            let number = settings.paths.iter().position(|other| *other == *rule);
            SettingsError::of_rule(number.map_or(1, |at| at + 1), &rule.glob, &problem)
        });
        (suitability, problems.collect())
    }

    /// Returns the same rules with everything off.
    #[must_use]
    pub(crate) fn closed(self, why: Unsuitable) -> Self {
        Self {
            closed: Some(why),
            ..self
        }
    }

    /// Returns whether everything is off because a rule cannot be understood.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Returns why a document gets no suggestions; `None` if it gets them.
    pub(crate) fn unsuitable(&self, file: &File, bytes: usize) -> Option<Unsuitable> {
        if file.is_secret {
            Some(Unsuitable::Secret)
        } else if file.location == Location::Elsewhere {
            Some(Unsuitable::Elsewhere)
        } else if bytes > LARGEST_DOCUMENT {
            Some(Unsuitable::Huge)
        } else if is_minified(file.name()) {
            Some(Unsuitable::Minified)
        } else if !self.is_language_on(&file.language) {
            Some(Unsuitable::LanguageOff)
        } else if self.closed.is_some() {
            self.closed
        } else if !self.paths.is_enabled(file.paths()) {
            Some(Unsuitable::PathOff)
        } else {
            None
        }
    }

    /// Returns why a file on disk gets no suggestions, as a clause; `None` if it gets them.
    pub fn why_not(&self, path: &str, language: &str, bytes: usize) -> Option<String> {
        let file = File::new(Location::Disk, path, language);
        self.unsuitable(&file, bytes)
            .map(|reason| reason.to_string())
    }

    /// Returns whether a path is a secret's or turned off by a rule: no text from there may be
    /// shown to a model or recorded.
    pub fn is_private(&self, path: &str) -> bool {
        is_secret(path) || self.is_closed() || !self.paths.is_enabled([canonical(path).as_str()])
    }

    fn is_language_on(&self, language: &str) -> bool {
        let languages = &self.languages;
        if let Some(enabled) = languages.get(language) {
            return *enabled;
        }
        // Editors name languages differently, and one settings file serves all editors. If the
        // settings for several names of a language differ, the one that keeps text from the model
        // wins.
        let by_another_name = || {
            languages
                .iter()
                .filter(|(name, _)| is_language(language, name))
        };
        if by_another_name().next().is_some() {
            return by_another_name().all(|(_, enabled)| *enabled);
        }
        languages.get("*").copied().unwrap_or(true)
    }
}

fn is_minified(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        ".min.js", ".min.css", ".min.mjs", ".min.cjs", ".js.map", ".css.map",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(path: &str) -> File {
        File::new(Location::Disk, path, "rust")
    }

    fn some(layer: serde_json::Value) -> Suitability {
        let settings = Settings::resolve(&[&layer]).expect("good settings");
        Suitability::new(&settings, &Folders::default()).0
    }

    fn why(path: &str) -> Option<Unsuitable> {
        Suitability::default().unsuitable(&file(path), 10)
    }

    #[test]
    fn secrets_are_silent_wherever_they_are() {
        for location in [
            Location::Disk,
            Location::Untitled,
            Location::Notebook,
            Location::Elsewhere,
        ] {
            let file = File::new(location, "/w/.env", "rust");
            let why = Suitability::default().unsuitable(&file, 10);
            assert_eq!(why, Some(Unsuitable::Secret));
        }
    }

    #[test]
    fn the_editors_language_says_that_a_file_holds_secrets() {
        let all = Suitability::default();
        for language in ["dotenv", "pem", "ssh_config", "netrc"] {
            let file = File::new(Location::Disk, "/w/settings", language);
            assert_eq!(all.unsuitable(&file, 10), Some(Unsuitable::Secret));
        }
        // Settings of any kind are properties; their name decides.
        let properties = |name| File::new(Location::Disk, name, "properties");
        assert_eq!(all.unsuitable(&properties("/w/log.properties"), 10), None);
        assert_eq!(
            all.unsuitable(&properties("/w/.env"), 10),
            Some(Unsuitable::Secret)
        );
    }

    #[test]
    fn a_rule_holds_for_a_link_and_for_what_it_leads_to() {
        let rule = |glob: &str, enabled: bool| json!({"glob": glob, "enabled": enabled});
        let why = |rules: Vec<serde_json::Value>| {
            let link = file("/w/a.rs").leading_to("/private/w/a.rs");
            some(json!({"paths": rules})).unsuitable(&link, 1)
        };
        let off = Some(Unsuitable::PathOff);
        assert_eq!(why(vec![rule("/private/**", false)]), off);
        assert_eq!(why(vec![rule("/w/**", false)]), off);
        // The last rule that matches either decides, so what is turned on by its link stays on.
        assert_eq!(why(vec![rule("**", false), rule("/w/**", true)]), None);
        assert_eq!(
            why(vec![rule("/w/**", true), rule("/private/**", false)]),
            off
        );
    }

    #[test]
    fn giants_and_minified_files_are_silent() {
        let all = Suitability::default();
        let main = file("/w/main.rs");
        assert_eq!(all.unsuitable(&main, LARGEST_DOCUMENT), None);
        assert_eq!(
            all.unsuitable(&main, LARGEST_DOCUMENT + 1),
            Some(Unsuitable::Huge)
        );
        assert_eq!(why("/w/jquery.min.js"), Some(Unsuitable::Minified));
    }

    #[test]
    fn untitled_buffers_are_suitable_and_other_schemes_are_not() {
        let at = |location| File {
            location,
            ..File::default()
        };
        let all = Suitability::default();
        assert_eq!(all.unsuitable(&at(Location::Untitled), 1), None);
        assert_eq!(
            all.unsuitable(&at(Location::Elsewhere), 1),
            Some(Unsuitable::Elsewhere)
        );
    }

    #[test]
    fn a_cell_is_named_by_its_own_language() {
        let cell = |language: &str| File::new(Location::Notebook, "/w/first.look.ipynb", language);
        assert_eq!(Suitability::default().unsuitable(&cell("python"), 1), None);
        assert_eq!(cell("python").document_name().file_name, "first.look.py");
        assert_eq!(cell("julia").document_name().file_name, "first.look");
    }

    #[test]
    fn a_buffer_has_the_name_of_the_file_that_it_is_to_become() {
        let untitled = |path: &str| File::new(Location::Untitled, path, "rust");
        assert_eq!(untitled("/w/a.rs").document_name().file_name, "a.rs");
        assert_eq!(untitled("Untitled-1").document_name().file_name, "");
    }

    #[test]
    fn languages_are_turned_off_by_name_or_all_but_some() {
        let only = some(json!({"languages": {"*": false, "python": true}}));
        assert_eq!(
            only.unsuitable(&file("a"), 1),
            Some(Unsuitable::LanguageOff)
        );
        let but = some(json!({"languages": {"python": false}}));
        assert_eq!(but.unsuitable(&file("a"), 1), None);
        let python = File::new(Location::Disk, "a", "python");
        assert_eq!(but.unsuitable(&python, 1), Some(Unsuitable::LanguageOff));
        assert_eq!(only.unsuitable(&python, 1), None);
    }

    #[test]
    fn a_rule_for_a_home_that_is_unknown_turns_everything_off_or_nothing() {
        let rule = |enabled| json!({"paths": [{"glob": "~/x", "enabled": enabled}]});
        let a = file("/w/a.rs");
        assert_eq!(
            some(rule(false)).unsuitable(&a, 1),
            Some(Unsuitable::RuleUnread)
        );
        assert_eq!(some(rule(true)).unsuitable(&a, 1), None);
        let settings = Settings::resolve(&[&rule(false)]).expect("good settings");
        let (_, problems) = Suitability::new(&settings, &Folders::default());
        let line = problems.iter().map(ToString::to_string).collect::<String>();
        assert!(line.contains("'~/x'") && line.contains("HOME"), "{line}");
    }

    #[test]
    fn commands_ask_the_same() {
        let off = some(json!({"paths": [{"glob": "generated", "enabled": false}]}));
        assert!(off.is_private("/w/generated/a.py") && off.is_private(".env"));
        assert!(!off.is_private("/w/a.py"));
        let why = off.why_not("generated/a.py", "python", 1);
        assert_eq!(
            why.as_deref(),
            Some("off for this file, by the setting 'paths'")
        );
        assert_eq!(off.why_not("a.py", "python", 1), None);
    }
}
