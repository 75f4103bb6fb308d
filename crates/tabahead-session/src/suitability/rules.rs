//! The rules of the setting `paths`, as users write them: compiled, or refused with the reason.
//!
//! `globset` interprets the patterns; this module decides what they are matched against. A rule
//! that matches a folder applies to everything in it. A pattern that no rule can mean is refused,
//! because a rule that silently matches nothing gives away what it was meant to protect.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::settings::PathRule;

/// The compiled rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathRules {
    set: GlobSet,
    /// For each glob in the set, whether its rule turns on.
    enabled: Vec<bool>,
}

impl PathRules {
    /// Compiles rules; `home` replaces `~`. Also returns the rules that cannot be understood, each
    /// with what is wrong with it.
    pub(crate) fn new<'a>(
        rules: &'a [PathRule],
        home: Option<&str>,
    ) -> (Self, Vec<(&'a PathRule, String)>) {
        let mut set = GlobSetBuilder::new();
        let (mut enabled, mut refused) = (Vec::new(), Vec::new());
        for rule in rules {
            match globs(rule, home) {
                Ok(globs) => {
                    for glob in globs {
                        set.add(glob);
                        enabled.push(rule.enabled);
                    }
                }
                Err(problem) => refused.push((rule, problem)),
            }
        }
        // Each glob compiles on its own; only the whole set may be too large.
        match set.build() {
            Ok(set) => (Self { set, enabled }, refused),
            Err(error) => {
                let all = rules.iter().map(|rule| (rule, error.to_string()));
                (Self::default(), all.collect())
            }
        }
    }

    /// Returns whether suggestions are made in a file with these canonical paths: the last rule that
    /// matches one of them decides.
    pub(crate) fn is_enabled<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> bool {
        let matching = paths.into_iter().flat_map(|path| self.set.matches(path));
        let last = matching.max();
        last.is_none_or(|glob| self.enabled[glob])
    }
}

/// Returns what is wrong with a rule, whatever the home is.
pub(crate) fn problem_of(rule: &PathRule) -> Option<String> {
    globs(rule, Some("/people")).err()
}

/// Converts a path to the form that rules are matched against: `/` between its parts, composed
/// characters, a drive as a lower-case letter and nothing before it.
pub(crate) fn canonical(path: &str) -> String {
    let path = ComposingNormalizerBorrowed::new_nfc().normalize(path);
    let path = path.replace('\\', "/");
    let path = single_slashes(&path);
    let after_slash = path.strip_prefix('/').unwrap_or(&path);
    match drive(after_slash) {
        Some((letter, rest)) => format!("{}:{rest}", letter.to_ascii_lowercase()),
        None => path,
    }
}

/// Merges repeated slashes, except two at the beginning, which denote another machine.
fn single_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for (at, c) in path.char_indices() {
        if c != '/' || at <= 1 || !single.ends_with('/') {
            single.push(c);
        }
    }
    single
}

fn drive(path: &str) -> Option<(char, &str)> {
    let letter = path.chars().next().filter(char::is_ascii_alphabetic)?;
    let rest = path[1..].strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with('/')).then_some((letter, rest))
}

/// Compiles the globs of a rule.
fn globs(rule: &PathRule, home: Option<&str>) -> Result<Vec<globset::Glob>, String> {
    let pattern = pattern(&rule.glob, home)?;
    let is_windows = cfg!(windows) || drive(&pattern).is_some();
    let is_whole = pattern.starts_with('/') || drive(&pattern).is_some();
    // A pattern that is no whole path may match from any part of one.
    let is_anywhere = pattern == "**" || pattern.starts_with("**/");
    let begin = if is_whole || is_anywhere { "" } else { "**/" };
    let mut patterns = vec![format!("{begin}{pattern}")];
    // A rule that turns off applies to everything below a match. A rule that turns on applies to
    // what it names: `src/*` means the files in `src`, and `src` means the folder.
    let last = pattern.rsplit('/').next().unwrap_or_default();
    if !rule.enabled || !last.contains(['*', '?', '[', '{']) {
        let below: Vec<String> = patterns.iter().map(|p| format!("{p}/**")).collect();
        patterns.extend(below);
    }
    let compile = |pattern: &String| {
        GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(false)
            .empty_alternates(true)
            // In case of doubt about the meaning, nothing is given away.
            .case_insensitive(is_windows || !rule.enabled)
            .build()
            .map_err(|error| error.kind().to_string())
    };
    patterns.iter().map(compile).collect()
}

/// Converts a rule's pattern to a glob over canonical paths, without a trailing `/`.
fn pattern(written: &str, home: Option<&str>) -> Result<String, String> {
    if written.trim() != written {
        return Err("it begins or ends with white space".to_owned());
    }
    if written.starts_with('!') {
        return Err("'!' has no meaning here; turn it on with 'enabled'".to_owned());
    }
    let local = written.strip_prefix("file://localhost/");
    let local = local.or_else(|| {
        written
            .strip_prefix("file:/")
            .filter(|rest| !rest.starts_with('/'))
    });
    let local = local.map(|rest| format!("file:///{rest}"));
    let written = local.as_deref().unwrap_or(written);
    let decoded;
    let written = match written.strip_prefix("file://") {
        Some(path) => {
            decoded = percent_encoding::percent_decode_str(path)
                .decode_utf8()
                .map_err(|_| "it is no address of a file".to_owned())?
                .into_owned();
            &decoded
        }
        None if written.contains("://") => {
            return Err("it is no path; leave out what is before '://'".to_owned());
        }
        None => written,
    };
    let path = canonical(written);
    let path = match below_home(&path) {
        Some(rest) => match home {
            Some(home) => escaped(&canonical(home)) + rest,
            None => return Err("the home folder is unknown, because HOME is not set".to_owned()),
        },
        None if path.starts_with('~') => {
            return Err("only your own home is known, as '~/'".to_owned());
        }
        None if names_a_variable(&path)
            || path.contains("${")
            || (path.starts_with('%') && path[1..].contains('%')) =>
        {
            return Err(
                "variables are not known; write the path, or '~/' for your home".to_owned(),
            );
        }
        None => path,
    };
    if path.is_empty() {
        return Err("it is empty".to_owned());
    }
    let is_quoted = path.starts_with(['"', '\'']) && path.len() > 1;
    if is_quoted
        || path.contains(" #")
        || ["@(", "+(", "!(", "?("]
            .iter()
            .any(|begin| path.contains(begin))
    {
        return Err("quotes, comments and '@(…)' are not known; write the path alone".to_owned());
    }
    let is_list = path.contains(',') && !path.contains('{');
    if path.contains(';') || is_list && path.split(',').all(|part| part.contains('.')) {
        return Err("it is a list; write a rule for each, or '*.{py,rs}'".to_owned());
    }
    // Two slashes at the beginning denote another machine; elsewhere they are one.
    let begin = match (path.starts_with("//"), path.starts_with('/')) {
        (true, _) => "//",
        (_, true) => "/",
        _ => "",
    };
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            return Err("'..' has no meaning here".to_owned());
        }
        if part != "**" && part.contains("**") {
            return Err("'**' must stand alone between slashes, as in '**/*.py'".to_owned());
        }
        parts.push(part);
    }
    if parts.is_empty() && begin.is_empty() {
        return Err("it names no file".to_owned());
    }
    // A repeated `**` at the end means the same as one: everything below the folder.
    while parts.len() > 1 && parts.last() == Some(&"**") && parts[parts.len() - 2] == "**" {
        parts.pop();
    }
    if parts.is_empty() {
        parts.push("**");
    }
    Ok(format!("{begin}{}", parts.join("/")))
}

/// Returns whether a path begins with the name of a variable, as in `$PWD/private`.
fn names_a_variable(path: &str) -> bool {
    let name = path.strip_prefix('$').unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Returns what follows a name of the user's home.
fn below_home(path: &str) -> Option<&str> {
    const HOMES: [&str; 6] = [
        "~",
        "$HOME",
        "${HOME}",
        "${userHome}",
        "${env:HOME}",
        "%USERPROFILE%",
    ];
    let rest = HOMES.iter().find_map(|home| path.strip_prefix(home))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Escapes a path as a glob that matches nothing else.
fn escaped(path: &str) -> String {
    globset::escape(path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(glob: &str, enabled: bool) -> PathRule {
        PathRule {
            glob: glob.to_owned(),
            enabled,
        }
    }

    fn rules(list: &[(&str, bool)]) -> PathRules {
        let list: Vec<_> = list.iter().map(|(glob, on)| rule(glob, *on)).collect();
        let (rules, refused) = PathRules::new(&list, Some("/people/me"));
        assert_eq!(refused, [], "{list:?}");
        rules
    }

    /// Checks one rule that turns off against paths as they come from an address.
    #[track_caller]
    fn check(glob: &str, off: &[&str], on: &[&str]) {
        let rules = rules(&[(glob, false)]);
        for (paths, is_enabled) in [(off, false), (on, true)] {
            for path in paths {
                assert_eq!(
                    rules.is_enabled([canonical(path).as_str()]),
                    is_enabled,
                    "{glob} {path}"
                );
            }
        }
    }

    #[test]
    fn a_rule_that_names_a_folder_holds_for_what_is_in_it() {
        let inside = ["/w/private/a.py", "/w/private/b/c/d.py"];
        for glob in [
            "/w/private",
            "/w/private/",
            "/w/private/**",
            "private",
            "private/",
            "private/**",
            "**/private",
            "**/private/**",
            "./private",
            "./private/**",
            "/w//private/./**",
            "w/private",
            "file:///w/private/**",
            "file:///w/%70rivate",
            "\\w\\private\\**",
            "/w/priv*",
            "/w/{private,secret}",
            "/w/[pq]rivate",
            "/w/privat?",
        ] {
            check(glob, &inside, &["/w/a.py"]);
        }
        check(
            "private/*",
            &["/w/private/a.py", "/w/private/b/c.py"],
            &["/w/a.py"],
        );
        check("/private", &["/private/a"], &["/w/private/a.py"]);
        check("ivate/**", &[], &inside);
    }

    #[test]
    fn the_words_of_globs_are_understood() {
        check("*.py", &["/w/a.py", "a.py"], &["/w/a.pyc", "/w/a.rs"]);
        check("*.{py,rs}", &["/w/a.py", "/w/a.rs"], &["/w/a.js"]);
        check("[ab].py", &["/w/a.py", "/w/b.py"], &["/w/c.py"]);
        check("[!a].py", &["/w/b.py"], &["/w/a.py"]);
        check("/w/*.py", &["/w/a.py"], &["/w/x/a.py", "/v/a.py"]);
        check("/w/**/*.py", &["/w/a.py", "/w/x/y/a.py"], &["/v/a.py"]);
        check("[[]id].py", &["/w/[id].py"], &["/w/i.py"]);
        check("**", &["/w/a.py", "Untitled-1", "c:/a"], &[]);
        check("*", &["/w/a.py", "Untitled-1"], &[]);
        check("/", &["/w/a.py"], &["c:/a"]);
    }

    #[test]
    fn homes_drives_and_machines_are_understood() {
        for home in ["~", "$HOME", "${userHome}", "%USERPROFILE%"] {
            check(
                &format!("{home}/private/**"),
                &["/people/me/private/a"],
                &["/people/you/private/a"],
            );
        }
        check("~", &["/people/me/a"], &["/people/mercy/a"]);
        let list = [rule("~/x", false)];
        let (rules, refused) = PathRules::new(&list, Some("/people/[me]"));
        assert_eq!(refused, []);
        assert!(!rules.is_enabled(["/people/[me]/x/a"]) && rules.is_enabled(["/people/m/x/a"]));
        for glob in [
            "C:/people/me/private/**",
            "c:\\people\\me\\private",
            "file:///c%3A/people/ME/private",
            "C:\\people",
        ] {
            check(
                glob,
                &["/c:/people/me/private/a.py", "/C:/People/me/Private/a.py"],
                &["/d:/people/me/private/a.py"],
            );
        }
        check(
            "\\\\server\\share\\**",
            &["//server/share/a"],
            &["/server/share/a"],
        );
    }

    #[test]
    fn addresses_and_doubled_slashes_are_the_path() {
        for glob in [
            "file:/w/private",
            "file://localhost/w/private",
            "/w//private",
        ] {
            check(
                glob,
                &["/w/private/a.py", "/w//private///a.py"],
                &["/w/a.py"],
            );
        }
    }

    #[test]
    fn what_a_rule_turns_off_it_turns_off_in_capitals_too() {
        let off = rules(&[("*.sql", false), ("generated", false)]);
        for path in ["/w/B.SQL", "/w/Generated/a.rs", "/w/b.sql"] {
            assert!(!off.is_enabled([path]), "{path}");
        }
        let on = rules(&[("**", false), ("src/a.rs", true)]);
        assert!(on.is_enabled(["/w/src/a.rs"]));
        assert!(!on.is_enabled(["/w/src/A.rs"]));
    }

    #[test]
    fn composed_and_decomposed_characters_are_the_same() {
        let (composed, decomposed) = ("/w/caf\u{e9}/a.py", "/w/cafe\u{301}/a.py");
        for glob in ["caf\u{e9}/**", "cafe\u{301}", "/w/cafe\u{301}/**"] {
            check(glob, &[composed, decomposed], &["/w/cafe/a.py"]);
        }
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let path = "/code/app/vendor/lib/a.rs";
        for (list, enabled) in [
            (&[] as &[_], true),
            (&[("*.rs", false)], false),
            (&[("*.py", false)], true),
            (&[("vendor/**", false)], false),
            (&[("vendor/*/?.rs", false)], false),
            (&[("/code/**", false), ("a.rs", true)], true),
            (&[("a.rs", true), ("/code/**", false)], false),
            (&[("/app/**", false)], true),
            // A rule that turns on applies to a folder's contents, but not below what a final `*`
            // matches.
            (&[("**", false), ("/code/app", true)], true),
            (&[("**", false), ("vendor/*", true)], false),
            (&[("**", false), ("vendor/**", true)], true),
        ] {
            assert_eq!(rules(list).is_enabled([path]), enabled, "{list:?}");
        }
    }

    #[test]
    fn what_no_rule_can_mean_is_refused_with_the_reason() {
        for (glob, part) in [
            ("", "empty"),
            ("./", "no file"),
            (" private", "white space"),
            ("private\n", "white space"),
            ("!private", "'enabled'"),
            ("[ab.py", "unclosed character class"),
            ("*.{py,rs", "unclosed alternate"),
            ("a}b", "unopened alternate"),
            ("[z-a]", "invalid range"),
            ("../private", "'..'"),
            ("/w/../private", "'..'"),
            ("~you/private", "your own home"),
            ("${workspaceFolder}/x", "variables"),
            ("%APPDATA%\\x", "variables"),
            ("$PWD/private", "variables"),
            ("@(a|b).py", "write the path alone"),
            ("\"private\"", "write the path alone"),
            ("private #mine", "write the path alone"),
            ("*.py;*.rs", "a list"),
            ("a.py,b.py", "a list"),
            ("untitled:///w/a", "'://'"),
            ("vscode-remote://ssh/w", "'://'"),
            ("a**", "'**' must stand alone"),
            ("{a/**,**b}", "'**' must stand alone"),
            ("file:///%ff", "no address"),
        ] {
            let problem = problem_of(&rule(glob, false)).unwrap_or_default();
            assert!(problem.contains(part), "{glob}: {problem}");
            let list = [rule(glob, false), rule("/x", false)];
            let (rules, refused) = PathRules::new(&list, None);
            assert_eq!(refused, [(&list[0], problem)]);
            assert!(!rules.is_enabled(["/x/a"]));
        }
        let list = [rule("~/x", false)];
        let (_, refused) = PathRules::new(&list, None);
        assert!(refused[0].1.contains("HOME is not set"));
    }
}
