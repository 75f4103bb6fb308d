//! Which threads compute: how many, and with which scheduling priority.
//!
//! Speculation runs at a low priority, so that it uses what other work leaves. A priority once
//! lowered cannot be raised again without privileges, so urgent work and other work have separate
//! threads. `crew` lets the threads of a pass share its work. Uses no other room.

pub(crate) mod crew;

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// Maximum number of threads chosen: with more, small models only get in their own way.
const MOST: usize = 4;

/// Scheduling priority of speculation: a tenth of what other threads get while the processor is
/// contended (nice 10 where there is nice). A lower one would disturb even less, but the user may
/// come to wait for a layer that is half computed.
const LOW: u8 = 22;

/// How urgently the result of a computation is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// The user is waiting for it.
    Urgent,
    /// The user is not waiting for it yet.
    Idle,
    /// The user is not waiting for it yet, nor for anything else.
    Reading,
}

impl Urgency {
    /// Gives the calling thread its priority. If the system refuses, the priority stays as it is.
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

/// Returns how many threads are worth having on this machine: one per physical core that this
/// process may use, because hyperthreads share the units that products need, but at most four. Idle
/// work leaves one core to everything else, because a system takes its time to preempt a
/// low-priority thread. When the cursor has just come to rest (`Reading`), it matters more that
/// everything is read before the first key.
pub fn most(urgency: Urgency) -> usize {
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    let physical = usable.min(num_cpus::get_physical());
    match urgency {
        Urgency::Urgent | Urgency::Reading => physical.clamp(1, MOST),
        Urgency::Idle => physical.saturating_sub(1).clamp(1, MOST),
    }
}

/// Returns how many threads fit next to what the machine does now: at least one, and otherwise up
/// to `most`, as many as there are cores that other work does not keep busy.
pub fn fitting(most: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let free = cores.saturating_sub(busy().unwrap_or(0));
    free.clamp(1, most.max(1))
}

/// Returns the number of other threads that run or are ready to run, if the system reports it.
fn busy() -> Option<usize> {
    // In "0.20 0.18 0.12 1/80 11206", the fourth field is running and existing threads.
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    let running: usize = load.split(' ').nth(3)?.split('/').next()?.parse().ok()?;
    // The calling thread reads the file, so it is running, too.
    let ours = COMPUTING.load(Ordering::Relaxed) + 1;
    Some(running.saturating_sub(ours))
}

/// Number of our threads that compute now; they are no reason to use fewer.
static COMPUTING: AtomicUsize = AtomicUsize::new(0);

/// Counts threads as computing until it is dropped.
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
