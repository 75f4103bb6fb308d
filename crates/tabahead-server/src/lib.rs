//! The LSP server: the protocol and the process around one editor's session.
//!
//! Read `run.rs` for the parts and how they end, `lsp.rs` for the protocol; the session itself is
//! `tabahead-session`.
//!
//! Invariants: only `lsp/` knows LSP types; edits and requests take effect in the order of arrival,
//! whatever is awaited; only the task that writes to the client ever waits for it; a document's
//! text appears in no log and in no file, unless the caller supplied a recorder for it.

mod lifecycle;
mod lsp;
mod run;
mod stats;
#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use lsp::intake;

pub use run::{ServerConfig, UnknownLogLevel, log_directives, run_stdio};
pub use stats::{default_stats_dir, running_stats};
