//! Composition root of the `penstock` binary: takes the arguments, puts together what they ask for, and ends.

mod compose;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use penstock_cli::arguments::{Command, parse};
use penstock_cli::commands::{completions, crd, version};
use penstock_cli::exit::{Ending, conclude, refuse};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match parse(std::env::args_os()) {
        Ok(command) => conclude(execute(command)),
        Err(error) => refuse(&error),
    }
}

fn execute(command: Command) -> Result<Ending, Box<dyn Error>> {
    let mut output = io::stdout();
    match command {
        Command::Run(arguments) => compose::operator::run(&arguments)?,
        Command::Plan(arguments) => return compose::local::plan(&arguments),
        Command::Sync(arguments) => return compose::local::sync(&arguments),
        Command::Exec(arguments) => return compose::local::exec(&arguments),
        Command::Env(arguments) => return compose::local::env(&arguments),
        Command::Render(arguments) => return compose::local::render(&arguments),
        Command::Store(command) => return compose::local::store(&command),
        Command::Cluster(command) => return compose::cluster::act(&command),
        Command::Doctor(arguments) => return compose::local::doctor(&arguments),
        Command::Crd => crd::print_crds(&mut output)?,
        Command::Version => version::print_version(&mut output)?,
        Command::Completions { shell } => completions::print_completions(shell, &mut output)?,
    }
    Ok(Ending::Done)
}
