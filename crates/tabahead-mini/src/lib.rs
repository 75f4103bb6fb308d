//! The embedded default model: weights as bytes, nothing else.
//!
//! Knows no engine: it is data. `README.md` beside `Cargo.toml` is the model card; `training/` is
//! the recipe that made `mini.gguf`.

/// Name of the model's family; the model's metadata add the version.
pub const NAME: &str = "tabahead-mini";

/// The model as a GGUF file.
pub static WEIGHTS: &[u8] = include_bytes!("../mini.gguf");
