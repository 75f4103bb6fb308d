//! Passwords in addresses and on command lines.

use std::ops::Range;

use super::{random::is_random, value::SHORTEST_TOKEN};

/// Returns the password in `scheme://user:password@host`, if the run begins after the second colon.
pub(super) fn password_of_address(line: &str, run: Range<usize>) -> Option<Range<usize>> {
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
pub(super) fn password_of_option(line: &str, run: Range<usize>) -> Option<Range<usize>> {
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
const OPTIONS: [(&str, &str, Form); 21] = [
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
    ("rclone", "obscure", Form::Next),
    ("net use", "/user:", Form::AfterUser),
];
