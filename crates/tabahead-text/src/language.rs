//! The language of a file that no editor has named, and back.
//!
//! An editor tells the language of what it opens; this table is for files that are read from disk,
//! from a recording or from a repository.

/// LSP language ids and their extensions, the usual one first, for files that no editor opened.
const LANGUAGES: &[(&str, &[&str])] = &[
    ("c", &["c", "h"]),
    ("cpp", &["cpp", "cc", "cxx", "hpp", "hh", "hxx"]),
    ("csharp", &["cs"]),
    ("css", &["css"]),
    ("dart", &["dart"]),
    ("elixir", &["ex", "exs"]),
    ("go", &["go"]),
    ("haskell", &["hs"]),
    ("html", &["html", "htm"]),
    ("java", &["java"]),
    ("javascript", &["js", "cjs", "mjs"]),
    ("javascriptreact", &["jsx"]),
    ("json", &["json"]),
    ("kotlin", &["kt", "kts"]),
    ("lua", &["lua"]),
    ("markdown", &["md", "markdown"]),
    ("php", &["php"]),
    ("python", &["py", "pyi"]),
    ("ruby", &["rb"]),
    ("rust", &["rs"]),
    ("scala", &["scala"]),
    ("shellscript", &["sh", "bash"]),
    ("sql", &["sql"]),
    ("swift", &["swift"]),
    ("toml", &["toml"]),
    ("typescript", &["ts", "cts", "mts"]),
    ("typescriptreact", &["tsx"]),
    ("yaml", &["yaml", "yml"]),
    ("zig", &["zig"]),
];

/// The LSP language id of a file, by its last component; empty when unknown.
pub fn language_of(file_name: &str) -> &'static str {
    match file_name {
        "Makefile" | "makefile" => return "makefile",
        "Dockerfile" => return "dockerfile",
        _ => {}
    }
    let Some((_, extension)) = file_name.rsplit_once('.') else {
        return "";
    };
    let known = |(_, extensions): &&(&str, &[&str])| extensions.contains(&extension);
    LANGUAGES.iter().find(known).map_or("", |(id, _)| id)
}

/// The usual extension of a language, given by LSP id or by another common name.
pub fn extension_of(language: &str) -> Option<&'static str> {
    let language = language.to_ascii_lowercase();
    let id = match language.as_str() {
        "c++" => "cpp",
        "c#" => "csharp",
        "shell" => "shellscript",
        other => other,
    };
    LANGUAGES
        .iter()
        .find(|(known, extensions)| *known == id || extensions.contains(&id))
        .and_then(|(_, extensions)| extensions.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_extensions_and_back() {
        for (id, extensions) in LANGUAGES {
            for extension in *extensions {
                assert_eq!(language_of(&format!("a.b.{extension}")), *id);
            }
            let extension = extension_of(id).expect("each language has an extension");
            assert_eq!(language_of(&format!(".{extension}")), *id);
        }
        assert_eq!(extension_of("C++"), Some("cpp"));
        assert_eq!(extension_of("klingon"), None);
    }

    #[test]
    fn a_name_without_a_known_extension_has_no_language() {
        assert_eq!(language_of("Dockerfile"), "dockerfile");
        for name in ["rs", "", "a.", "a.klingon"] {
            assert_eq!(language_of(name), "", "{name}");
        }
    }
}
