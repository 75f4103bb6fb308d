//! Reads GGUF files: metadata by key, tensors as rows of numbers.
//!
//! Invariant: no size that a file states is trusted before it is compared with the file's length,
//! so a truncated or hostile file costs an error and no memory. `gguf/header.rs` reads what comes
//! before the tensors. Knows nothing of models.

mod header;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    EngineError,
    error::refuse,
    files::{
        storage::Storage,
        tensors::{RawTensor, TensorSource, expect_shape, type_name},
        texts::Texts,
    },
};

use header::{Header, TensorInfo, Value};

/// An open file. Its metadata have been read; each tensor is read when it is laid out.
#[derive(Debug)]
pub(crate) struct GgufFile {
    storage: Arc<Storage>,
    header: Header,
}

impl GgufFile {
    /// Reads the metadata.
    pub(crate) fn read(storage: Arc<Storage>) -> Result<Self, EngineError> {
        let header = Header::read(&storage)?;
        storage.meter().advance(header.data);
        Ok(Self { storage, header })
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) fn string(&self, key: &str) -> Option<&str> {
        match self.header.metadata.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, key: &str) -> Option<usize> {
        match *self.header.metadata.get(key)? {
            Value::Integer(number) => usize::try_from(number).ok(),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        match *self.header.metadata.get(key)? {
            Value::Flag(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn float(&self, key: &str) -> Option<f32> {
        match *self.header.metadata.get(key)? {
            Value::Float(number) => Some(number as f32),
            _ => None,
        }
    }

    /// Removes an array of strings from the metadata and returns it.
    pub(crate) fn take_strings(&mut self, key: &str) -> Option<Texts> {
        match self.header.metadata.remove(key)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// Removes an array of integers from the metadata and returns it.
    pub(crate) fn take_integers(&mut self, key: &str) -> Option<Vec<usize>> {
        let Value::Integers(integers) = self.header.metadata.remove(key)? else {
            return None;
        };
        let integers = integers.into_iter();
        integers
            .map(|number| usize::try_from(number).ok())
            .collect()
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, EngineError> {
        let info = self.header.tensors.get(name);
        info.ok_or_else(|| refuse(format!("tensor '{name}' is missing")))
    }
}

impl TensorSource for GgufFile {
    fn has_tensor(&self, name: &str) -> bool {
        self.header.tensors.contains_key(name)
    }

    fn shape(&self, name: &str) -> Result<(usize, usize), EngineError> {
        match self.info(name)?.shape[..] {
            [columns] => Ok((1, columns)),
            [rows, columns] => Ok((rows, columns)),
            ref dims => Err(refuse(format!("tensor '{name}' has shape {dims:?}"))),
        }
    }

    fn parameters(&self) -> usize {
        let tensors = self.header.tensors.values();
        tensors
            .map(|info| {
                let sizes = info.shape.iter();
                sizes.fold(1usize, |product, &size| product.saturating_mul(size))
            })
            .fold(0, usize::saturating_add)
    }

    fn types(&self) -> BTreeMap<String, usize> {
        let mut types = BTreeMap::new();
        for info in self.header.tensors.values() {
            *types.entry(type_name(info.dtype)).or_insert(0) += 1;
        }
        types
    }

    fn tensor(&self, name: &str, rows: usize, columns: usize) -> Result<RawTensor, EngineError> {
        expect_shape(name, self.shape(name)?, (rows, columns))?;
        let &TensorInfo { dtype, offset, .. } = self.info(name)?;
        if columns == 0 || !columns.is_multiple_of(dtype.block_size()) {
            return Err(refuse(format!(
                "tensor '{name}' has rows of {columns} numbers, which {dtype:?} cannot hold"
            )));
        }
        let start = self.header.data.saturating_add(offset);
        let left = self.storage.length().saturating_sub(start);
        (columns / dtype.block_size())
            .checked_mul(dtype.type_size())
            .and_then(|row| row.checked_mul(rows))
            .filter(|&needed| needed as u64 <= left)
            .ok_or_else(|| refuse(format!("the file is not complete: it ends before the end of tensor '{name}'; download it again")))?;
        Ok(RawTensor::new(dtype, columns, &self.storage, start))
    }
}
