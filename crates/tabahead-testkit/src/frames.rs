//! Framing of messages in a stream: a header with the length, and a body. Knows nothing of what
//! they say.

use std::io::BufRead;

use serde_json::Value;

/// Returns a message with its header.
pub fn framed(body: &str) -> String {
    format!("{}{body}", header(body.len()))
}

/// Returns the header of a body of `length` bytes.
pub fn header(length: usize) -> String {
    format!("Content-Length: {length}\r\n\r\n")
}

/// Reads the next message of a server; returns `None` at the end of its output.
pub fn read_message(output: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length:") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let mut body = vec![0; length.expect("each frame has a length")];
    output.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).expect("only JSON goes to stdout"))
}
