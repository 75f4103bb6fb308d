//! Recognises files that hold keys and passwords by their names: by the folder, by the name itself,
//! by the words in it, and by its extension. Better silent once too often than a secret in a model,
//! a cache or a log.
//!
//! A pure function of a path; `tabahead_context` examines the contents of files. The lists are in
//! `names/places.rs`, `known.rs` and `words.rs`, names of copies in `copies.rs`, and what a path
//! looks like in `notation.rs`.

mod copies;
mod known;
mod notation;
mod places;
#[cfg(test)]
mod tests;
mod words;

use copies::originals;
use known::{
    BEGINNINGS, BEGINNINGS_WITH_EXTENSION, ENDS_OF_NAMES, EXTENSIONS, HIDDEN, LANGUAGES, NAMES,
};
use places::{
    CONFIG_FOLDERS, ENDS, FOLDER_EXTENSIONS, FOLDERS, FOLDERS_OF_DATA, FOLDERS_OF_HISTORIES,
    HISTORIES, PAIRS, PAIRS_OF_DATA,
};
use words::{
    CODE, DATA, DOCUMENTS, ENVIRONMENTS, EXPORTS, HELD, INTERPRETERS, LAST_WORDS,
    PASSWORD_MANAGERS, SCRIPTS, SOURCES, STEMS, VERBS, WHOLE_NAMES, WORD_PAIRS, WORDS,
};

/// Returns whether a document in a language is secret, whatever its name.
pub(super) fn is_language_of_secrets(language: &str) -> bool {
    LANGUAGES.contains(&language)
}

/// Returns whether a path, with `/` or `\`, is one of those that hold keys and passwords.
pub fn is_secret(path: &str) -> bool {
    let path = notation::as_read(path);
    is_secret_path(&path) || notation::other_notations(&path).any(|path| is_secret_path(&path))
}

fn is_secret_path(path: &str) -> bool {
    let mut folders: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let name = folders.pop().unwrap_or_default();
    let place = format!("/{}", folders.join("/"));
    // The name of a copy, such as `.env~` or `key.pem.bak`, contains the name of the original.
    let names: Vec<&str> = originals(name).collect();
    is_in_secret_folder(&folders, &names)
        || names.iter().any(|name| {
            let path = format!("{}/{name}", place.trim_end_matches('/'));
            ENDS.iter().any(|end| path.ends_with(end))
                || is_secret_name(name)
                || is_history(&folders, name)
                || is_vault(&folders, name)
                || is_kept_in(&folders, name)
        })
}

fn is_in_secret_folder(folders: &[&str], names: &[&str]) -> bool {
    // A folder may be a copy, too.
    let is_secret = |folder: &&str| originals(folder).any(|folder| FOLDERS.contains(&folder));
    let holds_data = |folder: &&str| originals(folder).any(|name| FOLDERS_OF_DATA.contains(&name));
    let is_of_programs = |pair: &[&str]| {
        (pair[0] == ".config" && CONFIG_FOLDERS.contains(&pair[1]))
            || PAIRS.contains(&pair.join("/").as_str())
    };
    folders
        .iter()
        .any(|folder| is_secret(folder) || folder.starts_with(".env."))
        || folders.windows(2).any(is_of_programs)
        || (folders.contains(&".git") && names.contains(&"config"))
        || ((folders.iter().any(holds_data) || is_in_pair(folders, PAIRS_OF_DATA))
            && !SOURCES.contains(&names[0])
            && names.iter().any(|name| DATA.contains(&split(name).1)))
}

/// Returns whether the second folder of one of the pairs is somewhere in the first.
fn is_in_pair(folders: &[&str], pairs: &[&str]) -> bool {
    pairs
        .iter()
        .filter_map(|pair| pair.split_once('/'))
        .any(|(outer, inner)| {
            let mut below = folders.iter().skip_while(|folder| **folder != outer);
            below.next().is_some() && below.any(|folder| *folder == inner)
        })
}

/// Returns whether the folder of a file and its extension mean a secret: `letsencrypt/ovh.ini`.
fn is_kept_in(folders: &[&str], name: &str) -> bool {
    let (_, extension) = split(name);
    folders.last().is_some_and(|folder| {
        FOLDER_EXTENSIONS
            .iter()
            .any(|kept| kept.split_once('/') == Some((folder, extension)))
            && name != "cli.ini"
    })
}

/// Returns the name without leading dots and extension, and the extension.
fn split(name: &str) -> (&str, &str) {
    let name = name.trim_start_matches('.');
    name.rsplit_once('.').unwrap_or((name, ""))
}

/// Returns the words between the separators of a name.
fn words_of(stem: &str) -> Vec<&str> {
    stem.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Returns whether a word names an environment, as `prod`, or counts.
fn is_environment(word: &str) -> bool {
    ENVIRONMENTS.contains(&word) || word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether a name is like `wg0.conf`; such a file holds a private key.
fn is_interface_of_wireguard(name: &str) -> bool {
    let number = name
        .strip_prefix("wg")
        .and_then(|name| name.strip_suffix(".conf"));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Returns whether code with this stem and extension is a configuration that a program reads its
/// secrets from: `config.secret.js`, `twitter_creds.py`, `prod.secret.exs`, `secrets.sh`. Code with
/// a verb in its name reads, makes or checks them.
fn is_secret_script(stem: &str, extension: &str) -> bool {
    let is_code = ["py", "js", "mjs", "cjs", "ts", "rb", "php"].contains(&extension);
    let parts: Vec<&str> = stem.split(|c: char| !c.is_alphanumeric()).collect();
    let holds_creds = matches!(parts[..], [of, "creds"] if !VERBS.contains(&of));
    let mut words = words_of(stem);
    words.retain(|word| !is_environment(word));
    let is_held = words.last().is_some_and(|word| HELD.contains(word));
    if is_code {
        stem.ends_with(".secret") || stem == "config.secrets" || holds_creds
    } else if SCRIPTS.contains(&extension) {
        is_held && !words.iter().any(|word| VERBS.contains(word))
    } else {
        WHOLE_NAMES.contains(&extension) && is_held && words.len() == 1
    }
}

/// Returns whether a name is that of a file of variables: with `.env.` inside and neither code nor a
/// document, like `production.env.sh`, or like `env-prod` and `envfile`.
fn holds_environment(name: &str) -> bool {
    let (stem, extension) = split(name);
    let is_text = CODE.contains(&extension) || DOCUMENTS.contains(&extension);
    let is_named = match words_of(stem)[..] {
        ["env", word] => is_environment(word) || ["file", "files", "vars"].contains(&word),
        [word, "env"] => ["prod", "production", "staging", "secret"].contains(&word),
        ["envfile" | "envfiles"] => true,
        _ => false,
    };
    (name.contains(".env.") && !is_text) || (is_named && extension.is_empty())
}

/// Returns whether a name is that of a history of commands, which may have had passwords.
fn is_history(folders: &[&str], name: &str) -> bool {
    let undotted = name.trim_start_matches('.');
    let (stem, extension) = split(name);
    if CODE.contains(&extension) || DOCUMENTS.contains(&extension) {
        return false;
    }
    let is_hidden = undotted.len() < name.len();
    let is_of_program = |program: &&str| {
        let rest = undotted.strip_prefix(*program);
        rest.is_some_and(|rest| rest.starts_with("_history") || rest.starts_with("-history"))
    };
    let is_kept = folders.iter().any(|folder| HISTORIES.contains(folder))
        || is_in_pair(folders, FOLDERS_OF_HISTORIES);
    (is_hidden
        && (undotted.ends_with("history")
            || undotted.ends_with("_hist")
            || undotted.contains("_history")))
        || INTERPRETERS.iter().any(is_of_program)
        || (is_kept
            && (words_of(stem).last() == Some(&"history")
                || ["history", "historynew"].contains(&extension)))
}

/// Returns whether a name is that of a vault of Ansible: `vault_prod.yml`, and below `group_vars`
/// whatever has the word.
fn is_vault(folders: &[&str], name: &str) -> bool {
    let (stem, extension) = split(name);
    let words = words_of(stem);
    let is_of_variables = || {
        ["vars", "group_vars", "host_vars"]
            .iter()
            .any(|of| folders.contains(of))
    };
    ["yml", "yaml"].contains(&extension)
        && words.contains(&"vault")
        && (words
            .iter()
            .all(|word| *word == "vault" || is_environment(word) || *word == "test")
            || is_of_variables())
}

fn is_secret_name(name: &str) -> bool {
    let undotted = name.trim_start_matches('.');
    let (stem, extension) = split(name);
    let is_hidden = undotted.len() < name.len();
    // Code about secrets is not secret, but a file from which a program reads its secrets may be
    // code.
    let is_code = CODE.contains(&extension);
    let is_typed = name.ends_with(".d.ts") || name.ends_with(".test.ts");
    let begins = BEGINNINGS.iter().any(|beginning| {
        let may_be_code = beginning.starts_with(".env") || *beginning == "wp-config";
        !is_typed
            && (!is_code || may_be_code)
            && (name.starts_with(beginning) || undotted.starts_with(beginning))
    });
    let begins_and_ends = || {
        let both = BEGINNINGS_WITH_EXTENSION.iter();
        both.filter_map(|both| both.split_once('*'))
            .any(|(beginning, end)| undotted.starts_with(beginning) && undotted.ends_with(end))
    };
    begins
        || begins_and_ends()
        || ENDS_OF_NAMES.iter().any(|end| name.ends_with(end))
        || NAMES.contains(&undotted)
        || (is_hidden && HIDDEN.contains(&name))
        || is_interface_of_wireguard(undotted)
        || is_secret_script(stem, extension)
        || holds_environment(name)
        || EXTENSIONS.contains(&extension)
        || [".pem.", ".key.", ".p12.", ".keystore."]
            .iter()
            .any(|inner| !is_code && name.contains(inner))
        || (undotted.starts_with("appsettings.")
            && undotted != "appsettings.json"
            && extension == "json")
        || (DATA.contains(&extension) && is_secret_data(stem, extension))
}

/// Returns whether the words in the name of a data file mean that it is secret.
fn is_secret_data(stem: &str, extension: &str) -> bool {
    let joined: String = stem.chars().filter(|c| c.is_alphanumeric()).collect();
    let words = words_of(stem);
    let last = words.iter().rfind(|word| !is_environment(word));
    let is_plain =
        ["", "json", "txt", "text", "csv", "xml", "bin", "b64", "hex"].contains(&extension);
    let is_export = || {
        is_plain
            && !extension.is_empty()
            && PASSWORD_MANAGERS.iter().any(|of| joined.contains(of))
            && (extension == "csv" || EXPORTS.iter().any(|word| joined.contains(word)))
    };
    let is_pair = |pair: &[&str]| WORD_PAIRS.contains(&pair.join("-").as_str());
    WORDS.iter().any(|word| joined.contains(word))
        || STEMS.contains(&joined.as_str())
        || LAST_WORDS.iter().any(|word| joined.ends_with(word))
        || (joined.ends_with("token") && !["", "xml"].contains(&extension))
        || words
            .iter()
            .any(|word| matches!(*word, "cred" | "creds" | "pwd" | "pass" | "keyfile"))
        || words.windows(2).any(is_pair)
        || (is_plain && last == Some(&"keypair"))
        || (extension == "der" && matches!(last, Some(&("key" | "private"))))
        || (["json", "txt"].contains(&extension) && matches!(last, Some(&("cookies" | "cookie"))))
        || is_export()
}
