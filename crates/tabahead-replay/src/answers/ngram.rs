//! A deterministic source of answers without a model: it repeats what followed the same words
//! before.
//!
//! Its tokens are the pre-tokens of the real vocabularies, cut at sixteen bytes, so its prompts and
//! paths have the shape of a model's. At each place all tokens have one order, which depends only
//! on the text before that place: first the tokens that followed the same three tokens, latest
//! first, then two, then one; then the end; then all tokens of the text, latest first; then single
//! bytes. A constraint only removes tokens from that order, so the law of healing holds as it does
//! for a model.

use std::collections::{HashMap, HashSet};

use tabahead_context::{
    CanonicalMarks, FimTemplate, GenerationFailure, GenerationRequest, Layout, Marker,
    ModelProfile, PathEnd, PathToken, PreTokenizer, Segment, TokenId, WindowBudgets,
};

use super::{AnswerSource, NextToken, PathBeginning, StateKey};

/// Maximum length of a token, in bytes.
const LONGEST: usize = 16;

/// Context size, in tokens.
const CONTEXT: usize = 2048;

/// First id after the single bytes; markers follow, then interned tokens.
const MARKERS: TokenId = 256;
const INTERNED: TokenId = 260;

/// Length of the longest run of tokens that is looked up.
const ORDER: usize = 3;

/// Natural log-probability of a token, by the length of the run that it followed. In the order of
/// choice, the end comes between a run of one and no run, and a byte that fits nothing comes last.
const LOG_PROB: [f32; ORDER + 1] = [-4.0, -1.5, -0.6, -0.2];
const END: f32 = -1.0;
const BYTE: f32 = -9.0;

/// Maximum number of texts whose tokens are remembered: the same lines of the document are encoded
/// at every keystroke.
const LINES: usize = 1 << 14;

/// A source that copies from the prompt.
pub struct Ngram {
    profile: ModelProfile,
    vocabulary: NgramVocabulary,
    paths: HashMap<StateKey, Generation>,
}

/// Tokens by spelling.
#[derive(Default)]
struct NgramVocabulary {
    ids: HashMap<Box<[u8]>, TokenId>,
    spellings: Vec<Box<[u8]>>,
    lines: HashMap<Box<str>, Box<[TokenId]>>,
}

struct Generation {
    history: Vec<TokenId>,
    /// Bytes still to be spelled.
    forced: Vec<u8>,
    /// Whether nothing has been spelled after the cursor yet, so the end is not allowed.
    at_cursor: bool,
    marks: CanonicalMarks,
}

impl Ngram {
    /// Creates the source; all instances give the same answers. Its prompts are suffix-first, like
    /// the built-in model's.
    pub fn new() -> Self {
        Self::in_layout(Layout::SuffixFirst)
    }

    /// Creates the source with prompts in `layout`.
    pub fn in_layout(layout: Layout) -> Self {
        Self {
            profile: ModelProfile {
                id: "ngram-1".to_owned(),
                template: FimTemplate {
                    layout,
                    file_name: true,
                },
                pre_tokenizer: PreTokenizer::Qwen2,
                context_tokens: CONTEXT,
                window: WindowBudgets::default(),
                least_log_prob: None,
            },
            vocabulary: NgramVocabulary::default(),
            paths: HashMap::new(),
        }
    }
}

impl Default for Ngram {
    fn default() -> Self {
        Self::new()
    }
}

impl AnswerSource for Ngram {
    fn profile(&self) -> &ModelProfile {
        &self.profile
    }

    fn looks_ahead(&self) -> bool {
        false
    }

    fn begin(
        &mut self,
        key: StateKey,
        request: &GenerationRequest,
    ) -> Result<PathBeginning, GenerationFailure> {
        let vocabulary = &mut self.vocabulary;
        let mut prompt = Vec::new();
        let mut middle = 0;
        let mut prefix = 0;
        for segment in &request.prompt.segments {
            match segment {
                Segment::Marker(marker) => {
                    match marker {
                        Marker::Prefix => prefix = prompt.len(),
                        Marker::Middle => middle = prompt.len(),
                        Marker::File | Marker::Suffix => {}
                    }
                    prompt.push(MARKERS + *marker as TokenId);
                }
                Segment::Text(text) => vocabulary.encode(text, &mut prompt),
            }
        }
        let forced = &request.prompt.forced;
        let mut draft = Vec::new();
        vocabulary.encode(forced, &mut draft);
        if prompt.len() + forced.len() + request.reserve > CONTEXT {
            return Err(GenerationFailure::TooLong);
        }
        let boundary = request.tail.len() - forced.len();
        let generation = Generation {
            history: in_reading_order(&prompt, prefix, middle),
            forced: forced.as_bytes().to_vec(),
            at_cursor: true,
            marks: CanonicalMarks::new(PreTokenizer::Qwen2, &request.tail, boundary),
        };
        self.paths.insert(key, generation);
        Ok(PathBeginning { prompt, draft })
    }

    fn next(&mut self, key: StateKey) -> NextToken {
        let Self {
            vocabulary, paths, ..
        } = self;
        let Some(path) = paths.get_mut(&key) else {
            return NextToken::Broken("the path was forgotten".to_owned());
        };
        if path.history.len() >= CONTEXT {
            return NextToken::End(PathEnd::ContextFull);
        }
        let Some((id, log_prob, masked_stop)) = path.best(vocabulary) else {
            return NextToken::End(PathEnd::Stop { log_prob: END });
        };
        let bytes = vocabulary.spelling(id).to_vec();
        path.history.push(id);
        let spelled = bytes.len().min(path.forced.len());
        path.at_cursor &= bytes.len() <= path.forced.len();
        path.forced.drain(..spelled);
        // Encoding may intern tokens, which changes no spelling.
        let vocabulary = std::cell::RefCell::new(vocabulary);
        let canonical = path.marks.advance(&bytes, id, |text| {
            let mut tokens = Vec::new();
            vocabulary.borrow_mut().encode(text, &mut tokens);
            tokens
        });
        let token = PathToken {
            id,
            bytes,
            log_prob,
            masked_stop,
        };
        NextToken::Token(token, canonical)
    }

    fn steps(&self, _: StateKey) -> Option<u32> {
        None
    }

    fn forget(&mut self, key: StateKey) {
        self.paths.remove(&key);
    }
}

impl Generation {
    /// Returns the first allowed token of the order, and the end's log-probability if the end would
    /// have come first but is masked; `None` is the end.
    fn best(&self, vocabulary: &NgramVocabulary) -> Option<(TokenId, f32, Option<f32>)> {
        let fits = |id: TokenId| {
            let bytes = vocabulary.spelling(id);
            !bytes.is_empty()
                && !bytes.contains(&b'\r')
                && (bytes.starts_with(&self.forced) || self.forced.starts_with(bytes))
        };
        let history = &self.history;
        for order in (1..=ORDER.min(history.len())).rev() {
            let run = &history[history.len() - order..];
            let followed = (order..history.len())
                .rev()
                .filter(|&at| &history[at - order..at] == run)
                .map(|at| history[at])
                .find(|&id| fits(id));
            if let Some(id) = followed {
                return Some((id, LOG_PROB[order], None));
            }
        }
        if self.forced.is_empty() && !self.at_cursor {
            return None;
        }
        let masked_stop = self.forced.is_empty().then_some(END);
        let mut seen = HashSet::new();
        let latest = history.iter().rev().copied();
        if let Some(id) = latest.filter(|id| seen.insert(*id)).find(|&id| fits(id)) {
            return Some((id, LOG_PROB[0], masked_stop));
        }
        (0..MARKERS)
            .find(|&id| fits(id))
            .map(|id| (id, BYTE, masked_stop))
    }
}

/// Reorders a prompt for the copier so that the middle continues where the prefix ends, in any
/// layout. So the copier gives the same answers in all layouts that split the text at the same
/// tokens.
fn in_reading_order(prompt: &[TokenId], prefix: usize, middle: usize) -> Vec<TokenId> {
    if middle == 0 {
        // Without a middle marker, the prefix is already last.
        return prompt.to_vec();
    }
    let suffix = MARKERS + Marker::Suffix as TokenId;
    let prefix_end = prompt[prefix..middle]
        .iter()
        .position(|&token| token == suffix)
        .map_or(middle, |at| prefix + at);
    let parts = [
        &prompt[..prefix],
        &prompt[prefix_end..middle],
        &prompt[prefix..prefix_end],
        &prompt[middle + 1..],
    ];
    parts.concat()
}

impl NgramVocabulary {
    fn spelling(&self, id: TokenId) -> &[u8] {
        const SINGLE: [u8; 256] = {
            let mut bytes = [0; 256];
            let mut byte = 0;
            while byte < 256 {
                bytes[byte] = byte as u8;
                byte += 1;
            }
            bytes
        };
        match id {
            0..MARKERS => &SINGLE[id as usize..=id as usize],
            MARKERS..INTERNED => &[],
            _ => &self.spellings[(id - INTERNED) as usize],
        }
    }

    /// Appends the tokens of `text`. A text is encoded in pieces that begin where a line start is a
    /// token edge: at each line that is not blank, see [`tabahead_context::stable_boundary`].
    fn encode(&mut self, text: &str, tokens: &mut Vec<TokenId>) {
        let mut rest = text;
        while !rest.is_empty() {
            let end = solid_line_start(rest);
            let (lines, after) = rest.split_at(end);
            rest = after;
            if let Some(known) = self.lines.get(lines) {
                tokens.extend_from_slice(known);
                continue;
            }
            let first = tokens.len();
            for piece in PreTokenizer::Qwen2.split(lines) {
                for part in lines.as_bytes()[piece].chunks(LONGEST) {
                    tokens.push(self.intern(part));
                }
            }
            if self.lines.len() == LINES {
                self.lines.clear();
            }
            self.lines.insert(lines.into(), tokens[first..].into());
        }
    }

    fn intern(&mut self, bytes: &[u8]) -> TokenId {
        if let [byte] = bytes {
            return TokenId::from(*byte);
        }
        if let Some(&id) = self.ids.get(bytes) {
            return id;
        }
        let id = INTERNED + self.spellings.len() as TokenId;
        self.spellings.push(bytes.into());
        self.ids.insert(bytes.into(), id);
        id
    }
}

/// Returns where the second non-blank line begins; the text's length if there is none.
fn solid_line_start(text: &str) -> usize {
    let mut solid_before = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let solid = !line.trim().is_empty();
        if solid && solid_before {
            return start;
        }
        solid_before |= solid;
        start += line.len();
    }
    text.len()
}
