//! One step of the model: rows of several sequences that are computed together.
//!
//! A pass owns what it writes and shares what it reads, so it can be computed on any thread, left
//! between two layers and taken up again, on other threads too. What is in it is `forward`'s
//! business; whose rows they are, `engine`'s.

use std::sync::Arc;

use crate::{
    Model, TokenId,
    kernels::KV_BLOCK,
    kv::{Block, KvPrecision, Ledger},
    place::{Node, Opened, Place},
};

/// Rows to compute, perhaps some layers into it.
#[derive(Debug)]
pub struct Pass {
    pub(crate) spans: Vec<Span>,
    /// Layers computed.
    pub(crate) layer: usize,
    /// What the last of them made of the rows; empty before the first.
    pub(crate) x: Vec<f32>,
    /// The logits are there, too.
    pub(crate) complete: bool,
}

/// Consecutive tokens of one sequence.
#[derive(Debug)]
pub(crate) struct Span {
    /// Full blocks before, from the first on.
    path: Vec<Arc<Node>>,
    /// Tokens of the first written block that were there before.
    begun: Vec<TokenId>,
    /// Blocks that are written, held by nobody else.
    written: Vec<Block>,
    /// Position of the first token.
    pub(crate) start: usize,
    pub(crate) tokens: Vec<TokenId>,
    /// Of the last so many tokens the logits are wanted.
    pub(crate) wanted: usize,
    /// Logits after each of those.
    pub(crate) logits: Vec<Vec<f32>>,
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

    /// Rows: tokens of all sequences in it.
    pub fn rows(&self) -> usize {
        self.spans.iter().map(|span| span.tokens.len()).sum()
    }

    /// Whether anything was computed.
    pub fn is_begun(&self) -> bool {
        !self.x.is_empty()
    }

    /// Whether nothing is left to compute.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

impl Span {
    /// Goes on from a place with these tokens.
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

    /// The block that holds positions from 32 times `index` on.
    pub(crate) fn block(&self, index: usize) -> &Block {
        match self.path.get(index) {
            Some(node) => node.block(),
            None => &self.written[index - self.path.len()],
        }
    }

    /// The block to which a position of this span is written.
    pub(crate) fn block_mut(&mut self, position: usize) -> &mut Block {
        &mut self.written[position / KV_BLOCK - self.path.len()]
    }

    /// The place behind these tokens, and the logits after the last of them.
    pub(crate) fn close(self) -> (Place, Vec<Vec<f32>>) {
        let parent = self.path.last().cloned();
        let tokens = [self.begun, self.tokens].concat();
        (Opened::close(parent, &tokens, self.written), self.logits)
    }

    /// The place before these tokens.
    pub(crate) fn leave(self) -> Place {
        Opened::close(self.path.last().cloned(), &self.begun, self.written)
    }
}
