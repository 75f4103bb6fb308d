//! Names of copies: what editors, people, browsers, file systems and package managers put before or
//! after the name of the original.
//!
//! A pure function of a name. It does not know which names are secret.

use super::{split, words::DATA};

/// Extensions that do not describe the contents: the file is a copy, a template, encrypted, or for
/// one of several environments. A number may follow.
const MEANINGLESS: &[&str] = &[
    "bak",
    "backup",
    "bkp",
    "old",
    "orig",
    "original",
    "save",
    "saved",
    "swp",
    "swo",
    "swn",
    "tmp",
    "temp",
    "new",
    "copy",
    "rej",
    "dist",
    "default",
    "defaults",
    "example",
    "examples",
    "sample",
    "samples",
    "template",
    "tmpl",
    "tpl",
    "j2",
    "jinja",
    "jinja2",
    "erb",
    "mustache",
    "hbs",
    "in",
    "enc",
    "encrypted",
    "sops",
    "crypt",
    "local",
    "prod",
    "production",
    "dev",
    "devel",
    "development",
    "staging",
    "stage",
    "test",
    "testing",
    "qa",
    "uat",
    "ci",
    "demo",
    "live",
    "gz",
    "zip",
    "bz2",
    "xz",
    "disabled",
    "auto",
    "bk",
    "prev",
    "previous",
    "un",
    "mine",
    "theirs",
    "ours",
    "base",
    "remote",
    "part",
    "partial",
    "filepart",
    "crdownload",
    "kate",
    "rpmsave",
    "rpmnew",
    "rpmorig",
    "dpkg",
    "dpkg-remove",
    "dpkg-backup",
    "ucf",
    "pacnew",
    "pacsave",
    "pacorig",
    "apk-new",
    "augsave",
    "augnew",
    "dec",
    "decrypted",
    "plain",
    "plaintext",
    "cleartext",
    "unencrypted",
    "gotmpl",
    "gtpl",
    "ctmpl",
    "tftpl",
    "tftmpl",
    "epp",
    "envsubst",
    "debug",
    "release",
    "stg",
    "prd",
    "preprod",
    "sandbox",
    "zst",
    "lz4",
    "tar",
    "tgz",
    "7z",
];

/// Words for a copy or a version, besides `MEANINGLESS`.
const VERSIONS: &[&str] = &[
    "another",
    "kopie",
    "copie",
    "copia",
    "kopia",
    "副本",
    "コピー",
];

/// What comes before the name of a copy or of a lock file.
const BEGINNINGS: &[&str] = &[
    "copy of ",
    "kopie von ",
    "copie de ",
    "copia de ",
    ".#",
    ".~lock.",
    "~$",
    "._",
    ".syncthing.",
];

/// Words for a copy that count without an extension before them.
const WHOLE_WORDS: &[&str] = &["copy", "old", "bak", "bk", "bkp", "backup", "orig"];

/// Returns the name, and below it the names of what it may be a copy of.
pub(super) fn originals(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| shorter(name))
}

/// Returns the name without one part at its start or end that does not describe the contents;
/// `None` if there is none.
fn shorter(name: &str) -> Option<&str> {
    if let Some(shorter) = name
        .strip_suffix(['~', '#'])
        .or_else(|| name.strip_prefix('#'))
        .or_else(|| name.strip_suffix("::$data"))
        .or_else(|| of_gentoo(name))
    {
        return Some(shorter);
    }
    let before = BEGINNINGS
        .iter()
        .find_map(|before| name.strip_prefix(before));
    if let Some(shorter) = before.filter(|shorter| !shorter.is_empty()) {
        return Some(shorter);
    }
    if let Some(shorter) = without_version(name) {
        return Some(shorter);
    }
    let (_, extension) = split(name);
    let is_no_kind = !extension.is_empty()
        && (is_meaningless(extension) || DATA.contains(&extension) || is_time(extension));
    is_no_kind.then(|| &name[..name.len() - extension.len() - 1])
}

/// Returns the original of `._cfg0000_name`, which Gentoo leaves beside a file that was changed.
fn of_gentoo(name: &str) -> Option<&str> {
    let (number, original) = name.strip_prefix("._cfg")?.split_once('_')?;
    is_number(number).then_some(original)
}

/// Returns the name without the version that people, systems and browsers put after it: `.env copy`,
/// `prod.env-old`, `key.pem (1)`, `.env~1`; `None` if there is none.
fn without_version(name: &str) -> Option<&str> {
    const SEPARATORS: [char; 5] = [' ', '-', '_', '~', '('];

    if let Some((before, remark)) = name.rsplit_once(" (")
        && remark.ends_with(')')
        && remark.contains("conflict")
    {
        return Some(before);
    }
    let at = name.rfind(SEPARATORS)?;
    let (before, version) = (&name[..at], name[at + 1..].trim_end_matches(')'));
    let is_version = is_number(version.strip_prefix('v').unwrap_or(version))
        || is_meaningless(version)
        || VERSIONS.contains(&version);
    // Without an extension before it, a word after a hyphen is more often a part of the name.
    let is_whole_word =
        !name[at..].starts_with(['-', '_']) || WHOLE_WORDS.contains(&without_number(version));
    (is_version && (is_whole_word || before.contains('.')))
        .then(|| before.trim_end_matches(SEPARATORS).trim_end_matches('.'))
}

fn is_meaningless(word: &str) -> bool {
    MEANINGLESS.contains(&word) || MEANINGLESS.contains(&without_number(word))
}

fn without_number(word: &str) -> &str {
    word.trim_end_matches(|c: char| c.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether an extension is a number, a version such as `v6`, or a point in time.
fn is_time(extension: &str) -> bool {
    let number = extension.strip_prefix('v').unwrap_or(extension);
    number.starts_with(|c: char| c.is_ascii_digit())
        && number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-_:@tz+".contains(&byte))
}
