//! Repetition that is not shown: loops, the neighbouring lines, and what the block already defines.
//!
//! All checks look at the line that an accept makes, including the text that remains after the
//! cursor.

use tabahead_text::{Document, Offset};

use super::joint::End;

/// Returns whether the text loops: a piece occurs four times in a row, long enough to be no table
/// or pattern (longer still if it has no letters). A single character may repeat without limit
/// where it draws a ruled line and `kept` is blank. Of a text without an `end`, three times are
/// enough: few pieces fit.
pub(super) fn loops(text: &str, kept: &str, end: End) -> bool {
    /// Length of a run of one character that occurs in no code.
    const MOST: usize = 20;
    const RULES: &str = "-=*#~_/+.\u{2500}\u{2501}\u{2550}";

    let repeats = if end == End::Broken { 2 } else { 3 };
    let chars: Vec<char> = text.chars().collect();
    let runs = chars.chunk_by(|one, other| one == other);
    let repeats_a_sign = runs.filter(|run| run.len() >= MOST).any(|run| {
        let is_rule = kept.trim().is_empty() && RULES.contains(run[0]);
        !run[0].is_whitespace() && !is_rule
    });
    repeats_a_sign
        || (2..=chars.len() / (1 + repeats)).any(|period| {
            let least = (repeats * period).max(20);
            let (mut run, mut letters, mut changes) = (0, 0, 0);
            chars.windows(period + 1).any(|window| {
                let (earlier, later, before) = (window[0], window[period], window[period - 1]);
                if later != earlier {
                    (run, letters, changes) = (0, 0, 0);
                    return false;
                }
                run += 1;
                letters += usize::from(later.is_alphanumeric());
                changes += usize::from(later != before);
                run >= least && (letters > 0 || run >= 40 && changes > 0)
            })
        })
}

/// Words that begin a definition.
const DEFINITIONS: [&str; 9] = [
    "def",
    "fn",
    "func",
    "function",
    "class",
    "struct",
    "enum",
    "trait",
    "interface",
];
/// Words that may come before them.
const MODIFIERS: [&str; 12] = [
    "pub",
    "pub(crate)",
    "pub(super)",
    "async",
    "unsafe",
    "const",
    "export",
    "default",
    "abstract",
    "public",
    "private",
    "static",
];
/// Words that begin a branch of a statement.
const BRANCHES: [&str; 8] = [
    "else", "elif", "elsif", "case", "default", "except", "catch", "finally",
];
/// Words and signs, other than brackets, that are a line of their own at the end of a block.
const BLOCK_ENDS: [&str; 6] = ["end", "fi", "done", "esac", ";;", "end;"];
/// Ends of comments of several lines.
const COMMENT_ENDS: [&str; 3] = ["*/", "**/", "-->"];
/// Quotes of multi-line strings.
const LONG_QUOTES: [&str; 2] = ["\"\"\"", "'''"];
/// Number of lines of a block to search in either direction.
const BLOCK_LINES: usize = 500;

/// The line that an accept makes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made<'a> {
    pub(super) document: &'a Document,
    pub(super) cursor: Offset,
    /// Text that an accept puts at the cursor.
    pub(super) text: &'a str,
    /// Text that remains after it on its line.
    pub(super) kept: &'a str,
}

impl Made<'_> {
    /// Returns whether the new line equals the nearest line above it that is not blank. A small
    /// model that has begun to repeat itself goes on for as long as its suggestions are accepted.
    pub(super) fn repeats_line_above(self) -> bool {
        /// Number of lines to search.
        const FAR: usize = 3;

        let made = self.line_made();
        if !has_words(&made) {
            return false;
        }
        let line = self.document.line_of(self.cursor);
        let own = self.new_line().map(|_| self.before());
        let others = (line.saturating_sub(FAR)..line).rev();
        let mut above = own.into_iter().chain(others.map(|line| self.line(line)));
        let above = above.find(|line| !line.trim().is_empty());
        above.is_some_and(|above| without_end(&above) == without_end(&made))
    }

    /// Returns whether the text equals what is on the line before the cursor, white space aside.
    pub(super) fn repeats_before(self) -> bool {
        let before = self.before();
        let line = before.trim();
        // A row of a table has equal cells.
        has_words(line) && !line.ends_with(',') && line == self.text.trim()
    }

    /// Returns whether the new line equals one of the next lines of its block, or the line that
    /// ends the block. Where a line was missing, a tenth of the built-in model's suggestions that
    /// equalled the second line below were right; of those that equalled a line further below, as
    /// many were right as of all suggestions.
    pub(super) fn repeats_line_below(self) -> bool {
        /// Number of non-blank lines to compare.
        const BELOW: usize = 2;
        /// Number of lines searched for them. Searching further would cost more than it finds.
        const FAR: usize = 8;

        let added = self.new_line().unwrap_or(self.text).trim();
        let made = self.line_made();
        let below = self.document.line_of(self.cursor) + 1;
        // The next line already begins a text in these quotes.
        if let Some(quote) = (LONG_QUOTES.iter()).find(|quote| made.trim().starts_with(*quote))
            && below < self.document.line_count()
            && self.line(below).trim().starts_with(quote)
        {
            return true;
        }
        if is_word_closer(made.trim()) {
            let mut lines =
                (below..self.document.line_count().min(below + FAR)).map(|line| self.line(line));
            let next = lines.find(|line| !line.trim().is_empty());
            // The block inside another one ends with the same word.
            let is_block = !COMMENT_ENDS.contains(&made.trim());
            return next.is_some_and(|next| {
                next.trim() == made.trim()
                    && !(is_block && indentation(&next) != indentation(&made))
            });
        }
        if !has_words(added) {
            return false;
        }
        let mut block_ends = false;
        (below..self.document.line_count().min(below + FAR))
            .map(|line| self.line(line))
            .filter(|line| !line.trim().is_empty())
            .take(BELOW)
            .take_while(|line| {
                let is_in_block = !block_ends;
                block_ends = indentation(line) < indentation(&made);
                is_in_block
            })
            .any(|below| {
                let below = without_end(&below);
                below == without_end(&made) || below == without_end(added)
            })
    }

    /// Returns whether the new line is the same branch as the one before it, as an `else` after an
    /// `else`, or a `case` that is there already.
    pub(super) fn repeats_branch(self) -> bool {
        let made = self.line_made();
        let branch = made.trim_start_matches(|c: char| c.is_whitespace() || c == '}');
        let first = branch.split(|c: char| !c.is_alphanumeric()).next();
        if !made.trim_end().ends_with(['{', ':'])
            || !first.is_some_and(|first| BRANCHES.contains(&first))
        {
            return false;
        }
        let line = self.document.line_of(self.cursor);
        let own = self.new_line().map(|_| self.before());
        let others = (line.saturating_sub(BLOCK_LINES)..line).rev();
        let mut above = own.into_iter().chain(others.map(|line| self.line(line)));
        let head =
            above.find(|line| !line.trim().is_empty() && indentation(line) <= indentation(&made));
        head.is_some_and(|head| head.trim_end() == made.trim_end())
    }

    /// Returns whether the new line closes a block and nothing else, although the next line below
    /// is still inside the block.
    pub(super) fn closes_before_the_end(self) -> bool {
        /// Number of lines searched for one that is not blank.
        const FAR: usize = 8;
        /// Characters with which a deeper line continues the statement that the closer ends.
        const CONTINUES: [char; 8] = ['.', '?', ':', '|', '&', '+', '=', '{'];

        let made = self.line_made();
        let closers = made.trim();
        let is_new = self.new_line().is_some() || self.before().trim().is_empty();
        let closes =
            closers.starts_with([')', ']', '}']) && closers.chars().all(|c| ")]};,".contains(c));
        if !is_new || !closes {
            return false;
        }
        let below = self.document.line_of(self.cursor) + 1;
        (below..self.document.line_count().min(below + FAR))
            .map(|line| self.line(line))
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| {
                indentation(&line) > indentation(&made) && !line.trim_start().starts_with(CONTINUES)
            })
    }

    /// Returns whether the text ends a block comment whose lines go on below.
    pub(super) fn ends_comment_early(self) -> bool {
        let comment = self.text.split_once("*/");
        let is_end = comment.is_some_and(|(comment, _)| !comment.contains("/*"));
        let below = self.document.line_of(self.cursor) + 1;
        is_end && below < self.document.line_count() && {
            let line = self.line(below);
            let line = line.trim();
            line == "*" || line.starts_with("* ") || line.starts_with("*/")
        }
    }

    /// Returns whether the new line repeats a definition of its block word for word. Copying leads
    /// to this when suggestions are accepted one after another: after the copied end of a function
    /// comes the next function, as in the original.
    pub(super) fn redefines(self) -> bool {
        let made = self.line_made();
        let new = made.trim_end();
        let mut words = new
            .split_whitespace()
            .skip_while(|word| MODIFIERS.contains(word));
        // A definition that continues on further lines may differ there.
        if !words.next().is_some_and(|word| DEFINITIONS.contains(&word))
            || new.ends_with(['(', ','])
        {
            return false;
        }
        let line = self.document.line_of(self.cursor);
        // If the suggestion adds a line, the cursor's line is above the new one.
        let above = line + usize::from(self.new_line().is_some());
        let is_in = |lines: &mut dyn Iterator<Item = usize>| {
            lines
                .take(BLOCK_LINES)
                .map(|line| self.line(line))
                .filter(|line| !line.trim().is_empty())
                .take_while(|line| indentation(line) >= indentation(new))
                .any(|line| line.trim_end() == new)
        };
        is_in(&mut (0..above).rev()) || is_in(&mut (line + 1..self.document.line_count()))
    }

    /// Returns the last line that an accept adds below the cursor's line, if it adds one.
    fn new_line(&self) -> Option<&str> {
        self.text.rsplit_once('\n').map(|(_, last)| last)
    }

    fn line_made(self) -> String {
        match self.new_line() {
            Some(last) => format!("{last}{}", self.kept),
            None => format!("{}{}{}", self.before(), self.text, self.kept),
        }
    }

    /// Returns the part of the cursor's line before the cursor.
    fn before(self) -> String {
        let line = self.document.line_of(self.cursor);
        (self.document).slice(self.document.line_range(line).start..self.cursor)
    }

    fn line(self, line: usize) -> String {
        self.document.slice(self.document.line_range(line))
    }
}

/// Returns whether a line ends a block or a comment, and has no bracket for it.
fn is_word_closer(line: &str) -> bool {
    BLOCK_ENDS.contains(&line)
        || COMMENT_ENDS.contains(&line)
        || line.starts_with("</") && line.find('>').is_some_and(|end| end + 1 == line.len())
}

/// Returns the length in bytes of the white space that a line begins with.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Returns a line without its indentation and its last `,` or `;`, which the last item of a list may
/// lack.
fn without_end(line: &str) -> &str {
    let line = line.trim();
    line.strip_suffix([',', ';']).unwrap_or(line)
}

/// Returns whether a line is more than closers and punctuation, which repeat on neighbouring lines
/// everywhere.
fn has_words(line: &str) -> bool {
    line.chars().filter(|c| c.is_alphanumeric()).count() >= 3
}
