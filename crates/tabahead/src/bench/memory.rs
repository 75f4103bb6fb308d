//! Measures how fast memory is read, how much of it this process takes, and the size of the caches.

use std::{fs, hint::black_box, thread, time::Instant};

/// Size in bytes of the buffer, unless the caches are unusually large.
const BUFFER: u64 = 512 << 20;
/// Size in bytes of the buffer for a quick run.
const SMALL_BUFFER: u64 = 64 << 20;
/// Number of times that the buffer is read.
const PASSES: usize = 5;
/// Number of independent sums, so that no addition waits for another.
const SUMS: usize = 16;

/// A buffer much larger than the caches, where memory allows.
pub struct Buffer(Vec<u64>);

/// How large a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BufferSize {
    /// Quickly read, but perhaps from the caches.
    Small,
    /// Larger than the caches.
    Large,
}

impl Buffer {
    pub fn new(size: BufferSize) -> Self {
        let wanted = match size {
            BufferSize::Small => SMALL_BUFFER,
            BufferSize::Large => BUFFER.max(2 * cache_bytes().unwrap_or(0)),
        };
        let allowed = available_bytes().map_or(BUFFER, |available| available / 4);
        let words = wanted.min(allowed) as usize / size_of::<u64>();
        // Pages of zeros would all be the same physical page.
        Self(vec![1; words.max(1 << 16)])
    }

    pub fn bytes(&self) -> usize {
        size_of_val(&self.0[..])
    }

    /// Returns the bytes per second when `threads` threads read the buffer once, each a part of its
    /// own.
    pub fn bandwidth(&self, threads: usize) -> f64 {
        let part = self.0.len().div_ceil(threads);
        let times = (0..PASSES).map(|_| {
            let started = Instant::now();
            thread::scope(|scope| {
                for words in self.0.chunks(part) {
                    scope.spawn(move || black_box(sum(words)));
                }
            });
            started.elapsed()
        });
        // The shortest time shows what memory can deliver: other programs only take from it.
        let least = times.min().unwrap_or_default();
        self.bytes() as f64 / least.as_secs_f64()
    }
}

fn sum(words: &[u64]) -> u64 {
    let mut sums = [0_u64; SUMS];
    let (lines, rest) = words.as_chunks::<SUMS>();
    for line in lines {
        for index in 0..SUMS {
            sums[index] = sums[index].wrapping_add(line[index]);
        }
    }
    sums.iter().chain(rest).fold(0, |a, b| a.wrapping_add(*b))
}

/// Returns the size in bytes of the largest cache, if the system reports it.
pub fn cache_bytes() -> Option<u64> {
    let caches = fs::read_dir("/sys/devices/system/cpu/cpu0/cache").ok()?;
    caches
        .flatten()
        .filter_map(|cache| fs::read_to_string(cache.path().join("size")).ok())
        .filter_map(|size| size.trim().strip_suffix('K')?.parse::<u64>().ok())
        .map(|kilobytes| kilobytes * 1024)
        .max()
}

/// Returns how much memory of this process is in RAM; `None` if the system does not report it.
pub fn resident_bytes() -> Option<u64> {
    bytes_in("/proc/self/status", "VmRSS:")
}

fn available_bytes() -> Option<u64> {
    bytes_in("/proc/meminfo", "MemAvailable:")
}

/// Reads a figure from a file in which Linux gives it in kilobytes.
fn bytes_in(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_once() {
        let words: Vec<u64> = (0..1000).collect();
        assert_eq!(sum(&words), 999 * 1000 / 2);
        assert_eq!(sum(&[u64::MAX, 2]), 1);
    }
}
