//! One editor's session: its documents and requests, its settings and model, and what it reports.
//!
//! Read `session.rs` for the loop, `message.rs` for what it exchanges with the editor's side,
//! `driver.rs` for how effects run, `settings.rs` and `suitability.rs` for what the user decides,
//! `in_process.rs` for a session without an editor.
//!
//! Invariants: no protocol, no standard streams, and nothing that belongs to a whole process: the
//! caller passes in folders, streams of messages and the process's number. A document's text
//! appears in no log, and goes nowhere but to the model, unless the caller supplied a recorder for
//! it.

mod driver;
mod folders;
mod in_process;
mod message;
mod recorder;
mod session;
mod settings;
mod suitability;
#[cfg(test)]
mod tests;

pub use folders::Folders;
pub use in_process::{Session, TimedAnswer};
pub use message::{EditorLayer, Message, Notice, Status, StatusKind, SuggestionRequest, Trigger};
pub use recorder::{Recorded, Recorder};
pub use session::{Launch, SessionConfig, SessionLoop};
pub use settings::{
    CacheSettings, CopyingSettings, EMBEDDED, GateSettings, KvSettings, PathRule, Precision,
    ReadableSettings, Setting, Settings, SettingsError, SpeculationSettings, WindowSettings,
};
pub use suitability::{File, Location, Suitability, is_secret};
