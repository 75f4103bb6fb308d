//! The paths of one base, in an order in which one descent finds those that hold a state.
//!
//! Keeps keys alone; the texts are read in the paths, so that none is kept twice. A path can hold a
//! state only if it began at a beginning of the state's tail, and sorted by tail, the beginnings of a
//! text stand before it, the longest one last. What stands between two of them is leapt over.

use lru::LruCache;
use tabahead_context::ContextKey;

use crate::known_path::KnownPath;

/// Where the texts of keys are kept.
type Paths = LruCache<ContextKey, KnownPath>;

/// The keys of the paths that have one base.
#[derive(Debug, Default)]
pub(super) struct PathsOfBase {
    /// Sorted by tail. Equal tails, which only bases of one hash have, are sorted by key.
    keys: Vec<ContextKey>,
    /// No path goes on for more bytes behind its origin. It only grows: to be too large costs time.
    longest_continuation: usize,
}

impl PathsOfBase {
    /// Adds a path that is not among `paths` yet.
    pub fn insert(&mut self, path: &KnownPath, paths: &Paths) {
        let at = self.place(path, paths);
        self.keys.insert(at, path.view.key);
        let continuation = path.path.byte_len() - path.path.origin();
        self.longest_continuation = self.longest_continuation.max(continuation);
    }

    /// Removes a path that is still among `paths`.
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

    /// Where a path stands or would stand.
    fn place(&self, path: &KnownPath, paths: &Paths) -> usize {
        let wanted = (tail_of(path), path.view.key);
        self.keys
            .partition_point(|&key| (tail_of(kept(paths, key)), key) < wanted)
    }
}

/// The paths of one base that begin at a beginning of a tail and may reach its end, the longest
/// beginning first.
///
/// Its cost is a binary search for each path found, and for each text between two of them that agrees
/// with the tail further than anything below it; both are no more than a path is long, however many
/// paths there are.
pub(super) struct Descent<'a> {
    paths: &'a Paths,
    /// What is not looked at yet. Nothing in it is greater than `beginning`.
    keys: &'a [ContextKey],
    /// The longest beginning of the tail that may still be found.
    beginning: &'a [u8],
    /// A path that begins before this does not reach the tail's end.
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

    /// Leaves out the keys whose tails are greater than `beginning`.
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
            // What stands before a text agrees with the tail no further than that text does: it would
            // stand behind it. So this bounds all that follows.
            let agreed = agreed_behind(self.least, tail, self.beginning)?;
            self.beginning = &self.beginning[..agreed];
            if agreed == tail.len() {
                return Some(path);
            }
            self.leap();
        }
    }
}

/// How far two texts agree, if they do so up to `least`.
fn agreed_behind(least: usize, one: &[u8], other: &[u8]) -> Option<usize> {
    let (one, other) = (one.split_at_checked(least)?, other.split_at_checked(least)?);
    let further = one.1.iter().zip(other.1).take_while(|(a, b)| a == b);
    (one.0 == other.0).then(|| least + further.count())
}

fn tail_of(path: &KnownPath) -> &[u8] {
    path.view.window.tail.as_bytes()
}

fn kept(paths: &Paths, key: ContextKey) -> &KnownPath {
    paths
        .peek(&key)
        .expect("a path stands among those of its base as long as it is kept")
}
