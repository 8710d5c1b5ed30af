//! `penstock-testbed demo`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use penstock_testbed::{Cluster, DemoOptions, Failure, Story, Traces};

use super::{interrupt, own_keeper};

/// Where cargo puts it beside this program.
const OPERATOR: &str = "penstock";

#[derive(Args)]
pub(super) struct Options {
    /// Where it takes place
    #[arg(long, value_enum, default_value = "local")]
    cluster: Place,
    /// Do not ask before the current cluster is touched
    #[arg(long)]
    yes: bool,
    /// The `penstock` binary; without it, the one beside this program
    #[arg(long)]
    operator: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Place {
    /// A control plane on this machine, started for it
    Local,
    /// The cluster of the current kubeconfig context
    Current,
}

pub(super) async fn demo(options: Options) -> Result<(), Failure> {
    let options = DemoOptions {
        cluster: match options.cluster {
            Place::Local => Cluster::Local,
            Place::Current => Cluster::Current,
        },
        yes: options.yes,
        operator: operator(options.operator)?,
        repository: repository(),
    };
    let mut story = Story::on_stdout();
    let keeper = own_keeper().await?;
    let traces = Traces::default();
    let outcome = tokio::select! {
        outcome = penstock_testbed::demo(&mut story, &keeper, &options, &traces) => outcome,
        interrupted = interrupt::any() => Err(interrupted),
    };
    // A cluster of our own goes away as a whole.
    let removed = match options.cluster {
        Cluster::Local => Ok(()),
        Cluster::Current => tokio::select! {
            removed = traces.remove(&mut story) => removed,
            interrupted = interrupt::any() => Err(interrupted),
        },
    };
    if removed.is_err() {
        traces.tell(&mut story);
    }
    keeper.close().await;
    outcome.and(removed)
}

/// The operator's binary: as told, or beside this program.
pub(super) fn operator(told: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(path) = told {
        // The operator runs in a folder of its own.
        return Ok(std::path::absolute(path)?);
    }
    let own = std::env::current_exe()?;
    let beside = own.with_file_name(OPERATOR);
    if beside.is_file() {
        return Ok(beside);
    }
    Err(Failure::because(format!(
        "{} is not there: cargo build --package {OPERATOR}",
        beside.display()
    )))
}

/// The folder that this program was built in.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
