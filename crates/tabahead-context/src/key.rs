//! The identity of what the model sees.

/// 128-bit xxh3 of model id, template, attempt, file name, language, base and tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextKey(pub u128);
