//! The command line: `tabahead lsp`, and the commands that a user runs by hand.
//!
//! Reads arguments and the configuration file, resolves them once and calls the crates that do
//! the work. Standard output is for answers (and for the protocol of `lsp`), standard error for
//! everything else. Read `args.rs` for the commands; each has a module of its own.

mod args;
mod bench;
mod choose;
mod complete;
mod config;
mod doctor;
mod eval;
mod known_models;
mod model;
mod output;
mod place;
mod record;
mod replay;
mod stats;

#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};
use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;

use crate::{
    args::{Cli, Command, ModelCommand},
    config::WrongSettings,
};

fn main() -> ExitCode {
    #[cfg(unix)]
    survive_the_limit_of_file_sizes();
    let result = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(answer) => print(&answer),
    };
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            for line in lines_of(&error) {
                // Without a standard error, the exit code still reports the failure.
                let _ = writeln!(io::stderr(), "tabahead: {}", output::plain(&line));
            }
            ExitCode::FAILURE
        }
    }
}

/// Makes a write beyond `ulimit -f` an error, which its caller handles as it does a full disk. By
/// default, the signal that comes with it ends the process.
#[cfg(unix)]
fn survive_the_limit_of_file_sizes() {
    // Nothing reads the flag. A handler is enough for the write to return an error, and unlike a
    // signal that is ignored, programs that are started by this one do not inherit it.
    let exceeded = Arc::new(AtomicBool::new(false));
    // Without the handler, everything works where no limit is set.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, exceeded);
}

/// Prints the help, the version, or what is wrong with the arguments.
fn print(answer: &clap::Error) -> Result<ExitCode> {
    // A full disk is reported, as for every other answer.
    answer.print()?;
    io::stdout().flush()?;
    let code = u8::try_from(answer.exit_code()).unwrap_or(u8::MAX);
    Ok(ExitCode::from(code))
}

fn run(cli: Cli) -> Result<ExitCode> {
    start_logging(&cli.log)?;
    let config = cli.config.as_deref();
    match cli.command {
        Command::Lsp(args) => config::run_server(config, &args.engine, || Ok(None)),
        Command::Record(args) => record::run(&args, config),
        Command::Complete(args) => complete::run(&args, &config::load(config)?),
        Command::Eval(args) => eval::run(&args, &config::load(config)?),
        Command::Bench(args) => bench::run(&args, &config::load(config)?),
        Command::Replay(args) => replay::run(&args, &config::load(config)?, config),
        Command::Doctor(args) => doctor::run(&args, config),
        Command::Stats(args) => stats::run(&args),
        Command::Config(args) => config::run(&args, config),
        Command::Model(command @ ModelCommand::Use { .. }) => {
            model::run(&command, &config::load_to_change(config)?, config)
        }
        Command::Model(command) => model::run(&command, &config::load(config)?, config),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tabahead", &mut script);
            io::stdout().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Logs to standard error only: standard output belongs to answers and to the protocol.
fn start_logging(filter: &str) -> Result<()> {
    let directives = tabahead_server::log_directives(filter)?;
    let filter = EnvFilter::try_new(directives)
        .with_context(|| format!("'{filter}' is not a log level; try --log debug"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Colours need a feature of the library, without which it complains on each terminal.
        .with_ansi(false)
        // Otherwise it reports a log that cannot be written by panicking.
        .log_internal_errors(false)
        .init();
    Ok(())
}

/// Returns the lines that report an error: one, except where several settings are wrong.
fn lines_of(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref::<WrongSettings>() {
        Some(wrong) => wrong.lines().collect(),
        None => vec![format!("{error:#}")],
    }
}

/// Reports whether the reader of our output has closed it, as `head` does; that is not a failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
