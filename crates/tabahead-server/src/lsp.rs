//! The protocol: the only place with LSP types.
//!
//! `converse.rs` reads and writes. What it reads, `wire.rs` takes apart, message by message, and
//! `unicode.rs` makes text of; `rpc.rs` has what is the same for all methods. Each message goes to `front.rs` in the
//! order of arrival; the front applies edits and stamps requests there and then, and returns what must only
//! be waited for. `types.rs` has the messages, `convert.rs` what they mean to us, `handshake.rs` what the
//! server says of itself, and `menu.rs` what a suggestion is to a client that has only a completion menu.

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
