//! What precedes the cursor: a suggestion that cannot follow it is not shown.
//!
//! The rules are about code. In prose, and in shells, whose `case` has patterns such as `a)`, a
//! closer needs no opener.

use tabahead_text::{Document, Offset};

use super::{
    balance::closes_too_much,
    languages::{
        ends_json_statement, has_json_key, has_names_in_a_row, is_before_yaml_value, is_json,
        parts_head_from_body,
    },
    repetition::indentation,
    signs::{
        begins_block_after_value, comment, comment_start, has_statement_in_parentheses, is_quote,
        open_literal,
    },
    tags::{closes_other_element, is_ended_by_other, is_in_tag, is_markup},
};
use crate::closers::Unmatched;

/// Languages in which text is not code.
const PROSE: [&str; 14] = [
    "",
    "markdown",
    "mdx",
    "rmd",
    "quarto",
    "restructuredtext",
    "asciidoc",
    "plaintext",
    "gitcommit",
    "git-commit",
    "pandoc",
    "org",
    "norg",
    "typst",
];
/// Languages of shells and of text with marks, in which brackets need no partner.
const UNPAIRED: [&str; 9] = [
    "shellscript",
    "sh",
    "bash",
    "zsh",
    "fish",
    "tex",
    "latex",
    "bibtex",
    "diff",
];
/// Maximum number of lines above the cursor that are read.
const LINES: usize = 300;

/// Returns whether a language is written for people, not for machines.
pub(super) fn is_prose(language: &str) -> bool {
    PROSE.contains(&language)
}

/// A text and what is before the cursor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Preceding<'a> {
    pub(super) document: &'a Document,
    pub(super) cursor: Offset,
    pub(super) language: &'a str,
}

impl Preceding<'_> {
    /// Returns whether `text`, which replaces `covered` bytes, cannot follow.
    pub(super) fn refuses(self, text: &str, covered: usize) -> bool {
        if is_prose(self.language) || UNPAIRED.contains(&self.language) {
            return false;
        }
        let before = self.before();
        if self.closes_other_element(text)
            || has_statement_in_parentheses(&before, text, self.language)
            || begins_block_after_value(&before, text, self.language)
            || is_ended_by_other(&before, text, &self.after()[covered..], self.language)
            || self.is_refused_by_language(text, covered)
            || self.is_end_in_tag(text)
            || closes_too_much(self.document, self.cursor, text, covered)
        {
            return true;
        }
        // What a text replaces, it closes again.
        covered == 0
            && (self.is_padding(text)
                || self.is_apart(text)
                || self.is_misplaced(text)
                || self.closes_unopened(text)
                || self.is_indented(text))
    }

    /// Returns whether a rule of the language forbids `text` before the rest of the line.
    fn is_refused_by_language(self, text: &str, covered: usize) -> bool {
        let (before, after) = (self.before(), self.after());
        let kept = &after[covered..];
        has_names_in_a_row(&before, text, kept, self.language) && !is_in_tag(&before)
            || parts_head_from_body(&before, text, kept, self.language)
            || covered == 0 && is_before_yaml_value(text, kept, self.language)
            || ends_json_statement(&before, text, self.language)
            || is_json(self.language) && has_json_key(&before, text) && self.is_in_list()
    }

    /// Returns whether the innermost open bracket before the cursor is `[`.
    fn is_in_list(self) -> bool {
        let mut lines: Vec<String> = self.above().collect();
        lines.reverse();
        // The literal at the cursor may hold brackets.
        let before = self.before();
        let code = open_literal(&before).map_or(&before[..], |(start, _)| &before[..start]);
        lines.push(code.to_owned());
        Unmatched::of(&lines.join("\n")).missing.last() == Some(&']')
    }

    /// Returns whether an end tag in `text` is not that of the innermost open element.
    fn closes_other_element(self, text: &str) -> bool {
        let before = self.before();
        // The name may begin before the cursor.
        let is_end = text.contains("</") || before.contains("</");
        if !is_markup(self.language) || !is_end {
            return false;
        }
        let above: Vec<String> = self.above().collect();
        let mut lines: Vec<&str> = above.iter().rev().map(String::as_str).collect();
        let line = [&before, text].concat();
        lines.push(&line);
        closes_other_element(&lines.join("\n"), text.len(), self.language)
    }

    /// Returns whether `text` has an end tag inside the tag that the cursor is in.
    fn is_end_in_tag(self, text: &str) -> bool {
        let Some(end) = text.find("</").filter(|_| is_markup(self.language)) else {
            return false;
        };
        let tag = with_empty_literals(&[&self.before(), &text[..end]].concat());
        // Not a comparison in parentheses.
        is_in_tag(&tag) && Unmatched::of(tag.rsplit('<').next().unwrap_or_default()).unopened == 0
    }

    /// Returns whether `text` begins with white space right after an opening bracket, in a file
    /// that is not written so.
    fn is_padding(self, text: &str) -> bool {
        let before = self.before();
        let Some(bracket) = before.chars().next_back().filter(|c| "([".contains(*c)) else {
            return false;
        };
        let padded = |line: &str| {
            (line.match_indices(bracket)).any(|(at, _)| is_padded(&line[at + bracket.len_utf8()..]))
        };
        is_padded(text)
            && comment(&before, text).is_none()
            && open_literal(&before).is_none()
            && !self.above().any(|line| padded(&line))
            && !padded(&before)
    }

    /// Returns whether `text` goes on after more than one blank, as a Tab without a suggestion leaves
    /// them. Lines around that are aligned so may be followed by another.
    fn is_apart(self, text: &str) -> bool {
        let before = self.before();
        let code = before.trim_end_matches([' ', '\t']);
        let blanks = &before[code.len()..];
        (blanks.len() > 1 || blanks == "\t")
            && !code.is_empty()
            && self.after().trim().is_empty()
            && !text.starts_with(['\n', '\r'])
            && comment_start(&before, before.len()).is_none()
            && open_literal(&before).is_none()
            && !has_columns(code)
            && !self.around().any(|line| has_columns(&line))
    }

    /// Returns whether `text` begins a line that the editor has indented with more indentation, or
    /// with a `}` that is not below the line of its `{`.
    fn is_misplaced(self, text: &str) -> bool {
        let before = self.before();
        if !before.trim().is_empty() || before.is_empty() {
            return false;
        }
        let Some(above) = self.above().find(|line| !line.trim().is_empty()) else {
            return false;
        };
        // Less than a step may be missing where the user is still at it.
        let step = indentation(&before).saturating_sub(indentation(&above));
        let is_deeper = above.trim_end().ends_with(['{', ':'])
            && (step > 1 || step > 0 && before.ends_with('\t'))
            && text.starts_with([' ', '\t'])
            && indentation(text).is_multiple_of(step);
        is_deeper || text.starts_with('}') && self.is_beside_opener(None, &before)
    }

    /// Returns whether the closer that `text` puts at the start of a line is not below the line of
    /// the innermost open bracket.
    pub(super) fn misplaces_closer(self, text: &str) -> bool {
        let before = self.before();
        match text.rsplit_once('\n') {
            Some((_, last)) => self.is_beside_opener(Some(before), last),
            None => self.is_beside_opener(None, &before),
        }
    }

    /// Returns whether the line of the innermost open bracket, if that is a `{`, has another
    /// indentation than `line`. `own` is a line between `line` and those above the cursor's.
    fn is_beside_opener(self, own: Option<String>, line: &str) -> bool {
        let mut closed = 0;
        for above in own.into_iter().chain(self.above()) {
            let code = &above[..comment_start(&above, 0).unwrap_or(above.len())];
            let unmatched = Unmatched::of(code);
            let open = unmatched.missing;
            if let Some(opener) = open.len().checked_sub(1 + closed) {
                return open[opener] == '}' && indentation(&above) != indentation(line);
            }
            closed = closed - open.len() + unmatched.unopened;
        }
        false
    }

    /// Returns whether `text` closes a bracket that is not open, or an outer one before an inner
    /// one.
    fn closes_unopened(self, text: &str) -> bool {
        // Nearly every text opens what it closes.
        if Unmatched::of(text).unopened == 0 {
            return false;
        }
        let before = self.before();
        if open_literal(&before).is_some() || comment_start(&before, 0).is_some() {
            return false;
        }
        let code = comment(&before, text).map_or(text, |start| &text[..start]);
        let mut above: Vec<String> = self.above().collect();
        above.reverse();
        let mut lines = String::new();
        for line in above {
            lines.push_str(&line[..comment_start(&line, 0).unwrap_or(line.len())]);
            lines.push('\n');
        }
        lines.push_str(&before);
        let old = Unmatched::of(&lines);
        lines.push_str(code);
        let new = Unmatched::of(&lines);
        // Further up, another bracket may be open.
        let is_whole = self.line() <= LINES;
        new.passed_over > old.passed_over || is_whole && new.unopened > old.unopened
    }

    /// Returns whether `text` begins a line deeper than a line before it allows: at the start of a
    /// file, or in Python after a statement that opens no block.
    fn is_indented(self, text: &str) -> bool {
        let before = self.before();
        let line = match text.rsplit_once('\n') {
            Some((_, last)) if text.trim_start_matches('\n').len() <= last.len() => last.to_owned(),
            None if before.trim().is_empty() => [&before, text].concat(),
            _ => return false,
        };
        let is_statement = |line: &String| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        };
        let own = text.contains('\n').then_some(before);
        let mut above = own.into_iter().chain(self.above());
        let Some(previous) = above.find(is_statement) else {
            return indentation(&line) > 0;
        };
        if self.language != "python" || indentation(&line) <= indentation(&previous) {
            return false;
        }
        let code = previous[..comment_start(&previous, 0).unwrap_or(previous.len())].trim_end();
        if code.ends_with([':', '\\']) {
            return false;
        }
        let lines: Vec<String> = [code.to_owned()].into_iter().chain(above).collect();
        let quotes = |mark| {
            lines
                .iter()
                .map(|line| line.matches(mark).count())
                .sum::<usize>()
        };
        let is_in_text = quotes("\"\"\"") % 2 == 1 || quotes("'''") % 2 == 1;
        let is_open = || {
            let lines: Vec<&str> = lines.iter().rev().map(String::as_str).collect();
            !Unmatched::of(&lines.join("\n")).missing.is_empty()
        };
        !(is_in_text || is_open())
    }

    fn line(self) -> usize {
        self.document.line_of(self.cursor)
    }

    /// Returns the part of the cursor's line before the cursor.
    fn before(self) -> String {
        let start = self.document.line_range(self.line()).start;
        self.document.slice(start..self.cursor)
    }

    /// Returns the part of the cursor's line after the cursor.
    fn after(self) -> String {
        let end = self.document.line_range(self.line()).end;
        self.document.slice(self.cursor..end)
    }

    /// Returns the two lines above the cursor's that are not blank, and the one below.
    fn around(self) -> impl Iterator<Item = String> {
        let line = self.line() + 1;
        let below = (line < self.document.line_count())
            .then(|| self.document.slice(self.document.line_range(line)));
        let above = self.above().filter(|line| !line.trim().is_empty());
        above.take(2).chain(below)
    }

    /// Returns the lines above the cursor's, nearest first.
    fn above(self) -> impl Iterator<Item = String> {
        let line = self.line();
        let above = (line.saturating_sub(LINES)..line).rev();
        above.map(move |line| self.document.slice(self.document.line_range(line)))
    }
}

/// Returns a line with empty literals.
fn with_empty_literals(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_quote) {
        let quote = rest.as_bytes()[start];
        let Some(length) = rest.as_bytes()[start + 1..]
            .iter()
            .position(|&byte| byte == quote)
        else {
            break;
        };
        code.push_str(&rest[..start]);
        code.push_str("''");
        rest = &rest[start + length + 2..];
    }
    code + rest
}

/// Returns whether more than one blank is within a line, as where code is aligned in columns.
fn has_columns(line: &str) -> bool {
    let line = line.trim();
    line.contains("  ") || line.contains('\t')
}

/// Returns whether a text begins with white space, and goes on in the same line.
fn is_padded(text: &str) -> bool {
    let rest = text.trim_start_matches([' ', '\t']);
    rest.len() < text.len() && !rest.is_empty() && !rest.starts_with(['\n', '\r', '/', '#'])
}

#[cfg(test)]
mod tests {
    use tabahead_text::Version;

    use super::*;

    /// Checks whether a text may follow a document up to `$0`.
    #[track_caller]
    fn check(language: &str, fixture: &str, text: &str, follows: bool) {
        let cursor = Offset(fixture.find("$0").expect("a fixture has a cursor"));
        let document = Document::new(&fixture.replacen("$0", "", 1), Version(1));
        let preceding = Preceding {
            document: &document,
            cursor,
            language,
        };
        assert_eq!(!preceding.refuses(text, 0), follows, "{fixture}{text}");
    }

    #[test]
    fn nothing_closes_a_bracket_that_is_not_open() {
        let body = "fn f() {\n    for w in v {\n        w.$0\n        p(\"{}\", w.get(\"a\"));\n";
        check("rust", body, "get(\"a\"));", false);
        check("rust", body, "get(\"a\");", true);
        check("rust", body, "len()]", false);
        check("rust", "f(|| {\n    g$0\n", "(1));", false);
        check("rust", "f(|| {\n    g();$0\n", "\n});", true);
        check("rust", "f(\n    a,\n    b$0\n", ");", true);
        check("rust", "let a = [f(1$0\n", ")];", true);
        check("rust", "let a = [f(1$0\n", "]);", false);
        check(
            "typescript",
            "it('a', () => {\n  expect(a$0\n",
            ").toBe(1);",
            true,
        );
        check(
            "typescript",
            "it('a', () => {\n  expect$0\n",
            "(a)).toBe(1);",
            false,
        );
        check("python", "x = g[$0\n", "1:2]", true);
        check("python", "x = g$0\n", "1:2]", false);
    }

    #[test]
    fn brackets_in_literals_and_comments_need_no_partner() {
        check("rust", "// first: $0\n", "1) a", true);
        check("rust", "let a = \"$0\n", ")\";", true);
        check("rust", "let a = $0\n", "1; // b)", true);
        check("rust", "let a = $0\n", "\")\";", true);
        check("rust", "let a = f(b, // see [c\n    $0\n", "d);", true);
        check("shellscript", "case $x in\n  $0\n", "a) b ;;", true);
        check("markdown", "$0\n", "1) a", true);
    }

    #[test]
    fn far_above_a_bracket_may_be_open() {
        let above = "    a,\n".repeat(LINES + 1);
        check("rust", &format!("f(\n{above}    b$0\n"), ");", true);
        check("rust", "f\n    b$0\n", ");", false);
    }

    #[test]
    fn white_space_follows_an_opening_bracket_only_where_it_does_elsewhere() {
        check("rust", "let a = f($0\n", " b)", false);
        check("rust", "let a = v[$0\n", " 0]", false);
        check("rust", "let a = f($0\n", "b)", true);
        check("c", "if ( a )\n    f($0\n", " b );", true);
        check("c", "if ( a ) f($0\n", " b );", true);
        check("rust", "let a = f($0\n", " // why", true);
        check("rust", "let a = \"($0\n", " b)\";", true);
    }

    #[test]
    fn nothing_goes_on_after_blanks_unless_lines_are_aligned() {
        check("rust", "fn f() {\n    g();    $0\n", "h();", false);
        check("rust", "fn f() {\n    g();\t$0\n", "h();", false);
        check("rust", "fn f() {    $0\n", "g();", false);
        check("rust", "fn f() {\n    a.b    $0\n", "- a.c", false);
        check("rust", "fn f(        $0\n", "a: u8)", false);
        check("python", "def f():    $0\n", "g()", false);
        check("python", "return a    $0\n", "# 1", false);
        check("rust", "fn f() {\n    g(); $0\n", "h();", true);
        check("rust", "fn f() {\n    $0\n", "h();", true);
        check("rust", "fn f() {\n    g();    $0\n", "\n    h();", true);
        check("rust", "fn f() {\n    g(); //    $0\n", "why", true);
        check("rust", "let a = \";    $0\n", "b\";", true);
        check("c", "struct a {    $0};\n", "int b; ", true);
        check("go", "type a struct {\n\tid    $0\n", "int", false);
        check(
            "go",
            "type a struct {\n\tb     int\n\tid    $0\n",
            "int",
            true,
        );
        check(
            "go",
            "type a struct {\n\tid    $0\n\tname  string\n",
            "int",
            true,
        );
        check("rust", "let a  = 1;\n\nlet bc =  $0\n", "2;", true);
    }

    #[test]
    fn a_line_that_the_editor_indented_stays_so() {
        check("typescript", "function f() {\n  $0\n", "  return 1;", false);
        check("typescript", "function f() {\n  $0\n", "return 1;", true);
        check("typescript", "function f() {\n$0\n", "  return 1;", true);
        check("typescript", "a = f(b,\n  $0\n", "    c);", true);
        check("rust", "    fn f() {\n     $0\n", "   g()", true);
        let item = "interface A {\n  b: string;\n  c: {\n    d: number;\n    $0\n";
        check("typescript", item, "};", false);
        check("typescript", &item.replace("    $0", "  $0"), "};", true);
        check("c", "int f(void)\n{\n    g();\n$0\n", "}", true);
        check(
            "c",
            "int f(void)\n{\n    if (a) {\n    }\n    $0\n",
            "}",
            false,
        );
        check("rust", "    g(|| { // }\n    $0\n", "});", true);
    }

    #[test]
    fn no_block_begins_after_the_parentheses_of_a_value() {
        for (language, before, text, follows) in [
            (
                "typescript",
                "const c = check(a, opt.$0",
                "prefix === \"host\") {",
                false,
            ),
            ("typescript", "})(c, ne$0", "xt) => {", false),
            ("typescript", "})(c, ne$0", "xt) {", false),
            (
                "typescript",
                "  && isError($0",
                "error: unknown): error is TypeError {",
                false,
            ),
            ("typescript", "if (a\n  && isError($0", "error)) {", true),
            ("typescript", "if (a && isError($0", "error)) {", true),
            ("typescript", "app.get('/', ($0", "c) => {", true),
            ("typescript", "app.get('/', async ($0", "c) => {", true),
            (
                "typescript",
                "app.get('/', async ($0",
                "c): Promise<A> => {",
                true,
            ),
            ("typescript", "const f = ($0", "a) => {", true),
            ("typescript", "const f = ($0", "a): B => {", true),
            ("typescript", "  constructor($0", "a) {", true),
            ("typescript", "  static async get($0", "a): B {", true),
            ("typescript", "f.g = function ($0", "a) {", true),
            ("typescript", "return check($0", "a) {", false),
            ("typescript", "a.check($0", "b) {", false),
            ("rust", "let a = match f($0", "b) {", true),
            ("rust", "let a = f($0", "b) {", false),
            ("rust", "pub(crate) fn f($0", "b: u8) {", true),
            ("go", "x, err := f($0", "b) {", false),
            ("go", "func (a *A) F($0", "b int) error {", true),
            ("c", "static int f($0", "void) {", true),
            ("java", "List<A> a = f(new B($0", "c) {", true),
            ("java", "a.map((b$0", ", c) -> {", true),
            ("cpp", "auto a = [&]($0", "int b) {", true),
            ("cpp", "auto a($0", "int b) -> int {", true),
            ("swift", "let a = f($0", "b) {", true),
        ] {
            check(language, before, text, follows);
        }
    }

    #[test]
    fn an_element_of_the_line_is_ended_by_its_own_end_tag() {
        let refuses = |language: &str, before: &str, text: &str, after: &str| {
            let document = Document::new(&[before, after].concat(), Version(1));
            let cursor = Offset(before.len());
            let preceding = Preceding {
                document: &document,
                cursor,
                language,
            };
            preceding.refuses(text, 0)
        };
        for (language, before, text, after, expected) in [
            ("typescriptreact", "return <", "h1", ">{state}</span>", true),
            (
                "typescriptreact",
                "return <",
                "span",
                ">{state}</span>",
                false,
            ),
            (
                "typescriptreact",
                "return <s",
                "pan a={b}",
                ">{state}<br/></span>",
                false,
            ),
            ("html", "<", "p", ">{{ b }}</span>", true),
            ("html", "<", "p", "><b>a</b></p>", false),
            ("typescriptreact", "return <", "/h1", ">{a}</html>", true),
            ("html", "<", "/bé", "</p>", false),
            ("html", "<", "/b", "</", false),
            ("html", "<p><b>a<", "/b", "> c</p>", false),
            ("rust", "a <", "b", "> c</p>", false),
        ] {
            assert_eq!(
                refuses(language, before, text, after),
                expected,
                "{before}{text}{after}"
            );
        }
    }

    #[test]
    fn a_line_is_no_deeper_than_what_precedes_allows() {
        check("python", "$0", "    def a(self):", false);
        check("python", "$0", "import os", true);
        check("rust", "\n$0", "    let a = 1;", false);
        check("python", "# a\n$0", "    b = 1", false);
        check("python", "import os\n$0\n", "    a = 1", false);
        check("python", "import os$0\n", "\n    a = 1", false);
        check("python", "    a = 1\n    $0\n", "    b = 1", false);
        check("python", "def f():  # a\n$0\n", "    b = 1", true);
        check("python", "def f():\n    # a\n$0\n", "    b = 1", true);
        check("python", "    b = 1\n\n$0\n", "    c = 1", true);
        check("python", "a = f(\n$0\n", "    b,", true);
        check("python", "a = f(b,\n$0\n", "      c)", true);
        check("python", "\"\"\"A.\n$0\n", "    b", true);
        check("python", "a = b + \\\n$0\n", "    c", true);
        check("rust", "a\n$0\n", "    .b()", true);
    }

    #[test]
    fn an_end_tag_ends_the_innermost_element() {
        let list = "<ul class=\"a\">\n  <li><a href=\"/x\">x$0\n";
        check("html", list, "</a></li>", true);
        check("html", list, "</li>", false);
        check("html", list, "</p>", false);
        check("html", "<ul>\n  <li>One\n$0\n", "</ul>", true);
        check("xml", "<ul>\n  <li>One\n$0\n", "</ul>", false);
        check("html", "<ul>\n  <b>One\n$0\n", "</ul>", false);
        check("html", "<p>a<br>b$0\n", "</p>", true);
        check("html", "<p>a<b>b$0\n", "</b></p>", true);
        check("html", "<li class=\"a\"></$0>\n", "v>x<//v", false);
        check("html", "<li class=\"a\"></$0>\n", "li", true);
        check("html", "<article></a$0>\n", "rticle", true);
        check("html", "<script>if (a <b) c();$0\n", "</script>", true);
        check("html", "<!-- <b> --><p>$0\n", "</p>", true);
        check("html", "<p a=\"<b>\">$0\n", "</p>", true);
        let row = "<Row a={b > c}>\n  <I onClick={() => d()} />\n  <>e$0\n";
        check("typescriptreact", row, "</></Row>", true);
        check("typescriptreact", row, "</Row>", false);
        check("typescriptreact", "f<Row>();\n<P>$0\n", "</P>", true);
        check("php", "<p><?php if ($a <b) ?>$0\n", "</p>", true);
        check("rust", "let a = \"<b>$0\n", "</i>\";", true);
        check("html", "$0\n", "</p>", false);
        check("html", "<input value=\"a\"$0 />\n", "</input>", false);
        check("typescriptreact", "<A b={c}$0 />\n", "</A>", false);
        check("typescriptreact", "<A b={c}>$0\n", "</A>", true);
        check("typescriptreact", "<A b={'<c>'}$0 />\n", "</A>", false);
        check("typescriptreact", "<A b={'<c>'$0 />\n", "}</A>", false);
        check("typescriptreact", "<A b={'<c>'$0\n", "}>d</A>", true);
    }

    #[test]
    fn nothing_is_closed_where_every_bracket_has_its_partner() {
        let list = "fn f(a: u8$0,\n    b: u8) -> bool {\n    true\n}\n";
        check("rust", list, ") -> bool {", false);
        check("rust", list, ", c: u8", true);
        let head = "function F($0{\n  a,\n  b\n}) {\n  return a;\n}\n";
        check("javascript", head, ") ", false);
        let block = "if a {\n    b();$0\n}\n";
        check("rust", block, "\n}", false);
        check("rust", "f(\n    a$0\n    b);\n", ");", false);
        check("rust", "// f(\nif a {\n    b();$0\n}\n", "\n}", false);
        // A bracket is open: the user is still writing.
        check("rust", "f(\n    a$0\n\ng();\n", ");", true);
        check("rust", "// f(\nf(a$0\n", ");", true);
    }

    #[test]
    fn parentheses_hold_no_statement() {
        check("go", "if a && ($0\n", "v, ok := m[\"a\"]; ok)", false);
        check("go", "if a && ($0\n", "b)", true);
        check("go", "f($0\n", "func() { a(); b() })", true);
        check("c", "for ($0\n", "int i = 0; i < n; i++) {", true);
        check("c", "f($0\n", "a; b)", false);
        check("c", "f($0\n", "a); b();", true);
        check("c", "f($0\n", "';')", true);
        check("rust", "let a = vec!($0\n", "0; 3);", true);
        check("ruby", "a = ($0\n", "b; c)", true);
        check("python", "if (a and ($0\n", "b := c)):", true);
        check("java", "try ($0\n", "A a = b(); C c = d()) {", true);
        check(
            "go",
            "t.Run(tt.name$0, func(t *testing.T) {\n",
            ": tt.expected",
            false,
        );
        check("go", "f(a[$0\n", "1:2])", true);
        check("go", "f($0\n", "\":\")", true);
        check("rust", "let f = |a: &str, b$0\n", ": u8| a;", true);
    }

    #[test]
    fn no_name_is_put_between_a_name_and_code() {
        check(
            "typescript",
            "import express $0from 'express';\n",
            "parser ",
            false,
        );
        check(
            "typescript",
            "const host $0= new URL(a);\n",
            "proxy ",
            false,
        );
        check("python", "from requests $0import hooks\n", "ery ", false);
        check(
            "typescript",
            "import express $0from 'express';\n",
            "as parser ",
            true,
        );
        check("typescript", "export $0= a;\n", "b ", true);
        check("typescript", "const host $0\n", "proxy = a;", true);
        check("go", "func f(a $0, b int) {\n", "string", true);
        check("c", "static unsigned $0= 0;\n", "count ", true);
        check("rust", "// the first $0= b\n", "word ", true);
        check("python", "a = \"the first $0= b\"\n", "word ", true);
        check("rust", "fn f() -> Unknown $0{\n", "commands ", false);
        check("rust", "fn f() -> Unknown $0{\n", "=> A ", false);
        check("rust", "fn f() -> impl A $0{\n", "+ B ", true);
        check("rust", "impl A $0{\n", "for B ", true);
        check("typescript", "class A $0{\n", "extends B ", true);
    }

    #[test]
    fn data_stay_data() {
        let list = "{\n  \"a\": [\n    \"$0\",\n    \"b\"\n  ]\n}\n";
        check("json", list, "target\": \"c\",", false);
        check("json", list, "c: d", true);
        check("json", "[\n  $0\n]\n", "{ \"a\": 1 }", true);
        check("json", "[\n  $0\n]\n", "\"a\": 1", false);
        check(
            "json",
            "{\n  \"a\": [],\n  \"$0\"\n}\n",
            "target\": \"c\"",
            true,
        );
        check("json", "{\n  \"a\": 1\n}$0\n", ";", false);
        check("json", "{\n  \"a\": \"$0\"\n}\n", "b; c", true);
        check("yaml", "env:\n  A: gcc\n  B: $0gcc\n", "A: ", false);
        check("yaml", "env:\n  A: gcc\n  B: $0\n", "gcc", true);
        check("yaml", "a: [$0]\n", "b, c", true);
    }
}
