//! JSON-RPC on the wire: tower-lsp's ids, errors and answers, and types for the scalar members of a
//! message.
//!
//! Knows no method. `wire.rs` reads messages, `front.rs` answers them, and tower-lsp's service does
//! the handshake (`handshake.rs`). Its server and its routing are not used: they stop reading at a
//! certain number of waiting requests and at the first body that cannot be read, panic when the
//! output is closed, and turn each message into a tree of values.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

pub(super) use tower_lsp::jsonrpc::{Error, Id, Request as Outgoing, Response};

/// A scalar value; the contents of an array or an object are skipped.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Scalar {
    #[default]
    Null,
    Number(i64),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or(Scalar::Other, Scalar::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Scalar, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// The first of several arguments; the others are skipped.
#[derive(Debug, Default)]
pub(super) struct FirstArgument(pub(super) Scalar);

impl<'de> Deserialize<'de> for FirstArgument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Arguments;
        impl<'de> Visitor<'de> for Arguments {
            type Value = FirstArgument;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut sequence: A,
            ) -> Result<FirstArgument, A::Error> {
                let first = sequence.next_element()?.unwrap_or_default();
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstArgument(first))
            }
        }
        deserializer.deserialize_seq(Arguments)
    }
}
