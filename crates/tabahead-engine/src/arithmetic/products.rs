//! The entry point of `benches/kernels.rs`: times matrix products alone, without a model.

use std::time::{Duration, Instant};

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};

use crate::{
    arithmetic::{
        linear::{Activations, Linear, Rows},
        simd::Isa,
    },
    files::tensors::RawTensor,
    threads::crew::Crew,
};

/// Identical matrices of random weights, and rows that are multiplied by them in turn.
#[derive(Debug)]
pub struct Products {
    isa: Isa,
    matrices: Vec<Linear>,
    next: usize,
    inputs: usize,
    numbers: Vec<f32>,
    pool: Option<rayon::ThreadPool>,
    threads: usize,
}

impl Products {
    /// Creates `copies` matrices of this type and shape.
    pub fn new(dtype: GgmlDType, outputs: usize, inputs: usize, copies: usize) -> Self {
        let mut state = 1u64;
        let mut random = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        let numbers: Vec<f32> = (0..outputs * inputs).map(|_| random()).collect();
        let tensor = Tensor::from_vec(numbers, (outputs, inputs), &Device::Cpu)
            .and_then(|tensor| QTensor::quantize(&tensor, dtype))
            .expect("the type fits the shape");
        let bytes = tensor.data().expect("memory can be read").into_owned();
        let raw = RawTensor::of_bytes(dtype, inputs, bytes);
        let matrix =
            || Linear::new(&raw, None, outputs, |row| row).expect("the numbers are finite");
        Self {
            isa: Isa::detect(),
            matrices: (0..copies).map(|_| matrix()).collect(),
            next: 0,
            inputs,
            numbers: (0..64 * inputs).map(|_| random()).collect(),
            pool: None,
            threads: 1,
        }
    }

    /// Sets the number of threads for the following products.
    pub fn share_out(&mut self, threads: usize) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(2) - 1);
        self.pool = (threads > 1).then(|| pool.build().expect("threads can be started"));
        self.threads = threads;
    }

    /// Selects the instruction set at index `place`, the best first; returns its name.
    pub fn choose(&mut self, place: usize) -> Option<&'static str> {
        self.isa = *Isa::available().get(place)?;
        Some(self.isa.name())
    }

    /// Returns the size of one matrix in bytes.
    pub fn bytes(&self) -> usize {
        self.matrices[0].bytes()
    }

    /// Measures how long `times` products of up to 64 rows take.
    pub fn time(&mut self, rows: usize, times: usize) -> Duration {
        let rows = &self.numbers[..rows * self.inputs];
        let mut quantized = Activations::default();
        quantized.set(self.isa, rows, self.inputs);
        let (isa, quantized) = (self.isa, &quantized);
        let mut out = Vec::new();
        let (next, matrices) = (&mut self.next, &self.matrices);
        let mut work = |crew: Crew<'_>| {
            let rows = Rows {
                isa,
                numbers: rows,
                quantized,
                crew,
            };
            let started = Instant::now();
            for _ in 0..times {
                rows.multiply([(&matrices[*next], &mut out)]);
                *next = (*next + 1) % matrices.len();
            }
            started.elapsed()
        };
        match &self.pool {
            Some(pool) => Crew::with(pool, self.threads, work),
            None => work(Crew::ALONE),
        }
    }
}
