//! Conversion between the protocol's types and ours: no state, no order.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use tabahead_session::{File, Location};
use tabahead_speculation::{Origin, SelectedCompletion, SuggestionId};
use tabahead_text::{Document, Offset, PositionEncoding};

use super::{
    tower::Url,
    types::{ItemCommand, WireRange},
};

/// The command of every suggestion; the editor runs it after an accept.
pub(super) const ACCEPTED_COMMAND: &str = "tabahead.accepted";

/// The document and place for which a suggestion was requested.
pub(super) struct RequestPlace {
    pub(super) document: Document,
    pub(super) cursor: Offset,
    pub(super) encoding: PositionEncoding,
    /// LSP language id.
    pub(super) language: Arc<str>,
}

impl RequestPlace {
    /// Returns whether a suggestion may extend the selected item of the popup menu.
    ///
    /// "The range of the edit must be a single line range and it must contain the position at which
    /// completion was requested": a suggestion that extends an item elsewhere would be elsewhere,
    /// too.
    pub(super) fn may_extend(&self, item: &SelectedCompletion) -> bool {
        let line = self.document.line_range(self.document.line_of(self.cursor));
        let range = &item.range;
        let is_around = range.start <= self.cursor && self.cursor <= range.end;
        is_around && line.start <= range.start && range.end <= line.end
    }

    /// Converts a range of the document.
    pub(super) fn wire_range(&self, range: &Range<Offset>) -> WireRange {
        WireRange {
            start: self.document.position_of(range.start, self.encoding).into(),
            end: self.document.position_of(range.end, self.encoding).into(),
        }
    }
}

/// Builds the command that the editor runs when this suggestion was accepted as a whole.
pub(super) fn accepted(id: SuggestionId, origin: Origin) -> ItemCommand {
    ItemCommand {
        title: "Accepted",
        command: ACCEPTED_COMMAND,
        arguments: vec![json!(id.0), json!(origin.as_str())],
    }
}

/// Derives a document's identity from its address. Whatever the scheme, the path decides whether it
/// is a secret.
pub(super) fn file(uri: &str, language: &str) -> File {
    let (location, path, whole) = match Url::parse(uri) {
        Ok(url) => {
            let location = match url.scheme() {
                "file" => Location::Disk,
                "untitled" => Location::Untitled,
                // A cell's address is its notebook's path and a fragment.
                "vscode-notebook-cell" => Location::Notebook,
                _ => Location::Elsewhere,
            };
            let path = decoded(url.path());
            // The host of a file is the machine that shares it.
            let path = match url.host_str() {
                Some(host) if location == Location::Disk && !host.is_empty() => {
                    format!("//{host}{path}")
                }
                _ => path,
            };
            (location, path, whole(&url))
        }
        Err(_) => (Location::Elsewhere, decoded(uri), None),
    };
    let file = File::new(location, &path, language);
    let file = match whole {
        Some(whole) if location != Location::Notebook => file.leading_to(&whole),
        _ => file,
    };
    // A link may lead to a secret, whatever its own name is.
    match real(Path::new(&path)) {
        Some(real) if location == Location::Disk => file.leading_to(&real.to_string_lossy()),
        _ => file,
    }
}

/// Returns the path with what follows a `?` or a `#`, which some editors do not escape in names;
/// `None` if there is nothing.
fn whole(url: &Url) -> Option<String> {
    let part = |mark, part: Option<&str>| part.map(|part| format!("{mark}{part}"));
    let (query, fragment) = (part('?', url.query()), part('#', url.fragment()));
    let after = [query, fragment].into_iter().flatten().collect::<String>();
    (!after.is_empty()).then(|| decoded(&format!("{}{after}", url.path())))
}

/// Returns the path without links. A file that is not saved yet is where its folder is.
fn real(path: &Path) -> Option<PathBuf> {
    let in_folder = || {
        Some(
            fs::canonicalize(path.parent()?)
                .ok()?
                .join(path.file_name()?),
        )
    };
    fs::canonicalize(path).ok().or_else(in_folder)
}

/// Decodes percent escapes in a path; bytes that are not UTF-8 become replacement characters.
fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut result = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        let code = path
            .get(i + 1..i + 3)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                result.push(code);
                i += 3;
            }
            _ => {
                result.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&result).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, location: Location, path: &str) {
        let file = file(uri, "");
        assert_eq!(
            (file.location, file.path.as_str()),
            (location, path),
            "{uri}"
        );
    }

    #[test]
    fn every_address_has_the_path_that_it_names() {
        check("file:///w/a%20b.rs", Location::Disk, "/w/a b.rs");
        check("file:///c%3A/w/a.rs", Location::Disk, "c:/w/a.rs");
        check("file:///C:/w/a.rs", Location::Disk, "c:/w/a.rs");
        check(
            "file://server/share/a.rs",
            Location::Disk,
            "//server/share/a.rs",
        );
        check("file:///w/cafe%CC%81.rs", Location::Disk, "/w/caf\u{e9}.rs");
        check("untitled:/w/.env", Location::Untitled, "/w/.env");
        check("untitled:.env", Location::Untitled, ".env");
        check("untitled:Untitled-1", Location::Untitled, "Untitled-1");
        check("untitled:C:%5Cw%5C.env", Location::Untitled, "c:/w/.env");
        check(
            "vscode-notebook-cell:/w/a.ipynb#W0",
            Location::Notebook,
            "/w/a.ipynb",
        );
        check(
            "vscode-remote://ssh-remote%2Bhost/w/.env",
            Location::Elsewhere,
            "/w/.env",
        );
        check(
            "scp://host//w/.ssh/work",
            Location::Elsewhere,
            "//w/.ssh/work",
        );
        check(
            "vscode-userdata:/data/u/settings.json",
            Location::Elsewhere,
            "/data/u/settings.json",
        );
        check("git:/w/.env?%7B%7D", Location::Elsewhere, "/w/.env");
        check(
            "/w/no-address/.env",
            Location::Elsewhere,
            "/w/no-address/.env",
        );
    }
}
