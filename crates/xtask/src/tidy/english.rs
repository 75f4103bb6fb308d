//! Words that comments and documents do not use, each with what to write instead.
//!
//! They are literal translations or say less than the word beside them. CONTRIBUTING.md has the rule; text in
//! backquotes and quotation marks is not looked at.

use super::Finding;

/// A word or two, and what to write instead.
const WORDS: [(&str, &str); 9] = [
    ("behind", "after or below"),
    ("stands", "is"),
    ("somebody", "the user, the caller or the passive"),
    ("someone", "the user, the caller or the passive"),
    ("nobody", "no user, no caller or the passive"),
    ("whoever", "the user or the caller"),
    ("anew", "again"),
    ("so many", "this many or a parameter's name"),
    ("tells", "returns, reports or states"),
];

/// Finds the words in the comments of a source file, or in all lines of a document.
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
        if !marks.iter().any(|mark| trimmed.starts_with(mark)) {
            continue;
        }
        let said = without_quotations(trimmed).to_lowercase();
        for (word, better) in WORDS {
            if has_words(&said, word) {
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
    let mut said = String::new();
    while let Some(open) = rest.find(['`', '"']) {
        let quote = rest[open..].chars().next().unwrap_or_default();
        said.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        match inside.find(quote) {
            Some(close) => rest = &inside[close + 1..],
            None => return said + inside,
        }
    }
    said + rest
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
    fn words_are_found_in_comments_alone() {
        let text = "// Text behind it.\nlet behind = 1;\n/// So many rows.\n/// Reads `behind`, \"anew\".\n";
        check("a.rs", text, &[1, 3]);
        check("a.lua", "-- Nobody waits.\nlocal nobody = 1\n", &[1]);
        check("a.md", "It stands, and so many do.\n", &[1, 1]);
        check("a.md", "It withstands, behindhand.\n", &[]);
        check("a.json", "// behind\n", &[]);
    }
}
