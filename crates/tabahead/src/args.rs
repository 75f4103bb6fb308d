//! The command line as typed. The commands resolve what it means.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
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
    /// What to log on standard error: error, warn, info, debug, trace, or a filter such as
    /// `tabahead_server=debug`. Text of your files is never logged.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "TABAHEAD_LOG",
        default_value = "warn"
    )]
    pub log: String,
    /// What to do.
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
    /// Measure how often suggestions are what really stood there.
    Eval(EvalArgs),
    /// Measure the engine's speed on this machine.
    Bench(BenchArgs),
    /// Record what happens to documents while the language server runs, or what commits changed.
    Record(RecordArgs),
    /// Replay recorded editing and measure how long people wait and what was computed in vain.
    Replay(ReplayArgs),
    /// Check that everything is in place; says what to do where it is not.
    Doctor(DoctorArgs),
    /// Show what the running servers have answered, and how fast.
    Stats(StatsArgs),
    /// Show every setting, its value and where it comes from.
    Config(ConfigArgs),
    /// Look into a model.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Print the completion script of a shell.
    ///
    /// For bash: `tabahead completions bash > ~/.local/share/bash-completion/completions/tabahead`
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// Which model computes, and on how many threads.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// GGUF file or directory with safetensors, or `mini` for the built-in model [default: from
    /// the configuration].
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub model: Option<String>,
    /// Threads that compute, 0 to choose from the cores [default: from the configuration].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `tabahead lsp`
#[derive(Debug, Args)]
pub struct LspArgs {
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Run alone in this process. It is the only way so far; the flag is there for scripts.
    #[arg(long)]
    pub no_daemon: bool,
    /// Accepted for editors that name the transport; it is always standard input and output.
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// `tabahead record`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tabahead record ~/recordings                      in the editor's settings, instead of tabahead lsp
  tabahead record --from-git . --commits HEAD~3..   what the last three commits changed, typed

A recording holds the text of the files that are edited. It stays in DIR, readable by you alone. Files
that get no suggestions, such as those that look like secrets, are never recorded.")]
pub struct RecordArgs {
    /// Serve an editor as `tabahead lsp` does, and record into this folder.
    #[arg(
        value_name = "DIR",
        required_unless_present = "from_git",
        value_hint = ValueHint::DirPath
    )]
    pub folder: Option<PathBuf>,
    /// Make recordings of a repository's commits instead: what they changed is typed key by key.
    #[arg(
        long,
        value_name = "REPO",
        conflicts_with = "folder",
        requires = "commits",
        value_hint = ValueHint::DirPath
    )]
    pub from_git: Option<PathBuf>,
    /// Which commits, as `git log` takes them; of merges the main line.
    #[arg(long, value_name = "RANGE", requires = "from_git")]
    pub commits: Option<String>,
    /// Only these files, as git's pathspecs.
    #[arg(
        long = "path",
        value_name = "PATHSPEC",
        requires = "from_git",
        value_hint = ValueHint::AnyPath
    )]
    pub paths: Vec<String>,
    /// Where the recordings of commits go, one file for each.
    #[arg(
        short,
        long,
        value_name = "DIR",
        default_value = ".",
        requires = "from_git",
        value_hint = ValueHint::DirPath
    )]
    pub output: PathBuf,
    /// For the times, which are drawn from how people type.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "from_git")]
    pub seed: u64,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Accepted as by `tabahead lsp`.
    #[arg(long, hide = true)]
    pub no_daemon: bool,
    /// Accepted as by `tabahead lsp`.
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
    /// Where: line and column count from 1, in characters; without COL the end of the line.
    #[arg(value_name = "FILE:LINE[:COL]", value_hint = ValueHint::FilePath)]
    pub place: String,
    /// Press Tab this many times: accept, and ask again behind what was accepted.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub tabs: usize,
    /// Compute nothing ahead, and skip the comparison.
    #[arg(long)]
    pub no_speculation: bool,
    /// How long to read each suggestion before pressing Tab: 500ms, 1s, 2.5s. Ends early when
    /// nothing is left to compute ahead.
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
optionally path. A row is right when the suggestion between prefix and suffix equals middle,
trailing white space aside. The n-gram copier, which repeats what followed the same text
elsewhere in the file, is measured on the same rows.")]
pub struct EvalArgs {
    /// Rows to predict.
    #[arg(value_name = "FILE.jsonl", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Only the first N rows.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Count what the user would see: a suggestion below the least log-probability is silence.
    #[arg(long)]
    pub gate: bool,
    /// Least mean log-probability of the gate [default: from the configuration].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub min_log_prob: Option<f32>,
    /// Lay prompts out like this, whatever the model was trained for.
    #[arg(long, value_name = "LAYOUT")]
    pub layout: Option<Layout>,
    /// Distance in lines of the places where the forced middle of prefix-first may begin.
    #[arg(long, value_name = "N", hide = true)]
    pub anchor_lines: Option<NonZeroUsize>,
    /// Hide the text behind the cursor from the model.
    #[arg(long)]
    pub without_suffix: bool,
    /// Cut the text before the cursor into tokens as if it ended there, as others do, with --observe.
    #[arg(long, requires = "observe", hide = true)]
    pub without_healing: bool,
    /// Predict nothing: write for each token of each middle how likely it is to the model and to copying.
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
Measures on one thread and on all that would compute: prompts of 128 to 1024 tokens, decoding behind
0 to 2048 tokens, several sequences in one pass, and the first token behind a cut. Then how long a
first token takes while the program computes ahead, against the same with nothing else running.
Takes a minute with the built-in model, several with a large one. For figures that hold, leave the
machine alone meanwhile.")]
pub struct BenchArgs {
    /// How often each measurement is repeated; the median is shown.
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
  recorded  edits happen as recorded: what is typed along, what diverges, what is prefilled
  inject    recorded accepts are served as if they were ours: from Tab to the next suggestion
  typist    a simulated user types the recorded text and accepts what agrees: the whole

Examples:
  tabahead replay session.recording.w.json
  tabahead replay recordings/ --mode inject --policy none,tabahead --json
  tabahead replay session.recording.w.jsonl --clock wall --max-gap 1s")]
pub struct ReplayArgs {
    /// Recordings, or folders that hold some.
    #[arg(value_name = "RECORDING", required = true, value_hint = ValueHint::AnyPath)]
    pub recordings: Vec<PathBuf>,
    /// What the user does.
    #[arg(long, value_enum, default_value_t = ReplayMode::Typist)]
    pub mode: ReplayMode,
    /// Ways to answer that are compared: none, exact, llama-vim, copilot, tabahead [default: all of
    /// them, on the wall clock none and tabahead].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub policy: Vec<PolicyName>,
    /// The virtual clock gives the same figures on every machine; on the wall clock, the real server
    /// runs as fast as this machine can.
    #[arg(long, value_enum, default_value_t = ReplayClock::Virtual)]
    pub clock: ReplayClock,
    /// Who answers on the virtual clock: the model, or a copier of what stood there before, which
    /// needs no model and is the same everywhere.
    #[arg(long, value_enum, default_value_t = ReplayAnswers::Engine)]
    pub answers: ReplayAnswers,
    /// How prompts are laid out, for every policy: suffix-first, prefix-first, split. An instrument: a
    /// model answers badly in a layout that it was not trained for, but what is read for a key, an
    /// accept or a jump is counted right [default: the model's own].
    #[arg(long, value_name = "NAME")]
    pub layout: Option<Layout>,
    /// Distance in lines of the places where the forced middle of prefix-first may begin, on the virtual
    /// clock. An instrument, as --layout.
    #[arg(long, value_name = "N", hide = true)]
    pub anchor_lines: Option<NonZeroUsize>,
    /// Remember the model's answers in this file [default: one per model in the cache folder].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub memo: Option<PathBuf>,
    /// What computing takes on the virtual clock: the JSON of `tabahead bench` [default: the built-in
    /// model on a 2-core machine].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub costs: Option<PathBuf>,
    /// Longer pauses are shortened to this on the wall clock.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_duration)]
    pub max_gap: Duration,
    /// For everything that is drawn by chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write a page to look at.
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

/// What the user does in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayMode {
    /// As recorded.
    Recorded,
    /// As recorded, recorded accepts served as ours.
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

/// Who answers in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayAnswers {
    /// The model.
    Engine,
    /// A copier.
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
    /// Print a JSON Schema of the settings instead, for editors.
    #[arg(long, conflicts_with = "json")]
    pub schema: bool,
}

/// `tabahead model …`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Print what a model's metadata say.
    Inspect {
        /// GGUF file or directory with safetensors, or `mini` for the built-in model [default:
        /// from the configuration].
        #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
        model: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Name a model in the configuration file, once it is seen to complete code.
    Use {
        /// GGUF file or directory with safetensors, or `mini` for the built-in model.
        #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
        model: String,
    },
    /// Print the likeliest next tokens after a prompt, for comparing with other engines.
    Logits(LogitsArgs),
}

/// `tabahead model logits`
#[derive(Debug, Args)]
pub struct LogitsArgs {
    /// As `--model`.
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath, conflicts_with = "model")]
    pub path: Option<String>,
    /// Prompt as text; special tokens spelled in it are plain text.
    #[arg(long, required_unless_present = "tokens", conflicts_with = "tokens")]
    pub text: Option<String>,
    /// Prompt as token ids: 1,2,3.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub tokens: Option<Vec<u32>>,
    /// How many tokens to print; JSON has the scores of all of them besides.
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
