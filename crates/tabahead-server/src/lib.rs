//! The LSP server and the session loop that runs the Speculator's effects.

mod settings;
mod suitability;

pub use settings::{
    CacheSettings, GateSettings, KvSettings, PathRule, Settings, SettingsError, SpeculationSettings,
};
