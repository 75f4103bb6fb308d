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

/// The first of several arguments; the others are skipped.
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
