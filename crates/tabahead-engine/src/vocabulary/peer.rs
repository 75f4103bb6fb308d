//! The tokenizer of a GGUF file as built by the crate `tokenizers`, which tests compare ours with.

use std::path::Path;

use tokenizers::{
    SplitDelimiterBehavior, Tokenizer,
    models::bpe::{self, BPE},
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use super::{BYTE, NORMAL, Parts};
use crate::TokenId;

/// A tokenizer of the crate `tokenizers`.
pub(crate) struct Peer(Tokenizer);

impl Peer {
    pub(crate) fn of_gguf(path: &Path) -> Self {
        let parts = Parts::of_gguf(path).expect("the vocabulary is supported");
        let words = parts.tokens.iter().zip(&parts.types).enumerate();
        let words: bpe::Vocab = words
            .filter(|(_, (_, token_type))| matches!(**token_type, NORMAL | BYTE))
            .map(|(id, (token, _))| (token.to_owned(), id as TokenId))
            .collect();
        let merges = parts.merges.iter().map(|merge| {
            let (left, right) = merge.split_once(' ').expect("a pair");
            (left.to_owned(), right.to_owned())
        });
        let bpe = BPE::builder()
            .vocab_and_merges(words, merges.collect())
            .ignore_merges(parts.ignore_merges)
            .build()
            .expect("the vocabulary is consistent");
        let split = Split::new(
            SplitPattern::Regex(parts.pre_tokenizer.pattern().to_owned()),
            SplitDelimiterBehavior::Isolated,
            false,
        );
        let steps = vec![
            PreTokenizerWrapper::Split(split.expect("the expression is one")),
            PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)),
        ];
        let mut tokenizer = Tokenizer::new(bpe);
        tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::Sequence(Sequence::new(steps))));
        Self(tokenizer)
    }

    pub(crate) fn encode(&self, text: &str) -> Vec<TokenId> {
        let encoding = self
            .0
            .encode_fast(text, false)
            .expect("every text is encoded");
        encoding.get_ids().to_vec()
    }
}
