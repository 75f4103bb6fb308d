//! Emacs with eglot, which has no inline completion, and the built program: suggestions appear in
//! the completion menu.
//!
//! `emacs/driver.el` runs in Emacs; it prints one line per observation and fails on the first wrong
//! one.

use std::{env, fs, path::Path, process::Command};

use crate::{program, report};

#[test]
fn emacs_with_eglot_completes_with_suggestions() {
    let Some(emacs) = env::var_os("TABAHEAD_EMACS") else {
        report::skip("the test of Emacs with eglot", "TABAHEAD_EMACS is not set");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("area.py");
    fs::write(&file, "").expect("a file to edit");
    // Load the site's files, where Debian has eglot, and not the user's.
    let output = Command::new(emacs)
        .args(["--batch", "--no-init-file", "--load"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/editors/emacs/driver.el"))
        .env("FILE", &file)
        .env("HOME", folder.path())
        .env("TABAHEAD", program::path())
        .output()
        .expect("Emacs runs");
    report::relay("Emacs", &output, 10);
}
