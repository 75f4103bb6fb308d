//! Reads what comes before the tensors in a GGUF file: metadata, names, shapes and types.
//!
//! Follows <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Invariant: no memory is
//! taken for a count or length that the file states before it is compared with what is left of the
//! file.

use std::collections::HashMap;

use candle_core::quantized::GgmlDType;

use crate::{
    EngineError,
    error::{refuse, unread},
    files::{storage::Storage, texts::Texts},
};

/// Number of bytes that are read at once.
const CHUNK: u64 = 1 << 16;

/// Maximum number of dimensions of a tensor, as in ggml.
const MOST_DIMENSIONS: u32 = 4;

/// Maximum nesting depth of arrays in arrays.
const DEEPEST: usize = 8;

const DEFAULT_ALIGNMENT: u64 = 32;

/// Everything that comes before the tensors.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) metadata: HashMap<String, Value>,
    pub(super) tensors: HashMap<String, TensorInfo>,
    /// Position in the file where the tensors begin.
    pub(super) data: u64,
}

/// A metadata value; `Other` is any kind that is not used.
#[derive(Debug)]
pub(super) enum Value {
    Integer(i128),
    Float(f64),
    Flag(bool),
    Text(String),
    Texts(Texts),
    Integers(Vec<i64>),
    Other,
}

/// Shape, type and offset of a tensor.
#[derive(Debug)]
pub(super) struct TensorInfo {
    /// Sizes of the dimensions, the outermost first.
    pub(super) shape: Vec<usize>,
    pub(super) dtype: GgmlDType,
    /// Offset from the position where the tensors begin.
    pub(super) offset: u64,
}

/// Kinds of metadata values, numbered as in GGUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsigned(usize),
    Signed(usize),
    Float(usize),
    Flag,
    Text,
    Array,
}

impl Kind {
    fn numbered(number: u32) -> Result<Self, EngineError> {
        Ok(match number {
            0 => Self::Unsigned(1),
            1 => Self::Signed(1),
            2 => Self::Unsigned(2),
            3 => Self::Signed(2),
            4 => Self::Unsigned(4),
            5 => Self::Signed(4),
            6 => Self::Float(4),
            7 => Self::Flag,
            8 => Self::Text,
            9 => Self::Array,
            10 => Self::Unsigned(8),
            11 => Self::Signed(8),
            12 => Self::Float(8),
            other => return Err(unreadable(format!("a value of type {other}"))),
        })
    }
}

impl Header {
    pub(super) fn read(storage: &Storage) -> Result<Self, EngineError> {
        let mut reader = Reader::new(storage);
        if reader.take(4)? != b"GGUF" {
            return Err(unreadable("it does not begin with 'GGUF'"));
        }
        reader.version = reader.u32()?;
        if !(1..=3).contains(&reader.version) {
            let version = reader.version;
            return Err(unreadable(format!("version {version} is not supported")));
        }
        let (tensor_count, value_count) = (reader.length()?, reader.length()?);
        let mut metadata = HashMap::new();
        for _ in 0..value_count {
            let key = reader.text()?;
            let kind = reader.kind()?;
            metadata.insert(key, reader.value(kind)?);
        }
        let mut tensors = HashMap::new();
        for _ in 0..tensor_count {
            let name = reader.text()?;
            let info = reader.tensor_info(&name)?;
            tensors.insert(name, info);
        }
        let alignment = match metadata.get("general.alignment") {
            Some(&Value::Integer(alignment)) => u64::try_from(alignment).unwrap_or(0),
            _ => DEFAULT_ALIGNMENT,
        };
        let data = match alignment {
            0 => None,
            alignment => reader.position().checked_next_multiple_of(alignment),
        };
        Ok(Self {
            metadata,
            tensors,
            data: data.ok_or_else(|| unreadable(format!("alignment of {alignment}")))?,
        })
    }
}

/// Reads a file from its beginning.
struct Reader<'a> {
    storage: &'a Storage,
    version: u32,
    /// Bytes read from the file.
    buffer: Vec<u8>,
    /// Position of the buffer in the file.
    start: u64,
    /// Number of bytes of the buffer that were taken.
    taken: usize,
}

impl<'a> Reader<'a> {
    fn new(storage: &'a Storage) -> Self {
        Self {
            storage,
            version: 0,
            buffer: Vec::new(),
            start: 0,
            taken: 0,
        }
    }

    fn position(&self) -> u64 {
        self.start + self.taken as u64
    }

    /// Returns the number of bytes from here to the end of the file.
    fn left(&self) -> u64 {
        self.storage.length() - self.position()
    }

    /// Takes the next `length` bytes.
    fn take(&mut self, length: u64) -> Result<&[u8], EngineError> {
        let left = self.left();
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length as u64 <= left)
            .ok_or_else(|| unreadable("it ends before its metadata do; download it again"))?;
        if self.buffer.len() - self.taken < length {
            let chunk = CHUNK.min(left).max(length as u64) as usize;
            self.start = self.position();
            self.taken = 0;
            self.buffer.resize(chunk, 0);
            self.storage
                .copy(self.start, &mut self.buffer)
                .map_err(unread)?;
        }
        self.taken += length;
        Ok(&self.buffer[self.taken - length..self.taken])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EngineError> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    fn u32(&mut self) -> Result<u32, EngineError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, EngineError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Reads a count or a length, which is shorter in version 1.
    fn length(&mut self) -> Result<u64, EngineError> {
        match self.version {
            1 => Ok(self.u32()?.into()),
            _ => self.u64(),
        }
    }

    fn kind(&mut self) -> Result<Kind, EngineError> {
        Kind::numbered(self.u32()?)
    }

    /// Reads the bytes of a text. Some files end texts with zeros, as C does; these are left out.
    fn text_bytes(&mut self) -> Result<&[u8], EngineError> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        let zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
        Ok(&bytes[..bytes.len() - zeros])
    }

    fn text(&mut self) -> Result<String, EngineError> {
        Ok(String::from_utf8_lossy(self.text_bytes()?).into_owned())
    }

    fn value(&mut self, kind: Kind) -> Result<Value, EngineError> {
        Ok(match kind {
            Kind::Unsigned(_) | Kind::Signed(_) => Value::Integer(self.integer(kind)?),
            Kind::Float(4) => Value::Float(f32::from_le_bytes(self.array()?).into()),
            Kind::Float(_) => Value::Float(f64::from_le_bytes(self.array()?)),
            Kind::Text => Value::Text(self.text()?),
            Kind::Array => self.values()?,
            Kind::Flag => Value::Flag(self.array::<1>()?[0] != 0),
        })
    }

    fn integer(&mut self, kind: Kind) -> Result<i128, EngineError> {
        let (width, signed) = match kind {
            Kind::Signed(width) => (width, true),
            Kind::Unsigned(width) => (width, false),
            _ => unreachable!("only integers are read so"),
        };
        let bytes = self.take(width as u64)?;
        let negative = signed && bytes[width - 1] & 0x80 != 0;
        let mut whole = [if negative { 0xff } else { 0 }; 16];
        whole[..width].copy_from_slice(bytes);
        Ok(i128::from_le_bytes(whole))
    }

    /// Reads the head of an array: the kind and number of its values.
    fn kind_and_count(&mut self) -> Result<(Kind, u64), EngineError> {
        let (kind, count) = (self.kind()?, self.length()?);
        // Each value takes at least one byte.
        if count <= self.left() {
            Ok((kind, count))
        } else {
            Err(unreadable(
                "it ends before its metadata do; download it again",
            ))
        }
    }

    /// Reads an array.
    fn values(&mut self) -> Result<Value, EngineError> {
        let (kind, count) = self.kind_and_count()?;
        match kind {
            Kind::Text => {
                let mut texts = Texts::default();
                for _ in 0..count {
                    texts.push(&String::from_utf8_lossy(self.text_bytes()?));
                }
                Ok(Value::Texts(texts))
            }
            Kind::Unsigned(_) | Kind::Signed(_) => {
                let mut integers = Vec::new();
                for _ in 0..count {
                    let integer = self.integer(kind)?;
                    integers.push(i64::try_from(integer).unwrap_or(i64::MAX));
                }
                Ok(Value::Integers(integers))
            }
            _ => {
                self.skip(kind, count, 0)?;
                Ok(Value::Other)
            }
        }
    }

    /// Skips values that are not used.
    fn skip(&mut self, kind: Kind, count: u64, depth: usize) -> Result<(), EngineError> {
        for _ in 0..count {
            match kind {
                Kind::Unsigned(width) | Kind::Signed(width) | Kind::Float(width) => {
                    self.take(width as u64)?;
                }
                Kind::Flag => {
                    self.take(1)?;
                }
                Kind::Text => {
                    self.text_bytes()?;
                }
                Kind::Array if depth == DEEPEST => {
                    return Err(unreadable("arrays in arrays that go too deep"));
                }
                Kind::Array => {
                    let (kind, count) = self.kind_and_count()?;
                    self.skip(kind, count, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn tensor_info(&mut self, name: &str) -> Result<TensorInfo, EngineError> {
        let dimensions = self.u32()?;
        if dimensions > MOST_DIMENSIONS {
            return Err(unreadable(format!(
                "tensor '{name}' has {dimensions} dimensions"
            )));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = self.length()?;
            shape.push(usize::try_from(size).unwrap_or(usize::MAX));
        }
        shape.reverse();
        let number = self.u32()?;
        let dtype = dtype(number).ok_or_else(|| {
            refuse(format!(
                "tensor '{name}' has type {number} of GGUF, which is not supported"
            ))
        })?;
        Ok(TensorInfo {
            shape,
            dtype,
            offset: self.u64()?,
        })
    }
}

/// Returns the tensor type with GGUF's number, if it is supported.
fn dtype(number: u32) -> Option<GgmlDType> {
    Some(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        9 => GgmlDType::Q8_1,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        15 => GgmlDType::Q8K,
        30 => GgmlDType::BF16,
        _ => return None,
    })
}

fn unreadable(reason: impl std::fmt::Display) -> EngineError {
    refuse(format!("not a readable GGUF file: {reason}"))
}
