//! The local engine on a thread of its own: foreground first, between any two steps.

use std::path::PathBuf;

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// Weights in the program.
    Embedded(&'static [u8]),
    /// A GGUF file.
    File(PathBuf),
}

/// Settings of the local backend.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalSettings {
    /// Weights.
    pub model: ModelSource,
    /// Threads that compute; 0 chooses.
    pub threads: usize,
    /// Bytes of keys and values kept.
    pub kv_bytes: usize,
}

/// A model on this machine.
#[derive(Debug)]
pub struct LocalBackend {}
