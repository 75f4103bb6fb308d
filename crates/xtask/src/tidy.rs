//! `cargo xtask tidy`: the house rules that a machine can check, one line per violation.
//!
//! Each rule is a pure function from text to findings, tested on strings. CONTRIBUTING.md explains
//! the rules themselves; the table of arrows is read from ARCHITECTURE.md.

mod absences;
mod english;
mod names;
mod signatures;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use crate::{
    building::build,
    codegen,
    prepare::{apt::LUACHECK, runs},
    source::{code_only, is_identifier},
};

/// Parts of names that say nothing; a type is named by what it is.
const EMPTY_WORDS: [&str; 4] = ["Manager", "Helper", "Utils", "V2"];

/// Beginnings of paths that exist on one machine only. They are put together here so that this file
/// passes.
const MACHINE_PATHS: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Extensions of files that are written by hand.
const TEXT_ENDINGS: [&str; 11] = [
    "rs", "md", "toml", "py", "lua", "sh", "json", "js", "mjs", "ts", "yml",
];

/// Maximum size in bytes of the bundled VS Code extension; the editor reads it at every start.
const LARGEST_BUNDLE: u64 = 600_000;

/// Folder of the formatter of the Lua files, with its lock file.
pub const STYLUA: &str = "crates/xtask/lua";

/// The crate that no other crate may have as a normal dependency.
const TESTKIT: &str = "tabahead-testkit";

/// The folders of the Lua files.
const LUA_FOLDERS: [&str; 2] = ["editors/nvim", "tests/e2e"];

/// A violated rule and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    place: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.place, self.line, self.rule)
    }
}

/// Runs every check and prints what is wrong. Returns whether all passed.
pub fn run(root: &Path) -> Result<bool> {
    let failed = compiled(root)?;
    let program = build(root, &["--bins"])?.context("the program does not compile")?;
    others(root, &program, failed)
}

/// Runs the checks that need a compiler and nothing that is prepared. Returns the names of those
/// that failed.
pub fn compiled(root: &Path) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    for (name, arguments, environment) in [
        ("format", &["fmt", "--all", "--check"][..], None),
        (
            "clippy",
            &[
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
            None,
        ),
        (
            "documentation",
            &["doc", "--quiet", "--workspace", "--no-deps"],
            Some(("RUSTDOCFLAGS", "-D warnings")),
        ),
    ] {
        if !cargo_passes(root, arguments, environment)? {
            failed.push(name.to_owned());
        }
    }
    Ok(failed)
}

/// Runs all other checks, of which one asks `program` for its settings, and prints what failed,
/// beginning with the names in `failed`. Returns whether nothing failed.
pub fn others(root: &Path, program: &Path, mut failed: Vec<String>) -> Result<bool> {
    let findings = workspace_findings(root)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        failed.push(format!("house rules ({} findings)", findings.len()));
    }
    for file in codegen::stale(root, program)? {
        eprintln!("{file} is not what the settings make it: run `cargo xtask codegen`");
        failed.push(format!("generated {file}"));
    }
    failed.extend(extension_failures(root)?);
    failed.extend(lua_failures(root)?);
    failed.extend(unused_dependencies(root)?);
    if failed.is_empty() {
        println!(
            "tidy: house rules, format, clippy, documentation, the extension and the Lua files are in order"
        );
    } else {
        eprintln!("tidy failed: {}", failed.join(", "));
    }
    Ok(failed.is_empty())
}

/// Checks the VS Code extension with its own tools, and returns what failed.
fn extension_failures(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("editors/vscode");
    if !folder.join("node_modules").is_dir() {
        eprintln!(
            "SKIPPED: the VS Code extension is not checked, because its tools are not there: run `cargo xtask prepare`"
        );
        return Ok(Vec::new());
    }
    let mut failed = Vec::new();
    for script in ["check", "lint", "format", "build"] {
        let status = Command::new("npm")
            .args(["run", "--silent", script])
            .current_dir(&folder)
            .status()
            .context("npm could not be run")?;
        if !status.success() {
            failed.push(format!("the extension's `npm run {script}`"));
        }
    }
    let bundle = folder.join("dist/main.js");
    match fs::metadata(&bundle) {
        Ok(metadata) if metadata.len() > LARGEST_BUNDLE => {
            failed.push(format!("the extension's bundle: {} bytes", metadata.len()));
        }
        _ => {}
    }
    Ok(failed)
}

/// Checks the Lua files with a linter and a formatter, and returns what failed.
fn lua_failures(root: &Path) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    if LUACHECK.is_there() {
        let status = Command::new("luacheck")
            .args(["--quiet", "--formatter=plain"])
            .args(["--config", "editors/nvim/.luacheckrc"])
            .args(LUA_FOLDERS)
            .current_dir(root)
            .status()
            .context("luacheck could not be run")?;
        if !status.success() {
            failed.push("luacheck".to_owned());
        }
    } else {
        eprintln!(
            "SKIPPED: the Lua files are not linted, because luacheck is not there: run `cargo xtask prepare`"
        );
    }
    if root.join(STYLUA).join("node_modules").is_dir() {
        let status = Command::new("node")
            .arg(format!("{STYLUA}/format.mjs"))
            .arg("--check")
            .args(LUA_FOLDERS)
            .current_dir(root)
            .status()
            .context("node could not be run")?;
        if !status.success() {
            failed.push(format!(
                "the format of Lua files (`node {STYLUA}/format.mjs --write {}` puts it right)",
                LUA_FOLDERS.join(" ")
            ));
        }
    } else {
        eprintln!(
            "SKIPPED: the format of the Lua files is not checked, because stylua is not there: run `cargo xtask prepare`"
        );
    }
    Ok(failed)
}

/// Looks for declared dependencies that no code uses, also by tests alone. Returns what failed.
fn unused_dependencies(root: &Path) -> Result<Option<String>> {
    if !runs("cargo-shear", &["--version"]) {
        eprintln!(
            "SKIPPED: unused dependencies are not looked for, because cargo-shear is not there: run `cargo install cargo-shear`"
        );
        return Ok(None);
    }
    let passed = cargo_passes(root, &["shear"], None)?;
    Ok((!passed).then(|| "unused dependencies".to_owned()))
}

fn cargo_passes(
    root: &Path,
    arguments: &[&str],
    environment: Option<(&str, &str)>,
) -> Result<bool> {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .envs(environment)
        .current_dir(root)
        .status()
        .with_context(|| format!("cargo {} could not be run", arguments[0]))?;
    Ok(status.success())
}

/// Returns the findings of everything that needs no compiler.
fn workspace_findings(root: &Path) -> Result<Vec<Finding>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo metadata could not be read")?;
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let table = read_map(&map);
    let mut findings = map_findings(&table, &crate_folders(root)?);
    findings.extend(arrow_findings(&table, &our_arrows(&metadata)));
    findings.extend(testkit_findings(&table));
    let mut names = names::Names::default();
    for file in tracked_files(root)? {
        let Ok(text) = fs::read_to_string(root.join(&file)) else {
            continue;
        };
        let place = file.display().to_string();
        if file.extension().is_some_and(|ending| ending == "rs") {
            findings.extend(header_finding(&place, &text));
            findings.extend(code_findings(&place, &text));
            findings.extend(absences::findings(&place, &text));
            findings.extend(signatures::findings(&place, &text));
            names.read(&place, &text);
        }
        if is_written_by_hand(&file) {
            findings.extend(machine_path_findings(&place, &text));
            findings.extend(english::findings(&place, &text));
        }
    }
    findings.extend(names.findings());
    Ok(findings)
}

/// Returns tracked files, and new ones that git does not ignore.
fn tracked_files(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("git ls-files could not be run")?;
    anyhow::ensure!(
        output.status.success(),
        "git ls-files failed: is this a checkout?"
    );
    Ok(String::from_utf8_lossy(&output.stdout)
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .collect())
}

fn is_written_by_hand(file: &Path) -> bool {
    let in_fixtures = file.components().any(|part| part.as_os_str() == "fixtures");
    let is_text = file.extension().is_some_and(|ending| {
        TEXT_ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    });
    is_text && !in_fixtures
}

// The map: ARCHITECTURE.md against folders and cargo metadata.

/// A row of the map: a crate, its line in the file, and the arrows that it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MapRow {
    line: usize,
    name: String,
    arrows: BTreeSet<String>,
}

/// Reads the rows of every table whose first cell is a crate's name in backticks. The second cell
/// lists the crates it may depend on, in backticks, with or without `tabahead-` in front.
fn read_map(text: &str) -> Vec<MapRow> {
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some(cells) = line.trim().strip_prefix('|') else {
            continue;
        };
        let mut cells = cells.split('|');
        let first = backticked(cells.next().unwrap_or_default());
        let [name] = &first[..] else { continue };
        if name != "tabahead" && name != "xtask" && !name.starts_with("tabahead-") {
            continue;
        }
        let arrows = backticked(cells.next().unwrap_or_default())
            .into_iter()
            .map(|to| {
                if to.starts_with("tabahead") {
                    to
                } else {
                    format!("tabahead-{to}")
                }
            })
            .collect();
        rows.push(MapRow {
            line: number,
            name: name.clone(),
            arrows,
        });
    }
    rows
}

fn backticked(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect()
}

/// Returns the names of the crates' folders in `crates/`.
fn crate_folders(root: &Path) -> Result<BTreeSet<String>> {
    let mut folders = BTreeSet::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            folders.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(folders)
}

fn map_findings(map: &[MapRow], folders: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    for row in map {
        named.insert(row.name.clone());
        if row.name != "tabahead-tests" && !folders.contains(&row.name) {
            findings.push(map_finding(
                row.line,
                format!("`{}` has no folder in crates/", row.name),
            ));
        }
    }
    for folder in folders.difference(&named) {
        findings.push(map_finding(1, format!("the map has no row for `{folder}`")));
    }
    findings
}

/// Returns the normal and build dependencies between our own crates.
fn our_arrows(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata.workspace_packages();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    packages
        .iter()
        .map(|package| {
            let to = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .filter(|dependency| ours.contains(dependency.name.as_str()))
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), to)
        })
        .collect()
}

fn arrow_findings(map: &[MapRow], arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for row in map {
        let Some(actual) = arrows.get(&row.name) else {
            continue;
        };
        for to in actual.difference(&row.arrows) {
            findings.push(map_finding(
                row.line,
                format!(
                    "`{}` depends on `{to}`, which the map does not allow",
                    row.name
                ),
            ));
        }
        for to in row.arrows.difference(actual) {
            findings.push(map_finding(
                row.line,
                format!(
                    "the map allows `{}` to depend on `{to}`, but it does not",
                    row.name
                ),
            ));
        }
    }
    findings
}

/// Finds rows that allow a normal dependency on what only tests may use.
fn testkit_findings(map: &[MapRow]) -> Vec<Finding> {
    map.iter()
        .filter(|row| row.arrows.contains(TESTKIT))
        .map(|row| {
            let rule = format!(
                "`{}` may have `{TESTKIT}` as a dev-dependency only",
                row.name
            );
            map_finding(row.line, rule)
        })
        .collect()
}

fn map_finding(line: usize, rule: String) -> Finding {
    Finding {
        place: "ARCHITECTURE.md".into(),
        line,
        rule,
    }
}

// Dependencies.

// Text of single files.

fn header_finding(place: &str, text: &str) -> Option<Finding> {
    (!text.starts_with("//!")).then(|| Finding {
        place: place.into(),
        line: 1,
        rule: "a module begins with a `//!` header: what it is, what it must not know".into(),
    })
}

fn code_findings(place: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(code_only(text).lines()) {
        let mut report = |rule: String| {
            findings.push(Finding {
                place: place.into(),
                line: number,
                rule,
            });
        };
        if line.replace(' ', "").contains("#[ignore") {
            report("an ignored test: make it run, or delete it".into());
        }
        if let Some(name) = defined_type(line)
            && let Some(word) = EMPTY_WORDS.iter().find(|word| name.contains(**word))
        {
            report(format!(
                "type `{name}`: `{word}` has no meaning, name what it is"
            ));
        }
    }
    findings
}

/// Returns the name of the type that a line of code defines.
fn defined_type(line: &str) -> Option<&str> {
    let mut words = line
        .split(|character: char| !is_identifier(character))
        .filter(|word| !word.is_empty());
    words.find(|word| matches!(*word, "struct" | "enum" | "trait" | "type" | "union"))?;
    words.next()
}

fn machine_path_findings(place: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for path in MACHINE_PATHS {
            let begins = line.match_indices(path).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                !before
                    .is_some_and(|character| is_identifier(character) || "~.-*".contains(character))
            });
            if begins {
                findings.push(Finding {
                    place: place.into(),
                    line: number,
                    rule: format!("`{path}` is a path of one machine"),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "# Map\n\n| crate | may depend on | forbids |\n| --- | --- | --- |\n| `tabahead-a` | `b`, `tabahead-c` | `x` |\n| `tabahead-b` | nothing of ours | |\n| `other` | `q` | |\n";

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn lines(findings: impl IntoIterator<Item = Finding>) -> Vec<String> {
        findings
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn the_map_is_read_from_the_table() {
        let map = read_map(MAP);
        assert_eq!(map.len(), 2);
        assert_eq!(map[0].line, 5);
        assert_eq!(map[0].arrows, set(&["tabahead-b", "tabahead-c"]));
        assert_eq!(map[1].arrows, set(&[]));
    }

    #[test]
    fn a_folder_without_a_row_and_a_row_without_a_folder_are_found() {
        assert_eq!(
            lines(map_findings(
                &read_map(MAP),
                &set(&["tabahead-a", "tabahead-z"])
            )),
            [
                "ARCHITECTURE.md:6: `tabahead-b` has no folder in crates/",
                "ARCHITECTURE.md:1: the map has no row for `tabahead-z`",
            ]
        );
    }

    #[test]
    fn an_arrow_outside_the_map_and_one_that_is_not_there_are_found() {
        let arrows = BTreeMap::from([
            ("tabahead-a".to_owned(), set(&["tabahead-b", "tabahead-c"])),
            ("tabahead-b".to_owned(), set(&["tabahead-a"])),
        ]);
        assert_eq!(
            lines(arrow_findings(&read_map(MAP), &arrows)),
            [
                "ARCHITECTURE.md:6: `tabahead-b` depends on `tabahead-a`, which the map does not allow"
            ]
        );
        let arrows = BTreeMap::from([("tabahead-a".to_owned(), set(&["tabahead-b"]))]);
        assert_eq!(
            lines(arrow_findings(&read_map(MAP), &arrows)),
            [
                "ARCHITECTURE.md:5: the map allows `tabahead-a` to depend on `tabahead-c`, but it does not"
            ]
        );
    }

    #[test]
    fn a_row_that_allows_what_only_tests_may_use_is_found() {
        let map = "| `tabahead-a` | `b` | |\n| `tabahead-b` | `testkit` | |\n";
        assert_eq!(
            lines(testkit_findings(&read_map(map))),
            [
                "ARCHITECTURE.md:2: `tabahead-b` may have `tabahead-testkit` as a dev-dependency only"
            ]
        );
    }

    #[test]
    fn a_module_without_a_header_is_found() {
        assert_eq!(header_finding("a.rs", "//! What it is.\n"), None);
        assert!(header_finding("a.rs", "// no header\n").is_some());
        assert!(header_finding("a.rs", "").is_some());
    }

    #[test]
    fn ignored_tests_and_empty_words_are_found_in_code_only() {
        let text = "//! x\n// #[ignore]\n#[ignore = \"slow\"]\nstruct KvManager;\nlet s = \"struct AV2\";\nimpl Helper for X {}\n";
        assert_eq!(
            lines(code_findings("a.rs", text)),
            [
                "a.rs:3: an ignored test: make it run, or delete it",
                "a.rs:4: type `KvManager`: `Manager` has no meaning, name what it is",
            ]
        );
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let path = MACHINE_PATHS[0];
        assert_eq!(
            machine_path_findings("a.md", "my/home/x, ~/home/y").len(),
            0
        );
        assert_eq!(
            machine_path_findings("a.md", &format!("see {path}x")).len(),
            1
        );
    }
}
