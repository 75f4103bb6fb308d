//! Which tokens the engine has keys and values of: its prefix tree as far as counting goes.
//!
//! A node is a token behind all tokens before it, named by a hash of them. A node may keep its
//! logits, so that what follows it is known without computing. The least recently used node goes
//! first, and always before those that it stands behind.

use std::num::NonZeroUsize;

use lru::LruCache;
use tabahead_context::TokenId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Names a token with all tokens before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Node(u64);

impl Node {
    /// The token behind this node.
    pub(super) fn followed_by(self, token: TokenId) -> Self {
        Self(xxh3_64_with_seed(&token.to_le_bytes(), self.0))
    }
}

/// The tokens that are known.
#[derive(Debug)]
pub(super) struct KnownTokens {
    /// Whether each keeps its logits.
    nodes: LruCache<Node, bool>,
}

impl KnownTokens {
    /// Room for so many tokens.
    pub(super) fn new(room: NonZeroUsize) -> Self {
        Self {
            nodes: LruCache::new(room),
        }
    }

    /// How many of the nodes, which follow each other from the first token on, are known.
    pub(super) fn known(&self, nodes: &[Node]) -> usize {
        // A node is only known when those before it are.
        nodes.partition_point(|node| self.nodes.contains(node))
    }

    /// Whether what follows a node is known without computing.
    pub(super) fn has_logits(&self, node: Node) -> bool {
        self.nodes.peek(&node).copied().unwrap_or(false)
    }

    /// A node was computed, or its logits are to be kept.
    pub(super) fn add(&mut self, node: Node, logits: bool) {
        let kept = self.has_logits(node);
        self.nodes.push(node, kept || logits);
    }

    /// The nodes count as used now.
    pub(super) fn touch(&mut self, nodes: &[Node]) {
        for node in nodes.iter().rev() {
            self.nodes.promote(node);
        }
    }
}
