//! Real Neovims with the built program: the plug-in in each version that it supports, and Neovim's
//! own features: the inline completion of 0.12, and the completion menu of 0.11.
//!
//! Each driver in `neovim/` types, reads the screen and accepts; it prints one line per observation
//! and fails on the first wrong one.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{program, real, report};

/// Minimum number of observations in the plug-in's scenarios.
const SCENES: usize = 68;

#[test]
fn neovim_shows_accepts_and_continues_from_what_was_computed_ahead() {
    drive("Neovim", "TABAHEAD_NVIM", "builtin", 10);
}

#[test]
fn neovim_011_has_suggestions_in_its_completion_menu() {
    drive("Neovim 0.11's menu", "TABAHEAD_NVIM_011", "menu", 14);
}

#[test]
fn the_plugin_works_in_neovim_012() {
    drive(
        "the plug-in in Neovim 0.12",
        "TABAHEAD_NVIM",
        "plugin",
        SCENES,
    );
}

#[test]
fn the_plugin_works_in_neovim_011() {
    drive(
        "the plug-in in Neovim 0.11",
        "TABAHEAD_NVIM_011",
        "plugin",
        SCENES,
    );
}

#[test]
fn the_plugin_works_in_neovim_010() {
    drive(
        "the plug-in in Neovim 0.10",
        "TABAHEAD_NVIM_010",
        "plugin",
        SCENES,
    );
}

#[test]
fn the_plugin_is_installed_by_neovims_package_manager() {
    drive("the plug-in by vim.pack", "TABAHEAD_NVIM", "pack", 2);
}

#[test]
fn the_plugin_works_beside_a_completion_plugin() {
    if env::var_os("TABAHEAD_NVIM_CMP").is_none() {
        report::skip(
            "the plug-in beside blink.cmp",
            "TABAHEAD_NVIM_CMP is not set",
        );
        return;
    }
    drive("the plug-in beside blink.cmp", "TABAHEAD_NVIM", "blink", 3);
}

#[test]
fn the_plugin_shows_what_a_real_model_suggests() {
    const TEST: &str = "the plug-in with a real model";
    if real::small(TEST).is_some() {
        drive(TEST, "TABAHEAD_NVIM", "real", 2);
    }
}

/// Runs a driver in the Neovim that a variable names; it must make at least `least` observations.
#[track_caller]
fn drive(name: &str, variable: &str, driver: &str, least: usize) {
    let Some(nvim) = env::var_os(variable).map(PathBuf::from) else {
        report::skip(name, &format!("{variable} is not set"));
        return;
    };
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = Home::new(home.path()).run(&nvim, driver);
    report::relay(name, &output, least);
}

/// A private folder for a Neovim, so that no file of the user is read or written.
struct Home<'a>(&'a Path);

impl<'a> Home<'a> {
    /// Installs the plug-in where `:packadd` finds it.
    fn new(folder: &'a Path) -> Self {
        let packages = folder.join("data/nvim/site/pack/tabahead/opt");
        fs::create_dir_all(&packages).expect("a folder for packages");
        fs::create_dir(folder.join("files")).expect("a folder for files");
        #[cfg(unix)]
        std::os::unix::fs::symlink(plugin(), packages.join("tabahead")).expect("the plug-in");
        Self(folder)
    }

    fn run(&self, nvim: &Path, driver: &str) -> std::process::Output {
        let Self(folder) = self;
        let scripts = scripts();
        Command::new(nvim)
            .args(["--clean", "-l"])
            .arg(scripts.join(driver).with_extension("lua"))
            .env("NVIM_UNDER_TEST", nvim)
            .env("SCRIPTS", &scripts)
            .env("INIT", scripts.join(driver).join("init.lua"))
            .env("FOLDER", folder.join("files"))
            .env("PLUGIN", plugin())
            .env("TABAHEAD", program::path())
            .envs(env::var_os("TABAHEAD_REAL_MODEL").map(|model| ("MODEL", model)))
            .env("XDG_CONFIG_HOME", folder.join("config"))
            .env("XDG_DATA_HOME", folder.join("data"))
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("NVIM_LOG_FILE", folder.join("nvim.log"))
            .output()
            .expect("Neovim runs")
    }
}

fn plugin() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../editors/nvim")
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/editors/neovim")
}
