//! Words that comments, documents, names and literals do not use, each with what to write instead.
//!
//! They are literal translations or say less than the word beside them. CONTRIBUTING.md has the rule. In
//! comments and documents, text in backquotes and quotation marks is not looked at.

use super::Finding;

/// A word or two, and what to write instead.
const WORDS: [(&str, &str); 10] = [
    ("behind", "after or below"),
    ("stands", "is"),
    ("somebody", "the user, the caller or the passive"),
    ("someone", "the user, the caller or the passive"),
    ("nobody", "no user, no caller or the passive"),
    ("whoever", "the user or the caller"),
    ("anew", "again"),
    ("so many", "this many or a parameter's name"),
    ("tells", "returns, reports or states"),
    ("told", "informed, reported or the passive"),
];

/// This file, which needs the words in literals.
const HERE: &str = "tidy/english.rs";

/// Finds the words in the lines of a source file or a document. In Python and configuration, only
/// comments are looked at: their literals are data.
pub(super) fn findings(place: &str, text: &str) -> Vec<Finding> {
    let ending = place.rsplit_once('.').map_or("", |(_, ending)| ending);
    let marks: &[&str] = match ending {
        "rs" | "ts" | "js" | "mjs" => &["//", "*"],
        "lua" => &["--"],
        "py" | "toml" | "sh" | "yml" => &["#"],
        "md" => &[""],
        _ => return Vec::new(),
    };
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        let text = if marks.iter().any(|mark| trimmed.starts_with(mark)) {
            without_quotations(trimmed)
        } else if matches!(ending, "rs" | "ts" | "js" | "mjs" | "lua") && !place.ends_with(HERE) {
            words_of_code(trimmed)
        } else {
            continue;
        };
        let text = text.to_lowercase();
        for (word, better) in WORDS {
            if has_words(&text, word) {
                findings.push(Finding {
                    place: place.into(),
                    line: number,
                    rule: format!("`{word}`: write {better}"),
                });
            }
        }
    }
    findings
}

/// Returns a line without its text in backquotes and quotation marks.
fn without_quotations(line: &str) -> String {
    let mut rest = line;
    let mut kept = String::new();
    while let Some(open) = rest.find(['`', '"']) {
        let quote = rest[open..].chars().next().unwrap_or_default();
        kept.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        match inside.find(quote) {
            Some(close) => rest = &inside[close + 1..],
            None => return kept + inside,
        }
    }
    kept + rest
}

/// Returns a line of code with its names and literals as words.
fn words_of_code(line: &str) -> String {
    let mut words = String::new();
    let mut was_small = false;
    for character in line.replace("\\n", " ").chars() {
        if was_small && character.is_uppercase() {
            words.push(' ');
        }
        words.push(if character == '_' { ' ' } else { character });
        was_small = character.is_lowercase();
    }
    words
}

fn has_words(line: &str, words: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    line.match_indices(words).any(|(at, _)| {
        let after = &line[at + words.len()..];
        !is_letter(line[..at].chars().next_back()) && !is_letter(after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::findings;

    /// Checks on which lines words are found.
    #[track_caller]
    fn check(place: &str, text: &str, lines: &[usize]) {
        let found = findings(place, text);
        let found: Vec<usize> = found.iter().map(|finding| finding.line).collect();
        assert_eq!(found, lines, "{place}");
    }

    #[test]
    fn words_are_found_in_comments_and_documents() {
        check(
            "a.rs",
            "// Text behind it.\n/// So many rows.\n/// Reads `behind`, \"anew\".\n",
            &[1, 2],
        );
        check("a.lua", "-- Nobody waits.\n", &[1]);
        check("a.py", "# It stands.\nbehind = \"so many\"\n", &[1]);
        check("a.md", "It stands, and so many do.\n", &[1, 1]);
        check("a.md", "It withstands, behindhand.\n", &[]);
        check("a.json", "// behind\n", &[]);
    }

    #[test]
    fn words_are_found_in_names_and_literals() {
        check("a.rs", "fn text_behind_it() {}\nlet behind = 1;\n", &[1, 2]);
        check(
            "a.rs",
            "enum A { BehindCursor }\nfn behindhand() {}\n",
            &[1],
        );
        check("a.rs", "let a = \"x\\nbehind it\";\n", &[1]);
        check("a.ts", "const startsAnew = 'so many';\n", &[1, 1]);
        check("a.lua", "wait('somebody')\n", &[1]);
        check("a/tidy/english.rs", "let behind = 1;\n", &[]);
    }
}
