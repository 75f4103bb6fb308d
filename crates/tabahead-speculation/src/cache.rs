//! Paths by the state that they were generated at, least recently used out first.

/// An LRU of paths under a byte budget.
#[derive(Debug, Default)]
pub struct SuggestionCache {}
