//! Single cases of the document; properties are in `tests/`.

use crate::{Document, Edit, LineEnd, Offset, Position, PositionEncoding, Range, Version};
use PositionEncoding::{Utf8, Utf16, Utf32};

fn at(line: u32, character: u32) -> Position {
    Position { line, character }
}

fn document(text: &str) -> Document {
    Document::new(text, Version(1))
}

#[track_caller]
fn check_offset(text: &str, position: Position, encoding: PositionEncoding, expected: usize) {
    assert_eq!(
        document(text).offset_of(position, encoding),
        Offset(expected)
    );
}

#[test]
fn an_edit_replaces_its_range_and_sets_the_version() {
    let mut document = document("let a = 1;\nlet b = 2;\n");
    document.apply(
        &[
            Edit {
                range: Some(Range {
                    start: at(1, 4),
                    end: at(1, 5),
                }),
                text: "𝒷𝒷".into(),
            },
            Edit {
                range: Some(Range {
                    start: at(1, 8),
                    end: at(1, 8),
                }),
                text: "!".into(),
            },
        ],
        Utf16,
        Version(7),
    );
    assert_eq!(document.text(), "let a = 1;\nlet 𝒷𝒷! = 2;\n");
    assert_eq!(document.version(), Version(7));
}

#[test]
fn a_reversed_range_is_taken_the_other_way_round() {
    let mut document = document("abc\ndef");
    document.apply(
        &[Edit {
            range: Some(Range {
                start: at(1, 1),
                end: at(0, 1),
            }),
            text: "-".into(),
        }],
        Utf16,
        Version(2),
    );
    assert_eq!(document.text(), "a-ef");
}

#[test]
fn positions_past_an_end_are_clamped() {
    check_offset("ab\r\ncd", at(0, 99), Utf16, 2);
    check_offset("ab\r\ncd", at(0, 3), Utf8, 2);
    check_offset("ab\rcd", at(0, 3), Utf32, 2);
    check_offset("ab\ncd", at(1, 99), Utf8, 5);
    check_offset("ab\ncd", at(2, 0), Utf16, 5);
    check_offset("ab\n", at(1, 0), Utf16, 3);
    check_offset("", at(u32::MAX, u32::MAX), Utf16, 0);
    check_offset("x", at(0, u32::MAX), Utf32, 1);
}

#[test]
fn a_position_inside_a_character_is_the_characters_start() {
    check_offset("a𝒷c", at(0, 2), Utf16, 1);
    check_offset("a𝒷c", at(0, 3), Utf16, 5);
    check_offset("a𝒷c", at(0, 3), Utf8, 1);
    check_offset("a𝒷c", at(0, 2), Utf32, 5);
}

#[test]
fn an_offset_inside_a_line_end_is_the_position_before_it() {
    let document = document("ab\r\ncd");
    assert_eq!(document.position_of(Offset(3), Utf16), at(0, 2));
    assert_eq!(document.position_of(Offset(4), Utf16), at(1, 0));
    assert_eq!(document.position_of(Offset(99), Utf16), at(1, 2));
}

#[test]
fn only_the_three_line_ends_of_lsp_end_lines() {
    let document = document("a\u{b}b\u{c}c\u{85}d\u{2028}e\u{2029}f\ng\rh\r\ni\n\rj");
    assert_eq!(document.line_count(), 6);
    let line = |line| document.slice(document.line_range(line));
    assert_eq!(line(1), "g");
    assert_eq!(line(2), "h");
    assert_eq!(line(3), "i");
    assert_eq!(line(4), "");
    assert_eq!(line(5), "j");
    assert_eq!(line(6), "");
}

#[test]
fn offsets_out_of_range_or_inside_characters_never_panic() {
    let document = document("é\r\n");
    assert_eq!(document.slice(Offset(1)..Offset(3)), "é\r");
    assert_eq!(document.slice(Offset(9)..Offset(2)), "\r\n");
    assert_eq!(
        document.with_replaced(Offset(1)..Offset(1), "x").text(),
        "xé\r\n"
    );
    assert_eq!(document.line_of(Offset(99)), 1);
}

#[test]
fn the_line_s_own_end_counts_and_at_the_last_line_the_one_above() {
    let ends = |text: &str| -> Vec<LineEnd> {
        let document = document(text);
        let lines = 0..document.line_count();
        lines
            .map(|line| document.line_end(document.line_range(line).end))
            .collect()
    };
    use LineEnd::{Cr, CrLf, Lf};
    assert_eq!(ends("a\nb\r\nc\rd"), [Lf, CrLf, Cr, Cr]);
    assert_eq!(ends("a\r\nb\n"), [CrLf, Lf, Lf]);
    assert_eq!(ends("\rb\r\n"), [Cr, CrLf, CrLf]);
    assert_eq!(ends("b"), [Lf]);
    assert_eq!(ends(""), [Lf]);
    assert_eq!(document("a\r\n").line_end(Offset(99)), CrLf);
}

#[track_caller]
fn check_cut(
    text: &str,
    (start, end): (u32, u32),
    encoding: PositionEncoding,
    inserted: &str,
    expected: &str,
) {
    let at = |character| Position { line: 0, character };
    for (start, end) in [(start, end), (end, start)] {
        let range = Some(Range {
            start: at(start),
            end: at(end),
        });
        let mut document = document(text);
        let edit = Edit {
            range,
            text: inserted.to_owned(),
        };
        document.apply(&[edit], encoding, Version(1));
        assert_eq!(document.text(), expected);
    }
}

#[test]
fn half_a_character_that_an_edit_leaves_keeps_its_width() {
    // The second half of the pair is replaced by another second half: 🙂 becomes 🙃.
    check_cut("a🙂b", (2, 3), Utf16, "\u{fffd}", "a\u{fffd}\u{fffd}b");
    check_cut("a🙂b", (1, 2), Utf16, "", "a\u{fffd}b");
    check_cut("a🙂b", (2, 2), Utf16, "x", "a\u{fffd}x\u{fffd}b");
    check_cut("🙂🙃b", (1, 3), Utf16, "x", "\u{fffd}x\u{fffd}b");
    check_cut("🙂b", (1, 3), Utf16, "", "\u{fffd}");
    check_cut("éb", (1, 2), Utf8, "", "?b");
    check_cut("日本", (1, 5), Utf8, "", "??");
    // Two halves that form a whole character become one; an empty edit changes nothing.
    check_cut("🙂🙂b", (1, 3), Utf16, "", "🙂b");
    check_cut("🙂b", (1, 1), Utf16, "", "🙂b");
    check_cut("éèb", (1, 3), Utf8, "", "èb");
    check_cut("é日b", (1, 3), Utf8, "", "×?b");
    // Positions at the end of a line or after it cut nothing.
    check_cut("a🙂", (3, 9), Utf16, "x", "a🙂x");
    check_cut("a🙂b", (1, 2), Utf32, "", "ab");
}

#[test]
fn equal_texts_are_equal_however_they_were_made() {
    let long = "a line of text that is long enough\n".repeat(500);
    let one = Document::new(&long, Version(1));
    let typed = |document: &Document, at: usize, text: &str| {
        document.with_replaced(Offset(at)..Offset(at), text)
    };
    let (start, middle) = (0, long.len() / 2);
    let both = typed(&typed(&one, middle, "xy"), start, "z");
    let other_way = typed(
        &typed(&typed(&one, start, "z"), middle + 1, "y"),
        middle + 1,
        "x",
    );
    assert!(both.has_same_text(&other_way) && other_way.has_same_text(&both));
    assert!(both.has_same_text(&Document::new(&both.text(), Version(9))));
    assert!(one.has_same_text(&one.clone()));
    let differs = typed(&typed(&one, middle, "xx"), start, "z");
    assert!(!both.has_same_text(&differs));
    assert!(!both.has_same_text(&one));
    let empty = Document::new("", Version(1));
    assert!(empty.has_same_text(&Document::new("", Version(2))) && !empty.has_same_text(&one));
}
