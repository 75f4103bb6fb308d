//! Canonical marks: how far a path's tokens are those that encoding its text would give.
//!
//! Knows no tokenizer: the caller passes one in. `Path::answers` of `tabahead-context` uses the mark.

use crate::{PreTokenizer, TokenId, stable_boundary};

/// The canonical mark of one path, advanced token by token.
///
/// The mark matters only at stable boundaries, and the text between two of them is encoded on its
/// own as it is within the whole, so each stretch is compared once.
#[derive(Debug, Clone)]
pub struct CanonicalMarks {
    pre_tokenizer: PreTokenizer,
    text: Vec<u8>,
    /// Number of bytes of `text` that are spelled; `text` holds the whole tail from the beginning.
    spelled: usize,
    /// Tokens after the mark, with the offsets of their ends.
    pending: Vec<(TokenId, usize)>,
    mark: usize,
    broken: bool,
}

impl CanonicalMarks {
    /// Creates the mark of a path that begins at `boundary`, the stable boundary of `tail`.
    pub fn new(pre_tokenizer: PreTokenizer, tail: &str, boundary: usize) -> Self {
        Self {
            pre_tokenizer,
            text: tail.as_bytes().to_vec(),
            spelled: boundary,
            pending: Vec::new(),
            mark: boundary,
            broken: false,
        }
    }

    /// Takes the next token and returns the mark: the number of bytes from the tail's start up to
    /// which all tokens are known to be the canonical ones.
    pub fn advance(
        &mut self,
        bytes: &[u8],
        id: TokenId,
        encode: impl Fn(&str) -> Vec<TokenId>,
    ) -> usize {
        let known = (self.text.len() - self.spelled).min(bytes.len());
        self.text.extend_from_slice(&bytes[known..]);
        self.spelled += bytes.len();
        if self.broken {
            return self.mark;
        }
        self.pending.push((id, self.spelled));
        let spelled = &self.text[..self.spelled];
        let text = match std::str::from_utf8(spelled) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&spelled[..error.valid_up_to()])
                .expect("the bytes up to valid_up_to are valid"),
        };
        let boundary = stable_boundary(self.pre_tokenizer, text);
        if boundary <= self.mark {
            return self.mark;
        }
        // If the boundary is not a token edge, a token crosses an edge that no canonical token
        // crosses.
        let edge = self.pending.iter().position(|&(_, end)| end == boundary);
        let canonical = edge.is_some_and(|edge| {
            let tokens = self.pending[..=edge].iter().map(|&(id, _)| id);
            encode(&text[self.mark..boundary]).into_iter().eq(tokens)
        });
        match edge {
            Some(edge) if canonical => {
                self.pending.drain(..=edge);
                self.mark = boundary;
            }
            _ => {
                self.broken = true;
                self.pending = Vec::new();
            }
        }
        self.mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes `foo` as token 1000 and every other byte as itself.
    fn encode(text: &str) -> Vec<TokenId> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("foo") {
                tokens.push(1000);
                rest = after;
            } else {
                tokens.push(u32::from(rest.as_bytes()[0]));
                rest = &rest[1..];
            }
        }
        tokens
    }

    fn marks_of(tail: &str, tokens: &[(&str, TokenId)]) -> Vec<usize> {
        let boundary = stable_boundary(PreTokenizer::Qwen2, tail);
        let mut marks = CanonicalMarks::new(PreTokenizer::Qwen2, tail, boundary);
        tokens
            .iter()
            .map(|(text, id)| marks.advance(text.as_bytes(), *id, encode))
            .collect()
    }

    #[test]
    fn the_mark_follows_the_stable_boundary() {
        let tokens = [("foo", 1000), (";", 59), ("a", 97), ("+", 43)];
        assert_eq!(marks_of("", &tokens), [0, 3, 3, 5]);
    }

    #[test]
    fn another_spelling_stops_the_mark_for_good() {
        let tokens = [("f", 102), ("oo", 1001), (";", 59), ("a", 97), ("+", 43)];
        assert_eq!(marks_of("", &tokens), [0; 5]);
    }

    #[test]
    fn a_token_over_an_edge_stops_the_mark_for_good() {
        let tokens = [("foo", 1000), (";a", 1002), ("+", 43), ("b", 98)];
        assert_eq!(marks_of("", &tokens)[0], 0);
        assert!(marks_of("", &tokens)[3] <= 3);
    }
}
