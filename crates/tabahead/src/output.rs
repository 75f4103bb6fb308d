//! Output to the terminal: styles, times, progress, JSON.
//!
//! Text from a file, a model or an argument goes through [`plain`] first. Every command writes
//! through a handle that reports a closed pipe instead of panicking. Styles appear only on a
//! terminal and never under `NO_COLOR`.

use std::{
    borrow::Cow,
    io::{self, Write},
    time::Duration,
};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Returns standard output, locked.
pub fn stdout() -> io::StdoutLock<'static> {
    io::stdout().lock()
}

/// Returns text from a file, a model or an argument in a form that a terminal can show safely: on
/// one line, with a picture or a number for each character that would move the cursor, change
/// colours or reorder text. Tabs stay.
pub fn plain(text: &str) -> Cow<'_, str> {
    let is_harmless = |c: char| {
        let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c == '\t' || !(c.is_control() || turns)
    };
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_harmless(c) => shown.push(c),
            '\u{7f}' => shown.push('␡'),
            // Unicode has a control picture for each of these, in the same order.
            c if c.is_ascii() => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            c => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// Prints a value as indented JSON.
///
/// # Errors
/// When standard output is closed.
pub fn json(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Shows a progress bar of `steps` steps on standard error; hidden unless that is a terminal.
pub fn progress(steps: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.set_prefix(what.to_owned());
    bar.tick();
    bar
}

/// Formats a time in milliseconds, with its significant digits only.
pub fn milliseconds(time: Duration) -> String {
    let value = time.as_secs_f64() * 1e3;
    match value {
        v if v < 0.995 => format!("{v:.2} ms"),
        v if v < 99.95 => format!("{v:.1} ms"),
        v => format!("{v:.0} ms"),
    }
}

/// Formats a number of bytes in the largest unit that leaves at least 1.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    match unit {
        "bytes" => format!("{count} bytes"),
        _ => format!("{value:.1} {unit}"),
    }
}

/// Formats a count with its noun, in the singular for one.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{count} {noun}")
}

/// Formats a share as a percentage with one decimal.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Draws a bar that fills `share` of `width` characters, to an eighth of a character; spaces fill
/// the rest.
pub fn bar(share: f64, width: usize) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if eighths / 8 < width {
        bar.push(PARTS[eighths % 8]);
        bar.push_str(&" ".repeat(width - eighths / 8 - 1));
    }
    bar
}

/// Returns the median; for an even number of times, the mean of the middle two. `None` if `times`
/// is empty.
pub fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let middle = times.len() / 2;
    match times.len() {
        0 => None,
        n if n % 2 == 1 => Some(times[middle]),
        _ => Some((times[middle - 1] + times[middle]) / 2),
    }
}

/// Returns the time that a share `share` of all times does not exceed. `None` if `times` is empty.
pub fn quantile(times: &[Duration], share: f64) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() as f64 * share).ceil() as usize;
    times.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(times: &[u64]) -> Vec<Duration> {
        times.iter().map(|&ms| Duration::from_millis(ms)).collect()
    }

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&ms(&[3, 1, 2])), Some(Duration::from_millis(2)));
        assert_eq!(
            median(&ms(&[4, 1, 2, 3])),
            Some(Duration::from_micros(2500))
        );
        assert_eq!(quantile(&[], 0.99), None);
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(
            quantile(&ms(&hundred), 0.99),
            Some(Duration::from_millis(99))
        );
        assert_eq!(quantile(&ms(&[7]), 0.5), Some(Duration::from_millis(7)));
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(milliseconds(Duration::from_micros(42)), "0.04 ms");
        assert_eq!(milliseconds(Duration::from_micros(38_240)), "38.2 ms");
        assert_eq!(milliseconds(Duration::from_micros(999)), "1.0 ms");
        assert_eq!(milliseconds(Duration::from_millis(1234)), "1234 ms");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(5_839_328), "5.8 MB");
        assert_eq!(percent(0.1234), "12.3 %");
    }

    #[test]
    fn what_commands_a_terminal_is_shown_and_not_done() {
        for text in ["", "a b\tc", "é日本🙂", "„“ \u{a0} \u{200d}"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(plain("\u{1b}]0;title\u{7}x\r\n\0"), "␛]0;title␇x␍␊␀");
        assert_eq!(plain("\u{7f}\u{9b}2J"), "␡\\u{9b}2J");
        assert_eq!(plain("a\u{202e}b\u{2066}"), "a\\u{202e}b\\u{2066}");
        for code in (0..0x3000).filter_map(char::from_u32) {
            let shown = plain(code.encode_utf8(&mut [0; 4])).into_owned();
            assert!(
                shown.chars().all(|c| c == '\t' || !c.is_control()),
                "{code:?}"
            );
        }
    }

    #[test]
    fn bars_are_as_wide_as_they_should_be() {
        assert_eq!(bar(0.0, 2), "  ");
        assert_eq!(bar(0.25, 2), "▌ ");
        assert_eq!(bar(0.5, 2), "█ ");
        assert_eq!(bar(2.0, 2), "██");
    }
}
