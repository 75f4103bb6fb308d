//! `cargo xtask dist`: packs the VS Code extension with the program in it, for the platform that
//! this runs on.
//!
//! The editor prefers a package for its platform to one for all platforms, so a marketplace can
//! carry both. The extension looks for the program in the package first (`bootstrap.ts`), so the
//! user need not install anything else.

use std::{env::consts, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::prepare;

/// Builds, packs, and prints where the package is. Returns whether that succeeded.
pub fn run(root: &Path) -> Result<bool> {
    let target = vscode_target(consts::OS, consts::ARCH)?;
    let extension = root.join("editors/vscode");
    prepare::node_tools(&extension).map_err(anyhow::Error::msg)?;
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--bin", "tabahead"])
        .current_dir(root)
        .status()
        .context("cargo could not be run")?;
    ensure!(built.success(), "the program does not compile");
    let program = format!("tabahead{}", consts::EXE_SUFFIX);
    let folder = root.join("target/dist");
    fs::create_dir_all(&folder)?;
    let package = folder.join(format!("tabahead-{target}.vsix"));
    let server = extension.join("server");
    fs::create_dir_all(&server)?;
    fs::copy(
        root.join("target/release").join(&program),
        server.join(&program),
    )
    .context("the program could not be copied")?;
    let packed = Command::new("npm")
        .args([
            "run", "--silent", "package", "--", "--target", target, "--out",
        ])
        .arg(&package)
        .current_dir(&extension)
        .status();
    // Otherwise the next package for all platforms would carry it too.
    fs::remove_dir_all(&server)?;
    ensure!(
        packed.context("npm could not be run")?.success(),
        "the package could not be made"
    );
    println!("{}", package.display());
    Ok(true)
}

/// Returns VS Code's name for a platform.
fn vscode_target(os: &str, arch: &str) -> Result<&'static str> {
    Ok(match (os, arch) {
        ("linux", "x86_64") => "linux-x64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-x64",
        ("macos", "aarch64") => "darwin-arm64",
        ("windows", "x86_64") => "win32-x64",
        ("windows", "aarch64") => "win32-arm64",
        _ => bail!("VS Code has no name for {os} on {arch}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_the_names_of_vscode() {
        assert_eq!(
            vscode_target("linux", "x86_64").expect("known"),
            "linux-x64"
        );
        assert!(vscode_target("plan9", "x86_64").is_err());
    }
}
