//! Configuration files: the program shows what a file sets, or refuses it in one line.
//!
//! The file is read by the program itself, so each case is a run of `tabahead config`.

use std::{fs, process::Command};

use serde_json::Value;
use tabahead_testkit::Random;

use crate::{
    bounds::check_text,
    damage, program,
    run::{Verdict, fuzz},
};

/// Values that TOML allows and JSON does not, and others that settings do not allow.
const VALUES: [&str; 22] = [
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "nan",
    "-inf",
    "0x7fffffffffffffff",
    "-9223372036854775808",
    "99999999999999999999",
    "1e400",
    "'''\n\n'''",
    "\"\\u001b[2J\"",
    "\"\\ud83d\"",
    "\"a\nb\"",
    "true",
    "[]",
    "[[[1], {}], \"x\"]",
    "{ a = 1, a = 2 }",
    "{}",
    "\"\u{202e}\"",
    "0\n\"\\u001b]0;x\\u0007\" = 1",
    "0\n'\u{202e}' = 1",
    "",
    "= 3",
];

#[test]
fn config_files_are_shown_or_refused_line_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program::path());
        command
            .args(arguments)
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("TABAHEAD_LOG");
        command.output().expect("the program runs")
    };
    let shown = String::from_utf8(run(&["config"]).stdout).expect("text");
    let lines = sound(&shown);
    assert!(lines.len() > 20, "{shown}");
    fuzz("config", 120, &[("shown", 15), ("refused", 30)], |random| {
        fs::write(folder.path().join("c.toml"), damaged(&lines, random)).expect("a file");
        let output = run(&["config", "--json", "--config", "c.toml"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) if errors.is_empty() => match serde_json::from_slice::<Value>(&output.stdout) {
                Ok(_) => Ok("shown"),
                Err(error) => Err(format!("what is shown is not JSON: {error}")),
            },
            Some(1) if output.stdout.is_empty() => refusal(&errors),
            code => Err(format!(
                "it ends with {code:?} and prints: {}",
                errors.escape_debug()
            )),
        }
    });
}

fn refusal(errors: &str) -> Verdict {
    let Some(lines) = errors.strip_suffix('\n') else {
        return Err(format!("no line: {}", errors.escape_debug()));
    };
    // Each wrong setting has a line of its own.
    for line in lines.split('\n') {
        if !line.starts_with("tabahead: ") {
            return Err(format!("no line of the program: {}", line.escape_debug()));
        }
        check_text(&line)?;
    }
    Ok("refused")
}

/// Returns the lines of a file that sets everything to its default, made from the program's output.
fn sound(shown: &str) -> Vec<String> {
    let lines = shown
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line));
    let sets = |line: &&str| {
        let key = line.split(" = ").next().unwrap_or_default();
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        line.starts_with('[') || (line.contains(" = ") && is_key && !line.contains("(unset)"))
    };
    lines.filter(sets).map(str::to_owned).collect()
}

fn damaged(lines: &[String], random: &mut Random) -> Vec<u8> {
    let mut lines: Vec<String> = lines
        .iter()
        .filter(|line| line.starts_with('[') || random.below(2) == 0)
        .cloned()
        .collect();
    let is_sound = random.below(4) == 0;
    for _ in 0..damage::pieces(random) {
        if is_sound {
            break;
        }
        let at = random.below(lines.len());
        let key = lines[at].split(" = ").next().unwrap_or_default().to_owned();
        match random.below(9) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = random.below(lines.len());
                lines.swap(at, other);
            }
            3..=5 => lines[at] = format!("{key} = {}", random.pick(&VALUES)),
            6 => lines[at] = format!("{} = 1", damage::odd_text(&key, random)),
            7 => {
                let depth = 1 + random.below(3000);
                lines[at] = format!("{key} = {}{}", "[".repeat(depth), "]".repeat(depth));
            }
            _ => lines[at] = format!("{key}{} = 1", ".a".repeat(1 + random.below(3000))),
        }
        if lines.is_empty() {
            break;
        }
    }
    let mut file = lines
        .join(if random.below(4) == 0 { "\r\n" } else { "\n" })
        .into_bytes();
    if !is_sound && random.below(3) == 0 {
        damage::bytes(&mut file, random);
    }
    file
}
