//! Reads checkpoints as `transformers` saves them: a directory with config.json, weights in
//! safetensors files and perhaps tokenizer.json.
//!
//! Tensors are requested by their GGUF names. Invariant, as in `gguf`: no size stated by a file is
//! trusted before it is compared with the file's length. Knows nothing of models.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::quantized::GgmlDType;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::Value;

use crate::{
    EngineError,
    error::refuse,
    files::{
        storage::{Meter, Storage},
        tensors::{RawTensor, TensorSource, expect_shape},
    },
};

/// Maximum size of a configuration or index that is read. A configuration takes some kilobytes, an
/// index some hundred.
const LONGEST_CONFIGURATION: u64 = 16 << 20;

/// Maximum size of a tokenizer.json that is read; they take some ten megabytes.
const LONGEST_TOKENIZER: u64 = 128 << 20;

/// Maximum size of a safetensors header; headers take some hundred bytes per tensor.
const LONGEST_HEADER: u64 = 32 << 20;

/// Names of the parts of a layer in GGUF and in checkpoints.
const LAYER_PARTS: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// An open checkpoint. Its headers are read; each tensor is read when it is laid out.
pub(crate) struct Checkpoint {
    directory: PathBuf,
    config: Value,
    shards: Vec<Shard>,
    /// Tensors by their names in the checkpoint.
    tensors: HashMap<String, TensorLocation>,
}

/// One file of weights.
struct Shard {
    name: String,
    storage: Arc<Storage>,
}

/// Location of a tensor: its shard, and where the data of that file begin.
struct TensorLocation {
    shard: usize,
    data: u64,
    info: TensorInfo,
}

impl Checkpoint {
    /// Reads the configuration and the headers; `meter` counts what is read of the weights.
    pub(crate) fn open(directory: &Path, meter: &Arc<Meter>) -> Result<Self, EngineError> {
        let config = json(directory, "config.json")?
            .ok_or_else(|| refuse("a directory without config.json holds no model"))?;
        let mut checkpoint = Self {
            directory: directory.to_owned(),
            config,
            shards: Vec::new(),
            tensors: HashMap::new(),
        };
        for name in shard_names(directory)? {
            checkpoint.add_shard(name, meter)?;
        }
        Ok(checkpoint)
    }

    pub(crate) fn config(&self) -> &Value {
        &self.config
    }

    /// Reads another configuration file, if there is one.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Value>, EngineError> {
        json(&self.directory, name)
    }

    /// Reads tokenizer.json, if there is one.
    pub(crate) fn tokenizer(&self) -> Result<Option<Vec<u8>>, EngineError> {
        bytes_of(&self.directory, "tokenizer.json", LONGEST_TOKENIZER)
    }

    pub(crate) fn weight_file_bytes(&self) -> u64 {
        let lengths = self.shards.iter().map(|shard| shard.storage.length());
        lengths.sum()
    }

    /// Opens again all files that define the model.
    pub(crate) fn files(&self) -> impl Iterator<Item = File> {
        let others = ["config.json", "generation_config.json", "tokenizer.json"];
        let shards = self.shards.iter().map(|shard| shard.name.as_str());
        let names = others.into_iter().chain(shards);
        names.filter_map(|name| File::open(self.directory.join(name)).ok())
    }

    fn add_shard(&mut self, name: String, meter: &Arc<Meter>) -> Result<(), EngineError> {
        let of_shard =
            |error: io::Error| refuse(format!("'{name}' cannot be read: {}", one_line(&error)));
        let file = File::open(self.directory.join(&name)).map_err(of_shard)?;
        let storage = Arc::new(Storage::file(file, meter).map_err(of_shard)?);
        let (data, metadata) = header(&storage)
            .map_err(|reason| refuse(format!("'{name}' is no safetensors file: {reason}")))?;
        for (tensor, info) in metadata.tensors() {
            let location = TensorLocation {
                shard: self.shards.len(),
                data,
                info: info.clone(),
            };
            if self.tensors.insert(tensor.clone(), location).is_some() {
                return Err(refuse(format!("tensor '{tensor}' is in two files")));
            }
        }
        meter.advance(data);
        self.shards.push(Shard { name, storage });
        Ok(())
    }

    fn location(&self, name: &str) -> Result<&TensorLocation, EngineError> {
        let name = name_here(name);
        let location = self.tensors.get(&name);
        location.ok_or_else(|| refuse(format!("tensor '{name}' is missing")))
    }
}

impl TensorSource for Checkpoint {
    fn has_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(&name_here(name))
    }

    fn shape(&self, name: &str) -> Result<(usize, usize), EngineError> {
        match self.location(name)?.info.shape[..] {
            [columns] => Ok((1, columns)),
            [rows, columns] => Ok((rows, columns)),
            ref sizes => Err(refuse(format!(
                "tensor '{}' has shape {sizes:?}",
                name_here(name)
            ))),
        }
    }

    fn tensor(&self, name: &str, rows: usize, columns: usize) -> Result<RawTensor, EngineError> {
        let here = name_here(name);
        expect_shape(&here, self.shape(name)?, (rows, columns))?;
        let TensorLocation { shard, data, info } = self.location(name)?;
        // The offsets were checked against shape and type, and against the file's length.
        let (start, end) = info.data_offsets;
        let dtype = match info.dtype {
            Dtype::F32 => GgmlDType::F32,
            Dtype::F16 => GgmlDType::F16,
            Dtype::BF16 => GgmlDType::BF16,
            other => {
                return Err(refuse(format!(
                    "tensor '{here}' holds {other}, only F32, F16 and BF16 are supported"
                )));
            }
        };
        if start == end {
            return Err(refuse(format!("tensor '{here}' is empty")));
        }
        let storage = &self.shards[*shard].storage;
        Ok(RawTensor::new(dtype, columns, storage, data + start as u64))
    }

    fn parameters(&self) -> usize {
        let tensors = self.tensors.values();
        // The products of the header's shapes were checked.
        tensors
            .map(|location| location.info.shape.iter().product::<usize>())
            .fold(0, usize::saturating_add)
    }

    fn types(&self) -> BTreeMap<String, usize> {
        let mut types = BTreeMap::new();
        for location in self.tensors.values() {
            let name = location.info.dtype.to_string().to_lowercase();
            *types.entry(name).or_insert(0) += 1;
        }
        types
    }
}

/// Returns the checkpoint's name of a tensor.
fn name_here(name: &str) -> String {
    match name {
        "token_embd.weight" => return "model.embed_tokens.weight".to_owned(),
        "output_norm.weight" => return "model.norm.weight".to_owned(),
        "output.weight" => return "lm_head.weight".to_owned(),
        _ => {}
    }
    let in_layer = || {
        let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
        let (part, kind) = rest.rsplit_once('.')?;
        let (_, here) = LAYER_PARTS.iter().find(|(gguf, _)| *gguf == part)?;
        Some(format!("model.layers.{layer}.{here}.{kind}"))
    };
    in_layer().unwrap_or_else(|| name.to_owned())
}

/// Returns the names of the weight files, sorted.
fn shard_names(directory: &Path) -> Result<BTreeSet<String>, EngineError> {
    const SINGLE: &str = "model.safetensors";
    const INDEX: &str = "model.safetensors.index.json";

    if directory.join(SINGLE).exists() {
        return Ok(BTreeSet::from([SINGLE.to_owned()]));
    }
    let index = json(directory, INDEX)?
        .ok_or_else(|| refuse(format!("there is neither {SINGLE} nor {INDEX}")))?;
    let map = index["weight_map"]
        .as_object()
        .ok_or_else(|| refuse(format!("{INDEX} has no weight_map")))?;
    let names = map.values().map(|name| {
        name.as_str()
            // Only a file next to the index is allowed.
            .filter(|name| Path::new(name).file_name() == Some(name.as_ref()))
            .map(str::to_owned)
            .ok_or_else(|| refuse(format!("{INDEX} names {name}, which is no file of its own")))
    });
    names.collect()
}

/// Returns where the data of a safetensors file begin, and its parsed header.
fn header(storage: &Storage) -> Result<(u64, Metadata), String> {
    let unreadable = |error: io::Error| one_line(&error);
    let bytes = storage.length();
    let mut length = [0; 8];
    storage.copy(0, &mut length).map_err(unreadable)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER || length > bytes - 8 {
        return Err(format!(
            "a header of {length} bytes in a file of {bytes} bytes"
        ));
    }
    let mut header = vec![0; length as usize];
    storage.copy(8, &mut header).map_err(unreadable)?;
    // Parsing checks offsets, shapes and types against each other.
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| one_line(&error))?;
    let stated = metadata.data_len() as u64;
    let found = bytes - 8 - length;
    if stated == found {
        Ok((8 + length, metadata))
    } else {
        Err(format!(
            "its tensors take {stated} bytes, the file has {found} for them"
        ))
    }
}

fn json(directory: &Path, name: &str) -> Result<Option<Value>, EngineError> {
    let Some(bytes) = bytes_of(directory, name, LONGEST_CONFIGURATION)? else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&bytes)
        .map_err(|error| refuse(format!("{name} is not JSON: {}", one_line(&error))))?;
    Ok(Some(value))
}

fn bytes_of(directory: &Path, name: &str, longest: u64) -> Result<Option<Vec<u8>>, EngineError> {
    let unreadable =
        |error: io::Error| refuse(format!("{name} cannot be read: {}", one_line(&error)));
    let file = match File::open(directory.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(longest + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > longest {
        Err(refuse(format!("{name} is too long")))
    } else {
        Ok(Some(bytes))
    }
}

fn one_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
