//! A loaded model: weights, tokenizer and what its metadata say.

use std::{borrow::Cow, path::Path};

use crate::EngineError;

/// A token's number in the vocabulary.
pub type TokenId = u32;

/// Special tokens by role, as GGUF metadata name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecialToken {
    /// `tokenizer.ggml.fim_sep_token_id`
    File,
    /// `tokenizer.ggml.fim_pre_token_id`
    Prefix,
    /// `tokenizer.ggml.fim_suf_token_id`
    Suffix,
    /// `tokenizer.ggml.fim_mid_token_id`
    Middle,
}

/// What a model's metadata say.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// `general.name` and a hash of the file: the model's identity in every cache key.
    pub id: String,
    /// `general.name`, for people.
    pub name: String,
    /// `llama` or `qwen2`.
    pub architecture: String,
    /// Tokens that fit the context.
    pub context_tokens: usize,
    /// Number of weights.
    pub parameters: usize,
    /// Bytes of the file.
    pub file_bytes: usize,
    /// `tokenizer.ggml.pre`.
    pub pre_tokenizer: String,
}

/// Weights, tokenizer and metadata: immutable, shared by engines.
#[derive(Debug)]
pub struct Model {}

impl Model {
    /// Loads a GGUF file held in memory; embedded weights are not copied where candle allows it.
    ///
    /// # Errors
    /// `EngineError::Model` with one line that says what is wrong with the file.
    pub fn from_bytes(_bytes: Cow<'static, [u8]>) -> Result<Self, EngineError> {
        unimplemented!()
    }

    /// Loads a GGUF file.
    ///
    /// # Errors
    /// As `from_bytes`, and when the file cannot be read.
    pub fn open(_path: &Path) -> Result<Self, EngineError> {
        unimplemented!()
    }

    /// What the metadata say.
    pub fn info(&self) -> &ModelInfo {
        unimplemented!()
    }

    /// Canonical tokens of a text; special tokens spelled in the text are plain text.
    pub fn encode(&self, _text: &str) -> Vec<TokenId> {
        unimplemented!()
    }

    /// The bytes that a token spells; empty for special tokens.
    pub fn token_bytes(&self, _token: TokenId) -> &[u8] {
        unimplemented!()
    }

    /// The id of a special token, if the model has it.
    pub fn special(&self, _token: SpecialToken) -> Option<TokenId> {
        unimplemented!()
    }
}
