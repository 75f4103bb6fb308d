//! Languages and their names.
//!
//! An editor states the language of a document in its own words: what VS Code and LSP call
//! `shellscript` is `sh` in Neovim. For files read from disk, from a recording or from a
//! repository, the extension decides.

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

/// Other names of languages: what editors call them if not by the LSP id, and what people write.
/// The extensions above are names, too.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("bat", &["batch", "batchfile", "cmd", "dosbatch"]),
    ("bibtex", &["bib"]),
    ("clojure", &["clj"]),
    ("coffeescript", &["coffee"]),
    ("cpp", &["c++"]),
    ("csharp", &["c#", "c-sharp"]),
    ("cuda-cpp", &["cuda"]),
    ("django-html", &["django", "htmldjango"]),
    ("dockercompose", &["docker-compose", "yaml.docker-compose"]),
    ("dockerfile", &["docker"]),
    ("erb", &["eruby", "html.erb"]),
    ("fortran", &["fortran-modern", "fortranfreeform"]),
    ("fsharp", &["f#", "f-sharp"]),
    ("git-commit", &["gitcommit"]),
    ("git-rebase", &["gitrebase"]),
    ("go", &["golang"]),
    ("go.mod", &["gomod"]),
    ("go.sum", &["gosum"]),
    ("go.work", &["gowork"]),
    ("graphql", &["gql"]),
    ("ignore", &["gitignore"]),
    ("ini", &["dosini"]),
    ("javascript", &["node"]),
    ("javascriptreact", &["javascript.jsx"]),
    ("latex", &["plaintex", "tex"]),
    ("lisp", &["common-lisp", "commonlisp"]),
    ("makefile", &["make"]),
    ("objective-c", &["objc", "objectivec"]),
    ("objective-cpp", &["objc++", "objcpp", "objective-c++"]),
    ("perl6", &["raku"]),
    ("plaintext", &["plain text", "text", "txt"]),
    ("powershell", &["ps1", "pwsh"]),
    ("properties", &["java-properties", "jproperties"]),
    ("proto", &["proto3", "protobuf"]),
    ("razor", &["aspnetcorerazor", "cshtml"]),
    ("restructuredtext", &["rst"]),
    ("rmd", &["rmarkdown"]),
    ("shellscript", &["shell", "shell script"]),
    ("ssh_config", &["sshconfig"]),
    ("systemverilog", &["sv"]),
    ("terraform", &["tf"]),
    ("typescriptreact", &["typescript.tsx"]),
    ("vb", &["vb.net", "vbnet", "visual basic", "visualbasic"]),
    ("viml", &["vim", "vim script", "vimscript"]),
    ("xsl", &["xslt"]),
];

/// Languages that some editors distinguish, and what others call them as a group.
const KINDS: &[(&str, &str)] = &[
    ("csh", "shellscript"),
    ("dash", "shellscript"),
    ("ksh", "shellscript"),
    ("tcsh", "shellscript"),
    ("zsh", "shellscript"),
];

/// Returns the LSP language id of a file by its name, the last component of its path; empty when
/// unknown.
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

/// Returns the usual extension of a language, given by LSP id or by another common name.
pub fn extension_of(language: &str) -> Option<&'static str> {
    let id = id_of(language);
    LANGUAGES
        .iter()
        .find(|(known, _)| *known == id)
        .and_then(|(_, extensions)| extensions.first().copied())
}

/// Returns whether a document is in the language that a user calls `name`. `language` is the
/// document's language in its editor's words.
pub fn is_language(language: &str, name: &str) -> bool {
    let (language, name) = (id_of(language), id_of(name));
    let kinds = || KINDS.iter().filter(|(kind, _)| *kind == language);
    // What Neovim calls `yaml.ansible` is both languages. Ids with a dot in other editors are names
    // of their own.
    let parts = || {
        let is_known = OTHER_NAMES.iter().any(|(id, _)| *id == language);
        let parts = language.split('.').filter(|part| *part != language);
        parts.filter(move |_| !is_known)
    };
    language == name
        || kinds().any(|(_, whole)| *whole == name)
        || parts().any(|part| is_language(part, &name))
}

/// Returns the LSP id of a language by any of its names; if unknown, the name itself in lower case.
fn id_of(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let means_it = |(id, names): &&(&str, &[&str])| *id == name || names.contains(&name.as_str());
    match OTHER_NAMES.iter().chain(LANGUAGES).find(means_it) {
        Some((id, _)) => (*id).to_owned(),
        None => name,
    }
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
    fn a_language_is_meant_by_any_of_its_names() {
        for (language, name) in [
            ("sh", "shellscript"),
            ("shellscript", "sh"),
            ("sh", "bash"),
            ("bash", "sh"),
            ("zsh", "shellscript"),
            ("cs", "csharp"),
            ("csharp", "C#"),
            ("cpp", "C++"),
            ("tex", "latex"),
            ("latex", "tex"),
            ("make", "makefile"),
            ("ps1", "powershell"),
            ("dosbatch", "bat"),
            ("objc", "objective-c"),
            ("gitcommit", "git-commit"),
            ("text", "plaintext"),
            ("rst", "restructuredtext"),
            ("typescriptreact", "tsx"),
            ("typescript.tsx", "typescriptreact"),
            ("python", "py"),
            ("markdown", "Markdown"),
            ("yaml.docker-compose", "dockercompose"),
            ("yaml.ansible", "yaml"),
            ("yaml.ansible", "ansible"),
            ("klingon", "Klingon"),
        ] {
            assert!(is_language(language, name), "{language} is {name}");
        }
        for (language, name) in [
            ("sh", "zsh"),
            ("fish", "shellscript"),
            ("c", "cpp"),
            ("javascript", "javascriptreact"),
            ("go.mod", "go"),
            ("json", "jsonc"),
            ("java", "javascript"),
            ("klingon", ""),
            ("", "plaintext"),
        ] {
            assert!(!is_language(language, name), "{language} is not {name}");
        }
    }

    #[test]
    fn a_name_means_one_language() {
        let mut meant = std::collections::BTreeMap::new();
        for (id, names) in OTHER_NAMES.iter().chain(LANGUAGES) {
            for name in names.iter().chain([id]) {
                assert_eq!(*name, name.to_ascii_lowercase());
                assert_eq!(*meant.entry(*name).or_insert(*id), *id, "{name}");
            }
        }
    }

    #[test]
    fn a_name_without_a_known_extension_has_no_language() {
        assert_eq!(language_of("Dockerfile"), "dockerfile");
        for name in ["rs", "", "a.", "a.klingon"] {
            assert_eq!(language_of(name), "", "{name}");
        }
    }
}
