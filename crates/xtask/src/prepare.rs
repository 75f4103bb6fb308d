//! Prepares what the tests need, in a cache folder: Neovim 0.12, VS Code, npm packages and
//! vocabularies.
//!
//! Changes nothing outside that folder, except that Chromium, in which VS Code's workbench runs, is
//! installed into the system when it is not there. Neovim comes from Debian's testing suite with its own C
//! library beside it, because the stable suite's is too old for it; apt is run with lists, cache
//! and status of its own, so the system's stay as they are.

use std::{
    fs,
    io::{BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Suites that carry Neovim 0.12, in the order in which they are tried: testing is now and then
/// inconsistent for a day, unstable then serves.
const SUITES: [&str; 2] = ["forky", "sid"];

/// What could be prepared, or in one line why not.
pub type Prepared = Result<PathBuf, String>;

/// Neovim with `vim.lsp.inline_completion`: the one on the path when it is new enough, else a
/// private one in the cache folder.
pub fn neovim(cache: &Path) -> Prepared {
    let folder = cache.join("nvim");
    let private = folder.join("nvim");
    for known in [private.clone(), PathBuf::from("nvim")] {
        if has_inline_completion(&known) {
            return Ok(known);
        }
    }
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err("Neovim is prepared on Linux x86-64 only; put nvim 0.12 on the path".into());
    }
    for program in ["apt-get", "dpkg"] {
        if !runs(program, &["--version"]) {
            return Err(format!(
                "there is no {program} here and no nvim 0.12 on the path"
            ));
        }
    }
    may_use_apt(&format!(
        "The editor tests need Neovim 0.12. May apt-get run as root, to download it into\n{} (60 MB)? Nothing is installed into the system.",
        folder.display()
    ))?;
    let mut reasons = Vec::new();
    for suite in SUITES {
        match install_neovim(&folder, suite) {
            Ok(()) if has_inline_completion(&private) => return Ok(private),
            Ok(()) => reasons.push(format!("{suite}: no vim.lsp.inline_completion")),
            Err(error) => reasons.push(format!("{suite}: {error:#}")),
        }
    }
    Err(format!(
        "Neovim could not be installed: {}",
        reasons.join("; ")
    ))
}

/// Node packages by a committed lock file, for tests that compare with a reference written in
/// JavaScript. Gives the folder that holds `node_modules`.
pub fn node_packages(cache: &Path, name: &str, lock_folder: &Path) -> Prepared {
    for program in ["node", "npm"] {
        if !runs(program, &["--version"]) {
            return Err(format!("there is no {program} here"));
        }
    }
    let folder = cache.join(name);
    install_node_packages(&folder, lock_folder).map_err(|error| format!("{error:#}"))?;
    Ok(folder)
}

/// VS Code's workbench with its own Node, a browser driver, and the LSP client of VS Code's extensions,
/// by a committed lock file. Gives the folder that holds `node_modules`.
pub fn vscode(cache: &Path, lock_folder: &Path) -> Prepared {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err("VS Code is prepared on Linux x86-64 only".into());
    }
    let folder = node_packages(cache, "vscode", lock_folder)?;
    // The workbench brings a list of its own, and would get its packages by an install script that
    // compiles what it does not need here. Its lock file lacks an entry, so `npm ci` refuses it.
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

/// The VS Code extension's own tools, in its folder, where whoever works on it has them. Gives that folder.
pub fn extension(folder: &Path) -> Prepared {
    for program in ["node", "npm"] {
        if !runs(program, &["--version"]) {
            return Err(format!("there is no {program} here"));
        }
    }
    let present = || -> Result<()> {
        let lock = fs::read(folder.join("package-lock.json"))?;
        let installed = folder.join("node_modules/installed-lock.json");
        if fs::read(&installed).is_ok_and(|present| present == lock) {
            return Ok(());
        }
        eprintln!("preparing Node packages in {}", folder.display());
        run(&mut npm("ci", folder))?;
        Ok(fs::write(&installed, lock)?)
    };
    present().map_err(|error| format!("{error:#}"))?;
    Ok(folder.to_owned())
}

/// Chromium: the one on the path, else Debian's, installed into the system.
pub fn chromium() -> Prepared {
    let known = || runs("chromium", &["--version"]).then(|| PathBuf::from("chromium"));
    if let Some(chromium) = known() {
        return Ok(chromium);
    }
    if !runs("apt-get", &["--version"]) || !is_root() {
        return Err("there is no chromium on the path, and only root could install it".into());
    }
    may_use_apt(
        "The VS Code test runs in Chromium. May apt-get run as root, to install it into the system (350 MB)?",
    )?;
    eprintln!("preparing Chromium with apt-get");
    let installed = run(Command::new("apt-get").args(["-qq", "update"])).and_then(|()| {
        run(Command::new("apt-get")
            .args(["-qq", "-y", "--no-install-recommends", "install"])
            // A bare machine has no font, and nothing is drawn without one.
            .args(["chromium", "fonts-dejavu-core"])
            .env("DEBIAN_FRONTEND", "noninteractive"))
    });
    installed.map_err(|error| format!("Chromium could not be installed: {error:#}"))?;
    known().ok_or_else(|| "Chromium was installed, but does not run".into())
}

/// Vocabularies of others, by a committed list of checksums and names. Gives the folder that holds
/// them.
///
/// They are llama.cpp's, which tests its own tokenizers with them. A package that builds llama.cpp
/// carries that repository as a git bundle; only the listed files of it are kept.
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

/// Recordings of real editing, which are not part of the repository: the folder that
/// `TABAHEAD_RECORDINGS` names, else `shared/recordings` beside the workspace.
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

/// Asks before apt is used as root, because what root runs concerns the owner of the machine.
fn may_use_apt(question: &str) -> Result<(), String> {
    let asked_for = std::env::var("CI").is_ok_and(|value| value == "true");
    if asked_for || !is_root() {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(
            "apt would run as root, and nobody can be asked here; CI=true allows it".into(),
        );
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stderr()
        .flush()
        .and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err("apt was not allowed to run as root".into()),
    }
}

fn install_neovim(folder: &Path, suite: &str) -> Result<()> {
    eprintln!(
        "preparing Neovim from Debian {suite} in {}",
        folder.display()
    );
    if folder.exists() {
        fs::remove_dir_all(folder).context("an unfinished installation could not be removed")?;
    }
    let apt = folder.join("apt");
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(part))?;
    }
    // An empty status makes apt fetch the whole closure, the C library included.
    fs::write(apt.join("status"), "")?;
    let mirror = mirror()?;
    fs::write(
        apt.join("sources.list"),
        format!(
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {suite} main\n"
        ),
    )?;
    run(private_apt(&apt).args(["-qq", "update"]))?;
    run(private_apt(&apt)
        .args(["-qq", "-y", "--download-only", "install"])
        .args(["neovim", "patchelf"]))?;

    let root = folder.join("root");
    fs::create_dir_all(&root)?;
    for entry in fs::read_dir(apt.join("cache/archives"))? {
        let package = entry?.path();
        if package
            .extension()
            .is_some_and(|extension| extension == "deb")
        {
            run(Command::new("dpkg").arg("-x").arg(&package).arg(&root))?;
        }
    }
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let interpreter = libraries.join("ld-linux-x86-64.so.2");
    let nvim = root.join("usr/bin/nvim");
    // The downloaded patchelf runs through the downloaded interpreter: nothing needs installing.
    run(Command::new(&interpreter)
        .arg("--library-path")
        .arg(&libraries)
        .arg(root.join("usr/bin/patchelf"))
        .arg("--set-interpreter")
        .arg(&interpreter)
        .arg("--force-rpath")
        .arg("--set-rpath")
        .arg(&libraries)
        .arg(&nvim))?;
    fs::remove_dir_all(&apt)?;
    #[cfg(unix)]
    std::os::unix::fs::symlink("root/usr/bin/nvim", folder.join("nvim"))?;
    Ok(())
}

/// The mirror that this machine's own apt uses.
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
        // The cache folder need not be readable for apt's own user.
        command.args(["-o", "APT::Sandbox::User=root"]);
    }
    command
}

fn install_node_packages(folder: &Path, lock_folder: &Path) -> Result<()> {
    let lock = fs::read(lock_folder.join("package-lock.json"))
        .with_context(|| format!("there is no lock file in {}", lock_folder.display()))?;
    let installed = folder.join("installed-lock.json");
    if fs::read(&installed).is_ok_and(|present| present == lock) {
        return Ok(());
    }
    eprintln!("preparing Node packages in {}", folder.display());
    fs::create_dir_all(folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(lock_folder.join(file), folder.join(file))?;
    }
    run(&mut npm("ci", folder))?;
    fs::write(&installed, lock)?;
    Ok(())
}

fn install_vocabularies(folder: &Path, list: &Path) -> Result<()> {
    /// The package, and the commit of llama.cpp that it carries.
    const PACKAGE: &str = "node-llama-cpp@3.21.1";
    const COMMIT: &str = "80fb11ac73e66d89eae2c6a91d8a77428fa733ed";

    let list_text =
        fs::read_to_string(list).with_context(|| format!("there is no list {}", list.display()))?;
    // Moved to its place when it is whole, so that what stands there is never half of it.
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

/// Whether the files in `folder` are those that `list` means.
fn check_sums(folder: &Path, list: &Path) -> Result<()> {
    run(Command::new("sha256sum")
        .args(["--quiet", "--strict", "--check"])
        .arg(list)
        .current_dir(folder))
}

/// The names in a list of checksums.
fn names(list: &str) -> Vec<&str> {
    list.lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect()
}

/// npm in a folder; no package runs anything.
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

fn has_inline_completion(nvim: &Path) -> bool {
    Command::new(nvim)
        .args(["--clean", "--headless"])
        .arg("+lua os.exit(vim.lsp.inline_completion and 0 or 1)")
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Runs a command to its end and gives the last line that it complained with, when it failed; of npm,
/// which closes with advice, the line that names the error.
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
    fn the_mirror_is_the_first_that_is_not_for_security() {
        let sites = "http://security.example/debian-security\nhttp://b.example/debian\n\nhttp://a.example/debian\n";
        assert_eq!(
            first_mirror(sites).as_deref(),
            Some("http://a.example/debian")
        );
        assert_eq!(first_mirror("\n"), None);
    }

    #[test]
    fn a_list_of_checksums_has_a_name_in_each_line() {
        assert_eq!(
            names("0a1b  a.gguf\n2c3d  a.gguf.inp\n"),
            ["a.gguf", "a.gguf.inp"]
        );
    }

    #[test]
    fn a_failed_command_names_itself_and_its_last_complaint() {
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
