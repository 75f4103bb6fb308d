//! Prepares what the tests need, in a cache folder: editors, npm packages, vocabularies and models.
//!
//! Changes nothing outside that folder, with two exceptions: tools that developers use too are
//! installed beside their lock files, and programs that no cache can hold are installed into the
//! system if they are missing. `apt.rs` asks before that; `neovim.rs` has the Neovims, `models.rs`
//! the real models.

pub mod apt;
pub mod models;
pub mod neovim;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Path of what was prepared, or in one line why it was not.
pub type Prepared = Result<PathBuf, String>;

/// Installs Node packages from a committed lock file into the cache folder, where no editor or
/// linter of this workspace sees them. Returns the folder that holds `node_modules`.
pub fn node_packages(cache: &Path, name: &str, lock_folder: &Path) -> Prepared {
    let folder = cache.join(name);
    let copied = fs::create_dir_all(&folder).and_then(|()| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(lock_folder.join(file), folder.join(file))?;
        }
        Ok(())
    });
    copied.map_err(|error| format!("no lock file of {}: {error}", lock_folder.display()))?;
    node_tools(&folder)
}

/// Installs VS Code's workbench with its own Node, a browser driver, and the LSP client of VS
/// Code's extensions, from a committed lock file. Returns the folder that holds `node_modules`.
pub fn vscode(cache: &Path, lock_folder: &Path) -> Prepared {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err("VS Code is prepared on Linux x86-64 only".into());
    }
    let folder = node_packages(cache, "vscode", lock_folder)?;
    // The workbench has a package list of its own. Its install script would install the packages
    // and compile what is not needed here. Its lock file lacks an entry, so `npm ci` refuses it.
    let workbench = folder.join("node_modules/code-server/lib/vscode");
    let whole = workbench.join("node_modules/installed-whole");
    if !whole.is_file() {
        eprintln!("preparing VS Code in {}", workbench.display());
        let installed = run(npm("install", &workbench).args(["--omit=dev", "--no-save"]))
            .and_then(|()| Ok(fs::write(&whole, "")?));
        installed.map_err(|error| format!("{error:#}"))?;
    }
    Ok(folder)
}

/// Installs Node packages from a committed lock file beside it, where developers of that folder use
/// them. Returns that folder.
pub fn node_tools(folder: &Path) -> Prepared {
    for program in ["node", "npm"] {
        if !runs(program, &["--version"]) {
            return Err(format!("there is no {program} here"));
        }
    }
    install_node_packages(folder).map_err(|error| format!("{error:#}"))?;
    Ok(folder.to_owned())
}

/// Downloads third-party vocabularies, by a committed list of checksums and names. Returns the
/// folder that holds them.
///
/// They come from llama.cpp, which tests its own tokenizers with them. A package that builds
/// llama.cpp carries that repository as a git bundle; only the listed files of it are kept.
pub fn vocabularies(cache: &Path, list: &Path) -> Prepared {
    let folder = cache.join("vocabularies");
    let known = folder.is_dir() && check_sums(&folder, list).is_ok();
    if known {
        return Ok(folder);
    }
    for program in ["npm", "tar", "git", "sha256sum"] {
        if !runs(program, &["--version"]) {
            return Err(format!("there is no {program} here"));
        }
    }
    match install_vocabularies(&folder, list) {
        Ok(()) => Ok(folder),
        Err(error) => Err(format!(
            "the vocabularies could not be downloaded: {error:#}"
        )),
    }
}

/// Finds recordings of real editing, which are not part of the repository: in the folder that
/// `TABAHEAD_RECORDINGS` names, else in `shared/recordings` beside the workspace.
pub fn recordings(root: &Path) -> Prepared {
    let folder = match std::env::var_os("TABAHEAD_RECORDINGS") {
        Some(folder) => PathBuf::from(folder),
        None => root.join("../shared/recordings"),
    };
    folder.canonicalize().map_err(|_| {
        let folder = folder.display();
        format!("there is no folder {folder}; TABAHEAD_RECORDINGS may name another")
    })
}

fn install_node_packages(folder: &Path) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json"))
        .with_context(|| format!("there is no lock file in {}", folder.display()))?;
    let installed = folder.join("node_modules/installed-lock.json");
    if fs::read(&installed).is_ok_and(|present| present == lock) {
        return Ok(());
    }
    eprintln!("preparing Node packages in {}", folder.display());
    run(&mut npm("ci", folder))?;
    Ok(fs::write(&installed, lock)?)
}

fn install_vocabularies(folder: &Path, list: &Path) -> Result<()> {
    /// The package, and the commit of llama.cpp that it carries.
    const PACKAGE: &str = "node-llama-cpp@3.21.1";
    const COMMIT: &str = "80fb11ac73e66d89eae2c6a91d8a77428fa733ed";

    let list_text =
        fs::read_to_string(list).with_context(|| format!("there is no list {}", list.display()))?;
    // Moved into place when it is complete, so that the folder never holds half of it.
    let unfinished = folder.with_extension("unfinished");
    for old in [folder, &unfinished] {
        if old.exists() {
            fs::remove_dir_all(old).context("an unfinished download could not be removed")?;
        }
    }
    let kept = unfinished.join("kept");
    fs::create_dir_all(&kept)?;
    eprintln!(
        "preparing vocabularies in {} (35 MB are downloaded, 14 MB kept)",
        folder.display()
    );
    run(npm("pack", &unfinished).arg(PACKAGE))?;
    let archive = PACKAGE.replace('@', "-") + ".tgz";
    let bundle = "package/llama/gitRelease.bundle";
    run(Command::new("tar")
        .current_dir(&unfinished)
        .args(["-xzf", &archive, bundle]))?;
    run(Command::new("git").current_dir(&unfinished).args([
        "clone",
        "--quiet",
        "--bare",
        bundle,
        "repository",
    ]))?;
    for name in names(&list_text) {
        let blob = format!("{COMMIT}:models/{name}");
        run(Command::new("git")
            .current_dir(&unfinished)
            .args(["--git-dir=repository", "cat-file", "blob", &blob])
            .stdout(fs::File::create(kept.join(name))?))?;
    }
    check_sums(&kept, list)?;
    fs::rename(&kept, folder)?;
    fs::remove_dir_all(&unfinished)?;
    Ok(())
}

/// Checks that the files in `folder` match the checksums in `list`.
fn check_sums(folder: &Path, list: &Path) -> Result<()> {
    run(Command::new("sha256sum")
        .args(["--quiet", "--strict", "--check"])
        .arg(list)
        .current_dir(folder))
}

/// Returns the names in a list of checksums.
fn names(list: &str) -> Vec<&str> {
    list.lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect()
}

/// Returns an npm command that runs in a folder; no package may run scripts.
fn npm(verb: &str, folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.arg(verb).current_dir(folder).args([
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    command
}

/// Reports whether a program succeeds with these arguments.
pub fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Runs a command to its end. If it fails, the error has the last line of its standard error; for
/// npm, which closes with advice, the line that names the error.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{program} could not be run"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let mut lines = complaint.lines();
        let named = lines
            .clone()
            .find(|line| line.starts_with("npm error code"));
        let last = named.or_else(|| lines.rfind(|line| !line.trim().is_empty()));
        bail!(
            "{program}: {}: {}",
            output.status,
            last.unwrap_or("no message")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_checksums_has_a_name_in_each_line() {
        assert_eq!(
            names("0a1b  a.gguf\n2c3d  a.gguf.inp\n"),
            ["a.gguf", "a.gguf.inp"]
        );
    }

    #[test]
    fn a_failed_command_is_named_with_its_last_line_of_errors() {
        let error = run(Command::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 3"]))
            .expect_err("the command fails");
        let message = format!("{error}");
        assert!(message.starts_with("sh: "), "{message}");
        assert!(message.ends_with(": last"), "{message}");
        let npm = "echo 'npm error code E404' >&2; echo 'npm error A complete log of this run' >&2; exit 1";
        let error = run(Command::new("sh").args(["-c", npm])).expect_err("the command fails");
        assert!(format!("{error}").ends_with(": npm error code E404"));
    }
}
