//! Tokens of known issuers, found by their prefixes (`tokens.rs`), by their length and alphabet
//! (`shapes.rs`) or by their form.

use std::ops::Range;

use super::{
    random::{is_diverse, is_random},
    shapes::with_shape,
    tokens::{BEGINNINGS_OF_TOKENS, PREFIXES, SHORT_PREFIXES},
    value::{SHORTEST_TOKEN, is_hexadecimal, is_value},
};

/// Number of bytes of a token that are examined for randomness.
const MOST_JUDGED: usize = 128;

/// Number of bytes within which the first part of a signed token ends.
const LONGEST_HEADER: usize = 2048;

/// Returns the token of a known issuer in a run.
pub(super) fn token(line: &str, run: Range<usize>) -> Option<Range<usize>> {
    if run.len() < SHORTEST_TOKEN {
        return None;
    }
    if let Some(token) = token_of_telegram(line, &run) {
        return Some(token);
    }
    if holds_token(&line[run.clone()]) || is_key_of_azure(line, &run) {
        return Some(run);
    }
    if let Some(start) = start_of_pair(line, &run) {
        return Some(start..run.end);
    }
    let bytes = line.as_bytes();
    let is_start = |at: usize| at == run.start || !bytes[at - 1].is_ascii_alphanumeric();
    let mut signs = Signs {
        line: bytes,
        run_end: run.end,
        end: run.start,
    };
    (run.clone())
        .filter(|&at| is_start(at) && BEGINNINGS_OF_TOKENS.may_begin(&bytes[at..run.end]))
        .find_map(|at| {
            let length = with_prefix(&mut signs, at)
                .or_else(|| with_shape(&bytes[at..]))
                .or_else(|| with_form(line, &mut signs, at))?;
            Some(at..at + length)
        })
}

/// Returns a bot's token of Telegram: its number and a colon are before the run, which begins with
/// `AA`. In an address, a path follows.
fn token_of_telegram(line: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let before = line[..run.start].strip_suffix(':')?;
    let key = line[run.clone()].split('/').next()?;
    let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
    let is_token = (33..=40).contains(&key.len())
        && key.starts_with("AA")
        && key.bytes().all(is_of_token)
        && (8..=10).contains(&digits);
    is_token.then(|| before.len() - digits..run.start + key.len())
}

/// Returns where a token begins of which the run is the second part: its first part, a number or a
/// word, and a sign are before the run.
fn start_of_pair(line: &str, run: &Range<usize>) -> Option<usize> {
    let key = &line.as_bytes()[run.clone()];
    let sign = line[..run.start].chars().next_back();
    if key.len() < SHORTEST_TOKEN || !matches!(sign, Some(':' | '|')) {
        return None;
    }
    let before = &line[..run.start - 1];
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let start = before.trim_end_matches(is_word).len();
    let first = &before[start..];
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    let is_small = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_token = match (sign, first, key.len()) {
        // An app's token of Facebook, and one of Laravel's.
        (Some('|'), _, 27) => is_number && first.len() >= 14,
        (Some('|'), _, 40 | 48) => is_number && first.len() <= 9,
        // Twitch, Rancher and JFrog.
        (_, "oauth", 30) => key.iter().all(is_small),
        (_, _, 54) if first.starts_with("kubeconfig-u-") || first.starts_with("token-") => {
            key.iter().all(is_small)
        }
        (Some(':'), _, _) => before[..start].ends_with("reftkn:01:") && is_number,
        _ => false,
    };
    let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (is_token && key.iter().all(is_of_key) && is_random(key)).then_some(start)
}

/// Returns whether a run is a key of Azure's, which has a sign of its service near the end, or a secret
/// of its directory, which has one near the beginning.
fn is_key_of_azure(line: &str, run: &Range<usize>) -> bool {
    const SIGNS: [&str; 8] = [
        "AzFu", "AzSe", "AzCa", "+ASt", "+ABa", "+ACR", "ACDb", "+AEh",
    ];
    const FEWEST_BEFORE: usize = 30;

    let key = &line[run.clone()];
    if !(33..=100).contains(&key.len()) {
        return false;
    }
    let is_near_end = |at: usize| at >= FEWEST_BEFORE && (8..=16).contains(&(key.len() - at));
    let is_key = SIGNS
        .iter()
        .any(|sign| key.rfind(sign).is_some_and(is_near_end))
        && line[run.end..].starts_with('=')
        || key.len() == 84 && key.as_bytes()[52..].starts_with(b"JQQJ9");
    let is_of_directory =
        (37..=40).contains(&key.len()) && matches!(key.as_bytes()[3..6], [b'7' | b'8', b'Q', b'~']);
    (is_key || is_of_directory) && is_random(key.as_bytes())
}

/// Returns whether a run is a token of Mailchimp, Mailgun or HCP Terraform, which are recognised by what
/// they contain.
fn holds_token(run: &str) -> bool {
    let bytes = run.as_bytes();
    let is_of_mailgun = bytes.len() == 50
        && bytes[32] == b'-'
        && bytes[41] == b'-'
        && is_hexadecimal(&bytes[..32])
        && bytes[33..]
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let is_of_mailchimp = (36..=37).contains(&bytes.len())
        && &bytes[32..35] == b"-us"
        && is_hexadecimal(&bytes[..32]);
    is_of_mailchimp || is_of_mailgun || run.len() >= 60 && run.contains(".atlasv1.")
}

/// The characters of tokens in a run: each is examined once, however many tokens begin.
struct Signs<'a> {
    line: &'a [u8],
    run_end: usize,
    /// End of the characters that were examined last.
    end: usize,
}

impl<'a> Signs<'a> {
    /// Returns the number of such characters from a place on.
    fn length(&mut self, from: usize) -> usize {
        if from >= self.end {
            let signs = self.line[from..self.run_end].iter();
            self.end = from + signs.take_while(|byte| is_of_token(**byte)).count();
        }
        self.end - from
    }

    /// Returns the run from a place on.
    fn rest(&self, from: usize) -> &'a [u8] {
        &self.line[from..self.run_end]
    }
}

/// Returns the length of a token that begins with its issuer's prefix.
fn with_prefix(signs: &mut Signs, at: usize) -> Option<usize> {
    let rest = signs.rest(at);
    let sure = PREFIXES.iter().map(|prefix| (prefix, true));
    let mut all = sure.chain(SHORT_PREFIXES.iter().map(|prefix| (prefix, false)));
    all.find_map(|((prefix, least), is_sure)| {
        if !rest.starts_with(prefix.as_bytes()) {
            return None;
        }
        let value = &rest[prefix.len()..];
        // The rest of an address may hold characters that are in no token.
        let length = if prefix.ends_with('/') {
            value.len()
        } else {
            signs.length(at + prefix.len())
        };
        let judged = &value[..length.min(MOST_JUDGED)];
        let is_token = length >= *least && is_diverse(judged) && (is_sure || is_random(judged));
        is_token.then(|| prefix.len() + length)
    })
}

/// Returns the length of a token or key that has the form of its kind.
fn with_form(line: &str, signs: &mut Signs, at: usize) -> Option<usize> {
    let length = signs.length(at);
    let rest = signs.rest(at);
    let token = &rest[..length];
    let is_value = || is_value(line, &(at..at + length));
    let is_token = match rest[0] {
        b'M' | b'N' | b'O' if is_token_of_discord(token) => true,
        b's' => is_token_of_vault(token) && is_value(),
        b'5' | b'K' | b'L' => is_key_of_bitcoin(token) && is_value(),
        _ => length > 2 * SHORTEST_TOKEN && (is_private_key(token) || is_signed(token)),
    };
    is_token.then_some(length)
}

/// Returns whether a token is three parts as long as those of Discord's: a bot's number, a time and
/// a key.
fn is_token_of_discord(token: &[u8]) -> bool {
    let parts = token.split(|byte| *byte == b'.');
    let lengths: Vec<usize> = parts.map(<[u8]>::len).collect();
    matches!(lengths[..], [24..=28, 6..=7, 27..=40]) && is_random(&token[..24])
}

/// Returns whether a token is `s.` and 24 random letters and digits.
fn is_token_of_vault(token: &[u8]) -> bool {
    token.strip_prefix(b"s.").is_some_and(|key| {
        key.len() == 24
            && key.iter().all(u8::is_ascii_alphanumeric)
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

/// Returns whether a token is signed: three parts, the first two of which are objects in base64.
fn is_signed(token: &[u8]) -> bool {
    let header = &token[..token.len().min(LONGEST_HEADER)];
    token.starts_with(b"eyJ") && header.windows(4).any(|part| part == b".eyJ")
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'~' | b'$')
}
