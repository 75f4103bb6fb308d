//! Texts with a mark where the cursor is.

/// Returns the text without its mark `$0`, and the offset in bytes of the mark.
///
/// # Panics
///
/// If the text has no mark.
#[track_caller]
pub fn marked(fixture: &str) -> (String, usize) {
    let (before, after) = fixture.split_once("$0").expect("the text has a cursor");
    (format!("{before}{after}"), before.len())
}
