//! Properties of the window: what moves its ends and what does not, and what names it.

use proptest::prelude::*;
use tabahead_context::{
    ContextKey, ContextSettings, ContextWindow, DocumentName, Layout, ModelProfile, OpenFile,
    OpenFiles, Segment, Silence, WindowBudgets,
};
use tabahead_testkit::named;
use tabahead_text::{Document, Edit, Offset, PositionEncoding, Range, Version};

const SMALL: ContextSettings = ContextSettings {
    prefix_budget: Some(160),
    suffix_budget: Some(80),
    longest_line: 60,
    anchor_lines: 4,
    copy_budget: 0,
};

fn profile(layout: Layout) -> ModelProfile {
    tabahead_testkit::profile("model", named(layout), 2048)
}

fn window(text: &str, cursor: usize, layout: Layout) -> Result<ContextWindow, Silence> {
    let document = Document::new(text, Version(0));
    window_of(&document, cursor, layout)
}

fn window_of(document: &Document, cursor: usize, layout: Layout) -> Result<ContextWindow, Silence> {
    let name = DocumentName::new("a.rs", "rust");
    ContextWindow::new(document, Offset(cursor), &name, layout, &SMALL, 0)
}

fn layouts() -> impl Strategy<Value = Layout> {
    prop::sample::select(Layout::ALL.to_vec())
}

fn lines(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![
        6 => "[a-z ]{4,18}",
        2 => prop::sample::select(vec!["", "    ", "}", "    });", "fn f() {", "if (a[0] {", "é🦀 漢"])
            .prop_map(String::from),
        1 => prop::sample::select(vec![60usize, 61, 80]).prop_map(|length| "x".repeat(length)),
    ];
    prop::collection::vec(line, count)
}

/// Generates lines and a cursor in their text.
fn places() -> impl Strategy<Value = (Vec<String>, usize)> {
    (lines(1..40), any::<prop::sample::Index>()).prop_map(|(lines, index)| {
        let text = lines.join("\n");
        let mut cursor = index.index(text.len() + 1);
        while !text.is_char_boundary(cursor) {
            cursor -= 1;
        }
        (lines, cursor)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_document_has_the_window_of_its_text(
        (lines, cursor) in places(), layout in layouts(),
        edits in prop::collection::vec((0..50u32, 0..20u32, 0..3u32, 0..9u32, "[a-z{}()\n\r🦀]{0,6}"), 0..5),
    ) {
        let mut document = Document::new(&lines.join("\n"), Version(0));
        for (line, character, down, right, text) in edits {
            let start = tabahead_text::Position { line, character };
            let end = tabahead_text::Position { line: line + down, character: character + right };
            let edit = Edit { range: Some(Range { start, end }), text };
            document.apply(&[edit], PositionEncoding::Utf16, Version(1));
        }
        let scratch = Document::new(&document.text(), Version(9));
        let edited = window_of(&document, cursor, layout);
        prop_assert_eq!(&edited, &window_of(&scratch, cursor, layout));
        if let Ok(window) = edited {
            prop_assert!(![&window.tail, &window.suffix, &window.before_anchor].iter().any(|part| part.contains('\r')));
            prop_assert!(window.suffix.len() <= budgets(&SMALL).suffix + SMALL.longest_line + 1);
        }
    }

    #[test]
    fn line_ends_do_not_decide((lines, cursor) in places(), layout in layouts()) {
        let line_ends = lines.join("\n")[..cursor].matches('\n').count();
        let lf = window(&lines.join("\n"), cursor, layout);
        prop_assert_eq!(&lf, &window(&lines.join("\r\n"), cursor + line_ends, layout));
        prop_assert_eq!(&lf, &window(&lines.join("\r"), cursor, layout));
    }

    #[test]
    fn text_beyond_the_budgets_moves_nothing(
        (lines, cursor) in places(), layout in layouts(), above in lines(1..6), below in lines(1..6),
    ) {
        // In the prefix-first layout the budget is measured from an anchor, which reaches half a
        // budget further.
        let reach = 2 * budgets(&SMALL).prefix + SMALL.longest_line + 100;
        let padding = "some padding\n".repeat(reach / 10);
        let text = format!("{padding}{}{}", lines.join("\n"), padding.replace("some", "\nmore"));
        let cursor = padding.len() + cursor;
        let here = window(&text, cursor, layout);
        let above = above.join("\n") + "\n";
        let moved = format!("{above}{text}{}", below.join("\n"));
        prop_assert_eq!(here, window(&moved, above.len() + cursor, layout));
    }

    #[test]
    fn typing_in_the_line_moves_neither_end(
        (lines, cursor) in places(), typed in "[a-z(\"{ ]{1,5}",
        layout in prop::sample::select(vec![Layout::SuffixFirst, Layout::PrefixFirst]),
    ) {
        let text = lines.join("\n");
        let before = window(&text, cursor, layout);
        let after = window(&format!("{}{typed}{}", &text[..cursor], &text[cursor..]), cursor + typed.len(), layout);
        if let (Ok(before), Ok(after)) = (before, after) {
            prop_assert_eq!(&after.tail, &format!("{}{typed}", before.tail));
            prop_assert_eq!(&after.before_anchor, &before.before_anchor);
            if after.left_out == before.left_out {
                prop_assert_eq!(&after.suffix, &before.suffix);
                let (profile, settings) = (profile(layout), SMALL);
                prop_assert_eq!(
                    ContextKey::of_base(&profile, &settings, &before),
                    ContextKey::of_base(&profile, &settings, &after)
                );
                prop_assert_ne!(
                    ContextKey::of_window(&profile, &settings, &before),
                    ContextKey::of_window(&profile, &settings, &after)
                );
            }
        }
    }

    #[test]
    fn split_at_the_cursor_every_state_has_its_own_base(
        (lines, cursor) in places(), typed in "[a-z(\"{ ]{1,5}",
    ) {
        let text = lines.join("\n");
        let typed_on = format!("{}{typed}{}", &text[..cursor], &text[cursor..]);
        let before = window(&text, cursor, Layout::Split);
        let after = window(&typed_on, cursor + typed.len(), Layout::Split);
        if let (Ok(before), Ok(after)) = (before, after) {
            prop_assert_eq!(&after.before_anchor, &format!("{}{typed}", before.before_anchor));
            prop_assert_eq!(&after.suffix, &before.suffix);
            prop_assert!(!after.same_base(&before));
            prop_assert!(after.tail.is_empty() && after.left_out.is_empty());
            let base = |w: &ContextWindow| ContextKey::of_base(&profile(Layout::Split), &SMALL, w);
            prop_assert_ne!(base(&before), base(&after));
            // The suffix-first layout sees the same text, laid out differently.
            let other = window(&text, cursor, Layout::SuffixFirst).expect("the same lines");
            prop_assert_eq!(&other.tail, &before.before_anchor);
        }
    }

    #[test]
    fn enter_between_brackets_keeps_what_follows((lines, cursor) in places(), indentation in 0..9usize) {
        let text = lines.join("\n");
        let (before, after) = text.split_at(cursor);
        let closed = format!("{before}{{}}{after}");
        let entered = format!("{before}{{\n{}\n}}{after}", " ".repeat(indentation));
        let one = window(&closed, cursor + 1, Layout::SuffixFirst);
        let other = window(&entered, cursor + 2 + indentation, Layout::SuffixFirst);
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert_eq!(&one.left_out[..1], "}");
            prop_assert_eq!(&other.left_out[..2], "\n}");
            if one.left_out[1..] == other.left_out[2..] {
                prop_assert_eq!(one.suffix, other.suffix);
            }
        }
    }

    #[test]
    fn the_key_names_all_that_the_model_sees((lines, cursor) in places(), (more, elsewhere) in places()) {
        let one = window(&lines.join("\n"), cursor, Layout::SuffixFirst);
        let other = window(&more.join("\n"), elsewhere, Layout::SuffixFirst);
        if let (Ok(one), Ok(other)) = (one, other) {
            let seen = |w: &ContextWindow| (w.before_anchor.clone(), w.suffix.clone(), w.tail.clone());
            let key = |w: &ContextWindow| ContextKey::of_window(&profile(Layout::SuffixFirst), &SMALL, w);
            prop_assert_eq!(key(&one) == key(&other), seen(&one) == seen(&other));
            for changed in [
                ContextWindow { attempt: 1, ..one.clone() },
                ContextWindow { suffix: one.suffix.clone() + "x", ..one.clone() },
                ContextWindow { suffix: one.suffix.clone() + &one.tail, tail: String::new(), ..one.clone() },
                ContextWindow { name: DocumentName::default(), ..one.clone() },
            ] {
                prop_assert_eq!(key(&one) == key(&changed), one == changed);
            }
            let closed = ContextWindow { left_out: "\n}".into(), ..one.clone() };
            prop_assert_eq!(key(&one), key(&closed));
            let settings = ContextSettings { suffix_budget: Some(81), ..SMALL };
            prop_assert_ne!(key(&one), ContextKey::of_window(&profile(Layout::SuffixFirst), &settings, &one));
        }
    }
}

/// A line that a file repeats would be the outermost of many equals, which moves with every line.
#[test]
fn no_end_is_a_line_that_files_repeat() {
    let names = (0..60).map(|number| format!("    call_{number}();"));
    let text: Vec<String> = names
        .flat_map(|name| [name, "  }".into(), String::new()])
        .collect();
    let text = text.join("\n");
    for (cursor, _) in text.match_indices(";") {
        let window = window(&text, cursor, Layout::SuffixFirst).expect("the lines are short");
        if window.tail.len() < cursor {
            let first = window.tail.lines().next().unwrap_or_default();
            assert!(first.contains("call"), "{first:?}");
        }
        if cursor + window.suffix.len() < text.len() {
            let last = window.suffix.lines().last().unwrap_or_default();
            assert!(last.contains("call"), "{last:?}");
        }
    }
}

#[test]
fn budgets_are_halved_and_quartered() {
    for attempt in 0..3u8 {
        let scaled = SMALL.budgets(attempt).expect("there are three attempts");
        let part = [1, 2, 4][usize::from(attempt)];
        assert_eq!(scaled.prefix, 160 / part);
        assert_eq!(scaled.suffix, 80 / part);
    }
    assert_eq!(SMALL.budgets(3), None);
}

#[test]
fn budgets_that_are_not_set_are_those_of_the_model() {
    let model = ModelProfile {
        window: WindowBudgets {
            prefix: 3000,
            suffix: 700,
        },
        ..profile(Layout::PrefixFirst)
    };
    let of_model = ContextSettings::default().for_model(&model);
    assert_eq!(budgets(&of_model), model.window);
    let set = ContextSettings {
        suffix_budget: Some(9),
        ..ContextSettings::default()
    };
    let both = WindowBudgets {
        suffix: 9,
        ..model.window
    };
    assert_eq!(budgets(&set.for_model(&model)), both);
    assert_eq!(SMALL.for_model(&model), SMALL);
}

#[test]
fn budgets_beyond_the_context_are_cut_to_what_a_quarter_of_can_fit() {
    let context = ContextSettings {
        prefix_budget: Some(65_536),
        suffix_budget: Some(65_536),
        ..SMALL
    };
    let model = ModelProfile {
        context_tokens: 1_024,
        ..profile(Layout::PrefixFirst)
    };
    let last = context.for_model(&model).budgets(2).expect("the last try");
    assert_eq!(last.prefix + last.suffix, model.context_tokens);
}

fn budgets(settings: &ContextSettings) -> WindowBudgets {
    settings.budgets(0).expect("the first try is allowed")
}

#[test]
fn a_keystroke_only_appends_to_the_prompt() {
    let (before, after) = ("fn f() {\n    let a = 1;\n    ", "\n    g(a)\n}\n");
    for layout in [Layout::SuffixFirst, Layout::PrefixFirst] {
        // Returns all segments but the last, and the last one with the forced text after it.
        let read = |typed: &str| {
            let text = format!("{before}{typed}{after}");
            let window = window(&text, before.len() + typed.len(), layout).expect("a window");
            let profile = profile(layout);
            let prompt = profile.template.render(&window, profile.pre_tokenizer);
            let mut segments = prompt.segments;
            let Some(Segment::Text(last)) = segments.pop() else {
                panic!("a prompt ends with text");
            };
            (segments, last + &prompt.forced)
        };
        let (base, tail) = read("ret");
        let (base_then, tail_then) = read("ret foo");
        assert_eq!(base, base_then);
        assert_eq!(format!("{tail} foo"), tail_then);
    }
}

#[test]
fn all_that_decides_what_is_seen_is_part_of_the_key() {
    let here = window("a\nb\nc", 3, Layout::SuffixFirst).expect("the lines are short");
    let here_with = |change: fn(&mut ContextWindow)| {
        let mut window = here.clone();
        change(&mut window);
        window
    };
    let model = profile(Layout::SuffixFirst);
    let key = ContextKey::of_window(&model, &SMALL, &here);

    let closed = here_with(|window| window.left_out = ")".into());
    assert_eq!(key, ContextKey::of_window(&model, &SMALL, &closed));
    let windows = [
        here_with(|window| window.attempt = 1),
        here_with(|window| window.name.file_name = "b.rs".into()),
        here_with(|window| window.name.language = "c".into()),
        here_with(|window| window.before_anchor = "x".into()),
        here_with(|window| window.suffix = "x".into()),
        here_with(|window| window.tail = "x".into()),
    ];
    for window in windows {
        assert_ne!(key, ContextKey::of_window(&model, &SMALL, &window));
    }
    let mut renamed = model.clone();
    renamed.id = "another".into();
    let mut nameless = model.clone();
    nameless.template.file_name = false;
    for model in [renamed, nameless, profile(Layout::PrefixFirst)] {
        assert_ne!(key, ContextKey::of_window(&model, &SMALL, &here));
    }
    let changes: [fn(&mut ContextSettings); 5] = [
        |settings| settings.prefix_budget = Some(161),
        |settings| settings.suffix_budget = Some(81),
        |settings| settings.longest_line += 1,
        |settings| settings.anchor_lines += 1,
        |settings| settings.copy_budget += 1,
    ];
    for change in changes {
        let mut settings = SMALL;
        change(&mut settings);
        assert_ne!(key, ContextKey::of_window(&model, &settings, &here));
    }
}

#[test]
fn what_may_be_copied_is_part_of_the_key_and_typing_leaves_it() {
    let text: String = (0..60)
        .map(|n| format!("let line_{n} = {n};\r\n"))
        .collect();
    let settings = ContextSettings {
        copy_budget: 100,
        ..SMALL
    };
    let model = profile(Layout::SuffixFirst);
    let document = Document::new(&text, Version(0));
    let cursor = document.line_range(30).end;
    let window = |document: &Document, cursor: Offset| {
        let name = DocumentName::default();
        ContextWindow::new(document, cursor, &name, Layout::SuffixFirst, &settings, 0)
            .expect("a window")
    };
    let here = window(&document, cursor);
    let base = |window: &ContextWindow| ContextKey::of_base(&model, &settings, window);
    let source = here.copy_source(&document).expect("copying is on");
    let around = format!("{}{}", source.before, here.tail);
    assert!(
        text.replace("\r\n", "\n")
            .contains(&format!("{around}{}", source.after))
    );
    assert!(source.before.len() > 80 && source.after.len() > here.suffix.len() + 80);

    let typed = document.with_replaced(cursor..cursor, " x");
    let there = window(&typed, Offset(cursor.0 + 2));
    assert_eq!(base(&here), base(&there));
    assert_eq!(there.copy_source(&typed), Some(source.clone()));

    // Edits within the budget before and after the window, and one beyond it.
    let first = here.tail.lines().next().expect("a line");
    let start = text.find(first).expect("W") - 20;
    let near_end = cursor.0 + 2 + here.suffix.len() + here.suffix.matches('\n').count() + 30;
    for (at, is_same) in [(start, false), (near_end, false), (2, true)] {
        let edited = document.with_replaced(Offset(at)..Offset(at + 1), "#");
        let there = window(&edited, cursor);
        assert_eq!(there.tail, here.tail);
        assert_eq!(base(&here) == base(&there), is_same, "at {at}");
        assert_eq!(here.same_base(&there), is_same, "at {at}");
    }
    let off = ContextWindow::new(
        &document,
        cursor,
        &DocumentName::default(),
        Layout::SuffixFirst,
        &SMALL,
        0,
    );
    assert_eq!(off.expect("a window").copy_source(&document), None);
}

#[test]
fn the_other_open_files_are_part_of_the_key_in_whatever_order_they_come() {
    let file = |text: &str| OpenFile::new(&Document::new(text, Version(0)));
    let [one, other, changed] = ["one\r\n", "other\n", "other2\n"].map(file);
    let settings = ContextSettings {
        copy_budget: 100,
        ..SMALL
    };
    let model = profile(Layout::SuffixFirst);
    let document = Document::new("let a = \n", Version(0));
    let window = |open_files: OpenFiles| {
        let name = DocumentName {
            open_files,
            ..DocumentName::new("a.rs", "rust")
        };
        let layout = Layout::SuffixFirst;
        ContextWindow::new(&document, Offset(8), &name, layout, &settings, 0).expect("a window")
    };
    let key = |window: &ContextWindow| {
        let base = ContextKey::of_base(&model, &settings, window);
        (base, ContextKey::of_window(&model, &settings, window))
    };
    let here = window(OpenFiles::new([&one, &other]));
    let texts = here
        .copy_source(&document)
        .expect("copying is on")
        .open_files;
    assert_eq!(texts.len(), 2);
    assert!(texts.contains(&"one\n".into()) && texts.contains(&"other\n".into()));

    let back = window(OpenFiles::new([&other, &one]));
    assert_eq!(key(&here), key(&back));
    assert!(here.same_base(&back));
    assert_eq!(
        Some(texts),
        back.copy_source(&document).map(|source| source.open_files)
    );
    // The copy kept for comparison is equal, and holds no text.
    let kept = here.name.open_files.without_texts();
    assert_eq!(kept, back.name.open_files);
    assert!(kept.texts().is_empty());

    for open_files in [
        OpenFiles::new([&one, &changed]),
        OpenFiles::new([&one]),
        OpenFiles::default(),
    ] {
        let there = window(open_files);
        let ((base, whole), (other_base, other_whole)) = (key(&here), key(&there));
        assert!(base != other_base && whole != other_whole);
        assert!(!here.same_base(&there));
    }
}

#[test]
fn of_many_open_files_the_first_ones_are_copied_from_and_of_a_large_one_its_beginning() {
    let file = |letter: &str, bytes: usize| {
        OpenFile::new(&Document::new(&letter.repeat(bytes), Version(0)))
    };
    // The part that is copied from ends between characters.
    let (large, small) = (file("か", 40_000), file("a", 10));
    let first = |files: &[&OpenFile]| {
        let files = OpenFiles::new(files.iter().copied());
        let texts = files.texts().iter();
        texts.map(|text| text.len()).collect::<Vec<_>>()
    };
    assert_eq!(first(&[&large]), [65_535]);
    let (other, empty) = (file("b", 1 << 16), file("", 0));
    let mut three = first(&[&large, &empty, &other, &small]);
    three.sort_unstable();
    assert_eq!(three, [65_535, 1 << 16]);
    assert_eq!(first(&[&empty]), Vec::<usize>::new());
    assert_eq!(OpenFiles::new([&empty]), OpenFiles::default());
}

/// Writes a real file line by line above its last third and counts how often an accepted line moves
/// the ends.
#[test]
fn the_ends_move_rarely_while_lines_are_accepted() {
    let source = include_str!("../src/cut.rs");
    let lines: Vec<&str> = source.lines().collect();
    let below = lines[lines.len() * 2 / 3..].join("\n");
    let settings = ContextSettings::default();
    let (mut accepted, mut start_moved, mut end_moved) = (0, 0, 0);
    let mut last: Option<ContextWindow> = None;
    for count in 1..lines.len() * 2 / 3 {
        let above = lines[..count].join("\n");
        let document = Document::new(&format!("{above}\n{below}"), Version(0));
        let name = DocumentName::default();
        let cursor = Offset(above.len());
        let window =
            ContextWindow::new(&document, cursor, &name, Layout::SuffixFirst, &settings, 0)
                .expect("no line is too long");
        // While the window still begins with the document, nothing can move.
        if let Some(last) = last.filter(|_| above.len() > budgets(&settings).prefix) {
            accepted += 1;
            start_moved += usize::from(!window.tail.starts_with(&last.tail));
            end_moved +=
                usize::from(window.left_out == last.left_out && window.suffix != last.suffix);
        }
        last = Some(window);
    }
    println!("{accepted} lines accepted: W moved {start_moved} times, E {end_moved} times");
    assert!(accepted > 100);
    assert!(
        start_moved > 0 && start_moved * 4 < accepted,
        "{start_moved} of {accepted}"
    );
    assert_eq!(end_moved, 0);
}

/// Part of every secret in these tests, and of nothing else.
const SECRET: &str = "Zk7Qp2Xw9Lm4Rt8Bv3Nc6Hd1";

/// Generates blocks of lines, some of which hold secrets.
fn blocks() -> impl Strategy<Value = String> {
    let key = |lines: usize| {
        let body = format!("{SECRET}{SECRET}\n").repeat(lines);
        format!(
            "-----BEGIN RSA PRIVATE KEY-----\nVersion: 1\n\n{body}-----END RSA PRIVATE KEY-----\n"
        )
    };
    let block = prop_oneof![
        4 => "[a-z ]{4,18}\n",
        1 => Just(format!("a(\"sk_live_{SECRET}\", b)\n")),
        1 => Just(format!("password = '{SECRET}'\n")),
        1 => Just(format!("password: >-\n  {SECRET}\n")),
        1 => (1_usize..8).prop_map(key),
    ];
    prop::collection::vec(block, 1..20).prop_map(|blocks| blocks.concat())
}

proptest! {
    #[test]
    fn secret_values_are_in_no_window_and_in_nothing_that_is_copied(text in blocks(), layout in layouts(), crlf in any::<bool>()) {
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let document = Document::new(&text, Version(0));
        let settings = ContextSettings { longest_line: 90, copy_budget: 130, ..SMALL };
        let name = DocumentName {
            open_files: OpenFiles::new([&OpenFile::new(&document)]),
            ..DocumentName::default()
        };
        for line in 0..document.line_count() {
            let range = document.line_range(line);
            for cursor in [range.start, range.end] {
                let window = ContextWindow::new(&document, cursor, &name, layout, &settings, 0);
                if document.slice(range.clone()).contains(SECRET) {
                    prop_assert_eq!(window, Err(Silence::Secret));
                } else if let Ok(window) = window {
                    let shown = [window.tail.as_str(), &window.before_anchor, &window.suffix].concat();
                    prop_assert!(!shown.contains(&SECRET[..8]), "line {}: {}", line, shown);
                    let copied = window.copy_source(&document).expect("copying is on");
                    let copied = [copied.before, copied.after, copied.open_files.concat()].concat();
                    prop_assert!(!copied.contains(&SECRET[..8]), "line {}: {}", line, copied);
                }
            }
        }
    }
}

#[test]
fn the_lines_above_what_is_copied_are_part_of_the_key() {
    let body = format!("{SECRET}{SECRET}\n");
    let text = |header: &str| format!("{header}\n{}{}", body.repeat(8), "let a = 1;\n".repeat(30));
    let settings = ContextSettings {
        copy_budget: 130,
        ..SMALL
    };
    let model = profile(Layout::SuffixFirst);
    // What is copied begins within the body; what is above it differs.
    let seen = |header: &str| {
        let document = Document::new(&text(header), Version(0));
        let name = DocumentName::default();
        let cursor = document.line_range(24).end;
        let layout = Layout::SuffixFirst;
        let window = ContextWindow::new(&document, cursor, &name, layout, &settings, 0);
        let window = window.expect("a window");
        let copied = window.copy_source(&document).expect("copying is on").before;
        (ContextKey::of_base(&model, &settings, &window), copied)
    };
    let (key, copied) = seen("-----BEGIN PRIVATE KEY-----");
    let (other_key, other_copied) = seen("-----BEGIN RECIPE OF CAKE-----");
    assert!(
        !copied.contains(SECRET) && other_copied.contains(SECRET),
        "{other_copied}"
    );
    assert_ne!(key, other_key);
}
