//! `penstock-testbed`: builds and runs the servers.

mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::main()
}
