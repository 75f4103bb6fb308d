//! A backend that answers from a script, for tests of the session loop.
/// Answers from a script.
#[derive(Debug)]
pub struct ScriptedBackend {}
