//! The file that a recorder appends to: one entry per line, each written whole.
//!
//! Only its owner may read it. The caller decides what is recorded, and when; read `recording.rs`
//! for the entries.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::recording::{EntryKind, line};

/// A recording that grows. Appended entries are in the file, whatever happens to the program next.
#[derive(Debug)]
pub struct RecordingFile {
    path: PathBuf,
    file: File,
    /// Length of the complete entries in bytes.
    length: u64,
}

impl RecordingFile {
    /// Creates `FOLDER/<time>-<process>.recording.w.jsonl`, and the folder if it is missing. `time`
    /// counts milliseconds since 1970.
    ///
    /// # Errors
    /// When the folder cannot be created or written to, or the file exists.
    pub fn create(folder: &Path, time: u64, process: u32) -> io::Result<Self> {
        make_private_folder(folder)?;
        let path = folder.join(format!("{time}-{process}.recording.w.jsonl"));
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        let mut recording = Self {
            path,
            file,
            length: 0,
        };
        recording.append(time, &EntryKind::Header { root: None })?;
        Ok(recording)
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an entry in one piece.
    ///
    /// # Errors
    /// When the disk is full or gone. In that case nothing of the entry is left in the file, if
    /// possible.
    pub fn append(&mut self, time: u64, kind: &EntryKind) -> io::Result<()> {
        let line = line(Some(time), kind);
        let written = self.file.write_all(line.as_bytes());
        match written {
            Ok(()) => self.length += line.len() as u64,
            // The caller wants the error of the write, not that of the clean-up.
            Err(_) => drop(self.file.set_len(self.length)),
        }
        written
    }
}

/// Creates a file that only its owner may read, and its folder if it is missing. An existing file
/// is removed first, so that neither its readers nor the target of a link get the new one.
///
/// # Errors
/// When the folder cannot be created or written to.
pub fn create_private(path: &Path) -> io::Result<File> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        make_private_folder(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a folder that only its owner can look into; one that exists stays as it is.
fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Entries;

    #[test]
    fn what_is_appended_is_in_the_file_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("a/b");
        let mut recording = RecordingFile::create(&folder, 17, 4).expect("a recording");
        assert!(recording.path().ends_with("a/b/17-4.recording.w.jsonl"));
        recording
            .append(18, &EntryKind::Opened { id: 1 })
            .expect("there is room");
        let entries = Entries::open(recording.path()).expect("it opens");
        let entries: Vec<_> = entries.map(|entry| entry.expect("in order").time).collect();
        assert_eq!(entries, [Some(17), Some(18)]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("new");
        let recording = RecordingFile::create(&folder, 1, 1).expect("a recording");
        let mode = |path: &Path| {
            let metadata = path.metadata().expect("it is there");
            metadata.permissions().mode() & 0o777
        };
        assert_eq!(mode(recording.path()), 0o600);
        assert_eq!(mode(&folder), 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_replaced_and_not_written_into() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let (old, link) = (folder.path().join("old"), folder.path().join("link"));
        fs::write(&old, "before").expect("written");
        symlink(&old, &link).expect("a link");
        for path in [&link, &old] {
            let mut file = create_private(path).expect("a file");
            file.write_all(b"text").expect("there is room");
            let metadata = fs::symlink_metadata(path).expect("it is there");
            assert!(metadata.is_file());
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
            if path == &link {
                assert_eq!(fs::read_to_string(&old).expect("it is there"), "before");
            }
        }
        let inner = folder.path().join("new/inner.jsonl");
        create_private(&inner).expect("a file");
        let mode = folder.path().join("new").metadata().expect("it is there");
        assert_eq!(mode.permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_recording_is_never_written_over_another() {
        let folder = tempfile::tempdir().expect("a folder");
        RecordingFile::create(folder.path(), 1, 1).expect("the first");
        let second = RecordingFile::create(folder.path(), 1, 1);
        assert_eq!(
            second.expect_err("it is there").kind(),
            io::ErrorKind::AlreadyExists
        );
    }
}
