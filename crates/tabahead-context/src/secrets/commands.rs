//! Passwords in addresses and on command lines, of which some programs' lines of settings are a kind.

use std::ops::Range;

use super::{
    random::is_random,
    value::{SHORTEST_TOKEN, is_hexadecimal},
};

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
    ((is_random(password) || is_hexadecimal(password)) && !user.contains(['/', ' ', '"', '\'']))
        .then_some(run.start..at)
}

/// Returns the password that is passed to a command: to an option, in the same run as the option or in
/// the next one, as the argument of a fixed place, or through a pipe.
pub(super) fn password_of_command(line: &str, run: Range<usize>) -> Option<Range<usize>> {
    let run = Argument {
        line,
        before: line[..run.start].trim_end_matches(['"', '\'']),
        run,
    };
    let of_option = OPTIONS.iter().find_map(|(program, option, form)| {
        let value = run.password(option, *form)?;
        let begins_line = || *form == Form::Pair && run.before.trim_start().starts_with(option);
        (run.looks_random(&value) && (run.before.contains(program) || begins_line()))
            .then_some(value)
    });
    of_option.or_else(|| {
        let is_password = run.looks_random(&run.run)
            && (run.is_in_its_place() || run.goes_through_pipe() || run.is_of_file());
        is_password.then_some(run.run)
    })
}

/// A run that may be, or hold, an argument of a command.
struct Argument<'a> {
    line: &'a str,
    run: Range<usize>,
    /// The line up to the run, without a quote that opens it.
    before: &'a str,
}

impl Argument<'_> {
    fn text(&self) -> &str {
        &self.line[self.run.clone()]
    }

    fn looks_random(&self, value: &Range<usize>) -> bool {
        is_random(&self.line.as_bytes()[value.clone()])
    }

    /// Returns where the password is if the run is passed to an option in a form.
    fn password(&self, option: &str, form: Form) -> Option<Range<usize>> {
        let Range { start, end } = self.run;
        let is_after = |before: &str| before.trim_end_matches([' ', '=']).ends_with(option);
        match form {
            Form::Pair => {
                let is_user = |c: char| c.is_alphanumeric() || "_-.@+".contains(c);
                let pair = self.before.strip_suffix([':', ','])?;
                let command = pair.trim_end_matches(is_user);
                let is_joined = pair[command.len()..].starts_with(option);
                let command = command.trim_end_matches(['"', '\'']);
                (is_joined || is_after(command)).then_some(start..end)
            }
            Form::Joined if self.text().starts_with(option) => Some(start + option.len()..end),
            // The option is before the quote.
            Form::Joined => {
                let is_quoted = self.before.len() < start && self.before.ends_with(option);
                is_quoted.then_some(start..end)
            }
            Form::Next => is_after(self.before).then_some(start..end),
            Form::Within(sign) => {
                let at = self.text().find(sign)?;
                let length = self.text()[at + 1..]
                    .find('@')
                    .unwrap_or(end - start - at - 1);
                let is_here =
                    is_after(self.before) && (!option.is_empty() || self.text().contains('@'));
                is_here.then_some(start + at + 1..start + at + 1 + length)
            }
            Form::AfterUser => {
                let before = self.before.trim_end();
                let user = before[before.rfind(char::is_whitespace)?..].trim();
                let is_user = user.to_ascii_lowercase().starts_with(option);
                is_user.then_some(start..end)
            }
        }
    }

    /// Returns whether the run is the argument that a command takes a password as.
    fn is_in_its_place(&self) -> bool {
        let is_its_place = |(command, place): &(&str, usize)| {
            self.before.rfind(command).is_some_and(|at| {
                let between = &self.before[at + command.len()..];
                between.starts_with(' ') && between.split_whitespace().count() == *place
            })
        };
        let is_argument = || self.before.ends_with(' ') || self.before.len() < self.run.start;
        is_argument() && PLACES.iter().any(is_its_place)
    }

    /// Returns whether a pipe leads from the run to a command that reads a password, perhaps after the
    /// user's name and a colon.
    fn goes_through_pipe(&self) -> bool {
        let holds = |text: &str, names: &[&str]| names.iter().any(|name| text.contains(name));
        let reader = self.line[self.run.end..].split_once('|');
        reader.is_some_and(|(_, reader)| holds(reader, &READERS))
            && holds(self.before, &["echo ", "printf "])
    }

    /// Returns whether the run is the password in a line of a file that has nothing else: PostgreSQL's
    /// `host:port:database:user:password`, or a user of Redis.
    fn is_of_file(&self) -> bool {
        let is_redis = || self.before.contains("user ") && self.before.ends_with(" on >");
        let is_postgresql = || {
            let fields: Vec<&str> = self.before.trim_start().split(':').collect();
            let is_field = |field: &&str| {
                let is_of_field = |c: char| c.is_alphanumeric() || "_-.*".contains(c);
                !field.is_empty() && field.chars().all(is_of_field)
            };
            let [host, port, database, user, ""] = fields[..] else {
                return false;
            };
            let is_port = (2..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
            is_port && [host, database, user].iter().all(is_field)
        };
        self.before.len() == self.run.start && (is_redis() || is_postgresql())
    }
}

/// How a password is passed to an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the next argument or the same one, after the user's name and a colon or a comma.
    Pair,
    /// In the same argument.
    Joined,
    /// As the next argument.
    Next,
    /// As the next argument, after the user's name and a sign, and before the host.
    Within(char),
    /// As the argument after an option that is joined with the user's name.
    AfterUser,
}

/// Commands that take passwords on the command line by options whose names do not reveal it. Most
/// lines end with none of the options, so these are compared first.
const OPTIONS: [(&str, &str, Form); 36] = [
    ("curl", "-u", Form::Pair),
    ("curl", "--user", Form::Pair),
    ("curl", "-U", Form::Pair),
    ("http", "-a", Form::Pair),
    ("http", "--auth", Form::Pair),
    ("xh ", "-a", Form::Pair),
    ("xh ", "--auth", Form::Pair),
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
    ("smbclient", "-U", Form::Within('%')),
    ("rpcclient", "-U", Form::Within('%')),
    ("rclone", "obscure", Form::Next),
    ("net use", "/user:", Form::AfterUser),
    ("useradd", "-p", Form::Next),
    ("usermod", "-p", Form::Next),
    ("sqlcmd", "-P", Form::Next),
    ("bcp ", "-P", Form::Joined),
    ("bcp ", "-P", Form::Next),
    ("cqlsh", "-p", Form::Next),
    ("twine", "-p", Form::Next),
    ("gem push", "--key", Form::Next),
    ("xfreerdp", "/p:", Form::Next),
    ("sonar", "-Dsonar.login", Form::Next),
    ("sqlplus ", "", Form::Within('/')),
    ("jdbc:oracle:thin:", "", Form::Within('/')),
];

/// Commands that take a password as an argument, and how many arguments are between.
const PLACES: [(&str, usize); 9] = [
    ("net user", 1),
    ("cargo login", 0),
    ("vault login", 0),
    ("rabbitmqctl add_user", 1),
    ("rabbitmqctl change_password", 1),
    ("sentinel auth-pass", 1),
    ("snmp-server community", 0),
    ("isakmp key", 0),
    ("htpasswd -b", 2),
];

/// Commands that read a password from a pipe.
const READERS: [&str; 5] = [
    "--password-stdin",
    "sudo -S",
    "chpasswd",
    "passwd --stdin",
    "--with-token",
];
