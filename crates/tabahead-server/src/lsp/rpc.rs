//! JSON-RPC as it stands on the wire: ids, errors, answers, and the one-valued members of a message.
//!
//! Knows no method. `wire.rs` reads messages, `front.rs` answers them.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// The id of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub(super) enum Id {
    Number(i64),
    Text(String),
    /// What is answered to a request whose id cannot be read.
    Null,
}

/// Why a request is not answered with a result.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Error {
    pub(super) code: i32,
    message: Cow<'static, str>,
}

impl Error {
    fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn parse_error() -> Self {
        Self::new(-32700, "parse error")
    }

    pub(super) fn invalid_request() -> Self {
        Self::new(-32600, "invalid request")
    }

    pub(super) fn method_not_found() -> Self {
        Self::new(-32601, "method not found")
    }

    pub(super) fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32602, message)
    }

    pub(super) fn internal_error() -> Self {
        Self::new(-32603, "internal error")
    }

    pub(super) fn not_initialized() -> Self {
        Self::new(-32002, "server not initialized")
    }

    pub(super) fn request_cancelled() -> Self {
        Self::new(-32800, "cancelled")
    }
}

/// The answer to a request.
#[derive(Debug, Serialize)]
pub(super) struct Response {
    jsonrpc: &'static str,
    id: Id,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Result(Value),
    Error(Error),
}

impl Response {
    pub(super) fn new(id: Id, result: Result<Value, Error>) -> Self {
        let outcome = match result {
            Ok(value) => Outcome::Result(value),
            Err(error) => Outcome::Error(error),
        };
        Self {
            jsonrpc: "2.0",
            id,
            outcome,
        }
    }
}

/// A notification to the client.
#[derive(Debug, Serialize)]
pub(super) struct Notification {
    jsonrpc: &'static str,
    method: &'static str,
    params: Value,
}

impl Notification {
    pub(super) fn new(method: &'static str, params: Value) -> Self {
        Self {
            jsonrpc: "2.0",
            method,
            params,
        }
    }
}

/// A value that is no larger than itself: whatever stands in an array or an object is passed over.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Leaf {
    #[default]
    Null,
    Number(i64),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Leaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Leaves)
    }
}

struct Leaves;

impl<'de> Visitor<'de> for Leaves {
    type Value = Leaf;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Leaf, E> {
        Ok(Leaf::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Leaf, E> {
        Ok(Leaf::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Leaf, E> {
        Ok(i64::try_from(number).map_or(Leaf::Other, Leaf::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Leaf, E> {
        Ok(Leaf::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Leaf, E> {
        Ok(Leaf::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Leaf, E> {
        Ok(Leaf::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Leaf, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Leaf::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Leaf, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Leaf::Other)
    }
}

/// The first of several arguments; the others are passed over.
#[derive(Debug, Default)]
pub(super) struct FirstOf(pub(super) Leaf);

impl<'de> Deserialize<'de> for FirstOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Arguments;
        impl<'de> Visitor<'de> for Arguments {
            type Value = FirstOf;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<FirstOf, A::Error> {
                let first = sequence.next_element()?.unwrap_or_default();
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstOf(first))
            }
        }
        deserializer.deserialize_seq(Arguments)
    }
}
