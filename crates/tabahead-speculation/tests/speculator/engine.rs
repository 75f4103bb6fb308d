//! A simulated engine: a small byte-level BPE vocabulary and a deterministic model over it.
//!
//! It keeps the contract of the real engine: the prompt is encoded canonically up to the stable
//! boundary, the first tokens must spell the forced bytes, the best token is found by brute force
//! with ties to the lowest id, `\r` is masked, the stop is masked exactly at the cursor, and
//! log-probabilities are of the unmasked distribution. Every token's score depends on the whole
//! token prefix, so that any difference in what was read shows. [`Fault`] breaks a rule on purpose.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use fancy_regex::Regex;
use tabahead_context::{
    GenerationEvent, GenerationFailure, GenerationId, GenerationRequest, Goal, Marker,
    ModelProfile, PathEnd, PathToken, PreTokenizer, Segment, TokenId, stable_boundary,
};

/// A rule that the engine breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No rule is broken: the engine keeps the contract.
    None,
    /// Reports all tokens as canonical.
    ForgetsCanonical,
    /// Also masks the stop after the cursor, so that what is masked depends on the cursor.
    MasksStopAfterCursor,
    /// Encodes the text after the stable boundary instead of healing it.
    SkipsHealing,
}

const STOP: TokenId = 260;
const FIRST_MERGE: TokenId = 261;

/// Pairs of earlier tokens that merge into a new token, in order of rank.
const MERGES: &[(&str, &str)] = &[
    (" ", " "),
    ("  ", "  "),
    ("f", "o"),
    ("fo", "o"),
    (" ", "foo"),
    ("b", "a"),
    ("ba", "r"),
    (" ", "bar"),
    ("l", "e"),
    ("le", "t"),
    (" ", "let"),
    ("(", ")"),
    (")", ";"),
    (";", "\n"),
    ("{", "\n"),
    ("}", "\n"),
    ("a", "b"),
    ("b", "c"),
    ("o", "o"),
    ("r", "e"),
    ("re", "t"),
    (" ", "="),
    ("=", "="),
    ("+", "+"),
    (" ", "a"),
    (" ", "b"),
    ("i", "n"),
    ("in", "t"),
    (" ", "int"),
    ("\n", "\n"),
    ("'", "s"),
    ("u", "n"),
    ("x", "y"),
];
/// Merges of bytes that are not whole characters.
const BYTE_MERGES: &[(u8, u8)] = &[(0xc3, 0xa9), (0xf0, 0x9f), (0x98, 0x80), (0xcc, 0x81)];

pub struct Vocabulary {
    tokens: Vec<Vec<u8>>,
    ranks: HashMap<(TokenId, TokenId), TokenId>,
    priors: Vec<f32>,
}

pub static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::new);

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    )
    .expect("the pattern is a constant and compiles")
});

impl Vocabulary {
    fn new() -> Self {
        let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        // Markers and the stop spell nothing.
        tokens.resize(FIRST_MERGE as usize, Vec::new());
        let mut ranks = HashMap::new();
        let texts = MERGES.iter().map(|(a, b)| (a.as_bytes(), b.as_bytes()));
        let bytes: Vec<([u8; 1], [u8; 1])> = BYTE_MERGES.iter().map(|&(a, b)| ([a], [b])).collect();
        for (a, b) in texts.chain(bytes.iter().map(|(a, b)| (&a[..], &b[..]))) {
            let find = |part: &[u8]| {
                let id = tokens.iter().position(|token| token == part);
                id.expect("merges come after their parts") as TokenId
            };
            let pair = (find(a), find(b));
            ranks.insert(pair, tokens.len() as TokenId);
            tokens.push([a, b].concat());
        }
        let priors = tokens
            .iter()
            .enumerate()
            .map(|(id, bytes)| prior(id, bytes))
            .collect();
        Self {
            tokens,
            ranks,
            priors,
        }
    }

    pub fn bytes(&self, id: TokenId) -> &[u8] {
        &self.tokens[id as usize]
    }

    pub fn encode(&self, text: &str) -> Vec<TokenId> {
        let mut ids = Vec::new();
        for piece in PATTERN.find_iter(text) {
            let mut piece: Vec<TokenId> = piece
                .expect("the texts are short")
                .as_str()
                .bytes()
                .map(TokenId::from)
                .collect();
            loop {
                let best = piece
                    .windows(2)
                    .enumerate()
                    .filter_map(|(at, pair)| Some((*self.ranks.get(&(pair[0], pair[1]))?, at)))
                    .min();
                let Some((merged, at)) = best else { break };
                piece[at] = merged;
                piece.remove(at + 1);
            }
            ids.extend(piece);
        }
        ids
    }
}

fn prior(id: usize, bytes: &[u8]) -> f32 {
    match bytes {
        [] if id == STOP as usize => 3.2,
        [] => f32::NEG_INFINITY,
        [b'\n'] => 2.0,
        [b'\r'] => 2.5,
        [byte] if *byte < b' ' => -30.0,
        [byte] if b"abcfot(){};, =x'\"01".contains(byte) => 2.0,
        [byte] if byte.is_ascii() => 0.0,
        [_] => -1.5,
        _ => 2.0,
    }
}

fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Maps a hash to a number from 0 to 1.
fn unit(hash: u64) -> f32 {
    (hash >> 40) as f32 / (1u64 << 24) as f32
}

/// Returns the model's logits for the next token: it copies what followed the same tokens before,
/// with noise.
fn logits(history: &[TokenId]) -> Vec<f32> {
    let vocabulary = &*VOCABULARY;
    let whole = history.iter().fold(7, |hash, &id| mix(hash, u64::from(id)));
    let last = &history[history.len().saturating_sub(2)..];
    let near = last.iter().fold(3, |hash, &id| mix(hash, u64::from(id)));
    let mut logits: Vec<f32> = vocabulary
        .priors
        .iter()
        .enumerate()
        .map(|(id, prior)| {
            prior + 3.0 * unit(mix(near, id as u64)) + 1.5 * unit(mix(whole, id as u64))
        })
        .collect();
    for at in 2..history.len() {
        if history[at - 1] == history[history.len() - 1] {
            let both = history[at - 2] == history[history.len() - 2];
            logits[history[at] as usize] += if both { 1.5 } else { 0.3 };
        }
    }
    // A character that has begun is usually completed.
    if let Some(&byte) = history.last().and_then(|&id| vocabulary.bytes(id).last())
        && byte >= 0xc0
    {
        for logit in &mut logits[0x80..0xc0] {
            *logit += 6.0;
        }
    }
    logits
}

/// A generation as the engine sees it.
#[derive(Debug, Clone)]
struct Sequence {
    started: bool,
    goal: Goal,
    history: Vec<TokenId>,
    prompt_tokens: usize,
    /// Tokens after the stable boundary, including continued ones.
    decoded: Vec<TokenId>,
    tail: String,
    boundary: usize,
    bytes: Vec<u8>,
    reserve: usize,
    /// Number of characters to report; 0 once they are reported.
    characters: usize,
    /// An event that was computed and is not reported yet.
    pending: Option<GenerationEvent>,
}

/// Runs generations one event at a time, in the order in which it is driven.
#[derive(Debug, Clone)]
pub struct Engine {
    pre_tokenizer: PreTokenizer,
    context_tokens: usize,
    fault: Fault,
    sequences: BTreeMap<GenerationId, Sequence>,
}

impl Engine {
    pub fn new(profile: &ModelProfile, fault: Fault) -> Self {
        Self {
            pre_tokenizer: profile.pre_tokenizer,
            context_tokens: profile.context_tokens,
            fault,
            sequences: BTreeMap::new(),
        }
    }

    pub fn start(&mut self, request: GenerationRequest) {
        // The copy source decides what is generated, and does not count as part of the prompt.
        let mut history = Vec::new();
        if let Some(source) = &request.copy_source {
            history.extend(VOCABULARY.encode(&source.before));
            history.push(STOP);
            history.extend(VOCABULARY.encode(&source.after));
            for file in &source.open_files {
                history.push(STOP);
                history.extend(VOCABULARY.encode(file));
            }
        }
        let around = history.len();
        for segment in &request.prompt.segments {
            match segment {
                Segment::Marker(marker) => history.push(match marker {
                    Marker::File => 256,
                    Marker::Prefix => 257,
                    Marker::Suffix => 258,
                    Marker::Middle => 259,
                }),
                Segment::Text(text) => history.extend(VOCABULARY.encode(text)),
            }
        }
        let boundary = request.tail.len() - request.prompt.forced.len();
        let prompt_tokens = history.len() - around;
        let mut sequence = Sequence {
            started: false,
            goal: request.goal,
            history,
            prompt_tokens,
            decoded: Vec::new(),
            bytes: request.tail.as_bytes()[..boundary].to_vec(),
            tail: request.tail,
            boundary,
            reserve: request.reserve,
            characters: request.characters,
            pending: None,
        };
        for id in request.continued {
            sequence.take(id);
        }
        assert!(self.sequences.insert(request.id, sequence).is_none());
    }

    pub fn cancel(&mut self, id: GenerationId) {
        self.sequences.remove(&id);
    }

    pub fn running(&self) -> Vec<GenerationId> {
        self.sequences.keys().copied().collect()
    }

    /// Returns the next event of a running generation.
    pub fn step(&mut self, id: GenerationId) -> GenerationEvent {
        let (context_tokens, fault) = (self.context_tokens, self.fault);
        let sequence = self
            .sequences
            .get_mut(&id)
            .expect("the driver steps what runs");
        if let Some(event) = sequence.pending.take() {
            return event;
        }
        if !sequence.started {
            sequence.started = true;
            let forced = sequence.tail.len() - sequence.boundary;
            if sequence.prompt_tokens + forced + sequence.reserve > context_tokens {
                self.sequences.remove(&id);
                let failure = GenerationFailure::TooLong;
                return GenerationEvent::Failed { id, failure };
            }
            let prompt_tokens = sequence.prompt_tokens;
            return GenerationEvent::Started {
                id,
                prompt_tokens,
                continued: sequence.decoded.len(),
            };
        }
        if sequence.goal == Goal::Read {
            self.sequences.remove(&id);
            return GenerationEvent::Read { id };
        }
        if sequence.history.len() >= context_tokens {
            self.sequences.remove(&id);
            let end = PathEnd::ContextFull;
            return GenerationEvent::Ended { id, end };
        }
        let (token, log_prob, masked_stop) = sequence.best(fault);
        if token == STOP {
            self.sequences.remove(&id);
            let end = PathEnd::Stop { log_prob };
            return GenerationEvent::Ended { id, end };
        }
        let passes_cursor =
            sequence.bytes.len() + VOCABULARY.bytes(token).len() > sequence.tail.len();
        let most = if passes_cursor {
            std::mem::take(&mut sequence.characters)
        } else {
            0
        };
        let characters = sequence.likeliest(most);
        sequence.take(token);
        let canonical_until = match fault {
            Fault::ForgetsCanonical => sequence.bytes.len(),
            _ => sequence.canonical_until(self.pre_tokenizer),
        };
        let token = PathToken {
            id: token,
            bytes: VOCABULARY.bytes(token).to_vec(),
            log_prob,
            masked_stop,
        };
        let event = GenerationEvent::Token {
            id,
            token,
            canonical_until,
        };
        if characters.is_empty() {
            return event;
        }
        sequence.pending = Some(event);
        GenerationEvent::Characters { id, characters }
    }
}

impl Sequence {
    fn take(&mut self, id: TokenId) {
        self.history.push(id);
        self.decoded.push(id);
        self.bytes.extend(VOCABULARY.bytes(id));
    }

    /// Returns the best allowed next token, found by looking at all of them, and the stop's
    /// log-probability if the stop would be better but is masked.
    fn best(&self, fault: Fault) -> (TokenId, f32, Option<f32>) {
        let logits = logits(&self.history);
        let at = self.bytes.len();
        let forced = self.tail.as_bytes().get(at..).unwrap_or_default();
        let healed = VOCABULARY.encode(&self.tail[self.boundary..]);
        let allowed = |id: TokenId| {
            let bytes = VOCABULARY.bytes(id);
            if id == STOP {
                return match fault {
                    Fault::MasksStopAfterCursor => at > self.tail.len() + 4,
                    _ => at > self.tail.len(),
                };
            }
            if fault == Fault::SkipsHealing && self.decoded.len() < healed.len() {
                return id == healed[self.decoded.len()];
            }
            !bytes.is_empty()
                && !bytes.contains(&b'\r')
                && (bytes.starts_with(forced) || forced.starts_with(bytes))
        };
        let mut best: Option<TokenId> = None;
        for id in (0..logits.len() as TokenId).filter(|&id| allowed(id)) {
            if best.is_none_or(|best| logits[id as usize] > logits[best as usize]) {
                best = Some(id);
            }
        }
        let best = best.expect("single bytes spell everything");
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|logit| (logit - highest).exp()).sum();
        let log_prob = |id: TokenId| logits[id as usize] - highest - sum.ln();
        // Ties go to the lowest id.
        let stop_is_better = match logits[STOP as usize].total_cmp(&logits[best as usize]) {
            Ordering::Greater => true,
            Ordering::Equal => STOP < best,
            Ordering::Less => false,
        };
        let masked_stop = (forced.is_empty() && stop_is_better).then(|| log_prob(STOP));
        (best, log_prob(best), masked_stop)
    }

    /// Returns the characters that come first after the tail, over the tokens that spell more than
    /// the tail, by summed probability.
    fn likeliest(&self, most: usize) -> Vec<char> {
        if most == 0 {
            return Vec::new();
        }
        let logits = logits(&self.history);
        let forced = self.tail.as_bytes().get(self.bytes.len()..);
        let forced = forced.unwrap_or_default();
        let mut sums: BTreeMap<char, f64> = BTreeMap::new();
        for (id, logit) in logits.iter().enumerate() {
            let bytes = VOCABULARY.bytes(id as TokenId);
            let Some(rest) = bytes
                .strip_prefix(forced)
                .filter(|_| !bytes.contains(&b'\r'))
            else {
                continue;
            };
            if let Some(next) = String::from_utf8_lossy(rest).chars().next()
                && next != char::REPLACEMENT_CHARACTER
            {
                *sums.entry(next).or_default() += f64::from(*logit).exp();
            }
        }
        let mut ranked: Vec<_> = sums.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(most);
        ranked.into_iter().map(|(next, _)| next).collect()
    }

    /// Returns the end of the canonical bytes, found by encoding everything again.
    fn canonical_until(&self, pre_tokenizer: PreTokenizer) -> usize {
        let valid = match std::str::from_utf8(&self.bytes) {
            Ok(text) => text,
            Err(error) => {
                std::str::from_utf8(&self.bytes[..error.valid_up_to()]).expect("valid up to there")
            }
        };
        let stable = stable_boundary(pre_tokenizer, valid).max(self.boundary);
        let canonical = VOCABULARY.encode(&valid[self.boundary..stable]);
        let same = canonical
            .iter()
            .zip(&self.decoded)
            .take_while(|(a, b)| a == b);
        self.boundary
            + same
                .map(|(&id, _)| VOCABULARY.bytes(id).len())
                .sum::<usize>()
    }
}
