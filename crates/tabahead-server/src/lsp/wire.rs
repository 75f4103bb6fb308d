//! Standard input, message by message: what is not a message never reaches tower-lsp.
//!
//! tower-lsp's reader stops for good at the first body that it cannot read, and never returns when
//! input stays open after `exit`. So frames are taken apart and checked here, and put together again
//! for it; a broken one becomes a notification that the front answers with the error that JSON-RPC
//! asks for; and when the server ends, so does the input.

use std::{io, time::Duration};

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tower_lsp::jsonrpc::{ErrorCode, Id, Request, Response};

use crate::lifeline::Lifeline;

/// Stands for a message that could not be read; no client can send it, see [`check`].
pub(super) const MALFORMED: &str = "$/tabahead/malformed";

/// A body beyond this is skipped: no document worth completing is as large.
const LARGEST_BODY: usize = 256 << 20;

/// A header line beyond this is garbage.
const LONGEST_HEADER: u64 = 64 << 10;

/// Stands behind the last message; no client can send it either.
pub(super) const END_OF_INPUT: &str = "$/tabahead/endOfInput";

const END_OF_INPUT_BODY: &str = r#"{"jsonrpc":"2.0","method":"$/tabahead/endOfInput"}"#;

/// How long the end of the input waits for its turn.
const TURN: Duration = Duration::from_secs(1);

/// Copies messages from `input` to `output` until the input or the server ends, and then ends the
/// server.
pub(crate) async fn pump(
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    lifeline: &Lifeline,
) {
    let mut input = BufReader::new(input);
    let copy = async {
        while let Some(frame) = read_frame(&mut input).await? {
            let body = match frame {
                Frame::Body(body) => match check(&body) {
                    Ok(()) => body,
                    Err(malformed) => malformed.to_string().into_bytes(),
                },
                Frame::Garbage => malformed(ErrorCode::ParseError, &Id::Null)
                    .to_string()
                    .into_bytes(),
            };
            let header = format!("Content-Length: {}\r\n\r\n", body.len());
            output.write_all(header.as_bytes()).await?;
            output.write_all(&body).await?;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        biased;
        () = lifeline.ended() => return,
        result = copy => {
            if let Err(error) = result {
                tracing::warn!(%error, "input broke off");
            }
        }
    }
    // An `exit` may be among what was read last, and decides the exit code: so the end takes its
    // turn behind it. A front that takes nothing any more is not waited for.
    let end = async {
        let frame = format!(
            "Content-Length: {}\r\n\r\n{END_OF_INPUT_BODY}",
            END_OF_INPUT_BODY.len()
        );
        if output.write_all(frame.as_bytes()).await.is_ok() {
            lifeline.ended().await;
        }
    };
    let _ = tokio::time::timeout(TURN, end).await;
    lifeline.end(1);
}

enum Frame {
    Body(Vec<u8>),
    /// Something that is no message, to be reported once however long it is.
    Garbage,
}

/// The next frame; `None` at the end of the input.
async fn read_frame(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Frame>> {
    let mut length: Option<usize> = None;
    loop {
        let mut line = Vec::new();
        (&mut *input)
            .take(LONGEST_HEADER)
            .read_until(b'\n', &mut line)
            .await?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).to_ascii_lowercase();
        let line = line.trim();
        // Behind a body that was longer than it said, a header begins in the middle of a line.
        if let Some((_, value)) = line.split_once("content-length:") {
            match value.trim().parse() {
                Ok(value) => length = Some(value),
                Err(_) => return Ok(Some(Frame::Garbage)),
            }
        } else if line.is_empty() {
            if length.is_some() {
                break;
            }
        } else if !line.starts_with("content-type:") {
            return skip_garbage(input).await;
        }
    }
    let length = length.unwrap_or_default();
    if length > LARGEST_BODY {
        let mut body = (&mut *input).take(length as u64);
        tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
        return Ok(Some(Frame::Garbage));
    }
    let mut body = vec![0; length];
    match input.read_exact(&mut body).await {
        Ok(_) => Ok(Some(Frame::Body(body))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Skips to where a header begins, so that garbage of many lines is reported once.
async fn skip_garbage(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Frame>> {
    const HEADER: &[u8] = b"content-length:";
    loop {
        let buffered = input.fill_buf().await?;
        if buffered.is_empty() {
            return Ok(Some(Frame::Garbage));
        }
        let lower = buffered.to_ascii_lowercase();
        let begins =
            |i: &usize| HEADER.starts_with(&lower[*i..]) || lower[*i..].starts_with(HEADER);
        match (0..lower.len()).find(begins) {
            Some(0) => return Ok(Some(Frame::Garbage)),
            Some(garbage) => input.consume(garbage),
            None => {
                let all = lower.len();
                input.consume(all);
            }
        }
    }
}

/// Whether tower-lsp can read a body; else what to send in its place.
pub(super) fn check(body: &[u8]) -> Result<(), Value> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Err(malformed(ErrorCode::ParseError, &Id::Null));
    };
    let id = value
        .get("id")
        .and_then(|id| serde_json::from_value(id.clone()).ok())
        .unwrap_or(Id::Null);
    let method = value.get("method").and_then(Value::as_str);
    let is_ours = method.is_some_and(|method| [MALFORMED, END_OF_INPUT].contains(&method));
    let readable = match value.get("method") {
        Some(Value::String(_)) => serde_json::from_value::<Request>(value).is_ok(),
        Some(_) => false,
        None => serde_json::from_value::<Response>(value).is_ok(),
    };
    if readable && !is_ours {
        Ok(())
    } else {
        Err(malformed(ErrorCode::InvalidRequest, &id))
    }
}

fn malformed(code: ErrorCode, id: &Id) -> Value {
    json!({"jsonrpc": "2.0", "method": MALFORMED, "params": {"code": code.code(), "id": id}})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tower-lsp is given for these bytes, one body per line.
    async fn pumped(input: &[u8]) -> String {
        let (output, read) = tokio::io::duplex(1 << 20);
        let lifeline = Lifeline::new();
        let mut read = BufReader::new(read);
        let mut bodies = String::new();
        let front = async {
            while let Ok(Some(Frame::Body(body))) = read_frame(&mut read).await {
                if body == END_OF_INPUT_BODY.as_bytes() {
                    return lifeline.end(1);
                }
                bodies.push_str(&String::from_utf8(body).expect("JSON"));
                bodies.push('\n');
            }
        };
        tokio::join!(pump(input, output, &lifeline), front);
        bodies
    }

    fn frame(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    const GOOD: &str = r#"{"jsonrpc":"2.0","method":"x"}"#;
    const PARSE_ERROR: &str =
        r#"{"jsonrpc":"2.0","method":"$/tabahead/malformed","params":{"code":-32700,"id":null}}"#;

    #[track_caller]
    fn code_in(line: &str) -> i64 {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["method"], MALFORMED, "{line}");
        value["params"]["code"].as_i64().expect("a code")
    }

    #[tokio::test]
    async fn good_messages_pass_unchanged() {
        let answer = r#"{"jsonrpc":"2.0","id":3,"result":null}"#;
        let input = frame(GOOD) + &frame(answer);
        assert_eq!(
            pumped(input.as_bytes()).await,
            format!("{GOOD}\n{answer}\n")
        );
    }

    #[tokio::test]
    async fn headers_are_read_in_any_dress() {
        let dressed = format!(
            "content-type: application/vscode-jsonrpc; charset=utf-8\r\nCONTENT-LENGTH:{}\n\r\n{GOOD}",
            GOOD.len()
        );
        assert_eq!(pumped(dressed.as_bytes()).await, format!("{GOOD}\n"));
    }

    #[tokio::test]
    async fn broken_bodies_become_errors_and_the_next_message_passes() {
        for (body, code) in [
            (r#"{"jsonrpc":"2.0","method":"#, -32700),
            ("", -32700),
            (r#"[{"jsonrpc":"2.0","method":"x"}]"#, -32600),
            (r#"{"jsonrpc":"2.0","method":5,"id":1}"#, -32600),
            (r#"{"jsonrpc":"1.0","method":"x"}"#, -32600),
            (r#"{"method":"x"}"#, -32600),
            (r#"{"jsonrpc":"2.0","method":"x","id":1.5}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
            (
                r#"{"jsonrpc":"2.0","method":"$/tabahead/malformed","params":{}}"#,
                -32600,
            ),
            (END_OF_INPUT_BODY, -32600),
            ("7", -32600),
        ] {
            let output = pumped((frame(body) + &frame(GOOD)).as_bytes()).await;
            let lines: Vec<_> = output.lines().collect();
            assert_eq!(lines.len(), 2, "{body}: {output}");
            assert_eq!(code_in(lines[0]), code, "{body}");
            assert_eq!(lines[1], GOOD);
        }
        let not_text = [b"Content-Length: 2\r\n\r\n\xff\xfe", frame(GOOD).as_bytes()].concat();
        assert_eq!(pumped(&not_text).await, format!("{PARSE_ERROR}\n{GOOD}\n"));
    }

    #[tokio::test]
    async fn garbage_between_messages_is_reported_once() {
        for garbage in [
            "hello\r\nthis is no header\r\n\r\n",
            "Content-Length: many\r\n\r\n",
            "}}}}",
            "a\nb\nc\n",
        ] {
            let input = frame(GOOD) + garbage + &frame(GOOD);
            let output = pumped(input.as_bytes()).await;
            let lines: Vec<_> = output.lines().collect();
            assert_eq!(lines.first(), Some(&GOOD), "{garbage:?}: {output}");
            assert_eq!(lines.last(), Some(&GOOD), "{garbage:?}: {output}");
            assert!(lines.len() <= 3, "{garbage:?}: {output}");
        }
    }

    #[tokio::test]
    async fn the_end_of_input_ends_the_server() {
        for input in ["", "Content-Le", "Content-Length: 10\r\n\r\n{", "garbage"] {
            let lifeline = Lifeline::new();
            pump(input.as_bytes(), tokio::io::sink(), &lifeline).await;
            lifeline.ended().await;
            assert_eq!(lifeline.code(), 1);
        }
    }

    #[tokio::test]
    async fn the_end_of_the_server_ends_the_input() {
        let (_open, input) = tokio::io::duplex(64);
        let (output, mut read) = tokio::io::duplex(64);
        let lifeline = Lifeline::new();
        lifeline.end(0);
        pump(input, output, &lifeline).await;
        let mut rest = Vec::new();
        read.read_to_end(&mut rest).await.expect("in memory");
        assert!(rest.is_empty());
        assert_eq!(lifeline.code(), 0);
    }
}
