//! The weights of one layer.

use crate::{
    EngineError,
    arithmetic::{linear::Linear, tiles::Role},
    files::tensors::{TensorSource, vector},
    model::{architecture::Stated, shape::Shape},
};

/// Weights of one layer.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Vec<f32>,
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    /// Weights of the norm of each query head, in families that have it; `query_norm` and
    /// `key_norm`.
    pub(crate) query_norm: Option<Vec<f32>>,
    pub(crate) key_norm: Option<Vec<f32>>,
    pub(crate) attention_output: Linear,
    pub(crate) feed_forward_norm: Vec<f32>,
    pub(crate) gate: Linear,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

impl Layer {
    /// Reserves memory for a layer, whose matrices are read later.
    pub(super) fn reserve(
        source: &impl TensorSource,
        index: usize,
        stated: &Stated,
        shape: &Shape,
    ) -> Result<Self, EngineError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let Shape {
            width,
            feed_forward,
            head_width,
            ..
        } = *shape;
        let (query_width, kv_width) = (shape.heads * head_width, shape.kv_heads * head_width);
        // Permuting the rows of queries and keys alike changes none of their products, and makes
        // all models rotate the pairs (i, i + half).
        let (paired, rotated) = (stated.paired, stated.rotated);
        let turned = move |row| {
            if paired {
                unpaired(row, head_width, rotated)
            } else {
                row
            }
        };
        let straight = |row| row;
        let attention_norm = vector(source, &name("attn_norm.weight"), width)?;
        let head_norm = |part: &str| {
            if stated.architecture.head_norms {
                vector(source, &name(part), head_width).map(Some)
            } else {
                Ok(None)
            }
        };
        let query_norm = head_norm("attn_q_norm.weight")?;
        let key_norm = head_norm("attn_k_norm.weight")?;
        let matrix = |part: &str, outputs: usize, inputs: usize| {
            Linear::reserve(source, &name(part), outputs, inputs, Role::Layer, straight)
        };
        let turned = |part: &str, outputs: usize| {
            Linear::reserve(source, &name(part), outputs, width, Role::Layer, turned)
        };
        let value = matrix("attn_v", kv_width, width)?;
        let attention_output = matrix("attn_output", width, query_width)?;
        let gate = matrix("ffn_gate", feed_forward, width)?;
        let up = matrix("ffn_up", feed_forward, width)?;
        let down = matrix("ffn_down", width, feed_forward)?;
        let query = turned("attn_q", query_width)?;
        let key = turned("attn_k", kv_width)?;
        Ok(Self {
            attention_norm,
            query,
            key,
            value,
            query_norm,
            key_norm,
            attention_output,
            feed_forward_norm: vector(source, &name("ffn_norm.weight"), width)?,
            gate,
            up,
            down,
        })
    }

    pub(super) fn matrices_mut(&mut self) -> [&mut Linear; 7] {
        [
            &mut self.query,
            &mut self.key,
            &mut self.value,
            &mut self.attention_output,
            &mut self.gate,
            &mut self.up,
            &mut self.down,
        ]
    }

    /// Returns the size of the matrices in bytes.
    pub(super) fn bytes(&self) -> usize {
        let matrices = [
            &self.query,
            &self.key,
            &self.value,
            &self.attention_output,
            &self.gate,
            &self.up,
            &self.down,
        ];
        matrices.into_iter().map(Linear::bytes).sum()
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
