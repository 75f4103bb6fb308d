//! The material of messages: URIs, texts, places, and the damage that is done to a whole message.

use serde_json::{Map, Value, json};

use super::{
    server::CANARY,
    texts::{FIRST_HALF, Place, SECOND_HALF},
};
use tabahead_testkit::Random;

use crate::damage;

/// URIs of files, and some that are not of files.
pub const ADDRESSES: [&str; 9] = [
    "file:///project/src/main.rs",
    "file:///project/tool.py",
    "file:///w%20x/%C3%BC.js",
    "untitled:Untitled-1",
    "vscode-notebook-cell:/n.ipynb#W0",
    "file:///project/.env",
    "file:///c%3A/Users/x/y.html",
    "nonsense",
    "",
];

/// Language ids.
pub const LANGUAGES: [&str; 6] = ["rust", "python", "javascript", "html", "plaintext", ""];

/// Pieces of texts: code, line ends of every kind, characters of every width, halves of pairs.
const PIECES: [&str; 34] = [
    "fn largest(numbers: &[i32]) -> Option<i32> {",
    "    let mut best = None;",
    "    for number in numbers {",
    "def total(items):",
    "    return sum(item.price for item in items)",
    "let x = ",
    "print(",
    "<div class=\"",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\r\n",
    "\r",
    "\n\r",
    "\t",
    " ",
    "(",
    ")",
    "{",
    "}",
    "\"",
    "é",
    "日本",
    "🙂",
    "🧑\u{200d}💻",
    "e\u{301}",
    "\u{feff}",
    "\u{2028}",
    "\0",
    "\u{202e}",
    "\u{f8ff}",
    "\u{f8fe}",
    CANARY,
];

/// Returns a text of at most `most` pieces, rarely repeated forty times.
pub fn text(random: &mut Random, most: usize) -> String {
    let count = random.below(most + 1);
    let mut text: String = (0..count).map(|_| *random.pick::<&str>(&PIECES)).collect();
    if random.below(200) == 0 {
        text = text.repeat(40);
    }
    // Two adjacent halves are one character.
    let pair: String = [FIRST_HALF, SECOND_HALF].iter().collect();
    text.replace(&pair, "😀")
}

pub fn position((line, character): Place) -> Value {
    json!({"line": line, "character": character})
}

pub fn range(start: Place, end: Place) -> Value {
    json!({"start": position(start), "end": position(end)})
}

/// Returns a message that an editor with a fault would send.
pub fn damaged(mut message: Value, random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 | 1 => {
            for _ in 0..damage::pieces(random) {
                damage::json(&mut message, random);
            }
            message.to_string().into_bytes()
        }
        // Repeat a member.
        2 => {
            let members = message.as_object().cloned().unwrap_or_else(Map::new);
            let members: Vec<(String, Value)> = members.into_iter().collect();
            let (name, value) = random.pick(&members);
            let again = json!({ name.as_str(): value }).to_string();
            let rest = message.to_string();
            let first = again.strip_suffix('}').unwrap_or(&again);
            format!("{first},{}", &rest[1..]).into_bytes()
        }
        _ => {
            let mut bytes = message.to_string().into_bytes();
            damage::bytes(&mut bytes, random);
            bytes
        }
    }
}
