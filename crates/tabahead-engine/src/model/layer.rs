//! Layers as values: what each computes, with its weights.
//!
//! `pass` matches on these values. So a layer may differ from the others of its model, and a family
//! of models is only the row that says which values are built.

use crate::{
    EngineError,
    arithmetic::{linear::Linear, simd::Isa, tiles::Role},
    files::tensors::{TensorSource, vector},
    model::{
        architecture::{Activation, FeedForwardKind, NormKind, RotatedPairs, Stated},
        shape::{Heads, Shape},
    },
};

/// A layer. What attention and the feed-forward network compute is added to the rows.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Norm,
    pub(crate) attention: Attention,
    pub(crate) feed_forward_norm: Norm,
    pub(crate) feed_forward: FeedForward,
}

/// Attention to all positions up to a row's own.
#[derive(Debug)]
pub(crate) struct Attention {
    pub(crate) heads: Heads,
    /// Number of keys that a position has in the layers before this one.
    pub(crate) keys_before: usize,
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    /// Norm of each head of queries, before it is rotated.
    pub(crate) query_norm: Option<Norm>,
    /// Norm of each head of keys, before it is rotated.
    pub(crate) key_norm: Option<Norm>,
    pub(crate) output: Linear,
}

/// The network after attention.
#[derive(Debug)]
pub(crate) enum FeedForward {
    /// `down(activation(gate(x)) * up(x))`
    Gated {
        gate: Linear,
        up: Linear,
        down: Linear,
        activation: Activation,
    },
}

/// A norm of rows, or of the heads of rows.
#[derive(Debug)]
pub(crate) enum Norm {
    /// `x / rms(x) * weights`
    Rms { weights: Vec<f32>, epsilon: f32 },
}

impl Norm {
    /// Reads a norm of rows of `width` numbers.
    pub(super) fn read(
        source: &impl TensorSource,
        name: &str,
        width: usize,
        kind: NormKind,
        epsilon: f32,
    ) -> Result<Self, EngineError> {
        match kind {
            NormKind::Rms => Ok(Self::Rms {
                weights: vector(source, &format!("{name}.weight"), width)?,
                epsilon,
            }),
        }
    }

    /// Returns the number of numbers in a row.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Rms { weights, .. } => weights.len(),
        }
    }

    /// Writes the normalised rows `x` to `out`.
    pub(crate) fn normalize(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        match self {
            Self::Rms { weights, epsilon } => {
                let width = weights.len();
                for (x, out) in x.chunks(width).zip(out.chunks_mut(width)) {
                    isa.rms_norm(x, weights, *epsilon, out);
                }
            }
        }
    }

    /// Normalises rows where they are.
    pub(crate) fn normalize_here(&self, isa: Isa, rows: &mut [f32]) {
        match self {
            Self::Rms { weights, epsilon } => {
                let mut copy = vec![0.0; weights.len()];
                for row in rows.chunks_mut(weights.len()) {
                    copy.copy_from_slice(row);
                    isa.rms_norm(&copy, weights, *epsilon, row);
                }
            }
        }
    }
}

impl Layer {
    /// Reserves memory for a layer, whose matrices are read later. A position has `keys_before` keys
    /// in the layers before this one.
    pub(super) fn reserve(
        source: &impl TensorSource,
        index: usize,
        stated: &Stated,
        shape: &Shape,
        keys_before: usize,
    ) -> Result<Self, EngineError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let norm = |part: &str| {
            let kind = stated.layer.norm;
            Norm::read(source, &name(part), shape.width, kind, shape.epsilon)
        };
        let matrix = |part: &str, outputs: usize, inputs: usize| {
            Linear::reserve(source, &name(part), outputs, inputs, Role::Layer, |row| row)
        };
        Ok(Self {
            attention_norm: norm("attn_norm")?,
            attention: Attention::reserve(source, index, stated, shape, keys_before)?,
            feed_forward_norm: norm("ffn_norm")?,
            feed_forward: match stated.layer.feed_forward {
                FeedForwardKind::Gated(activation) => FeedForward::Gated {
                    gate: matrix("ffn_gate", shape.feed_forward, shape.width)?,
                    up: matrix("ffn_up", shape.feed_forward, shape.width)?,
                    down: matrix("ffn_down", shape.width, shape.feed_forward)?,
                    activation,
                },
            },
        })
    }

    /// Returns the size of the matrices in bytes.
    pub(super) fn bytes(&self) -> usize {
        let FeedForward::Gated { gate, up, down, .. } = &self.feed_forward;
        let Attention {
            query,
            key,
            value,
            output,
            ..
        } = &self.attention;
        let matrices = [query, key, value, output, gate, up, down];
        matrices.into_iter().map(Linear::bytes).sum()
    }

    /// Returns all matrices, in the order in which they are read.
    pub(super) fn matrices_mut(&mut self) -> [&mut Linear; 7] {
        let FeedForward::Gated { gate, up, down, .. } = &mut self.feed_forward;
        let Attention {
            query,
            key,
            value,
            output,
            ..
        } = &mut self.attention;
        [query, key, value, output, gate, up, down]
    }
}

impl Attention {
    fn reserve(
        source: &impl TensorSource,
        index: usize,
        stated: &Stated,
        shape: &Shape,
        keys_before: usize,
    ) -> Result<Self, EngineError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let (heads, width) = (shape.heads, shape.width);
        let head_norm = |part: &str| {
            let kind = stated.layer.head_norm;
            kind.map(|kind| Norm::read(source, &name(part), heads.width, kind, shape.epsilon))
                .transpose()
        };
        // Permuting the rows of queries and keys alike changes none of their products, and makes
        // all models rotate the pairs (i, i + half).
        let (pairs, rotated) = (stated.pairs, stated.rotated);
        let rotated_matrix = |part: &str, outputs: usize| {
            let row = move |row| match pairs {
                RotatedPairs::Halves => row,
                RotatedPairs::Neighbours => unpaired(row, heads.width, rotated),
            };
            Linear::reserve(source, &name(part), outputs, width, Role::Layer, row)
        };
        let matrix = |part: &str, outputs: usize, inputs: usize| {
            Linear::reserve(source, &name(part), outputs, inputs, Role::Layer, |row| row)
        };
        Ok(Self {
            heads,
            keys_before,
            query_norm: head_norm("attn_q_norm")?,
            key_norm: head_norm("attn_k_norm")?,
            value: matrix("attn_v", heads.kv_width(), width)?,
            output: matrix("attn_output", width, heads.query_width())?,
            query: rotated_matrix("attn_q", heads.query_width())?,
            key: rotated_matrix("attn_k", heads.kv_width())?,
        })
    }
}

/// Maps a row in the order with pairs (i, i + half) to the row of a file with pairs (2i, 2i + 1).
fn unpaired(row: usize, head_width: usize, rotated: usize) -> usize {
    let (head, at) = (row / head_width * head_width, row % head_width);
    match at < rotated {
        true if at < rotated / 2 => head + at * 2,
        true => head + (at - rotated / 2) * 2 + 1,
        false => row,
    }
}
