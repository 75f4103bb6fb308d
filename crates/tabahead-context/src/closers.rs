//! Closers that the editor inserted, left out of the prompt.

/// Length in bytes of the longest run of (white space, closer) at the start of `after` in which
/// each closer matches the innermost opener still open in `tail`. Trailing white space behind the
/// last such closer is not counted. 0 when the run is empty.
pub fn left_out_closers(_tail: &str, _after: &str) -> usize {
    unimplemented!()
}
