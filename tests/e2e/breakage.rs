//! Counts accepts that break code: how many files that parse no longer do, by what follows the
//! cursor.
//!
//! By default, the project's own files and the built-in model are used. `TABAHEAD_BREAKAGE=FOLDER`
//! uses the files below a folder, `TABAHEAD_BREAKAGE_PLACES=N` takes `N` places of each language
//! and kind, `TABAHEAD_BREAKAGE_MODEL=PATH` uses another model, and
//! `TABAHEAD_BREAKAGE_KINDS=End,Code` asks only at places of these kinds.

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use tabahead_testkit::Random;
use tree_sitter::{Language, Parser};

use crate::{buffer::Buffer, client::Client, report};

/// Number of places of each language and kind.
const PLACES: usize = 12;

/// Sizes in bytes of the files that are used.
const SIZES: std::ops::Range<usize> = 400..60_000;

/// One accept in `ONE_IN` may break code where text follows the cursor, and `CHANCE` more may do so
/// by chance. The built-in model breaks none to a quarter; if everything it says were put before
/// that text, it would break half to three quarters.
const ONE_IN: usize = 4;
const CHANCE: usize = 3;

/// What follows the cursor on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Nothing: the rest of the line was removed.
    End,
    /// Closers, with nothing between them and their opener.
    Closers,
    /// The whole text of the line.
    Text,
    /// The rest of a word.
    Word,
    /// Other code.
    Code,
}

impl Kind {
    const ALL: [Self; 5] = [Self::End, Self::Closers, Self::Text, Self::Word, Self::Code];
}

/// A file of a language that can be parsed.
struct Source {
    name: String,
    language: &'static str,
    grammar: Language,
    text: String,
}

/// A document with its cursor.
struct Place<'a> {
    source: &'a Source,
    kind: Kind,
    text: String,
    cursor: usize,
}

/// The counts over places of a kind.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    places: usize,
    shown: usize,
    /// Number of suggestions shown in documents that parse.
    parsed: usize,
    /// Number of these documents that no longer parse after the accept.
    broken: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} shown at {} places, {} of {} broken",
            self.shown, self.places, self.broken, self.parsed
        )
    }
}

fn grammar(extension: &str) -> Option<(&'static str, Language)> {
    Some(match extension {
        "rs" => ("rust", tree_sitter_rust::LANGUAGE.into()),
        "py" => ("python", tree_sitter_python::LANGUAGE.into()),
        "ts" => (
            "typescript",
            tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        ),
        "tsx" => (
            "typescriptreact",
            tree_sitter_typescript::LANGUAGE_TSX.into(),
        ),
        "go" => ("go", tree_sitter_go::LANGUAGE.into()),
        "c" | "h" => ("c", tree_sitter_c::LANGUAGE.into()),
        _ => return None,
    })
}

fn parses(grammar: &Language, text: &str) -> bool {
    let mut parser = Parser::new();
    parser
        .set_language(grammar)
        .expect("the grammar's version is known");
    let tree = parser.parse(text, None).expect("nothing stops it");
    !tree.root_node().has_error()
}

/// Returns all files below a folder that parse, in the order of their names.
fn sources(folder: &Path) -> Vec<Source> {
    const LEFT_OUT: [&str; 3] = ["target", "node_modules", "vendor"];

    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("the folder can be read");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && !LEFT_OUT.contains(&name.as_ref()) {
                    folders.push(path);
                }
                continue;
            }
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            let Some((language, grammar)) = grammar(&extension) else {
                continue;
            };
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            if SIZES.contains(&text.len()) && !text.contains('\r') && parses(&grammar, &text) {
                found.push(Source {
                    name: name.into_owned(),
                    language,
                    grammar,
                    text,
                });
            }
        }
    }
    found
}

/// Returns `count` places of each kind in files of one language.
fn places<'a>(sources: &[&'a Source], count: usize, random: &mut Random) -> Vec<Place<'a>> {
    /// Maximum number of tries: some kinds are rare in some languages.
    const TRIES: usize = 20_000;

    let mut counts = BTreeMap::<Kind, usize>::new();
    let mut places = Vec::new();
    for _ in 0..TRIES {
        let source = *random.pick(sources);
        let mut at = random.below(source.text.len());
        while !source.text.is_char_boundary(at) {
            at -= 1;
        }
        let Some(place) = place(source, at, random.below(2) == 0) else {
            continue;
        };
        let taken = counts.entry(place.kind).or_default();
        if *taken < count {
            *taken += 1;
            places.push(place);
        }
        if Kind::ALL
            .iter()
            .all(|kind| counts.get(kind) == Some(&count))
        {
            break;
        }
    }
    places
}

/// Returns the place at a byte; `cut` removes the rest of the line where other code follows.
fn place(source: &Source, at: usize, cut: bool) -> Option<Place<'_>> {
    const CLOSERS: &str = ")]}\"'`;,:{> \t";

    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let text = &source.text;
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let (before, after) = (&text[start..at], &text[at..end]);
    if after.trim().is_empty() {
        return None;
    }
    let mut place = Place {
        source,
        kind: Kind::Code,
        text: text.clone(),
        cursor: at,
    };
    if before.trim().is_empty() {
        place.kind = Kind::Text;
        place.cursor = end - text[start..end].trim_start().len();
    } else if before.ends_with(is_word) && after.starts_with(is_word) {
        place.kind = Kind::Word;
    } else if after.chars().all(|c| CLOSERS.contains(c)) {
        place.kind = Kind::Closers;
        place.cursor = start + before.rfind(['(', '[', '{', '"'])? + 1;
        place.text.replace_range(place.cursor..at, "");
    } else if cut {
        place.kind = Kind::End;
        place.text.replace_range(at..end, "");
    }
    Some(place)
}

#[test]
fn accepts_break_code_no_more_often_where_text_follows_the_cursor() {
    let folder = env::var_os("TABAHEAD_BREAKAGE").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources = sources(folder.as_ref().unwrap_or(&own));
    let count = env::var("TABAHEAD_BREAKAGE_PLACES").map(|count| count.parse());
    let count = count.map_or(PLACES, |count| count.expect("a number of places"));
    let model = env::var_os("TABAHEAD_BREAKAGE_MODEL").map(PathBuf::from);
    let kinds = env::var("TABAHEAD_BREAKAGE_KINDS").ok();
    let is_asked = |kind: Kind| {
        let name = format!("{kind:?}");
        (kinds.as_ref()).is_none_or(|kinds| kinds.split(',').any(|kind| kind == name))
    };
    let mut client = Client::start(json!({
        "model": model.as_deref().unwrap_or("mini".as_ref()),
        "speculation": {"depth": 0},
    }));

    let mut by_language = BTreeMap::<&str, Vec<&Source>>::new();
    for source in &sources {
        by_language.entry(source.language).or_default().push(source);
    }
    let mut all = BTreeMap::<Kind, Count>::new();
    let mut random = Random::new(11);
    for (language, sources) in by_language {
        let mut counts = BTreeMap::<Kind, Count>::new();
        let places = places(&sources, count, &mut random);
        let asked = places.iter().filter(|place| is_asked(place.kind));
        for (number, place) in asked.enumerate() {
            let count = counts.entry(place.kind).or_default();
            count.add(&mut client, number, place);
        }
        for (kind, count) in counts {
            report::note("breakage", &format!("{language}, {kind:?}: {count}"));
            let sum = all.entry(kind).or_default();
            sum.places += count.places;
            sum.shown += count.shown;
            sum.parsed += count.parsed;
            sum.broken += count.broken;
        }
    }
    for (kind, count) in &all {
        report::note("breakage", &format!("all, {kind:?}: {count}"));
    }
    let seen = |kind| !is_asked(kind) || all[&kind].parsed > 0;
    assert!(seen(Kind::End) && seen(Kind::Closers), "{all:?}");
    for (kind, count) in &all {
        assert!(
            count.broken <= count.parsed / ONE_IN + CHANCE,
            "{kind:?}: {count}"
        );
    }
}

impl Count {
    /// Asks for a suggestion at a place, and accepts it.
    fn add(&mut self, client: &mut Client, number: usize, place: &Place<'_>) {
        let Place {
            source,
            text,
            cursor,
            ..
        } = place;
        let name = format!("{number}/{}", source.name);
        let mut buffer = Buffer::with_text(&name, source.language, text, *cursor);
        client.open(&buffer);
        // A request by hand shows the most.
        let mut request = buffer.request();
        request["context"]["triggerKind"] = json!(1);
        let answer = client.result("textDocument/inlineCompletion", request);
        client.notify(
            "textDocument/didClose",
            json!({"textDocument": {"uri": buffer.uri()}}),
        );
        self.places += 1;
        let Some(item) = buffer.item(&answer) else {
            return;
        };
        self.shown += 1;
        if parses(&source.grammar, text) {
            self.parsed += 1;
            buffer.accept(&item);
            if !parses(&source.grammar, buffer.text()) {
                self.broken += 1;
                let number = text[..*cursor].matches('\n').count();
                let start = text[..*cursor].rfind('\n').map_or(0, |end| end + 1);
                let after = text[*cursor..].lines().next().unwrap_or_default();
                let note = format!(
                    "broken, {}:{}: {}▏{after} with {item:?}",
                    source.name,
                    number + 1,
                    &text[start..*cursor],
                );
                report::note("breakage", &note);
            }
        }
    }
}
