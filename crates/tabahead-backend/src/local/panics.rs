//! Panics of the engine, of which a generation may die but no thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; returns `Err` if it panicked. The panic's message, which may quote a buffer, is
/// dropped.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| ())
}
