//! Settings of the Speculator.

use std::num::NonZeroUsize;

use tabahead_context::{ContextSettings, CutSettings, ModelProfile};

/// Settings of the Speculator, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeculatorSettings {
    /// Settings for what the model sees.
    pub context: ContextSettings,
    /// Settings for what is shown.
    pub cut: CutSettings,
    /// What is computed before it is requested. Changes no answer, only how long it takes.
    pub ahead: ComputedAhead,
    /// Maximum size of the cached paths in bytes.
    pub cache_bytes: usize,
    /// Maximum number of concurrent generations.
    pub in_flight: NonZeroUsize,
}

impl SpeculatorSettings {
    /// Returns the settings with the model's own values for what is not set.
    pub fn for_model(self, profile: &ModelProfile) -> Self {
        Self {
            context: self.context.for_model(profile),
            cut: self.cut.for_model(profile),
            ..self
        }
    }
}

/// What is computed before it is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComputedAhead {
    /// Nothing.
    Nothing,
    /// The prompt where the cursor rests, and the states after up to this many accepts of what is
    /// shown.
    Accepts(usize),
}

impl ComputedAhead {
    /// Returns the number of accepts to look ahead; `None` if there are none.
    pub(crate) fn accepts(self) -> Option<NonZeroUsize> {
        match self {
            Self::Nothing => None,
            Self::Accepts(accepts) => NonZeroUsize::new(accepts),
        }
    }

    /// Returns whether the prompt where the cursor rests is read.
    pub(crate) fn includes_reading(self) -> bool {
        self != Self::Nothing
    }
}
