//! Answers computed in an earlier run, in a file: one JSON object per line and state.
//!
//! A later line about a state replaces an earlier one. Memory holds only the positions of the
//! lines. The file holds tokens of the recordings' text, so only its owner can read it. A last line
//! that was cut off (a full disk, a kill) is dropped; a file that holds anything else is left as it
//! is.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tabahead_context::{GenerationFailure, PathEnd, PathToken, TokenId};

use super::{KnownAnswer, NextToken, PathBeginning, StateKey};

/// Why a file of answers cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("answers in '{}' cannot be {what}; name another file", path.display())]
pub struct AnswersFileError {
    path: PathBuf,
    what: &'static str,
    #[source]
    source: io::Error,
}

/// A file of answers, with an index of its lines.
pub struct AnswersFile {
    path: PathBuf,
    reader: File,
    writer: BufWriter<File>,
    /// Start and length of each state's line.
    lines: HashMap<StateKey, (u64, usize)>,
    end: u64,
    failed: Option<io::Error>,
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    prompt: Vec<TokenId>,
    draft: Vec<TokenId>,
    /// Id, spelling in hexadecimal, bits of the log-probability, canonical mark.
    tokens: Vec<(TokenId, String, u32, usize)>,
    /// Number of passes that each token took. A line without this field comes from an older
    /// program, which did not look ahead; its state is computed again.
    steps: Vec<Option<u32>>,
    /// Masked stops: the index of the token chosen instead, and the bits of the stop's
    /// log-probability.
    masked_stops: Vec<(usize, u32)>,
    end: StoredEnd,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredEnd {
    Open,
    /// The model stopped; bits of the log-probability.
    Stop(u32),
    ContextFull,
    /// The prompt was refused as too long.
    TooLong,
}

impl AnswersFile {
    /// Opens a file, or creates it.
    ///
    /// # Errors
    /// When it cannot be read and written.
    pub fn open(path: &Path) -> Result<Self, AnswersFileError> {
        let failed = |what| {
            move |source| AnswersFileError {
                path: path.to_owned(),
                what,
                source,
            }
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(failed("opened"))?;
        let reader = file.try_clone().map_err(failed("opened"))?;
        let mut lines = HashMap::new();
        let mut end = 0;
        let mut text = String::new();
        let mut scan = BufReader::new(&reader);
        loop {
            text.clear();
            let read = scan.read_line(&mut text).map_err(failed("read"))?;
            if read == 0 {
                break;
            }
            match key_of_line(&text) {
                Some(key) if text.ends_with('\n') => lines.insert(key, (end, read)),
                _ if is_cut_off(&text) => {
                    file.set_len(end).map_err(failed("mended"))?;
                    break;
                }
                _ => {
                    let other = "it holds something else";
                    return Err(failed("used")(io::Error::other(other)));
                }
            };
            end += read as u64;
        }
        Ok(Self {
            path: path.to_owned(),
            reader,
            writer: BufWriter::new(file),
            lines,
            end,
            failed: None,
        })
    }

    /// Returns what the file knows about a state.
    pub(super) fn find(&mut self, key: StateKey) -> Option<KnownAnswer> {
        let &(start, length) = self.lines.get(&key)?;
        // Appended lines may not have reached the file yet.
        self.writer.flush().ok()?;
        self.reader.seek(SeekFrom::Start(start)).ok()?;
        let mut text = vec![0; length];
        self.reader.read_exact(&mut text).ok()?;
        let line: Line = serde_json::from_slice(&text).ok()?;
        // Another run may have appended to the file meanwhile and shifted the lines.
        (line.key == name_of(key)).then(|| line.into_answer())?
    }

    /// Appends `answer` if it knows more than the file. `flush` reports a failure.
    pub(super) fn append(&mut self, key: StateKey, answer: &KnownAnswer) {
        if answer.filed == Some(answer.known()) {
            return;
        }
        let Some(line) = Line::new(key, answer) else {
            return;
        };
        let Ok(mut text) = serde_json::to_vec(&line) else {
            return;
        };
        text.push(b'\n');
        match self.writer.write_all(&text) {
            Ok(()) => {
                self.lines.insert(key, (self.end, text.len()));
                self.end += text.len() as u64;
            }
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
    }

    /// Writes all buffered lines to the file.
    pub(super) fn flush(&mut self) -> Result<(), AnswersFileError> {
        let written = match self.failed.take() {
            Some(error) => Err(error),
            None => self.writer.flush(),
        };
        written.map_err(|source| AnswersFileError {
            path: self.path.clone(),
            what: "written",
            source,
        })
    }
}

impl Line {
    fn new(key: StateKey, answer: &KnownAnswer) -> Option<Self> {
        let (beginning, end) = match (&answer.beginning, &answer.end) {
            (Ok(beginning), None) => (Some(beginning), StoredEnd::Open),
            (Ok(beginning), Some(NextToken::End(PathEnd::Stop { log_prob }))) => {
                (Some(beginning), StoredEnd::Stop(log_prob.to_bits()))
            }
            (Ok(beginning), Some(NextToken::End(PathEnd::ContextFull))) => {
                (Some(beginning), StoredEnd::ContextFull)
            }
            (Err(GenerationFailure::TooLong), _) => (None, StoredEnd::TooLong),
            // A failure is not an answer.
            _ => return None,
        };
        Some(Self {
            key: name_of(key),
            prompt: beginning.map(|b| b.prompt.clone()).unwrap_or_default(),
            draft: beginning.map(|b| b.draft.clone()).unwrap_or_default(),
            tokens: answer
                .tokens
                .iter()
                .map(|(token, canonical)| {
                    let spelling = token.bytes.iter().map(|byte| format!("{byte:02x}"));
                    (
                        token.id,
                        spelling.collect(),
                        token.log_prob.to_bits(),
                        *canonical,
                    )
                })
                .collect(),
            steps: answer.steps.clone(),
            masked_stops: answer
                .tokens
                .iter()
                .enumerate()
                .filter_map(|(at, (token, _))| Some((at, token.masked_stop?.to_bits())))
                .collect(),
            end,
        })
    }

    fn into_answer(self) -> Option<KnownAnswer> {
        let tokens: Option<Vec<_>> = self.tokens.into_iter().map(token_of).collect();
        let mut tokens = tokens?;
        for (at, bits) in self.masked_stops {
            tokens.get_mut(at)?.0.masked_stop = Some(f32::from_bits(bits));
        }
        let beginning = match self.end {
            StoredEnd::TooLong => Err(GenerationFailure::TooLong),
            _ => Ok(Arc::new(PathBeginning {
                prompt: self.prompt,
                draft: self.draft,
            })),
        };
        let end = match self.end {
            StoredEnd::Open | StoredEnd::TooLong => None,
            StoredEnd::Stop(bits) => Some(PathEnd::Stop {
                log_prob: f32::from_bits(bits),
            }),
            StoredEnd::ContextFull => Some(PathEnd::ContextFull),
        };
        let mut answer = KnownAnswer {
            beginning,
            tokens,
            steps: self.steps,
            end: end.map(NextToken::End),
            filed: None,
        };
        answer.filed = Some(answer.known());
        Some(answer)
    }
}

fn token_of(
    (id, spelling, bits, canonical): (TokenId, String, u32, usize),
) -> Option<(PathToken, usize)> {
    let bytes: Option<Vec<u8>> = (0..spelling.len() / 2)
        .map(|at| u8::from_str_radix(spelling.get(2 * at..2 * at + 2)?, 16).ok())
        .collect();
    let token = PathToken {
        id,
        bytes: bytes?,
        log_prob: f32::from_bits(bits),
        masked_stop: None,
    };
    Some((token, canonical))
}

/// Beginning of every line.
const BEGIN: &str = "{\"key\":\"";

fn name_of(key: StateKey) -> String {
    format!("{:032x}", key.0)
}

/// Returns whether `line` may be the beginning of one of our lines.
fn is_cut_off(line: &str) -> bool {
    !line.ends_with('\n') && (line.starts_with(BEGIN) || BEGIN.starts_with(line))
}

/// Returns the key of a line, which comes first; `None` if the line is not one of ours.
fn key_of_line(line: &str) -> Option<StateKey> {
    let key = line.strip_prefix(BEGIN)?.get(..32)?;
    u128::from_str_radix(key, 16).ok().map(StateKey)
}

impl std::fmt::Debug for AnswersFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswersFile")
            .field("path", &self.path)
            .field("states", &self.lines.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_cut_off_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("answers.jsonl");
        let opened = |text: &str| {
            std::fs::write(&path, text).expect("it is written");
            let opened = AnswersFile::open(&path).map(|file| file.lines.len());
            (
                opened.map_err(|error| error.to_string()),
                std::fs::read_to_string(&path).expect("it is there"),
            )
        };
        let whole = format!("{BEGIN}{:032x}\",\"more\":1}}\n", 7);
        for cut in [
            "",
            "{",
            "{\"key",
            BEGIN,
            &whole[..20],
            &whole[..whole.len() - 1],
        ] {
            let (lines, left) = opened(&format!("{whole}{cut}"));
            assert_eq!((lines, left), (Ok(1), whole.clone()), "{cut}");
        }
        for foreign in ["[settings]\nmodel = 1\n", "notes", "{\"key\":\"mine\"}\n"] {
            for text in [foreign.to_owned(), format!("{whole}{foreign}")] {
                let (refused, left) = opened(&text);
                assert!(refused.expect_err("refused").contains("name another file"));
                assert_eq!(left, text);
            }
        }
    }
}
