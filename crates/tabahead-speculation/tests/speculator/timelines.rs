//! The Speculator's main stories. Those about typing along are in `typed_through.rs`.

use expect_test::expect;
use tabahead_context::GenerationFailure;
use tabahead_speculation::{SelectedCompletion, SuggestionId, SuggestionReport};
use tabahead_text::Offset;

use crate::timeline::{Timeline, open, open_with};

#[test]
fn a_miss_is_answered_and_then_its_accept_is_computed() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a);")
        .generates(1, "\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);"
            40ms   g1 generates "\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn an_accept_is_answered_at_once_from_what_was_computed_ahead() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a);\n")
        .generates(1, "let y = bar;\nret")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            45ms   g1 generates "let y = bar;\nret"
            80ms   accept
            85ms   request r2
                   -> respond r2 "\nlet y = bar;" Speculated
        "#]]);
}

#[test]
fn what_another_source_shows_is_looked_ahead_of_and_ends_the_wait() {
    open("let x = $0\n")
        .request()
        .sees("foo(a);")
        .generates(1, "q")
        .generates(2, "\nlet y = bar;\n")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   see "foo(a);"
                   -> superseded r1
                   -> g1 is speculative now
            15ms   g1 generates "q"
                   -> cancel g1
                   -> start g2 speculative at " x = foo(a);"
            35ms   g2 generates "\nlet y = bar;\n"
            80ms   accept
            85ms   request r2
                   -> respond r2 "\nlet y = bar;" Speculated
        "#]]);
}

#[test]
fn a_speculation_that_continues_a_path_is_used_once_when_an_answer_reads_its_part() {
    let mut timeline = open_with("let x = $0\n", 1);
    timeline
        .request()
        .generates(1, "foo(a);\n")
        .generates(1, "bar(b);\n")
        .accepts()
        .request();
    let stats = timeline.speculator.stats();
    assert_eq!((stats.hits_speculated, stats.speculations_used), (1, 1));
    timeline
        .generates(2, "baz(c);\n")
        .accepts()
        .request()
        .request();
    let stats = timeline.speculator.stats();
    assert_eq!((stats.hits_speculated, stats.speculations_used), (2, 2));
    timeline.check(expect![[r#"
        0ms    open "let x = $0\n"
        5ms    request r1
               -> start g1 foreground at "let x = "
        10ms   g1 generates "foo(a);\n"
               -> respond r1 "foo(a);" Miss
               -> g1 is speculative now
        45ms   g1 generates "bar(b);\n"
               -> cancel g1
        70ms   accept
               -> start g2 speculative at "let x = "
        75ms   request r2
               -> respond r2 "\nbar(b);" Speculated
        80ms   g2 generates "baz(c);\n"
               -> cancel g2
        115ms  accept
               -> start g3 speculative at "let x = "
        120ms  request r3
               -> respond r3 "\nbaz(c);" Speculated
        125ms  request r4
               -> respond r4 "\nbaz(c);" TypedThrough
    "#]]);
}

#[test]
fn an_accept_after_a_stop_begins_again_and_is_speculated() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a);")
        .stops(1)
        .generates(2, "\nbar();\nret")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);"
            40ms   g1 stops
                   -> respond r1 "foo(a);" Miss
                   -> start g2 speculative at " x = foo(a);"
            45ms   g2 generates "\nbar();\nret"
            80ms   accept
            85ms   request r2
                   -> respond r2 "\nbar();" Speculated
        "#]]);
}

#[test]
fn typing_along_is_answered_from_the_same_path() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a);\n")
        .types("f")
        .request()
        .types("oo(")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            45ms   type "f"
            50ms   request r2
                   -> respond r2 "oo(a);" TypedThrough
            55ms   type "oo("
            60ms   request r3
                   -> respond r3 "a);" TypedThrough
        "#]]);
}

#[test]
fn a_request_joins_a_generation_that_may_answer_it() {
    open("let x = $0\n")
        .request()
        .types("f")
        .request()
        .generates(1, "foo(a);\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   type "f"
                   -> superseded r1
                   -> g1 is speculative now
            15ms   request r2
                   -> g1 is foreground now
            20ms   g1 generates "foo(a);\n"
                   -> respond r2 "oo(a);" Joined
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn typing_something_else_cancels_what_was_computed_ahead() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a);")
        .stops(1)
        .types("b")
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);"
            40ms   g1 stops
                   -> respond r1 "foo(a);" Miss
                   -> start g2 speculative at " x = foo(a);"
            45ms   type "b"
                   -> cancel g2
            50ms   request r2
                   -> start g3 foreground at "let x = b"
        "#]]);
}

#[test]
fn a_newer_request_supersedes_an_older_one_and_joins_its_generation() {
    open("let x = $0\n")
        .request()
        .request()
        .generates(1, "foo;\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   request r2
                   -> superseded r1
            15ms   g1 generates "foo;\n"
                   -> respond r2 "foo;" Joined
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn a_cancelled_request_leaves_its_generation_to_the_next_one() {
    open("let x = $0\n")
        .request()
        .cancels_request()
        .request()
        .generates(1, "foo;\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   cancel r1
                   -> superseded r1
                   -> g1 is speculative now
            15ms   request r2
                   -> g1 is foreground now
            20ms   g1 generates "foo;\n"
                   -> respond r2 "foo;" Joined
                   -> g1 is speculative now
        "#]]);
}

#[test]
fn a_prompt_that_is_too_long_is_tried_twice_with_less() {
    open("let x = $0\n")
        .request()
        .fails(1, GenerationFailure::TooLong)
        .fails(2, GenerationFailure::TooLong)
        .fails(3, GenerationFailure::TooLong)
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 fails: TooLong
                   -> start g2 foreground at "let x = "
            15ms   g2 fails: TooLong
                   -> start g3 foreground at "let x = "
            20ms   g3 fails: TooLong
                   -> silent r1: too long for the model None
            25ms   request r2
                   -> silent r2: too long for the model None
        "#]]);
}

#[test]
fn a_broken_generation_fails_its_request_once() {
    open("let x = $0\n")
        .request()
        .fails(1, GenerationFailure::Broken("out of memory".to_string()))
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 fails: Broken("out of memory")
                   -> failed r1: out of memory
        "#]]);
}

#[test]
fn a_broken_speculation_is_silent_and_not_tried_again() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo;")
        .stops(1)
        .fails(2, GenerationFailure::Broken("out of memory".to_string()))
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo;"
            30ms   g1 stops
                   -> respond r1 "foo;" Miss
                   -> start g2 speculative at "let x = foo;"
            35ms   g2 fails: Broken("out of memory")
        "#]]);
}

#[test]
fn silence_is_remembered_as_a_suggestion_is() {
    open("let x = $0\n")
        .request()
        .generates(1, "\n\n\n\n\n")
        .stops(1)
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "\n\n\n\n\n"
                   -> silent r1: nothing to add Some(Miss)
                   -> cancel g1
            40ms   g1 stops
            45ms   request r2
                   -> silent r2: nothing to add Some(Exact)
        "#]]);
}

#[test]
fn nothing_is_computed_after_a_dismissed_suggestion() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo;")
        .stops(1)
        .dismisses()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo;"
            30ms   g1 stops
                   -> respond r1 "foo;" Miss
                   -> start g2 speculative at "let x = foo;"
            35ms   dismiss
                   -> cancel g2
        "#]]);
}

#[test]
fn closing_a_document_answers_and_cancels() {
    open("let x = $0\n").request().closes().check(expect![[r#"
        0ms    open "let x = $0\n"
        5ms    request r1
               -> start g1 foreground at "let x = "
        10ms   close
               -> superseded r1
               -> cancel g1
    "#]]);
}

#[test]
fn without_speculation_a_generation_ends_with_its_answer() {
    open_with("let x = $0\n", 0)
        .request()
        .generates(1, "foo(a);\n")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> cancel g1
            45ms   accept
            50ms   request r2
                   -> start g2 foreground at "let x = "
        "#]]);
}

#[test]
fn a_popup_item_begins_what_is_suggested() {
    let selected = Some(SelectedCompletion {
        range: Offset(8)..Offset(9),
        text: "foo".to_string(),
    });
    open("let x = f$0\n")
        .request_with(selected)
        .generates(1, "(a);\n")
        .accepts()
        .check(expect![[r#"
            0ms    open "let x = f$0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = foo"
            10ms   g1 generates "(a);\n"
                   -> respond r1 "foo(a);" over "f" Miss
                   -> g1 is speculative now
            40ms   accept
        "#]]);
}

#[test]
fn who_asks_for_several_gets_them_from_one_batch() {
    open("let x = $0\n")
        .request_several(2)
        .rates(1, "fb(")
        .generates(1, "foo")
        .generates(2, "r;\n")
        .generates(1, "(a);\n")
        .generates(3, "a);\n")
        .request()
        .request_several(2)
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1 and 2 more
                   -> start g1 foreground at "let x = "
            10ms   g1 rates "fb("
            15ms   g1 generates "foo"
                   -> start g2 foreground at "let x = b"
            30ms   g2 generates "r;\n"
                   -> cancel g2
                   -> start g3 foreground at "let x = ("
            50ms   g1 generates "(a);\n"
                   -> cancel g1
            70ms   g3 generates "a);\n"
                   -> respond r1 "foo(a);" or "br;" or "(a);" Miss
                   -> cancel g3
                   -> start g4 speculative at "let x = "
            100ms  request r2
                   -> respond r2 "foo(a);" Exact
            105ms  request r3 and 2 more
                   -> respond r3 "foo(a);" or "br;" or "(a);" Exact
        "#]]);
}

#[test]
fn alternatives_are_added_to_what_was_answered_before() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a);\n")
        .request_several(1)
        .rates(2, "bf")
        .generates(2, "foo")
        .generates(3, "ar;\n")
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            45ms   request r2 and 1 more
                   -> start g2 foreground at "let x = "
            50ms   g2 rates "bf"
            55ms   g2 generates "foo"
                   -> cancel g2
                   -> start g3 foreground at "let x = b"
            70ms   g3 generates "ar;\n"
                   -> respond r2 "foo(a);" or "bar;" Exact
                   -> cancel g3
        "#]]);
}

#[test]
fn what_is_looked_ahead_of_is_what_is_on_the_screen() {
    open_with("let x = $0\n", 1)
        .request_several(1)
        .rates(1, "fb")
        .generates(1, "foo(a);\n")
        .generates(2, "ar;\n")
        .cycles_to(0)
        .generates(4, "ret a;\n")
        .accepts()
        .request()
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1 and 1 more
                   -> start g1 foreground at "let x = "
            10ms   g1 rates "fb"
            15ms   g1 generates "foo(a);\n"
                   -> start g2 foreground at "let x = b"
                   -> cancel g1
            50ms   g2 generates "ar;\n"
                   -> respond r1 "foo(a);" or "bar;" Miss
                   -> cancel g2
                   -> start g3 speculative at "let x = "
            65ms   cycle to "bar;"
                   -> cancel g3
                   -> start g4 speculative at "let x = b"
            70ms   g4 generates "ret a;\n"
                   -> cancel g4
            90ms   accept
                   -> start g5 speculative at "let x = b"
            95ms   request r2
                   -> respond r2 "\nret a;" Speculated
        "#]]);
}

#[test]
fn a_part_that_several_suggestions_share_is_counted_once() {
    let selected = Some(SelectedCompletion {
        range: Offset(8)..Offset(9),
        text: "foo".to_string(),
    });
    let mut timeline = open_with("let x = f$0\n", 0);
    timeline
        .asks(selected, 1)
        .rates(1, "(;")
        .generates(1, "(a);\n")
        .generates(2, "bar\n")
        .types("o");
    assert!(
        timeline
            .log
            .contains("\"foo(a);\" over \"f\" or \"foo;bar\""),
        "{}",
        timeline.log
    );
    let counted = |timeline: &Timeline| {
        let stats = timeline.speculator.stats();
        (stats.typed_along, stats.accepted_word)
    };
    assert_eq!(counted(&timeline), (1, 0));
    for number in [1, 2] {
        let suggestion = SuggestionId(number);
        timeline.reports(SuggestionReport::AcceptedPart {
            suggestion,
            length: 2,
        });
    }
    assert_eq!(counted(&timeline), (0, 1));
}

#[test]
fn an_accept_that_is_reported_after_the_next_answer_is_counted() {
    let mut timeline = open("let x = $0\n");
    timeline
        .request()
        .generates(1, "(a);\n")
        .types("(")
        .request();
    let (first, second) = (SuggestionId(1), SuggestionId(2));
    let counted = |timeline: &Timeline| {
        let stats = timeline.speculator.stats();
        (stats.typed_along, stats.accepted_word, stats.accepted_all)
    };
    assert_eq!(counted(&timeline), (1, 0, 0));
    let word = SuggestionReport::AcceptedPart {
        suggestion: first,
        length: 1,
    };
    timeline.reports(word).reports(word);
    assert_eq!(counted(&timeline), (0, 1, 0));
    // The rest is accepted as the second suggestion, and counted once, whichever is reported.
    for suggestion in [first, second] {
        timeline.reports(SuggestionReport::Accepted { suggestion });
    }
    timeline.accepts();
    assert_eq!(counted(&timeline), (0, 1, 1));
}

#[test]
fn where_a_document_is_opened_its_prompt_is_read_and_the_next_key_has_little_left() {
    open("let x = foo(a);\nlet y = $0\n")
        .focuses()
        .moves_to("\nlet y")
        .moves_to(" = \n")
        .waits(100)
        .has_read(1)
        .waits(1_000)
        .types(" ")
        .request()
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    focus
            10ms   move to "\nlet y"
            15ms   move to " = \n"
            20ms   wait 100 ms
                   -> start g1 speculative reading at "oo(a);\nlet y"
            120ms  g1 has read
            125ms  wait 1000 ms
            1125ms type " "
            1130ms request r1
                   -> start g2 foreground at "o(a);\nlet y "
        "#]]);
}

#[test]
fn a_request_continues_the_reading_where_it_is() {
    open("let x = foo(a);\nlet y = $0\n")
        .moves_to("\nlet y")
        .waits(100)
        .types("f")
        .request()
        .has_read(1)
        .generates(2, "oo(b);\n")
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    move to "\nlet y"
            10ms   wait 100 ms
                   -> start g1 speculative reading at " x = foo(a);"
            110ms  type "f"
            115ms  request r1
                   -> g1 is foreground now
            120ms  g1 has read
                   -> start g2 foreground at "x = foo(a);f"
            125ms  g2 generates "oo(b);\n"
                   -> respond r1 "oo(b);" Miss
                   -> g2 is speculative now
        "#]]);
}

#[test]
fn who_types_on_before_an_answer_keeps_the_reading() {
    open("let x = foo(a);\nlet y = $0\n")
        .moves_to("\nlet y")
        .waits(100)
        .types("f")
        .request()
        .cancels_request()
        .types("o")
        .request()
        .has_read(1)
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    move to "\nlet y"
            10ms   wait 100 ms
                   -> start g1 speculative reading at " x = foo(a);"
            110ms  type "f"
            115ms  request r1
                   -> g1 is foreground now
            120ms  cancel r1
                   -> superseded r1
                   -> g1 is speculative now
            125ms  type "o"
            130ms  request r2
                   -> g1 is foreground now
            135ms  g1 has read
                   -> start g2 foreground at " = foo(a);fo"
        "#]]);
}

#[test]
fn a_request_elsewhere_ends_the_reading() {
    open("let x = foo(a);\nlet y = $0\n")
        .moves_to("foo")
        .waits(100)
        .backspaces()
        .request()
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    move to "foo"
            10ms   wait 100 ms
                   -> start g1 speculative reading at "let x = "
            110ms  backspace
                   -> cancel g1
            115ms  request r1
                   -> start g2 foreground at "let x ="
        "#]]);
}

#[test]
fn a_cursor_on_the_move_reads_nothing_and_each_rest_ends_the_one_before() {
    open("let x = foo(a);\nlet y = $0\n")
        .moves_to("x = foo")
        .waits(90)
        .moves_to("foo")
        .waits(90)
        .moves_to("(a)")
        .waits(100)
        .moves_to("y = ")
        .waits(100)
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    move to "x = foo"
            10ms   wait 90 ms
            100ms  move to "foo"
            105ms  wait 90 ms
            195ms  move to "(a)"
            200ms  wait 100 ms
                   -> start g1 speculative reading at "let x = foo"
            300ms  move to "y = "
                   -> cancel g1
            305ms  wait 100 ms
                   -> start g2 speculative reading at "foo(a);\nlet "
        "#]]);
}

#[test]
fn a_state_is_read_once_while_the_user_stays() {
    open("let x = foo(a);\nlet y = $0\n")
        .moves_to("foo")
        .waits(100)
        .has_read(1)
        .moves_to("foo")
        .waits(100)
        .focuses()
        .waits(100)
        .moves_to("(a)")
        .moves_to("foo")
        .waits(100)
        .moves_to("(a)")
        .waits(100)
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    move to "foo"
            10ms   wait 100 ms
                   -> start g1 speculative reading at "let x = "
            110ms  g1 has read
            115ms  move to "foo"
            120ms  wait 100 ms
            220ms  focus
            225ms  wait 100 ms
            325ms  move to "(a)"
            330ms  move to "foo"
            335ms  wait 100 ms
            435ms  move to "(a)"
            440ms  wait 100 ms
                   -> start g2 speculative reading at "let x = foo"
        "#]]);
}

#[test]
fn what_a_request_has_read_is_not_read_again() {
    open("let x = $0\n")
        .request()
        .generates(1, "foo(a);\n")
        .stops(1)
        .waits(1_000)
        .focuses()
        .waits(1_000)
        .check(expect![[r#"
            0ms    open "let x = $0\n"
            5ms    request r1
                   -> start g1 foreground at "let x = "
            10ms   g1 generates "foo(a);\n"
                   -> respond r1 "foo(a);" Miss
                   -> g1 is speculative now
            45ms   g1 stops
            50ms   wait 1000 ms
            1050ms focus
            1055ms wait 1000 ms
        "#]]);
}

#[test]
fn a_text_that_changes_without_a_request_is_read_again() {
    open("let x = foo(a);\nlet y = $0\n")
        .moves_to("foo")
        .waits(100)
        .has_read(1)
        .becomes("let x = $0(a);\nlet y = \n")
        .waits(100)
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    move to "foo"
            10ms   wait 100 ms
                   -> start g1 speculative reading at "let x = "
            110ms  g1 has read
            115ms  becomes "let x = $0(a);\nlet y = \n"
            120ms  wait 100 ms
                   -> start g2 speculative reading at "let x = "
        "#]]);
}

#[test]
fn nothing_is_read_while_something_else_is_computed_ahead() {
    let mut timeline = open("let x = $0\n");
    timeline.request().generates(1, "foo(a);").stops(1);
    timeline.focuses().waits(1_000);
    timeline.generates(2, "\n").stops(2).waits(1_000);
    timeline.check(expect![[r#"
        0ms    open "let x = $0\n"
        5ms    request r1
               -> start g1 foreground at "let x = "
        10ms   g1 generates "foo(a);"
        40ms   g1 stops
               -> respond r1 "foo(a);" Miss
               -> start g2 speculative at " x = foo(a);"
        45ms   focus
        50ms   wait 1000 ms
        1050ms g2 generates "\n"
        1065ms g2 stops
        1070ms wait 1000 ms
    "#]]);
}

#[test]
fn nothing_is_read_where_the_user_is_not() {
    open("let x = foo(a);\nlet y = $0\n")
        .moves_to("foo")
        .loses_focus()
        .waits(1_000)
        .moves_to("(a)")
        .waits(100)
        .loses_focus()
        .moves_to("y")
        .closes()
        .waits(1_000)
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    move to "foo"
            10ms   focus nowhere
            15ms   wait 1000 ms
            1015ms move to "(a)"
            1020ms wait 100 ms
                   -> start g1 speculative reading at "let x = foo"
            1120ms focus nowhere
                   -> cancel g1
            1125ms move to "y"
            1130ms close
            1135ms wait 1000 ms
        "#]]);
}

#[test]
fn nothing_is_read_ahead_without_speculation() {
    open_with("let x = foo(a);\nlet y = $0\n", 0)
        .focuses()
        .waits(1_000)
        .moves_to("foo")
        .waits(1_000)
        .check(expect![[r#"
            0ms    open "let x = foo(a);\nlet y = $0\n"
            5ms    focus
            10ms   wait 1000 ms
            1010ms move to "foo"
            1015ms wait 1000 ms
        "#]]);
}

#[test]
fn a_prompt_that_is_too_long_is_read_as_short_as_it_would_be_asked() {
    let mut timeline = open("let x = foo(a);\nlet y = $0\n");
    timeline.moves_to("foo").waits(100);
    timeline.fails(1, GenerationFailure::TooLong);
    timeline.fails(2, GenerationFailure::TooLong);
    timeline.fails(3, GenerationFailure::TooLong);
    timeline.waits(1_000).request().check(expect![[r#"
        0ms    open "let x = foo(a);\nlet y = $0\n"
        5ms    move to "foo"
        10ms   wait 100 ms
               -> start g1 speculative reading at "let x = "
        110ms  g1 fails: TooLong
               -> start g2 speculative reading at "let x = "
        115ms  g2 fails: TooLong
               -> start g3 speculative reading at "let x = "
        120ms  g3 fails: TooLong
        125ms  wait 1000 ms
        1125ms request r1
               -> silent r1: too long for the model None
    "#]]);
}

#[test]
fn a_line_that_is_too_long_is_not_read() {
    let long = format!("let x = $0{};\n", "a".repeat(3_000));
    let mut timeline = open(&long);
    timeline.log.clear();
    timeline.focuses().moves_to("= ").waits(1_000);
    timeline.check(expect![[r#"
        5ms    focus
        10ms   move to "= "
        15ms   wait 1000 ms
    "#]]);
}

#[test]
fn a_request_does_without_a_reading_that_broke() {
    let broken = GenerationFailure::Broken("out of memory".to_string());
    let mut timeline = open("let x = foo(a);\nlet y = $0\n");
    timeline.moves_to("\nlet y").waits(100);
    timeline.types("f").request().fails(1, broken);
    timeline.generates(2, "oo(b);\n").check(expect![[r#"
        0ms    open "let x = foo(a);\nlet y = $0\n"
        5ms    move to "\nlet y"
        10ms   wait 100 ms
               -> start g1 speculative reading at " x = foo(a);"
        110ms  type "f"
        115ms  request r1
               -> g1 is foreground now
        120ms  g1 fails: Broken("out of memory")
               -> start g2 foreground at "x = foo(a);f"
        125ms  g2 generates "oo(b);\n"
               -> respond r1 "oo(b);" Miss
               -> g2 is speculative now
    "#]]);
}

#[test]
fn a_request_costs_the_same_however_many_documents_are_open() {
    let looked_at = |documents: u64| {
        let mut timeline = open("let x = $0\n");
        for document in 2..2 + documents {
            timeline.is_shown_in(document, &format!("let y{document} = "));
        }
        let before = timeline.speculator.stats().looked_at;
        timeline.request();
        let newest = timeline.newest();
        timeline
            .generates(newest, "foo(a);")
            .generates(newest, "\n");
        assert!(timeline.log().ends_with(&format!(
            "-> respond r{} \"foo(a);\" Miss\n       -> g{newest} is speculative now\n",
            documents + 1
        )));
        timeline.speculator.stats().looked_at - before
    };
    assert!(looked_at(1) < looked_at(30));
    assert_eq!(looked_at(30), looked_at(2_000));
}

#[test]
fn an_accept_is_known_among_many_documents() {
    let mut timeline = open("let x = $0\n");
    timeline.request().generates(1, "foo(a);\n");
    for document in 2..40 {
        timeline.is_shown_in(document, &format!("let y{document} = "));
    }
    // Nothing is computed ahead of it any more, and the accept is counted all the same.
    let suggestion = SuggestionId(1);
    timeline.reports(SuggestionReport::Accepted { suggestion });
    timeline.accepts();
    assert_eq!(timeline.speculator.stats().accepted_all, 1);
}
