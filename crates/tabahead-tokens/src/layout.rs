//! The orders in which models read the parts of a prompt, and the markers between the parts.
//!
//! Names markers by role. Only the engine knows their ids and spellings: a marker in the edited
//! text is text. `FimTemplate::render` of `tabahead-context` lays out a prompt.

use std::{error::Error, fmt};

/// Order of the parts of a prompt: the two of section "Base and tail" in docs/law.md, and the one
/// that others use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Suffix, then the prefix, which runs on into the middle without a marker.
    SuffixFirst,
    /// Prefix, suffix, middle marker, then the text since the anchor as forced middle.
    PrefixFirst,
    /// Prefix up to the cursor, suffix, middle marker, and nothing forced: what llama.vim requests
    /// from a llama.cpp server. Every state has its own base. Not the layout of any model family;
    /// for comparison.
    Split,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 3] = [Self::SuffixFirst, Self::PrefixFirst, Self::Split];

    /// Returns the name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SuffixFirst => "suffix-first",
            Self::PrefixFirst => "prefix-first",
            Self::Split => "split",
        }
    }

    /// Returns the markers that a model needs to read this layout.
    pub fn markers(self) -> &'static [Marker] {
        match self {
            Self::SuffixFirst => &[Marker::Prefix, Marker::Suffix],
            Self::PrefixFirst | Self::Split => &[Marker::Prefix, Marker::Suffix, Marker::Middle],
        }
    }
}

impl std::str::FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, UnknownLayout> {
        let found = Self::ALL.into_iter().find(|layout| layout.as_str() == name);
        found.ok_or_else(|| UnknownLayout(name.to_owned()))
    }
}

/// A name that no layout has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLayout(String);

impl fmt::Display for UnknownLayout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        let all = Layout::ALL.map(Layout::as_str).join(", ");
        write!(formatter, "'{name}' is not a layout; choose from {all}")
    }
}

impl Error for UnknownLayout {}

/// A special token of fill-in-the-middle prompts, by role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marker {
    /// Before a file's name.
    File,
    /// Before the prefix.
    Prefix,
    /// Before the suffix.
    Suffix,
    /// Before the middle.
    Middle,
}
