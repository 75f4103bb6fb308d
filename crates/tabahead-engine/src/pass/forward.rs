//! The forward pass: rows go through all layers, extend the keys and values, and yield logits.
//!
//! Invariant: a token's logits do not depend on which other rows are computed with it, nor on the
//! number of threads. Each row is computed alone except for the reading of weights, keys and
//! values; threads divide whole rows, heads or outputs among them, never a sum. Attention is in
//! `attention`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Model,
    arithmetic::{
        linear::{Activations, Rows},
        simd::Isa,
    },
    kept::kv::{KvPrecision, Numbers},
    model::{
        architecture::Activation,
        layer::{Attention, FeedForward, Layer, Norm},
    },
    pass::{Pass, Row, Span, attention::AttentionMemory},
    threads::{self, Computing, Urgency, crew::Crew},
};

/// Minimum number of rows per thread at which another thread gains more than waking it costs. A
/// small model's pass with fewer rows is computed by the calling thread alone.
const ROWS_PER_THREAD: usize = 16;

/// Minimum number of rows per thread at which even a large model's rows are divided. Then each
/// thread reads all weights, but computes with them for longer than reading takes.
const MANY_ROWS_PER_THREAD: usize = 32;

/// Maximum size of a layer's weights, in bytes, that stay in a core's cache. For larger layers and
/// few rows, threads divide the outputs instead of the rows, so that the weights are read once.
const NEAR: usize = 2 << 20;

/// Threads and working memory for passes.
#[derive(Debug)]
pub struct Processor {
    isa: Isa,
    /// Threads that help the calling thread; absent when it computes alone.
    pool: Option<Arc<rayon::ThreadPool>>,
    /// Number of threads that compute: the calling one and `threads - 1` of the pool.
    threads: usize,
    /// When the number of threads was last fitted to what else the machine does; absent if the
    /// caller chose the number.
    fitted: Option<Instant>,
    /// See [`NEAR`].
    near: usize,
    shares: Vec<Share>,
    angles: Angles,
}

/// Cosines and sines of each pair, for all positions met so far.
#[derive(Debug, Default)]
struct Angles {
    /// Number of pairs.
    pairs: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// One thread's rows of a pass and everything computed from them.
#[derive(Debug, Default)]
struct Share {
    rows: Vec<Row>,
    x: Vec<f32>,
    normed: Vec<f32>,
    quantized: Activations,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    key_halves: Vec<u16>,
    value_halves: Vec<u16>,
    attention: AttentionMemory,
    attended: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    added: Vec<f32>,
}

impl Processor {
    /// Creates a processor with `threads` threads; 0 chooses, see [`threads::fitting`].
    pub fn new(threads: usize, urgency: Urgency) -> Self {
        Self::with_isa(threads, urgency, Isa::detect())
    }

    pub(crate) fn with_isa(threads: usize, urgency: Urgency, isa: Isa) -> Self {
        let (threads, fitted) = match threads {
            0 => (threads::most(urgency), Some(Instant::now())),
            threads => (threads, None),
        };
        let pool = (threads > 1)
            .then(|| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads - 1)
                    .thread_name(move |index| format!("{}-{index}", urgency.thread_name()))
                    .start_handler(move |_| urgency.apply())
                    .build()
                    .ok()
            })
            .flatten();
        Self {
            isa,
            threads: if pool.is_some() { threads } else { 1 },
            fitted,
            near: NEAR,
            pool: pool.map(Arc::new),
            shares: Vec::new(),
            angles: Angles::default(),
        }
    }

    /// Treats the weights of a layer as too large for a core's cache.
    #[cfg(test)]
    pub(crate) fn with_far_weights(mut self) -> Self {
        self.near = 0;
        self
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// Uses fewer threads while other work keeps cores busy. This never changes a result.
    fn fit(&mut self) {
        /// How long a look at the machine stays valid.
        const HOLDS: Duration = Duration::from_secs(1);

        if let (Some(pool), Some(fitted)) = (&self.pool, self.fitted)
            && fitted.elapsed() > HOLDS
        {
            self.threads = threads::fitting(pool.current_num_threads() + 1);
            self.fitted = Some(Instant::now());
        }
    }

    /// Computes a pass to its end, or until `stop` returns true; `stop` is called between any two
    /// layers. Returns whether the pass is complete. An incomplete pass can be run again, here or
    /// on another processor.
    pub fn run(
        &mut self,
        model: &Model,
        pass: &mut Pass,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> bool {
        let ends = pass.spans.iter().map(|span| span.start + span.tokens.len());
        self.angles
            .reach(&model.frequencies, ends.max().unwrap_or(0));
        self.fit();
        let near = model.layer_bytes() <= self.near;
        let least = if near {
            ROWS_PER_THREAD
        } else {
            MANY_ROWS_PER_THREAD
        };
        let shares = (pass.rows() / least).clamp(1, self.threads);
        // Work that is not divided by rows is divided within products and attention.
        let threads = if near { shares } else { self.threads };
        let _computing = Computing::on(threads);
        match (self.pool.clone(), threads) {
            (Some(pool), 2..) => Crew::with(&pool, threads, |crew| {
                self.run_here(model, pass, shares, crew, stop)
            }),
            _ => self.run_here(model, pass, shares, Crew::ALONE, stop),
        }
    }

    fn run_here(
        &mut self,
        model: &Model,
        pass: &mut Pass,
        shares: usize,
        crew: Crew<'_>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> bool {
        let used = self.share_out(model, pass, shares);
        let (isa, angles) = (self.isa, &self.angles);
        let shares = &mut self.shares[..used];
        let inner = if used == 1 { crew } else { Crew::ALONE };
        while let Some(layer) = model.layers.get(pass.layer) {
            if stop() {
                store(shares, pass);
                return false;
            }
            crew.each(shares, |share| {
                share.before_attention(isa, layer, angles, inner)
            });
            for share in shares.iter_mut() {
                share.write(&layer.attention, isa, &mut pass.spans);
            }
            let spans = &pass.spans;
            crew.each(shares, |share| {
                share.attend(isa, &layer.attention, spans, inner);
                share.after_attention(isa, layer, inner);
            });
            pass.layer += 1;
        }
        store(shares, pass);
        if stop() {
            return false;
        }
        self.logits(model, pass, crew);
        pass.complete = true;
        true
    }

    /// Divides the rows among at most `count` shares; returns the number of shares.
    fn share_out(&mut self, model: &Model, pass: &mut Pass, count: usize) -> usize {
        let width = model.width();
        let rows: Vec<Row> = pass
            .spans
            .iter()
            .enumerate()
            .flat_map(|(span, s)| {
                (s.start..s.start + s.tokens.len()).map(move |position| Row { span, position })
            })
            .collect();
        if pass.x.is_empty() {
            pass.x.resize(rows.len() * width, 0.0);
            let tokens = pass.spans.iter().flat_map(|span| &span.tokens);
            for (x, &token) in pass.x.chunks_mut(width).zip(tokens) {
                model.embedding.weights_of(token as usize, x);
            }
        }
        let size = rows.len().div_ceil(count);
        let used = rows.len().div_ceil(size);
        self.shares
            .resize_with(self.shares.len().max(used), Share::default);
        let parts = rows.chunks(size).zip(pass.x.chunks(size * width));
        for (share, (rows, x)) in self.shares.iter_mut().zip(parts) {
            share.rows.clear();
            share.rows.extend_from_slice(rows);
            share.x.clear();
            share.x.extend_from_slice(x);
        }
        used
    }

    /// Computes the logits of all tokens after each row that wants them.
    fn logits(&mut self, model: &Model, pass: &mut Pass, crew: Crew<'_>) {
        let (width, head) = (model.width(), model.head());
        let Some(share) = self.shares.first_mut() else {
            return;
        };
        share.normed.clear();
        let mut end = 0;
        for span in &pass.spans {
            end += span.tokens.len();
            let x = &pass.x[(end - span.wanted) * width..end * width];
            let start = share.normed.len();
            share.normed.resize(start + x.len(), 0.0);
            let normed = &mut share.normed[start..];
            model.output_norm.normalize(self.isa, x, normed);
        }
        if share.normed.is_empty() {
            return;
        }
        share.quantized.set(self.isa, &share.normed, width);
        let rows = Rows {
            isa: self.isa,
            numbers: &share.normed,
            quantized: &share.quantized,
            crew,
        };
        let mut logits = Vec::new();
        rows.multiply([(head, &mut logits)]);
        head.refine(&rows, &mut logits);
        let outputs = head.outputs();
        let mut rows = logits.chunks(outputs);
        for span in &mut pass.spans {
            let rows = rows.by_ref().take(span.wanted);
            span.logits = rows.map(<[f32]>::to_vec).collect();
        }
    }
}

/// Writes the rows of the shares back into the pass.
fn store(shares: &[Share], pass: &mut Pass) {
    pass.x.clear();
    for share in shares {
        pass.x.extend_from_slice(&share.x);
    }
}

impl Angles {
    /// Computes the angles of all positions before `end`.
    fn reach(&mut self, frequencies: &[f64], end: usize) {
        self.pairs = frequencies.len();
        for position in self.cos.len() / self.pairs..end {
            for frequency in frequencies {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                self.cos.push(cos as f32);
                self.sin.push(sin as f32);
            }
        }
    }

    /// Returns the cosines and sines of a position.
    fn of(&self, position: usize) -> (&[f32], &[f32]) {
        let of = position * self.pairs..(position + 1) * self.pairs;
        (&self.cos[of.clone()], &self.sin[of])
    }
}

impl Share {
    /// Computes queries, keys and values of the rows.
    fn before_attention(&mut self, isa: Isa, layer: &Layer, angles: &Angles, crew: Crew<'_>) {
        self.normalize(isa, &layer.attention_norm);
        let attention = &layer.attention;
        let rows = Rows {
            isa,
            numbers: &self.normed,
            quantized: &self.quantized,
            crew,
        };
        rows.multiply([
            (&attention.query, &mut self.queries),
            (&attention.key, &mut self.keys),
            (&attention.value, &mut self.values),
        ]);
        let heads = attention.heads;
        for (numbers, norm, width) in [
            (
                &mut self.queries,
                &attention.query_norm,
                heads.query_width(),
            ),
            (&mut self.keys, &attention.key_norm, heads.kv_width()),
        ] {
            if let Some(norm) = norm {
                norm.normalize_here(isa, numbers);
            }
            for (row, numbers) in self.rows.iter().zip(numbers.chunks_mut(width)) {
                let (cos, sin) = angles.of(row.position);
                for head in numbers.chunks_mut(heads.width) {
                    isa.rotate(&mut head[..angles.pairs * 2], cos, sin);
                }
            }
        }
    }

    /// Writes the rows' keys and values, rounded to the precision in which they are kept, so that
    /// every reader sees the same numbers.
    fn write(&mut self, attention: &Attention, isa: Isa, spans: &mut [Span]) {
        let width = attention.heads.kv_width();
        self.key_halves.resize(self.keys.len(), 0);
        self.value_halves.resize(self.values.len(), 0);
        for (index, row) in self.rows.iter().enumerate() {
            let at = index * width..(index + 1) * width;
            let block = spans[row.span].block_mut(row.position);
            let (keys, values) = match block.precision() {
                KvPrecision::Half => {
                    isa.narrow(&self.keys[at.clone()], &mut self.key_halves[at.clone()]);
                    isa.narrow(&self.values[at.clone()], &mut self.value_halves[at.clone()]);
                    (
                        Numbers::Half(&self.key_halves[at.clone()]),
                        Numbers::Half(&self.value_halves[at]),
                    )
                }
                KvPrecision::Full => (
                    Numbers::Full(&self.keys[at.clone()]),
                    Numbers::Full(&self.values[at]),
                ),
            };
            block.write(attention, row.position, keys, values);
        }
    }

    fn attend(&mut self, isa: Isa, attention: &Attention, spans: &[Span], crew: Crew<'_>) {
        self.attended.resize(self.queries.len(), 0.0);
        self.attention.run(
            isa,
            attention,
            &self.rows,
            spans,
            &self.queries,
            crew,
            &mut self.attended,
        );
    }

    fn after_attention(&mut self, isa: Isa, layer: &Layer, crew: Crew<'_>) {
        let attention = &layer.attention;
        self.quantized
            .set(isa, &self.attended, attention.heads.query_width());
        let rows = Rows {
            isa,
            numbers: &self.attended,
            quantized: &self.quantized,
            crew,
        };
        rows.multiply([(&attention.output, &mut self.added)]);
        add(&mut self.x, &self.added);

        self.normalize(isa, &layer.feed_forward_norm);
        self.feed_forward(isa, &layer.feed_forward, crew);
        add(&mut self.x, &self.added);
    }

    /// Computes the network's outputs for the normalised rows.
    fn feed_forward(&mut self, isa: Isa, network: &FeedForward, crew: Crew<'_>) {
        match network {
            FeedForward::Gated {
                gate,
                up,
                down,
                activation,
            } => {
                let rows = Rows {
                    isa,
                    numbers: &self.normed,
                    quantized: &self.quantized,
                    crew,
                };
                rows.multiply([(gate, &mut self.gate), (up, &mut self.up)]);
                match activation {
                    Activation::Silu => isa.silu_mul(&mut self.gate, &self.up),
                }
                self.quantized.set(isa, &self.gate, down.inputs());
                let rows = Rows {
                    isa,
                    numbers: &self.gate,
                    quantized: &self.quantized,
                    crew,
                };
                rows.multiply([(down, &mut self.added)]);
            }
        }
    }

    fn normalize(&mut self, isa: Isa, norm: &Norm) {
        self.normed.resize(self.x.len(), 0.0);
        norm.normalize(isa, &self.x, &mut self.normed);
        self.quantized.set(isa, &self.normed, norm.width());
    }
}

fn add(x: &mut [f32], added: &[f32]) {
    for (x, added) in x.iter_mut().zip(added) {
        *x += added;
    }
}
