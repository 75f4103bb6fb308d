//! What a model's files hold: bytes, tensors, metadata and texts, in one interface for all formats.
//!
//! Uses no other room. No size that a file states is believed before it is compared with the file.
//! Knows nothing of models.

pub(crate) mod checkpoint;
pub(crate) mod gguf;
pub(crate) mod storage;
pub(crate) mod tensors;
pub(crate) mod texts;

/// Returns whether a path names a pipe.
pub(crate) fn is_named_pipe(path: &std::path::Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        path.metadata()
            .is_ok_and(|metadata| metadata.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
