//! Time and memory of loading: `cargo bench -p tabahead-engine --bench loading -- PATH [TIMES]`.
//!
//! PATH is a GGUF file or a directory with safetensors. It is loaded TIMES times (5 unless stated),
//! after one time that fills the system's file cache and is not counted. A line has the median and
//! the range in seconds, how often progress was told, and, on Linux, memory in use after loading
//! and at its peak, as a share of the file's size.

use std::{path::Path, process::ExitCode, time::Instant};

use tabahead_engine::Model;

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
    let mut seconds = Vec::new();
    let mut model = None;
    let mut told = 0;
    for _ in 0..=usize::max(times, 1) {
        drop(model.take());
        told = 0;
        let started = Instant::now();
        match Model::open_with(path, &mut |_| told += 1) {
            Ok(loaded) => model = Some(loaded),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    let model = model.expect("the last one was loaded");
    let file = model.info().file_bytes as f64;
    println!(
        "{}: {:.3} s ({:.3} to {:.3}), progress told {told} times",
        model.info().name,
        seconds[seconds.len() / 2],
        seconds[0],
        seconds[seconds.len() - 1],
    );
    let megabytes = |bytes: f64| format!("{:.1} MB ({:.1} %)", bytes / 1e6, bytes / file * 100.0);
    println!("  file {:.1} MB", file / 1e6);
    println!("  weights {}", megabytes(model.weight_bytes() as f64));
    for (what, field) in [("after loading", "VmRSS:"), ("at the peak", "VmHWM:")] {
        if let Some(bytes) = status(field) {
            println!("  {what} {}", megabytes(bytes));
        }
    }
    ExitCode::SUCCESS
}

/// A field of what Linux says of this process's memory, in bytes.
fn status(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024.0)
}
