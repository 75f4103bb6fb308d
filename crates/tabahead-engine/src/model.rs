//! A loaded model: weights, tokenizer and what its files state.
//!
//! Immutable. Loading compares every size with the files; no memory is allocated for a size that a
//! file merely states. A model without a usable tokenizer loads, too: it computes, but does not
//! complete. `architecture` has what differs between families of models.
//!
//! Uses `files`, `arithmetic` and `vocabulary`; `pass` computes with the weights.

pub(crate) mod architecture;
mod identity;
pub(crate) mod layer;
pub(crate) mod shape;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io,
    path::Path,
    sync::{Arc, mpsc},
};

use tabahead_tokens::{Marker, TokenId};

use crate::{
    EngineError,
    arithmetic::{linear::Linear, tiles::Role},
    error::{ModelFault, refuse, unread},
    files::{
        checkpoint::Checkpoint,
        gguf::GgufFile,
        is_named_pipe,
        storage::{Meter, Storage},
        tensors::TensorSource,
    },
    model::{
        architecture::Stated,
        layer::{Layer, Norm},
        shape::Shape,
    },
    vocabulary::{Vocabulary, json, metadata},
};

/// Maximum number of rows of an embedding table; some hundred thousand are usual. A vocabulary
/// takes more memory than narrow rows take in their file.
const MOST_TOKENS: usize = 1 << 22;

/// Minimum number of tokens of a context in which code is completed. In a smaller one there is no room
/// for the line at the cursor and an answer: each request would be refused, and nothing would ever be
/// shown.
const LEAST_CONTEXT: usize = 64;

/// Divisor for the progress: building the vocabulary counts like reading this part of the files.
const VOCABULARY_SHARE: u64 = 16;

/// File format of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFormat {
    /// One GGUF file.
    Gguf,
    /// A directory with config.json and weights in safetensors files.
    Safetensors,
}

impl ModelFormat {
    /// Returns the format's name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Safetensors => "safetensors",
        }
    }
}

/// The properties of a model that its files state.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// The name and a hash of the files: the model's identity in every cache key.
    pub id: String,
    /// Display name: `general.name`, or the directory's name.
    pub name: String,
    /// Format of the files.
    pub format: ModelFormat,
    /// `llama`, `qwen2` or `qwen3`.
    pub architecture: String,
    /// Maximum number of tokens in the context.
    pub context_tokens: usize,
    /// Number of weights.
    pub parameters: usize,
    /// Number of tensors by type: `q8_0`, `f32`, …
    pub tensor_types: BTreeMap<String, usize>,
    /// Size of the file, or of all files with weights, in bytes.
    pub file_bytes: usize,
    /// `tokenizer.ggml.pre`, or the pre-tokenizer recognised in tokenizer.json; `none` if there is
    /// none.
    pub pre_tokenizer: String,
    /// `tabahead.gate.least_log_prob`, if the file has a usable one.
    pub least_log_prob: Option<f32>,
}

impl ModelInfo {
    /// Returns whether the model is so large that it knows more names and longer texts than the
    /// embedded one. Settings for large models were measured with models of 0.5 and 1.5 billion
    /// weights, those for smaller ones with the embedded model.
    pub fn is_large(&self) -> bool {
        self.parameters >= LARGE
    }
}

/// Minimum number of weights of a large model, between the embedded model's 7 million and the 360
/// million of the smallest model that people download.
const LARGE: usize = 100_000_000;

/// Metadata key of the mean natural log-probability of a suggestion's tokens from which on enough
/// of the shown suggestions are right to show them.
const LEAST_LOG_PROB: &str = "tabahead.gate.least_log_prob";

/// Weights, tokenizer and metadata; immutable and shared by engines.
#[derive(Debug)]
pub struct Model {
    info: ModelInfo,
    /// The vocabulary, or why there is none.
    vocabulary: Result<Vocabulary, ModelFault>,
    pub(crate) embedding: Linear,
    /// Rotation per position of each rotated pair of queries and keys, in radians; the same in all
    /// layers.
    pub(crate) frequencies: Vec<f64>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) output_norm: Norm,
    /// The output matrix; absent if the embedding table serves as the head.
    head: Option<Linear>,
}

impl Model {
    /// Loads a GGUF file held in memory.
    ///
    /// The weights are copied into the order in which the processor reads them; the bytes are not
    /// kept.
    ///
    /// # Errors
    /// `EngineError::Unreadable` or `EngineError::Refused`, with what is wrong with the file.
    pub fn from_bytes(bytes: Cow<'static, [u8]>) -> Result<Self, EngineError> {
        loading(&mut |_| (), |meter| {
            Self::read_gguf(Storage::memory(bytes, meter))
        })
    }

    /// Loads a GGUF file, or a directory with config.json and weights in safetensors files.
    ///
    /// # Errors
    /// Those of `from_bytes`, and when a file cannot be read.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        Self::open_with(path, &mut |_| ())
    }

    /// Does the same as [`Model::open`] and reports which share of the work is done: some hundred
    /// times for a large model, never less than before, and 1 at the end.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open_with(path: &Path, progress: &mut dyn FnMut(f32)) -> Result<Self, EngineError> {
        // The reason comes first: a client that shows one line cuts off its end, and the path is
        // known.
        let in_path = |fault: &ModelFault| format!("{fault} ('{}')", path.display());
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
            // Opening one may wait for a writer without end.
            if is_named_pipe(path) {
                let path = path.display();
                return Err(refuse(format!("'{path}' is a pipe; give a file")));
            }
            let file = File::open(path).map_err(|error| {
                let path = path.display();
                let reason = match error.kind() {
                    io::ErrorKind::NotFound => {
                        format!("there is nothing at '{path}'; give the path of a GGUF file")
                    }
                    _ => format!("cannot open '{path}': {error}"),
                };
                EngineError::Unreadable(ModelFault::new(&reason))
            })?;
            loading(progress, |meter| {
                let storage = Storage::file(file, meter).map_err(unread)?;
                Self::read_gguf(storage)
            })
        };
        let mut model = model.map_err(|error| error.reworded(in_path))?;
        model.vocabulary = model
            .vocabulary
            .map_err(|fault| ModelFault::new(&in_path(&fault)));
        Ok(model)
    }

    /// Reports whether the model can complete code. That takes a supported tokenizer,
    /// fill-in-the-middle tokens, and a context that holds a few lines. Without them the model
    /// still computes [`Model::logits`].
    ///
    /// # Errors
    /// `EngineError::Refused` with one line that states what is missing.
    pub fn completes(&self) -> Result<(), EngineError> {
        self.spells()?;
        let context = self.info.context_tokens;
        if context < LEAST_CONTEXT {
            return Err(refuse(format!(
                "its context of {context} tokens is too short to complete code; it takes at least {LEAST_CONTEXT}"
            )));
        }
        let has = |marker| self.marker(marker).is_some();
        let fills = has(Marker::Prefix) || has(Marker::Middle);
        if has(Marker::Suffix) && fills {
            Ok(())
        } else {
            Err(refuse(format!(
                "it can chat but not complete code: '{}' has no fill-in-the-middle tokens; choose a code model, for example Qwen2.5-Coder-1.5B",
                self.info.name
            )))
        }
    }

    /// Reports whether the model can turn text into tokens and tokens into text.
    ///
    /// # Errors
    /// `EngineError::Refused` with one line that states why there is no usable tokenizer.
    pub fn spells(&self) -> Result<(), EngineError> {
        match &self.vocabulary {
            Ok(_) => Ok(()),
            Err(fault) => Err(EngineError::Refused(fault.clone())),
        }
    }

    /// Returns what the metadata state.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Returns the canonical tokens of a text; special tokens spelled in the text are plain text.
    /// Empty if the model does not spell, see [`Model::spells`].
    pub fn encode(&self, text: &str) -> Vec<TokenId> {
        match &self.vocabulary {
            Ok(vocabulary) => vocabulary.encode(text),
            Err(_) => Vec::new(),
        }
    }

    /// Returns the bytes that a token spells; empty for special tokens, and if the model does not
    /// spell.
    pub fn token_bytes(&self, token: TokenId) -> &[u8] {
        match &self.vocabulary {
            Ok(vocabulary) => vocabulary.token_bytes(token),
            Err(_) => &[],
        }
    }

    /// Returns the id of a marker, if the model has it.
    pub fn marker(&self, marker: Marker) -> Option<TokenId> {
        self.vocabulary.as_ref().ok()?.marker(marker)
    }

    /// Returns the id of the token that comes before every text, if the model's files ask for one.
    pub fn begin_token(&self) -> Option<TokenId> {
        self.vocabulary.as_ref().ok()?.begin()
    }

    /// Returns the number of tokens that have logits: the rows of the embedding table.
    pub fn vocabulary_len(&self) -> usize {
        self.embedding.outputs()
    }

    /// Returns the size of the weights in memory, in bytes.
    pub fn weight_bytes(&self) -> usize {
        let layers = self.layers.iter().map(Layer::bytes).sum::<usize>();
        let ends = [&self.embedding].into_iter().chain(&self.head);
        layers + ends.map(Linear::bytes).sum::<usize>()
    }

    /// Returns the number of bytes of weights that are read to compute one token: all except an
    /// embedding table that is not also the head, and the lower halves of a head's bytes.
    pub fn bytes_per_step(&self) -> usize {
        self.layers.iter().map(Layer::bytes).sum::<usize>() + self.head().bytes_per_product()
    }

    /// Returns the size of the largest layer's weights in bytes.
    pub(crate) fn layer_bytes(&self) -> usize {
        self.layers.iter().map(Layer::bytes).max().unwrap_or(0)
    }

    /// Returns the number of layers, between which a pass can be interrupted.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }

    /// Rejects tokens that no sequence can begin with.
    pub(crate) fn check_tokens(&self, tokens: &[TokenId]) -> Result<(), EngineError> {
        self.spells()?;
        self.check_ids(tokens)
    }

    /// Rejects tokens that have no embedding.
    pub(crate) fn check_ids(&self, tokens: &[TokenId]) -> Result<(), EngineError> {
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

    /// Returns the number of numbers in a row, between layers.
    pub(crate) fn width(&self) -> usize {
        self.embedding.inputs()
    }

    /// Returns the same model with a letter for each token.
    #[cfg(test)]
    pub(crate) fn lettered(mut self) -> Self {
        self.vocabulary = Ok(Vocabulary::letters(self.vocabulary_len()));
        self
    }

    /// Returns the vocabulary, for a sequence that has begun.
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
            architecture: stated.architecture.name().to_owned(),
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
            architecture: stated.architecture.name().to_owned(),
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

    /// Reads the weights on all threads of the current pool except one, which first builds the
    /// vocabulary and the identity.
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
        // All memory is reserved before the vocabulary frees any. The C library's allocator takes a
        // large freed piece as a sign to keep pieces of that size, and it would keep more than it
        // gives out.
        let mut weights = ModelWeights::reserve(source, stated, &shape, rows)?;
        // Building the vocabulary takes about as long as reading this share of the weights.
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
            EngineError::Unreadable(fault) | EngineError::Refused(fault) => fault,
            other => ModelFault::new(&other.to_string()),
        });
        let ModelWeights {
            embedding,
            layers,
            output_norm,
            head,
        } = weights;
        Ok(Self {
            info,
            vocabulary,
            embedding,
            frequencies: shape.frequencies,
            layers,
            output_norm,
            head,
        })
    }
}

/// All weights of a model.
struct ModelWeights {
    embedding: Linear,
    layers: Vec<Layer>,
    output_norm: Norm,
    head: Option<Linear>,
}

impl ModelWeights {
    /// Reserves memory for all weights and reads the vectors.
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
        let (mut layers, mut keys_before) = (Vec::new(), 0);
        for index in 0..stated.layers {
            let layer = Layer::reserve(source, index, stated, shape, keys_before)?;
            keys_before += layer.attention.heads.kv_width();
            layers.push(layer);
        }
        if source.has_tensor(&format!("blk.{}.attn_norm.weight", stated.layers)) {
            return Err(refuse(format!(
                "there are more layers than the {} that are stated",
                stated.layers
            )));
        }
        let (kind, epsilon) = (stated.layer.norm, shape.epsilon);
        let output_norm = Norm::read(source, "output_norm", shape.width, kind, epsilon)?;
        let head = if tied {
            None
        } else {
            Some(reserve("output", Role::Head)?)
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

/// Loads on a thread pool of its own, one thread per core, while the calling thread reports the
/// progress.
fn loading(
    progress: &mut dyn FnMut(f32),
    load: impl FnOnce(&Arc<Meter>) -> Result<Model, EngineError> + Send,
) -> Result<Model, EngineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .thread_name(|_| "tabahead-load".to_owned())
        .num_threads(std::thread::available_parallelism().map_or(1, usize::from))
        .build()
        .map_err(|error| refuse(format!("threads cannot be started: {error}")))?;
    let (listener, shares) = mpsc::channel();
    let mut model = None;
    let loaded = &mut model;
    pool.in_place_scope(|scope| {
        // The loaded model holds no meter, so the channel closes when the work ends.
        scope.spawn(move |_| *loaded = Some(load(&Meter::new(Some(listener)))));
        let mut last = 0.0;
        for share in shares {
            if share > last && share < 1.0 {
                last = share;
                progress(share);
            }
        }
    });
    let model = model.expect("the work was done, or its panic was resumed here")?;
    progress(1.0);
    Ok(model)
}

/// Returns the tokens that a checkpoint's configuration names as ends of a text.
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
