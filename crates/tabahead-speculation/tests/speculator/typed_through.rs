//! Typing along, case by case: what one path answers without asking the model, and what it must
//! not.
//!
//! If there is no line with `start` between a request and its answer, the model was not asked for
//! it; a generation started as speculative looks ahead. Where one is started for a request, a
//! comment says why the fresh answer is another one: the rule is `Path::answers` in
//! `tabahead-context`. The file is long because the logs are; each case is independent.

use expect_test::expect;
use tabahead_context::{Layout, PreTokenizer};

use crate::{
    engine::VOCABULARY,
    timeline::{Timeline, open_in, open_with},
};

/// Opens a timeline that looks ahead far enough to read a path as far as the model generates it.
fn open(text: &str) -> Timeline {
    open_with(text, 9)
}

/// Opens a timeline without speculation: every generation is started for a request.
fn open_without_speculation(text: &str) -> Timeline {
    open_with(text, 0)
}

/// Checks which tokens, as text, the encoding gives.
#[track_caller]
fn check_encoding(text: &str, expected: &[&str]) {
    let tokens = VOCABULARY.encode(text);
    let tokens: Vec<_> = tokens
        .iter()
        .map(|&id| String::from_utf8_lossy(VOCABULARY.bytes(id)))
        .collect();
    assert_eq!(tokens, expected);
}

#[test]
fn typing_over_lines_is_answered_by_one_path() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a);\nbar(b);\nlet y = abc;\nint")
        .types("foo(a);")
        .request()
        .types("\n")
        .request()
        .types("bar(b);\nle")
        .request()
        .types("t y = abc;\n")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);\nbar(b);\nlet y = abc;\nint"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            115ms  type "foo(a);"
            120ms  request r2
                   -> respond r2 "\nbar(b);" Speculated
            125ms  type "\n"
            130ms  request r3
                   -> respond r3 "bar(b);" TypedThrough
            135ms  type "bar(b);\nle"
            140ms  request r4
                   -> respond r4 "t y = abc;" Speculated
            145ms  type "t y = abc;\n"
            150ms  request r5
                   -> g1 is foreground now
        "#]]);
}

#[test]
fn backspace_is_answered_down_to_the_path_s_origin_and_not_before_it() {
    // Before the origin, a fresh process asks about another text: ` = ` is not complete yet and may
    // continue differently.
    open_without_speculation("let x = $0\n")
        .request()
        .generates(1, "foo(a);\n")
        .types("fo")
        .request()
        .backspaces()
        .request()
        .backspaces()
        .request()
        .backspaces()
        .request()
        .generates(2, "= 1;\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> cancel g1
            45ms   type "fo"
            50ms   request r2
                   -> respond r2 "o(a);" TypedThrough
            55ms   backspace
            60ms   request r3
                   -> respond r3 "oo(a);" TypedThrough
            65ms   backspace
            70ms   request r4
                   -> respond r4 "foo(a);" Exact
            75ms   backspace
            80ms   request r5
                   -> start g2 foreground at "let x ="
            85ms   g2 generates "= 1;\n"
                   -> respond r5 "= 1;" Miss
                   -> cancel g2
        "#]]);
}

#[test]
fn a_generation_outlives_typing_along_and_backspace_and_is_joined_again() {
    open("let x = $0\n")
        .request()
        .types("t0")
        .request()
        .generates(1, "t")
        .backspaces()
        .request()
        .backspaces()
        .request()
        .generates(1, "0(a);\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   type "t0"
                   -> superseded r1
                   -> g1 is speculative now
            15ms   request r2
                   -> g1 is foreground now
            20ms   g1 generates "t"
            40ms   backspace
                   -> superseded r2
                   -> g1 is speculative now
            45ms   request r3
                   -> g1 is foreground now
            50ms   backspace
                   -> superseded r3
                   -> g1 is speculative now
            55ms   request r4
                   -> g1 is foreground now
            60ms   g1 generates "0(a);\n"
                   -> respond r4 "t0(a);" Joined
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn a_path_that_does_not_decide_is_decoded_on_after_the_backspace() {
    // The new generation continues after the tokens that the path has: `says` adds to them.
    open_without_speculation("let x = $0\n")
        .request()
        .generates(1, "foo(")
        .types("b")
        .request()
        .generates(2, "ar")
        .backspaces()
        .request()
        .generates(3, "a);\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo("
            30ms   type "b"
                   -> superseded r1
                   -> cancel g1
            35ms   request r2
                   -> start g2 foreground at "let x = b"
            40ms   g2 generates "ar"
            50ms   backspace
                   -> superseded r2
                   -> cancel g2
            55ms   request r3
                   -> start g3 foreground at "let x = "
            60ms   g3 generates "a);\n"
                   -> respond r3 "foo(a);" Miss
                   -> cancel g3
        "#]]);
}

#[test]
fn enter_with_the_editor_s_indentation_is_typing_along() {
    open("fn f() {\n    foo(a);$0\n}\n")
        .request()
        .generates(1, "\n    bar(b);\n    let x = abc;\n    ")
        .types("\n    ")
        .request()
        .types("bar(b);")
        .request()
        .types("\n    ")
        .request()
        .check(expect![[r#"
            0ms    open "fn f() {\n    foo(a);$0\n}\n"
            5ms    request r1
                   -> start g1 foreground at "\n    foo(a);"
            10ms   g1 generates "\n    bar(b);\n    let x = abc;\n    "
                   -> respond r1 "\n    bar(b);" Miss
                   -> g1 is speculative now
            115ms  type "\n    "
            120ms  request r2
                   -> respond r2 "bar(b);" TypedThrough
            125ms  type "bar(b);"
            130ms  request r3
                   -> respond r3 "\n    let x = abc;" Speculated
            135ms  type "\n    "
            140ms  request r4
                   -> respond r4 "let x = abc;" TypedThrough
        "#]]);
}

#[test]
fn less_indentation_than_the_path_has_is_filled_up() {
    open("fn f() {\n    foo(a) =$0\n}\n")
        .request()
        .generates(1, "\n        bar(b);\n    int")
        .types("\n    ")
        .request()
        .check(expect![[r#"
            0ms    open "fn f() {\n    foo(a) =$0\n}\n"
            5ms    request r1
                   -> start g1 foreground at "    foo(a) ="
            10ms   g1 generates "\n        bar(b);\n    int"
                   -> respond r1 "\n        bar(b);" Miss
                   -> g1 is speculative now
            80ms   type "\n    "
            85ms   request r2
                   -> respond r2 "    bar(b);" TypedThrough
        "#]]);
}

#[test]
fn other_indentation_than_the_path_has_is_asked_about() {
    // A fresh process asks with a tab where the path has spaces, and the model continues as that
    // file does.
    open_without_speculation("fn f() {\n    foo(a);$0\n}\n")
        .request()
        .generates(1, "\n    bar(b);\n")
        .types("\n\t")
        .request()
        .generates(2, "int abc;\n")
        .check(expect![[r#"
            0ms    open "fn f() {\n    foo(a);$0\n}\n"
            5ms    request r1
                   -> start g1 foreground at "\n    foo(a);"
            10ms   g1 generates "\n    bar(b);\n"
                   -> respond r1 "\n    bar(b);" Miss
                   -> cancel g1
            60ms   type "\n\t"
            65ms   request r2
                   -> start g2 foreground at "   foo(a);\n\t"
            70ms   g2 generates "int abc;\n"
                   -> respond r2 "int abc;" Miss
                   -> cancel g2
        "#]]);
}

#[test]
fn a_closer_that_takes_its_indentation_back_returns_to_the_path() {
    // The deeper line in between is on no path: there, a fresh process may write the next
    // statement.
    open_without_speculation("if a {\n    foo(a);$0\n\nint x;\n")
        .request()
        .generates(1, "\n} re\n")
        .types("\n    ")
        .request()
        .generates(2, "bar(b);\n")
        .becomes("if a {\n    foo(a);\n}$0\n\nint x;\n")
        .request()
        .check(expect![[r#"
            0ms    open "if a {\n    foo(a);$0\n\nint x;\n"
            5ms    request r1
                   -> start g1 foreground at "\n    foo(a);"
            10ms   g1 generates "\n} re\n"
                   -> respond r1 "\n} re" Miss
                   -> cancel g1
            45ms   type "\n    "
            50ms   request r2
                   -> start g2 foreground at "foo(a);\n    "
            55ms   g2 generates "bar(b);\n"
                   -> respond r2 "bar(b);" Miss
                   -> cancel g2
            105ms  becomes "if a {\n    foo(a);\n}$0\n\nint x;\n"
            110ms  request r3
                   -> respond r3 " re" TypedThrough
        "#]]);
}

#[test]
fn inside_auto_closed_brackets_the_base_stays() {
    open("let x = $0;\n")
        .request()
        .generates(1, "foo(bar(a), b)\nint")
        .becomes("let x = foo($0);\n")
        .request()
        .becomes("let x = foo(bar($0));\n")
        .request()
        .types("a")
        .request()
        .becomes("let x = foo(bar(a)$0);\n")
        .request()
        .types(", b")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0;\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(bar(a), b)\nint"
                   -> respond r1 "foo(bar(a), b)" Miss
                   -> cancel g1
            75ms   becomes "let x = foo($0);\n"
            80ms   request r2
                   -> respond r2 "bar(a), b)" over ")" TypedThrough
            85ms   becomes "let x = foo(bar($0));\n"
            90ms   request r3
                   -> respond r3 "a), b)" over "))" TypedThrough
            95ms   type "a"
            100ms  request r4
                   -> respond r4 "), b)" over "))" TypedThrough
            105ms  becomes "let x = foo(bar(a)$0);\n"
            110ms  request r5
                   -> respond r5 ", b)" over ")" TypedThrough
            115ms  type ", b"
            120ms  request r6
                   -> silent r6: repeats what follows Some(TypedThrough)
        "#]]);
}

#[test]
fn a_generation_outlives_auto_closing_and_is_joined_again() {
    open("let x = $0;\n")
        .request()
        .generates(1, "foo(bar[")
        .becomes("let x = foo($0);\n")
        .request()
        .becomes("let x = foo(bar[$0]);\n")
        .request()
        .becomes("let x = foo(bar[\"$0\"]);\n")
        .request()
        .generates(1, "\"a\"])\n")
        .check(expect![[r#"
            0ms    open "let x = $0;\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(bar["
            40ms   becomes "let x = foo($0);\n"
                   -> superseded r1
                   -> g1 is speculative now
            45ms   request r2
                   -> g1 is foreground now
            50ms   becomes "let x = foo(bar[$0]);\n"
                   -> superseded r2
                   -> g1 is speculative now
            55ms   request r3
                   -> g1 is foreground now
            60ms   becomes "let x = foo(bar[\"$0\"]);\n"
                   -> superseded r3
                   -> g1 is speculative now
            65ms   request r4
                   -> g1 is foreground now
            70ms   g1 generates "\"a\"])\n"
                   -> respond r4 "a\"])" over "\"])" Joined
                   -> cancel g1
        "#]]);
}

#[test]
fn a_backspace_that_deletes_a_pair_returns_to_the_path() {
    open_without_speculation("let x = foo$0\n")
        .request()
        .generates(1, "(a);\n")
        .becomes("let x = foo($0)\n")
        .request()
        .becomes("let x = foo$0\n")
        .request()
        .check(expect![[r#"
            0ms    open "let x = foo$0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = foo"
            10ms   g1 generates "(a);\n"
                   -> respond r1 "(a);" Miss
                   -> cancel g1
            40ms   becomes "let x = foo($0)\n"
            45ms   request r2
                   -> respond r2 "a);" over ")" TypedThrough
            50ms   becomes "let x = foo$0\n"
            55ms   request r3
                   -> respond r3 "(a);" Exact
        "#]]);
}

#[test]
fn a_closer_typed_over_the_auto_closed_one_is_typing_along() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a) + bar(b);\nint")
        .becomes("let x = foo(a$0)\n")
        .request()
        .becomes("let x = foo(a)$0\n")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a) + bar(b);\nint"
                   -> respond r1 "foo(a) + bar(b);" Miss
                   -> g1 is speculative now
            80ms   becomes "let x = foo(a$0)\n"
            85ms   request r2
                   -> respond r2 ") + bar(b);" over ")" TypedThrough
            90ms   becomes "let x = foo(a)$0\n"
            95ms   request r3
                   -> respond r3 " + bar(b);" TypedThrough
        "#]]);
}

#[test]
fn inside_auto_closed_quotes_the_base_stays_and_after_them_too() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(\"ab c\");\nbar(b);\nint")
        .becomes("let x = foo(\"$0\")\n")
        .request()
        .types("ab")
        .request()
        .becomes("let x = foo(\"ab c\"$0)\n")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(\"ab c\");\nbar(b);\nint"
                   -> respond r1 "foo(\"ab c\");" Miss
                   -> g1 is speculative now
            95ms   becomes "let x = foo(\"$0\")\n"
            100ms  request r2
                   -> respond r2 "ab c\");" over "\")" TypedThrough
            105ms  type "ab"
            110ms  request r3
                   -> respond r3 " c\");" over "\")" TypedThrough
            115ms  becomes "let x = foo(\"ab c\"$0)\n"
            120ms  request r4
                   -> respond r4 ");" over ")" TypedThrough
        "#]]);
}

#[test]
fn inside_auto_closed_single_quotes_the_base_stays() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo('ab', 'c');\nbar(b);\nint")
        .becomes("let x = foo('$0')\n")
        .request()
        .becomes("let x = foo('ab'$0)\n")
        .request()
        .becomes("let x = foo('ab', '$0')\n")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo('ab', 'c');\nbar(b);\nint"
                   -> respond r1 "foo('ab', 'c');" Miss
                   -> g1 is speculative now
            110ms  becomes "let x = foo('$0')\n"
            115ms  request r2
                   -> respond r2 "ab', 'c');" over "')" TypedThrough
            120ms  becomes "let x = foo('ab'$0)\n"
            125ms  request r3
                   -> respond r3 ", 'c');" over ")" TypedThrough
            130ms  becomes "let x = foo('ab', '$0')\n"
            135ms  request r4
                   -> respond r4 "c');" over "')" TypedThrough
        "#]]);
}

#[test]
fn enter_inside_auto_closed_braces_keeps_the_base() {
    open("let x = 1;\nfn f() $0\n\nfn g() {}\n")
        .request()
        .generates(1, "{\n    foo(a);\n    bar(b);\n}\nint")
        .becomes("let x = 1;\nfn f() {$0}\n\nfn g() {}\n")
        .request()
        .becomes("let x = 1;\nfn f() {\n    $0\n}\n\nfn g() {}\n")
        .request()
        .types("foo(a);")
        .request()
        .check(expect![[r#"
            0ms    open "let x = 1;\nfn f() $0\n\nfn g() {}\n"
            5ms    request r1
                   -> start g1 foreground at "= 1;\nfn f() "
            10ms   g1 generates "{\n    foo(a);\n    bar(b);\n}\nint"
                   -> respond r1 "{" Miss
                   -> g1 is speculative now
            110ms  becomes "let x = 1;\nfn f() {$0}\n\nfn g() {}\n"
            115ms  request r2
                   -> silent r2: nothing to add Some(Speculated)
                   -> cancel g1
            120ms  becomes "let x = 1;\nfn f() {\n    $0\n}\n\nfn g() {}\n"
            125ms  request r3
                   -> respond r3 "foo(a);" Speculated
            130ms  type "foo(a);"
            135ms  request r4
                   -> respond r4 "\n    bar(b);" Speculated
        "#]]);
}

#[test]
fn enter_that_leaves_the_auto_closed_brace_on_the_line_keeps_the_base() {
    open("fn f() $0\n\nfn g() {}\n")
        .request()
        .generates(1, "{\n    foo(a);\n    bar(b);\n}\nint")
        .becomes("fn f() {\n$0}\n\nfn g() {}\n")
        .request()
        .becomes("fn f() {\n    $0}\n\nfn g() {}\n")
        .request()
        .check(expect![[r#"
            0ms    open "fn f() $0\n\nfn g() {}\n"
            5ms    request r1
                   -> start g1 foreground at "fn f() "
            10ms   g1 generates "{\n    foo(a);\n    bar(b);\n}\nint"
                   -> respond r1 "{" Miss
                   -> g1 is speculative now
            110ms  becomes "fn f() {\n$0}\n\nfn g() {}\n"
            115ms  request r2
                   -> respond r2 "    foo(a);" Speculated
                   -> cancel g1
            120ms  becomes "fn f() {\n    $0}\n\nfn g() {}\n"
            125ms  request r3
                   -> respond r3 "foo(a);" TypedThrough
        "#]]);
}

#[test]
fn enter_inside_nested_auto_closed_brackets_keeps_the_base() {
    open("$0\n\nint x;\n")
        .request()
        .generates(1, "foo({\n    a = b,\n});\nbar")
        .becomes("foo({$0})\n\nint x;\n")
        .request()
        .becomes("foo({\n    $0\n})\n\nint x;\n")
        .request()
        .types("a = b,")
        .request()
        .becomes("foo({\n    a = b,\n}$0)\n\nint x;\n")
        .request()
        .check(expect![[r#"
            0ms    open "$0\n\nint x;\n"
            5ms    request r1
                   -> start g1 foreground at ""
            10ms   g1 generates "foo({\n    a = b,\n});\nbar"
                   -> respond r1 "foo({" Miss
                   -> g1 is speculative now
            85ms   becomes "foo({$0})\n\nint x;\n"
            90ms   request r2
                   -> silent r2: nothing to add Some(Speculated)
                   -> cancel g1
            95ms   becomes "foo({\n    $0\n})\n\nint x;\n"
            100ms  request r3
                   -> respond r3 "a = b," Speculated
            105ms  type "a = b,"
            110ms  request r4
                   -> silent r4: nothing to add Some(Speculated)
            115ms  becomes "foo({\n    a = b,\n}$0)\n\nint x;\n"
            120ms  request r5
                   -> respond r5 ");" over ")" Speculated
                   -> start g2 speculative at ""
        "#]]);
}

#[test]
fn after_a_word_of_it_is_accepted_the_rest_is_shown() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a, b);\nbar(b);\nint")
        .accepts_part("foo")
        .request()
        .accepts_part("(a")
        .request()
        .accepts_part(", ")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a, b);\nbar(b);\nint"
                   -> respond r1 "foo(a, b);" Miss
                   -> g1 is speculative now
            85ms   accept "foo"
            90ms   request r2
                   -> respond r2 "(a, b);" TypedThrough
            95ms   accept "(a"
            100ms  request r3
                   -> respond r3 ", b);" TypedThrough
            105ms  accept ", "
            110ms  request r4
                   -> respond r4 "b);" TypedThrough
        "#]]);
}

#[test]
fn after_a_word_is_accepted_inside_brackets_the_rest_covers_the_closer() {
    open("let x = foo($0)\n")
        .request()
        .generates(1, "a, b);\nbar(b);\nint")
        .accepts_part("a,")
        .request()
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = foo($0)\n"
            5ms    request r1
                   -> start g1 foreground at "let x = foo("
            10ms   g1 generates "a, b);\nbar(b);\nint"
                   -> respond r1 "a, b);" over ")" Miss
                   -> g1 is speculative now
            75ms   accept "a,"
            80ms   request r2
                   -> respond r2 " b);" over ")" TypedThrough
            85ms   accept
            90ms   request r3
                   -> respond r3 "\nbar(b);" Speculated
        "#]]);
}

#[test]
fn a_line_accepted_without_its_line_end_is_followed_by_enter() {
    open("fn f() {\n    $0\n}\n")
        .request()
        .generates(1, "foo(a);\n    bar(b);\n    let x = abc;\n    int")
        .accepts()
        .request()
        .types("\n    ")
        .request()
        .check(expect![[r#"
            0ms    open "fn f() {\n    $0\n}\n"
            5ms    request r1
                   -> start g1 foreground at "n f() {\n    "
            10ms   g1 generates "foo(a);\n    bar(b);\n    let x = abc;\n    int"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            160ms  accept
            165ms  request r2
                   -> respond r2 "\n    bar(b);" Speculated
            170ms  type "\n    "
            175ms  request r3
                   -> respond r3 "bar(b);" TypedThrough
        "#]]);
}

#[test]
fn a_line_accepted_with_its_line_end_is_typing_along() {
    // Some editors indent the line that then begins, others do not.
    open("fn f() {\n    $0\n}\n")
        .request()
        .generates(1, "foo(a);\n    bar(b);\n    let x = abc;\n    int")
        .types("foo(a);\n")
        .request()
        .types("    bar(b);\n    ")
        .request()
        .check(expect![[r#"
            0ms    open "fn f() {\n    $0\n}\n"
            5ms    request r1
                   -> start g1 foreground at "n f() {\n    "
            10ms   g1 generates "foo(a);\n    bar(b);\n    let x = abc;\n    int"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            160ms  type "foo(a);\n"
            165ms  request r2
                   -> respond r2 "    bar(b);" Speculated
            170ms  type "    bar(b);\n    "
            175ms  request r3
                   -> respond r3 "let x = abc;" Speculated
        "#]]);
}

#[test]
fn of_a_suggestion_that_begins_with_a_line_end_the_line_end_alone_is_accepted() {
    open("foo(a);$0\n")
        .request()
        .generates(1, "\nbar(b);\nint abc;\n")
        .accepts_part("\n")
        .request()
        .check(expect![[r#"
            0ms    open "foo(a);$0\n"
            5ms    request r1
                   -> start g1 foreground at "foo(a);"
            10ms   g1 generates "\nbar(b);\nint abc;\n"
                   -> respond r1 "\nbar(b);" Miss
                   -> g1 is speculative now
            75ms   accept "\n"
            80ms   request r2
                   -> respond r2 "bar(b);" TypedThrough
        "#]]);
}

#[test]
fn line_ends_of_the_document_are_no_part_of_a_path() {
    open("fn f() {\r\n    foo(a);$0\r\n}\r\n")
        .request()
        .generates(1, "\n    bar(b);\n    let x = abc;\n    int")
        .types("\r\n    ")
        .request()
        .types("bar(b);")
        .request()
        .accepts_part("\r\n")
        .request()
        .becomes("fn f() {\r\n    foo(a);\r\n    bar(b);\r\n    $0\r\n}\r\n")
        .request()
        .check(expect![[r#"
            0ms    open "fn f() {\r\n    foo(a);$0\r\n}\r\n"
            5ms    request r1
                   -> start g1 foreground at "\n    foo(a);"
            10ms   g1 generates "\n    bar(b);\n    let x = abc;\n    int"
                   -> respond r1 "\r\n    bar(b);" Miss
                   -> g1 is speculative now
            125ms  type "\r\n    "
            130ms  request r2
                   -> respond r2 "bar(b);" TypedThrough
            135ms  type "bar(b);"
            140ms  request r3
                   -> respond r3 "\r\n    let x = abc;" Speculated
            145ms  accept "\r\n"
            150ms  request r4
                   -> respond r4 "    let x = abc;" TypedThrough
            155ms  becomes "fn f() {\r\n    foo(a);\r\n    bar(b);\r\n    $0\r\n}\r\n"
            160ms  request r5
                   -> respond r5 "let x = abc;" TypedThrough
        "#]]);
}

#[test]
fn enter_inside_auto_closed_braces_keeps_the_base_with_carriage_returns() {
    open("fn f() $0\r\n\r\nlet x;\r\n")
        .request()
        .generates(1, "{\n    foo(a);\n    bar(b);\n}\nint")
        .becomes("fn f() {$0}\r\n\r\nlet x;\r\n")
        .request()
        .becomes("fn f() {\r\n    $0\r\n}\r\n\r\nlet x;\r\n")
        .request()
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "fn f() $0\r\n\r\nlet x;\r\n"
            5ms    request r1
                   -> start g1 foreground at "fn f() "
            10ms   g1 generates "{\n    foo(a);\n    bar(b);\n}\nint"
                   -> respond r1 "{" Miss
                   -> g1 is speculative now
            110ms  becomes "fn f() {$0}\r\n\r\nlet x;\r\n"
            115ms  request r2
                   -> silent r2: nothing to add Some(Speculated)
                   -> cancel g1
            120ms  becomes "fn f() {\r\n    $0\r\n}\r\n\r\nlet x;\r\n"
            125ms  request r3
                   -> respond r3 "foo(a);" Speculated
            130ms  accept
            135ms  request r4
                   -> respond r4 "\r\n    bar(b);" Speculated
        "#]]);
}

#[test]
fn tabs_are_typed_along() {
    open("fn f() {\n\t$0\n}\n")
        .request()
        .generates(1, "if a {\n\t\tfoo(b);\n\t\tbar(b);\n\t}\n\tint")
        .becomes("fn f() {\n\tif a {$0}\n}\n")
        .request()
        .becomes("fn f() {\n\tif a {\n\t\t$0\n\t}\n}\n")
        .request()
        .types("foo(b);\n")
        .request()
        .types("\t")
        .request()
        .types("\t")
        .request()
        .check(expect![[r#"
            0ms    open "fn f() {\n\t$0\n}\n"
            5ms    request r1
                   -> start g1 foreground at "fn f() {\n\t"
            10ms   g1 generates "if a {\n\t\tfoo(b);\n\t\tbar(b);\n\t}\n\tint"
                   -> respond r1 "if a {" Miss
                   -> g1 is speculative now
            145ms  becomes "fn f() {\n\tif a {$0}\n}\n"
            150ms  request r2
                   -> silent r2: nothing to add Some(Speculated)
                   -> cancel g1
            155ms  becomes "fn f() {\n\tif a {\n\t\t$0\n\t}\n}\n"
            160ms  request r3
                   -> respond r3 "foo(b);" Speculated
            165ms  type "foo(b);\n"
            170ms  request r4
                   -> respond r4 "\t\tbar(b);" Speculated
            175ms  type "\t"
            180ms  request r5
                   -> respond r5 "\tbar(b);" TypedThrough
            185ms  type "\t"
            190ms  request r6
                   -> respond r6 "bar(b);" TypedThrough
        "#]]);
}

#[test]
fn wide_characters_are_typed_along_one_by_one() {
    open("let x = $0\n")
        .request()
        .generates(1, "\"日本😀é\";\nbar(b);\nint")
        .becomes("let x = \"$0\"\n")
        .request()
        .types("日")
        .request()
        .types("本😀")
        .request()
        .types("é")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "\"日本😀é\";\nbar(b);\nint"
                   -> respond r1 "\"日本😀é\";" Miss
                   -> g1 is speculative now
            115ms  becomes "let x = \"$0\"\n"
            120ms  request r2
                   -> respond r2 "日本😀é\";" over "\"" TypedThrough
            125ms  type "日"
            130ms  request r3
                   -> respond r3 "本😀é\";" over "\"" TypedThrough
            135ms  type "本😀"
            140ms  request r4
                   -> respond r4 "é\";" over "\"" TypedThrough
            145ms  type "é"
            150ms  request r5
                   -> respond r5 "\";" over "\"" TypedThrough
        "#]]);
}

#[test]
fn combining_marks_are_typed_along() {
    open("let x = $0\n")
        .request()
        .generates(1, "e\u{301}a + u\u{308};\n")
        .types("e")
        .request()
        .types("\u{301}")
        .request()
        .types("a + u\u{308}")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "e\u{301}a + u\u{308};\n"
                   -> respond r1 "e\u{301}a + u\u{308};" Miss
                   -> g1 is speculative now
            75ms   type "e"
            80ms   request r2
                   -> respond r2 "\u{301}a + u\u{308};" TypedThrough
            85ms   type "\u{301}"
            90ms   request r3
                   -> respond r3 "a + u\u{308};" TypedThrough
            95ms   type "a + u\u{308}"
            100ms  request r4
                   -> respond r4 ";" TypedThrough
        "#]]);
}

#[test]
fn a_combining_mark_that_the_path_does_not_have_is_asked_about() {
    // A fresh process asks about another text: the letter with the mark is not a prefix of the
    // path.
    open_without_speculation("let x = $0\n")
        .request()
        .generates(1, "ea;\n")
        .types("e")
        .request()
        .types("\u{301}")
        .request()
        .generates(2, "b;\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "ea;\n"
                   -> respond r1 "ea;" Miss
                   -> cancel g1
            40ms   type "e"
            45ms   request r2
                   -> respond r2 "a;" TypedThrough
            50ms   type "\u{301}"
            55ms   request r3
                   -> start g2 foreground at "let x = e\u{301}"
            60ms   g2 generates "b;\n"
                   -> respond r3 "b;" Miss
                   -> cancel g2
        "#]]);
}

#[test]
fn indentation_spelled_in_other_tokens_is_asked_about_once_something_follows_it() {
    // A fresh process reads three spaces and heals ` b`. The path took all four spaces as one
    // token, the best choice before anything followed them, and everything after it was generated
    // after that token.
    check_encoding("\n    bar(", &["\n", "  ", " ", " bar", "("]);
    open_without_speculation("foo(a) =$0\n")
        .request()
        .generates_tokens(1, &[" =", "\n", "    ", "bar", "(", "b", ");", "\n"])
        .types("\n    ")
        .request()
        .types("b")
        .request()
        .generates(2, "(a);\n")
        .check(expect![[r#"
            0ms    open "foo(a) =$0\n"
            5ms    request r1
                   -> start g1 foreground at "foo(a) ="
            10ms   g1 generates [" =", "\n", "    ", "bar", "(", "b", ");", "\n"]
                   -> respond r1 "\n    bar(b);" Miss
                   -> cancel g1
            55ms   type "\n    "
            60ms   request r2
                   -> respond r2 "bar(b);" TypedThrough
            65ms   type "b"
            70ms   request r3
                   -> start g2 foreground at "o(a) =\n    b"
            75ms   g2 generates "(a);\n"
                   -> respond r3 "(a);" Miss
                   -> cancel g2
        "#]]);
}

#[test]
fn a_contraction_spelled_in_other_tokens_is_asked_about_once_something_follows_it() {
    // Until then, a fresh process heals from before the apostrophe and chooses as the path did.
    // After that, it reads `'s` as one token, where the path has two.
    check_encoding("// foo's b", &["/", "/", " foo", "'s", " b"]);
    open_without_speculation("// foo$0\n")
        .request()
        .generates_tokens(1, &[" foo", "'", "s", " bar", "\n"])
        .types("'")
        .request()
        .types("s")
        .request()
        .types(" b")
        .request()
        .generates(2, "c\n")
        .check(expect![[r#"
            0ms    open "// foo$0\n"
            5ms    request r1
                   -> start g1 foreground at "// foo"
            10ms   g1 generates [" foo", "'", "s", " bar", "\n"]
                   -> respond r1 "'s bar" Miss
                   -> cancel g1
            40ms   type "'"
            45ms   request r2
                   -> respond r2 "s bar" TypedThrough
            50ms   type "s"
            55ms   request r3
                   -> respond r3 " bar" TypedThrough
            60ms   type " b"
            65ms   request r4
                   -> start g2 foreground at "// foo's b"
            70ms   g2 generates "c\n"
                   -> respond r4 "c" Miss
                   -> cancel g2
        "#]]);
}

#[test]
fn a_contraction_that_ends_within_a_token_is_asked_about() {
    // A fresh process reads `'re` and heals `t`; the path has no token boundary between them.
    let text = "foo'ret";
    assert_eq!(PreTokenizer::Qwen2.split(text).last(), Some(6..text.len()));
    open_without_speculation("// foo$0\n")
        .request()
        .generates_tokens(1, &[" foo", "'", "ret", "\n"])
        .types("'re")
        .request()
        .types("t")
        .request()
        .generates(2, "1\n")
        .check(expect![[r#"
            0ms    open "// foo$0\n"
            5ms    request r1
                   -> start g1 foreground at "// foo"
            10ms   g1 generates [" foo", "'", "ret", "\n"]
                   -> respond r1 "'ret" Miss
                   -> cancel g1
            35ms   type "'re"
            40ms   request r2
                   -> respond r2 "t" TypedThrough
            45ms   type "t"
            50ms   request r3
                   -> start g2 foreground at "// foo'ret"
            55ms   g2 generates "1\n"
                   -> respond r3 "1" Miss
                   -> cancel g2
        "#]]);
}

#[test]
fn a_stop_at_the_cursor_is_asked_about() {
    // A fresh process masks the stop exactly at the cursor, so the model must generate something
    // there.
    open_without_speculation("let x = $0\n")
        .request()
        .generates(1, "foo(a);")
        .stops(1)
        .types("foo(a)")
        .request()
        .types(";")
        .request()
        .generates(2, "\nbar(b);\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);"
            40ms   g1 stops
                   -> respond r1 "foo(a);" Miss
            45ms   type "foo(a)"
            50ms   request r2
                   -> respond r2 ";" TypedThrough
            55ms   type ";"
            60ms   request r3
                   -> start g2 foreground at " x = foo(a);"
            65ms   g2 generates "\nbar(b);\n"
                   -> respond r3 "\nbar(b);" Miss
                   -> cancel g2
        "#]]);
}

#[test]
fn of_two_paths_that_hold_the_text_only_the_one_with_the_tokens_of_the_text_answers() {
    // A fresh process reads ` foo` before `(`. The first path has a space and `foo`, which were the
    // best choice until `(` was typed. The rest of it was generated after other tokens, so it does
    // not answer, although it is the longer path. Back before `(`, it answers again.
    check_encoding("let x = foo(", &["let", " ", "x", " =", " foo", "("]);
    open_without_speculation("let x = $0\n")
        .request()
        .generates_tokens(1, &[" =", " ", "foo", "(", "a", ",", " b", ");", "\n"])
        .types("foo(")
        .request()
        .generates(2, "b);\n")
        .types("x")
        .request()
        .backspaces()
        .request()
        .backspaces()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates [" =", " ", "foo", "(", "a", ",", " b", ");", "\n"]
                   -> respond r1 "foo(a, b);" Miss
                   -> cancel g1
            60ms   type "foo("
            65ms   request r2
                   -> start g2 foreground at "let x = foo("
            70ms   g2 generates "b);\n"
                   -> respond r2 "b);" Miss
                   -> cancel g2
            95ms   type "x"
            100ms  request r3
                   -> start g3 foreground at "et x = foo(x"
            105ms  backspace
                   -> superseded r3
                   -> cancel g3
            110ms  request r4
                   -> respond r4 "b);" Exact
            115ms  backspace
            120ms  request r5
                   -> respond r5 "(a, b);" TypedThrough
        "#]]);
}

#[test]
fn an_opener_that_the_editor_does_not_close_leaves_the_base() {
    // `)` matches an opener further out: it stays left out, and the prompt only gains the typed
    // character.
    open_without_speculation("let x = foo($0)\n")
        .request()
        .generates(1, "[a, b]);\n")
        .types("[")
        .request()
        .check(expect![[r#"
            0ms    open "let x = foo($0)\n"
            5ms    request r1
                   -> start g1 foreground at "let x = foo("
            10ms   g1 generates "[a, b]);\n"
                   -> respond r1 "[a, b]);" over ")" Miss
                   -> cancel g1
            55ms   type "["
            60ms   request r2
                   -> respond r2 "a, b]);" over ")" TypedThrough
        "#]]);
}

#[test]
fn a_closer_typed_beside_the_auto_closed_one_is_asked_about() {
    // A fresh process sees one closer too many after the cursor, where the path was generated with
    // none.
    open_without_speculation("let x = foo$0\n")
        .request()
        .generates(1, "(a) + b;\n")
        .becomes("let x = foo(a$0)\n")
        .request()
        .becomes("let x = foo(a)$0)\n")
        .request()
        .generates(2, " + b\n")
        .check(expect![[r#"
            0ms    open "let x = foo$0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = foo"
            10ms   g1 generates "(a) + b;\n"
                   -> respond r1 "(a) + b;" Miss
                   -> cancel g1
            55ms   becomes "let x = foo(a$0)\n"
            60ms   request r2
                   -> respond r2 ") + b;" over ")" TypedThrough
            65ms   becomes "let x = foo(a)$0)\n"
            70ms   request r3
                   -> start g2 foreground at "t x = foo(a)"
            75ms   g2 generates " + b\n"
                   -> respond r3 " + b" Miss
                   -> cancel g2
        "#]]);
}

#[test]
fn inside_auto_closed_triple_quotes_is_asked_about() {
    // Only one quote is left out, because a quote closes once: a fresh process sees the other two
    // after the cursor. Typed by hand, without auto-closing, the quotes are typing along.
    open_without_speculation("x = $0\n")
        .request()
        .generates(1, "\"\"\"foo bar\"\"\"\n")
        .types("\"\"\"")
        .request()
        .becomes("x = \"\"\"$0\"\"\"\n")
        .request()
        .generates(2, "bar")
        .stops(2)
        .check(expect![[r#"
            0ms    open "x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "x = "
            10ms   g1 generates "\"\"\"foo bar\"\"\"\n"
                   -> respond r1 "\"\"\"foo bar\"\"\"" Miss
                   -> cancel g1
            70ms   type "\"\"\""
            75ms   request r2
                   -> respond r2 "foo bar\"\"\"" TypedThrough
            80ms   becomes "x = \"\"\"$0\"\"\"\n"
            85ms   request r3
                   -> start g2 foreground at "x = \"\"\""
            90ms   g2 generates "bar"
            120ms  g2 stops
                   -> respond r3 "bar" Miss
        "#]]);
}

#[test]
fn undoing_an_accept_is_answered_by_the_path() {
    open_without_speculation("let x = $0\n")
        .request()
        .generates(1, "foo(a);\n")
        .accepts()
        .becomes("let x = $0\n")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> cancel g1
            45ms   accept
            50ms   becomes "let x = $0\n"
            55ms   request r2
                   -> respond r2 "foo(a);" Exact
        "#]]);
}

#[test]
fn in_both_layouts_enter_and_lines_are_typing_along() {
    let answers = [Layout::SuffixFirst, Layout::PrefixFirst].map(|layout| {
        let mut timeline = open_in(layout, "foo(a);\nlet x = 1;\nfn f() $0\n\nfn g() {}\n", 9);
        timeline
            .request()
            .generates(1, "{\n    bar(b);\n    ab = b;\n}\n")
            .becomes("foo(a);\nlet x = 1;\nfn f() {\n    $0\n}\n\nfn g() {}\n")
            .request()
            .types("bar(b);\n    ")
            .request();
        timeline
    });
    assert_eq!(answers[0].log(), answers[1].log());
    answers[1].check(expect![[r#"
        0ms    open "foo(a);\nlet x = 1;\nfn f() $0\n\nfn g() {}\n"
        5ms    request r1
               -> start g1 foreground at "= 1;\nfn f() "
        10ms   g1 generates "{\n    bar(b);\n    ab = b;\n}\n"
               -> respond r1 "{" Miss
               -> g1 is speculative now
        105ms  becomes "foo(a);\nlet x = 1;\nfn f() {\n    $0\n}\n\nfn g() {}\n"
        110ms  request r2
               -> respond r2 "bar(b);" Speculated
               -> cancel g1
        115ms  type "bar(b);\n    "
        120ms  request r3
               -> respond r3 "ab = b;" Speculated
    "#]]);
}

#[test]
fn a_line_that_becomes_an_anchor_is_asked_about() {
    // A fresh process puts that line at the start of the forced middle, and what is above it before
    // the suffix: another base. The hash of a line decides whether it is an anchor.
    open_in(Layout::PrefixFirst, "let x = 1;\nfn f() {$0\n}\n", 9)
        .request()
        .generates(1, "\n    foo(a);\n    bar(b);\n    int")
        .types("\n    ")
        .request()
        .types("foo(a);")
        .request()
        .types("\n    ")
        .request()
        .generates(3, "ab = b;\n")
        .check(expect![[r#"
            0ms    open "let x = 1;\nfn f() {$0\n}\n"
            5ms    request r1
                   -> start g1 foreground at " 1;\nfn f() {"
            10ms   g1 generates "\n    foo(a);\n    bar(b);\n    int"
                   -> respond r1 "\n    foo(a);" Miss
                   -> g1 is speculative now
                   -> cancel g1
                   -> start g2 speculative at "\n    bar(b);"
            110ms  type "\n    "
            115ms  request r2
                   -> respond r2 "foo(a);" TypedThrough
            120ms  type "foo(a);"
            125ms  request r3
                   -> respond r3 "\n    bar(b);" Speculated
            130ms  type "\n    "
            135ms  request r4
                   -> start g3 foreground at "foo(a);\n    "
            140ms  g3 generates "ab = b;\n"
                   -> respond r4 "ab = b;" Miss
                   -> cancel g2
                   -> g3 is speculative now
        "#]]);
}

/// The example of ARCHITECTURE.md, "The law".
#[test]
fn the_worked_example() {
    check_encoding("(bar);\n", &["(", "bar", ");", "\n"]);
    open("let foo = a;\nfoo(b$0)\n")
        .request()
        .generates(1, "ar);\n")
        .generates(1, "let x = foo;\n")
        .types("a")
        .request()
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let foo = a;\nfoo(b$0)\n"
            5ms    request r1
                   -> start g1 foreground at "o = a;\nfoo(b"
            10ms   g1 generates "ar);\n"
                   -> respond r1 "ar);" over ")" Miss
                   -> g1 is speculative now
            35ms   g1 generates "let x = foo;\n"
            65ms   type "a"
            70ms   request r2
                   -> respond r2 "r);" over ")" TypedThrough
            75ms   accept
            80ms   request r3
                   -> respond r3 "\nlet x = foo;" Speculated
        "#]]);
    open("let foo = a;\nfoo(b$0)\n")
        .request()
        .generates(1, "ar);\n")
        .types("x")
        .request()
        .check(expect![[r#"
            0ms    open "let foo = a;\nfoo(b$0)\n"
            5ms    request r1
                   -> start g1 foreground at "o = a;\nfoo(b"
            10ms   g1 generates "ar);\n"
                   -> respond r1 "ar);" over ")" Miss
                   -> g1 is speculative now
            35ms   type "x"
                   -> cancel g1
            40ms   request r2
                   -> start g2 foreground at " = a;\nfoo(bx"
        "#]]);
}
