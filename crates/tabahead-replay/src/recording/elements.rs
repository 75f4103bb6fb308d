//! Cuts a recording into entries without parsing them: each comes as the bytes of one JSON object.
//!
//! Follows brackets and strings only; `decode.rs` finds whether the bytes are JSON. Only the
//! current entry is kept, and of that no more than a limit.

use std::io::{self, BufRead};

use super::RecordingForm;

/// Why no further entry can be cut out.
#[derive(Debug)]
pub(super) enum ElementError {
    Io(io::Error),
    /// The file ends in the middle.
    Truncated,
    /// The entry has more bytes than the limit.
    TooLarge,
    /// An element of the log is not an object.
    NotAnObject,
    /// The text around the entries is not as it must be.
    Frame(&'static str),
}

/// The entries of a recording as bytes.
pub(super) struct Elements {
    reader: Box<dyn BufRead + Send>,
    state: ReaderState,
    limit: usize,
}

/// Position of the reader in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReaderState {
    /// Before the `{` around everything.
    Start,
    /// After the `[` of the log.
    FirstElement,
    /// After an element of the log.
    NextElement,
    /// Between two lines.
    Lines,
    /// After everything.
    End,
}

impl Elements {
    pub(super) fn new(form: RecordingForm, reader: Box<dyn BufRead + Send>, limit: usize) -> Self {
        let state = match form {
            RecordingForm::Object => ReaderState::Start,
            RecordingForm::Lines => ReaderState::Lines,
        };
        Self {
            reader,
            state,
            limit,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Sets a smaller limit, so that a test need not write a giant file.
    #[cfg(test)]
    pub(super) fn restrict(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Returns the next entry; `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, ElementError> {
        if self.state == ReaderState::Start {
            self.enter_log()?;
        }
        match self.state {
            ReaderState::Lines => self.line(),
            ReaderState::FirstElement | ReaderState::NextElement => self.element(),
            ReaderState::Start | ReaderState::End => Ok(None),
        }
    }

    fn enter_log(&mut self) -> Result<(), ElementError> {
        match self.peek_visible()? {
            Some(b'{') => self.reader.consume(1),
            Some(_) => return Err(ElementError::Frame("it does not begin with \"{\"")),
            None => return Err(ElementError::Frame("it is empty")),
        }
        if self.expect_visible()? == b'}' {
            return Err(ElementError::Frame("it has no \"log\""));
        }
        loop {
            let key = self.key()?;
            if key == b"\"log\"" {
                break;
            }
            if key == b"\"kind\"" {
                return Err(ElementError::Frame(
                    "it has no \"log\"; one entry per line is read from .jsonl files only",
                ));
            }
            self.value(None)?;
            match self.expect_visible()? {
                b',' => self.reader.consume(1),
                _ => return Err(ElementError::Frame("it has no \"log\"")),
            }
        }
        if self.expect_visible()? != b'[' {
            return Err(ElementError::Frame("its \"log\" is no array"));
        }
        self.reader.consume(1);
        self.state = ReaderState::FirstElement;
        Ok(())
    }

    fn element(&mut self) -> Result<Option<Vec<u8>>, ElementError> {
        let next = self.expect_visible()?;
        if next == b']' {
            self.reader.consume(1);
            self.leave_log()?;
            self.state = ReaderState::End;
            return Ok(None);
        }
        if self.state == ReaderState::NextElement {
            if next != b',' {
                return Err(ElementError::Frame("no comma after it"));
            }
            self.reader.consume(1);
        }
        if self.expect_visible()? != b'{' {
            return Err(ElementError::NotAnObject);
        }
        let mut element = Vec::new();
        self.value(Some(&mut element))?;
        self.state = ReaderState::NextElement;
        Ok(Some(element))
    }

    /// Reads the text after the log. Its content does not matter, but if it is complete, so is the
    /// log.
    fn leave_log(&mut self) -> Result<(), ElementError> {
        loop {
            match self.expect_visible()? {
                b',' => self.reader.consume(1),
                b'}' => break,
                _ => return Err(ElementError::Frame("no comma after the log")),
            }
            self.key()?;
            self.value(None)?;
        }
        self.reader.consume(1);
        match self.peek_visible()? {
            Some(_) => Err(ElementError::Frame("text after the end")),
            None => Ok(()),
        }
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, ElementError> {
        let mut line = Vec::new();
        loop {
            let chunk = chunk(&mut *self.reader)?;
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let length = end.map_or(chunk.len(), |end| end + 1);
            let is_last = chunk.is_empty();
            line.extend_from_slice(&chunk[..length]);
            self.reader.consume(length);
            if line.len() > self.limit {
                return Err(ElementError::TooLarge);
            }
            if is_last || end.is_some() {
                if !line.trim_ascii().is_empty() {
                    // A writer that was killed leaves half a line without its end.
                    let is_cut = is_last && !is_complete(&line);
                    return if is_cut {
                        Err(ElementError::Truncated)
                    } else {
                        Ok(Some(line))
                    };
                }
                if is_last {
                    self.state = ReaderState::End;
                    return Ok(None);
                }
                line.clear();
            }
        }
    }

    /// Reads a key with its quotes, and the colon after it.
    fn key(&mut self) -> Result<Vec<u8>, ElementError> {
        if self.expect_visible()? != b'"' {
            return Err(ElementError::Frame("a key is missing"));
        }
        let mut key = Vec::new();
        self.value(Some(&mut key))?;
        if self.expect_visible()? != b':' {
            return Err(ElementError::Frame("no colon after a key"));
        }
        self.reader.consume(1);
        Ok(key)
    }

    /// Reads one value; appends its bytes to `kept`.
    fn value(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<(), ElementError> {
        self.expect_visible()?;
        let mut scanner = ValueScanner::default();
        loop {
            let chunk = chunk(&mut *self.reader)?;
            if chunk.is_empty() {
                return Err(ElementError::Truncated);
            }
            let end = chunk.iter().position(|&byte| scanner.is_after(byte));
            let length = end.unwrap_or(chunk.len());
            if let Some(kept) = &mut kept {
                if kept.len() + length > self.limit {
                    return Err(ElementError::TooLarge);
                }
                kept.extend_from_slice(&chunk[..length]);
            }
            self.reader.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    fn peek_visible(&mut self) -> Result<Option<u8>, ElementError> {
        loop {
            let chunk = chunk(&mut *self.reader)?;
            if chunk.is_empty() {
                return Ok(None);
            }
            match chunk.iter().position(|byte| !b" \t\r\n".contains(byte)) {
                Some(at) => {
                    let byte = chunk[at];
                    self.reader.consume(at);
                    return Ok(Some(byte));
                }
                None => {
                    let length = chunk.len();
                    self.reader.consume(length);
                }
            }
        }
    }

    fn expect_visible(&mut self) -> Result<u8, ElementError> {
        self.peek_visible()?.ok_or(ElementError::Truncated)
    }
}

/// Returns the bytes in the buffer; empty at the end of the file.
fn chunk(reader: &mut dyn BufRead) -> Result<&[u8], ElementError> {
    // Called twice, because the borrow of a chunk that is returned cannot end within the loop.
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(ElementError::Io(error));
        }
    }
    reader.fill_buf().map_err(ElementError::Io)
}

/// Returns whether a line holds a complete value.
fn is_complete(line: &[u8]) -> bool {
    let mut scanner = ValueScanner::default();
    let line = line.trim_ascii();
    // A comma may follow every value, so a complete one ends before it.
    line.iter().all(|&byte| !scanner.is_after(byte)) && scanner.is_after(b',')
}

/// Follows one JSON value byte by byte.
#[derive(Debug, Default)]
struct ValueScanner {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Whether the value was a string, object or array that has ended.
    closed: bool,
}

impl ValueScanner {
    /// Reports whether this byte comes after the value.
    fn is_after(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    self.closed = self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        if self.closed {
            return true;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth == 0 => return true,
            b'}' | b']' => {
                self.depth -= 1;
                self.closed = self.depth == 0;
            }
            // A number or a word has no end of its own.
            b',' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return true,
            _ => {}
        }
        false
    }
}
