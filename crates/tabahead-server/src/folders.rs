//! Where the paths in the settings lead: `~`, and the folder that a relative path counts from.
//!
//! A path never counts from the folder that the editor was started in: that folder is often a
//! repository's, and a repository decides nothing about the model. This module reads no environment
//! variable and looks at no file; the program says where the folders are.

use std::path::{self, Path, PathBuf};

use crate::settings::SettingsError;

/// The folders that a path in the settings can count from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// The user's home, which `~` stands for; `None` without one.
    pub home: Option<PathBuf>,
    /// The folder of the configuration file, which need not exist; `None` when there is no place for one.
    pub configuration: Option<PathBuf>,
}

impl Folders {
    /// Whether a path counts from another folder than the home.
    pub fn is_relative(written: &str) -> bool {
        below_home(written).is_none() && !Path::new(written).is_absolute()
    }

    /// The absolute path that a path in the settings means.
    ///
    /// # Errors
    /// `SettingsError::Invalid` when the folder that it counts from is unknown.
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

/// What follows `~` and a separator; `None` when the path does not begin so. `~user` is no such path.
fn below_home(written: &str) -> Option<&str> {
    let rest = written.strip_prefix('~')?;
    (rest.is_empty() || rest.starts_with(path::is_separator))
        .then(|| rest.trim_start_matches(path::is_separator))
}

/// The path without `.` between its parts. Nothing is looked up.
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
