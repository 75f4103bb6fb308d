//! Files that several threads read at different positions, and the progress of reading.
//!
//! Nothing is mapped, and no file is held as a whole: each thread reads a few rows at a time into
//! its own buffer. Knows nothing of formats.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
};

/// The bytes of a file.
#[derive(Debug)]
pub(crate) struct Storage {
    bytes: Bytes,
    length: u64,
    meter: Arc<Meter>,
}

#[derive(Debug)]
enum Bytes {
    File(File),
    Memory(Cow<'static, [u8]>),
}

impl Storage {
    /// Wraps an open file; `meter` counts what is read of it.
    pub(crate) fn file(mut file: File, meter: &Arc<Meter>) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        meter.expect(length);
        Ok(Self {
            bytes: Bytes::File(file),
            length,
            meter: Arc::clone(meter),
        })
    }

    /// Wraps a file that is in memory.
    pub(crate) fn memory(bytes: impl Into<Cow<'static, [u8]>>, meter: &Arc<Meter>) -> Self {
        let bytes = bytes.into();
        meter.expect(bytes.len() as u64);
        Self {
            length: bytes.len() as u64,
            bytes: Bytes::Memory(bytes),
            meter: Arc::clone(meter),
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Fills `out` with the bytes from `start` on.
    pub(crate) fn copy(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        match &self.bytes {
            Bytes::File(file) => read_exact_at(file, out, start),
            Bytes::Memory(bytes) => {
                out.copy_from_slice(part(bytes, start, out.len())?);
                Ok(())
            }
        }
    }

    /// Returns the `length` bytes from `start` on, read into `buffer` unless they are in memory
    /// already.
    pub(crate) fn read<'a>(
        &'a self,
        start: u64,
        length: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        match &self.bytes {
            Bytes::File(file) => {
                buffer.resize(length, 0);
                read_exact_at(file, buffer, start)?;
                Ok(buffer)
            }
            Bytes::Memory(bytes) => part(bytes, start, length),
        }
    }
}

fn part(bytes: &[u8], start: u64, length: usize) -> io::Result<&[u8]> {
    usize::try_from(start)
        .ok()
        .and_then(|start| bytes.get(start..)?.get(..length))
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(unix)]
fn read_exact_at(file: &File, out: &mut [u8], start: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, start)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut out: &mut [u8], mut start: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, start) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                out = &mut std::mem::take(&mut out)[read..];
                start += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The progress of some work in bytes: how much is done and how much is expected.
#[derive(Debug)]
pub(crate) struct Meter {
    expected: AtomicU64,
    done: AtomicU64,
    listener: Option<Sender<f32>>,
}

impl Meter {
    /// Number of steps in which the progress is reported.
    const STEPS: u64 = 100;

    /// Creates a meter that sends each hundredth that is reached to `listener`; steps that are
    /// passed together are reported once. Threads report concurrently, so a smaller share may come
    /// after a larger one.
    pub(crate) fn new(listener: Option<Sender<f32>>) -> Arc<Self> {
        Arc::new(Self {
            expected: AtomicU64::new(0),
            done: AtomicU64::new(0),
            listener,
        })
    }

    /// Adds to the expected bytes.
    pub(crate) fn expect(&self, bytes: u64) {
        self.expected.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the number of expected bytes, as far as is known.
    pub(crate) fn expected(&self) -> u64 {
        self.expected.load(Ordering::Relaxed)
    }

    /// Adds to the bytes that are done.
    pub(crate) fn advance(&self, bytes: u64) {
        let expected = self.expected().max(1);
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        let steps = |done: u64| done.min(expected).saturating_mul(Self::STEPS) / expected;
        let now = steps(before.saturating_add(bytes));
        if let Some(listener) = &self.listener
            && now > steps(before)
        {
            // The listener is gone only if loading has failed.
            let _ = listener.send(now as f32 / Self::STEPS as f32);
        }
    }
}
