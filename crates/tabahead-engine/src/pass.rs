//! One step of the model: rows of several sequences that are computed together.
//!
//! A pass owns what it writes and shares what it reads. So it can be computed on any thread, and
//! interrupted between two layers and resumed, also on other threads. `forward` computes its rows;
//! the engine knows which sequences they belong to.
//!
//! Uses all rooms but `decoding`.

pub(crate) mod attention;
pub(crate) mod forward;
mod logits;

use std::sync::Arc;

use crate::{
    Model, TokenId,
    arithmetic::kernels::KV_BLOCK,
    kept::{
        kv::{Block, KvPrecision, Ledger},
        place::{Node, Opened, Place},
    },
};

/// Rows to compute, possibly with some layers already done.
#[derive(Debug)]
pub struct Pass {
    pub(crate) spans: Vec<Span>,
    /// Number of layers computed.
    pub(crate) layer: usize,
    /// Output of the last computed layer for all rows; empty before the first layer.
    pub(crate) x: Vec<f32>,
    /// Whether the logits are computed, too.
    pub(crate) complete: bool,
}

/// Consecutive tokens of one sequence.
#[derive(Debug)]
pub(crate) struct Span {
    /// The full blocks before this span, from the first block on.
    path: Vec<Arc<Node>>,
    /// Tokens that the first written block already held.
    begun: Vec<TokenId>,
    /// The blocks being written, exclusively owned.
    written: Vec<Block>,
    /// Position of the first token.
    pub(crate) start: usize,
    pub(crate) tokens: Vec<TokenId>,
    /// Number of tokens at the end whose logits are wanted.
    pub(crate) wanted: usize,
    /// Logits after each of those tokens.
    pub(crate) logits: Vec<Vec<f32>>,
}

/// A row: the span it belongs to and its position in the sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) span: usize,
    pub(crate) position: usize,
}

impl Pass {
    pub(crate) fn new(spans: Vec<Span>) -> Self {
        Self {
            spans,
            layer: 0,
            x: Vec::new(),
            complete: false,
        }
    }

    /// Returns the number of rows: the tokens of all its sequences.
    pub fn rows(&self) -> usize {
        self.spans.iter().map(|span| span.tokens.len()).sum()
    }

    /// Returns whether anything was computed.
    pub fn is_begun(&self) -> bool {
        !self.x.is_empty()
    }

    /// Returns whether nothing is left to compute.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

impl Span {
    /// Continues a place with `tokens`.
    pub(crate) fn new(
        model: &Model,
        ledger: &Ledger,
        precision: KvPrecision,
        place: Place,
        tokens: Vec<TokenId>,
        wanted: usize,
    ) -> Self {
        let start = place.length();
        let Opened {
            parent,
            begun,
            block,
        } = place.open();
        let path = match parent {
            Some(parent) => {
                let length = parent.start() + KV_BLOCK;
                Place::within(Some(parent), length).path()
            }
            None => Vec::new(),
        };
        let mut written: Vec<_> = block.into_iter().collect();
        let blocks = (start + tokens.len()).div_ceil(KV_BLOCK) - path.len();
        written.resize_with(blocks, || Block::zeroed(model, precision, ledger));
        Self {
            path,
            begun,
            written,
            start,
            tokens,
            wanted,
            logits: Vec::new(),
        }
    }

    /// Returns the block that holds the 32 positions from `32 * index` on.
    pub(crate) fn block(&self, index: usize) -> &Block {
        match self.path.get(index) {
            Some(node) => node.block(),
            None => &self.written[index - self.path.len()],
        }
    }

    /// Returns the block into which `position` of this span is written.
    pub(crate) fn block_mut(&mut self, position: usize) -> &mut Block {
        &mut self.written[position / KV_BLOCK - self.path.len()]
    }

    /// Returns the place after these tokens, and the wanted logits.
    pub(crate) fn close(self) -> (Place, Vec<Vec<f32>>) {
        let parent = self.path.last().cloned();
        let tokens = [self.begun, self.tokens].concat();
        (Opened::close(parent, &tokens, self.written), self.logits)
    }

    /// Returns the place before these tokens.
    pub(crate) fn leave(self) -> Place {
        Opened::close(self.path.last().cloned(), &self.begun, self.written)
    }
}
