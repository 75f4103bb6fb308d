//! Real editors that have no inline completion, with the built program: its suggestions in their completion menus.
//!
//! `completion/neovim.lua` drives Neovim 0.11, `completion/emacs.el` runs in Emacs with eglot. Each prints one line
//! per thing that it saw and fails on the first that is wrong.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{program, report};

#[test]
fn neovim_011_has_suggestions_in_its_completion_menu() {
    let Some(nvim) = place("TABAHEAD_NVIM_011") else {
        report::skip(
            "the test of Neovim 0.11's completion menu",
            "TABAHEAD_NVIM_011 does not say where it is",
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("area.rs"), "").expect("a file to edit");
    let output = Command::new(&nvim)
        .args(["--clean", "-l"])
        .arg(scripts().join("completion/neovim.lua"))
        .env("NVIM_UNDER_TEST", &nvim)
        .env("SCRIPTS", scripts().join("neovim"))
        .env("INIT", scripts().join("completion/init.lua"))
        .env("FOLDER", folder.path())
        .env("TABAHEAD", program::path())
        .env("XDG_STATE_HOME", folder.path())
        .env("NVIM_LOG_FILE", folder.path().join("nvim.log"))
        .output()
        .expect("Neovim runs");
    report::relay("Neovim 0.11's menu", &output, 14);
}

#[test]
fn emacs_with_eglot_completes_with_suggestions() {
    let Some(emacs) = place("TABAHEAD_EMACS") else {
        report::skip(
            "the test of Emacs with eglot",
            "TABAHEAD_EMACS does not say where it is",
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("area.py");
    fs::write(&file, "").expect("a file to edit");
    // With the site's files, where Debian has eglot, and without the user's.
    let output = Command::new(emacs)
        .args(["--batch", "--no-init-file", "--load"])
        .arg(scripts().join("completion/emacs.el"))
        .env("FILE", &file)
        .env("HOME", folder.path())
        .env("TABAHEAD", program::path())
        .output()
        .expect("Emacs runs");
    report::relay("Emacs", &output, 10);
}

fn place(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from)
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e")
}
