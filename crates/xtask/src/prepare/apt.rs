//! Debian's apt: installs programs into the system, and unpacks packages into a folder without
//! touching the system.
//!
//! Running apt as root concerns the owner of the machine, so one question is asked about all of it.
//! A private apt has lists, cache and status of its own, so the system's stay as they are.

use std::{
    fs,
    io::{BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{Prepared, run, runs};

/// Permission to run apt, or in one line why it is missing.
pub type Permission = Result<(), String>;

/// A Debian program that is installed into the system if it does not run.
pub struct SystemProgram {
    name: &'static str,
    program: &'static str,
    /// Arguments with which the program runs only if it has what the tests need.
    check: &'static [&'static str],
    packages: &'static [&'static str],
    size: &'static str,
}

/// The browser in which VS Code's workbench runs.
pub const CHROMIUM: SystemProgram = SystemProgram {
    name: "Chromium",
    program: "chromium",
    check: &["--version"],
    // A bare machine has no font, and without one nothing is drawn.
    packages: &["chromium", "fonts-dejavu-core"],
    size: "350 MB",
};

/// Emacs with its LSP client.
pub const EMACS: SystemProgram = SystemProgram {
    name: "Emacs with eglot",
    program: "emacs",
    // Since Emacs 29, eglot is part of Emacs; before that it is a package, which batch mode does
    // not load by itself.
    check: &[
        "--batch",
        "--eval",
        "(progn (package-initialize) (require 'eglot))",
    ],
    packages: &["emacs-nox", "elpa-eglot"],
    size: "160 MB",
};

/// The linter of the Lua files.
pub const LUACHECK: SystemProgram = SystemProgram {
    name: "luacheck",
    program: "luacheck",
    check: &["--version"],
    packages: &["lua-check"],
    size: "2 MB",
};

impl SystemProgram {
    /// Reports whether the program on the path has what the tests need.
    pub fn is_there(&self) -> bool {
        runs(self.program, self.check)
    }

    /// Returns the program's line in the question for permission, if apt has to install it.
    pub fn wish(&self) -> Option<String> {
        (!self.is_there()).then(|| format!("{} into the system ({})", self.name, self.size))
    }

    /// Returns the program on the path, else installs Debian's.
    pub fn prepare(&self, permission: &Permission) -> Prepared {
        let name = self.name;
        if !self.is_there() {
            permission.clone()?;
            if !is_root() {
                return Err(format!(
                    "there is no {name} on the path, and only root could install it"
                ));
            }
            eprintln!("preparing {name} with apt-get");
            install(self.packages)
                .map_err(|error| format!("{name} could not be installed: {error:#}"))?;
        }
        if self.is_there() {
            Ok(PathBuf::from(self.program))
        } else {
            Err(format!("{name} was installed, but does not run"))
        }
    }
}

fn install(packages: &[&str]) -> Result<()> {
    run(Command::new("apt-get").args(["-qq", "update"]))?;
    run(Command::new("apt-get")
        .args(["-qq", "-y", "--no-install-recommends", "install"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Asks whether apt may run as root, once for everything that it has to install.
pub fn permission(wishes: &[String]) -> Permission {
    if wishes.is_empty() {
        return Ok(());
    }
    for program in ["apt-get", "dpkg"] {
        if !runs(program, &["--version"]) {
            return Err(format!("there is no {program} here"));
        }
    }
    let allowed = std::env::var("CI").is_ok_and(|value| value == "true");
    if allowed || !is_root() {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(
            "apt would run as root, and no user can be asked here; CI=true allows it".into(),
        );
    }
    eprint!(
        "The tests need what is not here. apt-get would run as root and bring\n  {}\nMay it? [y/N] ",
        wishes.join("\n  ")
    );
    let mut answer = String::new();
    let read = std::io::stderr()
        .flush()
        .and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err("apt was not allowed to run as root".into()),
    }
}

/// Unpacks packages of a suite with all their dependencies, including the C library, into `root`.
/// The private apt lives in `apt` in the meantime.
pub fn unpack(packages: &[&str], suite: &str, apt: &Path, root: &Path) -> Result<()> {
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(part))?;
    }
    // An empty status makes apt fetch all dependencies.
    fs::write(apt.join("status"), "")?;
    let mirror = mirror()?;
    fs::write(
        apt.join("sources.list"),
        format!(
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {suite} main\n"
        ),
    )?;
    run(private_apt(apt).args(["-qq", "update"]))?;
    run(private_apt(apt)
        .args(["-qq", "-y", "--download-only", "install"])
        .args(packages))?;
    fs::create_dir_all(root)?;
    for entry in fs::read_dir(apt.join("cache/archives"))? {
        let package = entry?.path();
        if package
            .extension()
            .is_some_and(|extension| extension == "deb")
        {
            run(Command::new("dpkg").arg("-x").arg(&package).arg(root))?;
        }
    }
    fs::remove_dir_all(apt)?;
    Ok(())
}

/// Returns the mirror that this machine's own apt uses.
fn mirror() -> Result<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(SITE)"])
        .args(["Created-By: Packages", "Component: main"])
        .output()
        .context("apt-get could not be run")?;
    first_mirror(&String::from_utf8_lossy(&output.stdout))
        .context("apt has no Debian mirror configured; `apt-get update` may be missing")
}

fn first_mirror(sites: &str) -> Option<String> {
    let mut sites: Vec<&str> = sites
        .lines()
        .map(str::trim)
        .filter(|site| !site.is_empty() && !site.contains("security"))
        .collect();
    sites.sort_unstable();
    sites.first().map(ToString::to_string)
}

fn private_apt(apt: &Path) -> Command {
    let mut command = Command::new("apt-get");
    for (key, path) in [
        ("Dir::Etc::sourcelist", "sources.list"),
        ("Dir::State::lists", "lists"),
        ("Dir::Cache", "cache"),
        ("Dir::State::status", "status"),
    ] {
        command
            .arg("-o")
            .arg(format!("{key}={}", apt.join(path).display()));
    }
    for option in [
        "Dir::Etc::sourceparts=/dev/null",
        "APT::Install-Recommends=false",
        "Acquire::Languages=none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
        "APT::Update::Post-Invoke=",
        "Debug::NoLocking=true",
    ] {
        command.arg("-o").arg(option);
    }
    if is_root() {
        // apt's own user may not be able to read the cache folder.
        command.args(["-o", "APT::Sandbox::User=root"]);
    }
    command
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_first_that_is_not_for_security() {
        let sites = "http://security.example/debian-security\nhttp://b.example/debian\n\nhttp://a.example/debian\n";
        assert_eq!(
            first_mirror(sites).as_deref(),
            Some("http://a.example/debian")
        );
        assert_eq!(first_mirror("\n"), None);
    }

    #[test]
    fn the_user_is_not_asked_when_nothing_is_missing() {
        assert_eq!(permission(&[]), Ok(()));
    }
}
