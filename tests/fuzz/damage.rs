//! Damages intact input: bytes anywhere, JSON in its structure.
//!
//! Knows no format. One to three pieces of damage leave most of an input intact, so that its reader
//! gets far before it meets them.

use serde_json::{Map, Value, json};
use tabahead_testkit::Random;

/// Numbers at the edges of what code may take for granted.
pub const NUMBERS: [u64; 18] = [
    0,
    1,
    2,
    7,
    31,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 53,
    i64::MAX as u64,
    u64::MAX,
];

/// Byte sequences that have a meaning in some format.
const PIECES: [&[u8]; 16] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"\\",
    b"\\ud83d",
    b"{",
    b"[",
    b"}",
    b"]",
    b",",
    b"1e999",
    b"-",
    b"\xff\xfe",
    b"\x1b[2J",
    "é\u{202e}🙂".as_bytes(),
];

/// Returns a number of pieces of damage: mostly one.
pub fn pieces(random: &mut Random) -> usize {
    1 + random.below(3) * random.below(2)
}

/// Damages bytes in one place.
pub fn bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let length = bytes.len();
    let at = random.below(length + 1);
    let most = *random.pick(&[8, 8, 8, 400]);
    let some = 1 + random.below(most);
    let end = (at + some).min(length);
    match random.below(9) {
        0 | 1 if at < length => bytes[at] ^= 1 << random.below(8),
        2 if at < length => bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff, b'0', b' ']),
        3 => overwrite(bytes, at, *random.pick(&[2, 4, 8]), random),
        4 => drop(bytes.drain(at..end)),
        5 => drop(bytes.splice(at..at, random.pick(&PIECES).iter().copied())),
        6 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        7 => {
            let from = random.below(length + 1);
            let other = bytes[from..(from + some).min(length)].to_vec();
            bytes.splice(at..end, other);
        }
        8 if random.below(3) == 0 => bytes.truncate(at),
        _ => bytes
            .splice(at..end, std::iter::repeat_n(random.below(256) as u8, some))
            .for_each(drop),
    }
}

/// Overwrites `width` bytes with a number near an edge, the lowest byte first.
pub fn overwrite(bytes: &mut [u8], at: usize, width: usize, random: &mut Random) {
    let near = random.below(5) as u64;
    let number = random.pick(&NUMBERS).wrapping_add(near).wrapping_sub(2);
    for (byte, new) in bytes
        .iter_mut()
        .skip(at)
        .zip(&number.to_le_bytes()[..width])
    {
        *byte = *new;
    }
}

/// Damages a JSON value in one place.
pub fn json(value: &mut Value, random: &mut Random) {
    match value {
        Value::Object(object) if !object.is_empty() && random.below(8) > 0 => {
            in_object(object, random);
        }
        Value::Array(array) if !array.is_empty() && random.below(8) > 0 => in_array(array, random),
        other => *other = odd(other, random),
    }
}

fn in_object(object: &mut Map<String, Value>, random: &mut Random) {
    let keys: Vec<String> = object.keys().cloned().collect();
    let key = random.pick(&keys).clone();
    let child = object.get_mut(&key).expect("it is one of its keys");
    match random.below(8) {
        0 => drop(object.remove(&key)),
        1 => {
            let value = child.clone();
            let other = random.pick(&keys).clone();
            object.insert(other, value);
        }
        2 => {
            let value = child.take();
            object.remove(&key);
            object.insert(odd_text(&key, random), value);
        }
        3 => *child = odd(child, random),
        _ => json(child, random),
    }
}

fn in_array(array: &mut Vec<Value>, random: &mut Random) {
    let at = random.below(array.len());
    match random.below(8) {
        0 => drop(array.remove(at)),
        1 => array.insert(at, array[at].clone()),
        2 => {
            let other = random.below(array.len());
            array.swap(at, other);
        }
        3 => {
            let many = vec![array[at].clone(); 1 + random.below(300)];
            array.splice(at..at, many);
        }
        _ => json(&mut array[at], random),
    }
}

/// Returns something else in place of a value.
fn odd(value: &Value, random: &mut Random) -> Value {
    match random.below(12) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => json!(random.pick(&NUMBERS)),
        3 => json!(*random.pick(&[-1_i64, -2, i64::MIN, -128])),
        4 => json!(*random.pick(&[0.5, -0.0, 1e308, 1e-320, 2.0, 1e20])),
        5 => json!(odd_text(value.as_str().unwrap_or("x"), random)),
        6 => json!([]),
        7 => json!({}),
        8 => json!([value]),
        9 => json!({"x": value}),
        10 => (0..random.below(200)).fold(value.clone(), |inner, _| json!([inner])),
        _ => match value {
            Value::Number(number) => {
                let number = number.as_i64().unwrap_or_default();
                json!(number.wrapping_add(*random.pick(&[1, -1, 7, 1 << 31])))
            }
            Value::Bool(is) => json!(!is),
            _ => json!(value.to_string()),
        },
    }
}

/// Returns a text that is not a name, or is nearly the same text.
pub fn odd_text(text: &str, random: &mut Random) -> String {
    match random.below(9) {
        0 => String::new(),
        1 => format!("{text}{text}"),
        2 => text.chars().skip(1).collect(),
        3 => text.to_uppercase(),
        4 => format!("{text}\u{1b}[2J\u{7}\r\n"),
        5 => format!("\u{202e}{text}\0"),
        6 => format!("{text}.{text}"),
        7 => "é🙂".repeat(1 + random.below(3000)),
        _ => format!("../{text}"),
    }
}
