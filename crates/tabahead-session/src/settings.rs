//! The settings of the server: one struct, and how its sources are layered.
//!
//! Does not know where a layer came from: the binary reads the file, the LSP front passes on what
//! the editor sent. A later layer wins key by key. An unknown key or an unusable value is refused
//! by name, and everything else applies. If a rule that keeps text from the model cannot be read,
//! it turns off what it could mean: the language, the files of the rule, or, if even that cannot be
//! read, everything.

use std::{borrow::Cow, collections::BTreeMap, num::NonZeroUsize, sync::LazyLock};

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tabahead_backend::{KvPrecision, LocalSettings, ModelSource};
use tabahead_context::{ContextSettings, CutSettings};
use tabahead_speculation::{ComputedAhead, SpeculatorSettings};
use tabahead_text::quoted;

use crate::{folders::Folders, suitability::problem_of};

/// Name of the embedded model in the setting `model`; a file of that name is `./mini`.
pub const EMBEDDED: &str = "mini";

/// Every setting, with its default.
///
/// These are the names in the TOML file and in the editor's settings object, either nested
/// (`[speculation]`, `enabled = true`) or dotted (`"speculation.enabled": true`). The fields' docs and
/// bounds are what users read: [`Settings::schema`] has them, the table of README.md, Neovim's help,
/// the VS Code extension's package.json and `tabahead config` are made from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The model: `mini` for the built-in one, or the path of a GGUF file or of a directory with
    /// config.json and safetensors (Llama, Qwen2 or Qwen3 architecture with fill-in-the-middle
    /// tokens). `~` is your home; a relative path counts from the folder of the configuration file,
    /// also in an editor's settings, and on the command line from the working directory.
    #[schemars(extend("order" = 0))]
    pub model: String,
    /// Number of threads that compute (1 to 1024); `0` chooses from the cores of this machine.
    #[schemars(range(max = 1024), extend("order" = 1))]
    pub threads: usize,
    /// Maximum length of a suggestion, in tokens of the model (1 to 1024); never more than half of
    /// what the model reads at once.
    #[schemars(range(min = 1, max = 1024), extend("order" = 2))]
    pub max_tokens: usize,
    /// Where two tokens are nearly equally likely, decode a few tokens after each and keep the one
    /// with the likelier line. More suggestions are right, for somewhat more computing.
    #[schemars(extend("order" = 3))]
    pub lookahead: bool,
    /// How much of the file the model reads.
    pub context: WindowSettings,
    /// Computing suggestions ahead.
    pub speculation: SpeculationSettings,
    /// The cache of answers.
    pub cache: CacheSettings,
    /// The engine's KV cache.
    pub kv: KvSettings,
    /// When to stay silent.
    pub gate: GateSettings,
    /// Copying from the edited file and the other open ones.
    pub copying: CopyingSettings,
    /// Number of other suggestions that are added when you ask for suggestions (0 to 8); an editor
    /// cycles through them.
    #[schemars(range(max = 8), extend("order" = 4))]
    pub alternatives: usize,
    /// Whether an editor that cannot show suggestions inline gets them in its completion menu.
    #[schemars(extend("order" = 5))]
    pub completion_menu: bool,
    /// On or off by language, such as `{ markdown = false }`; `*` is for all that are not named.
    /// Common aliases work, such as `sh` and `bash` for `shellscript`.
    #[schemars(extend("order" = 6))]
    pub languages: BTreeMap<String, bool>,
    /// On or off by path, such as `[{ glob = "generated", enabled = false }]`: a folder with all
    /// that is in it, a name, a pattern, or the whole path, with `~` for your home; the last rule that
    /// matches decides. Files that look like secrets are always off. See docs/privacy.md.
    #[schemars(extend("order" = 7))]
    pub paths: Vec<PathRule>,
}

/// How much of the file the model reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WindowSettings {
    /// Maximum number of bytes before the cursor's line that the model reads (256 to 65536). Unset:
    /// chosen by the model's size. A larger window can help, but makes jumps slower.
    #[schemars(range(min = 256, max = 65536), extend("order" = 13))]
    pub prefix_bytes: Option<usize>,
    /// Maximum number of bytes after the cursor's line that the model reads (0 to 65536). Unset:
    /// chosen by the model's size.
    #[schemars(range(max = 65536), extend("order" = 14))]
    pub suffix_bytes: Option<usize>,
}

/// Computing suggestions ahead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpeculationSettings {
    /// Whether suggestions are computed ahead. This affects latency, never content.
    #[schemars(extend("order" = 8))]
    pub enabled: bool,
    /// Number of accepts that are computed ahead (0 to 32).
    #[schemars(range(max = 32), extend("order" = 9))]
    pub depth: usize,
}

/// The cache of answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Maximum size of the computed suggestions that are kept, in bytes; the least recently used go
    /// first.
    #[schemars(extend("order" = 10))]
    pub bytes: usize,
}

/// The engine's KV cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KvSettings {
    /// Maximum size of the keys and values that are kept for text that the model has read, in
    /// bytes. Text that is not there has to be read again.
    #[schemars(extend("order" = 11))]
    pub bytes: usize,
    /// Precision of keys and values: `f16`, or `f32`, which takes twice the memory.
    #[schemars(extend("order" = 12))]
    pub precision: Precision,
}

/// Precision of stored numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Two bytes per number.
    #[default]
    F16,
    /// Four bytes per number.
    F32,
}

impl Precision {
    /// Both precisions.
    pub const ALL: [Self; 2] = [Self::F16, Self::F32];
}

// Derived, its schema would have a description for each value, which editors do not show.
impl JsonSchema for Precision {
    fn schema_name() -> Cow<'static, str> {
        "Precision".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": Self::ALL})
    }
}

/// When to stay silent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateSettings {
    /// Mean natural log-probability per token below which nothing is shown, such as `-1.5`. Nearer
    /// to `0` shows fewer and better suggestions, `-100` all; unset, the model's file decides.
    #[schemars(extend("order" = 17))]
    pub least_log_prob: Option<f64>,
    /// The same threshold where the model's first choice is to stop. `0` shows nothing there, `-100`
    /// everything.
    #[schemars(extend("order" = 18))]
    pub least_log_prob_at_end: f64,
}

/// Copying from the edited file and the other open ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CopyingSettings {
    /// Whether suggestions copy from similar text elsewhere in the file.
    #[schemars(extend("order" = 15))]
    pub enabled: bool,
    /// Whether suggestions also copy from the other open files, except files that get no
    /// suggestions, such as secrets.
    #[schemars(extend("order" = 16))]
    pub open_files: bool,
}

/// On or off for the paths that a glob matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathRule {
    /// A pattern for a path or a part of one: with a leading `/` or drive it matches the whole
    /// path, otherwise any part of it. `*`, `?`, `[ab]` and `{a,b}` mean the same as in shells,
    /// `**` between slashes matches any folders, and `~` is the home. A pattern that matches a
    /// folder also applies to what is in it; for a rule that turns on, only if the pattern does not
    /// end with a wildcard.
    pub glob: String,
    /// Whether suggestions are made there.
    pub enabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: EMBEDDED.to_owned(),
            threads: 0,
            max_tokens: 64,
            lookahead: true,
            context: WindowSettings::default(),
            speculation: SpeculationSettings::default(),
            cache: CacheSettings::default(),
            kv: KvSettings::default(),
            gate: GateSettings::default(),
            copying: CopyingSettings::default(),
            alternatives: 2,
            completion_menu: true,
            languages: BTreeMap::new(),
            paths: Vec::new(),
        }
    }
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            least_log_prob: None,
            least_log_prob_at_end: LEAST_LOG_PROB_AT_END,
        }
    }
}

impl Default for CopyingSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            open_files: true,
        }
    }
}

impl Default for SpeculationSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            depth: 3,
        }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { bytes: 16 << 20 }
    }
}

impl Default for KvSettings {
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            precision: Precision::default(),
        }
    }
}

/// Maximum number of characters of a key in a message.
const LONGEST_KEY: usize = 80;

/// Maximum number of characters of a problem in a message: it may quote the value.
const LONGEST_PROBLEM: usize = 240;

/// Why settings were refused. The text is one short line, whatever the key or the value contains.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An unknown key.
    #[error("unknown setting '{}'{}", quoted(.key, LONGEST_KEY), did_you_mean(.meant))]
    Unknown {
        /// The key, dotted.
        key: String,
        /// The most similar key that exists.
        meant: Option<String>,
    },
    /// A value that cannot be used.
    #[error("setting '{}' cannot be used: {}", quoted(.key, LONGEST_KEY), quoted(.problem, LONGEST_PROBLEM))]
    Invalid {
        /// The key, dotted.
        key: String,
        /// What is wrong with the value.
        problem: String,
    },
    /// A rule of `paths` that cannot be used.
    #[error("setting 'paths' cannot be used: rule {number}: {}", quoted(.problem, LONGEST_PROBLEM))]
    Rule {
        /// The rule's number in the list, counted from 1.
        number: usize,
        /// What is wrong with the rule.
        problem: String,
    },
}

impl SettingsError {
    /// Returns the dotted key of the setting.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { key, .. } | Self::Invalid { key, .. } => key,
            Self::Rule { .. } => "paths",
        }
    }

    /// Returns the number of the rule of `paths`, counted from 1.
    pub fn rule(&self) -> Option<usize> {
        match self {
            Self::Rule { number, .. } => Some(*number),
            Self::Unknown { .. } | Self::Invalid { .. } => None,
        }
    }

    /// Builds the error for a rule of `paths` that cannot be used.
    pub(crate) fn of_rule(number: usize, glob: &str, problem: &str) -> Self {
        Self::Rule {
            number,
            problem: format!("the rule '{glob}' is not understood: {problem}"),
        }
    }
}

/// Settings as far as they can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadableSettings {
    /// The settings.
    pub settings: Settings,
    /// Refused settings: the number of the layer, and why.
    pub problems: Vec<(usize, SettingsError)>,
    /// Whether a refused setting may have been meant to keep any text from the model; until it is
    /// corrected, all text must be kept from it.
    pub is_closed: bool,
}

fn did_you_mean(meant: &Option<String>) -> String {
    meant
        .as_ref()
        .map(|key| format!("; did you mean '{key}'?"))
        .unwrap_or_default()
}

impl Settings {
    /// Merges layers over the defaults; the last one wins. `null` anywhere means "not set". Keys
    /// may be nested or dotted, and the whole may be below a `tabahead` key or prefix.
    ///
    /// # Errors The first unknown key or unusable value.
    pub fn resolve(layers: &[&Value]) -> Result<Self, SettingsError> {
        let readable = Self::readable(layers);
        match readable.problems.into_iter().next() {
            Some((_, problem)) => Err(problem),
            None => Ok(readable.settings),
        }
    }

    /// Merges layers like `resolve`, but skips and reports what cannot be used.
    pub fn readable(layers: &[&Value]) -> ReadableSettings {
        let mut merged = Self::default().to_value();
        let known = merged.clone();
        let mut problems = Vec::new();
        let mut is_closed = false;
        for (number, layer) in layers.iter().enumerate() {
            let mut reader = LayerReader::default();
            let layer = reader.nested(layer);
            let layer = reader.object(layer, &known, "");
            problems.extend(reader.problems.into_iter().map(|problem| (number, problem)));
            is_closed |= reader.is_closed;
            lay_over(&mut merged, layer);
        }
        let settings = serde_json::from_value(merged);
        ReadableSettings {
            settings: settings.expect("every value was tried by itself"),
            problems,
            is_closed,
        }
    }

    /// Returns whether an editor's settings, sent as a whole, contain no key of ours.
    pub fn are_of_others(value: &Value) -> bool {
        let known = Self::default().to_value();
        let is_ours = |key: &String| {
            let first = key.split('.').next().unwrap_or_default();
            first == "tabahead" || known.get(first).is_some()
        };
        let object = value.as_object().filter(|object| !object.is_empty());
        object.is_some_and(|object| !object.keys().any(is_ours))
    }

    /// Builds the settings of the local backend; `embedded` holds the weights of `mini`.
    ///
    /// # Errors When the folder to which the model's path is relative is unknown.
    pub fn local(
        &self,
        embedded: &'static [u8],
        folders: &Folders,
    ) -> Result<LocalSettings, SettingsError> {
        Ok(LocalSettings {
            model: match self.model.as_str() {
                EMBEDDED => ModelSource::Embedded(embedded),
                path => ModelSource::File(folders.locate(path)?),
            },
            threads: self.threads,
            kv_bytes: self.kv.bytes,
            kv_precision: match self.kv.precision {
                Precision::F16 => KvPrecision::Half,
                Precision::F32 => KvPrecision::Full,
            },
            lookahead: self.lookahead,
        })
    }

    /// Builds the Speculator's settings.
    pub fn speculator(&self) -> SpeculatorSettings {
        SpeculatorSettings {
            context: ContextSettings {
                prefix_budget: self.context.prefix_bytes,
                suffix_budget: self.context.suffix_bytes,
                copy_budget: if self.copying.enabled { COPY_BUDGET } else { 0 },
                ..ContextSettings::default()
            },
            cut: CutSettings {
                max_tokens: self.max_tokens,
                least_log_prob: self.gate.least_log_prob.map(|least| least as f32),
                least_log_prob_at_end: self.gate.least_log_prob_at_end as f32,
            },
            ahead: if self.speculation.enabled {
                ComputedAhead::Accepts(self.speculation.depth)
            } else {
                ComputedAhead::Nothing
            },
            cache_bytes: self.cache.bytes,
            in_flight: IN_FLIGHT,
        }
    }

    /// Returns every setting, in the order in which users see them.
    pub fn all() -> &'static [Setting] {
        &SETTINGS
    }

    /// Builds a JSON Schema of the settings. Besides what JSON Schema requires, each setting has
    /// `order` and `default`, which VS Code reads.
    pub fn schema() -> Value {
        let mut root = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "tabahead",
        });
        for Setting { key, schema } in Self::all() {
            let mut place = &mut root;
            for part in key.split('.') {
                place["type"] = json!("object");
                place["additionalProperties"] = json!(false);
                place = &mut place["properties"][part];
            }
            *place = schema.clone();
        }
        root
    }

    /// Returns a short hash of these settings: equal settings have equal digests.
    pub fn digest(&self) -> String {
        let text = self.to_value().to_string();
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("settings are plain data")
    }

    fn in_bounds(&self) -> Result<(), SettingsError> {
        let invalid = |key: &str, problem: &str| {
            Err(SettingsError::Invalid {
                key: key.to_owned(),
                problem: problem.to_owned(),
            })
        };
        let values = self.to_value();
        for Setting { key, schema } in Self::all() {
            let value = key.split('.').fold(&values, |value, part| &value[part]);
            let bounds = schema["minimum"].as_u64().zip(schema["maximum"].as_u64());
            if let Some((least, most)) = bounds
                && value
                    .as_u64()
                    .is_some_and(|value| !(least..=most).contains(&value))
            {
                return invalid(key, &format!("it must be from {least} to {most}"));
            }
        }
        let gates = [
            ("gate.least_log_prob", self.gate.least_log_prob),
            (
                "gate.least_log_prob_at_end",
                Some(self.gate.least_log_prob_at_end),
            ),
        ];
        // No probability is above 1, so nothing would ever be shown.
        for (key, least) in gates {
            if least.is_some_and(|least| least > 0.0) {
                return invalid(key, "it must be 0 or less");
            }
        }
        if self.model.is_empty() {
            return invalid(
                "model",
                "it must be 'mini' or the path of a GGUF file or a directory with safetensors",
            );
        }
        Ok(())
    }
}

/// A setting as users see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Dotted key.
    pub key: String,
    /// JSON Schema of its values, with `description`, `default` and `order`.
    pub schema: Value,
}

static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let mut generator = SchemaSettings::draft07();
    generator.inline_subschemas = true;
    let schema = generator
        .into_generator()
        .into_root_schema_for::<Settings>();
    let defaults = Settings::default().to_value();
    let mut settings = Vec::new();
    settings_in(schema.as_value(), &defaults, "", &mut settings);
    settings.sort_by_key(|setting| setting.schema["order"].as_u64());
    settings
});

/// Collects the settings of a schema. Only a setting has `order`: that distinguishes a setting that
/// is an object from a table of settings.
fn settings_in(schema: &Value, default: &Value, key: &str, found: &mut Vec<Setting>) {
    if schema.get("order").is_none() {
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let dot = if key.is_empty() { "" } else { "." };
            settings_in(inner, &default[name], &format!("{key}{dot}{name}"), found);
        }
        return;
    }
    let mut schema = schema.clone();
    schema["default"] = default.clone();
    tidy_up(&mut schema);
    found.push(Setting {
        key: key.to_owned(),
        schema,
    });
}

/// Removes the line breaks of doc comments from descriptions, and `format`, which names Rust's
/// types.
fn tidy_up(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.remove("format");
    for (key, inner) in object {
        match inner {
            Value::String(text) if key == "description" => *text = text.replace('\n', " "),
            inner => tidy_up(inner),
        }
    }
}

/// Log-probability at which the embedded model is right as often after an end that it must not take
/// as elsewhere.
const LEAST_LOG_PROB_AT_END: f64 = -0.7;

/// Number of bytes on each side of the window that may be copied from.
const COPY_BUDGET: usize = 64 << 10;

/// Maximum number of concurrent generations: enough for a request and the speculations that share
/// its prompt.
const IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");

/// Maximum number of dots in a key that is split; the keys of settings have one.
const MOST_DOTS: usize = 8;

/// Reads a layer key by key.
#[derive(Default)]
struct LayerReader {
    problems: Vec<SettingsError>,
    is_closed: bool,
}

impl LayerReader {
    /// Returns a layer with dotted keys split and the `tabahead` section unwrapped.
    fn nested(&mut self, layer: &Value) -> Map<String, Value> {
        let mut result = Map::new();
        let object = match layer {
            Value::Null => return result,
            Value::Object(object) => object,
            // Lua encodes an empty table as an array.
            Value::Array(list) if list.is_empty() => return result,
            _ => {
                // What the layer was meant to turn off is unknown.
                self.is_closed = true;
                self.problems.push(SettingsError::Invalid {
                    key: "tabahead".to_owned(),
                    problem: "it must be an object".to_owned(),
                });
                return result;
            }
        };
        let section = object.get("tabahead");
        if let Some(section) = section {
            result = self.nested(section);
        }
        for (key, value) in object {
            let key = match (key.strip_prefix("tabahead."), section) {
                (Some(key), _) => key,
                (None, None) => key,
                // A key of another program, beside our section.
                (None, Some(_)) => continue,
            };
            let parts = match key.matches('.').count() {
                0..=MOST_DOTS => key.rsplit('.').collect(),
                // No setting has such a key, and walking an object of this depth could overflow the
                // stack.
                _ => vec![key],
            };
            let value = parts.into_iter().fold(value.clone(), |value, part| {
                Value::Object(Map::from_iter([(part.to_owned(), value)]))
            });
            if let Value::Object(value) = value {
                let mut twice = Vec::new();
                merge(&mut result, value, "", &mut |key| twice.push(key));
                twice.into_iter().for_each(|key| self.given_twice(key));
            }
        }
        result
    }

    /// Refuses a key that has one value nested and a different one dotted. Which one is meant is
    /// unknown; the dotted one counts.
    fn given_twice(&mut self, key: String) {
        let section = key.split('.').next().unwrap_or_default();
        self.is_closed |= PRIVACY.contains(&section);
        self.problems.push(SettingsError::Invalid {
            key,
            problem: "it is given twice, with different values; the dotted key counts".to_owned(),
        });
    }

    /// Returns the usable part of an object: keys that `known` has, with values that fit.
    fn object(
        &mut self,
        layer: Map<String, Value>,
        known: &Value,
        path: &str,
    ) -> Map<String, Value> {
        let mut read = Map::new();
        for (name, value) in layer {
            let key = match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            let Some(expected) = known.get(&name) else {
                let meant = nearest(&name, known, path);
                self.is_closed |= (meant.as_deref()).is_some_and(|meant| PRIVACY.contains(&meant));
                self.problems.push(SettingsError::Unknown { key, meant });
                continue;
            };
            let value = match (key.as_str(), value, expected) {
                (_, Value::Null, _) => continue,
                ("languages", Value::Object(languages), _) => self.languages(languages).into(),
                ("paths", Value::Array(rules), _) => self.rules(rules).into(),
                (_, Value::Object(object), Value::Object(_))
                    if !PRIVACY.contains(&key.as_str()) =>
                {
                    self.object(object, expected, &key).into()
                }
                (_, value, _) => {
                    if let Err(problem) = fits(&key, &value) {
                        self.is_closed |= PRIVACY.contains(&key.as_str());
                        self.problems.push(problem);
                        continue;
                    }
                    value
                }
            };
            read.insert(name, value);
        }
        read
    }

    /// Reads the setting `languages`; a language whose value cannot be read is off.
    fn languages(&mut self, languages: Map<String, Value>) -> Map<String, Value> {
        let read = languages.into_iter().map(|(language, value)| {
            if !value.is_boolean() {
                self.problems.push(SettingsError::Invalid {
                    key: format!("languages.{language}"),
                    problem: "it must be true or false".to_owned(),
                });
            }
            (language, Value::Bool(value.as_bool().unwrap_or(false)))
        });
        read.collect()
    }

    /// Reads the setting `paths`; a rule whose `enabled` cannot be read turns off.
    fn rules(&mut self, rules: Vec<Value>) -> Vec<Value> {
        let mut read = Vec::new();
        for (number, value) in (1..).zip(rules) {
            let rule = serde_json::from_value::<PathRule>(value.clone()).map_err(|error| {
                let problem = in_words(&error);
                self.problems.push(SettingsError::Rule { number, problem });
                let glob = value.as_str().or_else(|| value.get("glob")?.as_str());
                let enabled = value.get("enabled").and_then(Value::as_bool);
                glob.map(|glob| PathRule {
                    glob: glob.to_owned(),
                    enabled: enabled.unwrap_or(false),
                })
            });
            match rule.or_else(|rule| rule.ok_or(())) {
                Ok(rule) => match problem_of(&rule) {
                    Some(problem) => {
                        self.is_closed |= !rule.enabled;
                        self.problems
                            .push(SettingsError::of_rule(number, &rule.glob, &problem));
                    }
                    None => read.push(json!(rule)),
                },
                Err(()) => self.is_closed = true,
            }
        }
        read
    }
}

/// The settings that keep text from the model.
pub(crate) const PRIVACY: [&str; 2] = ["languages", "paths"];

/// Checks that the defaults with this one value are valid settings.
fn fits(key: &str, value: &Value) -> Result<(), SettingsError> {
    let layer = key.rsplit('.').fold(value.clone(), |value, part| {
        Value::Object(Map::from_iter([(part.to_owned(), value)]))
    });
    let settings =
        serde_json::from_value::<Settings>(layer).map_err(|error| SettingsError::Invalid {
            key: key.to_owned(),
            problem: in_words(&error),
        })?;
    settings.in_bounds()
}

/// Describes what is wrong with a value without naming Rust types.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let found = ["invalid type: ", "invalid value: "].iter();
    let Some((found, expected)) = found
        .filter_map(|kind| text.strip_prefix(kind))
        .find_map(|text| text.rsplit_once(", expected "))
    else {
        return text;
    };
    let expected = match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number, 0 or more,",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        table if table == "a map" || table.starts_with("struct ") => "a table of settings",
        other => other,
    };
    format!("{expected} is expected, not {found}")
}

fn nearest(name: &str, known: &Value, path: &str) -> Option<String> {
    let known = known.as_object()?;
    let likeness = |other: &String| strsim::jaro_winkler(name, other);
    let best = (known.keys()).max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    let close = likeness(best) > 0.8;
    close.then(|| {
        if path.is_empty() {
            best.clone()
        } else {
            format!("{path}.{best}")
        }
    })
}

/// Merges an object over another one; reports the dotted keys, below `path`, whose values are
/// replaced.
fn merge(
    below: &mut Map<String, Value>,
    above: Map<String, Value>,
    path: &str,
    replaced: &mut impl FnMut(String),
) {
    for (name, value) in above {
        let key = || match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        match (below.get_mut(&name), value) {
            (Some(Value::Object(below)), Value::Object(above)) => {
                merge(below, above, &key(), replaced);
            }
            (_, Value::Null) => {}
            (before, value) => {
                if before.is_some_and(|before| !before.is_null() && *before != value) {
                    replaced(key());
                }
                below.insert(name, value);
            }
        }
    }
}

fn lay_over(below: &mut Value, above: Map<String, Value>) {
    if let Value::Object(below) = below {
        merge(below, above, "", &mut drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn resolve(layers: &[Value]) -> Settings {
        Settings::resolve(&layers.iter().collect::<Vec<_>>()).expect("these settings are good")
    }

    #[track_caller]
    fn refused(layer: Value) -> String {
        Settings::resolve(&[&layer])
            .expect_err("these settings are bad")
            .to_string()
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        assert_eq!(resolve(&[json!({}), json!(null)]), Settings::default());
    }

    #[test]
    fn the_last_layer_wins_key_by_key() {
        let settings = resolve(&[
            json!({"threads": 1, "speculation": {"enabled": false, "depth": 1}}),
            json!({"speculation": {"depth": 2}, "languages": {"rust": true}}),
            json!({"threads": 3, "languages": {"*": false}}),
        ]);
        assert_eq!(settings.threads, 3);
        assert!(!settings.speculation.enabled);
        assert_eq!(settings.speculation.depth, 2);
        assert_eq!(settings.languages.len(), 2);
    }

    #[test]
    fn a_wrong_value_is_described_in_words_of_users() {
        let cases = [
            (
                json!({"threads": -1}),
                "setting 'threads' cannot be used: a whole number, 0 or more, is expected, not integer `-1`",
            ),
            (
                json!({"speculation": false}),
                "setting 'speculation' cannot be used: a table of settings is expected, not boolean `false`",
            ),
            (
                json!({"speculation": {"enabled": 1}}),
                "setting 'speculation.enabled' cannot be used: true or false is expected, not integer `1`",
            ),
            (
                json!({"paths": {}}),
                "setting 'paths' cannot be used: a list is expected, not map",
            ),
        ];
        for (layer, line) in cases {
            assert_eq!(refused(layer), line);
        }
    }

    #[test]
    fn keys_may_be_dotted_or_under_the_section() {
        let expected = resolve(&[json!({"speculation": {"enabled": false}, "kv": {"bytes": 5}})]);
        for layer in [
            json!({"speculation.enabled": false, "kv.bytes": 5}),
            json!({"tabahead": {"speculation": {"enabled": false}, "kv.bytes": 5}}),
            json!({"tabahead.speculation.enabled": false, "tabahead.kv": {"bytes": 5}}),
            json!({"tabahead": {"speculation.enabled": false, "kv": {"bytes": 5}}, "other": {}}),
            json!({"tabahead": {"speculation.enabled": false}, "tabahead.kv.bytes": 5}),
        ] {
            assert_eq!(resolve(&[layer]), expected);
        }
    }

    #[test]
    fn a_key_that_is_given_twice_is_refused_by_name() {
        assert_eq!(
            refused(json!({"speculation": {"depth": 2}, "speculation.depth": 3})),
            "setting 'speculation.depth' cannot be used: it is given twice, with different values; the dotted key counts"
        );
        for (layer, depth, is_closed) in [
            (
                json!({"speculation": {"depth": 2}, "speculation.depth": 3}),
                3,
                false,
            ),
            (json!({"speculation": 5, "speculation.depth": 3}), 3, false),
            (
                json!({"tabahead": {"speculation": {"depth": 2}}, "tabahead.speculation.depth": 3}),
                3,
                false,
            ),
            (
                json!({"languages": {"c": false}, "languages.c": true, "speculation.depth": 3}),
                3,
                true,
            ),
        ] {
            let readable = Settings::readable(&[&layer]);
            assert_eq!(
                readable.problems.len(),
                1,
                "{layer}: {:?}",
                readable.problems
            );
            assert_eq!(readable.settings.speculation.depth, depth, "{layer}");
            assert_eq!(readable.is_closed, is_closed, "{layer}");
        }
        let again = json!({"speculation": {"depth": 2}, "speculation.depth": 2, "threads": null, "kv.bytes": null});
        assert_eq!(Settings::readable(&[&again]).problems, []);
    }

    #[test]
    fn null_means_not_set() {
        let settings = resolve(&[
            json!({"threads": 2}),
            json!({"threads": null, "cache": null}),
        ]);
        assert_eq!(settings.threads, 2);
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        assert_eq!(
            refused(json!({"speculation": {"depht": 2}})),
            "unknown setting 'speculation.depht'; did you mean 'speculation.depth'?"
        );
        assert_eq!(
            refused(json!({"speculation.colour": 2})),
            "unknown setting 'speculation.colour'"
        );
        assert_eq!(refused(json!({"zzz": 2})), "unknown setting 'zzz'");
        assert!(
            refused(json!({"paths": [{"glob": "*.rs", "enabled": true, "x": 1}]}))
                .contains("unknown field `x`")
        );
    }

    #[test]
    fn a_refusal_is_one_short_line_whatever_it_quotes() {
        let odd = "x\u{1b}[2J\n".repeat(500);
        for layer in [
            json!({ odd.as_str(): 1 }),
            json!({"gate": { odd.as_str(): 1 }}),
            json!({"kv.precision": odd}),
            json!({"speculation.".repeat(100_000): 1}),
            json!({"languages": {"a.".repeat(100_000): 1}}),
            json!({"tabahead": {"tabahead.".repeat(100_000): 1}}),
            json!({"languages": { odd.as_str(): 1 }}),
            json!({"paths": [{"glob": odd, "enabled": odd}]}),
        ] {
            let line = refused(layer);
            assert!(line.chars().count() < 450, "{line}");
            assert!(!line.contains(char::is_control), "{line}");
        }
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused_by_key() {
        for (layer, key) in [
            (json!({"threads": "two"}), "'threads'"),
            (json!({"threads": -1}), "'threads'"),
            (json!({"speculation": true}), "'speculation'"),
            (json!({"speculation.enabled": 1}), "'speculation.enabled'"),
            (json!({"languages": {"rust": "yes"}}), "'languages.rust'"),
            (json!({"languages": ["rust"]}), "'languages'"),
            (json!({"paths": "private"}), "'paths'"),
            (json!({"paths": [{"glob": "[a", "enabled": false}]}), "'[a'"),
            (json!({"max_tokens": 0}), "'max_tokens'"),
            (json!({"model": ""}), "'model'"),
            (json!([1]), "'tabahead'"),
        ] {
            let line = refused(layer);
            assert!(line.contains(key), "{line}");
        }
    }

    #[test]
    fn a_bad_key_costs_no_other() {
        for (bad, part) in [
            (json!({"typo": 1}), "'typo'"),
            (json!({"max_tokens": 0}), "'max_tokens'"),
            (json!({"threads": "two"}), "'threads'"),
            (json!({"model": ""}), "'model'"),
            (
                json!({"speculation": {"depth": 3, "depht": 2}}),
                "'speculation.depht'",
            ),
            (json!({"speculation": 5}), "'speculation'"),
        ] {
            let mut layer = json!({
                "languages": {"python": false},
                "paths": [{"glob": "private", "enabled": false}],
                "alternatives": 1,
            });
            let good = resolve(&[layer.clone()]);
            let object = layer.as_object_mut().expect("an object");
            object.extend(bad.as_object().expect("an object").clone());
            let read = Settings::readable(&[&json!({}), &layer]);
            assert_eq!(read.settings, good, "{bad}");
            assert_eq!(read.problems.len(), 1, "{bad}");
            assert_eq!(read.problems[0].0, 1);
            assert!(read.problems[0].1.to_string().contains(part), "{bad}");
            assert!(!read.is_closed, "{bad}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_off_for_what_it_could_mean() {
        let read = |layer: Value| Settings::readable(&[&layer]);
        let languages = read(json!({"languages": {"python": "no", "rust": true, "go": null}}));
        assert_eq!(languages.problems.len(), 2);
        let expected = [("go", false), ("python", false), ("rust", true)];
        let expected = expected.map(|(language, on)| (language.to_owned(), on));
        assert_eq!(languages.settings.languages, BTreeMap::from(expected));
        assert!(!languages.is_closed);

        for rule in [
            json!("private"),
            json!({"glob": "private"}),
            json!({"glob": "private", "enabled": "no"}),
            json!({"glob": "private", "enabled": false, "x": 1}),
        ] {
            let paths = read(json!({"paths": [rule, {"glob": "a.rs", "enabled": true}]}));
            assert_eq!(paths.problems.len(), 1, "{rule}");
            assert!(!paths.is_closed, "{rule}");
            let rules = paths.settings.paths.iter();
            let rules: Vec<_> = rules
                .map(|rule| (rule.glob.as_str(), rule.enabled))
                .collect();
            assert_eq!(rules, [("private", false), ("a.rs", true)], "{rule}");
        }

        for layer in [
            json!({"languages": ["python"]}),
            json!({"languages": false}),
            json!({"paths": "private"}),
            json!({"paths": {"private": false}}),
            json!({"paths": [1]}),
            json!({"paths": [{"globs": "private", "enabled": false}]}),
            json!({"paths": [{"glob": "[a", "enabled": false}]}),
            json!({"path": [{"glob": "private", "enabled": false}]}),
            json!({"language": {"python": false}}),
        ] {
            let read = read(layer.clone());
            assert_eq!(read.problems.len(), 1, "{layer}");
            assert!(read.is_closed, "{layer}");
        }
        let on = read(json!({"paths": [{"glob": "[a", "enabled": true}]}));
        assert_eq!((on.problems.len(), on.is_closed), (1, false));
    }

    #[test]
    fn numbers_out_of_bounds_are_refused_by_key() {
        let mut bounded = 0;
        for Setting { key, schema } in Settings::all() {
            let bounds = schema["minimum"].as_u64().zip(schema["maximum"].as_u64());
            let Some((least, most)) = bounds else {
                continue;
            };
            for bound in [least, most] {
                resolve(&[json!({ key: bound })]);
            }
            for beyond in [least.checked_sub(1), Some(most + 1)].into_iter().flatten() {
                let line = refused(json!({ key: beyond }));
                assert!(line.contains(key), "{line}");
            }
            bounded += 1;
        }
        assert_eq!(bounded, 6);
        for key in ["gate.least_log_prob", "gate.least_log_prob_at_end"] {
            resolve(&[json!({ key: 0 })]);
            let line = refused(json!({ key: 0.5 }));
            assert!(line.contains(key) && line.contains("0 or less"), "{line}");
        }
    }

    fn leaves(value: &Value, path: &str, keys: &mut Vec<String>) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (name, value) in object {
                    let dot = if path.is_empty() { "" } else { "." };
                    leaves(value, &format!("{path}{dot}{name}"), keys);
                }
            }
            _ => keys.push(path.to_owned()),
        }
    }

    #[test]
    fn every_setting_is_described_once_in_its_own_place() {
        let mut keys = Vec::new();
        leaves(&Settings::default().to_value(), "", &mut keys);
        let mut described: Vec<&str> = Settings::all().iter().map(|one| one.key.as_str()).collect();
        let orders = Settings::all()
            .iter()
            .map(|one| one.schema["order"].clone());
        assert_eq!(
            orders.collect::<Vec<_>>(),
            (0..keys.len()).map(|n| json!(n)).collect::<Vec<_>>()
        );
        keys.sort();
        described.sort_unstable();
        assert_eq!(keys, described);
        for Setting { key, schema } in Settings::all() {
            let text = schema["description"].as_str().unwrap_or_default();
            assert!(text.ends_with('.'), "{key}: {text:?}");
            assert!(schema.get("type").is_some(), "{key}");
        }
    }

    #[test]
    fn the_schema_has_what_values_may_be() {
        let schema = Settings::schema();
        let at = |pointer: &str| schema.pointer(pointer).cloned().unwrap_or_default();
        let depth = "/properties/speculation/properties/depth";
        let bounds = ["minimum", "maximum", "default"].map(|what| at(&format!("{depth}/{what}")));
        assert_eq!(bounds, [json!(0), json!(32), json!(3)]);
        let precision = at("/properties/kv/properties/precision");
        assert_eq!(precision["enum"], json!(["f16", "f32"]));
        let budget = at("/properties/context/properties/prefix_bytes");
        assert_eq!(budget["type"], json!(["integer", "null"]));
        assert_eq!(budget["default"], Value::Null);
        assert_eq!(
            at("/properties/paths/items/required"),
            json!(["glob", "enabled"])
        );
    }

    #[test]
    fn a_typo_is_no_setting_of_the_schema() {
        let schema = Settings::schema();
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(
            schema["properties"]["kv"]["additionalProperties"],
            json!(false)
        );
    }

    #[test]
    fn equal_settings_have_equal_digests() {
        let one = resolve(&[json!({"threads": 2, "max_tokens": 8})]);
        let same = resolve(&[json!({"max_tokens": 8}), json!({"threads": 2})]);
        assert_eq!(one.digest(), same.digest());
        assert_ne!(one.digest(), Settings::default().digest());
    }
}
