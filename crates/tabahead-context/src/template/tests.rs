//! Tests of what a model reads in each layout.

use expect_test::{Expect, expect};
use tabahead_text::{Document, Offset, Version};

use super::*;
use crate::{ContextSettings, DocumentName};

/// Checks a fixture as the model reads it: markers in angle brackets, forced text after a bar.
#[track_caller]
fn check(fixture: &str, layout: Layout, expected: Expect) {
    let cursor = fixture.find("$0").expect("a cursor");
    let document = Document::new(&fixture.replacen("$0", "", 1), Version(0));
    let name = DocumentName::new("a.rs", "rust");
    let settings = ContextSettings {
        anchor_lines: 1,
        copy_budget: 0,
        ..ContextSettings::default()
    };
    let window = ContextWindow::new(&document, Offset(cursor), &name, layout, &settings, 0);
    let template = FimTemplate {
        layout,
        file_name: true,
    };
    let prompt = template.render(&window.expect("a window"), PreTokenizer::Qwen2);
    let mut read = String::new();
    for segment in prompt.segments {
        match segment {
            Segment::Marker(marker) => read += &format!("<{marker:?}>"),
            Segment::Text(text) => read += &text,
        }
    }
    expected.assert_eq(&format!("{read}|{}", prompt.forced));
}

const FIXTURE: &str = "use std;\nfn f() {\n    pri$0\n}\n\nfn g() {}\n";

#[test]
fn suffix_first_the_prefix_runs_on_into_the_middle() {
    check(
        FIXTURE,
        Layout::SuffixFirst,
        expect![[r#"
        <File>a.rs
        <Suffix>

        fn g() {}
        <Prefix>use std;
        fn f() {
           | pri"#]],
    );
}

#[test]
fn prefix_first_the_text_since_the_anchor_is_forced_middle() {
    check(
        FIXTURE,
        Layout::PrefixFirst,
        expect![[r#"
        <File>a.rs
        <Prefix>use std;
        <Suffix>

        fn g() {}
        <Middle>fn f() {
           | pri"#]],
    );
}

#[test]
fn split_at_the_cursor_the_middle_is_empty() {
    check(
        FIXTURE,
        Layout::Split,
        expect![[r#"
        <File>a.rs
        <Prefix>use std;
        fn f() {
            pri<Suffix>
        }

        fn g() {}
        <Middle>|"#]],
    );
}

#[test]
fn layouts_are_known_by_their_names() {
    for layout in Layout::ALL {
        assert_eq!(layout.as_str().parse(), Ok(layout));
    }
    let refused = "middle-first".parse::<Layout>().expect_err("no layout");
    assert!(
        refused.to_string().contains("prefix-first, split"),
        "{refused}"
    );
}
