//! The ways to answer that are compared: ours, and those of other products, each in one small file.
//!
//! A policy is driven like the [`Speculator`]: inputs go in with the time, effects come out. All
//! policies show what the same model says, cut by the same rules, computed by the same engine; they
//! differ in what they ask it, what they remember and when they give up. The other policies are
//! written from the documented behaviour of the products whose names they have, and their tests
//! reproduce a known figure or defect of each.

pub(crate) mod asking;
mod copilot;
mod exact;
mod llama_vim;
mod none;

use tabahead_context::ModelProfile;
use tabahead_speculation::{Effect, Input, Speculator, SpeculatorSettings, Timestamp};

pub use copilot::{CacheHit, Copilot, CopilotCache};
pub use exact::Exact;
pub use llama_vim::LlamaVim;
pub use none::AskAlways;

/// A way to answer requests.
pub trait Policy {
    /// Handles an input. A policy names only the inputs that it takes, because the simulation sends
    /// few kinds, and a new kind concerns the Speculator first.
    fn handle_input(&mut self, now: Timestamp, input: Input);
    /// Handles the timeout that `poll_timeout` returned.
    fn handle_timeout(&mut self, _now: Timestamp) {}
    /// Returns the next effect, in order.
    fn poll_effect(&mut self) -> Option<Effect>;
    /// Returns when `handle_timeout` is to be called, if at all.
    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
    /// Returns the number of tokens that were computed before any request asked for them and that
    /// no answer has shown or decided on.
    fn wasted_tokens(&self) -> u64;
}

/// The names of the policies, in the order of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyName {
    /// Asks the model on every request.
    None,
    /// Remembers answers by the exact state.
    Exact,
    /// Behaves like llama.vim.
    LlamaVim,
    /// Behaves like GitHub Copilot's ghost text.
    Copilot,
    /// This program.
    Tabahead,
}

impl PolicyName {
    /// All policies.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Exact,
        Self::LlamaVim,
        Self::Copilot,
        Self::Tabahead,
    ];

    /// Returns the name in tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Exact => "exact",
            Self::LlamaVim => "llama-vim",
            Self::Copilot => "copilot",
            Self::Tabahead => "tabahead",
        }
    }

    /// Creates the policy, with nothing remembered yet.
    pub fn start(self, settings: &SpeculatorSettings, profile: &ModelProfile) -> Box<dyn Policy> {
        match self {
            Self::None => Box::new(AskAlways::new(settings, profile)),
            Self::Exact => Box::new(Exact::new(settings, profile)),
            Self::LlamaVim => Box::new(LlamaVim::new(settings, profile)),
            Self::Copilot => Box::new(Copilot::new(settings, profile)),
            Self::Tabahead => Box::new(Speculator::new(settings.clone(), profile.clone())),
        }
    }
}

impl std::str::FromStr for PolicyName {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == name);
        found.ok_or_else(|| UnknownPolicy {
            name: name.to_owned(),
        })
    }
}

/// A name that no policy has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not a policy; choose from {}", PolicyName::ALL.map(PolicyName::as_str).join(", "))]
pub struct UnknownPolicy {
    name: String,
}

impl Policy for Speculator {
    fn handle_input(&mut self, now: Timestamp, input: Input) {
        Speculator::handle_input(self, now, input);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        Speculator::handle_timeout(self, now);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        Speculator::poll_effect(self)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        Speculator::poll_timeout(self)
    }

    fn wasted_tokens(&self) -> u64 {
        self.stats().tokens_wasted
    }
}
