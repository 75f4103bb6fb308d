//! Why a model cannot be used, by what the user can do about it.

use tabahead_context::{Layout, Marker, PreTokenizer};

/// Why a model cannot be used. Its text is one line for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The system does not give the model's file; check its path and its permissions.
    #[error("{reason}")]
    Unreadable {
        /// The engine's line with all causes.
        reason: String,
    },
    /// The engine cannot run the model; choose another one.
    #[error("{reason}")]
    Refused {
        /// The engine's line with all causes.
        reason: String,
    },
    /// The engine panicked on the model's file, which is probably damaged.
    #[error("the model's file cannot be read: the loader stopped unexpectedly")]
    LoaderPanicked,
    /// The model splits text in a way that no stable boundary is known for; choose another one.
    #[error(
        "model '{model}' splits text by '{pre_tokenizer}', which is not supported; choose a model with {}",
        PreTokenizer::ALL.map(|known| format!("'{}'", known.name())).join(" or ")
    )]
    UnknownPreTokenizer {
        /// The model's name.
        model: String,
        /// The name in the model's file.
        pre_tokenizer: String,
    },
    /// The model cannot fill in the middle; choose another one.
    #[error(
        "model '{model}' cannot fill in the middle: it has no {missing:?} token; choose a code model with fill-in-the-middle"
    )]
    NoInfilling {
        /// The model's name.
        model: String,
        /// The marker for which it has no token.
        missing: Marker,
    },
    /// The model cannot read prompts in the layout that was asked for; choose another layout.
    #[error("model '{model}' cannot read the layout '{}': it has no {missing:?} token", layout.as_str())]
    UnreadableLayout {
        /// The model's id.
        model: String,
        /// The layout.
        layout: Layout,
        /// The marker for which it has no token.
        missing: Marker,
    },
    /// The system gives the engine no thread; close other programs.
    #[error("no thread for the engine: {reason}")]
    NoThread {
        /// The system's reason.
        reason: String,
    },
    /// The backend ended before its model was loaded.
    #[error("the backend stopped")]
    Stopped,
}
