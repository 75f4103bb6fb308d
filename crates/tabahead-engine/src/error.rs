//! What can go wrong, by what the caller can do about it.

use std::io;

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file cannot be used; choose another model.
    #[error("model cannot be used: {0}")]
    Model(String),
    /// Prompt and reserve do not fit the context; send less.
    #[error("prompt of {tokens} tokens does not fit a context of {context}")]
    TooLong {
        /// Number of tokens requested, reserve included.
        tokens: usize,
        /// Number of tokens that fit.
        context: usize,
    },
    /// No token continues the forced bytes, because they contain a carriage return.
    #[error("no token spells the byte 0x{byte:02x}")]
    Unspellable {
        /// The byte that no token spells.
        byte: u8,
    },
    /// A tensor operation failed.
    #[error("computation failed")]
    Compute(#[from] candle_core::Error),
}

/// Builds the error for a file that the system fails to read.
pub(crate) fn unread(error: io::Error) -> EngineError {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    refuse(format!("cannot be read: {line}"))
}

/// Maximum length of a reason, in characters. A reason may quote a file, and the quotation can be
/// arbitrarily long.
const LONGEST_REASON: usize = 400;

/// Builds an error whose reason is one line of bounded length, whatever it quotes from a file.
/// Characters that control a terminal or reverse the text direction are escaped.
pub(crate) fn refuse(reason: impl Into<String>) -> EngineError {
    let reason: String = reason.into();
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let printable = |c: char| {
        if c.is_control() || turns(c) {
            c.escape_default().collect::<String>()
        } else {
            c.to_string()
        }
    };
    let escaped: String = reason.chars().map(printable).collect();
    let characters = escaped.chars().count();
    if characters <= LONGEST_REASON {
        return EngineError::Model(escaped);
    }
    // What is wrong may be at either end, next to the quotation, so both ends are kept.
    let half = LONGEST_REASON / 2;
    let first = escaped.chars().take(half);
    let last = escaped.chars().skip(characters - half);
    EngineError::Model(first.chain(['…']).chain(last).collect())
}
