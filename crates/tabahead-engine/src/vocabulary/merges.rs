//! Byte-pair encoding: the bytes of a pre-token become tokens by merging neighbours.
//!
//! The pair whose merge is first in the list is merged first; among equal pairs, the first in the
//! text. Knows only bytes: how text is split into pre-tokens is in `vocabulary`.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    hash::{BuildHasherDefault, Hasher},
};

use crate::{EngineError, TokenId, error::refuse, files::texts::Texts};

/// Marks the absence of a token.
const NONE: TokenId = TokenId::MAX;

/// The merges of a vocabulary.
#[derive(Debug)]
pub(super) struct Merges {
    /// The token of each byte.
    bytes: [TokenId; 256],
    merged: HashMap<Pair, Merged, BuildHasherDefault<Mixer>>,
}

type Pair = (TokenId, TokenId);

/// The result of merging a pair.
#[derive(Debug, Clone, Copy)]
struct Merged {
    /// Index in the list of merges.
    rank: u32,
    token: TokenId,
}

/// Reusable memory for merging.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    symbols: Vec<Symbol>,
    /// Pairs that can be merged, the first one at the top: rank, position of the left side, the
    /// pair.
    pairs: BinaryHeap<Reverse<(u32, usize, Pair)>>,
}

/// A token of a pre-token that is being merged; `NONE` after it was merged into its left neighbour.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    token: TokenId,
    /// Indices of its neighbours. The first symbol is its own left neighbour; the last one's right
    /// neighbour is past the end.
    previous: usize,
    next: usize,
}

impl Merges {
    /// Builds the merges. `words` are all tokens that text can become, with their bytes; `byte_of`
    /// translates the characters of the lines of `merges`. If a word or merge occurs twice, the
    /// last one counts.
    pub(super) fn new<'a>(
        words: impl Iterator<Item = (&'a [u8], TokenId)>,
        merges: &Texts,
        byte_of: impl Fn(char) -> Option<u8>,
    ) -> Result<Self, EngineError> {
        let mut bytes = [NONE; 256];
        let mut tokens: HashMap<&[u8], TokenId, BuildHasherDefault<Mixer>> = HashMap::default();
        tokens.reserve(words.size_hint().1.unwrap_or_default());
        for (word, token) in words {
            if let [byte] = *word {
                bytes[usize::from(byte)] = token;
            }
            tokens.insert(word, token);
        }
        let mut merged = HashMap::default();
        merged.reserve(merges.len());
        let mut word = Vec::new();
        for (rank, merge) in merges.iter().enumerate() {
            let inconsistent = || {
                refuse(format!(
                    "the vocabulary is inconsistent: merge '{merge}' is not of its tokens"
                ))
            };
            let (left, right) = merge
                .split_once(' ')
                .ok_or_else(|| refuse(format!("merge '{merge}' is not a pair")))?;
            word.clear();
            for char in left.chars().chain(right.chars()) {
                word.push(byte_of(char).ok_or_else(inconsistent)?);
            }
            let (left, right) = word.split_at(left.chars().count());
            let token = |word: &[u8]| tokens.get(word).copied().ok_or_else(inconsistent);
            let rank = rank as u32;
            let merge = Merged {
                rank,
                token: token(&word)?,
            };
            merged.insert((token(left)?, token(right)?), merge);
        }
        Ok(Self { bytes, merged })
    }

    /// Appends the tokens of a pre-token to `tokens`. Bytes without a token are left out.
    pub(super) fn encode(&self, word: &[u8], workspace: &mut Workspace, tokens: &mut Vec<TokenId>) {
        let Workspace { symbols, pairs } = workspace;
        symbols.clear();
        let bytes = word.iter().map(|&byte| self.bytes[usize::from(byte)]);
        for token in bytes.filter(|&token| token != NONE) {
            let place = symbols.len();
            symbols.push(Symbol {
                token,
                previous: place.saturating_sub(1),
                next: place + 1,
            });
        }
        pairs.clear();
        for place in 0..symbols.len() {
            self.offer(symbols, place, pairs);
        }
        while let Some(Reverse((_, place, pair))) = pairs.pop() {
            if pair_at(symbols, place) != Some(pair) {
                // One side was merged in the meantime.
                continue;
            }
            let Symbol { previous, next, .. } = symbols[place];
            symbols[place].token = self.merged[&pair].token;
            symbols[next].token = NONE;
            let next = symbols[next].next;
            symbols[place].next = next;
            if let Some(next) = symbols.get_mut(next) {
                next.previous = place;
            }
            self.offer(symbols, place, pairs);
            if previous != place {
                self.offer(symbols, previous, pairs);
            }
        }
        let left = symbols.iter().map(|symbol| symbol.token);
        tokens.extend(left.filter(|&token| token != NONE));
    }

    /// Offers a symbol and its right neighbour for merging.
    fn offer(
        &self,
        symbols: &[Symbol],
        place: usize,
        pairs: &mut BinaryHeap<Reverse<(u32, usize, Pair)>>,
    ) {
        if let Some(pair) = pair_at(symbols, place)
            && let Some(merged) = self.merged.get(&pair)
        {
            pairs.push(Reverse((merged.rank, place, pair)));
        }
    }
}

/// Returns a symbol and its right neighbour, if both exist.
fn pair_at(symbols: &[Symbol], place: usize) -> Option<Pair> {
    let left = symbols[place];
    let right = symbols.get(left.next)?;
    (left.token != NONE).then_some((left.token, right.token))
}

/// Hashes short keys in a few operations. A file can be crafted so that its keys collide; it then
/// loads slowly.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        // A product's low bits depend only on the low bits of its factors.
        self.0 ^ self.0 >> 32
    }
}
