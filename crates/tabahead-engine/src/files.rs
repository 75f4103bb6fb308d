//! What a model's files hold: bytes, tensors, metadata and texts, in one interface for all formats.
//!
//! Uses no other room. No size that a file states is believed before it is compared with the file.
//! Knows nothing of models.

pub(crate) mod checkpoint;
pub(crate) mod gguf;
pub(crate) mod storage;
pub(crate) mod tensors;
pub(crate) mod texts;
