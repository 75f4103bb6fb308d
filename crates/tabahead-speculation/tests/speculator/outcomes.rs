//! What became of a suggestion: from changes of the text alone, or with the editor's reports.

use std::ops::Range;

use tabahead_context::{DocumentName, Layout, Suggestion};
use tabahead_speculation::{
    ComputedAhead, DocumentId, Input, Speculator, SuggestionId, SuggestionReport, Timestamp,
};
use tabahead_testkit::{marked, profile, speculator_settings, unnamed};
use tabahead_text::{Document, Offset, Version};

const DOCUMENT: DocumentId = DocumentId(1);
/// The first suggestion that is shown.
const SHOWN: SuggestionId = SuggestionId(1);

/// A document in which a suggestion is shown.
struct Shown {
    speculator: Speculator,
    document: Document,
    cursor: Offset,
    earlier: Vec<(Document, Offset)>,
}

/// Shows `text` at `$0`, over the text between `$0` and `$1` if there is a `$1`.
fn shown(fixture: &str, text: &str) -> Shown {
    let (fixture, start) = marked(fixture);
    let end = fixture.find("$1").unwrap_or(start);
    let document = Document::new(&fixture.replacen("$1", "", 1), Version(1));
    // Outcomes are counted without speculation, too.
    let settings = speculator_settings(ComputedAhead::Nothing);
    let profile = profile("silent", unnamed(Layout::SuffixFirst), 1_000);
    let mut shown = Shown {
        speculator: Speculator::new(settings, profile),
        document: document.clone(),
        cursor: Offset(start),
        earlier: Vec::new(),
    };
    shown.receives(Input::Shown {
        document: DOCUMENT,
        snapshot: document,
        cursor: Offset(start),
        name: DocumentName::default(),
        suggestion: Suggestion {
            range: Offset(start)..Offset(end),
            text: text.to_string(),
        },
    });
    shown
}

impl Shown {
    /// Makes one change with these replacements, whose ranges all refer to the text before it. The
    /// cursor goes after the first.
    fn changes(&mut self, replacements: &[(Range<usize>, &str)]) -> &mut Self {
        self.earlier.push((self.document.clone(), self.cursor));
        let (first, text) = &replacements[0];
        self.cursor = Offset(first.start + text.len());
        let mut ordered: Vec<_> = replacements.iter().collect();
        ordered.sort_by_key(|(range, _)| range.start);
        for (range, text) in ordered.into_iter().rev() {
            let range = Offset(range.start)..Offset(range.end);
            self.document = self.document.with_replaced(range, text);
        }
        self.changed()
    }

    fn types(&mut self, text: &str) -> &mut Self {
        let at = self.cursor.0;
        self.changes(&[(at..at, text)])
    }

    /// Types an opening bracket; the editor inserts the other half after the cursor.
    fn types_pair(&mut self, pair: &str) -> &mut Self {
        self.types(pair);
        self.cursor.0 -= 1;
        self
    }

    fn backspace(&mut self) -> &mut Self {
        let at = self.cursor.0;
        self.changes(&[(at - 1..at, "")])
    }

    /// Reports the cursor as an editor does.
    fn moves(&mut self, cursor: usize) -> &mut Self {
        let snapshot = self.document.clone();
        self.receives(Input::CursorMoved {
            document: DOCUMENT,
            snapshot,
            cursor: Offset(cursor),
            name: DocumentName::default(),
        })
    }

    fn undoes(&mut self) -> &mut Self {
        (self.document, self.cursor) = self.earlier.pop().expect("a change");
        self.changed()
    }

    fn reports_accept(&mut self) -> &mut Self {
        self.reports(SuggestionReport::Accepted { suggestion: SHOWN })
    }

    fn reports_part(&mut self, length: usize) -> &mut Self {
        self.reports(SuggestionReport::AcceptedPart {
            suggestion: SHOWN,
            length,
        })
    }

    fn reports_dismissal(&mut self) -> &mut Self {
        self.reports(SuggestionReport::Dismissed { document: DOCUMENT })
    }

    fn reports(&mut self, report: SuggestionReport) -> &mut Self {
        self.receives(Input::Reported(report))
    }

    fn changed(&mut self) -> &mut Self {
        self.receives(Input::DocumentChanged {
            document: DOCUMENT,
            snapshot: self.document.clone(),
        })
    }

    fn receives(&mut self, input: Input) -> &mut Self {
        self.speculator.handle_input(Timestamp::default(), input);
        while self.speculator.poll_effect().is_some() {}
        self
    }

    /// Checks the nonzero counts, for example `all 1, along 3`.
    #[track_caller]
    fn counts(&self, expected: &str) {
        let stats = self.speculator.stats();
        let counted = [
            ("all", stats.accepted_all),
            ("line", stats.accepted_line),
            ("word", stats.accepted_word),
            ("along", stats.typed_along),
            ("diverged", stats.diverged),
            ("dismissed", stats.dismissed),
        ]
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{what} {count}"))
        .collect::<Vec<_>>();
        assert_eq!(counted.join(", "), expected);
    }
}

#[test]
fn an_accept_is_the_whole_text_in_one_change() {
    shown("let x = $0\n", "foo(a);")
        .types("foo(a);")
        .counts("all 1");
    // Over the closer that the suggestion covers, in one replacement.
    shown("foo($0)$1\n", "a, b);")
        .changes(&[(4..5, "a, b);")])
        .counts("all 1");
    shown("if a {$0\r\n}\r\n", "\r\n    b();")
        .types("\r\n    b();")
        .counts("all 1");
    shown("let x = $0\n", "'日本e\u{301}👩‍💻';")
        .types("'日本e\u{301}👩‍💻';")
        .counts("all 1");
}

#[test]
fn words_and_lines_are_accepted_with_and_without_the_line_end() {
    shown("let x = $0\n", "foo bar\n    baz\n}")
        .types("foo")
        .types(" bar")
        .types("\n    ")
        .types("baz\n")
        .types("}")
        .counts("line 2, word 1, along 2");
    shown("$0", "one\ntwo\nthree")
        .types("one\n")
        .types("two")
        .counts("line 2");
    // The closer that it covers is already there: with its last word, the whole suggestion is in
    // the text.
    shown("foo($0)$1;\n", "aa, bb)")
        .types("aa")
        .types(", bb")
        .counts("all 1, word 1");
}

#[test]
fn characters_are_typed_along() {
    shown("let x = $0\n", "foo(a);")
        .types("f")
        .types("o")
        .types("o")
        .types_pair("()")
        .types("a")
        .counts("along 5");
    shown("$0\r\n", "a\r\n\tb")
        .types("a")
        .types("\r\n\t")
        .types("b")
        .counts("along 3");
}

#[test]
fn the_rest_is_accepted_after_some_was_typed() {
    shown("let x = $0\n", "foo(a);")
        .types("f")
        .types("oo(a);")
        .counts("all 1, along 1");
}

#[test]
fn something_else_diverges_once() {
    shown("let x = $0\n", "foo(a);")
        .types("b")
        .types("f")
        .counts("diverged 1");
    shown("let x = $0\n", "foo(a);")
        .types("f")
        .types("e")
        .counts("along 1, diverged 1");
    shown("let x = $0\n", "foo(a);")
        .backspace()
        .counts("diverged 1");
}

#[test]
fn an_accept_of_one_character_is_known_by_its_report() {
    shown("f(a$0\n", ")").types(")").counts("along 1");
    shown("f(a$0\n", ")")
        .types(")")
        .reports_accept()
        .counts("all 1");
    shown("f(a$0\n", ")")
        .reports_accept()
        .types(")")
        .counts("all 1");
    shown("f(a$0\n", ");")
        .types(")")
        .reports_part(1)
        .counts("word 1");
    shown("f(a$0\n", ");")
        .reports_part(1)
        .types(")")
        .counts("word 1");
    // A report adds nothing to what was already seen.
    shown("let x = $0\n", "foo(a);")
        .types("foo(a);")
        .reports_accept()
        .reports_accept()
        .reports_part(7)
        .counts("all 1");
    shown("let x = $0\n", "foo bar")
        .types("foo")
        .reports_part(3)
        .types(" ")
        .counts("word 1, along 1");
}

#[test]
fn an_accept_whose_change_comes_in_parts_is_known_by_its_report() {
    // A menu deletes the typed word, and inserts the item.
    let mut menu = shown("area(wi$0\n", "dth, height);");
    menu.backspace().counts("diverged 1");
    menu.changes(&[(5..6, "width, height);")])
        .counts("diverged 1");
    menu.reports_accept().reports_accept().counts("all 1");
    let mut menu = shown("area(wi$0\n", "dth, height);");
    menu.backspace()
        .backspace()
        .reports_accept()
        .types("width, height);")
        .counts("all 1");
    // A suggestion that the cursor left, or that was dismissed before, is not accepted.
    let mut left = shown("area(wi$0\n", "dth);");
    left.backspace()
        .moves(0)
        .reports_accept()
        .counts("diverged 1");
    let mut dismissed = shown("area(wi$0\n", "dth);");
    dismissed
        .reports_dismissal()
        .backspace()
        .reports_accept()
        .counts("dismissed 1");
}

#[test]
fn lengths_are_utf_16_units() {
    shown("$0\n", "😀a b")
        .types("😀")
        .reports_part(2)
        .counts("word 1");
    shown("$0\n", "😀a b")
        .types("😀")
        .reports_part(1)
        .counts("along 1");
}

#[test]
fn outcomes_of_what_is_no_longer_shown_are_not_counted() {
    shown("let x = $0\n", "foo")
        .reports_dismissal()
        .types("foo")
        .counts("dismissed 1");
    shown("let x = $0\n", "foo")
        .reports_dismissal()
        .reports_dismissal()
        .counts("dismissed 1");
    shown("let x = $0\n", "foo")
        .moves(0)
        .types("foo")
        .counts("");
    // A report of the cursor where it is known to be changes nothing.
    shown("let x = $0\n", "foo")
        .types("f")
        .moves(9)
        .types("oo")
        .counts("all 1, along 1");
    let unknown = SuggestionId(77);
    shown("let x = $0\n", "foo")
        .reports(SuggestionReport::Accepted {
            suggestion: unknown,
        })
        .reports(SuggestionReport::Displayed {
            suggestion: unknown,
        })
        .reports(SuggestionReport::AcceptedPart {
            suggestion: unknown,
            length: 3,
        })
        .counts("");
}

#[test]
fn several_cursors_are_no_verdict() {
    // The same letter at three places, one of which is where the suggestion is shown.
    shown("a = $0\nb = \nc = \n", "foo")
        .changes(&[(4..4, "f"), (9..9, "f"), (14..14, "f")])
        .types("oo")
        .counts("");
    shown("a = \nb = $0\nc = \n", "foo")
        .changes(&[(9..9, "foo"), (4..4, "foo"), (14..14, "foo")])
        .counts("");
}

#[test]
fn an_undo_of_an_accept_is_no_verdict() {
    shown("let x = $0\n", "foo(a);")
        .types("foo(a);")
        .undoes()
        .types("foo(a);")
        .counts("all 1");
    // Undone in part, and accepted again.
    shown("let x = $0\n", "foo bar")
        .types("foo")
        .undoes()
        .types("foo bar")
        .counts("all 1, word 1");
}

#[test]
fn a_formatter_is_no_verdict() {
    shown("let x  =  $0\n", "foo(a);")
        .changes(&[(0..11, "let x = \n")])
        .types("foo(a);")
        .counts("");
    // An import is added above while the suggestion is shown.
    shown("x\nlet x = $0\n", "foo(a);")
        .changes(&[(0..0, "use y;\n")])
        .counts("");
}

#[test]
fn a_snippet_is_something_else() {
    // The snippet puts the cursor at the first place to fill in.
    shown("lo$0\n", "o(a);")
        .changes(&[(0..2, "for (let i = 0; i < n; i++) {\n\t\n}")])
        .types("i")
        .counts("");
    shown("fo$0\n", "o(a);")
        .types("r (;;) {}")
        .counts("diverged 1");
}
