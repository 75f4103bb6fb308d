//! Runs the cases of a target, one seed after the other, and reports which of them found something.
//!
//! An ordinary run has a fixed number of cases and begins with seed 1. By hand, `cargo xtask fuzz`
//! sets the variables below. A panic of this process is caught case by case. What cannot be caught
//! ends the process: a stack overflow, a failed allocation, a case that never ends. The file that
//! `TABAHEAD_FUZZ_NOTE` names then holds the seed of the last case. This module knows nothing of
//! the targets.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use tabahead_testkit::Random;

/// The result of a case: how it ended, or what was found.
pub type Verdict = Result<&'static str, String>;

/// Time limit of a case; one that takes longer is taken never to end.
const LONGEST: Duration = Duration::from_secs(180);

/// Interval at which a long run reports its progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// Number of findings after which a target is not tried further.
const MOST_FINDINGS: usize = 20;

/// Runs the cases of a target: `cases` of them unless a variable sets another number or a time.
/// Fails when a case finds something, and when in an ordinary run a way of ending occurs less often
/// than `least` demands: cases that all end the same way test nothing.
#[track_caller]
pub fn fuzz(
    target: &str,
    cases: u64,
    least: &[(&str, u64)],
    mut case: impl FnMut(&mut Random) -> Verdict,
) {
    note_panics();
    let plan = Plan::new(cases);
    let watch = Watch::begin(target);
    let begin = Instant::now();
    let (mut reported, mut tried) = (begin, 0);
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    let mut findings = Vec::new();
    while plan.continues(tried, begin) && findings.len() < MOST_FINDINGS {
        let seed = plan.first + tried;
        tried += 1;
        watch.next_case(seed);
        if let Some(file) = &plan.note {
            fs::write(file, format!("{target} {seed}\n")).expect("the note can be written");
        }
        let mut random = Random::new(seed);
        match panic::catch_unwind(AssertUnwindSafe(|| case(&mut random))) {
            Ok(Ok(end)) => *ends.entry(end).or_default() += 1,
            Ok(Err(found)) => findings.push(finding(target, seed, &found)),
            Err(_) => {
                let panicked = LAST_PANIC.take().unwrap_or_default();
                findings.push(finding(target, seed, &panicked));
            }
        }
        if plan.is_long() && reported.elapsed() >= PROGRESS {
            reported = Instant::now();
            let seconds = begin.elapsed().as_secs();
            eprintln!(
                "{target}: {tried} cases in {seconds} s, {} findings, at seed {seed}",
                findings.len()
            );
        }
    }
    // Only a process that died leaves its note, which names its last case.
    if let Some(file) = &plan.note {
        let _ = fs::remove_file(file);
    }
    let ways: Vec<String> = ends
        .iter()
        .map(|(end, count)| format!("{count} {end}"))
        .collect();
    println!("{target}: {tried} cases: {}", ways.join(", "));
    assert!(
        findings.is_empty(),
        "{target}: {} of {tried} cases found something:\n{}",
        findings.len(),
        findings.join("\n")
    );
    if plan.is_ordinary {
        for (end, least) in least {
            let count = ends.get(end).copied().unwrap_or_default();
            assert!(
                count >= *least,
                "{target}: only {count} cases ended so: {end}; they try too little"
            );
        }
    }
}

fn finding(target: &str, seed: u64, found: &str) -> String {
    let finding = format!(
        "FOUND by {target}, seed {seed}: {found}\n  again: cargo xtask fuzz {target} --seed {seed} --cases 1"
    );
    eprintln!("{finding}");
    finding
}

/// The cases to run.
struct Plan {
    first: u64,
    cases: Option<u64>,
    time: Option<Duration>,
    note: Option<PathBuf>,
    is_ordinary: bool,
}

impl Plan {
    fn new(ordinary: u64) -> Self {
        let first = variable("TABAHEAD_FUZZ_SEED");
        let cases = variable("TABAHEAD_FUZZ_CASES");
        let seconds = variable("TABAHEAD_FUZZ_SECONDS");
        let by_default = seconds.is_none().then_some(ordinary);
        Self {
            first: first.unwrap_or(1),
            cases: cases.or(by_default),
            time: seconds.map(Duration::from_secs),
            note: env::var_os("TABAHEAD_FUZZ_NOTE").map(PathBuf::from),
            is_ordinary: first.is_none() && cases.is_none() && seconds.is_none(),
        }
    }

    fn is_long(&self) -> bool {
        self.time.is_some()
    }

    fn continues(&self, tried: u64, begin: Instant) -> bool {
        self.cases.is_none_or(|cases| tried < cases)
            && self.time.is_none_or(|time| begin.elapsed() < time)
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    match value.parse() {
        Ok(value) => Some(value),
        Err(_) => panic!("{name} is '{value}', which is no number"),
    }
}

/// A watchdog that ends the process when a case does not end.
struct Watch {
    case: Arc<Mutex<(u64, Instant)>>,
    /// Dropped when the target is done, which ends the watchdog's thread.
    _open: Sender<()>,
}

impl Watch {
    fn begin(target: &str) -> Self {
        let case = Arc::new(Mutex::new((0, Instant::now())));
        let (open, ended) = channel::<()>();
        let (watched, target) = (Arc::clone(&case), target.to_owned());
        thread::spawn(move || {
            while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                let (seed, begin) = *watched.lock().unwrap_or_else(PoisonError::into_inner);
                if begin.elapsed() > LONGEST {
                    finding(&target, seed, "it does not end");
                    std::process::abort();
                }
            }
        });
        Self { case, _open: open }
    }

    fn next_case(&self, seed: u64) {
        *self.case.lock().unwrap_or_else(PoisonError::into_inner) = (seed, Instant::now());
    }
}

thread_local! {
    /// Place and reason of this thread's last panic.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Returns how often any thread of this process has panicked.
pub fn panics() -> usize {
    PANICS.load(Ordering::SeqCst)
}

fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            LAST_PANIC.set(Some(info.to_string().replace('\n', " ")));
            before(info);
        }));
    });
}
