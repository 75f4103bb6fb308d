//! From two versions of a text to the actions that turn the first into the second, as a person
//! would.
//!
//! Hunks come from top to bottom. A line that stays mostly the same is changed where it differs;
//! other lines are deleted at once and typed again. Lines are added as editors add them: from the
//! end of the line above, by Enter, which brings the indentation along. Brackets are not closed
//! automatically.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};
use tabahead_text::{Document, Offset, Version};

/// Maximum number of characters that are deleted key by key; more are deleted at once.
const LONGEST_BACKSPACING: usize = 12;

/// One action. Offsets refer to the text that the previous actions left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TypingAction {
    /// The cursor is moved.
    Move(Offset),
    /// A key is pressed, or text is removed at once.
    Edit { range: Range<Offset>, text: String },
}

/// Returns the actions that turn `before` into `after`.
pub(super) fn actions(before: &str, after: &str) -> Vec<TypingAction> {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let mut plan = TypingPlan {
        text: Document::new(before, Version(1)),
        actions: Vec::new(),
    };
    let mut at = 0;
    for hunk in capture_diff_slices(Algorithm::Patience, &old, &new) {
        let (old, new) = (&old[hunk.old_range()], &new[hunk.new_range()]);
        if hunk.tag() != DiffTag::Equal {
            plan.hunk(at, old, new);
        }
        at += new.iter().map(|line| line.len()).sum::<usize>();
    }
    plan.actions
}

/// The actions so far, and the text that they leave.
struct TypingPlan {
    text: Document,
    actions: Vec<TypingAction>,
}

impl TypingPlan {
    fn hunk(&mut self, at: usize, old: &[&str], new: &[&str]) {
        let pairs = || old.iter().zip(new);
        if old.len() == new.len() && pairs().all(|(old, new)| are_alike(old, new)) {
            let mut at = at;
            for (old, new) in pairs() {
                self.change_line(at, old, new);
                at += new.len();
            }
            return;
        }
        let (old, new) = (old.concat(), new.concat());
        let difference = difference(&old, &new);
        if old.is_empty() {
            self.add_lines(at, &new);
        } else if difference.old.is_empty() || difference.new.is_empty() {
            let start = at + difference.start;
            self.move_to(start);
            if !difference.old.is_empty() {
                self.edit(start..start + difference.old.len(), "");
            }
            self.type_text(start, difference.new);
        } else {
            // The end of the last line stays, so that the new text begins on an empty line.
            let kept = if line_end(&old) == line_end(&new) {
                line_end(&old).len()
            } else {
                0
            };
            self.move_to(at);
            if old.len() > kept {
                self.edit(at..at + old.len() - kept, "");
            }
            self.type_text(at, &new[..new.len() - kept]);
        }
    }

    fn change_line(&mut self, at: usize, old: &str, new: &str) {
        let Difference { start, old, new } = difference(old, new);
        if old.is_empty() && new.is_empty() {
            return;
        }
        let start = at + start;
        self.move_to(start + old.len());
        self.take_back(start, old);
        self.type_text(start, new);
    }

    fn add_lines(&mut self, at: usize, lines: &str) {
        let above = self.text.slice(Offset(at.saturating_sub(2))..Offset(at));
        let end = line_end(lines);
        if at > 0 && !end.is_empty() && line_end(&above) == end {
            let place = at - end.len();
            self.move_to(place);
            let typed = format!("{end}{}", &lines[..lines.len() - end.len()]);
            self.type_text(place, &typed);
        } else {
            self.move_to(at);
            self.type_text(at, lines);
        }
    }

    fn take_back(&mut self, start: usize, text: &str) {
        if text.chars().count() > LONGEST_BACKSPACING || text.contains('\n') {
            self.edit(start..start + text.len(), "");
            return;
        }
        let mut end = start + text.len();
        for c in text.chars().rev() {
            self.edit(end - c.len_utf8()..end, "");
            end -= c.len_utf8();
        }
    }

    fn type_text(&mut self, start: usize, text: &str) {
        let mut at = start;
        let mut rest = text;
        while !rest.is_empty() {
            let (key, after) = rest.split_at(key_length(rest, at == start));
            self.edit(at..at, key);
            at += key.len();
            rest = after;
        }
    }

    fn move_to(&mut self, at: usize) {
        self.actions.push(TypingAction::Move(Offset(at)));
    }

    fn edit(&mut self, range: Range<usize>, text: &str) {
        let range = Offset(range.start)..Offset(range.end);
        self.text = self.text.with_replaced(range.clone(), text);
        let text = text.to_owned();
        self.actions.push(TypingAction::Edit { range, text });
    }
}

/// Returns how many bytes of a text one key writes: a line end with the indentation after it, the
/// indentation that it begins with, or a character.
fn key_length(text: &str, is_first: bool) -> usize {
    let end = ["\r\n", "\n"].into_iter().find(|end| text.starts_with(end));
    let after = &text[end.map_or(0, str::len)..];
    let indentation = after.len() - after.trim_start_matches([' ', '\t']).len();
    match end {
        Some(end) => end.len() + indentation,
        None if is_first && indentation > 0 => indentation,
        None => text.chars().next().map_or(0, char::len_utf8),
    }
}

fn line_end(text: &str) -> &'static str {
    match text {
        _ if text.ends_with("\r\n") => "\r\n",
        _ if text.ends_with('\n') => "\n",
        _ => "",
    }
}

/// The difference between two texts.
struct Difference<'a> {
    /// Number of bytes that both share before it.
    start: usize,
    old: &'a str,
    new: &'a str,
}

fn difference<'a>(old: &'a str, new: &'a str) -> Difference<'a> {
    let same = |(old, new): &(char, char)| old == new;
    let width = |(c, _): (char, char)| c.len_utf8();
    let start = old
        .chars()
        .zip(new.chars())
        .take_while(same)
        .map(width)
        .sum();
    let (old, new) = (&old[start..], &new[start..]);
    let from_end = old.chars().rev().zip(new.chars().rev());
    let end: usize = from_end.take_while(same).map(width).sum();
    Difference {
        start,
        old: &old[..old.len() - end],
        new: &new[..new.len() - end],
    }
}

/// Returns whether at least half of a line stays.
fn are_alike(old: &str, new: &str) -> bool {
    let (old, new) = (old.trim(), new.trim());
    let difference = difference(old, new);
    let longer = difference.old.len().max(difference.new.len());
    2 * longer <= old.len().max(new.len())
}
