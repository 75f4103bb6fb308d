//! Paths by the state that they were generated at; the least recently used are evicted first.
//!
//! Knows nothing of requests and generations. Running generations keep their paths themselves; the
//! cache holds those that have ended or were stopped. `descent.rs` finds the paths that hold a
//! state.

mod descent;

use std::collections::HashMap;

use lru::LruCache;
use tabahead_context::{ContextKey, View};

use self::descent::{Descent, PathsOfBase};
use crate::known_path::KnownPath;

/// Maximum overhead per path in bytes: its entry in the order of use and, for tables that have just
/// doubled, its slot in the table of paths, its slot among the paths of its base, and the slot of
/// that base.
const BOOKKEEPING: usize = size_of::<ContextKey>()
    + 2 * size_of::<usize>()
    + 2 * (size_of::<[usize; 3]>()
        + size_of::<ContextKey>()
        + size_of::<(ContextKey, PathsOfBase, usize)>());

/// An LRU cache of paths with a byte budget.
///
/// Paths are found by their base and, among those of one base, by one descent along the requested
/// tail: it finds every path that holds a state, however far the user typed along it.
#[derive(Debug)]
pub(crate) struct SuggestionCache {
    paths: LruCache<ContextKey, KnownPath>,
    by_base: HashMap<ContextKey, PathsOfBase>,
    bytes: usize,
    budget: usize,
    evicted: u64,
}

impl SuggestionCache {
    /// Creates an empty cache for at most `budget` bytes.
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

    /// Stores a path, unless the cache has one from the same place that knows more.
    pub fn keep(&mut self, mut path: KnownPath) {
        // Every stored path would keep other versions of the other files in memory.
        let name = &mut path.question.view.window.name;
        name.open_files = name.open_files.without_texts();
        let key = path.question.view.key;
        if let Some(mut kept) = self.remove(key) {
            if path.extends(&kept) {
                path.inherit(&kept);
            } else {
                kept.inherit(&path);
                path = kept;
            }
        }
        self.bytes += size_of_entry(&path);
        let of_base = self.by_base.entry(path.question.view.base).or_default();
        of_base.insert(&path, &self.paths);
        self.paths.put(key, path);
        self.evict();
    }

    /// Returns the paths that hold the state of `view`, which could answer it (unless two bases
    /// have the same hash). Those that begin nearest to it come first. Does not mark them as used.
    pub fn candidates<'a>(&'a self, view: &'a View) -> impl Iterator<Item = &'a KnownPath> {
        let tail = view.window.tail.as_str();
        let of_base = self.by_base.get(&view.base);
        of_base
            .into_iter()
            .flat_map(move |of_base| Descent::new(of_base, &self.paths, tail))
            .filter(move |known| known.question.path.holds(tail))
    }

    /// Returns the path that was generated at a state. Does not mark it as used.
    pub fn path_at(&self, key: ContextKey) -> Option<&KnownPath> {
        self.paths.peek(&key)
    }

    /// Returns a path and marks it as used. The caller must not change its size.
    pub fn use_path(&mut self, key: ContextKey) -> Option<&mut KnownPath> {
        self.paths.get_mut(&key)
    }

    /// Returns the number of paths stored.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Returns the number of bytes stored.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of paths evicted so far.
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
        let base = self.paths.peek(&key)?.question.view.base;
        if let Some(of_base) = self.by_base.get_mut(&base) {
            of_base.remove(key, &self.paths);
            if of_base.is_empty() {
                self.by_base.remove(&base);
            }
        }
        let path = self.paths.pop(&key)?;
        self.bytes -= size_of_entry(&path);
        Some(path)
    }
}

fn size_of_entry(path: &KnownPath) -> usize {
    BOOKKEEPING + size_of::<KnownPath>() + path.heap_bytes()
}

#[cfg(test)]
mod tests;
