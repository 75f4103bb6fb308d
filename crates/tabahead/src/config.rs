//! The settings as the command line sees them: the place of the file, the flags, the result.
//!
//! The settings themselves, and how their layers are merged, belong to `tabahead_session`; the text
//! of the file is read in `config/layer.rs`.

mod layer;

use std::{
    borrow::Cow,
    env,
    error::Error,
    fmt,
    io::{self, Write},
    path::{self, Path, PathBuf},
    process::{self, ExitCode},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail};
use console::style;
use serde_json::{Value, json};
use tabahead_backend::{LocalBackend, LocalSettings, ModelSource};
use tabahead_engine::Model;
use tabahead_server::{ServerConfig, default_stats_dir, run_stdio};
use tabahead_session::{
    EMBEDDED, Folders, Recorder, Session, Setting, Settings, SettingsError, Suitability,
};
use tabahead_speculation::ComputedAhead;

use crate::{
    args::{ConfigArgs, EngineArgs},
    output,
    place::read_text,
};
use layer::{layer_from_toml, line_of};

/// The resolved settings of this call.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Resolved settings.
    pub settings: Settings,
    /// Contents of the file; `Null` without a file.
    file_layer: Value,
    /// Settings from the flags.
    flags: Value,
    /// Folders that relative paths in the file and in an editor's settings are resolved against.
    folders: Folders,
}

/// Whether a session computes ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speculation {
    /// Compute ahead if the settings say so.
    On,
    /// Never compute ahead.
    Off,
}

/// All settings of the configuration file that cannot be used.
#[derive(Debug)]
pub struct WrongSettings {
    file: PathBuf,
    /// Each with its line in the file, where it has one.
    problems: Vec<(Option<usize>, SettingsError)>,
}

impl WrongSettings {
    /// Returns a line for each wrong setting.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let file = self.file.display();
        self.problems.iter().map(move |(line, problem)| match line {
            Some(line) => format!("{file}: line {line}: {problem}"),
            None => format!("{file}: {problem}"),
        })
    }
}

impl fmt::Display for WrongSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.lines().collect::<Vec<_>>().join("; "))
    }
}

impl Error for WrongSettings {}

/// Reads the configuration file: the file `named`, or the user's own if it exists.
///
/// # Errors
/// One line with the file and the line that is wrong, or [`WrongSettings`].
pub fn load(named: Option<&Path>) -> Result<Resolved> {
    let file_layer = match find(named) {
        Some(file) if named.is_some() || is_there(&file) => read_layer(&file)?,
        _ => Value::Null,
    };
    Resolved::new(file_layer, Value::Null, folders(named)?)
}

/// Serves an editor until it exits. The editor's settings override the file's, and flags override
/// both. Invalid settings of the file are reported to the editor, and the rest applies. If the file
/// cannot be read at all, this is reported and nothing is suggested: a rule that keeps text from the
/// model may be in it.
///
/// # Errors
/// When a flag is wrong, or the server cannot be started.
pub fn run_server(
    named: Option<&Path>,
    args: &EngineArgs,
    recorder: impl FnOnce() -> Result<Option<Box<dyn Recorder>>, String>,
) -> Result<ExitCode> {
    // An editor starts the server in its own working directory, often a repository.
    if let Some(model) = args.model.as_deref()
        && model != EMBEDDED
        && Folders::is_relative(model)
    {
        bail!(
            "--model '{model}' would count from where the editor was started; write the whole path, or one \
             that begins with ~/"
        );
    }
    let file = match find(named) {
        // The editor shows what is wrong; a server that ends at once would not get that far.
        Some(file) if named.is_some() || is_there(&file) => {
            parse_layer(&file).map_err(|error| format!("{error:#}"))
        }
        _ => Ok(Value::Null),
    };
    // Flags belong to this call alone: if they are wrong, nothing is started.
    let flags = Resolved::new(Value::Null, Value::Null, folders(named)?)?.with_engine(args)?;
    let code = run_stdio(ServerConfig {
        embedded: tabahead_mini::WEIGHTS,
        folders: flags.folders,
        file,
        flags: flags.flags,
        stats_dir: default_stats_dir(),
        version: env!("CARGO_PKG_VERSION"),
        recorder: recorder(),
    })
    .context("the server cannot be started")?;
    // A thread may still be waiting for input that never comes.
    process::exit(code)
}

/// Returns the folders that paths in the settings are resolved against.
fn folders(named: Option<&Path>) -> Result<Folders> {
    let file = find(named).map(path::absolute).transpose();
    let file = file.context("the working directory cannot be read")?;
    Ok(Folders {
        home: home(),
        configuration: file.and_then(|file| Some(file.parent()?.to_owned())),
    })
}

/// Returns the user's home, from the variables that shells set on Unix and on Windows.
pub fn home() -> Option<PathBuf> {
    variable("HOME").or_else(|| variable("USERPROFILE"))
}

fn variable(name: &str) -> Option<PathBuf> {
    let value = env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

/// Returns the folder for files that can be recreated: `$XDG_CACHE_HOME/tabahead`; `None` without a
/// home.
pub fn cache_folder() -> Option<PathBuf> {
    variable("XDG_CACHE_HOME")
        .or_else(|| Some(home()?.join(".cache")))
        .map(|folder| folder.join("tabahead"))
}

/// Returns where the configuration file is looked for; `None` without a home.
pub fn find(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(named) => Some(named.to_owned()),
        None => variable("XDG_CONFIG_HOME")
            .or_else(|| Some(home()?.join(".config")))
            .map(|folder| folder.join("tabahead").join("config.toml")),
    }
}

/// Returns whether there is something at the file's path, even if it cannot be read: only what does
/// not exist means that all settings have their defaults.
pub fn is_there(file: &Path) -> bool {
    let leads_nowhere = |path: &Path| path.is_symlink() && !path.exists();
    // An error, such as a link to itself or a file where a folder should be, is reported by reading.
    file.try_exists().unwrap_or(true) || file.ancestors().any(leads_nowhere)
}

/// Loads the configuration as far as the choice of another model needs it: the file must be valid
/// TOML, its settings need not be usable, and it need not exist.
///
/// # Errors
/// One line with the file and the line that is wrong.
pub fn load_to_change(named: Option<&Path>) -> Result<Resolved> {
    if let Some(file) = find(named).filter(|file| is_there(file)) {
        parse_layer(&file)?;
    }
    Resolved::new(Value::Null, Value::Null, folders(named)?)
}

fn read_layer(file: &Path) -> Result<Value> {
    let text = read(file)?;
    let layer = layer_of(file, &text)?;
    let problems: Vec<_> = Settings::readable(&[&layer])
        .problems
        .into_iter()
        .map(|(_, problem)| (line_of(&text, problem.key()), problem))
        .collect();
    if !problems.is_empty() {
        let file = file.to_owned();
        return Err(WrongSettings { file, problems }.into());
    }
    Ok(layer)
}

fn parse_layer(file: &Path) -> Result<Value> {
    layer_of(file, &read(file)?)
}

fn read(file: &Path) -> Result<String> {
    read_text(file).map_err(|error| anyhow!("the configuration: {error:#}"))
}

fn layer_of(file: &Path, text: &str) -> Result<Value> {
    layer_from_toml(text).with_context(|| file.display().to_string())
}

impl Resolved {
    fn new(file_layer: Value, flags: Value, folders: Folders) -> Result<Self> {
        let settings = Settings::resolve(&[&file_layer, &flags])?;
        // A relative path without a base is a wrong setting, even if the model is not needed.
        settings.local(tabahead_mini::WEIGHTS, &folders)?;
        Ok(Self {
            settings,
            file_layer,
            flags,
            folders,
        })
    }

    /// Returns these settings with `--model` and `--threads` applied. As in every command, a
    /// relative path is resolved against the working directory.
    ///
    /// # Errors
    /// When a value is out of bounds.
    pub fn with_engine(&self, args: &EngineArgs) -> Result<Self> {
        let model = args
            .model
            .as_deref()
            .map(|model| self.on_command_line(model));
        Self::new(
            self.file_layer.clone(),
            json!({"model": model.transpose()?, "threads": args.threads}),
            self.folders.clone(),
        )
    }

    fn on_command_line(&self, model: &str) -> Result<String> {
        if model == EMBEDDED {
            return Ok(model.to_owned());
        }
        let folders = Folders {
            home: self.folders.home.clone(),
            configuration: env::current_dir().ok(),
        };
        let path = folders.locate(model)?.into_os_string().into_string();
        path.map_err(|path| {
            anyhow!("the path {path:?} is not Unicode; name the model by another one")
        })
    }

    /// Returns the model's file or directory; `None` for the built-in model.
    pub fn model_file(&self) -> Option<PathBuf> {
        match self.local().model {
            ModelSource::Embedded(_) => None,
            ModelSource::File(file) => Some(file),
        }
    }

    /// Returns the settings of the local backend.
    pub fn local(&self) -> LocalSettings {
        let local = self.settings.local(tabahead_mini::WEIGHTS, &self.folders);
        local.expect("`new` has seen that the path counts from somewhere")
    }

    /// Returns which files get suggestions under these settings.
    ///
    /// # Errors
    /// When a rule of `paths` is invalid.
    pub fn suitability(&self) -> Result<Suitability> {
        let (suitability, problems) = Suitability::new(&self.settings, &self.folders);
        match problems.into_iter().next() {
            Some(problem) => Err(problem.into()),
            None => Ok(suitability),
        }
    }

    /// Starts a session without an editor.
    ///
    /// # Errors
    /// When the model cannot be used.
    pub fn session(&self, speculation: Speculation) -> Result<Session> {
        let mut speculator = self.settings.speculator();
        if speculation == Speculation::Off {
            speculator.ahead = ComputedAhead::Nothing;
        }
        let local = self.local();
        let session = Session::new(speculator, |sink| Box::new(LocalBackend::new(local, sink)));
        session
            .map_err(|error| anyhow!(
                "{:#}; --model mini works without a file, and `tabahead model use mini` chooses it for every editor",
                unusable(&error)
            ))
    }

    /// Loads the model alone, for commands that inspect it.
    ///
    /// # Errors
    /// When the model cannot be used.
    pub fn model(&self) -> Result<Arc<Model>> {
        let model = match self.local().model {
            ModelSource::Embedded(bytes) => Model::from_bytes(Cow::Borrowed(bytes)),
            ModelSource::File(file) => Model::open(&file),
        };
        Ok(Arc::new(model.map_err(|error| unusable(&error))?))
    }

    /// Loads the model alone, for commands that complete with it.
    ///
    /// # Errors
    /// When the model cannot be used, or cannot complete.
    pub fn completing_model(&self) -> Result<Arc<Model>> {
        let model = self.model()?;
        model.completes().map_err(|error| unusable(&error))?;
        Ok(model)
    }
}

/// Returns an error that says in one line what is wrong with the model.
fn unusable(error: &dyn Error) -> anyhow::Error {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason += &format!(": {cause}");
        source = cause.source();
    }
    // The engine's message begins the same, for callers that do not add this.
    let reason = reason
        .strip_prefix("model cannot be used: ")
        .unwrap_or(&reason);
    anyhow!("the model cannot be used: {reason}")
}

/// Runs `tabahead config`.
///
/// # Errors
/// When the file cannot be used or standard output is closed.
pub fn run(args: &ConfigArgs, named: Option<&Path>) -> Result<ExitCode> {
    if args.schema {
        output::json(&Settings::schema())?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = load(named)?;
    let file = find(named);
    let settings = serde_json::to_value(&config.settings)?;
    if args.json {
        output::json(&json!({
            "file": file,
            "found": file.as_ref().is_some_and(|file| is_there(file)),
            "settings": settings,
            "from_file": from_file(&config),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&mut output::stdout(), file.as_deref(), &config, &settings)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the settings as a TOML file that could be saved; unset settings and defaults are
/// commented out.
fn print(
    out: &mut impl Write,
    file: Option<&Path>,
    config: &Resolved,
    settings: &Value,
) -> io::Result<()> {
    match file {
        Some(file) => {
            let missing = if is_there(file) {
                ""
            } else {
                " (does not exist: all defaults)"
            };
            let file = file.display().to_string();
            writeln!(out, "# {}{missing}", output::plain(&file))?;
        }
        None => writeln!(out, "# no HOME, so no file is looked for")?,
    }
    let mut section = "";
    for Setting { key, schema } in Settings::all() {
        let doc = schema["description"].as_str().unwrap_or_default();
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        if table != section {
            section = table;
            writeln!(out, "\n[{section}]")?;
        } else {
            writeln!(out)?;
        }
        for line in wrap(doc, 94) {
            writeln!(out, "{}", style(format!("# {line}")).dim())?;
        }
        let value = at(settings, key);
        let mark = if is_from_file(config, key) { "" } else { "# " };
        writeln!(out, "{mark}{name} = {}", toml_value(value))?;
    }
    Ok(())
}

/// Returns the dotted keys of the settings that the file sets; the others have their defaults.
fn from_file(config: &Resolved) -> Vec<&'static str> {
    let keys = Settings::all().iter().map(|setting| setting.key.as_str());
    keys.filter(|key| is_from_file(config, key)).collect()
}

fn is_from_file(config: &Resolved, key: &str) -> bool {
    !at(&config.file_layer, key).is_null()
}

/// Returns the value under a dotted key; `Null` if there is none.
fn at<'a>(settings: &'a Value, key: &str) -> &'a Value {
    key.split('.').fold(settings, |value, part| &value[part])
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::Null => "(unset)".to_owned(),
        Value::Object(keys) => {
            let pairs: Vec<String> = keys
                .iter()
                .map(|(key, value)| format!("{} = {}", toml_text(key), toml_value(value)))
                .collect();
            if pairs.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", pairs.join(", "))
            }
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(toml_value).collect();
            format!("[{}]", values.join(", "))
        }
        Value::String(text) => toml_text(text),
        value => value.to_string(),
    }
}

/// Formats a text as a TOML string, with an escape for each character that a terminal would obey.
fn toml_text(text: &str) -> String {
    let quoted = json!(text).to_string();
    let mut result = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        match output::plain(c.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(_) => result.push(c),
            Cow::Owned(_) => result += &format!("\\u{:04x}", u32::from(c)),
        }
    }
    result
}

/// Breaks `text` at spaces into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let room = lines.last().is_some_and(|line: &String| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width
        });
        if !room {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read_again() {
        let text = "threads = 1\nmodel = \"/a\\u009b\\u202e\\u007f.gguf\"\nlanguages = { markdown = false, \"*\" = true }\n\
                    paths = [{ glob = \"*.x\", enabled = false }]\n[speculation]\ndepth = 2\n";
        let layer = layer_from_toml(text).expect("valid TOML");
        let config = Resolved::new(layer, Value::Null, Folders::default()).expect("valid settings");
        let mut printed = Vec::new();
        let settings = serde_json::to_value(&config.settings).expect("plain data");
        print(&mut printed, None, &config, &settings).expect("a vector takes everything");
        let printed = String::from_utf8(printed).expect("text");
        let again = layer_from_toml(&printed).expect("valid TOML");
        let again = Resolved::new(again, Value::Null, Folders::default()).expect("valid settings");
        assert_eq!(again.settings, config.settings);
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
    }
}
