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
    model::{layer::Attention, shape::Heads},
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
        let keys = self
            .layers
            .iter()
            .map(|layer| layer.attention.heads.kv_width());
        2 * keys.sum::<usize>() * precision.bytes()
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
    pub(crate) fn keys(&self, attention: &Attention, head: usize) -> Numbers<'_> {
        self.part(attention, head)
    }

    /// Returns the values of a head: all dimensions for each position.
    pub(crate) fn values(&self, attention: &Attention, head: usize) -> Numbers<'_> {
        self.part(attention, attention.heads.kv + head)
    }

    /// Writes the keys and values of all heads at one position of the sequence.
    pub(crate) fn write(
        &mut self,
        attention: &Attention,
        position: usize,
        keys: Numbers<'_>,
        values: Numbers<'_>,
    ) {
        let Heads {
            kv: heads, width, ..
        } = attention.heads;
        let position = position % KV_BLOCK;
        let start = attention.keys_before * 2 * KV_BLOCK;
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

    /// Returns the part of a layer with this index: the keys of a head, or after those of all heads
    /// the values of one.
    fn part(&self, attention: &Attention, index: usize) -> Numbers<'_> {
        let length = attention.heads.width * KV_BLOCK;
        let start = attention.keys_before * 2 * KV_BLOCK + index * length;
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
