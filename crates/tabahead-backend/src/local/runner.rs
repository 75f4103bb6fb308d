//! The thread that computes ahead: it receives passes, computes them at low priority, and returns
//! them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use tabahead_context::{GenerationId, Goal};
use tabahead_engine::threads::Urgency;

use super::{
    compute::Ahead,
    panics::{Panicked, guarded},
};

/// A pass that is under way, and the generations that it belongs to.
pub(super) struct Flight<P> {
    pub(super) members: Vec<GenerationId>,
    /// Common goal of the members: `Read` only if none decodes.
    pub(super) goal: Goal,
    pub(super) pass: P,
}

/// A pass that was computed, to its end or until it was called back, or that panicked.
pub(super) struct Computed<P> {
    /// Number of the engine that the pass belongs to.
    pub(super) engine: u64,
    pub(super) members: Vec<GenerationId>,
    pub(super) goal: Goal,
    pub(super) outcome: Result<P, Panicked>,
    /// Duration of the pass, if it ran without interruption.
    pub(super) taken: Option<Duration>,
}

/// Handle of the thread. The thread ends when the handle is dropped, after the layer that it
/// computes.
pub(super) struct Runner<P> {
    jobs: Sender<Flight<P>>,
    /// Asks the thread to stop between two layers.
    stop: Arc<AtomicBool>,
    /// Generations of the pass that it computes now; empty when it is idle.
    members: Vec<GenerationId>,
    /// True if that pass was given up and did not come back in time.
    pub(super) late: bool,
}

impl<P: Send + 'static> Runner<P> {
    /// Starts the thread, which replies to the calling thread with this engine number. Returns
    /// `None` if no thread can be started.
    pub(super) fn new(
        mut ahead: impl Ahead<P>,
        engine: u64,
        reply: Sender<Computed<P>>,
    ) -> Option<Self> {
        let (jobs, queue) = mpsc::channel::<Flight<P>>();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, owner) = (Arc::clone(&stop), thread::current());
        let work = move || {
            Urgency::Idle.apply();
            for flight in queue {
                let Flight {
                    members,
                    goal,
                    mut pass,
                } = flight;
                let whole = !ahead.is_begun(&pass);
                let started = Instant::now();
                let done =
                    guarded(|| ahead.run(&mut pass, goal, &|| stopped.load(Ordering::Acquire)));
                let taken = (done == Ok(true) && whole).then(|| started.elapsed());
                let computed = Computed {
                    engine,
                    members,
                    goal,
                    outcome: done.map(|_| pass),
                    taken,
                };
                if reply.send(computed).is_err() {
                    return;
                }
                owner.unpark();
            }
        };
        let spawned = thread::Builder::new()
            .name("tabahead-ahead".to_owned())
            .spawn(work);
        spawned.ok().map(|_| Self {
            jobs,
            stop,
            members: Vec::new(),
            late: false,
        })
    }

    /// Returns the generations of the pass that it computes now; empty when it is idle.
    pub(super) fn members(&self) -> &[GenerationId] {
        &self.members
    }

    /// Sends a pass to the thread; returns the pass if the thread is gone.
    pub(super) fn compute(&mut self, flight: Flight<P>) -> Result<(), Flight<P>> {
        self.members.clone_from(&flight.members);
        self.jobs
            .send(flight)
            .map_err(|mpsc::SendError(flight)| flight)
    }

    /// Asks the thread to return the pass, computed or not.
    pub(super) fn call_back(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Records that the pass is back.
    pub(super) fn rest(&mut self) {
        self.members.clear();
        self.late = false;
        self.stop.store(false, Ordering::Release);
    }
}

impl<P> Drop for Runner<P> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}
