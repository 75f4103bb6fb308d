//! Counts the files below some folders that are taken for secrets, by name and by content, to
//! measure the precision of both rules.
//!
//! `cargo run --release -p tabahead-session --example secrets -- FOLDER…` prints each such file with
//! the first line that decided and further ones that decide alone, and totals for each folder. Links are skipped, and files that are not
//! text count by name only.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use tabahead_context::holds_secret;
use tabahead_session::is_secret;

fn main() -> io::Result<()> {
    for folder in env::args().skip(1) {
        let mut files = Vec::new();
        walk(Path::new(&folder), &mut files)?;
        let (mut texts, mut by_name, mut by_value) = (0, 0, 0);
        for file in files {
            let name = file.to_string_lossy();
            if is_secret(&name) {
                by_name += 1;
                println!("{name}: by its name");
            }
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            texts += 1;
            if holds_secret(&text) {
                by_value += 1;
                let lines: Vec<&str> = text.lines().collect();
                let first = first_that_decides(&lines);
                println!("{name}:{}: {}", first + 1, lines[first]);
                let others = lines.iter().enumerate().skip(first + 1);
                for (number, line) in others.filter(|(_, line)| holds_secret(line)).take(2) {
                    println!("{name}:{}: {line}", number + 1);
                }
            }
        }
        println!(
            "{folder}: {texts} texts, {by_value} with a value; {by_name} files by their names"
        );
    }
    Ok(())
}

/// Returns the first line that completes a value, by bisection: more lines hold no fewer values.
fn first_that_decides(lines: &[&str]) -> usize {
    let (mut low, mut high) = (0, lines.len() - 1);
    while low < high {
        let middle = low.midpoint(high);
        if holds_secret(&lines[..=middle].join("\n")) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}
