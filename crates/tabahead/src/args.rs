//! The command line as typed. The commands resolve what it means.

use std::{error::Error, num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use clap::{
    Args, Parser, Subcommand, ValueEnum, ValueHint,
    builder::{PossibleValuesParser, TypedValueParser},
};
use clap_complete::Shell;
use tabahead_context::Layout;
use tabahead_replay::policy::PolicyName;

/// Code completion that computes the next suggestion while you still read this one.
///
/// tabahead runs a language model on your own machine and shows suggestions as ghost text in any
/// editor that speaks LSP. While you read one, it already computes what comes after it, as if
/// you had accepted it: Tab, Tab, Tab never waits. Nothing leaves the machine.
#[derive(Debug, Parser)]
#[command(
    name = "tabahead",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Configuration file instead of the user's own.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Log level on standard error: error, warn, info, debug, trace, or a filter such as
    /// `tabahead_session=debug`. Text of your files is never logged.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "TABAHEAD_LOG",
        default_value = "warn"
    )]
    pub log: String,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the language server on standard input and output, as editors start it.
    Lsp(LspArgs),
    /// Show the suggestion at a place in a file, press Tab, and show the next one.
    Complete(CompleteArgs),
    /// Measure how often suggestions equal the original text.
    Eval(EvalArgs),
    /// Measure the engine's speed on this machine.
    Bench(BenchArgs),
    /// Record what happens to documents while the language server runs, or what commits changed.
    Record(RecordArgs),
    /// Replay recorded editing and measure how long users wait and how much is computed in vain.
    Replay(ReplayArgs),
    /// Check the installation, print what to fix, and recommend a model for this machine.
    Doctor(DoctorArgs),
    /// Show what the running servers have answered, and how fast.
    Stats(StatsArgs),
    /// Show every setting, its value and its source.
    Config(ConfigArgs),
    /// Inspect a model, or choose the one to use.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Print the completion script of a shell.
    ///
    /// For bash: `tabahead completions bash > ~/.local/share/bash-completion/completions/tabahead`
    Completions {
        /// Shell to print the script for.
        shell: Shell,
    },
}

/// Returns a parser of the values' names; the completion scripts of shells contain them.
fn one_of<Value, const N: usize>(
    all: [Value; N],
    name: fn(Value) -> &'static str,
) -> impl TypedValueParser<Value = Value>
where
    Value: FromStr<Err: Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.map(name)).try_map(|name| Value::from_str(&name))
}

/// The model to use, and the number of threads.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// GGUF file or directory with safetensors, or `mini` for the built-in model [default: from
    /// the configuration].
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub model: Option<String>,
    /// Number of threads; 0 chooses from the number of cores [default: from the configuration].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `tabahead lsp`
#[derive(Debug, Args)]
pub struct LspArgs {
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Compute in this process. This is the only mode so far; the flag exists for scripts.
    #[arg(long)]
    pub no_daemon: bool,
    /// Accepted for editors that name the transport; it is always standard input and output.
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// `tabahead record`
#[derive(Debug, Args)]
#[command(
    override_usage = "tabahead record [OPTIONS] <DIR>\n       \
                      tabahead record [OPTIONS] --from-git <REPO> --commits <RANGE>",
    after_help = "\
Examples:
  tabahead record ~/recordings                      in the editor's settings, instead of tabahead lsp
  tabahead record --from-git . --commits HEAD~3..   what the last three commits changed, typed

A recording contains the text of the files that are edited. It stays in DIR, readable only by you.
Files that get no suggestions, such as those that look like secrets, are never recorded."
)]
pub struct RecordArgs {
    /// Serve an editor as `tabahead lsp` does, and record into this folder.
    #[arg(
        value_name = "DIR",
        required_unless_present = "from_git",
        value_hint = ValueHint::DirPath
    )]
    pub folder: Option<PathBuf>,
    /// Make recordings from a repository's commits instead: their changes are typed key by key.
    #[arg(
        long,
        value_name = "REPO",
        conflicts_with = "folder",
        requires = "commits",
        value_hint = ValueHint::DirPath
    )]
    pub from_git: Option<PathBuf>,
    /// Range of commits, as for `git log`; merges count by their main line.
    #[arg(long, value_name = "RANGE", requires = "from_git")]
    pub commits: Option<String>,
    /// Only these files, given as git pathspecs.
    #[arg(
        long = "path",
        value_name = "PATHSPEC",
        requires = "from_git",
        value_hint = ValueHint::AnyPath
    )]
    pub paths: Vec<String>,
    /// Folder for the recordings of commits, one file per commit.
    #[arg(
        short,
        long,
        value_name = "DIR",
        default_value = ".",
        requires = "from_git",
        value_hint = ValueHint::DirPath
    )]
    pub output: PathBuf,
    /// Seed for the typing times, which are drawn from a model of how people type.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "from_git")]
    pub seed: u64,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Accepted for compatibility with `tabahead lsp`.
    #[arg(long, hide = true)]
    pub no_daemon: bool,
    /// Accepted for compatibility with `tabahead lsp`.
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// `tabahead complete`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tabahead complete src/main.rs:12:8           the suggestion at line 12, column 8
  tabahead complete src/main.rs:12 --tabs 3    at the end of line 12, then Tab three times")]
pub struct CompleteArgs {
    /// Place in a file: line and column count from 1, in characters; without COL, the end of the
    /// line.
    #[arg(value_name = "FILE:LINE[:COL]", value_hint = ValueHint::FilePath)]
    pub place: String,
    /// Press Tab this many times: accept, then request again after the accepted text.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub tabs: usize,
    /// Compute nothing ahead, and skip the comparison.
    #[arg(long)]
    pub no_speculation: bool,
    /// Time to read each suggestion before pressing Tab: 500ms, 1s, 2.5s. Ends early when nothing
    /// is left to compute ahead.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub pause: Duration,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `tabahead eval`
#[derive(Debug, Args)]
#[command(after_help = "\
Each line of FILE is an object with the strings prefix, suffix, middle and language, and
optionally path. A row is right if the suggestion between prefix and suffix equals middle, apart from trailing
white space. The n-gram copier, which copies what followed the same text elsewhere in the file,
is measured on the same rows.")]
pub struct EvalArgs {
    /// Rows to predict.
    #[arg(value_name = "FILE.jsonl", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Only the first N rows.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Count what the user would see: a suggestion below the minimum log-probability counts as none.
    #[arg(long)]
    pub gate: bool,
    /// Minimum mean log-probability of the gate [default: from the configuration].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub min_log_prob: Option<f32>,
    /// Layout of the prompts, whatever the model was trained for.
    #[arg(long, value_name = "LAYOUT", value_parser = one_of(Layout::ALL, Layout::as_str))]
    pub layout: Option<Layout>,
    /// Distance in lines between the places where the forced middle of prefix-first may begin.
    #[arg(long, value_name = "N", hide = true)]
    pub anchor_lines: Option<NonZeroUsize>,
    /// Hide the text after the cursor from the model.
    #[arg(long)]
    pub without_suffix: bool,
    /// With --observe: tokenize the text before the cursor as if it ended there, without healing, as
    /// other tools do.
    #[arg(long, requires = "observe", hide = true)]
    pub without_healing: bool,
    /// Predict nothing; write how likely each token of each middle is, according to the model and to
    /// copying.
    #[arg(long, value_name = "OUT.jsonl", value_hint = ValueHint::FilePath)]
    pub observe: Option<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `tabahead bench`
#[derive(Debug, Args)]
#[command(after_help = "\
Measures with one thread and with all threads that would compute: prompts of 128 to 1024 tokens,
decoding after 0 to 2048 tokens, several sequences in one pass, and the first token after a cut.
Then how long a first token takes while the program computes ahead, compared with nothing else
running. Takes a minute with the built-in model, several with a large one. For reliable figures,
do not use the machine meanwhile.")]
pub struct BenchArgs {
    /// Number of times each measurement is repeated; the median is shown.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Measure a little of everything, in seconds.
    #[arg(long, conflicts_with = "runs")]
    pub quick: bool,
    /// Compare with llama.cpp instead: both read and continue the same model's prompts in turn.
    /// PROGRAM is its `llama-bench`.
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::ExecutablePath)]
    pub compare_llama: Option<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `tabahead replay`
#[derive(Debug, Args)]
#[command(after_help = "\
Modes:
  recorded  edits happen as recorded; measures typing along, divergence and prefill
  inject    recorded accepts are served as if they were ours; measures from Tab to the next
            suggestion
  typist    a simulated user types the recorded text and accepts what matches; measures all

Examples:
  tabahead replay session.recording.w.json
  tabahead replay recordings/ --mode inject --policy none,tabahead --json
  tabahead replay session.recording.w.jsonl --clock wall --max-gap 1s")]
pub struct ReplayArgs {
    /// Recordings, or folders that contain recordings.
    #[arg(value_name = "RECORDING", required = true, value_hint = ValueHint::AnyPath)]
    pub recordings: Vec<PathBuf>,
    /// Behaviour of the user.
    #[arg(long, value_enum, default_value_t = ReplayMode::Typist)]
    pub mode: ReplayMode,
    /// Policies to compare [default: all; on the wall clock, none and tabahead].
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = one_of(PolicyName::ALL, PolicyName::as_str)
    )]
    pub policy: Vec<PolicyName>,
    /// Clock: the virtual clock gives the same figures on every machine; on the wall clock the real
    /// server runs as fast as the machine allows.
    #[arg(long, value_enum, default_value_t = ReplayClock::Virtual)]
    pub clock: ReplayClock,
    /// Source of answers on the virtual clock: the model, or a copier of earlier text, which needs no
    /// model and is the same everywhere.
    #[arg(long, value_enum, default_value_t = ReplayAnswers::Engine)]
    pub answers: ReplayAnswers,
    /// Layout of the prompts, for every policy. For experiments: a model answers badly in a layout
    /// that it was not trained for, but the tokens read per key, accept or jump are counted correctly
    /// [default: the model's own].
    #[arg(long, value_name = "NAME", value_parser = one_of(Layout::ALL, Layout::as_str))]
    pub layout: Option<Layout>,
    /// Distance in lines between the places where the forced middle of prefix-first may begin, on the
    /// virtual clock. For experiments, as --layout.
    #[arg(long, value_name = "N", hide = true)]
    pub anchor_lines: Option<NonZeroUsize>,
    /// Remember the model's answers in this file [default: one per model in the cache folder].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub memo: Option<PathBuf>,
    /// Cost of computing on the virtual clock: a file with the JSON output of `tabahead bench`
    /// [default: the built-in model on a 2-core machine].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub costs: Option<PathBuf>,
    /// Maximum pause on the wall clock; longer pauses are shortened to this.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_duration)]
    pub max_gap: Duration,
    /// Seed for all random choices.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write an HTML page with the results.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print JSON; its fields are described in docs/replay.md.
    #[arg(long)]
    pub json: bool,
    /// Print the table in Markdown.
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}

/// Behaviour of the user in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayMode {
    /// Edits as recorded.
    Recorded,
    /// Edits as recorded; recorded accepts are served as ours.
    Inject,
    /// A simulated user.
    Typist,
}

/// The clock of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayClock {
    /// Simulated, the same everywhere.
    Virtual,
    /// The real server in real time.
    Wall,
}

/// Source of answers in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayAnswers {
    /// The model.
    Engine,
    /// A copier of earlier text.
    Ngram,
}

/// `tabahead doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `tabahead stats`
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `tabahead config`
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Print a JSON Schema of the settings for editors instead.
    #[arg(long, conflicts_with = "json")]
    pub schema: bool,
}

/// `tabahead model …`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Print a model's metadata.
    Inspect {
        /// GGUF file or directory with safetensors, or `mini` for the built-in model [default:
        /// from the configuration].
        #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
        model: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set the model in the configuration file, after checking that it completes code.
    Use {
        /// GGUF file or directory with safetensors, or `mini` for the built-in model.
        #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
        model: String,
    },
    /// Print the likeliest next tokens after a prompt, to compare with other engines.
    Logits(LogitsArgs),
}

/// `tabahead model logits`
#[derive(Debug, Args)]
pub struct LogitsArgs {
    /// Same as `--model`.
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath, conflicts_with = "model")]
    pub path: Option<String>,
    /// Prompt as text; special tokens spelled in it are treated as plain text.
    #[arg(long, required_unless_present = "tokens", conflicts_with = "tokens")]
    pub text: Option<String>,
    /// Prompt as token ids: 1,2,3.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub tokens: Option<Vec<u32>>,
    /// Number of tokens to print; the JSON also has the scores of all tokens.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Parses `500ms`, `1s`, `2.5s`, `0`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time; write 500ms or 1.5s");
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        assert!(parse_duration("-1s").is_err());
        assert!(parse_duration("soon").is_err());
    }
}
