//! Secret values in one line: tokens of known issuers, what looks random after a name such as
//! `password`, passwords in URLs, and private keys on one line.
//!
//! Values are searched for before names, because values are rarer: a line of ordinary code is read
//! once, byte by byte, and nothing in it is examined twice.

use std::ops::Range;

use super::{
    random::{SHORTEST, is_diverse, is_random},
    tokens::{BEGINNINGS_OF_TOKENS, Beginnings, PREFIXES, SHORT_PREFIXES},
};

/// Maximum distance between a value and its name, in bytes.
const NAME_REACH: usize = 64;

/// Number of bytes of a token that are examined for randomness.
const MOST_JUDGED: usize = 128;

/// Number of bytes within which the first part of a signed token ends.
const LONGEST_HEADER: usize = 2048;

/// Minimum length of a run that holds an issuer's token.
const SHORTEST_TOKEN: usize = 16;

/// Names of secrets, in lower case and without word separators.
const NAMES: [&str; 79] = [
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

/// Names of phrases that a key is derived from.
const NAMES_OF_PHRASES: [&str; 5] = [
    "mnemonic",
    "seedphrase",
    "recoveryphrase",
    "backupphrase",
    "secretphrase",
];

/// Minimum number of words in such a phrase.
const SHORTEST_PHRASE: usize = 12;

/// Names of secrets that count only as whole words.
const WORDS: [&str; 10] = [
    "pass", "auth", "creds", "cred", "pat", "pw", "psk", "jwt", "salt", "seed",
];

/// Returns whether a character ends a value.
pub(super) fn is_delimiter(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if c.is_ascii() => is_delimiting(byte),
        _ => !c.is_alphanumeric(),
    }
}

/// Returns the number of bytes up to the next delimiter.
fn run_length(text: &str) -> usize {
    let mut at = 0;
    for byte in text.bytes() {
        if byte >= 128 {
            let rest = &text[at..];
            return at + rest.find(is_delimiter).unwrap_or(rest.len());
        }
        if is_delimiting(byte) {
            return at;
        }
        at += 1;
    }
    at
}

const fn is_delimiting(byte: u8) -> bool {
    DELIMITERS[byte as usize]
}

const DELIMITERS: [bool; 256] = {
    let delimiters = b" \t\r\n\x0b\x0c\"'`,;()[]{}<>=:&?|\\";
    let mut is_one = [false; 256];
    let mut at = 0;
    while at < delimiters.len() {
        is_one[delimiters[at] as usize] = true;
        at += 1;
    }
    is_one
};

/// Whether the lines above a line name its value as a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameAbove {
    Given,
    Absent,
}

/// Returns the secret values of a line, from left to right and disjoint.
pub(super) fn values(line: &str, name: NameAbove) -> Vec<Range<usize>> {
    let named = name == NameAbove::Given;
    let mut found: Vec<Range<usize>> = Vec::new();
    let bytes = line.as_bytes();
    // A value may extend over values that were found before it and over later ones.
    let mut add = |value: Range<usize>| match found.last_mut() {
        Some(last) if last.end >= value.start => {
            *last = last.start.min(value.start)..last.end.max(value.end);
        }
        _ => found.push(value),
    };
    let mut literal = Literal::default();
    let mut start = 0;
    while start <= bytes.len() {
        let length = run_length(&line[start..]);
        let at = start + length;
        if length >= SHORTEST {
            let run = start..at;
            if let Some(value) = token(line, run.clone()) {
                add(value);
            } else if let Some(value) = password_of_address(line, run.clone())
                .or_else(|| password_of_option(line, run.clone()))
            {
                add(value);
            } else if (is_random(&bytes[run.clone()]) || is_hexadecimal(&bytes[run.clone()]))
                && is_value(line, &run)
                && !is_checksum(&line[..start], &line[run.clone()])
                && (named || is_named(&line[..start]) || is_signed_address(&line[..start]))
            {
                add(whole_value(line, run));
            }
        }
        if let Some(value) = bytes.get(at).and_then(|byte| literal.read(at, *byte))
            && is_random(&bytes[value.clone()])
            && !is_checksum(&line[..value.start], &line[value.clone()])
            && !line[value.clone()].contains("://")
            && !(line[value.clone()].contains('&') && line[value.clone()].contains('='))
            && (named || is_named(&line[..value.start]))
        {
            add(value);
        }
        start = at + line[at..].chars().next().map_or(1, char::len_utf8);
    }
    if let Some(body) = key_in_line(line).or_else(|| phrase(line)) {
        found.retain(|value| value.end <= body.start || body.end <= value.start);
        found.push(body);
        found.sort_by_key(|value| value.start);
    }
    found
}

/// Finds literals that hold delimiters, but neither white space nor escapes: a password may contain
/// any other delimiter.
#[derive(Default)]
struct Literal {
    /// Quote of the open literal, and where its text begins.
    open: Option<(u8, usize)>,
    is_divided: bool,
}

impl Literal {
    /// Reads a delimiter; returns the text of the literal that it closes.
    fn read(&mut self, at: usize, byte: u8) -> Option<Range<usize>> {
        match (byte, self.open) {
            (b'"' | b'\'' | b'`', Some((quote, start))) if quote == byte => {
                self.open = None;
                let literal = start..at;
                (self.is_divided && literal.len() >= SHORTEST).then_some(literal)
            }
            (b'"' | b'\'' | b'`', None) => {
                self.open = Some((byte, at + 1));
                self.is_divided = false;
                None
            }
            (b' ' | b'\t' | b'\\', _) => {
                self.open = None;
                None
            }
            _ => {
                self.is_divided = true;
                None
            }
        }
    }
}

/// Returns the range of a private key's header.
pub(super) fn key_header(line: &str) -> Option<Range<usize>> {
    // `contains` needs no preparation, and nearly every line has no header.
    if !line.contains("BEGIN ") {
        return None;
    }
    let kinds = ["PRIVATE KEY BLOCK", "PRIVATE KEY", "OpenVPN Static key V1"];
    let (name, kind) = (kinds.iter()).find_map(|kind| Some((line.find(kind)?, kind)))?;
    let begin = line[..name].rfind("BEGIN ")?;
    let dashes = line[..begin].trim_end_matches([' ', '-']).len();
    let after = &line[name + kind.len()..];
    let end = after.trim_start_matches([' ', '-']);
    let has_dashes = line[dashes..begin].contains("----") && after.trim_start().starts_with("----");
    has_dashes.then(|| dashes..line.len() - end.len())
}

/// Returns the body of a private key whose header comes before it on the same line, as in JSON.
fn key_in_line(line: &str) -> Option<Range<usize>> {
    let start = key_header(line)?.end;
    let rest = &line[start..];
    let end = rest
        .find("-----END")
        .or_else(|| rest.find(['"', '\'', '`']));
    let body = &rest[..end.unwrap_or(rest.len())];
    let is_body = body
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '/'))
        .any(|part| part.len() > SHORTEST_TOKEN);
    is_body.then(|| start..start + body.len())
}

/// Returns the words that a wallet's key is derived from, if a name before them identifies them.
fn phrase(line: &str) -> Option<Range<usize>> {
    let names_phrase = |before: &str| {
        let letters = before.chars().filter(|c| c.is_ascii_alphabetic());
        let letters: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        NAMES_OF_PHRASES.iter().any(|name| letters.contains(name))
    };
    let is_word = |word: &&str| {
        (3..=8).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    let mut at = 0;
    for part in line.split_inclusive(|c| is_delimiter(c) && c != ' ') {
        // Most parts of a line of code have fewer words.
        if part.bytes().filter(|byte| *byte == b' ').count() < 3 {
            at += part.len();
            continue;
        }
        let text = part.trim_end_matches(is_delimiter).trim_start();
        let start = at + (part.len() - part.trim_start().len());
        // Google's passwords for programs.
        let is_group = |word: &str| word.len() == 4 && is_word(&word);
        let is_google = text.split(' ').count() == 4 && text.split(' ').all(is_group);
        if is_google && is_named(&line[..start]) {
            return Some(start..start + text.len());
        }
        let words = text.split(' ').filter(is_word).count();
        if words >= SHORTEST_PHRASE
            && words == text.split(' ').count()
            && names_phrase(&line[..start])
        {
            return Some(start..start + text.len());
        }
        at += part.len();
    }
    None
}

/// Returns the token of a known issuer in a run.
fn token(line: &str, run: Range<usize>) -> Option<Range<usize>> {
    if run.len() < SHORTEST_TOKEN {
        return None;
    }
    let bytes = line.as_bytes();
    // Telegram: a bot's number, a colon, and a key that begins with `AA`.
    if let Some(before) = line[..run.start].strip_suffix(':')
        && (33..=40).contains(&run.len())
        && line[run.clone()].starts_with("AA")
        && bytes[run.clone()].iter().all(|byte| is_of_token(*byte))
    {
        let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
        if (8..=10).contains(&digits) {
            return Some(before.len() - digits..run.end);
        }
    }
    // Tokens of Mailchimp and HCP Terraform are recognised by what they contain.
    let is_of_mailchimp = (36..=37).contains(&run.len())
        && &bytes[run.start + 32..run.start + 35] == b"-us"
        && is_hexadecimal(&bytes[run.start..run.start + 32]);
    if is_of_mailchimp || run.len() >= 60 && line[run.clone()].contains(".atlasv1.") {
        return Some(run);
    }
    let is_start = |at: usize| at == run.start || !bytes[at - 1].is_ascii_alphanumeric();
    // End of the token characters examined last: each is examined once, however many tokens begin.
    let mut end = run.start;
    for at in (run.start..run.end).filter(|&at| is_start(at)) {
        let rest = &bytes[at..run.end];
        if !BEGINNINGS_OF_TOKENS.may_begin(rest) {
            continue;
        }
        let mut length = |from: usize| {
            if from >= end {
                let signs = bytes[from..run.end].iter();
                end = from + signs.take_while(|byte| is_of_token(**byte)).count();
            }
            end - from
        };
        let sure = PREFIXES.iter().map(|prefix| (prefix, true));
        let all = sure.chain(SHORT_PREFIXES.iter().map(|prefix| (prefix, false)));
        for ((prefix, least), is_sure) in all {
            if rest.starts_with(prefix.as_bytes()) {
                let start = at + prefix.len();
                // The rest of an address may hold characters that are in no token.
                let length = if prefix.ends_with('/') {
                    run.end - start
                } else {
                    length(start)
                };
                let value = &bytes[start..start + length.min(MOST_JUDGED)];
                if length >= *least && is_diverse(value) && (is_sure || is_random(value)) {
                    return Some(at..at + prefix.len() + length);
                }
            }
        }
        // Discord: a bot's number, a time and a key.
        if matches!(rest[0], b'M' | b'N' | b'O') && is_token_of_discord(rest, length(at)) {
            return Some(at..at + length(at));
        }
        // A token of Vault or a key of Bitcoin, of fixed length.
        let is_whole = match rest[0] {
            b's' => length(at) == 26 && is_token_of_vault(&rest[..26]),
            b'5' | b'K' | b'L' => is_key_of_bitcoin(&rest[..length(at)]),
            _ => false,
        };
        let whole = at..at + if is_whole { length(at) } else { 0 };
        if is_whole && is_value(line, &whole) {
            return Some(whole);
        }
        // A private key in base64 without its header.
        if is_private_key(rest) && length(at) > 2 * SHORTEST_TOKEN {
            return Some(at..at + length(at));
        }
        // A signed token: three parts, the first two of which are objects.
        if rest.starts_with(b"eyJ") {
            let length = length(at);
            let token = &line[at..at + length.min(LONGEST_HEADER)];
            if length > 2 * SHORTEST_TOKEN && token.contains(".eyJ") {
                return Some(at..at + length);
            }
        }
    }
    None
}

/// Returns whether the first `length` bytes of a run are three parts as long as those of Discord's
/// tokens.
fn is_token_of_discord(rest: &[u8], length: usize) -> bool {
    let lengths: Vec<usize> = rest[..length]
        .split(|byte| *byte == b'.')
        .map(<[u8]>::len)
        .collect();
    matches!(lengths[..], [24..=28, 6..=7, 27..=40]) && is_random(&rest[..24])
}

/// Returns whether a token is `s.` and 24 random letters and digits.
fn is_token_of_vault(token: &[u8]) -> bool {
    token.strip_prefix(b"s.").is_some_and(|key| {
        key.iter().all(u8::is_ascii_alphanumeric)
            && key.iter().any(u8::is_ascii_digit)
            && key.iter().any(u8::is_ascii_uppercase)
            && is_random(key)
    })
}

/// Returns whether a token has the length, the alphabet and the first two characters of a private
/// key in Bitcoin's wallet format.
fn is_key_of_bitcoin(token: &[u8]) -> bool {
    let begins = match token {
        [b'5', b'H' | b'J' | b'K', ..] => token.len() == 51,
        [b'K', b'w'..=b'z', ..] | [b'L', b'1'..=b'5', ..] => token.len() == 52,
        _ => false,
    };
    let is_base58 = |byte: &u8| byte.is_ascii_alphanumeric() && !b"0OIl".contains(byte);
    begins && token.iter().all(is_base58) && is_random(token)
}

/// Returns whether base64 begins like the DER form of a private key: a sequence that begins with
/// the integer 0 or 1.
fn is_private_key(base64: &[u8]) -> bool {
    const SHORT: [&[u8]; 5] = [
        b"MHcCAQEE",
        b"MIGHAgEA",
        b"MIGkAgEB",
        b"MIHuAgEA",
        b"MC4CAQAw",
    ];

    let is_rsa = base64.starts_with(b"MII") && base64.get(6..9) == Some(b"IBA");
    is_rsa || SHORT.iter().any(|beginning| base64.starts_with(beginning))
}

/// Returns whether the next run is the signature in a URL that gives access to a store, like
/// Azure's.
fn is_signed_address(before: &str) -> bool {
    before.ends_with("sig=") && before.contains("sv=")
}

/// Returns whether a run is hexadecimal digits, long enough to be a key, and not a number, an
/// address or a word.
fn is_hexadecimal(run: &[u8]) -> bool {
    const KEY_OF_256_BITS: usize = 64;

    let run = match run {
        [b'0', b'x', digits @ ..] if digits.len() >= KEY_OF_256_BITS => digits,
        run => run,
    };
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    run.len() >= SHORTEST_TOKEN
        && run.iter().all(u8::is_ascii_hexdigit)
        && digits >= 4
        && run.len() - digits >= 2
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'~' | b'$')
}

/// Returns the password in `scheme://user:password@host`, if the run begins after the second colon.
fn password_of_address(line: &str, run: Range<usize>) -> Option<Range<usize>> {
    let before = line[..run.start].strip_suffix(':')?;
    let at = run.start + line[run.clone()].find('@')?;
    // A token in the place of user and password.
    let token = run.start + 2..at;
    if line[run.clone()].starts_with("//") && token.len() >= SHORTEST_TOKEN {
        let text = &line[token.clone()];
        return (is_random(text.as_bytes()) && !text.contains('/')).then_some(token);
    }
    // The address of a data base as Go's drivers take it.
    if ["tcp", "unix"].contains(&&line[at + 1..run.end]) {
        let password = run.start..at;
        return is_random(line[password.clone()].as_bytes()).then_some(password);
    }
    let address = before.rfind("://")?;
    let user = &before[address + 3..];
    let password = &line.as_bytes()[run.start..at];
    (is_random(password) && !user.contains(['/', ' ', '"', '\''])).then_some(run.start..at)
}

/// Returns the password that is passed to an option of a command, in the same run as the option or
/// in the next one.
fn password_of_option(line: &str, run: Range<usize>) -> Option<Range<usize>> {
    let before = line[..run.start].trim_end_matches(['"', '\'']);
    let user_of_pair = |before: &str| {
        let is_user = |c: char| c.is_alphanumeric() || "_-.@+".contains(c);
        let user = before.strip_suffix([':', ','])?.trim_end_matches(is_user);
        Some(user.trim_end_matches(['"', '\'']).len())
    };
    let (command, start) = match user_of_pair(before) {
        Some(end) => (&before[..end], run.start),
        None => (before, run.start),
    };
    OPTIONS.iter().find_map(|(program, option, form)| {
        let start = match form {
            Form::Pair if command.len() < before.len() => start,
            Form::Joined => {
                start
                    + line[run.clone()]
                        .starts_with(option)
                        .then_some(option.len())?
            }
            Form::Next | Form::AfterUser if command.len() == before.len() => start,
            Form::AfterPercent => start + line[run.clone()].find('%')? + 1,
            _ => return None,
        };
        let command_of_option = match form {
            Form::AfterUser => {
                let before_user = command.trim_end().rfind(char::is_whitespace)?;
                let argument = command[before_user..].trim().to_ascii_lowercase();
                return (argument.starts_with(option)
                    && is_random(&line.as_bytes()[run.clone()])
                    && command.contains(program))
                .then(|| run.clone());
            }
            _ => command.trim_end(),
        };
        let is_after_option = *form == Form::Joined || command_of_option.ends_with(option);
        let value = start..run.end;
        (is_after_option && is_random(&line.as_bytes()[value.clone()]) && command.contains(program))
            .then_some(value)
    })
}

/// How a password is passed to an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the next argument, after the user's name and a colon or a comma.
    Pair,
    /// In the same argument.
    Joined,
    /// As the next argument.
    Next,
    /// As the next argument, after the user's name and a percent sign.
    AfterPercent,
    /// As the argument after an option that is joined with the user's name.
    AfterUser,
}

/// Commands that take passwords on the command line by options whose names do not reveal it.
const OPTIONS: [(&str, &str, Form); 20] = [
    ("curl", "-u", Form::Pair),
    ("curl", "--user", Form::Pair),
    ("curl", "-U", Form::Pair),
    ("http", "-a", Form::Pair),
    ("mysql", "-p", Form::Joined),
    ("mariadb", "-p", Form::Joined),
    ("sshpass", "-p", Form::Joined),
    ("sshpass", "-p", Form::Next),
    ("login", "-p", Form::Next),
    ("mongo", "-p", Form::Next),
    ("redis-cli", "-a", Form::Next),
    ("7z", "-p", Form::Joined),
    ("zip", "-P", Form::Next),
    ("ldap", "-w", Form::Next),
    ("openssl", "-k", Form::Next),
    ("openssl", "-K", Form::Next),
    ("lftp", "-u", Form::Pair),
    ("smbclient", "-U", Form::AfterPercent),
    ("rpcclient", "-U", Form::AfterPercent),
    ("net use", "/user:", Form::AfterUser),
];

/// Returns whether a run is a value rather than a piece of an expression: it is quoted or assigned,
/// and it is not called.
fn is_value(line: &str, run: &Range<usize>) -> bool {
    let before = &line[..run.start];
    let after = &line[run.end..];
    if before.ends_with(['"', '\'', '`']) {
        return !after.starts_with('(');
    }
    let is_tag = after.starts_with('<') && !after.starts_with("</");
    let is_called = after.starts_with(['(', '[']) || is_tag || after.starts_with("::");
    let is_part = before.ends_with(['(', '[', '<', '{']) || before.ends_with("::");
    // A long one is no name, wherever it is.
    let text = &line.as_bytes()[run.clone()];
    let is_sure = run.len() >= SHORTEST_TOKEN && text.iter().any(u8::is_ascii_digit);
    !is_called && (!is_part || is_sure && is_random(text))
}

/// Returns the whole value that a run is part of: a literal that is neither a sentence nor a URL,
/// or what is assigned up to white space or a bracket. Otherwise returns the run.
fn whole_value(line: &str, run: Range<usize>) -> Range<usize> {
    let is_quote = |c: char| matches!(c, '"' | '\'' | '`');
    let ends = |c: char| {
        let is_sign = !c.is_ascii() && !c.is_alphanumeric();
        is_sign || is_quote(c) || c.is_whitespace() || ",;()[]{}<>\\".contains(c)
    };
    let before = &line[..run.start];
    let open = before
        .rfind(is_quote)
        .filter(|open| !before[*open..].contains(char::is_whitespace));
    if let Some(open) = open {
        let quote = char::from(line.as_bytes()[open]);
        let close = line[run.end..].find(quote).map(|close| run.end + close);
        let literal = open + 1..close.unwrap_or(run.end);
        let text = &line[literal.clone()];
        let is_one =
            !text.contains(char::is_whitespace) && !text.contains("://") && !text.contains('\\');
        let is_one = is_one && !(text.contains('&') && text.contains('='));
        return if is_one { literal } else { run };
    }
    let is_address = before.contains("://") || before.contains(['?', '&']);
    let end = line[run.end..].find(ends).unwrap_or(line.len() - run.end);
    if is_address {
        run
    } else {
        run.start..run.end + end
    }
}

/// Returns whether a line ends with the name of a secret and its value comes below.
pub(super) fn ends_with_name(line: &str) -> bool {
    let line = line.trim_end();
    let line = line.strip_suffix(['-', '+']).unwrap_or(line);
    (line.ends_with(['=', ':', '(', '|', '>', '\\', '[']) && is_named(line))
        || is_object_of_secrets(line)
}

/// Returns whether a line opens an object of JSON that maps hosts or users to secrets.
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
    let key = key.and_then(|line| line.strip_suffix(':'));
    key.is_some_and(|key| KEYS.contains(&key.trim_matches([' ', '\t', '{', '"', '\''])))
}

/// Returns whether a line is an entry that names a variable, and the name is that of a secret:
/// `- name: DB_PASSWORD`, `variable "db_password" {`.
pub(super) fn is_name_entry(line: &str) -> bool {
    let of_terraform = || line.trim_start().strip_prefix("variable ");
    let entry = entry_of(line, &["name", "key", "parameterkey"]).or_else(of_terraform);
    entry.is_some_and(|rest| is_named(rest.trim_end_matches(['"', '\'', ',', ' ', '{'])))
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

/// Returns whether the name of a secret is near the end of a text.
fn is_named(before: &str) -> bool {
    let near = before.as_bytes();
    let near = &near[near.len().saturating_sub(NAME_REACH)..];
    holds_word(near) || holds_name(near) || (!near.is_ascii() && holds_foreign_name(near))
}

fn holds_foreign_name(text: &[u8]) -> bool {
    let holds = |name: &&str| text.windows(name.len()).any(|part| part == name.as_bytes());
    FOREIGN_NAMES.iter().any(holds)
}

/// Returns whether a value is a checksum, a pattern or another public text, by what it begins with or
/// by the last name before it.
fn is_checksum(before: &str, value: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "sha1-", "sha256-", "sha384-", "sha512-", "sha256:", "sha512:", "h1:", "arn:aws", "data:",
    ];
    const ENDS: [&str; 8] = [
        "sha1:",
        "sha256:",
        "sha384:",
        "sha512:",
        "md5:",
        "h1:",
        "base64,",
        "checksum:",
    ];
    const NAMES: [&str; 10] = [
        "sha1",
        "sha256",
        "sha384",
        "sha512",
        "md5",
        "checksum",
        "digest",
        "integrity",
        "revision",
        "publickeytoken",
    ];

    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let up_to_name = before.trim_end_matches(|c| !is_name(c));
    let name = &up_to_name[up_to_name.trim_end_matches(is_name).len()..];
    let name = name.to_ascii_lowercase();
    // A class of characters in a pattern.
    let is_class = ["[a-z", "[A-Z", "[0-9"]
        .iter()
        .any(|class| value.contains(class));
    let of_resource = before.rsplit(|c: char| c.is_whitespace() || "\"'`,;".contains(c));
    let is_resource = of_resource
        .take(1)
        .any(|start| start.starts_with("arn:aws"));
    let is_secret = name.contains("pass") || name.contains("secret");
    is_class
        || BEGINNINGS.iter().any(|start| value.starts_with(start))
        || ENDS.iter().any(|end| before.ends_with(end))
        || is_resource
        || !is_secret && NAMES.iter().any(|word| name.ends_with(word))
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
