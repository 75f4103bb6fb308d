//! Keys and values in blocks of 32 positions.
//!
//! `place` decides who may write a block. Knows nothing of tokens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    Model,
    arithmetic::{aligned::Aligned, kernels::KV_BLOCK},
};

/// The sum of the bytes charged to it, as long as the charges live.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<AtomicUsize>);

impl Ledger {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Charges `bytes` until the returned charge is dropped.
    pub(crate) fn charge(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge {
            ledger: self.clone(),
            bytes,
        }
    }
}

/// Bytes charged to a ledger.
#[derive(Debug)]
pub(crate) struct Charge {
    ledger: Ledger,
    bytes: usize,
}

impl Clone for Charge {
    fn clone(&self) -> Self {
        self.ledger.charge(self.bytes)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Precision in which keys and values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvPrecision {
    /// Half floats, two bytes per number.
    #[default]
    Half,
    /// Floats, four bytes per number.
    Full,
}

impl KvPrecision {
    /// Returns the size of a number in bytes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Half => 2,
            Self::Full => 4,
        }
    }
}

impl Model {
    /// Returns the size of the keys and values of one token in bytes.
    pub fn kv_bytes_per_token(&self, precision: KvPrecision) -> usize {
        let shape = self.shape();
        self.layer_count() * 2 * shape.kv_heads * shape.head_width * precision.bytes()
    }
}

/// Rows of keys or values, in the precision of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbers<'a> {
    Half(&'a [u16]),
    Full(&'a [f32]),
}

/// Keys and values of 32 positions in all layers.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// All layers, one after the other: first all keys, then all values. Within each, head by head:
    /// keys dimension by dimension (32 positions each), values position by position.
    numbers: Stored,
    heads: usize,
    head_width: usize,
    _charge: Charge,
}

#[derive(Debug, Clone)]
enum Stored {
    Half(Aligned<u16>),
    Full(Aligned<f32>),
}

impl Block {
    pub(crate) fn zeroed(model: &Model, precision: KvPrecision, ledger: &Ledger) -> Self {
        let bytes = model.kv_bytes_per_token(precision) * KV_BLOCK;
        Self {
            numbers: match precision {
                KvPrecision::Half => Stored::Half(Aligned::filled(0, bytes / 2)),
                KvPrecision::Full => Stored::Full(Aligned::filled(0.0, bytes / 4)),
            },
            heads: model.shape().kv_heads,
            head_width: model.shape().head_width,
            _charge: ledger.charge(bytes),
        }
    }

    pub(crate) fn precision(&self) -> KvPrecision {
        match self.numbers {
            Stored::Half(_) => KvPrecision::Half,
            Stored::Full(_) => KvPrecision::Full,
        }
    }

    /// Returns the keys of a head: 32 positions for each dimension.
    pub(crate) fn keys(&self, layer: usize, head: usize) -> Numbers<'_> {
        self.part(layer * 2, head)
    }

    /// Returns the values of a head: all dimensions for each position.
    pub(crate) fn values(&self, layer: usize, head: usize) -> Numbers<'_> {
        self.part(layer * 2 + 1, head)
    }

    /// Writes the keys and values of all heads at one position of the sequence.
    pub(crate) fn write(
        &mut self,
        layer: usize,
        position: usize,
        keys: Numbers<'_>,
        values: Numbers<'_>,
    ) {
        let (heads, width) = (self.heads, self.head_width);
        let position = position % KV_BLOCK;
        let start = layer * 2 * heads * width * KV_BLOCK;
        match (&mut self.numbers, keys, values) {
            (Stored::Half(stored), Numbers::Half(keys), Numbers::Half(values)) => {
                put(&mut stored[start..], heads, width, position, keys, values);
            }
            (Stored::Full(stored), Numbers::Full(keys), Numbers::Full(values)) => {
                put(&mut stored[start..], heads, width, position, keys, values);
            }
            _ => unreachable!("all blocks of a model keep the same kind of numbers"),
        }
    }

    fn part(&self, part: usize, head: usize) -> Numbers<'_> {
        let length = self.head_width * KV_BLOCK;
        let start = (part * self.heads + head) * length;
        match &self.numbers {
            Stored::Half(numbers) => Numbers::Half(&numbers[start..][..length]),
            Stored::Full(numbers) => Numbers::Full(&numbers[start..][..length]),
        }
    }
}

/// Writes one position into a layer.
fn put<T: Copy>(
    layer: &mut [T],
    heads: usize,
    width: usize,
    position: usize,
    keys: &[T],
    values: &[T],
) {
    let length = width * KV_BLOCK;
    for head in 0..heads {
        let span = head * width..(head + 1) * width;
        let stored = &mut layer[head * length..][..length];
        for (stored, &key) in stored.chunks_mut(KV_BLOCK).zip(&keys[span.clone()]) {
            stored[position] = key;
        }
        let stored = &mut layer[(heads + head) * length + position * width..][..width];
        stored.copy_from_slice(&values[span]);
    }
}
