//! What can be asked. The doc comments are what `--help` prints.

mod cluster;
mod run;
mod values;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

pub use self::cluster::{
    ApproveArguments, ClusterCommand, NamedSync, NamedSyncs, OverviewForm, PlaceArguments,
    RefreshArguments, StatusArguments, WaitArguments,
};
pub use self::run::{
    ClusterArguments, ElectionArguments, LogStyle, ObservabilityArguments, RunArguments,
    ScopeArguments,
};

/// Brings the content of vaults to where it is used, keeps it equal, and restarts what depends on it exactly
/// once per change.
#[derive(Debug, Parser)]
#[command(
    name = "penstock",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// A verb.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the operator in, or against, a Kubernetes cluster.
    Run(Box<RunArguments>),
    /// What acts on a cluster.
    #[command(flatten)]
    Cluster(ClusterCommand),
    /// Prints the CustomResourceDefinitions, for `kubectl apply --server-side -f -`.
    Crd,
    /// Prints the version, and the API versions that it serves.
    Version,
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Takes the arguments of the process, its own name first.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    Ok(Arguments::try_parse_from(arguments)?.command)
}

/// The whole command, for what is generated from it.
pub(crate) fn definition() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests;
