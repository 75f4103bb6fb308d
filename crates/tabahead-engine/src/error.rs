//! What can go wrong, by what the caller can do about it.

use std::io;

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file cannot be used: choose another model.
    #[error("model cannot be used: {0}")]
    Model(String),
    /// Prompt and reserve do not fit the context: send less.
    #[error("prompt of {tokens} tokens does not fit a context of {context}")]
    TooLong {
        /// Tokens asked for, reserve included.
        tokens: usize,
        /// Tokens that fit.
        context: usize,
    },
    /// No token continues the forced bytes: they hold a carriage return.
    #[error("no token spells the byte 0x{byte:02x}")]
    Unspellable {
        /// The byte.
        byte: u8,
    },
    /// A tensor operation failed.
    #[error("computation failed")]
    Compute(#[from] candle_core::Error),
}

/// The refusal of a file that the system does not read.
pub(crate) fn unread(error: io::Error) -> EngineError {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    refuse(format!("cannot be read: {line}"))
}

/// Characters of a refusal at most; a reason that quotes a file may be as long as the file says.
const LONGEST_REASON: usize = 400;

/// A refusal: one line of bounded length, whatever a file holds that it quotes. Characters that command a terminal or
/// turn the order of letters around are escaped.
pub(crate) fn refuse(reason: impl Into<String>) -> EngineError {
    let reason: String = reason.into();
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let printable = |c: char| match c.is_control() || turns(c) {
        true => c.escape_default().collect::<String>(),
        false => c.to_string(),
    };
    let escaped: String = reason.chars().map(printable).collect();
    let characters = escaped.chars().count();
    if characters <= LONGEST_REASON {
        return EngineError::Model(escaped);
    }
    // What is wrong may be at either end, beside what is quoted.
    let half = LONGEST_REASON / 2;
    let first = escaped.chars().take(half);
    let last = escaped.chars().skip(characters - half);
    EngineError::Model(first.chain(['…']).chain(last).collect())
}
