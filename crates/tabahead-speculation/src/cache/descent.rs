//! The paths of one base, in an order in which one descent finds those that hold a state.
//!
//! Stores keys alone; the texts are read from the paths, so that none is stored twice. A path can
//! hold a state only if the path's tail is a prefix of the state's tail. Sorted by tail, the
//! prefixes of a text come before it, the longest one last. The descent leaps over the keys between
//! two prefixes.

use lru::LruCache;
use tabahead_context::ContextKey;

use crate::known_path::KnownPath;

/// The paths, which hold the texts of the keys.
type Paths = LruCache<ContextKey, KnownPath>;

/// The keys of the paths that have one base.
#[derive(Debug, Default)]
pub(super) struct PathsOfBase {
    /// Sorted by tail. Equal tails, which only bases with the same hash have, are sorted by key.
    keys: Vec<ContextKey>,
    /// Upper bound of the bytes by which a path continues after its origin. It only grows; too
    /// large a value costs only time.
    longest_continuation: usize,
}

impl PathsOfBase {
    /// Adds a path that is not in `paths` yet.
    pub fn insert(&mut self, path: &KnownPath, paths: &Paths) {
        let at = self.place(path, paths);
        self.keys.insert(at, path.question.view.key);
        let continuation = path.question.path.byte_len() - path.question.path.origin();
        self.longest_continuation = self.longest_continuation.max(continuation);
    }

    /// Removes a path that is still in `paths`.
    pub fn remove(&mut self, key: ContextKey, paths: &Paths) {
        if let Some(path) = paths.peek(&key) {
            let at = self.place(path, paths);
            let removed = self.keys.remove(at);
            debug_assert_eq!(removed, key, "the keys are sorted");
        }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the index at which a path is or would be inserted.
    fn place(&self, path: &KnownPath, paths: &Paths) -> usize {
        let wanted = (tail_of(path), path.question.view.key);
        self.keys
            .partition_point(|&key| (tail_of(kept(paths, key)), key) < wanted)
    }
}

/// The paths of one base whose tail is a prefix of the requested tail and that may reach its end,
/// the longest prefix first.
///
/// Costs one binary search per path found, and one per text between two of them that agrees with
/// the tail further than anything that sorts below it. Both counts are at most the length of a
/// path, however many paths there are.
pub(super) struct Descent<'a> {
    paths: &'a Paths,
    /// Keys not examined yet. None of their tails is greater than `beginning`.
    keys: &'a [ContextKey],
    /// Longest prefix of the tail that may still be found.
    beginning: &'a [u8],
    /// Minimum length of a path's tail: a path that begins earlier does not reach the end of the
    /// tail.
    least: usize,
}

impl<'a> Descent<'a> {
    pub fn new(of_base: &'a PathsOfBase, paths: &'a Paths, tail: &'a str) -> Self {
        let mut descent = Self {
            paths,
            keys: &of_base.keys,
            beginning: tail.as_bytes(),
            least: tail.len().saturating_sub(of_base.longest_continuation),
        };
        descent.leap();
        descent
    }

    /// Drops the keys whose tails are greater than `beginning`.
    fn leap(&mut self) {
        let (paths, beginning) = (self.paths, self.beginning);
        let end = self
            .keys
            .partition_point(|&key| tail_of(kept(paths, key)) <= beginning);
        self.keys = &self.keys[..end];
    }
}

impl<'a> Iterator for Descent<'a> {
    type Item = &'a KnownPath;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&key, before) = self.keys.split_last()?;
            self.keys = before;
            let path = kept(self.paths, key);
            let tail = tail_of(path);
            // Texts that sort before this one agree with the tail no further than it does;
            // otherwise they would sort after it. So this bounds all that follow.
            let agreed = agreed_from(self.least, tail, self.beginning)?;
            self.beginning = &self.beginning[..agreed];
            if agreed == tail.len() {
                return Some(path);
            }
            self.leap();
        }
    }
}

/// Returns the length of the common prefix of two texts, if it is at least `least`.
fn agreed_from(least: usize, one: &[u8], other: &[u8]) -> Option<usize> {
    let (one, other) = (one.split_at_checked(least)?, other.split_at_checked(least)?);
    let further = one.1.iter().zip(other.1).take_while(|(a, b)| a == b);
    (one.0 == other.0).then(|| least + further.count())
}

fn tail_of(path: &KnownPath) -> &[u8] {
    path.question.view.window.tail.as_bytes()
}

fn kept(paths: &Paths, key: ContextKey) -> &KnownPath {
    paths
        .peek(&key)
        .expect("a path is listed under its base as long as it is kept")
}
