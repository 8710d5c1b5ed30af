//! The verbs of `penstock-testbed`.

mod bench;
mod build;
mod demo;
mod interrupt;
mod up;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use penstock_testbed::{Failure, Keeper, serve};
use tokio::runtime::Builder;

/// Real servers for Penstock's demo, tests and benchmark: builds, starts and stops them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Builds the servers into the user's cache, unless they are there
    Build {
        /// Say why and succeed where the machine lacks something
        #[arg(long)]
        optional: bool,
    },
    /// Starts a control plane and a vault, says how to use them, and runs until Ctrl-C
    Up(up::Options),
    /// Tells what Penstock does while it happens, on a real cluster with a real vault
    Demo(demo::Options),
    /// Measures many SecretSyncs, and prints a table
    Bench(bench::Options),
    /// Runs programs for the process that started it, and ends them with it
    #[command(hide = true)]
    Keeper,
}

pub(crate) fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Build { optional } => on_all_cores(build::build(optional)),
        Verb::Up(options) => on_all_cores(up::up(options)),
        Verb::Demo(options) => on_all_cores(demo::demo(options)),
        Verb::Bench(options) => on_all_cores(bench::bench(options)),
        Verb::Keeper => keep(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // There is nowhere else to say it.
            drop(writeln!(io::stderr(), "penstock-testbed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn on_all_cores(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // A thread may still read standard input.
    runtime.shutdown_background();
    outcome
}

/// One thread, as the keeper asks for.
fn keep() -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve());
    runtime.shutdown_background();
    outcome.map_err(Failure::from)
}

/// A keeper that is this very program.
async fn own_keeper() -> Result<Arc<Keeper>, Failure> {
    Ok(Keeper::start(&std::env::current_exe()?).await?)
}
