//! Tensors of a file of any format.
//!
//! Tensors go by their GGUF names; a source with other names translates them. Knows nothing of
//! models.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, sync::Arc};

use candle_core::{
    Device,
    quantized::{GgmlDType, QStorage, QTensor},
};

use crate::{
    EngineError,
    error::{refuse, unread},
    files::storage::{Meter, Storage},
};

/// A source of tensors that several threads can read.
pub(crate) trait TensorSource: Sync {
    /// Returns whether there is a tensor with this name.
    fn has_tensor(&self, name: &str) -> bool;

    /// Returns rows and columns of a tensor; a vector is one row.
    fn shape(&self, name: &str) -> Result<(usize, usize), EngineError>;

    /// Returns a tensor, which must have this shape. Its size is checked against the file's, so it
    /// is safe to allocate memory for it.
    fn tensor(&self, name: &str, rows: usize, columns: usize) -> Result<RawTensor, EngineError>;

    /// Returns the number of weights in all tensors.
    fn parameters(&self) -> usize;

    /// Returns the number of tensors of each type.
    fn types(&self) -> BTreeMap<String, usize>;
}

/// Location of a tensor in its file, which holds it row by row.
#[derive(Debug, Clone)]
pub(crate) struct RawTensor {
    pub(crate) dtype: GgmlDType,
    pub(crate) columns: usize,
    storage: Arc<Storage>,
    start: u64,
}

impl RawTensor {
    /// Creates a tensor that begins at `start` of a file.
    pub(crate) fn new(
        dtype: GgmlDType,
        columns: usize,
        storage: &Arc<Storage>,
        start: u64,
    ) -> Self {
        Self {
            dtype,
            columns,
            storage: Arc::clone(storage),
            start,
        }
    }

    /// Creates a tensor from its bytes alone.
    pub(crate) fn of_bytes(dtype: GgmlDType, columns: usize, bytes: Vec<u8>) -> Self {
        let storage = Arc::new(Storage::memory(bytes, &Meter::new(None)));
        Self::new(dtype, columns, &storage, 0)
    }

    pub(crate) fn row_bytes(&self) -> usize {
        self.columns / self.dtype.block_size() * self.dtype.type_size()
    }

    /// Returns one row as `f32`.
    pub(crate) fn row(&self, row: usize) -> Result<Vec<f32>, EngineError> {
        numbers(self.dtype, self.rows(row..row + 1, &mut Vec::new())?)
    }

    /// Returns the bytes of some rows, read into `buffer` unless they are in memory already.
    pub(crate) fn rows<'a>(
        &'a self,
        rows: Range<usize>,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], EngineError> {
        let size = self.row_bytes();
        let bytes = self
            .storage
            .read(self.place(rows.start), rows.len() * size, buffer)
            .map_err(unread)?;
        self.storage.meter().advance(bytes.len() as u64);
        Ok(bytes)
    }

    /// Copies the bytes of a row to `out`.
    pub(crate) fn copy_row(&self, row: usize, out: &mut [u8]) -> Result<(), EngineError> {
        self.storage.copy(self.place(row), out).map_err(unread)?;
        self.storage.meter().advance(out.len() as u64);
        Ok(())
    }

    fn place(&self, row: usize) -> u64 {
        self.start + row as u64 * self.row_bytes() as u64
    }
}

/// Decodes bytes of this type to numbers.
pub(crate) fn numbers(dtype: GgmlDType, bytes: &[u8]) -> Result<Vec<f32>, EngineError> {
    if dtype == GgmlDType::F32 {
        let numbers = bytes.as_chunks::<4>().0.iter();
        return Ok(numbers.map(|&number| f32::from_le_bytes(number)).collect());
    }
    /// Alignment that no block of candle's exceeds; candle panics at less than a block's.
    const ALIGNMENT: usize = 8;

    let count = bytes.len() / dtype.type_size() * dtype.block_size();
    // A file may place its tensors anywhere.
    let moved;
    let bytes = if bytes.as_ptr().align_offset(ALIGNMENT) == 0 {
        bytes
    } else {
        let mut copy = vec![0_u8; bytes.len() + ALIGNMENT];
        let start = copy.as_ptr().align_offset(ALIGNMENT);
        copy[start..][..bytes.len()].copy_from_slice(bytes);
        moved = copy;
        &moved[start..][..bytes.len()]
    };
    let storage = QStorage::from_data(Cow::Borrowed(bytes), &Device::Cpu, dtype)?;
    let tensor = QTensor::new(storage, count)?;
    Ok(tensor.dequantize(&Device::Cpu)?.to_vec1()?)
}

/// Returns a tensor of one row: a norm's weights or a bias.
pub(crate) fn vector(
    source: &impl TensorSource,
    name: &str,
    length: usize,
) -> Result<Vec<f32>, EngineError> {
    let numbers = source.tensor(name, 1, length)?.row(0)?;
    if numbers.iter().all(|number| number.is_finite()) {
        Ok(numbers)
    } else {
        Err(refuse(format!("tensor '{name}' holds infinite numbers")))
    }
}

/// Rejects a tensor of another shape.
pub(crate) fn expect_shape(
    name: &str,
    found: (usize, usize),
    expected: (usize, usize),
) -> Result<(), EngineError> {
    if found == expected {
        Ok(())
    } else {
        Err(refuse(format!(
            "tensor '{name}' has {} x {} numbers where {} x {} are expected",
            found.0, found.1, expected.0, expected.1
        )))
    }
}

/// Returns the name of a type as llama.cpp writes it, in lower case: `q8_0`, `q4_k`, `f32`.
pub(crate) fn type_name(dtype: GgmlDType) -> String {
    let name = format!("{dtype:?}").to_lowercase();
    match name.strip_suffix('k') {
        Some(bits) => format!("{bits}_k"),
        None => name,
    }
}
