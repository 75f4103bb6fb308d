//! The protocol: the only place with LSP types.
//!
//! Bytes come in through `wire.rs`, which lets only well-formed messages pass to tower-lsp. Its
//! server calls `front.rs` in the order of arrival; the front applies edits and stamps requests
//! there and then, and hands what must only be answered to `lifecycle.rs`, the tower-lsp service.
//! `types.rs` has the messages that tower-lsp does not know, `convert.rs` what they mean to us, and `menu.rs`
//! what a suggestion is to a client that has only a completion menu.

mod convert;
mod front;
pub mod intake;
mod lifecycle;
mod menu;
mod types;
mod wire;

pub(crate) use front::Front;
pub(crate) use lifecycle::{Lifecycle, deliver_notices};
pub(crate) use wire::pump;
