//! Draws a chain on a terminal: the buffer with ghost text, a table, one line of summary.
//!
//! Without colours, ghost text appears in ⟦double brackets⟧, so that a file or a screen reader
//! shows it too.

use std::{
    io::{self, Write},
    ops::Range,
};

use console::style;
use tabahead_context::Silence;
use tabahead_speculation::Answer;
use tabahead_text::{Document, Offset};

use super::{ChainStep, origin_word, tab_to_next};
use crate::{
    args::CompleteArgs,
    output::{milliseconds, plain},
};

/// Number of lines shown before the marked part.
const LINES_BEFORE: usize = 4;
/// Number of lines shown after it.
const LINES_AFTER: usize = 2;
/// Maximum number of characters shown on each side of the marked part of a line.
const LINE_WIDTH: usize = 160;
/// Maximum number of characters of a suggestion in the table.
const TEXT_WIDTH: usize = 44;

/// Draws a chain.
pub fn draw(
    out: &mut impl Write,
    place: &str,
    model: &str,
    args: &CompleteArgs,
    steps: &[ChainStep],
) -> io::Result<()> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return Ok(());
    };
    let (place, model) = (plain(place), plain(model));
    writeln!(out, "{}  {}\n", style(place).bold(), style(model).dim())?;
    buffer(out, first, first.state.cursor)?;
    writeln!(out)?;
    table(out, steps)?;
    if steps.len() > 1 {
        let tabs = steps.len() - 1;
        writeln!(out, "\nAfter {}:\n", times_tab(tabs))?;
        buffer(out, last, first.state.cursor)?;
    }
    writeln!(out)?;
    summary(out, args, steps)
}

fn times_tab(tabs: usize) -> String {
    match tabs {
        1 => "one Tab".to_owned(),
        n => format!("{n} Tabs"),
    }
}

/// Draws the buffer around the cursor: the text accepted since `accepted_from`, and the ghost text.
fn buffer(out: &mut impl Write, step: &ChainStep, accepted_from: Offset) -> io::Result<()> {
    let state = &step.state;
    let accepted = accepted_from.0..state.cursor.0;
    let (document, ghost) = match &step.answered.answer {
        Answer::Suggestion { suggestion, .. } => {
            let start = suggestion.range.start.0;
            (
                state
                    .document
                    .with_replaced(suggestion.range.clone(), &suggestion.text),
                start..start + suggestion.text.len(),
            )
        }
        _ => (state.document.clone(), state.cursor.0..state.cursor.0),
    };
    let first = document
        .line_of(Offset(accepted.start))
        .saturating_sub(LINES_BEFORE);
    let last = (document.line_of(Offset(ghost.end)) + LINES_AFTER).min(document.line_count() - 1);
    for line in first..=last {
        writeln!(
            out,
            "{} {}",
            style(format!("{:>5} │", line + 1)).dim(),
            marked_line(
                &document,
                line,
                &accepted,
                &ghost,
                console::colors_enabled()
            )
        )?;
    }
    Ok(())
}

/// Returns one line with its accepted part and its ghost text marked.
fn marked_line(
    document: &Document,
    line: usize,
    accepted: &Range<usize>,
    ghost: &Range<usize>,
    colours: bool,
) -> String {
    let range = document.line_range(line);
    let (start, end) = (range.start.0, range.end.0);
    let part = |from: usize, to: usize| {
        let (from, to) = (from.clamp(start, end), to.clamp(start, end));
        let text = document.slice(Offset(from)..Offset(to.max(from)));
        plain(&text).into_owned()
    };
    let before = part(start, accepted.start);
    let taken = part(accepted.start, accepted.end);
    let shown = part(ghost.start, ghost.end);
    let after = part(ghost.end, end);
    let is_above = end < accepted.start;
    let before = if is_above {
        beginning(&before)
    } else {
        match before.char_indices().rev().nth(LINE_WIDTH - 1) {
            Some((from, _)) if from > 0 => format!("…{}", &before[from..]),
            _ => before,
        }
    };
    let after = beginning(&after);
    let holds_cursor = (start..=end).contains(&ghost.start);
    let shown = match (shown.is_empty(), colours) {
        (true, _) if holds_cursor && ghost.is_empty() => "▏".to_owned(),
        (true, _) => shown,
        (false, true) => style(shown).dim().italic().to_string(),
        (false, false) => format!("⟦{shown}⟧"),
    };
    let taken = if colours && !taken.is_empty() {
        style(taken).green().to_string()
    } else {
        taken
    };
    format!("{before}{taken}{shown}{after}").replace('\t', "    ")
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(LINE_WIDTH) {
        Some((to, _)) => format!("{}…", &text[..to]),
        None => text.to_owned(),
    }
}

/// Draws one row per request.
fn table(out: &mut impl Write, steps: &[ChainStep]) -> io::Result<()> {
    let compared = steps.iter().any(|step| step.fresh.is_some());
    let head = format!(
        " {:>3}  {:<TEXT_WIDTH$}  {:<13}  {:>8}{}",
        "Tab",
        "suggestion",
        "from",
        "time",
        if compared {
            "  without speculation"
        } else {
            ""
        }
    );
    writeln!(out, "{}", style(head.trim_end()).underlined())?;
    for (tab, step) in steps.iter().enumerate() {
        let (text, origin) = match &step.answered.answer {
            Answer::Suggestion {
                suggestion, origin, ..
            } => (quoted(&suggestion.text), origin_word(*origin)),
            Answer::Silent { reason, origin } => {
                let text = match reason {
                    Silence::Empty => reason.to_string(),
                    reason => format!("nothing ({reason})"),
                };
                (text, origin.map_or("-", origin_word))
            }
            Answer::Superseded => ("nothing (superseded)".to_owned(), "-"),
            Answer::Failed(why) => (format!("failed: {}", plain(why)), "-"),
        };
        let text = console::truncate_str(&text, TEXT_WIDTH, "…");
        let fresh = step.fresh.as_ref().map_or_else(String::new, |fresh| {
            let note = match step.equals_fresh() {
                Some(false) => "  DIFFERS",
                _ => "",
            };
            format!("  {:>19}{note}", milliseconds(fresh.elapsed))
        });
        writeln!(
            out,
            " {tab:>3}  {}  {origin:<13}  {:>8}{fresh}",
            console::pad_str(&text, TEXT_WIDTH, console::Alignment::Left, None),
            milliseconds(step.answered.elapsed),
        )?;
    }
    Ok(())
}

/// Returns a suggestion on one line.
fn quoted(text: &str) -> String {
    let text = text.replace("\r\n", "⏎").replace(['\n', '\r'], "⏎");
    plain(&text).replace('\t', "→")
}

fn summary(out: &mut impl Write, args: &CompleteArgs, steps: &[ChainStep]) -> io::Result<()> {
    let tabs = steps.len() - 1;
    if tabs < args.tabs {
        match tabs {
            0 => writeln!(out, "There is no suggestion at this place.")?,
            _ => writeln!(
                out,
                "After {} there is no further suggestion.",
                times_tab(tabs)
            )?,
        }
    }
    let compared: Vec<bool> = steps.iter().filter_map(ChainStep::equals_fresh).collect();
    let equal = compared.iter().filter(|equal| **equal).count();
    if equal < compared.len() {
        let wrong = compared.len() - equal;
        writeln!(
            out,
            "{wrong} of {} answers differ without speculation: please report this as a bug.",
            compared.len()
        )?;
    } else if !compared.is_empty() {
        writeln!(
            out,
            "Without speculation every answer is the same ({} of {}).",
            equal,
            compared.len()
        )?;
    }
    match tab_to_next(steps) {
        (Some(with), Some(without)) => writeln!(
            out,
            "Tab to next suggestion: median {} with speculation, {} without.",
            style(milliseconds(with)).bold(),
            milliseconds(without)
        ),
        (Some(only), None) => writeln!(
            out,
            "Tab to next suggestion: median {}.",
            style(milliseconds(only)).bold()
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use tabahead_text::Version;

    use super::*;

    fn lines(text: &str, accepted: Range<usize>, ghost: Range<usize>) -> String {
        let document = Document::new(text, Version(0));
        (0..document.line_count())
            .map(|line| marked_line(&document, line, &accepted, &ghost, false) + "\n")
            .collect()
    }

    #[test]
    fn ghost_text_is_in_brackets_on_each_of_its_lines() {
        expect![[r#"
            fn f(⟦a: u8) {⟧
            ⟦    a⟧
            }
        "#]]
        .assert_eq(&lines("fn f(a: u8) {\n    a\n}", 5..5, 5..19));
    }

    #[test]
    fn accepted_text_is_printed_as_it_will_be() {
        expect![[r#"
            let a = ⟦1;⟧
            let b = 2;
        "#]]
        .assert_eq(&lines("let a = 1;\nlet b = 2;", 4..8, 8..10));
    }

    #[test]
    fn silence_shows_the_cursor() {
        expect![[r#"
            ab▏cd
            ef
        "#]]
        .assert_eq(&lines("abcd\nef", 2..2, 2..2));
    }

    #[test]
    fn of_a_long_line_only_the_text_beside_the_mark_is_shown() {
        let text = format!("{}b{}", "a".repeat(1_000), "c".repeat(1_000));
        let (before, after) = ("a".repeat(LINE_WIDTH), "c".repeat(LINE_WIDTH));
        assert_eq!(
            lines(&text, 1_000..1_000, 1_000..1_001),
            format!("…{before}⟦b⟧{after}…\n")
        );
        // Other lines show their beginning only.
        let above = format!("{}\nb", "ac".repeat(1_000));
        let beginning = "ac".repeat(LINE_WIDTH / 2);
        let end = above.len()..above.len();
        assert_eq!(
            lines(&above, end.clone(), end),
            format!("{beginning}…\nb▏\n")
        );
        let short = "é".repeat(LINE_WIDTH);
        let all = short.len()..short.len();
        assert_eq!(lines(&short, all.clone(), all), format!("{short}▏\n"));
    }

    #[test]
    fn text_does_not_command_the_terminal() {
        expect![[r#"
            a␛[2J⟦␛]0;b␇⟧␛[8mc
        "#]]
        .assert_eq(&lines("a\u{1b}[2J\u{1b}]0;b\u{7}\u{1b}[8mc", 5..5, 5..11));
        assert_eq!(quoted("\u{1b}[2J\n"), "␛[2J⏎");
    }

    #[test]
    fn a_suggestion_fits_a_line() {
        assert_eq!(quoted("a {\r\n\tb\n}"), "a {⏎→b⏎}");
    }
}
