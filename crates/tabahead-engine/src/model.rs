//! A loaded model: weights, tokenizer and what its metadata say.
//!
//! Immutable. Loading compares every size with the file; nothing that a file merely states is
//! allocated. How the weights are used is in `forward`.

use std::{
    borrow::Cow,
    fs::File,
    io::{BufReader, Cursor, Read, Seek, SeekFrom},
    path::Path,
};

use xxhash_rust::xxh3::Xxh3;

use crate::{
    EngineError,
    forward::Processor,
    gguf::{GgufFile, refuse},
    kernels::LANES,
    kv::{KvPrecision, Ledger},
    linear::Linear,
    pass::{Pass, Span},
    place::Place,
    threads::Urgency,
    vocabulary::Vocabulary,
};

/// A token's number in the vocabulary.
pub type TokenId = u32;

/// Special tokens by role, as GGUF metadata name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecialToken {
    /// `tokenizer.ggml.fim_sep_token_id`
    File,
    /// `tokenizer.ggml.fim_pre_token_id`
    Prefix,
    /// `tokenizer.ggml.fim_suf_token_id`
    Suffix,
    /// `tokenizer.ggml.fim_mid_token_id`
    Middle,
}

/// What a model's metadata say.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// `general.name` and a hash of the file: the model's identity in every cache key.
    pub id: String,
    /// `general.name`, for people.
    pub name: String,
    /// `llama` or `qwen2`.
    pub architecture: String,
    /// Tokens that fit the context.
    pub context_tokens: usize,
    /// Number of weights.
    pub parameters: usize,
    /// Bytes of the file.
    pub file_bytes: usize,
    /// `tokenizer.ggml.pre`.
    pub pre_tokenizer: String,
}

/// Weights, tokenizer and metadata: immutable, shared by engines.
#[derive(Debug)]
pub struct Model {
    info: ModelInfo,
    vocabulary: Vocabulary,
    shape: Shape,
    pub(crate) embedding: Linear,
    pub(crate) layers: Vec<Layer>,
    pub(crate) output_norm: Vec<f32>,
    /// Absent when the embedding table serves.
    head: Option<Linear>,
}

/// Sizes and constants of a model.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    pub(crate) feed_forward: usize,
    pub(crate) epsilon: f32,
    /// Turns per position of each rotated pair, in radians.
    pub(crate) frequencies: Vec<f64>,
}

/// Weights of one layer.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Vec<f32>,
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    pub(crate) attention_output: Linear,
    pub(crate) feed_forward_norm: Vec<f32>,
    pub(crate) gate: Linear,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

impl Model {
    /// Loads a GGUF file held in memory.
    ///
    /// The weights are laid out anew, in the order in which the processor reads them; the bytes
    /// are not kept.
    ///
    /// # Errors
    /// `EngineError::Model` with one line that says what is wrong with the file.
    pub fn from_bytes(bytes: Cow<'static, [u8]>) -> Result<Self, EngineError> {
        Self::read(Cursor::new(&*bytes))
    }

    /// Loads a GGUF file.
    ///
    /// # Errors
    /// As `from_bytes`, and when the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let file = File::open(path)
            .map_err(|error| refuse(format!("cannot open '{}': {error}", path.display())))?;
        Self::read(BufReader::with_capacity(1 << 20, file)).map_err(|error| match error {
            EngineError::Model(reason) => refuse(format!("'{}': {reason}", path.display())),
            other => other,
        })
    }

    /// What the metadata say.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Canonical tokens of a text; special tokens spelled in the text are plain text.
    pub fn encode(&self, text: &str) -> Vec<TokenId> {
        self.vocabulary.encode(text)
    }

    /// The bytes that a token spells; empty for special tokens.
    pub fn token_bytes(&self, token: TokenId) -> &[u8] {
        self.vocabulary.token_bytes(token)
    }

    /// The id of a special token, if the model has it.
    pub fn special(&self, token: SpecialToken) -> Option<TokenId> {
        self.vocabulary.special(token)
    }

    /// Number of tokens in the vocabulary.
    pub fn vocabulary_len(&self) -> usize {
        self.vocabulary.len()
    }

    /// Bytes of weights in memory.
    pub fn weight_bytes(&self) -> usize {
        let layers = self.layers.iter().map(Layer::bytes).sum::<usize>();
        let ends = [&self.embedding].into_iter().chain(&self.head);
        layers + ends.map(Linear::bytes).sum::<usize>()
    }

    /// Bytes of weights in a layer.
    pub(crate) fn layer_bytes(&self) -> usize {
        self.layers.first().map_or(0, Layer::bytes)
    }

    /// Bytes of keys and values of one token.
    pub fn kv_bytes_per_token(&self, precision: KvPrecision) -> usize {
        let Shape {
            kv_heads,
            head_width,
            ..
        } = self.shape;
        self.layers.len() * 2 * kv_heads * head_width * precision.bytes()
    }

    /// Scores of all tokens after `tokens`, computed from scratch on the calling thread, with
    /// keys and values kept in full.
    ///
    /// # Errors
    /// `TooLong` when the tokens do not fit the context, `Model` when there are none or one is
    /// beyond the vocabulary.
    pub fn logits(&self, tokens: &[TokenId]) -> Result<Vec<f32>, EngineError> {
        self.logits_with(tokens, KvPrecision::Full)
    }

    pub(crate) fn logits_with(
        &self,
        tokens: &[TokenId],
        precision: KvPrecision,
    ) -> Result<Vec<f32>, EngineError> {
        /// Tokens computed together: more take more memory and are no faster.
        const CHUNK: usize = 256;

        self.check_tokens(tokens)?;
        let context = self.info.context_tokens;
        if tokens.len() > context {
            return Err(EngineError::TooLong {
                tokens: tokens.len(),
                context,
            });
        }
        let mut processor = Processor::new(1, Urgency::Urgent);
        let (mut place, mut logits) = (Place::default(), Vec::new());
        for chunk in tokens.chunks(CHUNK) {
            let ledger = Ledger::default();
            let last = place.length() + chunk.len() == tokens.len();
            let wanted = usize::from(last);
            let span = Span::new(self, &ledger, precision, place, chunk.to_vec(), wanted);
            let mut pass = Pass::new(vec![span]);
            processor.run(self, &mut pass, &|| false);
            let span = pass.spans.swap_remove(0);
            (place, logits) = span.close();
        }
        Ok(logits.swap_remove(0))
    }

    pub(crate) fn check_tokens(&self, tokens: &[TokenId]) -> Result<(), EngineError> {
        if tokens.is_empty() {
            return Err(refuse("a prompt without tokens cannot be continued"));
        }
        match tokens
            .iter()
            .find(|&&token| token as usize >= self.vocabulary.len())
        {
            Some(token) => Err(refuse(format!("token {token} is beyond the vocabulary"))),
            None => Ok(()),
        }
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    pub(crate) fn head(&self) -> &Linear {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    fn read<R: Read + Seek>(mut reader: R) -> Result<Self, EngineError> {
        let hash = hash(&mut reader).map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let mut file = GgufFile::read(reader)?;
        let architecture = file
            .string("general.architecture")
            .unwrap_or("none")
            .to_owned();
        if !matches!(architecture.as_str(), "llama" | "qwen2") {
            return Err(refuse(format!(
                "architecture '{architecture}' is not supported, only 'llama' and 'qwen2' are"
            )));
        }
        let name = file.string("general.name").unwrap_or("unnamed").to_owned();
        let info = ModelInfo {
            id: format!("{name}-{hash:016x}"),
            name,
            context_tokens: required(&file, &format!("{architecture}.context_length"))?,
            parameters: file.parameters(),
            file_bytes: file.file_bytes() as usize,
            pre_tokenizer: file
                .string("tokenizer.ggml.pre")
                .unwrap_or("none")
                .to_owned(),
            architecture,
        };
        let vocabulary = Vocabulary::load(&mut file)?;
        let shape = Shape::read(&mut file, &info.architecture)?;
        let tokens = vocabulary.len();
        let straight = |row| row;
        let embedding = Linear::load(&mut file, "token_embd", tokens, shape.width, straight)?;
        let count = required(&file, &format!("{}.block_count", info.architecture))?;
        let mut layers = Vec::new();
        for index in 0..count {
            layers.push(Layer::load(&mut file, index, &shape, &info.architecture)?);
        }
        let output_norm = vector(&mut file, "output_norm.weight", shape.width)?;
        let head = match file.has_tensor("output.weight") {
            true => Some(Linear::load(
                &mut file,
                "output",
                tokens,
                shape.width,
                straight,
            )?),
            false => None,
        };
        Ok(Self {
            info,
            vocabulary,
            shape,
            embedding,
            layers,
            output_norm,
            head,
        })
    }
}

impl Shape {
    fn read<R: Read + Seek>(
        file: &mut GgufFile<R>,
        architecture: &str,
    ) -> Result<Self, EngineError> {
        let key = |name: &str| format!("{architecture}.{name}");
        if let Some(scaling) = file.string(&key("rope.scaling.type"))
            && scaling != "none"
        {
            return Err(refuse(format!(
                "position scaling '{scaling}' is not supported"
            )));
        }
        let width = required(file, &key("embedding_length"))?;
        let heads = required(file, &key("attention.head_count"))?;
        let kv_heads = file
            .integer(&key("attention.head_count_kv"))
            .unwrap_or(heads);
        let head_width = file
            .integer(&key("attention.key_length"))
            .unwrap_or(width / heads);
        let rotated = file
            .integer(&key("rope.dimension_count"))
            .unwrap_or(head_width);
        let feed_forward = required(file, &key("feed_forward_length"))?;
        let epsilon = file
            .float(&key("attention.layer_norm_rms_epsilon"))
            .ok_or_else(|| {
                refuse(format!(
                    "{} is missing",
                    key("attention.layer_norm_rms_epsilon")
                ))
            })?;
        let base = file.float(&key("rope.freq_base")).unwrap_or(10000.0);
        // The matrices have these sizes, and are in the file: so the sizes are no larger than it.
        let expected = heads.checked_mul(head_width);
        if expected != Some(file.shape("blk.0.attn_q.weight")?.0)
            || kv_heads == 0
            || !heads.is_multiple_of(kv_heads)
        {
            return Err(refuse(format!(
                "{heads} heads of {head_width} and {kv_heads} key-value heads do not fit the file"
            )));
        }
        if head_width == 0 || !head_width.is_multiple_of(LANES) {
            return Err(refuse(format!(
                "heads of {head_width} numbers are not supported, only multiples of {LANES} are"
            )));
        }
        if rotated == 0 || rotated > head_width || !rotated.is_multiple_of(2) {
            return Err(refuse(format!(
                "{rotated} of {head_width} numbers cannot be rotated"
            )));
        }
        let mut frequencies: Vec<f64> = (0..rotated / 2)
            .map(|pair| f64::from(base).powf(-2.0 * pair as f64 / rotated as f64))
            .collect();
        if file.has_tensor("rope_freqs.weight") {
            let factors = vector(file, "rope_freqs.weight", rotated / 2)?;
            for (frequency, factor) in frequencies.iter_mut().zip(factors) {
                *frequency /= f64::from(factor);
            }
        }
        Ok(Self {
            width,
            heads,
            kv_heads,
            head_width,
            feed_forward,
            epsilon,
            frequencies,
        })
    }
}

impl Layer {
    /// Bytes of its matrices.
    fn bytes(&self) -> usize {
        let Self {
            query,
            key,
            value,
            attention_output,
            gate,
            up,
            down,
            ..
        } = self;
        let matrices = [query, key, value, attention_output, gate, up, down];
        matrices.into_iter().map(Linear::bytes).sum()
    }

    fn load<R: Read + Seek>(
        file: &mut GgufFile<R>,
        index: usize,
        shape: &Shape,
        architecture: &str,
    ) -> Result<Self, EngineError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let Shape {
            width,
            feed_forward,
            head_width,
            ..
        } = *shape;
        let (query_width, kv_width) = (shape.heads * head_width, shape.kv_heads * head_width);
        let rotated = shape.frequencies.len() * 2;
        // Llama files turn the pairs (2i, 2i + 1). Moving the rows of queries and keys alike
        // changes no product of theirs and makes all models turn (i, i + half).
        let paired = architecture == "llama";
        let turned = |row: usize| {
            let (head, at) = (row / head_width * head_width, row % head_width);
            match paired && at < rotated {
                true if at < rotated / 2 => head + at * 2,
                true => head + (at - rotated / 2) * 2 + 1,
                false => row,
            }
        };
        let straight = |row| row;
        Ok(Self {
            attention_norm: vector(file, &name("attn_norm.weight"), width)?,
            query: Linear::load(file, &name("attn_q"), query_width, width, turned)?,
            key: Linear::load(file, &name("attn_k"), kv_width, width, turned)?,
            value: Linear::load(file, &name("attn_v"), kv_width, width, straight)?,
            attention_output: Linear::load(
                file,
                &name("attn_output"),
                width,
                query_width,
                straight,
            )?,
            feed_forward_norm: vector(file, &name("ffn_norm.weight"), width)?,
            gate: Linear::load(file, &name("ffn_gate"), feed_forward, width, straight)?,
            up: Linear::load(file, &name("ffn_up"), feed_forward, width, straight)?,
            down: Linear::load(file, &name("ffn_down"), width, feed_forward, straight)?,
        })
    }
}

fn required<R: Read + Seek>(file: &GgufFile<R>, key: &str) -> Result<usize, EngineError> {
    file.integer(key)
        .filter(|&number| number > 0)
        .ok_or_else(|| refuse(format!("{key} is missing")))
}

fn vector<R: Read + Seek>(
    file: &mut GgufFile<R>,
    name: &str,
    width: usize,
) -> Result<Vec<f32>, EngineError> {
    file.tensor(name, 1, width)?.row(0)
}

/// Hash of a file: of all of it, or of its length and samples when it is large.
fn hash<R: Read + Seek>(reader: &mut R) -> std::io::Result<u64> {
    const WHOLE: u64 = 256 << 20;
    const SAMPLE: u64 = 1 << 20;
    const SAMPLES: u64 = 64;

    let bytes = reader.seek(SeekFrom::End(0))?;
    let mut hash = Xxh3::new();
    hash.update(&bytes.to_le_bytes());
    let (step, taken) = match bytes <= WHOLE {
        true => (SAMPLE, SAMPLE),
        false => (bytes / SAMPLES, SAMPLE),
    };
    let mut buffer = Vec::new();
    for start in (0..bytes).step_by(step as usize) {
        buffer.clear();
        reader.seek(SeekFrom::Start(start))?;
        reader.take(taken).read_to_end(&mut buffer)?;
        hash.update(&buffer);
    }
    Ok(hash.digest())
}
