//! Promised absences: what must not occur in the code of a folder, and why.
//!
//! ARCHITECTURE.md promises them under "What must not be there". Comments, literals and inline tests are not
//! looked at.

use super::Finding;
use crate::source::{code_only, has_identifier};

/// Identifiers that must not occur below some folders.
struct Absence {
    /// Beginnings of paths from the root of the workspace.
    folders: &'static [&'static str],
    /// Beginnings of paths that may have them.
    except: &'static [&'static str],
    words: &'static [&'static str],
    reason: &'static str,
}

const PURE: [&str; 4] = [
    "crates/tabahead-text/src/",
    "crates/tabahead-tokens/src/",
    "crates/tabahead-context/src/",
    "crates/tabahead-speculation/src/",
];

const ABSENCES: [Absence; 6] = [
    Absence {
        folders: &PURE,
        except: &[],
        words: &[
            "Instant",
            "SystemTime",
            "thread",
            "tokio",
            "rand",
            "getrandom",
            "RandomState",
            "HashSet",
        ],
        reason: "the pure crates have no clock, thread or randomness: the same inputs give the same outputs",
    },
    Absence {
        folders: &PURE,
        // Looked up by key, never iterated.
        except: &["crates/tabahead-speculation/src/cache.rs"],
        words: &["HashMap"],
        reason: "the pure crates iterate nothing in an order that differs between runs; use BTreeMap",
    },
    Absence {
        folders: &PURE,
        except: &[],
        words: &[
            "env", "fs", "net", "process", "stdin", "stdout", "println", "eprintln", "tracing",
        ],
        reason: "the pure crates do no I/O: they are functions of their arguments",
    },
    Absence {
        folders: &["crates/tabahead-session/src/"],
        except: &[],
        words: &[
            "env", "fs", "net", "process", "stdin", "stdout", "println", "eprintln",
        ],
        reason: "a session is one of several in a process: what belongs to the process is passed in",
    },
    Absence {
        folders: &["crates/"],
        except: &[
            "crates/tabahead-server/src/lsp/tower.rs",
            "crates/tabahead-replay/src/wall/",
        ],
        words: &["tower_lsp", "lsp_types", "lsp_server"],
        reason: "one file of the protocol's folder names the library; it describes what is done around it",
    },
    Absence {
        folders: &["crates/"],
        except: &[],
        words: &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "UnixListener",
            "UnixDatagram",
        ],
        reason: "the program opens no socket",
    },
];

/// Finds what must not be in a source file at `place`.
pub(super) fn findings(place: &str, text: &str) -> Vec<Finding> {
    let code = code_only(text);
    let code = code
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let is_test = place.ends_with("tests.rs") || place.contains("/tests/");
    let begins = |beginnings: &[&str]| beginnings.iter().any(|start| place.starts_with(start));
    let mut findings = Vec::new();
    for absence in ABSENCES {
        if is_test || !begins(absence.folders) || begins(absence.except) {
            continue;
        }
        for (number, line) in (1..).zip(code.lines()) {
            for word in absence.words {
                if has_identifier(line, word) {
                    findings.push(Finding {
                        place: place.into(),
                        line: number,
                        rule: format!("`{word}`: {}", absence.reason),
                    });
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[track_caller]
    fn check(place: &str, text: &str, lines: &[usize]) {
        let found: Vec<usize> = findings(place, text).iter().map(|one| one.line).collect();
        assert_eq!(found, lines, "{place}: {text}");
    }

    #[test]
    fn what_must_not_be_there_is_found_where_it_must_not_be() {
        let clock = "// Instant\nuse std::time::Instant;\nlet s = \"Instant\";\n";
        check("crates/tabahead-context/src/a.rs", clock, &[2]);
        check("crates/tabahead-tokens/src/a.rs", clock, &[2]);
        check("crates/tabahead-engine/src/a.rs", clock, &[]);
        check("crates/tabahead-context/src/a/tests.rs", clock, &[]);
        let inline = "fn a() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        check("crates/tabahead-text/src/a.rs", inline, &[]);
        check(
            "crates/tabahead-text/src/a.rs",
            "use std::{env, fs};\n",
            &[1, 1],
        );
        let lsp = "use tower_lsp::lsp_types::Range;\n";
        check("crates/tabahead-session/src/session.rs", lsp, &[1, 1]);
        check("crates/tabahead-server/src/run.rs", lsp, &[1, 1]);
        check("crates/tabahead-server/src/lsp/menu.rs", lsp, &[1, 1]);
        check("crates/tabahead-server/src/lsp/tower.rs", lsp, &[]);
        check(
            "crates/tabahead-session/src/a.rs",
            "std::process::exit(1);\n",
            &[1],
        );
        check("crates/tabahead/src/a.rs", "TcpStream::connect(a)\n", &[1]);
        check(
            "crates/tabahead-speculation/src/cache.rs",
            "use std::collections::HashMap;\n",
            &[],
        );
        check(
            "crates/tabahead-speculation/src/documents.rs",
            "use std::collections::HashMap;\n",
            &[1],
        );
    }
}
