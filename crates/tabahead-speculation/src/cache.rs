//! Paths by the state that they were generated at, least recently used out first.
//!
//! Knows nothing of requests and generations. Running generations keep their paths themselves;
//! here is what has ended or was stopped.

use std::collections::HashMap;

use lru::LruCache;
use tabahead_context::ContextKey;

use crate::{known_path::KnownPath, state::View};

/// An LRU of paths under a byte budget.
///
/// Paths are found by their base: one look-up finds every path that a state may lie on, however
/// far the user typed along it.
#[derive(Debug)]
pub(crate) struct SuggestionCache {
    paths: LruCache<ContextKey, KnownPath>,
    by_base: HashMap<ContextKey, Vec<ContextKey>>,
    bytes: usize,
    budget: usize,
    evicted: u64,
}

impl SuggestionCache {
    /// An empty cache for at most `budget` bytes.
    pub fn new(budget: usize) -> Self {
        Self {
            paths: LruCache::unbounded(),
            by_base: HashMap::new(),
            bytes: 0,
            budget,
            evicted: 0,
        }
    }

    /// Changes the budget.
    pub fn set_budget(&mut self, budget: usize) {
        self.budget = budget;
        self.evict();
    }

    /// Keeps a path, unless a path from the same place is kept that knows more.
    pub fn keep(&mut self, mut path: KnownPath) {
        let key = path.view.key;
        if let Some(mut kept) = self.remove(key) {
            if path.extends(&kept) {
                path.inherit(&kept);
            } else {
                kept.inherit(&path);
                path = kept;
            }
        }
        self.bytes += size_of_entry(&path);
        self.by_base.entry(path.view.base).or_default().push(key);
        self.paths.put(key, path);
        self.evict();
    }

    /// The paths whose base may be that of `view`; nothing counts as used.
    pub fn candidates(&self, view: &View) -> impl Iterator<Item = &KnownPath> {
        self.by_base
            .get(&view.base)
            .into_iter()
            .flatten()
            .filter_map(|key| self.paths.peek(key))
    }

    /// The path that was generated at a state; it does not count as used.
    pub fn path_at(&self, key: ContextKey) -> Option<&KnownPath> {
        self.paths.peek(&key)
    }

    /// A path, which counts as used now. Its size must stay as it is.
    pub fn use_path(&mut self, key: ContextKey) -> Option<&mut KnownPath> {
        self.paths.get_mut(&key)
    }

    /// Paths kept.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Bytes kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Paths evicted so far.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn evict(&mut self) {
        while self.bytes > self.budget {
            let Some((&key, _)) = self.paths.peek_lru() else {
                return;
            };
            self.remove(key);
            self.evicted += 1;
        }
    }

    fn remove(&mut self, key: ContextKey) -> Option<KnownPath> {
        let path = self.paths.pop(&key)?;
        self.bytes -= size_of_entry(&path);
        if let Some(keys) = self.by_base.get_mut(&path.view.base) {
            keys.retain(|&kept| kept != key);
            if keys.is_empty() {
                self.by_base.remove(&path.view.base);
            }
        }
        Some(path)
    }
}

fn size_of_entry(path: &KnownPath) -> usize {
    size_of::<KnownPath>() + path.heap_bytes()
}

#[cfg(test)]
mod tests;
