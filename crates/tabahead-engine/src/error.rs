//! What can go wrong, by what the caller can do about it.

use std::{fmt, io};

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The system does not give the file; check its path and its permissions.
    #[error("model cannot be used: {0}")]
    Unreadable(ModelFault),
    /// The file holds no model that can run here; choose another one.
    #[error("model cannot be used: {0}")]
    Refused(ModelFault),
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

impl EngineError {
    /// Rewords what is wrong with a model, for a caller that knows where it was found.
    pub(crate) fn reworded(self, words: impl Fn(&ModelFault) -> String) -> Self {
        match self {
            Self::Unreadable(fault) => Self::Unreadable(ModelFault::new(&words(&fault))),
            Self::Refused(fault) => Self::Refused(ModelFault::new(&words(&fault))),
            other => other,
        }
    }
}

/// Builds the error for a file that the system fails to read.
pub(crate) fn unread(error: io::Error) -> EngineError {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    EngineError::Unreadable(ModelFault::new(&format!("cannot be read: {line}")))
}

/// Builds the error for a file that is not a model, or not one that can run here.
pub(crate) fn refuse(reason: impl AsRef<str>) -> EngineError {
    EngineError::Refused(ModelFault::new(reason.as_ref()))
}

/// What is wrong with a model, in one line of bounded length, whatever it quotes from a file.
/// Characters that control a terminal or reverse the text direction are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFault(String);

/// Maximum length of a reason, in characters. A reason may quote a file, and the quotation can be
/// arbitrarily long.
const LONGEST_REASON: usize = 400;

impl ModelFault {
    pub(crate) fn new(reason: &str) -> Self {
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
            return Self(escaped);
        }
        // What is wrong may be at either end, next to the quotation, so both ends are kept.
        let half = LONGEST_REASON / 2;
        let first = escaped.chars().take(half);
        let last = escaped.chars().skip(characters - half);
        Self(first.chain(['…']).chain(last).collect())
    }
}

impl fmt::Display for ModelFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
