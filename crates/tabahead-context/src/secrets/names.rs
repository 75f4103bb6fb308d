//! Names of secrets, and whether one is before a value or above it.

use super::{between::is_password_field, tokens::Beginnings};

/// Maximum distance between a value and its name, in bytes.
const NAME_REACH: usize = 64;

/// Names of secrets, in lower case and without word separators.
const NAMES: [&str; 95] = [
    "token",
    "secret",
    "passw",
    "passphrase",
    "passcode",
    "pwd",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "accountkey",
    "authkey",
    "sharedkey",
    "sessionkey",
    "servicekey",
    "licensekey",
    "credential",
    "authorization",
    "bearer",
    "connectionstring",
    "dbpw",
    "dbpass",
    "certpass",
    "keypass",
    "storepass",
    "keystorepass",
    "rootpass",
    "userpass",
    "adminpass",
    "mypass",
    "aeskey",
    "hmackey",
    "jwtkey",
    "appkey",
    "sshkey",
    "deploykey",
    "fernetkey",
    "consumerkey",
    "subscriptionkey",
    "storagekey",
    "privkey",
    "requirepass",
    "unsealkey",
    "recoverykey",
    "senha",
    "kennwort",
    "motdepasse",
    "clientkey",
    "sessionid",
    "sharedaccesssignature",
    "contraseña",
    "contrasena",
    "wachtwoord",
    "parola",
    "losenord",
    "stripekey",
    "openaikey",
    "mailgunkey",
    "adminkey",
    "writekey",
    "encryptkey",
    "cryptkey",
    "cipherkey",
    "cookiekey",
    "wifikey",
    "passkey",
    "smtppw",
    "httpauth",
    "identifiedby",
    "phpsessid",
    "snmpcommunity",
    "pgpass",
    "webhookkey",
    "devicekey",
    "converttosecurestring",
    "githuboauth",
    "gitlaboauth",
    "functionskey",
    "basicauth",
    "jwtsign",
    "newstripe",
    "stringdata",
    "tlskey",
    "bindpw",
    "rootpw",
    "authtok",
    "masterauth",
    "signaturekey",
    "certificatekey",
    "vapidprivate",
    "connstr",
    "backupcode",
    "noncekey",
];

static BEGINNINGS: Beginnings = Beginnings::none().with(&NAMES);

/// Names of secrets in other scripts, exactly as written.
const FOREIGN_NAMES: [&str; 14] = [
    "пароль",
    "Пароль",
    "ПАРОЛЬ",
    "секрет",
    "Секрет",
    "токен",
    "密码",
    "密碼",
    "口令",
    "令牌",
    "パスワード",
    "비밀번호",
    "lösenord",
    "Lösenord",
];

/// Names of secrets that count only as whole words.
const WORDS: [&str; 31] = [
    "pass",
    "auth",
    "creds",
    "cred",
    "pat",
    "pw",
    "psk",
    "jwt",
    "salt",
    "seed",
    "cookie",
    "pepper",
    "hmac",
    "mfa",
    "totp",
    "sign_key",
    "signkey",
    "server_key",
    "serverkey",
    "cf_key",
    "nwkkey",
    "radius_key",
    "radiuskey",
    "nwkskey",
    "appskey",
    "wepkey",
    "wpakey",
    "cosmos_key",
    "cosmoskey",
    "primarykey",
    "secondarykey",
];

/// Returns whether a line ends with the name of a secret and its value comes below.
pub(super) fn ends_with_name(line: &str) -> bool {
    let line = without_decoration(line);
    let line = line.strip_suffix(['-', '+']).unwrap_or(line);
    let ends_with_operator = || line.ends_with("??") || line.ends_with(" or");
    ((line.ends_with(['=', ':', '(', '|', '>', '\\', '[']) || ends_with_operator())
        && is_named(line))
        || is_object_of_secrets(line)
        || begins_list_of_secrets(line)
        || begins_value_of_secret(line)
        || begins_block_of_secret(line)
        // The values of a secret of Kubernetes.
        || line == "data:"
}

/// Returns a line without what may follow its separator before the value: a comment, YAML's anchor,
/// tag or indentation, or the opening of a literal of several lines.
fn without_decoration(line: &str) -> &str {
    let mut line = line.trim_end();
    for sign in [" #", "\t#", " // "] {
        if let Some((code, _)) = line.split_once(sign)
            && code
                .trim_end()
                .ends_with([':', '(', '[', '=', '|', '>', '{'])
        {
            line = code.trim_end();
        }
    }
    if let Some((before, last)) = line.rsplit_once([' ', '\t']) {
        let is_yaml = last.starts_with(['&', '!']) && before.trim_end().ends_with(':');
        let is_block = last.starts_with(['|', '>'])
            && last[1..]
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b'-' || b == b'+');
        if is_yaml || is_block && before.trim_end().ends_with(':') {
            line = before.trim_end();
        }
    }
    for open in ["\"\"\"", "'''", "`", "r#\"", "r\""] {
        if let Some(before) = line.strip_suffix(open)
            && before.trim_end().ends_with(['=', ':', '('])
        {
            return before.trim_end();
        }
    }
    line
}

/// Returns whether a line has the name of a secret and what leads to its value on the next line: the
/// beginning of a block with a default, or of a definition in Lisp.
fn begins_value_of_secret(line: &str) -> bool {
    let is_default = || {
        let call = line.strip_suffix(" do").or_else(|| line.strip_suffix(" {"));
        call.is_some_and(|call| call.contains(".fetch(") && call.ends_with(')') && is_named(call))
    };
    let is_of_lisp = || {
        let mut words = line.split_whitespace();
        let is_definition = words.next().is_some_and(|word| {
            [
                "(setq",
                "(defvar",
                "(defconst",
                "(defcustom",
                "(def",
                "(define",
                "(defparameter",
            ]
            .contains(&word)
        });
        is_definition && words.next().is_some_and(is_named) && words.next().is_none()
    };
    is_default() || is_of_lisp()
}

/// Returns whether a line ends with a literal that names a secret, as the first argument of a call that
/// goes on below: `"--password",`.
pub(super) fn ends_with_argument(line: &str) -> bool {
    let name_of = |quote: char| {
        let line = line.trim_end().strip_suffix(',')?.strip_suffix(quote)?;
        let (before, name) = line.rsplit_once(quote)?;
        let is_first = before.trim().is_empty() || before.ends_with('(');
        let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        (is_first && name.chars().all(is_of_name)).then_some(name)
    };
    name_of('"').or_else(|| name_of('\'')).is_some_and(is_named)
}

/// Returns whether a line opens what holds nothing but secrets: a section, a map of Go, a function
/// that returns one, or a here-document.
fn begins_block_of_secret(line: &str) -> bool {
    const SECTIONS: [&str; 4] = ["secrets", "passwords", "credentials", "tokens"];

    let is_section = || {
        let name = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'));
        name.is_some_and(|name| {
            let name = name.trim_matches(['[', ']']);
            let first = name.split('.').next().unwrap_or_default();
            SECTIONS
                .iter()
                .any(|section| first.eq_ignore_ascii_case(section))
        })
    };
    let is_here = || {
        line.rsplit_once("<<").is_some_and(|(before, word)| {
            let word = word.trim_start_matches(['-', '~', '"', '\'']);
            word.starts_with(|c: char| c.is_ascii_uppercase())
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_'\"".contains(&b))
                && is_named(before)
        })
    };
    let is_function = || {
        line.ends_with('{')
            && line.split_once("()").is_some_and(|(before, _)| {
                let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
                let name = &before[before.trim_end_matches(is_of_name).len()..];
                name.to_ascii_lowercase().ends_with("password") || name.ends_with("ecret")
            })
    };
    is_section()
        || (line.ends_with("map[string]string{") && is_named(line))
        || is_function()
        || is_here()
}

/// Returns whether a line has the first value of a list, and a name of secrets before it.
fn begins_list_of_secrets(line: &str) -> bool {
    line.ends_with(['"', '\'', ','])
        && line.rfind(['(', '[', ')', ']']).is_some_and(|bracket| {
            line[bracket..].starts_with(['(', '[']) && is_named(&line[..bracket])
        })
}

/// Returns whether a line has nothing but a value, with or without a key, or may be between values:
/// it is blank or a fence of Markdown.
pub(super) fn is_item(line: &str) -> bool {
    let item = line.trim();
    if item.is_empty() || item.starts_with("```") {
        return true;
    }
    let is_entry = item.starts_with("- ") || line.starts_with([' ', '\t']);
    let mut words = item.trim_start_matches("- ").split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let is_pair = first.ends_with([':', '=']) || matches!(second, Some("=" | ":" | "=>"));
    let is_short = match second {
        None => true,
        Some(_) => is_entry && is_pair && words.count() < 2,
    };
    is_short && !item.starts_with([')', ']', '}'])
}

/// Returns whether a line opens an object that maps hosts or users to secrets.
fn is_object_of_secrets(line: &str) -> bool {
    const KEYS: [&str; 8] = [
        "github-oauth",
        "gitlab-oauth",
        "gitlab-token",
        "bearer",
        "secrets",
        "passwords",
        "credentials",
        "tokens",
    ];

    let key = line.strip_suffix('{').map(str::trim_end);
    let key = key.and_then(|line| line.strip_suffix([':', '=']));
    key.is_some_and(|key| {
        let key = key
            .trim_end()
            .rsplit([' ', '\t'])
            .next()
            .unwrap_or_default();
        let key = key.trim_matches(['{', '"', '\'']);
        KEYS.iter().any(|word| word.eq_ignore_ascii_case(key))
    })
}

/// Returns whether a line is an entry that names a variable, and the name is that of a secret:
/// `- name: DB_PASSWORD`, `variable "db_password" {`, `"password": {`, `type="password"`.
pub(super) fn is_name_entry(line: &str) -> bool {
    let of_terraform = || line.trim_start().strip_prefix("variable ");
    let entry = entry_of(line, &["name", "key", "parameterkey"]).or_else(of_terraform);
    entry.is_some_and(|rest| is_named(rest.trim_end_matches(['"', '\'', ',', ' ', '{'])))
        || is_object_of_secret(line)
        || is_password_field(line)
        || is_field_of_secret(line)
}

/// Returns whether a value is that of a variable whose name comes after it on the line:
/// `{"value": "…", "name": "API_TOKEN"}`.
pub(super) fn is_named_after(before: &str, after: &str) -> bool {
    let key = before.trim_end_matches(['"', '\'', ' ', ':', '=']);
    let is_value = (key.len().checked_sub(5))
        .and_then(|at| key.get(at..))
        .is_some_and(|word| word.eq_ignore_ascii_case("value"));
    let next = after.trim_start_matches(['"', '\'']).trim_start();
    is_value
        && next.strip_prefix(',').is_some_and(|next| {
            let entry = next.split([',', '}']).next().unwrap_or_default();
            is_name_entry(entry)
        })
}

/// Returns whether a line opens an object that has the name of a secret, of which one entry may be the
/// value.
fn is_object_of_secret(line: &str) -> bool {
    let key = line.trim_end().strip_suffix('{').map(str::trim_end);
    let key = key.and_then(|line| line.strip_suffix([':', '=']));
    key.is_some_and(|key| {
        let key = key.trim_matches(|c: char| c.is_whitespace() || "{\"'".contains(c));
        !key.contains(|c: char| c.is_whitespace() || c == '(') && is_named(key)
    })
}

/// Returns whether a line begins the tag of a form's field that has the name of a secret, and the tag
/// goes on below.
fn is_field_of_secret(line: &str) -> bool {
    let line = line.trim();
    let name = || {
        let (_, name) = line.split_once(" name=")?;
        let name = name.strip_prefix(['"', '\''])?;
        name.split(['"', '\'']).next()
    };
    line.starts_with("<input ") && !line.contains('>') && name().is_some_and(is_named)
}

/// Returns whether a line is an entry with a variable's value: `value: …`.
pub(super) fn is_value_entry(line: &str) -> bool {
    entry_of(line, &["value", "default", "parametervalue"]).is_some()
}

/// Returns what follows the separator of an entry with one of `keys`, in YAML, JSON or Terraform's
/// language.
fn entry_of<'a>(line: &'a str, keys: &[&str]) -> Option<&'a str> {
    let entry = line.trim_start_matches([' ', '\t', '-', '{', '"', '\'']);
    let rest = keys.iter().find_map(|key| {
        let (begin, rest) = entry.split_at_checked(key.len())?;
        begin.eq_ignore_ascii_case(key).then_some(rest)
    })?;
    let rest = rest.trim_start_matches(['"', '\'']).trim_start();
    rest.strip_prefix([':', '='])
}

/// Returns whether a line with a value ends the list of values.
pub(super) fn ends_list(line: &str) -> bool {
    let line = line.trim_end_matches([' ', '\t', ',', ';']);
    line.ends_with([')', ']', '}']) && !line.contains(['(', '[', '{'])
}

/// Returns whether the name of a secret is near the end of a text.
pub(super) fn is_named(before: &str) -> bool {
    let near = before.as_bytes();
    let near = &near[near.len().saturating_sub(NAME_REACH)..];
    holds_word(near) || holds_name(near) || (!near.is_ascii() && holds_foreign_name(near))
}

/// Returns whether the name of a key or a password is near the end of a text: of what may be a list of
/// bytes, unlike a token. What programs call a secret or a seed may be a constant of theirs.
pub(super) fn is_name_of_key(before: &str) -> bool {
    let is_of_key = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["key", "passw"].iter().any(|word| name.contains(word))
    };
    is_named(before) && before.split([' ', '[', '=']).any(is_of_key)
}

/// Returns whether a line begins an array that may be the bytes of a key, by its name.
pub(super) fn begins_array_of_key(line: &str) -> bool {
    let line = line.trim_end();
    ["] = {", "] = [", "Array(["]
        .iter()
        .any(|begin| line.ends_with(begin))
        && is_name_of_key(line)
}

/// Returns whether the heading of a column is the name of a secret.
pub(super) fn is_heading_of_secrets(heading: &str) -> bool {
    let text = heading.trim_matches(|c: char| !c.is_alphanumeric());
    is_named(text) || WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn holds_foreign_name(text: &[u8]) -> bool {
    let holds = |name: &&str| text.windows(name.len()).any(|part| part == name.as_bytes());
    FOREIGN_NAMES.iter().any(holds)
}

fn holds_name(text: &[u8]) -> bool {
    let mut letters = [0; NAME_REACH];
    let mut length = 0;
    for byte in text
        .iter()
        .filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' '))
    {
        letters[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    let letters = &letters[..length];
    (0..length).any(|at| {
        let rest = &letters[at..];
        // `tokenizer` and `tokenise` are about text.
        BEGINNINGS.may_begin(rest)
            && !rest.starts_with(b"tokeni")
            && NAMES.iter().any(|name| rest.starts_with(name.as_bytes()))
    })
}

fn holds_word(text: &[u8]) -> bool {
    let is_start = |at: usize| at == 0 || !text[at - 1].is_ascii_alphabetic();
    (0..text.len()).filter(|at| is_start(*at)).any(|at| {
        WORDS.iter().any(|word| {
            let (here, rest) = text[at..].split_at_checked(word.len()).unwrap_or_default();
            let rest = rest.trim_ascii_start();
            here.eq_ignore_ascii_case(word.as_bytes())
                && matches!(rest.first(), Some(b'=' | b':' | b'"' | b'\''))
                && !rest.starts_with(b"::")
        })
    })
}
