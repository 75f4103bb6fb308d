//! What the engine and the pure crates both know about tokens.
//!
//! Pure: no I/O, no clock, no threads, no vocabulary and no document. Read the modules in this
//! order: `boundary` splits text as tokenizers do and finds where tokens stay put, `marks` finds
//! how far tokens are the canonical ones, `layout` has the orders in which models read a prompt and
//! the markers between its parts, `family` is the one table of model families, `copy_source` is the
//! text that an answer may copy.
//!
//! Invariant: how text is split is written down once. The engine encodes by it, and the proof of
//! the stable boundary is about it.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod boundary;
mod copy_source;
mod family;
mod layout;
mod marks;

pub use boundary::{PreTokenizer, stable_boundary};
pub use copy_source::CopySource;
pub use family::{Architecture, Family};
pub use layout::{Layout, Marker, UnknownLayout};
pub use marks::CanonicalMarks;

/// Id of a token in a vocabulary.
pub type TokenId = u32;
