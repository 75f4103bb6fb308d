//! What is kept of earlier sequences: a tree of blocks, found again by their tokens.
//!
//! All documents and all hypothetical states share it. Each level of the tree holds blocks of 32
//! tokens. A block that is not full has no children, and no block's tokens are a prefix of a
//! sibling's. The least recently used leaf is forgotten first. Running sequences hold their blocks
//! themselves, so forgetting never affects them. Knows nothing of models.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use lru::LruCache;

use crate::{
    TokenId,
    arithmetic::kernels::KV_BLOCK,
    kept::{
        kv::{Charge, Ledger},
        place::{EntryId, Node, Place},
    },
};

/// Logits shared by several holders.
#[derive(Debug, Clone)]
pub(crate) struct KeptLogits(Arc<(Vec<f32>, Charge)>);

impl KeptLogits {
    pub(crate) fn new(logits: Vec<f32>, ledger: &Ledger) -> Self {
        let charge = ledger.charge(logits.len() * size_of::<f32>());
        Self(Arc::new((logits, charge)))
    }

    pub(crate) fn values(&self) -> &[f32] {
        &self.0.0
    }
}

/// Logits by the number of tokens before them.
pub(crate) type Known = BTreeMap<usize, KeptLogits>;

type Children = BTreeMap<Vec<TokenId>, EntryId>;

#[derive(Debug)]
struct Entry {
    node: Arc<Node>,
    parent: Option<EntryId>,
    children: Children,
    known: Known,
}

/// Blocks kept for later prompts.
#[derive(Debug)]
pub(crate) struct PrefixTree {
    /// Entries in order of use. An entry is used when a place in it is; an inner entry stays as
    /// long as its children.
    entries: LruCache<EntryId, Entry>,
    roots: Children,
    next: u64,
    /// The tokens found last, and the entries on their path: most prompts begin like the one
    /// before.
    found: (Vec<TokenId>, Vec<EntryId>),
}

impl PrefixTree {
    pub(crate) fn new() -> Self {
        Self {
            entries: LruCache::unbounded(),
            roots: Children::new(),
            next: 0,
            found: Default::default(),
        }
    }

    /// Returns a counter that grows whenever blocks are added.
    pub(crate) fn changes(&self) -> u64 {
        self.next
    }

    /// Returns the place after the longest known prefix of `tokens`, and the known logits after
    /// `from` or more tokens of that prefix.
    pub(crate) fn find(&mut self, tokens: &[TokenId], from: usize) -> (Place, Known) {
        let mut known = Known::new();
        let (mut way, mut place) = self.beginning(tokens, from);
        loop {
            let rest = &tokens[place.length()..];
            let children = self.children(way.last().copied());
            let Some((common, id)) = longest(children, rest) else {
                break;
            };
            let end = place.length() + common;
            if end >= from {
                // Siblings may share a prefix, and any of them may have its logits.
                let beside = similar(children, &rest[..common]);
                let entries = beside.filter_map(|id| self.entries.peek(&id));
                let logits = entries.flat_map(|entry| entry.known.range(from..=end));
                known.extend(logits.map(|(&after, logits)| (after, logits.clone())));
            }
            let Some(entry) = self.entries.peek(&id) else {
                break;
            };
            place = Place::within(Some(Arc::clone(&entry.node)), end);
            way.push(id);
            if common < KV_BLOCK {
                break;
            }
        }
        self.touch(way.last().copied());
        self.found = (tokens[..place.length()].to_vec(), way);
        (place, known)
    }

    /// Returns the entries and the place of the full blocks that `tokens` share with the tokens
    /// found last, as far as they are still kept and end before `from`.
    fn beginning(&self, tokens: &[TokenId], from: usize) -> (Vec<EntryId>, Place) {
        let (found, way) = &self.found;
        let same = common(found, tokens).min(from.saturating_sub(1));
        let mut way = way[..same / KV_BLOCK].to_vec();
        while let Some(id) = way.last() {
            if let Some(entry) = self.entries.peek(id) {
                let place = Place::within(Some(Arc::clone(&entry.node)), way.len() * KV_BLOCK);
                return (way, place);
            }
            way.pop();
        }
        (way, Place::default())
    }

    /// Keeps all blocks before `place`, the last one with everything it holds, and the logits in
    /// `known`.
    pub(crate) fn keep(&mut self, place: &Place, known: &Known) {
        // Start from the last block that is in the tree already, or from the root.
        let mut new = Vec::new();
        let mut next = place.node();
        let mut kept = None;
        while let Some(node) = next {
            let entry = node.entry().get().copied();
            kept = entry.filter(|id| self.entries.contains(id));
            if kept.is_some() && node.start() + node.tokens().len() <= first_of(known) {
                break;
            }
            new.push(node);
            next = node.parent();
            kept = None;
        }
        let mut parent = kept;
        for node in new.into_iter().rev() {
            let id = match self.holder(parent, node.tokens()) {
                Some(id) => id,
                None => self.insert(parent, node),
            };
            let start = node.start();
            if let Some(entry) = self.entries.peek_mut(&id) {
                for (&after, logits) in known.range(start + 1..=start + node.tokens().len()) {
                    entry.known.entry(after).or_insert_with(|| logits.clone());
                }
            }
            parent = Some(id);
        }
        self.touch(parent);
    }

    /// Makes the blocks that only `tokens` lead to the next ones to be forgotten.
    pub(crate) fn demote(&mut self, tokens: &[TokenId]) {
        let mut way = Vec::new();
        let mut rest = tokens;
        while let Some((common, id)) = longest(self.children(way.last().copied()), rest) {
            way.push(id);
            rest = &rest[common..];
            if common < KV_BLOCK {
                break;
            }
        }
        // From the last block that also leads elsewhere down to the leaf, which is forgotten first.
        let leads_on = |id: &EntryId| {
            let entry = self.entries.peek(id);
            entry.is_some_and(|entry| entry.children.len() > 1)
        };
        let shared = way.iter().rposition(leads_on).map_or(0, |last| last + 1);
        for id in &way[shared..] {
            self.entries.demote(id);
        }
    }

    /// Forgets the least recently used leaf; returns false if there is none.
    pub(crate) fn forget_oldest(&mut self) -> bool {
        while let Some((id, entry)) = self.entries.pop_lru() {
            if entry.children.is_empty() {
                self.children_mut(entry.parent).remove(entry.node.tokens());
                return true;
            }
            self.entries.put(id, entry);
        }
        false
    }

    /// Returns the entry below `parent` that holds `tokens`, and perhaps more.
    fn holder(&self, parent: Option<EntryId>, tokens: &[TokenId]) -> Option<EntryId> {
        similar(self.children(parent), tokens).next()
    }

    /// Inserts an entry below `parent`. An entry whose tokens are a prefix of the new one's is
    /// merged into it.
    fn insert(&mut self, parent: Option<EntryId>, node: &Arc<Node>) -> EntryId {
        let id = EntryId(self.next);
        self.next += 1;
        let below = (Bound::Unbounded, Bound::Excluded(node.tokens()));
        let children = self.children_mut(parent);
        let shorter = children
            .range::<[TokenId], _>(below)
            .next_back()
            .filter(|(tokens, _)| node.tokens().starts_with(tokens))
            .map(|(tokens, &id)| (tokens.clone(), id));
        let mut known = Known::new();
        if let Some((tokens, id)) = shorter {
            children.remove(&tokens);
            known = self.entries.pop(&id).map_or(known, |entry| entry.known);
        }
        self.children_mut(parent).insert(node.tokens().to_vec(), id);
        self.entries.put(
            id,
            Entry {
                node: Arc::clone(node),
                parent,
                children: Children::new(),
                known,
            },
        );
        // This fails for a node that was forgotten and is kept again: its old id names no entry, so
        // the node is found by its tokens.
        let _ = node.entry().set(id);
        id
    }

    fn touch(&mut self, id: Option<EntryId>) {
        if let Some(id) = id {
            self.entries.promote(&id);
        }
    }

    fn children(&self, parent: Option<EntryId>) -> &Children {
        parent
            .and_then(|id| self.entries.peek(&id))
            .map_or(&self.roots, |entry| &entry.children)
    }

    fn children_mut(&mut self, parent: Option<EntryId>) -> &mut Children {
        let Self { entries, roots, .. } = self;
        parent
            .and_then(|id| entries.peek_mut(&id))
            .map_or(roots, |entry| &mut entry.children)
    }
}

/// Returns the child that shares the most tokens with `rest`, and how many it shares. In the order
/// of tokens it lies directly before or after where `rest` would be.
fn longest(children: &Children, rest: &[TokenId]) -> Option<(usize, EntryId)> {
    let rest = &rest[..rest.len().min(KV_BLOCK)];
    if let Some(&id) = children.get(rest) {
        return Some((rest.len(), id));
    }
    let before = (Bound::Unbounded, Bound::Included(rest));
    let after = (Bound::Included(rest), Bound::Unbounded);
    let before = children.range::<[TokenId], _>(before).next_back();
    let after = children.range::<[TokenId], _>(after).next();
    before
        .into_iter()
        .chain(after)
        .map(|(tokens, &id)| (common(tokens, rest), id))
        .max_by_key(|&(common, _)| common)
        .filter(|&(common, _)| common > 0)
}

/// Returns the children whose tokens begin with `tokens`.
fn similar<'a>(
    children: &'a Children,
    tokens: &'a [TokenId],
) -> impl Iterator<Item = EntryId> + 'a {
    children
        .range::<[TokenId], _>((Bound::Included(tokens), Bound::Unbounded))
        .take_while(move |(found, _)| found.starts_with(tokens))
        .map(|(_, &id)| id)
}

/// Returns the position of the token that the first logits follow, `usize::MAX` if there are none.
fn first_of(known: &Known) -> usize {
    known.keys().next().map_or(usize::MAX, |&after| after - 1)
}

fn common(left: &[TokenId], right: &[TokenId]) -> usize {
    left.iter()
        .zip(right)
        .take_while(|(left, right)| left == right)
        .count()
}
