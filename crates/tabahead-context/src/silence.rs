//! Why nothing is suggested: every reason, from the cursor's line to what the model answered.

use std::fmt;

/// Why nothing is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Silence {
    /// The document gets no suggestions at all: the settings or the size of its text rule it out.
    Unsuitable,
    /// The cursor's line is too long (minified or data).
    LongLine,
    /// The engine accepts no prompt for this state, however small the window is.
    TooLong,
    /// The model has nothing to add.
    Empty,
    /// The model would have ended the middle here, and is not sure enough of what it says instead.
    EndOfMiddle,
    /// The model is not sure enough.
    Unsure,
    /// The suggestion repeats what already follows the cursor.
    RepeatsSuffix,
    /// The rest of the line would be glued to the suggestion, or end up in a bracket that it opens.
    Apart,
    /// The suggestion cannot follow what is before the cursor: it closes a bracket that is not open,
    /// or begins a line too deep.
    Unfit,
    /// The text loops.
    Repetition,
    /// A key, a token or a password is on the line, or would be with the suggestion.
    Secret,
    /// The model's answer ended before it was decided what is shown.
    Undecided,
}

impl Silence {
    /// Returns the name used in logs and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsuitable => "unsuitable",
            Self::LongLine => "long line",
            Self::TooLong => "too long for the model",
            Self::Empty => "nothing to add",
            Self::EndOfMiddle => "end of the middle",
            Self::Unsure => "unsure",
            Self::RepeatsSuffix => "repeats what follows",
            Self::Apart => "does not join what follows",
            Self::Unfit => "does not follow what precedes",
            Self::Repetition => "repetition",
            Self::Secret => "secret",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_has_a_row_for_each_reason() {
        let law = include_str!("../../../docs/law.md");
        let (_, table) = law.split_once("## Why nothing is shown").expect("a table");
        let mut reason = Some(Silence::Unsuitable);
        while let Some(silence) = reason {
            let named = format!("`{silence}`");
            assert!(table.contains(&named), "{named} is not in the table");
            // A new variant does not compile until it is in this chain.
            reason = match silence {
                Silence::Unsuitable => Some(Silence::LongLine),
                Silence::LongLine => Some(Silence::TooLong),
                Silence::TooLong => Some(Silence::Empty),
                Silence::Empty => Some(Silence::EndOfMiddle),
                Silence::EndOfMiddle => Some(Silence::Unsure),
                Silence::Unsure => Some(Silence::RepeatsSuffix),
                Silence::RepeatsSuffix => Some(Silence::Apart),
                Silence::Apart => Some(Silence::Unfit),
                Silence::Unfit => Some(Silence::Repetition),
                Silence::Repetition => Some(Silence::Secret),
                Silence::Secret => Some(Silence::Undecided),
                Silence::Undecided => None,
            };
        }
    }
}
