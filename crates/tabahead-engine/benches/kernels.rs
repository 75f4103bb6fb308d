//! Time of single matrix products: `cargo bench -p tabahead-engine --bench kernels -- [FILTER]`.
//!
//! Prints a line for each kind of weights, shape and number of threads that contains FILTER: the
//! time of one row in microseconds (best and median of several runs) and the rate at which weights
//! were read; then, for more rows, the median of their time relative to that of one row in the same
//! round. `small` is the embedded model's size and comes from a core's cache; `large` is that of a
//! model of 1.5 billion parameters and comes from memory.

use std::time::Instant;

use candle_core::quantized::GgmlDType;
use tabahead_engine::products::Products;

const ROWS: [usize; 9] = [1, 2, 3, 4, 6, 8, 12, 16, 64];
const ROUNDS: usize = 9;

/// Number of bytes to read: more than any cache holds.
const MEMORY: usize = 1 << 30;

fn main() {
    let filter = std::env::args()
        .skip(1)
        .find(|argument| argument != "--bench");
    let chosen = |line: &str| filter.as_ref().is_none_or(|filter| line.contains(filter));
    if chosen("read") {
        let numbers = vec![1u64; MEMORY / 8];
        for threads in [1, 2] {
            let rates = (0..5).map(|_| {
                let started = Instant::now();
                assert_eq!(read(&numbers, threads), numbers.len() as u64);
                MEMORY as f64 / started.elapsed().as_secs_f64() / 1e9
            });
            let mut rates: Vec<f64> = rates.collect();
            rates.sort_by(f64::total_cmp);
            println!(
                "read memory, {threads} threads: {:.1} GB/s (best {:.1})",
                rates[2], rates[4]
            );
        }
    }
    let kinds = [
        GgmlDType::Q4_0,
        GgmlDType::Q5_0,
        GgmlDType::Q8_0,
        GgmlDType::Q4K,
        GgmlDType::Q5K,
        GgmlDType::Q6K,
        GgmlDType::BF16,
        GgmlDType::F16,
        GgmlDType::F32,
    ];
    let shapes = [
        ("small", 768, 256),
        ("head", 8192, 256),
        ("large", 8960, 1536),
        ("deep", 1536, 8960),
    ];
    for kind in kinds {
        for (size, outputs, inputs) in shapes {
            let name = format!("{kind:?} {size}");
            if !chosen(&name) {
                continue;
            }
            let bytes = outputs * inputs * kind.type_size() / kind.block_size();
            let copies = if outputs * inputs > 1 << 22 {
                MEMORY / bytes
            } else {
                1
            };
            let mut products = Products::new(kind, outputs, inputs, copies);
            for place in 0..3 {
                let Some(isa) = products.choose(place) else {
                    continue;
                };
                for threads in if place == 0 { vec![1, 2] } else { vec![1] } {
                    products.share_out(threads);
                    measure(&mut products, &format!("{name}, {isa}, {threads} threads"));
                }
            }
        }
    }
}

fn measure(products: &mut Products, name: &str) {
    // About ten milliseconds per measurement.
    let once = products.time(1, 2).as_secs_f64() / 2.0;
    let times = ((0.01 / once) as usize).clamp(1, 5000);
    let mut seconds = [const { Vec::new() }; ROWS.len()];
    for _ in 0..ROUNDS {
        for (rows, seconds) in ROWS.into_iter().zip(&mut seconds) {
            let times = times.div_ceil(rows);
            seconds.push(products.time(rows, times).as_secs_f64() / times as f64);
        }
    }
    let single = seconds[0].clone();
    let mut line = String::new();
    for (rows, seconds) in ROWS.into_iter().zip(&seconds) {
        let mut ratios: Vec<f64> = seconds.iter().zip(&single).map(|(a, b)| a / b).collect();
        ratios.sort_by(f64::total_cmp);
        line += &format!("  {rows}: {:.2}", ratios[ROUNDS / 2]);
    }
    let mut single = single;
    single.sort_by(f64::total_cmp);
    println!(
        "{name}: {:.1} us (best {:.1}), {:.1} GB/s;{line}",
        single[ROUNDS / 2] * 1e6,
        single[0] * 1e6,
        products.bytes() as f64 / single[ROUNDS / 2] / 1e9
    );
}

fn read(numbers: &[u64], threads: usize) -> u64 {
    std::thread::scope(|scope| {
        let parts = numbers.chunks(numbers.len().div_ceil(threads));
        let parts: Vec<_> = parts
            .map(|part| {
                scope.spawn(|| {
                    let mut sums = [0u64; 32];
                    for numbers in part.as_chunks::<32>().0 {
                        for (sum, number) in sums.iter_mut().zip(numbers) {
                            *sum = sum.wrapping_add(*number);
                        }
                    }
                    sums.iter().sum::<u64>()
                })
            })
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("no panic"))
            .sum()
    })
}
