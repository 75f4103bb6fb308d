//! Tokens whose keys and values the engine has: its prefix tree, as far as counting goes.
//!
//! A node is a token with all tokens before it, named by a hash of them. A node may keep its
//! logits, so that what follows it is known without computing. The least recently used node is
//! dropped first, and always before the nodes that it follows.

use std::num::NonZeroUsize;

use lru::LruCache;
use tabahead_context::TokenId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Names a token with all tokens before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct PrefixNode(u64);

impl PrefixNode {
    /// Returns the node of `token` after this node.
    pub(super) fn followed_by(self, token: TokenId) -> Self {
        Self(xxh3_64_with_seed(&token.to_le_bytes(), self.0))
    }
}

/// The tokens that are known.
#[derive(Debug)]
pub(super) struct KnownTokens {
    /// Known nodes, and whether each keeps its logits.
    nodes: LruCache<PrefixNode, bool>,
}

impl KnownTokens {
    /// Creates an empty set with space for `room` tokens.
    pub(super) fn new(room: NonZeroUsize) -> Self {
        Self {
            nodes: LruCache::new(room),
        }
    }

    /// Returns how many of `nodes`, which follow each other from the first token on, are known.
    pub(super) fn known(&self, nodes: &[PrefixNode]) -> usize {
        // A node is only known if those before it are.
        nodes.partition_point(|node| self.nodes.contains(node))
    }

    /// Returns whether what follows a node is known without computing.
    pub(super) fn has_logits(&self, node: PrefixNode) -> bool {
        self.nodes.peek(&node).copied().unwrap_or(false)
    }

    /// Adds a node that was computed.
    pub(super) fn add(&mut self, node: PrefixNode) {
        let kept = self.has_logits(node);
        self.nodes.push(node, kept);
    }

    /// Adds a node whose logits are to be kept.
    pub(super) fn add_with_logits(&mut self, node: PrefixNode) {
        self.nodes.push(node, true);
    }

    /// Marks the nodes as used now.
    pub(super) fn touch(&mut self, nodes: &[PrefixNode]) {
        for node in nodes.iter().rev() {
            self.nodes.promote(node);
        }
    }
}
