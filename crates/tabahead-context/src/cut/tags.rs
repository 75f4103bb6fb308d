//! Tags of markup: where one ends, and which element an end tag belongs to.
//!
//! Templates and JSX mix tags with code, so the functions work on characters. `joint.rs` decides
//! with them what a text replaces, `preceding.rs` whether it closes the element that is open.

use std::{iter, ops::Range};

use super::signs::{is_closing, is_quote, is_word};

/// Languages with tags in which some end tags may be left out.
const HTML: [&str; 11] = [
    "html",
    "php",
    "blade",
    "htmldjango",
    "jinja",
    "jinja-html",
    "handlebars",
    "erb",
    "eruby",
    "ejs",
    "heex",
];
/// Languages with tags in which every element has its end.
const XML: [&str; 8] = [
    "xml",
    "svg",
    "vue",
    "svelte",
    "astro",
    "javascript",
    "javascriptreact",
    "typescriptreact",
];
/// Elements of HTML without an end tag.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];
/// Elements of HTML whose end tag may be left out.
const OPTIONAL: [&str; 15] = [
    "body", "colgroup", "dd", "dt", "head", "html", "li", "optgroup", "option", "p", "tbody", "td",
    "tfoot", "thead", "tr",
];

/// Returns whether the cursor is in a tag that begins on the line. A `<` after a word is a
/// comparison or belongs to a type.
pub(super) fn is_in_tag(before: &str) -> bool {
    let Some((outside, tag)) = before.rsplit_once('<') else {
        return false;
    };
    !outside.ends_with(is_word)
        && tag.starts_with(|c: char| c.is_alphabetic())
        && !tag.replace("=>", "").contains('>')
}

/// Returns whether the text directly follows the quoted value of an attribute and does not end the
/// tag.
pub(super) fn is_glued_to_value(before: &str, text: &str) -> bool {
    let Some(quote) = before.chars().next_back().filter(|&c| is_quote(c)) else {
        return false;
    };
    let is_ended = before.matches(quote).count().is_multiple_of(2);
    is_ended
        && is_in_tag(before)
        && !text.starts_with(|c: char| c.is_whitespace() || "/>".contains(c))
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || "_-.:".contains(c)
}

/// Returns where `text` spells the `>` of a `<` that is open before the cursor: on this line or, if
/// `before` has neither `<` nor `>`, above.
pub(super) fn unopened_angle(before: &str, text: &str) -> Option<usize> {
    let open = |text: &str, mut last: char| {
        let mut depth = 0usize;
        for (at, c) in text.char_indices() {
            let next = text[at + c.len_utf8()..].chars().next();
            match c {
                '<' if last != '<' && !matches!(next, Some('<' | '=' | '-' | ' ')) => depth += 1,
                '>' if !matches!(last, '-' | '=' | ' ') => match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => return Err(at),
                },
                _ => {}
            }
            last = c;
        }
        Ok(depth)
    };
    let is_open = matches!(open(before, ' '), Ok(1..)) || !before.contains(['<', '>']);
    let last = before.chars().next_back().unwrap_or(' ');
    open(text, last).err().filter(|_| is_open)
}

/// Returns where a text in a tag ends if the tag goes on: before the `>` that would end it, or the
/// slash of that.
pub(super) fn end_in_tag(before: &str, text: &str) -> usize {
    let end = unopened_angle(before, text).unwrap_or(text.len());
    let text = text[..end].trim_end();
    text.strip_suffix('/').unwrap_or(text).trim_end().len()
}

/// Returns whether a text may replace `closer`, the end of the tag that the cursor is in. `tag` is
/// the text up to the end of the tag, `content` its rest, and `rest` follows the closer.
pub(super) fn ends_element(
    before: &str,
    tag: &str,
    closer: &str,
    content: &str,
    rest: &str,
) -> bool {
    let is_whole = tag.ends_with("/>");
    match closer {
        // Content after the closer, or an end tag, belongs to the element.
        ">" if is_whole => rest.trim().is_empty() || is_closing(rest),
        "/>" if !is_whole && is_in_tag(before) => {
            let name = before.rsplit_once('<').map_or("", |(_, tag)| tag);
            let name: String = name.chars().take_while(|&c| is_in_name(c)).collect();
            content.contains(&format!("</{name}>"))
        }
        _ => true,
    }
}

/// Returns whether an accept leaves an element without its end: the text replaces `/>` by `>` and
/// brings no end tag, or it ends the tag before brackets of the line.
pub(super) fn leaves_element_open(before: &str, text: &str, covered: &str, kept: &str) -> bool {
    let replaces = covered.trim_start().starts_with("/>");
    let ends_tag = is_in_tag(before) && unopened_angle(before, text).is_some();
    (replaces || ends_tag && kept.trim_start().starts_with([')', '}']))
        && !text.contains("/>")
        && !text.contains("</")
}

/// Returns whether the cursor is in an end tag that begins on the line.
pub(super) fn is_in_end_tag(before: &str) -> bool {
    (before.rsplit_once('<')).is_some_and(|(_, tag)| tag.starts_with('/') && !tag.contains('>'))
}

/// Returns whether the text puts more than a name into an end tag.
pub(super) fn extends_end_tag(before: &str, text: &str) -> bool {
    let name = text.split('>').next().unwrap_or_default();
    is_in_end_tag(before) && name.contains([' ', '=', '"'])
}

/// Returns whether the text puts a `=` into the name of an element, where the cursor is.
pub(super) fn names_no_element(before: &str, text: &str) -> bool {
    let Some((outside, name)) = before.rsplit_once('<') else {
        return false;
    };
    let rest = text.trim_start_matches(is_in_name);
    let is_tag = !outside.ends_with(is_word)
        && name.starts_with(|c: char| c.is_alphabetic())
        && name.chars().all(is_in_name);
    is_tag && rest.starts_with('=')
}

/// Returns whether the tag that begins at the last `<` of `before` is ended on the line by the end
/// tag of another element, or is an end tag before content that has its own end.
pub(super) fn is_ended_by_other(before: &str, text: &str, kept: &str, language: &str) -> bool {
    let Some((start, name)) = before.rfind('<').map(|at| (at, &before[at + 1..])) else {
        return false;
    };
    let is_tag = !before[..start].ends_with(is_word) && name.chars().all(is_in_name);
    if !is_markup(language) || !is_tag || !kept.contains("</") {
        return false;
    }
    let made = [name, text, kept].concat();
    let made = ["<", &made].concat();
    let mut open: Vec<&str> = Vec::new();
    for tag in tags(&made) {
        let name = &made[tag.name.clone()];
        match (tag.is_end, open.last()) {
            (false, _) => open.push(name),
            // The end tag at the cursor is that of an element before it.
            (true, None) => {
                let content = made[tag.name.end..].strip_prefix('>');
                return tag.name.start <= 2
                    && content.is_some_and(|text| text.starts_with(|c| c == '{' || is_word(c)))
                    && !before[..start].contains(&["<", name].concat());
            }
            (true, Some(last)) if *last == name => {
                open.pop();
                if open.is_empty() {
                    return false;
                }
            }
            (true, Some(_)) => return true,
        }
    }
    false
}

/// Returns whether a language has tags.
pub(super) fn is_markup(language: &str) -> bool {
    HTML.contains(&language) || XML.contains(&language)
}

/// Returns whether an end tag whose name ends in the last `added` bytes of `text` is not that of
/// the innermost open element. An element of HTML that needs no end tag ends with the one around
/// it.
pub(super) fn closes_other_element(text: &str, added: usize, language: &str) -> bool {
    let may_be_open = |name: &&str| HTML.contains(&language) && OPTIONAL.contains(name);
    let mut open: Vec<&str> = Vec::new();
    for tag in tags(text) {
        let name = &text[tag.name.clone()];
        if !tag.is_end {
            open.push(name);
            continue;
        }
        let at = open.iter().rposition(|open| *open == name);
        let is_new = tag.name.end > text.len() - added;
        let is_innermost = at.is_some_and(|at| {
            let inner = &open[at + 1..];
            inner.iter().all(may_be_open)
        });
        // What looks like a tag may be a comparison or a type, and a tag like those.
        if is_new && !is_innermost && (at.is_some() || !begins_element(text, name)) {
            return true;
        }
        open.truncate(at.unwrap_or(open.len()));
    }
    false
}

/// Returns whether more elements of a name begin in a text than end before the last of them.
fn begins_element(text: &str, name: &str) -> bool {
    let count = |mark: &str| {
        (text.match_indices(&[mark, name].concat()))
            .filter(|(at, found)| !text[at + found.len()..].starts_with(is_in_name))
            .count()
    };
    count("<") >= count("</")
}

/// A tag that begins an element, or ends one.
struct Tag {
    /// Place of the name; empty in a fragment.
    name: Range<usize>,
    is_end: bool,
}

/// Returns the tags of a text, without those that are an element of their own.
fn tags(text: &str) -> impl Iterator<Item = Tag> {
    let mut at = 0;
    iter::from_fn(move || {
        loop {
            let start = at + text[at..].find('<')?;
            let is_end = text[start + 1..].starts_with('/');
            let from = start + 1 + usize::from(is_end);
            let rest = &text[from..];
            let length = rest.find(|c| !is_in_name(c)).unwrap_or(rest.len());
            let name = from..from + length;
            at = name.end;
            if let Some((_, end)) = NO_TAGS.iter().find(|(mark, _)| rest.starts_with(mark)) {
                at = from + rest.find(end).unwrap_or(rest.len());
                continue;
            }
            if is_end {
                return Some(Tag { name, is_end });
            }
            // A `<` after a word is a comparison, or begins type arguments.
            let is_tag = rest.starts_with(|c: char| c.is_alphabetic() || c == '>')
                && !text[..start].ends_with(is_word);
            if !is_tag {
                continue;
            }
            let Some(end) = tag_end(&text[at..]) else {
                continue;
            };
            at += end;
            let is_whole = text[..at].ends_with('/') || VOID.contains(&&text[name.clone()]);
            if is_whole {
                continue;
            }
            // The content of these is no markup.
            if let raw @ ("script" | "style") = &text[name.clone()] {
                at += text[at..]
                    .find(&format!("</{raw}"))
                    .unwrap_or(text.len() - at);
            }
            return Some(Tag { name, is_end });
        }
    })
}

/// What begins with `<` and is no tag, and what ends it.
const NO_TAGS: [(&str, &str); 3] = [("!--", "-->"), ("?", "?>"), ("%", "%>")];

/// Maximum length of a tag, in bytes. A comparison that looks like a tag may have no end at all.
const LONGEST_TAG: usize = 4096;

/// Returns the place of the `>` that ends a tag. Literals and code in braces may have one, too.
fn tag_end(tag: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    for (at, c) in tag.char_indices().take_while(|(at, _)| *at < LONGEST_TAG) {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => depth = depth.saturating_sub(1),
            (None, '>') if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}
