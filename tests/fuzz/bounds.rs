//! Bounds for every call that reads a file: how much memory it takes, and the text of its refusal.

use std::{
    fmt::Display,
    sync::{Mutex, PoisonError},
};

use crate::{MEMORY, run::panics};

/// Maximum length of an error's text, in characters.
const LONGEST_TEXT: usize = 500;

/// Bytes that a call may use at once, however short its input is.
const MEMORY_AT_LEAST: usize = 16 << 20;

/// Bytes that a call may use at once in addition, for each byte of its input.
const MEMORY_PER_BYTE: usize = 64;

/// Lock that makes calls take turns: memory is counted for the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// Makes a call. Returns an error if it took more memory than an input of `input` bytes justifies,
/// or if a thread that it started has panicked.
pub fn bounded<T>(input: usize, call: impl FnOnce() -> T) -> Result<T, String> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (panics_before, memory_before) = (panics(), MEMORY.current_usage());
    MEMORY.reset_peak_usage();
    let result = call();
    let taken = MEMORY.peak_usage().saturating_sub(memory_before);
    if panics() != panics_before {
        return Err("a thread panicked".to_owned());
    }
    let allowed = MEMORY_AT_LEAST + MEMORY_PER_BYTE * input;
    if taken > allowed {
        return Err(format!(
            "{taken} bytes of memory for an input of {input} bytes"
        ));
    }
    Ok(result)
}

/// Returns an error if an error's text is not a short line that a terminal can show.
pub fn check_text(error: &impl Display) -> Result<(), String> {
    let text = error.to_string();
    let quoted = || text.escape_debug().take(1000).collect::<String>();
    if let Some(control) = text.chars().find(|&c| is_control(c)) {
        return Err(format!(
            "an error's text holds U+{:04X}: {}",
            u32::from(control),
            quoted()
        ));
    }
    let length = text.chars().count();
    if length == 0 || length > LONGEST_TEXT {
        return Err(format!(
            "an error's text has {length} characters: {}",
            quoted()
        ));
    }
    Ok(())
}

/// Reports whether a character controls a terminal. Line ends are control characters too; those
/// that reorder text are not, according to Unicode.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
