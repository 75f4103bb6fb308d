//! Where the time of `cargo xtask test` goes: its parts in their order, then the slowest test
//! programs. Reads cargo's output for the latter.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

/// Number of test programs that the summary names.
const PROGRAMS_NAMED: usize = 10;

/// Durations of parts and of test programs.
#[derive(Debug, Default)]
pub(super) struct Times {
    parts: Vec<(&'static str, Duration)>,
    programs: Vec<(String, Duration)>,
    /// Name of the test program that runs.
    running: Option<String>,
}

impl Times {
    /// Does `part`, and notes how long it took.
    pub(super) fn measure<T>(&mut self, name: &'static str, part: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = part();
        self.add(name, begin.elapsed());
        result
    }

    /// Notes how long a part took that was done elsewhere.
    pub(super) fn add(&mut self, name: &'static str, duration: Duration) {
        self.parts.push((name, duration));
    }

    /// Reads a line of cargo's output: the beginning of a test program, or its result.
    pub(super) fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(path) = line.strip_prefix("Running ") {
            let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
            let name = file.trim_end_matches(')');
            // Cargo appends a hash to the name.
            let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
            self.running = Some(name.to_owned());
        } else if let Some(name) = line.strip_prefix("Doc-tests ") {
            self.running = Some(format!("{name} (documentation)"));
        } else if let Some((_, time)) = line.rsplit_once("; finished in ")
            && let Ok(seconds) = time.trim_end_matches('s').parse()
            && let Ok(duration) = Duration::try_from_secs_f64(seconds)
            && let Some(name) = self.running.take()
        {
            self.programs.push((name, duration));
        }
    }

    /// Returns a line for each part, and for each of the slowest test programs.
    pub(super) fn summary(&self) -> String {
        let mut programs: Vec<_> = self.programs.iter().collect();
        programs.sort_by_key(|(_, duration)| std::cmp::Reverse(*duration));
        let parts = self.parts.iter().map(|(name, time)| (*name, time));
        let slowest = programs.iter().map(|(name, time)| (name.as_str(), time));
        let mut text = String::new();
        for (name, time) in parts.chain(slowest.take(PROGRAMS_NAMED)) {
            let _ = writeln!(text, "time      {:>7.1} s  {name}", time.as_secs_f64());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_the_parts_in_order_and_the_slowest_programs_first() {
        let mut times = Times {
            parts: vec![
                ("prepare", Duration::from_millis(1_240)),
                ("build", Duration::from_secs(75)),
            ],
            ..Times::default()
        };
        for line in [
            "     Running unittests src/lib.rs (target/debug/deps/tabahead_text-0123abcd)",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.03s",
            "     Running e2e/main.rs (target/debug/deps/e2e-77aa)",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 91.10s",
            "   Doc-tests tabahead_text",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s",
            "all doctests ran in 1.00s; finished in 9.00s",
        ] {
            times.read(line);
        }
        assert_eq!(
            times.summary(),
            "time          1.2 s  prepare\n\
             time         75.0 s  build\n\
             time         91.1 s  e2e\n\
             time          0.5 s  tabahead_text (documentation)\n\
             time          0.0 s  tabahead_text\n"
        );
    }

    #[test]
    fn only_the_ten_slowest_programs_are_named() {
        let mut times = Times::default();
        for number in 0..12 {
            times.read(&format!("Running a (deps/p{number}-1)"));
            times.read(&format!(
                "test result: ok. 1 passed; finished in {number}.00s"
            ));
        }
        let summary = times.summary();
        assert_eq!(summary.lines().count(), PROGRAMS_NAMED);
        assert!(
            summary.starts_with("time         11.0 s  p11\n"),
            "{summary}"
        );
        assert!(!summary.contains("p1\n"), "{summary}");
    }
}
