//! Measures how long threads of this process were ready to run while all cores were taken, by
//! others or by its own speculation. No engine can win that time back, so it is shown beside the
//! wait.

use std::{fs, time::Duration};

/// Prefix of the names of threads that compute ahead; they wait for cores on purpose.
const AHEAD: &str = "tabahead-ahead";

/// Returns that time so far, summed over all threads except those that compute ahead; `None` if the
/// system does not report it.
pub fn without_core() -> Option<Duration> {
    let mut total = None;
    for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file));
        // The thread may have ended in the meantime.
        let (Ok(name), Ok(times)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        // "1203 4567 8": nanoseconds on a core, nanoseconds ready without one, time slices.
        let waited = times.split(' ').nth(1).and_then(|time| time.parse().ok());
        if let (false, Some(nanoseconds)) = (name.starts_with(AHEAD), waited) {
            *total.get_or_insert(Duration::ZERO) += Duration::from_nanos(nanoseconds);
        }
    }
    total
}
