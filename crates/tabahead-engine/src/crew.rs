//! Threads that compute a pass together.
//!
//! A pass is a hundred products and more, one after the other, most of which take some ten microseconds; to wake
//! a thread that sleeps takes as long. So the threads of a pass stay awake until it ends: they look for
//! work, and give the processor to others only when there was none for a while. Nobody waits for a
//! thread that has not come yet: items are taken one by one, and whoever is there takes them.
//!
//! Invariant: [`Crew::each`] returns, also by unwinding, only when nobody works on its items any more.

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

/// How often a thread looks for work before it lets others run, some ten microseconds.
const LOOKS: u32 = 2_000;

/// The part of `open` that counts items.
const ITEMS: u64 = u32::MAX as u64;

/// Who works on a pass: the thread that runs it, alone or with others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crew<'a>(Option<&'a Shared>);

/// What the threads of a crew share.
struct Shared {
    threads: usize,
    /// In the high half the number of the task, in the low half how many of its items nobody has taken.
    open: AtomicU64,
    /// The task of that number. It is written while `open` has no items and nobody works on any, and read by those
    /// who have taken one.
    task: UnsafeCell<Task>,
    /// Items of the task that nobody works on any more.
    done: AtomicUsize,
    /// No more tasks will come.
    over: AtomicBool,
}

/// Does the item of this number.
type Task = &'static (dyn Fn(usize) + Sync);

// SAFETY: `task` is accessed as its comment says, all else is atomic.
unsafe impl Sync for Shared {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shared")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Crew<'_> {
    /// Nobody but the calling thread.
    pub(crate) const ALONE: Self = Self(None);

    /// Runs `lead` here, with so many threads at work: this one, and others of the pool.
    pub(crate) fn with<R>(
        pool: &rayon::ThreadPool,
        threads: usize,
        lead: impl FnOnce(Crew<'_>) -> R,
    ) -> R {
        let shared = Shared {
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
            // However it ends, the others are sent away.
            let _over = SetOnDrop(&shared.over);
            lead(Crew(Some(shared)))
        })
    }

    /// How many threads work, with the calling one.
    pub(crate) fn threads(self) -> usize {
        self.0.map_or(1, |shared| shared.threads)
    }

    /// Works on each item, on whichever thread is free.
    pub(crate) fn each<T: Send>(self, items: &mut [T], work: impl Fn(&mut T) + Sync) {
        match (self.0, items.len()) {
            (Some(shared), 2..) => {
                let items: Vec<_> = items.iter_mut().map(Mutex::new).collect();
                // Each is taken once, so nobody waits for a lock.
                shared.run(items.len(), &|item| {
                    work(&mut items[item].lock().unwrap_or_else(PoisonError::into_inner));
                });
            }
            _ => items.iter_mut().for_each(work),
        }
    }
}

impl Shared {
    /// Does a task of so many items, with those who help. Only the thread that leads calls it.
    fn run(&self, items: usize, task: &(dyn Fn(usize) + Sync)) {
        let items = u32::try_from(items).expect("a pass has few parts");
        // SAFETY: `finish` returns, or ends the unwinding, when nobody works on an item and none can be taken;
        // without an item nobody reads the task. So it is not used for longer than it lives.
        let task: Task = unsafe { mem::transmute::<&(dyn Fn(usize) + Sync), Task>(task) };
        // SAFETY: the task before is finished, so nobody reads it.
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

    /// Takes one of the items that are open and does it; whether there was one.
    fn take(&self) -> bool {
        let take = |open: u64| (open & ITEMS > 0).then(|| open - 1);
        let taken = self
            .open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        let Ok(open) = taken else { return false };
        let _done = CountOnDrop(&self.done);
        // SAFETY: an item of this task was taken and is not done, so it is not written.
        let task = unsafe { *self.task.get() };
        task((open & ITEMS) as usize - 1);
        true
    }

    /// Takes items until no more will come.
    fn help(&self) {
        let mut patience = Patience::default();
        while !self.over.load(Ordering::Acquire) {
            match self.take() {
                true => patience = Patience::default(),
                false => patience.wait(),
            }
        }
    }
}

/// Waits, when dropped, until nobody works on a task; what is not taken yet is not done when work on it panicked.
struct Finish<'a> {
    shared: &'a Shared,
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

/// Says, when dropped, that no more will come.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Counts an item as done when dropped, also when work on it panicked.
struct CountOnDrop<'a>(&'a AtomicUsize);

impl Drop for CountOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// How long a thread has looked in vain.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    fn wait(&mut self) {
        match self.0 < LOOKS {
            true => {
                self.0 += 1;
                hint::spin_loop();
            }
            false => thread::yield_now(),
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
    fn nobody_waits_for_threads_that_do_not_come() {
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
