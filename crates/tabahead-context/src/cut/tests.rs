//! Tests of what is shown, case by case: a document with `$0` at the cursor, then what the model
//! says.

use tabahead_text::Version;

use super::*;
use crate::{
    ContextSettings, ContextWindow, DocumentName, Layout, PathToken, PreTokenizer, stable_boundary,
};

fn settings() -> CutSettings {
    CutSettings {
        max_tokens: 64,
        least_log_prob: None,
        least_log_prob_at_end: f32::NEG_INFINITY,
    }
}

fn rust(document: Document, cursor: Offset) -> State {
    State {
        document,
        cursor,
        name: DocumentName::new("", "rust"),
    }
}

/// Returns the cut of a path in which every character is a token of its own.
#[track_caller]
fn cut_of(fixture: &str, middle: &str, end: PathEnd, settings: &CutSettings) -> (Cut, Document) {
    cut_with_stop(fixture, middle, end, settings, None)
}

/// Like `cut_of`, with a stop masked `masked_at` characters after the cursor.
#[track_caller]
fn cut_with_stop(
    fixture: &str,
    middle: &str,
    end: PathEnd,
    settings: &CutSettings,
    masked_at: Option<usize>,
) -> (Cut, Document) {
    let cursor = Offset(fixture.find("$0").expect("a fixture has a cursor"));
    let document = Document::new(&fixture.replacen("$0", "", 1), Version(1));
    let window = ContextWindow::new(
        &document,
        cursor,
        &DocumentName::default(),
        Layout::SuffixFirst,
        &ContextSettings::default(),
        0,
    )
    .expect("fixtures have short lines");
    let boundary = stable_boundary(PreTokenizer::Qwen2, &window.tail);
    let mut path = Path::new(window.tail.clone(), PreTokenizer::Qwen2);
    path.started(1);
    let healed = window.tail[boundary..].chars();
    let masked_at = masked_at.map(|at| at + healed.clone().count());
    for (at, c) in healed.chain(middle.chars()).enumerate() {
        let token = PathToken {
            id: c.into(),
            bytes: c.to_string().into_bytes(),
            log_prob: -0.5,
            masked_stop: (masked_at == Some(at)).then_some(-0.2),
        };
        path.push(token, boundary);
    }
    path.finish(end);
    let at = window.tail.len();
    let state = rust(document, cursor);
    let cut = cut(&state, &window.left_out, &path, at, settings);
    (cut, state.document)
}

const STOP: PathEnd = PathEnd::Stop { log_prob: -0.1 };

/// Returns the document after an accept, with `$0` at the cursor, or why nothing is shown.
#[track_caller]
fn accepted(fixture: &str, middle: &str) -> String {
    match cut_of(fixture, middle, STOP, &settings()) {
        (Cut::Show(suggestion), document) => {
            let (after, cursor) = suggestion.apply(&document);
            let mut text = after.text();
            text.insert_str(cursor.0, "$0");
            text
        }
        (other, _) => format!("{other:?}"),
    }
}

#[test]
fn the_rest_of_the_line_is_shown() {
    assert_eq!(
        accepted("let a = $0\n", "b + 1;\nlet c"),
        "let a = b + 1;$0\n"
    );
}

#[test]
fn a_model_that_continues_on_the_next_line_shows_that_line() {
    assert_eq!(
        accepted("if a {$0\n}\n", "\n    b();\n    c();"),
        "if a {\n    b();$0\n}\n"
    );
}

#[test]
fn covered_closers_are_replaced_and_not_doubled() {
    assert_eq!(accepted("f($0)\n", "a, b);\n"), "f(a, b);$0\n");
    assert_eq!(accepted("f(g($0))\n", "a), b);"), "f(g(a), b);$0\n");
    assert_eq!(
        accepted("print(\"$0\")\n", "hello\")"),
        "print(\"hello\")$0\n"
    );
}

#[test]
fn closers_of_brackets_opened_in_the_suggestion_cover_nothing() {
    assert_eq!(accepted("f($0)\n", "g(x), h(y)"), "f(g(x), h(y)$0)\n");
}

#[test]
fn a_closer_on_a_later_line_ends_the_suggestion() {
    assert_eq!(
        accepted("f() {\n    $0\n}\n", "a();\n}\n"),
        "f() {\n    a();$0\n}\n"
    );
    assert_eq!(accepted("f() {\n    a();$0\n}\n", "\n}\n"), "Silent(Empty)");
}

/// Checks a table of documents, what the model says before it ends the middle, and the document
/// after an accept or, if nothing is shown, why.
#[track_caller]
fn check_table(table: &[(&str, &str, &str)]) {
    let wrong: Vec<_> = table
        .iter()
        .map(|(fixture, middle, expected)| (fixture, middle, accepted(fixture, middle), *expected))
        .filter(|(_, _, shown, expected)| shown != expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const APART: &str = "Silent(Apart)";
const REPEATS: &str = "Silent(RepeatsSuffix)";

#[test]
fn nothing_is_glued_to_code_that_follows() {
    check_table(&[
        ("calc$0ulate(1)\n", "x + ulate(1)\n", APART),
        ("let a$0b = c;\n", ": A, b = c;\n", APART),
        ("    $0raise\n", ".raise\n", APART),
        ("    $0fetch(url)\n", "await fetch(url)\n", APART),
        (
            "\t$0return nil\n",
            "if err != nil {\n\t\treturn err\n\t}\n",
            APART,
        ),
        ("    $0return total\n", "for item in self.items:\n", APART),
        ("  $0return n;\n", "for (const item of list) {\n", APART),
        ("$0import time\n", "import sys\n", APART),
        ("calc$0ulate(1)\n", "calculate(a):\n", APART),
        ("self.na$0me = other\n", "me = name\n", APART),
        ("self.na$0me = other\n", "med", APART),
        ("se$0lf.start = 0\n", ".pos = 0\n", APART),
        ("x = $0total\n", "sub", APART),
        ("x = f(a$0, b)\n", ")\ny = 1", APART),
        ("x = $0 + tail\n", "a\nb", APART),
        ("x = $0tail\n", "f()", APART),
        ("f($0'a')\n", "b", APART),
        ("let [a, b] $0= f();\n", "+", APART),
        ("from$0 'a'\n", "ise", APART),
        ("x = [\n    \"a\"$0,\n", ":b\"", APART),
        ("\"\"$0\"\n", "\",", APART),
        ("\"$0\"\"\n", "a", APART),
        ("fn f() -$0> u8 {\n", "-", APART),
        ("f(\n  a\n$0);\n", "b", APART),
    ]);
}

#[test]
fn a_suggestion_that_continues_in_the_following_code_is_shown() {
    check_table(&[
        ("$0fetch(url)\n", "await ", APART),
        ("x = $0fetch(url)\n", "await ", APART),
        ("f($0(a, b))\n", "g", APART),
        ("f($0, c)\n", "a,", "f(a$0, c)\n"),
        ("x = $0 + tail\n", "head", "x = head$0 + tail\n"),
        ("x = $0+ tail\n", "head ", "x = head $0+ tail\n"),
        ("let $0 = b;\n", "a = b;\nlet c", "let a$0 = b;\n"),
        ("let $0= b;\n", "a = b;\nlet c", "let a $0= b;\n"),
        ("half = f($0) * 2\n", "a)\nb", "half = f(a)$0 * 2\n"),
        ("half = f($0) * 2\n", "a) + 1\nb", "half = f(a)$0 * 2\n"),
        ("f($0, c)\n", "a, b", "f(a, b$0, c)\n"),
        (
            "n = num$0  # as above\n",
            "ber\nm",
            "n = number$0  # as above\n",
        ),
        ("f($0); // as above\n", "a);\n", "f(a)$0; // as above\n"),
        ("x = \"\"\"$0\"\"\"\n", "bar", "x = \"\"\"bar$0\"\"\"\n"),
        (
            "fn f() {\n    $0}\n",
            "a();\n}\n",
            "fn f() {\n    a();$0}\n",
        ),
        ("f($0, c)\n", "g(a)", "f(g(a)$0, c)\n"),
        ("f($0, c)\n", "g(a, c)\n", APART),
        ("f($0, c)\n", "g(a", APART),
    ]);
}

#[test]
fn a_bracket_that_is_opened_before_closers_is_closed() {
    check_table(&[
        ("app.get(\"/b\", $0);\n", "(req, res) => {\n", APART),
        ("others.map($0);\n", "item => {\n", APART),
        (
            "let b = items.iter().map($0).collect();\n",
            "|x| {\n",
            APART,
        ),
        ("test(\"b\", $0)\n", "() => {\n", APART),
        ("<a onClick={$0} />\n", "() => {\n", APART),
        (
            "others.map($0);\n",
            "item => item.name);\n",
            "others.map(item => item.name)$0;\n",
        ),
        (
            "others.map($0);\n",
            "item => f({item}));",
            "others.map(item => f({item}))$0;\n",
        ),
        ("if (a$0)\n", " && f(b)) {\n", "if (a && f(b)) {$0\n"),
        ("f($0;\n", "a, b);\n", "f(a, b)$0;\n"),
        ("expect(a).is($0)\n", "{}))\n", APART),
        ("f({\n  a\n$0}\n", "})\n", APART),
        ("#[a(b(\"c\"$0))]\n", "]))]\n", APART),
        ("f(\"a\"$0,\n", ");\n", APART),
        (
            "for ($0 {\n",
            "const a of b) {\n",
            "for (const a of b)$0 {\n",
        ),
        ("say($0);\n", "\"(\");\n", "say(\"(\")$0;\n"),
        ("say(\"$0\");\n", "a (b\", c);\n", "say(\"a (b\", c)$0;\n"),
    ]);
}

#[test]
fn closers_that_are_no_brackets_are_covered_too() {
    check_table(&[
        (
            "let b: Vec<$0>\n",
            "String> = Vec::new();\n",
            "let b: Vec<String> = Vec::new();$0\n",
        ),
        (
            "let b: Vec<$0>\n",
            "Option<u8>> = f();\n",
            "let b: Vec<Option<u8>> = f();$0\n",
        ),
        (
            "const b: Map<string, $0>\n",
            "() => void> = f;\n",
            "const b: Map<string, () => void> = f;$0\n",
        ),
        (
            "const b: Map<string, $0>\n",
            "number>\n",
            "const b: Map<string, number$0>\n",
        ),
        (
            "fn put(m: &mut HashMap<$0>) {\n",
            "String, u32>) -> Option<u32> {\n",
            "fn put(m: &mut HashMap<String, u32>$0) {\n",
        ),
        ("if a $0> b {\n", "* 2 > b {\n", "if a * 2 $0> b {\n"),
        (
            "<img src=\"a.png\"$0 />\n",
            " alt=\"A\"/>\n",
            "<img src=\"a.png\" alt=\"A\"$0 />\n",
        ),
        ("{% $0 %}\n", "if user%}\n", "{% if user$0 %}\n"),
        ("<%= $0 %>\n", "path%>\n", "<%= path$0 %>\n"),
        ("<%= $0 %>\n", "path%> and\n", "<%= path%> and$0\n"),
        ("/* $0 */\n", "first part*/\n", "/* first part$0 */\n"),
        (
            "<!-- $0 -->\n",
            "first part-->\n",
            "<!-- first part$0 -->\n",
        ),
        ("{{ $0 }}\n", "name }}\n", "{{ name }}$0\n"),
        ("<?php $0 ?>\n", "echo $a;?>\n", "<?php echo $a;$0 ?>\n"),
    ]);
}

#[test]
fn an_element_that_the_text_ends_in_another_way_has_one_end() {
    check_table(&[
        (
            "  <item $0/>\n",
            "name=\"a\">text</item>\n",
            "  <item name=\"a\">text</item>$0\n",
        ),
        (
            "return <Item $0/>;\n",
            "a={b > c && <i/>}>c</Item>;\n",
            "return <Item a={b > c && <i/>}>c</Item>$0;\n",
        ),
        ("<br$0/>\n", ">\n", REPEATS),
        (
            "<img src=\"a\"$0>\n",
            " alt=\"b\"/>\n",
            "<img src=\"a\" alt=\"b\"$0>\n",
        ),
        // The element began on a line above.
        (
            "<Item\n  a=\"b\"$0/>\n",
            " c>d</Item>\n",
            "<Item\n  a=\"b\" c>d</Item>$0\n",
        ),
        ("<Item\n  a=\"b\"$0>\n", " c>\n", "<Item\n  a=\"b\" c$0>\n"),
    ]);
}

#[test]
fn a_tag_ends_once() {
    check_table(&[
        ("<Main $0>\n", "a={b} />\n", "<Main a={b}$0>\n"),
        ("<Main $0>\n", "/>\n", REPEATS),
        ("<p $0>\n", "class=\"x\">Two</p>\n", "<p class=\"x\"$0>\n"),
        ("<p $0></p>\n", "a=\"b\"></p>\n", "<p a=\"b\"$0></p>\n"),
        ("<p class=$0>\n", "\"a\">\n", "<p class=\"a\"$0>\n"),
        ("<P a=$0/>\n", "\"b\" />\n", "<P a=\"b\"$0/>\n"),
        ("{a.map((b) => <li$0)}\n", " c=\"d\">\n", APART),
        ("if a $0> b {\n", "* 2 > b {\n", "if a * 2 $0> b {\n"),
        ("<a></$0>\n", "a>\n", "<a></a$0>\n"),
        ("<a>b</a$0>\n", "></p>\n", REPEATS),
        ("<br$0/>\n", "anch=\"a\"", APART),
        ("<br$0/>\n", " class=\"a\"", "<br class=\"a\"$0/>\n"),
    ]);
}

#[test]
fn a_template_ends_as_it_began() {
    check_table(&[
        ("{{ $0 }}\n", "item %}\n", APART),
        ("{% $0 %}\n", "if a %}\n", "{% if a$0 %}\n"),
        ("{{ a }}{% $0 %}\n", "if b %}\n", "{{ a }}{% if b$0 %}\n"),
    ]);
}

#[test]
fn a_quote_after_a_bracket_in_a_literal_ends_it() {
    check_table(&[
        ("f(\"a {$0}\");\n", "x}\");\n", "f(\"a {x}\")$0;\n"),
        ("f(\"a {$0}\")\n", "x}\")\n", "f(\"a {x}\")$0\n"),
        ("f(\"a {$0}\", b);\n", "x}\", b);\n", "f(\"a {x}\"$0, b);\n"),
        ("run(\"a ($0\");\n", "b)\");\n", "run(\"a (b)\")$0;\n"),
    ]);
}

#[test]
fn nothing_that_follows_becomes_a_part_of_a_comment() {
    check_table(&[
        ("f(a$0),\n", ", b  # the second\n", "f(a, b$0),\n"),
        ("if err != nil {$0}\n", "// nothing\n", REPEATS),
        ("f() {$0}\n", " /* nothing\n", REPEATS),
        ("f($0);\n", "a /* b */\n", "f(a /* b */$0);\n"),
        (
            "get($0);\n",
            "\"http://a // b\"\n",
            "get(\"http://a // b\"$0);\n",
        ),
        ("f();$0\n", " // and on\n", "f(); // and on$0\n"),
        ("# see $0)\n", "# 3\n", "# see # 3$0)\n"),
        ("f($0)\n", "a # b)\n", APART),
        ("f($0)\n", "\"# a\")\n", "f(\"# a\")$0\n"),
        ("f($0)\n", "a // b)\n", "f(a // b)$0\n"),
    ]);
}

#[test]
fn no_finished_value_is_put_before_a_block() {
    check_table(&[
        ("get('/b', (c) =>$0 {\n", " c.text('B'))\n", APART),
        ("b := &T$0{\n", "{}\n", REPEATS),
        ("n: M =$0 {}\n", " m\n", APART),
        ("d$0 { e: f; }\n", ":\n", APART),
        ("let a: M<T$0> {\n", "> = new();\n", REPEATS),
        ("if a$0 {\n", " > b {\n", "if a > b$0 {\n"),
        ("} else if $0 {\n", "a {\n", "} else if a$0 {\n"),
        ("impl A for $0 {\n", "B {\n", "impl A for B$0 {\n"),
        (
            "pub(crate) fn f() $0{\n",
            "-> u8 {\n",
            "pub(crate) fn f() -> u8 $0{\n",
        ),
        ("render($0) {\n", "props) {\n", "render(props)$0 {\n"),
        (
            "get('/b', async ($0) => {\n",
            "c) => {\n",
            "get('/b', async (c)$0 => {\n",
        ),
        ("export type A = $0{\n", "(b: C) => D | undefined", APART),
    ]);
}

#[test]
fn what_is_closed_below_keeps_its_opener() {
    check_table(&[
        ("f(a$0, {\n", ")\n", APART),
        ("f(a$0, {\n", ", b, {\n", "f(a, b$0, {\n"),
    ]);
}

#[test]
fn no_literal_is_ended_and_no_escape_parted_within_a_literal() {
    check_table(&[
        ("    'b=\"$0\"'\n", "',\n", APART),
        ("f(\"b \\$0\"%s\\\", c\");\n", "n\");\n", APART),
        ("f(\"$0\");\n", "a\\n\");\n", "f(\"a\\n\")$0;\n"),
        ("f(f\"({a$0})\")\n", ", b):\n", APART),
        ("f(f\"{a$0\n", ")\")\n", APART),
        ("f(f\"{a$0\n", "[0]}\")\n", "f(f\"{a[0]}\")$0\n"),
        (
            "a = \"($0\n",
            "\" + b + \"]\"\n",
            "a = \"(\" + b + \"]\"$0\n",
        ),
        ("/* a *$0*/\n", "/\n", APART),
        ("/**$0*/\n", " a */\n", "/** a$0*/\n"),
        ("html`${Style(a)$0}`\n", ";", APART),
    ]);
}

#[test]
fn an_operator_after_the_cursor_keeps_its_operand() {
    check_table(&[
        ("f<A>()$0.is(b)\n", ";.is(b)\n", APART),
        ("f(a).$0is(b)\n", "..is(b)\n", APART),
        ("g = (a: A) $0=> {\n", "async => {\n", APART),
        ("g = [a] $0= b\n", "c = b\n", APART),
        ("self.a $0= b\n", "c ", APART),
        ("a = (b) $0== c\n", "if d == c\n", "a = (b) if d $0== c\n"),
        ("v = (a >$0 MAX / b)\n", "_MAX / b)\n", APART),
        ("f(a)$0.is(b)\n", ".not.is(b)\n", "f(a).not$0.is(b)\n"),
        ("let a$0 = b;\n", ": A = b;\n", "let a: A$0 = b;\n"),
    ]);
}

#[test]
fn an_operator_that_begins_a_value_still_does() {
    check_table(&[
        ("read($0&mut a);\n", "b", APART),
        ("read($0&mut a);\n", "b, &mut a);\n", "read(b, $0&mut a);\n"),
        ("f(a, $0-1)\n", "b", APART),
        ("return $0!a;\n", "b ", APART),
        ("[$0...a]\n", "b", APART),
        ("x = $0 + b\n", "a", "x = a$0 + b\n"),
        ("x = y($0 - b)\n", "a", "x = y(a$0 - b)\n"),
    ]);
}

#[test]
fn a_line_that_goes_on_after_the_cursor_is_not_said_twice() {
    let line = "if a := of(long, name, b); a $0!= nil {\n";
    check_table(&[
        (line, ":= of(long, name, b); a ", APART),
        (
            line,
            "> b && a ",
            "if a := of(long, name, b); a > b && a $0!= nil {\n",
        ),
        ("f(name.that.is.long, $0, b)\n", "name.that.is.long", APART),
    ]);
}

#[test]
fn a_comment_ends_once() {
    check_table(&[
        ("/* x = 1$0; */\n", " */\n", APART),
        ("/* f(x$0); */\n", " + 1); */\n", "/* f(x + 1)$0; */\n"),
        ("<!-- f(x$0); -->\n", ") -->\n", APART),
        ("z.infer<typeof $0a>>()\n", "b<z.infer<typeof ", APART),
        ("[val$0]\n", " for val in fields:\n", APART),
    ]);
}

#[test]
fn what_is_written_before_code_stays_what_it_is() {
    check_table(&[
        ("r = new Request$0(a)\n", " = new Request(a)\n", APART),
        ("enum$0 A {\n", ". A {\n", APART),
        ("import { A }$0 from 'b'\n", "_ from 'b'\n", APART),
        ("it('a', async $0() => {\n", "async () => {\n", APART),
        ("g(c, async (s) $0=> {\n", "| undefined) => {\n", APART),
        ("run($0\"\", \"\")\n", "trim(a)\n", APART),
        (
            "run($0\"\", \"\")\n",
            "a, \"\", \"\")\n",
            "run(a, $0\"\", \"\")\n",
        ),
        ("it('a'$0, () => {\n", "]', () => {\n", APART),
        ("fn f(&'a $0mut self) {\n", "&mut self) {\n", APART),
        ("x != \"a\"$0{\n", "' {\n", APART),
        ("f('$0./a')\n", "b'./a')\n", APART),
        ("x = $0 + 'b'\n", "'first", APART),
        ("f('\"{}$0\"'.g())\n", "'\"'\n", APART),
        ("b = \"\"$0.join(c)\n", "\"\".join(c)\n", APART),
        (
            "fn f(a: A$0) {\n",
            ", b: &'b B) {\n",
            "fn f(a: A, b: &'b B)$0 {\n",
        ),
        ("f(\"a$0\")\n", " doesn't\n", "f(\"a doesn't$0\")\n"),
        ("f('$0')\n", "a b')\n", "f('a b')$0\n"),
        ("  <App$0 />\n", ">\n", REPEATS),
        ("  return (<App $0)\n", "a=\"b\">\n", APART),
    ]);
}

#[test]
fn what_closers_follow_is_complete() {
    check_table(&[
        ("int b = $0 /* n */;\n", "0;\n", "int b = 0$0 /* n */;\n"),
        ("f($0 /* n */);\n", "a,\n", "f(a$0 /* n */);\n"),
        ("int b = $0 /* n */\n", "0;\n", "int b = 0;$0 /* n */\n"),
        ("f(a$0 /* n */ + c);\n", "b\n", APART),
        (
            "log(A, \"$0\");\n",
            "no %s\", b,\n",
            "log(A, \"no %s\", b$0);\n",
        ),
        ("log(A, $0);\n", "b,\n", "log(A, b$0);\n"),
        ("t = ($0)\n", "a,\n", "t = (a,$0)\n"),
        ("t = (\n    $0)\n", "assert a == b\n", APART),
        ("t = (\n    $0)\n", "a == b\n", "t = (\n    a == b$0)\n"),
        (
            "f(() => {\n    $0})\n",
            "return a\n",
            "f(() => {\n    return a$0})\n",
        ),
        ("x[\"a\"$0: {\n", ",\n", APART),
        ("if !has($0) {\n", "a, b):\n", APART),
        ("f(a$0)\n", " +\n", APART),
        ("f(a$0)\n", "++\n", "f(a++$0)\n"),
        ("    \"a\"$0,\n", ".\n", APART),
        ("a = f(1$0);\n", ".\n", "a = f(1.$0);\n"),
        ("a[1$0]\n", "..\n", "a[1..$0]\n"),
        ("f(\"a$0\")\n", " -\n", "f(\"a -$0\")\n"),
        ("int main($0) {\n", ") {\n", REPEATS),
        ("int main($0)\n{\n", ") {\n", REPEATS),
        ("int main($0)\n{\n", "int a) {\n", "int main(int a)$0\n{\n"),
        ("if (a$0\n{\n", " > b) {\n", "if (a > b)$0\n{\n"),
        ("if (a$0\n  b;\n", " > b) {\n", "if (a > b) {$0\n  b;\n"),
        ("a = \"\"  $0  # none\n", "^\n", APART),
    ]);
}

#[test]
fn where_the_model_would_end_before_code_nothing_is_put() {
    let cut_at =
        |fixture, middle, masked_at| cut_with_stop(fixture, middle, STOP, &settings(), masked_at).0;
    let ends = Cut::Silent(Silence::EndOfMiddle);
    assert_eq!(cut_at("    $0raise\n", ".raise\n", Some(0)), ends);
    assert_eq!(cut_at("f($0, c)\n", "a, c)\n", Some(0)), ends);
    assert!(matches!(
        cut_at("f($0, c)\n", "a, c)\n", None),
        Cut::Show(_)
    ));
    assert!(matches!(cut_at("f($0)\n", "a)\n", Some(0)), Cut::Show(_)));
}

#[test]
fn chat_is_no_code() {
    for middle in ["```\n", "\n```\n\nThis code", "\n    ```c\n"] {
        assert_eq!(
            accepted("fn f() {}$0\n", middle),
            "Silent(Empty)",
            "{middle:?}"
        );
        assert_eq!(
            accepted("fn f() {}\n$0", middle),
            "Silent(Empty)",
            "{middle:?}"
        );
    }
    // A text in long quotes may contain fences.
    assert_eq!(
        accepted("\"\"\"\n```\na\n$0\n\"\"\"\n", "```\n"),
        "\"\"\"\n```\na\n```$0\n\"\"\"\n"
    );
    assert_eq!(accepted("/// $0\n", "```\n"), "/// ```$0\n");
}

#[test]
fn no_character_that_commands_a_terminal_is_written() {
    assert_eq!(accepted("return $0\n", "a\0b\n"), "return a$0\n");
    assert_eq!(accepted("return $0\n", "\u{1b}[31m\n"), "Silent(Empty)");
    assert_eq!(accepted("return $0\n", "a\tb\n"), "return a\tb$0\n");
}

#[test]
fn no_statement_ends_within_brackets() {
    check_table(&[
        (
            "fn f(v: Vec<$0>) {\n",
            "i32> = v;\n",
            "fn f(v: Vec<i32>$0) {\n",
        ),
        ("f(a$0)\n", " = b;\n", APART),
        (
            "type A = B<C<$0>>;\n",
            "string>;\n",
            "type A = B<C<string>$0>;\n",
        ),
        ("if (c) $0{\n", "return 2;\n", APART),
        ("  event: $0{\n", "'client',\n", APART),
        (
            "const arr = [foo($0)]\n",
            "bar);\n",
            "const arr = [foo(bar)$0]\n",
        ),
        ("[a, \"$0\", b]\n", "cp\":\n", "[a, \"cp\"$0, b]\n"),
        ("    \"$0\",\n", "cp\":\n", "    \"cp\"$0,\n"),
        ("f(a$0)\n", " if b else \\\n", APART),
        ("f(a$0):\n", "):\n", REPEATS),
        ("a[1$0]\n", ":\n", "a[1:$0]\n"),
    ]);
}

#[test]
fn closers_close_what_they_closed_before() {
    check_table(&[
        ("a = {\n  b: {\n  },\n$0}\n", "  route: {\n", APART),
        ("f(\n  a$0)\n", ", (b\n", APART),
        ("f(\n  a$0)\n", ", (b))\n", "f(\n  a, (b))$0\n"),
    ]);
}

#[test]
fn a_closer_that_begins_its_line_ends_what_is_above_it() {
    check_table(&[
        ("if a {\n    b();\n$0}\n", "    c();\n", APART),
        ("if a {\n    b();\n    $0}\n", "c();\n", APART),
        ("if a {\n    $0}\n", "c();\n", "if a {\n    c();$0}\n"),
        ("if a {\n\n    $0}\n", "c();\n", "if a {\n\n    c();$0}\n"),
        ("f(\n  a,\n  $0)\n", "b\n", APART),
        ("if a {\n$0}\n", "} else {\n", APART),
        ("f(() => {\n$0})\n", "});\n", "f(() => {\n});$0\n"),
    ]);
}

#[test]
fn code_that_a_comment_follows_is_complete() {
    check_table(&[
        ("if a == B:$0  # none\n", ":\n", APART),
        ("if a: $0 # none\n", "2:\n", APART),
        ("f(a)  $0  // as above\n", "#b()\n", APART),
        ("    f(a, $0  # the second\n", "b,\n", APART),
        ("let a = $0 // one\n", "1;\n", "let a = 1;$0 // one\n"),
        ("let a = f($0); // one\n", "b", "let a = f(b$0); // one\n"),
    ]);
}

#[test]
fn no_value_becomes_a_key() {
    check_table(&[
        ("f(\"a\"$0)\n", ": \"b\")\n", APART),
        (
            "f(c ? \"a\"$0)\n",
            " : \"b\")\n",
            "f(c ? \"a\" : \"b\")$0\n",
        ),
        ("x = {\"a\", \"b\"$0}\n", ": 1}\n", APART),
        (
            "x = {\"a\": 1, \"b\"$0}\n",
            ": 2}\n",
            "x = {\"a\": 1, \"b\": 2}$0\n",
        ),
        ("x = {\"a\"$0}\n", ": 1}\n", "x = {\"a\": 1}$0\n"),
        ("    \"a\"$0,\n", ": 1,\n", APART),
        ("b[\"a\"$0]\n", ":]\n", "b[\"a\":]$0\n"),
    ]);
}

#[test]
fn parameters_are_declared() {
    check_table(&[
        ("def f($0):\n", "reversed(list(s))):\n", APART),
        ("fn f<'a>(&'a self$0) -> A {\n", ".lock())\n", APART),
        ("def f(a=b$0):\n", ".c):\n", "def f(a=b.c)$0:\n"),
        ("def f($0):\n", "\"a\")\n", APART),
        (
            "func f($0) {\n",
            "g func(int)) {\n",
            "func f(g func(int))$0 {\n",
        ),
        (
            "func f($0) {\n",
            "func(int)) {\n",
            "func f(func(int))$0 {\n",
        ),
        ("f(self$0);\n", ".lock());\n", "f(self.lock())$0;\n"),
        ("pub(crate$0) fn f() {\n", ": B)\n", APART),
        ("pub(crate$0) a: B,\n", "_c: d)\n", APART),
        ("pub($0) fn f() {\n", "crate)\n", "pub(crate)$0 fn f() {\n"),
        ("a: $0Vec<B>,\n", "Option<Vec<B>,\n", APART),
    ]);
}

#[test]
fn no_item_of_a_list_begins_with_a_dot() {
    check_table(&[
        ("[4,$0 None]\n", " .py,\n", APART),
        ("f(a,$0, b)\n", " .c", APART),
        ("f(a()$0, b)\n", ".c", "f(a().c$0, b)\n"),
        ("f($0, b)\n", "...c", "f(...c$0, b)\n"),
        (
            "{.a = 1,$0, .c = 2}\n",
            " .b = 3",
            "{.a = 1, .b = 3$0, .c = 2}\n",
        ),
    ]);
}

#[test]
fn what_an_accept_would_not_change_is_not_shown() {
    check_table(&[
        ("print(\"b\"$0)\n", ")\n", REPEATS),
        ("bar(x.into()$0);\n", ");\n", REPEATS),
        ("bar(x$0);\n", ".into());\n", "bar(x.into())$0;\n"),
    ]);
}

#[test]
fn no_text_begins_right_after_a_literal_or_in_an_end_tag() {
    check_table(&[
        ("test('two'$0, () => {\n", "san'\n", APART),
        ("</body$0>\n", " class=\"x\"\n", APART),
        ("</bo$0>\n", "dy>\n", "</body$0>\n"),
        ("<template v-else-if=\"a\"$0>\n", ":", APART),
        ("<a v-if=\"ok\"$0>\n", "...", APART),
        (
            "<a v-if=\"ok\"$0>\n",
            " b=\"c\">\n",
            "<a v-if=\"ok\" b=\"c\"$0>\n",
        ),
    ]);
}

#[test]
fn a_text_in_long_quotes_is_not_begun_above_one() {
    let below = "class A:\n$0\n    \"\"\"\n    About A.\n    \"\"\"\n";
    assert_eq!(accepted(below, "    \"\"\"\n"), REPEATS);
    assert_eq!(accepted(below, "    \"\"\"About it.\"\"\"\n"), REPEATS);
    assert_eq!(
        accepted("class A:\n    $0\n    a = 1\n", "\"\"\"About A.\"\"\"\n"),
        "class A:\n    \"\"\"About A.\"\"\"$0\n    a = 1\n"
    );
}

#[test]
fn the_text_ends_where_it_meets_what_follows_a_covered_closer() {
    check_table(&[
        (
            "<li class=\"$0\">Two</li>\n",
            "item\">One</li>\n",
            "<li class=\"item\"$0>Two</li>\n",
        ),
        (
            "<a href=\"$0\">About</a>\n",
            "/about\">Home</a>\n",
            "<a href=\"/about\"$0>About</a>\n",
        ),
    ]);
}

#[test]
fn what_stays_after_the_cursor_is_part_of_the_line_that_is_made() {
    check_table(&[
        (
            "    \"$0\",\n    \"user_data_dir\",\n",
            "user_data_dir\",\n",
            REPEATS,
        ),
        (
            "    include($0),\n    include(operators),\n",
            "operators),\n",
            REPEATS,
        ),
        (
            "include('$0')\ninclude('operators')\n",
            "operators')\n",
            REPEATS,
        ),
        ("d[$0]\nd[\"alpha_key\"]\n", "\"alpha_key\"]\n", REPEATS),
        ("\"$0\",\n\"packages/b\"\n", "packages/b\",\n", REPEATS),
        (
            "\"packages/a\",\n\"$0\"\n",
            "packages/a\"\n",
            "Silent(Repetition)",
        ),
        (
            "    include(operators),\n    include($0),\n",
            "operators),\n",
            "Silent(Repetition)",
        ),
        (
            "bar(second_value);\nbar($0);\n",
            "second_value);\n",
            "Silent(Repetition)",
        ),
        (
            "    \"user_dir\",\n    \"$0\",\n",
            "user_dir\",\n",
            "Silent(Repetition)",
        ),
        (
            "f(first);\nf($0);\nf(third);\n",
            "second);\n",
            "f(first);\nf(second)$0;\nf(third);\n",
        ),
    ]);
}

#[test]
fn in_mid_line_what_follows_is_not_repeated() {
    assert_eq!(accepted("let $0 = b;\n", "a = b;"), "let a$0 = b;\n");
    assert_eq!(accepted("let a$0 = b;\n", " = b;"), "Silent(RepeatsSuffix)");
    assert_eq!(accepted("x = $0 + tail\n", "\nmore"), "Silent(Empty)");
}

#[test]
fn the_lines_below_are_not_suggested_again() {
    check_table(&[
        (
            "{\n$0\n\"bbb\": 2,\n\n\"ccc\": 3,\n}\n",
            "\"ccc\": 3,\n",
            REPEATS,
        ),
        (
            "{\n$0\n\"bbb\": 2,\n\"ccc\": 3,\n\"ddd\": 4,\n}\n",
            "\"ddd\": 4,\n",
            "{\n\"ddd\": 4,$0\n\"bbb\": 2,\n\"ccc\": 3,\n\"ddd\": 4,\n}\n",
        ),
    ]);
    assert_eq!(
        accepted("a();\n$0\nreturn total;\n", "return total;"),
        "Silent(RepeatsSuffix)"
    );
}

#[test]
fn the_line_above_is_not_suggested_again() {
    let middle = "\n    total += 1;";
    assert_eq!(
        accepted("    total += 1;$0\n", middle),
        "Silent(Repetition)",
        "as a new line"
    );
    assert_eq!(
        accepted("    total += 1;\n    $0\n", "total += 1;"),
        "Silent(Repetition)",
        "on a line that was opened for it"
    );
    assert_eq!(
        accepted("    total += 1;\n    tot$0\n", "al += 1;"),
        "Silent(Repetition)",
        "on a line that was begun"
    );
    assert_eq!(
        accepted("    total += 2;$0\n", middle),
        "    total += 2;\n    total += 1;$0\n"
    );
    assert_eq!(
        accepted("    { {\n    }\n    $0\n", "}"),
        "    { {\n    }\n    }$0\n",
        "closers stand below each other"
    );
}

#[test]
fn what_the_block_defines_is_not_defined_again() {
    let class = |inner: &str| {
        format!(
            "class A:\n    def size(self):\n        return 1\n{inner}\n\nclass B:\n    def name(self):\n"
        )
    };
    let new_line = "\n    def size(self):";
    assert_eq!(
        accepted(&class("        x()$0"), new_line),
        "Silent(Repetition)"
    );
    assert_eq!(
        accepted(&class("    def $0"), "size(self):"),
        "Silent(Repetition)"
    );
    assert_eq!(
        accepted(
            "fn a() {\n}\n$0\nfn c() {\n}\npub fn b() {\n}\n",
            "pub fn b() {"
        ),
        "Silent(Repetition)",
        "further below"
    );
    let shown = |fixture: &str, middle: &str| {
        assert_eq!(
            accepted(fixture, middle),
            fixture.replacen("$0", &format!("{middle}$0"), 1)
        );
    };
    shown(&class("    def $0"), "name(self):");
    shown(&class("    def $0"), "size(self, unit):");
    shown(&class("    def size(self$0"), ", unit):");
    shown("fn a(\n    b: u8,\n) {}\n$0\n", "fn a(");
    shown("first()\nsecond()\n$0\n", "first()");
}

#[test]
fn a_text_that_repeats_in_a_cycle_is_not_shown() {
    let middle = "_eval".repeat(9);
    assert_eq!(accepted("x = $0\n", &middle), "Silent(Repetition)");
    assert_eq!(accepted("|$0\n", &"--|".repeat(20)), "Silent(Repetition)");
    for fixture in ["a = $0\n", "a.map($0);\n"] {
        assert_eq!(accepted(fixture, &"|".repeat(64)), "Silent(Repetition)");
    }
    assert_eq!(accepted("[a]($0)\n", &"+".repeat(64)), "Silent(Repetition)");
    for (middle, count) in [("-", 60), ("--|", 12)] {
        let middle = middle.repeat(count);
        assert_eq!(accepted("# $0\n", &middle), format!("# {middle}$0\n"));
    }
}

#[test]
fn inserted_lines_end_as_the_document_s_lines_do() {
    assert_eq!(
        accepted("if a:$0\r\n", "\n    b()"),
        "if a:\r\n    b()$0\r\n"
    );
    // In a file with mixed line ends, the cursor's line decides.
    assert_eq!(
        accepted("# x\nif a:$0\r\nc\n", "\n    b()"),
        "# x\nif a:\r\n    b()$0\r\nc\n"
    );
    assert_eq!(
        accepted("# x\r\nif a:$0\nc\r\n", "\n    b()"),
        "# x\r\nif a:\n    b()$0\nc\r\n"
    );
    assert_eq!(
        accepted("# x\nb\r\nif a:$0", "\n    b()"),
        "# x\nb\r\nif a:\r\n    b()$0"
    );
}

#[test]
fn an_open_path_is_read_on_until_it_decides() {
    let open = |middle| cut_of("let a = $0\n", middle, PathEnd::Open, &settings()).0;
    assert_eq!(open("b + 1"), Cut::NeedMore);
    assert!(matches!(open("b + 1;\n"), Cut::Show(_)));
    assert_eq!(open("b + 1;\n"), open("b + 1;\nmore and more"));
}

#[test]
fn the_gate_and_the_limit_count_tokens_after_the_cursor() {
    let unsure = CutSettings {
        least_log_prob: Some(-0.4),
        ..settings()
    };
    assert_eq!(
        cut_of("a = $0\n", "b\n", STOP, &unsure).0,
        Cut::Silent(Silence::Unsure)
    );
    let short = CutSettings {
        max_tokens: 3,
        ..settings()
    };
    let (cut, _) = cut_of("a = $0\n", "bcdef", PathEnd::Open, &short);
    let Cut::Show(suggestion) = cut else {
        panic!("{cut:?}")
    };
    assert_eq!(suggestion.text, "bcd");
}

#[test]
fn a_token_over_the_cursor_is_read_from_there() {
    let state = rust(Document::new("a = fo\n", Version(1)), Offset(6));
    let mut path = Path::new("a = f".to_string(), PreTokenizer::Qwen2);
    path.started(1);
    for (id, text) in [(1, " foo"), (2, ";\n")] {
        let token = PathToken {
            id,
            bytes: text.into(),
            log_prob: -0.5,
            masked_stop: None,
        };
        path.push(token, path.boundary());
    }
    let Cut::Show(suggestion) = cut(&state, "", &path, 6, &settings()) else {
        panic!("nothing is shown")
    };
    assert_eq!(suggestion.text, "o;");
}

#[test]
fn where_the_model_would_have_ended_it_must_be_surer() {
    let cut_at = |masked_at, least_log_prob_at_end| {
        let settings = CutSettings {
            least_log_prob_at_end,
            ..settings()
        };
        cut_with_stop("a = b;$0\n", " c();\n", STOP, &settings, masked_at).0
    };
    let (ends, shown) = (Cut::Silent(Silence::EndOfMiddle), cut_at(None, -0.4));
    assert!(matches!(shown, Cut::Show(_)));
    assert_eq!(cut_at(Some(0), -0.4), ends);
    assert_eq!(cut_at(Some(0), f32::INFINITY), ends);
    assert_eq!(cut_at(Some(0), -0.6), shown);
    // A path that began at an earlier place was asked there, not here.
    assert_eq!(cut_at(Some(1), -0.4), shown);
}

#[test]
fn a_decided_cut_is_the_same_for_every_longer_path() {
    let middle = "foo(a, [b]) + \"π\";\nlet rest = 1;\n";
    for fixture in ["let x = $0\n", "g($0)\n", "{\n  $0\n}\n", "y = $0 + 1\n"] {
        let mut decided = None;
        for end in middle.char_indices().map(|(at, c)| at + c.len_utf8()) {
            let (cut, _) = cut_of(fixture, &middle[..end], PathEnd::Open, &settings());
            match &decided {
                None if cut != Cut::NeedMore => decided = Some(cut),
                None => {}
                Some(earlier) => assert_eq!(&cut, earlier, "{fixture:?} {:?}", &middle[..end]),
            }
        }
        assert!(decided.is_some(), "{fixture:?}");
    }
}

#[test]
fn what_cannot_follow_the_text_before_the_cursor_is_not_shown() {
    check_table(&[
        ("fn f() {\n    g.$0\n}\n", "h(1));", "Silent(Unfit)"),
        (
            "fn f() {\n    g.$0\n}\n",
            "h(1);",
            "fn f() {\n    g.h(1);$0\n}\n",
        ),
        ("let a = f($0\n", " b);", "Silent(Unfit)"),
        ("$0", "    let a = 1;", "Silent(Unfit)"),
    ]);
}

#[test]
fn no_block_is_closed_whose_lines_go_on_below() {
    check_table(&[
        (
            "struct A {\n    a: u8,$0\n    b: u8,\n}\n",
            "\n}\n",
            "Silent(Unfit)",
        ),
        (
            "mod a {\nstruct A {\n    a: u8,$0\n    b: u8,\n}\n",
            "\n}\n",
            "Silent(Unfit)",
        ),
        (
            "f(|| {\n    a();\n$0\n\n    b();\n});\n",
            "});\n",
            "Silent(Unfit)",
        ),
        (
            "struct A {\n    a: u8,$0\nstruct B {\n",
            "\n}\n",
            "struct A {\n    a: u8,\n}$0\nstruct B {\n",
        ),
        (
            "f(a, || {\n    b();$0\n    .c();\n",
            "\n})\n",
            "f(a, || {\n    b();\n})$0\n    .c();\n",
        ),
        (
            "if a {\n    if b {\n        c();$0\n    d();\n}\n",
            "\n    }\n",
            "if a {\n    if b {\n        c();\n    }$0\n    d();\n}\n",
        ),
    ]);
}

#[test]
fn a_line_does_not_repeat_itself() {
    check_table(&[
        ("    counter.    $0\n", "counter.", "Silent(Unfit)"),
        ("    counter.$0\n", "counter.", "Silent(Repetition)"),
        ("    None,$0\n", " None,", "    None, None,$0\n"),
        ("    a$0\n", "a", "    aa$0\n"),
    ]);
}

#[test]
fn a_block_begins_once_where_its_beginning_follows_the_cursor() {
    check_table(&[
        (
            "func Last() $0 {\n",
            "string { return u.Name }\n",
            "func Last() string$0 {\n",
        ),
        (
            "if err := u.Close(); $0 {\n",
            "err != nil { return err }\n",
            "if err := u.Close(); err != nil$0 {\n",
        ),
        (
            "fn size(&self) -> $0 {\n",
            "usize { self.0 }\n",
            "fn size(&self) -> usize$0 {\n",
        ),
        (
            "for x := range $0 {\n",
            "[]int{1} {\n",
            "for x := range []int{1}$0 {\n",
        ),
        ("def b(x)$0:\n", ": return x\n", REPEATS),
        ("for y in $0:\n", "z: print(y)\n", "for y in z$0:\n"),
        ("a[$0:]\n", "1:2]\n", "a[1$0:]\n"),
        ("permissions$0:\n", ": {}\n", REPEATS),
    ]);
}

#[test]
fn an_end_of_a_tag_is_replaced_by_that_of_the_same_element_only() {
    check_table(&[
        ("<Row a={$0} />\n", "b}>x</Rows>\n", "<Row a={b}$0 />\n"),
        (
            "<Row className={$0} />\n",
            "cls}>x</p>\n",
            "<Row className={cls}$0 />\n",
        ),
        ("<Row a={$0} />\n", "b}>x</Row>\n", "<Row a={b}>x</Row>$0\n"),
        (
            "<Button $0>Del</Button>\n",
            "label=\"a\" onClick={go} />\n",
            APART,
        ),
        ("<my-a $0>text</my-a>\n", "b=\"c\" />\n", APART),
    ]);
}

#[test]
fn an_object_of_json_does_not_end_with_a_comma() {
    let ends = |language: &str, fixture: &str| {
        let cursor = Offset(fixture.find("$0").expect("a cursor"));
        let state = State {
            document: Document::new(&fixture.replacen("$0", "", 1), Version(1)),
            cursor,
            name: DocumentName::new("", language),
        };
        ends_list(&state, "")
    };
    assert!(ends("json", "{\n  \"a\": $0\n}\n"));
    assert!(ends("jsonc", "[\n  1$0\n\n]\n"));
    assert!(!ends("json", "{\n  \"a\": $0\n  \"b\": 1\n}\n"));
    assert!(!ends("rust", "[\n  1$0\n]\n"));
}

#[test]
fn a_block_inside_another_is_closed_where_the_outer_one_is_closed_below() {
    assert_eq!(
        accepted(
            "fn f() {\n    for a in b {\n        c();$0\n}\n",
            "\n    }\n"
        ),
        "fn f() {\n    for a in b {\n        c();\n    }$0\n}\n"
    );
    assert_eq!(
        accepted("fn f() {\n    A {\n        b,\n    $0\n}\n", "}\n}"),
        "fn f() {\n    A {\n        b,\n    }$0\n}\n"
    );
    assert_eq!(
        accepted("f() {\n\tif a {\n\t\tb()$0\n}\n", "\n\t} else {\n"),
        "f() {\n\tif a {\n\t\tb()\n\t} else {$0\n}\n"
    );
    // Each block has its end.
    let whole = "f(|| {\n    if a {\n        b();$0\n    }\n});\n";
    assert_eq!(accepted(whole, "\n    }"), "Silent(Empty)");
    assert_eq!(
        accepted("f(|| {\n        b();$0\n});\n", "\n        }"),
        "Silent(Empty)"
    );
    let hanging = "    f(|| {\n        b();$0\n});\n";
    assert_eq!(accepted(hanging, "\n    }"), "Silent(Empty)");
    // The closer belongs to no block.
    let inner = "fn f() {\n    if a {\n        b();$0\n}\n";
    assert_eq!(accepted(inner, "\n        }"), "Silent(Empty)");
    assert_eq!(accepted(inner, "\n}"), "Silent(Empty)");
}

#[test]
fn an_end_of_a_block_or_a_comment_is_not_suggested_twice() {
    for (fixture, middle) in [
        ("/**\n * a\n * @b C$0\n */\n", "\n */"),
        ("/**\n * a\n $0\n */\n", "*/"),
        ("  a)\n    b$0\n    ;;\n", "\n    ;;"),
        ("<ul>\n  <a/>$0\n</ul>\n", "\n</ul>"),
        ("if a then\n  b$0\nfi\n", "\nfi"),
    ] {
        assert_eq!(
            accepted(fixture, middle),
            "Silent(RepeatsSuffix)",
            "{fixture}"
        );
    }
    assert_eq!(
        accepted("def f\n  if a\n    b$0\nend\n", "\n  end"),
        "def f\n  if a\n    b\n  end$0\nend\n"
    );
}

#[test]
fn a_branch_is_not_suggested_twice() {
    for (fixture, middle) in [
        ("} else {\n    a();\n$0\n", "} else {\n"),
        ("} else {\n    a();$0\n", "\n} else {\n"),
        ("  case 1:\n    return a;\n  $0\n", "case 1:\n"),
        ("except A:\n    b()\n\n$0", "except A:\n"),
    ] {
        assert_eq!(accepted(fixture, middle), "Silent(Repetition)", "{fixture}");
    }
    assert_eq!(
        accepted("  case 1:\n    a;\n  $0\n", "case 2:\n"),
        "  case 1:\n    a;\n  case 2:$0\n"
    );
    assert_eq!(
        accepted("if a {\n    b();\n}\nif c {\n    d();\n} $0\n", "else {\n"),
        "if a {\n    b();\n}\nif c {\n    d();\n} else {$0\n"
    );
}

#[test]
fn no_statement_ends_before_the_next_call_of_its_chain() {
    assert_eq!(
        accepted("a$0\n    .b();\n", ".c();"),
        "a.c()$0\n    .b();\n"
    );
    assert_eq!(
        accepted("a.c()$0\n    .b();\n", ";"),
        "Silent(RepeatsSuffix)"
    );
    assert_eq!(
        accepted("a.c()$0\n    ?.b();\n", ";"),
        "Silent(RepeatsSuffix)"
    );
    assert_eq!(accepted("a.c()$0\n    ..b\n", ";"), "a.c();$0\n    ..b\n");
}

#[test]
fn a_literal_around_the_cursor_is_not_split() {
    assert_eq!(accepted("f(\"{$0}\");\n", "\"a\":\"b\""), "Silent(Apart)");
    assert_eq!(
        accepted("a = \"b ($0)\"\n", "c=\"d\" e=\"f\""),
        "Silent(Apart)"
    );
    assert_eq!(accepted("f(a = ''$0)\n", "'):\n"), "Silent(Apart)");
    assert_eq!(
        accepted("f(\"$0\", \"b\");\n", "a\", \"c"),
        "f(\"a\"$0, \"b\");\n"
    );
}

#[test]
fn a_tag_in_the_text_keeps_its_own_end() {
    assert_eq!(accepted("<A b={$0}>\n", "<c>d</c>"), "<A b={<c>d</c>$0}>\n");
    assert_eq!(accepted("<A b={$0}>\n", "c}>"), "<A b={c}$0>\n");
}

#[test]
fn no_comment_is_ended_whose_lines_go_on_below() {
    check_table(&[
        ("/*\n * a$0\n * b\n */\n", " c */", "Silent(Unfit)"),
        ("/* a$0\n * b\n */\n", ". */", "Silent(Unfit)"),
        ("/*\n * a$0\n", " c */", "/*\n * a c */$0\n"),
        ("/*\n * a$0\n *b = 1;\n", " */", "/*\n * a */$0\n *b = 1;\n"),
        ("f(); $0\n * b\n", "/* c */", "f(); /* c */$0\n * b\n"),
    ]);
}
