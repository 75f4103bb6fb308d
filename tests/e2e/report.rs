//! Reports of a run besides passed and failed: what was measured, and what was skipped and why.

use std::{fs::OpenOptions, io::Write, process::Output};

/// Reports whether the longer variants were requested.
pub fn is_thorough() -> bool {
    std::env::var_os("TABAHEAD_THOROUGH").is_some()
}

/// Reports that a test cannot run here; fails it if everything was promised to be there.
#[track_caller]
pub fn skip(test: &str, reason: &str) {
    assert!(
        std::env::var_os("TABAHEAD_REQUIRE_ALL").is_none(),
        "{test} must run here, but: {reason}"
    );
    write_line(&format!("SKIPPED   {test}: {reason}"));
}

/// Adds a line to the summary of `cargo xtask test`.
pub fn note(test: &str, what: &str) {
    write_line(&format!("{test}: {what}"));
}

/// Passes on the observations of an editor's driver, in lines that begin with "seen: ". Fails if
/// the driver failed, or made fewer than `least` observations.
#[track_caller]
pub fn relay(editor: &str, driver: &Output, least: usize) {
    let output = format!(
        "{}{}",
        String::from_utf8_lossy(&driver.stdout),
        String::from_utf8_lossy(&driver.stderr)
    );
    assert!(driver.status.success(), "{output}");
    let seen: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("seen: "))
        .collect();
    assert!(seen.len() >= least, "{output}");
    for line in seen {
        note(editor, line);
    }
}

fn write_line(line: &str) {
    eprintln!("{line}");
    if let Some(log) = std::env::var_os("TABAHEAD_TEST_LOG") {
        let file = OpenOptions::new().create(true).append(true).open(log);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.expect("the test log can be written");
    }
}
