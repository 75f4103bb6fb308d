//! The thread that computes ahead: it gets passes, computes them at low priority, and gives them back.

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

use super::{compute::Ahead, worker::guarded};

/// A pass that is under way, and whose it is.
pub(super) struct Flight<P> {
    pub(super) members: Vec<GenerationId>,
    /// What all of them are there for: `Read` only where none decodes.
    pub(super) goal: Goal,
    pub(super) pass: P,
}

/// A pass that was computed, to its end or until it was called back; or that panicked.
pub(super) struct Computed<P> {
    /// Which engine's it is.
    pub(super) engine: u64,
    pub(super) members: Vec<GenerationId>,
    pub(super) goal: Goal,
    pub(super) outcome: Result<P, ()>,
    /// How long it took, when it ran in one go.
    pub(super) taken: Option<Duration>,
}

/// The thread. It ends when this is dropped, after the layer that it computes.
pub(super) struct Runner<P> {
    jobs: Sender<Flight<P>>,
    /// Asks it to stop between two layers.
    stop: Arc<AtomicBool>,
    /// Whose pass it computes now; empty when it rests.
    members: Vec<GenerationId>,
    /// That pass was given up and waited for, in vain.
    pub(super) late: bool,
}

impl<P: Send + 'static> Runner<P> {
    /// Starts the thread, which replies to the calling one in the name of this engine; `None` when
    /// there is none to be had.
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

    /// Whose pass it computes now; empty when it rests.
    pub(super) fn members(&self) -> &[GenerationId] {
        &self.members
    }

    /// Gives it a pass; gives it back when the thread is gone.
    pub(super) fn compute(&mut self, flight: Flight<P>) -> Result<(), Flight<P>> {
        self.members.clone_from(&flight.members);
        self.jobs
            .send(flight)
            .map_err(|mpsc::SendError(flight)| flight)
    }

    /// Asks for the pass, computed or not.
    pub(super) fn call_back(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// The pass is back.
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
