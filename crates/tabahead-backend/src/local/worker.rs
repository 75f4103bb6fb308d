//! The thread that owns the engine.
//!
//! Between any two passes it takes the waiting messages and chooses again what to compute:
//! `schedule` is the whole policy. What the user waits for is computed here. What nothing waits for
//! yet is computed by a second thread of low priority, which owns nothing but the pass that it is
//! given. A pass can be left between two layers and resumed on either thread, so a message waits
//! for at most one layer, and a request that joins speculation continues from where that is.
//!
//! It must not know where prompts come from, nor when enough was decoded: a generation ends by its
//! stop, a full context or a cancel.
//!
//! It is one state machine, hence the length of this file.
//!
//! Passes run under `catch_unwind`. When one panics, its generation fails, the engine is rebuilt,
//! and the other generations begin again after the tokens that they have already reported; the law
//! that a continued path equals an uninterrupted one makes that invisible.

use std::{
    mem,
    sync::{
        atomic::Ordering,
        mpsc::{self, Receiver, Sender, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};

use tabahead_context::{
    GenerationEvent, GenerationFailure, GenerationId, GenerationRequest, Goal, Priority,
};
use tabahead_engine::{EngineError, EngineSettings, SequenceRequest};

use super::{
    Shared,
    compute::Compute,
    generation::{self, Live, RunningSequence, StepResult},
    in_one_line, lock,
    panics::{Panicked, guarded},
    runner::{Computed, Flight, Runner},
};
use crate::{
    TokenCounters,
    schedule::{Candidate, Measured, precedence, schedule},
};

/// A command from the handle to the thread.
pub(super) enum WorkerCommand {
    Start(Box<GenerationRequest>),
    Prioritize(GenerationId, Priority),
    Cancel(GenerationId),
    Configure(EngineSettings),
    Warm,
}

/// A message from the handle. The handle wakes the thread by `unpark`: a queue that wakes its
/// receiver holds a lock meanwhile, and a thread of low priority that shared it could hold up all
/// others.
pub(super) enum WorkerMessage {
    Command(WorkerCommand),
    /// The handle was dropped.
    Close,
}

/// Maximum time that a request waits for a pass that was given up: a layer takes less, but on a
/// busy machine a thread of low priority may not get to finish it.
const RETURN: Duration = Duration::from_millis(3);

/// The next thing to do.
enum Next {
    /// Nothing, until a message comes.
    Wait,
    /// Wait for a pass that was given up: it comes back soon, with keys and values that save work.
    Await,
    /// Encode a prompt and look up what is known of it.
    Begin(usize),
    /// Choose a token.
    Choose(usize),
    /// Compute a pass, for the user or ahead.
    Compute(Priority),
    /// Resume a pass that was left.
    Resume(usize, Priority),
}

pub(super) struct Worker<'a, C: Compute, B> {
    build: B,
    settings: EngineSettings,
    compute: C,
    /// Number of the current engine: a pass of an earlier one is useless.
    engine: u64,
    /// Counters of engines that were replaced.
    before: TokenCounters,
    shared: &'a Shared,
    queue: Receiver<WorkerMessage>,
    /// Passes that the thread that computes ahead returns.
    landed: Receiver<Computed<C::Pass>>,
    /// Sender for that thread.
    reply: Sender<Computed<C::Pass>>,
    runner: Option<Runner<C::Pass>>,
    /// Time from which a pass that was given up is no longer waited for.
    due: Option<Instant>,
    /// Passes that were left before their end.
    left: Vec<Flight<C::Pass>>,
    live: Vec<Live<C::Sequence>>,
    measured: Measured,
    /// Tokens of uninterrupted passes, and the total time of these.
    timed: (u64, Duration),
    next_rank: u64,
    warmed: bool,
}

impl<'a, C: Compute, B: Fn(&EngineSettings) -> C> Worker<'a, C, B> {
    pub(super) fn new(
        build: B,
        settings: EngineSettings,
        shared: &'a Shared,
        queue: Receiver<WorkerMessage>,
    ) -> Self {
        let (reply, landed) = mpsc::channel();
        Self {
            compute: build(&settings),
            build,
            settings,
            engine: 0,
            before: TokenCounters::default(),
            shared,
            queue,
            landed,
            reply,
            runner: None,
            due: None,
            left: Vec::new(),
            live: Vec::new(),
            measured: Measured::default(),
            timed: (0, Duration::ZERO),
            next_rank: 0,
            warmed: false,
        }
    }

    /// Works until the handle is dropped.
    pub(super) fn run(mut self) {
        loop {
            let next = self.next();
            match self.queue.try_recv() {
                Ok(WorkerMessage::Command(command)) => {
                    self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
                    self.obey(command);
                }
                Ok(WorkerMessage::Close) | Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => match self.landed.try_recv() {
                    Ok(computed) => self.take(computed),
                    Err(_) => self.advance(next),
                },
            }
            // After a step's events: a reader who reads these figures and then the events that wait
            // has at least what is counted.
            self.publish_counters();
        }
    }

    fn take(&mut self, computed: Computed<C::Pass>) {
        if computed.engine != self.engine {
            // It belongs to an engine that was replaced.
            return;
        }
        self.due = None;
        if let Some(runner) = &mut self.runner {
            runner.rest();
        }
        let Computed {
            members,
            goal,
            outcome,
            taken,
            ..
        } = computed;
        self.land(members, goal, outcome, taken);
    }

    fn obey(&mut self, command: WorkerCommand) {
        match command {
            WorkerCommand::Start(request) => {
                let rank = self.rank();
                self.live.push(Live::new(request, rank));
            }
            WorkerCommand::Prioritize(id, priority) => {
                let rank = self.rank();
                if let Some(live) = self.live.iter_mut().find(|live| live.request.id == id) {
                    live.request.priority = priority;
                    live.rank = rank;
                }
            }
            WorkerCommand::Cancel(id) => {
                if let Some(i) = self.position(id) {
                    let live = self.live.remove(i);
                    self.keep(live.running);
                    self.abandon();
                }
            }
            WorkerCommand::Configure(settings) => {
                if settings != self.settings {
                    self.settings = settings;
                    self.rebuild();
                }
            }
            WorkerCommand::Warm => self.warm(),
        }
    }

    /// Returns what to do next, for the generation that comes first.
    fn next(&mut self) -> Next {
        let Self {
            compute,
            live,
            left,
            runner,
            ..
        } = self;
        let ahead = runner.as_ref().map_or(&[][..], Runner::members);
        let leader =
            (0..live.len()).max_by_key(|&i| precedence(live[i].request.priority, live[i].rank));
        let Some(leader) = leader else {
            return Next::Wait;
        };
        let priority = live[leader].request.priority;
        if priority == Priority::Foreground
            && !ahead.is_empty()
            && let Some(runner) = &runner
        {
            // The runner makes room. If it computes what the user now waits for, this thread takes
            // over.
            runner.call_back();
        }
        let given_up =
            !ahead.is_empty() && !live.iter().any(|live| ahead.contains(&live.request.id));
        if given_up && live[leader].running.is_none() && runner.as_ref().is_some_and(|r| !r.late) {
            return Next::Await;
        }
        let busy = |id: &GenerationId| {
            ahead.contains(id) || left.iter().any(|flight| flight.members.contains(id))
        };
        // Work that needs no pass comes first, so that others can be computed together with it.
        for i in std::iter::once(leader).chain((0..live.len()).filter(|&i| i != leader)) {
            let Live {
                request, running, ..
            } = &mut live[i];
            if busy(&request.id) {
                continue;
            }
            if let Some(running) = running {
                if compute.missing(&mut running.sequence) == 0 {
                    return Next::Choose(i);
                }
            } else if i == leader || priority == Priority::Speculative {
                // Encoding takes time: while the user waits, only the leader's prompt is encoded.
                return Next::Begin(i);
            }
        }
        let id = live[leader].request.id;
        let resumed = left.iter().position(|flight| flight.members.contains(&id));
        match resumed {
            _ if priority == Priority::Speculative && !ahead.is_empty() => Next::Wait,
            _ if ahead.contains(&id) => Next::Wait,
            Some(flight) => Next::Resume(flight, priority),
            None => Next::Compute(priority),
        }
    }

    fn advance(&mut self, next: Next) {
        match next {
            // Every arrival unparks this thread; if one came before, `park` returns at once.
            Next::Wait => thread::park(),
            Next::Await => {
                let late = Instant::now() + RETURN;
                let due = self.due.get_or_insert(late);
                thread::park_timeout(due.saturating_duration_since(Instant::now()));
                if Instant::now() >= *due
                    && let Some(runner) = &mut self.runner
                {
                    runner.late = true;
                }
            }
            Next::Begin(i) => self.settle(i, generation::begin),
            Next::Choose(i) => self.settle(i, generation::choose),
            Next::Compute(priority) => {
                if let Some(flight) = self.depart() {
                    self.compute(flight, priority);
                }
            }
            Next::Resume(i, priority) => {
                let flight = self.left.swap_remove(i);
                self.compute(flight, priority);
            }
        }
    }

    /// Prepares a pass of what comes first, and of what is worth computing with it.
    fn depart(&mut self) -> Option<Flight<C::Pass>> {
        let Self {
            compute,
            live,
            left,
            runner,
            measured,
            ..
        } = self;
        let ahead = runner.as_ref().map_or(&[][..], Runner::members);
        let busy = |id: &GenerationId| {
            ahead.contains(id) || left.iter().any(|flight| flight.members.contains(id))
        };
        let mut waiting: Vec<_> = live
            .iter_mut()
            .filter(|live| !busy(&live.request.id))
            .filter_map(|live| {
                let running = live.running.as_mut()?;
                let missing = compute.missing(&mut running.sequence);
                let candidate = Candidate {
                    priority: live.request.priority,
                    rank: live.rank,
                    missing,
                    prefills: compute.prefills(&running.sequence),
                    alone: live.alone,
                };
                (missing > 0).then_some((candidate, live.request.id, &mut running.sequence))
            })
            .collect();
        let candidates: Vec<_> = waiting.iter().map(|(candidate, ..)| *candidate).collect();
        let parts = schedule(&candidates, measured.costs());
        let tokens = |i: usize| {
            let part = parts.iter().find(|part| part.candidate == i);
            part.map(|part| part.tokens)
        };
        let (members, mut sequences): (Vec<_>, Vec<_>) = waiting
            .iter_mut()
            .enumerate()
            .filter_map(|(i, (_, id, sequence))| {
                tokens(i).map(|tokens| (*id, (&mut **sequence, tokens)))
            })
            .unzip();
        if members.is_empty() {
            return None;
        }
        let pass = guarded(|| compute.begin(&mut sequences));
        match pass {
            Ok(pass) => Some(Flight {
                goal: self.goal_of(&members),
                members,
                pass,
            }),
            Err(Panicked) => {
                self.break_off(members);
                None
            }
        }
    }

    /// Computes a pass: here if the user waits for it, otherwise on the thread that computes ahead.
    fn compute(&mut self, flight: Flight<C::Pass>, priority: Priority) {
        if priority == Priority::Speculative {
            return self.compute_ahead(flight);
        }
        let Flight {
            members,
            goal,
            mut pass,
        } = flight;
        let (compute, waiting) = (&mut self.compute, &self.shared.waiting);
        let whole = !compute.is_begun(&pass);
        let started = Instant::now();
        let done = guarded(|| compute.run(&mut pass, &|| waiting.load(Ordering::Acquire) > 0));
        let taken = (done == Ok(true) && whole).then(|| started.elapsed());
        self.land(members, goal, done.map(|_| pass), taken);
    }

    fn compute_ahead(&mut self, flight: Flight<C::Pass>) {
        if self.runner.is_none() {
            self.runner = Runner::new(self.compute.ahead(), self.engine, self.reply.clone());
        }
        let Some(runner) = &mut self.runner else {
            // No thread can be started: compute it here.
            return self.compute(flight, Priority::Foreground);
        };
        if let Err(flight) = runner.compute(flight) {
            self.runner = None;
            self.break_off(flight.members);
        }
    }

    /// Handles a pass that came back: its results go to its members, or it is left for later.
    fn land(
        &mut self,
        members: Vec<GenerationId>,
        goal: Goal,
        outcome: Result<C::Pass, Panicked>,
        taken: Option<Duration>,
    ) {
        let Ok(pass) = outcome else {
            return self.break_off(members);
        };
        if let Some(taken) = taken {
            let rows = self.compute.rows(&pass);
            self.measured.add(rows, taken);
            self.timed.0 += rows as u64;
            self.timed.1 += taken;
        }
        if !self.compute.is_complete(&pass) {
            self.left.push(Flight {
                members,
                goal,
                pass,
            });
            return self.abandon();
        }
        let mut sequences: Vec<Option<&mut C::Sequence>> = members.iter().map(|_| None).collect();
        for live in &mut self.live {
            let at = members.iter().position(|id| *id == live.request.id);
            if let (Some(at), Some(running)) = (at, &mut live.running) {
                sequences[at] = Some(&mut running.sequence);
            }
        }
        let compute = &mut self.compute;
        if guarded(|| compute.finish(pass, &mut sequences)).is_err() {
            self.break_off(members);
        }
    }

    /// Gives up passes that are no longer needed.
    fn abandon(&mut self) {
        let (needed, given_up) = mem::take(&mut self.left)
            .into_iter()
            .partition(|flight| self.is_needed(&flight.members));
        self.left = needed;
        for Flight { pass, .. } in given_up {
            let compute = &mut self.compute;
            if guarded(|| compute.abandon(pass)).is_err() {
                return self.rebuild();
            }
        }
        if let Some(runner) = &self.runner
            && !runner.members().is_empty()
            && !self.is_needed(runner.members())
        {
            runner.call_back();
        }
    }

    /// Returns the common goal of the members: `Read` only if none decodes.
    fn goal_of(&self, members: &[GenerationId]) -> Goal {
        let decodes = |live: &Live<_>| {
            live.request.goal == Goal::Decode && members.contains(&live.request.id)
        };
        if self.live.iter().any(decodes) {
            Goal::Decode
        } else {
            Goal::Read
        }
    }

    fn is_needed(&self, members: &[GenerationId]) -> bool {
        self.live
            .iter()
            .any(|live| members.contains(&live.request.id))
    }

    /// Does a piece of work with one generation alone, and handles its result.
    fn settle(
        &mut self,
        i: usize,
        work: impl FnOnce(
            &mut C,
            &mut Live<C::Sequence>,
            &mut dyn FnMut(GenerationEvent),
        ) -> Result<StepResult, EngineError>,
    ) {
        let Self {
            compute,
            live,
            shared,
            ..
        } = self;
        let current = &mut live[i];
        let id = current.request.id;
        match guarded(|| work(compute, current, &mut |event| shared.emit(event))) {
            Ok(Ok(StepResult::Continue)) => {}
            Ok(Ok(StepResult::Read)) => {
                let live = self.live.remove(i);
                self.keep(live.running);
                self.shared.emit(GenerationEvent::Read { id });
            }
            Ok(Ok(StepResult::Ended(end))) => {
                let live = self.live.remove(i);
                self.keep(live.running);
                self.shared.emit(GenerationEvent::Ended { id, end });
            }
            Ok(Ok(StepResult::Refused(failure))) => {
                self.live.remove(i);
                self.shared.emit(GenerationEvent::Failed { id, failure });
            }
            Ok(Err(error)) => self.fail(id, in_one_line(&error)),
            Err(Panicked) => self.break_off(vec![id]),
        }
    }

    /// Handles a panic, which left the engine in an unknown state. If the pass had one generation,
    /// that one fails. If it had several, it is not known which one failed, so each is tried again
    /// alone.
    fn break_off(&mut self, members: Vec<GenerationId>) {
        match members[..] {
            [id] => self.fail(
                id,
                "the engine stopped unexpectedly on this prompt and was started again".to_owned(),
            ),
            _ => {
                for live in &mut self.live {
                    live.alone |= members.contains(&live.request.id);
                }
                self.rebuild();
            }
        }
    }

    fn fail(&mut self, id: GenerationId, line: String) {
        tracing::error!(line, "engine step failed");
        if let Some(i) = self.position(id) {
            let live = self.live.remove(i);
            let _ = guarded(|| drop(live));
        }
        self.rebuild();
        self.shared.emit(GenerationEvent::Failed {
            id,
            failure: GenerationFailure::Broken(line),
        });
    }

    /// Replaces the engine; generations that ran begin again when their turn comes.
    fn rebuild(&mut self) {
        for live in &mut self.live {
            let running = live.running.take();
            let _ = guarded(|| drop(running));
        }
        let left = mem::take(&mut self.left);
        let _ = guarded(|| drop(left));
        self.runner = None;
        self.due = None;
        self.engine += 1;
        self.before = TokenCounters {
            kv_bytes: 0,
            ..self.total()
        };
        let fresh = (self.build)(&self.settings);
        let old = mem::replace(&mut self.compute, fresh);
        let _ = guarded(|| drop(old));
    }

    /// Runs a few tokens through a separate engine, so that the weights are in memory and the
    /// counters and the cache of the real engine are untouched.
    fn warm(&mut self) {
        if self.warmed || !self.live.is_empty() {
            return;
        }
        self.warmed = true;
        let warmed = guarded(|| -> Result<(), EngineError> {
            let mut compute = (self.build)(&self.settings);
            let mut sequence = compute.start(SequenceRequest {
                prompt: compute.encode("fn main() {\n    let mut lines = Vec::new();\n"),
                mask_first_stop: true,
                reserve: 1,
                ..SequenceRequest::default()
            })?;
            let missing = compute.missing(&mut sequence);
            let mut pass = compute.begin(&mut [(&mut sequence, missing)]);
            compute.run(&mut pass, &|| false);
            Ok(())
        });
        match warmed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "warming failed"),
            Err(Panicked) => tracing::warn!("warming stopped unexpectedly"),
        }
    }

    /// Keeps the keys and values of a sequence for later prompts.
    fn keep(&mut self, running: Option<RunningSequence<C::Sequence>>) {
        if let Some(running) = running {
            let compute = &mut self.compute;
            if guarded(|| compute.retire(running.sequence)).is_err() {
                self.rebuild();
            }
        }
    }

    fn position(&self, id: GenerationId) -> Option<usize> {
        self.live.iter().position(|live| live.request.id == id)
    }

    fn total(&self) -> TokenCounters {
        let now = self.compute.counters();
        TokenCounters {
            prompt: self.before.prompt + now.prompt,
            prefilled: self.before.prefilled + now.prefilled,
            drafted: self.before.drafted + now.drafted,
            decoded: self.before.decoded + now.decoded,
            constrained: self.before.constrained + now.constrained,
            computed: self.before.computed + now.computed,
            timed: self.timed.0,
            time: self.timed.1,
            kv_bytes: now.kv_bytes,
            generations: self.live.len() as u64,
        }
    }

    fn publish_counters(&self) {
        *lock(&self.shared.counters) = self.total();
    }

    fn rank(&mut self) -> u64 {
        self.next_rank += 1;
        self.next_rank
    }
}

#[cfg(test)]
mod tests;
