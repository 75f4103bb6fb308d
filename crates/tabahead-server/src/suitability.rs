//! Which documents get suggestions at all: not secrets, not giants, not what the user turned off.
//!
//! A pure function of a file's identity, its size and the settings. Long lines are not decided
//! here: the context window is silent on them by itself.

use tabahead_context::DocumentName;
use tabahead_text::is_language;

use crate::settings::{PathRule, Settings};

/// What is known of a document besides its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct File {
    /// Where its text lives.
    pub(crate) home: Home,
    /// The path with `/`, decoded; empty for an untitled buffer.
    pub(crate) path: String,
    /// LSP language id; empty when unknown.
    pub(crate) language: String,
}

/// Where a document's text lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Home {
    /// On this machine's disk.
    #[default]
    Disk,
    /// In the editor, without a name yet.
    Untitled,
    /// In a cell of the notebook at the path.
    Notebook,
    /// Anywhere else: a commit, an output panel, an archive.
    Elsewhere,
}

impl File {
    /// The last component of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// What the model sees of it. A cell is source in its own language, whatever its notebook's file holds.
    pub(crate) fn document_name(&self) -> DocumentName {
        let name = self.name();
        match (self.home, name.rsplit_once('.')) {
            (Home::Notebook, Some((stem, _))) if self.language == "python" => {
                DocumentName::new(format!("{stem}.py"), &self.language)
            }
            (Home::Notebook, Some((stem, _))) => DocumentName::new(stem, &self.language),
            _ => DocumentName::new(name, &self.language),
        }
    }
}

/// A larger document gets no suggestions: it is data or generated.
const LARGEST_DOCUMENT: usize = 4 << 20;

/// Why a document gets no suggestions. As text, a clause for the user.
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
    #[error("off for this file")]
    PathOff,
}

impl Unsuitable {
    /// A word for logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Secret => "secret",
            Self::Huge => "huge",
            Self::Minified => "minified",
            Self::LanguageOff => "language off",
            Self::PathOff => "path off",
        }
    }
}

/// Why a document gets no suggestions; `None` when it does.
pub(crate) fn unsuitable(file: &File, bytes: usize, settings: &Settings) -> Option<Unsuitable> {
    if file.home == Home::Elsewhere {
        Some(Unsuitable::Elsewhere)
    } else if is_secret(&file.path) {
        Some(Unsuitable::Secret)
    } else if bytes > LARGEST_DOCUMENT {
        Some(Unsuitable::Huge)
    } else if is_minified(file.name()) {
        Some(Unsuitable::Minified)
    } else if !language_enabled(&file.language, settings) {
        Some(Unsuitable::LanguageOff)
    } else if !path_enabled(&file.path, &settings.paths) {
        Some(Unsuitable::PathOff)
    } else {
        None
    }
}

fn language_enabled(language: &str, settings: &Settings) -> bool {
    let languages = &settings.languages;
    if let Some(enabled) = languages.get(language) {
        return *enabled;
    }
    // Editors differ in what they call a language, and one file of settings is for all. Who says both is taken at
    // the word that keeps text from the model.
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

fn path_enabled(path: &str, rules: &[PathRule]) -> bool {
    rules
        .iter()
        .rev()
        .find(|rule| rule_matches(&rule.glob, path))
        .is_none_or(|rule| rule.enabled)
}

fn rule_matches(pattern: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    if pattern.starts_with('/') {
        glob(pattern.as_bytes(), path.as_bytes())
    } else if pattern.contains('/') {
        let at_any_component = std::iter::once(path)
            .chain(path.match_indices('/').map(|(slash, _)| &path[slash + 1..]));
        at_any_component
            .into_iter()
            .any(|end| glob(pattern.as_bytes(), end.as_bytes()))
    } else {
        glob(pattern.as_bytes(), name.as_bytes())
    }
}

/// Whether `pattern` matches the whole of `text`. `*` and `?` do not match `/`, `**` does.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // Row by row: `reach[i]` says whether the pattern read so far matches `text[..i]`.
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    let mut rest = pattern;
    while let Some((&first, tail)) = rest.split_first() {
        let many = first == b'*';
        let across = many && tail.first() == Some(&b'*');
        rest = if across { &tail[1..] } else { tail };
        let mut next = vec![false; text.len() + 1];
        if many {
            let mut open = false;
            for i in 0..=text.len() {
                if i > 0 && text[i - 1] == b'/' && !across {
                    open = false;
                }
                open |= reach[i];
                next[i] = open;
            }
        } else {
            for i in 0..text.len() {
                let same = text[i] == first || (first == b'?' && text[i] != b'/');
                next[i + 1] = reach[i] && same;
            }
        }
        reach = next;
    }
    reach[text.len()]
}

fn is_minified(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        ".min.js", ".min.css", ".min.mjs", ".min.cjs", ".js.map", ".css.map",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// Whether a path, with `/`, is one of those that hold keys and passwords. Better silent once too often than a secret in a model, a
/// cache or a log.
pub fn is_secret(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    // Editors keep copies beside the file: `.env~`, `key.pem.swp`, `id_rsa.bak`.
    const BEGINNINGS: [&str; 8] = [
        ".env",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        ".netrc",
        ".npmrc",
        ".pypirc",
    ];
    const NAMES: [&str; 12] = [
        "_netrc",
        ".pgpass",
        ".my.cnf",
        ".htpasswd",
        ".dockercfg",
        ".git-credentials",
        ".vault-token",
        ".authinfo",
        ".yarnrc.yml",
        "shadow",
        "kubeconfig",
        "service-account.json",
    ];
    const EXTENSIONS: [&str; 16] = [
        "env", "pem", "key", "p12", "p8", "pfx", "jks", "keystore", "kdbx", "ppk", "pkcs12", "gpg",
        "asc", "tfvars", "tfstate", "ovpn",
    ];
    const ENDS: [&str; 3] = [
        "/.docker/config.json",
        "/.kube/config",
        "/.cargo/credentials.toml",
    ];
    const DATA: [&str; 12] = [
        "",
        "yaml",
        "yml",
        "json",
        "toml",
        "ini",
        "conf",
        "cfg",
        "properties",
        "txt",
        "xml",
        "enc",
    ];
    let speaks_of_secrets = ["secret", "credential", "password", "passwd"]
        .iter()
        .any(|word| name.contains(word));
    BEGINNINGS
        .iter()
        .any(|beginning| name.starts_with(beginning))
        || NAMES.contains(&name)
        || EXTENSIONS.contains(&extension)
        || ["pem", "key", "p12", "keystore"].iter().any(|inner| {
            name.contains(&format!(".{inner}.")) || name.ends_with(&format!(".{inner}~"))
        })
        || ENDS.iter().any(|end| path.ends_with(end))
        || (speaks_of_secrets && DATA.contains(&extension))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(path: &str) -> File {
        File {
            path: path.to_owned(),
            language: "rust".to_owned(),
            ..File::default()
        }
    }

    fn why(path: &str) -> Option<Unsuitable> {
        unsuitable(&file(path), 10, &Settings::default())
    }

    #[test]
    fn secrets_are_silent() {
        for path in [
            "/w/.env",
            "/w/.env.local",
            "/w/.envrc",
            "/w/prod.env",
            "/w/server.pem",
            "/w/server.PEM",
            "/w/server.pem.bak",
            "/w/tls.key",
            "/data/u/.ssh/id_rsa",
            "/data/u/.ssh/id_rsa.pub",
            "/data/u/.ssh/id_ed25519_work",
            "/data/u/.aws/credentials",
            "/w/credentials.json",
            "/data/u/.netrc",
            "/data/u/.npmrc",
            "/data/u/.pypirc",
            "/data/u/.kube/config",
            "/w/a.p12",
            "/w/a.keystore",
            "/w/k8s/my-secret.yaml",
            "/w/Secrets.json",
            "/w/passwords.txt",
        ] {
            assert_eq!(why(path), Some(Unsuitable::Secret), "{path}");
        }
    }

    #[test]
    fn source_about_secrets_is_not_a_secret() {
        for path in [
            "/w/src/secret.rs",
            "/w/credentials.py",
            "/w/environment.ts",
            "/w/key.rs",
            "/w/keys/mod.rs",
            "/w/config.json",
            "/w/.github/workflows/ci.yml",
        ] {
            assert_eq!(why(path), None, "{path}");
        }
    }

    #[test]
    fn giants_and_minified_files_are_silent() {
        let settings = Settings::default();
        let main = file("/w/main.rs");
        assert_eq!(unsuitable(&main, LARGEST_DOCUMENT, &settings), None);
        assert_eq!(
            unsuitable(&main, LARGEST_DOCUMENT + 1, &settings),
            Some(Unsuitable::Huge)
        );
        assert_eq!(why("/w/jquery.min.js"), Some(Unsuitable::Minified));
    }

    #[test]
    fn untitled_buffers_are_suitable_and_other_schemes_are_not() {
        let at = |home| File {
            home,
            ..File::default()
        };
        let settings = Settings::default();
        assert_eq!(unsuitable(&at(Home::Untitled), 1, &settings), None);
        assert_eq!(
            unsuitable(&at(Home::Elsewhere), 1, &settings),
            Some(Unsuitable::Elsewhere)
        );
    }

    #[test]
    fn a_cell_is_named_by_its_own_language() {
        let cell = |language: &str| File {
            home: Home::Notebook,
            path: "/w/first.look.ipynb".to_owned(),
            language: language.to_owned(),
        };
        assert_eq!(unsuitable(&cell("python"), 1, &Settings::default()), None);
        assert_eq!(cell("python").document_name().file_name, "first.look.py");
        assert_eq!(cell("julia").document_name().file_name, "first.look");
    }

    #[test]
    fn languages_are_turned_off_by_name_or_all_but_some() {
        let some = |layer| Settings::resolve(&[&layer]).expect("good settings");
        let only = some(json!({"languages": {"*": false, "python": true}}));
        assert_eq!(
            unsuitable(&file("a"), 1, &only),
            Some(Unsuitable::LanguageOff)
        );
        let but = some(json!({"languages": {"python": false}}));
        assert_eq!(unsuitable(&file("a"), 1, &but), None);
        let python = File {
            language: "python".to_owned(),
            ..file("a")
        };
        assert_eq!(unsuitable(&python, 1, &but), Some(Unsuitable::LanguageOff));
        assert_eq!(unsuitable(&python, 1, &only), None);
    }

    #[test]
    fn a_language_is_turned_off_by_any_name_that_it_has() {
        let is_on = |language: &str, languages: serde_json::Value| {
            let settings = Settings::resolve(&[&json!({ "languages": languages })]);
            let file = File {
                language: language.to_owned(),
                ..file("a")
            };
            unsuitable(&file, 1, &settings.expect("good settings")).is_none()
        };
        // Neovim's word and VS Code's.
        for language in ["sh", "shellscript"] {
            assert!(
                !is_on(language, json!({"shellscript": false})),
                "{language}"
            );
            assert!(!is_on(language, json!({"sh": false})), "{language}");
            assert!(
                is_on(language, json!({"*": false, "shellscript": true})),
                "{language}"
            );
            assert!(is_on(language, json!({"python": false})), "{language}");
        }
        // The editor's own word decides; of others, the one that is off.
        assert!(is_on("zsh", json!({"shellscript": false, "zsh": true})));
        assert!(!is_on("sh", json!({"shellscript": false, "bash": true})));
    }

    #[test]
    fn the_last_path_rule_that_matches_decides() {
        let rules = |list: &[(&str, bool)]| -> Vec<PathRule> {
            list.iter()
                .map(|(glob, enabled)| PathRule {
                    glob: (*glob).to_owned(),
                    enabled: *enabled,
                })
                .collect()
        };
        let path = "/code/app/vendor/lib/a.rs";
        for (list, enabled) in [
            (&[] as &[_], true),
            (&[("*.rs", false)], false),
            (&[("*.py", false)], true),
            (&[("vendor/**", false)], false),
            (&[("vendor/*", false)], true),
            (&[("vendor/*/?.rs", false)], false),
            (&[("/code/**", false), ("a.rs", true)], true),
            (&[("a.rs", true), ("/code/**", false)], false),
            (&[("/app/**", false)], true),
            (&[("endor/**", false)], true),
        ] {
            assert_eq!(path_enabled(path, &rules(list)), enabled, "{list:?}");
        }
    }
}
