//! Time and memory of loading: `cargo bench -p tabahead-engine --bench loading -- PATH [TIMES]`.
//!
//! PATH is a GGUF file or a directory with safetensors. It is loaded once, which fills the system's
//! file cache. On Linux, this prints the process's memory after loading and at its peak, also as a
//! share of the file's size. Then it is loaded TIMES times (5 by default), which gives the median
//! and the range in seconds.

use std::{path::Path, process::ExitCode, time::Instant};

use tabahead_engine::{EngineError, Model};

fn main() -> ExitCode {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let Some(path) = arguments.next() else {
        // `cargo bench` without arguments runs all benches.
        println!("loading: give the path of a model");
        return ExitCode::SUCCESS;
    };
    let times = arguments.next().map_or(Ok(5), |times| times.parse());
    let (path, Ok(times)) = (Path::new(&path), times) else {
        eprintln!("loading: the number of times is not a number");
        return ExitCode::FAILURE;
    };
    match measure(path, times) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(path: &Path, times: usize) -> Result<(), EngineError> {
    let mut reports = 0;
    let model = Model::open_with(path, &mut |_| reports += 1)?;
    let file = model.info().file_bytes as f64;
    println!("{}, progress reported {reports} times", model.info().id);
    let megabytes = |bytes: f64| format!("{:.1} MB ({:.1} %)", bytes / 1e6, bytes / file * 100.0);
    println!("  file {:.1} MB", file / 1e6);
    println!("  weights {}", megabytes(model.weight_bytes() as f64));
    for (what, field) in [("after loading", "VmRSS:"), ("at the peak", "VmHWM:")] {
        if let Some(bytes) = status(field) {
            println!("  {what} {}", megabytes(bytes));
        }
    }
    drop(model);
    let mut seconds = Vec::new();
    for _ in 0..times {
        let started = Instant::now();
        let model = Model::open(path)?;
        seconds.push(started.elapsed().as_secs_f64());
        drop(model);
    }
    seconds.sort_by(f64::total_cmp);
    if let [first, .., last] = seconds[..] {
        let median = seconds[seconds.len() / 2];
        println!("  {median:.3} s ({first:.3} to {last:.3})");
    }
    Ok(())
}

/// Reads a field of the process's memory status on Linux, in bytes.
fn status(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024.0)
}
