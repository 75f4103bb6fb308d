//! The forward pass: tokens extend keys and values, the last one gives logits.
//!
//! Invariant: whatever a token's logits depend on, it is not how many tokens were computed with
//! it, nor by how many threads: each row is computed alone in everything but the reading of
//! weights, keys and values, and threads share out whole rows or whole outputs, never a sum.

use std::sync::Arc;

use rayon::prelude::*;

use crate::{
    Model, TokenId,
    kernels::{Gathered, KV_BLOCK, Query},
    kv::{Block, Numbers, Precision},
    linear::Activations,
    model::{Layer, Shape},
    simd::Isa,
};

/// Rows below which a chunk is not shared out between threads.
const ROWS_PER_THREAD: usize = 4;

/// Threads and working memory for forward passes.
#[derive(Debug)]
pub(crate) struct Processor {
    isa: Isa,
    /// Absent when one thread computes.
    pool: Option<rayon::ThreadPool>,
    threads: usize,
    shares: Vec<Share>,
    /// Shares that the last pass used.
    used: usize,
    angles: Angles,
}

/// Cosines and sines of each pair, for positions met so far.
#[derive(Debug, Default)]
struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// One thread's rows of a chunk and all that is computed from them.
#[derive(Debug, Default)]
struct Share {
    /// Position of the first row.
    start: usize,
    rows: usize,
    x: Vec<f32>,
    normed: Vec<f32>,
    quantized: Activations,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    key_halves: Vec<u16>,
    value_halves: Vec<u16>,
    gathered: Vec<Gathered>,
    attended: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    added: Vec<f32>,
    key_tile: Vec<f32>,
    value_tile: Vec<f32>,
}

impl Processor {
    /// A processor with this many threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self::with_isa(threads, Isa::detect())
    }

    pub(crate) fn with_isa(threads: usize, isa: Isa) -> Self {
        let pool = (threads > 1)
            .then(|| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .thread_name(|index| format!("tabahead-compute-{index}"))
                    .build()
                    .ok()
            })
            .flatten();
        Self {
            isa,
            threads: if pool.is_some() { threads } else { 1 },
            pool,
            shares: Vec::new(),
            used: 0,
            angles: Angles::default(),
        }
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// Computes `tokens`, which stand at `start` and after, into `blocks`; each block that holds
    /// one of them must be held by nobody else.
    pub(crate) fn extend(
        &mut self,
        model: &Model,
        blocks: &mut [Arc<Block>],
        start: usize,
        tokens: &[TokenId],
    ) {
        self.angles.reach(model.shape(), start + tokens.len());
        match self.pool.take() {
            Some(pool) => {
                pool.install(|| self.extend_here(model, blocks, start, tokens));
                self.pool = Some(pool);
            }
            None => self.extend_here(model, blocks, start, tokens),
        }
    }

    /// Scores of all tokens after the last one computed.
    pub(crate) fn logits(&mut self, model: &Model) -> Vec<f32> {
        let isa = self.isa;
        let threads = self.threads;
        let shape = model.shape();
        let Some(share) = self.shares[..self.used].last_mut() else {
            return Vec::new();
        };
        let row = &share.x[(share.rows - 1) * shape.width..][..shape.width];
        share.normed.resize(shape.width, 0.0);
        let normed = &mut share.normed[..shape.width];
        isa.rms_norm(row, &model.output_norm, shape.epsilon, normed);
        share.quantized.set(isa, normed, shape.width);
        let (normed, quantized) = (&share.normed[..shape.width], &share.quantized);
        let head = model.head();
        let mut logits = vec![0.0; head.outputs()];
        let out = &mut logits;
        match &self.pool {
            Some(pool) => pool.install(|| head.forward(isa, normed, quantized, threads, out)),
            None => head.forward(isa, normed, quantized, 1, out),
        }
        logits
    }

    fn extend_here(
        &mut self,
        model: &Model,
        blocks: &mut [Arc<Block>],
        start: usize,
        tokens: &[TokenId],
    ) {
        let (isa, threads) = (self.isa, self.threads);
        let count = tokens.len().div_ceil(ROWS_PER_THREAD).clamp(1, threads);
        let size = tokens.len().div_ceil(count);
        self.used = tokens.len().div_ceil(size);
        self.shares
            .resize_with(self.shares.len().max(self.used), Share::default);
        let shares = &mut self.shares[..self.used];
        for (index, (share, tokens)) in shares.iter_mut().zip(tokens.chunks(size)).enumerate() {
            share.begin(model, start + index * size, tokens);
        }
        let angles = &self.angles;
        // A single row is shared out within its products instead.
        let inner = if tokens.len() == 1 { threads } else { 1 };
        for (index, layer) in model.layers.iter().enumerate() {
            each(shares, |share| {
                share.before_attention(isa, model.shape(), layer, angles, inner)
            });
            for share in shares.iter() {
                share.write(index, model.shape(), blocks);
            }
            let blocks = &*blocks;
            each(shares, |share| {
                share.attend(isa, model.shape(), index, blocks)
            });
            each(shares, |share| {
                share.after_attention(isa, model.shape(), layer, inner)
            });
        }
    }
}

fn each(shares: &mut [Share], work: impl Fn(&mut Share) + Sync + Send) {
    match shares {
        [share] => work(share),
        shares => shares.par_iter_mut().for_each(work),
    }
}

impl Angles {
    fn reach(&mut self, shape: &Shape, positions: usize) {
        let pairs = shape.frequencies.len();
        for position in self.cos.len() / pairs..positions {
            for frequency in &shape.frequencies {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                self.cos.push(cos as f32);
                self.sin.push(sin as f32);
            }
        }
    }
}

impl Share {
    fn begin(&mut self, model: &Model, start: usize, tokens: &[TokenId]) {
        let width = model.shape().width;
        self.start = start;
        self.rows = tokens.len();
        self.x.resize(self.rows * width, 0.0);
        for (row, &token) in self.x.chunks_mut(width).zip(tokens) {
            model.embedding.weights_of(token as usize, row);
        }
    }

    /// Queries, keys and values of the rows.
    fn before_attention(
        &mut self,
        isa: Isa,
        shape: &Shape,
        layer: &Layer,
        angles: &Angles,
        threads: usize,
    ) {
        let kv_width = shape.kv_heads * shape.head_width;
        self.normalize(isa, shape, &layer.attention_norm);
        self.queries
            .resize(self.rows * shape.heads * shape.head_width, 0.0);
        self.keys.resize(self.rows * kv_width, 0.0);
        self.values.resize(self.rows * kv_width, 0.0);
        let (normed, quantized) = (&self.normed, &self.quantized);
        layer
            .query
            .forward(isa, normed, quantized, threads, &mut self.queries);
        layer
            .key
            .forward(isa, normed, quantized, threads, &mut self.keys);
        layer
            .value
            .forward(isa, normed, quantized, threads, &mut self.values);
        normalize_heads(isa, shape, layer.query_norm.as_deref(), &mut self.queries);
        normalize_heads(isa, shape, layer.key_norm.as_deref(), &mut self.keys);
        let pairs = shape.frequencies.len();
        for (numbers, heads) in [
            (&mut self.queries, shape.heads),
            (&mut self.keys, shape.kv_heads),
        ] {
            for (row, numbers) in numbers.chunks_mut(heads * shape.head_width).enumerate() {
                let at = (self.start + row) * pairs;
                let (cos, sin) = (&angles.cos[at..at + pairs], &angles.sin[at..at + pairs]);
                for head in numbers.chunks_mut(shape.head_width) {
                    isa.rotate(&mut head[..pairs * 2], cos, sin);
                }
            }
        }
        if shape.kv_precision == Precision::Half {
            self.key_halves.resize(self.keys.len(), 0);
            self.value_halves.resize(self.values.len(), 0);
            isa.narrow(&self.keys, &mut self.key_halves);
            isa.narrow(&self.values, &mut self.value_halves);
        }
    }

    fn write(&self, layer: usize, shape: &Shape, blocks: &mut [Arc<Block>]) {
        let width = shape.kv_heads * shape.head_width;
        for row in 0..self.rows {
            let span = row * width..(row + 1) * width;
            let (keys, values) = match shape.kv_precision {
                Precision::Half => (
                    Numbers::Half(&self.key_halves[span.clone()]),
                    Numbers::Half(&self.value_halves[span]),
                ),
                Precision::Full => (
                    Numbers::Full(&self.keys[span.clone()]),
                    Numbers::Full(&self.values[span]),
                ),
            };
            let position = self.start + row;
            Arc::get_mut(&mut blocks[position / KV_BLOCK])
                .expect("a block that is written is held by one sequence")
                .write(layer, position % KV_BLOCK, keys, values);
        }
    }

    /// Lets each row attend to all positions up to its own, block by block.
    fn attend(&mut self, isa: Isa, shape: &Shape, layer: usize, blocks: &[Arc<Block>]) {
        let head_width = shape.head_width;
        let width = shape.heads * head_width;
        let group = shape.heads / shape.kv_heads;
        let scale = 1.0 / (head_width as f32).sqrt();
        self.attended.clear();
        self.attended.resize(self.rows * width, 0.0);
        self.gathered.clear();
        self.gathered
            .resize(self.rows * shape.heads, Gathered::NOTHING);
        self.key_tile.resize(head_width * KV_BLOCK, 0.0);
        self.value_tile.resize(head_width * KV_BLOCK, 0.0);
        let last = self.start + self.rows - 1;
        for kv_head in 0..shape.kv_heads {
            for (index, block) in blocks[..=last / KV_BLOCK].iter().enumerate() {
                let keys = full(isa, block.keys(layer, kv_head), &mut self.key_tile);
                let values = full(isa, block.values(layer, kv_head), &mut self.value_tile);
                let first = index * KV_BLOCK;
                // Rows before `met` do not reach this block, rows from `full` on see all of it.
                let met = first.saturating_sub(self.start);
                let full = (first + KV_BLOCK - 1)
                    .saturating_sub(self.start)
                    .min(self.rows);
                let rows = self
                    .queries
                    .chunks(width)
                    .zip(self.attended.chunks_mut(width))
                    .zip(self.gathered.chunks_mut(shape.heads))
                    .skip(met);
                let mut queries: Vec<Query<'_>> = Vec::with_capacity((self.rows - met) * group);
                for ((query, out), gathered) in rows {
                    let heads = kv_head * group..(kv_head + 1) * group;
                    let span = heads.start * head_width..heads.end * head_width;
                    let query = query[span.clone()].chunks(head_width);
                    let out = out[span].chunks_mut(head_width);
                    let gathered = &mut gathered[heads];
                    queries.extend(
                        query
                            .zip(out)
                            .zip(gathered)
                            .map(|((query, out), gathered)| Query {
                                query,
                                gathered,
                                out,
                            }),
                    );
                }
                let (part, whole) = queries.split_at_mut((full - met) * group);
                for (row, queries) in part.chunks_mut(group).enumerate() {
                    let valid = self.start + met + row + 1 - first;
                    attend(isa, keys, values, valid, scale, queries);
                }
                attend(isa, keys, values, KV_BLOCK, scale, whole);
            }
        }
        for (out, gathered) in self.attended.chunks_mut(head_width).zip(&self.gathered) {
            let scale = 1.0 / gathered.sum;
            for out in out {
                *out *= scale;
            }
        }
    }

    fn after_attention(&mut self, isa: Isa, shape: &Shape, layer: &Layer, threads: usize) {
        self.added.resize(self.rows * shape.width, 0.0);
        self.quantized
            .set(isa, &self.attended, shape.heads * shape.head_width);
        let output = &layer.attention_output;
        output.forward(
            isa,
            &self.attended,
            &self.quantized,
            threads,
            &mut self.added,
        );
        add(&mut self.x, &self.added);

        self.normalize(isa, shape, &layer.feed_forward_norm);
        self.gate.resize(self.rows * shape.feed_forward, 0.0);
        self.up.resize(self.rows * shape.feed_forward, 0.0);
        let (normed, quantized) = (&self.normed, &self.quantized);
        layer
            .gate
            .forward(isa, normed, quantized, threads, &mut self.gate);
        layer
            .up
            .forward(isa, normed, quantized, threads, &mut self.up);
        isa.silu_mul(&mut self.gate, &self.up);
        self.quantized.set(isa, &self.gate, shape.feed_forward);
        layer
            .down
            .forward(isa, &self.gate, &self.quantized, threads, &mut self.added);
        add(&mut self.x, &self.added);
    }

    fn normalize(&mut self, isa: Isa, shape: &Shape, weight: &[f32]) {
        self.normed.resize(self.rows * shape.width, 0.0);
        let rows = self
            .x
            .chunks(shape.width)
            .zip(self.normed.chunks_mut(shape.width));
        for (x, normed) in rows {
            isa.rms_norm(x, weight, shape.epsilon, normed);
        }
        self.quantized.set(isa, &self.normed, shape.width);
    }
}

/// Normalises each head on its own, in families that do.
fn normalize_heads(isa: Isa, shape: &Shape, weight: Option<&[f32]>, numbers: &mut [f32]) {
    let Some(weight) = weight else { return };
    let mut head = vec![0.0; shape.head_width];
    for numbers in numbers.chunks_mut(shape.head_width) {
        head.copy_from_slice(numbers);
        isa.rms_norm(&head, weight, shape.epsilon, numbers);
    }
}

/// Lets queries attend to a block, several at once.
fn attend(
    isa: Isa,
    keys: &[f32],
    values: &[f32],
    valid: usize,
    scale: f32,
    queries: &mut [Query<'_>],
) {
    let (fours, rest) = queries.as_chunks_mut::<4>();
    for queries in fours {
        isa.attend(keys, values, valid, scale, queries);
    }
    let (twos, rest) = rest.as_chunks_mut::<2>();
    for queries in twos {
        isa.attend(keys, values, valid, scale, queries);
    }
    for query in rest.as_chunks_mut::<1>().0 {
        isa.attend(keys, values, valid, scale, query);
    }
}

fn full<'a>(isa: Isa, numbers: Numbers<'a>, tile: &'a mut [f32]) -> &'a [f32] {
    match numbers {
        Numbers::Half(halves) => {
            isa.widen(halves, tile);
            tile
        }
        Numbers::Full(numbers) => numbers,
    }
}

fn add(x: &mut [f32], added: &[f32]) {
    for (x, added) in x.iter_mut().zip(added) {
        *x += added;
    }
}
