//! The protocol: the only place with LSP types.
//!
//! `converse.rs` reads and writes. It passes what it reads to `unicode.rs`, which turns bytes into
//! text, and to `wire.rs`, which parses the messages one by one; `rpc.rs` holds what all methods
//! share. Each message goes to `front.rs` in the order of arrival. The front applies edits and
//! captures the snapshots of requests immediately; it returns a future only for what has to be
//! waited for. `types.rs` defines the messages, `convert.rs` maps them to our own types,
//! `handshake.rs` holds the server's capabilities, and `menu.rs` presents a suggestion to a client
//! that has only a completion menu.

mod converse;
mod convert;
mod front;
mod handshake;
pub mod intake;
mod menu;
mod rpc;
mod types;
mod unicode;
mod wire;

pub(crate) use converse::converse;
pub(crate) use front::Front;

#[cfg(test)]
mod tests;
