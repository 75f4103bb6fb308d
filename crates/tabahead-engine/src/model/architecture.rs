//! Architectures of models: what their layers have, and what a file states of its model.
//!
//! `Family` of `tabahead-tokens` has the names of families and architectures. To add an
//! architecture, add it there, and what its layers have to [`LayerProperties::of`]. Biases need no
//! entry: they are used if a file has them. A part that no architecture has yet becomes a variant of
//! the kinds here; `layer` loads it as a value, and `pass/forward` matches on that value and knows
//! no architectures. Then give it a line in `tests/fixtures/make.py`, which compares it with
//! `transformers`.
//!
//! Knows GGUF metadata and config.json, but no tensors: nothing here is trusted before
//! `model/shape.rs` has compared it with them.

use serde_json::Value;
use tabahead_tokens::Architecture;

use crate::{EngineError, error::refuse, files::gguf::GgufFile};

/// What the layers of an architecture have. All have grouped attention with rotated queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerProperties {
    /// Order of the rows of queries and keys in GGUF files. Checkpoints of `transformers` always
    /// have halves.
    pub(crate) pairs_in_gguf: RotatedPairs,
    /// The norm before attention, before the feed-forward network, and before the head.
    pub(crate) norm: NormKind,
    /// The norm of each head of queries and keys, before it is rotated.
    pub(crate) head_norm: Option<NormKind>,
    /// The network after attention.
    pub(crate) feed_forward: FeedForwardKind,
}

/// Which two numbers of a head, of which `2 * half` are rotated, are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RotatedPairs {
    /// i and i + half
    Halves,
    /// 2i and 2i + 1
    Neighbours,
}

/// How a row is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormKind {
    /// By its root mean square; weights multiply the result.
    Rms,
}

/// What kind of network follows attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedForwardKind {
    /// One product, through the activation, is the gate of another.
    Gated(Activation),
}

/// The function between the products of a feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x * sigmoid(x)`
    Silu,
}

/// RMS norms and a network that SiLU gates, as in Llama.
const LLAMA_LAYER: LayerProperties = LayerProperties {
    pairs_in_gguf: RotatedPairs::Neighbours,
    norm: NormKind::Rms,
    head_norm: None,
    feed_forward: FeedForwardKind::Gated(Activation::Silu),
};

impl LayerProperties {
    fn of(architecture: Architecture) -> Self {
        match architecture {
            Architecture::Llama => LLAMA_LAYER,
            Architecture::Qwen2 => Self {
                pairs_in_gguf: RotatedPairs::Halves,
                ..LLAMA_LAYER
            },
            Architecture::Qwen3 => Self {
                pairs_in_gguf: RotatedPairs::Halves,
                head_norm: Some(NormKind::Rms),
                ..LLAMA_LAYER
            },
        }
    }
}

impl Activation {
    /// Returns the name in config.json.
    fn name(self) -> &'static str {
        match self {
            Self::Silu => "silu",
        }
    }
}

/// Returns the architecture of this name.
fn named(name: &str) -> Result<Architecture, EngineError> {
    Architecture::named(name).ok_or_else(|| {
        let names = Architecture::ALL.map(|known| format!("'{}'", known.name()));
        refuse(format!(
            "architecture '{name}' is not supported, only {} are",
            names.join(", ")
        ))
    })
}

/// Sizes and constants that a file states of its model.
#[derive(Debug)]
pub(crate) struct Stated {
    pub(crate) architecture: Architecture,
    /// What the layers have.
    pub(crate) layer: LayerProperties,
    /// Order of the rows of queries and keys.
    pub(crate) pairs: RotatedPairs,
    pub(crate) context: usize,
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    /// Number of dimensions of a head that are rotated.
    pub(crate) rotated: usize,
    pub(crate) feed_forward: usize,
    pub(crate) epsilon: f64,
    pub(crate) rope_base: f64,
    pub(crate) rope_scaling: RopeScaling,
    /// Whether the embedding table is the head, if the file states it.
    pub(crate) tied: Option<bool>,
}

/// How rotations are slowed down for contexts longer than those in training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RopeScaling {
    /// No scaling, or only by the tensor `rope_freqs.weight`.
    None,
    /// All frequencies are divided by one factor.
    Linear { factor: f64 },
    /// Long waves are slowed down by the factor, short ones not at all, those in between by
    /// something in between.
    Llama3 {
        factor: f64,
        low_frequency_factor: f64,
        high_frequency_factor: f64,
        original_context: f64,
    },
}

impl Stated {
    /// Reads what the metadata of a GGUF file state.
    pub(crate) fn by_gguf(file: &GgufFile) -> Result<Self, EngineError> {
        let name = file.string("general.architecture").unwrap_or("none");
        let architecture = named(name)?;
        let layer = LayerProperties::of(architecture);
        let key = |name: &str| format!("{}.{name}", architecture.name());
        let required = |name: &str| {
            let number = file.integer(&key(name)).filter(|&number| number > 0);
            number.ok_or_else(|| missing(&key(name)))
        };
        let width = required("embedding_length")?;
        let heads = required("attention.head_count")?;
        let optional = |name: &str| file.integer(&key(name));
        let head_width = optional("attention.key_length").unwrap_or(width / heads);
        let epsilon = key("attention.layer_norm_rms_epsilon");
        let scaling = file.string(&key("rope.scaling.type"));
        let factor = file
            .float(&key("rope.scaling.factor"))
            .or_else(|| file.float(&key("rope.scale_linear")))
            .map(f64::from);
        let scaling = match (scaling, factor) {
            // The older key comes without a type.
            (None, Some(_)) => "linear",
            (scaling, _) => scaling.unwrap_or("none"),
        };
        Ok(Self {
            architecture,
            layer,
            pairs: layer.pairs_in_gguf,
            context: required("context_length")?,
            layers: required("block_count")?,
            width,
            heads,
            kv_heads: optional("attention.head_count_kv").unwrap_or(heads),
            head_width,
            rotated: optional("rope.dimension_count").unwrap_or(head_width),
            feed_forward: required("feed_forward_length")?,
            epsilon: file
                .float(&epsilon)
                .ok_or_else(|| missing(&epsilon))?
                .into(),
            rope_base: file.float(&key("rope.freq_base")).unwrap_or(10000.0).into(),
            rope_scaling: match scaling {
                "none" => RopeScaling::None,
                "linear" => RopeScaling::Linear {
                    factor: factor.ok_or_else(|| missing(&key("rope.scaling.factor")))?,
                },
                other => return Err(unknown_scaling(other)),
            },
            tied: None,
        })
    }

    /// Reads what a config.json of `transformers` states. Missing keys have the same defaults as
    /// there.
    pub(crate) fn by_config(config: &Value) -> Result<Self, EngineError> {
        let name = config["model_type"].as_str().unwrap_or("none");
        let architecture = named(name)?;
        let layer = LayerProperties::of(architecture);
        refuse_unlike(config, layer)?;
        let optional = |key: &str| {
            let number = config[key].as_u64();
            number.and_then(|number| usize::try_from(number).ok())
        };
        let required = |key: &str| {
            let number = optional(key).filter(|&number| number > 0);
            number.ok_or_else(|| missing(&format!("{key} of config.json")))
        };
        let width = required("hidden_size")?;
        let heads = required("num_attention_heads")?;
        let head_width = optional("head_dim").unwrap_or(width / heads);
        // Newer files have all rope parameters in one place.
        let rope = match &config["rope_parameters"] {
            Value::Null => &config["rope_scaling"],
            rope => rope,
        };
        let base = rope["rope_theta"]
            .as_f64()
            .or_else(|| config["rope_theta"].as_f64());
        Ok(Self {
            architecture,
            layer,
            pairs: RotatedPairs::Halves,
            context: required("max_position_embeddings")?,
            layers: required("num_hidden_layers")?,
            width,
            heads,
            kv_heads: optional("num_key_value_heads").unwrap_or(heads),
            head_width,
            rotated: head_width,
            feed_forward: required("intermediate_size")?,
            epsilon: config["rms_norm_eps"].as_f64().unwrap_or(1e-6),
            rope_base: base.unwrap_or(10000.0),
            rope_scaling: RopeScaling::by_config(rope)?,
            tied: config["tie_word_embeddings"].as_bool(),
        })
    }
}

impl RopeScaling {
    fn by_config(rope: &Value) -> Result<Self, EngineError> {
        let number = |key: &str| {
            let number = rope[key].as_f64();
            number.ok_or_else(|| missing(&format!("{key} of the rope parameters in config.json")))
        };
        let kind = rope["rope_type"].as_str().or_else(|| rope["type"].as_str());
        match kind.unwrap_or("default") {
            "default" => Ok(Self::None),
            "linear" => Ok(Self::Linear {
                factor: number("factor")?,
            }),
            "llama3" => Ok(Self::Llama3 {
                factor: number("factor")?,
                low_frequency_factor: number("low_freq_factor")?,
                high_frequency_factor: number("high_freq_factor")?,
                original_context: number("original_max_position_embeddings")?,
            }),
            other => Err(unknown_scaling(other)),
        }
    }

    /// Returns the scaled frequency, in radians per position.
    pub(crate) fn scale(self, frequency: f64) -> f64 {
        match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 {
                factor,
                low_frequency_factor: low,
                high_frequency_factor: high,
                original_context,
            } => {
                let wave = std::f64::consts::TAU / frequency;
                let share = ((original_context / wave - low) / (high - low)).clamp(0.0, 1.0);
                frequency * ((1.0 - share) / factor + share)
            }
        }
    }
}

/// Rejects a configuration that requires arithmetic that layers with these properties do not do.
fn refuse_unlike(config: &Value, layer: LayerProperties) -> Result<(), EngineError> {
    let FeedForwardKind::Gated(activation) = layer.feed_forward;
    let (stated, known) = (config["hidden_act"].as_str(), activation.name());
    if let Some(other) = stated.filter(|&stated| stated != known) {
        return Err(refuse(format!(
            "activation '{other}' is not supported, only '{known}' is"
        )));
    }
    if !config["quantization_config"].is_null() {
        return Err(refuse(
            "quantised checkpoints are not supported; choose one in BF16, F16 or F32, or a GGUF file",
        ));
    }
    let layer_types = config["layer_types"].as_array();
    let all_full = layer_types.is_none_or(|types| {
        let mut types = types.iter();
        types.all(|layer| layer == "full_attention")
    });
    if config["use_sliding_window"] == true || !all_full {
        return Err(refuse("sliding-window attention is not supported"));
    }
    let rope = &config["rope_parameters"];
    let partly = [config, rope]
        .iter()
        .any(|place| place["partial_rotary_factor"].as_f64().unwrap_or(1.0) != 1.0);
    if partly {
        return Err(refuse("partly rotated heads are not supported"));
    }
    // If layers differ, each kind of layer has its own parameters.
    let nested = rope.as_object().is_some_and(|rope| {
        let mut values = rope.values();
        values.any(Value::is_object)
    });
    if nested {
        return Err(refuse(
            "layers with rotations of their own are not supported",
        ));
    }
    Ok(())
}

fn missing(key: &str) -> EngineError {
    refuse(format!("{key} is missing"))
}

fn unknown_scaling(name: &str) -> EngineError {
    refuse(format!(
        "position scaling '{name}' is not supported, only 'linear' and 'llama3' are"
    ))
}
