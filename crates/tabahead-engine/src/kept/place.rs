//! A place after computed tokens: the keys and values of all of them, shared with other places.
//!
//! Blocks of 32 positions are linked from the last to the first. To fork a place is to copy a
//! pointer, and to cut it back is to follow a few; the cost does not depend on its length. A node
//! never changes once it is shared: to continue from the middle of a block, a place copies that
//! block, or takes it over if nothing else holds it. Knows nothing of models.

use std::sync::{Arc, OnceLock};

use crate::{TokenId, arithmetic::kernels::KV_BLOCK, kept::kv::Block};

/// Id of an entry of the tree, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EntryId(pub(crate) u64);

/// Keys and values of up to 32 tokens, starting at a multiple of 32, and a link to the block
/// before.
#[derive(Debug)]
pub(crate) struct Node {
    parent: Option<Arc<Node>>,
    start: usize,
    tokens: Vec<TokenId>,
    block: Block,
    /// The tree entry that keeps this node, once there is one.
    entry: OnceLock<EntryId>,
}

impl Node {
    pub(crate) fn parent(&self) -> Option<&Arc<Node>> {
        self.parent.as_ref()
    }

    pub(crate) fn entry(&self) -> &OnceLock<EntryId> {
        &self.entry
    }

    /// Returns the position of the first token.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// Returns all tokens whose keys and values are in this block.
    pub(crate) fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    pub(crate) fn block(&self) -> &Block {
        &self.block
    }
}

/// The first `length` tokens on the path to a node. Cloning a place forks it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// The node that holds the last of the tokens, and perhaps more after it; `None` at the
    /// beginning.
    node: Option<Arc<Node>>,
    length: usize,
}

/// A place taken apart in order to continue from it.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// The full block before the partial one, if there is one.
    pub(crate) parent: Option<Arc<Node>>,
    /// Tokens of the partial block, fewer than 32.
    pub(crate) begun: Vec<TokenId>,
    /// The partial block, exclusively owned.
    pub(crate) block: Option<Block>,
}

impl Place {
    /// Returns the last node, which may hold more tokens than lie before this place.
    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }

    /// Returns the number of tokens before this place.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Returns the place after the first `length` tokens on the path to `node`, which holds the
    /// last one.
    pub(crate) fn within(node: Option<Arc<Node>>, length: usize) -> Self {
        debug_assert!(
            node.as_ref().map_or(length == 0, |node| length > node.start
                && length <= node.start + node.tokens.len()),
            "the node holds the last token"
        );
        Self { node, length }
    }

    /// Cuts the place back to the first `length` tokens.
    pub(crate) fn cut(&mut self, length: usize) {
        while let Some(node) = &self.node
            && node.start >= length
        {
            self.node = node.parent.clone();
        }
        self.length = self.length.min(length);
    }

    /// Returns all nodes before this place, from the first on.
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

    /// Takes the place apart in order to continue from it. The partial block is copied if anything
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
    /// Builds the place after `tokens`, which follow `parent` and whose keys and values are in
    /// `blocks`.
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
