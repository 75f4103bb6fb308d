//! The folder of the real recordings. They are not part of the repository: `TABAHEAD_RECORDINGS`
//! names their folder, else it is looked for beside the workspace.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

/// Returns the folder of the recordings. Without it a test is skipped loudly; with
/// `TABAHEAD_REQUIRE_ALL` it fails.
#[track_caller]
pub fn recordings() -> Option<PathBuf> {
    let folder = match std::env::var_os("TABAHEAD_RECORDINGS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recordings"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    let reason = "real recordings: TABAHEAD_RECORDINGS names no folder with them";
    assert!(
        std::env::var_os("TABAHEAD_REQUIRE_ALL").is_none(),
        "the recordings must be there: {reason}"
    );
    let line = format!("SKIPPED   {reason}");
    eprintln!("{line}");
    if let Some(log) = std::env::var_os("TABAHEAD_TEST_LOG") {
        let file = OpenOptions::new().create(true).append(true).open(log);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.expect("the test log can be written");
    }
    None
}
