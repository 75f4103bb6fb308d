//! Attention of rows to the blocks before them.
//!
//! Each key-value head is processed on its own, together with the query heads that share it, for
//! all rows at once. Keys lie in tiles of 32 absolute positions, and each row goes through them
//! from the first to its own. Rows that meet the same block (rows of one chunk, or of sequences
//! with a common prefix) read it together, each with its own sums.

use crate::{
    arithmetic::{
        kernels::{Gathered, KV_BLOCK, Query},
        simd::Isa,
    },
    kept::kv::Numbers,
    model::{layer::Attention, shape::Heads},
    pass::{Row, Span},
    threads::crew::Crew,
};

/// Minimum number of multiplications that is worth a second thread: some microseconds of work.
const WORTH_SPLITTING: usize = 1 << 16;

/// Working memory.
#[derive(Debug, Default)]
pub(crate) struct AttentionMemory {
    heads: Vec<Head>,
}

/// The work of one key-value head: for each row, the query heads that share it.
#[derive(Debug, Default)]
struct Head {
    queries: Vec<f32>,
    attended: Vec<f32>,
    gathered: Vec<Gathered>,
    key_tile: Vec<f32>,
    value_tile: Vec<f32>,
}

impl AttentionMemory {
    /// Lets each row attend to all positions up to its own.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is computed, with what, what is read, what is written"
    )]
    pub(crate) fn run(
        &mut self,
        isa: Isa,
        attention: &Attention,
        rows: &[Row],
        spans: &[Span],
        queries: &[f32],
        crew: Crew<'_>,
        out: &mut [f32],
    ) {
        let heads = attention.heads;
        let (width, group) = (heads.query_width(), heads.group() * heads.width);
        self.heads.resize_with(heads.kv, Head::default);
        for (index, head) in self.heads.iter_mut().enumerate() {
            head.queries.clear();
            for queries in queries.chunks(width) {
                let queries = &queries[index * group..(index + 1) * group];
                head.queries.extend_from_slice(queries);
            }
        }
        let work = |(index, head): &mut (usize, &mut Head)| {
            head.attend(isa, attention, *index, rows, spans);
        };
        let met: usize = rows.iter().map(|row| row.position + 1).sum();
        let crew = if met * width >= WORTH_SPLITTING {
            crew
        } else {
            Crew::ALONE
        };
        let mut heads: Vec<_> = self.heads.iter_mut().enumerate().collect();
        crew.each(&mut heads, work);
        for (index, head) in self.heads.iter().enumerate() {
            let out = out.chunks_mut(width);
            for (out, attended) in out.zip(head.attended.chunks(group)) {
                out[index * group..(index + 1) * group].copy_from_slice(attended);
            }
        }
    }
}

impl Head {
    fn attend(
        &mut self,
        isa: Isa,
        attention: &Attention,
        head: usize,
        rows: &[Row],
        spans: &[Span],
    ) {
        let Heads { width, .. } = attention.heads;
        let group = attention.heads.group();
        self.attended.clear();
        self.attended.resize(self.queries.len(), 0.0);
        self.gathered.clear();
        self.gathered.resize(rows.len() * group, Gathered::NOTHING);
        self.key_tile.resize(width * KV_BLOCK, 0.0);
        self.value_tile.resize(width * KV_BLOCK, 0.0);
        let scale = 1.0 / (width as f32).sqrt();
        let last = rows.iter().map(|row| row.position).max().unwrap_or(0);
        for index in 0..=last / KV_BLOCK {
            let first = index * KV_BLOCK;
            let mut next = 0;
            while let Some(row) = rows.get(next) {
                if row.position < first {
                    next += 1;
                    continue;
                }
                let block = spans[row.span].block(index);
                let together = |other: &&Row| {
                    other.position >= first && std::ptr::eq(spans[other.span].block(index), block)
                };
                let count = rows[next..].iter().take_while(together).count();
                let keys = full(isa, block.keys(attention, head), &mut self.key_tile);
                let values = full(isa, block.values(attention, head), &mut self.value_tile);
                let mut part = next;
                while part < next + count {
                    // Rows positioned in this block see it up to their own position; later rows see
                    // all of it.
                    let valid = (rows[part].position + 1 - first).min(KV_BLOCK);
                    let same = rows[part..next + count]
                        .iter()
                        .take_while(|row| (row.position + 1 - first).min(KV_BLOCK) == valid)
                        .count();
                    let of = |size: usize| part * group * size..(part + same) * group * size;
                    attend(
                        isa,
                        keys,
                        values,
                        (valid, scale, width),
                        &self.queries[of(width)],
                        &mut self.gathered[of(1)],
                        &mut self.attended[of(width)],
                    );
                    part += same;
                }
                next += count;
            }
        }
        for (out, gathered) in self.attended.chunks_mut(width).zip(&self.gathered) {
            let scale = 1.0 / gathered.sum;
            for out in out {
                *out *= scale;
            }
        }
    }
}

/// Lets queries attend to the first `valid` positions of a block, several at once.
fn attend(
    isa: Isa,
    keys: &[f32],
    values: &[f32],
    (valid, scale, width): (usize, f32, usize),
    queries: &[f32],
    gathered: &mut [Gathered],
    out: &mut [f32],
) {
    let mut queries = queries
        .chunks(width)
        .zip(out.chunks_mut(width))
        .zip(gathered)
        .map(|((query, out), gathered)| Query {
            query,
            gathered,
            out,
        });
    let mut left = queries.len();
    while left > 0 {
        let mut take = || queries.next().expect("as many as are left");
        match left {
            4.. => isa.attend(
                keys,
                values,
                valid,
                scale,
                &mut std::array::from_fn::<_, 4, _>(|_| take()),
            ),
            2.. => isa.attend(
                keys,
                values,
                valid,
                scale,
                &mut std::array::from_fn::<_, 2, _>(|_| take()),
            ),
            _ => isa.attend(keys, values, valid, scale, &mut [take()]),
        }
        left = queries.len();
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
