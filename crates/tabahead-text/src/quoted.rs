//! Text from a file or an editor, quoted in a message: short, on one line, and harmless to a
//! terminal.

/// Returns at most `most` characters of a text, with an escape for each character that would end
/// the line, control a terminal or reverse the order of letters. `…` replaces the text that is left
/// out: in the middle, since what is wrong with the text may be at either end.
pub fn quoted(text: &str, most: usize) -> String {
    let escaped: String = text.chars().map(escaped).collect();
    let count = escaped.chars().count();
    if count <= most {
        return escaped;
    }
    let kept = most.saturating_sub(1);
    let first = escaped.chars().take(kept - kept / 2);
    let last = escaped.chars().skip(count - kept / 2);
    first.chain(['…']).chain(last).collect()
}

fn escaped(c: char) -> String {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns {
        c.escape_default().collect()
    } else {
        c.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_escaped() {
        assert_eq!(quoted("", 10), "");
        assert_eq!(quoted("größe 🙂 \"x\"", 20), "größe 🙂 \"x\"");
        assert_eq!(quoted("a\u{1b}[2J\r\n", 30), "a\\u{1b}[2J\\r\\n");
        assert_eq!(quoted("\u{202e}b\u{9b}", 30), "\\u{202e}b\\u{9b}");
    }

    #[test]
    fn what_is_long_loses_its_middle() {
        assert_eq!(quoted("abcdefgh", 8), "abcdefgh");
        assert_eq!(quoted("abcdefgh", 7), "abc…fgh");
        assert_eq!(quoted("abcdefgh", 4), "ab…h");
        assert_eq!(quoted("abcdefgh", 1), "…");
        assert_eq!(quoted(&"🙂\n".repeat(9999), 100).chars().count(), 100);
    }
}
