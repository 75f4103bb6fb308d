//! The stable boundary: the latest place in a text that stays a token edge whatever follows.

/// How a tokenizer splits text before merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PreTokenizer {
    /// Qwen2's pattern (`tokenizer.ggml.pre = "qwen2"`): digits one by one, contractions.
    Qwen2,
}

/// The stable boundary of `text` in bytes: not after the start of the last pre-token that is not
/// white space, and an edge between pre-tokens under every continuation of `text`.
/// Never moves back when text is appended. 0 for a text of white space only.
pub fn stable_boundary(_pre_tokenizer: PreTokenizer, _text: &str) -> usize {
    unimplemented!()
}
