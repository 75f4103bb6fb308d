//! Keys and values in blocks of 32 positions, shared between sequences.
//!
//! A block is written only while a single sequence holds it; whoever writes a shared one copies it
//! first. Knows nothing of tokens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{Model, kernels::KV_BLOCK};

/// Bytes held by everything that was charged to it and still lives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<AtomicUsize>);

impl Ledger {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Charges bytes until the charge is dropped.
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

/// Keys and values of 32 positions in all layers, as half floats.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Per layer all keys, then all values; per head the keys dimension by dimension (32
    /// positions each) and the values position by position.
    halves: Vec<u16>,
    heads: usize,
    head_width: usize,
    _charge: Charge,
}

impl Block {
    pub(crate) fn zeroed(model: &Model, ledger: &Ledger) -> Arc<Self> {
        let bytes = model.kv_bytes_per_token() * KV_BLOCK;
        Arc::new(Self {
            halves: vec![0; bytes / 2],
            heads: model.shape().kv_heads,
            head_width: model.shape().head_width,
            _charge: ledger.charge(bytes),
        })
    }

    fn start(&self, layer: usize, values: bool, head: usize) -> usize {
        ((layer * 2 + usize::from(values)) * self.heads + head) * self.head_width * KV_BLOCK
    }

    /// Keys of a head: for each dimension 32 positions.
    pub(crate) fn keys(&self, layer: usize, head: usize) -> &[u16] {
        &self.halves[self.start(layer, false, head)..][..self.head_width * KV_BLOCK]
    }

    /// Values of a head: for each position all dimensions.
    pub(crate) fn values(&self, layer: usize, head: usize) -> &[u16] {
        &self.halves[self.start(layer, true, head)..][..self.head_width * KV_BLOCK]
    }

    /// Writes the keys and values of all heads at one position.
    pub(crate) fn write(&mut self, layer: usize, position: usize, keys: &[u16], values: &[u16]) {
        for head in 0..self.heads {
            let at = self.start(layer, false, head) + position;
            let span = head * self.head_width..(head + 1) * self.head_width;
            for (dimension, &key) in keys[span.clone()].iter().enumerate() {
                self.halves[at + dimension * KV_BLOCK] = key;
            }
            let at = self.start(layer, true, head) + position * self.head_width;
            self.halves[at..at + self.head_width].copy_from_slice(&values[span]);
        }
    }
}
