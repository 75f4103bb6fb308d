//! Threads that compute a pass together.
//!
//! A pass is a hundred products or more, one after the other, most of which take some ten
//! microseconds. Waking a sleeping thread takes as long. So the threads of a pass stay awake until
//! it ends: they poll for work, and yield the processor only when there was none for a while. A
//! thread that has not started yet delays nothing: items are taken one by one by the threads that
//! are there.
//!
//! Invariant: [`Crew::each`] returns, also by unwinding, only when no thread works on its items any
//! more.

#![expect(
    unsafe_code,
    reason = "a task borrows from the stack of the thread that waits for it"
)]

use std::{
    cell::UnsafeCell,
    hint, mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

/// Number of polls, some ten microseconds, before an idle thread yields.
const LOOKS: u32 = 2_000;

/// Mask of the part of `open` that counts items.
const ITEMS: u64 = u32::MAX as u64;

/// The threads that work on a pass: the one that runs it, alone or with others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crew<'a>(Option<&'a CrewState>);

/// State shared by the threads of a crew.
struct CrewState {
    threads: usize,
    /// Number of the task in the high half, number of its items not yet taken in the low half.
    open: AtomicU64,
    /// The task with that number. It is written only while `open` has no items and no thread works
    /// on any, and read only by threads that have taken an item.
    task: UnsafeCell<Task>,
    /// Number of items of the task on which work has ended.
    done: AtomicUsize,
    /// Whether no more tasks will come.
    over: AtomicBool,
}

/// A function that processes the item with the given number.
type Task = &'static (dyn Fn(usize) + Sync);

// SAFETY: `task` is accessed as its comment says, everything else is atomic.
unsafe impl Sync for CrewState {}

impl std::fmt::Debug for CrewState {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CrewState")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Crew<'_> {
    /// A crew of the calling thread only.
    pub(crate) const ALONE: Self = Self(None);

    /// Runs `lead` on this thread, with `threads` threads at work: this one and others of the pool.
    pub(crate) fn with<R>(
        pool: &rayon::ThreadPool,
        threads: usize,
        lead: impl FnOnce(Crew<'_>) -> R,
    ) -> R {
        let shared = CrewState {
            threads,
            open: AtomicU64::new(0),
            task: UnsafeCell::new(&|_| {}),
            done: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        };
        pool.in_place_scope(|scope| {
            let shared = &shared;
            for _ in 1..threads {
                scope.spawn(|_| shared.help());
            }
            // However `lead` ends, the other threads are released.
            let _over = SetOnDrop(&shared.over);
            lead(Crew(Some(shared)))
        })
    }

    /// Returns the number of working threads, the calling one included.
    pub(crate) fn threads(self) -> usize {
        self.0.map_or(1, |shared| shared.threads)
    }

    /// Processes each item on any free thread.
    pub(crate) fn each<T: Send>(self, items: &mut [T], work: impl Fn(&mut T) + Sync) {
        match (self.0, items.len()) {
            (Some(shared), 2..) => {
                let items: Vec<_> = items.iter_mut().map(Mutex::new).collect();
                // Each item is taken once, so no thread ever waits for a lock.
                shared.run(items.len(), &|item| {
                    work(&mut items[item].lock().unwrap_or_else(PoisonError::into_inner));
                });
            }
            _ => items.iter_mut().for_each(work),
        }
    }
}

impl CrewState {
    /// Runs a task of `items` items together with the helping threads. Only the leading thread
    /// calls it.
    fn run(&self, items: usize, task: &(dyn Fn(usize) + Sync)) {
        let items = u32::try_from(items).expect("a pass has few parts");
        // SAFETY: `finish` returns, or ends the unwinding, when no thread works on an item and none
        // can be taken. Without an item no thread reads the task. So it is not used after its
        // lifetime.
        let task: Task = unsafe { mem::transmute::<&(dyn Fn(usize) + Sync), Task>(task) };
        // SAFETY: the previous task is finished, so no thread reads it.
        unsafe { *self.task.get() = task };
        self.done.store(0, Ordering::Relaxed);
        let number = (self.open.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        self.open
            .store(number << 32 | u64::from(items), Ordering::Release);
        let finish = Finish {
            shared: self,
            items: items as usize,
        };
        while self.take() {}
        drop(finish);
    }

    /// Takes an open item and processes it; returns whether there was one.
    fn take(&self) -> bool {
        let take = |open: u64| (open & ITEMS > 0).then(|| open - 1);
        let taken = self
            .open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        let Ok(open) = taken else { return false };
        let _done = CountOnDrop(&self.done);
        // SAFETY: an item of this task was taken and is not done, so the task is not being written.
        let task = unsafe { *self.task.get() };
        task((open & ITEMS) as usize - 1);
        true
    }

    /// Takes items until no more tasks will come.
    fn help(&self) {
        let mut patience = Patience::default();
        while !self.over.load(Ordering::Acquire) {
            if self.take() {
                patience = Patience::default()
            } else {
                patience.wait()
            }
        }
    }
}

/// Waits, when dropped, until no thread works on the task. If work panicked, items not yet taken
/// are discarded.
struct Finish<'a> {
    shared: &'a CrewState,
    items: usize,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        let open = self.shared.open.fetch_and(!ITEMS, Ordering::AcqRel) & ITEMS;
        let taken = self.items - open as usize;
        let mut patience = Patience::default();
        while self.shared.done.load(Ordering::Acquire) < taken {
            patience.wait();
        }
    }
}

/// Sets the flag when dropped.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Counts an item as done when dropped, also if work on it panicked.
struct CountOnDrop<'a>(&'a AtomicUsize);

impl Drop for CountOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Counts how often a thread polled in vain.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    fn wait(&mut self) {
        if self.0 < LOOKS {
            self.0 += 1;
            hint::spin_loop();
        } else {
            thread::yield_now()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads can be started")
    }

    #[test]
    fn each_item_is_worked_on_once_in_every_task() {
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        for threads in [1, 2, 3] {
            Crew::with(&pool(threads), threads, |crew| {
                assert_eq!(crew.threads(), threads);
                for round in 0..rounds {
                    let mut items: Vec<usize> = (0..round % 7).collect();
                    crew.each(&mut items, |item| *item += round);
                    let expected: Vec<usize> = (0..round % 7).map(|item| item + round).collect();
                    assert_eq!(items, expected);
                }
            });
        }
    }

    #[test]
    fn work_does_not_wait_for_threads_that_do_not_come() {
        let pool = pool(1);
        let (release, released) = std::sync::mpsc::channel();
        pool.spawn(move || released.recv().expect("it is released"));
        let mut items = [0; 100];
        Crew::with(&pool, 2, |crew| {
            crew.each(&mut items, |item| *item += 1);
            release.send(()).expect("it waits");
        });
        assert_eq!(items, [1; 100]);
        Crew::ALONE.each(&mut items, |item| *item += 1);
        assert_eq!(items, [2; 100]);
    }

    #[test]
    fn a_panic_in_an_item_is_one_of_the_whole_and_others_can_follow() {
        let pool = pool(3);
        for bad in 0..8 {
            let broken = catch_unwind(AssertUnwindSafe(|| {
                Crew::with(&pool, 3, |crew| {
                    let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
                    crew.each(&mut items, |item| assert_ne!(*item, bad));
                });
            }));
            assert!(broken.is_err());
            let mut items = [1; 50];
            Crew::with(&pool, 3, |crew| {
                crew.each(&mut items, |item| *item += 1);
            });
            assert_eq!(items, [2; 50]);
        }
    }
}
