//! A loaded model: weights, tokenizer and what its files say.
//!
//! Immutable. Loading compares every size with the files; nothing that a file merely states is
//! allocated. A model without a usable tokenizer loads too: it computes, but does not complete. How
//! the weights are used is in `forward`; how to add a family of models, in `architecture`.

mod identity;
mod layer;
mod shape;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io,
    path::Path,
    sync::{Arc, mpsc},
};

use crate::{
    EngineError,
    architecture::Stated,
    checkpoint::Checkpoint,
    copying::CopyingRule,
    error::{refuse, unread},
    forward::Processor,
    gguf::GgufFile,
    kv::{KvPrecision, Ledger},
    linear::Linear,
    pass::{Pass, Span},
    place::Place,
    storage::{Meter, Storage},
    tensors::{TensorSource, vector},
    threads::Urgency,
    tiles::Role,
    vocabulary::{Vocabulary, json, metadata},
};

pub(crate) use layer::Layer;
pub(crate) use shape::Shape;

/// A token's number in the vocabulary.
pub type TokenId = u32;

/// Most rows of an embedding table: some hundred thousand are usual. A vocabulary takes more memory
/// than narrow rows do in their file.
const MOST_TOKENS: usize = 1 << 22;

/// To make a vocabulary counts as much as to read this part of the files.
const VOCABULARY_SHARE: u64 = 16;

/// Special tokens by role, as GGUF metadata name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecialToken {
    /// `tokenizer.ggml.bos_token_id`, where the file asks for it before every text.
    Begin,
    /// `tokenizer.ggml.fim_sep_token_id`
    File,
    /// `tokenizer.ggml.fim_pre_token_id`
    Prefix,
    /// `tokenizer.ggml.fim_suf_token_id`
    Suffix,
    /// `tokenizer.ggml.fim_mid_token_id`
    Middle,
}

/// What the files of a model are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFormat {
    /// One GGUF file.
    Gguf,
    /// A directory with config.json and weights in safetensors files.
    Safetensors,
}

impl ModelFormat {
    /// The format's name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Safetensors => "safetensors",
        }
    }
}

/// What a model's metadata say.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// The name and a hash of the files: the model's identity in every cache key.
    pub id: String,
    /// `general.name`, or the directory's name, for people.
    pub name: String,
    /// What the files are.
    pub format: ModelFormat,
    /// `llama`, `qwen2` or `qwen3`.
    pub architecture: String,
    /// Tokens that fit the context.
    pub context_tokens: usize,
    /// Number of weights.
    pub parameters: usize,
    /// How many tensors have which type: `q8_0`, `f32`, …
    pub tensor_types: BTreeMap<String, usize>,
    /// Bytes of the file, or of all files with weights.
    pub file_bytes: usize,
    /// `tokenizer.ggml.pre`, or what tokenizer.json was recognised as; `none` if there is none.
    pub pre_tokenizer: String,
    /// `tabahead.gate.least_log_prob`, where the file has a usable one.
    pub least_log_prob: Option<f32>,
}

impl ModelInfo {
    /// Whether the model has so many weights that it knows more names and longer texts than the embedded one: what
    /// suits it was measured with models of 0.5 and 1.5 billion weights, what suits smaller ones with the embedded one.
    pub fn is_large(&self) -> bool {
        self.parameters >= LARGE
    }
}

/// Between the embedded model's 7 million weights and the 360 million of the smallest that people download.
const LARGE: usize = 100_000_000;

/// Metadata key of the mean natural log-probability of a suggestion's tokens from which enough of what is
/// shown is right to show it.
const LEAST_LOG_PROB: &str = "tabahead.gate.least_log_prob";

/// Weights, tokenizer and metadata: immutable, shared by engines.
#[derive(Debug)]
pub struct Model {
    info: ModelInfo,
    /// Or why there is none.
    vocabulary: Result<Vocabulary, String>,
    shape: Shape,
    pub(crate) embedding: Linear,
    pub(crate) layers: Vec<Layer>,
    pub(crate) output_norm: Vec<f32>,
    /// Absent when the embedding table serves.
    head: Option<Linear>,
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
        loading(&mut |_| (), |meter| {
            Self::read_gguf(Storage::memory(bytes, meter))
        })
    }

    /// Loads a GGUF file, or a directory with config.json and weights in safetensors files.
    ///
    /// # Errors
    /// As `from_bytes`, and when a file cannot be read.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        Self::open_with(path, &mut |_| ())
    }

    /// As [`Model::open`], telling which share of the work is done: some hundred times for a large
    /// model, never less than before, and 1 at the end.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(path: &Path, progress: &mut dyn FnMut(f32)) -> Result<Self, EngineError> {
        // The reason first: who shows one line cuts its end, and the path is known.
        let in_path = |reason: String| format!("{reason} ('{}')", path.display());
        let model = if path.is_dir() {
            loading(progress, |meter| Self::read_checkpoint(path, meter))
        } else if path
            .extension()
            .is_some_and(|ending| ending == "safetensors")
        {
            Err(refuse(
                "give the directory that holds this file and its config.json",
            ))
        } else {
            let file = File::open(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => refuse(format!(
                    "there is nothing at '{}'; give the path of a GGUF file",
                    path.display()
                )),
                _ => refuse(format!("cannot open '{}': {error}", path.display())),
            })?;
            loading(progress, |meter| {
                let storage = Storage::file(file, meter).map_err(unread)?;
                Self::read_gguf(storage)
            })
        };
        let mut model = model.map_err(|error| match error {
            EngineError::Model(reason) => refuse(in_path(reason)),
            other => other,
        })?;
        model.vocabulary = model.vocabulary.map_err(in_path);
        Ok(model)
    }

    /// Whether the model can complete code: that takes a tokenizer that is supported, and
    /// fill-in-the-middle tokens. Without them it still computes [`Model::logits`].
    ///
    /// # Errors
    /// `EngineError::Model` with one line that says what is missing.
    pub fn completes(&self) -> Result<(), EngineError> {
        self.spells()?;
        let has = |token| self.special(token).is_some();
        let fills = has(SpecialToken::Prefix) || has(SpecialToken::Middle);
        match has(SpecialToken::Suffix) && fills {
            true => Ok(()),
            false => Err(refuse(format!(
                "it can chat but not complete code: '{}' has no fill-in-the-middle tokens; choose a code model, for example Qwen2.5-Coder-1.5B",
                self.info.name
            ))),
        }
    }

    /// Whether text becomes tokens and tokens text.
    ///
    /// # Errors
    /// `EngineError::Model` with one line that says why there is no tokenizer to use.
    pub fn spells(&self) -> Result<(), EngineError> {
        match &self.vocabulary {
            Ok(_) => Ok(()),
            Err(reason) => Err(refuse(reason.clone())),
        }
    }

    /// What the metadata say.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Canonical tokens of a text; special tokens spelled in the text are plain text. None when
    /// the model does not spell, see [`Model::spells`].
    pub fn encode(&self, text: &str) -> Vec<TokenId> {
        match &self.vocabulary {
            Ok(vocabulary) => vocabulary.encode(text),
            Err(_) => Vec::new(),
        }
    }

    /// The bytes that a token spells; empty for special tokens, and when the model does not spell.
    pub fn token_bytes(&self, token: TokenId) -> &[u8] {
        match &self.vocabulary {
            Ok(vocabulary) => vocabulary.token_bytes(token),
            Err(_) => &[],
        }
    }

    /// The id of a special token, if the model has it.
    pub fn special(&self, token: SpecialToken) -> Option<TokenId> {
        self.vocabulary.as_ref().ok()?.special(token)
    }

    /// Number of tokens that have a score: rows of the embedding table.
    pub fn vocabulary_len(&self) -> usize {
        self.embedding.outputs()
    }

    /// Bytes of weights in memory.
    pub fn weight_bytes(&self) -> usize {
        let layers = self.layers.iter().map(Layer::bytes).sum::<usize>();
        let ends = [&self.embedding].into_iter().chain(&self.head);
        layers + ends.map(Linear::bytes).sum::<usize>()
    }

    /// Bytes of weights that are read to compute one token: all but an embedding table that is
    /// not the head as well, and but the lower halves of a head's bytes.
    pub fn bytes_per_step(&self) -> usize {
        self.layers.iter().map(Layer::bytes).sum::<usize>() + self.head().bytes_per_product()
    }

    /// Bytes of weights in a layer.
    pub(crate) fn layer_bytes(&self) -> usize {
        self.layers.first().map_or(0, Layer::bytes)
    }

    /// Layers: places where a pass can be left.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
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

        self.check_ids(tokens)?;
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

    /// Refuses what no sequence can begin with.
    pub(crate) fn check_tokens(&self, tokens: &[TokenId]) -> Result<(), EngineError> {
        self.spells()?;
        self.check_ids(tokens)
    }

    fn check_ids(&self, tokens: &[TokenId]) -> Result<(), EngineError> {
        if tokens.is_empty() {
            return Err(refuse("a prompt without tokens cannot be continued"));
        }
        match tokens
            .iter()
            .find(|&&token| token as usize >= self.vocabulary_len())
        {
            Some(token) => Err(refuse(format!("token {token} is beyond the vocabulary"))),
            None => Ok(()),
        }
    }

    /// How much copying adds.
    pub(crate) fn copying_rule(&self) -> &'static CopyingRule {
        CopyingRule::for_model(&self.info)
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The same model, with a letter for each token.
    #[cfg(test)]
    pub(crate) fn lettered(mut self) -> Self {
        self.vocabulary = Ok(Vocabulary::letters(self.vocabulary_len()));
        self
    }

    /// The tokens' spellings, for a sequence that has begun.
    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        let vocabulary = self.vocabulary.as_ref();
        vocabulary.expect("a sequence begins only with a model that spells")
    }

    pub(crate) fn head(&self) -> &Linear {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    fn read_gguf(storage: Storage) -> Result<Self, EngineError> {
        let mut file = GgufFile::read(Arc::new(storage))?;
        let stated = Stated::by_gguf(&file)?;
        let name = file.string("general.name").unwrap_or("unnamed").to_owned();
        let info = ModelInfo {
            id: String::new(),
            name,
            format: ModelFormat::Gguf,
            architecture: stated.architecture.name.to_owned(),
            context_tokens: stated.context,
            parameters: file.parameters(),
            tensor_types: file.types(),
            file_bytes: file.storage().length() as usize,
            pre_tokenizer: file
                .string("tokenizer.ggml.pre")
                .unwrap_or("none")
                .to_owned(),
            least_log_prob: file
                .float(LEAST_LOG_PROB)
                .filter(|least| least.is_finite() && *least <= 0.0),
        };
        let parts = metadata::take(&mut file);
        let (file, meter) = (&file, file.storage().meter());
        let hash = || identity::hash(file.storage());
        Self::assemble(file, meter, info, &stated, hash, |rows| {
            parts.and_then(|parts| Vocabulary::new(parts, rows))
        })
    }

    fn read_checkpoint(directory: &Path, meter: &Arc<Meter>) -> Result<Self, EngineError> {
        let checkpoint = Checkpoint::open(directory, meter)?;
        let stated = Stated::by_config(checkpoint.config())?;
        let name = identity::directory_name(directory);
        let info = ModelInfo {
            id: String::new(),
            name,
            format: ModelFormat::Safetensors,
            architecture: stated.architecture.name.to_owned(),
            context_tokens: stated.context,
            parameters: checkpoint.parameters(),
            tensor_types: checkpoint.types(),
            file_bytes: checkpoint.weight_file_bytes() as usize,
            pre_tokenizer: "none".to_owned(),
            least_log_prob: None,
        };
        let hash = || identity::hash_all(checkpoint.files());
        let mut model = Self::assemble(&checkpoint, meter, info, &stated, hash, |rows| {
            let tokenizer = checkpoint.tokenizer()?;
            let tokenizer = tokenizer.ok_or_else(|| refuse("there is no tokenizer.json"))?;
            Vocabulary::new(json::read(&tokenizer, rows, stops(&checkpoint)?)?, rows)
        })?;
        if let Ok(vocabulary) = &model.vocabulary {
            model.info.pre_tokenizer = vocabulary.pre_tokenizer().name().to_owned();
        }
        Ok(model)
    }

    /// Reads weights on all threads of the current pool but one, which makes the vocabulary and the
    /// identity first.
    fn assemble(
        source: &impl TensorSource,
        meter: &Meter,
        mut info: ModelInfo,
        stated: &Stated,
        hash: impl FnOnce() -> io::Result<u64> + Send,
        vocabulary: impl FnOnce(usize) -> Result<Vocabulary, EngineError> + Send,
    ) -> Result<Self, EngineError> {
        let shape = Shape::new(stated, source)?;
        let (rows, _) = source.shape("token_embd.weight")?;
        if rows > MOST_TOKENS {
            return Err(refuse(format!(
                "a vocabulary of {rows} tokens is too large"
            )));
        }
        // All memory is taken before the vocabulary gives any back: to the C library's allocator, a
        // large piece that is given back is a sign to keep pieces of that size, and it would keep
        // more than it gives out.
        let mut weights = Weights::reserve(source, stated, &shape, rows)?;
        // The vocabulary takes about so long as to read a part of the weights.
        let share = meter.expected() / VOCABULARY_SHARE;
        meter.expect(share);
        let others = || {
            let vocabulary = vocabulary(rows);
            meter.advance(share);
            (vocabulary, hash())
        };
        let ((vocabulary, hash), read) = rayon::join(others, || weights.read());
        read?;
        let hash = hash.map_err(unread)?;
        info.id = format!("{}-{hash:016x}", info.name);
        let vocabulary = vocabulary.map_err(|error| match error {
            EngineError::Model(reason) => reason,
            other => other.to_string(),
        });
        let Weights {
            embedding,
            layers,
            output_norm,
            head,
        } = weights;
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

/// All weights of a model.
struct Weights {
    embedding: Linear,
    layers: Vec<Layer>,
    output_norm: Vec<f32>,
    head: Option<Linear>,
}

impl Weights {
    /// Takes memory for all weights, and reads the vectors.
    fn reserve(
        source: &impl TensorSource,
        stated: &Stated,
        shape: &Shape,
        rows: usize,
    ) -> Result<Self, EngineError> {
        let tied = stated
            .tied
            .unwrap_or_else(|| !source.has_tensor("output.weight"));
        let reserve =
            |name, role| Linear::reserve(source, name, rows, shape.width, role, |row| row);
        let embedding = reserve("token_embd", if tied { Role::Head } else { Role::Layer })?;
        let mut layers = Vec::new();
        for index in 0..stated.layers {
            layers.push(Layer::reserve(source, index, stated, shape)?);
        }
        if source.has_tensor(&format!("blk.{}.attn_norm.weight", stated.layers)) {
            return Err(refuse(format!(
                "there are more layers than the {} that are stated",
                stated.layers
            )));
        }
        let output_norm = vector(source, "output_norm.weight", shape.width)?;
        let head = match tied {
            true => None,
            false => Some(reserve("output", Role::Head)?),
        };
        Ok(Self {
            embedding,
            layers,
            output_norm,
            head,
        })
    }

    /// Reads all matrices.
    fn read(&mut self) -> Result<(), EngineError> {
        let ends = [&mut self.embedding].into_iter().chain(&mut self.head);
        let layers = self.layers.iter_mut().flat_map(Layer::matrices_mut);
        ends.chain(layers).try_for_each(Linear::read)
    }
}

/// Loads on threads of their own, one for each core, while the calling thread tells how far they
/// are.
fn loading(
    progress: &mut dyn FnMut(f32),
    load: impl FnOnce(&Arc<Meter>) -> Result<Model, EngineError> + Send,
) -> Result<Model, EngineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .thread_name(|_| "tabahead-load".to_owned())
        .num_threads(std::thread::available_parallelism().map_or(1, usize::from))
        .build()
        .map_err(|error| refuse(format!("threads cannot be started: {error}")))?;
    let (listener, told) = mpsc::channel();
    let mut model = None;
    let loaded = &mut model;
    pool.in_place_scope(|scope| {
        // What is loaded holds no meter, so that the channel ends with the work.
        scope.spawn(move |_| *loaded = Some(load(&Meter::new(Some(listener)))));
        let mut last = 0.0;
        for share in told {
            if share > last && share < 1.0 {
                last = share;
                progress(share);
            }
        }
    });
    let model = model.expect("the work was done, or its panic went on here")?;
    progress(1.0);
    Ok(model)
}

/// Tokens that a checkpoint's configuration names as ends of a text.
fn stops(checkpoint: &Checkpoint) -> Result<Vec<usize>, EngineError> {
    let generation = checkpoint.json("generation_config.json")?;
    let ends = [Some(checkpoint.config()), generation.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(|config| match &config["eos_token_id"] {
            serde_json::Value::Array(ids) => &ids[..],
            id => std::slice::from_ref(id),
        });
    Ok(ends
        .filter_map(|id| usize::try_from(id.as_u64()?).ok())
        .collect())
}
