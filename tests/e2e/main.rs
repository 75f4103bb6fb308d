//! End-to-end tests: the built program over stdio, with the embedded model, real Neovims, a real
//! Emacs and a real VS Code.
//!
//! No answer is scripted: every answer is the model's. `client.rs` speaks LSP and lets no message
//! go unread; `buffer.rs` is the editor's side of a document; the other modules are the tests.

mod buffer;
mod client;
mod program;
mod report;

mod breakage;
mod editors;
mod idle;
mod law;
mod lifecycle;
mod protocol;
mod reading;
mod real;
mod recording;
mod replay;
mod settings;
mod typing;
