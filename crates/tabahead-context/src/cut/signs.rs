//! What may follow what on a line: rules of characters that hold in nearly every language.
//!
//! Each function answers one question about the text before the cursor (`before`), the text of a
//! suggestion (`text`) and the rest of the line after it (`kept`). `joint.rs` decides with them.

use crate::closers::Unmatched;

/// Closers that are not single brackets or quotes, longer ones first. Editor templates and users
/// write them in pairs with their openers, so a suggestion between the two must not add a second
/// one.
const LONG_CLOSERS: [&str; 9] = ["-->", "]]>", "/>", "%}", "%>", "?>", "}}", "*/", ">"];

/// Returns the long closer that `text` begins with.
pub(super) fn long_closer(text: &str) -> Option<&'static str> {
    (LONG_CLOSERS.into_iter()).find(|closer| text.starts_with(closer))
}

/// Returns whether `kept` has only closers, characters that may end a line, and comments.
pub(super) fn is_closing(kept: &str) -> bool {
    let mut kept = after_comments(kept.trim());
    while let Some(c) = kept.chars().next() {
        if ["# ", "// ", "/*"]
            .iter()
            .any(|mark| kept.starts_with(mark))
        {
            return true;
        }
        // An even number of quotes are literals of their own.
        if is_quote(c) && kept.matches(c).count().is_multiple_of(2) {
            return false;
        }
        kept = after_comments(match (c, long_closer(kept)) {
            (_, Some(closer)) => &kept[closer.len()..],
            ('"' | '\'' | '`', _) => kept.trim_start_matches(c),
            (')' | ']' | '}' | ';' | ',' | ':' | '{', _) => &kept[1..],
            _ => return false,
        });
    }
    true
}

/// Returns what follows the white space and the block comments at the start of a text.
pub(super) fn after_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some((_, rest)) = (text.strip_prefix("/*")).and_then(|rest| rest.split_once("*/")) {
        text = rest.trim_start();
    }
    text
}

/// Returns `text` without a `;` or `,` at its end that follows again, after a block comment.
pub(super) fn without_second_end<'a>(text: &'a str, kept: &str) -> &'a str {
    let next = after_comments(kept).chars().next();
    match next.filter(|c| [';', ','].contains(c)) {
        Some(end) if kept.trim_start().starts_with("/*") => text.strip_suffix(end).unwrap_or(text),
        _ => text,
    }
}

/// Returns whether the text puts a word directly after the quote that ends a literal, or begins
/// another one there with the same quote.
pub(super) fn is_after_literal(before: &str, text: &str) -> bool {
    let is_even = |text: &str, quote: char| text.matches(quote).count().is_multiple_of(2);
    let quote = before.chars().next_back().filter(|&c| is_quote(c));
    quote.is_some_and(|quote| {
        let glued = text.starts_with(|c| is_word(c) || c == quote);
        is_even(before, quote) && (glued || !is_even(text, quote))
    })
}

/// Returns whether the text ends the literal that is around the cursor, and begins another one that
/// the quote after the cursor ends. What it puts between them may only join the two.
pub(super) fn splits_literal(before: &str, text: &str, kept: &str) -> bool {
    let Some((start, quote)) = open_literal(before) else {
        return false;
    };
    let is_long = before[start..].starts_with(&quote.to_string().repeat(3));
    if is_long || kept.matches(quote).count().is_multiple_of(2) {
        return false;
    }
    let (Some(first), Some(last)) = (text.find(quote), text.rfind(quote)) else {
        return false;
    };
    if text[..first].ends_with('\\') {
        return false;
    }
    let joins = |c: char| is_operator(c) || c == ',';
    let (ended, begun) = (text[first + 1..].trim_start(), text[..last].trim_end());
    first == last || !ended.starts_with(joins) || !begun.ends_with(joins)
}

/// Returns whether a comment follows the cursor and the code before it is complete: it ends a
/// statement or opens a block, or white space is between a value and the cursor.
pub(super) fn is_before_comment(before: &str, kept: &str) -> bool {
    let is_comment = ["#", "//", "/*", "-- "]
        .iter()
        .any(|mark| kept.trim_start().starts_with(mark));
    let code = before.trim_end();
    let is_spaced = code.len() < before.len() && (ends_value(code) || code.ends_with(','));
    is_comment && (is_spaced || code.ends_with([':', ';', '{', '}']))
}

/// Returns whether the text puts a `:` after a literal that is no key: an argument, an item of a
/// list that has others without a `:`, or one that a comma ends.
pub(super) fn makes_key(before: &str, text: &str, kept: &str) -> bool {
    if !before.ends_with(is_quote) || !text.trim_start().starts_with(':') {
        return false;
    }
    let opener = Unmatched::of(before).missing.last().copied();
    let items = match opener {
        Some(')') => return !before.contains('?'),
        Some(']') => return false,
        Some(_) => before.rsplit_once('{').map_or("", |(_, items)| items),
        None => before,
    };
    items.contains(',') && !items.contains(':') || kept.trim_start().starts_with(',')
}

/// Returns whether the text computes something in the parameter list of a definition that begins on
/// the line: a parameter other than its default value is no call and no literal, and has no member.
pub(super) fn computes_parameter(before: &str, text: &str) -> bool {
    const DEFINITIONS: [&str; 4] = ["fn", "func", "function", "def"];

    let Some(list) = innermost_parenthesis(before) else {
        return false;
    };
    let head = &before[..list];
    let is_definition = (head.split_whitespace().rev().nth(1)).is_some_and(|word| {
        DEFINITIONS.contains(&word) && head.ends_with(|c| is_word(c) || c == '>')
    });
    let parameter = before[list + 1..].rsplit(',').next().unwrap_or_default();
    let first = text.split(|c| !is_word(c)).next().unwrap_or_default();
    let is_call = text[first.len()..].starts_with('(') && !DEFINITIONS.contains(&first);
    let is_literal = parameter.trim().is_empty() && text.starts_with(is_quote);
    let has_member = before.ends_with(is_word) && text.starts_with('.');
    is_definition && !parameter.contains(['=', ':']) && (is_call || is_literal || has_member)
}

/// Returns whether the text puts more than a path into the parentheses of `pub(…)`.
pub(super) fn is_in_visibility(before: &str, text: &str) -> bool {
    let Some(list) = innermost_parenthesis(before) else {
        return false;
    };
    let scope = before[list + 1..].trim();
    let added = text.split(')').next().unwrap_or_default();
    let is_whole = ["crate", "super", "self"].contains(&scope);
    let is_path = added.chars().all(|c| is_word(c) || matches!(c, ' ' | ':'));
    before[..list].ends_with("pub") && (is_whole && !added.is_empty() || !is_path)
}

/// Returns whether the text ends a statement within parentheses that hold a value, or has a `:` there
/// in Go, as a declaration, a label or a `case` has.
pub(super) fn has_statement_in_parentheses(before: &str, text: &str, language: &str) -> bool {
    const LANGUAGES: [&str; 17] = [
        "c",
        "cpp",
        "csharp",
        "cuda",
        "dart",
        "go",
        "java",
        "javascript",
        "javascriptreact",
        "kotlin",
        "objective-c",
        "php",
        "python",
        "rust",
        "swift",
        "typescript",
        "typescriptreact",
    ];
    const WITH_STATEMENTS: [&str; 8] = [
        "catch", "fixed", "for", "foreach", "if", "switch", "try", "using",
    ];

    let Some(list) = innermost_parenthesis(before).filter(|_| LANGUAGES.contains(&language)) else {
        return false;
    };
    let head = before[..list].trim_end();
    let word = head.rsplit(|c| !is_word(c)).next().unwrap_or_default();
    if WITH_STATEMENTS.contains(&word) || head.ends_with('!') || open_literal(before).is_some() {
        return false;
    }
    let code = &text[..comment(before, text).unwrap_or(text.len())];
    let is_go = language == "go" && Unmatched::of(before).missing.last() == Some(&')');
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return false,
            ')' | ']' | '}' => depth -= 1,
            ';' if depth == 0 && literal_at(code, at).is_none() => return true,
            // Go has neither names of arguments nor `?:`.
            ':' if depth == 0 && is_go && literal_at(code, at).is_none() => return true,
            _ => {}
        }
    }
    false
}

/// Returns whether the text closes a parenthesis of a value, such as the arguments of a call, and
/// begins a block after it.
pub(super) fn begins_block_after_value(before: &str, text: &str, language: &str) -> bool {
    const LANGUAGES: [&str; 9] = [
        "c",
        "cpp",
        "go",
        "java",
        "javascript",
        "javascriptreact",
        "rust",
        "typescript",
        "typescriptreact",
    ];
    const HEADS: [&str; 14] = [
        "catch", "else", "fn", "for", "func", "function", "if", "impl", "match", "new", "switch",
        "unsafe", "while", "with",
    ];
    const OF_VALUES: [&str; 7] = ["await", "const", "let", "return", "throw", "var", "yield"];

    let code = text[..comment(before, text).unwrap_or(text.len())].trim_end();
    if !LANGUAGES.contains(&language) || !code.ends_with('{') || open_literal(before).is_some() {
        return false;
    }
    let Some((list, end)) = last_closed_parenthesis(before, code) else {
        return false;
    };
    let head = before[..list].trim_end();
    let mut words = head.split(|c| !is_word(c));
    let is_called = head.ends_with([')', ']'])
        || head.ends_with(is_word) && words.clone().next_back() != Some("async");
    // A `]` before the parameters ends the captures of a closure.
    let is_closure = language == "cpp" && head.ends_with(']');
    if is_closure || words.any(|word| HEADS.contains(&word)) {
        return false;
    }
    let arrow = if language == "java" { "->" } else { "=>" };
    if code[end..].trim_start().starts_with(arrow) {
        return is_called;
    }
    let assigns = head.replace("=>", "").contains('=');
    let continues = ["&&", "||", ")", "."]
        .iter()
        .any(|mark| head.trim_start().starts_with(mark));
    let first = head
        .trim_start()
        .split(|c| !is_word(c))
        .next()
        .unwrap_or_default();
    let is_value = assigns
        || continues
        || OF_VALUES.contains(&first)
        || head.ends_with(')')
        || head.ends_with(is_word) && head.trim_end_matches(is_word).ends_with('.')
        || Unmatched::of(head)
            .missing
            .last()
            .is_some_and(|closer| *closer != '}');
    is_value && !code.contains("=>")
}

/// Returns where the outermost parenthesis of `before` begins that `text` closes, and where in
/// `text` it ends; `None` if the text closes none, or one of an earlier line.
fn last_closed_parenthesis(before: &str, text: &str) -> Option<(usize, usize)> {
    let mut depth = 0usize;
    let mut line = before;
    let mut found = None;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' => {
                let list = innermost_parenthesis(line)?;
                line = &before[..list];
                found = Some((list, at + 1));
            }
            _ => {}
        }
    }
    found
}

/// Returns where the innermost parenthesis that is open at the end of `before` begins.
fn innermost_parenthesis(before: &str) -> Option<usize> {
    let mut closed = 0;
    for (at, c) in before.char_indices().rev() {
        match c {
            ')' => closed += 1,
            '(' if closed > 0 => closed -= 1,
            '(' => return Some(at),
            _ => {}
        }
    }
    None
}

/// Returns whether a list item or a statement ends twice or inside brackets, or the text ends in a
/// line continuation.
pub(super) fn ends_too_early(text: &str, kept: &str) -> bool {
    let (text, kept) = (text.trim_end(), kept.trim_start());
    let is_second = kept.starts_with([',', ';', ':']) && !kept.starts_with("::");
    text.ends_with([',', ';', ':']) && is_second
        || text.ends_with("):") && kept.starts_with('{')
        || text.ends_with([',', ';']) && kept.starts_with('{')
        || text.ends_with([';', ':']) && kept.starts_with(')')
        || text.ends_with(';') && kept.starts_with([']', '>'])
        || text.ends_with(':') && text.contains(" in ") && kept.starts_with(']')
        || text.ends_with('\\')
}

/// Returns where the text begins a line comment, or a block comment that it does not end; `None` if
/// there is no such comment or the cursor is in one.
pub(super) fn comment(before: &str, text: &str) -> Option<usize> {
    comment_start(&[before, text].concat(), before.len())?.checked_sub(before.len())
}

/// Returns where a line comment begins in a line, or a block comment that the line does not end.
/// At `place` it may begin without white space before it.
pub(super) fn comment_start(line: &str, place: usize) -> Option<usize> {
    const MARKS: [&str; 4] = ["//", "# ", "-- ", "/*"];
    let mut quotes = [('"', false), ('`', false)];
    let mut last = ' ';
    for (at, c) in line.char_indices() {
        let rest = &line[at..];
        let begins = last.is_whitespace() || "([{},;".contains(last) || at == place;
        let is_mark = MARKS.iter().any(|mark| rest.starts_with(mark));
        let is_ended = rest.starts_with("/*") && rest.contains("*/");
        if begins && is_mark && !is_ended && quotes.iter().all(|(_, open)| !open) {
            return Some(at);
        }
        for (quote, open) in &mut quotes {
            *open ^= c == *quote && last != '\\';
        }
        last = c;
    }
    None
}

/// Returns whether a text that covers closers spells the last of them in its own comment, where it
/// closes nothing. Only `# ` counts: two slashes may be a division.
pub(super) fn hides_closers(before: &str, text: &str) -> bool {
    comment(before, text).is_some_and(|start| text[start..].starts_with("# "))
}

/// Returns whether `line` has no open literal and `made` has one.
pub(super) fn opens_literal(line: &str, made: &str) -> bool {
    let is_even = |line: &str, quote| line.matches(quote).count().is_multiple_of(2);
    let opens = open_literal(line).is_none() && matches!(open_literal(made), Some((_, '"' | '`')));
    opens
        || ['"', '`']
            .into_iter()
            .any(|quote| is_even(line, quote) && !is_even(made, quote))
}

/// Returns whether single quotes that were in pairs on a line no longer are. Lifetimes have one
/// quote, and in another literal or a comment a quote may be an apostrophe.
pub(super) fn parts_literal(before: &str, text: &str, after: &str, covered: usize) -> bool {
    const QUOTE: char = '\'';
    let is_lifetime = |at: usize| {
        let name = &text[at + 1..];
        let length = name.len() - name.trim_start_matches(is_word).len();
        let is_short = (1..=3).contains(&length) || &name[..length] == "static";
        is_short && !name[length..].starts_with(QUOTE)
    };
    let count = |text: &str| text.matches(QUOTE).count();
    let (old, kept) = (count(before) + count(after), count(&after[covered..]));
    let line = [before, after].concat();
    let is_apostrophe = matches!(literal_at(&line, before.len()), Some((_, '"' | '`')))
        || comment_start(before, before.len()).is_some();
    old.is_multiple_of(2)
        && !(count(before) + count(text) + kept).is_multiple_of(2)
        && !text.match_indices(QUOTE).any(|(at, _)| is_lifetime(at))
        && !is_apostrophe
}

/// Returns where the text begins a block as `kept` does, with a `{` after white space or a `:`.
pub(super) fn own_beginning(text: &str, kept: &str) -> Option<usize> {
    let mark = (kept.trim_start().chars().next()).filter(|c| "{:".contains(*c))?;
    if ["::", ":="]
        .iter()
        .any(|other| kept.trim_start().starts_with(other))
    {
        return None;
    }
    let mut last = ' ';
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        let is_in_literal = || open_literal(&text[..at]).is_some();
        let begins = match mark {
            '{' => last.is_whitespace(),
            _ => last != ':' && !rest.starts_with([':', '=']),
        };
        if c == mark && depth == 0 && begins && !is_in_literal() {
            return Some(text[..at].trim_end().len());
        }
        match c {
            '(' | '[' | '{' if !is_in_literal() => depth += 1,
            ')' | ']' | '}' if !is_in_literal() => depth = depth.saturating_sub(1),
            _ => {}
        }
        last = c;
    }
    None
}

/// Returns where the literal that is open at the end of a line begins, and its quote. A single
/// quote that is not closed on the line is an apostrophe or begins a lifetime.
pub(super) fn open_literal(line: &str) -> Option<(usize, char)> {
    literal_at(line, line.len())
}

/// Returns where the literal that is open at byte `end` of a line begins, and its quote.
fn literal_at(line: &str, end: usize) -> Option<(usize, char)> {
    let mut open = None;
    let mut chars = line[..end].char_indices();
    let mut last = ' ';
    while let Some((at, c)) = chars.next() {
        match open {
            Some(_) if c == '\\' => {
                chars.next();
            }
            Some((_, quote)) if c == quote => open = None,
            None if c == '"' || c == '`' => open = Some((at, c)),
            None if c == '\'' && !is_word(last) && line[at + 1..].contains('\'') => {
                open = Some((at, c))
            }
            _ => {}
        }
        last = c;
    }
    open
}

/// Returns whether the cursor is directly after the backslash of an escape.
pub(super) fn is_escaped(before: &str, line: &str) -> bool {
    let backslashes = before.len() - before.trim_end_matches('\\').len();
    !backslashes.is_multiple_of(2) && open_literal(line).is_none()
}

/// Returns whether a text inside a literal closes one of its brackets with a closer of another
/// kind, as after a name in `"{name}"`, or ends a statement within `${…}`.
pub(super) fn crosses_hole(before: &str, text: &str) -> bool {
    let Some((start, quote)) = open_literal(before) else {
        return false;
    };
    let mut open = Vec::new();
    let end = text.find(quote).unwrap_or(text.len());
    let written = before[start..].chars().map(|c| (c, false));
    for (c, is_new) in written.chain(text[..end].chars().map(|c| (c, true))) {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' => match open.pop() {
                Some(closer) if closer != c && is_new => return true,
                _ => {}
            },
            ';' if is_new && quote == '`' && !open.is_empty() => return true,
            _ => {}
        }
    }
    false
}

/// Returns whether a text ends with `%}` what began with `{{`.
pub(super) fn crosses_template(before: &str, text: &str) -> bool {
    let last = |mark| before.rfind(mark);
    last("{{") > last("}}").max(last("{%"))
        && (text.find("%}")).is_some_and(|end| !text[..end].contains(['{', '}']))
}

/// Returns whether a word or a value directly follows another, or two operators become one.
pub(super) fn runs_into(text: &str, kept: &str) -> bool {
    let operators = text.ends_with(is_operator) && kept.starts_with(is_operator);
    let values = text.ends_with(|c| is_word(c) || is_quote(c) || matches!(c, ')' | ']' | '}'))
        && kept.starts_with(|c| is_word(c) || is_quote(c));
    (operators || values) && !is_closing(kept)
}

/// Returns whether the text changes what is written directly before the cursor: it continues a word
/// other than by a type, makes another operator of one, puts a word after a value, repeats the
/// last word, or adds punctuation alone. To do so before code would be guessing at an edit.
pub(super) fn changes_what_precedes(before: &str, text: &str) -> bool {
    if !text.contains(|c| is_word(c) || is_quote(c)) {
        return true;
    }
    let first = text.split(|c| !is_word(c)).next().unwrap_or_default();
    let spaced = before.trim_end();
    let last = &spaced[spaced.trim_end_matches(is_word).len()..];
    let is_closed = before.ends_with([')', ']', '}']) && open_literal(before).is_none();
    before.ends_with(is_word) && !text.starts_with(':')
        || before.ends_with(is_operator) && text.starts_with(is_operator)
        || is_closed && !first.is_empty()
        || before.len() > spaced.len() && !first.is_empty() && first == last
}

/// Returns whether the text begins an item of a list with `.name`, which no value begins with.
pub(super) fn begins_item_with_dot(before: &str, text: &str) -> bool {
    let mut text = text.trim_start().chars();
    let is_name = text.next() == Some('.') && text.next().is_some_and(char::is_alphabetic);
    let innermost = Unmatched::of(before).missing.pop();
    is_name && before.trim_end().ends_with(['(', '[', ',']) && matches!(innermost, Some(')' | ']'))
}

/// Returns whether an operator after the cursor loses its operand: it follows a value now, and
/// would follow none, or a second value.
pub(super) fn takes_operand(before: &str, text: &str, kept: &str) -> bool {
    const BETWEEN_VALUES: [&str; 14] = [
        "and",
        "as",
        "else",
        "extends",
        "for",
        "if",
        "implements",
        "in",
        "instanceof",
        "is",
        "not",
        "or",
        "satisfies",
        "where",
    ];

    if !kept.trim_start().starts_with(is_operator) {
        return false;
    }
    let before = before.trim_end();
    let text = text.trim();
    let word = text.split(|c| !is_word(c)).next().unwrap_or_default();
    let is_member = before.trim_end_matches(is_word).ends_with('.') && before.ends_with(is_word);
    let follows_value = is_member || before.ends_with([')', ']']) || before.ends_with(is_quote);
    let is_second = follows_value && !word.is_empty() && !BETWEEN_VALUES.contains(&word);
    is_second || ends_value(before) && !ends_value(text)
}

/// Returns whether an operator after the cursor that begins a value would be between two: `f(&a)` has
/// the address of `a`, and `f(b &a)` has not.
pub(super) fn makes_binary(before: &str, text: &str, kept: &str) -> bool {
    const BEFORE_VALUES: [&str; 7] = ["await", "case", "in", "return", "throw", "when", "yield"];

    let operand = kept.trim_start().strip_prefix("...");
    let operand = operand.or_else(|| {
        kept.trim_start()
            .strip_prefix(['&', '*', '-', '+', '!', '~', '<'])
    });
    let before = before.trim_end();
    let word = &before[before.trim_end_matches(is_word).len()..];
    operand.is_some_and(|operand| operand.starts_with(|c| is_word(c) || is_quote(c) || c == '('))
        && (!ends_value(before) || BEFORE_VALUES.contains(&word))
        && ends_value(text.trim_end())
}

/// Returns whether the text is a longer part of the line before the cursor.
pub(super) fn repeats_line(before: &str, text: &str) -> bool {
    const LEAST: usize = 16;

    let text = text.trim();
    text.len() >= LEAST && before.contains(text)
}

/// Returns whether the text leaves the `<` of type arguments open before code or at its end.
pub(super) fn opens_type(text: &str, kept: &str) -> bool {
    let mut open = 0usize;
    let mut last = ' ';
    for c in text.chars() {
        match c {
            '<' if is_word(last) => open += 1,
            '>' if !matches!(last, '-' | '=') => open = open.saturating_sub(1),
            _ => {}
        }
        last = c;
    }
    open > 0 && (last == '<' || !is_closing(kept))
}

/// Returns whether the text ends the comment or the section around the cursor, which the rest of the
/// line ends.
pub(super) fn ends_comment_twice(before: &str, text: &str, kept: &str) -> bool {
    const MARKS: [(&str, &str); 3] = [("/*", "*/"), ("<!--", "-->"), ("<![CDATA[", "]]>")];

    MARKS.iter().any(|(opener, closer)| {
        before.rfind(opener) > before.rfind(closer)
            && text.contains(closer)
            && kept.contains(closer)
    })
}

/// Returns whether a text that closers follow ends with an operator that needs an operand.
pub(super) fn lacks_operand(before: &str, text: &str) -> bool {
    let line = [before, text.trim_end()].concat();
    let is_member = (line.strip_suffix('.'))
        .is_some_and(|value| !value.ends_with(|c: char| c == '.' || c.is_ascii_digit()));
    (is_member || line.ends_with(['+', '-', '%', '^', '|', '=', '~', '<']))
        && !["++", "--", "||"].iter().any(|pair| line.ends_with(pair))
        && open_literal(&line).is_none()
        && comment_start(&line, line.len()).is_none()
}

/// Returns whether a text begins with a word that begins statements only.
pub(super) fn is_statement(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "assert", "break", "const", "continue", "def", "del", "import", "let", "package", "pass",
        "raise", "return", "throw", "var",
    ];

    let first = text.split(|c| !is_word(c)).next().unwrap_or_default();
    WORDS.contains(&first)
}

/// Returns whether the innermost parenthesis that is open after the text is that of a call.
pub(super) fn is_in_call(before: &str, text: &str) -> bool {
    let line = [before, text].concat();
    innermost_parenthesis(&line).is_some_and(|at| line[..at].ends_with(is_word))
}

/// Returns whether a text ends with a value.
pub(super) fn ends_value(text: &str) -> bool {
    text.ends_with(|c| is_word(c) || is_quote(c) || matches!(c, ')' | ']' | '}'))
}

/// Returns whether `kept` can follow a value: it begins with a comma or an operator other than `:`.
pub(super) fn continues_value(kept: &str) -> bool {
    let kept = kept.trim_start();
    kept.starts_with(|c: char| c == ',' || is_operator(c)) && !kept.starts_with(':')
}

pub(super) fn is_operator(c: char) -> bool {
    "-+*/%=<>!&|^~:.?".contains(c)
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
