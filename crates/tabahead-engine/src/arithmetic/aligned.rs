//! Memory that begins at a cache line, so that no vector of numbers straddles two lines.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;

/// A slice of numbers that begins at a cache line.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    /// The allocation, longer than the slice; it never grows, so it stays where it is.
    memory: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Copy> Aligned<T> {
    /// Creates a slice of `length` times `number`.
    pub(crate) fn filled(number: T, length: usize) -> Self {
        let spare = LINE / size_of::<T>();
        let mut memory = vec![number; length + spare];
        pages::prefer_large(&mut memory);
        let start = memory.as_ptr().align_offset(LINE).min(spare);
        Self {
            memory,
            start,
            length,
        }
    }
}

impl<T: Copy> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        let spare = LINE / size_of::<T>();
        let mut memory: Vec<T> = Vec::with_capacity(self.length + spare);
        let start = memory.as_ptr().align_offset(LINE).min(spare);
        // The content before the slice does not matter.
        memory.extend_from_slice(&self.memory[..start]);
        memory.extend_from_slice(self);
        Self {
            memory,
            start,
            length: self.length,
        }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[self.start..][..self.length]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..][..self.length]
    }
}

/// How the system backs the memory.
mod pages {
    /// Requests large pages for large allocations: a processor prefetches only within a page, and
    /// remembers where only a few pages are. docs/engine.md has the measured effect.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "madvise takes memory by its address")]
    pub(super) fn prefer_large<T>(memory: &mut [T]) {
        use rustix::mm::{Advice, madvise};

        /// Size of a large page in bytes.
        const LARGE: usize = 2 << 20;

        if size_of_val(memory) < LARGE {
            return;
        }
        let bytes = memory.as_mut_ptr_range();
        let (start, end) = (bytes.start.addr(), bytes.end.addr());
        // Only whole pages belong to `memory` alone. `page` is the maximum size of a page.
        let page = rustix::param::page_size();
        let first = start.next_multiple_of(page);
        let length = (end / page * page).saturating_sub(first);
        let first = bytes.start.cast::<u8>().wrapping_add(first - start);
        // SAFETY: the range lies within `memory`, and this advice changes no content. If the system
        // refuses, the memory is backed as before.
        let _ = unsafe { madvise(first.cast(), length, Advice::LinuxHugepage) };
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn prefer_large<T>(_: &mut [T]) {}
}
