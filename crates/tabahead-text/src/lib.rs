//! Text under edit: a rope with versions, edits and positions.
//!
//! Pure: no LSP types, no tokio, no clock. A [`Document`] is cheap to clone (the rope shares its
//! nodes), so a clone *is* a snapshot and a hypothetical buffer is a clone plus an insertion.
//!
//! Invariants: an [`Offset`] counts bytes of the document's own text (line ends as they are); every
//! function takes any `Position` and clamps it as the LSP specification requires; nothing here
//! panics on input from an editor.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod document;
mod language;
mod position;
mod quoted;

pub use document::{Document, Edit, LineEnd, Version};
pub use language::{extension_of, is_language, language_of};
pub use position::{Offset, Position, PositionEncoding, Range};
pub use quoted::quoted;
