//! A place behind computed tokens: the keys and values of all of them, shared with other places.
//!
//! Blocks of 32 positions hang together from the last to the first, so that to fork a place is to
//! copy a pointer, and to cut it back is to follow a few; how long it is costs nothing. A node
//! never changes once others can see it: whoever goes on from the middle of a block copies that
//! block, or takes it when nobody else holds it. Knows no model.

use std::sync::{Arc, OnceLock};

use crate::{TokenId, kernels::KV_BLOCK, kv::Block, tree::EntryId};

/// Keys and values of up to 32 tokens, from a multiple of 32 on, and what stands before them.
#[derive(Debug)]
pub(crate) struct Node {
    parent: Option<Arc<Node>>,
    start: usize,
    tokens: Vec<TokenId>,
    block: Block,
    /// Where a tree keeps it, once one does.
    entry: OnceLock<EntryId>,
}

impl Node {
    pub(crate) fn parent(&self) -> Option<&Arc<Node>> {
        self.parent.as_ref()
    }

    pub(crate) fn entry(&self) -> &OnceLock<EntryId> {
        &self.entry
    }

    /// Position of the first token.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// All tokens whose keys and values are here.
    pub(crate) fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    pub(crate) fn block(&self) -> &Block {
        &self.block
    }
}

/// The first `length` tokens on the way to a node. To clone it is to fork it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// Holds the last of the tokens, and perhaps some that come after; absent at the beginning.
    node: Option<Arc<Node>>,
    length: usize,
}

/// A place taken apart to go on from it.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// The full block before, if there is one.
    pub(crate) parent: Option<Arc<Node>>,
    /// Tokens of the block that was begun, fewer than 32.
    pub(crate) begun: Vec<TokenId>,
    /// That block, held by nobody else.
    pub(crate) block: Option<Block>,
}

impl Place {
    /// The last node, which may hold more tokens than stand before this place.
    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }

    /// Tokens before it.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The first `length` tokens on the way to `node`, which holds the last of them.
    pub(crate) fn within(node: Option<Arc<Node>>, length: usize) -> Self {
        debug_assert!(
            node.as_ref().map_or(length == 0, |node| length > node.start
                && length <= node.start + node.tokens.len()),
            "the node holds the last token"
        );
        Self { node, length }
    }

    /// Goes back to the first `length` tokens.
    pub(crate) fn cut(&mut self, length: usize) {
        while let Some(node) = &self.node
            && node.start >= length
        {
            self.node = node.parent.clone();
        }
        self.length = self.length.min(length);
    }

    /// All nodes before this place, from the first on.
    pub(crate) fn path(&self) -> Vec<Arc<Node>> {
        let mut path = Vec::with_capacity(self.length.div_ceil(KV_BLOCK));
        let mut next = self.node.as_ref();
        while let Some(node) = next {
            path.push(Arc::clone(node));
            next = node.parent.as_ref();
        }
        path.reverse();
        path
    }

    /// Takes the place apart to go on from it: the block that was begun is copied when anybody
    /// else holds it.
    pub(crate) fn open(self) -> Opened {
        let Some(node) = self.node else {
            return Opened::default();
        };
        let used = self.length - node.start;
        if used == KV_BLOCK {
            return Opened {
                parent: Some(node),
                ..Opened::default()
            };
        }
        let (parent, mut begun, block) = match Arc::try_unwrap(node) {
            Ok(node) => (node.parent, node.tokens, node.block),
            Err(node) => (node.parent.clone(), node.tokens.clone(), node.block.clone()),
        };
        begun.truncate(used);
        Opened {
            parent,
            begun,
            block: Some(block),
        }
    }
}

impl Opened {
    /// The place behind `tokens`, which follow `parent` and whose keys and values these blocks hold.
    pub(crate) fn close(
        mut parent: Option<Arc<Node>>,
        tokens: &[TokenId],
        blocks: Vec<Block>,
    ) -> Place {
        let mut start = parent
            .as_ref()
            .map_or(0, |node| node.start + node.tokens.len());
        for (tokens, block) in tokens.chunks(KV_BLOCK).zip(blocks) {
            parent = Some(Arc::new(Node {
                parent,
                start,
                tokens: tokens.to_vec(),
                block,
                entry: OnceLock::new(),
            }));
            start += tokens.len();
        }
        Place {
            node: parent,
            length: start,
        }
    }
}
