//! Sizes and constants of a model, after what its file states was compared with its tensors.

use crate::{
    EngineError,
    arithmetic::kernels::LANES,
    error::refuse,
    files::tensors::{TensorSource, vector},
    model::architecture::Stated,
};

/// Sizes and constants from which the layers are built.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) width: usize,
    pub(super) heads: Heads,
    pub(super) feed_forward: usize,
    pub(super) epsilon: f32,
    /// Rotation per position of each rotated pair, in radians.
    pub(super) frequencies: Vec<f64>,
}

/// Numbers and width of the heads of an attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// Number of query heads, a multiple of `kv`.
    pub(crate) query: usize,
    /// Number of key-value heads.
    pub(crate) kv: usize,
    /// Number of dimensions of each head.
    pub(crate) width: usize,
}

impl Heads {
    /// Returns the size of the queries of a row.
    pub(crate) fn query_width(self) -> usize {
        self.query * self.width
    }

    /// Returns the size of the keys of a row, which is also that of its values.
    pub(crate) fn kv_width(self) -> usize {
        self.kv * self.width
    }

    /// Returns the number of query heads that share a key-value head.
    pub(crate) fn group(self) -> usize {
        self.query / self.kv
    }
}

impl Shape {
    pub(super) fn new(stated: &Stated, source: &impl TensorSource) -> Result<Self, EngineError> {
        let Stated {
            width,
            heads,
            kv_heads,
            head_width,
            rotated,
            feed_forward,
            epsilon,
            ..
        } = *stated;
        // The matrices have these sizes and are in the file, so the sizes are no larger than the
        // file.
        let expected = heads.checked_mul(head_width);
        if expected != Some(source.shape("blk.0.attn_q.weight")?.0)
            || kv_heads == 0
            || !heads.is_multiple_of(kv_heads)
        {
            return Err(refuse(format!(
                "{heads} heads of {head_width} and {kv_heads} key-value heads do not fit the file"
            )));
        }
        if head_width == 0 || !head_width.is_multiple_of(LANES) {
            return Err(refuse(format!(
                "heads of {head_width} numbers are not supported, only multiples of {LANES} are"
            )));
        }
        if rotated == 0 || rotated > head_width || !rotated.is_multiple_of(2) {
            return Err(refuse(format!(
                "{rotated} of {head_width} numbers cannot be rotated"
            )));
        }
        if !epsilon.is_finite() || epsilon < 0.0 {
            return Err(refuse(format!("a norm's epsilon cannot be {epsilon}")));
        }
        Ok(Self {
            width,
            heads: Heads {
                query: heads,
                kv: kv_heads,
                width: head_width,
            },
            feed_forward,
            epsilon: epsilon as f32,
            frequencies: frequencies(stated, source)?,
        })
    }
}

fn frequencies(stated: &Stated, source: &impl TensorSource) -> Result<Vec<f64>, EngineError> {
    let pairs = stated.rotated / 2;
    let mut frequencies: Vec<f64> = (0..pairs)
        .map(|pair| {
            let turns = stated.rope_base.powf(-(pair as f64) / pairs as f64);
            stated.rope_scaling.scale(turns)
        })
        .collect();
    if source.has_tensor("rope_freqs.weight") {
        let factors = vector(source, "rope_freqs.weight", pairs)?;
        for (frequency, factor) in frequencies.iter_mut().zip(factors) {
            *frequency /= f64::from(factor);
        }
    }
    if frequencies.iter().all(|frequency| frequency.is_finite()) {
        Ok(frequencies)
    } else {
        Err(refuse(format!(
            "positions cannot be rotated with base {} and scaling {:?}",
            stated.rope_base, stated.rope_scaling
        )))
    }
}
