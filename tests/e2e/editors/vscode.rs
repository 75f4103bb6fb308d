//! The VS Code extension as users have it: packed, installed into a real VS Code, with the built
//! program.
//!
//! `vscode/driver.js` runs the workbench in a browser, types, reads the ghost text and presses Tab;
//! `vscode/inhost/` runs inside the editor's extension host. Each prints one line per observation
//! and fails on the first wrong one. Screenshots are left in `target/vscode`; `UPDATE_EXPECT=1`
//! copies the one that the extension's README shows from there.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{program, report};

#[test]
fn the_extension_does_in_vscode_what_people_do_with_it() {
    let name = "the VS Code test";
    let place = |variable| env::var_os(variable).map(PathBuf::from);
    let (Some(modules), Some(chromium), Some(extension)) = (
        place("TABAHEAD_VSCODE"),
        place("TABAHEAD_CHROMIUM"),
        place("TABAHEAD_EXTENSION"),
    ) else {
        report::skip(
            name,
            "TABAHEAD_VSCODE, TABAHEAD_CHROMIUM or TABAHEAD_EXTENSION is not set",
        );
        return;
    };
    let packed = Command::new("npm")
        .args(["run", "--silent", "package"])
        .current_dir(&extension)
        .output()
        .expect("npm runs");
    assert!(
        packed.status.success(),
        "{}",
        String::from_utf8_lossy(&packed.stderr)
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pictures = here.join("../target/vscode");
    let output = Command::new("node")
        .arg(here.join("e2e/editors/vscode/driver.js"))
        .env("VSCODE_MODULES", modules)
        .env("CHROMIUM", which(chromium))
        .env("FOLDER", folder.path())
        .env("SCREENSHOTS", &pictures)
        .env("TABAHEAD", program::path())
        .env("VSIX", extension.join("dist/tabahead.vsix"))
        .output()
        .expect("Node runs");
    report::relay("VS Code", &output, 40);
    if env::var_os("UPDATE_EXPECT").is_some() {
        let shown = extension.join("images/tab.png");
        fs::copy(pictures.join("chain.png"), shown).expect("the picture can be copied");
    }
}

/// Returns the path of a program; the browser's driver does not search the PATH.
fn which(program: PathBuf) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(&program))
        .find(|place| place.is_file())
        .unwrap_or(program)
}
