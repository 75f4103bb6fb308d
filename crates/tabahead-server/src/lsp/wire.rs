//! Standard input, message by message: frames, and the messages in them.
//!
//! No input of a client ends the reading. Input that is no message is reported as [`Frame::Broken`]
//! or [`InvalidMessage`], with enough of it to find the documents that it may have been about. A
//! message is read in place: its parameters are deserialized directly into the type that its handler
//! states, and members that the type lacks are skipped, so that no message takes more memory than its length.
//!
//! **A repeated member**: the last one counts, as in JavaScript.

use std::{fmt, io};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use super::{
    rpc::Scalar,
    tower::{Error, Id},
};

/// Length of the longest body that is read; a longer one is skipped: no document worth completing
/// is that large.
const LARGEST_BODY: usize = 256 << 20;

/// Length of the longest body that is skipped. No editor makes a longer one, so a header that
/// announces one is broken: to wait for its end would be to wait for ever.
const LARGEST_SKIPPED: usize = 1 << 30;

/// Length of the longest header line; a longer one is garbage.
const LONGEST_HEADER: u64 = 64 << 10;

/// Bytes kept of skipped input.
const KEPT: usize = 64 << 10;

/// Length of the longest message that is parsed into `Value`s: settings, and messages with repeated
/// members. `Value`s take many times as much memory as their text.
const MOST_VALUES: usize = 4 << 20;

/// A piece of the input.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// The body that a header announced.
    Body(Vec<u8>),
    /// Input that is no message, reported once however long it is: its beginning.
    Broken(Vec<u8>),
}

/// Reads the next frame; `None` at the end of the input.
pub(super) async fn read_frame(
    input: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<Frame>> {
    let mut length: Option<usize> = None;
    loop {
        let mut bytes = Vec::new();
        (&mut *input)
            .take(LONGEST_HEADER)
            .read_until(b'\n', &mut bytes)
            .await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let line = line.trim();
        // After a body that was longer than announced, a header begins in the middle of a line.
        let length_of = line
            .split_once("content-length")
            .map(|(_, rest)| rest.trim_start());
        if let Some(value) = length_of.and_then(|rest| rest.strip_prefix(':')) {
            match value.trim().parse() {
                Ok(value) if value <= LARGEST_SKIPPED => length = Some(value),
                _ => return Ok(Some(Frame::Broken(bytes))),
            }
        } else if line.is_empty() {
            if length.is_some() {
                break;
            }
        } else if !is_header(line) {
            return skip_garbage(input, bytes).await;
        }
    }
    let length = length.unwrap_or_default();
    if length > LARGEST_BODY {
        let mut body = (&mut *input).take(length as u64);
        let mut beginning = Vec::new();
        (&mut body)
            .take(KEPT as u64)
            .read_to_end(&mut beginning)
            .await?;
        tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
        return Ok(Some(Frame::Broken(beginning)));
    }
    let mut body = vec![0; length];
    match input.read_exact(&mut body).await {
        Ok(_) => Ok(Some(Frame::Body(body))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether a line is a header. LSP has two; others are skipped.
fn is_header(line: &str) -> bool {
    let name = line.split_once(':').map_or("", |(name, _)| name.trim_end());
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Skips to the beginning of a header, so that garbage of many lines is reported once.
async fn skip_garbage(
    input: &mut (impl AsyncBufRead + Unpin),
    mut beginning: Vec<u8>,
) -> io::Result<Option<Frame>> {
    const HEADER: &[u8] = b"content-length:";
    loop {
        let buffered = input.fill_buf().await?;
        let lower = buffered.to_ascii_lowercase();
        let begins =
            |i: &usize| HEADER.starts_with(&lower[*i..]) || lower[*i..].starts_with(HEADER);
        let skipped = (0..lower.len()).find(begins).unwrap_or(lower.len());
        if skipped == 0 {
            return Ok(Some(Frame::Broken(beginning)));
        }
        let room = KEPT.saturating_sub(beginning.len());
        beginning.extend_from_slice(&buffered[..skipped.min(room)]);
        input.consume(skipped);
    }
}

/// A request or a notification.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: String,
    pub(super) id: Option<Id>,
    pub(super) body: &'a str,
}

/// A message that is not valid.
#[derive(Debug)]
pub(super) struct InvalidMessage {
    pub(super) error: Error,
    /// Id of the request to answer. A message without an id gets no answer, because Neovim shows an
    /// answer without a request as an error.
    pub(super) id: Option<Id>,
}

/// Reads what all methods share of a message; `None` for an answer, since the server sends no
/// requests.
pub(super) fn read_message(body: &str) -> Result<Option<Call<'_>>, InvalidMessage> {
    let envelope: Envelope = serde_json::from_str(body).map_err(|error| {
        // JSON that is not an object is no request.
        if error.is_data() {
            return InvalidMessage {
                error: Error::invalid_request(),
                id: None,
            };
        }
        // Nor is an object with a number that is too large for its type.
        match serde_json::from_str::<AnyEnvelope>(body) {
            Ok(any) => InvalidMessage {
                error: Error::invalid_request(),
                id: any.id.map(|_| Id::Null),
            },
            Err(_) => InvalidMessage {
                error: Error::parse_error(),
                id: None,
            },
        }
    })?;
    let id = envelope.id.map(|id| match id {
        Scalar::Number(number) => Ok(Id::Number(number)),
        Scalar::Text(text) => Ok(Id::String(text)),
        Scalar::Null => Ok(Id::Null),
        Scalar::Other => Err(Id::Null),
    });
    let is_json_rpc = envelope.version == Scalar::Text("2.0".to_owned());
    match (envelope.method, id) {
        (Some(Scalar::Text(method)), None) if is_json_rpc => Ok(Some(Call {
            method,
            id: None,
            body,
        })),
        (Some(Scalar::Text(method)), Some(Ok(id))) if is_json_rpc => Ok(Some(Call {
            method,
            id: Some(id),
            body,
        })),
        (None, Some(Ok(_))) if is_json_rpc && envelope.answers => Ok(None),
        (_, id) => Err(InvalidMessage {
            error: Error::invalid_request(),
            id: id.map(|id| id.unwrap_or_else(|null| null)),
        }),
    }
}

/// A message whose members may have any value, even a number that no type holds, such as `1e400`.
#[derive(Deserialize)]
struct AnyEnvelope {
    id: Option<IgnoredAny>,
}

/// The members that all methods share.
#[derive(Default)]
struct Envelope {
    version: Scalar,
    method: Option<Scalar>,
    id: Option<Scalar>,
    /// Whether there is a member `result` or `error`.
    answers: bool,
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Envelope;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "jsonrpc" => envelope.version = map.next_value()?,
                        "method" => envelope.method = Some(map.next_value()?),
                        "id" => envelope.id = Some(map.next_value()?),
                        name => {
                            envelope.answers |= matches!(name, "result" | "error");
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Call<'_> {
    /// Reads the parameters into a type that skips unknown members.
    pub(super) fn params<T: DeserializeOwned>(&self) -> Result<T, Error> {
        #[derive(Deserialize)]
        struct ParamsMember<T> {
            params: T,
        }
        serde_json::from_str::<ParamsMember<T>>(self.body)
            .map(|of| of.params)
            // A member may be repeated, which derived types refuse.
            .or_else(|error| self.values().map_err(|_| invalid(&error)))
    }

    /// Reads the parameters by way of `Value`s, which accept any member and repeated ones.
    pub(super) fn values<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if self.body.len() > MOST_VALUES {
            return Err(Error::invalid_params("the message is too long"));
        }
        let mut message: Value =
            serde_json::from_str(self.body).map_err(|error| invalid(&error))?;
        serde_json::from_value(message["params"].take()).map_err(|error| invalid(&error))
    }
}

fn invalid(error: &serde_json::Error) -> Error {
    // The parser's message may quote the buffer; it goes to the sender, never to the log.
    Error::invalid_params(error.to_string())
}

/// The documents that an unreadable message may have changed.
#[derive(Debug, PartialEq)]
pub(super) enum AffectedDocuments {
    /// No document.
    None,
    /// The documents at these addresses.
    Named(Vec<String>),
    /// Any document.
    All,
}

/// Finds the documents that a message may have changed, as far as its text shows.
pub(super) fn affected_documents(text: &str) -> AffectedDocuments {
    let changes = text.contains("didChange\"");
    if !changes && !text.contains("didOpen\"") {
        return AffectedDocuments::None;
    }
    let addresses = text.match_indices("\"uri\"").filter_map(|(at, name)| {
        let value = text[at + name.len()..].trim_start().strip_prefix(':')?;
        let mut values = serde_json::Deserializer::from_str(value).into_iter::<String>();
        values.next()?.ok()
    });
    let addresses: Vec<String> = addresses.collect();
    if !addresses.is_empty() {
        AffectedDocuments::Named(addresses)
    } else if changes {
        AffectedDocuments::All
    } else {
        // `didOpen` changes none of the documents that are already open.
        AffectedDocuments::None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncRead, BufReader};

    use super::*;

    fn frame(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// Reads all frames of some bytes.
    async fn frames(input: impl AsyncRead + Unpin) -> Vec<Frame> {
        let mut input = BufReader::new(input);
        let mut frames = Vec::new();
        while let Some(frame) = read_frame(&mut input).await.expect("in memory") {
            frames.push(frame);
        }
        frames
    }

    fn body(text: &str) -> Frame {
        Frame::Body(text.as_bytes().to_vec())
    }

    const GOOD: &str = r#"{"jsonrpc":"2.0","method":"x"}"#;

    #[tokio::test]
    async fn headers_are_read_in_any_dress() {
        let dressed = format!(
            "content-type: application/vscode-jsonrpc; charset=utf-8\r\nCONTENT-LENGTH:{}\n\r\n{GOOD}",
            GOOD.len()
        );
        assert_eq!(frames(dressed.as_bytes()).await, [body(GOOD)]);
        let others = format!(
            "X-One: 1\r\nContent-Length : {}\r\nX-Two: 2\r\n\r\n{GOOD}",
            GOOD.len()
        );
        assert_eq!(frames(others.as_bytes()).await, [body(GOOD)]);
    }

    #[tokio::test]
    async fn garbage_between_messages_is_reported_once() {
        for garbage in [
            "hello\r\nthis is no header\r\n\r\n",
            "Content-Length: many\r\n\r\n",
            "Content-Length: 18446744073709551615\r\n\r\n",
            "Content-Length: 1099511627776\r\n\r\n{",
            "}}}}",
            "a\nb\nc\n",
        ] {
            let input = frame(GOOD) + garbage + &frame(GOOD);
            let frames = frames(input.as_bytes()).await;
            assert_eq!(frames.first(), Some(&body(GOOD)), "{garbage:?}: {frames:?}");
            assert_eq!(frames.last(), Some(&body(GOOD)), "{garbage:?}: {frames:?}");
            assert!(frames.len() <= 3, "{garbage:?}: {frames:?}");
        }
    }

    #[tokio::test]
    async fn an_input_that_is_cut_off_ends() {
        for input in ["", "Content-Le", "Content-Length: 10\r\n\r\n{", "garbage"] {
            assert!(frames(input.as_bytes()).await.len() <= 1, "{input}");
        }
    }

    #[tokio::test]
    async fn of_a_body_that_is_too_long_the_beginning_is_kept() {
        let length = LARGEST_BODY + 1;
        let begins = format!("Content-Length: {length}\r\n\r\n{GOOD}");
        let spaces = tokio::io::repeat(b' ').take((length - GOOD.len()) as u64);
        let next = frame(GOOD);
        let input = begins.as_bytes().chain(spaces).chain(next.as_bytes());
        let frames = frames(input).await;
        assert_eq!(frames.len(), 2);
        let Frame::Broken(beginning) = &frames[0] else {
            panic!("it is taken for a body");
        };
        assert_eq!(beginning.len(), KEPT);
        assert!(beginning.starts_with(GOOD.as_bytes()));
        assert_eq!(frames[1], body(GOOD));
    }

    /// Method and id of a message, or the error's code and the id of the request that it answers.
    type Read = Result<Option<(String, Option<Id>)>, (i64, Option<Id>)>;

    fn read(text: &str) -> Read {
        match read_message(text) {
            Ok(call) => Ok(call.map(|call| (call.method, call.id))),
            Err(broken) => Err((broken.error.code.code(), broken.id)),
        }
    }

    #[test]
    fn a_message_has_a_method_and_what_is_none_is_answered_if_it_has_an_id() {
        let call = |id| Ok(Some(("x".to_owned(), id)));
        assert_eq!(read(GOOD), call(None));
        for (id, read_as) in [
            ("7", Id::Number(7)),
            ("\"7\"", Id::String("7".to_owned())),
            ("null", Id::Null),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"x","params":[[1]]}}"#);
            assert_eq!(read(&text), call(Some(read_as)));
        }
        // A message with a method is a request.
        let both = r#"{"jsonrpc":"2.0","method":"x","id":1,"result":null}"#;
        assert_eq!(read(both), call(Some(Id::Number(1))));
        assert_eq!(read(r#"{"jsonrpc":"2.0","id":3,"result":null}"#), Ok(None));
        let (invalid, unreadable) = (-32600, -32700);
        for (text, code, id) in [
            (r#"{"jsonrpc":"2.0","method":"#, unreadable, None),
            ("", unreadable, None),
            (r#"{"jsonrpc":"2.0","method":"x"} {}"#, unreadable, None),
            (r#"[{"jsonrpc":"2.0","method":"x"}]"#, invalid, None),
            ("7", invalid, None),
            (r#"{"jsonrpc":"2.0","method":5}"#, invalid, None),
            (
                r#"{"jsonrpc":"2.0","method":5,"id":1}"#,
                invalid,
                Some(Id::Number(1)),
            ),
            (
                r#"{"jsonrpc":"1.0","method":"x","id":1}"#,
                invalid,
                Some(Id::Number(1)),
            ),
            (r#"{"method":"x"}"#, invalid, None),
            (
                r#"{"jsonrpc":"2.0","method":"x","id":1.5}"#,
                invalid,
                Some(Id::Null),
            ),
            (
                r#"{"jsonrpc":"2.0","method":"x","id":{}}"#,
                invalid,
                Some(Id::Null),
            ),
            (
                r#"{"jsonrpc":"2.0","method":"x","id":1e400}"#,
                invalid,
                Some(Id::Null),
            ),
            (r#"{"jsonrpc":"2.0","method":1e400}"#, invalid, None),
            (r#"{"jsonrpc":"2.0","id":1}"#, invalid, Some(Id::Number(1))),
        ] {
            assert_eq!(read(text), Err((code, id)), "{text}");
        }
    }

    #[test]
    fn of_a_member_that_is_repeated_the_last_one_counts() {
        for text in [
            r#"{"jsonrpc":"1.0","jsonrpc":"2.0","id":1,"method":"x","params":{"a":2}}"#,
            r#"{"jsonrpc":"2.0","id":{},"id":1,"method":"x","params":{"a":2}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7,"method":"x","params":{"a":2}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[],"params":{"a":2}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1,"a":2}}"#,
        ] {
            #[derive(Deserialize)]
            struct Params {
                a: u32,
            }
            let call = read_message(text).expect("a message").expect("a call");
            assert_eq!(
                (call.method.as_str(), &call.id),
                ("x", &Some(Id::Number(1)))
            );
            assert_eq!(call.params::<Params>().expect("readable").a, 2, "{text}");
        }
    }

    #[test]
    fn an_unreadable_message_gives_the_documents_it_may_have_changed() {
        let named = |uri: &str| AffectedDocuments::Named(vec![uri.to_owned()]);
        for (text, expected) in [
            ("", AffectedDocuments::None),
            (
                r#"{"method":"workspace/didChangeConfiguration""#,
                AffectedDocuments::None,
            ),
            (
                r#"{"method":"textDocument/didChange","para"#,
                AffectedDocuments::All,
            ),
            (
                r#"{"method":"textDocument/didChange","params":{"textDocument":{"uri" : "file:///a\u0062""#,
                named("file:///ab"),
            ),
            (
                r#"{"params":{"textDocument":{"uri":"file:\/\/\/a"}},"method":"textDocument\/didOpen","#,
                named("file:///a"),
            ),
            (
                r#"{"method":"textDocument/didChange","uri":5,"#,
                AffectedDocuments::All,
            ),
            (
                r#"{"method":"textDocument/didOpen","params":7}"#,
                AffectedDocuments::None,
            ),
        ] {
            assert_eq!(affected_documents(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_asked_for_takes_no_memory() {
        // Longer than `values` accepts, mostly in a member that `Params` does not have.
        let wide =
            json!({"jsonrpc": "2.0", "method": "x", "params": {"a": 1, "b": vec![0; MOST_VALUES]}});
        let text = wide.to_string();
        let call = read_message(&text).expect("a message").expect("a call");
        #[derive(Deserialize)]
        struct Params {
            a: u32,
        }
        assert_eq!(call.params::<Params>().expect("readable").a, 1);
        assert!(call.values::<Value>().is_err());
    }
}
