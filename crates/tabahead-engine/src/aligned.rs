//! Memory that begins at a cache line, so that no vector of numbers lies across two lines.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;

/// A slice of numbers that begins at a cache line.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    /// Longer than the slice; never grown, so it stays where it is.
    memory: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Copy> Aligned<T> {
    /// `length` times `number`.
    pub(crate) fn filled(number: T, length: usize) -> Self {
        let spare = LINE / size_of::<T>();
        let memory = vec![number; length + spare];
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
        // What stands before the slice matters not.
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
