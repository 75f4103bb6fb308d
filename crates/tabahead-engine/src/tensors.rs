//! Tensors of a file, whatever its format.
//!
//! GGUF's names are the common ones; a source that names them otherwise translates. Knows nothing
//! of models.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, sync::Arc};

use candle_core::{
    Device,
    quantized::{GgmlDType, QStorage, QTensor},
};

use crate::{
    EngineError,
    error::{refuse, unread},
    storage::{Meter, Storage},
};

/// Where tensors are read from, by several threads.
pub(crate) trait TensorSource: Sync {
    /// Whether there is a tensor of this name.
    fn has_tensor(&self, name: &str) -> bool;

    /// Rows and columns of a tensor; a vector is one row.
    fn shape(&self, name: &str) -> Result<(usize, usize), EngineError>;

    /// A tensor that must have this shape. Its size is compared with the file's, so memory may be
    /// taken for it.
    fn tensor(&self, name: &str, rows: usize, columns: usize) -> Result<RawTensor, EngineError>;

    /// Numbers in all tensors.
    fn parameters(&self) -> usize;

    /// How many tensors have which type.
    fn types(&self) -> BTreeMap<String, usize>;
}

/// A tensor's place in its file, which holds row after row.
#[derive(Debug, Clone)]
pub(crate) struct RawTensor {
    pub(crate) dtype: GgmlDType,
    pub(crate) columns: usize,
    storage: Arc<Storage>,
    start: u64,
}

impl RawTensor {
    /// A tensor of a file, from `start` on.
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

    /// A tensor of which nothing but these bytes is there.
    pub(crate) fn of_bytes(dtype: GgmlDType, columns: usize, bytes: Vec<u8>) -> Self {
        let storage = Arc::new(Storage::memory(bytes, &Meter::new(None)));
        Self::new(dtype, columns, &storage, 0)
    }

    pub(crate) fn row_bytes(&self) -> usize {
        self.columns / self.dtype.block_size() * self.dtype.type_size()
    }

    /// One row as `f32`.
    pub(crate) fn row(&self, row: usize) -> Result<Vec<f32>, EngineError> {
        numbers(self.dtype, self.rows(row..row + 1, &mut Vec::new())?)
    }

    /// The bytes of some rows, in `buffer` unless they are in memory already.
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

    /// Copies the bytes of a row.
    pub(crate) fn copy_row(&self, row: usize, out: &mut [u8]) -> Result<(), EngineError> {
        self.storage.copy(self.place(row), out).map_err(unread)?;
        self.storage.meter().advance(out.len() as u64);
        Ok(())
    }

    fn place(&self, row: usize) -> u64 {
        self.start + row as u64 * self.row_bytes() as u64
    }
}

/// What bytes of this type stand for.
pub(crate) fn numbers(dtype: GgmlDType, bytes: &[u8]) -> Result<Vec<f32>, EngineError> {
    if dtype == GgmlDType::F32 {
        let numbers = bytes.as_chunks::<4>().0.iter();
        return Ok(numbers.map(|&number| f32::from_le_bytes(number)).collect());
    }
    let count = bytes.len() / dtype.type_size() * dtype.block_size();
    let storage = QStorage::from_data(Cow::Borrowed(bytes), &Device::Cpu, dtype)?;
    let tensor = QTensor::new(storage, count)?;
    Ok(tensor.dequantize(&Device::Cpu)?.to_vec1()?)
}

/// A tensor of one row: a norm's weights, a bias.
pub(crate) fn vector(
    source: &impl TensorSource,
    name: &str,
    length: usize,
) -> Result<Vec<f32>, EngineError> {
    let numbers = source.tensor(name, 1, length)?.row(0)?;
    match numbers.iter().all(|number| number.is_finite()) {
        true => Ok(numbers),
        false => Err(refuse(format!("tensor '{name}' holds infinite numbers"))),
    }
}

/// Refuses a tensor of another shape.
pub(crate) fn expect_shape(
    name: &str,
    found: (usize, usize),
    expected: (usize, usize),
) -> Result<(), EngineError> {
    match found == expected {
        true => Ok(()),
        false => Err(refuse(format!(
            "tensor '{name}' has {} x {} numbers where {} x {} are expected",
            found.0, found.1, expected.0, expected.1
        ))),
    }
}

/// A type as llama.cpp writes it, in lower case: `q8_0`, `q4_k`, `f32`.
pub(crate) fn type_name(dtype: GgmlDType) -> String {
    let name = format!("{dtype:?}").to_lowercase();
    match name.strip_suffix('k') {
        Some(bits) => format!("{bits}_k"),
        None => name,
    }
}
