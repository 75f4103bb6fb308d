//! The protocol: the only place with LSP types.
//!
//! Start at `methods.rs`: its table leads from each method to its handler, and the handlers of a
//! group are in one file, with the types of their parameters. They share the state in `front.rs`
//! and the types in `types.rs`; `convert.rs` maps the protocol's types to our own.
//!
//! `converse.rs` reads and writes. It passes what it reads to `unicode.rs`, which turns bytes into
//! text, and to `wire.rs`, which parses the messages one by one. `rpc.rs` holds what all answers
//! share. Edits are applied and the snapshots of requests captured in the order of arrival; only
//! what has to be waited for becomes a future. `inline.rs` and `menu.rs` present a suggestion as
//! ghost text and in a completion menu. `tower.rs` is the only file that names tower-lsp, and says
//! what is done around it.

mod methods;

mod configuration;
mod documents;
mod focus;
mod handshake;
mod reports;
mod statistics;
mod suggestions;

mod front;
mod types;

mod convert;
mod inline;
mod menu;

mod converse;
pub mod intake;
mod rpc;
mod tower;
mod unicode;
mod wire;

pub(crate) use converse::converse;
pub(crate) use front::Front;

#[cfg(test)]
mod tests;
