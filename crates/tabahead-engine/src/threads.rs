//! Which threads compute: how many, and how much they matter to the system.
//!
//! Speculation runs at a low scheduling priority, so that it takes what others leave. A priority
//! once lowered cannot be raised again without privileges: so urgent and other work have threads
//! of their own.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// Most threads that are chosen: beyond that small models only get in their own way.
const MOST: usize = 4;

/// A tenth of what others get while the processor is contended (nice 10 where there is nice).
/// Lower would be nicer still, but somebody may come to wait for a layer that is half computed.
const LOW: u8 = 22;

/// Who waits for what a thread computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// A person.
    Urgent,
    /// Nobody yet.
    Idle,
    /// Nobody yet, and nobody waits for anything else either.
    Reading,
}

impl Urgency {
    /// Gives the calling thread its priority. A system that refuses leaves it as it is.
    pub fn apply(self) {
        if self != Self::Urgent
            && let Ok(low) = ThreadPriorityValue::try_from(LOW)
        {
            let _ =
                thread_priority::set_current_thread_priority(ThreadPriority::Crossplatform(low));
        }
    }

    pub(crate) fn thread_name(self) -> &'static str {
        match self {
            Self::Urgent => "tabahead-urgent",
            Self::Idle | Self::Reading => "tabahead-ahead",
        }
    }
}

/// Threads that are worth having on this machine: one for each physical core that this process
/// may use, as hyperthreads share what products need, but no more than four. What nobody waits for
/// leaves a core to everybody else: a system takes its time to put a thread of low priority aside. Where a
/// cursor has just come to rest that matters less than that all is read before the first key.
pub fn most(urgency: Urgency) -> usize {
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    let physical = usable.min(num_cpus::get_physical());
    match urgency {
        Urgency::Urgent | Urgency::Reading => physical.clamp(1, MOST),
        Urgency::Idle => physical.saturating_sub(1).clamp(1, MOST),
    }
}

/// Threads that fit beside what the machine does now: at least one, and of `most` as many as
/// there are cores that nobody else keeps busy.
pub fn fitting(most: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let free = cores.saturating_sub(busy().unwrap_or(0));
    free.clamp(1, most.max(1))
}

/// Threads of others that run or want to run now, where the system tells.
fn busy() -> Option<usize> {
    // "0.20 0.18 0.12 1/80 11206": the fourth is running and existing threads.
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    let running: usize = load.split(' ').nth(3)?.split('/').next()?.parse().ok()?;
    // This one reads the file, so it runs.
    let ours = COMPUTING.load(Ordering::Relaxed) + 1;
    Some(running.saturating_sub(ours))
}

/// Threads of ours that compute now: no reason to use fewer.
static COMPUTING: AtomicUsize = AtomicUsize::new(0);

/// Counts threads that compute, until it is dropped.
#[derive(Debug)]
pub(crate) struct Computing(usize);

impl Computing {
    pub(crate) fn on(threads: usize) -> Self {
        COMPUTING.fetch_add(threads, Ordering::Relaxed);
        Self(threads)
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        COMPUTING.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_one_thread_computes_and_no_more_than_there_are() {
        for urgency in [Urgency::Urgent, Urgency::Idle, Urgency::Reading] {
            assert!((1..=MOST).contains(&most(urgency)));
        }
        assert_eq!(fitting(0), 1);
        assert_eq!(fitting(1), 1);
        assert!((1..=64).contains(&fitting(64)));
    }
}
