//! How the paths in the settings are resolved: `~`, and the base folder of a relative path.
//!
//! A path is never relative to the folder in which the editor was started: that folder is often a
//! repository, and a repository must not decide which model is used. This module reads no
//! environment variable and no file; the program passes in the folders.

use std::path::{self, Path, PathBuf};

use crate::settings::SettingsError;

/// The folders to which a path in the settings can be relative.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// The user's home, which replaces `~`; `None` without one.
    pub home: Option<PathBuf>,
    /// The folder of the configuration file, which need not exist; `None` if it is unknown.
    pub configuration: Option<PathBuf>,
}

impl Folders {
    /// Returns whether a path is relative and does not begin with `~`.
    pub fn is_relative(written: &str) -> bool {
        below_home(written).is_none() && !Path::new(written).is_absolute()
    }

    /// Resolves a path from the settings to an absolute path.
    ///
    /// # Errors `SettingsError::Invalid` when the folder to which the path is relative is unknown.
    pub fn locate(&self, written: &str) -> Result<PathBuf, SettingsError> {
        let (folder, rest) = match below_home(written) {
            Some(rest) => (&self.home, rest),
            None if Self::is_relative(written) => (&self.configuration, written),
            None => return Ok(clean(Path::new(written))),
        };
        match folder {
            Some(folder) => Ok(clean(&folder.join(rest))),
            None => Err(SettingsError::Invalid {
                key: "model".to_owned(),
                problem: format!(
                    "the folder that '{written}' counts from is unknown, because HOME is not set; \
                     write the whole path"
                ),
            }),
        }
    }
}

/// Returns what follows `~` and a separator; `None` for any other path. `~user` is such another
/// path.
fn below_home(written: &str) -> Option<&str> {
    let rest = written.strip_prefix('~')?;
    (rest.is_empty() || rest.starts_with(path::is_separator))
        .then(|| rest.trim_start_matches(path::is_separator))
}

/// Returns the path without `.` components. Does not touch the file system.
fn clean(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> Folders {
        Folders {
            home: Some(PathBuf::from("/people/ada")),
            configuration: Some(PathBuf::from("/people/ada/.config/tabahead")),
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_counts_from_the_root_the_home_or_the_configuration() {
        for (written, meant) in [
            ("/models/./a.gguf", "/models/a.gguf"),
            ("~/models/a b.gguf", "/people/ada/models/a b.gguf"),
            ("~", "/people/ada"),
            ("~//a.gguf", "/people/ada/a.gguf"),
            ("a.gguf", "/people/ada/.config/tabahead/a.gguf"),
            ("./a.gguf", "/people/ada/.config/tabahead/a.gguf"),
            ("../m/a.gguf", "/people/ada/.config/tabahead/../m/a.gguf"),
            ("~eve/a.gguf", "/people/ada/.config/tabahead/~eve/a.gguf"),
        ] {
            assert_eq!(folders().locate(written), Ok(PathBuf::from(meant)));
        }
    }

    #[cfg(windows)]
    #[test]
    fn both_separators_follow_the_home_on_windows() {
        let folders = Folders {
            home: Some(PathBuf::from(r"C:\people\ada")),
            configuration: None,
        };
        for written in [r"~\models\a.gguf", "~/models/a.gguf"] {
            let meant = PathBuf::from(r"C:\people\ada\models\a.gguf");
            assert_eq!(folders.locate(written), Ok(meant));
        }
    }

    #[test]
    fn without_the_folder_that_a_path_counts_from_the_whole_path_is_asked_for() {
        for written in ["~/a.gguf", "a.gguf"] {
            let refused = Folders::default().locate(written).expect_err("no folder");
            let line = refused.to_string();
            assert!(line.contains(written), "{line}");
            assert!(line.contains("write the whole path"), "{line}");
        }
    }
}
