//! How long threads of this process were ready to run while all cores were taken, by others or by
//! its own speculation. That time no engine can give back, so it is shown beside what was waited.

use std::{fs, time::Duration};

/// Names of threads that compute ahead begin so: they wait for cores on purpose.
const AHEAD: &str = "tabahead-ahead";

/// So far, of all threads but those that compute ahead; `None` where the system does not tell.
pub fn without_core() -> Option<Duration> {
    let mut total = None;
    for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file));
        // A thread may end meanwhile.
        let (Ok(name), Ok(times)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        // "1203 4567 8": nanoseconds on a core, nanoseconds ready without one, turns.
        let waited = times.split(' ').nth(1).and_then(|time| time.parse().ok());
        if let (false, Some(nanoseconds)) = (name.starts_with(AHEAD), waited) {
            *total.get_or_insert(Duration::ZERO) += Duration::from_nanos(nanoseconds);
        }
    }
    total
}
