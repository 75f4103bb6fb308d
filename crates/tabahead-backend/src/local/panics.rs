//! Panics of the engine, of which a generation may die but no thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A panic. Its message, which may quote a buffer, is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicked;

/// Runs `work`.
///
/// # Errors
/// When it panicked.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}
