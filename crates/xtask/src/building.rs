//! Builds targets of the workspace for the tasks that run them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

/// Builds targets of the whole workspace in one go, so that tests and program share every
/// dependency. Returns the path of the program; `None` if something does not compile.
pub fn build(root: &Path, targets: &[&str]) -> Result<Option<PathBuf>> {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace"])
        .args(targets)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo build could not be run")?;
    if !output.status.success() {
        return Ok(None);
    }
    let program = executable(&String::from_utf8_lossy(&output.stdout), "tabahead");
    program
        .map(Some)
        .context("cargo built no program `tabahead`")
}

/// Returns the path of a program in cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact"
                && message["target"]["name"] == name
                && message["target"]["kind"][0] == "bin"
                && message["profile"]["test"] == false
        })
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_in_the_messages_of_cargo() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"tabahead","kind":["bin"]},"profile":{"test":true},"executable":"/t/deps/tabahead-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"tabahead","kind":["bin"]},"profile":{"test":false},"executable":"/t/tabahead"}"#,
            "\nnot json\n",
        );
        assert_eq!(executable(messages, "tabahead"), Some("/t/tabahead".into()));
        assert_eq!(executable(messages, "xtask"), None);
    }
}
