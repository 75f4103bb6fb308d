//! The workbench of a real VS Code with the LSP client that its extensions use, and the built program.
//!
//! `vscode/driver.js` runs the workbench in a browser, types, reads the ghost text and presses Tab; it
//! prints one line per thing that it saw and fails on the first that is wrong. The extension is the
//! test's own and does nothing but start the client.

use std::{env, path::PathBuf, process::Command};

use crate::{program, report};

#[test]
fn vscode_shows_accepts_and_goes_on_from_what_was_computed_ahead() {
    let name = "the VS Code test";
    let found = env::var_os("TABAHEAD_VSCODE").zip(env::var_os("TABAHEAD_CHROMIUM"));
    let Some((modules, chromium)) = found else {
        report::skip(
            name,
            "TABAHEAD_VSCODE and TABAHEAD_CHROMIUM do not say where they are",
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let driver = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("e2e/vscode/driver.js");
    let output = Command::new("node")
        .arg(driver)
        .env("VSCODE_MODULES", modules)
        .env("CHROMIUM", which(chromium.into()))
        .env("FOLDER", folder.path())
        .env("TABAHEAD", program::path())
        .output()
        .expect("Node runs");
    report::relay("VS Code", &output, 7);
}

/// The place of a program; the browser's driver does not look along the path.
fn which(program: PathBuf) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(&program))
        .find(|place| place.is_file())
        .unwrap_or(program)
}
