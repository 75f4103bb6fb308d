//! Reads GGUF files: metadata by key, tensors as rows of numbers.
//!
//! Invariant: no size that a file states is believed before it is compared with the file's length,
//! so a truncated or hostile file costs an error and no memory. Knows nothing of models.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
};

use candle_core::quantized::gguf_file::{Content, Value};

use crate::{
    EngineError,
    error::refuse,
    tensors::{RawTensor, TensorSource, expect_shape, type_name},
};

/// An open file whose metadata are read and whose tensors are read one by one.
pub(crate) struct GgufFile<R> {
    reader: R,
    file_bytes: u64,
    content: Content,
}

fn unreadable(error: impl std::fmt::Display) -> EngineError {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default().to_owned();
    refuse(format!("not a readable GGUF file: {line}"))
}

impl<R: Read + Seek> GgufFile<R> {
    /// Reads the metadata.
    pub(crate) fn read(mut reader: R) -> Result<Self, EngineError> {
        let file_bytes = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
        refuse_zero_alignment(&mut reader)?;
        reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let content = Content::read(&mut reader).map_err(unreadable)?;
        Ok(Self {
            reader,
            file_bytes,
            content,
        })
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub(crate) fn string(&self, key: &str) -> Option<&str> {
        match self.content.metadata.get(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, key: &str) -> Option<usize> {
        integer(self.content.metadata.get(key)?)
    }

    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        match *self.content.metadata.get(key)? {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn float(&self, key: &str) -> Option<f32> {
        match self.content.metadata.get(key)? {
            Value::F32(number) => Some(*number),
            Value::F64(number) => Some(*number as f32),
            _ => None,
        }
    }

    /// Takes an array of strings out of the metadata.
    pub(crate) fn take_strings(&mut self, key: &str) -> Option<Vec<String>> {
        let Value::Array(values) = self.content.metadata.remove(key)? else {
            return None;
        };
        values
            .into_iter()
            .map(|value| match value {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    /// Takes an array of integers out of the metadata.
    pub(crate) fn take_integers(&mut self, key: &str) -> Option<Vec<usize>> {
        let Value::Array(values) = self.content.metadata.remove(key)? else {
            return None;
        };
        values.iter().map(integer).collect()
    }
}

impl<R: Read + Seek> TensorSource for GgufFile<R> {
    fn has_tensor(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    fn shape(&self, name: &str) -> Result<(usize, usize), EngineError> {
        let info = self
            .content
            .tensor_infos
            .get(name)
            .ok_or_else(|| refuse(format!("tensor '{name}' is missing")))?;
        match *info.shape.dims() {
            [columns] => Ok((1, columns)),
            [rows, columns] => Ok((rows, columns)),
            ref dims => Err(refuse(format!("tensor '{name}' has shape {dims:?}"))),
        }
    }

    fn parameters(&self) -> usize {
        self.content
            .tensor_infos
            .values()
            .map(|info| {
                let dims = info.shape.dims().iter();
                dims.fold(1usize, |product, &dim| product.saturating_mul(dim))
            })
            .fold(0, usize::saturating_add)
    }

    fn types(&self) -> BTreeMap<String, usize> {
        let mut types = BTreeMap::new();
        for info in self.content.tensor_infos.values() {
            *types.entry(type_name(info.ggml_dtype)).or_insert(0) += 1;
        }
        types
    }

    fn tensor(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<RawTensor, EngineError> {
        expect_shape(name, self.shape(name)?, (rows, columns))?;
        let info = &self.content.tensor_infos[name];
        let dtype = info.ggml_dtype;
        if columns == 0 || !columns.is_multiple_of(dtype.block_size()) {
            return Err(refuse(format!(
                "tensor '{name}' has rows of {columns} numbers, which {dtype:?} cannot hold"
            )));
        }
        let start = self.content.tensor_data_offset.saturating_add(info.offset);
        let needed = (columns / dtype.block_size())
            .checked_mul(dtype.type_size())
            .and_then(|row| row.checked_mul(rows))
            .filter(|&needed| needed as u64 <= self.file_bytes.saturating_sub(start))
            .ok_or_else(|| refuse(format!("the file ends before the end of tensor '{name}'")))?;
        let mut bytes = vec![0; needed];
        self.reader
            .seek(SeekFrom::Start(start))
            .and_then(|_| self.reader.read_exact(&mut bytes))
            .map_err(unreadable)?;
        Ok(RawTensor {
            dtype,
            columns,
            bytes,
        })
    }
}

fn integer(value: &Value) -> Option<usize> {
    match *value {
        Value::U8(number) => Some(number.into()),
        Value::U16(number) => Some(number.into()),
        Value::U32(number) => usize::try_from(number).ok(),
        Value::U64(number) => usize::try_from(number).ok(),
        Value::I8(number) => usize::try_from(number).ok(),
        Value::I16(number) => usize::try_from(number).ok(),
        Value::I32(number) => usize::try_from(number).ok(),
        Value::I64(number) => usize::try_from(number).ok(),
        _ => None,
    }
}

/// The reader that we use divides by the alignment that a file states.
fn refuse_zero_alignment<R: Read + Seek>(reader: &mut R) -> Result<(), EngineError> {
    const KEY: &[u8] = b"general.alignment";
    /// Key, type, and the longest value.
    const ENTRY: usize = KEY.len() + 4 + 4;
    const CHUNK: usize = 1 << 20;
    /// Metadata are shorter: the longest vocabularies take about ten megabytes.
    const SCANNED: u64 = 64 << 20;

    reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut input = reader.take(SCANNED);
    let mut window = Vec::with_capacity(CHUNK + ENTRY);
    loop {
        let read = (&mut input)
            .take(CHUNK as u64)
            .read_to_end(&mut window)
            .map_err(unreadable)?;
        // Zeros behind the end stand for what a truncated file lacks.
        let end = window.len();
        let padded = if read == 0 { ENTRY } else { 0 };
        window.resize(end + padded, 0);
        for at in 0..window.len().saturating_sub(ENTRY - 1) {
            if window[at] != KEY[0] || !window[at..].starts_with(KEY) {
                continue;
            }
            let value = &window[at + KEY.len() + 4..at + ENTRY];
            let width = match window[at + KEY.len()] {
                0 | 1 => 1,
                2 | 3 => 2,
                _ => 4,
            };
            if value[..width].iter().all(|&byte| byte == 0) {
                return Err(refuse("not a readable GGUF file: alignment of zero"));
            }
        }
        if read == 0 {
            return Ok(());
        }
        window.drain(..end.saturating_sub(ENTRY - 1));
    }
}
