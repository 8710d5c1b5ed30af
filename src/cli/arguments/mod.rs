//! What can be asked. The doc comments are what `--help` prints.

mod cluster;
mod content;
mod doctor;
mod inputs;
mod plan;
mod run;
mod state;
mod store;
mod sync;
mod values;

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

pub use self::cluster::{
    ApproveArguments, ClusterCommand, ExplainArguments, ForgetArguments, NamedSync, NamedSyncs,
    OverviewForm, PlaceArguments, RefreshArguments, RevokeArguments, RollbackArguments,
    StatusArguments, UnpinArguments, WaitArguments, WhereArguments,
};
pub use self::content::{EnvArguments, EnvForm, ExecArguments, RenderArguments};
pub use self::doctor::DoctorArguments;
pub use self::inputs::{InputArguments, ReachArguments};
pub use self::plan::{Form, PlanArguments};
pub use self::run::{
    ClusterArguments, ElectionArguments, LogStyle, ObservabilityArguments, RunArguments,
    ScopeArguments,
};
pub use self::state::{AuditArguments, KeyOrigin, RecordPlace, StateArguments};
pub use self::store::{
    GetArguments, ImportArguments, InitArguments, ItemArguments, SetArguments, StoreCommand,
    StoreInputs, StoreName,
};
pub use self::sync::SyncArguments;

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
    #[command(after_help = RUN_HELP)]
    Run(Box<RunArguments>),
    /// Shows what a sync would do, key by key, without doing it.
    #[command(after_help = PLAN_HELP)]
    Plan(Box<PlanArguments>),
    /// Reads the sources and writes the targets: the plan, carried out.
    #[command(after_help = SYNC_HELP)]
    Sync(Box<SyncArguments>),
    /// Runs a command with the keys in its environment, and nothing on disk.
    #[command(after_help = EXEC_HELP)]
    Exec(Box<ExecArguments>),
    /// Prints the keys as an environment.
    #[command(after_help = ENV_HELP)]
    Env(Box<EnvArguments>),
    /// Prints the manifests that the operator would write.
    #[command(after_help = RENDER_HELP)]
    Render(Box<RenderArguments>),
    /// What looks at stores, and changes them.
    #[command(flatten)]
    Store(StoreCommand),
    /// What acts on a cluster.
    #[command(flatten)]
    Cluster(ClusterCommand),
    /// Tries stores, SecretSyncs and the cluster, and says what to do about what does not work.
    #[command(after_help = doctor::DOCTOR_HELP)]
    Doctor(Box<DoctorArguments>),
    /// Prints the CustomResourceDefinitions, for `kubectl apply --server-side -f -`.
    #[command(after_help = CRD_HELP)]
    Crd,
    /// Prints the version, and the API versions that it serves.
    #[command(after_help = VERSION_HELP)]
    Version,
    /// Prints a completion script for a shell.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What stands below the help of `penstock run`.
const RUN_HELP: &str = "\
Exit status: 0 stopped by a signal, 1 something is wrong, 64 the arguments are wrong.

Examples:
  penstock run --namespaces shop,panbot
  penstock run --context kind-dev --namespaces dev --leader-election=false";

/// What stands below the help of `penstock crd`.
const CRD_HELP: &str = "\
Exit status: 0 printed, 1 something is wrong, 64 the arguments are wrong.

Example:
  penstock crd | kubectl apply --server-side -f -";

/// What stands below the help of `penstock version`.
const VERSION_HELP: &str = "\
Exit status: 0 printed, 1 something is wrong, 64 the arguments are wrong.

Example:
  penstock version";

/// What stands below the help of `penstock completions`.
const COMPLETIONS_HELP: &str = "\
Exit status: 0 printed, 1 something is wrong, 64 the arguments are wrong.

Example:
  penstock completions bash > /etc/bash_completion.d/penstock";

/// What stands below the help of `penstock plan`.
const PLAN_HELP: &str = "\
Exit status: 0 nothing to do, 2 changes are pending, 1 something is wrong, 64 the arguments are wrong.

Documents are code: they name variables and files as credentials, and addresses to send them to. Look at those of
others with --offline first, or plan them with --trusted-stores.

Examples:
  penstock plan -f deploy/
  kustomize build overlays/prod | penstock plan -f - --set tenant=prod
  penstock plan -f pull-request/ --trusted-stores stores/ --output markdown";

/// What stands below the help of `penstock sync`.
const SYNC_HELP: &str = "\
Every write is one step: interrupted at any moment, each target holds either its old or its new content. A failure of
one sync or target leaves the others alone. Deletions are asked for on a terminal and need --yes elsewhere; what a guard
holds back needs --approve with the hash that the plan shows.

Exit status: 0 all is well, 1 something failed or was left alone, 3 a source fell back to earlier content (--strict),
130 interrupted, 64 the arguments are wrong.

Examples:
  penstock sync -f penstock.yaml
  penstock sync -f deploy/ --set tenant=prod --target env --yes
  penstock sync -f compose.yaml --on-change 'docker compose up -d'";

/// What stands below the help of `penstock exec`.
const EXEC_HELP: &str = "\
penstock becomes the command: signals reach it, and the keys win over variables of the same name that the process has.

Exit status: that of the command. Before it begins: 1 something is wrong, 126 the command cannot be run, 127 there is
none, 64 the arguments are wrong.

Examples:
  penstock exec -f penstock.yaml -- ./server --port 8080
  penstock exec -f penstock.yaml --target worker -- python worker.py";

/// What stands below the help of `penstock env`.
const ENV_HELP: &str = "\
Exit status: 0 printed, 1 something is wrong, 64 the arguments are wrong.

Examples:
  penstock env -f penstock.yaml
  eval \"$(penstock env -f penstock.yaml --format export --reveal)\"";

/// What stands below the help of `penstock render`.
const RENDER_HELP: &str = "\
Secrets hold values that base64 does not hide: they are rendered with --reveal only, and belong into no repository.

Exit status: 0 rendered, 1 something is wrong, 64 the arguments are wrong.

Examples:
  penstock render -f deploy/
  penstock render -f deploy/ --reveal --output rendered/";

/// As which the process is installed to be `kubectl penstock`.
const PLUGIN: &str = "kubectl-penstock";

/// Takes the arguments of the process, its own name first.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = arguments.first().map(Path::new).and_then(Path::file_stem);
    let mut command = definition();
    if name.is_some_and(|name| name == PLUGIN) {
        command = command
            .bin_name("kubectl penstock")
            .mut_subcommands(with_examples_of_the_plugin);
    }
    let matches = command.try_get_matches_from(arguments)?;
    Ok(Arguments::from_arg_matches(&matches)?.command)
}

/// The examples of a verb, as they are typed where kubectl has us as a plugin.
fn with_examples_of_the_plugin(verb: clap::Command) -> clap::Command {
    let Some(help) = verb.get_after_help() else {
        return verb;
    };
    let help = help.to_string();
    verb.after_help(help.replace("  penstock ", "  kubectl penstock "))
}

/// The whole command, for what is generated from it.
pub(crate) fn definition() -> clap::Command {
    // Help ends up in logs; that a variable may stand for a flag is help, what it holds is not.
    Arguments::command()
        .mut_subcommands(|verb| verb.mut_args(|argument| argument.hide_env_values(true)))
}

#[cfg(test)]
mod tests;
