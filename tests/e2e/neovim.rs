//! A real Neovim 0.12 with nothing but its own LSP client, and the built program.
//!
//! `neovim/driver.lua` types, reads the screen and accepts; it prints one line per thing that it
//! saw and fails on the first that is wrong.

use std::{fs, path::PathBuf, process::Command};

use crate::{program, report};

#[test]
fn neovim_shows_accepts_and_goes_on_from_what_was_computed_ahead() {
    let name = "the Neovim test";
    let Some(nvim) = neovim() else {
        report::skip(
            name,
            "there is no nvim 0.12 on the path nor in TABAHEAD_NVIM",
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("area.rs");
    fs::write(&file, "").expect("a file to edit");
    let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("e2e/neovim");
    let output = Command::new(&nvim)
        .args(["--clean", "-l"])
        .arg(scripts.join("driver.lua"))
        .env("NVIM_UNDER_TEST", &nvim)
        .env("INIT", scripts.join("init.lua"))
        .env("FILE", &file)
        .env("TABAHEAD", program::path())
        .env("XDG_STATE_HOME", folder.path())
        .env("NVIM_LOG_FILE", folder.path().join("nvim.log"))
        .output()
        .expect("Neovim runs");
    report::relay("Neovim", &output, 8);
}

/// The prepared Neovim, or the one on the path, when it has inline completion.
fn neovim() -> Option<PathBuf> {
    let candidates = [
        std::env::var_os("TABAHEAD_NVIM").map(PathBuf::from),
        Some(PathBuf::from("nvim")),
    ];
    candidates.into_iter().flatten().find(|nvim| {
        Command::new(nvim)
            .args(["--clean", "--headless"])
            .arg("+lua os.exit(vim.lsp.inline_completion and 0 or 1)")
            .output()
            .is_ok_and(|output| output.status.success())
    })
}
