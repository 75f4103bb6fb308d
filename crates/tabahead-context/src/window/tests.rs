//! Golden windows. The properties are in `tests/window.rs`.

use expect_test::{Expect, expect};
use tabahead_text::{Document, Offset, Version};

use crate::{ContextSettings, ContextWindow, DocumentName, Layout, Silence};

const SMALL: ContextSettings = ContextSettings {
    prefix_budget: Some(40),
    suffix_budget: Some(24),
    longest_line: 60,
    anchor_lines: 2,
    copy_budget: 0,
};

fn window(fixture: &str, layout: Layout, attempt: u8) -> Result<ContextWindow, Silence> {
    let cursor = fixture.find("$0").expect("a cursor");
    let document = Document::new(&fixture.replacen("$0", "", 1), Version(0));
    ContextWindow::new(
        &document,
        Offset(cursor),
        &DocumentName::default(),
        layout,
        &SMALL,
        attempt,
    )
}

#[track_caller]
fn check_layout(fixture: &str, layout: Layout, expected: Expect) {
    let crlf = fixture.replace('\n', "\r\n");
    let cr = fixture.replace('\n', "\r");
    let lf = window(fixture, layout, 0);
    assert_eq!(lf, window(&crlf, layout, 0));
    assert_eq!(lf, window(&cr, layout, 0));
    expected.assert_eq(&match lf {
        Ok(w) => format!(
            "before anchor {:?}\ntail     {:?}\nleft out {:?}\nsuffix   {:?}\n",
            w.before_anchor, w.tail, w.left_out, w.suffix
        ),
        Err(silence) => format!("{silence:?}\n"),
    });
}

#[track_caller]
fn check(fixture: &str, expected: Expect) {
    check_layout(fixture, Layout::SuffixFirst, expected);
}

#[test]
fn a_small_document_is_seen_whole() {
    check(
        "$0",
        expect![[r#"
        before anchor ""
        tail     ""
        left out ""
        suffix   ""
    "#]],
    );
    check(
        "fn f($0) {\n}\n",
        expect![[r#"
        before anchor ""
        tail     "fn f("
        left out ")"
        suffix   " {\n}\n"
    "#]],
    );
    check(
        "a\nb$0\nc",
        expect![[r#"
        before anchor ""
        tail     "a\nb"
        left out ""
        suffix   "\nc"
    "#]],
    );
}

#[test]
fn closers_are_left_out_over_lines_and_the_suffix_stays() {
    check(
        "fn f() {$0}\n\nfn g() {}\n",
        expect![[r#"
        before anchor ""
        tail     "fn f() {"
        left out "}"
        suffix   "\n\nfn g() {}\n"
    "#]],
    );
    check(
        "fn f() {\n    $0\n}\n\nfn g() {}\n",
        expect![[r#"
        before anchor ""
        tail     "fn f() {\n    "
        left out "\n}"
        suffix   "\n\nfn g() {}\n"
    "#]],
    );
}

#[test]
fn the_ends_are_in_the_outermost_quarter() {
    let lines = "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7$0 rest\nline 8\nline 9\nline A\nline B\nline C\n";
    check(
        lines,
        expect![[r#"
        before anchor ""
        tail     "line 2\nline 3\nline 4\nline 5\nline 6\nline 7"
        left out ""
        suffix   " rest\nline 8\nline 9\nline A\n"
    "#]],
    );
}

#[test]
fn a_long_line_ends_the_window() {
    let long = "x".repeat(61);
    check(
        &format!("a\n{long}\nb\nc$0\nd\n{long}\ne\n"),
        expect![[r#"
        before anchor ""
        tail     "b\nc"
        left out ""
        suffix   "\nd\n"
    "#]],
    );
    check(
        &format!("{long}\nc$0\n{long}\n"),
        expect![[r#"
        before anchor ""
        tail     "c"
        left out ""
        suffix   "\n"
    "#]],
    );
    check(
        &format!("a\n$0{long}\nb"),
        expect![[r#"
        LongLine
    "#]],
    );
}

#[test]
fn the_forced_middle_begins_at_an_anchor() {
    let lines =
        "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7$0 rest\nline 8\nline 9\n";
    check_layout(
        lines,
        Layout::PrefixFirst,
        expect![[r#"
        before anchor "line 1\nline 2\nline 3\nline 4\nline 5\n"
        tail     "line 6\nline 7"
        left out ""
        suffix   " rest\nline 8\nline 9\n"
    "#]],
    );
    check_layout(
        "\n\n}\n$0",
        Layout::PrefixFirst,
        expect![[r#"
        before anchor ""
        tail     "\n\n}\n"
        left out ""
        suffix   ""
    "#]],
    );
}

#[test]
fn split_at_the_cursor_nothing_is_forced_and_nothing_left_out() {
    check_layout(
        "fn f() {\n    g($0)\n}\n",
        Layout::Split,
        expect![[r#"
        before anchor "fn f() {\n    g("
        tail     ""
        left out ""
        suffix   ")\n}\n"
    "#]],
    );
    let lines = "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7$0 rest\nline 8\nline 9\nline A\nline B\nline C\n";
    check_layout(
        lines,
        Layout::Split,
        expect![[r#"
        before anchor "line 2\nline 3\nline 4\nline 5\nline 6\nline 7"
        tail     ""
        left out ""
        suffix   " rest\nline 8\nline 9\nline A\n"
    "#]],
    );
}

#[test]
fn later_attempts_see_less() {
    let lines = "line 0\nline 1\nline 2\nline 3\nline 4$0\nline 5\nline 6\nline 7\nline 8\n";
    let seen =
        |attempt| window(lines, Layout::SuffixFirst, attempt).map(|w| w.tail + "$0" + &w.suffix);
    let sizes = [0, 1, 2].map(|attempt| seen(attempt).map_or(0, |text| text.len()));
    assert!(sizes.is_sorted_by(|more, less| more > less), "{sizes:?}");
    assert_eq!(seen(3), Err(Silence::TooLong));
}
