//! Sizes and constants of a model, after what its file states was compared with its tensors.

use crate::{
    EngineError,
    arithmetic::kernels::LANES,
    error::refuse,
    files::tensors::{TensorSource, vector},
    model::architecture::Stated,
};

/// Sizes and constants of a model.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    pub(crate) feed_forward: usize,
    pub(crate) epsilon: f32,
    /// Rotation per position of each rotated pair, in radians.
    pub(crate) frequencies: Vec<f64>,
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
            heads,
            kv_heads,
            head_width,
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
