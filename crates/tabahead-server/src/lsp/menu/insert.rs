//! The effect of accepting an item of the menu, and its label.

use tabahead_context::Suggestion;
use tabahead_text::Offset;

/// The effect of accepting an item.
pub(super) struct Insert {
    pub(super) label: String,
    /// The text from the start of the word after the accept, with LF.
    pub(super) shown: String,
    pub(super) new_text: String,
    pub(super) end: Offset,
    /// `insertTextFormat`.
    pub(super) format: u8,
    /// `insertTextMode`.
    pub(super) mode: u8,
    /// Whether it contains all of the suggestion.
    pub(super) is_whole: bool,
}

/// `InsertTextFormat.PlainText`.
const PLAIN_TEXT: u8 = 1;

/// `InsertTextMode.asIs`: the text already has its indentation.
const AS_IS: u8 = 1;

/// Maximum length of a label in characters; more would make the menu as wide as the screen.
pub(super) const LONGEST_LABEL: usize = 60;

/// Returns the effect of accepting the item in a client that inserts as LSP specifies.
pub(super) fn as_specified(word: &str, suggestion: &Suggestion) -> Insert {
    let shown = format!("{word}{}", suggestion.text.replace("\r\n", "\n"));
    let mut label = first_line(word, &shown).trim().to_owned();
    if let Some((end, _)) = label.char_indices().nth(LONGEST_LABEL) {
        let last = label[..end].chars().next_back().map_or(0, char::len_utf8);
        label.truncate(end - last);
        label.push('…');
    }
    Insert {
        label,
        shown,
        new_text: format!("{word}{}", suggestion.text),
        end: suggestion.range.end,
        format: PLAIN_TEXT,
        mode: AS_IS,
        is_whole: true,
    }
}

/// Returns the first line to which an item adds something.
pub(super) fn first_line(word: &str, shown: &str) -> String {
    let mut lines = shown.lines();
    let first = lines.next().unwrap_or_default();
    if first.trim_end().len() > word.len() {
        return first.to_owned();
    }
    let next = lines.find(|line| !line.trim().is_empty());
    // With the word, because Emacs completes only labels that begin with it.
    format!("{word} ↵ {}", next.unwrap_or_default().trim())
        .trim_start()
        .to_owned()
}

/// Returns whether a text is worth a menu; brackets and semicolons alone are not.
pub(super) fn is_worth_showing(text: &str) -> bool {
    text.contains(char::is_alphanumeric)
}
