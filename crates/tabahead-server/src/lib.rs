//! The LSP server and the session loop that runs the Speculator's effects.
//!
//! Read `run.rs` for the parts and how they end, `session.rs` for the loop, `lsp.rs` for the
//! protocol.
//!
//! Invariants: only `lsp/` knows LSP types; edits and requests take effect in the order of arrival,
//! whatever is awaited; only the task that writes to the client ever waits for it; a document's
//! text appears in no log and in no file, unless the caller supplied a recorder for it.

mod folders;
mod in_process;
mod lifecycle;
mod lsp;
mod recorder;
mod run;
mod session;
mod settings;
mod stats;
mod suitability;
#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use lsp::intake;

pub use folders::Folders;
pub use in_process::{Session, TimedAnswer, UnusableModel};
pub use recorder::{Recorded, Recorder};
pub use run::{ServerConfig, log_directives, run_stdio};
pub use settings::{
    CacheSettings, CopyingSettings, EMBEDDED, GateSettings, KvSettings, PathRule, Precision,
    ReadableSettings, Setting, Settings, SettingsError, SpeculationSettings, WindowSettings,
};
pub use stats::{default_stats_dir, running_stats};
pub use suitability::{Suitability, is_secret};
