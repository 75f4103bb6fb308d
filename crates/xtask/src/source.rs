//! Blanks out comments and literals in Rust source, so that rules about code read only code.
//!
//! A small lexer, not a parser: it knows comments, strings, raw strings and characters, and leaves
//! every line where it was.

/// Returns the source with the contents of comments, strings and characters replaced by spaces.
pub fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut blanked = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment_end(source, at);
        if end > at {
            for character in source[at..end].chars() {
                blanked.push(if character == '\n' { '\n' } else { ' ' });
            }
            at = end;
        } else {
            let character = source[at..].chars().next().expect("`at` is in the source");
            blanked.push(character);
            at += character.len_utf8();
        }
    }
    blanked
}

/// Reports whether `word` occurs in `code` as an identifier of its own.
pub fn has_identifier(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_identifier) && !after.is_some_and(is_identifier)
    })
}

/// Reports whether a character can be part of an identifier.
pub fn is_identifier(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Returns the end of the comment or literal that begins at `at`; `at` itself if none does.
fn literal_or_comment_end(source: &str, at: usize) -> usize {
    let rest = &source[at..];
    let previous = source[..at].chars().next_back();
    if rest.starts_with("//") {
        return at + rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return at + block_comment_length(rest);
    }
    if rest.starts_with('"') {
        return at + string_length(rest);
    }
    let begins_word = !previous.is_some_and(is_identifier);
    if begins_word {
        let raw = rest.strip_prefix('b').unwrap_or(rest);
        if let Some(after) = raw.strip_prefix('r') {
            let hashes = after.len() - after.trim_start_matches('#').len();
            if after[hashes..].starts_with('"') {
                let body = &after[hashes + 1..];
                let close = format!("\"{}", "#".repeat(hashes));
                let body_end = body
                    .find(&close)
                    .map_or(body.len(), |end| end + close.len());
                return source.len() - body.len() + body_end;
            }
        }
    }
    if rest.starts_with('\'') {
        return at + character_length(rest);
    }
    at
}

fn block_comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Returns the length of a character literal; zero for a lifetime.
fn character_length(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            characters.next();
            characters
                .find(|&(_, character)| character == '\'')
                .map_or(0, |(at, _)| at + 1)
        }
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, code: &str) {
        assert_eq!(code_only(source), code);
    }

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c\n */ */ d", "a          \n       d");
        check(r#"f("x\"y", z)"#, "f(      , z)");
        check("r#\"a \" b\"# c", "           c");
        check(r"b'\'' 'x' d", "b         d");
    }

    #[test]
    fn lifetimes_are_code() {
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check("impl<'a, 'b> X", "impl<'a, 'b> X");
    }

    #[test]
    fn characters_of_more_than_one_byte_are_handled() {
        check("'é' \"日本\" x", "    \u{20}    x");
    }

    #[test]
    fn an_identifier_is_a_whole_word() {
        assert!(has_identifier("use half::f16;", "half"));
        assert!(!has_identifier("let behalf = 1;", "half"));
        assert!(!has_identifier("half_open()", "half"));
    }
}
