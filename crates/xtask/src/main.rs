//! Project tasks, run as `cargo xtask <task>`.
//!
//! Decides nothing about the product: it checks the workspace, prepares what the tests need and
//! runs them. Start reading at `tidy.rs` for the rules, at `test.rs` for what a test run needs.

mod building;
mod codegen;
mod dist;
mod fuzz;
mod mutants;
mod prepare;
mod prompts;
mod replay;
mod source;
mod test;
mod tidy;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Project tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct XtaskArguments {
    #[command(subcommand)]
    task: ProjectTask,
}

#[derive(Debug, Subcommand)]
enum ProjectTask {
    /// Writes what is generated from the settings: package.json of the VS Code extension, the table
    /// of README.md.
    Codegen,
    /// Checks format, lints, documentation, module headers, arrows, dependencies and words.
    Tidy,
    /// Builds the VS Code package with the program in it, for this platform.
    Dist,
    /// Runs the fuzzers for longer than a test run does; prints what they find and how to reproduce
    /// it.
    Fuzz(fuzz::FuzzArguments),
    /// Switches off the rules of the law one by one, and checks that a test fails for each.
    Mutants(mutants::MutantsArguments),
    /// Prepares what the tests need, in the cache folder, and prints where it is.
    Prepare(test::PrepareArguments),
    /// Cuts training rows for a model out of source files, with the windows that prompts are made
    /// of.
    Prompts(prompts::PromptsArguments),
    /// Writes `tests/replay/RESULTS.md`, the table of what the replay measures.
    Replay(replay::ReplayArguments),
    /// Prepares what the tests need, then runs tidy and every test.
    Test(test::TestArguments),
}

fn main() -> ExitCode {
    let outcome = match XtaskArguments::parse().task {
        ProjectTask::Dist => dist::run(&workspace_root()),
        ProjectTask::Codegen => codegen::run(&workspace_root()),
        ProjectTask::Tidy => tidy::run(&workspace_root()),
        ProjectTask::Fuzz(arguments) => fuzz::run(&workspace_root(), &arguments),
        ProjectTask::Mutants(arguments) => mutants::run(&workspace_root(), &arguments),
        ProjectTask::Prepare(arguments) => test::prepare(&workspace_root(), &arguments),
        ProjectTask::Prompts(arguments) => prompts::run(&arguments),
        ProjectTask::Replay(arguments) => replay::run(&workspace_root(), &arguments),
        ProjectTask::Test(arguments) => test::run(&workspace_root(), &arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the folder of the workspace's `Cargo.toml`.
fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(PathBuf::from)
        .expect("this crate is in `crates/xtask` of the workspace")
}
